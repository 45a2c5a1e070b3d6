"""A graph whose weights are moved by one unit in the last place: what rounding inside of its layers may do.

A layer's sum is rounded at every term, in an order of each kernel's own. By backward error analysis that is the exact
sum of weights that are each off by a few units in the last place; so a graph with such weights ought to answer the
same, and how far it does not is noise that no movement of the input shows (DESIGN 5.4). Needs no TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.reference.graph_view import GraphView, node_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLOAT = 1  # DT_FLOAT
_LAYERS = frozenset({"Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MatMul", "BatchMatMulV2"})
# What may lie between a weight and its layer: reading, quantising, a folded batch norm, another layout.
_BETWEEN = frozenset(
    {
        "Identity",
        "Enter",
        "FakeQuantWithMinMaxArgs",
        "FakeQuantWithMinMaxVars",
        "FakeQuantWithMinMaxVarsPerChannel",
        "Mul",
        "Reshape",
        "Transpose",
    }
)


def with_moved_weights(graph_def: Any, seed: int) -> Any:
    """A copy of a frozen GraphDef in which each weight of a layer is one unit up or down, by chance.

    Weights are float32 constants of two and more dimensions on the way into the second input of a convolution or
    matrix product (the first of a transposed convolution is its shape). All else stays, biases and anchors too.
    """
    generator = np.random.default_rng(seed)
    moved = type(graph_def)()
    moved.CopyFrom(graph_def)
    view = GraphView(moved)
    for node in _weights(view):
        values = view.constant(node)
        assert values is not None
        ends = np.where(generator.random(values.shape) < 0.5, np.inf, -np.inf).astype(np.float32)
        # A weight of zero was pruned; no rounding makes it another.
        nudged = np.where(values == 0, values, np.nextafter(values, ends))
        tensor = node.attr["value"].tensor
        tensor.ClearField("float_val")
        tensor.tensor_content = nudged.astype("<f4").tobytes()
    return moved


def _weights(view: GraphView) -> Iterator[Any]:
    seen = set()
    pending = [
        view.nodes[node_name(node.input[1])]
        for node in view.nodes.values()
        if node.op in _LAYERS and len(node.input) > 1 and node_name(node.input[1]) in view.nodes
    ]
    while pending:
        node = pending.pop(0)
        if node.name in seen:
            continue
        seen.add(node.name)
        if node.op == "Const":
            tensor = node.attr["value"].tensor
            if tensor.dtype == _FLOAT and len(tensor.tensor_shape.dim) >= 2:
                yield node
        elif node.op in _BETWEEN:
            pending += view.inputs(node)
