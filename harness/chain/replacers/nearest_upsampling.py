"""Replaces upsampling by repetition, whose Reshape holds hard-coded sizes, so that FPN models can be reshaped (SHP-7).

Feature pyramids of the Object Detection API double a map by repeating it: a product with ones over two new axes, or
the map stacked with itself, and then a Reshape to sizes that were numbers when the graph was exported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.chain.graph import Tensor
from harness.chain.match import Match
from harness.chain.replacer import Replacer

if TYPE_CHECKING:
    from harness.chain.context import ConversionContext
    from harness.chain.graph import Graph, Node

UPSAMPLING = "NearestUpsampling"
"""The op type in the rewritten graph; attributes ``scale_height`` and ``scale_width`` are whole factors."""


class NearestUpsamplingReplacement(Replacer):
    """One node that repeats rows and columns of ``[N, h, w, C]`` whatever h and w are."""

    replacement_id: ClassVar[str] = "IrproofNearestUpsamplingReplacement"
    always: ClassVar[bool] = True

    def find(self, context: ConversionContext) -> list[Match]:
        found = []
        for node in context.graph:
            if node.op == "Reshape":
                source = _repeated(context.graph, node)
                if source is not None:
                    found.append(Match(nodes=frozenset({node.name}), inputs=(source[0],), outputs=(Tensor(node.name),)))
        return found

    def replace(self, context: ConversionContext, match: Match) -> None:
        graph = context.graph
        (name,) = match.nodes
        repeated = _repeated(graph, graph[name])
        if repeated is None:
            return
        source, height, width = repeated
        attributes = {"scale_height": height, "scale_width": width}
        node = graph.add(UPSAMPLING, f"{name}/upsampled", [source], attributes)
        graph.redirect(Tensor(name), Tensor(node.name))
        context.note(f"Upsampling {name!r} follows its input's size now.")


def _repeated(graph: Graph, reshape: Node) -> tuple[Tensor, int, int] | None:
    """The map that a Reshape folds back after repetition, with the factors of height and width."""
    behind = graph.input_node(reshape.name)
    if behind.op == "Mul":
        return _multiplied(graph, behind)
    if behind.op == "Pack":
        return _stacked(graph, behind)
    return None


def _multiplied(graph: Graph, product: Node) -> tuple[Tensor, int, int] | None:
    """``Reshape(map, [N, h, 1, w, 1, C]) * ones([1, 1, a, 1, b, 1])``."""
    for index in (0, 1):
        spread, ones = graph.inputs(product.name)[index], graph.inputs(product.name)[1 - index]
        value = graph.constant(ones.node)
        if value is None or value.ndim != 6 or graph[spread.node].op != "Reshape" or not (value == 1.0).all():
            continue
        batch, rows, height, columns, width, channels = value.shape
        if (batch, rows, columns, channels) == (1, 1, 1, 1) and _adds_axes(graph, graph[spread.node]):
            return graph.inputs(spread.node)[0], int(height), int(width)
    return None


def _adds_axes(graph: Graph, spread: Node) -> bool:
    """Whether the Reshape's sizes are ``[N, h, 1, w, 1, C]``, from a constant or packed."""
    sizes = graph.input_node(spread.name, 1)
    value = graph.constant(sizes.name)
    if value is not None:
        return value.size == 6 and value[2] == 1 and value[4] == 1
    if sizes.op != "Pack" or len(sizes.input) != 6:
        return False
    ones = [graph.constant(graph.inputs(sizes.name)[axis].node) for axis in (2, 4)]
    return all(one is not None and int(one) == 1 for one in ones)


def _stacked(graph: Graph, rows: Node) -> tuple[Tensor, int, int] | None:
    """``Pack([Pack([map] * b, axis=3)] * a, axis=2)``."""
    columns = _same(graph, rows, axis=2)
    if columns is None or graph[columns.node].op != "Pack":
        return None
    source = _same(graph, graph[columns.node], axis=3)
    return None if source is None else (source, len(rows.input), len(graph[columns.node].input))


def _same(graph: Graph, pack: Node, axis: int) -> Tensor | None:
    inputs = set(graph.inputs(pack.name))
    return inputs.pop() if pack.attr["axis"].i == axis and len(inputs) == 1 else None
