"""From a check's result to a test's outcome: the fixture ``prove``, and what a test that raises amounts to."""

from __future__ import annotations

import dataclasses
import math
import os
import shlex
import subprocess
import time
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from harness.certificate.model import FindingFacts, Result
from harness.certificate.plain import to_plain
from harness.certificate.scrub import scrubbed
from harness.checks.check import failed_by
from harness.checks.evidence import Evidence
from harness.checks.result import CheckResult, Finding
from harness.errors import IrproofError, Stage
from harness.expectations.entry import expected_by
from harness.plugin.collecting import is_proof, requirements_of
from harness.plugin.junit import properties_of
from harness.plugin.message import expected_reason, failure, reason
from harness.plugin.picturing import Album, illustrate
from harness.plugin.state import run_of

RECORDED = pytest.StashKey[list[Result]]()
STARTED = pytest.StashKey[float]()
FACTS = pytest.StashKey[Any]()
ANSWERED = pytest.StashKey[dict[str, dict[str, Any]]]()
ALBUM = pytest.StashKey[Album]()
FAILING = ("failed", "error")


class Prove:
    """Records what checks found, and fails, skips or passes the test accordingly."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def __call__(self, *results: CheckResult, case: str | None = None) -> None:
        """Record all ``results`` first; then fail the test if one failed, or skip it if none applied.

        ``case`` names what was checked where that is none of the selected cases.
        """
        recorded = [record(self._item, result, case) for result in results]
        failed = [result for result in recorded if result.outcome in FAILING]
        unexpected = [result for result in failed if result.expected is None]
        if unexpected:
            pytest.fail("\n\n".join(failure(result) for result in unexpected), pytrace=False)
        if failed:
            pytest.xfail(expected_reason(failed[0]))
        if recorded and all(result.outcome != "passed" for result in recorded):
            pytest.skip(reason(recorded[0]))


@pytest.fixture
def prove(request: pytest.FixtureRequest) -> Prove:
    """``prove(check(evidence))`` records what a check found, for certificate and report, and fails if it failed."""
    return Prove(request.node)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Note when the check began."""
    item.stash[STARTED] = time.perf_counter()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn what was raised into a result, and let results and facts of the case travel with the report."""
    report = yield
    if not is_proof(item):
        return report
    recorded = item.stash.setdefault(RECORDED, [])
    if call.excinfo is not None and not report.skipped and not any(one.outcome in FAILING for one in recorded):
        error = call.excinfo.value
        result = record(item, raised(item, error, call.when))
        if result.expected is not None:
            report.outcome = "skipped"
            report.wasxfail = f"reason: {expected_reason(result)}"
        elif isinstance(error, IrproofError):
            report.longrepr = failure(result)
    elif report.skipped and not recorded:
        record(item, _result(item, "not_applicable", Stage.CASE, notes=(str(getattr(call.excinfo, "value", "")),)))
    elif report.when == "call" and report.passed and not recorded:
        # A test that proves nothing must not look like one that does.
        result = record(item, _result(item, "error", Stage.CASE, (Finding("The check recorded no result."),)))
        report.outcome = "failed"
        report.longrepr = failure(result)
    if report.when != "teardown":
        _note_facts(item)  # while there is evidence
    else:
        answered: dict[str, dict[str, Any]] = item.stash.get(ANSWERED, {})
        report.irproof = {  # type: ignore[attr-defined]
            "results": [to_plain(result) for result in recorded],
            "facts": item.stash.get(FACTS, None),
            "versions": {},
            "properties": {},
            "seeds": {},
            "pictures": [to_plain(one) for one in item.stash.get(ALBUM, Album()).pictures.values()],
            "images": dict(item.stash.get(ALBUM, Album()).images),
            **answered,
        }
    return report


def raised(item: pytest.Item, error: BaseException, when: str) -> CheckResult:
    """The result of a test that raised: failed at the stage of an IrproofError, an error for anything else."""
    if isinstance(error, IrproofError):
        return failed_by(error, _name(item), requirements_of(item))
    what = f"The check ended with {type(error).__name__}: {error}"
    return _result(item, "error", Stage.CASE, (Finding(what, {"phase": when}),))


def record(item: pytest.Item, check: CheckResult, case: str | None = None) -> Result:
    """Keep a check's result with the item, after the guards that no check can talk itself out of."""
    now = time.perf_counter()
    check = guarded(check)
    if case is None:
        case = case_of(item)
    result = Result(
        case=case,
        check=check.check,
        test=item.nodeid,
        requirements=check.requirements,
        stage=check.stage.value,
        outcome=check.outcome,
        findings=_illustrated(item, check),
        worst_error=check.worst_error,
        noise=check.noise,
        tolerance=check.tolerance,
        passing_tolerance=_passing_tolerance(check),
        unit=check.unit,
        compared=check.compared,
        explained=check.explained,
        notes=tuple(scrubbed(note) for note in check.notes),
        reproduce=command(item, case),
        duration_s=now - item.stash.get(STARTED, now),
    )
    result = dataclasses.replace(result, expected=expected_by(run_of(item.config).expectations, result))
    item.stash[STARTED] = now
    item.stash.setdefault(RECORDED, []).append(result)
    item.user_properties += properties_of(result)
    return result


