"""Calling Model Optimizer 2024.6 as users did: its command, its own configuration files."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

_SECONDS = 900


class ModelOptimizer:
    """The old converter of the environment in a folder."""

    def __init__(self, environment: Path) -> None:
        commands = [environment / "bin" / "mo", environment / "Scripts" / "mo.exe"]
        self._command = next((path for path in commands if path.is_file()), None)
        assert self._command is not None, f"IRPROOF_LEGACY is {environment}, but there is no mo in it"
        found = sorted(environment.glob("[Ll]ib/**/openvino/tools/mo/front/tf/ssd_v2_support.json"))
        assert found, f"IRPROOF_LEGACY is {environment}, but there are no configurations of Model Optimizer in it"
        self._configurations = found[0].parent

    def convert(
        self,
        model: Path,
        configuration: str,
        pipeline_config: Path,
        output: Path,
        *,
        name: str = "converted",
        input_shape: Sequence[int] | None = None,
    ) -> tuple[int, str]:
        """The exit status and what was printed; ``model`` is a frozen graph, or the folder of a SavedModel.

        Weights stay f32, so that the IR can be held against TensorFlow.
        """
        source = "--saved_model_dir" if model.is_dir() else "--input_model"
        command = [
            str(self._command), source, str(model),
            "--transformations_config", str(self._configurations / configuration),
            "--tensorflow_object_detection_api_pipeline_config", str(pipeline_config),
            "--output_dir", str(output), "--model_name", name, "--compress_to_fp16=False",
        ]  # fmt: skip
        if input_shape is not None:
            command += ["--input_shape", str(list(input_shape))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        return done.returncode, done.stdout + done.stderr


def layer_types(ir: Path) -> Counter[str]:
    """How often each op type stands in an IR."""
    root = ET.parse(ir).getroot()  # noqa: S314 - written a moment ago by the converter under test
    return Counter(layer.get("type", "") for layer in root.iter("layer"))
