"""``irproof cases``: what there is to check, by name, as ``--case`` takes it."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cases.selection import PROFILES, select
from harness.cli.listing import add_json, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that select cases, as pytest has them."""
    parser.add_argument("pattern", nargs="*", metavar="GLOB", help="only the cases whose name matches, e.g. 'ssd/*'")
    parser.add_argument(
        "--model-dir", type=Path, action="append", default=[], metavar="DIR", help="a folder of models of your own"
    )
    parser.add_argument("--zoo", type=Path, default=None, metavar="DIR", help="a folder of models from a model zoo")
    parser.add_argument("--profile", choices=PROFILES, default="full", help="default: %(default)s")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the cases; raises UsageError where none is selected, and what is wrong with a folder."""
    found = select(args.pattern, model_dirs=args.model_dir, zoo=args.zoo, profile=args.profile)
    rows = [
        {
            "name": listed.name,
            "origin": listed.origin,
            "family": listed.family,
            "era": listed.era,
            "format": listed.model_format,
            "traits": sorted(listed.traits),
        }
        for listed in found
    ]
    show(rows, as_json=args.json, columns=("name", "origin", "family", "era", "format", "traits"))
    return 0
