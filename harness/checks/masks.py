"""Masks: their layout, whose they are, and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.checks.check import NotApplicable, check, facts
from harness.checks.exchanged import compare_where_proposals_agree
from harness.checks.result import Finding
from harness.checks.stages import crop_edges, detections_of, ir_stages, needed_config
from harness.compare.comparison import Comparison
from harness.compare.masks import compare_masks
from harness.errors import Stage
from harness.observation.ir_stages import REGIONS
from harness.observation.observe import MASKS, masks_of, rows_of
from harness.pipeline.box_predictor import MaskRcnnBoxPredictor

if TYPE_CHECKING:
    from harness.checks.evidence import Evidence

_FAMILY = ("mask_rcnn",)
_ROWS = "reshape_do_2d"
#: Of the last place of corners near 1.
_EXACT = 1e-6


@check("MSK-2", stage=Stage.MASKS, families=_FAMILY, contract="detection_output")
def mask_layout(evidence: Evidence) -> Comparison | NotApplicable:
    """Masks are [batch x keep_top_k, classes, h, w], and probabilities: the sigmoid was applied, once."""
    config = needed_config(evidence)
    predictor = config.box_predictor
    if not isinstance(predictor, MaskRcnnBoxPredictor) or not config.predicts_masks:
        return NotApplicable("pipeline.config predicts no masks")
    keep = config.post_processing.max_total_detections
    findings: list[Finding] = []
    values = 0
    shown = evidence.reference().answer.images[0].masks
    sides = (predictor.mask_height, predictor.mask_width) if shown is None else shown.shape[1:]
    for batch, observation in enumerate(evidence.observation()):
        masks = masks_of(observation.outputs)
        if masks is None:
            return facts("masks", 1, [Finding(f"There is no output named {MASKS}.", {"batch": batch})])
        wanted = (len(observation.answer.images) * keep, config.num_classes, *sides)
        if masks.shape != wanted:
            findings.append(Finding(f"The masks have shape {list(masks.shape)}, not {list(wanted)}.", {"batch": batch}))
        elif not np.isfinite(masks).all() or masks.min() < 0.0 or masks.max() > 1.0:
            low, high = float(masks.min()), float(masks.max())
            findings.append(Finding(f"Masks have values from {low:g} to {high:g}, not 0 to 1.", {"batch": batch}))
        values += masks.size
    return facts("values", values, findings)


@check("MSK-3", stage=Stage.LAYOUT, families=_FAMILY, contract="detection_output")
def rows_before_masks(evidence: Evidence) -> Comparison:
    """The first output is reshape_do_2d, [batch x keep_top_k, 7], and the masks come second."""
    outputs = evidence.inspection().outputs
    keep = needed_config(evidence).post_processing.max_total_detections
    findings = []
    if not outputs or _ROWS not in outputs[0].names:
        findings.append(Finding(f"The first output is {outputs[0].name if outputs else 'missing'}, not {_ROWS}."))
    elif outputs[0].shape not in ((evidence.own_batch * keep, 7), (-1, 7)):
        what = f"It has shape {outputs[0].shape_text}, not [{evidence.own_batch} x {keep}, 7]."
        findings.append(Finding(what, {"output": outputs[0].name}))
    if len(outputs) != 2 or MASKS not in outputs[1].names:
        names = ", ".join(port.name for port in outputs)
        findings.append(Finding(f"The outputs are {names or 'none'}, not {_ROWS} and {MASKS}."))
    return facts("outputs", max(2, len(outputs)), findings)


@check("MSK-1", stage=Stage.LAYOUT, families=_FAMILY, contract="detection_output")
def second_roi_pooling(evidence: Evidence) -> Comparison:
    """A second ROIPooling crops along DetectionOutput's rows: each row's image and box, in the rows' order."""
    stages = ir_stages(evidence)
    if len(stages.final_pooled) != 1 or stages.final_pooled[0].type != "ROIPooling":
        names = [f"{operation.type} {operation.name}" for operation in stages.final_pooled]
        what = f"{len(names)} poolings crop along the final detections, and one ROIPooling should."
        return facts("operations", 1, [Finding(what, {"nodes": names})])
    (pooling,) = stages.final_pooled
    findings: list[Finding] = []
    compared = 0
    observations = evidence.observation()
    for batch, ((regions,), observation) in enumerate(
        zip(evidence.extract(pooling.name, (REGIONS,)), observations, strict=True)
    ):
        rows = rows_of(observation.outputs).reshape(-1, 7)
        if len(regions) != len(rows):
            what = f"There are {len(regions)} crops for {len(rows)} rows."
            findings.append(Finding(what, {"node": pooling.name, "batch": batch}))
            continue
        ends = np.flatnonzero(rows[:, 0] < 0)
        real = slice(0, int(ends[0]) if len(ends) else len(rows))
        off = np.abs(regions[real] - rows[real][:, [0, 3, 4, 5, 6]]).max(axis=1)
        findings += [
            Finding("A crop is not along its row.", {"batch": batch, "row": int(row)}, error=float(off[row]))
            for row in np.flatnonzero(~(off <= _EXACT))
        ]
        compared += len(off)
    return facts("crops", compared, findings)


@check("MSK-4", "MSK-7", stage=Stage.MASKS, families=_FAMILY)
def masks(evidence: Evidence) -> Comparison:
    """Each detection that TensorFlow has as well has TensorFlow's mask, on the channel of its own class."""
    evidence.require_floor()
    reference, noise, _ = detections_of(evidence)
    edges = crop_edges(evidence)
    return compare_where_proposals_agree(
        evidence, reference, lambda answer: compare_masks(reference, answer, noise, edges=edges)
    )
