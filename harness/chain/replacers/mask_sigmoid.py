"""The masks as an output: every class's mask of each detection, after the sigmoid (MSK-2, MSK-5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from harness.chain.consistency import contradiction
from harness.chain.graph import Tensor
from harness.chain.match import Match
from harness.chain.replacer import Replacer
from harness.chain.two_stage.masks import MASKS, mask_predictions, only_output
from harness.chain.two_stage.settings import TwoStageSettings
from harness.errors import ConversionError

if TYPE_CHECKING:
    from harness.chain.context import ConversionContext

MASK_OUTPUT = "TwoStageMasks"
_PREFIX = "SecondStageBoxPredictor"


class MaskSigmoidReplacement(Replacer):
    """One node that gives ``masks`` ``[N * K, num_classes, h, w]`` of the mask head's predictions.

    The configuration's ``masks_node_prefix_name`` tells which of the outputs it named are the predictions.
    """

    replacement_id: ClassVar[str] = "ObjectDetectionAPIMaskRCNNSigmoidReplacement"
    run_after: ClassVar[tuple[str, ...]] = ("ObjectDetectionAPIMaskRCNNROIPoolingSecondReplacement",)

    def find(self, context: ConversionContext) -> list[Match]:
        if "detection_output" not in context.shared:
            return []
        predicts = context.config is not None and context.config.predicts_masks and context.config.number_of_stages > 2
        return [Match()] if MASKS in context.graph or predicts else []

    def replace(self, context: ConversionContext, match: Match) -> None:
        graph = context.graph
        if context.requested_outputs and "detection_output" not in context.shared:
            return
        prefix = str(match.custom_attributes.get("masks_node_prefix_name", _PREFIX))
        named = only_output(graph, context.outputs, prefix)
        predictions = mask_predictions(graph) if named is None else Tensor(named)
        if predictions is None:
            raise ConversionError(
                f"The graph has no masks: neither an output that starts with {prefix!r} nor {MASKS!r}.",
                where=self.replacement_id,
                advice="Give the pipeline.config of this model: predict_instance_masks and number_of_stages are its.",
                requirement="MSK-5",
            )
        settings = TwoStageSettings.of(self.replacement_id, context, match.custom_attributes)
        if context.config is not None and not context.config.predicts_masks:
            raise contradiction(
                settings,
                "second_stage_box_predictor.mask_rcnn_box_predictor.predict_instance_masks",
                "false",
                "masks",
                MASKS,
            )
        node = graph.add(
            MASK_OUTPUT, "masks", [predictions], {"num_classes": int(cast("int", context.shared["num_classes"]))}
        )
        context.outputs[:] = [name for name in context.outputs if name not in {named, MASKS}]
        context.outputs.append(node.name)
        context.note(f"The masks are what {predictions} predicts for each detection and class.")
