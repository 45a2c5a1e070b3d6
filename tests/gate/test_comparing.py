"""Each kind of change is shown by a pair of certificates: those that have to close the gate, and those that may not."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from harness.certificate import schema, write
from harness.certificate.model import FindingFacts, Hashes, IrSignature, Port
from harness.certificate.plain import to_plain
from harness.certificate.reader import loads
from harness.cli import main
from harness.gate import NotComparable, compare, hindrances
from harness.gate.text import lines
from tests.gate.conftest import latency, result

PORT = Port("detection_boxes", "f32", "[1,1,100,7]")


def kinds(gate):
    return [(change.kind, change.case, change.regression) for change in gate.changes]


class TestNothingChanged:
    def test_the_same_passes(self, baseline, candidate):
        """Another version, other moments, the same answers; what failed before may fail again."""
        gate = compare(baseline, candidate)
        assert gate.passed
        assert gate.changes == ()
        assert gate.compared == len(baseline.results)
        assert gate.differences == ("openvino: 2025.4 -> 2026.4",)
        assert [one.verdict for one in gate.latencies] == ["same", "same"]
        assert lines(gate)[-1] == "PASS: 8 results compared"


class TestOutcomes:
    def test_newly_failing(self, baseline, edited):
        """One check of one case is enough."""
        gate = compare(baseline, edited(check="boxes", outcome="failed", findings=(FindingFacts("A box is lost."),)))
        assert kinds(gate) == [("newly_failing", "ssd/a", True)]
        assert "REGRESSION ssd/a: newly failing boxes at stage detections: A box is lost." in lines(gate)
        assert lines(gate)[-1] == "REGRESSION: 1 newly failing"

    def test_a_check_that_did_not_apply_and_now_fails(self, baseline, edited):
        """It was no failure before."""
        assert kinds(compare(baseline, edited(check="masks", outcome="error"))) == [("newly_failing", "ssd/a", True)]

    def test_failing_earlier(self, baseline, edited):
        """What was off converts no more."""
        gate = compare(baseline, edited(check="crowd", case="ssd/b", stage="convert"))
        assert kinds(gate) == [("fails_earlier", "ssd/b", True)]

    @pytest.mark.parametrize("outcome", ["not_claimed", "not_applicable"])
    def test_no_longer_proven(self, baseline, edited, outcome):
        """A converter that stops claiming has lost what it could."""
        gate = compare(baseline, edited(check="boxes", outcome=outcome, compared=0, notes=("not today",)))
        assert kinds(gate) == [("no_longer_proven", "ssd/a", True)]
        assert "not today" in lines(gate)[-3] + lines(gate)[3]

    def test_newly_passing_is_no_regression(self, baseline, edited):
        """But it is said."""
        gate = compare(baseline, edited(check="crowd", case="ssd/b", outcome="passed", findings=()))
        assert kinds(gate) == [("newly_passing", "ssd/b", False)]
        assert gate.passed

    def test_a_test_that_died(self, baseline, candidate):
        """Its result has another name than the baseline's."""
        dead = dataclasses.replace(
            result("ssd/a", "boxes", "error", stage="case", error=None), check="the_test", requirements=()
        )
        results = (*(one for one in candidate.results if (one.check, one.case) != ("boxes", "ssd/a")), dead)
        gate = compare(baseline, dataclasses.replace(candidate, results=results))
        assert sorted(kinds(gate)) == [("newly_failing", "ssd/a", True), ("no_longer_proven", "ssd/a", True)]


class TestErrors:
    def test_growth_beyond_noise(self, baseline, edited):
        """Though the check still passes."""
        gate = compare(baseline, edited(check="scores", worst_error=3.5e-6))
        (change,) = gate.changes
        assert (change.kind, change.regression) == ("error_growth", True)
        assert change.noises == pytest.approx(1.5)

    @pytest.mark.parametrize("error", [2.9e-6, 2e-6, 0.0])
    def test_growth_within_noise(self, baseline, edited, error):
        """TensorFlow moves as far from itself."""
        assert compare(baseline, edited(check="scores", worst_error=error)).changes == ()

    @pytest.mark.parametrize("error", [math.nan, math.inf])
    def test_an_error_that_is_no_number(self, baseline, edited, error):
        """No comparison with it may pass."""
        assert kinds(compare(baseline, edited(check="scores", worst_error=error))) == [("error_growth", "ssd/a", True)]

    def test_where_there_is_no_noise(self, baseline, candidate, edited):
        """Any growth is beyond none; where noise is unknown, that is said."""

        def quiet(certificate, noise):
            results = tuple(dataclasses.replace(one, noise=noise) for one in certificate.results)
            return dataclasses.replace(certificate, results=results)

        grown = edited(check="scores", worst_error=2.1e-6)
        assert [change.noises for change in compare(quiet(baseline, 0.0), quiet(grown, 0.0)).changes] == [math.inf]
        gate = compare(quiet(baseline, None), quiet(grown, None))
        assert gate.notes == ("1 errors grew whose noise is not known",)


