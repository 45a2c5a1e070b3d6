"""The shape of the IR's input: what pipeline.config implies, and what the caller asks for."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.checks.check import NotApplicable, check, facts
from harness.checks.families import DETECTORS, SINGLE_STAGE
from harness.checks.result import Finding
from harness.checks.stages import detections_of
from harness.checks.view import View
from harness.compare.comparison import Comparison, merge_comparisons
from harness.compare.detections import compare_detections
from harness.compare.heads import compare_encodings, compare_scores
from harness.errors import Stage
from harness.observation.detections import Answer
from harness.pipeline.image_resizer import FixedShapeResizer, KeepAspectRatioResizer
from harness.pipeline.input_size import expected_input_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.checks.evidence import Evidence
    from harness.pipeline.image_resizer import ImageResizer

InputShape = tuple[int, int, int, int]


def _is_fixed(resizer: ImageResizer | None) -> bool:
    return isinstance(resizer, FixedShapeResizer)


def _keeps_aspect(resizer: ImageResizer | None) -> bool:
    return isinstance(resizer, KeepAspectRatioResizer) and not resizer.pad_to_max_dimension


def _pads(resizer: ImageResizer | None) -> bool:
    return isinstance(resizer, KeepAspectRatioResizer) and resizer.pad_to_max_dimension


@check("SHP-1", stage=Stage.LAYOUT, families=DETECTORS, contract="detection_output")
def fixed_shape(evidence: Evidence) -> Comparison | NotApplicable:
    """Under a fixed_shape_resizer the input has the config's height and width."""
    return _default(evidence, _is_fixed, "fixed_shape_resizer")


@check("SHP-2", "PRE-5", stage=Stage.LAYOUT, families=DETECTORS, contract="detection_output")
def fixed_shape_given(evidence: Evidence) -> Comparison | NotApplicable:
    """A shape that is given has the last word: batch, height and width are exactly that, and the answers agree."""
    return _given(evidence, _is_fixed, "fixed_shape_resizer")


@check("SHP-3", stage=Stage.LAYOUT, families=DETECTORS, contract="detection_output")
def kept_aspect(evidence: Evidence) -> Comparison | NotApplicable:
    """Under a keep_aspect_ratio_resizer the input is a square of min_dimension."""
    return _default(evidence, _keeps_aspect, "keep_aspect_ratio_resizer without padding")


@check("SHP-4", "PRE-5", stage=Stage.LAYOUT, families=DETECTORS, contract="detection_output")
def kept_aspect_given(evidence: Evidence) -> Comparison | NotApplicable:
    """A shape that is given is scaled as the resizer scales images of it, and the answers agree."""
    return _given(evidence, _keeps_aspect, "keep_aspect_ratio_resizer without padding")


@check("SHP-5", stage=Stage.LAYOUT, families=SINGLE_STAGE, contract="detection_output")
def padded(evidence: Evidence) -> Comparison | NotApplicable:
    """Under pad_to_max_dimension the input is a square of max_dimension, and mean and scale stay: the heads agree."""
    shape = _default(evidence, _pads, "keep_aspect_ratio_resizer with pad_to_max_dimension")
    if isinstance(shape, NotApplicable):
        return shape
    evidence.require_floor()
    reference, observed = evidence.reference().answer.heads, evidence.answer(heads=True).heads
    noise = evidence.noise()
    parts = {
        "shape": shape,
        "box encodings": compare_encodings(reference, observed, noise),
        "class scores": compare_scores(reference, observed, noise),
    }
    return merge_comparisons("input", parts)


@check("PRE-5", stage=Stage.LAYOUT, families=DETECTORS, contract="detection_output")
def batch_by_default(evidence: Evidence) -> Comparison:
    """The batch is 1 unless the graph or the caller asks for another."""
    return _shape_of_the_image(evidence, None, (evidence.own_batch, None, None))


def other_shape(evidence: Evidence) -> InputShape:
    """A shape to ask for that is not the case's own in batch, height or width."""
    height, width = evidence.own_size
    return evidence.own_batch + 1, _multiple(height * 5 // 4), _multiple(width * 3 // 4), 3


def _multiple(side: int) -> int:
    """The next multiple of 32 that is not under 64."""
    return max(64, -(-side // 32) * 32)


def _resizer(evidence: Evidence) -> ImageResizer | None:
    return None if evidence.config is None else evidence.config.image_resizer


def _default(
    evidence: Evidence, applies: Callable[[ImageResizer | None], bool], kind: str
) -> Comparison | NotApplicable:
    resizer = _resizer(evidence)
    if resizer is None or not applies(resizer):
        return NotApplicable(f"there is no {kind}")
    asked = evidence.case.input_shape
    return _shape_of_the_image(evidence, None, (None, *expected_input_size(resizer, asked)))


def _given(evidence: Evidence, applies: Callable[[ImageResizer | None], bool], kind: str) -> Comparison | NotApplicable:
    resizer = _resizer(evidence)
    if resizer is None or not applies(resizer):
        return NotApplicable(f"there is no {kind}")
    if evidence.case.input_shape is not None:
        return NotApplicable("the case itself asks for an input shape")
    asked = other_shape(evidence)
    size = expected_input_size(resizer, asked)
    shape = _shape_of_the_image(evidence, asked, (asked[0], *size))
    if shape.findings:
        return shape  # the pictures would not even fit
    view = View(batch=asked[0], size=size)
    refused = evidence.refused_size(view)
    if refused is not None:
        return dataclasses.replace(shape, notes=(f"the answers have no oracle at that size: {refused}",))
    reference, noise, suppression = detections_of(evidence, view)
    observations = evidence.observation(view, input_shape=asked)
    answer = Answer(tuple(image for one in observations for image in one.answer.images))
    parts = {"shape": shape, "detections": compare_detections(reference, answer, noise, suppression)}
    return merge_comparisons("input", parts)


def _shape_of_the_image(
    evidence: Evidence, asked: InputShape | None, wanted: tuple[int | None, int | None, int | None]
) -> Comparison:
    """Batch, height and width of the image input against those wanted; None leaves one open."""
    images = [port for port in evidence.inspection(asked).inputs if port.shape is not None and len(port.shape) == 4]
    if len(images) != 1:
        return facts(
            "inputs", 1, [Finding(f"The IR has {len(images)} inputs of four dimensions, and the image is one.")]
        )
    (image,) = images
    assert image.shape is not None
    findings = [
        Finding(
            f"The input's {name} is {has if has >= 0 else 'open'}, not {should}.",
            {"input": image.name, "shape": image.shape_text, "asked": "nothing" if asked is None else list(asked)},
        )
        for name, has, should in zip(("batch", "height", "width"), image.shape[:3], wanted, strict=True)
        if should is not None and has != should
    ]
    return facts("sides", sum(side is not None for side in wanted), findings)
