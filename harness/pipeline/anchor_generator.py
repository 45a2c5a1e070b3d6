"""``anchor_generator``: how the graph's anchors were laid out. Sizes are in the units that the API itself uses."""

from __future__ import annotations

import dataclasses
from typing import Any, Union

from harness.errors import PipelineConfigError


@dataclasses.dataclass(frozen=True)
class SsdAnchorGenerator:
    """A grid of anchors a feature map, with scales relative to the image's short side.

    ``scales``, where given, replace the even steps from ``min_scale`` to ``max_scale``. Strides and offsets are in
    pixels, one a layer; empty where the file gives none, and then they follow from the feature map's size.
    """

    num_layers: int = 6
    min_scale: float = 0.2
    max_scale: float = 0.95
    scales: tuple[float, ...] = ()
    aspect_ratios: tuple[float, ...] = ()
    interpolated_scale_aspect_ratio: float = 1.0
    reduce_boxes_in_lowest_layer: bool = True
    base_anchor_height: float = 1.0
    base_anchor_width: float = 1.0
    height_stride: tuple[int, ...] = ()
    width_stride: tuple[int, ...] = ()
    height_offset: tuple[int, ...] = ()
    width_offset: tuple[int, ...] = ()

    @property
    def layers(self) -> int:
        """How many feature maps get anchors; a list of scales that is shorter than ``num_layers`` cuts it."""
        return min(self.num_layers, len(self.scales)) if self.scales else self.num_layers

    @property
    def anchor_strides(self) -> tuple[tuple[int, int], ...] | None:
        """(height, width) strides in pixels, a layer each; None where the file gives none."""
        return tuple(zip(self.height_stride, self.width_stride, strict=False)) or None

    @property
    def anchor_offsets(self) -> tuple[tuple[int, int], ...] | None:
        """(height, width) offsets in pixels, a layer each; None where the file gives none."""
        return tuple(zip(self.height_offset, self.width_offset, strict=False)) or None


@dataclasses.dataclass(frozen=True)
class MultiscaleAnchorGenerator:
    """RetinaNet's anchors: at level L a stride of ``2**L`` pixels and a base size of ``anchor_scale`` strides."""

    min_level: int = 3
    max_level: int = 7
    anchor_scale: float = 4.0
    aspect_ratios: tuple[float, ...] = ()
    scales_per_octave: int = 2
    normalize_coordinates: bool = True


@dataclasses.dataclass(frozen=True)
class GridAnchorGenerator:
    """One grid of anchors for the first stage; base size, stride and offset in pixels."""

    height: int = 256
    width: int = 256
    height_stride: int = 16
    width_stride: int = 16
    height_offset: int = 0
    width_offset: int = 0
    scales: tuple[float, ...] = ()
    aspect_ratios: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class AnchorGrid:
    """One layer of a :class:`FlexibleGridAnchorGenerator`; sizes, strides and offsets in pixels."""

    base_sizes: tuple[float, ...]
    aspect_ratios: tuple[float, ...]
    height_stride: int
    width_stride: int
    height_offset: int = 0
    width_offset: int = 0


@dataclasses.dataclass(frozen=True)
class FlexibleGridAnchorGenerator:
    """Layers of anchors, each spelled out."""

    anchor_grids: tuple[AnchorGrid, ...] = ()
    normalize_coordinates: bool = True


AnchorGenerator = Union[  # noqa: UP007 - an alias is evaluated, and 3.10 is supported
    SsdAnchorGenerator, MultiscaleAnchorGenerator, GridAnchorGenerator, FlexibleGridAnchorGenerator
]

_KINDS: dict[str, type[Any]] = {
    "grid_anchor_generator": GridAnchorGenerator,
    "ssd_anchor_generator": SsdAnchorGenerator,
    "multiscale_anchor_generator": MultiscaleAnchorGenerator,
    "flexible_grid_anchor_generator": FlexibleGridAnchorGenerator,
}


def read_anchor_generator(message: Any, key: str, where: str) -> AnchorGenerator:
    """The generator that the message names; ``key`` is the message's path, such as ``model.ssd.anchor_generator``."""
    kind = message.WhichOneof("anchor_generator_oneof")
    if kind is None:
        raise PipelineConfigError(
            f"{key} names no anchor generator.",
            where=where,
            advice=f"It needs one of {', '.join(sorted(_KINDS))}.",
            requirement="CFG-10",
        )
    given = getattr(message, kind)
    key = f"{key}.{kind}"
    if kind == "flexible_grid_anchor_generator":
        grids = tuple(AnchorGrid(**_values(grid, AnchorGrid)) for grid in given.anchor_grid)
        return FlexibleGridAnchorGenerator(grids, given.normalize_coordinates)
    generator: AnchorGenerator = _KINDS[kind](**_values(given, _KINDS[kind]))
    if isinstance(generator, SsdAnchorGenerator):
        _check_layers(generator, key, where)
    if isinstance(generator, MultiscaleAnchorGenerator) and generator.min_level > generator.max_level:
        raise _contradiction(
            f"{key}.min_level ({generator.min_level}) is over {key}.max_level ({generator.max_level}).", where
        )
    return generator


def _check_layers(generator: SsdAnchorGenerator, key: str, where: str) -> None:
    least = 1 if generator.scales else 2  # even steps between two scales need two layers
    if generator.num_layers < least:
        raise _contradiction(f"{key}.num_layers is {generator.num_layers}, but has to be {least} or more.", where)
    for name, pairs in (("stride", generator.anchor_strides), ("offset", generator.anchor_offsets)):
        if pairs is not None and len(pairs) != generator.layers:
            raise _contradiction(
                f"{key} gives height_{name} and width_{name} for {len(pairs)} layers, but has {generator.layers}.",
                where,
            )


def _contradiction(what: str, where: str) -> PipelineConfigError:
    return PipelineConfigError(
        what, where=where, advice="Give the pipeline.config that the model was exported with.", requirement="CFG-11"
    )


def _values(message: Any, kind: type[Any]) -> dict[str, Any]:
    values = {}
    for field in dataclasses.fields(kind):
        value = getattr(message, field.name)
        values[field.name] = value if isinstance(value, (bool, int, float, str)) else tuple(value)
    return values
