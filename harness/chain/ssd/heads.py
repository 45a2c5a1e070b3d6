"""From the concatenated predictions back to each feature map's own head (SSD-6, SSD-8, PRI-5)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from harness.chain.graph import Tensor, read_constant
from harness.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.chain.graph import Graph, Node

_PASSES_VALUES = {"Identity", "Squeeze", "Reshape", "StopGradient", "ExpandDims", "CheckNumerics"}
_FAKE_QUANT = {"FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs"}
_CONCATS = {"ConcatV2", "Concat"}
_ADDS = {"BiasAdd", "Add", "AddV2"}
_LAYERS = {"Conv2D", "MatMul"}


def level_tensors(graph: Graph, predictions: Tensor) -> list[Tensor]:
    """The ``[N, h, w, anchors * values]`` tensors that make up concatenated predictions, in TensorFlow's order.

    Between the concatenation and each map there are only nodes that keep the values: Reshape to a hard-coded size
    (dropped, so that the IR can be reshaped), Squeeze, Identity.
    """
    tensor = _skip(graph, predictions, _PASSES_VALUES)
    node = graph[tensor.node]
    if node.op in _CONCATS:
        parts = graph.inputs(node.name)
        parts = parts[:-1] if node.op == "ConcatV2" else parts[1:]
    else:
        parts = [tensor]
    return [_skip(graph, part, _PASSES_VALUES) for part in parts]


def _skip(graph: Graph, tensor: Tensor, ops: set[str]) -> Tensor:
    while graph[tensor.node].op in ops:
        tensor = graph.inputs(tensor.node)[0]
    return tensor


@dataclasses.dataclass(frozen=True)
class LastConvolution:
    """The convolution that a level's predictions come from: its weights' Const, and its bias's where there is one."""

    weights: str
    bias: str | None
    output_channels: int


def last_convolution(graph: Graph, level: Tensor) -> LastConvolution:
    """The convolution (or matrix product) in front of predictions; only quantisation and the bias may lie between."""
    tensor = level
    bias: str | None = None
    seen = []
    while True:
        node = graph[tensor.node]
        seen.append(f"{node.name} ({node.op})")
        if node.op in _FAKE_QUANT or node.op in _PASSES_VALUES:
            tensor = graph.inputs(node.name)[0]
        elif node.op in _ADDS and bias is None:
            sides = graph.inputs(node.name)
            constants = [_constant_behind(graph, side) for side in sides]
            which = 1 if constants[1] is not None else 0
            if constants[which] is None:
                raise _no_convolution(seen)
            bias = constants[which]
            tensor = sides[1 - which]
        elif node.op in _LAYERS and not ("transpose_b" in node.attr and node.attr["transpose_b"].b):
            weights = _constant_behind(graph, graph.inputs(node.name)[1])
            if weights is None:
                raise _no_convolution(seen)
            shape = graph[weights].attr["value"].tensor.tensor_shape.dim
            return LastConvolution(weights, bias, int(shape[-1].size))
        else:
            raise _no_convolution(seen)


def _constant_behind(graph: Graph, tensor: Tensor) -> str | None:
    tensor = _skip(graph, tensor, {"Identity", *_FAKE_QUANT})
    return tensor.node if graph[tensor.node].op == "Const" else None


def _no_convolution(seen: Sequence[str]) -> ConversionError:
    return ConversionError(
        "Box encodings do not come straight from a convolution, so X and Y cannot be swapped in its weights.",
        where=" <- ".join(seen[-4:]),
        advice="Report this graph's box predictor; ovc converts it with TensorFlow's own outputs.",
        requirement="SSD-6",
    )


def swap_coordinates(graph: Graph, levels: Sequence[Tensor]) -> int:
    """Swap YXHW to XYWH in the weights and biases of the last convolutions; how many convolutions there are.

    Constants shared by several levels are swapped once. A constant that something else reads as well would change
    the meaning of that too: a ConversionError that names the reader (SSD-6).
    """
    convolutions = [last_convolution(graph, level) for level in levels]
    behind = set()
    for level in levels:
        behind |= _head_nodes(graph, level)
    constants = {}
    for convolution in convolutions:
        if convolution.output_channels % 4:
            raise ConversionError(
                f"A box predictor gives {convolution.output_channels} values a position, no multiple of 4.",
                where=f"node {convolution.weights!r}",
                advice="The graph's box coder is not the one of the Object Detection API's SSDs.",
                requirement="SSD-6",
            )
        constants[convolution.weights] = convolution.output_channels
        if convolution.bias is not None:
            constants[convolution.bias] = convolution.output_channels
    for name in constants:
        for reader in _readers(graph, name):
            if reader.name not in behind:
                raise ConversionError(
                    "The weights of a box predictor are also used elsewhere, where swapping X and Y would be wrong.",
                    where=f"node {name!r}, also read by {reader.name!r} ({reader.op})",
                    advice="Export the model with weights of its own for the box predictor.",
                    requirement="SSD-6",
                )
    for name, channels in constants.items():
        _swap_constant(graph[name], channels)
    return len(convolutions)


def _swap_constant(node: Node, channels: int) -> None:
    from harness.chain.graph import write_constant

    value = read_constant(node)
    if value.shape[-1] != channels:
        # A scalar bias, or one value for all: nothing in it to swap.
        if value.size == 1:
            return
        raise ConversionError(
            f"A bias of shape {list(value.shape)} does not fit a convolution of {channels} channels.",
            where=f"node {node.name!r}",
            requirement="SSD-6",
        )
    order = np.arange(channels).reshape(-1, 4)[:, [1, 0, 3, 2]].reshape(-1)
    write_constant(node, np.ascontiguousarray(value[..., order]))


def _head_nodes(graph: Graph, level: Tensor) -> set[str]:
    """The nodes from a level's predictions back to its convolution, which may read the swapped constants."""
    found = set()
    tensor = level
    while True:
        node = graph[tensor.node]
        found.add(node.name)
        if node.op in _LAYERS:
            return found
        sides = graph.inputs(node.name)
        tensor = sides[1] if node.op in _ADDS and _constant_behind(graph, sides[0]) else sides[0]


def _readers(graph: Graph, name: str) -> list[Node]:
    """What reads a constant, seen through Identity and FakeQuant nodes of its own."""
    found = []
    for node, _ in graph.consumers(name):
        if node.op in {"Identity", *_FAKE_QUANT}:
            found.extend(_readers(graph, node.name))
        else:
            found.append(node)
    return found
