"""The catalogue of requirements, read from ``catalogue.json`` beside this module.

Ids are stable: a certificate counts ids, never test functions, so an id keeps its meaning for ever.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from types import MappingProxyType

from harness.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Requirement:
    """One rule: ``id`` such as ``SSD-4``, ``area`` such as ``SSD``, and what it asks in one sentence.

    ``legacy`` marks the older of two behaviours that the documents disagree on.
    """

    id: str
    area: str
    text: str
    legacy: bool = False


@functools.cache
def _document() -> Mapping[str, object]:
    text = resources.files("harness.requirements").joinpath("catalogue.json").read_text(encoding="utf-8")
    document: dict[str, object] = json.loads(text)
    return document


@functools.cache
def areas() -> Mapping[str, str]:
    """The areas in the catalogue's order: prefix of the ids -> title."""
    found = _document()["areas"]
    assert isinstance(found, dict)
    return MappingProxyType(found)


@functools.cache
def catalogue() -> Mapping[str, Requirement]:
    """Every requirement by its id, in the catalogue's order: by area, then by number."""
    rows = _document()["requirements"]
    assert isinstance(rows, list)
    found = (
        Requirement(id=row["id"], area=row["id"].split("-")[0], text=row["text"], legacy=row.get("legacy", False))
        for row in rows
    )
    return MappingProxyType({requirement.id: requirement for requirement in found})


def require(ids: Iterable[str], *, where: str) -> tuple[str, ...]:
    """The ids in the catalogue's order, each once; raises UsageError for one that the catalogue doesn't have."""
    wanted = set(ids)
    unknown = sorted(wanted - set(catalogue()))
    if unknown:
        raise UsageError(
            f"There is no requirement {', '.join(unknown)}.",
            where=where,
            advice="`irproof requirements` lists the ids.",
        )
    return tuple(id_ for id_ in catalogue() if id_ in wanted)
