"""``post_processing``: how scores are made of logits, and how detections are picked."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.errors import PipelineConfigError


@dataclasses.dataclass(frozen=True)
class PostProcessing:
    """One ``post_processing`` message with its ``batch_non_max_suppression``; thresholds are float32 values.

    ``score_converter`` is IDENTITY, SIGMOID or SOFTMAX. Logits are divided by ``logit_scale`` before it.
    ``calibrated`` says that a calibration follows the score converter.
    """

    score_converter: str = "IDENTITY"
    logit_scale: float = 1.0
    calibrated: bool = False
    score_threshold: float = 0.0
    iou_threshold: float = 0.6
    max_detections_per_class: int = 100
    max_total_detections: int = 100
    use_static_shapes: bool = False
    use_class_agnostic_nms: bool = False
    max_classes_per_detection: int = 1
    soft_nms_sigma: float = 0.0
    use_partitioned_nms: bool = False
    use_combined_nms: bool = False
    change_coordinate_frame: bool = True
    use_hard_nms: bool = False


_SCORE_CONVERTERS = ("IDENTITY", "SIGMOID", "SOFTMAX")
_NMS = tuple(
    field.name
    for field in dataclasses.fields(PostProcessing)
    if field.name not in ("score_converter", "logit_scale", "calibrated")
)


def read_post_processing(message: Any, key: str, where: str) -> PostProcessing:
    """The message's values; an absent message means the API's defaults, as it does to the API.

    What the Object Detection API itself would refuse to build is a :class:`PipelineConfigError`.
    """
    nms = message.batch_non_max_suppression
    result = PostProcessing(
        score_converter=_SCORE_CONVERTERS[message.score_converter],
        logit_scale=message.logit_scale,
        calibrated=message.HasField("calibration_config"),
        **{name: getattr(nms, name) for name in _NMS},
    )
    path = f"{key}.batch_non_max_suppression"
    wrong = None
    if not 0.0 <= result.iou_threshold <= 1.0:
        wrong = f"{path}.iou_threshold is {result.iou_threshold}, outside of 0 to 1."
    elif min(result.max_detections_per_class, result.max_total_detections) < 1:
        wrong = (
            f"{path} keeps {result.max_detections_per_class} detections a class and "
            f"{result.max_total_detections} in all; both have to be positive."
        )
    elif result.max_detections_per_class > result.max_total_detections:
        wrong = (
            f"{path}.max_detections_per_class ({result.max_detections_per_class}) is over "
            f"max_total_detections ({result.max_total_detections})."
        )
    elif not result.soft_nms_sigma >= 0.0:
        wrong = f"{path}.soft_nms_sigma is {result.soft_nms_sigma}, below 0."
    elif not result.logit_scale > 0.0:
        wrong = f"{key}.logit_scale is {result.logit_scale}; it has to be positive."
    if wrong:
        raise PipelineConfigError(
            wrong,
            where=where,
            advice="Give the pipeline.config that the model was exported with.",
            requirement="CFG-11",
        )
    return result
