"""Replaces a BiFPN's weighted sum, a product with maps side by side on a fifth axis, by a sum of products.

EfficientDet's pyramid stacks its maps on a new last axis and multiplies by a column of weights. That costs a copy of
every map and layouts that the other operations do not share; a sum of maps times numbers gives the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness.chain.graph import Tensor
from harness.chain.match import Match
from harness.chain.replacer import Replacer

if TYPE_CHECKING:
    from harness.chain.context import ConversionContext
    from harness.chain.graph import Graph, Node

_FLOAT = 1
_PRODUCTS = {"BatchMatMul", "BatchMatMulV2"}


class WeightedFusionReplacement(Replacer):
    """``Squeeze(BatchMatMul(Pack(maps, axis=-1), weights))`` with weights ``[n, 1]`` of constants."""

    replacement_id: ClassVar[str] = "IrproofWeightedFusionReplacement"
    always: ClassVar[bool] = True

    def find(self, context: ConversionContext) -> list[Match]:
        graph = context.graph
        return [
            Match(nodes=frozenset({node.name}), outputs=(Tensor(node.name),))
            for node in graph
            if node.op == "Squeeze" and _stacked_maps(graph, node) is not None
        ]

    def replace(self, context: ConversionContext, match: Match) -> None:
        graph = context.graph
        (name,) = match.nodes
        found = _stacked_maps(graph, graph[name])
        if found is None:
            return
        maps, weights = found
        flat = graph.add("Reshape", f"{name}/weights", [weights, _constant(graph, f"{name}/shape", [-1])], {})
        _typed(flat)
        flat.attr["Tshape"].type = graph[Tensor.parse(flat.input[1]).node].attr["dtype"].type
        single = graph.add("Unpack", f"{name}/weight", [Tensor(flat.name)], {"num": len(maps), "axis": 0})
        _typed(single)
        total: Tensor | None = None
        for port, one in enumerate(maps):
            product = graph.add("Mul", f"{name}/product", [one, Tensor(single.name, port)], {})
            _typed(product)
            if total is None:
                total = Tensor(product.name)
            else:
                added = graph.add("AddV2", f"{name}/sum", [total, Tensor(product.name)], {})
                _typed(added)
                total = Tensor(added.name)
        assert total is not None
        graph.redirect(Tensor(name), total)


def _stacked_maps(graph: Graph, squeeze: Node) -> tuple[list[Tensor], Tensor] | None:
    """The maps and the weights behind a Squeeze, where it ends a weighted sum."""
    axes = list(squeeze.attr["squeeze_dims"].list.i)
    product = graph.input_node(squeeze.name)
    if axes not in ([4], [-1]) or product.op not in _PRODUCTS:
        return None
    if product.attr["adj_x"].b or product.attr["adj_y"].b:
        return None
    pack, weights = (graph[tensor.node] for tensor in graph.inputs(product.name))
    if pack.op != "Pack" or pack.attr["axis"].i not in {4, -1} or pack.attr["T"].type != _FLOAT:
        return None
    if any(graph[name].op == "Placeholder" for name in graph.ancestors([weights.name])):
        return None
    return graph.inputs(pack.name), graph.inputs(product.name)[1]


def _typed(node: Node) -> None:
    node.attr["T"].type = _FLOAT


def _constant(graph: Graph, name: str, value: list[int]) -> Tensor:
    return Tensor(graph.add_constant(name, np.array(value, np.int32)).name)
