"""One known failure: where it is expected, why, and where more is said about it."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Iterable, Sequence

from harness.certificate.model import Expected, Result

FAILING = ("failed", "error")


@dataclasses.dataclass(frozen=True)
class Expectation:
    """Entry ``number`` (from 1) of a vendor's file.

    ``case``, ``requirement`` and ``check`` are globs (an empty ``check`` stands for all of them); ``stage`` is a value
    of :class:`~harness.errors.Stage`, the one at which the failure is expected.
    """

    number: int
    case: str
    requirement: str
    stage: str
    reason: str
    link: str
    check: str = ""

    def concerns_case(self, name: str) -> bool:
        """Whether the entry is about a case."""
        # By name first: a folder's name may hold brackets, which mean something else in a glob.
        return name == self.case or fnmatch.fnmatchcase(name, self.case)

    def concerns_requirements(self, ids: Iterable[str]) -> bool:
        """Whether the entry is about one of these requirements."""
        return any(fnmatch.fnmatchcase(id_, self.requirement) for id_ in ids)

    def concerns(self, result: Result) -> bool:
        """Whether the entry is about what a result is about, however that came out."""
        return (
            self.concerns_case(result.case)
            and self.concerns_requirements(result.requirements)
            and (not self.check or fnmatch.fnmatchcase(result.check, self.check))
        )

    def foresees(self, result: Result) -> bool:
        """Whether the result is a failure that the entry expects, at the stage at which it expects it."""
        return result.outcome in FAILING and result.stage == self.stage and self.concerns(result)


def expected_by(entries: Sequence[Expectation], result: Result) -> Expected | None:
    """The first entry that foresees a failure, for the certificate; None where nothing does.

    A failure that names no requirement, such as the death of the process that ran the check, is never expected.
    """
    for entry in entries:
        if entry.foresees(result):
            return Expected(entry.number, entry.reason, entry.link)
    return None
