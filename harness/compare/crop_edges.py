"""Crops along boxes that end at the image's edge: whether their last row is inside hangs on the last bit.

TensorFlow's CropAndResize adds up float32 steps to get to the last row of a crop. Along a box that ends at the image's
edge the sum is the map's last row, or a hair more: then all of the row is outside, and zero. Which of the two it is
changes with the last bit of the box's other edge, so nobody who computes boxes in another order can foretell it.
"""

from __future__ import annotations

import dataclasses

import numpy as np

# In units of the last place near one half: how far an edge moves by another order of sums.
_REACH = 8
# As near to the image's edge as clipped boxes lie.
_AT_THE_EDGE = 1e-6


@dataclasses.dataclass(frozen=True)
class CropEdges:
    """Crops of ``size`` (rows, columns) from feature maps of ``map_size`` (height, width)."""

    map_size: tuple[int, int]
    size: tuple[int, int]

    def undecided(self, box: np.ndarray) -> bool:
        """Whether the last row or column of a crop along ``box`` (YXYX, normalised) is inside by a bit, or not."""
        return any(
            self._hangs(float(box[axis]), float(box[axis + 2]), self.map_size[axis], self.size[axis]) for axis in (0, 1)
        )

    @staticmethod
    def _hangs(low: float, high: float, length: int, crop: int) -> bool:
        if abs(high - 1.0) > _AT_THE_EDGE or crop < 2 or length < 2:
            return False
        ulp = np.spacing(np.float32(0.5))
        near = [np.float32(low) + np.float32(step) * ulp for step in range(-_REACH, _REACH + 1)]
        return len({_last_is_beyond(max(edge, np.float32(0.0)), length, crop) for edge in near}) > 1


def _last_is_beyond(low: np.float32, length: int, crop: int) -> bool:
    last = np.float32(length - 1)
    step = ((np.float32(1.0) - low) * last) / np.float32(crop - 1)
    return bool(low * last + np.float32(crop - 1) * step > last)
