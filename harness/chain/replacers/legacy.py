"""The first form of support for Faster R-CNN, with every value in the configuration (PRO-8, *legacy*).

Its configuration names a proposals' step that includes the crop, and gives strides, scales and thresholds itself, so
that no pipeline.config is needed. Here its attributes are those of today's replacers under other names.
"""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from harness.chain.match import Match
from harness.chain.replacers.detection_output import DetectionOutputReplacement
from harness.chain.replacers.preprocessor import PreprocessorReplacement
from harness.chain.replacers.proposal import ProposalReplacement
from harness.errors import UsageError
from harness.pipeline.config import PipelineConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.chain.context import ConversionContext

_ANY_SIZE = "model { faster_rcnn { image_resizer { identity_resizer {} } } }"

_PROPOSAL_NAMES: Mapping[str, tuple[str, ...]] = {
    "nms_threshold": ("first_stage_nms_iou_threshold",),
    "max_proposals": ("first_stage_max_proposals",),
    "feat_stride": ("anchor_generator_height_stride", "anchor_generator_width_stride"),
    "anchor_base_size": ("anchor_generator_height", "anchor_generator_width"),
    "anchor_scales": ("anchor_generator_scales",),
    "anchor_aspect_ratios": ("anchor_generator_aspect_ratios",),
}
_DETECTION_NAMES: Mapping[str, tuple[str, ...]] = {
    "confidence_threshold": ("postprocessing_score_threshold",),
    "nms_threshold": ("postprocessing_iou_threshold",),
    "keep_top_k": ("postprocessing_max_total_detections",),
    "max_detections_per_class": ("postprocessing_max_detections_per_class",),
}


def _renamed(match: Match, names: Mapping[str, tuple[str, ...]], **fixed: object) -> Match:
    attributes = {**fixed, **match.custom_attributes}
    for old, new in names.items():
        if old in match.custom_attributes:
            attributes.update(dict.fromkeys(new, match.custom_attributes[old]))
    return dataclasses.replace(match, custom_attributes=MappingProxyType(attributes))


class LegacyPreprocessorReplacement(PreprocessorReplacement):
    """Today's rule; without a pipeline.config the input has the size that the caller gives."""

    replacement_id: ClassVar[str] = "PreprocessorReplacement"

    def find(self, context: ConversionContext) -> list[Match]:  # noqa: ARG002 - only a configuration asks for it
        return []

    def replace(self, context: ConversionContext, match: Match) -> None:
        if context.config is not None:
            super().replace(context, match)
            return
        if context.requested_shape is None:
            raise UsageError(
                "Without a pipeline.config the input's size has to be given.",
                where=self.replacement_id,
                advice="Give the input shape, for example [1,600,600,3].",
                requirement="PRO-8",
            )
        context.config = PipelineConfig.parse(_ANY_SIZE, where=self.replacement_id)
        try:
            super().replace(context, match)
        finally:
            context.config = None


class LegacyProposalReplacement(ProposalReplacement):
    """Proposals scaled to the image's size, and the crops along them, from the configuration's own values."""

    replacement_id: ClassVar[str] = "TFObjectDetectionAPIFasterRCNNProposalAndROIPooling"
    run_after: ClassVar[tuple[str, ...]] = ("PreprocessorReplacement",)
    run_before: ClassVar[tuple[str, ...]] = ("SecondStagePostprocessorReplacement",)

    def find(self, context: ConversionContext) -> list[Match]:  # noqa: ARG002 - only a configuration asks for it
        return []

    def replace(self, context: ConversionContext, match: Match) -> None:
        super().replace(context, _renamed(match, _PROPOSAL_NAMES))


class LegacyDetectionOutputReplacement(DetectionOutputReplacement):
    """The second stage's DetectionOutput, from the configuration's own values and a softmax over the classes."""

    replacement_id: ClassVar[str] = "SecondStagePostprocessorReplacement"
    run_after: ClassVar[tuple[str, ...]] = ("TFObjectDetectionAPIFasterRCNNProposalAndROIPooling",)

    def find(self, context: ConversionContext) -> list[Match]:  # noqa: ARG002 - only a configuration asks for it
        return []

    def replace(self, context: ConversionContext, match: Match) -> None:
        fixed = {"postprocessing_score_converter": "SOFTMAX", "coordinates_swap_method": "swap_weights"}
        super().replace(context, _renamed(match, _DETECTION_NAMES, **fixed))
