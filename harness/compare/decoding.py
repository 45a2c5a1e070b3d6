"""Box encodings to boxes, as TensorFlow's Faster R-CNN box coder does it, and how errors travel along."""

from __future__ import annotations

import numpy as np

from harness.compare.noise import FLOOR_EPSILONS, Level
from harness.compare.resolution import EPSILON


def decode_boxes(encodings: np.ndarray, anchors: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Boxes float32 ``[N, P, Q, 4]`` (YXYX) from encodings ``[N, P, Q, 4]`` (ty, tx, th, tw).

    ``anchors`` are ``[P, 4]`` or ``[N, P, 4]`` (YXYX), ``variances`` ``[P, 4]`` (y, x, h, w; 1 / the coder's scale).
    Every step is float32, in the order of TensorFlow's graph.
    """
    encodings = encodings.astype(np.float32)
    centers, sizes = _centers_and_sizes(anchors.astype(np.float32))
    scaled = encodings * variances.astype(np.float32)[None, :, None]
    with np.errstate(over="ignore"):
        decoded_sizes = np.exp(scaled[..., 2:]) * sizes
    decoded_centers = scaled[..., :2] * sizes + centers
    half = decoded_sizes / np.float32(2.0)
    return np.concatenate([decoded_centers - half, decoded_centers + half], axis=-1)


def decoded_tolerance(
    encodings: np.ndarray,
    anchors: np.ndarray,
    variances: np.ndarray,
    *,
    encoding_noise: Level,
    anchor_noise: Level,
    factor: float,
) -> np.ndarray:
    """How far the corners may lie off, ``[N, P, Q, 4]``, when encodings and anchors may be off by ``factor`` x noise.

    A box moves with its centre (variance x anchor size x error) and grows with its size (half of size x the relative
    change); large boxes move further in the picture than small ones, for the same error of the network. The decoder's
    own roundings are added.
    """
    allowed = factor * encoding_noise.at(encodings)
    anchored = factor * anchor_noise.magnitude
    _, sizes = _centers_and_sizes(anchors.astype(np.float64))
    scaled = encodings.astype(np.float64) * variances.astype(np.float64)[None, :, None]
    spread = variances.astype(np.float64)[None, :, None]
    with np.errstate(over="ignore", invalid="ignore"):
        growth = np.exp(scaled[..., 2:])
        decoded = growth * sizes
        shifted = np.abs(scaled[..., :2])
        moved = allowed[..., :2] * spread[..., :2] * sizes + anchored * (1.0 + 2.0 * shifted)
        grown = 0.5 * (decoded + 2.0 * anchored * growth) * np.expm1(allowed[..., 2:] * spread[..., 2:])
        grown = grown + anchored * growth
        rounding = factor * FLOOR_EPSILONS * EPSILON * np.maximum(1.0, decoded + shifted * sizes)
    tolerance = moved + grown + rounding
    return np.concatenate([tolerance, tolerance], axis=-1)


def _centers_and_sizes(anchors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres and sizes (y, x), shaped to broadcast against ``[N, P, Q, 2]``."""
    boxes = anchors if anchors.ndim == 3 else anchors[None]
    boxes = boxes[:, :, None]
    sizes = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + sizes / boxes.dtype.type(2.0), sizes
