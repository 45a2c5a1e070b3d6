"""Converters as whole processes, as a user calls them: each a command line that writes one IR."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.subjects import Subject

_OVC = """
import sys
import openvino as ov
ov.save_model(ov.convert_model(sys.argv[1]), sys.argv[2], compress_to_fp16=False)
"""


def commands(subject: Subject, output: Path) -> dict[str, list[str]]:
    """The command line of each converter that is present, the chain's first; their IRs go to ``output``/<name>."""
    graph, config = str(subject.case.model_path), str(subject.case.pipeline_config)
    found = {
        "chain": [
            *(sys.executable, "-m", "harness", "convert", graph, "--pipeline-config", config),
            *("--output-dir", str(output / "chain"), "--model-name", "model", "--quiet"),
        ],
        "ovc": [sys.executable, "-c", _OVC, graph, str(output / "ovc" / "model.xml")],
    }
    legacy = os.environ.get("IRPROOF_LEGACY")
    if legacy and subject.legacy_configuration:
        found["Model Optimizer"] = [
            *(str(program(Path(legacy), "mo")), "--input_model", graph),
            *("--transformations_config", str(_configuration(Path(legacy), subject.legacy_configuration))),
            *("--tensorflow_object_detection_api_pipeline_config", config),
            *("--output_dir", str(output / "Model Optimizer"), "--model_name", "model", "--compress_to_fp16=False"),
        ]
    return found


def run(command: list[str], target: Path) -> float:
    """Seconds that the whole process took; raises when it fails or leaves no ``model.xml`` in ``target``."""
    target.mkdir(parents=True, exist_ok=True)
    written = target / "model.xml"
    written.unlink(missing_ok=True)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    seconds = time.perf_counter() - started
    if done.returncode or not written.is_file():
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-3000:]}")
    return seconds


def program(environment: Path, name: str) -> Path:
    """A program of a virtual environment, on any system."""
    for path in (environment / "bin" / name, environment / "Scripts" / f"{name}.exe"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"{environment} has no {name}")


def _configuration(environment: Path, name: str) -> Path:
    found = sorted(environment.rglob(f"openvino/tools/mo/front/tf/{name}"))
    if not found:
        raise FileNotFoundError(f"{environment} has no {name}")
    return found[0]
