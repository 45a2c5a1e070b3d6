"""The second stage: its predictions for each proposal, its DetectionOutput, and the detections."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.checks.check import NotApplicable, check, facts
from harness.checks.exchanged import compare_where_proposals_agree
from harness.checks.families import TWO_STAGE
from harness.checks.proposals import same_attribute
from harness.checks.result import Finding
from harness.checks.stages import (
    clipping,
    detections_of,
    fed_answer,
    ir_stages,
    needed_config,
    observed_stages,
    reference_stages,
    second_suppressions,
    two_stage_noise,
)
from harness.compare.comparison import Comparison, merge_comparisons
from harness.compare.detections import compare_detections
from harness.compare.suppression import suppress
from harness.compare.two_stage import compare_second_stage
from harness.errors import Stage
from harness.observation.detection_output import check_rows
from harness.observation.detections import Answer
from harness.observation.ir_stages import CONFIDENCES, LOCATIONS, PRIORS
from harness.observation.observe import rows_of

if TYPE_CHECKING:
    from harness.checks.evidence import Evidence

_CENTER_SIZE = "center_size"


@check("DET-5", "DET-6", stage=Stage.DETECTIONS, families=TWO_STAGE)
def detections_of_two_stages(evidence: Evidence) -> Comparison:
    """Boxes, scores, classes and their number are TensorFlow's, but for decisions that were truly close."""
    evidence.require_floor()
    reference, noise, suppression = detections_of(evidence)
    return compare_where_proposals_agree(
        evidence, reference, lambda answer: compare_detections(reference, answer, noise, suppression)
    )


@check("DET-1", "DET-2", "DET-3", stage=Stage.HEADS, families=TWO_STAGE, contract="detection_output")
def second_stage_heads(evidence: Evidence) -> Comparison:
    """Of each proposal that both sides have, box encodings of each class, and scores, are TensorFlow's."""
    evidence.require_floor()
    reference, noise = reference_stages(evidence), two_stage_noise(evidence).second
    parts = {
        "heads": compare_second_stage(reference, observed_stages(evidence), noise),
        "as DetectionOutput gets them": compare_second_stage(
            reference, observed_stages(evidence, fed=True), noise, zeros_left_out=True
        ),
    }
    return merge_comparisons("second stage", parts)


@check("PSR-3", stage=Stage.HEADS, families=("rfcn",), contract="detection_output")
def position_sensitive_heads(evidence: Evidence) -> Comparison:
    """What position-sensitive pooling gives for each proposal, and the detections from it, are TensorFlow's."""
    evidence.require_floor()
    reference, noise, suppression = detections_of(evidence)
    parts = {
        "second stage": compare_second_stage(
            reference_stages(evidence), observed_stages(evidence), two_stage_noise(evidence).second
        ),
        "detections": compare_where_proposals_agree(
            evidence, reference, lambda answer: compare_detections(reference, answer, noise, suppression)
        ),
    }
    return merge_comparisons("position-sensitive heads", parts)


@check("DET-1", "DET-2", stage=Stage.LAYOUT, families=TWO_STAGE, contract="detection_output")
def second_detection_output(evidence: Evidence) -> Comparison:
    """DetectionOutput gets a location for each class and the background (or one for all), scaled by the variances."""
    config, operation = needed_config(evidence), ir_stages(evidence).detections
    shared = config.share_box_across_classes
    proposals, columns = config.first_stage_max_proposals, config.num_classes + 1
    wanted: dict[str, Any] = {
        "variance_encoded_in_target": True,
        "confidence_threshold": config.post_processing.score_threshold,
        "nms_threshold": config.post_processing.iou_threshold,
        "keep_top_k": config.post_processing.max_total_detections,
        "background_label_id": 0,
        "decrease_label_id": False,
        "normalized": True,
        **clipping(second_suppressions(evidence)),
    }
    if config.num_classes > 1 or shared:
        wanted["share_location"] = shared
    findings = [
        Finding(
            f"{name} is {operation.attributes.get(name)!r}, and pipeline.config and its graph say {value!r}.",
            {"node": operation.name, "attribute": name},
        )
        for name, value in wanted.items()
        if not same_attribute(operation.attributes.get(name), value)
    ]
    code = str(operation.attributes.get("code_type", "")).lower()
    if not code.endswith(_CENTER_SIZE):
        findings.append(Finding(f"code_type is {code!r}.", {"node": operation.name, "attribute": "code_type"}))
    per_proposal = 1 if operation.attributes.get("share_location", True) else columns
    sizes = {LOCATIONS: per_proposal * 4 * proposals, CONFIDENCES: columns * proposals, PRIORS: 4 * proposals}
    for index, width in sizes.items():
        shape = operation.input_shapes[index]
        if shape is not None and shape[-1] not in (-1, width):
            what = f"Input {index} has shape {list(shape)}, whose rows should be {width} wide."
            findings.append(Finding(what, {"node": operation.name, "input": index}))
    return facts("attributes and inputs", len(wanted) + 1 + len(sizes), findings)


