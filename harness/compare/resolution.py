"""What float32 itself can tell apart: the smallest honest difference of a probability, a mask, a coordinate.

Scores and masks are probabilities behind a sigmoid or softmax. An error ``e`` in the logit moves a probability ``p``
by ``e * p * (1 - p)``: much in the middle, next to nothing at both ends. So their noise is measured in logits, and a
score of 1e-6 is held to 1e-6 of that noise; an absolute tolerance would call all small scores equal. What the
float32 number itself cannot show is then added, which is all that is left where a probability has saturated.
"""

from __future__ import annotations

import numpy as np

EPSILON = float(np.finfo(np.float32).eps)
_TINY = 4.0 * float(np.finfo(np.float32).tiny)


def probability_scale(values: np.ndarray) -> np.ndarray:
    """How far a probability moves for each unit that its logit moves: ``p * (1 - p)``, float64."""
    bounded = np.clip(np.asarray(values, np.float64), 0.0, 1.0)
    return bounded * (1.0 - bounded)


def probability_resolution(values: np.ndarray) -> np.ndarray:
    """Two units in the last place of each value: one for how it was computed, one for how it was stored."""
    return 2.0 * EPSILON * np.abs(np.asarray(values, np.float64)) + _TINY


def logit(values: np.ndarray) -> np.ndarray:
    """The inverse sigmoid in float64, bounded to what a float32 probability can hold (about -87 to 16.6)."""
    bounded = np.clip(np.asarray(values, np.float64), float(np.finfo(np.float32).tiny), 1.0 - EPSILON / 2)
    return np.log(bounded) - np.log1p(-bounded)


def value_resolution(values: np.ndarray) -> np.ndarray:
    """One unit in the last place of each plain value (an encoding, an anchor, a coordinate)."""
    return EPSILON * np.abs(np.asarray(values, np.float64))


def are_probabilities(values: np.ndarray) -> bool:
    """Whether all finite values lie in [0, 1]: false for the IDENTITY score converter's logits."""
    finite = values[np.isfinite(values)]
    return bool(((finite >= 0.0) & (finite <= 1.0)).all())
