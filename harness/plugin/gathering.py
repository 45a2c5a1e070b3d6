"""Results as reports bring them in, from this process or from pytest-xdist's workers."""

from __future__ import annotations

import pytest

from harness.certificate.model import CaseFacts, FindingFacts, Picture, Result
from harness.certificate.plain import from_plain
from harness.errors import Stage
from harness.plugin.picturing import Album
from harness.plugin.state import Run

CRASHED = "???"  # what pytest-xdist calls the phase of a test whose worker died


class Gathering:
    """A plugin object of one run, since the hooks that bring reports know no configuration."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember that something could not be collected: then nothing can be certified."""
        self._run.collection_failed |= report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the results out of the last report of a test, and make one up for a test that killed its worker."""
        if report.when == CRASHED:
            self._crashed(report)
        payload = getattr(report, "irproof", None)
        if payload is None:
            return
        self._run.reported.add(report.nodeid)
        self._run.results += [from_plain(Result, result) for result in payload["results"]]
        self._run.versions.update(payload["versions"])
        self._run.properties.update(payload["properties"])
        self._run.seeds.update(payload["seeds"])
        pictures = [from_plain(Picture, picture) for picture in payload["pictures"]]
        self._run.album.update(Album({picture.id: picture for picture in pictures}, payload["images"]))
        if payload["facts"] is not None:
            facts = from_plain(CaseFacts, payload["facts"])
            self._run.facts[facts.name] = richer(self._run.facts.get(facts.name), facts)

    def _crashed(self, report: pytest.TestReport) -> None:
        case = self._run.case_of(report.nodeid)
        if case is None and report.nodeid not in self._run.planned:
            return
        self._run.reported.add(report.nodeid)
        name = report.nodeid.split("::")[-1].split("[")[0].removeprefix("test_")
        self._run.results.append(
            Result(
                case=case or "",
                check=name,
                test=report.nodeid,
                requirements=(),
                stage=Stage.CASE.value,
                outcome="error",
                findings=(FindingFacts("The process that ran the check died."),),
            )
        )


def richer(known: CaseFacts | None, new: CaseFacts) -> CaseFacts:
    """Of two reports' facts of one case those that say more: the first report may come before the conversion."""
    return new if known is None or known.ir is None else known
