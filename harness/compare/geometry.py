"""Overlap of boxes: exactly, and as an interval when each corner is only known to lie between two values."""

from __future__ import annotations

import numpy as np


def areas(boxes: np.ndarray) -> np.ndarray:
    """The area of each box of ``[..., 4]`` (YXYX); an inverted box has none."""
    heights = np.maximum(boxes[..., 2] - boxes[..., 0], 0.0)
    widths = np.maximum(boxes[..., 3] - boxes[..., 1], 0.0)
    product: np.ndarray = heights * widths
    return product


def iou_matrix(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Intersection over union ``[A, B]`` of ``[A, 4]`` and ``[B, 4]`` (YXYX), in the boxes' dtype.

    Computed as TensorFlow's non-max suppression does: a box without area overlaps nothing.
    """
    one, two = one[:, None], two[None]
    heights = np.minimum(one[..., 2], two[..., 2]) - np.maximum(one[..., 0], two[..., 0])
    widths = np.minimum(one[..., 3], two[..., 3]) - np.maximum(one[..., 1], two[..., 1])
    intersection = np.maximum(heights, 0.0) * np.maximum(widths, 0.0)
    area_one, area_two = areas(one), areas(two)
    union = area_one + area_two - intersection
    solid = (area_one > 0.0) & (area_two > 0.0) & (union > 0.0)
    return np.where(solid, intersection / np.where(solid, union, 1.0), 0.0)


def iou_bounds(
    low_one: np.ndarray, high_one: np.ndarray, low_two: np.ndarray, high_two: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest IoU ``[A, B]`` of boxes whose corners lie anywhere between ``low`` and ``high``.

    ``low_one``, ``high_one`` are ``[A, 4]``, the others ``[B, 4]``. The bounds are safe (never inside the true
    range), not tight: overlap and areas are bounded one by one.
    """
    low_one, high_one, low_two, high_two = low_one[:, None], high_one[:, None], low_two[None], high_two[None]
    least = np.ones(np.broadcast_shapes(low_one.shape[:-1], low_two.shape[:-1]))
    most = least.copy()
    for start, end in ((0, 2), (1, 3)):
        least *= np.maximum(
            np.minimum(low_one[..., end], low_two[..., end]) - np.maximum(high_one[..., start], high_two[..., start]), 0
        )
        most *= np.maximum(
            np.minimum(high_one[..., end], high_two[..., end]) - np.maximum(low_one[..., start], low_two[..., start]), 0
        )
    smallest = area_bounds(low_one, high_one)[0] + area_bounds(low_two, high_two)[0]
    largest = area_bounds(low_one, high_one)[1] + area_bounds(low_two, high_two)[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = np.where(largest - least > 0, least / (largest - least), 0.0)
        upper = np.where(smallest > most, most / (smallest - most), np.where(most > 0, 1.0, 0.0))
    return np.clip(np.nan_to_num(lower), 0.0, 1.0), np.clip(np.nan_to_num(upper, nan=1.0), 0.0, 1.0)


def area_bounds(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest area of boxes whose corners lie anywhere between ``low`` and ``high``."""
    least = np.maximum(low[..., 2] - high[..., 0], 0.0) * np.maximum(low[..., 3] - high[..., 1], 0.0)
    most = np.maximum(high[..., 2] - low[..., 0], 0.0) * np.maximum(high[..., 3] - low[..., 1], 0.0)
    return least, most


def clip_to_window(boxes: np.ndarray, window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)) -> np.ndarray:
    """The boxes with their corners moved into the window (YXYX)."""
    lower = np.asarray([window[0], window[1], window[0], window[1]], boxes.dtype)
    upper = np.asarray([window[2], window[3], window[2], window[3]], boxes.dtype)
    clipped: np.ndarray = np.clip(boxes, lower, upper)
    return clipped
