"""How lists are printed: aligned columns for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.certificate.plain import to_plain


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option ``--json``, the same for every list."""
    parser.add_argument("--json", action="store_true", help="print a JSON array with everything that is known")


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, columns: Sequence[str]) -> None:
    """Print ``rows``: all keys as JSON, or the ``columns`` aligned, the last one as long as it likes."""
    if as_json:
        print(json.dumps([to_plain(dict(row)) for row in rows], indent=1, ensure_ascii=False))
        return
    table = [tuple(_text(row[column]) for column in columns) for row in rows]
    widths = [max((len(line[place]) for line in table), default=0) for place in range(len(columns) - 1)]
    for line in table:
        cells = [text.ljust(width) for text, width in zip(line, widths, strict=False)]
        print("  ".join([*cells, line[-1]]).rstrip())


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(str(item) for item in (value if isinstance(value, (list, tuple)) else sorted(value)))
    # A name with a line break in it must not look like two rows, nor drive the terminal.
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(value))
