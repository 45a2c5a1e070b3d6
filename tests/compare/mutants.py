"""Faults of converters, put into an answer that was right: each takes the world and a right answer of it."""

from __future__ import annotations

import dataclasses

import numpy as np

from harness.compare.suppression import suppress
from harness.observation.detections import Answer, Detections
from tests.compare.worlds import World, moved, take


def each(answer: Answer, change) -> Answer:
    return Answer(tuple(change(image) for image in answer.images))


def lost(world: World, answer: Answer) -> Answer:
    """The best detection of the first image is gone."""
    return Answer((take(answer.images[0], np.arange(1, len(answer.images[0]))), *answer.images[1:]))


def lost_in_the_middle(world: World, answer: Answer) -> Answer:
    """A detection of middling score is gone."""
    image = answer.images[0]
    keep = [index for index in range(len(image)) if index != len(image) // 2]
    return Answer((take(image, keep), *answer.images[1:]))


def duplicated(world: World, answer: Answer) -> Answer:
    """The best detection is there twice."""
    return each(answer, lambda image: take(image, [0, *range(len(image))]))


def class_up(world: World, answer: Answer) -> Answer:
    """Every class is TensorFlow's plus 1."""
    return each(answer, lambda image: dataclasses.replace(image, classes=image.classes + 1))


def class_down(world: World, answer: Answer) -> Answer:
    """Every class is TensorFlow's minus 1, and what was class 1 is class 1 still."""
    return each(answer, lambda image: dataclasses.replace(image, classes=np.maximum(image.classes - 1, 1)))


def one_class_changed(world: World, answer: Answer) -> Answer:
    """One detection alone has another class."""

    def change(image: Detections) -> Detections:
        classes = image.classes.copy()
        classes[0] = classes[0] % 5 + 1
        return dataclasses.replace(image, classes=classes)

    return each(answer, change)


def score_off(world: World, answer: Answer) -> Answer:
    """One score is off by 1e-3, in the middle of the scale."""

    def change(image: Detections) -> Detections:
        scores = image.scores.copy()
        scores[np.argmin(np.abs(scores - 0.5))] += 1e-3
        return dataclasses.replace(image, scores=scores)

    return each(answer, change)


def low_score_off(world: World, answer: Answer) -> Answer:
    """The lowest score is off by one part in a hundred."""

    def change(image: Detections) -> Detections:
        scores = image.scores.copy()
        scores[-1] *= 1.01
        return dataclasses.replace(image, scores=scores)

    return each(answer, change)


def box_moved(world: World, answer: Answer) -> Answer:
    """One box lies a thousandth of the image lower."""

    def change(image: Detections) -> Detections:
        boxes = image.boxes.copy()
        boxes[1] += np.float32([1e-3, 0, 1e-3, 0])
        return dataclasses.replace(image, boxes=boxes)

    return each(answer, change)


def wide_boxes(world: World, answer: Answer) -> Answer:
    """Every box is a third too wide, as on a non-square image whose width was taken for its height."""

    def change(image: Detections) -> Detections:
        boxes = image.boxes.copy()
        middle, width = (boxes[:, 1] + boxes[:, 3]) / 2, (boxes[:, 3] - boxes[:, 1]) * 4 / 3
        boxes[:, 1], boxes[:, 3] = middle - width / 2, middle + width / 2
        return dataclasses.replace(image, boxes=np.clip(boxes, 0, 1))

    return each(answer, change)


def swapped_axes(world: World, answer: Answer) -> Answer:
    """Boxes are XYXY."""
    return each(answer, lambda image: dataclasses.replace(image, boxes=image.boxes[:, [1, 0, 3, 2]]))


def images_permuted(world: World, answer: Answer) -> Answer:
    """The images of the batch answer for each other."""
    return Answer(answer.images[::-1])


def image_repeated(world: World, answer: Answer) -> Answer:
    """The second image answers what the first does."""
    return Answer((answer.images[0], *answer.images[:1]))


def image_missing(world: World, answer: Answer) -> Answer:
    """The batch ends after its first image."""
    return Answer(answer.images[:1])


def replaced(world: World, answer: Answer) -> Answer:
    """A good detection gave way to a box that its kept neighbour suppresses by far."""

    def change(image: Detections) -> Detections:
        boxes, scores, classes = image.boxes.copy(), image.scores.copy(), image.classes.copy()
        boxes[1] = boxes[0] + np.float32([0.01, 0.01, 0.01, 0.01])
        classes[1], scores[1] = classes[0], scores[0] * 0.99
        return Detections(boxes, scores, classes)

    return each(answer, change)


def invented(world: World, answer: Answer) -> Answer:
    """A box that no anchor of the model could give, with a score over the threshold."""

    def change(image: Detections) -> Detections:
        return Detections(
            np.concatenate([image.boxes, np.float32([[0.0, 0.0, 0.02, 0.02]])]),
            np.append(image.scores, np.float32(0.2)),
            np.append(image.classes, 1),
        )

    return each(answer, change)


def _suppressed_otherwise(world: World, **changes: object) -> Answer:
    heads = moved(world.heads, world.noise, 1, 0.3)
    return Answer(suppress(heads, dataclasses.replace(world.suppression, **changes)))


def looser_nms(world: World, answer: Answer) -> Answer:
    """Boxes suppress each other over an IoU of 0.7 instead of 0.6."""
    return _suppressed_otherwise(world, iou_threshold=0.7)


def stricter_nms(world: World, answer: Answer) -> Answer:
    """Boxes suppress each other over an IoU of 0.5 instead of 0.6."""
    return _suppressed_otherwise(world, iou_threshold=0.5)


def top_k_before_nms(world: World, answer: Answer) -> Answer:
    """Only the ten best boxes of each class reach suppression."""
    heads = moved(world.heads, world.noise, 1, 0.3)
    scores = heads.class_scores.copy()
    for image in scores:
        for column in image[:, 1:].T:
            column[np.argsort(-column)[10:]] = 0.0
    return Answer(suppress(dataclasses.replace(heads, class_scores=scores), world.suppression))


def half_kept(world: World, answer: Answer) -> Answer:
    """keep_top_k is half of what it was."""
    return each(answer, lambda image: take(image, np.arange(len(image) // 2)))


def one_class_only(world: World, answer: Answer) -> Answer:
    """Only the most frequent class is answered."""
    return each(answer, lambda image: take(image, np.flatnonzero(image.classes == np.bincount(image.classes).argmax())))


def agnostic(world: World, answer: Answer) -> Answer:
    """Boxes of different classes suppress each other."""
    heads = moved(world.heads, world.noise, 1, 0.3)
    best = heads.class_scores[..., 1:] == heads.class_scores[..., 1:].max(axis=2, keepdims=True)
    scores = heads.class_scores.copy()
    scores[..., 1:] = np.where(best, scores[..., 1:], 0.0)
    return Answer(suppress(dataclasses.replace(heads, class_scores=scores), world.suppression))


def nothing(world: World, answer: Answer) -> Answer:
    """Nothing is detected."""
    return each(answer, lambda image: take(image, np.zeros(0, np.int64)))


def whole_image(world: World, answer: Answer) -> Answer:
    """One box, the whole image."""
    return each(
        answer,
        lambda image: Detections(np.float32([[0, 0, 1, 1]]), image.scores[:1], image.classes[:1]),
    )


def not_finite(world: World, answer: Answer) -> Answer:
    """One score is not a number."""

    def change(image: Detections) -> Detections:
        scores = image.scores.copy()
        scores[2] = np.nan
        return dataclasses.replace(image, scores=scores)

    return each(answer, change)


def box_not_finite(world: World, answer: Answer) -> Answer:
    """One corner is infinite."""

    def change(image: Detections) -> Detections:
        boxes = image.boxes.copy()
        boxes[2, 3] = np.inf
        return dataclasses.replace(image, boxes=boxes)

    return each(answer, change)


def constant(world: World, answer: Answer) -> Answer:
    """Every image gets as many detections as it should, all of them the best one."""
    return each(answer, lambda image: take(image, np.zeros(len(image), np.int64)))


def half_precision(world: World, answer: Answer) -> Answer:
    """Boxes and scores went through 16-bit floats."""
    return each(
        answer,
        lambda image: Detections(
            image.boxes.astype(np.float16).astype(np.float32),
            image.scores.astype(np.float16).astype(np.float32),
            image.classes,
        ),
    )


def lower_threshold(world: World, answer: Answer) -> Answer:
    """The score threshold is 0.05 instead of 0.1."""
    return _suppressed_otherwise(world, score_threshold=0.05)


def higher_threshold(world: World, answer: Answer) -> Answer:
    """The score threshold is 0.2 instead of 0.1."""
    return _suppressed_otherwise(world, score_threshold=0.2)


ALL = (
    lost,
    lost_in_the_middle,
    duplicated,
    class_up,
    class_down,
    one_class_changed,
    score_off,
    low_score_off,
    box_moved,
    wide_boxes,
    swapped_axes,
    images_permuted,
    image_repeated,
    image_missing,
    replaced,
    invented,
    looser_nms,
    stricter_nms,
    top_k_before_nms,
    half_kept,
    one_class_only,
    agnostic,
    nothing,
    whole_image,
    not_finite,
    box_not_finite,
    constant,
    half_precision,
    lower_threshold,
    higher_threshold,
)
