from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A folder of checkpoints, graphs and SavedModels that TensorFlow itself wrote, once a session."""
    folder = tmp_path_factory.mktemp("made")
    program = Path(__file__).with_name("make_checkpoints.py")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, str(program), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture
def zoo():
    """The folder of real graphs that only developers have."""
    shared = Path(os.environ.get("IRPROOF_SHARED") or Path(__file__).parents[2].parent / "shared")
    if not (shared / "zoo").is_dir():
        pytest.skip("no zoo here")
    return shared / "zoo"
