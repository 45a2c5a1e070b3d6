"""The chain on two-stage SavedModels of the TF2 eras: matching by name and by structure, renamed scopes, answers."""

from __future__ import annotations

import numpy as np
import openvino as ov
import pytest

from fixtures.catalogue import build, specs
from harness.chain.configuration import built_in, matching
from harness.chain.convert import convert_graph
from harness.chain.graph import Graph
from harness.chain.replacers import REPLACERS
from harness.chain.ssd.suppression import read_suppression
from harness.chain.two_stage.ends import detector_ends, name_masks
from harness.chain.two_stage.masks import MASKS, mask_predictions
from harness.chain.two_stage.stages import find_heads, find_stages, layers_behind
from harness.errors import ConversionError, PipelineConfigError
from harness.pipeline.config import PipelineConfig
from harness.sources.load import load_graph

FASTER, MASKED = "faster_rcnn/resnet50_padded_tf2.4", "mask_rcnn/resnet50_tf2.0"
ALL = [one.name for one in specs("full") if one.builder == "fixtures.tf2_two_stage.detector"]
EACH = [pytest.param(name, marks=() if name in {FASTER, MASKED} else pytest.mark.long) for name in ALL]


def loaded(name):
    return load_graph(build([name])[name] / "saved_model").graph_def


def config_of(name, *replacements):
    text = (build([name])[name] / "pipeline.config").read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return PipelineConfig.parse(text, "edited.config")


@pytest.fixture(scope="session")
def converted():
    """The converted model of a fixture, once a session."""
    known: dict[str, ov.Model] = {}

    def convert(name: str) -> ov.Model:
        if name not in known:
            known[name] = convert_graph(loaded(name), config=config_of(name)).model
        return known[name].clone()

    return convert


def kinds(model):
    return [op.get_type_name() for op in model.get_ordered_ops()]


def run(model, images):
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [np.array(value) for value in compiled([images]).values()]


class TestMatching:
    @pytest.mark.parametrize("name", EACH)
    def test_named_and_found_give_the_same_model(self, converted, name):
        """The points of the era's own configuration lead to the same model as the structure does (CFG-3, CFG-4)."""
        own = f"{name.partition('/')[0]}_support_api_v{name[-3:]}"
        assert matching(Graph(loaded(name)), built_in(), REPLACERS) == [own]
        named = convert_graph(loaded(name), config=config_of(name), configuration=built_in()[own]).model
        assert kinds(named) == kinds(converted(name))

    @pytest.mark.parametrize(
        ("name", "prefix"),
        [(FASTER, "StatefulPartitionedCall/StatefulPartitionedCall/"), (MASKED, "my_model/inner/"), (MASKED, "")],
    )
    def test_renamed_prefixes(self, converted, name, prefix):
        """Nodes under other prefixes, or under none, are found by structure."""
        graph = loaded(name)
        old = "StatefulPartitionedCall/"
        taken = {node.name for node in graph.node if not node.name.startswith(old)}

        def moved(text):
            if not text.startswith(old):
                return text
            new = prefix + text.removeprefix(old)
            return new if new.partition(":")[0] not in taken else f"inner_{new}"

        for node in graph.node:
            node.name = moved(node.name)
            for index, text in enumerate(node.input):
                node.input[index] = moved(text)
        found = convert_graph(graph, config=config_of(name)).model
        pixels = np.random.default_rng(3).integers(0, 256, (1, 128, 128, 3)).astype(np.uint8)
        for one, two in zip(run(found, pixels), run(converted(name), pixels), strict=True):
            np.testing.assert_array_equal(one, two)

    def test_masks_are_named(self):
        """What the masks are predicted by is found through the output that a function does not name (MSK-6)."""
        graph = Graph(loaded(MASKED))
        stages = find_stages(graph, detector_ends(graph))
        assert mask_predictions(graph) is None
        name_masks(graph, stages)
        assert MASKS in graph
        assert str(mask_predictions(graph)).endswith("MaskPredictor_last_conv2d/BiasAdd")

    def test_no_masks(self):
        """A Faster R-CNN gets no masks."""
        graph = Graph(loaded(FASTER))
        name_masks(graph, find_stages(graph, detector_ends(graph)))
        assert MASKS not in graph


class TestFacts:
    @pytest.mark.parametrize("name", [FASTER, MASKED])
    def test_clipped_anchors_are_no_clipped_boxes(self, name):
        """Anchors that are clipped ahead of the decoding say nothing about the boxes that suppress each other."""
        graph = Graph(loaded(name))
        stages = find_stages(graph, detector_ends(graph))
        layers, between = layers_behind(graph, [stages.proposals])
        heads = find_heads(graph, layers, between, stage="first")
        assert any(graph[one].op == "Minimum" for one in between), "anchors are clipped in there"
        assert read_suppression(graph, between, heads.classes, heads.boxes).clips_before is False

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            ("num_classes: 3", "num_classes: 2", "num_classes"),
            ("first_stage_max_proposals: 24", "first_stage_max_proposals: 23", "first_stage_max_proposals"),
            ("first_stage_nms_iou_threshold: 0.7", "first_stage_nms_iou_threshold: 0.6", "iou_threshold"),
            ("initial_crop_size: 14", "initial_crop_size: 13", "initial_crop_size"),
        ],
    )
    def test_another_models_config(self, old, new, told):
        """Values that the graph contradicts are named (CFG-11)."""
        with pytest.raises((PipelineConfigError, ConversionError), match=told):
            convert_graph(loaded(FASTER), config=config_of(FASTER, (old, new)))


class TestRefusals:
    def test_crops_of_products(self):
        """Crops as the exporter of 2021-07 writes them with use_matmul_crop_and_resize are refused, with what to do."""
        graph = loaded(FASTER)
        old, new = "StatefulPartitionedCall/CropAndResize/", "StatefulPartitionedCall/MultiLevelMatMulCropAndResize/"
        for node in graph.node:
            node.name = node.name.replace(old, f"{new}MultiLevelRoIAlign/")
            node.op = "MatMul" if node.op == "CropAndResize" else node.op
            for index, text in enumerate(node.input):
                node.input[index] = text.replace(old, f"{new}MultiLevelRoIAlign/")
        with pytest.raises(ConversionError, match=r"MultiLevelMatMulCropAndResize.*ovc") as caught:
            convert_graph(graph, config=config_of(FASTER))
        assert caught.value.requirement == "PRO-1"


class TestModel:
    @pytest.mark.parametrize("name", [FASTER, MASKED])
    def test_structure(self, converted, name):
        """No loop, one Proposal and one DetectionOutput (PRE-2, PRO-1, DET-1)."""
        found = kinds(converted(name))
        assert not set(found) & {"Loop", "TensorIterator", "If", "CropAndResize"}
        assert found.count("Proposal") == 1
        assert found.count("DetectionOutput") == 1

    def test_two_images(self, converted):
        """A batch that the SavedModel itself cannot take gives what each image gives alone (RSH-1)."""
        model = converted(FASTER)
        pixels = np.random.default_rng(3).integers(0, 256, (2, 128, 128, 3)).astype(np.uint8)
        alone = [run(model.clone(), one[None])[0].reshape(-1, 7) for one in pixels]
        model.reshape([2, 128, 128, 3])
        (together,) = run(model, pixels)
        rows = together.reshape(-1, 7)
        for image, single in enumerate(alone):
            scores = np.sort(single[single[:, 2] > 0, 2])
            np.testing.assert_allclose(np.sort(rows[(rows[:, 0] == image) & (rows[:, 2] > 0), 2]), scores, atol=1e-4)
