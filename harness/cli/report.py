"""``irproof report``: a certificate, or a gate's comparison, as an HTML page."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from harness.certificate import read
from harness.certificate.atomic import write_text
from harness.report import is_gate, render, render_gate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where from and where to."""
    parser.add_argument(
        "certificate",
        type=Path,
        metavar="CERT.json",
        help="what `pytest --certificate` wrote, or `irproof gate --json` printed",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="REPORT.html", help="the page to write")


def run(args: argparse.Namespace) -> int:
    """Write the page; raises CertificateError or UsageError."""
    gate = _gate(args.certificate)
    write_text(args.output, render(read(args.certificate)) if gate is None else render_gate(gate))
    print(args.output)
    return 0


def _gate(path: Path) -> dict[str, Any] | None:
    """What a gate printed into the file; None for anything else, of which the certificate's reader says what it is."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return document if is_gate(document) else None
