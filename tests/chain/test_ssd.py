"""The chain on SSD graphs: what it refuses and how it says so, and what it obeys."""

from __future__ import annotations

import re

import numpy as np
import openvino as ov
import pytest

from harness.chain.configuration import Configuration, Replacement, built_in
from harness.chain.convert import convert_graph
from harness.errors import ConfigurationError, ConversionError, PipelineConfigError, UsageError

PLAIN = "ssd/mobilenet_v1_tf1.13"
LATEST = "ssd/mobilenet_v2_tf1.15"
FPN = "ssd/mobilenet_v1_fpn_tf1.13"


def detection_output(model):
    (node,) = [op for op in model.get_ops() if op.get_type_name() == "DetectionOutput"]
    return node


def number_in(text: str, key: str) -> str:
    """The first ``key: value`` of a pipeline.config."""
    found = re.search(rf"{key}: ([^\s]+)", text)
    assert found
    return f"{key}: {found.group(1)}"


class TestContradictions:
    """pipeline.config of another model: an error that says which value contradicts which node (CFG-11)."""

    @pytest.mark.parametrize(
        ("key", "value", "node"),
        [
            ("num_classes", "7", "ClassPredictor"),
            ("iou_threshold", "0.31", "iou_threshold"),
            ("score_threshold", "0.12", "Greater|score_threshold"),
            ("max_detections_per_class", "9", "Minimum"),
            ("max_total_detections", "321", "Minimum"),
            ("score_converter", "SOFTMAX", "ClassPredictor"),
            ("max_scale", "0.7", "oncat"),
            ("num_layers", "5", "Squeeze|oncat"),
            ("y_scale", "9.0", "Decode"),
            ("width_scale", "4.0", "Decode"),
            ("height", "200", "Resize"),
        ],
    )
    def test_value_and_node_are_named(self, folder, frozen, config, key, value, node):
        """The message has the key, both values, and the node of the graph that says otherwise."""
        text = (folder(PLAIN) / "pipeline.config").read_text()
        wrong = config(PLAIN, (number_in(text, key), f"{key}: {value}"))
        with pytest.raises(PipelineConfigError) as caught:
            convert_graph(frozen(PLAIN), config=wrong)
        assert caught.value.requirement == "CFG-11"
        assert re.search(node, str(caught.value.where)), caught.value
        assert "edited.config" in str(caught.value.where)

    def test_missing_config_names_the_replacer(self, frozen):
        """Without a pipeline.config the error says who needs it."""
        with pytest.raises(PipelineConfigError, match=r"ObjectDetectionAPI.*Replacement needs"):
            convert_graph(frozen(PLAIN), config=None)


class TestUnknownGenerator:
    """Anchors that pipeline.config has no rule for: a constant, at one size (PRI-2)."""

    @pytest.fixture
    def unknown(self, folder, config):
        """The config with a generator whose layers are spelled out elsewhere."""
        text = (folder(FPN) / "pipeline.config").read_text()
        block = re.search(r"multiscale_anchor_generator \{.*?\n( *)\}", text, re.DOTALL)
        assert block
        return config(FPN, (block.group(), "flexible_grid_anchor_generator { }"))

    def test_anchors_are_the_graphs_own(self, frozen, config, unknown):
        """The constant has the boxes that PriorBoxClustered gives where the rule is known."""
        found = []
        for one in (unknown, config(FPN)):
            model = convert_graph(frozen(FPN), config=one).model
            priors = detection_output(model).input_value(2)
            alone = ov.Model([priors], [port.get_node() for port in model.inputs])
            image = np.zeros(alone.input(0).shape, np.uint8)
            found.append(ov.Core().compile_model(alone, "CPU")([image])[0].reshape(2, -1, 4))
        np.testing.assert_allclose(*found, atol=2e-6)

    def test_another_size_is_refused(self, frozen, unknown):
        """The message says both sizes and whose anchors they are (SHP-7)."""
        with pytest.raises(ConversionError, match="anchors are constants for") as caught:
            convert_graph(frozen(FPN), config=unknown, input_shape=(1, 160, 192, 3))
        assert caught.value.requirement == "SHP-7"


