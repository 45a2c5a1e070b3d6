"""The whole way from two versions to a verdict, in parts, and once in full."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from harness.certificate import read
from harness.converters.ready import find_ready
from harness.errors import UsageError
from harness.gate import upgrade
from harness.gate.measuring import Side
from harness.gate.probe import Probed
from harness.gate.upgrade import environment, frozen_line, keep_irs, main


class TestEnvironment:
    def test_an_interpreter_is_taken_as_it_is(self):
        """An environment that is there."""
        assert environment(sys.executable, print) == Path(sys.executable).absolute()

    @pytest.mark.parametrize("text", ["numpy==2", "openvino", "openvino==1 --index-url=x", "/nowhere/python", ""])
    def test_anything_else_is_refused(self, text):
        """Pip's options are none of this command's."""
        with pytest.raises(UsageError, match="neither a requirement on openvino nor a Python"):
            environment(text, print)

    def test_a_version_is_made_with_what_is_needed_beside_it(self, monkeypatch):
        """And with nothing else: TensorFlow runs elsewhere."""
        asked = []
        monkeypatch.setattr(upgrade, "make_environment", lambda *given: asked.append(given) or Path("made"))
        assert environment("openvino==2025.4.1", print) == Path("made")
        assert asked[0][1][0] == "openvino==2025.4.1"
        assert not any("tensorflow" in package for package in asked[0][1])

    def test_where_no_python_fits(self, monkeypatch, capsys):
        """Status 2, one message."""
        monkeypatch.setattr(upgrade, "find_python", lambda _versions: None)
        assert main(["openvino==2025.4.1", "openvino==2026.4.1", "--case", "ssd/mobilenet_v1_tf1.13"]) == 2
        assert "No Python is here" in capsys.readouterr().err


class TestKeepIrs:
    def test_the_converter_of_ready_irs_finds_them(self, tmp_path):
        """By the cases' names, slashes and all."""
        for suffix in (".xml", ".bin"):
            (tmp_path / f"model{suffix}").write_text(suffix)
        keep_irs(Side(Path("python"), {"ssd/a": tmp_path / "model.xml"}), tmp_path / "irs")
        found = find_ready(tmp_path / "irs", "ssd/a")
        assert found.read_text() == ".xml"
        assert found.with_suffix(".bin").read_text() == ".bin"


class TestFrozenLine:
    @pytest.mark.parametrize(
        ("kinds", "said"),
        [
            (["same", "swapped"], "FROZEN IRS: PASS: 1 same, 1 swapped"),
            (["same", "without_counterpart"], "FROZEN IRS: REGRESSION: 1 same, 1 with rows without counterpart"),
            (["failed"], "FROZEN IRS: REGRESSION: 1 failed"),
            (["same", "nothing"], "FROZEN IRS: PASS: 1 same, 1 without any row"),
            (["nothing"], "FROZEN IRS: nothing was compared"),
            ([], "FROZEN IRS: nothing was compared"),
        ],
    )
    def test_line(self, kinds, said):
        """Ties pass, losses don't, and nothing is said to be something."""
        assert frozen_line([Probed("case", kind) for kind in kinds]) == said


@pytest.mark.long
class TestInFull:
    def test_a_version_against_itself(self, tmp_path, capfd):
        """No regression; both certificates with latencies of one session; the IR's answers are the same."""
        case = "ssd/mobilenet_v1_tf1.13"
        words = [sys.executable, sys.executable, "--case", case, "--rounds", "12", "--out", str(tmp_path)]
        code = main([*words, "--latency-margin", "5"])
        printed = capfd.readouterr().out
        assert code == 0, printed
        assert f"frozen IR  {case}: the same answers" in printed
        before, after = (read(tmp_path / f"{name}.json") for name in ("baseline", "candidate"))
        assert before.cases[0].latency.session == after.cases[0].latency.session
        assert len(before.cases[0].latency.samples) == 12
        assert find_ready(tmp_path / "irs", case).is_file()
        assert [one["kind"] for one in json.loads((tmp_path / "frozen.json").read_text())] == ["same"]
