"""The built-in models are authentic: Model Optimizer 2024.6 takes them with its own shipped configurations, and what
it makes of those of TF1 finds what TensorFlow finds.
"""

from __future__ import annotations

import pytest
from tensorboard.compat.proto import graph_pb2

from fixtures.catalogue import build, case, specs
from harness.checks.registry import all_checks
from tests.legacy.model_optimizer import layer_types

pytestmark = pytest.mark.legacy

_CUT = "Its DetectionOutput cuts a class's candidates to max_detections_per_class before suppression (top_k)."
_SWAPPED = "Looking for the layers whose coordinates to swap, it finds those of the first stage."
_CLIPS = "ssd_v2_support.json clips after suppression; exporters of early 2018 clip before it."
#: Where Model Optimizer's IR is known to answer otherwise than TensorFlow, and why.
DIFFERS = {
    "ssd/mobilenet_v2_tf1.13_early": _CLIPS,
    "ssd/mobilenet_v2_90_classes_tf1.13_early": _CLIPS,
    "ssd/inception_v2_tf1.13_early": _CLIPS,
    "ssd/mobilenet_v1_fpn_crowd_tf1.13": _CUT,
    "ssd/mobilenet_v2_crowd_tf1.15": _CUT,
    "ssd/mobilenet_v2_capped_tf1.14": _CUT,
    "faster_rcnn/resnet50_one_class_tf1.10": _CUT,
    "faster_rcnn/resnet50_crowd_tf1.14": _CUT,
    "mask_rcnn/inception_v2_one_class_tf1.14": _CUT,
    "rfcn/resnet101_tf1.9": _SWAPPED,
    "rfcn/resnet50_tf1.10": _SWAPPED,
    "rfcn/resnet50_keep_aspect_tf1.13": _SWAPPED,
    "rfcn/resnet101_four_bins_tf1.14": _SWAPPED,
}

CONFIGURED = [one for one in specs("full") if one.legacy_configuration]
TAKEN = [one for one in CONFIGURED if not one.legacy_limit]
REFUSED = [one for one in CONFIGURED if one.legacy_limit]
TF1 = [one for one in TAKEN if one.era.startswith("1.")]
#: One of a family and era, all that can be asked in some minutes; the others are ``long``.
REPRESENTATIVE = frozenset(
    {
        "ssd/mobilenet_v2_tf1.13_early",
        "ssd/mobilenet_v1_tf1.14",
        "ssd/ssdlite_mobilenet_v2_tf1.15",
        "faster_rcnn/inception_v2_tf1.6_early",
        "faster_rcnn/inception_v2_tf1.6",
        "faster_rcnn/inception_v2_keep_aspect_tf1.7",
        "faster_rcnn/resnet50_one_class_tf1.10",
        "faster_rcnn/resnet50_90_classes_tf1.13",
        "faster_rcnn/inception_v2_agnostic_tf1.14",
        "faster_rcnn/resnet50_tf1.15",
        "rfcn/resnet50_tf1.10",
        "mask_rcnn/resnet50_atrous_tf1.7",
        "mask_rcnn/inception_v2_tf1.9",
        "mask_rcnn/inception_v2_one_class_tf1.14",
        "mask_rcnn/resnet50_atrous_tf1.15",
    }
)
_CHECKS = {
    "faster_rcnn": ("detections_of_two_stages",),
    "rfcn": ("detections_of_two_stages",),
    "mask_rcnn": ("detections_of_two_stages", "masks"),
}


def parameters(chosen):
    """The fixtures by name; long, but for the representative ones."""
    return [
        pytest.param(one, id=one.name, marks=[] if one.name in REPRESENTATIVE else pytest.mark.long) for one in chosen
    ]


def judged(bench, spec):
    """The results of the checks of detections (and masks) on Model Optimizer's IR."""
    evidence = bench.evidence(spec)
    return [all_checks()[name](evidence) for name in _CHECKS.get(spec.family, ("detections",))]


