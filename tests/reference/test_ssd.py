"""Heads of an SSD and the Preprocessor's ends, found by structure in graphs that real exporters wrote."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto import graph_pb2, meta_graph_pb2

from harness.cases.case import Case
from harness.reference import References
from harness.reference.preprocessing import find_preprocessing
from harness.reference.ssd import SsdHeads, find_ssd_heads

ZOO = Path(os.environ.get("IRPROOF_SHARED", Path(__file__).parents[3] / "shared")) / "zoo"
AIY = ZOO / "aiy_ssd_mobilenet_v1_person_cat_dog" / "frozen_inference_graph.pb"

pytestmark = [pytest.mark.zoo, pytest.mark.skipif(not ZOO.is_dir(), reason="there is no zoo; IRPROOF_SHARED names one")]

# No pipeline.config was published with this model. These values are those of its graph: anchors, constants, heads.
AIY_CONFIG = """
model { ssd {
  num_classes: 3
  image_resizer { fixed_shape_resizer { height: 256 width: 256 } }
  feature_extractor { type: "ssd_mobilenet_v1" depth_multiplier: 0.125 }
  box_coder { faster_rcnn_box_coder { y_scale: 10 x_scale: 10 height_scale: 5 width_scale: 5 } }
  box_predictor { convolutional_box_predictor { kernel_size: 1 } }
  anchor_generator { ssd_anchor_generator {
    num_layers: 5 min_scale: 0.2 max_scale: 0.95
    aspect_ratios: 1 aspect_ratios: 2 aspect_ratios: 0.5 aspect_ratios: 3 aspect_ratios: 0.3333 } }
  post_processing {
    batch_non_max_suppression {
      score_threshold: 1e-8 iou_threshold: 0.6 max_detections_per_class: 100 max_total_detections: 100 }
    score_converter: SIGMOID }
} }
"""


def graph_of(path):
    data = path.read_bytes()
    if path.suffix == ".meta":
        meta = meta_graph_pb2.MetaGraphDef()
        meta.ParseFromString(data)
        return meta.graph_def
    graph = graph_pb2.GraphDef()
    graph.ParseFromString(data)
    return graph


class TestFindSsdHeads:
    @pytest.mark.parametrize(
        ("name", "levels", "thresholds", "clips_first", "background"),
        [
            (AIY.relative_to(ZOO), 5, (0.6, None), True, False),
            ("ssd_mobilenet_v2_coco_2018_03_29/model.ckpt.meta", 6, (0.6, 0.3), True, True),
            ("ssd_mobilenet_v1_0.75_quantized_tf1.12/model.ckpt.meta", 6, (0.6, 0.3), False, True),
            ("ssdlite_mobilenet_v2_tf1.14/model.ckpt.meta", 6, (0.6, 1e-8), False, True),
        ],
    )
    def test_exporters(self, name, levels, thresholds, clips_first, background):
        """Every exporter's heads are found, with all feature maps, the box coder and the suppression's constants."""
        found = find_ssd_heads(graph_of(ZOO / name))
        assert len(found.levels) == levels
        assert found.box_coder_scales == (10, 10, 5, 5)
        assert (found.converter, found.logit_scale) == ("Sigmoid", 1)
        assert (found.clips_first, found.background) == (clips_first, background)
        assert found.iou_threshold == pytest.approx(thresholds[0])
        if thresholds[1] is not None:
            assert found.score_threshold == pytest.approx(thresholds[1])
        assert set(found.fetches()) == {"box_encodings", "class_scores", "anchors"}

    @pytest.mark.parametrize("name", ["faster_rcnn_inception_v2_tf1.8", "mask_rcnn_inception_v2_tf1.14"])
    def test_two_stages(self, name):
        """A model of two stages has no such heads, and none are made up."""
        assert find_ssd_heads(graph_of(ZOO / name / "model.ckpt.meta")) is None

    def test_nothing(self):
        """An empty graph has none."""
        assert find_ssd_heads(graph_pb2.GraphDef()) is None
        assert find_preprocessing(graph_pb2.GraphDef()).image is None


class TestFindPreprocessing:
    @pytest.mark.parametrize("path", sorted([AIY, *ZOO.glob("*/model.ckpt.meta")]), ids=lambda path: path.parent.name)
    def test_exporters(self, path):
        """The image behind mean and scale, and the resizer's output, whichever the exporter."""
        found = find_preprocessing(graph_of(path))
        assert found.image == "Preprocessor/sub:0"
        assert found.resized == "Preprocessor/map/TensorArrayStack/TensorArrayGatherV3:0"


class TestRead:
    def test_flattened_scores(self):
        """Scores that an old Softmax had flattened get their batch back."""
        heads = SsdHeads(box_encodings="b", class_scores="c", anchors="a")
        found = heads.read(
            {"box_encodings": np.zeros((2, 3, 4), np.float32), "class_scores": np.arange(12.0).reshape(6, 2)}
        )
        assert found.class_scores.shape == (2, 3, 2)
        assert found.anchors is None
        assert found.variances is None

    def test_without_background(self):
        """A score converter without a background column leaves that column not a number."""
        heads = SsdHeads(box_encodings="b", class_scores="c", background=False)
        found = heads.read({"box_encodings": np.zeros((1, 3, 4)), "class_scores": np.ones((1, 3, 2), np.float32)})
        assert found.class_scores.shape == (1, 3, 3)
        assert np.isnan(found.class_scores[..., 0]).all()
        assert (found.class_scores[..., 1:] == 1).all()


@pytest.fixture(scope="module")
def references():
    with References() as shared:
        yield shared


def photos(height, width):
    from PIL import Image

    found = {}
    for name in ("image1", "example_cat", "street"):
        with Image.open(ZOO / "images" / f"{name}.jpg") as image:
            found[name] = np.asarray(image.convert("RGB").resize((width, height)))
    return found


class TestTrained:
    """The one model of the zoo that was trained: it finds what the photos show."""

    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("IRPROOF_CACHE", str(tmp_path / "cache"))

    @pytest.fixture
    def case(self, tmp_path):
        (tmp_path / "pipeline.config").write_text(AIY_CONFIG)
        return Case("aiy", "ssd", "", AIY, "frozen", tmp_path / "pipeline.config")

    def test_photos(self, case, references):
        """Dogs, a cat and people are found; and at the training size the oracle says the same."""
        pixels = photos(256, 256)
        found = references.reference(case, list(pixels.values()))
        best = {
            name: answer.classes[answer.scores > 0.3] for name, answer in zip(pixels, found.answer.images, strict=True)
        }
        assert 3 in best["image1"]
        assert best["example_cat"].tolist() == [2]
        assert len(best["street"]) > 2
        assert set(best["street"].tolist()) == {1}
        assert np.isnan(found.answer.heads.class_scores[..., 0]).all()
        oracle = references.reference(case, list(pixels.values()), size=(256, 256), batch=3)
        for ours, theirs in zip(oracle.answer.images, found.answer.images, strict=True):
            np.testing.assert_array_equal(ours.classes, theirs.classes)
            np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1e-6)
            np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-6)

    def test_other_size(self, case, references):
        """At another, non-square size the oracle still finds the cat."""
        pixels = photos(320, 384)
        found = references.reference(case, list(pixels.values()), size=(320, 384))
        cat = found.answer.images[list(pixels).index("example_cat")]
        assert cat.classes[0] == 2
        assert cat.scores[0] > 0.4