class TestConfigurations:
    def test_wrong_era_names_the_right_one(self, frozen, config):
        """Naming the configuration of another version is an error that says which would match (CFG-6)."""
        with pytest.raises(ConfigurationError, match=r"matches .*ssd_v2_support") as caught:
            convert_graph(frozen(PLAIN), config=config(PLAIN), configuration=built_in()["ssd_support_api_v1.15"])
        assert caught.value.requirement == "CFG-6"

    def test_named_and_found_give_the_same_model(self, frozen, config):
        """The right configuration by name gives what the graph's structure gives."""
        found = convert_graph(frozen(LATEST), config=config(LATEST)).model
        named = convert_graph(
            frozen(LATEST), config=config(LATEST), configuration=built_in()["ssd_support_api_v1.15"]
        ).model
        assert [op.get_friendly_name() for op in found.get_ordered_ops()] == [
            op.get_friendly_name() for op in named.get_ordered_ops()
        ]

    def test_custom_attributes_win(self, frozen, config):
        """A value in custom_attributes beats pipeline.config, and may differ from the graph on purpose (CFG-10)."""
        base = built_in()["ssd_support_api_v1.15"]
        changed = []
        for entry in base.replacements:
            description = dict(entry.description)
            if "SSDPostprocessor" in entry.identifier:
                extra = {"postprocessing_iou_threshold": 0.25}
                description["custom_attributes"] = {**entry.custom_attributes, **extra}
            changed.append(Replacement(entry.identifier, entry.match_kind, description, entry.where))
        model = convert_graph(
            frozen(LATEST), config=config(LATEST), configuration=Configuration("mine", tuple(changed))
        ).model
        assert detection_output(model).get_attributes()["nms_threshold"] == 0.25

    def test_value_missing_everywhere_names_replacer_and_key(self, folder, frozen, config):
        """Neither in pipeline.config nor in custom_attributes: the error names both places to put it (CFG-10)."""
        text = (folder(PLAIN) / "pipeline.config").read_text()
        with pytest.raises(PipelineConfigError, match="num_classes") as caught:
            convert_graph(frozen(PLAIN), config=config(PLAIN, (number_in(text, "num_classes"), "")))
        assert caught.value.requirement == "CFG-10"
        assert "ObjectDetectionAPISSDPostprocessorReplacement" in str(caught.value)


class TestPreprocessor:
    """Each way in which the block can be another one is an error of its own (PRE-4)."""

    def test_input_of_another_name(self, frozen, config):
        graph = frozen(PLAIN)
        for node in graph.node:
            node.name = node.name.replace("image_tensor", "picture")
            for index, name in enumerate(node.input):
                node.input[index] = name.replace("image_tensor", "picture")
        with pytest.raises(ConversionError, match="input is named 'picture'") as caught:
            convert_graph(graph, config=config(PLAIN))
        assert caught.value.requirement == "PRE-4"

    def test_block_that_ends_in_another_operation(self, frozen, config):
        graph = frozen(PLAIN)
        (node,) = [node for node in graph.node if node.name == "Preprocessor/sub"]
        node.op = "Maximum"
        with pytest.raises(ConversionError, match="neither Sub nor Mul") as caught:
            convert_graph(graph, config=config(PLAIN))
        assert "Preprocessor/sub (Maximum)" in str(caught.value)

    def test_input_without_cast(self, frozen, config):
        graph = frozen(PLAIN)
        (cast,) = [node for node in graph.node if node.op == "Cast" and "image_tensor" in node.input]
        cast.op = "Identity"
        with pytest.raises(ConversionError, match="not followed by a Cast") as caught:
            convert_graph(graph, config=config(PLAIN))
        assert "(Identity)" in str(caught.value)

    def test_channels_that_differ(self, frozen, config):
        with pytest.raises((ConversionError, UsageError), match=r"channel|shape"):
            convert_graph(frozen(PLAIN), config=config(PLAIN), input_shape=(1, 128, 128, 1))


class TestHeads:
    def test_weights_used_elsewhere_are_an_error_that_names_the_reader(self, frozen, config):
        """Swapping X and Y in shared weights would change what else reads them (SSD-6)."""
        graph = frozen(PLAIN)
        (head,) = [n for n in graph.node if n.op == "Conv2D" and n.name.startswith("BoxPredictor_0/BoxEncoding")]
        classes = next(n for n in graph.node if n.op == "Conv2D" and n.name.startswith("BoxPredictor_0/Class"))
        classes.input[1] = head.input[1]
        with pytest.raises((ConversionError, PipelineConfigError)) as caught:
            convert_graph(
                graph,
                config=config(
                    PLAIN,
                ),
            )
        assert "BoxPredictor_0/Class" in str(caught.value)

    def test_bias_used_elsewhere(self, frozen, config):
        graph = frozen(PLAIN)
        (bias,) = [n for n in graph.node if n.name == "BoxPredictor_0/BoxEncodingPredictor/BiasAdd"]
        spy = graph.node.add(name="spy", op="Identity", input=[bias.input[1]])
        spy.attr["T"].type = 1
        graph.node.add(name="watcher", op="Relu", input=["spy"]).attr["T"].type = 1
        with pytest.raises(ConversionError, match="also used elsewhere") as caught:
            convert_graph(graph, config=config(PLAIN))
        assert "'watcher'" in str(caught.value)


