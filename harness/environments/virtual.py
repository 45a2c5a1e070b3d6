"""Making a virtual environment once, under the cache folder, with progress; whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.cases.cache import cache_root, digest
from harness.errors import UsageError
from harness.workers.once import only_one

# Written last: an environment without it was left half made.
_WHOLE = "irproof-complete"
_TOLD = re.compile(r"(Collecting|Downloading|Installing collected packages|Successfully installed)\b")
_EVERY_SECONDS = 5.0

Say = Callable[[str], None]


class EnvironmentFailure(UsageError):
    """A virtual environment cannot be made: no fitting Python, no network, or a package that there is not."""


def make_environment(name: str, packages: Sequence[str], python: str, say: Say = lambda _line: None) -> Path:
    """The Python of a virtual environment with these packages; made by the first who asks, then kept.

    It lies under the cache folder, named by ``name``, the packages and the interpreter it is made of. ``say`` gets a
    line at the start and, while packages are fetched, every few seconds. Raises EnvironmentFailure with the end of
    pip's own words; nothing half-made stays.
    """
    key = digest(python, *packages)[:12]
    folder = cache_root() / "environments" / f"{re.sub(r'[^A-Za-z0-9.]+', '-', name)}-{key}"
    if (folder / _WHOLE).is_file():
        return _python_in(folder)
    with only_one(folder.with_name(f"{folder.name}.made")):
        if not (folder / _WHOLE).is_file():
            say(f"making the environment {folder} for {', '.join(packages)}; that takes minutes, once")
            shutil.rmtree(folder, ignore_errors=True)
            try:
                _run([python, "-m", "venv", str(folder)], say, "The virtual environment cannot be made.")
                install = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
                _run([str(_python_in(folder)), *install, *packages], say, "The packages cannot be installed.")
                (folder / _WHOLE).write_text("\n".join(packages) + "\n", encoding="utf-8")
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            say(f"made the environment {folder}")
    return _python_in(folder)


def find_python(versions: Sequence[str]) -> str | None:
    """An interpreter of one of the versions such as ``3.11``: this one where it fits, else one on PATH; or None.

    What is on PATH under a version's name is asked whether it is one that can make virtual environments.
    """
    if f"{sys.version_info.major}.{sys.version_info.minor}" in versions:
        return sys.executable
    for version in versions:
        for candidate in _candidates(version):
            asked = "import sys, venv, ensurepip; print('.'.join(map(str, sys.version_info[:2])))"
            try:
                done = subprocess.run(
                    [*candidate, "-c", asked], capture_output=True, text=True, check=False, timeout=60
                )
            except (OSError, subprocess.TimeoutExpired):
                continue
            if done.returncode == 0 and done.stdout.strip() == version:
                return _executable(candidate)
    return None


def _candidates(version: str) -> list[list[str]]:
    found = [[path] for name in (f"python{version}", "python3", "python") if (path := shutil.which(name))]
    if os.name == "nt" and (launcher := shutil.which("py")):
        found.append([launcher, f"-{version}"])
    return found


def _executable(command: list[str]) -> str:
    if len(command) == 1:
        return command[0]
    asked = [*command, "-c", "import sys; print(sys.executable)"]
    return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run(command: list[str], say: Say, what: str) -> None:
    """Run a command, telling of it now and then; raises EnvironmentFailure when it fails."""
    # The caller's own environment must not leak in: packages of PYTHONPATH would pass for installed ones.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    kept: list[str] = []
    told = time.monotonic()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
        )
    except OSError as error:
        raise EnvironmentFailure(what, where=f"{command[0]}: {error.strerror or error}") from None
    with process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                kept = [*kept[-11:], line.strip()]
                if _TOLD.match(line.strip()) and time.monotonic() - told > _EVERY_SECONDS:
                    told = time.monotonic()
                    say(f"  {line.strip()[:110]}")
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise EnvironmentFailure(
            what,
            where=f"exit code {process.returncode}; the end of what was printed: {' | '.join(filter(None, kept))}",
            advice="See whether the version exists for this Python, and whether packages can be fetched from here.",
        )
