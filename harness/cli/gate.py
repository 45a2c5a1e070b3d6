"""``irproof gate``: what changed between two certificates, and whether it may go in."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from harness.certificate import read
from harness.certificate.plain import to_plain
from harness.errors import UsageError
from harness.gate import compare
from harness.gate.latency import MARGIN
from harness.gate.text import lines

REGRESSION = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The two certificates, and how strictly they are compared."""
    parser.add_argument("baseline", type=Path, metavar="BASELINE.json", help="the certificate before")
    parser.add_argument("candidate", type=Path, metavar="CANDIDATE.json", help="the certificate after")
    parser.add_argument(
        "--latency-margin",
        type=float,
        default=MARGIN,
        metavar="SHARE",
        help="how much slower is still the same, as a share of the baseline's latency (default: %(default)s)",
    )
    parser.add_argument("--strict", action="store_true", help="let any change close the gate, good ones too")
    parser.add_argument("--json", action="store_true", help="print a JSON object with everything that is known")


def run(args: argparse.Namespace) -> int:
    """Print the changes; 0 passes, 1 is a regression; raises NotComparable or CertificateError, which make 2."""
    if not 0 <= args.latency_margin < 10:
        raise UsageError("The margin has to be a share such as 0.05.", where=f"--latency-margin {args.latency_margin}")
    gate = compare(read(args.baseline), read(args.candidate), margin=args.latency_margin)
    closed = not gate.passed or (args.strict and bool(gate.changes))
    if args.json:
        plain = to_plain(gate) | {"passed": not closed}
        print(json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(lines(gate)))
        if closed and gate.passed:
            print("CLOSED: --strict lets no change pass")
    return REGRESSION if closed else 0
