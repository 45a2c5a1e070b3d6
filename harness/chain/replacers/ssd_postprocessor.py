"""Replaces an SSD's whole Postprocessor by one DetectionOutput (SSD-1 to SSD-8, PRI-1 to PRI-5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness.chain.consistency import check_architecture, check_ssd, contradiction
from harness.chain.constants import evaluate
from harness.chain.graph import Tensor
from harness.chain.match import Match
from harness.chain.replacer import Replacer
from harness.chain.settings import Settings
from harness.chain.ssd.anchors import anchor_grids
from harness.chain.ssd.boundary import find_boundary
from harness.chain.ssd.heads import level_tensors, swap_coordinates
from harness.chain.ssd.suppression import read_suppression
from harness.errors import ConversionError

if TYPE_CHECKING:
    from harness.chain.context import ConversionContext
    from harness.chain.graph import Graph

DETECTION_OUTPUT = "SsdDetectionOutput"
"""The op type that stands for the block in the rewritten graph, until the translation builds it from OpenVINO's."""

OUTPUT_NAMES = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")


class SsdPostprocessorReplacement(Replacer):
    """One node that reads each feature map's box encodings and class predictions, and the image for its size."""

    replacement_id: ClassVar[str] = "ObjectDetectionAPISSDPostprocessorReplacement"
    run_after: ClassVar[tuple[str, ...]] = (
        "ObjectDetectionAPIPreprocessorReplacement",
        "ObjectDetectionAPIPreprocessor2Replacement",
    )

    def find(self, context: ConversionContext) -> list[Match]:
        outputs = detection_outputs(context.graph)
        boundary = find_boundary(context.graph, outputs)
        if boundary is None:
            return []
        return [
            Match(
                nodes=boundary.nodes,
                inputs=(boundary.locations, boundary.confidences, boundary.priors),
                outputs=tuple(Tensor(name) for name in outputs),
                scope=boundary.scope,
            )
        ]

    def misfit(self, graph: Graph, match: Match) -> str | None:
        boundary = find_boundary(graph, detection_outputs(graph))
        if boundary is None:
            return None
        wanted = (boundary.locations, boundary.confidences, boundary.priors)
        for role, named, found in zip(
            ("box encodings", "class predictions", "anchors"), match.inputs, wanted, strict=False
        ):
            if _behind_expansion(graph, named) != found:
                return f"Its points take {role} from {str(named)!r}; they enter the post-processing at {str(found)!r}."
        return None

    def replace(self, context: ConversionContext, match: Match) -> None:
        graph = context.graph
        if context.requested_outputs:
            ends = {tensor.node for tensor in match.outputs}
            others = [name for name in context.requested_outputs if name not in ends]
            context.outputs.extend(others)
            if len(others) == len(context.requested_outputs):
                context.warn("Outputs were named by the caller: the post-processing was not replaced.")
                return
        if len(match.inputs) < 3:
            raise ConversionError(
                "The configuration gives fewer than three start points; box encodings, class predictions and anchors "
                "are read from the first three.",
                where=self.replacement_id,
                requirement="CFG-7",
            )
        locations, confidences, priors = match.inputs[:3]
        settings = Settings(self.replacement_id, context.pipeline(self.replacement_id), match.custom_attributes)
        check_architecture(settings.config, "ssd", str(locations))
        facts = read_suppression(graph, match.nodes, confidences, locations)
        boxes = level_tensors(graph, locations)
        classes = level_tensors(graph, confidences)
        if len(boxes) != len(classes):
            raise ConversionError(
                f"There are box encodings for {len(boxes)} feature maps and class predictions for {len(classes)}.",
                where=f"nodes {locations} and {confidences}",
                requirement="SSD-8",
            )
        num_classes = settings.num_classes
        grids = anchor_grids(settings.config.anchor_generator, context.training_size)
        anchors = evaluate(graph, priors)
        if grids is not None and len(grids) != len(boxes):
            raise contradiction(
                settings, "anchor_generator's number of feature maps", len(grids), len(boxes), str(locations)
            )
        columns = check_ssd(context, settings, facts, boxes, classes, grids, anchors, str(priors))

        swapped = swap_coordinates(graph, boxes)
        context.note(f"Swapped X and Y in the weights of {swapped} box predictor(s).")
        attributes: dict[str, object] = {
            "columns": columns,
            "num_classes": num_classes,
            "levels": len(boxes),
            "score_converter": settings.score_converter,
            "logit_scale": float(settings.logit_scale),
            "converts_foreground_only": facts.slices_first,
            "confidence_threshold": float(settings.score_threshold),
            "nms_threshold": float(settings.iou_threshold),
            "keep_top_k": settings.max_total_detections,
            "max_detections_per_class": settings.max_detections_per_class,
            "clip_before_nms": settings.clip_before_nms(facts.clips_before),
            "clip_after_nms": settings.clip_after_nms(facts.clips_before),
            "drops_invisible": not any(name in graph for name in OUTPUT_NAMES),
            "variances": settings.variances_xywh,
            "scale_anchors_with_image": bool(context.options.get("scale_anchors_with_image", False)),
            "training_height": context.training_size[0],
            "training_width": context.training_size[1],
        }
        inputs = [*boxes, *classes, context.image or Tensor(str(context.shared["input"]))]
        if grids is not None:
            for level, grid in enumerate(grids):
                attributes[f"heights_{level}"] = list(grid.heights)
                attributes[f"widths_{level}"] = list(grid.widths)
                attributes[f"layout_{level}"] = [*grid.stride, *grid.offset]
                attributes[f"fills_{level}"] = grid.fills
            context.note(f"Priors: PriorBoxClustered for each of {len(grids)} feature maps.")
        elif anchors is not None:
            _refuse_other_size(context, str(priors))
            constant = graph.add_constant("irproof/anchors", np.asarray(anchors, np.float32).reshape(-1, 4))
            inputs.append(Tensor(constant.name))
            context.note("Priors: a constant, since the anchor generator is not known; the IR keeps its spatial size.")
        else:
            inputs.append(priors)
            context.note("Priors: the graph's own anchor nodes, since the anchor generator is not known.")
        attributes["constant_priors"] = grids is None
        node = graph.add(DETECTION_OUTPUT, "DetectionOutput", inputs, attributes)
        context.outputs.append(node.name)
        context.note(
            f"Replaced {len(match.nodes)} nodes of {match.scope[:-1] or 'the post-processing'!r} by DetectionOutput "
            f"({num_classes} classes, {len(boxes)} feature maps)."
        )


def _refuse_other_size(context: ConversionContext, priors: str) -> None:
    """Anchors that are numbers, not a rule, are those of one size (SHP-7)."""
    asked, trained = context.image_size, context.training_size
    if asked != trained and 0 not in trained:
        raise ConversionError(
            f"The model's anchors are constants for {trained[0]} x {trained[1]}, {asked[0]} x {asked[1]} is asked for,"
            " and pipeline.config's anchor generator has no rule for another size.",
            where=f"node {priors!r}",
            advice="Leave the input shape out, or export the model anew at the size that is wanted.",
            requirement="SHP-7",
        )


def detection_outputs(graph: Graph) -> list[str]:
    """The nodes that a detector's answers are: named so in the TF1 eras, and what nobody reads in functions."""
    named = [name for name in OUTPUT_NAMES if name in graph]
    return named or [node.name for node in graph if node.op == "Identity" and not graph.consumers(node.name)]


def _behind_expansion(graph: Graph, tensor: Tensor) -> Tensor:
    """A batch dimension added to the anchors does not make them others."""
    while graph[tensor.node].op in {"ExpandDims", "Identity"}:
        tensor = graph.inputs(tensor.node)[0]
    return tensor
