"""What the graph itself says about scores and suppression, to be held against pipeline.config (CFG-11)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.chain.graph import Graph, Node, Tensor

_SUPPRESSIONS = {
    "NonMaxSuppression",
    "NonMaxSuppressionV2",
    "NonMaxSuppressionV3",
    "NonMaxSuppressionV4",
    "NonMaxSuppressionV5",
    "NonMaxSuppressionWithOverlaps",
}


@dataclasses.dataclass(frozen=True)
class Fact:
    """A value read from the graph, and the node that holds it."""

    value: float
    node: str


@dataclasses.dataclass(frozen=True)
class SuppressionFacts:
    """What could be read of a block of per-class suppressions; None where the graph does not show it.

    ``classes`` is the number of suppressions: one a class. ``box_coder_scales`` divide the encodings of y, x, height
    and width. ``clips_before`` tells whether boxes are clipped to the window before they suppress each other
    (exporters up to early 2018) or after (later ones). ``slices_first`` tells that the background is cut off before
    the score converter (exporters of 2017), which matters to SOFTMAX.
    """

    classes: Fact | None = None
    iou_threshold: Fact | None = None
    score_threshold: Fact | None = None
    max_detections_per_class: Fact | None = None
    max_total_detections: Fact | None = None
    box_coder_scales: tuple[Fact, Fact, Fact, Fact] | None = None
    clips_before: bool | None = None
    score_converter: str | None = None
    slices_first: bool = False


def read_suppression(
    graph: Graph, nodes: Iterable[str], scores: Tensor, encodings: Tensor | None = None
) -> SuppressionFacts:
    """The facts of the suppressions among ``nodes``; ``scores`` and ``encodings`` are what enters the block."""
    inside = set(nodes)
    found = sorted(name for name in inside if graph[name].op in _SUPPRESSIONS)
    converter, slices_first = _score_converter(graph, inside, scores)
    scales = _box_coder_scales(graph, inside, encodings) if encodings is not None else None
    if not found:
        return SuppressionFacts(score_converter=converter, slices_first=slices_first, box_coder_scales=scales)
    first = graph[found[0]]
    iou = _attribute_or_input(graph, first, 3, "iou_threshold")
    score = _scalar(graph, first, 4) if first.op[-2:] in {"V3", "V4", "V5"} else None
    if score is None or not _is_finite(score.value):
        score = _filter_threshold(graph, inside) or None
    return SuppressionFacts(
        classes=Fact(len(found), first.name),
        iou_threshold=iou,
        score_threshold=score,
        max_detections_per_class=_limit(graph, first),
        max_total_detections=_total_limit(graph, inside, found),
        box_coder_scales=scales,
        clips_before=_clipped(graph, graph.inputs(first.name)[0]),
        score_converter=converter,
        slices_first=slices_first,
    )


def _is_finite(value: float) -> bool:
    return -1e30 < value < 1e30


def _scalar(graph: Graph, node: Node, index: int) -> Fact | None:
    inputs = graph.inputs(node.name)
    if index >= len(inputs):
        return None
    value = graph.constant(inputs[index].node)
    return Fact(float(value), inputs[index].node) if value is not None and value.size == 1 else None


def _attribute_or_input(graph: Graph, node: Node, index: int, name: str) -> Fact | None:
    if name in node.attr:
        return Fact(float(node.attr[name].f), node.name)
    return _scalar(graph, node, index)


def _filter_threshold(graph: Graph, inside: set[str]) -> Fact | None:
    """The threshold of the filter in front of suppression: a Greater whose result is taken apart by Where."""
    for name in sorted(inside):
        node = graph[name]
        if node.op == "Greater" and any(reader.op == "Where" for reader, _ in graph.consumers(name)):
            fact = _scalar(graph, node, 1)
            # The same pattern with zero prunes boxes without area; scores are compared in their own scope.
            if fact is not None and "FilterGreaterThan" in name:
                return fact
    return None


def _limit(graph: Graph, node: Node) -> Fact | None:
    """The cap on one class: a constant, or the smaller of a constant and the number of boxes."""
    fact = _scalar(graph, node, 2)
    if fact is not None:
        return fact
    behind = graph.input_node(node.name, 2)
    if behind.op in {"Identity", "Cast"}:
        behind = graph.input_node(behind.name)
    if behind.op == "Minimum":
        for index in (0, 1):
            fact = _scalar(graph, behind, index)
            if fact is not None:
                return fact
    return None


def _total_limit(graph: Graph, inside: set[str], suppressions: list[str]) -> Fact | None:
    """The cap on all classes together: the constant of the one kind of Minimum that limits no single suppression."""
    single = {graph.inputs(name)[2].node for name in suppressions}
    behind = graph.descendants(suppressions, within=inside)
    found: dict[float, Fact] = {}
    for name in sorted(behind - single):
        node = graph[name]
        if node.op != "Minimum" or node.attr["T"].type not in _INTEGERS:
            continue
        for index in (0, 1):
            fact = _scalar(graph, node, index)
            if fact is not None:
                found[fact.value] = fact
    return next(iter(found.values())) if len(found) == 1 else None


_INTEGERS = {3, 9}  # int32, int64


def _box_coder_scales(graph: Graph, inside: set[str], encodings: Tensor) -> tuple[Fact, Fact, Fact, Fact] | None:
    """What each of the unstacked encodings ty, tx, th, tw is divided by, where all four are."""
    queue = [node.name for node, _ in graph.consumers(encodings.node, encodings.port) if node.name in inside]
    seen: set[str] = set()
    while queue:
        name = queue.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if graph[name].op == "Unpack":
            return _divisors(graph, name)
        if graph[name].op in {"Reshape", "Transpose", "Identity", "Squeeze", "ExpandDims", "ConcatV2", "Concat"}:
            queue.extend(node.name for node, _ in graph.consumers(name) if node.name in inside)
    return None


def _divisors(graph: Graph, unpack: str) -> tuple[Fact, Fact, Fact, Fact] | None:
    found = []
    for port in range(4):
        for reader, index in graph.consumers(unpack, port):
            if reader.op in {"RealDiv", "Div"} and index == 0:
                fact = _scalar(graph, reader, 1)
                if fact is not None:
                    found.append(fact)
                break
    return (found[0], found[1], found[2], found[3]) if len(found) == 4 else None


def _clipped(graph: Graph, boxes: Tensor) -> bool:
    """Whether boxes go through Minimum and Maximum between where the loop reads them and the suppression."""
    seen: set[str] = set()
    queue = [boxes.node]
    ops = set()
    while queue:
        name = queue.pop()
        node = graph[name]
        if name in seen or node.op in {
            "TensorArrayReadV3",
            "TensorListGetItem",
            "Merge",
            "Switch",
            "Const",
            "Shape",
            "Placeholder",
        }:
            continue
        if node.op == "Pack" and len(node.input) == 4:
            continue  # here the boxes were decoded; anchors ahead of it may be clipped as well
        seen.add(name)
        ops.add(node.op)
        # Which boxes are picked is decided by indices (the second input); only where their values come from matters.
        inputs = graph.inputs(name)
        follow = (
            inputs[:1] if node.op in {"Gather", "GatherV2", "Slice", "StridedSlice", "Reshape", "GatherNd"} else inputs
        )
        queue.extend(tensor.node for tensor in follow)
    return {"Minimum", "Maximum"} <= ops


def _score_converter(graph: Graph, inside: set[str], scores: Tensor) -> tuple[str | None, bool]:
    """SIGMOID, SOFTMAX or IDENTITY, the first such thing done to the predictions; and whether after a slice."""
    queue = [(node.name, False) for node, _ in graph.consumers(scores.node, scores.port) if node.name in inside]
    seen: set[str] = set()
    while queue:
        name, sliced = queue.pop(0)
        if name in seen:
            continue
        seen.add(name)
        op = graph[name].op
        if op in {"Sigmoid", "Softmax"}:
            return op.upper(), sliced
        if op in _BEFORE_CONVERSION:
            after = sliced or op in {"Slice", "StridedSlice"}
            queue.extend((node.name, after) for node, _ in graph.consumers(name) if node.name in inside)
    return ("IDENTITY" if seen else None), False


_BEFORE_CONVERSION = {
    "RealDiv",
    "Reshape",
    "Identity",
    "Mul",
    "Squeeze",
    "ExpandDims",
    "Slice",
    "StridedSlice",
    "ConcatV2",
    "Concat",
}
