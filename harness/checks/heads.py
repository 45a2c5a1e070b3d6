"""Raw heads and priors against TensorFlow's, element by element, before any suppression can hide what differs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from harness.checks.check import NotApplicable, check
from harness.checks.families import SINGLE_STAGE
from harness.compare.comparison import Comparison, merge_comparisons
from harness.compare.heads import compare_anchors, compare_encodings, compare_scores, compare_variances
from harness.errors import Stage
from harness.pipeline.anchor_generator import SsdAnchorGenerator
from harness.pipeline.box_predictor import WeightSharedConvolutionalBoxPredictor

if TYPE_CHECKING:
    from harness.checks.evidence import Evidence
    from harness.observation.detections import Heads


@check("PRI-4", stage=Stage.HEADS, families=SINGLE_STAGE, contract="detection_output")
def prior_boxes(evidence: Evidence) -> Comparison:
    """Every prior box equals TensorFlow's anchor."""
    evidence.require_floor()
    return compare_anchors(_reference(evidence), _observed(evidence), evidence.noise())


@check("PRI-3", stage=Stage.HEADS, families=SINGLE_STAGE, contract="detection_output")
def prior_box_options(evidence: Evidence) -> Comparison | NotApplicable:
    """Prior boxes of a generator with options, or of an image that is not square, have these options' sizes."""
    options = anchor_options(evidence)
    if not options:
        return NotApplicable("the anchor generator has no such option, and the image is square")
    compared = compare_anchors(_reference(evidence), _observed(evidence), evidence.noise())
    return dataclasses.replace(compared, notes=(*compared.notes, f"options: {', '.join(options)}"))


@check("SSD-4", stage=Stage.HEADS, families=SINGLE_STAGE, contract="detection_output")
def variances(evidence: Evidence) -> Comparison:
    """Variances are one over the box coder's scales."""
    return compare_variances(_reference(evidence), _observed(evidence), evidence.noise())


@check("SSD-6", stage=Stage.HEADS, families=SINGLE_STAGE, contract="detection_output")
def box_encodings(evidence: Evidence) -> Comparison:
    """Every box encoding equals TensorFlow's, once X and Y are swapped back."""
    evidence.require_floor()
    return compare_encodings(_reference(evidence), _observed(evidence), evidence.noise())


@check("SSD-3", stage=Stage.HEADS, families=SINGLE_STAGE, contract="detection_output")
def class_scores(evidence: Evidence) -> Comparison:
    """Every class score behind the score converter equals TensorFlow's, and so does what DetectionOutput is fed."""
    evidence.require_floor()
    reference, noise = _reference(evidence), evidence.noise()
    raw = compare_scores(reference, _observed(evidence), noise)
    fed, left_out = _without_zeros(reference, evidence.answer(fed=True).heads)
    parts = {"scores": raw, "as DetectionOutput gets them": compare_scores(reference, fed, noise)}
    merged = merge_comparisons("class scores", parts)
    note = f"DetectionOutput gets {left_out} scores as zero, which cannot reach the answer if detections agree"
    return dataclasses.replace(
        merged, compared=merged.compared - left_out, notes=(*merged.notes, *((note,) if left_out else ()))
    )


@check("SSD-8", stage=Stage.HEADS, families=SINGLE_STAGE, contract="detection_output")
def box_predictor(evidence: Evidence) -> Comparison | NotApplicable:
    """The heads of predictors that are depthwise, shared by feature maps, pooled, or on a pyramid agree as a whole."""
    kinds = predictor_kinds(evidence)
    if not kinds:
        return NotApplicable("the predictor is none of depthwise, weight-shared, pooling pyramid, FPN")
    evidence.require_floor()
    reference, observed, noise = _reference(evidence), _observed(evidence), evidence.noise()
    parts = {
        "box encodings": compare_encodings(reference, observed, noise),
        "class scores": compare_scores(reference, observed, noise),
    }
    merged = merge_comparisons("heads", parts)
    return dataclasses.replace(merged, notes=(*merged.notes, f"kinds: {', '.join(kinds)}"))


def anchor_options(evidence: Evidence) -> list[str]:
    """What makes this case's anchors other than those of a square image under the generator's defaults."""
    height, width = evidence.own_size
    found = [f"non-square image {height} x {width}"] if height != width else []
    generator = None if evidence.config is None else evidence.config.anchor_generator
    if isinstance(generator, SsdAnchorGenerator):
        plain = SsdAnchorGenerator()
        found += [
            name
            for name in ("scales", "interpolated_scale_aspect_ratio", "base_anchor_height", "base_anchor_width")
            if getattr(generator, name) != getattr(plain, name)
        ]
        found.append(f"reduce_boxes_in_lowest_layer {str(generator.reduce_boxes_in_lowest_layer).lower()}")
    return found


def predictor_kinds(evidence: Evidence) -> list[str]:
    """The kinds of SSD-8 that pipeline.config names for this case."""
    config = evidence.config
    if config is None:
        return []
    kinds = {
        "depthwise": config.feature_extractor.use_depthwise or getattr(config.box_predictor, "use_depthwise", False),
        "weight-shared": isinstance(config.box_predictor, WeightSharedConvolutionalBoxPredictor),
        "pooling pyramid": "ppn" in config.feature_extractor.type,
        "FPN": "fpn" in config.feature_extractor.type,
    }
    return [name for name, holds in kinds.items() if holds]


def _reference(evidence: Evidence) -> Heads:
    return evidence.reference().answer.heads


def _observed(evidence: Evidence) -> Heads:
    return evidence.answer(heads=True).heads


def _without_zeros(reference: Heads, fed: Heads) -> tuple[Heads, int]:
    """``fed`` with TensorFlow's scores where a converter has set a score to exactly zero, and how many those are."""
    one, two = reference.class_scores, fed.class_scores
    if one is None or two is None or one.shape != two.shape:
        return fed, 0
    zero = (two == 0.0) & (one != 0.0)
    return dataclasses.replace(fed, class_scores=np.where(zero, one, two)), int(zero.sum())
