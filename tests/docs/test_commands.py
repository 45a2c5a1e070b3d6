"""Every command that the README and docs/ show is run, or known to be what sets up an environment.

A command that this module does not know fails: documentation cannot promise what nobody tries.
"""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.catalogue import build
from harness.expectations import read_expectations

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CASE = "ssd/mobilenet_v1_tf1.13"

#: What makes an environment is done by tox and CI themselves, with the very same words.
SETS_UP = (
    r"python -m venv \.venv",
    r"\.venv/bin/pip install -e \"\.\[dev\]\"",
    r"\.venv/bin/pytest tests",
    r"pip install --upgrade openvino",
)
#: What fetches other versions of OpenVINO: tests/gate runs it with environments that are there.
FETCHES = (r"python -m harness\.gate openvino==[\d.]+ openvino==[\d.]+",)
#: What needs a vendor's own package, tool or files: the words before it are checked by tests/converters.
A_VENDORS_OWN = (
    r"pytest --converter my_package:convert",
    r"pytest --converter path/to/converter\.py:convert",
    r"pytest --converter \"command:my-tool .*\"",
    r"pytest --converter ir:folder/of/irs",
    r"pytest --converter path/to/converter\.py:convert --expectations known\.toml",
)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in blocks(page, "console"):
            found += [(page.name, line.removeprefix("$ ")) for line in block.splitlines() if line.startswith("$ ")]
    return found


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=600)


@pytest.fixture(scope="module")
def model_folder():
    return str(build([CASE])[CASE])


def test_there_are_commands():
    """The pages are found, and they show commands."""
    assert len(commands()) > 10


def test_the_known_failures_are_read(tmp_path):
    """The example of a file is one that is accepted."""
    (example,) = blocks(ROOT / "docs" / "expectations.md", "toml")
    (tmp_path / "known.toml").write_text(example, encoding="utf-8")
    assert len(read_expectations(tmp_path / "known.toml")) == 2


@pytest.mark.parametrize(("page", "command"), commands())
def test_command(page, command, model_folder, tmp_path):
    """The command does what the page says, or is what an environment is set up with."""
    if any(re.fullmatch(pattern, command) for pattern in (*SETS_UP, *FETCHES, *A_VENDORS_OWN)):
        return
    tox = re.fullmatch(r"python -m pip install tox && python -m tox -e ([\w,]+)(?: -- [\w=. ]+)?", command)
    if tox:
        known = configparser.ConfigParser(interpolation=None)
        known.read(ROOT / "tox.ini", encoding="utf-8")
        assert {f"testenv:{name}" for name in tox.group(1).split(",")} <= set(known.sections())
        return
    words = shlex.split(command.replace("MODEL_FOLDER", model_folder).replace("irproof-out", str(tmp_path)))
    if words[:2] in (["irproof", "gate"], ["irproof", "report"]):
        # Certificates have to be there before they can be compared, or shown.
        made = [ROOT / "suites/test_validation.py", "--case", CASE, "--certificate", words[2], "-q"]
        assert run([sys.executable, "-m", "pytest", *map(str, made)], ROOT).returncode == 0
        if words[1] == "gate":
            Path(words[3]).write_text(Path(words[2]).read_text(encoding="utf-8"), encoding="utf-8")
    if words[0] == "irproof":
        done = run([sys.executable, "-m", "harness", *words[1:]], tmp_path)
        assert done.returncode == 0, done.stderr
        return
    assert words[0] == "pytest", f"{page} shows a command that no test knows: {command}"
    if "my_converter.py:convert" in words:
        (source,) = blocks(ROOT / "docs" / "converters.md", "python")
        (tmp_path / "my_converter.py").write_text(source, encoding="utf-8")
        words[words.index("my_converter.py:convert")] = f"{tmp_path / 'my_converter.py'}:convert"
        words += ["suites/test_structure.py::test_nothing_dead", "suites/test_validation.py"]
    if "--model-dir" not in words:
        words += ["--case", CASE]
    else:
        words += ["--case", f"{Path(model_folder).name}"]
    done = run([sys.executable, "-m", "pytest", *words[1:], "-q"], ROOT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert re.search(r"[1-9]\d* passed", done.stdout)