class TestInputShape:
    def test_exactly_as_asked(self, frozen, config):
        """A fixed resizer gives way to the shape that the caller asks for (SHP-2)."""
        model = convert_graph(frozen(PLAIN), config=config(PLAIN), input_shape=(2, 160, 96, 3)).model
        assert list(model.input(0).shape) == [2, 160, 96, 3]

    def test_size_that_the_model_cannot_take(self, frozen, config):
        """A feature pyramid whose maps do not fit at this size: the error names the node, the shapes and the size."""
        with pytest.raises(ConversionError, match="cannot take an input of 100 x 90") as caught:
            convert_graph(frozen(FPN), config=config(FPN), input_shape=(1, 100, 90, 3))
        assert caught.value.requirement == "SHP-7"
        assert "fpn/top_down" in str(caught.value.where)

    def test_pyramid_can_be_reshaped(self, frozen, config):
        """Upsampling that was exported with hard-coded sizes follows the input all the same."""
        model = convert_graph(frozen(FPN), config=config(FPN)).model
        model.reshape([1, 192, 256, 3])
        assert detection_output(model).get_input_partial_shape(0).is_static

    def test_spatial_dimension_that_vanishes(self, frozen, config):
        """A convolution without padding on too small an image is an error that names node and shape (SHP-6)."""
        graph = frozen(PLAIN)
        last = [n for n in graph.node if n.op == "Conv2D" and "FeatureExtractor" in n.name][-1]
        last.attr["padding"].s = b"VALID"
        last.attr["strides"].list.i[:] = [1, 1, 1, 1]
        with pytest.raises(ConversionError) as caught:
            convert_graph(graph, config=config(PLAIN), input_shape=(1, 32, 32, 3))
        assert caught.value.requirement in {"SHP-6", "SHP-7"}
        assert "[1," in str(caught.value)


class TestOutputs:
    def test_named_by_the_caller(self, frozen, config):
        """Outputs that the caller names win, and it is said that the rest was skipped (OUT-2)."""
        name = "BoxPredictor_0/BoxEncodingPredictor/BiasAdd"
        converted = convert_graph(frozen(PLAIN), config=config(PLAIN), outputs=[name])
        assert [name in port.get_names() for port in converted.model.outputs] == [True]
        assert any("not replaced" in line for line in converted.warnings)

    def test_unknown_output(self, frozen, config):
        with pytest.raises(ConversionError, match="'nowhere'"):
            convert_graph(frozen(PLAIN), config=config(PLAIN), outputs=["nowhere"])

    def test_no_dead_operations_and_no_loops(self, frozen, config):
        """Every operation of the IR is needed by its output, and none is a loop (OUT-3, PRE-2)."""
        model = convert_graph(frozen(PLAIN), config=config(PLAIN)).model
        kinds = {op.get_type_name() for op in model.get_ops()}
        assert not kinds & {"Loop", "TensorIterator", "If"}


class TestOtherGraphs:
    def test_no_detection_model(self, config):
        """A graph without the exporter's blocks is refused by its kind, with the plain alternative."""
        from tests.chain.graphs import graph_def

        graph = graph_def(("input", "Placeholder"), ("output", "Relu", "input"))
        with pytest.raises(ConversionError, match="no detection model") as caught:
            convert_graph(graph, config=config(PLAIN))
        assert "ovc" in str(caught.value)

    def test_unknown_operation_is_listed(self, frozen, config):
        """An operation that nobody knows is named with its node (SRC-11)."""
        graph = frozen(PLAIN)
        (node,) = [n for n in graph.node if n.op == "Relu6"][:1]
        node.op = "VendorRelu"
        with pytest.raises(ConversionError, match="VendorRelu") as caught:
            convert_graph(graph, config=config(PLAIN))
        assert node.name in str(caught.value.where)
        assert caught.value.requirement == "SRC-11"
