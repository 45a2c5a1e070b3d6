"""The same for detectors of two stages: each fault is failed by its requirement's check, each check fails a fault."""

from __future__ import annotations

import pytest

from harness.checks.families import TWO_STAGE
from harness.checks.registry import all_checks
from tests.mutants.faults import Fault
from tests.mutants.faults_two_stage import FASTER, MASKED, REGIONAL
from tests.mutants.lab import Lab, killers, results

CASES = {
    "faster_rcnn": "faster_rcnn/resnet50_tf1.15",
    "rfcn": "rfcn/resnet50_tf1.10",
    "mask_rcnn": "mask_rcnn/resnet50_atrous_tf1.7",
}
KEEPS_ASPECT = "faster_rcnn/inception_v2_keep_aspect_tf1.7"
FAULTS = [
    *(("faster_rcnn", fault) for fault in FASTER),
    *(("rfcn", fault) for fault in REGIONAL),
    *(("mask_rcnn", fault) for fault in MASKED),
]
#: Faults that a check of two stages is failed by on another case than the first.
ELSEWHERE = {"size_of_two_stages": (KEEPS_ASPECT, "proposals half a stride off")}

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    laboratory = Lab(tmp_path_factory.mktemp("mutants"))
    yield laboratory
    laboratory.close()


def own_checks():
    return [name for name, check in all_checks().items() if check.families and set(check.families) <= set(TWO_STAGE)]


def named(name: str) -> Fault:
    return next(fault for _, fault in FAULTS if fault.name == name)


class TestFaults:
    @pytest.mark.parametrize(("family", "fault"), FAULTS, ids=[f.name.replace(" ", "-") for _, f in FAULTS])
    def test_is_failed_by_a_check_of_its_requirement(self, lab, family, fault):
        """The fault does not pass, and the failing check names the requirement that it breaks."""
        assert killers(lab.mutant(CASES[family], fault), fault.requirement)


class TestChecks:
    @pytest.mark.parametrize("name", own_checks())
    def test_fails_a_mutant(self, lab, name):
        """Each check has an input that makes it fail."""
        check = all_checks()[name]
        if name in ELSEWHERE:
            case, fault = ELSEWHERE[name]
            assert [one for one in results(check, lab.mutant(case, named(fault))) if one.outcome == "failed"]
            return
        own = [(family, fault) for family, fault in FAULTS if fault.requirement in check.requirements]
        for family, fault in [*own, *FAULTS]:
            if check.families and family in check.families:
                evidence = lab.mutant(CASES[family], fault)
                if any(one.outcome == "failed" for one in results(check, evidence)):
                    return
        pytest.fail(f"no fault makes {name} fail")


class TestControl:
    @pytest.mark.parametrize("case", [*CASES.values(), KEEPS_ASPECT])
    def test_the_correct_conversion_passes_every_check(self, lab, case):
        """Without a fault nothing fails: what fails a mutant is the fault."""
        evidence = lab.correct(case)
        failed = [
            (one.check, one.findings[:1])
            for check in all_checks().values()
            for one in results(check, evidence)
            if one.outcome in {"failed", "error"}
        ]
        assert failed == []
