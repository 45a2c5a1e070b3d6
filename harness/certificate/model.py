"""What a certificate states. One dataclass per object of ``schema-2.json``, field for field.

Fields marked as :func:`moment` hold times and durations: two runs of the same thing differ in nothing else, see
:func:`harness.certificate.comparable.comparable`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from harness.checks.result import Outcome

KIND = "irproof-certificate"
SCHEMA_VERSION = 2
# Older ones that are still read: they lack fields that have a default.
READABLE_VERSIONS = (1, 2)
# Raised whenever a check, a tolerance or a built-in case changes: certificates of two suites are not comparable.
SUITE_VERSION = "1"

Verdict = Literal["certified", "not_certified", "informational"]
Standing = Literal["certifying", "informational"]
CoverageStatus = Literal["passed", "failed", "not_claimed", "not_covered"]
ExpectationStatus = Literal["met", "unexpected_pass", "stale", "not_judged"]


def moment(**keywords: Any) -> Any:
    """A dataclass field that holds a time or a duration, and so may differ between two runs of the same thing."""
    return dataclasses.field(metadata={"moment": True}, **keywords)


@dataclasses.dataclass(frozen=True)
class Tool:
    """Who wrote the certificate; ``suite_version`` names the set of checks, tolerances and built-in cases."""

    name: str
    version: str
    suite_version: str


@dataclasses.dataclass(frozen=True)
class ConverterFacts:
    """The converter under test: ``spec`` as the caller wrote it, ``claims`` as the converter declares them."""

    name: str
    version: str
    spec: str
    claims: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class DeviceFacts:
    """Where the IRs ran, with the device's own properties and those that the harness set."""

    name: str
    properties: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Port:
    """One input or output of an IR: its first tensor name, element type, and shape as OpenVINO writes it."""

    name: str
    type: str
    shape: str


@dataclasses.dataclass(frozen=True)
class IrSignature:
    """An IR as its user meets it: inputs and outputs in order, and how many ops of each type it has."""

    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    ops: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Hashes:
    """SHA-256 of what went in and came out, by content; None where there is no such thing (yet)."""

    model: str | None = None
    config: str | None = None
    inputs: str | None = None
    ir: str | None = None


@dataclasses.dataclass(frozen=True)
class Latency:
    """Seconds of single inferences of a case's IR: sample ``i`` was taken in round ``i`` of the ``session``.

    Two certificates whose latencies are of one session were measured in turn, on one machine, round by round; only
    those can be compared.
    """

    session: str
    samples: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class CaseFacts:
    """One model in one form, and what the converter made of it."""

    name: str
    family: str
    era: str
    format: str
    origin: str
    traits: tuple[str, ...] = ()
    input_shape: tuple[int, ...] | None = None
    hashes: Hashes = Hashes()
    ir: IrSignature | None = None
    conversion_duration_s: float | None = moment(default=None)
    latency: Latency | None = moment(default=None)  # noqa: RUF009


@dataclasses.dataclass(frozen=True)
class Drawn:
    """One detection on a picture; ``index`` is its place in its side's answer, which findings name.

    ``box`` is ``(ymin, xmin, ymax, xmax)``, normalised. ``mask`` has a hexadecimal digit a value (0 to f for 0 to 1),
    row by row in the shape that the picture names; empty where there is none.
    """

    index: int
    label: int
    score: float
    box: tuple[float, ...]
    mask: str = ""


@dataclasses.dataclass(frozen=True)
class Picture:
    """One image that a finding is about, with what either side found on it.

    ``view`` says how the model was asked; ``pixels`` names one of the certificate's ``images``. ``reference`` are
    TensorFlow's detections, ``observed`` the IR's, ``pairs`` the indices of those that are each other's counterparts.
    ``left_out`` counts detections of both sides that are not listed, the least sure ones.
    """

    id: str
    case: str
    view: str
    image: int
    scene: str
    height: int
    width: int
    pixels: str
    reference: tuple[Drawn, ...] = ()
    observed: tuple[Drawn, ...] = ()
    pairs: tuple[tuple[int, ...], ...] = ()
    mask_shape: tuple[int, ...] = ()
    left_out: int = 0


