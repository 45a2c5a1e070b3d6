"""``irproof converters``: what can stand after ``--converter``, and what each claims."""

from __future__ import annotations

import argparse
from typing import Any

from harness.certificate.plain import to_plain
from harness.cli.listing import add_json, show
from harness.converters import Converter, installed, resolve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which ones, and in which form."""
    parser.add_argument(
        "converter",
        nargs="*",
        metavar="CONVERTER",
        help="describe these, as they would stand after --converter, in place of the installed ones",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the converters; raises UsageError for one that does not exist or cannot be imported."""
    found = [resolve(spec) for spec in args.converter] or installed()
    rows = [_row(converter) for converter in found]
    show(rows, as_json=args.json, columns=("converter", "version", "claimed"))
    return 0


def _row(converter: Converter) -> dict[str, Any]:
    claims = to_plain(converter.claims)
    told = [f"{name} {', '.join(claims[name])}" for name in ("families", "eras", "formats") if claims[name] is not None]
    contract = claims["contract"] or "an output contract that the IR tells"
    return {
        "converter": converter.spec,
        "name": converter.name,
        "version": converter.version,
        "claims": claims,
        "claimed": "; ".join([*(told or ["everything"]), contract]),
    }
