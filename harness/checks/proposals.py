"""The first stage: what it predicts, and which proposals it hands to the second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.checks.check import check, facts
from harness.checks.families import TWO_STAGE
from harness.checks.result import Finding
from harness.checks.stages import (
    clipping,
    first_suppressions,
    ir_stages,
    needed_config,
    observed_stages,
    reference_stages,
    two_stage_noise,
)
from harness.compare.comparison import Comparison, merge_comparisons
from harness.compare.heads import compare_anchors, compare_encodings, compare_scores
from harness.compare.proposals import compare_proposals
from harness.compare.two_stage import proposals_of
from harness.errors import Stage
from harness.observation.ir_stages import REGIONS
from harness.pipeline.anchor_generator import GridAnchorGenerator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.checks.evidence import Evidence

_RESIZING = ("Interpolate", "CropAndResize", "ROIAlign")
_CONVOLUTIONS = frozenset({"Convolution", "GroupConvolution"})


@check("PRO-2", stage=Stage.HEADS, families=TWO_STAGE, contract="detection_output")
def objectness(evidence: Evidence) -> Comparison:
    """Scores of background and object are a softmax over the two, laid out as TensorFlow's anchors are."""
    if ir_stages(evidence).proposals is None:
        return facts("operations", 1, [_no_operation(evidence)])
    evidence.require_floor()
    noise = two_stage_noise(evidence).first
    return compare_scores(reference_stages(evidence).first, observed_stages(evidence).first, noise)


@check("PRE-1", "PRO-1", stage=Stage.HEADS, families=TWO_STAGE, contract="detection_output")
def first_stage_encodings(evidence: Evidence) -> Comparison:
    """No resizing comes before the first convolution, and the first stage's encodings (and priors) are TensorFlow's."""
    stages = ir_stages(evidence)
    if stages.proposals is None:
        return facts("operations", 1, [_no_operation(evidence)])
    evidence.require_floor()
    before = evidence.graph.between("Parameter", _CONVOLUTIONS)
    resizing = [
        Finding(f"The image is resized by a {one.type} before the first convolution.", {"node": one.name})
        for one in before
        if one.type in _RESIZING
    ]
    reference, observed = reference_stages(evidence).first, observed_stages(evidence).first
    noise = two_stage_noise(evidence).first
    parts = {
        "structure": facts("operations before the first convolution", len(before), resizing),
        "box encodings": compare_encodings(reference, observed, noise),
    }
    if observed.anchors is not None:
        parts["priors"] = compare_anchors(reference, observed, noise)
    return merge_comparisons("first stage", parts)


@check("PRO-1", "PRO-4", "PRO-7", stage=Stage.LAYOUT, families=TWO_STAGE, contract="detection_output")
def proposal_operation(evidence: Evidence) -> Comparison:
    """One Proposal, or one DetectionOutput, makes the proposals, with the attributes that pipeline.config implies."""
    operation = ir_stages(evidence).proposals
    if operation is None:
        return facts("operations", 1, [_no_operation(evidence)])
    wanted = _proposal_attributes(evidence) if operation.type == "Proposal" else _output_attributes(evidence)
    findings = [
        Finding(
            f"{name} is {operation.attributes.get(name)!r}, and pipeline.config and its graph say {value!r}.",
            {"node": operation.name, "attribute": name},
        )
        for name, value in wanted.items()
        if not same_attribute(operation.attributes.get(name), value)
    ]
    return facts("attributes", len(wanted), findings, (f"proposals are made by {operation.type}",))


@check("PRO-1", "PRO-3", stage=Stage.HEADS, families=TWO_STAGE, contract="detection_output")
def proposals(evidence: Evidence) -> Comparison:
    """The proposals are TensorFlow's, as a set, and as many as truly are: padding is none."""
    evidence.require_floor()
    reference = reference_stages(evidence)
    return compare_proposals(
        proposals_of(reference, reference.first),
        proposals_of(observed_stages(evidence)),
        two_stage_noise(evidence).first,
        first_suppressions(evidence)[0],
        heads=reference.first,
    )


@check("PRO-3", stage=Stage.LAYOUT, families=TWO_STAGE, contract="detection_output")
def proposal_rows(evidence: Evidence) -> Comparison:
    """Rows of proposals are (image, xmin, ymin, xmax, ymax), as many for each image, with corners inside of it."""
    stages = ir_stages(evidence)
    count = needed_config(evidence).first_stage_max_proposals
    findings: list[Finding] = []
    rows = 0
    for pooling in stages.pooled:
        for batch, (regions,) in enumerate(evidence.extract(pooling.name, (REGIONS,))):
            rows += len(regions)
            findings += [
                Finding(what, {"node": pooling.name, "batch": batch})
                for what in _broken_rows(regions, evidence.own_batch, count)
            ]
    return facts("rows", rows, findings)


