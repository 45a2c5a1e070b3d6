"""Anchors of the SSD and multiscale generators as grids of pixel sizes, one grid a feature map (PRI-1, PRI-3).

A grid says what PriorBoxClustered needs: widths and heights in pixels of the training resolution, and where centres
lie. The same grids evaluated in numpy are held against the graph's own anchors before anything is built from them.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from harness.pipeline.anchor_generator import MultiscaleAnchorGenerator, SsdAnchorGenerator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.pipeline.anchor_generator import AnchorGenerator


@dataclasses.dataclass(frozen=True)
class AnchorGrid:
    """The anchors of one feature map.

    ``heights`` and ``widths`` are in pixels, one an anchor of a cell. ``stride`` (height, width) is in pixels; zero
    means that the image is divided evenly by the feature map. ``offset`` (vertical, horizontal) is the centre of the
    first cell in strides; where ``fills`` is set it holds only along sides of the image that the stride divides, and
    along others the first centre is the image's edge.
    """

    heights: tuple[float, ...]
    widths: tuple[float, ...]
    stride: tuple[float, float] = (0.0, 0.0)
    offset: tuple[float, float] = (0.5, 0.5)
    fills: bool = False

    def offsets(self, size: tuple[int, int]) -> tuple[float, float]:
        """The offsets (vertical, horizontal) in an image of ``size`` (height, width)."""
        vertical, horizontal = (
            offset if not self.fills or side == 1 or side % stride == 0 else 0.0
            for side, stride, offset in zip(size, self.stride, self.offset, strict=True)
        )
        return vertical, horizontal


def anchor_grids(generator: AnchorGenerator, size: tuple[int, int]) -> list[AnchorGrid] | None:
    """The grids of a generator at an image size (height, width); None when this generator has no such form (PRI-2)."""
    if isinstance(generator, SsdAnchorGenerator):
        return _ssd(generator, size)
    if isinstance(generator, MultiscaleAnchorGenerator):
        return _multiscale(generator)
    return None


def _ssd(generator: SsdAnchorGenerator, size: tuple[int, int]) -> list[AnchorGrid] | None:
    layers = generator.layers
    if generator.scales:
        scales = [*generator.scales[:layers], 1.0]
    else:
        step = (generator.max_scale - generator.min_scale) / (layers - 1)
        scales = [generator.min_scale + step * layer for layer in range(layers)] + [1.0]
    height, width = size
    # Relative to the image's short side, so that anchors of a ratio of 1 are square in pixels.
    base_height = generator.base_anchor_height * min(height, width)
    base_width = generator.base_anchor_width * min(height, width)
    strides, offsets = generator.anchor_strides, generator.anchor_offsets
    grids = []
    for layer in range(layers):
        if layer == 0 and generator.reduce_boxes_in_lowest_layer:
            pairs = [(0.1, 1.0), (scales[0], 2.0), (scales[0], 0.5)]
        else:
            pairs = [(scales[layer], ratio) for ratio in generator.aspect_ratios]
            if generator.interpolated_scale_aspect_ratio > 0.0:
                between = math.sqrt(scales[layer] * scales[layer + 1])
                pairs.append((between, generator.interpolated_scale_aspect_ratio))
        stride, offset = (0.0, 0.0), (0.5, 0.5)
        if strides is not None:
            stride = (float(strides[layer][0]), float(strides[layer][1]))
            given = offsets[layer] if offsets is not None else (0.5 * stride[0], 0.5 * stride[1])
            offset = (given[0] / stride[0], given[1] / stride[1])
        elif offsets is not None:
            return None
        grids.append(
            AnchorGrid(
                heights=tuple(scale / math.sqrt(ratio) * base_height for scale, ratio in pairs),
                widths=tuple(scale * math.sqrt(ratio) * base_width for scale, ratio in pairs),
                stride=stride,
                offset=offset,
            )
        )
    return grids


def _multiscale(generator: MultiscaleAnchorGenerator) -> list[AnchorGrid]:
    octave = [2.0 ** (step / generator.scales_per_octave) for step in range(generator.scales_per_octave)]
    grids = []
    for level in range(generator.min_level, generator.max_level + 1):
        stride = float(2**level)
        base = stride * generator.anchor_scale
        pairs = [(scale, ratio) for ratio in generator.aspect_ratios for scale in octave]
        grids.append(
            AnchorGrid(
                heights=tuple(scale / math.sqrt(ratio) * base for scale, ratio in pairs),
                widths=tuple(scale * math.sqrt(ratio) * base for scale, ratio in pairs),
                stride=(stride, stride),
                fills=True,
            )
        )
    return grids


def lay_out(grids: Sequence[AnchorGrid], maps: Sequence[tuple[int, int]], size: tuple[int, int]) -> np.ndarray:
    """The grids' boxes on feature maps of the given (height, width), for an image ``size``: float64 ``[P, 4]`` YXYX."""
    boxes = []
    for grid, (rows, columns) in zip(grids, maps, strict=True):
        step_y = grid.stride[0] or size[0] / rows
        step_x = grid.stride[1] or size[1] / columns
        offset_y, offset_x = grid.offsets(size)
        centre_y = (np.arange(rows) + offset_y) * step_y
        centre_x = (np.arange(columns) + offset_x) * step_x
        y, x, k = np.meshgrid(centre_y, centre_x, np.arange(len(grid.heights)), indexing="ij")
        half_height, half_width = np.asarray(grid.heights)[k] / 2, np.asarray(grid.widths)[k] / 2
        corners = np.stack([y - half_height, x - half_width, y + half_height, x + half_width], axis=-1)
        boxes.append(corners.reshape(-1, 4) / np.array([size[0], size[1], size[0], size[1]]))
    return np.concatenate(boxes)
