"""The floor: what the reference has to show before any comparison with it means something.

Suites that compared whatever there was have passed converters on pictures in which TensorFlow itself found nothing
(ANCHORS 0.1). So the reference is judged first, and a poor one is the case's error, not the converter's success.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.compare.geometry import areas, clip_to_window
from harness.errors import CaseError
from harness.observation.detections import Answer, Detections

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.cases.case import Floor

#: A box that covers more than this of the image says nothing about where something is.
_WHOLE_IMAGE = 0.95


def require_floor(answers: Answer | Iterable[Answer], floor: Floor, *, case: str = "") -> None:
    """Accept the reference's answers of all scenes together, or say what they lack.

    A detection counts when its score is over ``floor.score`` and its box is a place: it has area and is not the whole
    image. Of those there must be ``floor.detections``, at different places, of ``floor.classes`` classes, with scores
    that span ``floor.score_spread``; and when ``floor.mask_area`` asks for masks, the mean share of their pixels that
    are inside must reach it, and stay under one minus it (a mask that is full shows nothing either).

    Raises:
        CaseError: when the answers are not finite or below the floor; it says what was found.

    """
    images = [image for answer in _as_tuple(answers) for image in answer.images]
    for index, image in enumerate(images):
        if not (np.isfinite(image.boxes).all() and np.isfinite(image.scores).all()):
            raise _too_poor(f"image {index} has detections that are not finite", case)
    counted = [_counted(image, floor.score) for image in images]
    total = sum(len(image) for image in counted)
    given = sum(len(image) for image in images)
    found = (
        f"{total} of {given} detections in {len(images)} images count "
        f"(score over {floor.score:g}, a box that is a place in the image)"
    )
    if total < max(floor.detections, 1):
        raise _too_poor(f"{found}, and {max(floor.detections, 1)} are asked for", case)
    boxes = np.concatenate(
        [np.column_stack([np.full(len(image), at), image.boxes]) for at, image in enumerate(counted)]
    )
    places = len(np.unique(np.round(boxes, 3), axis=0))
    if places < min(2, floor.detections):
        raise _too_poor(f"{found}, and all are the same box", case)
    classes = np.unique(np.concatenate([image.classes for image in counted]))
    if classes.size < floor.classes:
        raise _too_poor(f"{found}, of {classes.size} classes where {floor.classes} are asked for", case)
    scores = np.concatenate([image.scores for image in counted])
    spread = float(scores.max() - scores.min())
    if spread < floor.score_spread:
        raise _too_poor(f"{found}, whose scores span {spread:.3g} where {floor.score_spread:g} is asked for", case)
    if floor.mask_area > 0.0:
        _require_masks(counted, floor.mask_area, case)


def _require_masks(images: list[Detections], least: float, case: str) -> None:
    bare = sum(len(image) for image in images if image.masks is None)
    if bare:
        raise _too_poor(f"{bare} detections have no mask", case)
    shares = np.concatenate([(image.masks > 0.5).mean(axis=(1, 2)) for image in images if image.masks is not None])
    share = float(shares.mean())
    if not least <= share <= 1.0 - least:
        raise _too_poor(
            f"the masks fill {share:.3g} of their boxes in the mean, outside {least:g} to {1 - least:g}", case
        )


def _counted(image: Detections, score: float) -> Detections:
    shown = areas(clip_to_window(image.boxes.astype(np.float64)))
    good = (image.scores > score) & (shown > 0.0) & (shown < _WHOLE_IMAGE)
    masks = None if image.masks is None else image.masks[good]
    return Detections(image.boxes[good], image.scores[good], image.classes[good], masks)


def _as_tuple(answers: Answer | Iterable[Answer]) -> tuple[Answer, ...]:
    return (answers,) if isinstance(answers, Answer) else tuple(answers)


def _too_poor(what: str, case: str) -> CaseError:
    return CaseError(
        f"The reference is too poor to prove anything: {what}.",
        where=f"case {case}" if case else "the reference's answers",
        advice="Give the case other images or weights: this reference would pass converters that find nothing.",
    )
