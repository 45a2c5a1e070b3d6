"""Reading a vendor's file of known failures; every fault in it is one message with file, entry and key."""

from __future__ import annotations

import fnmatch
import sys
import urllib.parse
from pathlib import Path
from typing import Any

from harness.errors import Stage, UsageError
from harness.expectations.entry import Expectation
from harness.requirements import catalogue

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same library under its older name
    import tomli as tomllib

TABLE = "expected"
REQUIRED = ("case", "requirement", "stage", "reason", "link")
OPTIONAL = ("check",)


class ExpectationsError(UsageError):
    """A file of expectations cannot be read, or an entry in it makes no sense."""


def read_expectations(path: Path) -> tuple[Expectation, ...]:
    """The entries of ``path`` in their order; raises ExpectationsError that names file, entry and key."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ExpectationsError("The expectations are no text in UTF-8.", where=str(path)) from error
    except OSError as error:
        raise ExpectationsError(
            f"The expectations cannot be read: {error.strerror or error}.",
            where=str(path),
            advice="`pytest --write-expectations FILE` writes a first file.",
        ) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ExpectationsError(f"The expectations are no TOML: {error}.", where=str(path)) from error
    for key in document:
        if key != TABLE:
            raise ExpectationsError(
                f"The expectations have an unknown key {key!r}.",
                where=f"{path}, outside of any entry, key {key}",
                advice=f"Each known failure is a table [[{TABLE}]].",
            )
    tables = document.get(TABLE, [])
    if not isinstance(tables, list):
        raise ExpectationsError(
            f"The key {TABLE} is no list of tables.",
            where=f"{path}, key {TABLE}",
            advice=f"Begin each known failure with [[{TABLE}]], in double brackets.",
        )
    entries = tuple(_entry(path, number, table) for number, table in enumerate(tables, 1))
    _refuse_repetitions(path, entries)
    return entries


def _entry(path: Path, number: int, table: Any) -> Expectation:
    def wrong(key: str, what: str, advice: str) -> ExpectationsError:
        return ExpectationsError(what, where=f"{path}, entry {number}, key {key}", advice=advice)

    if not isinstance(table, dict):
        raise wrong(TABLE, "An entry is no table.", f"Begin each known failure with [[{TABLE}]].")
    for key in table:
        if key not in (*REQUIRED, *OPTIONAL):
            raise wrong(key, f"There is no key {key!r}.", f"The keys are {', '.join((*REQUIRED, *OPTIONAL))}.")
    for key in REQUIRED:
        if key not in table:
            raise wrong(key, f"The key {key!r} is missing.", f"Each entry has {', '.join(REQUIRED)}.")
    for key, value in table.items():
        if not isinstance(value, str):
            raise wrong(key, f"The value of {key!r} is a {type(value).__name__}.", "Write it as text in quotes.")
        if not value.strip() and key in REQUIRED:
            raise wrong(key, f"The value of {key!r} is empty.", _FILL_IN.get(key, "Say which one is meant."))
    stages = [stage.value for stage in Stage]
    if table["stage"] not in stages:
        raise wrong("stage", f"There is no stage {table['stage']!r}.", f"The stages are {', '.join(stages)}.")
    if not any(fnmatch.fnmatchcase(id_, table["requirement"]) for id_ in catalogue()):
        raise wrong(
            "requirement",
            f"No requirement matches {table['requirement']!r}.",
            "`irproof requirements` lists the ids.",
        )
    if not _is_address(table["link"]):
        raise wrong("link", f"{table['link']!r} is no address.", _FILL_IN["link"])
    return Expectation(number=number, **table)


_FILL_IN = {
    "link": "Give the address, https://..., of where the failure is tracked.",
    "reason": "Say why this fails.",
}


def _is_address(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _refuse_repetitions(path: Path, entries: tuple[Expectation, ...]) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for entry in entries:
        key = (entry.case, entry.requirement, entry.stage, entry.check)
        if key in seen:
            raise ExpectationsError(
                f"Entry {entry.number} expects the same as entry {seen[key]}.",
                where=f"{path}, entry {entry.number}, key case",
                advice="Remove one of them.",
            )
        seen[key] = entry.number
