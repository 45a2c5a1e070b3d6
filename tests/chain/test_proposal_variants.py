"""Both ways to make proposals, and the input with the image's size, end to end against TensorFlow (PRO-4, PRO-6)."""

from __future__ import annotations

import dataclasses

import pytest

from harness.cases.selection import listed_cases
from harness.checks.evidence import Evidence
from harness.checks.families import TWO_STAGE
from harness.checks.registry import all_checks
from harness.checks.stages import ir_stages
from harness.checks.tools import Tools
from harness.converters import resolve

#: What each fixture makes its proposals by when nobody asks.
CASES = {
    "faster_rcnn/resnet50_tf1.15": "Proposal",
    "rfcn/resnet50_tf1.10": "Proposal",
    "mask_rcnn/resnet50_atrous_tf1.7": "Proposal",
    "faster_rcnn/inception_v2_keep_aspect_tf1.7": "Proposal",
}
QUICK = "faster_rcnn/resnet50_tf1.15"
#: TensorFlow's own graph of this one takes images of other sizes.
ANY_SIZE = "faster_rcnn/inception_v2_keep_aspect_tf1.7"
#: What the quick tests ask; the long ones ask all that is about two stages.
CORE = frozenset({"inputs", "proposal_rows", "proposals", "detections_of_two_stages", "batch_of_two_stages"})
OTHER = {"operation_to_add": "DetectionOutput"}
ASKED = {"operation_to_add": "Proposal", "image_info_input": True}
BY_CASE = [pytest.param(name, id=name, marks=[] if name == QUICK else pytest.mark.long) for name in CASES]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Evidence of the chain with options; TensorFlow and the runtime serve all tests."""
    folder = tmp_path_factory.mktemp("variants")
    tools = Tools.make(resolve("chain"), folder / "session")
    listed = {one.name: one for one in listed_cases(profile="full") if one.name in CASES}
    made = {}

    def evidence(case, **options):
        key = (case, *options.items())
        if key not in made:
            converter = dataclasses.replace(tools.converter, options=options)
            session = folder / f"session-{len(made)}"
            made[key] = Evidence(listed[case], dataclasses.replace(tools, converter=converter, session=session))
        return made[key]

    yield evidence
    tools.__exit__(None, None, None)


def judged(evidence, names=None):
    """The checks that are about two stages, or those named, in all their variants."""
    return [
        check(evidence, **variant)
        for name, check in all_checks().items()
        if (check.families and set(check.families) <= set(TWO_STAGE) if names is None else name in names)
        for variant in check.variants
    ]


def not_passed(results):
    return [(one.check, one.outcome, one.findings[:1]) for one in results if one.outcome in {"failed", "error"}]


class TestOperation:
    @pytest.mark.parametrize("case", BY_CASE)
    def test_detection_output_passes_every_check(self, lab, case):
        """The variant that is not the default here is TensorFlow's equal too, reshaped as well."""
        evidence = lab(case, **OTHER)
        assert ir_stages(evidence).proposals.type == "DetectionOutput"
        results = judged(evidence, CORE if case == QUICK else None)
        assert not_passed(results) == []
        assert {one.check for one in results if one.outcome == "passed" and one.compared} >= CORE

    @pytest.mark.parametrize("case", BY_CASE)
    def test_default(self, lab, case):
        """Where Proposal can make the anchors, it makes them (PRO-5 says where it cannot)."""
        assert ir_stages(lab(case)).proposals.type == CASES[case]

    def test_unknown_operation_is_refused(self, lab):
        """The message says what there is."""
        result = all_checks()["proposals"](lab(QUICK, operation_to_add="NonMaxSuppression"))
        assert result.outcome == "failed"
        assert "Proposal or DetectionOutput" in str(result.findings)


class TestImageInformation:
    @pytest.mark.parametrize("case", BY_CASE)
    def test_passes_every_check(self, lab, case):
        """With height, width and scale as an input of its own, at the model's batch and at others."""
        evidence = lab(case, **ASKED)
        names = [port.name for port in evidence.inspection().inputs]
        assert names == ["image_tensor", "image_info"]
        results = judged(evidence, CORE if case == QUICK else None)
        assert not_passed(results) == []
        passed = [one.check for one in results if one.outcome == "passed" and one.compared]
        assert set(passed) >= CORE
        assert passed.count("batch_of_two_stages") == 2
        assert passed.count("size_of_two_stages") == (2 if case == ANY_SIZE else 0)

    def test_no_such_input_by_default(self, lab):
        """The IR knows its image's size by itself."""
        assert [port.name for port in lab(QUICK).inspection().inputs] == ["image_tensor"]

    def test_is_not_needed_by_detection_output(self, lab):
        """Priors follow the feature map and the image; nothing would read the input."""
        evidence = lab(QUICK, **OTHER, image_info_input=True)
        assert [port.name for port in evidence.inspection().inputs] == ["image_tensor"]