@check("SSD-2", "DET-5", stage=Stage.LAYOUT, families=TWO_STAGE, contract="detection_output")
def detection_rows(evidence: Evidence) -> Comparison:
    """N = batch x keep_top_k rows of 7 values; order, padding, and the ranges of labels, scores and corners."""
    evidence.require_floor()
    config = needed_config(evidence)
    masks = evidence.case.family == "mask_rcnn" and config.number_of_stages > 2
    findings: list[Finding] = []
    count = 0
    for index, observation in enumerate(evidence.observation()):
        output = rows_of(observation.outputs)
        shape_is_right = output.ndim == 2 if masks else output.ndim == 4 and output.shape[:2] == (1, 1)
        if not shape_is_right:
            words = "[N, 7]" if masks else "[1, 1, N, 7]"
            findings.append(Finding(f"The output has shape {list(output.shape)}, not {words}.", {"batch": index}))
        broken = check_rows(
            output,
            len(observation.answer.images),
            num_classes=config.num_classes,
            keep_top_k=config.post_processing.max_total_detections,
            clipped=True,
        )
        findings += [Finding(str(one), {"batch": index, "row": one.row, "kind": one.kind}) for one in broken]
        count += int(np.prod(output.shape[:-1]))
    return facts("rows", count, findings)


@check("DET-1", "DET-5", stage=Stage.LAYOUT, families=TWO_STAGE, contract="detection_output")
def detections_follow(evidence: Evidence) -> Comparison:
    """The rows are what TensorFlow's suppression makes of the very proposals and predictions that go in."""
    evidence.require_floor()
    suppression, noise = second_suppressions(evidence)[0], two_stage_noise(evidence).second
    fed = fed_answer(evidence)
    heads = fed.heads
    if heads.class_scores is None or not np.isfinite(heads.class_scores).all():
        return facts("detections", 1, [Finding("The confidences are not finite, so nothing follows from them.")])
    return compare_detections(Answer(suppress(heads, suppression), heads), fed, noise, suppression)


@check("PSR-1", stage=Stage.LAYOUT, families=("rfcn",), contract="detection_output")
def position_sensitive_pooling(evidence: Evidence) -> Comparison:
    """Two PSROIPoolings, of boxes and of classes, with bins and group size from pipeline.config, bilinear."""
    config, stages = needed_config(evidence), ir_stages(evidence)
    predictor = config.rfcn_box_predictor
    poolings = [operation for operation in stages.pooled if operation.type == "PSROIPooling"]
    findings = []
    if len(poolings) != 2 or len(stages.pooled) != 2:
        what = f"{len(poolings)} PSROIPoolings and {len(stages.pooled) - len(poolings)} others pool proposals, not two."
        findings.append(Finding(what, {"nodes": [operation.name for operation in stages.pooled]}))
    wanted: dict[str, Any] = {
        "mode": "bilinear",
        "spatial_bins_x": predictor.num_spatial_bins_width,
        "spatial_bins_y": predictor.num_spatial_bins_height,
        "group_size": predictor.crop_height // predictor.num_spatial_bins_height,
        "spatial_scale": 1.0,
    }
    findings += [
        Finding(
            f"{name} is {operation.attributes.get(name)!r}, and pipeline.config says {value!r}.",
            {"node": operation.name, "attribute": name},
        )
        for operation in poolings
        for name, value in wanted.items()
        if not same_attribute(operation.attributes.get(name), value)
    ]
    given = sorted(int(str(operation.attributes.get("output_dim", -1))) for operation in poolings)
    sizes = sorted((config.num_classes + 1, 4 * config.num_classes))
    if given != sizes:
        findings.append(Finding(f"They give {given} values a proposal, not {sizes}."))
    return facts("attributes", max(1, len(poolings)) * len(wanted) + 1, findings)


@check("PRO-1", stage=Stage.LAYOUT, families=("faster_rcnn", "mask_rcnn"), contract="detection_output")
def roi_pooling(evidence: Evidence) -> Comparison | NotApplicable:
    """Features are cropped by a bilinear ROIPooling of initial_crop_size, in parts of the image."""
    config, stages = needed_config(evidence), ir_stages(evidence)
    side = config.initial_crop_size
    poolings = [*stages.pooled, *stages.final_pooled]
    findings = []
    for operation in poolings:
        size = operation.output_shapes[0]
        if operation.type != "ROIPooling" or str(operation.attributes.get("method", "")).lower() != "bilinear":
            method = operation.attributes.get("method")
            findings.append(Finding(f"It is a {operation.type} of method {method!r}.", {"node": operation.name}))
        if size is not None and size[2:] != (side, side):
            findings.append(Finding(f"Crops are {list(size[2:])}, not {side} x {side}.", {"node": operation.name}))
        if not same_attribute(operation.attributes.get("spatial_scale"), 1.0):
            findings.append(Finding("spatial_scale is not 1.", {"node": operation.name}))
    return facts("crops", len(poolings), findings)


@check("VAL-3", stage=Stage.HEADS, families=TWO_STAGE, contract="detection_output")
def first_difference_of_stages(evidence: Evidence) -> Comparison:
    """Objectness, encodings, proposals, second stage, detections, in this order: the first that differs is named."""
    from harness.checks import proposals as first

    steps = {
        "objectness": first.objectness,
        "first stage's encodings": first.first_stage_encodings,
        "proposals": first.proposals,
        "second stage": second_stage_heads,
        "detections": detections_of_two_stages,
    }
    passed = 0
    for name, step in steps.items():
        compared = step.function(evidence)
        assert isinstance(compared, Comparison)
        if compared.outcome != "passed":
            found = compared.findings[0] if compared.findings else Finding(f"Nothing of the {name} was compared.")
            what, where = f"The difference starts at the {name}: {found.what}", {"starts_at": name, **found.where}
            told = dataclasses.replace(found, what=what, where=where)
            return dataclasses.replace(compared, findings=(told,), compared=passed + compared.compared)
        passed += compared.compared
    return Comparison("boundaries", compared=passed, notes=(f"in order: {', '.join(steps)}",))
