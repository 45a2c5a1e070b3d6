"""What EfficientDet has that other single-stage detectors do not: no background among its classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.check import check
from harness.compare.comparison import Comparison, merge_comparisons
from harness.compare.heads import compare_anchors
from harness.errors import Stage

if TYPE_CHECKING:
    from harness.checks.evidence import Evidence


@check("SSD-9", stage=Stage.DETECTIONS, families=("efficientdet",), contract="detection_output")
def labels_and_anchors(evidence: Evidence) -> Comparison:
    """Labels count from 1 although there is no background, and anchors are those of the generator, unrounded."""
    evidence.require_floor()
    reference, observed = evidence.reference().answer.heads, evidence.answer(heads=True).heads
    parts = {
        "prior boxes": compare_anchors(reference, observed, evidence.noise()),
        "detections": evidence.compared_detections(),
    }
    return merge_comparisons("labels and anchors", parts)
