"""The chain on SavedModels of the TF2 eras: TensorFlow's answers, labels, anchors, sizes, and matching by structure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as opset

from fixtures.catalogue import build, specs
from harness.chain.configuration import built_in, matching
from harness.chain.convert import convert_graph
from harness.chain.graph import Graph
from harness.chain.replacers import REPLACERS
from harness.errors import ConfigurationError
from harness.observation.detection_output import from_detection_output
from harness.pipeline.config import PipelineConfig
from harness.sources.load import load_graph

ALL = [one.name for one in specs("full") if one.builder == "fixtures.tf2.detector"]
QUICK = ["ssd/mobilenet_v2_tf2.4", "ssd/mobilenet_v2_fpnlite_tf2.4", "efficientdet/d0_tf2.4"]
EACH = [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in ALL]
SSD, FPN, EFFICIENTDET = "ssd/mobilenet_v2_tf2.4", "ssd/mobilenet_v2_fpnlite_tf2.4", "efficientdet/d0_tf2.4"
UNROLLED = "efficientdet/d0_tf2.0"
CONFIGURATIONS = {
    SSD: "ssd_support_api_v2.4",
    EFFICIENTDET: "efficient_det_support_api_v2.4",
    UNROLLED: "efficient_det_support_api_v2.0",
}


@pytest.fixture(scope="session")
def answers(tmp_path_factory):
    """TensorFlow's answers to a fixture's own images; asked of many at once, in one process."""
    known: dict[str, dict[str, np.ndarray]] = {}

    def ask(name: str) -> dict[str, np.ndarray]:
        if name not in known:
            names = QUICK if name in QUICK else ALL
            folders = build(names)
            results = tmp_path_factory.mktemp("answers")
            script = Path(__file__).with_name("tf2_answers.py")
            environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
            command = [sys.executable, str(script), str(results), *(str(folders[one]) for one in names)]
            subprocess.run(command, check=True, timeout=300, env=environment, capture_output=True)
            for index, one in enumerate(names):
                with np.load(results / f"{index}.npz") as stored:
                    known[one] = dict(stored)
        return known[name]

    return ask


def loaded(name):
    return load_graph(build([name])[name] / "saved_model").graph_def


def config_of(name):
    return PipelineConfig.read(build([name])[name] / "pipeline.config")


@pytest.fixture(scope="session")
def converted():
    """The converted model of a fixture, once a session."""
    known: dict[str, ov.Model] = {}

    def convert(name: str) -> ov.Model:
        if name not in known:
            known[name] = convert_graph(loaded(name), config=config_of(name)).model
        return known[name].clone()

    return convert


def run(model, images):
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([images])[0]


def unmatched(found, answer, image, tolerance=1e-4):
    """TensorFlow's detections of an image that have no counterpart of their own, and the counterparts left over."""
    count = int(answer["num_detections"][image])
    left = list(range(len(found)))
    missing = []
    for row in range(count):
        box, score = answer["detection_boxes"][image, row], answer["detection_scores"][image, row]
        fits = [
            one
            for one in left
            if found.classes[one] == answer["detection_classes"][image, row]
            and abs(found.scores[one] - score) < tolerance
            and np.abs(found.boxes[one] - box).max() < tolerance
        ]
        if fits:
            left.remove(fits[0])
        else:
            missing.append((row, float(score)))
    return missing, left


def detection_output(model):
    (node,) = [op for op in model.get_ops() if op.get_type_name() == "DetectionOutput"]
    return node


