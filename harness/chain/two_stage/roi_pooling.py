"""Putting a ROIPooling in the place of a CropAndResize and of the Reshapes behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.chain.graph import Tensor
from harness.chain.two_stage.crops import without_flattening
from harness.errors import ConversionError

if TYPE_CHECKING:
    from harness.chain.graph import Graph

ROI_POOLING = "TwoStageRoiPooling"


def replace_crop(graph: Graph, crop: str, regions: Tensor, name: str) -> tuple[int, int]:
    """Let what reads a CropAndResize read crops of ``regions`` ``[R, 5]``; the crops' (height, width)."""
    node = graph[crop]
    size = graph.constant(graph.inputs(crop)[3].node)
    if size is None or size.size != 2:
        raise ConversionError(
            "The size of the crops is no constant.", where=f"node {crop!r} (CropAndResize)", requirement="PRO-3"
        )
    method = node.attr["method"].s.decode() if "method" in node.attr else "bilinear"
    beyond = float(node.attr["extrapolation_value"].f) if "extrapolation_value" in node.attr else 0.0
    if method not in {"", "bilinear"} or beyond != 0.0:
        raise ConversionError(
            f"Crops with method {method!r} and extrapolation value {beyond:g} have no equal; bilinear and 0 have.",
            where=f"node {crop!r} (CropAndResize)",
            requirement="PRO-3",
        )
    height, width = (int(side) for side in size.reshape(-1))
    pooling = graph.add(
        ROI_POOLING,
        name,
        [graph.inputs(crop)[0], regions],
        {"crop_height": height, "crop_width": width, "pooling_name": name},
    )
    graph.redirect(Tensor(without_flattening(graph, crop)), Tensor(pooling.name))
    return height, width
