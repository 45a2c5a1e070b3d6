"""Two comparisons in use elsewhere, re-told here to show what passes them: an index-aligned allclose, a greedy IoU.

The first compares TensorFlow-style padded outputs element by element at 5e-2. The second filters both sides by score,
drops images that are then empty, and asks of each detection *observed* that one of TensorFlow's overlaps it.
"""

from __future__ import annotations

import numpy as np

from harness.compare.geometry import iou_matrix
from harness.observation.detections import Answer, Detections


def aligned_allclose(reference: Answer, observed: Answer, tolerance: float = 5e-2) -> bool:
    """Whether both sides' padded, score-sorted outputs are equal element by element."""
    slots = max((len(image) for image in (*reference.images, *observed.images)), default=0)
    if len(reference.images) != len(observed.images):
        return False
    for one, two in zip(reference.images, observed.images, strict=True):
        for first, second in zip(_padded(one, slots), _padded(two, slots), strict=True):
            if not np.allclose(second, first, rtol=tolerance, atol=tolerance):
                return False
    return True


def greedy_iou(reference: Answer, observed: Answer, score: float = 0.5, least: float = 0.9) -> bool:
    """Whether each observed detection over the score finds one of TensorFlow's, best overlap first."""
    ones = [_filtered(image, score) for image in reference.images]
    twos = [_filtered(image, score) for image in observed.images]
    ones, twos = [image for image in ones if len(image)], [image for image in twos if len(image)]
    status = []
    for one, two in zip(ones, twos, strict=False):
        free = set(range(len(one)))
        for index in range(len(two)):
            same = [other for other in free if one.classes[other] == two.classes[index]]
            overlaps = iou_matrix(two.boxes[index : index + 1], one.boxes[same])[0] if same else np.zeros(0)
            status.append(bool(overlaps.size and overlaps.max() > least))
            if status[-1]:
                free.discard(same[int(np.argmax(overlaps))])
    return all(status)


def _padded(image: Detections, slots: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    order = np.argsort(-image.scores, kind="stable")
    boxes, scores, classes = np.zeros((slots, 4)), np.zeros(slots), np.ones(slots)
    boxes[: len(image)], scores[: len(image)] = image.boxes[order], image.scores[order]
    classes[: len(image)] = image.classes[order]
    return boxes, scores, classes, float(len(image))


def _filtered(image: Detections, score: float) -> Detections:
    good = image.scores > score
    return Detections(image.boxes[good], image.scores[good], image.classes[good])
