"""Where an SSD's Postprocessor begins: the tensors of box encodings, class predictions and anchors that enter it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.chain.match import entering, in_scope, scopes_named
from harness.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.chain.graph import Graph, Tensor

_SHAPES_ONLY = {"Shape", "ShapeN", "Rank", "Size"}
_LOOP_ENTRANCES = {
    "Enter",
    "TensorArrayScatterV3",
    "TensorArrayScatterV2",
    "TensorListFromTensor",
    "While",
    "StatelessWhile",
    "CombinedNonMaxSuppression",
}
# Behind these boxes, scores and windows are mixed: where suppression is not in a loop, that is where it begins.
_SUPPRESSION = {
    "NonMaxSuppressionV3",
    "NonMaxSuppressionV4",
    "NonMaxSuppressionV5",
    "Gather",
    "GatherV2",
    "GatherNd",
    "TopKV2",
}


@dataclasses.dataclass(frozen=True)
class SsdBoundary:
    """Box encodings ``[N, P, 4]`` (YXHW), class predictions ``[N, P, C + 1]``, anchors ``[P, 4]`` (YXYX)."""

    scope: str
    nodes: frozenset[str]
    locations: Tensor
    confidences: Tensor
    priors: Tensor


def find_boundary(graph: Graph, outputs: Iterable[str]) -> SsdBoundary | None:
    """The Postprocessor that the model's outputs come from, or None when there is none.

    Which entering tensor is which follows from what is done with it, not from its name: encodings go through the
    exponential of the box decoding, anchors meet them there, and class predictions stay apart until suppression.
    """
    needed = set(graph.ancestors(name for name in outputs if name in graph))
    for scope in scopes_named(graph, "Postprocessor"):
        nodes = in_scope(graph, scope) & needed
        if not nodes:
            continue
        reach = {}
        for tensor, readers in entering(graph, nodes).items():
            real = [name for name, _ in readers if graph[name].op not in _SHAPES_ONLY]
            if real and graph[tensor.node].op != "Const":
                reach[tensor] = _reach(graph, real, nodes)
        encodings = [tensor for tensor, seen in reach.items() if any(graph[name].op == "Exp" for name in seen)]
        if len(encodings) != 1:
            continue
        decoded = reach[encodings[0]]
        rest = {tensor: seen for tensor, seen in reach.items() if tensor != encodings[0]}
        anchors = [tensor for tensor, seen in rest.items() if any(graph[name].op == "Mul" for name in seen & decoded)]
        classes = [
            tensor for tensor, seen in rest.items() if tensor not in anchors and not _is_image_shape(graph, seen)
        ]
        if len(anchors) != 1 or len(classes) != 1:
            raise ConversionError(
                f"The Postprocessor reads {len(anchors)} tensors that look like anchors and {len(classes)} that look "
                "like class predictions; one of each is expected.",
                where=f"scope {scope!r}: " + ", ".join(str(tensor) for tensor in rest),
                advice="Name the support configuration whose points fit, or convert with ovc.",
                requirement="CFG-6",
            )
        return SsdBoundary(scope, frozenset(nodes), encodings[0], classes[0], anchors[0])
    return None


def _reach(graph: Graph, readers: Iterable[str], nodes: Iterable[str]) -> set[str]:
    """What depends on a tensor by value: shapes taken of it do not count, and neither loops nor
    suppressions are entered.
    """
    inside = set(nodes)
    found: set[str] = set()
    queue = list(readers)
    while queue:
        name = queue.pop()
        if name in found or name not in inside or graph[name].op in _SHAPES_ONLY:
            continue
        found.add(name)
        if graph[name].op not in _LOOP_ENTRANCES | _SUPPRESSION:
            queue.extend(node.name for node, _ in graph.consumers(name))
    return found


def _is_image_shape(graph: Graph, seen: Iterable[str]) -> bool:
    """True image shapes are integers: the first thing done to them is a Cast, and they are unstacked to sides."""
    ops = {graph[name].op for name in seen}
    return ("Cast" in ops and not ops & {"Sigmoid", "Softmax", "Slice", "StridedSlice", "RealDiv"}) or (
        "Cast" in ops and "Unpack" in ops
    )