class TestAnswers:
    @pytest.mark.parametrize("name", EACH)
    def test_every_detection_is_there(self, converted, answers, name):
        """All of TensorFlow's detections, with their labels, and no others (SSD-5, SSD-7, SSD-9)."""
        answer = answers(name)
        model = converted(name)
        total = 0
        for image, pixels in enumerate(answer["images"]):
            (found,) = from_detection_output(run(model, pixels[None]), 1)
            missing, left = unmatched(found, answer, image)
            assert not missing
            assert not left
            total += len(found)
        assert total == answer["num_detections"].sum() >= 100

    @pytest.mark.parametrize("name", EACH)
    def test_the_floor_is_reached(self, answers, name):
        """TensorFlow's own answers are enough to prove something."""
        (floor,) = [one.floor for one in specs("full") if one.name == name]
        answer = answers(name)
        counted = answer["detection_scores"] > floor.score
        assert counted.sum() >= floor.detections
        assert len(np.unique(answer["detection_classes"][counted])) >= floor.classes

    def test_labels_without_background_start_at_one(self, converted, answers):
        """A label off by one, as Model Optimizer's is, would be found."""
        answer = answers(EFFICIENTDET)
        rows = run(converted(EFFICIENTDET), answer["images"][:1]).reshape(-1, 7)
        rows[:, 1] -= 1
        rows = rows[rows[:, 1] >= 1]
        (shifted,) = from_detection_output(rows.reshape(1, 1, -1, 7), 1)
        missing, _ = unmatched(shifted, answer, 0)
        assert len(missing) > 50

    def test_padding_keeps_its_labels(self, converted):
        """Rows that hold no detection are as DetectionOutput pads them: one -1, then zeros."""
        model = converted(EFFICIENTDET)
        node = detection_output(model)
        silent = opset.multiply(node.input_value(1), opset.constant(np.float32(0.0)))
        node.input(1).replace_source_output(silent.output(0))
        rows = run(model, np.zeros((1, 128, 128, 3), np.uint8)).reshape(-1, 7)
        assert rows[0, 0] == -1
        assert (rows[1:] == 0).all()
        assert rows[0, 1] == 0


