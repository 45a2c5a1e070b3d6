"""From what is fed to a DetectionOutput to the raw heads in TensorFlow's conventions."""

from __future__ import annotations

import numpy as np

from harness.observation.detections import Heads
from harness.observation.violations import LayoutError

_YXHW = [1, 0, 3, 2]  # from (x, y, w, h) or (x1, y1, x2, y2) to TensorFlow's order; its own inverse


def heads_from_detection_output(
    locations: np.ndarray,
    confidences: np.ndarray,
    priors: np.ndarray,
    *,
    num_classes: int | None = None,
    share_location: bool = True,
    variance_encoded_in_target: bool = False,
    variances: tuple[float, float, float, float] | None = None,
    background_label_id: int | None = 0,
    normalized: bool = True,
    image_size: tuple[int, int] | None = None,
) -> Heads:
    """The heads that the three inputs of an SSD-style DetectionOutput (code type CENTER_SIZE) hold (SSD-1, PRI-2).

    ``locations`` ``[N, P * 4]`` (or ``[N, P * C * 4]`` without ``share_location``) in the order tx, ty, tw, th;
    ``confidences`` ``[N, P * C]``; ``priors`` ``[1 or N, 1 or 2, P * 4]``: XYXY values, then the variances x, y, w, h
    where there is a second row. ``num_classes`` counts the background and is derived where None.
    ``background_label_id`` is the background's column, or None (or -1) when there is none: then column 0 of
    ``class_scores`` is NaN. Its rows of per-class locations are dropped, since TensorFlow has none.

    TensorFlow divides an encoding by the box coder's scale and OpenVINO multiplies it by the variance, which is
    1 / scale, so encodings carry over as they are. With ``variance_encoded_in_target`` they come already multiplied:
    they are divided by ``variances`` (y, x, h, w), and stay None when the caller knows none. Priors in pixels
    (``normalized`` False, five values each, the first an image id) need ``image_size`` (height, width).
    Anchors are ``[P, 4]`` when all images share them, else ``[N, P, 4]``.

    Raises:
        LayoutError: when the three shapes contradict each other.

    """
    locations, confidences, priors = (np.asarray(value, np.float32) for value in (locations, confidences, priors))
    if background_label_id is not None and background_label_id < 0:
        background_label_id = None
    batch = locations.shape[0]
    locations, confidences = locations.reshape(batch, -1), confidences.reshape(confidences.shape[0], -1)
    width = 4 if normalized else 5
    if (
        priors.ndim != 3
        or priors.shape[0] not in {1, batch}
        or priors.shape[1] not in {1, 2}
        or priors.shape[2] % width
    ):
        raise _contradiction(
            f"priors have shape {list(priors.shape)}, not [1 or {batch}, 1 or 2, {width} x priors]", "priors"
        )
    count = priors.shape[2] // width
    if confidences.shape[0] != batch or count == 0 or confidences.shape[1] % count:
        raise _contradiction(
            f"confidences have shape {list(confidences.shape)}, for batch {batch} and {count} priors", "confidences"
        )
    columns = confidences.shape[1] // count
    if num_classes is not None and columns != num_classes:
        raise _contradiction(
            f"confidences hold {columns} classes a prior, where {num_classes} were promised", "confidences"
        )
    loc_classes = 1 if share_location else columns
    if locations.shape[1] != count * loc_classes * 4:
        raise _contradiction(
            f"locations have shape {list(locations.shape)}, for {count} priors and {loc_classes} locations each",
            "locations",
        )

    anchors, read_variances = _anchors(priors, count, normalized=normalized, image_size=image_size)
    coder = np.asarray(variances, np.float32) if variances is not None else None
    shown = locations.reshape(batch, count, loc_classes, 4)[..., _YXHW]
    if not share_location and background_label_id is not None:
        shown = np.delete(shown, background_label_id, axis=2)
    encodings: np.ndarray | None = shown
    if variance_encoded_in_target:
        encodings = None if coder is None else shown / coder
        read_variances = None if coder is None else np.broadcast_to(coder, (count, 4)).copy()
    return Heads(
        box_encodings=encodings,
        class_scores=_with_background_first(confidences.reshape(batch, count, columns), background_label_id),
        anchors=anchors,
        variances=read_variances,
    )


def _anchors(
    priors: np.ndarray, count: int, *, normalized: bool, image_size: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray | None]:
    boxes = priors[:, 0].reshape(priors.shape[0], count, -1)[..., -4:][..., _YXHW]
    if not normalized:
        if image_size is None:
            raise _contradiction("priors are in pixels and the image's size is not known", "priors")
        boxes = boxes / np.asarray([*image_size, *image_size], np.float32)
    shared = bool((boxes == boxes[:1]).all())
    variances = None
    if priors.shape[1] == 2:
        # In the five-wide form the variances stay four wide, one after the other.
        variances = priors[0, 1][: count * 4].reshape(count, 4)[:, _YXHW]
    return (boxes[0] if shared else boxes), variances


def _with_background_first(scores: np.ndarray, background: int | None) -> np.ndarray:
    if background is None:
        blank = np.full((*scores.shape[:2], 1), np.nan, np.float32)
        return np.concatenate([blank, scores], axis=2)
    order = [background, *(column for column in range(scores.shape[2]) if column != background)]
    return scores[..., order]


def _contradiction(what: str, where: str) -> LayoutError:
    return LayoutError(
        f"The inputs of DetectionOutput contradict each other: {what}.",
        where=f"DetectionOutput input {where}",
        advice="Compare the shapes of the IR's box and class heads with its priors.",
        requirement="SSD-1",
    )
