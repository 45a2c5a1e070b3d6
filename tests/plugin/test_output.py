"""What a person reads: failures, summary, report; and what a certificate holds of them."""

from __future__ import annotations

import shlex

import pytest


class TestFailureMessage:
    def test_says_what_where_how_much_and_how_to_repeat_it(self, world):
        """Four short lines, no traceback."""
        world.suite("def test_scores(evidence, prove):\n    prove(failing())\n")
        result = world.run("--case", "ssd/a", "--device", "GPU")
        result.stdout.fnmatch_lines(
            [
                "A score differs.",
                "where: scene street, image 0, anchor 17",
                "error: 0.0003 score (300 x noise), tolerance 1e-05, would pass with 0.0003",
                "check: scores (failed at stage heads, SSD-3)",
                "repeat: pytest 'suites/test_heads.py::test_scores?ssd/a?' --case ssd/a --device GPU",
            ],
            consecutive=True,
        )
        assert "Traceback" not in result.stdout.str()

    def test_the_command_repeats_the_failure(self, world):
        """Pasted as it stands, it runs the one check on the one case, and fails again."""
        world.suite("""
@pytest.mark.parametrize("batch", [2, 3])
def test_scores(evidence, prove, batch):
    prove(failing() if batch == 3 else passing())
""")
        _, certificate = world.certify("--case", "ssd/b")
        failed = [one for one in certificate["results"] if one["outcome"] == "failed"]
        command = shlex.split(failed[0]["reproduce"])
        assert command[0] == "pytest"
        again = world.run(*command[1:])
        again.assert_outcomes(failed=1)
        assert again.ret == 1

    def test_counts_what_it_does_not_show(self, world):
        """The rest stands in the certificate."""
        world.suite("""
def test_scores(evidence, prove):
    prove(failing(findings=(Finding("one"), Finding("two"), Finding("three"))))
""")
        result, certificate = world.certify("--case", "ssd/a")
        result.stdout.fnmatch_lines(["one", "and 2 more findings"])
        assert [finding["what"] for finding in certificate["results"][0]["findings"]] == ["one", "two", "three"]

    def test_not_claimed_is_a_skip_that_says_why(self, world):
        """Neither passed nor failed."""
        world.suite("""
def test_layout(evidence, prove):
    prove(CheckResult("layout", ("SSD-2",), Stage.LAYOUT, "not_claimed", notes=("answers as TensorFlow does",)))
""")
        result = world.run("--case", "ssd/a", "-rs")
        result.stdout.fnmatch_lines(["SKIPPED*not claimed: answers as TensorFlow does"])


class TestSummary:
    def test_a_line_a_case_with_areas_and_the_worst_error(self, world):
        """What passed and failed, and the worst error in units of noise."""
        world.suite("""
def test_scores(evidence, prove, request):
    prove(failing() if "/b]" in request.node.nodeid else passing(worst_error=5e-6))

def test_priors(evidence, prove):
    prove(passing("priors", ("PRI-4", "VAL-3"), worst_error=1e-6))
""")
        result = world.run()
        result.stdout.fnmatch_lines(
            [
                "case     SSD       PRI   VAL   worst error",
                "ssd/a    ok 1      ok 1  ok 1  5 x noise (scores)",
                "ssd/a-b  ok 1      ok 1  ok 1  5 x noise (scores)",
                "ssd/b    FAIL 1/1  ok 1  ok 1  300 x noise (scores)",
                "",
                "ssd/b: 1 check at stage heads: A score differs.",
                "",
                "requirements: 2 passed, 1 failed, 0 not claimed, * not covered",
                "failed: SSD-3",
                "NOT CERTIFIED: 1 check failed",
            ],
            consecutive=True,
        )

    def test_a_reason_is_given_once_a_case(self, world):
        """A model that cannot be converted fails every check, and that is one thing to know."""
        world.suite("""
@pytest.mark.parametrize("number", range(5))
def test_scores(evidence, prove, number):
    raise ConverterFailure("The converter died.")
""")
        result = world.run("--case", "ssd/a", "--case", "ssd/b")
        result.stdout.fnmatch_lines(
            [
                "ssd/a: 5 checks at stage convert: The converter died.",
                "ssd/b: 5 checks at stage convert: The converter died.",
            ],
            consecutive=True,
        )

    def test_a_nan_is_the_worst_error(self, world):
        """It loses every comparison, and must not get lost for that."""
        world.suite("""
def test_scores(evidence, prove):
    prove(failing("small"), failing("nan", worst_error=float("nan")), failing("large", worst_error=1.0))
""")
        world.run("--case", "ssd/a").stdout.fnmatch_lines(["ssd/a * nan x noise (nan)"])


