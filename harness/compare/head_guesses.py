"""Guesses at what went wrong with a head: transforms of the observed that would give what TensorFlow has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.compare.resolution import logit

#: A sentence, and the function of (observed, reference) that undoes what the sentence says was done.
Guess = tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]

_SWAPPED = [1, 0, 3, 2]


def swapped_axes() -> Guess:
    """The coordinates come as x, y, ... where TensorFlow has y, x, ...."""
    return "x and y are swapped", lambda seen, _: seen[..., _SWAPPED]


def reversed_images() -> Guess:
    """The batch is the wrong way round."""
    return "the images of the batch are in reverse order", lambda seen, _: seen[::-1]


def reversed_anchors(axis: int) -> Guess:
    """The anchors (on this axis) are the wrong way round."""
    return "the anchors are in reverse order", lambda seen, _: np.flip(seen, axis)


def clipped(seen: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The reference where clipping would have made it what is seen."""
    return np.where(np.clip(reference, 0.0, 1.0) == seen.astype(reference.dtype), reference, seen)


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Logits to probabilities, each on its own."""
    with np.errstate(over="ignore"):
        probabilities: np.ndarray = 1.0 / (1.0 + np.exp(-values))
    return probabilities


def softmax(values: np.ndarray) -> np.ndarray:
    """Logits to probabilities that sum to 1 over the last axis."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    quotient: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return quotient


def sigmoid_of_softmax(seen: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The reference where a softmax of its own logits is what is seen."""
    return np.where(np.abs(softmax(logit(reference)) - seen) < 1e-4, reference, seen)
