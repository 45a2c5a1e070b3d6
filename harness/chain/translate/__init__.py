"""From the rewritten graph's own op types to OpenVINO's: one translator an op type.

A translator gets the front end's view of one node and gives the outputs that stand for it. Translators are the only
code of the chain that builds OpenVINO operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.chain.translate.masks import translate_detection_regions, translate_detection_rows, translate_masks
from harness.chain.translate.proposals import translate_proposals
from harness.chain.translate.regions import (
    translate_crop_proposals,
    translate_psroi_pooling,
    translate_roi_pooling,
    translate_swap_boxes,
)
from harness.chain.translate.second_stage import translate_second_stage
from harness.chain.translate.ssd import translate_ssd
from harness.chain.translate.upsampling import translate_nearest_upsampling

if TYPE_CHECKING:
    from collections.abc import Callable

TRANSLATORS: dict[str, Callable[[Any], list[Any]]] = {
    "NearestUpsampling": translate_nearest_upsampling,
    "SsdDetectionOutput": translate_ssd,
    "TwoStageCropProposals": translate_crop_proposals,
    "TwoStageDetectionRegions": translate_detection_regions,
    "TwoStageDetectionRows": translate_detection_rows,
    "TwoStageFinalBoxes": translate_crop_proposals,
    "TwoStageMasks": translate_masks,
    "TwoStageDetectionOutput": translate_second_stage,
    "TwoStageProposals": translate_proposals,
    "TwoStagePsRoiPooling": translate_psroi_pooling,
    "TwoStageRoiPooling": translate_roi_pooling,
    "TwoStageSwapBoxes": translate_swap_boxes,
}
