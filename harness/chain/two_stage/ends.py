"""Where a two-stage detector's answers leave the graph: nodes of known names, or what nobody reads in functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.chain.graph import Tensor
from harness.chain.two_stage.masks import BY_VALUE, MASKS

if TYPE_CHECKING:
    from harness.chain.graph import Graph
    from harness.chain.two_stage.stages import Stages

END_NAMES = ("detection_boxes", "detection_scores", "detection_classes", "num_detections", MASKS)


def detector_ends(graph: Graph) -> tuple[str, ...]:
    """The detector's outputs: named so in the TF1 eras; in functions they have no names of their own."""
    named = tuple(name for name in END_NAMES if name in graph)
    return named or tuple(node.name for node in graph if node.op == "Identity" and not graph.consumers(node.name))


def name_masks(graph: Graph, stages: Stages) -> None:
    """Give the masks of the detections their name where they have none: a sigmoid behind crops of final boxes."""
    if any(name in graph for name in END_NAMES) or not stages.final_crops:
        return
    for end in detector_ends(graph):
        tensor = Tensor(end)
        while graph[tensor.node].op in BY_VALUE:
            tensor = graph.inputs(tensor.node)[0]
        if graph[tensor.node].op == "Sigmoid" and set(stages.final_crops) & set(graph.ancestors([tensor.node])):
            node = graph.add("Identity", MASKS, [Tensor(end)], {})
            node.attr["T"].type = 1
            return
