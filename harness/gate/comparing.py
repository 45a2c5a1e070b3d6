"""Comparing two certificates: results, errors, signatures, operations and latencies."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from harness.certificate.model import CaseFacts, Certificate, IrSignature, Port, Result
from harness.certificate.units import amount
from harness.errors import Stage
from harness.gate.comparability import require_comparable
from harness.gate.latency import MARGIN, latency_ratios
from harness.gate.model import Change, Gate
from harness.runtime.facts import DETECTION_TYPES, LOOP_TYPES

FAILING = ("failed", "error")
_ORDER = [stage.value for stage in Stage]


def compare(baseline: Certificate, candidate: Certificate, *, margin: float = MARGIN) -> Gate:
    """What changed; raises NotComparable where the certificates do not speak of the same.

    A latency counts as slower from ``1 + margin`` times the baseline's on.
    """
    require_comparable(baseline, candidate)
    notes: list[str] = []
    changes = [*_outcomes(baseline, candidate), *_errors(baseline, candidate, notes)]
    after = {case.name: case for case in candidate.cases}
    for case in baseline.cases:
        changes += _irs(case, after[case.name])
    latencies, missing = latency_ratios(baseline, candidate, margin=margin)
    notes += missing
    for one in latencies:
        if one.verdict == "slower":
            what = f"inference takes {one.ratio:.3g} times as long ({one.low:.3g} to {one.high:.3g})"
            changes.append(Change("latency", one.case, what, regression=True))
    return Gate(
        baseline=_subject(baseline),
        candidate=_subject(candidate),
        changes=tuple(changes),
        latencies=latencies,
        differences=tuple(_differences(baseline, candidate)),
        notes=tuple(notes),
        compared=sum(1 for _ in _pairs(baseline, candidate)),
    )


def _outcomes(baseline: Certificate, candidate: Certificate) -> Iterator[Change]:
    for before, after in _pairs(baseline, candidate):
        if after is None:
            # The same test ended before it came to this check.
            if before.outcome == "passed":
                yield _change("no_longer_proven", before, f"{before.check} was not checked again", regression=True)
        elif before.outcome not in FAILING and after.outcome in FAILING:
            yield _change("newly_failing", after, _why(after), regression=True, before=before.outcome)
        elif before.outcome in FAILING and after.outcome in FAILING:
            if _ORDER.index(after.stage) < _ORDER.index(before.stage):
                what = f"fails at stage {after.stage} already: {_why(after)}"
                yield _change("fails_earlier", after, what, regression=True, before=before.stage)
        elif before.outcome == "passed" and after.outcome != "passed":
            reason = "; ".join(after.notes) or "no reason given"
            what = f"passed, and now {after.outcome.replace('_', ' ')}: {reason}"
            yield _change("no_longer_proven", after, what, regression=True, before=before.outcome)
        elif before.outcome in FAILING and after.outcome == "passed":
            yield _change("newly_passing", after, f"failed: {_why(before)}", regression=False, before=before.outcome)


def _errors(baseline: Certificate, candidate: Certificate, notes: list[str]) -> Iterator[Change]:
    unknown = 0
    for before, after in _pairs(baseline, candidate):
        if after is None or before.worst_error is None or after.worst_error is None or before.unit != after.unit:
            continue
        if math.isnan(before.worst_error):
            continue
        growth = after.worst_error - before.worst_error
        noises = [noise for noise in (before.noise, after.noise) if noise is not None and not math.isnan(noise)]
        if not noises:
            unknown += growth > 0 or math.isnan(growth)
            continue
        noise = max(noises)
        if math.isnan(growth) or growth > noise:
            unit = before.unit
            what = f"the error grew from {amount(before.worst_error)} to {amount(after.worst_error, unit)}"
            yield _change(
                "error_growth",
                after,
                f"{what}, and noise is {amount(noise, unit)}",
                regression=True,
                before=amount(before.worst_error, unit),
                noises=growth / noise if noise > 0 else math.inf,
            )
    if unknown:
        notes.append(f"{unknown} errors grew whose noise is not known")


def _irs(before: CaseFacts, after: CaseFacts) -> Iterator[Change]:
    if before.ir is None or after.ir is None:
        return  # the one that has none fails, and that is said
    yield from _signature(before.name, before.ir, after.ir)
    yield from _operations(before.name, before.ir.ops, after.ir.ops)


def _signature(case: str, before: IrSignature, after: IrSignature) -> Iterator[Change]:
    for side, ports, others in (("input", before.inputs, after.inputs), ("output", before.outputs, after.outputs)):
        if ports != others:
            old, new = _ports(ports), _ports(others)
            yield Change(
                "signature", case, f"the {side}s were {old} and are {new}", regression=True, before=old, after=new
            )


def _operations(case: str, before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[Change]:
    """One change for what matters of itself (loops, and the operations detectors are made of), one for the rest."""
    changed = [name for name in sorted({*before, *after}) if before.get(name, 0) != after.get(name, 0)]
    grave = [
        name
        for name in changed
        if name in DETECTION_TYPES or (name in LOOP_TYPES and after.get(name, 0) > before.get(name, 0))
    ]
    for names, regression in ((grave, True), ([name for name in changed if name not in grave], False)):
        if names:
            listed = ", ".join(f"{name} {before.get(name, 0)} -> {after.get(name, 0)}" for name in names)
            yield Change("operations", case, f"operations of the IR: {listed}", regression=regression)


def _pairs(baseline: Certificate, candidate: Certificate) -> Iterator[tuple[Result, Result | None]]:
    """Each result with the other's of the same test and check; None where the other's test has no such result.

    A check may be asked several times in one test; those pair up in order. What the candidate alone has, because the
    baseline's test ended before, is paired with nothing: the baseline's failure there says so.
    """
    found: dict[tuple[str, str, str], list[Result]] = defaultdict(list)
    for result in candidate.results:
        found[result.case, result.test, result.check].append(result)
    used: dict[tuple[str, str, str], int] = defaultdict(int)
    for result in baseline.results:
        key = (result.case, result.test, result.check)
        place = used[key]
        used[key] += 1
        others = found.get(key, ())
        yield result, others[place] if place < len(others) else None
    # A failing result of a test under a check's name that the baseline never met (the process died, say).
    known = set(used)
    for key, results in found.items():
        if key not in known:
            for result in results:
                if result.outcome in FAILING:
                    yield _unknown(result), result


def _unknown(result: Result) -> Result:
    return Result(result.case, result.check, result.test, result.requirements, result.stage, "not_applicable")


def _change(kind: str, result: Result, what: str, *, regression: bool, before: str = "", **more: float) -> Change:
    return Change(
        kind=kind,  # type: ignore[arg-type]
        case=result.case,
        what=what,
        regression=regression,
        check=result.check,
        test=result.test,
        stage=result.stage,
        before=before,
        after=amount(result.worst_error, result.unit) if kind == "error_growth" else result.outcome,
        **more,
    )


def _why(result: Result) -> str:
    return result.findings[0].what if result.findings else f"{result.check} {result.outcome} without saying why"


def _ports(ports: Sequence[Port]) -> str:
    return ", ".join(f"{port.name} {port.type} {port.shape}" for port in ports) or "none"


def _subject(certificate: Certificate) -> str:
    converter = f"{certificate.converter.name} {certificate.converter.version}".strip()
    version = certificate.versions.get("openvino", "of unknown version")
    when = f", {certificate.started}" if certificate.started else ""
    return f"{converter}, OpenVINO {version} on {certificate.device.name}{when}"


def _differences(baseline: Certificate, candidate: Certificate) -> Iterator[str]:
    facts = [
        ("converter", baseline.converter.name, candidate.converter.name),
        ("converter's version", baseline.converter.version, candidate.converter.version),
        ("device", baseline.device.name, candidate.device.name),
    ]
    for word, one, other in (
        ("", baseline.versions, candidate.versions),
        ("property ", baseline.device.properties, candidate.device.properties),
    ):
        facts += [(f"{word}{name}", one.get(name, "-"), other.get(name, "-")) for name in sorted({*one, *other})]
    yield from (f"{name}: {before} -> {after}" for name, before, after in facts if before != after)
