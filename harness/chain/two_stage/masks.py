"""The mask head of a Mask R-CNN: its predictions, before the detection's own class is picked (MSK-5, MSK-6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.chain.graph import Tensor
from harness.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.chain.graph import Graph

MASKS = "detection_masks"
"""What exporters call the masks of the detections."""

BY_VALUE = frozenset(
    {
        "Identity",
        "Reshape",
        "Squeeze",
        "ExpandDims",
        "Transpose",
        "Gather",
        "GatherV2",
        "GatherNd",
        "StridedSlice",
        "Slice",
        "StopGradient",
    }
)


def mask_predictions(graph: Graph) -> Tensor | None:
    """The ``[N * K, h, w, C]`` logits behind ``detection_masks``; None where the graph has no such output.

    Between them lie only nodes that reorder values or pick the detection's own class, and the sigmoid.
    """
    if MASKS not in graph:
        return None
    tensor = Tensor(MASKS)
    activated = False
    while True:
        node = graph[tensor.node]
        if node.op == "Sigmoid" and not activated:
            activated = True
        elif node.op not in BY_VALUE:
            break
        tensor = graph.inputs(node.name)[0]
    if not activated:
        raise ConversionError(
            "No sigmoid makes the masks of the detections.",
            where=f"node {MASKS!r}, which comes from {tensor.node!r} ({graph[tensor.node].op})",
            advice="Convert a graph that the Object Detection API exported with all three stages.",
            requirement="MSK-5",
        )
    return tensor


def only_output(graph: Graph, outputs: Sequence[str], prefix: str) -> str | None:
    """The one of the chosen outputs whose name starts with ``prefix``; more than one is a ConversionError (MSK-5)."""
    found = [name for name in outputs if name.startswith(prefix) and name in graph]
    if len(found) > 1:
        raise ConversionError(
            "Two outputs could be the masks.",
            where=", ".join(found),
            advice=f"Let the configuration name one output that starts with {prefix!r}.",
            requirement="MSK-5",
        )
    return found[0] if found else None
