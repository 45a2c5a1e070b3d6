"""The certificate's other forms: in-toto Statement, Markdown, JUnit XML; two runs differ in nothing but times."""

from __future__ import annotations

import hashlib
import json
import re
import xml.etree.ElementTree as ET

import pytest

SUITE = """
@pytest.mark.requirement("SSD-3")
def test_scores(evidence, prove, request):
    if "b]" in request.node.nodeid:
        prove(failing())
    prove(passing())


@pytest.mark.requirement("MSK-1")
def test_masks(evidence, prove):
    prove(CheckResult("masks", ("MSK-1",), Stage.MASKS, "not_applicable", notes=("no masks",)))
"""


@pytest.fixture
def run(world):
    world.suite(SUITE)

    def run(folder, *arguments):
        folder = world.path / folder
        folder.mkdir()
        files = {name: folder / f"{name}.out" for name in ("certificate", "in-toto", "markdown", "html", "junit-xml")}
        options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
        result = world.run(*options, *arguments)
        return result, {name: path.read_text(encoding="utf-8") for name, path in files.items() if path.exists()}

    return run


class TestInToto:
    def test_states_what_passed_and_failed(self, run):
        """By the published types, on the certificate's file."""
        _, files = run("one")
        told = json.loads(files["in-toto"])
        assert told["_type"] == "https://in-toto.io/Statement/v1"
        assert told["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
        (subject,) = told["subject"]
        assert subject["name"] == "certificate.out"
        assert subject["digest"] == {"sha256": hashlib.sha256(files["certificate"].encode()).hexdigest()}
        predicate = told["predicate"]
        assert predicate["result"] == "FAILED"
        assert predicate["passedTests"] == ["suites/test_heads.py::test_scores[ssd/a] scores"]
        assert len(predicate["failedTests"]) == 2
        assert predicate["warnedTests"] == []
        assert any(one["name"] == "case ssd/a" for one in predicate["configuration"])

    @pytest.mark.parametrize(
        ("arguments", "result"), [(("--case", "ssd/a"), "WARNED"), (("--case", "ssd/b"), "FAILED")]
    )
    def test_the_verdict(self, run, arguments, result):
        """Informational is no pass."""
        _, files = run("one", *arguments)
        assert json.loads(files["in-toto"])["predicate"]["result"] == result

    def test_certified_is_passed(self, world, run):
        """Profile full with defaults alone."""
        world.suite("def test_scores(evidence, prove):\n    prove(passing())\n")
        _, files = run("one", "--profile", "full")
        assert json.loads(files["in-toto"])["predicate"]["result"] == "PASSED"

    def test_needs_a_certificate(self, world):
        """There is nothing to state the hash of."""
        world.suite(SUITE)
        result = world.run("--in-toto", "statement.json")
        assert result.ret == 4
        result.stderr.fnmatch_lines(["ERROR: --in-toto states the hash*give --certificate FILE too."])


class TestMarkdown:
    def test_says_the_verdict_and_why(self, run):
        """With a table of cases and one of failures."""
        _, files = run("one")
        text = files["markdown"]
        assert text.startswith("# made-up 1.2 on CPU: NOT certified\n")
        assert "- 2 checks failed" in text
        assert "| ssd/a | ok 1 | - |" in text
        assert "| ssd/b | **1/1 failed** | - |" in text
        assert "| ssd/b | scores | heads | SSD-3 | A score differs. | 300 x noise |" in text

    def test_what_comes_from_outside_stays_text(self):
        """Neither tables nor HTML nor mentions can be smuggled in."""
        from harness.certificate.markdown import _plain

        assert _plain("a|b") == r"a\|b"
        assert _plain("<script>alert(1)</script>") == r"&lt;script&gt;alert\(1\)&lt;/script&gt;"
        assert _plain("x\n# y `z` ![i](j) @me") == r"x \# y \`z\` \!\[i\]\(j\) \@me"


class TestJUnit:
    def test_has_ids_stages_and_the_verdict(self, run):
        """As properties, beside pytest's own outcomes."""
        _, files = run("one")
        suite = next(ET.fromstring(files["junit-xml"]).iter("testsuite"))  # noqa: S314 - our own
        told = {one.get("name"): one.get("value") for one in suite.find("properties")}
        assert told["verdict"] == "not_certified"
        assert told["converter"] == "made-up 1.2"
        failed = next(case for case in suite.iter("testcase") if case.get("name") == "test_scores[ssd/b]")
        properties = [(one.get("name"), one.get("value")) for one in failed.iter("property")]
        assert ("requirement", "SSD-3") in properties
        assert ("stage", "heads") in properties
        assert ("worst_error", "0.0003") in properties

    def test_under_workers_too(self, world):
        """pytest-xdist brings the properties along."""
        world.suite(SUITE)
        world.run_apart("--junit-xml", "j.xml", "-n", "2")
        suite = next(ET.parse(world.path / "j.xml").getroot().iter("testsuite"))  # noqa: S314 - our own
        told = {one.get("name"): one.get("value") for one in suite.find("properties")}
        assert told["verdict"] == "not_certified"
        assert len([one for one in suite.iter("property") if one.get("name") == "requirement"]) == 6


class TestTwoRuns:
    def test_differ_in_times_alone(self, run):
        """Every form: what is left once times and durations are gone is the same, character for character."""

        def timeless(files):
            # The hash is that of a file that holds times.
            moments = r'"(started|ended)": "[^"]*"|"duration_s": [0-9.e-]+|"sha256": "[0-9a-f]{64}"'
            return {name: re.sub(moments + r'| (time|timestamp)="[^"]*"', "", text) for name, text in files.items()}

        one, two = timeless(run("one")[1]), timeless(run("two")[1])
        # What the page shows of times is the report's own affair.
        del one["html"], two["html"]
        assert set(one) == {"certificate", "in-toto", "markdown", "junit-xml"}
        assert one == two
