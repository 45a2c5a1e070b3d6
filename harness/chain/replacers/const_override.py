"""Gives constants of the graph the values that pipeline.config has (the published ``ConstValueOverride``, CFG-7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness.chain.graph import read_constant, write_constant
from harness.chain.replacer import Replacer
from harness.chain.two_stage.settings import TwoStageSettings
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from harness.chain.context import ConversionContext
    from harness.chain.graph import Graph
    from harness.chain.match import Match

_KEYS = (
    "first_stage_max_proposals",
    "initial_crop_size",
    "num_classes",
    "max_total_detections",
    "max_detections_per_class",
)
"""The values that ``replacements`` may name."""


class ConstValueOverrideReplacement(Replacer):
    """``custom_attributes.replacements``: pairs of a Const node's name and the name of a value of pipeline.config."""

    replacement_id: ClassVar[str] = "ObjectDetectionAPIConstValueOverride"
    run_before: ClassVar[tuple[str, ...]] = ("ObjectDetectionAPIProposalReplacement",)

    def find(self, context: ConversionContext) -> list[Match]:  # noqa: ARG002 - only a configuration asks for it
        return []

    def misfit(self, graph: Graph, match: Match) -> str | None:
        pairs = match.custom_attributes.get("replacements")
        names = [str(pair[0]) for pair in pairs if isinstance(pair, list) and pair] if isinstance(pairs, list) else []
        if names and not any(name in graph for name in names):
            return f"The graph has none of the constants {', '.join(names)}."
        return None

    def replace(self, context: ConversionContext, match: Match) -> None:
        pairs = match.custom_attributes.get("replacements")
        if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            raise ConfigurationError(
                "The key 'custom_attributes.replacements' has to be a list of pairs of a node and a value's name.",
                where=self.replacement_id,
                advice='For example [["mul/y", "first_stage_max_proposals"]].',
                requirement="CFG-7",
            )
        settings = TwoStageSettings.of(self.replacement_id, context, match.custom_attributes)
        for name, key in pairs:
            if key not in _KEYS:
                raise ConfigurationError(
                    f"There is no value {key!r} to give to a constant.",
                    where=f"{self.replacement_id}, node {name!r}",
                    advice=f"Known values: {', '.join(_KEYS)}.",
                    requirement="CFG-7",
                )
            node = context.graph.get(str(name))
            if node is None or node.op != "Const":
                context.note(f"The graph has no constant {name!r}: {key} needs no place in it.")
                continue
            old = read_constant(node)
            write_constant(node, np.full(old.shape, getattr(settings, str(key)), old.dtype))
