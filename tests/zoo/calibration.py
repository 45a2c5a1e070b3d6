"""Values for the variables of an exporter's graph that make its answers mean something, in one run over images.

Every variable that activations decide gets an expression of the graph's own tensors in place of its value: a batch
norm's moments are those of its input, a FakeQuant's range that of its input, a head's kernel is divided by the
deviation of what it computes. The expressions stand in the graph where the variables stood, so each layer sees what
the calibrated layers before it give, and one session run yields all values, consistent with each other.

Imports TensorFlow: for worker processes only.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tests.zoo.roles import initial_value, spread_of

tf1 = tf.compat.v1

VARIANCE_FLOOR = 0.2
"""Of the mean variance of a layer's channels: else dead channels of 1x1 feature maps explode."""
_RANGE = 0.95
"""Of the range of activations: moving averages of ranges clip a little."""
_VARIABLES = frozenset({"Variable", "VariableV2"})
_LAYERS = frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul"})
_PASSED = frozenset({"Identity", "Mul", "FakeQuantWithMinMaxVars"})
_ENDS = frozenset({"Identity", "Reshape", "FakeQuantWithMinMaxVars", "Shape", "Squeeze"})


def calibrated(graph_def: Any, images: np.ndarray, outputs: list[str]) -> dict[str, np.ndarray]:
    """A value for each variable: the images' uint8 ``[N, H, W, 3]`` decide moments, ranges and heads.

    ``outputs`` name the nodes whose layers count. Variables that none of them needs keep their initial values.
    """
    shapes = {
        node.name: tuple(size.size for size in node.attr["shape"].shape.dim)
        for node in graph_def.node
        if node.op in _VARIABLES
    }
    types = {node.name: tf.as_dtype(node.attr["dtype"].type) for node in graph_def.node if node.op in _VARIABLES}
    values = {
        name: initial_value(name, shape) if types[name].is_floating else np.zeros(shape, types[name].as_numpy_dtype)
        for name, shape in shapes.items()
    }
    graph = tf.Graph()
    with graph.as_default():
        tf1.import_graph_def(_with_placeholders(graph_def, shapes), name="")
        expressions = _Layers(graph, values, outputs).expressions()
        placed = _place(graph.as_graph_def(), {name: expression.name for name, expression in expressions.items()})
    names = sorted(expressions)
    with tf.Graph().as_default() as final:
        tf1.import_graph_def(placed, name="")
        feed: dict[Any, Any] = {f"{name}:0": value for name, value in values.items() if name not in expressions}
        placeholder = next(op for op in final.get_operations() if op.type == "Placeholder" and op.name not in values)
        feed[placeholder.outputs[0]] = images
        with tf1.Session(graph=final) as session:
            found = session.run([expressions[name].name for name in names], feed)
    for name, value in zip(names, found, strict=True):
        if not np.isfinite(value).all():
            raise ValueError(f"the calibrated value of {name} is not finite")
        values[name] = np.asarray(value, np.float32).reshape(shapes[name])
    return values


def _with_placeholders(graph_def: Any, shapes: dict[str, tuple[int, ...]]) -> Any:
    """The graph without what only trains, saves or initialises, and with placeholders for its variables."""
    result = tf1.GraphDef()
    for node in graph_def.node:
        if node.op in {"Assign", "SaveV2", "RestoreV2"} or (node.op == "NoOp"):
            continue
        kept = result.node.add()
        if node.name in shapes:
            kept.name, kept.op = node.name, "Placeholder"
            kept.attr["dtype"].CopyFrom(node.attr["dtype"])
            kept.attr["shape"].CopyFrom(node.attr["shape"])
            continue
        kept.CopyFrom(node)
        kept.device = ""
        for name in ("_class", "_output_shapes"):
            kept.attr.pop(name, None)
    present = {node.name for node in result.node}
    # What depended on a dropped node (a saver's control dependency) goes with it.
    while True:
        kept_nodes = [
            node for node in result.node if all(part.lstrip("^").split(":")[0] in present for part in node.input)
        ]
        if len(kept_nodes) == len(result.node):
            break
        present = {node.name for node in kept_nodes}
        smaller = tf1.GraphDef()
        smaller.node.extend(kept_nodes)
        result = smaller
    result.versions.CopyFrom(graph_def.versions)
    return result


def _place(graph_def: Any, expressions: dict[str, str]) -> Any:
    """The graph with each variable's readers reading its expression."""
    for node in graph_def.node:
        for index, part in enumerate(node.input):
            tensor = expressions.get(part.removesuffix(":0"))
            if tensor is not None:
                node.input[index] = tensor.removesuffix(":0")
    return graph_def


