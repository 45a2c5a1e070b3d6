"""Replaces an R-FCN's crops of score maps, bin by bin, by one PSROIPooling a map (PSR-1 to PSR-3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from harness.chain.consistency import contradiction
from harness.chain.graph import Tensor
from harness.chain.match import Match
from harness.chain.replacer import Replacer
from harness.chain.replacers.detection_output import PSROI_POOLING
from harness.chain.two_stage.ends import detector_ends
from harness.chain.two_stage.position_sensitive import bin_crops, split_behind
from harness.chain.two_stage.settings import TwoStageSettings
from harness.chain.two_stage.stages import find_stages
from harness.errors import PipelineConfigError

if TYPE_CHECKING:
    from harness.chain.context import ConversionContext
    from harness.chain.graph import Graph
    from harness.chain.two_stage.position_sensitive import BinCrops
    from harness.chain.two_stage.stages import Stages


class PsRoiPoolingReplacement(Replacer):
    """One node for each score map, boxes' and classes'; early exporters' crops without a loop included."""

    replacement_id: ClassVar[str] = "ObjectDetectionAPIPSROIPoolingReplacement"
    run_after: ClassVar[tuple[str, ...]] = ("ObjectDetectionAPIProposalReplacement",)
    always: ClassVar[bool] = True

    def find(self, context: ConversionContext) -> list[Match]:
        stages = cast("Stages | None", context.shared.get("stages"))
        if stages is None or "regions" not in context.shared or "score_maps" in context.shared:
            return []
        groups = bin_crops(context.graph, stages.crops)
        return [Match(nodes=frozenset(crop for group in groups for crop in group.crops))] if groups else []

    def misfit(self, graph: Graph, match: Match) -> str | None:  # noqa: ARG002 - its crops are found by what they do
        stages = find_stages(graph, detector_ends(graph))
        if stages is None or all(split_behind(graph, crop) is None for crop in stages.crops):
            return "The graph has no position-sensitive crops: it is no R-FCN."
        return None

    def replace(self, context: ConversionContext, match: Match) -> None:
        graph = context.graph
        settings = TwoStageSettings.of(self.replacement_id, context, match.custom_attributes)
        regions = cast("Tensor", context.shared["regions"])
        proposals = graph[regions.node].attr["max_proposals"].i
        maps = 0
        for group in bin_crops(graph, sorted(match.nodes)):
            bins, size = self._bins(settings, group)
            attributes: dict[str, object] = {
                "output_dim": self._output_dim(context, settings, group),
                "group_size": size // bins[0],
                "bins_y": bins[0],
                "bins_x": bins[1],
                "per_image": int(proposals) if group.looped else 0,
            }
            node = graph.add(PSROI_POOLING, f"{group.maps.node}/PSROIPooling", [group.maps, regions], attributes)
            graph.redirect(group.result, Tensor(node.name))
            maps += 1
        context.shared["score_maps"] = maps
        context.note(f"Replaced the crops of {maps} score maps by PSROIPooling.")

    def _bins(self, settings: TwoStageSettings, group: BinCrops) -> tuple[tuple[int, int], int]:
        """Bins (rows, columns) and the crops' side; not square is an error with both values (PSR-2)."""
        height, width = settings.rfcn_size("crop_height"), settings.rfcn_size("crop_width")
        if height != width:
            raise PipelineConfigError(
                f"crop_height is {height} and crop_width is {width}; PSROIPooling has one size for both.",
                where=f"{settings.config.where}: rfcn_box_predictor",
                advice="Convert with ovc; a square crop needs a model trained with one.",
                requirement="PSR-2",
            )
        bins = settings.rfcn_size("num_spatial_bins_height"), settings.rfcn_size("num_spatial_bins_width")
        key = "second_stage_box_predictor.rfcn_box_predictor"
        if bins[0] * bins[1] != group.bins:
            raise contradiction(
                settings,
                f"{key} (num_spatial_bins_height times num_spatial_bins_width)",
                bins[0] * bins[1],
                group.bins,
                group.crops[0],
            )
        if (height // bins[0], width // bins[1]) != group.crop_size:
            raise contradiction(
                settings,
                f"{key} (crop size divided by bins)",
                f"{height // bins[0]} x {width // bins[1]}",
                f"{group.crop_size[0]} x {group.crop_size[1]}",
                group.crops[0],
            )
        if bins[0] != bins[1]:
            raise PipelineConfigError(
                f"num_spatial_bins are {bins[0]} (height) and {bins[1]} (width); PSROIPooling's groups are square.",
                where=f"{settings.config.where}: rfcn_box_predictor",
                requirement="PSR-2",
            )
        return bins, height

    def _output_dim(self, context: ConversionContext, settings: TwoStageSettings, group: BinCrops) -> int:
        """Values a proposal: 4 a class, or one a class and one for the background."""
        from harness.chain.ssd.heads import last_convolution

        channels = last_convolution(context.graph, group.maps).output_channels
        expected = 4 * settings.num_classes, settings.num_classes + 1
        if channels % group.bins or channels // group.bins not in expected:
            raise contradiction(
                settings,
                "num_classes",
                settings.num_classes,
                f"{channels} channels for {group.bins} bins",
                str(group.maps),
            )
        return channels // group.bins
