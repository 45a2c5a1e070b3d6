"""A certificate as the page's script reads it: columns of numbers and one table of strings, small for 100,000 results.

Whatever repeats is written once. Texts that hold their case's name (test commands) become one template for all cases.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

from harness.certificate.model import Certificate, FindingFacts, Result
from harness.certificate.plain import number, to_plain
from harness.requirements import areas, catalogue

# From what a reader has to know first to what needs no look.
SEVERITY = ("failed", "error", "passed", "not_claimed", "not_applicable")
WORDS = {
    "failed": "failed",
    "error": "not carried out",
    "passed": "passed",
    "not_claimed": "not claimed",
    "not_applicable": "not applicable",
    "not_covered": "not covered",
}
SIGNS = {"failed": "✗", "error": "!", "passed": "✓", "not_claimed": "–", "not_applicable": "·"}  # noqa: RUF001
#: Stands for the case's name in a template.
CASE = "\x01"

T = TypeVar("T", bound=Hashable)


class _Table:
    """Values by number, each once."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def __call__(self, value: Hashable) -> int:
        return self.numbers.setdefault(value, len(self.numbers))

    @property
    def values(self) -> list[Any]:
        return list(self.numbers)


def payload(certificate: Certificate) -> dict[str, Any]:
    """What the page's script needs of a certificate, in plain values; the results with the worst outcomes first."""
    results = sorted(certificate.results, key=lambda result: SEVERITY.index(result.outcome))
    named = {id_ for result in results for id_ in result.requirements}
    columns = [id_ for id_ in catalogue() if id_ in named] + sorted(named - set(catalogue()))
    place = {id_: number_ for number_, id_ in enumerate(columns)}
    cases, strings, sets, checks, stages = _Table(), _Table(), _Table(), _Table(), _Table()
    for case in certificate.cases:
        cases(case.name)

    def column(value: Callable[[Result], Any]) -> list[Any]:
        return [value(result) for result in results]

    def some(value: Callable[[Result], Any]) -> dict[str, Any]:
        found = ((index, value(result)) for index, result in enumerate(results))
        return {str(index): one for index, one in found if one}

    table = {
        "case": column(lambda one: cases(one.case)),
        "check": column(lambda one: checks(one.check)),
        "stage": column(lambda one: stages(one.stage)),
        "outcome": column(lambda one: SEVERITY.index(one.outcome)),
        "set": column(lambda one: sets(tuple(place[id_] for id_ in one.requirements))),
        "error": column(lambda one: short(one.worst_error)),
        "noise": column(lambda one: short(one.noise)),
        "tolerance": column(lambda one: short(one.tolerance)),
        "passing": column(lambda one: short(one.passing_tolerance)),
        "unit": column(lambda one: strings(one.unit)),
        "compared": column(lambda one: one.compared),
        "explained": some(lambda one: one.explained),
        "notes": some(lambda one: [strings(_template(note, one.case)) for note in one.notes]),
        "reproduce": column(lambda one: strings(_template(one.reproduce, one.case))),
        "duration": column(lambda one: short(one.duration_s)),
        "findings": some(lambda one: [_finding(finding) for finding in one.findings]),
        "expected": some(lambda one: to_plain(one.expected)),
    }
    facts = {case.name: to_plain(case) for case in certificate.cases}
    return {
        "outcomes": [{"id": id_, "word": WORDS[id_], "sign": SIGNS[id_]} for id_ in SEVERITY],
        "requirements": [
            {"id": id_, "area": id_.split("-")[0], "text": catalogue()[id_].text if id_ in catalogue() else ""}
            for id_ in columns
        ],
        "areas": {name: areas().get(name, name) for name in _once(id_.split("-")[0] for id_ in columns)},
        "cases": [facts.get(name, {"name": name}) for name in cases.values],
        "checks": checks.values,
        "stages": stages.values,
        "sets": [list(one) for one in sets.values],
        "strings": strings.values,
        "results": table,
        "pictures": {picture.id: to_plain(picture) for picture in certificate.pictures},
        "images": dict(certificate.images),
        "left_out": certificate.pictures_left_out,
    }


def embedded(value: Any) -> str:
    """``value`` as JSON that can stand inside a ``<script>`` element: no ``<``, ``>`` or ``&`` is left in it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def short(value: float | None) -> float | str | None:
    """Four digits are more than a plot or a reader can tell apart."""
    return None if value is None else number(float(f"{value:.4g}"))


def _template(text: str, case: str) -> str:
    text = text.replace(CASE, "\N{REPLACEMENT CHARACTER}")
    return text.replace(case, CASE) if case else text


def _finding(finding: FindingFacts) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(finding)
    for name in ("error", "noise", "tolerance", "passing_tolerance"):
        plain[name] = short(getattr(finding, name))
    plain["where"] = {key: value if isinstance(value, str) else _text(value) for key, value in plain["where"].items()}
    # Indices that mark a detection on the picture.
    plain["marks"] = [_index(finding.where.get(key)) for key in ("reference", "detection")]
    return {key: value for key, value in plain.items() if value not in (None, "", {})}


def _text(value: Any) -> str:
    if isinstance(value, Sequence):
        return ", ".join(_text(one) if not isinstance(one, str) else one for one in value)
    return json.dumps(value, ensure_ascii=False)


def _index(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _once(values: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(values))
