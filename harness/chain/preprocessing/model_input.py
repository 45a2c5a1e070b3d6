"""The model's image input: found behind the preprocessing, and given the shape that the conversion is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.chain.graph import Tensor
from harness.errors import ConversionError
from harness.pipeline.input_size import expected_input_size

if TYPE_CHECKING:
    from harness.chain.context import ConversionContext
    from harness.chain.graph import Graph, Node
    from harness.pipeline.config import PipelineConfig

INPUT_NAMES = ("image_tensor", "input_tensor")
"""What exporters of the Object Detection API call the image (PRE-4)."""


def require_input_name(placeholder: Node, scope: str) -> None:
    """The image has to be the input that the exporters name so (PRE-4)."""
    base = placeholder.name.rsplit("/", 1)[-1]
    if base not in INPUT_NAMES and not base.startswith("serving_default_"):
        raise ConversionError(
            f"The model's input is named {placeholder.name!r}.",
            where=f"node {placeholder.name!r} in front of scope {scope!r}",
            advice=f"Export with input_type image_tensor: the input has to be named {' or '.join(INPUT_NAMES)}.",
            requirement="PRE-4",
        )


def fix_input(context: ConversionContext, placeholder: Node, config: PipelineConfig) -> tuple[int, int, int, int]:
    """Declare the input's shape ``[N, H, W, C]`` (SHP-1 to SHP-5, PRE-5), and note it in the context."""
    declared = [dim.size for dim in placeholder.attr["shape"].shape.dim] or [-1, -1, -1, 3]
    requested = context.requested_shape
    context.batch = requested[0] if requested else (declared[0] if declared[0] > 0 else 1)
    if requested and len(declared) == 4 and declared[3] > 0 and requested[3] != declared[3]:
        raise ConversionError(
            f"The input shape {list(requested)} has {requested[3]} channels; the graph's image has {declared[3]}.",
            where=f"node {placeholder.name!r}",
            advice=f"Give [N,H,W,{declared[3]}].",
            requirement="SHP-2",
        )
    height, width = expected_input_size(config.image_resizer, requested)
    channels = declared[3] if len(declared) == 4 and declared[3] > 0 else 3
    proto = placeholder.attr["shape"].shape
    proto.Clear()
    for size in (context.batch, height, width, channels):
        proto.dim.add(size=size)
    context.image_size = (height, width)
    context.shared["input"] = placeholder.name
    return context.batch, height, width, channels


def true_image_shapes(context: ConversionContext, graph: Graph, shapes: Tensor, scope: str, channels: int) -> None:
    """The true image shapes become the constant that the input's shape implies (PRE-3)."""
    height, width = context.image_size
    value = np.tile(np.array([[height, width, channels]], np.int32), (context.batch, 1))
    constant = graph.add_constant(f"{scope}true_image_shapes", value)
    graph.redirect(shapes, Tensor(constant.name))
    context.image_shapes = Tensor(constant.name)
