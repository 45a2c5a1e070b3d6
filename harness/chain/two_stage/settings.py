"""The values that the two-stage replacers work with: custom_attributes first, then pipeline.config (CFG-10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.chain.settings import Settings
from harness.chain.two_stage.grid_anchors import GridAnchors
from harness.errors import PipelineConfigError
from harness.pipeline.anchor_generator import GridAnchorGenerator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.chain.context import ConversionContext
    from harness.pipeline.config import PipelineConfig


class _NoPipeline:
    """Stands for the pipeline.config that was not given: every value of it is missing."""

    where = "no pipeline.config was given"

    def __getattr__(self, name: str) -> Any:
        raise PipelineConfigError(
            f"The value {name} comes from pipeline.config, and none was given.",
            where=self.where,
            advice="Pass the pipeline.config that lies beside the exported model with --pipeline-config.",
            requirement="CFG-10",
        )


class TwoStageSettings(Settings):
    """One replacer's settings; names of custom attributes are those of the published configuration files."""

    def __init__(self, replacer: str, config: PipelineConfig, custom_attributes: Mapping[str, object]) -> None:
        super().__init__(replacer, config, custom_attributes)
        self.seen_coder_scales: dict[str, float] = {}

    @classmethod
    def of(cls, replacer: str, context: ConversionContext, custom_attributes: Mapping[str, object]) -> TwoStageSettings:
        """The settings for a conversion; pipeline.config may be absent where custom attributes say everything."""
        config: Any = context.config if context.config is not None else _NoPipeline()
        return cls(replacer, config, custom_attributes)

    @property
    def first_stage_max_proposals(self) -> int:
        return int(self._number("first_stage_max_proposals", lambda: self.config.first_stage_max_proposals))

    @property
    def first_stage_nms_iou_threshold(self) -> float:
        return self._number("first_stage_nms_iou_threshold", lambda: self.config.first_stage_nms_iou_threshold)

    @property
    def first_stage_nms_score_threshold(self) -> float:
        """The objectness that a proposal has to exceed; the published configurations never name it: zero then."""
        if self._without_pipeline and "first_stage_nms_score_threshold" not in self.custom:
            return 0.0
        return self._number("first_stage_nms_score_threshold", lambda: self.config.first_stage_nms_score_threshold)

    @property
    def initial_crop_size(self) -> int:
        return int(self._number("initial_crop_size", lambda: self.config.initial_crop_size))

    def rfcn_size(self, key: str) -> int:
        """``crop_height``, ``crop_width``, ``num_spatial_bins_height`` or ``num_spatial_bins_width`` of an R-FCN."""
        return int(self._number(key, lambda: getattr(self.config.rfcn_box_predictor, key)))

    @property
    def grid_anchors(self) -> GridAnchors:
        """The first stage's anchors."""

        def pair(name: str) -> tuple[float, float]:
            return tuple(  # type: ignore[return-value]
                float(self._number(f"anchor_generator_{key}", lambda key=key: getattr(self._generator, key)))
                for key in (f"height{name}", f"width{name}")
            )

        return GridAnchors(
            base_size=pair(""),
            stride=pair("_stride"),
            offset=(0.0, 0.0) if self._without_pipeline else pair("_offset"),
            scales=self._numbers("anchor_generator_scales", lambda: self._generator.scales),
            aspect_ratios=self._numbers("anchor_generator_aspect_ratios", lambda: self._generator.aspect_ratios),
        )

    @property
    def box_coder_scales(self) -> tuple[float, float, float, float]:
        """(y, x, height, width) scales: a configuration's, else those that the graph shows, else the API's own."""
        return tuple(  # type: ignore[return-value]
            float(
                self._number(
                    f"frcnn_variance_{side}",
                    lambda side=side, default=default: self.seen_coder_scales.get(f"frcnn_variance_{side}", default),
                )
            )
            for side, default in (("y", 10.0), ("x", 10.0), ("height", 5.0), ("width", 5.0))
        )

    @property
    def variances_xywh(self) -> list[float]:
        y, x, height, width = self.box_coder_scales
        return [1.0 / x, 1.0 / y, 1.0 / width, 1.0 / height]

    @property
    def _without_pipeline(self) -> bool:
        return isinstance(self.config, _NoPipeline)

    @property
    def _generator(self) -> GridAnchorGenerator:
        generator = self.config.anchor_generator
        if not isinstance(generator, GridAnchorGenerator):
            raise PipelineConfigError(
                f"The first stage's anchors come from a {type(generator).__name__}, and no grid_anchor_generator.",
                where=f"{self.config.where}: first_stage_anchor_generator",
                requirement="PRO-1",
            )
        return generator

    def _numbers(self, key: str, read: object) -> tuple[float, ...]:
        value = self._value(key, read)
        if (
            not isinstance(value, (list, tuple))
            or not value
            or any(isinstance(item, bool) or not isinstance(item, (int, float)) for item in value)
        ):
            raise PipelineConfigError(
                f"{key} is {value!r}, which is no list of numbers.",
                where=f"custom_attributes of {self.replacer}",
                requirement="CFG-10",
            )
        return tuple(float(item) for item in value)
