"""Anchors by the Object Detection API's rules, for a size that the graph was not exported for (RSH-1).

Written from the API's documented behaviour and independent of the chain's: two derivations that agree with the
graph's own anchors at its own size prove more than one. Boxes are (ymin, xmin, ymax, xmax), normalised, float32, in
the API's order: feature map by feature map, row by row, cell by cell, and there by scale and aspect ratio.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.errors import ReferenceFailure
from harness.pipeline.anchor_generator import AnchorGenerator, MultiscaleAnchorGenerator, SsdAnchorGenerator

if TYPE_CHECKING:
    from collections.abc import Sequence

AnchorRule = Literal["pixel", "relative"]
Size = tuple[int, int]

_f32 = np.float32


def anchors_for(
    generator: AnchorGenerator, grids: Sequence[Size], image: Size, trained: Size, rule: AnchorRule
) -> np.ndarray:
    """All anchors, float32 ``[P, 4]``.

    ``grids`` are the feature maps' (height, width), ``image`` the (height, width) in pixels that anchors are wanted
    for, ``trained`` those that the graph was exported for. With rule ``pixel`` an anchor keeps its height and width
    in pixels; with ``relative`` it keeps its share of the image. Its centre goes with its cell either way.

    Raises ReferenceFailure for a generator that is not known here, or one that has another number of feature maps.
    """
    if isinstance(generator, SsdAnchorGenerator):
        _check_count(len(grids), generator.layers)
        maps = _ssd(generator, grids, image, trained)
    elif isinstance(generator, MultiscaleAnchorGenerator) and generator.normalize_coordinates:
        _check_count(len(grids), generator.max_level - generator.min_level + 1)
        maps = _multiscale(generator, grids, image, trained)
    else:
        raise ReferenceFailure(
            f"The anchors of a {type(generator).__name__} are not known for another size.",
            advice="Check this model at its own size.",
            requirement="RSH-1",
        )
    factor = (_f32(1), _f32(1)) if rule == "relative" else (_f32(trained[0] / image[0]), _f32(trained[1] / image[1]))
    boxes = []
    for centers, sizes in maps:
        sizes = sizes * np.array(factor, _f32)  # noqa: PLW2901
        half = _f32(0.5) * sizes
        boxes.append(np.concatenate([centers - half, centers + half], axis=-1).reshape(-1, 4))
    return np.concatenate(boxes).astype(_f32)


Maps = list[tuple[np.ndarray, np.ndarray]]


def _ssd(generator: SsdAnchorGenerator, grids: Sequence[Size], image: Size, trained: Size) -> Maps:
    """Centres and sizes, ``[h, w, A, 2]`` as (y, x), normalised; sizes are those at the trained size."""
    layers = generator.layers
    if generator.scales:
        scales = [*generator.scales, 1.0]
    else:
        step = (generator.max_scale - generator.min_scale) / (layers - 1)
        scales = [*(generator.min_scale + step * layer for layer in range(layers)), 1.0]
    short = _f32(min(trained))
    base = [
        short / _f32(trained[0]) * _f32(generator.base_anchor_height),
        short / _f32(trained[1]) * _f32(generator.base_anchor_width),
    ]
    maps: Maps = []
    for layer, grid in enumerate(grids):
        scale, following = scales[layer], scales[layer + 1]
        if layer == 0 and generator.reduce_boxes_in_lowest_layer:
            specs = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
        else:
            specs = [(scale, ratio) for ratio in generator.aspect_ratios]
            if generator.interpolated_scale_aspect_ratio > 0:
                specs.append((math.sqrt(scale * following), generator.interpolated_scale_aspect_ratio))
        stride = [_f32(1) / _f32(grid[0]), _f32(1) / _f32(grid[1])]
        if generator.anchor_strides is not None:
            stride = [_f32(generator.anchor_strides[layer][axis]) / _f32(image[axis]) for axis in range(2)]
        offset = [_f32(0.5) * stride[0], _f32(0.5) * stride[1]]
        if generator.anchor_offsets is not None:
            offset = [_f32(generator.anchor_offsets[layer][axis]) / _f32(image[axis]) for axis in range(2)]
        maps.append(_tiled(grid, specs, base, stride, offset))
    return maps


def _multiscale(generator: MultiscaleAnchorGenerator, grids: Sequence[Size], image: Size, trained: Size) -> Maps:
    """As above. An octave's scales vary faster than the aspect ratios."""
    octave = [2 ** (step / generator.scales_per_octave) for step in range(generator.scales_per_octave)]
    specs = [(scale, ratio) for ratio in generator.aspect_ratios for scale in octave]
    maps: Maps = []
    for level, grid in enumerate(grids, start=generator.min_level):
        pixels = 2**level
        base = [_f32(pixels * generator.anchor_scale)] * 2
        # Half a cell, where cells fill the image; else the first cell's centre is the image's corner.
        offset = [_f32(pixels / 2 if size % pixels == 0 or size == 1 else 0) for size in image]
        centers, sizes = _tiled(grid, specs, base, [_f32(pixels)] * 2, offset)
        maps.append((centers * _reciprocal(image), sizes * _reciprocal(trained)))
    return maps


def _tiled(
    grid: Size,
    specs: Sequence[tuple[float, float]],
    base: Sequence[np.float32],
    stride: Sequence[np.float32],
    offset: Sequence[np.float32],
) -> tuple[np.ndarray, np.ndarray]:
    scales = np.array([scale for scale, _ in specs], _f32)
    roots = np.sqrt(np.array([ratio for _, ratio in specs], _f32))
    sizes = np.stack([scales / roots * base[0], scales * roots * base[1]], axis=-1)
    rows = np.arange(grid[0], dtype=_f32) * stride[0] + offset[0]
    columns = np.arange(grid[1], dtype=_f32) * stride[1] + offset[1]
    centers = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    shape = (*grid, len(specs), 2)
    return np.broadcast_to(centers[:, :, None], shape), np.broadcast_to(sizes, shape)


def _reciprocal(size: Size) -> np.ndarray:
    return np.array([_f32(1) / _f32(size[0]), _f32(1) / _f32(size[1])], _f32)


def _check_count(found: int, expected: int) -> None:
    if found != expected:
        raise ReferenceFailure(
            f"The graph has {found} feature maps with heads, pipeline.config's anchor generator {expected}.",
            advice="Give the pipeline.config that the model was exported with.",
            requirement="CFG-11",
        )