class TestAuthenticity:
    @pytest.mark.parametrize("spec", parameters(TAKEN))
    def test_model_optimizer_takes_it(self, bench, spec):
        """Exit status 0, one DetectionOutput, and neither loop nor TensorArray left."""
        converted = bench.converted(spec)
        assert converted.status == 0, converted.said[-3000:]
        found = layer_types(converted.ir)
        assert found["DetectionOutput"] >= 1
        assert not {"Loop", "TensorIterator", "NonMaxSuppression"} & set(found)

    @pytest.mark.parametrize("spec", parameters(TF1))
    def test_its_ir_agrees_with_tensorflow(self, bench, spec):
        """Detections and masks are TensorFlow's, but where it is known to be wrong: there they are not."""
        results = judged(bench, spec)
        if spec.name in DIFFERS:
            assert [one for one in results if one.outcome == "failed"], "it agrees: DIFFERS is out of date"
            return
        assert [(one.check, one.outcome, one.findings[:2]) for one in results if one.outcome != "passed"] == []

    @pytest.mark.parametrize("spec", parameters(REFUSED))
    def test_a_stated_limit_is_a_real_one(self, bench, spec):
        """What is said to be beyond Model Optimizer fails there: the statement cannot outlive its reason."""
        converted = bench.converted(spec)
        assert converted.status != 0
        assert not converted.ir.exists()

    def test_representatives_are_of_every_family_and_era(self):
        """No fixture that CI asks is gone, and no family of TF1 has an era of which it asks none, or a later one."""
        known = {one.name: one for one in CONFIGURED}
        assert known.keys() >= REPRESENTATIVE
        asked = {(known[name].family, known[name].era) for name in REPRESENTATIVE}
        for family in ("ssd", "faster_rcnn"):
            assert {era for kind, era in asked if kind == family} == {one.era for one in TF1 if one.family == family}, (
                family
            )
        assert {family for family, _ in asked} == {"ssd", "faster_rcnn", "rfcn", "mask_rcnn"}
        assert DIFFERS.keys() <= known.keys()

    def test_every_model_of_tf1_has_a_configuration(self):
        """No fixture escapes this check by saying nothing."""
        silent = [one.name for one in specs("full") if one.era.startswith("1.") and not one.legacy_configuration]
        assert silent == []


class TestTheCheckItself:
    @pytest.mark.parametrize("node", ["Postprocessor/scale_logits", "Preprocessor/sub"])
    def test_a_graph_with_another_name_is_refused(self, model_optimizer, tmp_path, node):
        """A fixture whose block has other names than the exporter's does not pass."""
        folder = build(["ssd/mobilenet_v1_ppn_tf1.13"])["ssd/mobilenet_v1_ppn_tf1.13"]
        graph = graph_pb2.GraphDef()
        graph.ParseFromString((folder / "frozen_inference_graph.pb").read_bytes())
        for one in graph.node:
            one.name = f"{node}_renamed" if one.name == node else one.name
            for index, source in enumerate(one.input):
                if source == node:
                    one.input[index] = f"{node}_renamed"
        broken = tmp_path / "broken.pb"
        broken.write_bytes(graph.SerializeToString())
        status, _ = model_optimizer.convert(broken, "ssd_v2_support.json", folder / "pipeline.config", tmp_path / "ir")
        assert status != 0 or not (tmp_path / "ir" / "converted.xml").exists()

    def test_the_wrong_era_is_refused(self, model_optimizer, tmp_path):
        """A graph of 1.13 does not become a detector by the configuration of 1.15."""
        one = case("ssd/mobilenet_v1_ppn_tf1.13")
        status, _ = model_optimizer.convert(one.model_path, "ssd_support_api_v1.15.json", one.pipeline_config, tmp_path)
        assert status != 0 or "DetectionOutput" not in layer_types(tmp_path / "converted.xml")
