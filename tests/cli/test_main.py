"""Commands answer with an exit status and one message, never with a traceback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from fixtures.catalogue import build
from harness.certificate import Certificate, coverage, write
from harness.certificate.model import ConverterFacts, DeviceFacts, Tool
from harness.cli import main
from harness.cli.listing import show
from harness.cli.main import COMMANDS, available
from harness.requirements import catalogue

ROOT = Path(__file__).resolve().parents[2]
TWO_STAGES = "faster_rcnn/resnet50_tf1.15"


def certificate() -> Certificate:
    return Certificate(
        tool=Tool("irproof", "0.1.0", "1"),
        profile="full",
        standing="certifying",
        standing_reasons=(),
        verdict="not_certified",
        verdict_reasons=("nothing was compared",),
        complete=True,
        converter=ConverterFacts("chain", "0.1.0", "chain"),
        device=DeviceFacts("CPU"),
        versions={},
        seeds={},
        cases=(),
        results=(),
        coverage=coverage([]),
    )


class TestMain:
    def test_no_command_shows_help(self, capsys):
        """And is no success."""
        assert main([]) == 2
        assert "COMMAND" in capsys.readouterr().err

    def test_version(self, capsys):
        """The package's own."""
        with pytest.raises(SystemExit, match="0"):
            main(["--version"])
        assert capsys.readouterr().out == f"irproof {harness.__version__}\n"

    def test_an_unknown_command(self, capsys):
        """Status 2, with the commands that there are."""
        with pytest.raises(SystemExit, match="2"):
            main(["certify"])
        assert "requirements" in capsys.readouterr().err

    def test_every_command_is_there_and_explains_itself(self, capsys):
        """The help of each begins with what the list says."""
        assert set(available()) == set(COMMANDS)
        for name in available():
            with pytest.raises(SystemExit, match="0"):
                main([name, "--help"])
            assert f"{COMMANDS[name][1:]}." in capsys.readouterr().out.replace("\n", " ")

    def test_an_error_is_one_message(self, capsys, tmp_path):
        """What, where, what to do; on stderr; status 2."""
        assert main(["report", str(tmp_path / "none.json"), "-o", str(tmp_path / "r.html")]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("irproof report: The certificate cannot be read")
        assert len(captured.err.splitlines()) == 1

    def test_an_interrupt_is_said_and_told_apart(self, capsys, monkeypatch):
        """As shells expect: 130."""
        monkeypatch.setattr("harness.cli.requirements.catalogue", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        assert main(["requirements"]) == 130
        assert "interrupted" in capsys.readouterr().err

    def test_asking_for_help_imports_nothing_heavy(self):
        """Neither OpenVINO nor the parser of protobufs, so that help comes at once."""
        code = "import sys\nfrom harness.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        code += (
            "print(sorted({'openvino', 'tensorflow', 'numpy', 'google.protobuf'} & set(sys.modules)), file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stderr.strip() == "[]"

    @pytest.mark.skipif(os.name == "nt", reason="pipes that break are POSIX's")
    def test_whoever_reads_may_stop_reading(self):
        """`irproof requirements | head -1` complains about nothing."""
        done = subprocess.run(  # noqa: S602 - the pipe is the point
            f"{sys.executable} -m harness requirements --json | head -1",
            shell=True,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("[\n", "")


class TestConvert:
    @pytest.mark.parametrize(
        ("words", "operation"), [((), "Proposal"), (("--operation-to-add", "DetectionOutput"), "PriorBoxClustered")]
    )
    def test_what_makes_the_proposals(self, tmp_path, words, operation):
        """The option reaches the chain; the default is Proposal (PRO-4)."""
        folder = build([TWO_STAGES])[TWO_STAGES]
        assert main(["convert", str(folder), "-o", str(tmp_path), "-q", *words]) == 0
        (ir,) = tmp_path.glob("*.xml")
        found = set(re.findall(r'<layer [^>]*type="(\w+)"', ir.read_text()))
        assert {"Proposal", "PriorBoxClustered"} & found == {operation}

    def test_the_images_size_as_an_input(self, tmp_path):
        """The option adds the input image_info (PRO-6)."""
        folder = build([TWO_STAGES])[TWO_STAGES]
        assert main(["convert", str(folder), "-o", str(tmp_path), "-q", "--image-info-input"]) == 0
        (ir,) = tmp_path.glob("*.xml")
        inputs = re.findall(r'<layer [^>]*name="(\w+)" type="Parameter"', ir.read_text())
        assert inputs == ["image_tensor", "image_info"]


class TestRequirements:
    def test_lists_all(self, capsys):
        """A line each, in order."""
        assert main(["requirements"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == list(catalogue())

    def test_lists_an_area(self, capsys):
        """However it is spelled."""
        assert main(["requirements", "pri", "--json"]) == 0
        assert {row["area"] for row in json.loads(capsys.readouterr().out)} == {"PRI"}

    def test_an_unknown_area(self, capsys):
        """With those that there are."""
        assert main(["requirements", "XYZ"]) == 2
        assert "The areas are SRC, CFG" in capsys.readouterr().err


class TestReport:
    def test_writes_the_page(self, tmp_path, capsys):
        """And says where."""
        write(certificate(), tmp_path / "c.json")
        assert main(["report", str(tmp_path / "c.json"), "-o", str(tmp_path / "out" / "r.html")]) == 0
        assert "NOT CERTIFIED" in (tmp_path / "out" / "r.html").read_text(encoding="utf-8")
        assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "r.html")

    def test_a_broken_certificate_leaves_the_old_page(self, tmp_path):
        """Nothing is half-written."""
        (tmp_path / "c.json").write_text('{"kind": "irproof-cert', encoding="utf-8")
        (tmp_path / "r.html").write_text("old", encoding="utf-8")
        assert main(["report", str(tmp_path / "c.json"), "-o", str(tmp_path / "r.html")]) == 2
        assert (tmp_path / "r.html").read_text(encoding="utf-8") == "old"


class TestConverters:
    def test_lists_the_built_in_ones_with_their_claims(self, capsys):
        """What stands first is what --converter takes."""
        assert main(["converters"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert {"chain", "ovc"} <= {line.split()[0] for line in lines}

    def test_describes_one_of_a_file(self, capsys, tmp_path):
        """A vendor sees what was understood of the declaration."""
        (tmp_path / "mine.py").write_text(
            "class Mine:\n"
            "    name, version, claims = 'mine', '7', {'families': ['ssd'], 'contract': 'tf_outputs'}\n"
            "    def convert(self, request): ...\n"
        )
        assert main(["converters", f"{tmp_path / 'mine.py'}:Mine", "--json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["name"], row["version"], row["claims"]["contract"]) == ("mine", "7", "tf_outputs")

    def test_one_that_does_not_exist(self, capsys):
        """One message."""
        assert main(["converters", "no_such_converter"]) == 2
        assert "irproof converters: There is no converter 'no_such_converter'." in capsys.readouterr().err


class TestListing:
    def test_columns_are_aligned_and_names_cannot_break_lines(self, capsys):
        """A folder may be named with a line break, or with what drives a terminal."""
        rows = [{"name": "a\nb\x1b[31m", "traits": {"y", "x"}}, {"name": "c", "traits": set()}]
        show(rows, as_json=False, columns=("name", "traits"))
        assert capsys.readouterr().out.splitlines() == [r"a\nb\x1b[31m  x, y", "c"]
