"""An environment is made once, whole or not at all, and its failures are one message."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from harness.environments import EnvironmentFailure, find_python, make_environment, virtual

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
posix = pytest.mark.skipif(os.name != "posix", reason="writes scripts for a shell")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IRPROOF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def wheel(tmp_path):
    """A package that needs no network."""
    path = tmp_path / "small_thing-1.0-py3-none-any.whl"
    info = "small_thing-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("small_thing.py", "VALUE = 7\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: small-thing\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


class TestMakeEnvironment:
    def test_made_once(self, wheel, monkeypatch):
        """With what was asked for, whoever asks first; a second one finds it, and a half-made one is made anew."""
        monkeypatch.setenv("PYTHONPATH", "/nowhere")
        said: list[str] = []
        made: list[Path] = []
        asks = [
            threading.Thread(
                target=lambda: made.append(make_environment("small", [str(wheel)], sys.executable, said.append))
            )
            for _ in range(2)
        ]
        for ask in asks:
            ask.start()
        for ask in asks:
            ask.join()
        assert len(set(made)) == 1
        assert sum(line.startswith("making the environment") for line in said) == 1
        asked = [str(made[0]), "-c", "import small_thing; print(small_thing.VALUE)"]
        assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() == "7"
        (made[0].parents[1] / virtual._WHOLE).unlink()
        make_environment("small", [str(wheel)], sys.executable, said.append)
        assert sum(line.startswith("making the environment") for line in said) == 2

    def test_a_package_that_there_is_not(self, cache, tmp_path):
        """Pip's own words, and nothing left behind."""
        with pytest.raises(EnvironmentFailure, match=r"packages cannot be installed.*no_such\.whl"):
            make_environment("none", [str(tmp_path / "no_such.whl")], sys.executable)
        assert [path for path in (cache / "environments").iterdir() if path.is_dir()] == []

    def test_a_python_that_there_is_not(self, tmp_path):
        """Named."""
        with pytest.raises(EnvironmentFailure, match=r"cannot be made.*no_python"):
            make_environment("none", [], str(tmp_path / "no_python"))


class TestFindPython:
    def test_this_one_fits(self):
        """No search is needed."""
        assert find_python(["3.1", VERSION]) == sys.executable

    def test_none(self, monkeypatch, tmp_path):
        """An empty PATH."""
        monkeypatch.setenv("PATH", str(tmp_path))
        assert find_python(["3.1"]) is None

    @posix
    @pytest.mark.parametrize(("answer", "found"), [("3.1", True), ("3.99", False)])
    def test_is_asked_what_it_is(self, monkeypatch, tmp_path, answer, found):
        """A name on PATH is no proof."""
        script = tmp_path / "python3.1"
        script.write_text(f"#!/bin/sh\necho {answer}\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert find_python(["3.1"]) == (str(script) if found else None)
