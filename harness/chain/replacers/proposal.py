"""Replaces the first stage's post-processing by Proposal, or by a DetectionOutput over anchors (PRO-1 to PRO-7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.chain.consistency import check_architecture, contradiction
from harness.chain.graph import Tensor
from harness.chain.match import Match
from harness.chain.replacer import Replacer
from harness.chain.ssd.suppression import read_suppression
from harness.chain.two_stage.consistency import check_first_stage
from harness.chain.two_stage.crops import box_source
from harness.chain.two_stage.ends import detector_ends, name_masks
from harness.chain.two_stage.grid_anchors import seen_anchors
from harness.chain.two_stage.position_sensitive import split_behind
from harness.chain.two_stage.roi_pooling import replace_crop
from harness.chain.two_stage.settings import TwoStageSettings
from harness.chain.two_stage.stages import find_heads, find_stages, head_behind, layers_behind
from harness.errors import ConfigurationError, ConversionError

if TYPE_CHECKING:
    from harness.chain.context import ConversionContext
    from harness.chain.graph import Graph
    from harness.chain.two_stage.grid_anchors import GridAnchors
    from harness.chain.two_stage.stages import Stages

PROPOSALS = "TwoStageProposals"
CROP_PROPOSALS = "TwoStageCropProposals"
SWAP_BOXES = "TwoStageSwapBoxes"
OPERATIONS = ("Proposal", "DetectionOutput")
"""What ``operation_to_add`` may be (PRO-4)."""

_OTHER_CROPS = ("MatMulCropAndResize", "MultiLevelMatMulCropAndResize", "MultiLevelRoIAlign")


class ProposalReplacement(Replacer):
    """One node that gives the regions of proposals, and a ROIPooling for each crop that was cut along them."""

    replacement_id: ClassVar[str] = "ObjectDetectionAPIProposalReplacement"
    run_after: ClassVar[tuple[str, ...]] = (
        "ObjectDetectionAPIPreprocessorReplacement",
        "ObjectDetectionAPIPreprocessor2Replacement",
    )

    def find(self, context: ConversionContext) -> list[Match]:
        stages = find_stages(context.graph, detector_ends(context.graph))
        if stages is None:
            _refuse_other_crops(context.graph)
            return []
        return [Match(nodes=frozenset({stages.proposals}))]

    def misfit(self, graph: Graph, match: Match) -> str | None:
        stages = find_stages(graph, detector_ends(graph))
        if stages is None:
            return "The graph has no two stages: no suppression behind crops of proposals."
        layers, between = layers_behind(graph, [stages.proposals])
        heads = find_heads(graph, layers, between, stage="first")
        for role, named, found in zip(
            ("box encodings", "class predictions"), match.inputs, heads.tensors, strict=False
        ):
            if head_behind(graph, named) != found:
                return f"Its points take {role} from {str(named)!r}; they enter the proposals' step at {str(found)!r}."
        seen = read_suppression(graph, between, heads.classes, heads.boxes).clips_before
        said = match.custom_attributes.get("clip_before_nms")
        if seen is not None and said is not None and bool(said) != seen:
            return f"Its clip_before_nms is {said}, but the graph clips proposals {'before' if seen else 'after'} NMS."
        return None

    def replace(self, context: ConversionContext, match: Match) -> None:
        graph = context.graph
        stages = find_stages(graph, detector_ends(graph))
        if stages is None:
            raise ConversionError(
                "The graph has no two stages: no suppression behind crops of proposals.",
                where=self.replacement_id,
                advice="Graphs exported with use_matmul_crop_and_resize or static shapes have none; export without.",
                requirement="PRO-1",
            )
        name_masks(graph, stages)
        if context.config is not None:
            check_architecture(context.config, "faster_rcnn", stages.proposals)
        settings = TwoStageSettings.of(self.replacement_id, context, match.custom_attributes)
        layers, between = layers_behind(graph, [stages.proposals])
        heads = find_heads(graph, layers, between, stage="first")
        facts = read_suppression(graph, between, heads.classes, heads.boxes)
        anchors = settings.grid_anchors
        seen = seen_anchors(graph, between, layers, anchors.per_cell)
        check_first_stage(settings, facts, anchors, seen, heads)
        operation = self._operation(context, settings, match, anchors)
        if context.batch > 1:
            context.warn(
                f"The batch is {context.batch}: models of two stages were exported and published for one image."
            )
        attributes = self._attributes(settings, match, anchors, facts.clips_before, operation)
        inputs = [heads.boxes, heads.classes, context.image or Tensor(str(context.shared["input"]))]
        if operation == "Proposal" and self._wants_image_info(context, match):
            inputs.append(self._image_info(context))
        proposals = graph.add(PROPOSALS, "proposals", inputs, attributes)
        regions = Tensor(proposals.name, 0)
        self._feed_second_stage(context, stages, regions, settings, match)
        context.shared["stages"] = stages
        context.shared["first_stage"] = between | set(layers)
        context.shared["regions"] = regions
        context.shared["valid"] = Tensor(proposals.name, 1)
        context.note(
            f"Replaced the first stage's post-processing by {operation} ({attributes['max_proposals']} proposals)."
        )

    def _operation(
        self, context: ConversionContext, settings: TwoStageSettings, match: Match, anchors: GridAnchors
    ) -> str:
        asked = context.options.get("operation_to_add", match.custom_attributes.get("operation_to_add"))
        if asked is not None and asked not in OPERATIONS:
            raise ConfigurationError(
                f"operation_to_add is {asked!r}; it has to be {' or '.join(OPERATIONS)}.",
                where=self.replacement_id,
                requirement="PRO-4",
            )
        y, x, height, width = settings.box_coder_scales
        unequal = [
            f"{what}: {first:g} (height) and {second:g} (width)"
            for what, first, second in (
                ("variances of position", y, x),
                ("variances of size", height, width),
                ("anchor strides", *anchors.stride),
                ("anchor base sizes", *anchors.base_size),
            )
            if first != second
        ]
        if unequal and asked == "Proposal":
            context.warn(
                "Proposal has one value for both axes, so its results will be inaccurate. " + "; ".join(unequal) + "."
            )
        exact = not unequal and anchors.is_square
        if not exact and asked is None:
            reason = "; ".join(unequal) or "anchors have an offset or broken sizes"
            context.note(f"Proposal cannot make these anchors ({reason}): DetectionOutput makes the proposals.")
        return str(asked) if asked is not None else ("Proposal" if exact else "DetectionOutput")

    @staticmethod
    def _wants_image_info(context: ConversionContext, match: Match) -> bool:
        return bool(context.options.get("image_info_input", match.custom_attributes.get("image_info_input", False)))

    @staticmethod
    def _image_info(context: ConversionContext) -> Tensor:
        """The published input: height, width and scale of the images, one row for all images of a batch (PRO-6)."""
        node = context.graph.add("Placeholder", "image_info", [], {})
        node.attr["dtype"].type = 1
        for size in (1, 3):
            node.attr["shape"].shape.dim.add(size=size)
        return Tensor(node.name)

    @staticmethod
    def _attributes(
        settings: TwoStageSettings, match: Match, anchors: GridAnchors, clips_before: bool | None, operation: str
    ) -> dict[str, object]:
        y, x, height, width = settings.box_coder_scales
        offsets = {anchors.offset[0] / anchors.stride[0], anchors.offset[1] / anchors.stride[1]}
        if operation == "DetectionOutput" and len(offsets) != 1:
            raise contradiction(
                settings,
                "first_stage_anchor_generator.grid_anchor_generator (height_offset in strides)",
                anchors.offset[0] / anchors.stride[0],
                anchors.offset[1] / anchors.stride[1],
                "width_offset",
            )
        return {
            "operation": operation,
            "max_proposals": settings.first_stage_max_proposals,
            "nms_threshold": float(settings.first_stage_nms_iou_threshold),
            "score_threshold": float(settings.first_stage_nms_score_threshold),
            "clip_before_nms": settings.clip_before_nms(clips_before),
            "clip_after_nms": settings.clip_after_nms(clips_before),
            "anchors_per_cell": anchors.per_cell,
            "base_height": int(anchors.base_size[0]),
            "stride_height": float(anchors.stride[0]),
            "stride_width": float(anchors.stride[1]),
            "offset": float(min(offsets)),
            "scales": list(anchors.scales),
            "aspect_ratios": list(anchors.aspect_ratios),
            "heights": anchors.heights,
            "widths": anchors.widths,
            "coordinate_scale_y": y,
            "coordinate_scale_x": x,
            "size_scale_height": height,
            "size_scale_width": width,
            "do_not_swap_proposals": bool(match.custom_attributes.get("do_not_swap_proposals", False)),
        }

    def _feed_second_stage(
        self, context: ConversionContext, stages: Stages, regions: Tensor, settings: TwoStageSettings, match: Match
    ) -> None:
        graph = context.graph
        attributes = {"max_proposals": settings.first_stage_max_proposals, "name_in_model": "crop_proposals"}
        cropped = graph.add(CROP_PROPOSALS, "crop_proposals", [regions], attributes)
        boxes = Tensor(cropped.name)
        if not match.custom_attributes.get("do_not_swap_proposals", False):
            boxes = Tensor(graph.add(SWAP_BOXES, "swap_proposals", [boxes], {}).name)
        for source in {box_source(graph, crop) for crop in stages.crops}:
            graph.redirect(source, boxes)
        pooled = [crop for crop in stages.crops if split_behind(graph, crop) is None]
        for number, crop in enumerate(pooled):
            name = "ROI_pooling" if len(pooled) == 1 else f"ROI_pooling_of_proposals_{number}"
            size = replace_crop(graph, crop, regions, name)
            if "initial_crop_size" in settings.custom or context.config is not None:
                self._check_crop(settings, size, crop)

    @staticmethod
    def _check_crop(settings: TwoStageSettings, size: tuple[int, int], crop: str) -> None:
        if size != (settings.initial_crop_size,) * 2:
            raise contradiction(
                settings, "initial_crop_size", settings.initial_crop_size, f"{size[0]} x {size[1]}", crop
            )


def _refuse_other_crops(graph: Graph) -> None:
    """Crops that are made of products and sums of gathered values, as for TPUs, are no operation to replace."""
    for node in graph:
        scope = next((part for part in node.name.split("/")[:-1] if part in _OTHER_CROPS), None)
        if scope is not None:
            raise ConversionError(
                f"The proposals are cropped by the operations of {scope}, not by CropAndResize, and no operation of "
                "OpenVINO stands for them as a whole.",
                where=f"node {node.name!r} ({node.op})",
                advice="Export the model with use_matmul_crop_and_resize: false, which changes no weight and no answer;"
                " or convert it with OpenVINO's own ovc (--converter ovc).",
                requirement="PRO-1",
            )