class _Layers:
    """The layers of a graph that images decide."""

    def __init__(self, graph: tf.Graph, values: dict[str, np.ndarray], outputs: list[str]) -> None:
        self.graph = graph
        self.values = values
        self.operations = {op.name: op for op in graph.get_operations()}
        self.needed = self._behind([self.operations[name] for name in outputs])

    def expressions(self) -> dict[str, tf.Tensor]:
        """A tensor for each variable that images decide."""
        found: dict[str, tf.Tensor] = {}
        for name in sorted(self.values):
            scope, _, last = name.rpartition("/")
            if last == "moving_variance":
                mean, variance = self._moments(scope)
                if variance is not None:
                    found[f"{scope}/moving_mean"], found[name] = mean, variance
            elif last in {"weights", "kernel"} and (bias := self._bias(scope)) is not None:
                kernel = self._head(name, bias)
                if kernel is not None:
                    found[name], found[bias] = kernel
            elif last == "max" and f"{scope}/min" in self.values:
                limits = self._range(scope)
                if limits is not None:
                    found[f"{scope}/min"], found[name] = limits
        return found

    def _bias(self, scope: str) -> str | None:
        return next((name for name in (f"{scope}/biases", f"{scope}/bias") if name in self.values), None)

    def _moments(self, scope: str) -> tuple[Any, Any]:
        readers = self._readers(f"{scope}/moving_mean")
        inputs = self._first([self._normalised(op) for op in readers], readers)
        if not inputs:
            return None, None
        mean, variance = _pooled_moments(inputs)
        return mean, tf.maximum(variance, VARIANCE_FLOOR * tf.reduce_mean(variance))

    def _normalised(self, reader: tf.Operation) -> tf.Tensor | None:
        """What the batch norm that reads this moving mean normalises; None where it is another reader."""
        if reader.type.startswith("FusedBatchNorm"):
            return reader.inputs[0]
        if reader.type != "Mul":
            return None
        # Unfused: x * scale + (beta - mean * scale). The reader is mean * scale; x is what else meets the scale.
        scale = next(tensor for tensor in reader.inputs if tensor.op.type == "Mul")
        for other in scale.consumers():
            if other.type == "Mul" and other is not reader:
                x = next(tensor for tensor in other.inputs if tensor is not scale)
                if self._variable(x) is None:
                    return x
        return None  # folded into the weights: the fused node, which is still there, shows x

    def _head(self, name: str, bias: str) -> tuple[tf.Tensor, tf.Tensor] | None:
        layers = [op for op in self._layers(name) if op.name in self.needed]
        chosen = {tensor.ref(): tensor for tensor in self._first([op.inputs[0] for op in layers], layers)}
        layers = [op for op in layers if op.inputs[0].ref() in chosen]
        if not layers:
            return None
        channels = int(self.values[name].shape[-1])
        spread = spread_of(name.rpartition("/")[0], channels, ends=not self._activated(layers[0]))
        kernel = tf.constant(self.values[name])
        mean, variance = _pooled_moments([_again(op, kernel) for op in layers])
        factor = spread.deviation / tf.sqrt(tf.reduce_mean(variance))
        self.values[bias] = spread.bias(channels)
        return kernel * factor, tf.constant(spread.bias(channels)) - mean * factor

    def _range(self, scope: str) -> tuple[tf.Tensor, tf.Tensor] | None:
        readers = self._readers(f"{scope}/min")
        inputs = self._first([op.inputs[0] for op in readers], readers)
        if not inputs:
            return None
        share = 1.0 if "weights_quant" in scope else _RANGE
        low = functools.reduce(tf.minimum, [tf.reduce_min(x) for x in inputs])
        high = functools.reduce(tf.maximum, [tf.reduce_max(x) for x in inputs])
        low = tf.minimum(low * share, 0.0)
        return low, tf.maximum(high * share, low + 1e-3)

    def _readers(self, name: str) -> list[tf.Operation]:
        """Who reads a variable, past the Identity that every variable has."""
        return [
            reader
            for first in self.operations[name].outputs[0].consumers()
            for reader in (first.outputs[0].consumers() if first.type == "Identity" else [first])
        ]

    def _layers(self, name: str) -> list[tf.Operation]:
        """The convolutions and matrix products with this kernel."""
        found, queue = [], self._readers(name)
        while queue:
            op = queue.pop(0)
            if op.type in _LAYERS:
                found.append(op)
            elif op.type in _PASSED:
                queue.extend(op.outputs[0].consumers())
        return found

    def _activated(self, layer: tf.Operation) -> bool:
        biased = [op for op in layer.outputs[0].consumers() if op.type in {"BiasAdd", "Add", "AddV2"}]
        return any(op.type not in _ENDS for one in biased for op in one.outputs[0].consumers())

    def _variable(self, tensor: tf.Tensor) -> str | None:
        op = tensor.op.inputs[0].op if tensor.op.type == "Identity" else tensor.op
        return op.name if op.name in self.values else None

    def _first(self, inputs: list[tf.Tensor | None], users: list[tf.Operation]) -> list[tf.Tensor]:
        """Of what a variable's several users see, that which depends on none of the users: a layer that runs a second
        time (the mask branch's, on boxes that the first time has found) is decided by the first.
        """
        names = {op.name for op in users}
        return [tensor for tensor in inputs if tensor is not None and not names & self._behind([tensor.op])]

    def _behind(self, operations: list[tf.Operation]) -> set[str]:
        seen: set[str] = set()
        queue = list(operations)
        while queue:
            op = queue.pop()
            if op.name not in seen:
                seen.add(op.name)
                queue.extend(tensor.op for tensor in op.inputs)
        return seen


def _pooled_moments(tensors: list[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance of each channel over all that several layers compute."""
    moments = [tf.nn.moments(tensor, list(range(tensor.shape.rank - 1))) for tensor in tensors]
    mean = tf.add_n([one for one, _ in moments]) / len(moments)
    squares = tf.add_n([variance + tf.square(one) for one, variance in moments]) / len(moments)
    return mean, squares - tf.square(mean)


def _again(layer: tf.Operation, kernel: tf.Tensor) -> tf.Tensor:
    """What the layer would compute with this kernel."""
    if layer.type == "MatMul":
        return tf.matmul(layer.inputs[0], kernel)
    make = tf.raw_ops.Conv2D if layer.type == "Conv2D" else tf.raw_ops.DepthwiseConv2dNative
    attributes = {name: layer.get_attr(name) for name in ("strides", "padding", "dilations", "data_format")}
    attributes["padding"] = tf.compat.as_str(attributes["padding"])
    attributes["data_format"] = tf.compat.as_str(attributes["data_format"])
    return make(input=layer.inputs[0], filter=kernel, **attributes)
