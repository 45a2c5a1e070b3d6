"""Where the two stages of a Faster R-CNN, R-FCN or Mask R-CNN lie in a graph, found by what nodes do.

Names drift from exporter to exporter; what does not is the order of things: the first stage's predictors, one
suppression of proposals, a crop of each proposal, the second stage's predictors, one suppression a class.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.chain.graph import Tensor
from harness.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.chain.graph import Graph, Node

SUPPRESSIONS = frozenset(
    {"NonMaxSuppression", *(f"NonMaxSuppressionV{version}" for version in range(2, 6)), "NonMaxSuppressionWithOverlaps"}
)
CROP = "CropAndResize"
LAYERS = frozenset({"Conv2D", "MatMul"})
SHAPES = frozenset({"Shape", "ShapeN", "Rank", "Size"})

_AFTER_A_LAYER = frozenset(
    {"BiasAdd", "Add", "AddV2", "Identity", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs", "CheckNumerics"}
)
_RESHAPES = frozenset({"Reshape", "Squeeze", "ExpandDims", "Identity", "StopGradient"})


@dataclasses.dataclass(frozen=True)
class Stages:
    """The landmarks of a two-stage detector.

    ``proposals`` is the one suppression of the first stage, ``detections`` those of the second. ``crops`` are the
    CropAndResize nodes that read the proposals' boxes, ``final_crops`` those that read final boxes (masks, features).
    """

    proposals: str
    detections: tuple[str, ...]
    crops: tuple[str, ...]
    final_crops: tuple[str, ...]


def find_stages(graph: Graph, outputs: Iterable[str]) -> Stages | None:
    """The stages among the nodes that ``outputs`` need; None where there are no suppressions behind crops at all."""
    needed = set(graph.ancestors(name for name in outputs if name in graph))
    suppressions = sorted(name for name in needed if graph[name].op in SUPPRESSIONS)
    crops = sorted(name for name in needed if graph[name].op == CROP)
    if not suppressions or not crops:
        return None
    behind_crops = graph.descendants(crops, within=needed)
    first = [name for name in suppressions if name not in behind_crops]
    second = tuple(name for name in suppressions if name in behind_crops)
    if not second:
        return None
    if len(first) != 1:
        raise ConversionError(
            f"{len(first)} suppressions lie in front of the crops; one, of the proposals, is expected.",
            where=", ".join(first or crops),
            advice="Convert a graph that the Object Detection API exported for inference.",
            requirement="PRO-1",
        )
    behind_detections = graph.descendants(second, within=needed)
    return Stages(
        proposals=first[0],
        detections=second,
        crops=tuple(name for name in crops if name not in behind_detections),
        final_crops=tuple(name for name in crops if name in behind_detections),
    )


def layers_behind(
    graph: Graph, roots: Iterable[str], *, layers: frozenset[str] = LAYERS
) -> tuple[tuple[str, ...], frozenset[str]]:
    """The last layers (convolutions, matrix products) that the roots' *values* come from, and the nodes between.

    Sizes taken of a tensor (Shape and the like) are no values. The search does not go past a layer.
    """
    found: list[str] = []
    between: set[str] = set()
    queue = list(roots)
    while queue:
        name = queue.pop()
        if name in between:
            continue
        op = graph[name].op
        if op in layers:
            if name not in found:
                found.append(name)
            continue
        between.add(name)
        if op not in SHAPES:
            queue.extend(tensor.node for tensor in graph.inputs(name))
    return tuple(sorted(found)), frozenset(between)


@dataclasses.dataclass(frozen=True)
class Heads:
    """The predictions of one stage: tensors right behind the last layers, bias included.

    ``boxes`` has four values (ty, tx, th, tw) a box, ``classes`` the background's score first. ``box_channels`` and
    ``class_channels`` are how many values each has a position; None where the graph does not show it.
    """

    boxes: Tensor
    classes: Tensor
    box_channels: int | None
    class_channels: int | None

    @property
    def tensors(self) -> tuple[Tensor, Tensor]:
        return self.boxes, self.classes


def find_heads(graph: Graph, layers: Sequence[str], between: frozenset[str], *, stage: str) -> Heads:
    """Which of two last layers predicts boxes: what it predicts goes through the exponential of the box decoding."""
    boxes = [name for name in layers if _reaches(graph, name, "Exp", between)]
    classes = [name for name in layers if name not in boxes]
    if len(boxes) != 1 or len(classes) != 1:
        raise ConversionError(
            f"The {stage} stage has {len(boxes)} layers that predict boxes and {len(classes)} that predict classes; "
            "one of each is expected.",
            where=", ".join(f"{name} ({graph[name].op})" for name in layers) or "nothing found",
            advice="Convert a graph that the Object Detection API exported for inference.",
            requirement="CFG-6",
        )
    return Heads(
        boxes=_with_bias(graph, boxes[0]),
        classes=_with_bias(graph, classes[0]),
        box_channels=_output_channels(graph, boxes[0]),
        class_channels=_output_channels(graph, classes[0]),
    )


def head_behind(graph: Graph, tensor: Tensor) -> Tensor:
    """The predictions that a tensor holds in another shape."""
    while graph[tensor.node].op in _RESHAPES or (
        graph[tensor.node].op == "ConcatV2" and len(graph.inputs(tensor.node)) == 2
    ):
        tensor = graph.inputs(tensor.node)[0]
    return tensor


def _output_channels(graph: Graph, layer: str) -> int | None:
    """How many values a layer gives a position, from its weights; an operation of ours says it itself."""
    if graph[layer].op not in LAYERS:
        return int(graph[layer].attr["output_dim"].i) if "output_dim" in graph[layer].attr else None
    weights = graph.constant_node(graph.inputs(layer)[1].node)
    if weights is None:
        return None
    shape = weights.attr["value"].tensor.tensor_shape.dim
    transposed = "transpose_b" in graph[layer].attr and graph[layer].attr["transpose_b"].b
    return int(shape[0 if transposed else -1].size)


def _reaches(graph: Graph, start: str, op: str, within: frozenset[str]) -> bool:
    seen = {start}
    queue = [start]
    while queue:
        name = queue.pop()
        if graph[name].op == op:
            return True
        if graph[name].op in SHAPES:
            continue
        for reader, _ in graph.consumers(name):
            if reader.name in within and reader.name not in seen:
                seen.add(reader.name)
                queue.append(reader.name)
    return False


def _with_bias(graph: Graph, layer: str) -> Tensor:
    name = layer
    while True:
        readers = [node for node, _ in graph.consumers(name) if node.op not in SHAPES]
        if len(readers) == 1 and readers[0].op in _AFTER_A_LAYER and _reads_constants(graph, readers[0], name):
            name = readers[0].name
        else:
            return Tensor(name)


def _reads_constants(graph: Graph, node: Node, besides: str) -> bool:
    """A sum of two predictions is no bias."""
    return all(
        tensor.node == besides or graph.constant_node(tensor.node) is not None for tensor in graph.inputs(node.name)
    )
