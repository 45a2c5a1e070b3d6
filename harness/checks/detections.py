"""The detections themselves, as sets, and where a difference starts."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.checks.check import NotApplicable, check
from harness.checks.families import SINGLE_STAGE
from harness.checks.result import Finding
from harness.compare.comparison import Comparison
from harness.compare.heads import compare_heads
from harness.errors import Stage

if TYPE_CHECKING:
    from harness.checks.evidence import Evidence


@check("SSD-7", stage=Stage.DETECTIONS, families=SINGLE_STAGE)
def detections(evidence: Evidence) -> Comparison:
    """Boxes, scores, classes and their number are TensorFlow's, but for decisions that were truly close."""
    evidence.require_floor()
    return evidence.compared_detections()


@check("SSD-5", stage=Stage.DETECTIONS, families=SINGLE_STAGE)
def crowd(evidence: Evidence) -> Comparison | NotApplicable:
    """Of many overlapping candidates of one class as many are kept as TensorFlow keeps after suppression."""
    settings = None if evidence.config is None else evidence.config.post_processing
    if settings is None:
        return NotApplicable("there is no pipeline.config that says how many a class may keep")
    evidence.require_floor()
    reference = evidence.reference().answer
    least = min(CROWD, settings.max_detections_per_class)
    most = max(
        (int((image.classes == label).sum()) for image in reference.images for label in set(image.classes.tolist())),
        default=0,
    )
    if most < least:
        return NotApplicable(f"TensorFlow finds at most {most} of one class, and {least} make a crowd")
    compared = evidence.compared_detections()
    return dataclasses.replace(compared, notes=(*compared.notes, f"TensorFlow finds up to {most} of one class"))


@check("VAL-3", stage=Stage.HEADS, families=SINGLE_STAGE, contract="detection_output")
def first_difference(evidence: Evidence) -> Comparison:
    """Anchors, variances, encodings, scores, detections, in the order of the graph: the first that differs is named."""
    evidence.require_floor()
    reference, observed = evidence.reference().answer.heads, evidence.answer(heads=True).heads
    stages = dict(compare_heads(reference, observed, evidence.noise()))
    stages["detections"] = evidence.compared_detections()
    passed = 0
    for name, compared in stages.items():
        if compared.outcome != "passed":
            first = compared.findings[0] if compared.findings else Finding(f"Nothing of the {name} could be compared.")
            told = Finding(
                f"The difference starts at the {name.replace('_', ' ')}: {first.what}",
                {"starts_at": name, **first.where},
                error=first.error,
                noise=first.noise,
                tolerance=first.tolerance,
                passing_tolerance=first.passing_tolerance,
                unit=first.unit,
            )
            return dataclasses.replace(compared, findings=(told,), compared=passed + compared.compared)
        passed += compared.compared
    return Comparison("boundaries", compared=passed, notes=(f"in order: {', '.join(stages)}",))


#: So many detections of one class on one image make a crowd: what is cut before suppression then goes missing.
CROWD = 20
