"""DetectionOutput's answer: its rows, its attributes, and that the one follows from the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.checks.check import NotApplicable, check, facts
from harness.checks.families import SINGLE_STAGE
from harness.checks.result import Finding
from harness.compare.comparison import Comparison
from harness.compare.detections import compare_detections
from harness.compare.suppression import suppress
from harness.errors import Stage
from harness.observation.detection_output import check_rows
from harness.observation.detections import Answer
from harness.observation.observe import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.checks.evidence import Evidence
    from harness.pipeline.config import PipelineConfig

_CENTER_SIZE = "center_size"


@check("SSD-2", stage=Stage.LAYOUT, families=SINGLE_STAGE, contract="detection_output")
def rows(evidence: Evidence) -> Comparison:
    """Shape [1, 1, N, 7], N = batch x keep_top_k; order, padding, and the ranges of labels, scores and corners."""
    evidence.require_floor()
    config = evidence.config
    findings: list[Finding] = []
    count = 0
    # Under IDENTITY scores are logits, which lie anywhere.
    probabilities = config is None or config.score_converter != "IDENTITY"
    for index, observation in enumerate(evidence.observation()):
        output = rows_of(observation.outputs)
        images = len(observation.answer.images)
        keep = None if config is None else config.post_processing.max_total_detections
        if output.ndim != 4 or output.shape[:2] != (1, 1):
            findings.append(Finding(f"The output has shape {list(output.shape)}, not [1, 1, N, 7].", {"batch": index}))
        broken = check_rows(
            output,
            images,
            num_classes=None if config is None else config.num_classes,
            keep_top_k=keep,
            clipped=evidence.suppression is not None and evidence.suppression.clip != "none",
        )
        findings += [
            Finding(str(one), {"batch": index, "row": one.row, "kind": one.kind})
            for one in broken
            if one.kind != "score_range" or probabilities
        ]
        count += int(np.prod(output.shape[:-1]))
    return facts("rows", count, findings)


@check("SSD-4", stage=Stage.LAYOUT, families=SINGLE_STAGE, contract="detection_output")
def attributes(evidence: Evidence) -> Comparison | NotApplicable:
    """Thresholds, counts, clipping, code type and background are those of pipeline.config and its graph."""
    config = evidence.config
    if config is None:
        return NotApplicable("there is no pipeline.config to compare with")
    operation = evidence.detection_output
    given = operation.attributes
    wanted = _wanted(evidence, config)
    findings = [
        Finding(
            f"{name} is {given.get(name)!r}, and {words} says {value!r}.", {"node": operation.name, "attribute": name}
        )
        for name, (value, words) in wanted.items()
        if not _same(given.get(name), value)
    ]
    return facts("attributes", len(wanted), findings)


@check("SSD-2", "SSD-4", stage=Stage.LAYOUT, families=SINGLE_STAGE, contract="detection_output")
def rows_follow(evidence: Evidence) -> Comparison | NotApplicable:
    """The rows are what TensorFlow's suppression makes of the very heads that DetectionOutput gets."""
    suppression = evidence.suppression
    if suppression is None:
        return NotApplicable("there is no pipeline.config that says how to suppress")
    evidence.require_floor()
    answer = evidence.answer(fed=True)
    heads = answer.heads
    if heads.class_scores is None or not np.isfinite(heads.class_scores[..., 1:]).all():
        return facts("detections", 1, [Finding("The confidences are not finite, so nothing follows from them.")])
    expected = Answer(suppress(heads, suppression), heads)
    return compare_detections(expected, answer, evidence.noise(), suppression)


def _wanted(evidence: Evidence, config: PipelineConfig) -> Mapping[str, tuple[Any, str]]:
    settings = config.post_processing
    suppression = evidence.suppression
    # What TensorFlow cut off before its score converter, a converter may keep or not; but it has to say so.
    scores = evidence.answer(fed=True).heads.class_scores
    background = -1 if scores is not None and np.isnan(scores[..., 0]).all() else 0
    wanted: dict[str, tuple[Any, str]] = {
        "confidence_threshold": (settings.score_threshold, "score_threshold"),
        "nms_threshold": (settings.iou_threshold, "iou_threshold"),
        "keep_top_k": (settings.max_total_detections, "max_total_detections"),
        "code_type": (_CENTER_SIZE, "the box coder"),
        "background_label_id": (background, "the confidences' number of columns"),
        "decrease_label_id": (False, "TensorFlow's labels, which count from 1,"),
        "normalized": (True, "TensorFlow's coordinates"),
        "variance_encoded_in_target": (False, "the box coder"),
        "share_location": (True, "the box predictor"),
    }
    if suppression is not None:
        wanted["clip_before_nms"] = (suppression.clip == "before", "the graph")
        wanted["clip_after_nms"] = (suppression.clip == "after", "the graph")
    return wanted


def _same(given: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool):
        return isinstance(given, (bool, int)) and bool(given) == wanted
    if isinstance(given, (list, tuple)):
        given = given[0] if len(given) == 1 else None
    if isinstance(wanted, float):
        return isinstance(given, (int, float)) and np.float32(given) == np.float32(wanted)
    if wanted == _CENTER_SIZE:
        return isinstance(given, str) and given.lower().endswith(_CENTER_SIZE)
    return bool(given == wanted)
