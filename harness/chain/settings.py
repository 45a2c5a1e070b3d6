"""The values that a replacer works with: the configuration's custom_attributes first, then pipeline.config (CFG-10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import PipelineConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.pipeline.config import PipelineConfig

_MISSING = object()


class Settings:
    """One replacer's settings; names of custom attributes are those of the published configuration files."""

    def __init__(self, replacer: str, config: PipelineConfig, custom_attributes: Mapping[str, object]) -> None:
        self.replacer = replacer
        self.config = config
        self.custom = custom_attributes

    @property
    def num_classes(self) -> int:
        return int(self._number("num_classes", lambda: self.config.num_classes))

    @property
    def score_converter(self) -> str:
        """IDENTITY, SIGMOID or SOFTMAX."""
        value = str(self._value("postprocessing_score_converter", lambda: self.config.score_converter)).upper()
        if value not in {"IDENTITY", "SIGMOID", "SOFTMAX"}:
            raise PipelineConfigError(
                f"postprocessing_score_converter is {value!r}; it has to be IDENTITY, SIGMOID or SOFTMAX.",
                where=f"custom_attributes of {self.replacer}",
                requirement="SSD-3",
            )
        return value

    @property
    def logit_scale(self) -> float:
        return self._number("postprocessing_logit_scale", lambda: self.config.post_processing.logit_scale)

    @property
    def score_threshold(self) -> float:
        return self._number("postprocessing_score_threshold", lambda: self.config.post_processing.score_threshold)

    @property
    def iou_threshold(self) -> float:
        return self._number("postprocessing_iou_threshold", lambda: self.config.post_processing.iou_threshold)

    @property
    def max_detections_per_class(self) -> int:
        return int(
            self._number(
                "postprocessing_max_detections_per_class",
                lambda: self.config.post_processing.max_detections_per_class,
            )
        )

    @property
    def max_total_detections(self) -> int:
        return int(
            self._number(
                "postprocessing_max_total_detections", lambda: self.config.post_processing.max_total_detections
            )
        )

    @property
    def variances_xywh(self) -> list[float]:
        """One over the box coder's scales, in DetectionOutput's order x, y, width, height (SSD-4)."""
        y, x, height, width = self.config.box_coder_scales
        return [1.0 / x, 1.0 / y, 1.0 / width, 1.0 / height]

    def clip_before_nms(self, seen: bool | None) -> bool:
        """What the graph shows wins over the configuration: it is what TensorFlow does."""
        return seen if seen is not None else bool(self.custom.get("clip_before_nms", False))

    def clip_after_nms(self, seen: bool | None) -> bool:
        return not seen if seen is not None else bool(self.custom.get("clip_after_nms", True))

    def _value(self, key: str, read: object) -> object:
        if key in self.custom:
            return self.custom[key]
        try:
            return read()  # type: ignore[operator]
        except PipelineConfigError as error:
            if error.requirement != "CFG-10":
                raise
            raise PipelineConfigError(
                f"{error.what} {self.replacer} needs it.",
                where=error.where,
                advice=f"Give the exported model's pipeline.config, or {key!r} in the replacer's custom_attributes.",
                requirement="CFG-10",
            ) from None

    def _number(self, key: str, read: object) -> float:
        value = self._value(key, read)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise PipelineConfigError(
                f"{key} is {value!r}, which is no number.",
                where=f"custom_attributes of {self.replacer}",
                requirement="CFG-10",
            )
        return value
