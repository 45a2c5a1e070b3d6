"""What holds for all checks: claims, families, contracts, the project's own errors, and no pass on nothing."""

from __future__ import annotations

import dataclasses
import re
import types
from pathlib import Path

import pytest

from harness.checks.check import Check, NotApplicable, check, facts
from harness.checks.registry import all_checks, checks_of, refusals
from harness.checks.result import Finding
from harness.compare.comparison import Comparison
from harness.errors import ConverterFailure, Stage, UsageError
from harness.requirements import catalogue

SUITES = Path(__file__).resolve().parents[2] / "suites"


@dataclasses.dataclass
class Evidence:
    """As much of evidence as the common rules look at."""

    refusal: str | None = None
    contract: str | None = "detection_output"
    family: str = "ssd"

    @property
    def case(self):
        return types.SimpleNamespace(family=self.family)


def made(function, **options) -> Check:
    return check("SSD-1", **{"stage": Stage.LAYOUT, **options})(function)


def sound(evidence):
    """It is as it should be."""
    return facts("things", 3)


class TestCheck:
    def test_a_pass_says_what_was_proven(self):
        """Name, requirements, stage and number of things compared."""
        result = made(sound)(Evidence())
        assert (result.check, result.requirements, result.stage) == ("sound", ("SSD-1",), Stage.LAYOUT)
        assert (result.outcome, result.compared) == ("passed", 3)

    def test_a_finding_fails_it(self):
        """Whatever else was right."""
        result = made(lambda evidence: facts("things", 3, [Finding("One is wrong.")]))(Evidence())
        assert (result.outcome, result.findings[0].what) == ("failed", "One is wrong.")

    def test_nothing_compared_is_an_error(self):
        """And never a pass."""
        assert made(lambda evidence: Comparison("things"))(Evidence()).outcome == "error"

    def test_what_is_not_claimed_is_not_even_looked_at(self):
        """The check does not run, so the converter isn't called either."""

        def never(evidence):
            raise AssertionError

        result = made(never)(Evidence(refusal="family rfcn is not claimed"))
        assert (result.outcome, result.notes) == ("not_claimed", ("family rfcn is not claimed",))

    def test_another_family_has_nothing_of_the_kind(self):
        """Not applicable, which is another thing than not claimed."""
        assert made(sound, families=("ssd",))(Evidence(family="rfcn")).outcome == "not_applicable"

    def test_another_contract_is_not_claimed(self):
        """Rows of DetectionOutput are not asked of IRs that answer as TensorFlow does."""
        result = made(sound, contract="detection_output")(Evidence(contract="tf_outputs"))
        assert (result.outcome, result.notes) == ("not_claimed", ("its IRs answer by the contract tf_outputs",))

    def test_an_ir_of_no_known_contract_is_judged(self):
        """It promised one and shows none: that is for the check to fail."""
        assert made(sound, contract="detection_output")(Evidence(contract=None)).outcome == "passed"

    def test_an_error_of_the_project_fails_at_its_own_stage(self):
        """With place and advice."""

        def broken(evidence):
            raise ConverterFailure("It crashed.", where="node x", advice="Look there.")

        result = made(broken)(Evidence())
        assert (result.outcome, result.stage) == ("failed", Stage.CONVERT)
        assert result.findings == (Finding("It crashed.", {"place": "node x", "advice": "Look there."}),)

    def test_any_other_error_is_a_bug_and_stays_one(self):
        """It must not look like a converter's failure."""
        with pytest.raises(ZeroDivisionError):
            made(lambda evidence: 1 / 0)(Evidence())

    def test_not_applicable_says_why(self):
        """In the check's own words."""
        result = made(lambda evidence: NotApplicable("there are no masks"))(Evidence())
        assert (result.outcome, result.notes) == ("not_applicable", ("there are no masks",))

    def test_a_requirement_that_does_not_exist(self):
        """Is found when the module is imported."""
        with pytest.raises(UsageError, match="SSD-99"):
            check("SSD-99", stage=Stage.LAYOUT)(sound)


class TestRegistry:
    def test_every_check_says_its_rule_and_its_requirements(self):
        """A sentence each, and at least one id."""
        for name, one in (all_checks() | refusals()).items():
            assert one.rule.endswith("."), name
            assert one.requirements, name

    def test_finds_the_checks_of_a_requirement(self):
        """By its id."""
        assert {one.name for one in checks_of("SSD-6")} == {"box_encodings"}

    def test_the_single_stage_requirements_are_all_named_by_a_check(self):
        """Those that answers can show: errors and options of the chain are proven by its own tests."""
        named = {id_ for one in (all_checks() | refusals()).values() for id_ in one.requirements}
        elsewhere = {"PRE-6", "PRE-7", "SSD-9"}
        wanted = {id_ for id_ in catalogue() if id_[:3] in ("PRE", "SHP", "SSD", "PRI", "RSH", "VAL")} | {"OUT-3"}
        assert wanted - elsewhere <= named


class TestSuites:
    @pytest.mark.parametrize("name", [*all_checks(), *refusals()])
    def test_every_check_runs_under_pytest_with_its_requirements(self, name):
        """A check that no suite calls proves nothing to anybody."""
        text = "\n".join(path.read_text(encoding="utf-8") for path in SUITES.glob("test_*.py"))
        found = re.search(
            rf"@pytest\.mark\.requirement\(\*(\w+)\.{name}\.requirements\)\n(?:@.*\n)?def test_{name}\(.*\):\n"
            rf"    prove\(\1\.{name}\(evidence",
            text,
        )
        assert found, f"no suite has test_{name}"
