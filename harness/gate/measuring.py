"""Both versions on one machine, in turn: latencies round by round, and the old version's IRs under the new one."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from harness.cases.case import Case
from harness.certificate.model import Certificate, Latency
from harness.checks.tools import exact_properties
from harness.errors import IrproofError
from harness.gate.probe import Probed, probe, tolerance_of
from harness.observation.detections import Detections
from harness.observation.observe import inputs_for, observe
from harness.runtime.runtime import Runtime

Say = Callable[[str], None]
WARM_UP = 3
ROUND_SECONDS, MOST_REPEATS = 0.02, 25


@dataclasses.dataclass(frozen=True)
class Side:
    """One version: the Python whose environment holds it, and its IRs by the case's name."""

    python: Path
    irs: Mapping[str, Path]


def measure_latencies(
    before: Side, after: Side, cases: Mapping[str, Case], *, device: str, rounds: int, say: Say
) -> dict[str, tuple[Latency, Latency]]:
    """Seconds of single inferences of each case's IR under its own version, by the case's name.

    In each round either side is asked once, for as many inferences (the same on both sides) as last a fiftieth of a
    second, whose median is the sample; who begins changes from round to round. The device computes as it does
    by default. A case that one side cannot run is left out: its checks say why.
    """
    found = {}
    with (
        Runtime(python=before.python, device=device, properties={}) as old,
        Runtime(python=after.python, device=device, properties={}) as new,
    ):
        for name in sorted(before.irs.keys() & after.irs.keys() & cases.keys()):
            try:
                samples = _rounds((old, before.irs[name]), (new, after.irs[name]), cases[name], rounds)
            except IrproofError as error:
                say(f"{name}: no latency, {error.what}")
                continue
            session = secrets.token_hex(8)
            found[name] = (
                Latency(session, tuple(samples[0].tolist())),
                Latency(session, tuple(samples[1].tolist())),
            )
            say(f"{name}: {np.median(samples[0]) * 1e3:.1f} ms, then {np.median(samples[1]) * 1e3:.1f} ms")
    return found


def with_latencies(certificate: Certificate, latencies: Mapping[str, Latency]) -> Certificate:
    """The certificate with what was measured afterwards."""
    cases = tuple(dataclasses.replace(case, latency=latencies.get(case.name)) for case in certificate.cases)
    return dataclasses.replace(certificate, cases=cases)


def probe_frozen(before: Side, after: Side, cases: Mapping[str, Case], *, device: str, say: Say) -> tuple[Probed, ...]:
    """What the old version's IRs answer under the new version, against what they answer under their own.

    Both compute in float32; how far the old version moves from itself with one thread sets the tolerance.
    """
    exact = exact_properties(device)
    single = {**exact, "INFERENCE_NUM_THREADS": 1} if device == "CPU" else exact
    found = []
    with (
        Runtime(python=before.python, device=device, properties=exact) as old,
        Runtime(python=after.python, device=device, properties=exact) as new,
        Runtime(python=before.python, device=device, properties=single) as alone,
    ):
        for name in sorted(before.irs.keys() & cases.keys()):
            ir, case = before.irs[name], cases[name]
            try:
                answers = _answers(old, ir, case)
                tolerance = tolerance_of(answers, _answers(alone, ir, case))
            except IrproofError as error:
                say(f"{name}: not probed, its IR does not run under its own version: {error.what}")
                continue
            try:
                one = probe(name, answers, _answers(new, ir, case), tolerance)
            except IrproofError as error:
                one = Probed(name, "failed", why=f"runs no more: {error.what}")
            found.append(one)
    return tuple(found)


def _rounds(
    old: tuple[Runtime, Path], new: tuple[Runtime, Path], case: Case, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    image = case.scenes[0].pixels()
    batch = np.stack([image] * (case.input_shape[0] if case.input_shape else 1))
    sides = []
    repeats = 1
    for runtime, ir in (old, new):
        inputs = inputs_for(runtime.inspect(ir), batch)
        seconds = float(np.median(runtime.latencies(ir, inputs, repeats=3, warm_up=WARM_UP)))
        # One inference of a small model lasts less than what the system does beside it.
        repeats = max(repeats, min(MOST_REPEATS, round(ROUND_SECONDS / seconds)))
        sides.append((runtime, ir, inputs))
    taken = (np.empty(rounds), np.empty(rounds))
    for number in range(rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            runtime, ir, inputs = sides[side]
            # The first inference after the other side ran finds cold caches, and is not counted.
            taken[side][number] = np.median(runtime.latencies(ir, inputs, repeats=repeats, warm_up=1))
    return taken


def _answers(runtime: Runtime, ir: Path, case: Case) -> list[Detections]:
    facts = runtime.inspect(ir)
    size = case.input_shape[0] if case.input_shape else 1
    found: list[Detections] = []
    pixels = [scene.pixels() for scene in case.scenes]
    for start in range(0, len(pixels), size):
        batch = np.stack([pixels[(start + index) % len(pixels)] for index in range(size)])
        found += observe(runtime, ir, facts, batch).answer.images
    return found
