"""Cuts the graph at named outputs, with alternatives (OUT-1, OUT-2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.chain.replacer import Replacer
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from harness.chain.context import ConversionContext
    from harness.chain.graph import Graph
    from harness.chain.match import Match


class OutputReplacement(Replacer):
    """``custom_attributes.outputs``: alternatives separated by commas, the names of each joined by ``|``."""

    replacement_id: ClassVar[str] = "ObjectDetectionAPIOutputReplacement"
    run_before: ClassVar[tuple[str, ...]] = (
        "ObjectDetectionAPIPreprocessorReplacement",
        "ObjectDetectionAPIPreprocessor2Replacement",
    )

    def find(self, context: ConversionContext) -> list[Match]:  # noqa: ARG002 - only a configuration asks for it
        return []

    def replace(self, context: ConversionContext, match: Match) -> None:
        listed = match.custom_attributes.get("outputs")
        if not isinstance(listed, str) or not listed.strip():
            raise ConfigurationError(
                "The key 'custom_attributes.outputs' has to name the outputs.",
                where=self.replacement_id,
                advice='For example "detection_boxes" or "Reshape_16,Conv_3/BiasAdd|Conv_1/BiasAdd".',
                requirement="OUT-1",
            )
        if context.requested_outputs:
            context.warn("Outputs were named by the caller: the configuration's own cut was skipped.")
            return
        context.outputs.extend(first_existing(context.graph, listed))


def first_existing(graph: Graph, listed: str) -> list[str]:
    """The first name of each alternative that the graph has (OUT-1); alternatives without one are left out."""
    found = []
    for alternatives in listed.split(","):
        for name in alternatives.split("|"):
            if name.strip() in graph:
                found.append(name.strip())
                break
    if not found:
        raise ConfigurationError(
            "None of the outputs exists in the graph.",
            where=repr(listed),
            advice="Check the names with TensorBoard, or leave the option out.",
            requirement="OUT-1",
        )
    return found
