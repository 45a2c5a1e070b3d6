"""What an IR answers for one batch, in the canonical form, whichever contract it answers by."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from harness.observation.detection_output import from_detection_output
from harness.observation.detections import Answer, Heads
from harness.observation.heads import heads_from_detection_output
from harness.observation.ir_graph import IrGraph, Operation
from harness.observation.tf_outputs import from_tf_outputs
from harness.observation.violations import LayoutError, LayoutViolation
from harness.runtime.facts import IRFacts, OpFacts
from harness.runtime.runtime import Runtime

Contract = Literal["detection_output", "tf_outputs"]
LOCATIONS, CONFIDENCES, PRIORS = 0, 1, 2
MASKS = "masks"


@dataclasses.dataclass(frozen=True)
class Observation:
    """An IR's answer to one batch.

    ``outputs`` are its outputs as they came, ``violations`` what they break of their contract's layout. ``fed`` are
    the heads as DetectionOutput gets them, where they were asked for: a converter may have set scores to zero there
    that cannot reach the answer. The heads of ``answer`` are those before that.
    """

    answer: Answer
    outputs: Mapping[str, np.ndarray]
    violations: tuple[LayoutViolation, ...] = ()
    fed: Heads = dataclasses.field(default_factory=Heads)


def contract_of(facts: IRFacts) -> Contract | None:
    """The contract that an IR itself shows: a DetectionOutput, or TensorFlow's names among its outputs."""
    if facts.ops_of("DetectionOutput"):
        return "detection_output"
    names = {name.split(":")[0] for port in facts.outputs for name in port.names}
    return "tf_outputs" if {"detection_boxes", "detection_scores", "detection_classes"} <= names else None


def the_detection_output(facts: IRFacts) -> OpFacts:
    """The one DetectionOutput of an IR; raises LayoutError when there is none, or more than one (SSD-1)."""
    found = facts.ops_of("DetectionOutput")
    if len(found) != 1:
        raise LayoutError(
            f"The IR has {len(found)} DetectionOutput operations, and one should answer.",
            where=", ".join(operation.name for operation in found) or "the IR's operations",
            advice="Put one DetectionOutput in the place of the whole Postprocessor.",
            requirement="SSD-1",
        )
    return found[0]


def observe(
    runtime: Runtime,
    ir: Path,
    facts: IRFacts,
    images: np.ndarray,
    *,
    shape: Sequence[int] | None = None,
    dynamic: bool = False,
    heads: bool = False,
) -> Observation:
    """The answer to uint8 images ``[N, H, W, 3]``; with ``heads`` also what its DetectionOutput is fed with.

    Raises LayoutError when the answer cannot be read at all, and the runtime's own failures.
    """
    outputs = runtime.infer(ir, inputs_for(facts, images), shape=shape, dynamic=dynamic)
    violations: list[LayoutViolation] = []
    if contract_of(facts) == "tf_outputs":
        found = from_tf_outputs(_by_tf_names(facts, outputs), violations=violations)
        return Observation(Answer(found), outputs, tuple(violations))
    rows = rows_of(outputs)
    found = from_detection_output(rows, len(images), masks=masks_of(outputs), violations=violations)
    raw, fed = Heads(), Heads()
    if heads:
        raw, fed = _heads(runtime, ir, facts, images, shape)
    return Observation(Answer(found, raw), outputs, tuple(violations), fed)


