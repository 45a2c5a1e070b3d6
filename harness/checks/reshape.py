"""The IR at other batches and sizes, static and dynamic, there and back."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.checks.check import NotApplicable, check, facts
from harness.checks.exchanged import compare_where_proposals_agree
from harness.checks.families import DETECTORS, SINGLE_STAGE, TWO_STAGE
from harness.checks.result import Finding
from harness.checks.stages import detections_of, observed_stages
from harness.checks.view import View
from harness.compare.comparison import Comparison, merge_comparisons
from harness.compare.detections import compare_detections
from harness.compare.floor import require_floor
from harness.compare.heads import compare_heads
from harness.errors import CaseError, CompileFailure, InferFailure, ReshapeFailure, Stage
from harness.observation.detections import Answer
from harness.pipeline.anchor_generator import MultiscaleAnchorGenerator

if TYPE_CHECKING:
    from harness.checks.evidence import Evidence

#: Sizes by name, as shares of the case's own (height, width), and what they are rounded to.
SIZES = {
    "wide": (3 / 4, 5 / 4, 32),
    "odd": (17 / 16, 15 / 16, 1),
}


@check("RSH-1", stage=Stage.RESHAPE, families=SINGLE_STAGE, variants=({"batch": 2}, {"batch": 3}))
def batch(evidence: Evidence, batch: int) -> Comparison:
    """An IR reshaped to another batch answers each image as TensorFlow does."""
    evidence.require_floor()
    return evidence.compared_detections(View(batch=batch))


@check(
    "RSH-1",
    "RSH-2",
    "PRI-1",
    "PRI-5",
    stage=Stage.RESHAPE,
    families=SINGLE_STAGE,
    contract="detection_output",
    variants=tuple({"size": name} for name in SIZES),
)
def size(evidence: Evidence, size: str) -> Comparison | NotApplicable:
    """An IR reshaped to another height and width answers as TensorFlow's heads do there, with anchors in pixels."""
    view = View(size=other_size(evidence, size))
    refused = evidence.refused_size(view)
    if refused is not None:
        return NotApplicable(refused)
    reference, noise = evidence.reference(view).answer, evidence.noise(view)
    # What is seen at another size is the model's affair, but something has to be.
    require_floor(reference, dataclasses.replace(evidence.case.floor, detections=1, classes=1, score_spread=0.0))
    answer = evidence.answer(view, heads=True)
    parts = dict(compare_heads(reference.heads, answer.heads, noise))
    parts["detections"] = compare_detections(reference, answer, noise, evidence.suppression)
    return merge_comparisons(f"heads and detections at {view}", parts)


@check("RSH-2", stage=Stage.RESHAPE, families=DETECTORS, contract="detection_output")
def back_again(evidence: Evidence) -> Comparison:
    """An IR that was reshaped and is brought back gives its first answers."""
    evidence.require_floor()
    own, there = View(batch=evidence.own_batch, size=evidence.own_size), View(size=other_size(evidence, "wide"))
    first, _, last = evidence.walk((own, there, own))
    return compare_detections(Answer(first), Answer(last), evidence.noise())


@check("SHP-7", stage=Stage.RESHAPE, families=DETECTORS, contract="detection_output")
def refused_size(evidence: Evidence) -> Comparison | NotApplicable:
    """Where the original cannot take another size, an IR that refuses it names the operation that does.

    An IR that takes a size which the original cannot has no oracle there, so that is neither passed nor failed.
    """
    view = View(size=other_size(evidence, "wide"))
    if evidence.refused_size(view) is None:
        return NotApplicable("the original takes other sizes")
    try:
        evidence.observation(view)
    except (ReshapeFailure, CompileFailure, InferFailure) as error:
        named = [operation.name for operation in evidence.graph.operations if operation.name in error.what]
        unnamed = [] if named else [Finding("The refusal names no operation of the IR.", {"message": error.what})]
        return facts("refusals", 1, unnamed, (error.what,))
    return NotApplicable("the IR takes a size that the original cannot, and nothing says what is right there")


@check("RSH-3", stage=Stage.RESHAPE, families=DETECTORS)
def dynamic(evidence: Evidence) -> Comparison | NotApplicable:
    """An IR with open batch, height and width gives what the static one gives."""
    evidence.require_floor()
    view = View(dynamic=True)
    try:
        answer = evidence.answer(view)
    except CompileFailure as error:
        # No release of the CPU plugin has one, whoever made the IR.
        if "PSROIPooling" in error.what and "dynamic shapes" in error.what:
            return NotApplicable("the device has no PSROIPooling for open shapes")
        raise
    if evidence.case.family in TWO_STAGE:
        return _dynamic_stages(evidence, view, answer)
    parts = {
        "against the static IR": _same_answers(evidence.answer(heads=True), answer, evidence),
        "against TensorFlow": evidence.compared_detections(view),
    }
    return merge_comparisons("detections", parts)


def _dynamic_stages(evidence: Evidence, view: View, answer: Answer) -> Comparison:
    """The same where detections follow from a second stage, whose proposals may have changed places in a tie."""
    reference, noise, suppression = detections_of(evidence, view)
    static = evidence.answer()
    if evidence.contract == "detection_output":
        static = Answer(static.images, observed_stages(evidence).second())

    def against_static(given: Answer) -> Comparison:
        try:
            return compare_detections(static, given, noise, suppression)
        except CaseError:  # not its own heads alone, such as zeros for what cannot reach the answer
            return compare_detections(Answer(static.images), given, noise)

    parts = {
        "against the static IR": against_static(answer),
        "against TensorFlow": compare_where_proposals_agree(
            evidence, reference, lambda given: compare_detections(reference, given, noise, suppression), view
        ),
    }
    return merge_comparisons("detections", parts)


def other_size(evidence: Evidence, name: str) -> tuple[int, int]:
    """Another height and width than the case's own, by name: ``wide`` in multiples of 32 or of a pyramid's
    coarsest stride, ``odd`` of no stride.
    """
    tall, wide, step = SIZES[name]
    height, width = evidence.own_size
    if step == 1:
        return max(64, round(height * tall)) | 1, max(64, round(width * wide)) | 1
    step = max(step, _coarsest_stride(evidence))
    sides = (max(64, round(height * tall / step) * step), max(64, round(width * wide / step) * step))
    return sides if sides != (height, width) else (height, width + step)


def _coarsest_stride(evidence: Evidence) -> int:
    """What height and width have to be multiples of for a pyramid's maps to fit each other; 1 for other models."""
    config = evidence.config
    if config is None or "fpn" not in config.feature_extractor.type:
        return 1
    generator = config.anchor_generator
    return int(2**generator.max_level) if isinstance(generator, MultiscaleAnchorGenerator) else 1


def _same_answers(first: Answer, second: Answer, evidence: Evidence) -> Comparison:
    """Two answers of one IR to all of the case's images, within TensorFlow's own noise.

    Open shapes choose other kernels, whose roundings a quantised graph makes steps of; so close decisions may go the
    other way, and the first answer's heads say which are close. Where that does not follow from its heads, nothing is
    explained.
    """
    noise = evidence.noise()
    try:
        return compare_detections(first, second, noise, evidence.suppression)
    except CaseError:
        return compare_detections(Answer(first.images), second, noise)
