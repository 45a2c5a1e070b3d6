"""Which checks run on which cases: parametrisation, markers, the long tier, and the fixture ``evidence``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from harness.checks.evidence import Evidence
from harness.checks.tools import Tools
from harness.errors import IrproofError
from harness.plugin.state import run_of
from harness.requirements import require


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``evidence`` once for each selected case; the case comes first in the node id."""
    if "evidence" in metafunc.fixturenames:
        names = list(run_of(metafunc.config).selection)
        # Of scope session, so that pytest runs all checks of one case before those of the next.
        metafunc.parametrize("evidence", names, ids=names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def tools(request: pytest.FixtureRequest) -> Iterator[Tools]:
    """The converter under test, the runtime and TensorFlow, for whatever has no case of its own."""
    run = run_of(request.config)
    with Tools.make(run.converter, run.shared, device=run.options.device, python=run.options.python) as made:
        yield made


@pytest.fixture(scope="session")
def evidence(request: pytest.FixtureRequest, tools: Tools) -> Evidence:
    """Everything that checks ask of one case: reference, conversion, observations; made once, when asked for."""
    return Evidence(run_of(request.config).selection[request.param], tools)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check the ids in ``requirement`` markers, and leave out the long tier unless it was asked for."""
    for item in items:
        if is_proof(item):
            requirements_of(item)
    options = run_of(config).options
    if options.long or options.profile == "full":
        return
    # What was asked for by its own name runs, however long it takes.
    named = [str(argument) for argument in config.args if "::" in str(argument)]
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        asked = any(item.nodeid.startswith(name.removeprefix("./")) for name in named)
        (left if item.get_closest_marker("long") and not asked else kept).append(item)
    if left:
        items[:] = kept
        session.config.hook.pytest_deselected(items=left)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count the checks that were left out, for a run without them does not certify, and note what they are about."""
    for item in items:
        if is_proof(item):
            run = run_of(item.config)
            run.deselected += 1
            case = item.callspec.params.get("evidence", "") if hasattr(item, "callspec") else ""
            run.left_out.update((case, id_) for id_ in requirements_of(item))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Remember which checks are to run, so that one that never ran is noticed."""
    run_of(session.config).planned.update(item.nodeid for item in session.items if is_proof(item))


def is_proof(item: pytest.Item) -> bool:
    """Whether a test proves something about a converter: it asks for ``prove``."""
    return "prove" in getattr(item, "fixturenames", ())


def requirements_of(item: pytest.Item) -> tuple[str, ...]:
    """The ids in the test's ``requirement`` markers; raises pytest.UsageError for one that does not exist."""
    ids = [id_ for marker in item.iter_markers("requirement") for id_ in marker.args]
    try:
        return require(ids, where=item.nodeid)
    except IrproofError as error:
        raise pytest.UsageError(str(error)) from error