@check("PRE-3", "PRO-6", stage=Stage.LAYOUT, families=TWO_STAGE, contract="detection_output")
def inputs(evidence: Evidence) -> Comparison:
    """The image goes in, and beside it at most one row of height, width and scale for each image, or for all."""
    given = evidence.inspection().inputs
    images = [port for port in given if port.shape is not None and len(port.shape) == 4 and port.shape[3] == 3]
    information = [
        port
        for port in given
        if port.shape is not None and len(port.shape) == 2 and port.shape[1] in (3, 4) and port.shape[0] != 0
    ]
    findings = [
        Finding(f"The input {port.name} {port.shape_text} is neither an image nor its size.", {"input": port.name})
        for port in given
        if port not in images and port not in information
    ]
    if len(images) != 1:
        findings.append(Finding(f"The IR has {len(images)} inputs of images, and one goes in."))
    if len(information) > 1:
        findings.append(Finding(f"The IR asks for the image's size {len(information)} times."))
    findings += [
        Finding(
            f"The image's size has {port.shape[0]} rows for {evidence.own_batch} images.",
            {"input": port.name, "shape": port.shape_text},
        )
        for port in information
        if port.shape is not None and port.shape[0] not in (-1, 1, evidence.own_batch)
    ]
    return facts("inputs", max(1, len(given)), findings)


def _no_operation(evidence: Evidence) -> Finding:
    names = [operation.name for operation in ir_stages(evidence).pooled]
    return Finding("No Proposal and no DetectionOutput feeds the pooling of proposals.", {"pooling": names})


def _proposal_attributes(evidence: Evidence) -> Mapping[str, Any]:
    config = needed_config(evidence)
    y, _, height, _ = config.box_coder_scales
    wanted: dict[str, Any] = {
        "nms_thresh": config.first_stage_nms_iou_threshold,
        "post_nms_topn": config.first_stage_max_proposals,
        "min_size": 1,
        "normalize": True,
        "framework": "tensorflow",
        "box_coordinate_scale": y,
        "box_size_scale": height,
        **clipping(first_suppressions(evidence)),
    }
    generator = config.anchor_generator
    if isinstance(generator, GridAnchorGenerator):
        wanted |= {
            "base_size": generator.height,
            "feat_stride": generator.height_stride,
            "ratio": generator.aspect_ratios,
            "scale": generator.scales,
        }
    return wanted


def _output_attributes(evidence: Evidence) -> Mapping[str, Any]:
    config = needed_config(evidence)
    return {
        "nms_threshold": config.first_stage_nms_iou_threshold,
        "keep_top_k": config.first_stage_max_proposals,
        "confidence_threshold": config.first_stage_nms_score_threshold,
        "background_label_id": 0,
        "share_location": True,
        "normalized": True,
        **clipping(first_suppressions(evidence)),
    }


def same_attribute(given: Any, wanted: Any) -> bool:
    """Whether an attribute is what it should be: numbers as float32, a list of one as its element."""
    if isinstance(wanted, bool):
        return isinstance(given, (bool, int)) and bool(given) == wanted
    if isinstance(wanted, (tuple, list)):
        return isinstance(given, (tuple, list)) and np.array_equal(
            np.array(given, np.float32), np.array(wanted, np.float32)
        )
    if isinstance(given, (tuple, list)):
        given = given[0] if len(given) == 1 else None
    if isinstance(wanted, (int, float)):
        return isinstance(given, (int, float)) and np.float32(given) == np.float32(wanted)
    return bool(given == wanted)


def _broken_rows(regions: np.ndarray, batch: int, count: int) -> list[str]:
    if regions.shape != (batch * count, 5):
        return [f"The rows have shape {list(regions.shape)}, not [{batch} x {count}, 5]."]
    found = []
    for image, rows in enumerate(regions.reshape(batch, count, 5)):
        ended = np.cumsum(rows[:, 0] < 0) > 0
        real = rows[~ended]
        solid = real[(real[:, 3] > real[:, 1]) & (real[:, 4] > real[:, 2])]
        if not np.isfinite(rows).all():
            found.append(f"Rows of image {image} have values that are not finite.")
        elif (solid[:, 0] != image).any():
            found.append(f"Rows of image {image} carry the image {sorted(set(solid[:, 0].tolist()))}.")
        elif not len(solid):
            found.append(f"Image {image} has no proposal that has an area.")
        # One unit in the last place over the edge is as far as a sum may round.
        elif solid[:, 1:].min() < 0.0 or solid[:, 1:].max() > np.nextafter(np.float32(1), np.float32(2)):
            low, high = float(solid[:, 1:].min()), float(solid[:, 1:].max())
            found.append(f"Corners of image {image} lie from {low:g} to {high:g}, outside of the image.")
        if not found and _inverted(real):
            found.append(f"Rows of image {image} have corners the wrong way round.")
    return found


def _inverted(rows: np.ndarray) -> bool:
    return bool(((rows[:, 3] < rows[:, 1]) | (rows[:, 4] < rows[:, 2])).any())
