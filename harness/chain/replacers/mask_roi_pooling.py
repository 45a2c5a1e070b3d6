"""Crops of the final detections: a second ROIPooling that reads DetectionOutput's rows (MSK-1, MSK-3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from harness.chain.graph import Tensor
from harness.chain.match import Match
from harness.chain.replacer import Replacer
from harness.chain.replacers.proposal import SWAP_BOXES
from harness.chain.two_stage.crops import box_source
from harness.chain.two_stage.masks import MASKS
from harness.chain.two_stage.roi_pooling import replace_crop
from harness.errors import ConversionError

if TYPE_CHECKING:
    from harness.chain.context import ConversionContext
    from harness.chain.two_stage.stages import Stages

DETECTION_ROWS = "TwoStageDetectionRows"
FINAL_BOXES = "TwoStageFinalBoxes"
DETECTION_REGIONS = "TwoStageDetectionRegions"


class MaskRoiPoolingReplacement(Replacer):
    """``reshape_do_2d`` ``[N * K, 7]`` becomes an output, and the crops of its boxes feed the mask head."""

    replacement_id: ClassVar[str] = "ObjectDetectionAPIMaskRCNNROIPoolingSecondReplacement"
    run_after: ClassVar[tuple[str, ...]] = (
        "ObjectDetectionAPIProposalReplacement",
        "ObjectDetectionAPIDetectionOutputReplacement",
    )

    def find(self, context: ConversionContext) -> list[Match]:
        if "detection_output" not in context.shared or MASKS not in context.graph:
            return []
        return [Match(nodes=frozenset(self._crops(context)))]

    def replace(self, context: ConversionContext, match: Match) -> None:  # noqa: ARG002 - the stages say where
        graph = context.graph
        detections = context.shared.get("detection_output")
        if detections is None:
            if context.requested_outputs:
                return
            raise ConversionError(
                "There is no DetectionOutput whose boxes could be cropped.",
                where=self.replacement_id,
                advice="Let ObjectDetectionAPIDetectionOutputReplacement stand in the configuration.",
                requirement="MSK-1",
            )
        crops = self._crops(context)
        if not crops:
            raise ConversionError(
                "No crop of the final detections feeds the masks.",
                where=f"node {MASKS!r}",
                advice="Convert a graph that the Object Detection API exported with all three stages.",
                requirement="MSK-1",
            )
        rows = graph.add(DETECTION_ROWS, "reshape_do_2d", [Tensor(str(detections))], {})
        regions = graph.add(DETECTION_REGIONS, "reshape_do", [Tensor(rows.name)], {})
        kept = graph[str(detections)].attr["keep_top_k"].i
        attributes = {"max_proposals": int(kept), "name_in_model": "crop_do_coords"}
        boxes = graph.add(FINAL_BOXES, "crop_do_coords", [Tensor(regions.name)], attributes)
        swapped = graph.add(SWAP_BOXES, "swap_do_coords", [Tensor(boxes.name)], {})
        for source in {box_source(graph, crop) for crop in crops}:
            graph.redirect(source, Tensor(swapped.name))
        for number, crop in enumerate(crops):
            replace_crop(
                graph, crop, Tensor(regions.name), "ROI_pooling_2" if not number else f"ROI_pooling_2_{number}"
            )
        context.outputs[:] = [rows.name, *(name for name in context.outputs if name != detections)]
        context.note(f"Crops of the final detections for the masks: {len(crops)}.")

    @staticmethod
    def _crops(context: ConversionContext) -> list[str]:
        """The crops of final boxes that the masks need."""
        stages = cast("Stages", context.shared["stages"])
        needed = context.graph.ancestors([MASKS], stop=stages.crops) if MASKS in context.graph else {}
        return [crop for crop in stages.final_crops if crop in needed]
