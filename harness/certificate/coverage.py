"""Which requirement is proven: ids are counted, never test functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from harness.certificate.model import Coverage, CoverageStatus, Result
from harness.requirements import catalogue


def coverage(results: Iterable[Result]) -> tuple[Coverage, ...]:
    """One row for every requirement of the catalogue, in its order.

    One failure or error fails a requirement; one pass and no failure passes it; where the converter claims it in no
    case it is not claimed, and where nothing applied it is not covered.
    """
    counts: dict[str, Counter[str]] = {id_: Counter() for id_ in catalogue()}
    for result in results:
        for id_ in result.requirements:
            counts.setdefault(id_, Counter())[result.outcome] += 1
    return tuple(
        Coverage(
            requirement=id_,
            status=_status(count),
            passed=count["passed"],
            failed=count["failed"],
            error=count["error"],
            not_claimed=count["not_claimed"],
            not_applicable=count["not_applicable"],
        )
        for id_, count in counts.items()
    )


def _status(count: Counter[str]) -> CoverageStatus:
    if count["failed"] or count["error"]:
        return "failed"
    if count["passed"]:
        return "passed"
    return "not_claimed" if count["not_claimed"] else "not_covered"
