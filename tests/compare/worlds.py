"""Small detectors to compare: heads with objects in them, their noise, and answers of converters right and wrong."""

from __future__ import annotations

import dataclasses

import numpy as np

from harness.compare.noise import TOLERANCE_FACTOR, Level, Noise
from harness.compare.suppression import Suppression, suppress
from harness.observation.detections import Answer, Detections, Heads

VARIANCES = (0.1, 0.1, 0.2, 0.2)


@dataclasses.dataclass(frozen=True)
class World:
    """A reference with its heads, the noise of both, and the parameters of its suppression."""

    heads: Heads
    noise: Noise
    suppression: Suppression
    reference: Answer

    def blind(self) -> Answer:
        """The reference as it is where nobody can see the heads."""
        return Answer(self.reference.images)

    def converted(self, seed: int = 1, share: float = 0.3) -> Answer:
        """What a right conversion answers: the same heads, off by a share of the tolerance."""
        return Answer(suppress(moved(self.heads, self.noise, seed, share), self.suppression))


def world(
    seed: int = 0,
    *,
    images: int = 2,
    anchors: int = 240,
    classes: int = 5,
    objects: int = 12,
    per_class_boxes: bool = False,
    grid: float | None = None,
    over_edges: bool = False,
    tiny: bool = False,
    encoding_noise: float = 1e-5,
    score_noise: float = 1e-5,
    suppression: Suppression | None = None,
) -> World:
    """Objects with clouds of anchors around them, all of whose boxes and scores differ.

    ``grid`` rounds the logits, which makes ties; ``over_edges`` puts objects on and over the border of the image.
    """
    rng = np.random.default_rng(seed)
    reach = (-0.1, 1.1) if over_edges else (0.15, 0.85)
    centers = rng.uniform(*reach, (objects, 2))
    sizes = rng.uniform(*((0.01, 0.03) if tiny else (0.1, 0.3)), (objects, 2))
    owner = rng.integers(0, objects, anchors)
    size = sizes[owner] * rng.uniform(0.8, 1.25, (anchors, 2))
    center = centers[owner] + size * rng.uniform(-0.3, 0.3, (anchors, 2))
    boxes = np.concatenate([center - size / 2, center + size / 2], axis=1).astype(np.float32)
    logits = rng.normal(-4.0, 1.5, (images, anchors, classes + 1))
    label = rng.integers(1, classes + 1, objects)
    logits[:, np.arange(anchors), label[owner]] += rng.uniform(0.0, 5.0, (images, anchors))
    if grid:
        logits = np.round(logits / grid) * grid
    columns = classes if per_class_boxes else 1
    heads = Heads(
        box_encodings=rng.normal(0.0, 0.7, (images, anchors, columns, 4)).astype(np.float32),
        class_scores=(1.0 / (1.0 + np.exp(-logits))).astype(np.float32),
        anchors=boxes,
        variances=np.tile(np.float32(VARIANCES), (anchors, 1)),
    )
    suppression = suppression or Suppression(0.1, 0.6, 100, 100)
    return World(heads, noise_of(encoding_noise, score_noise), suppression, Answer(suppress(heads, suppression), heads))


def noise_of(encodings: float, scores: float) -> Noise:
    """A noise with these levels; boxes follow from the encodings as they do for boxes of a third of the image."""
    return Noise(
        anchors=Level(0.0, 0.0, 4.8e-7, "normalised"),
        encodings=Level(encodings, encodings / 3, 1e-7, "encoding"),
        scores=Level(scores, scores / 3, 1e-6, "logit"),
        boxes=Level(0.1 * encodings, 0.03 * encodings, 4.8e-7, "normalised"),
        detection_scores=Level(scores, scores / 3, 1e-6, "logit"),
        mask_logits=Level(1e-4, 3e-5, 1e-6, "logit"),
    )


def moved(heads: Heads, noise: Noise, seed: int, share: float) -> Heads:
    """The heads with every value off by up to ``share`` of its tolerance; half of the values by exactly that."""
    rng = np.random.default_rng(seed)

    def move(values: np.ndarray, level: Level | None) -> np.ndarray:
        assert level is not None
        pushed = rng.random(values.shape) < 0.5
        direction = np.where(pushed, rng.choice([-1.0, 1.0], values.shape), rng.uniform(-1.0, 1.0, values.shape))
        # The sum is rounded to float32 once more, which must not take it over the tolerance.
        room = np.maximum(TOLERANCE_FACTOR * share * level.at(values) - 1.2e-7 * np.abs(values), 0.0)
        return (values.astype(np.float64) + direction * room).astype(np.float32)

    return Heads(
        box_encodings=move(heads.box_encodings, noise.encodings),
        class_scores=np.clip(move(heads.class_scores, noise.scores), 0.0, 1.0),
        anchors=move(heads.anchors, noise.anchors),
        variances=heads.variances,
    )


def detections(*rows: tuple[int, float, tuple[float, float, float, float]]) -> Detections:
    """Detections from (class, score, (ymin, xmin, ymax, xmax))."""
    return Detections(
        boxes=np.asarray([row[2] for row in rows], np.float32).reshape(-1, 4),
        scores=np.asarray([row[1] for row in rows], np.float32),
        classes=np.asarray([row[0] for row in rows], np.int64),
    )


def heads_of(*rows: tuple[int, float, tuple[float, float, float, float]], classes: int = 3) -> Heads:
    """Heads of one image whose candidates are just these boxes, each with a score for one class."""
    count = len(rows)
    scores = np.full((1, count, classes + 1), 1e-9, np.float32)
    for index, (label, score, _) in enumerate(rows):
        scores[0, index, label] = score
    return Heads(
        box_encodings=np.zeros((1, count, 1, 4), np.float32),
        class_scores=scores,
        anchors=np.asarray([row[2] for row in rows], np.float32).reshape(-1, 4),
        variances=np.tile(np.float32(VARIANCES), (count, 1)),
    )


def small_world(
    *rows: tuple[int, float, tuple[float, float, float, float]],
    suppression: Suppression | None = None,
    encoding_noise: float = 1e-5,
    score_noise: float = 1e-5,
) -> World:
    """A world of just these candidates."""
    heads = heads_of(*rows)
    suppression = suppression or Suppression(0.1, 0.5, 10, 10)
    return World(heads, noise_of(encoding_noise, score_noise), suppression, Answer(suppress(heads, suppression), heads))


def take(image: Detections, indices: object) -> Detections:
    """Some of an image's detections, in the order given."""
    chosen = np.asarray(indices)
    masks = None if image.masks is None else image.masks[chosen]
    return Detections(image.boxes[chosen], image.scores[chosen], image.classes[chosen], masks)
