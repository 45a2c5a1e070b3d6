"""What a vendor's converter declares of itself; runs in a worker, since it imports the vendor's code."""

from __future__ import annotations

from typing import Any

from harness.converters.claims import as_claims
from harness.errors import UsageError
from harness.workers.target import load_target, split_target


def load_converter(target: str) -> tuple[Any, Any]:
    """The object that the target names (a class is made an object of), and its function.

    Raises UsageError when it is neither callable nor has a callable ``convert``.
    """
    found = load_target(target)
    if isinstance(found, type):
        found = found()
    function = getattr(found, "convert", None)
    if callable(function):
        return found, function
    if callable(found):
        return found, found
    raise UsageError(
        f"It is a {type(found).__name__}: neither callable nor an object with convert.",
        where=target,
        advice="Name a function convert(request), or an object with name, claims and convert.",
    )


def describe(target: str) -> dict[str, Any]:
    """``name``, ``version`` and ``claims`` of the converter, with defaults where it declares none."""
    found, _ = load_converter(target)
    module, attribute = split_target(target)
    name = getattr(found, "name", None)
    return {
        "name": name if isinstance(name, str) and name else attribute if attribute != "convert" else module,
        "version": str(getattr(found, "version", "") or ""),
        "claims": as_claims(getattr(found, "claims", None), target),
    }
