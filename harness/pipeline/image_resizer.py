"""``image_resizer``: what the exported graph's Preprocessor does to an image's size."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, Union

from harness.errors import PipelineConfigError

ResizeMethod = Literal["BILINEAR", "NEAREST_NEIGHBOR", "BICUBIC", "AREA"]


@dataclasses.dataclass(frozen=True)
class FixedShapeResizer:
    """Stretches every image to ``height`` x ``width`` pixels."""

    height: int
    width: int
    resize_method: str = "BILINEAR"
    convert_to_grayscale: bool = False


@dataclasses.dataclass(frozen=True)
class KeepAspectRatioResizer:
    """Scales an image until its short side is ``min_dimension`` or its long side ``max_dimension``, whichever is first.

    With ``pad_to_max_dimension`` the result is padded below and on the right to a square of ``max_dimension``, each
    channel with its ``per_channel_pad_value`` (zeros where the file gives none).
    """

    min_dimension: int
    max_dimension: int
    resize_method: str = "BILINEAR"
    pad_to_max_dimension: bool = False
    convert_to_grayscale: bool = False
    per_channel_pad_value: tuple[float, ...] = (0.0, 0.0, 0.0)


@dataclasses.dataclass(frozen=True)
class IdentityResizer:
    """Leaves every image as it is."""

    convert_to_grayscale: bool = False


@dataclasses.dataclass(frozen=True)
class ConditionalShapeResizer:
    """Scales only images whose long side is over (``GREATER``), or short side under (``SMALLER``), the threshold."""

    condition: str
    size_threshold: int
    resize_method: str = "BILINEAR"
    convert_to_grayscale: bool = False


@dataclasses.dataclass(frozen=True)
class PadToMultipleResizer:
    """Pads an image below and on the right until both sides are multiples of ``multiple``."""

    multiple: int
    convert_to_grayscale: bool = False


ImageResizer = Union[  # noqa: UP007 - an alias is evaluated, and 3.10 is supported
    FixedShapeResizer, KeepAspectRatioResizer, IdentityResizer, ConditionalShapeResizer, PadToMultipleResizer
]


def _positive(value: int, key: str, where: str) -> int:
    if value < 1:
        raise PipelineConfigError(
            f"{key} is {value}, but a size has to be positive.",
            where=where,
            advice="Give the pipeline.config that the model was exported with.",
            requirement="CFG-11",
        )
    return value


def read_image_resizer(message: Any, key: str, where: str) -> ImageResizer:
    """The resizer that the message names; ``key`` is the message's path, such as ``model.ssd.image_resizer``."""
    kind = message.WhichOneof("image_resizer_oneof")
    if kind is None:
        raise PipelineConfigError(
            f"{key} names no resizer.",
            where=where,
            advice="It needs one of fixed_shape_resizer, keep_aspect_ratio_resizer, identity_resizer.",
            requirement="CFG-10",
        )
    given = getattr(message, kind)
    key = f"{key}.{kind}"
    if kind == "fixed_shape_resizer":
        return FixedShapeResizer(
            height=_positive(given.height, f"{key}.height", where),
            width=_positive(given.width, f"{key}.width", where),
            resize_method=_enum_name(given, "resize_method"),
            convert_to_grayscale=given.convert_to_grayscale,
        )
    if kind == "keep_aspect_ratio_resizer":
        low = _positive(given.min_dimension, f"{key}.min_dimension", where)
        high = _positive(given.max_dimension, f"{key}.max_dimension", where)
        if low > high:
            raise PipelineConfigError(
                f"{key}.min_dimension ({low}) is over {key}.max_dimension ({high}).",
                where=where,
                advice="Give the pipeline.config that the model was exported with.",
                requirement="CFG-11",
            )
        return KeepAspectRatioResizer(
            min_dimension=low,
            max_dimension=high,
            resize_method=_enum_name(given, "resize_method"),
            pad_to_max_dimension=given.pad_to_max_dimension,
            convert_to_grayscale=given.convert_to_grayscale,
            per_channel_pad_value=tuple(given.per_channel_pad_value) or (0.0, 0.0, 0.0),
        )
    if kind == "conditional_shape_resizer":
        return ConditionalShapeResizer(
            condition=_enum_name(given, "condition"),
            size_threshold=_positive(given.size_threshold, f"{key}.size_threshold", where),
            resize_method=_enum_name(given, "resize_method"),
            convert_to_grayscale=given.convert_to_grayscale,
        )
    if kind == "pad_to_multiple_resizer":
        return PadToMultipleResizer(
            multiple=_positive(given.multiple, f"{key}.multiple", where),
            convert_to_grayscale=given.convert_to_grayscale,
        )
    return IdentityResizer()


def _enum_name(message: Any, field: str) -> str:
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    return str(enum.values_by_number[getattr(message, field)].name)
