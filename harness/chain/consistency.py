"""Whether pipeline.config is this graph's: what it says is held against what the graph shows (CFG-11)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.chain.ssd.anchors import lay_out
from harness.chain.ssd.heads import last_convolution
from harness.errors import ConversionError, PipelineConfigError
from harness.pipeline.image_resizer import FixedShapeResizer, KeepAspectRatioResizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.chain.context import ConversionContext
    from harness.chain.graph import Graph, Tensor
    from harness.chain.match import Match
    from harness.chain.settings import Settings
    from harness.chain.ssd.anchors import AnchorGrid
    from harness.chain.ssd.suppression import Fact, SuppressionFacts
    from harness.pipeline.config import PipelineConfig

_ANCHOR_TOLERANCE = 1e-4
"""In normalised units; float32 arithmetic on anchors errs by about 1e-6, another pipeline.config by far more."""


_RESIZES = {"ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea"}


def check_resizer(graph: Graph, match: Match, config: PipelineConfig) -> None:
    """The size that the Preprocessor resizes to, where it is a constant, against the config's resizer."""
    for name in sorted(match.nodes):
        if graph[name].op not in _RESIZES:
            continue
        size = graph.constant(graph.inputs(name)[1].node)
        if size is None or size.size != 2:
            continue
        check_size(config, (int(size.reshape(-1)[0]), int(size.reshape(-1)[1])), name)
        return


def check_size(config: PipelineConfig, seen: tuple[int, int], node: str) -> None:
    """A constant (height, width) that the graph resizes to, against the config's resizer."""
    resizer = config.image_resizer
    if isinstance(resizer, FixedShapeResizer) and (resizer.height, resizer.width) != seen:
        raise _not_this_graph(
            config, "image_resizer.fixed_shape_resizer (height, width)", (resizer.height, resizer.width), seen, node
        )
    if isinstance(resizer, KeepAspectRatioResizer):
        kind = f"keep_aspect_ratio_resizer ({resizer.min_dimension} to {resizer.max_dimension})"
        raise _not_this_graph(config, "image_resizer", kind, f"a fixed size of {seen[0]} x {seen[1]}", node)


def check_architecture(config: PipelineConfig, expected: str, node: str) -> None:
    """A config of the other meta-architecture is not this graph's, whatever else it says."""
    if config.meta_architecture != expected:
        raise _not_this_graph(config, "model", config.meta_architecture, f"the structure of model.{expected}", node)


def check_ssd(
    context: ConversionContext,
    settings: Settings,
    facts: SuppressionFacts,
    boxes: Sequence[Tensor],
    classes: Sequence[Tensor],
    grids: Sequence[AnchorGrid] | None,
    anchors: np.ndarray | None,
    anchors_node: str,
) -> int:
    """The number of class columns, background included, after everything that can be compared was compared."""
    columns = _columns(context, settings, boxes, classes, grids)
    _same(settings, "num_classes", settings.num_classes, facts.classes)
    for name, configured, fact in (
        ("iou_threshold", settings.iou_threshold, facts.iou_threshold),
        ("score_threshold", settings.score_threshold, facts.score_threshold),
        ("max_detections_per_class", settings.max_detections_per_class, facts.max_detections_per_class),
        ("max_total_detections", settings.max_total_detections, facts.max_total_detections),
    ):
        # A value that the configuration's custom_attributes give is meant to differ.
        if f"postprocessing_{name}" not in settings.custom:
            _same(settings, f"post_processing.batch_non_max_suppression.{name}", configured, fact)
    if facts.box_coder_scales is not None:
        for side, configured, fact in zip(
            ("y_scale", "x_scale", "height_scale", "width_scale"),
            settings.config.box_coder_scales,
            facts.box_coder_scales,
            strict=True,
        ):
            _same(settings, f"box_coder.faster_rcnn_box_coder.{side}", configured, fact)
    if facts.score_converter is not None and facts.score_converter != settings.score_converter:
        raise contradiction(
            settings,
            "post_processing.score_converter",
            settings.score_converter,
            facts.score_converter,
            str(classes[0]) + " and what follows it",
        )
    if grids is not None and anchors is not None:
        _check_anchors(context, settings, grids, anchors, anchors_node)
    return columns


