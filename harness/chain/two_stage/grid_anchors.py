"""The first stage's anchors: what the generator of pipeline.config gives, and what the graph computes (PRO-1)."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from harness.chain.constants import evaluate
from harness.chain.graph import Graph, Tensor, write_constant

if TYPE_CHECKING:
    from collections.abc import Iterable

_LAYERS = {"Conv2D", "DepthwiseConv2dNative", "MatMul"}
_ROWS, _COLUMNS = 2, 3
"""A feature map large enough to tell strides and offsets of both axes."""


@dataclasses.dataclass(frozen=True)
class GridAnchors:
    """One grid of anchors; base size, stride and offset are (height, width) in pixels.

    A cell's anchors come ratio by ratio, and scale by scale within a ratio.
    """

    base_size: tuple[float, float]
    stride: tuple[float, float]
    offset: tuple[float, float]
    scales: tuple[float, ...]
    aspect_ratios: tuple[float, ...]

    @property
    def per_cell(self) -> int:
        return len(self.scales) * len(self.aspect_ratios)

    @property
    def heights(self) -> list[float]:
        return [scale / math.sqrt(ratio) * self.base_size[0] for ratio in self.aspect_ratios for scale in self.scales]

    @property
    def widths(self) -> list[float]:
        return [scale * math.sqrt(ratio) * self.base_size[1] for ratio in self.aspect_ratios for scale in self.scales]

    @property
    def is_square(self) -> bool:
        """Whether Proposal can make these anchors: one base size, one stride, both whole, and no offset (PRO-5)."""
        return (
            self.base_size[0] == self.base_size[1]
            and self.stride[0] == self.stride[1]
            and self.offset == (0.0, 0.0)
            and float(self.base_size[0]).is_integer()
            and float(self.stride[0]).is_integer()
        )


@dataclasses.dataclass(frozen=True)
class SeenAnchors:
    """The anchors that a graph computes: heights and widths of a cell's, the grid's stride and offset, in pixels."""

    heights: np.ndarray
    widths: np.ndarray
    stride: tuple[float, float]
    offset: tuple[float, float]
    node: str


def seen_anchors(graph: Graph, between: Iterable[str], heads: Iterable[str], per_cell: int) -> SeenAnchors | None:
    """What the graph's own nodes compute for a small feature map; None where no anchors are found or understood.

    Anchors are what is clipped to the image in front of the decoding without depending on predictions.
    """
    tensor = _unclipped(graph, set(between), set(heads))
    if tensor is None:
        return None
    needed = graph.ancestors([tensor.node], stop=_sizes(graph, tensor))
    part = Graph(graph.to_graph_def_of(needed))
    for name in _sizes(graph, tensor):
        behind = {graph[source].op for source in graph.ancestors([name])}
        rows, columns = (_ROWS, _COLUMNS) if behind & _LAYERS else (_ROWS * 16, _COLUMNS * 16)
        node = part[name]
        node.op = "Const"
        del node.input[:]
        node.attr.clear()
        write_constant(node, np.array([1, rows, columns, 3], np.int32))
    value = evaluate(part, tensor)
    if value is None or value.size != _ROWS * _COLUMNS * per_cell * 4:
        return None
    boxes = np.asarray(value, np.float64).reshape(_ROWS, _COLUMNS, per_cell, 4)
    centre_y = (boxes[..., 0] + boxes[..., 2]) / 2
    centre_x = (boxes[..., 1] + boxes[..., 3]) / 2
    return SeenAnchors(
        heights=boxes[0, 0, :, 2] - boxes[0, 0, :, 0],
        widths=boxes[0, 0, :, 3] - boxes[0, 0, :, 1],
        stride=(float(centre_y[1, 0, 0] - centre_y[0, 0, 0]), float(centre_x[0, 1, 0] - centre_x[0, 0, 0])),
        offset=(float(centre_y[0, 0, 0]), float(centre_x[0, 0, 0])),
        node=tensor.node,
    )


def _unclipped(graph: Graph, between: set[str], heads: set[str]) -> Tensor | None:
    predicted = graph.descendants(heads, within=between | heads)
    for name in sorted(between - predicted):
        if graph[name].op != "Minimum":
            continue
        side = graph[graph.inputs(name)[0].node]
        if side.op == "Split":
            return graph.inputs(side.name)[1]
    return None


def _sizes(graph: Graph, tensor: Tensor) -> list[str]:
    """The nodes behind a tensor that take the size of something that depends on the image."""
    found = []
    seen: set[str] = set()
    queue = [tensor.node]
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        if graph[name].op == "Shape" and any(graph[source].op == "Placeholder" for source in graph.ancestors([name])):
            found.append(name)
            continue
        queue.extend(source.node for source in graph.inputs(name))
    return found
