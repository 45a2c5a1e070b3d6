"""The boxes that crops are cut along: from a CropAndResize back to the tensor of boxes, one row an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.chain.graph import Tensor
from harness.errors import ConversionError

if TYPE_CHECKING:
    from harness.chain.graph import Graph

_KEEP_VALUES = frozenset({"Identity", "StopGradient", "Enter", "Switch", "Merge"})
_READS = frozenset({"TensorArrayReadV3", "TensorArrayReadV2", "TensorListGetItem"})
_SCATTERS = {"TensorArrayScatterV3": 2, "TensorArrayScatterV2": 2, "TensorListFromTensor": 0}


def box_source(graph: Graph, crop: str) -> Tensor:
    """The ``[N, K, 4]`` tensor of boxes behind a CropAndResize.

    Crops flatten images and boxes into one axis with a Reshape; an R-FCN's crops stand in a loop that reads the boxes
    of an image from a TensorArray instead.
    """
    queue = [graph.inputs(crop)[1]]
    seen: set[Tensor] = set()
    while queue:
        tensor = queue.pop(0)
        if tensor in seen:
            continue
        seen.add(tensor)
        node = graph[tensor.node]
        inputs = graph.inputs(node.name)
        if node.op == "Reshape":
            return _through(graph, inputs[0])
        if node.op in _READS:
            value = scattered_value(graph, node.name)
            if value is not None:
                return value
        queue.extend(inputs)
    raise ConversionError(
        "The boxes of a crop come neither from a Reshape nor from a loop over images.",
        where=f"node {crop!r} (CropAndResize)",
        advice="Convert a graph that the Object Detection API exported.",
        requirement="PRO-3",
    )


def scattered_value(graph: Graph, read: str) -> Tensor | None:
    """What was scattered into the TensorArray that a node of a loop's body reads; None for other nodes."""
    if graph[read].op not in _READS:
        return None
    queue = [tensor.node for tensor in graph.inputs(read)]
    seen: set[str] = set()
    while queue:
        name = queue.pop(0)
        if name in seen:
            continue
        seen.add(name)
        node = graph[name]
        if node.op in _SCATTERS:
            return _through(graph, graph.inputs(name)[_SCATTERS[node.op]])
        if node.op in _KEEP_VALUES:
            queue.append(graph.inputs(name)[0].node)
    return None


def _through(graph: Graph, tensor: Tensor) -> Tensor:
    while graph[tensor.node].op in {"Identity", "StopGradient"}:
        tensor = graph.inputs(tensor.node)[0]
    return tensor


def without_flattening(graph: Graph, crop: str) -> str:
    """The last of the Reshapes behind crops that fold images and boxes apart and together again; the crop if none.

    Their values are the crops' own, ``[N * K, h, w, C]``: what reads the last may read the crop itself.
    """
    last, folds, result = crop, 0, crop
    while True:
        readers = [node for node, index in graph.consumers(last) if index == 0 and node.op not in {"Shape", "ShapeN"}]
        if len(readers) != 1 or readers[0].op not in {"Reshape", "Identity"}:
            return result
        last = readers[0].name
        folds += readers[0].op == "Reshape"
        if folds % 2 == 0:
            result = last
