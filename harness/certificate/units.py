"""Errors in units of a case's noise: the one number that compares across quantities and cases."""

from __future__ import annotations

import math


def in_noise(error: float | None, noise: float | None) -> float | None:
    """``error / noise``; None where one is unknown, infinite where an error meets no noise at all."""
    if error is None or noise is None:
        return None
    if noise == 0:
        return 0.0 if error == 0 else math.nan if math.isnan(error) else math.inf
    return error / noise


def amount(value: float | None, unit: str = "") -> str:
    """A number with its unit for people: three digits, a dash where there is none."""
    if value is None:
        return "-"
    text = f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def noises(error: float | None, noise: float | None) -> str:
    """``error`` in units of noise for people, such as ``2.4 x noise``; empty where noise is unknown."""
    ratio = in_noise(error, noise)
    if ratio is None:
        return ""
    if math.isinf(ratio):
        return "where TensorFlow has no noise"
    return f"{ratio:.3g} x noise"
