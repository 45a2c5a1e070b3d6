"""Under pytest-xdist: the same certificate as without, and one conversion a case across workers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.catalogue import build
from harness.certificate import comparable, read

ROOT = Path(__file__).parents[2]
CASE = "ssd/mobilenet_v1_tf1.13"


@pytest.mark.long
class TestDistributed:
    def run(self, tmp_path, monkeypatch, name, *arguments):
        counted, certificate = tmp_path / f"{name}.txt", tmp_path / f"{name}.json"
        counted.touch()
        monkeypatch.setenv("COUNTED", str(counted))
        monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
        words = [sys.executable, "-m", "pytest", "suites", "--model-dir", str(tmp_path / "model"), "-q"]
        words += ["--converter", f"{Path(__file__).with_name('counting.py')}:convert"]
        words += ["--certificate", str(certificate), *arguments]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)
        assert certificate.is_file(), done.stdout[-3000:] + done.stderr[-2000:]
        return done.returncode, comparable(read(certificate)), sorted(counted.read_text().splitlines())

    def test_the_same_as_without(self, tmp_path, monkeypatch):
        """Exit status, certificate, conversions; also where the checks of one case go to either worker."""
        # A copy, which stays the same though somebody works on the fixtures meanwhile.
        shutil.copytree(build([CASE])[CASE], tmp_path / "model")
        alone = self.run(tmp_path, monkeypatch, "alone")
        assert alone[0] == 0
        assert len(alone[2]) == len(set(alone[2])) > 0
        for name, arguments in {"spread": (), "torn": ("--dist", "worksteal")}.items():
            assert self.run(tmp_path, monkeypatch, name, "-n", "2", *arguments) == alone