def _illustrated(item: pytest.Item, check: CheckResult) -> tuple[FindingFacts, ...]:
    findings = tuple(_finding(finding) for finding in check.findings)
    evidence = getattr(item, "funcargs", {}).get("evidence")
    if check.outcome not in FAILING or not isinstance(evidence, Evidence):
        return findings
    variant = item.callspec.params if hasattr(item, "callspec") else {}
    try:
        return illustrate(findings, evidence, check.check, variant, item.stash.setdefault(ALBUM, Album()))
    except Exception:  # noqa: BLE001 - whatever keeps a picture from being drawn must not change the result
        return findings


def guarded(check: CheckResult) -> CheckResult:
    """``check``, or an error in its place where it claims to have passed on nothing or on NaN."""
    if check.outcome != "passed":
        return check
    if check.compared <= 0:
        finding = Finding("Nothing was compared, and nothing passes on nothing.")
    elif check.worst_error is not None and math.isnan(check.worst_error):
        finding = Finding("The worst error is no number, and a NaN passes nothing.", error=check.worst_error)
    elif check.findings:
        finding = Finding("The check passed with findings, and a finding is a difference that matters.")
    else:
        return check
    return dataclasses.replace(check, outcome="error", findings=(finding, *check.findings))


def command(item: pytest.Item, case: str) -> str:
    """A command that repeats this check on this case, to be pasted into a shell."""
    run = run_of(item.config)
    words = ["pytest", item.nodeid, *run.options.repeating(case if case in run.selection else "")]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def case_of(item: pytest.Item) -> str:
    """The name of the case that a test runs on; empty for a test without one."""
    callspec = getattr(item, "callspec", None)
    name: str = callspec.params.get("evidence", "") if callspec is not None else ""
    return name


def _result(
    item: pytest.Item, outcome: Any, stage: Stage, findings: Sequence[Finding] = (), notes: tuple[str, ...] = ()
) -> CheckResult:
    return CheckResult(
        check=_name(item),
        requirements=requirements_of(item),
        stage=stage,
        outcome=outcome,
        findings=tuple(findings),
        notes=notes,
    )


def _name(item: pytest.Item) -> str:
    name: str = getattr(item, "originalname", None) or item.name
    return name.removeprefix("test_")


def _finding(finding: Finding) -> FindingFacts:
    where = {key: scrubbed(value) if isinstance(value, str) else value for key, value in finding.where.items()}
    return FindingFacts(
        what=scrubbed(finding.what),
        where=where,
        error=finding.error,
        noise=finding.noise,
        tolerance=finding.tolerance,
        passing_tolerance=finding.passing_tolerance,
        unit=finding.unit,
    )


def _passing_tolerance(check: CheckResult) -> float | None:
    stated = [finding.passing_tolerance for finding in check.findings if finding.passing_tolerance is not None]
    return max(stated) if stated else check.worst_error


def _note_facts(item: pytest.Item) -> None:
    found = getattr(item, "funcargs", {}).get("evidence")
    if not isinstance(found, Evidence):
        return
    try:
        item.stash[FACTS] = to_plain(found.facts())
        answered: dict[str, dict[str, Any]] = {
            "versions": dict(found.versions()),
            "properties": dict(found.properties()),
        }
        item.stash[ANSWERED] = {**answered, "seeds": dict(found.seeds())}
    except IrproofError:
        # A file that vanished, a runtime that cannot start: the check itself has failed of that.
        item.stash.setdefault(FACTS, None)
