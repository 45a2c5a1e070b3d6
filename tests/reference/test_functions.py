"""TF2 SavedModels under the reference: functions written out, a loop's arithmetic, upsampling of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto import graph_pb2

from fixtures.catalogue import case
from harness.reference import References
from harness.reference.graph_view import GraphView
from harness.reference.loop_body import RESIZED, without_loop
from harness.reference.preprocessing import find_preprocessing
from harness.reference.question import ModelFiles
from harness.reference.ssd import find_ssd_heads
from harness.reference.upsampling import follow_input
from harness.sources.load import load_graph
from harness.workers.limits import Limits
from harness.workers.worker import run_isolated

LOOPED, UNROLLED, PYRAMID = "ssd/mobilenet_v2_tf2.4", "efficientdet/d0_tf2.0", "ssd/mobilenet_v2_fpnlite_tf2.4"
PADDED, MASKED = "faster_rcnn/resnet50_padded_tf2.4", "mask_rcnn/resnet50_padded_tf2.4"


@pytest.fixture(scope="module")
def references():
    with References() as found:
        yield found


def graph_of(name):
    return load_graph(case(name).model_path).graph_def


class TestFindings:
    def test_heads_of_each_feature_map(self):
        """Class predictions that were spread over anchors first are found where the convolution gives them."""
        heads = find_ssd_heads(graph_of(PYRAMID))
        assert len(heads.levels) == 4
        assert all("BiasAdd" in level.class_predictions for level in heads.levels)
        assert all("BiasAdd" in level.box_encodings for level in heads.levels)

    def test_without_background(self):
        """EfficientDet's scores have no background column, and its box coder no scales."""
        heads = find_ssd_heads(graph_of(UNROLLED))
        assert not heads.background
        assert heads.box_coder_scales == (1.0, 1.0, 1.0, 1.0)

    def test_preprocessing_of_either_era(self):
        """Pixels are seen ahead of the arithmetic where that is outside of a loop."""
        looped, unrolled = find_preprocessing(graph_of(LOOPED)), find_preprocessing(graph_of(UNROLLED))
        assert looped.looped
        assert looped.resized is None
        assert looped.image.endswith("map/TensorArrayV2Stack/TensorListStack:0")
        assert looped.sizes.endswith("map/TensorArrayV2Stack_1/TensorListStack:0")
        assert not unrolled.looped
        assert unrolled.resized.endswith("Preprocessor/stack:0")
        assert unrolled.image.endswith("Preprocessor/truediv_1:0")
        assert unrolled.sizes.endswith("Preprocessor/stack_1:0")


class TestLoopBody:
    def test_arithmetic_in_its_order(self):
        """What is left between the pixels and the image are the product and the difference, with their constants."""
        graph = graph_of(LOOPED)
        found = without_loop(graph, find_preprocessing(graph).image)
        view = GraphView(found)
        node, ops = view.nodes[find_preprocessing(graph).image.partition(":")[0]], []
        while node.name != RESIZED:
            ops.append(node.op)
            (node,) = [one for one in view.inputs(node) if one.op != "Const"]
        assert ops == ["Identity", "Sub", "Mul"]
        assert [node.op for node in graph.node].count("Placeholder") == 1, "the original stays as it was"

    def test_no_loop(self):
        """An image that no loop collects is nothing for this."""
        graph = graph_pb2.GraphDef()
        graph.node.add(name="list", op="Placeholder")
        graph.node.add(name="stack", op="TensorListStack", input=["list"])
        assert without_loop(graph, "stack:0") is None


class TestUpsampling:
    def test_stacks_that_repeat(self):
        """Each doubling of the pyramid follows its input now; other Reshapes stay."""
        graph = graph_of(PYRAMID)
        before = [node.name for node in graph.node if node.op == "Reshape"]
        assert follow_input(graph) == 2
        changed = [node.name for node in graph.node if node.op == "Reshape" and node.input[1].endswith("irproof/sizes")]
        assert len(changed) == 2
        assert set(changed) < set(before)
        assert all("upsampling" in name for name in changed)


class TestAnswers:
    @pytest.mark.parametrize("name", [LOOPED, pytest.param(UNROLLED, marks=pytest.mark.long)])
    def test_heads_are_visible(self, references, name):
        """Raw heads come with the answer, and the boxes that they decode to are the graph's own raw boxes."""
        asked = case(name)
        found = references.reference(asked, list(asked.scenes))
        heads = found.answer.heads
        assert heads.box_encodings.shape[:2] == found.outputs["raw_detection_boxes"].shape[:2]
        assert heads.anchors.shape == (heads.box_encodings.shape[1], 4)
        assert len(found.repeats) == 3
        centre = (heads.anchors[:, :2] + heads.anchors[:, 2:]) / 2
        side = heads.anchors[:, 2:] - heads.anchors[:, :2]
        codes = heads.box_encodings[:, :, 0] * heads.variances
        middle = codes[..., :2] * side + centre
        raw = found.outputs["raw_detection_boxes"]
        np.testing.assert_allclose(middle, (raw[..., :2] + raw[..., 2:]) / 2, atol=1e-4)

    def test_many_images_one_by_one(self, references):
        """A graph for one image answers a batch image by image."""
        asked = case(LOOPED)
        alone = references.reference(asked, list(asked.scenes))
        both = references.reference(asked, list(asked.scenes), batch=2)
        for one, two in zip(alone.answer.images, both.answer.images, strict=True):
            np.testing.assert_array_equal(one.scores, two.scores)

    @pytest.mark.long
    @pytest.mark.parametrize("name", [PYRAMID, UNROLLED])
    def test_another_size(self, references, name):
        """The oracle is proven at the training size, and then answers where the pyramid's constants did not reach."""
        asked = case(name)
        pixels = [np.full((256, 128, 3), 90, np.uint8)]
        found = references.reference(asked, pixels, batch=1, size=(256, 128))
        assert len(found.answer.heads.anchors) == found.answer.heads.box_encodings.shape[1]


class TestWorkers:
    def test_a_saved_model_has_a_tensorflow_of_its_own(self, monkeypatch):
        """The workers begin anew ahead of a SavedModel and behind one, and else go on."""
        frozen, other = (ModelFiles(Path(name), "frozen") for name in ("a.pb", "b.pb"))
        saved = ModelFiles(Path("saved_model"), "saved_model")
        closed = []
        with References() as found:
            monkeypatch.setattr(found, "close", lambda: closed.append(True))
            for files, expected in ((frozen, 0), (other, 0), (saved, 1), (saved, 1), (frozen, 2), (other, 2)):
                found._start_afresh_for(files)
                assert len(closed) == expected
            monkeypatch.undo()


class TestLoading:
    @pytest.mark.long
    def test_functions_of_one_name(self):
        """Two models whose functions TensorFlow gives one name load into one process, and both answer."""
        script = Path(__file__).with_name("loading.py")
        paths = [str(case(name).model_path) for name in (PADDED, MASKED)]
        outcome = run_isolated(f"{script}:outputs_of_all", {"paths": paths}, Limits(seconds=300))
        assert outcome.result() == [8, 9]
