"""A check: a function of the evidence that names the requirements it proves, and is held to the common rules.

Common to all: what the converter doesn't claim is not judged, a poor reference is no oracle, and an error of the
project's own is a failure at that error's stage. So checks can be run without pytest, and give the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.checks.result import CheckResult, Finding
from harness.compare.comparison import Comparison
from harness.errors import IrproofError, Stage
from harness.requirements import require

if TYPE_CHECKING:
    from harness.checks.evidence import Evidence
    from harness.observation.observe import Contract

Variant = Mapping[str, Any]
_ONCE: tuple[Variant, ...] = (MappingProxyType({}),)


@dataclasses.dataclass(frozen=True)
class NotApplicable:
    """What a check returns for a case that has nothing to check of its kind; ``why`` says what is missing."""

    why: str


Function = Callable[..., "Comparison | NotApplicable"]


@dataclasses.dataclass(frozen=True)
class Check:
    """A named check; call it with evidence, and with one of its ``variants`` where it has several.

    ``families`` are those that it is about (None: all), ``contract`` the one whose IRs it can look into (None: any).
    """

    name: str
    requirements: tuple[str, ...]
    stage: Stage
    function: Function
    families: frozenset[str] | None = None
    contract: Contract | None = None
    variants: tuple[Variant, ...] = _ONCE

    @property
    def rule(self) -> str:
        """What the check demands, in one sentence."""
        return (self.function.__doc__ or "").strip().split("\n\n")[0]

    def __call__(self, evidence: Evidence, **variant: Any) -> CheckResult:
        """The result on one case; errors of the project's own are failures at their stage."""
        try:
            reason = evidence.refusal
            if reason is not None:
                return self._unjudged("not_claimed", reason)
            if self.families is not None and evidence.case.family not in self.families:
                return self._unjudged("not_applicable", f"a {evidence.case.family} has nothing of the kind")
            if self.contract is not None and evidence.contract not in (self.contract, None):
                return self._unjudged("not_claimed", f"its IRs answer by the contract {evidence.contract}")
            found = self.function(evidence, **variant)
        except IrproofError as error:
            return failed_by(error, self.name, self.requirements)
        if isinstance(found, NotApplicable):
            return self._unjudged("not_applicable", found.why)
        return found.to_result(self.name, self.requirements, self.stage)

    def _unjudged(self, outcome: Any, reason: str) -> CheckResult:
        return CheckResult(self.name, self.requirements, self.stage, outcome, notes=(reason,))


def check(
    *requirements: str,
    stage: Stage,
    families: Sequence[str] | None = None,
    contract: Contract | None = None,
    variants: Sequence[Variant] = _ONCE,
) -> Callable[[Function], Check]:
    """Make a check of a function; its name is the function's."""

    def decorate(function: Function) -> Check:
        return Check(
            name=function.__name__,
            requirements=require(requirements, where=function.__name__),
            stage=stage,
            function=function,
            families=None if families is None else frozenset(families),
            contract=contract,
            variants=tuple(variants),
        )

    return decorate


def failed_by(error: IrproofError, name: str, requirements: tuple[str, ...]) -> CheckResult:
    """The result of a check that met one of the project's errors: failed, at that error's stage."""
    place = {key: text for key, text in (("place", error.where), ("advice", error.advice)) if text}
    return CheckResult(name, requirements, error.stage, "failed", findings=(Finding(error.what, place),))


def facts(subject: str, compared: int, findings: Sequence[Finding] = (), notes: Sequence[str] = ()) -> Comparison:
    """A comparison of facts that are right or wrong, without errors or noise; ``compared`` of them were looked at."""
    return Comparison(subject, tuple(findings), compared=compared, notes=tuple(notes))