class TestReport:
    def test_is_written_beside_the_certificate(self, world):
        """From the same run, after failures too."""
        world.suite("def test_scores(evidence, prove):\n    prove(failing())\n")
        result = world.run("--html", "out/report.html")
        assert result.ret == 1
        page = (world.path / "out" / "report.html").read_text(encoding="utf-8")
        assert "NOT CERTIFIED" in page
        assert '"where":{"scene":"street","image":"0","anchor":"17"}' in page
        result.stdout.fnmatch_lines(["report: *report.html"])


class TestSelection:
    def test_the_checks_of_one_case_run_before_those_of_the_next(self, world):
        """So that one case at a time is in memory."""
        world.suite("def test_one(evidence, prove):\n    prove(passing())\n", "test_one")
        world.suite("def test_two(evidence, prove):\n    prove(passing())\n", "test_two")
        lines = [line for line in world.run("--collect-only", "-q").outlines if "::" in line]
        assert [line.split("[")[1] for line in lines] == [
            "ssd/a]",
            "ssd/a]",
            "ssd/b]",
            "ssd/b]",
            "ssd/a-b]",
            "ssd/a-b]",
        ]

    def test_the_case_comes_first_in_the_name(self, world):
        """Whatever else a check is parametrised by."""
        world.suite("""
@pytest.mark.parametrize("batch", [2])
def test_scores(evidence, prove, batch):
    prove(passing())
""")
        assert "suites/test_heads.py::test_scores[ssd/a-2]" in world.run("--collect-only", "-q").outlines

    @pytest.mark.parametrize(
        ("arguments", "passed"),
        [((), 1), (("--profile", "full"), 3), (("--long",), 2), (("suites/test_heads.py::test_long[ssd/a]",), 1)],
    )
    def test_the_long_tier_runs_when_asked_for(self, world, arguments, passed):
        """By profile, by --long, or by its own name."""
        world.suite("""
def test_short(evidence, prove):
    prove(passing())

@pytest.mark.long
def test_long(evidence, prove):
    prove(passing())
""")
        cases = ("--case", "ssd/a") if "--profile" not in arguments else ("--case", "ssd/a", "--case", "ssd/long")
        outcomes = world.run(*arguments, *cases).parseoutcomes()
        assert outcomes["passed"] == (4 if "--profile" in arguments else passed)


class TestCertificate:
    def test_two_runs_differ_in_times_alone(self, world):
        """Scratch folders and addresses included, which no converter keeps out of its messages."""
        world.suite("""
import tempfile

def test_scores(evidence, prove):
    folder = tempfile.mkdtemp()
    prove(failing(findings=(Finding(f"{object()} in {folder}/model.xml", {"file": f"{folder}/x"}),)))
""")
        first, second = (world.certify()[1] for _ in range(2))
        for certificate in (first, second):
            assert certificate.pop("duration_s") > 0
            assert certificate.pop("started") <= certificate.pop("ended")
            for result in certificate["results"]:
                assert result.pop("duration_s") >= 0
        assert first == second
        finding = first["results"][0]["findings"][0]
        assert finding["what"].endswith("object at 0x...> in <tmp>/model.xml")
        assert finding["where"] == {"file": "<tmp>/x"}

    def test_states_what_is_needed_to_repeat_the_run(self, world):
        """Converter as it was named, claims, versions, device, and the tolerance that would have passed."""
        world.suite("def test_scores(evidence, prove):\n    prove(passing(), failing('b'))\n")
        _, certificate = world.certify("--converter", "mine.py:convert")
        assert certificate["converter"] == {
            "name": "made-up",
            "version": "1.2",
            "spec": "mine.py:convert",
            "claims": {"families": ["ssd"], "eras": None, "formats": None, "contract": None, "options": {}},
        }
        assert set(certificate["versions"]) >= {"python", "platform", "openvino", "tensorflow", "numpy"}
        assert certificate["device"]["name"] == "CPU"
        passed = {one["check"]: one["passing_tolerance"] for one in certificate["results"]}
        assert passed == {"b": 3e-4, "scores": 2e-6}

    def test_a_check_without_a_case(self, world):
        """A result may name what it was about itself."""
        world.suite("def test_bad_input(prove):\n    prove(passing(), case='bad/truncated')\n")
        _, certificate = world.certify()
        assert [one["case"] for one in certificate["results"]] == ["bad/truncated"]
