"""That both sides were asked the same, and that what goes in and comes out is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.checks.check import NotApplicable, check, facts
from harness.checks.result import Finding
from harness.compare.comparison import Comparison
from harness.errors import Stage

if TYPE_CHECKING:
    from harness.checks.evidence import Evidence

_LOSSLESS = (".png", ".bmp")

#: TensorFlow's outputs whose values an IR of a contract answers under names of its own.
ANSWERED = {
    "detection_output": (
        "detection_boxes",
        "detection_scores",
        "detection_classes",
        "num_detections",
        "detection_masks",
    ),
}
#: TensorFlow's outputs that a contract leaves out: what is ahead of suppression, or beside the detections.
LEFT_OUT = {
    "detection_output": (
        "raw_detection_boxes",
        "raw_detection_scores",
        "detection_multiclass_scores",
        "detection_anchor_indices",
        "detection_features",
        "proposal_boxes",
        "proposal_boxes_normalized",
        "anchors",
        "raw_detection_box_feature_map_indices",
    ),
}


@check("VAL-1", stage=Stage.CASE)
def same_pixels(evidence: Evidence) -> Comparison:
    """Scenes are stored without loss at the size that the IR takes, so that both sides get the same pixels."""
    findings = [
        Finding(f"The scene is stored as {scene.path.suffix}, which may lose pixels.", {"scene": scene.name})
        for scene in evidence.case.scenes
        if scene.path.suffix.lower() not in _LOSSLESS
    ]
    images = evidence.images()
    if images.dtype != np.uint8 or images.shape[3] != 3:
        findings.append(Finding(f"The images are {images.dtype} {list(images.shape)}, not uint8 RGB."))
    for port in evidence.inspection().inputs:
        if port.shape is None or len(port.shape) != 4:
            continue
        for side, has, given in zip(("height", "width"), port.shape[1:3], images.shape[1:3], strict=True):
            if has not in (-1, given):
                what = f"The IR takes images of {side} {has}, and TensorFlow was asked with {given}."
                findings.append(Finding(what, {"input": port.name}))
    return facts("images", len(images), findings)


@check("VAL-2", stage=Stage.LAYOUT)
def outputs_accounted(evidence: Evidence) -> Comparison | NotApplicable:
    """Each of TensorFlow's outputs is answered by the IR, or one that its contract leaves out by name."""
    contract = evidence.contract
    if contract is None:
        return NotApplicable("the IR answers by no contract that is known")
    outputs = sorted(evidence.reference().outputs)
    if not outputs:
        return facts("outputs", 1, [Finding("TensorFlow's graph shows no outputs to account for.")])
    ports = evidence.inspection().outputs
    # ovc keeps TensorFlow's index: ``detection_boxes:0``.
    given = {name.partition(":")[0] for port in ports for name in (port.name, *port.names)}
    answered = [name for name in outputs if name in given or name in ANSWERED.get(contract, ())]
    if contract == "detection_output" and "detection_masks" in answered and not given & {"masks"}:
        answered.remove("detection_masks")
    left_out = [name for name in outputs if name not in answered and name in LEFT_OUT.get(contract, ())]
    findings = [
        Finding(
            f"TensorFlow's output {name} is neither answered nor left out by the contract {contract}.",
            {"output": name},
        )
        for name in outputs
        if name not in answered and name not in left_out
    ]
    notes = [f"answered: {', '.join(answered)}"] + ([f"left out: {', '.join(left_out)}"] if left_out else [])
    return facts("outputs", len(outputs), findings, notes)


@check("VAL-2", stage=Stage.LAYOUT)
def inputs_and_outputs(evidence: Evidence) -> Comparison:
    """Inputs and outputs have names, types and shapes on both sides, and the IR has an image to take."""
    inspection = evidence.inspection()
    ports = [*inspection.inputs, *inspection.outputs]
    findings = [
        Finding(f"The IR's {port.name or 'nameless port'} has no element type.", {"port": port.name})
        for port in ports
        if port.element_type in ("", "undefined", "dynamic")
    ]
    findings += [
        Finding(f"The IR has no {words}.")
        for words, found in (("input", inspection.inputs), ("output", inspection.outputs))
        if not found
    ]
    outputs = evidence.reference().outputs
    if not outputs:
        findings.append(Finding("TensorFlow's graph shows no outputs to list."))
    before = [f"{name} {value.dtype} {list(value.shape)}" for name, value in sorted(outputs.items())]
    after = [f"{port.name} {port.element_type} {port.shape_text}" for port in ports]
    notes = [f"before: {', '.join(before)}", f"after: {', '.join(after)}"]
    return facts("inputs and outputs", len(ports) + len(outputs), findings, notes)