class TestSignatures:
    @pytest.mark.parametrize(
        "ports",
        [
            (),
            (PORT, Port("masks", "f32", "[100,90,33,33]")),
            (dataclasses.replace(PORT, name="boxes"),),
            (dataclasses.replace(PORT, type="f16"),),
            (dataclasses.replace(PORT, shape="[1,1,200,7]"),),
        ],
    )
    def test_another_output(self, baseline, candidate, edited, ports):
        """Less, more, renamed, another type, another shape."""
        ir = dataclasses.replace(candidate.cases[0].ir, outputs=ports)
        gate = compare(baseline, edited(case="ssd/a", ir=ir))
        assert kinds(gate) == [("signature", "ssd/a", True)]

    def test_another_order(self, baseline, candidate):
        """Users read outputs by place too."""

        def ordered(certificate, ports):
            ir = dataclasses.replace(certificate.cases[0].ir, outputs=ports)
            first = dataclasses.replace(certificate.cases[0], ir=ir)
            return dataclasses.replace(certificate, cases=(first, certificate.cases[1]))

        two = (PORT, Port("masks", "f32", "[1]"))
        assert kinds(compare(ordered(baseline, two), ordered(candidate, two[::-1]))) == [("signature", "ssd/a", True)]

    def test_another_input(self, baseline, candidate, edited):
        """An input that is open now."""
        ir = dataclasses.replace(candidate.cases[0].ir, inputs=(Port("image_tensor", "u8", "[?,?,?,3]"),))
        assert kinds(compare(baseline, edited(case="ssd/a", ir=ir))) == [("signature", "ssd/a", True)]


class TestOperations:
    @pytest.mark.parametrize(
        ("ops", "regression"),
        [
            ({"Loop": 1}, True),
            ({"TensorIterator": 2}, True),
            ({"DetectionOutput": 2}, True),
            ({"NonMaxSuppression": 1}, True),
            ({"DetectionOutput": 0}, True),
            ({"Convert": 3}, False),
            ({"Add": 29}, False),
        ],
    )
    def test_changes(self, baseline, candidate, edited, ops, regression):
        """Loops, and what detectors are made of, close the gate; a constant that is folded elsewhere does not."""
        ir = candidate.cases[0].ir
        gate = compare(baseline, edited(case="ssd/a", ir=IrSignature(ir.inputs, ir.outputs, {**ir.ops, **ops})))
        assert kinds(gate) == [("operations", "ssd/a", regression)]
        name = next(iter(ops))
        assert f"{name} {ir.ops.get(name, 0)} -> {ops[name]}" in gate.changes[0].what

    def test_a_loop_that_went(self, baseline, candidate, edited):
        """Is a change for the better."""
        ir = candidate.cases[0].ir
        loop = IrSignature(ir.inputs, ir.outputs, {**ir.ops, "Loop": 1})
        with_loop = dataclasses.replace(
            baseline, cases=(dataclasses.replace(baseline.cases[0], ir=loop), baseline.cases[1])
        )
        assert kinds(compare(with_loop, candidate)) == [("operations", "ssd/a", False)]


class TestLatency:
    def test_slower(self, baseline, edited):
        """By a quarter, under a load that varies by a third."""
        gate = compare(baseline, edited(case="ssd/a", latency=latency("ssd/a", 1.25, seed=1)))
        assert kinds(gate) == [("latency", "ssd/a", True)]
        assert gate.latencies[0].verdict == "slower"
        assert gate.latencies[0].ratio == pytest.approx(1.25, rel=0.03)

    def test_faster(self, baseline, edited):
        """Is told, and no regression."""
        gate = compare(baseline, edited(case="ssd/a", latency=latency("ssd/a", 0.7, seed=1)))
        assert gate.passed
        assert gate.latencies[0].verdict == "faster"

    def test_too_noisy(self, baseline, edited):
        """Neither slower nor the same, and it is said."""
        gate = compare(baseline, edited(case="ssd/a", latency=latency("ssd/a", 1.1, spread=0.5, seed=1)))
        assert gate.latencies[0].verdict == "too_noisy"
        assert any(line.endswith("too noisy to tell") for line in lines(gate))

    def test_not_in_turn(self, baseline, edited):
        """Latencies of another session say nothing, however different they are."""
        gate = compare(baseline, edited(case="ssd/a", latency=latency("ssd/a", 9, session="two")))
        assert [one.case for one in gate.latencies] == ["ssd/b"]
        assert gate.notes == ("the latencies of 1 cases were not measured in turn, and say nothing",)

    def test_the_margin_is_the_callers(self, baseline, edited):
        """Who accepts a quarter gets a pass."""
        slower = edited(case="ssd/a", latency=latency("ssd/a", 1.25, seed=1))
        assert compare(baseline, slower, margin=0.5).passed


