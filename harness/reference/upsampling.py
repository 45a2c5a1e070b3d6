"""Upsampling by repetition in a graph that was traced at one size: its Reshape made to follow its input.

The TF2 exporters' pyramids double a map by stacking it with itself twice, and fold the stack back by a Reshape to
sizes that were numbers at export. The same Reshape to the product of its input's axes is what TensorFlow would have
traced at another size. Needs no TensorFlow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.reference.graph_view import GraphView

_INT32 = 3


def follow_input(graph_def: Any) -> int:
    """Let every such Reshape follow its input, in place; how many there are."""
    view = GraphView(graph_def)
    found = [node for node in view.nodes.values() if node.op == "Reshape" and _folds_a_stack(view, node)]
    for node in found:
        _follow(graph_def, node)
    return len(found)


def _folds_a_stack(view: GraphView, reshape: Any) -> bool:
    rows = view.inputs(reshape)[0]
    if not _repeats(rows, axis=2):
        return False
    return _repeats(view.inputs(rows)[0], axis=3)


def _repeats(node: Any, axis: int) -> bool:
    return node.op == "Pack" and node.attr["axis"].i == axis and len(set(node.input)) == 1


def _follow(graph_def: Any, reshape: Any) -> None:
    """``[N, h, a, w, b, C]`` becomes ``[N, h * a, w * b, C]``."""
    name, source = f"{reshape.name}/irproof", reshape.input[0]
    shape = graph_def.node.add(name=f"{name}/shape", op="Shape", input=[source])
    shape.attr["T"].type, shape.attr["out_type"].type = 1, _INT32
    axis = _constant(graph_def, f"{name}/axis", np.int32(0))
    parts = []
    for index, axes in enumerate(([0, 1, 3, 5], [2, 4])):
        picked = _constant(graph_def, f"{name}/axes_{index}", np.array(axes, np.int32))
        part = graph_def.node.add(name=f"{name}/part_{index}", op="GatherV2", input=[shape.name, picked, axis])
        part.attr["Tparams"].type = part.attr["Tindices"].type = part.attr["Taxis"].type = _INT32
        parts.append(part.name)
    one = _constant(graph_def, f"{name}/one", np.array([1], np.int32))
    factors = graph_def.node.add(name=f"{name}/factors", op="ConcatV2", input=[one, parts[1], one, axis])
    factors.attr["T"].type, factors.attr["Tidx"].type, factors.attr["N"].i = _INT32, _INT32, 3
    sizes = graph_def.node.add(name=f"{name}/sizes", op="Mul", input=[parts[0], factors.name])
    sizes.attr["T"].type = _INT32
    reshape.input[1] = sizes.name
    reshape.attr["Tshape"].type = _INT32


def _constant(graph_def: Any, name: str, value: np.ndarray | np.generic) -> str:
    node = graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = _INT32
    tensor = node.attr["value"].tensor
    tensor.dtype = _INT32
    tensor.tensor_shape.SetInParent()
    for size in value.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = np.asarray(value, "<i4").tobytes()
    return name
