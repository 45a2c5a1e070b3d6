"""``irproof requirements``: the catalogue, a line each."""

from __future__ import annotations

import argparse

from harness.cli.listing import add_json, show
from harness.errors import UsageError
from harness.requirements import areas, catalogue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which areas, and in which form."""
    parser.add_argument("area", nargs="*", help=f"only these areas: {', '.join(areas())}")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the requirements; raises UsageError for an area that does not exist."""
    wanted = {area.upper() for area in args.area}
    unknown = sorted(wanted - set(areas()))
    if unknown:
        raise UsageError(f"There is no area {', '.join(unknown)}.", advice=f"The areas are {', '.join(areas())}.")
    rows = [
        {"id": one.id, "area": one.area, "requirement": one.text, "legacy": one.legacy}
        for one in catalogue().values()
        if not wanted or one.area in wanted
    ]
    show(rows, as_json=args.json, columns=("id", "requirement"))
    return 0
