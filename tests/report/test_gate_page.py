"""A gate's page says what the gate said, and believes no string."""

from __future__ import annotations

import json

import pytest

from harness.certificate.plain import to_plain
from harness.cli.main import main
from harness.errors import UsageError
from harness.gate.model import Change, Gate, LatencyRatio
from harness.report import is_gate, render_gate
from harness.report.gate_page import span
from tests.report.making import EVIL


def a_gate(*changes, latencies=()):
    gate = Gate("openvino 2025.4", "openvino 2026.4", changes, latencies, ("openvino differs",), ("a note",), 77)
    return json.loads(json.dumps(to_plain(gate) | {"passed": gate.passed}))


def ratio(value, low, high, verdict="same"):
    return LatencyRatio(f"ssd/{value}", value, low, high, 30, verdict)


class TestRenderGate:
    def test_says_the_verdict_and_what_closes_the_gate_first(self):
        """The order of a reader's interest."""
        good = Change("newly_passing", "ssd/a", "It passes now.", regression=False)
        bad = Change("newly_failing", "ssd/b", "It fails now.", regression=True, check="scores", stage="heads")
        text = render_gate(a_gate(good, bad))
        assert "<title>REGRESSION: openvino 2026.4</title>" in text
        assert text.index("It fails now.") < text.index("It passes now.")
        assert "2 changes, 1 of which close the gate" in text
        assert "<title>PASS" in render_gate(a_gate(good))

    def test_every_string_is_escaped_and_no_script_runs(self):
        """A case may be named as it likes."""
        change = Change("signature", EVIL, EVIL, regression=True, check=EVIL, stage=EVIL, before=EVIL, after=EVIL)
        text = render_gate(a_gate(change) | {"baseline": EVIL, "candidate": EVIL, "notes": [EVIL]})
        assert "<script" not in text
        assert "<img" not in text
        assert "script-src" not in text
        assert "default-src 'none'".replace("'", "&#39;") in text

    def test_shows_ratios_with_their_intervals(self):
        """The slowest first, all on one axis."""
        text = render_gate(a_gate(latencies=(ratio(1.0, 0.9, 1.1, "too_noisy"), ratio(1.4, 1.3, 1.5, "slower"))))
        assert text.index("1.400 (1.300 to 1.500, 30 rounds)") < text.index("1.000 (0.900 to 1.100, 30 rounds)")
        assert "too noisy to tell" in text

    def test_twice_as_slow_lies_as_far_out_as_twice_as_fast(self):
        """The axis is one of ratios."""
        both = [to_plain(ratio(2.0, 1.5, 2.5)), to_plain(ratio(0.5, 0.4, 0.6))]
        slow, fast = (span(one, both) for one in both)
        assert slow["one"] == fast["one"] == 50.0
        assert slow["ratio"] - 50.0 == pytest.approx(50.0 - fast["ratio"], abs=0.02)
        assert 0 <= fast["low"] < fast["ratio"] < fast["high"] < 50 < slow["low"] < slow["high"] <= 100

    @pytest.mark.parametrize("broken", [{"changes": [{}]}, {"changes": [3]}, {"latencies": [{"ratio": 0}]}])
    def test_what_no_gate_wrote_is_an_error_of_its_own(self, broken):
        """Never a traceback."""
        with pytest.raises(UsageError, match="not what this irproof writes"):
            render_gate(a_gate() | broken)


class TestIsGate:
    def test_tells_gates_from_anything_else(self):
        """A certificate is none."""
        assert is_gate(a_gate())
        assert not is_gate({"kind": "irproof-certificate"})
        assert not is_gate([])
        assert not is_gate(a_gate() | {"passed": 1})

    def test_the_command_makes_a_page_of_it(self, tmp_path):
        """By the same words as for a certificate."""
        (tmp_path / "gate.json").write_text(json.dumps(a_gate()), encoding="utf-8")
        assert main(["report", str(tmp_path / "gate.json"), "-o", str(tmp_path / "gate.html")]) == 0
        assert "<title>PASS" in (tmp_path / "gate.html").read_text(encoding="utf-8")