def rows_of(outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The one output that has rows of DetectionOutput; raises LayoutError when there is none, or more than one."""
    fitting = {
        name: value for name, value in outputs.items() if value.ndim >= 2 and value.shape[-1] == 7 and name != MASKS
    }
    if len(fitting) != 1:
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items())
        raise LayoutError(
            f"{len(fitting)} of the IR's outputs have rows of 7 values, and one should.",
            where=f"outputs {shapes or '(none)'}",
            advice="Answer with DetectionOutput's rows, or with TensorFlow's named outputs.",
            requirement="SSD-2",
        )
    return next(iter(fitting.values()))


def masks_of(outputs: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """The masks ``[N * K, C, h, w]`` beside the rows, in their order; None where the IR gives none (MSK-2)."""
    return outputs.get(MASKS)


def inputs_for(facts: IRFacts, images: np.ndarray) -> list[np.ndarray] | dict[str, np.ndarray]:
    """What the IR is fed for a batch: the images, and their height, width and scale 1 where it asks for that (PRO-6).

    Such an input is of rank 2 and has rows of 3 values, or of 4 with two scales.
    """
    information = {
        port.name: port.shape
        for port in facts.inputs
        if port.shape is not None and len(port.shape) == 2 and port.shape[1] in (3, 4)
    }
    image = [port.name for port in facts.inputs if port.shape is not None and len(port.shape) == 4]
    if not information or len(image) != 1:
        return [images]
    given = {image[0]: images}
    for name, (rows, width) in information.items():
        row = np.array([images.shape[1], images.shape[2], *[1] * (width - 2)], np.float32)
        given[name] = np.tile(row, (len(images) if rows < 0 else rows, 1))
    return given


def score_source(graph: IrGraph, detection_output: str) -> tuple[str, int] | None:
    """Where the confidences come from before some are set to zero: a node and the index of its input; else None.

    Zeros are put in by selecting between scores and a constant, or by scattering kept scores into zeros.
    """
    operation = graph.find(detection_output)
    found: tuple[str, int] | None = None
    index = CONFIDENCES
    while True:
        source = graph.source(operation, index)
        if source.type in ("Reshape", "Squeeze", "Unsqueeze", "Convert"):
            operation, index = source, 0
        elif source.type == "Select" and graph.source(source, 2).type == "Const":
            found = (source.name, 1)
            operation, index = source, 1
        elif source.type == "ScatterNDUpdate" and _zeros(graph, graph.source(source, 0)):
            zeros = graph.source(source, 0)
            found = (zeros.name, 0)
            operation, index = zeros, 0
        else:
            return found


def _zeros(graph: IrGraph, operation: Operation) -> bool:
    """Whether an operation makes zeros of the shape of its first input."""
    return operation.type == "Multiply" and graph.source(operation, 1).type == "Const"


def _heads(
    runtime: Runtime, ir: Path, facts: IRFacts, images: np.ndarray, shape: Sequence[int] | None
) -> tuple[Heads, Heads]:
    operation = the_detection_output(facts)
    locations, confidences, priors = runtime.infer_sub(
        ir, operation.name, (LOCATIONS, CONFIDENCES, PRIORS), [images], shape=shape
    )
    fed = _in_tf_terms(operation, locations, confidences, priors)
    before = score_source(IrGraph(ir), operation.name)
    if before is None:
        return fed, fed
    (scores,) = runtime.infer_sub(ir, before[0], before[1], [images], shape=shape)
    return _in_tf_terms(operation, locations, scores.reshape(confidences.shape), priors), fed


def _in_tf_terms(operation: OpFacts, locations: np.ndarray, confidences: np.ndarray, priors: np.ndarray) -> Heads:
    attributes: Mapping[str, Any] = operation.attributes
    return heads_from_detection_output(
        locations,
        confidences,
        priors,
        share_location=bool(attributes.get("share_location", True)),
        variance_encoded_in_target=bool(attributes.get("variance_encoded_in_target", False)),
        background_label_id=int(attributes.get("background_label_id", 0)),
        normalized=bool(attributes.get("normalized", False)),
        image_size=(int(attributes.get("input_height", 1)), int(attributes.get("input_width", 1))),
    )


def _by_tf_names(facts: IRFacts, outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs by TensorFlow's names: an output may have several, and is keyed by the shortest."""
    named = {}
    for port in facts.outputs:
        for name in port.names:
            plain = name.split(":")[0]
            if plain.startswith(("detection_", "num_detections")) and port.name in outputs:
                named[plain] = outputs[port.name]
    return named
