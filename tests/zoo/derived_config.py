"""A pipeline.config for an SSD that was published without one, derived from what its frozen graph shows.

Every value in it is read from a node: the input's size, the suppressions' constants, the box coder's divisors, and
the anchors, from whose sizes the generator's parameters follow. It is a derived config, not the trained model's own;
what no answer depends on (training, the feature extractor's depth) is not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tensorboard.compat.proto import graph_pb2

from harness.chain.constants import evaluate
from harness.chain.graph import Graph
from harness.chain.ssd.boundary import find_boundary
from harness.chain.ssd.heads import last_convolution, level_tensors
from harness.chain.ssd.suppression import read_suppression

if TYPE_CHECKING:
    from pathlib import Path

_OUTPUTS = ("detection_boxes", "detection_scores", "detection_classes")


def derive_config(frozen: Path) -> str:
    """The text of a pipeline.config for the frozen SSD graph; it says itself that it is derived."""
    graph = Graph(graph_pb2.GraphDef.FromString(frozen.read_bytes()))
    boundary = find_boundary(graph, _OUTPUTS)
    assert boundary is not None, "no Postprocessor"
    facts = read_suppression(graph, boundary.nodes, boundary.confidences, boundary.locations)
    anchors = evaluate(graph, boundary.priors)
    assert anchors is not None, "the anchors depend on the image"
    levels = level_tensors(graph, boundary.locations)
    per_cell = [last_convolution(graph, level).output_channels // 4 for level in levels]
    height, width = _input_size(graph)
    y, x, high, wide = (fact.value for fact in facts.box_coder_scales or ())
    ratios = "".join(f"aspect_ratios: {ratio:.6g} " for ratio in _aspect_ratios(anchors, per_cell))
    low, top = _scales(anchors, per_cell)
    return f"""\
# Derived from the nodes of frozen_inference_graph.pb: no pipeline.config was published with this model.
model {{ ssd {{
  num_classes: {_whole(facts.classes)}
  image_resizer {{ fixed_shape_resizer {{ height: {height} width: {width} }} }}
  feature_extractor {{ type: "ssd_mobilenet_v1" }}
  box_coder {{ faster_rcnn_box_coder {{ y_scale: {y} x_scale: {x} height_scale: {high} width_scale: {wide} }} }}
  box_predictor {{ convolutional_box_predictor {{ }} }}
  anchor_generator {{ ssd_anchor_generator {{
    num_layers: {len(levels)} min_scale: {low:.6g} max_scale: {top:.6g} {ratios}
  }} }}
  post_processing {{
    batch_non_max_suppression {{
      score_threshold: {_value(facts.score_threshold):.6g} iou_threshold: {_value(facts.iou_threshold):.6g}
      max_detections_per_class: {_whole(facts.max_detections_per_class)}
      max_total_detections: {_whole(facts.max_total_detections)}
    }}
    score_converter: {facts.score_converter}
  }}
}} }}
"""


def _value(fact: Any) -> float:
    assert fact is not None, "the graph does not show a value"
    return float(fact.value)


def _whole(fact: Any) -> int:
    return round(_value(fact))


def _input_size(graph: Graph) -> tuple[int, int]:
    (shape,) = ([side.size for side in node.attr["shape"].shape.dim] for node in graph if node.op == "Placeholder")
    return shape[1], shape[2]


def _first_cells(anchors: np.ndarray, per_cell: list[int]) -> list[np.ndarray]:
    """Heights and widths of each level's first cell, float64 ``[anchors, 2]``; levels follow each other by size."""
    sides = (anchors[:, 2:] - anchors[:, :2]).astype(np.float64)
    cells, start = [], 0
    for count in per_cell:
        cell = sides[start : start + count]
        cells.append(cell)
        while start < len(sides) and np.allclose(sides[start : start + count], cell, atol=1e-5):
            start += count
    assert start == len(sides), "the anchors are no grids of equal cells"
    return cells


def _scales(anchors: np.ndarray, per_cell: list[int]) -> tuple[float, float]:
    """min_scale, of the lowest level's second anchor (the first is the generator's small extra one), and max_scale."""
    cells = _first_cells(anchors, per_cell)
    return float(np.sqrt(cells[0][1].prod())), float(np.sqrt(cells[-1][0].prod()))


def _aspect_ratios(anchors: np.ndarray, per_cell: list[int]) -> list[float]:
    """Width over height of the second level's anchors, but for the last: that is the interpolated scale's."""
    cell = _first_cells(anchors, per_cell)[1]
    return [float(width / height) for height, width in cell[:-1]]