def _columns(
    context: ConversionContext,
    settings: Settings,
    boxes: Sequence[Tensor],
    classes: Sequence[Tensor],
    grids: Sequence[AnchorGrid] | None,
) -> int:
    columns = 0
    for level, (box, cls) in enumerate(zip(boxes, classes, strict=True)):
        per_cell = last_convolution(context.graph, box).output_channels // 4
        if grids is not None and len(grids[level].heights) != per_cell:
            raise contradiction(
                settings,
                f"anchor_generator gives for feature map {level} anchors of a cell",
                len(grids[level].heights),
                per_cell,
                str(box),
            )
        channels = _channels(context.graph, cls)
        if channels is None:
            continue
        if channels % per_cell or (columns and channels // per_cell != columns):
            raise ConversionError(
                f"Class predictions of feature map {level} have {channels} channels for {per_cell} anchors a cell.",
                where=f"node {cls}",
                requirement="SSD-8",
            )
        columns = channels // per_cell
        expected = settings.num_classes + int(settings.config.add_background_class)
        if columns != expected:
            raise contradiction(
                settings,
                "num_classes",
                settings.num_classes,
                columns - int(settings.config.add_background_class),
                f"{cls} ({channels} channels, {per_cell} anchors a cell)",
            )
    return columns or settings.num_classes + int(settings.config.add_background_class)


def _channels(graph: Graph, level: Tensor) -> int | None:
    """Class predictions may have passed an activation; their convolution tells the channels where it can be found."""
    try:
        return last_convolution(graph, level).output_channels
    except ConversionError:
        node = graph[level.node]
        if node.op in {"Sigmoid", "Softmax"}:
            return _channels(graph, graph.inputs(node.name)[0])
        return None


def _same(settings: Settings, key: str, configured: float, fact: Fact | None) -> None:
    if fact is not None and not math.isclose(configured, fact.value, rel_tol=1e-5, abs_tol=1e-9):
        raise contradiction(settings, key, configured, fact.value, fact.node)


def contradiction(settings: Settings, key: str, configured: object, seen: object, node: str) -> PipelineConfigError:
    """pipeline.config says one thing and a node of the graph another."""
    return _not_this_graph(settings.config, key, configured, seen, node)


def _not_this_graph(
    config: PipelineConfig, key: str, configured: object, seen: object, node: str
) -> PipelineConfigError:
    return PipelineConfigError(
        f"pipeline.config is not this graph's: {key} is {_plain(configured)}, but the graph has {_plain(seen)}.",
        where=f"node {node!r}; config {config.where}",
        advice="Give the pipeline.config that this model was exported with.",
        requirement="CFG-11",
    )


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check_anchors(
    context: ConversionContext,
    settings: Settings,
    grids: Sequence[AnchorGrid],
    anchors: np.ndarray,
    node: str,
) -> None:
    """The generator's anchors, laid out on the graph's own grids, against the graph's anchors, elementwise."""
    total = anchors.reshape(-1, 4).shape[0]
    maps = _feature_maps(grids, anchors.reshape(-1, 4))
    if maps is None:
        raise contradiction(
            settings,
            "anchor_generator",
            f"{len(grids)} feature maps with {[len(grid.heights) for grid in grids]} anchors a cell",
            f"{total} anchors that these do not divide",
            node,
        )
    expected = lay_out(grids, maps, context.training_size)
    error = np.abs(expected - anchors.reshape(-1, 4))
    worst = np.unravel_index(int(error.argmax()), error.shape)
    if not error.max() <= _ANCHOR_TOLERANCE:
        side = ("ymin", "xmin", "ymax", "xmax")[int(worst[1])]
        raise contradiction(
            settings,
            f"anchor_generator (anchor {int(worst[0])}, {side})",
            float(expected[worst]),
            float(anchors.reshape(-1, 4)[worst]),
            node,
        )


def _feature_maps(grids: Sequence[AnchorGrid], anchors: np.ndarray) -> list[tuple[int, int]] | None:
    """The feature maps' (height, width), read off the anchors: centres repeat along rows and columns."""
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    maps = []
    start = 0
    for grid in grids:
        count = len(grid.heights)
        first = centres[start : start + 1]
        if not len(first):
            return None
        y, x = centres[start::count, 0], centres[start::count, 1]
        columns = 1
        while columns < len(x) and x[columns] > x[columns - 1] + 1e-6 and abs(y[columns] - y[0]) <= 1e-6:
            columns += 1
        rows = 1
        while (
            start + (rows + 1) * columns * count <= len(anchors)
            and y[rows * columns] > y[(rows - 1) * columns] + 1e-6
            and abs(x[rows * columns] - x[0]) <= 1e-6
        ):
            rows += 1
        maps.append((rows, columns))
        start += rows * columns * count
    return maps if start == len(anchors) else None