@dataclasses.dataclass(frozen=True)
class Spot:
    """Where on its picture a finding about an anchor lies: that anchor on either side, as YXYX; empty if unknown."""

    reference: tuple[float, ...] = ()
    observed: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class FindingFacts:
    """A :class:`harness.checks.result.Finding`, with plain values only; ``picture`` is the id of one, or empty."""

    what: str
    where: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    error: float | None = None
    noise: float | None = None
    tolerance: float | None = None
    passing_tolerance: float | None = None
    unit: str = ""
    picture: str = ""
    spot: Spot | None = None


@dataclasses.dataclass(frozen=True)
class Expected:
    """Why a failure was expected: the ``entry``-th of the expectations (from 1), with its reason and link."""

    entry: int
    reason: str
    link: str


@dataclasses.dataclass(frozen=True)
class Result:
    """What one check found on one case.

    ``test`` is its place in the suites, ``reproduce`` a command that repeats it. ``expected`` is set on a failure that
    the caller's expectations foresaw; the outcome stays what it is.
    """

    case: str
    check: str
    test: str
    requirements: tuple[str, ...]
    stage: str
    outcome: Outcome
    findings: tuple[FindingFacts, ...] = ()
    worst_error: float | None = None
    noise: float | None = None
    tolerance: float | None = None
    passing_tolerance: float | None = None
    unit: str = ""
    compared: int = 0
    explained: int = 0
    notes: tuple[str, ...] = ()
    reproduce: str = ""
    expected: Expected | None = None
    duration_s: float | None = moment(default=None)


@dataclasses.dataclass(frozen=True)
class Coverage:
    """One requirement over all results: the status, and how many results of each outcome name it."""

    requirement: str
    status: CoverageStatus
    passed: int = 0
    failed: int = 0
    error: int = 0
    not_claimed: int = 0
    not_applicable: int = 0


@dataclasses.dataclass(frozen=True)
class ExpectationFacts:
    """One entry of the expectations that the run was given, and what became of it.

    ``met``: every case that it names failed so, ``failures`` results in all. ``unexpected_pass``: in ``passing_cases``
    nothing failed so. ``stale``: it names no case, or nothing that is checked there. ``not_judged``: the run left out
    what it is about.
    """

    case: str
    requirement: str
    stage: str
    check: str
    reason: str
    link: str
    status: ExpectationStatus
    failures: int = 0
    passing_cases: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Certificate:
    """Everything that a report or a gate needs to know of one run.

    ``standing`` is ``certifying`` for a complete run of profile ``full`` with default options, else
    ``informational`` for the ``standing_reasons``. ``complete`` is False when checks that were selected did not
    run, for whatever reason. ``images`` are reduced scenes as data URIs, by the names that ``pictures`` call them;
    ``pictures_left_out`` counts what did not fit into a certificate of bearable size.
    """

    tool: Tool
    profile: str
    standing: Standing
    standing_reasons: tuple[str, ...]
    verdict: Verdict
    verdict_reasons: tuple[str, ...]
    complete: bool
    converter: ConverterFacts
    device: DeviceFacts
    versions: Mapping[str, str]
    seeds: Mapping[str, int]
    cases: tuple[CaseFacts, ...]
    results: tuple[Result, ...]
    coverage: tuple[Coverage, ...]
    expectations: tuple[ExpectationFacts, ...] = ()
    pictures: tuple[Picture, ...] = ()
    images: Mapping[str, str] = dataclasses.field(default_factory=dict)
    pictures_left_out: int = 0
    kind: str = KIND
    schema_version: int = SCHEMA_VERSION
    started: str = moment(default="")
    ended: str = moment(default="")
    duration_s: float | None = moment(default=None)
