"""The Preprocessor: its resizing is cut out, its arithmetic stays, and only the image goes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.check import check, facts
from harness.checks.families import SINGLE_STAGE
from harness.checks.result import Finding
from harness.compare.comparison import Comparison, merge_comparisons
from harness.compare.heads import compare_encodings, compare_scores
from harness.errors import Stage

if TYPE_CHECKING:
    from harness.checks.evidence import Evidence

_CONVOLUTIONS = frozenset({"Convolution", "GroupConvolution"})
_RESIZING = ("Interpolate", "CropAndResize", "ROIAlign")


@check("PRE-1", stage=Stage.HEADS, families=SINGLE_STAGE, contract="detection_output")
def mean_and_scale(evidence: Evidence) -> Comparison:
    """No resizing comes before the first convolution, and the heads agree, as they cannot without mean and scale."""
    evidence.require_floor()
    before = evidence.graph.between("Parameter", _CONVOLUTIONS)
    resizing = [
        Finding(f"The image is resized by a {one.type} before the first convolution.", {"node": one.name})
        for one in before
        if one.type in _RESIZING
    ]
    reference, observed = evidence.reference().answer.heads, evidence.answer(heads=True).heads
    noise = evidence.noise()
    parts = {
        "structure": facts("operations before the first convolution", len(before), resizing),
        "box encodings": compare_encodings(reference, observed, noise),
        "class scores": compare_scores(reference, observed, noise),
    }
    return merge_comparisons("preprocessing", parts)


@check("PRE-3", stage=Stage.LAYOUT, families=SINGLE_STAGE, contract="detection_output")
def only_the_image_goes_in(evidence: Evidence) -> Comparison:
    """The true image shape is a constant by now: the IR's only input is the image, [N, H, W, 3]."""
    inputs = evidence.inspection().inputs
    findings = [
        Finding(f"The input {port.name} {port.shape_text} is no image.", {"input": port.name})
        for port in inputs
        if port.shape is None or len(port.shape) != 4 or port.shape[3] != 3
    ]
    if len(inputs) != 1:
        names = ", ".join(port.name for port in inputs)
        findings.append(Finding(f"The IR has {len(inputs)} inputs ({names or 'none'}), and the image is one."))
    return facts("inputs", max(1, len(inputs)), findings)
