"""Strict: an unexpected pass and a stale entry are told from what is met and from what was not looked at."""

from __future__ import annotations

import pytest

from harness.certificate import verdict
from harness.certificate.model import Result
from harness.expectations import Expectation, Scope, judge, read_expectations, write_expectations
from harness.expectations.entry import expected_by

CASES = ("ssd/a", "ssd/b", "rcnn/c")


def entry(case="ssd/a", requirement="SSD-5", stage="detections", check="", number=1):
    return Expectation(number, case, requirement, stage, "why", "https://example.org/1", check)


def result(case="ssd/a", outcome="failed", stage="detections", ids=("SSD-5", "SSD-7"), check="crowd"):
    return Result(case, check, f"suites/test_x.py::test_{check}[{case}]", ids, stage, outcome, compared=1)


def status(expectation, *results, **scope):
    (facts,) = judge([expectation], results, Scope(**({"selected": CASES, "known": CASES} | scope)))
    return facts.status


class TestForesight:
    def test_the_failure_that_is_meant(self):
        """With the entry's number, reason and link."""
        found = expected_by([entry(case="x"), entry(number=2)], result())
        assert (found.entry, found.reason, found.link) == (2, "why", "https://example.org/1")

    @pytest.mark.parametrize(
        "other",
        [
            result(case="ssd/b"),
            result(stage="convert"),
            result(ids=("SSD-7",)),
            result(outcome="passed"),
            result(outcome="not_claimed"),
            result(ids=(), outcome="error"),
        ],
    )
    def test_no_other(self, other):
        """Another case, stage, requirement or outcome; the death of a process names no requirement."""
        assert expected_by([entry(), entry(requirement="*", stage="masks")], other) is None

    def test_a_check_narrows(self):
        """One of several checks of a requirement."""
        assert expected_by([entry(check="crow*")], result()) is not None
        assert expected_by([entry(check="crowd")], result(check="detections")) is None


class TestStatus:
    def test_met(self):
        """Also beside checks of the same requirement that pass."""
        assert status(entry(), result(), result(outcome="passed", check="detections")) == "met"

    def test_an_unexpected_pass(self):
        """The failure was repaired: the entry has to go."""
        assert status(entry(), result(outcome="passed")) == "unexpected_pass"

    def test_a_glob_is_strict_for_each_case(self):
        """It says which of them pass."""
        (facts,) = judge(
            [entry(case="ssd/*")],
            [result(), result(case="ssd/b", outcome="passed")],
            Scope(selected=CASES, known=CASES),
        )
        assert (facts.status, facts.passing_cases, facts.failures) == ("unexpected_pass", ("ssd/b",), 1)

    def test_stale_without_a_case(self):
        """The case was renamed."""
        assert status(entry(case="ssd/old"), result()) == "stale"

    @pytest.mark.parametrize("outcome", ["not_claimed", "not_applicable"])
    def test_stale_where_nothing_is_judged(self, outcome):
        """What the converter stopped claiming can't fail."""
        assert status(entry(), result(outcome=outcome)) == "stale"

    def test_stale_where_it_fails_at_another_stage(self):
        """And that failure is not expected."""
        assert status(entry(stage="convert"), result()) == "stale"
        assert expected_by([entry(stage="convert")], result()) is None

    def test_not_judged_where_the_case_was_not_selected(self):
        """`--case` must not turn the rest of the file into errors."""
        assert status(entry(case="rcnn/*"), result(), selected=("ssd/a",)) == "not_judged"

    def test_not_judged_where_checks_were_left_out(self):
        """The quick profile leaves out the long ones, and the failure may be theirs."""
        passed = result(outcome="passed")
        assert status(entry(), passed, left_out={("ssd/a", "SSD-5")}) == "not_judged"
        assert status(entry(), passed, left_out={("ssd/a", "SSD-4"), ("ssd/b", "SSD-5")}) == "unexpected_pass"

    def test_not_judged_in_a_part_of_the_suites(self):
        """Nobody knows what the other files would have said."""
        assert status(entry(), result(outcome="passed"), partial=True) == "not_judged"
        assert status(entry(), result(), partial=True) == "met"


class TestVerdict:
    def verdict(self, results, entries, standing="informational"):
        import dataclasses

        results = [dataclasses.replace(one, expected=expected_by(entries, one)) for one in results]
        facts = judge(entries, results, Scope(selected=CASES, known=CASES))
        return verdict(results, standing=standing, expectations=facts)

    def test_expected_failures_are_informational(self):
        """Never certified, whatever the standing."""
        assert self.verdict([result()], [entry()]) == ("informational", ())
        assert self.verdict([result()], [entry()], "certifying") == ("informational", ())

    def test_one_failure_beyond_them(self):
        """Fails as ever."""
        found = self.verdict([result(), result(case="ssd/b")], [entry()])
        assert found == ("not_certified", ("1 check failed",))

    def test_an_unexpected_pass_fails(self):
        """All is well, but the file is wrong."""
        found = self.verdict([result(outcome="passed")], [entry()])
        assert found == ("not_certified", ("1 expected failure passed",))

    def test_a_stale_entry_fails(self):
        """Beside one that is met."""
        found = self.verdict([result()], [entry(), entry(case="gone", number=2)])
        assert found == ("not_certified", ("1 expectation is stale",))


class TestWriter:
    RESULTS = (
        result(),
        result(case='odd "name"\x7f\\', check="detections"),
        result(case="rcnn/c", stage="convert", check="one"),
        result(case="rcnn/c", stage="convert", check="two", ids=("PRE-2",)),
        result(case="ssd/b", outcome="passed"),
        result(case="ssd/b", outcome="error", ids=()),
    )

    def write(self, tmp_path, results=RESULTS):
        path = tmp_path / "known.toml"
        count = write_expectations(results, path, converter="mine\n")
        return path, count

    def test_is_refused_until_the_links_are_there(self, tmp_path):
        """A known failure is tracked somewhere."""
        path, count = self.write(tmp_path)
        assert count == 3
        with pytest.raises(Exception, match=r"'link' is empty.*entry 1, key link"):
            read_expectations(path)

    def test_covers_every_failure_and_nothing_else(self, tmp_path):
        """Once the links are filled in; a model that does not convert takes one entry."""
        path, _ = self.write(tmp_path)
        path.write_text(path.read_text().replace('link = ""', 'link = "https://example.org/1"'))
        entries = read_expectations(path)
        for one in self.RESULTS:
            foreseen = expected_by(entries, one) is not None
            assert foreseen == (one.outcome == "failed")
        names = {one.case for one in self.RESULTS}
        facts = judge(entries, self.RESULTS, Scope(selected=names, known=names))
        assert [one.status for one in facts] == ["met"] * 3

    def test_nothing_failed(self, tmp_path):
        """An empty file of expectations."""
        path, count = self.write(tmp_path, [result(outcome="passed")])
        assert count == 0
        assert read_expectations(path) == ()
