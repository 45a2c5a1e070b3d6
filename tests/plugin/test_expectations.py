"""Known failures under pytest: they don't fail the run, and everything else about them does."""

from __future__ import annotations

import pytest

SUITE = """
@pytest.mark.requirement("SSD-3")
def test_scores(evidence, prove, request):
    prove(failing() if "a]" in request.node.nodeid else passing())

@pytest.mark.requirement("SSD-5")
def test_crowd(evidence, prove, request):
    if "b]" in request.node.nodeid:
        raise ConverterFailure("No IR.")
    prove(passing("crowd", ("SSD-5",)))
"""
KNOWN = """
[[expected]]
case = "ssd/a"
requirement = "SSD-3"
stage = "heads"
reason = "scores are off"
link = "https://example.org/1"

[[expected]]
case = "*b"
requirement = "SSD-5"
stage = "convert"
reason = "no IR"
link = "https://example.org/2"
"""
FIRST = KNOWN.split("\n\n", maxsplit=1)[0]


@pytest.fixture
def known(world, monkeypatch):
    world.suite(SUITE)
    monkeypatch.setattr("harness.plugin.certifying.listed_cases", lambda **_options: ())

    def known(text=KNOWN):
        path = world.path / "known.toml"
        path.write_text(text)
        return str(path)

    return known


class TestExpectations:
    def test_expected_failures_do_not_fail_the_run(self, world, known):
        """Status 0, informational, the outcome stays failed, and the reason stands beside it."""
        result, certificate = world.certify("--profile", "full", "--expectations", known(KNOWN.replace("*b", "ssd/b")))
        assert result.ret == 1  # ssd/a-b fails too, and nobody expected it
        result, certificate = world.certify("--profile", "full", "--expectations", known())
        assert result.ret == 0
        assert (certificate["verdict"], certificate["standing_reasons"]) == ("informational", ["--expectations"])
        failed = [one for one in certificate["results"] if one["outcome"] == "failed"]
        assert {one["expected"]["link"] for one in failed} == {"https://example.org/1", "https://example.org/2"}
        assert [one["status"] for one in certificate["expectations"]] == ["met", "met"]
        coverage = {row["requirement"]: row["status"] for row in certificate["coverage"]}
        assert coverage["SSD-3"] == "failed"
        result.stdout.fnmatch_lines(
            ["*expected failures: 3 under 2 expectations*", "INFORMATIONAL: every check passed or was expected *"]
        )
        assert "xfailed" in result.stdout.str()

    def test_an_unexpected_failure_still_fails(self, world, known):
        """Without the second entry."""
        result, certificate = world.certify("--expectations", known(FIRST))
        assert result.ret == 1
        assert certificate["verdict_reasons"] == ["2 checks failed"]

    def test_an_unexpected_pass_fails(self, world, known):
        """Status 1 though pytest itself counts no failure; the entry and the case are named."""
        more = KNOWN + FIRST.replace("ssd/a", "ssd/b")
        result, certificate = world.certify("--expectations", known(more))
        assert result.ret == 1
        assert certificate["verdict_reasons"] == ["1 expected failure passed"]
        result.stdout.fnmatch_lines(["expectation 3 (ssd/b, SSD-3, stage heads): nothing fails so in ssd/b; *"])

    def test_a_stale_entry_fails(self, world, known):
        """A case that there is no more."""
        more = KNOWN + FIRST.replace("ssd/a", "ssd/gone")
        result, certificate = world.certify("--expectations", known(more))
        assert result.ret == 1
        assert certificate["verdict_reasons"] == ["1 expectation is stale"]

    def test_a_part_of_the_suites_judges_nothing_that_is_not_there(self, world, known):
        """One test by name, under the whole file."""
        result, certificate = world.certify("suites/test_heads.py::test_scores", "--expectations", known())
        assert result.ret == 0
        assert [one["status"] for one in certificate["expectations"]] == ["met", "not_judged"]

    @pytest.mark.parametrize("arguments", [("-k", "scores"), ("-k", "not ssd/b")])
    def test_deselected_checks_are_not_judged(self, world, known, arguments):
        """`-k` leaves out, and what is left out neither passes nor is stale."""
        result, certificate = world.certify("--expectations", known(), *arguments)
        assert result.ret == 0
        assert {one["status"] for one in certificate["expectations"]} <= {"met", "not_judged"}

    def test_a_bad_file_ends_the_run_at_once(self, world, known):
        """One message, pytest's status for wrong usage, nothing run."""
        result = world.run("--expectations", known(KNOWN.replace('"heads"', '"haeds"')))
        assert result.ret == 4
        result.stderr.fnmatch_lines(["ERROR: There is no stage 'haeds'. Where: *known.toml, entry 1, key stage.*"])

    def test_workers_agree(self, world, known):
        """Under pytest-xdist the same, results and statuses."""
        world.suite(SUITE)
        (world.path / "conftest.py").write_text(
            (world.path / "conftest.py").read_text()
            + "\nimport harness.plugin.certifying\nharness.plugin.certifying.listed_cases = lambda **_options: ()\n"
        )
        alone, first = world.certify("--expectations", known(), apart=True)
        spread, second = world.certify("--expectations", known(), "-n", "2", apart=True)
        assert (alone.ret, spread.ret) == (0, 0)
        for one in (first, second):
            for name in ("started", "ended", "duration_s"):
                del one[name]
            for found in one["results"]:
                del found["duration_s"]
        assert first == second


class TestWriteExpectations:
    def test_what_it_writes_makes_the_next_run_pass(self, world, known):
        """After the links were filled in by hand."""
        known()
        target = world.path / "first.toml"
        result, _ = world.certify("--write-expectations", str(target))
        assert result.ret == 1
        result.stdout.fnmatch_lines(["expectations: 3 written to *first.toml; give each its link before use"])
        refused = world.run("--expectations", str(target))
        refused.stderr.fnmatch_lines(["ERROR: The value of 'link' is empty.*entry 1, key link.*"])
        target.write_text(target.read_text().replace('link = ""', 'link = "https://example.org/9"'))
        result, certificate = world.certify("--expectations", str(target))
        assert result.ret == 0
        assert {one["status"] for one in certificate["expectations"]} == {"met"}

    def test_an_existing_file_is_not_overwritten(self, world, known):
        """It may hold a day's work."""
        result = world.run("--write-expectations", known())
        assert result.ret == 4
        result.stderr.fnmatch_lines(["ERROR: *writes a first file, and *known.toml exists*"])
