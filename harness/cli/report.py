"""``irproof report``: a certificate as an HTML page."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.certificate import read
from harness.certificate.atomic import write_text
from harness.report import render


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where from and where to."""
    parser.add_argument("certificate", type=Path, metavar="CERT.json", help="what `pytest --certificate` wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="REPORT.html", help="the page to write")


def run(args: argparse.Namespace) -> int:
    """Write the page; raises CertificateError or UsageError."""
    write_text(args.output, render(read(args.certificate)))
    print(args.output)
    return 0
