"""Before the first check: building the built-in models that are missing, in one go, since TensorFlow starts slowly."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, cast

import pytest

from harness.cases.cache import cache_root
from harness.errors import IrproofError
from harness.plugin.collecting import is_proof
from harness.plugin.state import run_of
from harness.workers.once import only_one
from harness.workers.target import load_target

if TYPE_CHECKING:
    from harness.cases.case import Case
    from harness.plugin.state import Run


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Build what the collected checks need; a model that cannot be built fails at its own checks, with the reason."""
    config = session.config
    run = run_of(config)
    if not config.option.collectonly and not session.testsfailed and not run.is_worker and run.concerns_suites():
        set_up(config, run)
    if not config.option.collectonly and not session.testsfailed:
        names = wanted(run_of(config), session.items)
        if names:
            build(config, names)
    return (yield)


def set_up(config: pytest.Config, run: Run) -> None:
    """Make the environment that the converter needs, with progress; raises pytest.UsageError where that fails."""
    claimed = (run.converter.claims.refusal(cast("Case", listed)) is None for listed in run.selection.values())
    if not run.converter.prepare or not any(claimed):
        return
    reporter = config.pluginmanager.get_plugin("terminalreporter")

    def say(line: str) -> None:
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(line)

    try:
        load_target(run.converter.prepare)(say)
    except IrproofError as error:
        raise pytest.UsageError(str(error)) from error


def wanted(run: Run, items: list[pytest.Item]) -> list[str]:
    """The built-in cases among the checks' whose conversion the converter claims, in the checks' order."""
    asked = [item.callspec.params.get("evidence") for item in items if is_proof(item) and hasattr(item, "callspec")]
    found = []
    for name in dict.fromkeys(filter(None, asked)):
        listed = run.selection[name]
        if listed.origin == "built-in" and run.converter.claims.refusal(cast("Case", listed)) is None:
            found.append(name)
    return found


def build(config: pytest.Config, names: list[str]) -> None:
    """Build those that are not in the cache; says so, for it takes a second or two each."""
    from fixtures import catalogue

    # Workers of one run, and runs at the same time, wait for each other here instead of building the same twice.
    with only_one(cache_root() / "fixtures" / "building"):
        missing = [name for name in names if not catalogue.folder(name).is_dir()]
        if not missing:
            return
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(f"building {len(missing)} models, which are kept: {', '.join(missing)}")
        try:
            catalogue.build(missing)
        except IrproofError:
            return
