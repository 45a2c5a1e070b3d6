"""Where mutants are held against the suite: one correct conversion a case, a copy of it for each fault."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

from harness.cases.selection import Listed, listed_cases
from harness.checks.check import Check
from harness.checks.evidence import Evidence
from harness.checks.registry import all_checks
from harness.checks.result import CheckResult
from harness.checks.tools import Tools
from harness.converters import resolve
from harness.converters.conversion import convert_case
from tests.mutants.faults import Fault


class Lab:
    """Conversions of built-in cases by the chain, and evidence of them with a fault put in.

    Workers and references are shared by all mutants: a mutant costs its own inferences only.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tools = Tools.make(resolve("chain"), folder / "session")
        self._listed = {listed.name: listed for listed in listed_cases(profile="full")}

    def listed(self, case: str) -> Listed:
        return self._listed[case]

    def correct(self, case: str) -> Evidence:
        """Evidence of the chain's own conversion."""
        return Evidence(self.listed(case), self.tools)

    def mutant(self, case: str, fault: Fault) -> Evidence:
        """Evidence of the chain's conversion with a fault put into its IR."""
        name = re.sub(r"\W+", "_", f"{case}-{fault.name}")
        folder = self.folder / "mutants" / name
        target = folder.joinpath(*f"{case}.xml".split("/"))
        if not target.is_file():
            conversion = convert_case(self.tools.converter, self.listed(case).load(), self.tools.session)
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch = folder / "scratch.xml"
            shutil.copy(conversion.ir_path, scratch)
            shutil.copy(conversion.ir_path.with_suffix(".bin"), scratch.with_suffix(".bin"))
            fault.apply(scratch)
            scratch.with_suffix(".bin").replace(target.with_suffix(".bin"))
            scratch.replace(target)
        return Evidence(self.listed(case), self._with(f"ir:{folder}", name))

    def wrong(self, case: str, converter: str) -> Evidence:
        """Evidence of a converter of ``tests/mutants/converters.py``."""
        path = Path(__file__).with_name("converters.py")
        return Evidence(self.listed(case), self._with(f"{path}:{converter}", converter))

    def _with(self, spec: str, name: str) -> Tools:
        return dataclasses.replace(self.tools, converter=resolve(spec), session=self.folder / "sessions" / name)

    def close(self) -> None:
        self.tools.__exit__(None, None, None)


def results(check: Check, evidence: Evidence) -> list[CheckResult]:
    """A check's results in all its variants."""
    return [check(evidence, **variant) for variant in check.variants]


def killers(evidence: Evidence, requirement: str) -> list[str]:
    """The checks naming a requirement that fail the evidence."""
    return [
        check.name
        for check in all_checks().values()
        if requirement in check.requirements and any(one.outcome == "failed" for one in results(check, evidence))
    ]
