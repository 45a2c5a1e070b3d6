"""The chain: a TensorFlow graph and its pipeline.config in, an OpenVINO model out. No TensorFlow is imported."""

from __future__ import annotations

import dataclasses
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.chain.configuration import Configuration, built_in, matching, require_match
from harness.chain.context import ConversionContext
from harness.chain.graph import Graph
from harness.chain.replacer import Step, in_order
from harness.chain.replacers import REPLACERS
from harness.chain.translation import translate
from harness.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.pipeline.config import PipelineConfig

OPTIONS = frozenset({"scale_anchors_with_image", "operation_to_add", "image_info_input"})
"""What ``options`` may hold; each is described in docs/convert.md."""


@dataclasses.dataclass(frozen=True)
class Converted:
    """A converted model, and what was done to get it."""

    model: Any  # openvino.Model
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def convert_graph(
    graph_def: Any,
    *,
    config: PipelineConfig | None,
    configuration: Configuration | None = None,
    input_shape: Sequence[int] | None = None,
    outputs: Sequence[str] = (),
    options: Mapping[str, object] = MappingProxyType({}),
    say: Callable[[str], None] = lambda _line: None,
) -> Converted:
    """Convert a frozen GraphDef; the message is taken over and changed.

    ``configuration`` is obeyed where given (CFG-7); otherwise each replacer finds its places by structure (CFG-6).
    ``input_shape`` is ``[N, H, W, 3]``; None means what pipeline.config implies (SHP-1, SHP-3). ``outputs`` are node
    names to end at instead of the detector's (OUT-2). ``say`` gets a line for each thing done.

    Raises an IrproofError of the kind that fits: PipelineConfigError, ConfigurationError, ConversionError, UsageError.
    """
    unknown = sorted(set(options) - OPTIONS)
    if unknown:
        raise ConversionError(
            f"The chain has no option {unknown[0]!r}.", advice=f"It has {', '.join(sorted(OPTIONS))}."
        )
    context = ConversionContext(
        graph=Graph(graph_def),
        config=config,
        requested_shape=tuple(int(side) for side in input_shape) if input_shape is not None else None,
        requested_outputs=tuple(outputs),
        options=options,
        say=say,
    )
    missing = [name for name in outputs if name not in context.graph]
    if missing:
        raise ConversionError(
            "The graph has no such output.",
            where=", ".join(map(repr, missing)),
            advice="Name nodes of the graph, without a port.",
            requirement="OUT-2",
        )
    if configuration is not None:
        require_match(context.graph, configuration, REPLACERS)
        _obey(context, configuration)
    else:
        _by_structure(context)
    ends = list(dict.fromkeys(context.outputs))
    context.graph.prune(ends, keep=[str(context.shared["input"])] if "input" in context.shared else [])
    say(f"Translating {len(context.graph)} nodes.")
    try:
        model = translate(context.graph, ends)
    except ConversionError as error:
        raise _about_the_size(error, context) from None
    _refuse_empty(model, context)
    _number_unnamed(model, context)
    return Converted(model, tuple(context.warnings), tuple(context.notes))


def _obey(context: ConversionContext, configuration: Configuration) -> None:
    named = configuration.steps(REPLACERS)
    implied = [Step(kind()) for kind in REPLACERS.values() if kind.always]
    for step in in_order([*named, *implied]):
        for match in step.replacer.find(context) if step.replacer.always else step.places(context.graph):
            step.replacer.replace(context, match)
    if not context.outputs:
        raise ConversionError(
            "The configuration replaces nothing that ends the graph.",
            where=configuration.name,
            advice="Add a replacement of the post-processing, or an ObjectDetectionAPIOutputReplacement.",
            requirement="CFG-7",
        )


def _by_structure(context: ConversionContext) -> None:
    fitting = matching(context.graph, built_in(), REPLACERS)
    if fitting:
        # EfficientDet's points are an SSD's: only pipeline.config tells the two apart.
        efficient = context.config is not None and context.config.family == "efficientdet"
        own = [name for name in fitting if name.startswith("efficient_det") == efficient]
        context.note(f"The graph matches the configuration {(own or fitting)[-1]}.")
    replaced = 0
    for step in in_order([Step(kind()) for kind in REPLACERS.values()]):
        for match in step.replacer.find(context):
            step.replacer.replace(context, match)
            replaced += 1
    if not context.outputs:
        raise ConversionError(
            "This graph is no detection model of the Object Detection API: "
            + ("its post-processing was not found." if replaced else "it has no Preprocessor and no Postprocessor."),
            where=f"{len(context.graph)} nodes, inputs "
            + (", ".join(node.name for node in context.graph if node.op == "Placeholder") or "none"),
            advice="Convert other models with --converter ovc; OpenVINO reads them itself.",
            requirement="CFG-6",
        )


def _about_the_size(error: ConversionError, context: ConversionContext) -> ConversionError:
    """A model that was asked for another size than it was trained with, and cannot take it, says so (SHP-7)."""
    asked, trained = context.image_size, context.training_size
    if error.requirement != "SHP-6" or asked == trained or 0 in trained:
        return error
    return ConversionError(
        f"The model cannot take an input of {asked[0]} x {asked[1]}: {error.what}",
        where=error.where,
        advice=f"Sides that are multiples of the largest stride fit, as the trained {trained[0]} x {trained[1]} does.",
        requirement="SHP-7",
    )


def _refuse_empty(model: Any, context: ConversionContext) -> None:
    """No feature map may be empty (SHP-6)."""
    for operation in model.get_ordered_ops():
        for output in operation.outputs():
            shape = output.get_partial_shape()
            if shape.rank.is_static and any(side.is_static and side.get_length() < 1 for side in shape):
                raise ConversionError(
                    f"The input shape makes a feature map empty: {shape}.",
                    where=f"node {operation.get_friendly_name()!r}, input {list(context.image_size)}",
                    advice="Give a larger input shape.",
                    requirement="SHP-6",
                )


def _number_unnamed(model: Any, context: ConversionContext) -> None:
    """Operations without a name of their own get numbers that do not depend on what ran before (SRC-7)."""
    counts: dict[str, int] = {}
    for operation in model.get_ordered_ops():
        name = operation.get_friendly_name()
        numbered = re.fullmatch(r"([A-Za-z]+)_\d+", name)
        if numbered and name not in context.graph:
            kind = numbered.group(1)
            counts[kind] = counts.get(kind, -1) + 1
            operation.set_friendly_name(f"{kind}_{counts[kind]}")
