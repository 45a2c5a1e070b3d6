"""The suite catches what it is for: each fault is failed by a check that names its requirement, each check fails one.

A mutant that survives here is a hole in the suite; a check that no mutant fails proves nothing.
"""

from __future__ import annotations

import pytest

from harness.checks.registry import all_checks
from tests.mutants.faults import FAULTS, Fault
from tests.mutants.lab import Lab, killers, results

PLAIN = "ssd/mobilenet_v1_tf1.13"
CROWD = "ssd/mobilenet_v1_fpn_crowd_tf1.13"
SSDLITE = "ssd/ssdlite_mobilenet_v2_tf1.14"
PADDED = "ssd/mobilenet_v1_fpn_keep_aspect_tf1.15"
D0 = "efficientdet/d0_tf2.4"

#: Checks that the faults of the IR cannot reach on the plain case: what fails them, and on which case.
ELSEWHERE = {
    "forms": (PLAIN, "other_constants_from_a_meta_graph"),
    "crowd": (CROWD, "cut before suppression"),
    "box_predictor": (SSDLITE, "encodings scaled"),
    "fixed_shape": (PLAIN, "wrong_size"),
    "fixed_shape_given": (PLAIN, "ignores_input_shape"),
    "batch_by_default": (PLAIN, "batch_of_two"),
    "same_pixels": (PLAIN, "wrong_size"),
    "padded": (PADDED, "wrong_size"),
    "outputs_accounted": (D0, "without_raw_boxes"),
}

#: Checks that no mutant of a built-in case can fail, and why.
WITHOUT_MUTANT = {
    "kept_aspect": "no built-in single-stage model keeps the aspect ratio without padding",
    "kept_aspect_given": "no built-in single-stage model keeps the aspect ratio without padding",
    "constant_prior_boxes": "every built-in model has a generator that PriorBoxClustered can stand for",
    "refused_size": "fails only where OpenVINO refuses a size without naming an operation, which it never did",
}


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    laboratory = Lab(tmp_path_factory.mktemp("mutants"))
    yield laboratory
    laboratory.close()


def case_of(fault: Fault) -> str:
    return CROWD if "crowd" in fault.traits else PLAIN


def fault_named(name: str) -> Fault:
    return next(fault for fault in FAULTS if fault.name == name)


class TestFaults:
    @pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
    def test_is_failed_by_a_check_of_its_requirement(self, lab, fault):
        """The fault does not pass, and the failing check names the requirement that it breaks."""
        assert killers(lab.mutant(case_of(fault), fault), fault.requirement)


class TestChecks:
    @pytest.mark.parametrize("name", list(all_checks()))
    def test_fails_a_mutant(self, lab, name):
        """Each check has an input that makes it fail."""
        check = all_checks()[name]
        if name in WITHOUT_MUTANT:
            pytest.skip(WITHOUT_MUTANT[name])
        if name in ELSEWHERE:
            case, fault = ELSEWHERE[name]
            wrong = any(one.name == fault for one in FAULTS)
            evidence = lab.mutant(case, fault_named(fault)) if wrong else lab.wrong(case, fault)
            assert [one.outcome for one in results(check, evidence) if one.outcome == "failed"]
            return
        if check.families is not None and "ssd" not in check.families:
            pytest.skip("proven with the families that it is about")
        own = [fault for fault in FAULTS if fault.requirement in check.requirements]
        for fault in [*own, *FAULTS]:
            if any(one.outcome == "failed" for one in results(check, lab.mutant(case_of(fault), fault))):
                return
        pytest.fail(f"no fault makes {name} fail")


class TestControl:
    @pytest.mark.parametrize("case", [PLAIN, CROWD])
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
