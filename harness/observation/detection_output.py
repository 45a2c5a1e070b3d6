"""From the rows that OpenVINO's DetectionOutput writes to canonical detections, and the rules that those rows keep.

A row is (image id, class label, score, x1, y1, x2, y2). The first row whose image id is -1 ends the data, and what
follows it is padding; its image id 0 means nothing, so a reader that only filters by image id sees phantoms.
"""

from __future__ import annotations

import itertools

import numpy as np

from harness.observation.detections import Detections
from harness.observation.violations import LayoutViolation, report

_NAME = "DetectionOutput"


def from_detection_output(
    rows: np.ndarray,
    batch: int,
    *,
    masks: np.ndarray | None = None,
    violations: list[LayoutViolation] | None = None,
) -> tuple[Detections, ...]:
    """The detections of each of ``batch`` images, in the rows' order (SSD-2, MSK-2, MSK-3).

    ``rows`` is ``[1, 1, M, 7]`` or ``[M, 7]``, corners XYXY and normalised. ``masks`` is ``[M, C, h, w]`` in the
    order of the rows; each detection takes channel ``label - 1``, its own class. Rows that break the layout are
    appended to ``violations``. A row whose image and label can be read is kept even when its score or box is not
    finite, so that no comparison after this can overlook it; other broken rows are left out.

    Raises:
        LayoutError: when the layout is broken and the caller passes no ``violations`` to collect into.

    """
    found: list[LayoutViolation] = []
    table = _table(rows, found)
    if masks is not None:
        masks = np.asarray(masks)
        if masks.ndim != 4 or masks.shape[0] != table.shape[0]:
            found.append(
                LayoutViolation(
                    "mask", f"masks have shape {list(masks.shape)}, for {table.shape[0]} rows of detections"
                )
            )
            masks = None
    kept = _readable_rows(table, batch, None if masks is None else int(masks.shape[1]), found)
    report(found, violations, _NAME)

    images = []
    for image in range(batch):
        own = kept[table[kept, 0] == image]
        labels = table[own, 1].astype(np.int64)
        images.append(
            Detections(
                boxes=table[own][:, [4, 3, 6, 5]].astype(np.float32),
                scores=table[own, 2].astype(np.float32),
                classes=labels,
                masks=None if masks is None else masks[own, labels - 1].astype(np.float32),
            )
        )
    return tuple(images)


def check_rows(
    rows: np.ndarray,
    batch: int,
    *,
    num_classes: int | None = None,
    keep_top_k: int | None = None,
    clipped: bool = False,
) -> tuple[LayoutViolation, ...]:
    """Every rule of the layout that the rows break: those of reading, and those of order, range and count (SSD-2).

    Beyond what :func:`from_detection_output` collects: scores lie in [0, 1], corners are not inverted (and lie in
    [0, 1] when ``clipped``), labels are at most ``num_classes``, there are ``batch * keep_top_k`` rows, and the rows
    are grouped by image, in it by class, in it by falling score.
    """
    found: list[LayoutViolation] = []
    table = _table(rows, found)
    kept = _readable_rows(table, batch, None, found)
    if keep_top_k is not None and table.shape[0] != batch * keep_top_k:
        found.append(
            LayoutViolation(
                "count", f"{table.shape[0]} rows where batch {batch} x keep_top_k {keep_top_k} are promised"
            )
        )
    for row in kept:
        values = tuple(float(value) for value in table[row])
        _, label, score, x1, y1, x2, y2 = values
        if num_classes is not None and label > num_classes:
            found.append(LayoutViolation("label", f"the label is over the {num_classes} classes", int(row), values))
        if not 0.0 <= score <= 1.0 and np.isfinite(score):
            found.append(LayoutViolation("score_range", "the score is no probability", int(row), values))
        if x2 < x1 or y2 < y1:
            found.append(LayoutViolation("box", "the corners are inverted", int(row), values))
        if clipped and (min(x1, y1) < 0.0 or max(x2, y2) > 1.0):
            found.append(LayoutViolation("box", "the box leaves the image though boxes are clipped", int(row), values))
    if keep_top_k is not None:
        for image in range(batch):
            count = int((table[kept, 0] == image).sum())
            if count > keep_top_k:
                found.append(LayoutViolation("count", f"image {image} has {count} rows, over keep_top_k {keep_top_k}"))
    for earlier, later in itertools.pairwise(kept):
        first, second = table[earlier, :3], table[later, :3]
        if (first[0], first[1], -first[2]) > (second[0], second[1], -second[2]):
            found.append(
                LayoutViolation(
                    "order",
                    f"row {earlier} stands before it, though rows go by image, class and falling score",
                    int(later),
                    tuple(float(value) for value in table[later]),
                )
            )
    return tuple(found)


def _table(rows: np.ndarray, found: list[LayoutViolation]) -> np.ndarray:
    """The rows as float64 ``[M, 7]``; float64 only so that no comparison below rounds."""
    rows = np.asarray(rows)
    good = rows.ndim in {2, 4} and rows.shape[-1] == 7 and all(size == 1 for size in rows.shape[:-2])
    if not good:
        found.append(LayoutViolation("shape", f"shape {list(rows.shape)} is neither [1, 1, M, 7] nor [M, 7]"))
        return np.zeros((0, 7))
    return rows.reshape(-1, 7).astype(np.float64)


def _readable_rows(
    table: np.ndarray, batch: int, mask_channels: int | None, found: list[LayoutViolation]
) -> np.ndarray:
    """The indices of the rows before the terminator that can be told an image and a label."""
    ends = np.flatnonzero(table[:, 0] == -1.0)
    end = int(ends[0]) if ends.size else table.shape[0]
    if ends.size and np.any(table[end, 1:] != 0.0):
        found.append(_violation("terminator", "the terminator carries values", end, table))
    # Some devices pad with further terminators instead of zeros; both are padding.
    found.extend(
        _violation("padding", "there is data after the terminator", row, table)
        for row in range(end + 1, table.shape[0])
        if np.any(table[row, 1:] != 0.0) or table[row, 0] not in {0.0, -1.0}
    )

    kept = []
    for row in range(end):
        image, label = table[row, 0], table[row, 1]
        if not table[row].any():
            found.append(_violation("terminator", "an all-zero row that no terminator precedes", row, table))
            continue
        readable = True
        if not np.isfinite(table[row]).all():
            found.append(_violation("non_finite", "a value is not finite", row, table))
        if not (np.isfinite(image) and image == np.floor(image) and 0 <= image < batch):
            found.append(_violation("image_id", f"the image id is none of 0 to {batch - 1}", row, table))
            readable = False
        if not (np.isfinite(label) and label == np.floor(label) and label >= 1):
            found.append(_violation("label", "the label is no class (classes are the integers from 1)", row, table))
            readable = False
        elif mask_channels is not None and label > mask_channels:
            found.append(_violation("mask", f"the label has no channel among {mask_channels} masks", row, table))
            readable = False
        if readable:
            kept.append(row)
    return np.asarray(kept, dtype=np.int64)


def _violation(kind: str, what: str, row: int, table: np.ndarray) -> LayoutViolation:
    return LayoutViolation(kind, what, int(row), tuple(float(value) for value in table[row]))  # type: ignore[arg-type]
