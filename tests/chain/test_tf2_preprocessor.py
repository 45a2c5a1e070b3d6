"""The preprocessing of the TF2 exporters: what is read from a loop's body, and each way in which it can be another."""

from __future__ import annotations

import numpy as np
import pytest
from tensorboard.compat.proto import types_pb2

from fixtures.catalogue import build
from harness.chain.configuration import parse_configuration
from harness.chain.convert import convert_graph
from harness.chain.graph import Graph
from harness.chain.preprocessing.loop_body import LOOPS, LoopBody
from harness.errors import ConfigurationError, ConversionError, PipelineConfigError
from harness.pipeline.config import PipelineConfig
from harness.sources.load import load_graph

LOOP, EFFICIENTDET = "ssd/mobilenet_v2_tf2.4", "efficientdet/d0_tf2.4"


def loaded(name):
    return load_graph(build([name])[name] / "saved_model").graph_def


def config_of(name, *replacements):
    text = (build([name])[name] / "pipeline.config").read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return PipelineConfig.parse(text, "edited.config")


def body_nodes(graph_def):
    (body,) = [one for one in graph_def.library.function if "map_while_body" in one.signature.name]
    return {node.name: node for node in body.node_def}


class TestBody:
    def test_means_and_scales(self):
        """EfficientDet's arithmetic, in order, with the values per channel."""
        graph = Graph(loaded(EFFICIENTDET))
        (loop,) = [node for node in graph if node.op in LOOPS]
        path = LoopBody(graph, loop).image_path(3)
        assert [step.op for step in path.steps] == ["RealDiv", "Sub", "RealDiv"]
        assert float(path.steps[0].constant) == 255.0
        np.testing.assert_allclose(path.steps[1].constant.reshape(-1), [0.485, 0.456, 0.406], rtol=1e-6)
        np.testing.assert_allclose(path.steps[2].constant.reshape(-1), [0.229, 0.224, 0.225], rtol=1e-6)

    def test_constant_first(self):
        """Which side of an operation the constant is on is kept: a scale times the image."""
        graph = Graph(loaded(LOOP))
        (loop,) = [node for node in graph if node.op in LOOPS]
        path = LoopBody(graph, loop).image_path(3)
        assert [(step.op, step.constant_first) for step in path.steps] == [("Mul", True), ("Sub", False)]
        assert path.size == (128, 128)

    def test_unknown_operation(self):
        """Something else done to the image in the loop is an error that names it, not left out (PRE-4)."""
        graph = loaded(LOOP)
        body_nodes(graph)["map/while/Preprocessor/sub"].op = "Pow"
        with pytest.raises(ConversionError, match="not known") as caught:
            convert_graph(graph, config=config_of(LOOP))
        assert caught.value.requirement == "PRE-4"
        assert "map/while/Preprocessor/sub" in str(caught.value.where)

    def test_lost_body(self):
        """A graph without its functions says so."""
        graph = loaded(LOOP)
        del graph.library.function[:]
        with pytest.raises(ConversionError, match="no function"):
            convert_graph(graph, config=config_of(LOOP))


class TestInput:
    def test_another_name(self):
        """The image has to be what the exporters call it (PRE-4)."""
        graph = loaded(LOOP)
        for node in graph.node:
            node.name = "picture" if node.name == "input_tensor" else node.name
            for index, text in enumerate(node.input):
                node.input[index] = "picture" if text == "input_tensor" else text
        with pytest.raises(ConversionError, match="input is named 'picture'") as caught:
            convert_graph(graph, config=config_of(LOOP))
        assert caught.value.requirement == "PRE-4"

    def test_float_images(self):
        """Exported with float images, there is nothing to cast."""
        graph = loaded(LOOP)
        for node in graph.node:
            if node.op == "Placeholder":
                node.attr["dtype"].type = types_pb2.DT_FLOAT
        model = convert_graph(graph, config=config_of(LOOP)).model
        assert model.input(0).get_element_type().get_type_name() == "f32"

    def test_size_of_another_config(self):
        """The size that the loop's body resizes to is held against pipeline.config (CFG-11)."""
        wrong = config_of(LOOP, ("height: 128", "height: 256"))
        with pytest.raises(PipelineConfigError, match="128") as caught:
            convert_graph(loaded(LOOP), config=wrong)
        assert caught.value.requirement == "CFG-11"

    def test_padded_image(self):
        """A resizer that keeps the aspect ratio and pads makes a square, whatever is asked (SHP-5)."""
        model = convert_graph(loaded(EFFICIENTDET), config=config_of(EFFICIENTDET)).model
        assert list(model.input(0).shape) == [1, 128, 128, 3]


class TestConfiguration:
    @pytest.mark.parametrize(
        ("attributes", "message"),
        [
            ('{"start_nodes": ["nowhere"], "end_nodes": ["nowhere"]}', "has no node 'nowhere'"),
            ('{"start_nodes": "x", "end_nodes": ["y"]}', "start_nodes"),
            ("{}", "start_nodes"),
        ],
    )
    def test_wrong_nodes(self, attributes, message):
        """Start and end nodes that are missing or not there are errors that say which (CFG-6, CFG-7)."""
        text = (
            '[{"id": "ObjectDetectionAPIPreprocessor2Replacement", "match_kind": "general", '
            f'"custom_attributes": {attributes}}}]'
        )
        with pytest.raises(ConfigurationError, match=message):
            convert_graph(loaded(LOOP), config=config_of(LOOP), configuration=parse_configuration(text, "mine"))
