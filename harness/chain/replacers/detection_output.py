"""Replaces the second stage's post-processing by one DetectionOutput over the proposals (DET-1 to DET-5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from harness.chain.graph import Tensor
from harness.chain.match import Match
from harness.chain.replacer import Replacer
from harness.chain.replacers.proposal import CROP_PROPOSALS
from harness.chain.ssd.heads import swap_coordinates
from harness.chain.ssd.suppression import read_suppression
from harness.chain.two_stage.consistency import check_second_stage
from harness.chain.two_stage.ends import END_NAMES, detector_ends
from harness.chain.two_stage.position_sensitive import split_behind
from harness.chain.two_stage.settings import TwoStageSettings
from harness.chain.two_stage.stages import LAYERS, Heads, find_heads, find_stages, head_behind, layers_behind
from harness.errors import ConfigurationError, ConversionError

if TYPE_CHECKING:
    from harness.chain.context import ConversionContext
    from harness.chain.graph import Graph
    from harness.chain.two_stage.stages import Stages

DETECTION_OUTPUT = "TwoStageDetectionOutput"
PSROI_POOLING = "TwoStagePsRoiPooling"
SWAP_METHODS = ("swap_weights", "add_convolution")
"""What ``coordinates_swap_method`` may be; the second stands for any operation that is added (DET-3)."""

_BOX_ENDS = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")


class DetectionOutputReplacement(Replacer):
    """One node that reads the second stage's predictions and the proposals, and gives DetectionOutput's rows."""

    replacement_id: ClassVar[str] = "ObjectDetectionAPIDetectionOutputReplacement"
    run_after: ClassVar[tuple[str, ...]] = (
        "ObjectDetectionAPIProposalReplacement",
        "ObjectDetectionAPIPSROIPoolingReplacement",
    )
    run_before: ClassVar[tuple[str, ...]] = ("ObjectDetectionAPIMaskRCNNROIPoolingSecondReplacement",)

    def find(self, context: ConversionContext) -> list[Match]:
        stages = context.shared.get("stages")
        return [] if stages is None else [Match(nodes=frozenset(cast("Stages", stages).detections))]

    def misfit(self, graph: Graph, match: Match) -> str | None:
        stages = find_stages(graph, detector_ends(graph))
        if stages is None:
            return "The graph has no two stages: no suppression behind crops of proposals."
        if any(split_behind(graph, crop) is not None for crop in stages.crops):
            return None
        first, first_between = layers_behind(graph, [stages.proposals])
        layers, between = layers_behind(graph, stages.detections)
        layers = tuple(layer for layer in layers if layer not in first)
        heads = find_heads(graph, layers, between - first_between, stage="second")
        for role, named, found in zip(
            ("box encodings", "class predictions"), match.inputs, heads.tensors, strict=False
        ):
            if head_behind(graph, named) != found:
                return f"Its points take {role} from {str(named)!r}; they enter the post-processing at {str(found)!r}."
        return None

    def replace(self, context: ConversionContext, match: Match) -> None:
        graph = context.graph
        asked = [name for name in context.requested_outputs if name not in END_NAMES]
        if context.requested_outputs:
            context.outputs.extend(asked)
            if len(asked) == len(context.requested_outputs):
                context.warn("Outputs were named by the caller: the post-processing was not replaced.")
                return
        proposals = self._proposals(graph)
        stages = cast("Stages", context.shared["stages"])
        settings = TwoStageSettings.of(self.replacement_id, context, match.custom_attributes)
        heads, between = self._heads(context, stages)
        behind = graph.descendants(stages.detections, within=set(graph.ancestors(self._ends(graph))))
        facts = read_suppression(graph, between | behind, heads.classes, heads.boxes)
        shared = check_second_stage(settings, facts, heads)
        attributes: dict[str, object] = {
            "num_classes": settings.num_classes,
            "max_proposals": int(graph[proposals].attr["max_proposals"].i),
            "share_location": shared,
            "swap_coordinates": not self._swapped_in_weights(context, match, heads),
            "variances": settings.variances_xywh,
            "score_converter": settings.score_converter,
            "confidence_threshold": float(settings.score_threshold),
            "nms_threshold": float(settings.iou_threshold),
            "keep_top_k": settings.max_total_detections,
            "max_detections_per_class": settings.max_detections_per_class,
            "clip_before_nms": settings.clip_before_nms(facts.clips_before),
            "clip_after_nms": settings.clip_after_nms(facts.clips_before),
        }
        inputs = [*heads.tensors, Tensor(proposals), cast("Tensor", context.shared["valid"])]
        node = graph.add(DETECTION_OUTPUT, "detection_output", inputs, attributes)
        context.shared["detection_output"] = node.name
        context.shared["num_classes"] = settings.num_classes
        ends = {*_BOX_ENDS, *(tensor.node for tensor in match.outputs)}
        context.outputs[:] = [name for name in context.outputs if name not in ends]
        context.outputs.append(node.name)
        context.note(
            f"Replaced the second stage's post-processing by DetectionOutput ({settings.num_classes} classes, "
            f"{'one box for all' if shared else 'a box for each'})."
        )

    @staticmethod
    def _proposals(graph: Graph) -> str:
        """The one node of proposals in OpenVINO's order (DET-4)."""
        found = [node.name for node in graph if node.op == CROP_PROPOSALS]
        if len(found) != 1:
            raise ConversionError(
                f"There are {len(found)} nodes 'crop_proposals'; there has to be exactly one. "
                + ("The proposals' step did not run." if not found else "The proposals' step ran more than once."),
                where=", ".join(found) or "the rewritten graph",
                advice="Let ObjectDetectionAPIProposalReplacement stand once in the configuration.",
                requirement="DET-4",
            )
        return str(found[0])

    @staticmethod
    def _ends(graph: Graph) -> list[str]:
        return list(detector_ends(graph))

    @staticmethod
    def _heads(context: ConversionContext, stages: Stages) -> tuple[Heads, frozenset[str]]:
        graph = context.graph
        first = cast("frozenset[str]", context.shared["first_stage"])
        layers, between = layers_behind(graph, stages.detections, layers=LAYERS | {PSROI_POOLING})
        between -= first
        heads = find_heads(graph, [layer for layer in layers if layer not in first], between, stage="second")
        return heads, between

    def _swapped_in_weights(self, context: ConversionContext, match: Match, heads: Heads) -> bool:
        """Whether X and Y could be swapped in the weights of the layer in front; otherwise an operation is added."""
        method = match.custom_attributes.get("coordinates_swap_method")
        if method is not None and method not in SWAP_METHODS:
            raise ConfigurationError(
                f"coordinates_swap_method is {method!r}; it has to be {' or '.join(SWAP_METHODS)}.",
                where=self.replacement_id,
                requirement="DET-3",
            )
        if method is None and match.inputs:
            context.warn(
                "The configuration gives no coordinates_swap_method: X and Y are swapped by an added operation. "
                "swap_weights costs nothing where a MatMul or Conv2D comes before."
            )
        if method == "add_convolution" or (method is None and match.inputs):
            return False
        try:
            swap_coordinates(context.graph, [heads.boxes])
        except ConversionError as error:
            if method == "swap_weights":
                raise ConversionError(error.what, where=error.where, advice=error.advice, requirement="DET-3") from None
            context.note("X and Y are swapped by an operation that is added: no layer of its own is in front.")
            return False
        context.note("Swapped X and Y in the weights of the second stage's box predictor.")
        return True
