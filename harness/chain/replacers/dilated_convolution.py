"""Replaces SpaceToBatchND, convolution, BatchToSpaceND by the dilated convolution that they stand for.

Exporters of TF1 wrote atrous convolutions so (ResNets and Inception-ResNet of the second stage, SSDs with dilation).
One convolution is faster, and follows its input's size where paddings were fixed when the graph was exported (RSH-1).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness.chain.constants import evaluate
from harness.chain.graph import Graph, Tensor, write_constant
from harness.chain.match import Match
from harness.chain.replacer import Replacer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.chain.context import ConversionContext
    from harness.chain.graph import Node

_SOME_SIZE = (1, 13, 17, 1)
"""A size to evaluate computed paddings at; what is taken from them holds for every size."""


@dataclasses.dataclass(frozen=True)
class _Atrous:
    """One convolution between its two shuffles; ``rates`` are (height, width)."""

    to_batch: str
    convolution: str
    to_space: str
    rates: tuple[int, int]
    kernel: tuple[int, int]


class DilatedConvolutionReplacement(Replacer):
    """The Conv2D stays, with dilations; what shuffled pixels into the batch and back goes."""

    replacement_id: ClassVar[str] = "IrproofDilatedConvolutionReplacement"
    run_after: ClassVar[tuple[str, ...]] = ("ObjectDetectionAPIPreprocessorReplacement",)
    always: ClassVar[bool] = True

    def find(self, context: ConversionContext) -> list[Match]:
        found = _atrous(context.graph)
        return [Match(nodes=frozenset(one.convolution for one in found))] if found else []

    def replace(self, context: ConversionContext, match: Match) -> None:
        graph = context.graph
        found = [one for one in _atrous(graph) if one.convolution in match.nodes]
        paddings = _paddings(graph, found)
        replaced = 0
        for one, (pads, crops) in zip(found, paddings, strict=True):
            padding = None if pads is None or crops is None else _padding(one, pads, crops)
            if padding is None:
                continue
            node = graph[one.convolution]
            node.attr["padding"].s = padding.encode()
            node.attr["dilations"].list.ClearField("i")
            node.attr["dilations"].list.i.extend([1, *one.rates, 1])
            graph.set_input(one.convolution, 0, graph.inputs(one.to_batch)[0])
            graph.redirect(Tensor(one.to_space), Tensor(one.convolution))
            replaced += 1
        if replaced:
            context.note(f"Wrote {replaced} atrous convolutions as one operation each.")


def _atrous(graph: Graph) -> list[_Atrous]:
    found = []
    for node in graph:
        if node.op != "Conv2D" or not _is_plain(node):
            continue
        before = graph.input_node(node.name)
        readers = graph.consumers(node.name)
        after = readers[0][0] if len(readers) == 1 else None
        if before.op != "SpaceToBatchND" or after is None or after.op != "BatchToSpaceND":
            continue
        blocks = [graph.constant(graph.inputs(name)[1].node) for name in (before.name, after.name)]
        weights = graph.constant_node(graph.inputs(node.name)[1].node)
        if weights is None or any(block is None or block.size != 2 for block in blocks):
            continue
        rates, back = (tuple(int(side) for side in np.reshape(block, -1)) for block in blocks if block is not None)
        if rates != back or len(graph.consumers(before.name)) != 1:
            continue
        kernel = [int(dim.size) for dim in weights.attr["value"].tensor.tensor_shape.dim][:2]
        found.append(_Atrous(before.name, node.name, after.name, (rates[0], rates[1]), (kernel[0], kernel[1])))
    return found


def _is_plain(node: Node) -> bool:
    strides = list(node.attr["strides"].list.i)
    dilations = list(node.attr["dilations"].list.i) if "dilations" in node.attr else []
    layout = node.attr["data_format"].s if "data_format" in node.attr else b"NHWC"
    return (
        node.attr["padding"].s == b"VALID"
        and all(stride == 1 for stride in strides)
        and all(dilation == 1 for dilation in dilations)
        and layout in {b"", b"NHWC"}
    )


def _paddings(graph: Graph, found: Sequence[_Atrous]) -> list[tuple[np.ndarray | None, np.ndarray | None]]:
    """Each one's paddings and crops, constant or computed for some size of the input."""
    wanted = [graph.inputs(name)[2] for one in found for name in (one.to_batch, one.to_space)]
    values = [graph.constant(tensor.node) for tensor in wanted]
    computed = [tensor for tensor, value in zip(wanted, values, strict=True) if value is None]
    if computed:
        known = dict(zip(computed, _evaluated(graph, computed), strict=True))
        values = [known.get(tensor, value) for tensor, value in zip(wanted, values, strict=True)]
    return list(zip(values[::2], values[1::2], strict=True))


def _evaluated(graph: Graph, tensors: Sequence[Tensor]) -> list[np.ndarray | None]:
    sizes = {name for name in graph.ancestors(tensor.node for tensor in tensors) if graph[name].op == "Shape"}
    part = Graph(graph.to_graph_def_of(graph.ancestors((tensor.node for tensor in tensors), stop=sizes)))
    for name in sizes:
        if name in part:
            node = part[name]
            node.op = "Const"
            del node.input[:]
            node.attr.clear()
            write_constant(node, np.array(_SOME_SIZE, np.int32))
    part.add("Pack", "irproof/paddings", list(tensors), {"N": len(tensors), "axis": 0})
    part["irproof/paddings"].attr["T"].type = 3
    value = evaluate(part, Tensor("irproof/paddings"))
    return [None] * len(tensors) if value is None else list(value)


def _padding(one: _Atrous, pads: np.ndarray, crops: np.ndarray) -> str | None:
    """SAME or VALID, whichever the paddings are but for filling up to whole blocks; None when they are neither."""
    pads, crops = np.asarray(pads).reshape(2, 2), np.asarray(crops).reshape(2, 2)
    if crops[:, 0].any():
        return None
    stretched = np.array([(side - 1) * rate for side, rate in zip(one.kernel, one.rates, strict=True)])
    before, after = pads[:, 0], pads[:, 1] - crops[:, 1]
    if not before.any() and not after.any():
        return "VALID"
    same = np.array_equal(before, stretched // 2) and np.array_equal(after, stretched - stretched // 2)
    return "SAME" if same else None