class TestModel:
    @pytest.mark.parametrize("name", QUICK)
    def test_no_loop_is_left(self, converted, name):
        """Neither loops nor lists, and one DetectionOutput (PRE-2, SSD-1)."""
        kinds = {op.get_type_name() for op in converted(name).get_ops()}
        assert not kinds & {"Loop", "TensorIterator", "If"}
        assert "DetectionOutput" in kinds
        assert "Interpolate" in kinds or name == SSD

    @pytest.mark.parametrize("name", [FPN, EFFICIENTDET])
    def test_anchors_are_tensorflows(self, converted, answers, name):
        """Anchors elementwise, unrounded: what TensorFlow decodes from them comes out (SSD-9, PRI-4)."""
        model = converted(name)
        node = detection_output(model)
        probe = ov.Model([node.input_value(0), node.input_value(2)], model.get_parameters(), "heads")
        pixels = answers(name)["images"][:1]
        compiled = ov.Core().compile_model(probe, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        codes, priors = (np.array(value) for value in compiled([pixels]).values())
        codes, boxes, spread = codes.reshape(-1, 4), priors[0, 0].reshape(-1, 4), priors[0, 1].reshape(-1, 4)
        size = boxes[:, 2:] - boxes[:, :2]
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + codes[:, :2] * spread[:, :2] * size
        half = np.exp(codes[:, 2:] * spread[:, 2:]) * size / 2
        decoded = np.concatenate([centre - half, centre + half], axis=1)[:, [1, 0, 3, 2]]
        expected = answers(name)["raw_detection_boxes"][0]
        assert decoded.shape == expected.shape
        np.testing.assert_allclose(decoded, expected, atol=2e-5, rtol=1e-5)

    @pytest.mark.parametrize("name", [SSD, pytest.param(FPN, marks=pytest.mark.long), EFFICIENTDET])
    def test_two_images(self, converted, answers, name):
        """A batch that the SavedModel itself cannot take gives what each image gives alone (RSH-1)."""
        model = converted(name)
        pixels = answers(name)["images"][:2]
        single = [from_detection_output(run(model.clone(), one[None]), 1)[0] for one in pixels]
        model.reshape(list(pixels.shape))
        both = from_detection_output(run(model, pixels), 2)
        for alone, together in zip(single, both, strict=True):
            assert len(alone) == len(together) > 50
            order, other = (np.lexsort((one.boxes[:, 0], one.classes, -one.scores)) for one in (alone, together))
            np.testing.assert_allclose(alone.scores[order], together.scores[other], atol=1e-5)

    @pytest.mark.parametrize("name", [pytest.param(SSD, marks=pytest.mark.long), FPN, EFFICIENTDET])
    def test_another_size_and_back(self, converted, answers, name):
        """The IR takes another size, which Model Optimizer's FPNLite does not, and comes back (RSH-1, RSH-2, SHP-7)."""
        model = converted(name)
        pixels = answers(name)["images"][:1]
        first = run(model.clone(), pixels)
        height, width = pixels.shape[1:3]
        model.reshape([1, height + 128, width + 256, 3])
        rows = run(model.clone(), np.full((1, height + 128, width + 256, 3), 90, np.uint8))
        assert rows.shape == first.shape
        model.reshape(list(pixels.shape))
        np.testing.assert_array_equal(run(model, pixels), first)


class TestMatching:
    @pytest.mark.parametrize(
        "name", [SSD, *(pytest.param(one, marks=pytest.mark.long) for one in (EFFICIENTDET, UNROLLED))]
    )
    def test_named_and_found_give_the_same_model(self, converted, name):
        """The published configuration's points lead to the same model as the structure does (CFG-1, CFG-2)."""
        configuration = built_in()[CONFIGURATIONS[name]]
        named = convert_graph(loaded(name), config=config_of(name), configuration=configuration).model
        found = converted(name)
        assert [op.get_type_name() for op in named.get_ordered_ops()] == [
            op.get_type_name() for op in found.get_ordered_ops()
        ]

    def test_eras_are_told_apart(self):
        """Only configurations of the exporting API version fit, and naming another one says which would (CFG-6)."""
        for name, era in ((UNROLLED, "2.0"), (SSD, "2.4")):
            fitting = matching(Graph(loaded(name)), built_in(), REPLACERS)
            assert fitting
            assert all(one.endswith(f"v{era}") for one in fitting)
        with pytest.raises(ConfigurationError, match=r"matches .*efficient_det_support_api_v2\.0"):
            convert_graph(
                loaded(UNROLLED),
                config=config_of(UNROLLED),
                configuration=built_in()["efficient_det_support_api_v2.4"],
            )

    def test_the_right_family_is_noted(self):
        """What was found is called by its family's configuration."""
        notes = convert_graph(loaded(UNROLLED), config=config_of(UNROLLED)).notes
        assert "The graph matches the configuration efficient_det_support_api_v2.0." in notes

    @pytest.mark.parametrize(
        ("name", "prefix"),
        [
            (SSD, "StatefulPartitionedCall/StatefulPartitionedCall/"),
            pytest.param(SSD, "", marks=pytest.mark.long),
            pytest.param(UNROLLED, "my_model/inner/", marks=pytest.mark.long),
        ],
    )
    def test_renamed_prefixes(self, converted, name, prefix):
        """Nodes under other prefixes are found by structure."""
        graph = loaded(name)
        old = "StatefulPartitionedCall/"
        taken = {node.name for node in graph.node if not node.name.startswith(old)}
        for node in graph.node:
            node.name = _moved(node.name, old, prefix, taken)
            for index, text in enumerate(node.input):
                source, colon, port = text.partition(":")
                node.input[index] = _moved(source, old, prefix, taken) + colon + port
        found = convert_graph(graph, config=config_of(name)).model
        assert len(found.get_ops()) == len(converted(name).get_ops())
        pixels = np.random.default_rng(3).integers(0, 256, (1, 128, 128, 3)).astype(np.uint8)
        np.testing.assert_array_equal(run(found, pixels), run(converted(name), pixels))


def _moved(name, old, new, taken):
    if not name.startswith(old):
        return name
    moved = new + name.removeprefix(old)
    return moved if moved not in taken else f"inner_{moved}"
