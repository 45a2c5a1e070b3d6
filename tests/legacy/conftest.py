"""Model Optimizer 2024.6 in an environment of its own: ``IRPROOF_LEGACY`` is that environment's folder."""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

_SECONDS = 900


class ModelOptimizer:
    """The old converter as users ran it: its command, its own configuration files."""

    def __init__(self, environment: Path) -> None:
        commands = [environment / "bin" / "mo", environment / "Scripts" / "mo.exe"]
        self._command = next((path for path in commands if path.is_file()), None)
        assert self._command is not None, f"IRPROOF_LEGACY is {environment}, but there is no mo in it"
        found = sorted(environment.glob("[Ll]ib/**/openvino/tools/mo/front/tf/ssd_v2_support.json"))
        assert found, f"IRPROOF_LEGACY is {environment}, but there are no configurations of Model Optimizer in it"
        self._configurations = found[0].parent

    def convert(self, model: Path, configuration: str, pipeline_config: Path, output: Path) -> tuple[int, str]:
        """The exit status and what was printed; ``model`` is a frozen graph, or the folder of a SavedModel."""
        source = "--saved_model_dir" if model.is_dir() else "--input_model"
        command = [
            str(self._command), source, str(model),
            "--transformations_config", str(self._configurations / configuration),
            "--tensorflow_object_detection_api_pipeline_config", str(pipeline_config),
            "--output_dir", str(output), "--model_name", "converted",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        return done.returncode, done.stdout + done.stderr


def layer_types(ir: Path) -> Counter[str]:
    """How often each op type stands in an IR."""
    root = ET.parse(ir).getroot()  # noqa: S314 - written a moment ago by the converter under test
    return Counter(layer.get("type", "") for layer in root.iter("layer"))


@pytest.fixture(scope="session")
def model_optimizer():
    """The old converter; skipped only where nobody said that there is one."""
    folder = os.environ.get("IRPROOF_LEGACY")
    if not folder:
        pytest.skip("IRPROOF_LEGACY names no environment with openvino-dev 2024.6")
    return ModelOptimizer(Path(folder))


@pytest.fixture(scope="session")
def types():
    """Counts the op types of an IR."""
    return layer_types
