"""An upgrade from end to end: both environments, both certifications, latencies in turn, frozen IRs, the gate.

``python -m harness.gate openvino==A openvino==B`` (``tox -e gate -- ...`` does it). Everything runs on this machine, in
one go; TensorFlow's side is this environment's for both, so that only OpenVINO differs.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from harness.cases.case import Case
from harness.cases.selection import PROFILES, Listed, select
from harness.certificate import Certificate, read, write
from harness.certificate.atomic import write_text
from harness.certificate.plain import to_plain
from harness.converters import Converter, resolve
from harness.converters.conversion import convert_case
from harness.environments import EnvironmentFailure, find_python, make_environment
from harness.errors import IrproofError, UsageError
from harness.gate import compare
from harness.gate.latency import MARGIN
from harness.gate.measuring import Say, Side, measure_latencies, probe_frozen, with_latencies
from harness.gate.probe import Probed, describe
from harness.gate.text import lines

# What converters and IRs need beside OpenVINO: no TensorFlow, which runs in the harness's own environment.
BESIDE_OPENVINO = ("numpy>=1.26,<3", "platformdirs>=4,<5", "tensorboard>=2.18,<2.22")
# What OpenVINO's wheels are made for; this Python first.
PYTHONS = ("3.12", "3.11", "3.13", "3.10")
PASSED, REGRESSION, CANNOT = 0, 1, 2
_ROOT = Path(__file__).parents[2]


def main(argv: Sequence[str] | None = None) -> int:
    """Judge the upgrade; 0 passes, 1 is a regression, 2 means that it cannot be judged."""
    try:
        return _judge(_parser().parse_args(argv))
    except IrproofError as error:
        print(f"gate: {error}", file=sys.stderr)
        return CANNOT
    except KeyboardInterrupt:
        print("gate: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harness.gate", description="What an OpenVINO upgrade changes.")
    for name in ("baseline", "candidate"):
        parser.add_argument(
            name, metavar=name.upper(), help="openvino==VERSION, or the Python of an environment that is there"
        )
    parser.add_argument("--converter", default="chain", help="the converter (default: %(default)s)")
    parser.add_argument("--case", action="append", default=[], metavar="GLOB", help="only these cases")
    parser.add_argument("--model-dir", action="append", default=[], type=Path, metavar="DIR", help="models of your own")
    parser.add_argument("--zoo", type=Path, metavar="DIR", help="models of a model zoo")
    parser.add_argument("--device", default="CPU", help="the device (default: %(default)s)")
    parser.add_argument("--profile", choices=PROFILES, default="quick", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=30, help="of latencies in turn; 0: none (default: %(default)s)")
    parser.add_argument("--latency-margin", type=float, default=MARGIN, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("irproof-gate"), metavar="DIR", help="default: %(default)s")
    return parser


def _judge(args: argparse.Namespace) -> int:
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {line}", file=sys.stderr, flush=True)

    converter = resolve(args.converter)
    listed = select(args.case, model_dirs=args.model_dir, zoo=args.zoo, profile=args.profile)
    pythons = [environment(text, say) for text in (args.baseline, args.candidate)]
    certificates = []
    for name, python in zip(("baseline", "candidate"), pythons, strict=True):
        say(f"certifying under {getattr(args, name)}")
        certificates.append(_certify(args, python, args.out / f"{name}.json"))
    with tempfile.TemporaryDirectory(prefix="irproof-gate-", ignore_cleanup_errors=True) as session:
        say("converting what is measured and probed")
        cases, sides = _sides(converter, listed, pythons, Path(session), say)
        if args.rounds > 0:
            say(f"latencies, {args.rounds} rounds in turn")
            found = measure_latencies(*sides, cases, device=args.device, rounds=args.rounds, say=say)
            for place, name in enumerate(("baseline", "candidate")):
                mine = {case: both[place] for case, both in found.items()}
                certificates[place] = with_latencies(certificates[place], mine)
                write(certificates[place], args.out / f"{name}.json")
        keep_irs(sides[0], args.out / "irs")
        say("IRs of the baseline under the candidate")
        probed = probe_frozen(*sides, cases, device=args.device, say=say)
    write_text(args.out / "frozen.json", json.dumps([to_plain(one) for one in probed], indent=1) + "\n")
    gate = compare(certificates[0], certificates[1], margin=args.latency_margin)
    print("\n".join([*map(describe, probed), *lines(gate), frozen_line(probed)]))
    return PASSED if gate.passed and not any(one.regression for one in probed) else REGRESSION


def environment(text: str, say: Say) -> Path:
    """The Python of an environment: the one named, or that of one with this OpenVINO, made on first use.

    Raises UsageError for anything else than a requirement on openvino or an interpreter's path, and
    EnvironmentFailure where it cannot be made.
    """
    path = Path(text).expanduser()
    if path.is_file():
        return path.absolute()
    clause = r"(==|~=|>=|<=|<|>)\s*[0-9][0-9A-Za-z.*+]*"
    if not re.fullmatch(rf"openvino\s*{clause}(\s*,\s*{clause})*", text):
        raise UsageError(
            f"{text!r} is neither a requirement on openvino nor a Python that is there.",
            advice="For example openvino==2025.4.1, or the path of an environment's python.",
        )
    python = find_python(PYTHONS)
    if python is None:
        raise EnvironmentFailure(
            "No Python is here that OpenVINO is made for.", advice=f"Install one of Python {', '.join(PYTHONS)}."
        )
    return make_environment(text, [text, *BESIDE_OPENVINO], python, say)


def keep_irs(side: Side, folder: Path) -> None:
    """Leave the IRs as the converter ``ir:FOLDER`` finds them, so that they can be certified under any version."""
    for name, ir in side.irs.items():
        target = folder.joinpath(*f"{name}.xml".split("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".xml", ".bin"):
            shutil.copyfile(ir.with_suffix(suffix), target.with_suffix(suffix))


def frozen_line(probed: Sequence[Probed]) -> str:
    """The verdict on the frozen IRs."""
    if all(one.kind == "nothing" for one in probed):
        return "FROZEN IRS: nothing was compared"
    counts: dict[str, int] = {}
    for one in probed:
        counts[one.kind] = counts.get(one.kind, 0) + 1
    words = {"without_counterpart": "with rows without counterpart", "nothing": "without any row", "failed": "failed"}
    told = ", ".join(f"{count} {words.get(kind, kind)}" for kind, count in counts.items())
    return f"FROZEN IRS: {'REGRESSION' if any(one.regression for one in probed) else 'PASS'}: {told}"


def _certify(args: argparse.Namespace, python: Path, target: Path) -> Certificate:
    """Run pytest under the version; what it prints goes to the terminal, its verdict into the certificate."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    words = [sys.executable, "-m", "pytest", str(_ROOT / "suites"), "-q", "--python", str(python)]
    words += ["--converter", args.converter, "--profile", args.profile, "--device", args.device]
    words += ["--certificate", str(target.absolute())]
    words += [word for pattern in args.case for word in ("--case", pattern)]
    words += [word for folder in args.model_dir for word in ("--model-dir", str(folder.absolute()))]
    words += ["--zoo", str(args.zoo.absolute())] if args.zoo else []
    code = subprocess.run(words, check=False, cwd=_ROOT, stdout=sys.stderr).returncode
    if not target.is_file():
        raise UsageError(f"pytest wrote no certificate; it ended with exit code {code}.", where=str(target))
    return read(target)


def _sides(
    converter: Converter, listed: Sequence[Listed], pythons: Sequence[Path], session: Path, say: Say
) -> tuple[dict[str, Case], tuple[Side, Side]]:
    """The cases that the converter claims, and each version's IRs; most lie in the cache since the certification."""
    cases: dict[str, Case] = {}
    for one in listed:
        if converter.claims.refusal(cast("Case", one)) is None:
            try:
                cases[one.name] = one.load()
            except IrproofError as error:
                say(f"{one.name}: {error.what}")
    sides = []
    for number, python in enumerate(pythons):
        irs = {}
        for name, case in cases.items():
            try:
                irs[name] = convert_case(converter, case, session / str(number), python=python).ir_path
            except IrproofError as error:
                say(f"{name}: no IR, {error.what}")
        sides.append(Side(python, irs))
    return cases, (sides[0], sides[1])
