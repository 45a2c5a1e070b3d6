"""A path among the options does not make pytest lose the project."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from harness.rooting import project_root

ROOT = Path(__file__).resolve().parents[2]


class TestRooting:
    def test_finds_the_checkout_from_a_folder_in_it(self, tmp_path):
        """And only from there."""
        assert project_root(ROOT / "suites") == ROOT
        assert project_root(tmp_path) is None

    def test_is_an_entry_point_of_pytest(self):
        """Only so it is loaded before pytest has read its configuration."""
        found = importlib.metadata.entry_points(group="pytest11")
        assert "harness.rooting" in {entry.value for entry in found}

    @pytest.mark.parametrize(
        "arguments", [("--model-dir", "{folder}"), ("--html", "{file}", "--certificate", "{file}")]
    )
    def test_options_that_name_existing_paths(self, tmp_path, arguments):
        """A folder of models, and the certificate of the last run: called as the documentation says."""
        (tmp_path / "c.json").write_text("")
        words = [word.format(folder=tmp_path, file=tmp_path / "c.json") for word in arguments]
        # --co -q of the harness's own tests needs neither converter nor case.
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", *words, "tests/requirements"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "tests/requirements/test_catalogue.py::" in done.stdout, done.stdout + done.stderr
        assert done.returncode == 0
