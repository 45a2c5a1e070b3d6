"""Whether pipeline.config is this two-stage graph's: each value against the node that shows another (CFG-11)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.chain.consistency import contradiction
from harness.errors import ConfigurationError, ConversionError

if TYPE_CHECKING:
    from harness.chain.ssd.suppression import Fact, SuppressionFacts
    from harness.chain.two_stage.grid_anchors import GridAnchors, SeenAnchors
    from harness.chain.two_stage.settings import TwoStageSettings
    from harness.chain.two_stage.stages import Heads
    from harness.errors import IrproofError

_ANCHORS = "first_stage_anchor_generator.grid_anchor_generator"
_PIXELS = 1e-2
"""Anchors of another configuration differ by pixels; float32 arithmetic on them errs by 1e-4 of one at most."""


def check_first_stage(
    settings: TwoStageSettings,
    facts: SuppressionFacts,
    anchors: GridAnchors,
    seen: SeenAnchors | None,
    heads: Heads,
) -> None:
    """Proposals count, thresholds, coder scales and anchors."""
    for width, values, head in ((heads.box_channels, 4, heads.boxes), (heads.class_channels, 2, heads.classes)):
        if width is not None and width != values * anchors.per_cell:
            raise _contradiction(
                settings,
                f"{_ANCHORS} (scales times aspect_ratios)",
                ("anchor_generator_scales", "anchor_generator_aspect_ratios"),
                anchors.per_cell,
                width / values,
                f"{head} ({width} channels)",
            )
    for key, configured, fact in (
        ("first_stage_max_proposals", settings.first_stage_max_proposals, facts.max_detections_per_class),
        ("first_stage_nms_iou_threshold", settings.first_stage_nms_iou_threshold, facts.iou_threshold),
        ("first_stage_nms_score_threshold", settings.first_stage_nms_score_threshold, facts.score_threshold),
    ):
        if key not in settings.custom:
            _same(settings, key, configured, fact)
    check_box_coder(settings, facts)
    if facts.score_converter not in {None, "SOFTMAX"}:
        raise ConversionError(
            f"Objectness is made by {facts.score_converter}; the Proposal step takes a softmax over two classes.",
            where=f"node {heads.classes} and what follows it",
            requirement="PRO-2",
        )
    if seen is not None:
        _check_anchors(settings, anchors, seen)


def _check_anchors(settings: TwoStageSettings, anchors: GridAnchors, seen: SeenAnchors) -> None:
    for name, configured, found in (("stride", anchors.stride, seen.stride), ("offset", anchors.offset, seen.offset)):
        for side, wanted, is_ in zip(("height", "width"), configured, found, strict=True):
            if abs(wanted - is_) > _PIXELS:
                key = f"{_ANCHORS}.{side}_{name}"
                raise _contradiction(settings, key, (f"anchor_generator_{side}_{name}",), wanted, is_, seen.node)
    for side, wanted_sizes, sizes in (
        ("heights", np.asarray(anchors.heights), seen.heights),
        ("widths", np.asarray(anchors.widths), seen.widths),
    ):
        error = np.abs(wanted_sizes - sizes)
        worst = int(error.argmax())
        if not error[worst] <= _PIXELS:
            raise _contradiction(
                settings,
                f"{_ANCHORS} (anchors' {side} from base size, scales and aspect_ratios, anchor {worst} of a cell)",
                tuple(f"anchor_generator_{name}" for name in (side[:-1], "scales", "aspect_ratios")),
                float(wanted_sizes[worst]),
                float(sizes[worst]),
                seen.node,
            )


def check_second_stage(
    settings: TwoStageSettings,
    facts: SuppressionFacts,
    heads: Heads,
) -> bool:
    """Classes, thresholds, caps and coder scales; whether all classes share a box (DET-2)."""
    classes = settings.num_classes
    box_channels, class_channels = heads.box_channels, heads.class_channels
    if class_channels is not None and class_channels != classes + 1:
        raise contradiction(
            settings, "num_classes", classes, class_channels - 1, f"{heads.classes} ({class_channels} channels)"
        )
    _same(settings, "num_classes", classes, facts.classes)
    if box_channels is not None and box_channels not in {4, 4 * classes}:
        raise contradiction(
            settings, "num_classes", classes, box_channels / 4, f"{heads.boxes} ({box_channels} channels)"
        )
    prefix = "second_stage_post_processing"
    for name, configured, fact in (
        ("iou_threshold", settings.iou_threshold, facts.iou_threshold),
        ("score_threshold", settings.score_threshold, facts.score_threshold),
        ("max_detections_per_class", settings.max_detections_per_class, facts.max_detections_per_class),
        ("max_total_detections", settings.max_total_detections, facts.max_total_detections),
    ):
        if f"postprocessing_{name}" not in settings.custom:
            _same(settings, f"{prefix}.batch_non_max_suppression.{name}", configured, fact)
    check_box_coder(settings, facts)
    if facts.score_converter is not None and facts.score_converter != settings.score_converter:
        raise contradiction(
            settings,
            f"{prefix}.score_converter",
            settings.score_converter,
            facts.score_converter,
            f"{heads.classes} and what follows it",
        )
    return box_channels == 4 if box_channels is not None and classes > 1 else _shares(settings)


def _shares(settings: TwoStageSettings) -> bool:
    return settings.num_classes == 1 or bool(settings.config.share_box_across_classes)


def check_box_coder(settings: TwoStageSettings, facts: SuppressionFacts) -> None:
    """Scales that custom attributes give have to be the graph's; without any, the graph's own are taken."""
    if facts.box_coder_scales is None:
        return
    for side, fact in zip(("y", "x", "height", "width"), facts.box_coder_scales, strict=True):
        name = f"frcnn_variance_{side}"
        given = settings.custom.get(name)
        if isinstance(given, (int, float)) and not _close(given, fact.value):
            raise _contradiction(settings, name, (name,), given, fact.value, fact.node)
        settings.seen_coder_scales[name] = fact.value


def _same(settings: TwoStageSettings, key: str, configured: float, fact: Fact | None) -> None:
    if fact is not None and not _close(configured, fact.value):
        raise contradiction(settings, key, configured, fact.value, fact.node)


def _close(configured: float, seen: float) -> bool:
    return math.isclose(configured, seen, rel_tol=1e-5, abs_tol=1e-9)


def _contradiction(
    settings: TwoStageSettings, key: str, custom: tuple[str, ...], configured: object, seen: object, node: str
) -> IrproofError:
    """Which file is not the graph's: the configuration's attributes where it gives them, or pipeline.config."""
    given = [name for name in custom if name in settings.custom]
    if not given:
        return contradiction(settings, key, configured, seen, node)
    return ConfigurationError(
        f"The configuration is not for this graph: {' and '.join(given)} mean {configured}, but the graph has {seen}.",
        where=f"node {node!r}; custom_attributes of {settings.replacer}",
        advice="Give the values that this model was trained with, or leave them to pipeline.config.",
        requirement="CFG-11",
    )
