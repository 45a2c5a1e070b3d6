"""What TensorFlow's graphs of two-stage detectors compute, written again in numpy with float64."""

from __future__ import annotations

import numpy as np


def decode(anchors: np.ndarray, codes: np.ndarray, scales: tuple[float, ...] = (10.0, 10.0, 5.0, 5.0)) -> np.ndarray:
    """Boxes YXYX of anchors YXYX and codes (ty, tx, th, tw), both ``[..., 4]``."""
    anchors, codes = anchors.astype(np.float64), codes.astype(np.float64) / np.array(scales)
    size = anchors[..., 2:] - anchors[..., :2]
    centre = (anchors[..., :2] + anchors[..., 2:]) / 2 + codes[..., :2] * size
    half = np.exp(codes[..., 2:]) * size / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def clip(boxes: np.ndarray, height: float, width: float) -> np.ndarray:
    return np.clip(boxes, 0.0, [height, width, height, width])


def areas(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)


def overlap(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    common = np.maximum(0.0, np.minimum(one[2:], others[:, 2:]) - np.maximum(one[:2], others[:, :2])).prod(axis=1)
    union = areas(one) + areas(others) - common
    return np.where((areas(one) <= 0) | (areas(others) <= 0), 0.0, common / np.where(union > 0, union, 1.0))


def suppress(boxes: np.ndarray, scores: np.ndarray, *, limit: int, iou: float, threshold: float) -> list[int]:
    """Indices as NonMaxSuppression selects them: best first, each overlapping no better one too much."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if len(kept) == limit or not scores[index] > threshold:
            break
        if not kept or not (overlap(boxes[index], boxes[kept]) > iou).any():
            kept.append(int(index))
    return kept


def close_calls(boxes: np.ndarray, scores: np.ndarray, iou: float, margin: float = 1e-5) -> bool:
    """Whether some decision of suppression is within rounding: then two right answers may differ."""
    for index in range(len(boxes)):
        near = np.abs(overlap(boxes[index], boxes) - iou) < margin
        if near.any():
            return True
    return bool((np.abs(np.diff(np.sort(scores))) < 1e-7).any())


def proposals(
    codes: np.ndarray,
    scores: np.ndarray,
    anchors: np.ndarray,
    size: tuple[int, int],
    *,
    limit: int,
    iou: float,
    threshold: float,
    clip_first: bool,
) -> np.ndarray:
    """One image's proposals ``[R, 4]``, YXYX and normalised, padding left out."""
    boxes = decode(clip(anchors, *size), codes)
    if clip_first:
        boxes = clip(boxes, *size)
        usable = areas(boxes) > 0
        boxes, scores = boxes[usable], scores[usable]
    kept = clip(boxes[suppress(boxes, scores, limit=limit, iou=iou, threshold=threshold)], *size)
    return kept[areas(kept) > 0] / np.array([*size, *size], np.float64)


def detections(
    boxes: np.ndarray,
    scores: np.ndarray,
    *,
    per_class: int,
    total: int,
    iou: float,
    threshold: float,
    clip_first: bool,
) -> list[tuple[float, int, np.ndarray]]:
    """(score, label from 1, box) of one image: boxes ``[K, C or 1, 4]`` and scores ``[K, C]``, normalised."""
    found = []
    for label in range(scores.shape[1]):
        own = boxes[:, min(label, boxes.shape[1] - 1)]
        mine = scores[:, label]
        if clip_first:
            own = clip(own, 1.0, 1.0)
            usable = areas(own) > 0
            own, mine = own[usable], mine[usable]
        chosen = suppress(own, mine, limit=per_class, iou=iou, threshold=threshold)
        clipped = clip(own[chosen], 1.0, 1.0)
        found += [
            (float(mine[one]), label + 1, box) for one, box in zip(chosen, clipped, strict=True) if areas(box) > 0
        ]
    return sorted(found, key=lambda one: -one[0])[:total]
