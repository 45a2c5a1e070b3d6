"""A gate's outcome as lines for a terminal."""

from __future__ import annotations

from collections import Counter

from harness.gate.model import Change, Gate, LatencyRatio

_WORDS = {
    "newly_failing": "newly failing",
    "fails_earlier": "fails earlier",
    "no_longer_proven": "no longer proven",
    "newly_passing": "newly passing",
    "error_growth": "error growth",
    "signature": "signature",
    "operations": "operations",
    "latency": "latency",
}
MOST_LINES = 40


def lines(gate: Gate) -> list[str]:
    """Who was compared, what differs, what changed (what closes the gate first), latencies, and the verdict."""
    found = [f"baseline:  {gate.baseline}", f"candidate: {gate.candidate}"]
    found += [f"differs:   {line}" for line in gate.differences]
    for regression in (True, False):
        changes = [change for change in gate.changes if change.regression is regression]
        found += _grouped(changes, "REGRESSION" if regression else "change    ")
    found += [_latency(one) for one in gate.latencies]
    found += [f"note:      {note}" for note in gate.notes]
    return [*found, verdict_line(gate)]


def verdict_line(gate: Gate) -> str:
    """The verdict, and how many changes of each kind there are."""
    counts = Counter(change.kind for change in gate.regressions)
    if counts:
        return f"REGRESSION: {', '.join(f'{count} {_WORDS[kind]}' for kind, count in counts.items())}"
    others = Counter(change.kind for change in gate.changes)
    told = ", ".join(f"{count} {_WORDS[kind]}" for kind, count in others.items())
    return f"PASS: {gate.compared} results compared" + (f"; other changes: {told}" if told else "")


def _grouped(changes: list[Change], word: str) -> list[str]:
    """One line for checks of a case that changed alike: a model that converts no more fails all of its checks."""
    groups: dict[tuple[str, str, str, str], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.kind, change.case, change.stage, change.what), []).append(change)
    found = []
    for (kind, case, stage, what), alike in groups.items():
        checks = sorted({change.check for change in alike if change.check})
        who = f" {', '.join(checks[:3])}{f' and {len(checks) - 3} more' if len(checks) > 3 else ''}" if checks else ""
        at = f" at stage {stage}" if stage and kind in ("newly_failing", "newly_passing") else ""
        found.append(f"{word} {case or '(no case)'}: {_WORDS[kind]}{who}{at}: {_shortened(what)}")
    more = len(found) - MOST_LINES
    return found if more <= 0 else [*found[:MOST_LINES], f"{word} and {more} more"]


def _latency(one: LatencyRatio) -> str:
    words = {"too_noisy": "too noisy to tell"}
    return (
        f"latency    {one.case}: {one.ratio:.3f} times the baseline's ({one.low:.3f} to {one.high:.3f}, "
        f"{one.rounds} rounds): {words.get(one.verdict, one.verdict)}"
    )


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:297]}..."
