"""Dataclasses to plain JSON values and back.

JSON knows no NaN and no infinities, and a certificate has to: a head that answers NaN is a finding. A number that is
not finite is written as the string ``"NaN"``, ``"Infinity"`` or ``"-Infinity"``, wherever the schema says ``number``.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def number(value: float) -> float | str:
    """A finite number as it is, any other as the string that stands for it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def to_plain(value: Any, *, moments: bool = True) -> Any:
    """``value`` in dicts, lists, strings, numbers, booleans and None alone.

    Sets come out sorted; mappings keep their order, which readers see. ``moments=False`` leaves out the fields that
    hold times and durations. What JSON has no form for becomes its string.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_plain(getattr(value, field.name), moments=moments)
            for field in dataclasses.fields(value)
            if moments or not field.metadata.get("moment")
        }
    if isinstance(value, enum.Enum):
        return to_plain(value.value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        # File names may hold bytes that are no text; UTF-8 has no form for them.
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, float):
        return number(float(value))
    if isinstance(value, Mapping):
        return {str(to_plain(key)): to_plain(item, moments=moments) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((to_plain(item) for item in value), key=lambda item: (str(type(item)), item))
    if isinstance(value, (list, tuple)):
        return [to_plain(item, moments=moments) for item in value]
    if isinstance(value, Path):
        return value.as_posix()
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return to_plain(value.tolist())
    return str(value)


def from_plain(kind: type[T], plain: Mapping[str, Any]) -> T:
    """The dataclass ``kind`` from what :func:`to_plain` made of it; missing fields take their defaults.

    ``plain`` has to be valid already: this reads, it does not check.
    """
    hints = _hints(typing.cast("Any", kind))
    return kind(**{name: _value(hints[name], item) for name, item in plain.items()})


@functools.cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _value(hint: Any, plain: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if plain is None:
            return None
        (hint,) = (choice for choice in typing.get_args(hint) if choice is not types.NoneType)
        return _value(hint, plain)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_plain(hint, plain)
    if origin is tuple:
        return tuple(_value(typing.get_args(hint)[0], item) for item in plain)
    if hint is float:
        return NOT_FINITE[plain] if isinstance(plain, str) else float(plain)
    return plain
