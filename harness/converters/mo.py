"""The converter ``mo``: Model Optimizer 2024.6, the last one, in an environment of its own.

It cannot be installed beside a current OpenVINO, so the first use makes a virtual environment under the cache folder
(``IRPROOF_LEGACY`` names one that is there already). Its IRs answer rows of DetectionOutput, whose labels and channel
order are as Model Optimizer leaves them: nothing is put right here, for what it gets wrong is what is to be shown.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.environments import EnvironmentFailure, find_python, make_environment
from harness.errors import ConverterFailure

if TYPE_CHECKING:
    from harness.converters.request import ConversionRequest

VERSION = "2024.6.0"
VARIABLE = "IRPROOF_LEGACY"
# What it has wheels for, best known first.
PYTHONS = ("3.11", "3.10", "3.9", "3.8")
_LINUX = "sys_platform == 'linux' and platform_machine == 'x86_64'"
_OTHER = "(sys_platform != 'linux' or platform_machine != 'x86_64')"
PACKAGES = (
    f"openvino-dev=={VERSION}",
    f"tensorflow-cpu==2.18.1; {_LINUX} and python_version >= '3.9'",
    f"tensorflow==2.18.1; {_OTHER} and python_version >= '3.9'",
    f"tensorflow-cpu==2.13.1; {_LINUX} and python_version < '3.9'",
    f"tensorflow==2.13.1; {_OTHER} and python_version < '3.9'",
    "numpy==1.26.4; python_version >= '3.9'",
)
_LATER = ("1.13", "1.14", "1.15", "2.0", "2.4")
# Model Optimizer's own configurations by family and by the exporter's era.
CONFIGURATIONS = {
    "ssd": {
        "1.13": "ssd_v2_support.json",
        **{era: f"ssd_support_api_v{era}.json" for era in ("1.14", "1.15", "2.0", "2.4")},
    },
    "efficientdet": {era: f"efficient_det_support_api_v{era}.json" for era in ("2.0", "2.4")},
    "faster_rcnn": {
        "1.6": "faster_rcnn_support.json",
        **{
            era: f"faster_rcnn_support_api_v{era}.json" for era in ("1.7", "1.10", "1.13", "1.14", "1.15", "2.0", "2.4")
        },
    },
    "mask_rcnn": {
        "1.6": "mask_rcnn_support.json",
        **{era: f"mask_rcnn_support_api_v{era}.json" for era in ("1.7", "1.11", *_LATER)},
    },
    "rfcn": {
        "1.6": "rfcn_support.json",
        **{era: f"rfcn_support_api_v{era}.json" for era in ("1.10", "1.13", "1.14")},
    },
}
_INPUTS = {
    "frozen": ("--input_model",),
    "frozen_text": ("--input_model_is_text", "--input_model"),
    "checkpoint": ("--input_model",),
    "meta_graph": ("--input_meta_graph",),
    "saved_model": ("--saved_model_dir",),
}


def prepare(say: Callable[[str], None] = lambda _line: None) -> Path:
    """The Python of Model Optimizer's environment; made on first use, which takes minutes and a gigabyte and a half.

    Raises EnvironmentFailure where ``IRPROOF_LEGACY`` names none, where no Python of 3.8 to 3.11 is here, and where
    packages cannot be fetched.
    """
    named = os.environ.get(VARIABLE)
    if named:
        python = Path(named).expanduser() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if not python.is_file():
            raise EnvironmentFailure(
                f"{VARIABLE} names no virtual environment.",
                where=str(python),
                advice=f"Name one with openvino-dev {VERSION}, or unset it, so that one is made.",
            )
        return python.absolute()
    python_of_it = find_python(PYTHONS)
    if python_of_it is None:
        raise EnvironmentFailure(
            f"Model Optimizer {VERSION} needs a Python of {PYTHONS[-1]} to {PYTHONS[0]}, and none is here.",
            advice=f"Install one (as python{PYTHONS[0]} on PATH), or let {VARIABLE} name an environment that has it.",
        )
    return make_environment(f"model-optimizer-{VERSION}", PACKAGES, python_of_it, say)


def convert(request: ConversionRequest) -> Path:
    """The path of the IR's ``.xml`` in ``request.output_dir``; weights stay as they are.

    Options: ``transformations_config`` (another of its configurations, by name or path; by default that of family and
    era) and ``reverse_input_channels`` (the IR then takes BGR). Raises ConverterFailure with the end of its words.
    """
    python = prepare()
    words = [str(python), "-m", "openvino.tools.mo", *arguments(request, _configurations(python))]
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    code, said = _run(words, {**environment, "TF_CPP_MIN_LOG_LEVEL": "3"})
    if code:
        raise ConverterFailure(
            f"Model Optimizer ended with exit code {code}: {said or 'it said nothing'}",
            where=shlex.join(words[3:]),
            advice="Its message is above; it is not developed any more.",
        )
    return Path(request.output_dir) / "model.xml"


def _run(words: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """The exit code, and the errors that were printed (else the last lines); all of it goes on to this output."""
    kept: deque[str] = deque(maxlen=200)
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="")
            kept.append(line.strip())
    lines = [line for line in kept if line]
    # An exception inside of it ends a long report of traceback and boilerplate.
    raised = [line for line in lines if re.match(r"\w*(Exception|Error): ", line)]
    errors = [line for line in lines if "ERROR" in line]
    return process.returncode, " ".join(raised[-1:] or errors[:4] or lines[-4:])[:1500]


def arguments(request: ConversionRequest, configurations: Path) -> list[str]:
    """Model Optimizer's arguments for a request; raises ConverterFailure where it has no configuration for it."""
    words = [*_INPUTS[request.model_format], str(request.model_path)]
    if request.checkpoint is not None:
        words += ["--input_checkpoint", str(request.checkpoint)]
    if request.input_shape is not None:
        words += ["--input_shape", json.dumps(list(request.input_shape), separators=(",", ":"))]
    chosen = request.options.get("transformations_config") or CONFIGURATIONS.get(request.family, {}).get(request.era)
    if request.family in CONFIGURATIONS or chosen:
        if chosen is None:
            raise ConverterFailure(
                f"Model Optimizer has no configuration for {request.family} of era {request.era or 'unknown'}.",
                where=str(request.model_path),
                advice=f"Those that it has for it are of {', '.join(CONFIGURATIONS[request.family])}.",
            )
        path = configurations / str(chosen)  # an absolute path stays what it is
        words += ["--transformations_config", str(path)]
        if request.pipeline_config is not None:
            words += ["--tensorflow_object_detection_api_pipeline_config", str(request.pipeline_config)]
    if request.options.get("reverse_input_channels"):
        words.append("--reverse_input_channels")
    return [*words, "--compress_to_fp16=False", "--output_dir", str(request.output_dir), "--model_name", "model"]


def _configurations(python: Path) -> Path:
    """The folder of its configurations, which are named relative to its package."""
    folder = python.parents[1]
    found = sorted(folder.glob("[Ll]ib/**/openvino/tools/mo/front/tf/ssd_v2_support.json"))
    if not found:
        raise ConverterFailure(
            "The environment holds no Model Optimizer.",
            where=str(folder),
            advice=f"It needs openvino-dev {VERSION}; remove it, or let {VARIABLE} name another one.",
        )
    return found[0].parent
