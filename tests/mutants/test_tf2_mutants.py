"""The same for the TF2 eras' single-stage detectors."""

from __future__ import annotations

import pytest

from harness.checks.efficientdet import labels_and_anchors
from harness.checks.registry import all_checks
from harness.checks.validation import outputs_accounted
from tests.mutants.faults_tf2 import CROWDED, EFFICIENTDET, TWO_STAGES
from tests.mutants.lab import Lab, killers, results

D0, CROWD = "efficientdet/d0_tf2.4", "ssd/mobilenet_v2_fpnlite_crowd_tf2.4"
FASTER = "faster_rcnn/resnet50_padded_tf2.4"
FAULTS = [
    *((D0, fault) for fault in EFFICIENTDET),
    *((CROWD, fault) for fault in CROWDED),
    *((FASTER, fault) for fault in TWO_STAGES),
]

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    laboratory = Lab(tmp_path_factory.mktemp("mutants"))
    yield laboratory
    laboratory.close()


class TestFaults:
    @pytest.mark.parametrize(("case", "fault"), FAULTS, ids=[fault.name.replace(" ", "-") for _, fault in FAULTS])
    def test_is_failed_by_a_check_of_its_requirement(self, lab, case, fault):
        """The fault does not pass, and the failing check names the requirement that it breaks."""
        assert killers(lab.mutant(case, fault), fault.requirement)


class TestChecks:
    def test_labels_and_anchors_fail_both_faults(self, lab):
        """Either half of the check fails by itself."""
        for fault in EFFICIENTDET[:2]:
            assert [one.outcome for one in results(labels_and_anchors, lab.mutant(D0, fault))] == ["failed"]

    def test_an_output_that_nobody_accounts_for(self, lab):
        """An IR under TensorFlow's names that lacks one of the eight outputs is found."""
        (found,) = results(outputs_accounted, lab.wrong(D0, "without_raw_boxes"))
        assert found.outcome == "failed"
        assert [one.where["output"] for one in found.findings] == ["raw_detection_boxes"]


class TestControl:
    @pytest.mark.parametrize("case", [D0, CROWD])
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
