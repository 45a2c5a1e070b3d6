"""Two-stage IRs at other batches and sizes, as far as TensorFlow's own graph can be asked there."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.checks.check import NotApplicable, check
from harness.checks.exchanged import compare_where_proposals_agree
from harness.checks.families import TWO_STAGE
from harness.checks.reshape import SIZES, other_size
from harness.checks.stages import crop_edges, detections_of
from harness.checks.view import View
from harness.compare.comparison import Comparison, merge_comparisons
from harness.compare.detections import compare_detections
from harness.compare.floor import require_floor
from harness.compare.masks import compare_masks
from harness.errors import Stage

if TYPE_CHECKING:
    from harness.checks.evidence import Evidence
    from harness.observation.detections import Answer


@check("RSH-1", "DET-5", stage=Stage.RESHAPE, families=TWO_STAGE, variants=({"batch": 2}, {"batch": 3}))
def batch_of_two_stages(evidence: Evidence, batch: int) -> Comparison | NotApplicable:
    """An IR reshaped to another batch answers each image, masks included, as TensorFlow does."""
    evidence.require_floor()
    view = View(batch=batch)
    return _answers(evidence, view)


@check(
    "RSH-1",
    "RSH-2",
    stage=Stage.RESHAPE,
    families=TWO_STAGE,
    contract="detection_output",
    variants=tuple({"size": name} for name in SIZES),
)
def size_of_two_stages(evidence: Evidence, size: str) -> Comparison | NotApplicable:
    """An IR reshaped to another height and width answers as TensorFlow's own graph does for an image of that size."""
    view = View(size=other_size(evidence, size))
    refused = evidence.refused_size(view)
    if refused is not None:
        return NotApplicable(refused)
    reference = evidence.reference(view).answer
    # What is seen at another size is the model's affair, but something has to be.
    floor = dataclasses.replace(evidence.case.floor, detections=1, classes=1, score_spread=0.0, mask_area=0.0)
    require_floor(reference, floor)
    return _answers(evidence, view)


def _answers(evidence: Evidence, view: View) -> Comparison:
    reference, noise, suppression = detections_of(evidence, view)
    with_masks = any(image.masks is not None for image in reference.images)
    edges = crop_edges(evidence, view) if with_masks else None

    def compare(answer: Answer) -> Comparison:
        parts = {"detections": compare_detections(reference, answer, noise, suppression)}
        if with_masks:
            parts["masks"] = compare_masks(reference, answer, noise, edges=edges)
        return merge_comparisons(f"answers at {view}", parts)

    return compare_where_proposals_agree(evidence, reference, compare, view)