class TestComparability:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda c: {"tool": dataclasses.replace(c.tool, suite_version="2")}, "suite version is 1 .* and 2 in"),
            (lambda _: {"profile": "quick"}, "profile is full in the baseline and quick"),
            (lambda _: {"complete": False}, "candidate is incomplete"),
            (lambda c: {"cases": c.cases[:1]}, "only the baseline has the case ssd/b"),
            (lambda c: {"results": c.results[1:]}, r"only the baseline has the check suites.*scores\[ssd/a\]"),
            (
                lambda c: {"cases": (dataclasses.replace(c.cases[0], hashes=Hashes(model="9" * 64)), c.cases[1])},
                "case ssd/a has another model",
            ),
        ],
    )
    def test_what_is_not_the_same(self, baseline, candidate, change, said):
        """Is refused, with the reason, in either direction."""
        other = dataclasses.replace(candidate, **change(candidate))
        with pytest.raises(NotComparable, match=said):
            compare(baseline, other)
        assert hindrances(other, baseline)

    def test_nothing_compared(self, baseline, candidate):
        """A baseline that proves nothing lets everything pass, so it is none."""

        def empty(certificate):
            results = tuple(dataclasses.replace(one, compared=0) for one in certificate.results)
            return dataclasses.replace(certificate, results=results)

        with pytest.raises(NotComparable, match="nothing was compared in the baseline"):
            compare(empty(baseline), empty(candidate))

    def test_an_older_schema(self, baseline, candidate):
        """A baseline of schema version 1 can be compared: it only has no latencies."""
        document = to_plain(baseline) | {"schema_version": 1}
        kinds_of = schema(1)["$defs"]

        def cut(plain, node):
            return {name: value for name, value in plain.items() if name in node["properties"]}

        document = cut(document, schema(1))
        document["cases"] = [cut(case, kinds_of["case"]) for case in document["cases"]]
        document["results"] = [
            cut(one, kinds_of["result"]) | {"findings": [cut(found, kinds_of["finding"]) for found in one["findings"]]}
            for one in document["results"]
        ]
        gate = compare(loads(json.dumps(document), where="old.json"), candidate)
        assert gate.passed
        assert gate.latencies == ()


class TestCommand:
    def run(self, tmp_path, baseline, candidate, *arguments):
        paths = [tmp_path / "baseline.json", tmp_path / "candidate.json"]
        for path, one in zip(paths, (baseline, candidate), strict=True):
            write(one, path)
        return main(["gate", *map(str, paths), *arguments])

    def test_a_pass_is_0(self, tmp_path, baseline, candidate, capsys):
        """And the last line says so."""
        assert self.run(tmp_path, baseline, candidate) == 0
        assert capsys.readouterr().out.splitlines()[-1].startswith("PASS")

    def test_a_regression_is_1(self, tmp_path, baseline, edited, capsys):
        """With what it is."""
        assert self.run(tmp_path, baseline, edited(check="boxes", outcome="failed")) == 1
        assert "REGRESSION: 1 newly failing" in capsys.readouterr().out

    def test_what_cannot_be_compared_is_2(self, tmp_path, baseline, candidate, capsys):
        """With the reason, on stderr."""
        assert self.run(tmp_path, baseline, dataclasses.replace(candidate, profile="quick")) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("irproof gate: The certificates cannot be compared: the profile is full")

    def test_no_certificate_is_2(self, tmp_path, capsys):
        """As for a file that is none."""
        (tmp_path / "a.json").write_text("{}")
        assert main(["gate", str(tmp_path / "a.json"), str(tmp_path / "a.json")]) == 2
        assert "no certificate" in capsys.readouterr().err

    def test_strict(self, tmp_path, baseline, edited):
        """Good changes close it too."""
        better = edited(check="crowd", case="ssd/b", outcome="passed", findings=())
        assert self.run(tmp_path, baseline, better) == 0
        assert self.run(tmp_path, baseline, better, "--strict") == 1

    def test_json(self, tmp_path, baseline, edited, capsys):
        """Strict JSON, infinities and all."""
        assert self.run(tmp_path, baseline, edited(check="scores", worst_error=math.inf), "--json") == 1

        def refuse(name):
            raise AssertionError(name)

        told = json.loads(capsys.readouterr().out, parse_constant=refuse)
        assert told["passed"] is False
        assert [one["kind"] for one in told["changes"]] == ["error_growth"]

    def test_a_margin_that_makes_no_sense(self, tmp_path, baseline, candidate, capsys):
        """Is said before anything is read."""
        assert self.run(tmp_path, baseline, candidate, "--latency-margin", "-1") == 2
        assert "has to be a share" in capsys.readouterr().err
