"""A small world for the plugin: cases and a converter that cost nothing, and suites that say what they find."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

import harness.cases.selection
import harness.converters

ROOT = Path(__file__).resolve().parents[2]

INI = """
[pytest]
testpaths = suites
addopts = --strict-markers --strict-config --import-mode=importlib -p no:cacheprovider
filterwarnings = error
markers =
    requirement(*ids): ids
    long: long
"""

CONFTEST = """
pytest_plugins = ["harness.plugin"]

import harness.cases.selection
import harness.converters
from harness.cases.selection import Listed
from harness.converters import Converter
from harness.converters.claims import Claims
from harness.errors import ConverterFailure, UsageError


def listed(name):
    return Listed(name, "ssd", "1.14", "frozen", frozenset({"fpn"}), "user", load=lambda: 1 / 0)


NAMES = ["ssd/a", "ssd/b", "ssd/a-b"]


def select(patterns=(), *, model_dirs=(), zoo=None, profile="quick"):
    names = [*NAMES, *(["ssd/long"] if profile == "full" else [])]
    if patterns:
        names = [name for name in names if name in patterns]
    if not names:
        raise UsageError("No case matches.", advice="`irproof cases` lists them.")
    return tuple(listed(name) for name in names)


def resolve(spec):
    if spec == "missing":
        raise UsageError("There is no converter missing.", advice="`irproof converters` lists them.")
    return Converter(spec, "made-up", "callable", "nowhere:convert", "1.2", Claims(families=frozenset({"ssd"})))


harness.cases.selection.select = select
harness.converters.resolve = resolve
"""

HELPERS = """
import pytest
from harness.checks.result import CheckResult, Finding
from harness.errors import ConverterFailure, Stage


def passing(check="scores", ids=("SSD-3",), **other):
    values = dict(compared=3, worst_error=2e-6, noise=1e-6, tolerance=1e-5, unit="score")
    return CheckResult(check, ids, Stage.HEADS, "passed", **(values | other))


def failing(check="scores", ids=("SSD-3",), **other):
    place = {"scene": "street", "image": 0, "anchor": 17}
    finding = Finding("A score differs.", place, 3e-4, 1e-6, 1e-5, 3e-4, "score")
    values = dict(findings=(finding,), compared=3, worst_error=3e-4, noise=1e-6, tolerance=1e-5, unit="score")
    return CheckResult(check, ids, Stage.HEADS, "failed", **(values | other))
"""


class World:
    """A folder with suites in it, and pytest called there as a person would."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.path = pytester.path
        self._pytester = pytester
        (self.path / "suites").mkdir()
        (self.path / "pytest.ini").write_text(INI)
        (self.path / "conftest.py").write_text(CONFTEST)

    def suite(self, text: str, name: str = "test_heads") -> None:
        """Write a module of suites; ``passing`` and ``failing`` make results."""
        (self.path / "suites" / f"{name}.py").write_text(HELPERS + text)

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest, in this process and without other plugins since that is quicker."""
        others = ("-p", "no:hypothesispytest", "-p", "no:benchmark", "-p", "no:xdist")
        return self._pytester.runpytest_inprocess(*others, *map(str, arguments))

    def run_apart(self, *arguments: str) -> pytest.RunResult:
        """Run pytest as a person would, in a process of its own."""
        return self._pytester.run(sys.executable, "-m", "pytest", *map(str, arguments), timeout=120)

    def certify(self, *arguments: str, apart: bool = False) -> tuple[pytest.RunResult, dict]:
        """Run pytest and return what it wrote as certificate as well."""
        file = self.path / "certificate.json"
        result = (self.run_apart if apart else self.run)("--certificate", str(file), *arguments)
        assert file.is_file(), result.stdout.str() + result.stderr.str()
        return result, json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture
def world(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> World:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("COLUMNS", "120")
    # What pytest itself takes from outside; on CI its summary repeats every failure's whole text.
    for name in ("PYTEST_ADDOPTS", "CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    # The small world puts others in their place, which has to end with the test.
    monkeypatch.setattr(harness.cases.selection, "select", harness.cases.selection.select)
    monkeypatch.setattr(harness.converters, "resolve", getattr(harness.converters, "resolve", None), raising=False)
    return World(pytester)
