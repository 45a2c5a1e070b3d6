"""What pytest-xdist needs: all checks of a case on one worker, and what workers know brought to the controller."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plugin.state import run_of


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give all checks of one case to one worker, which so converts it once; another ``--dist`` of the caller's stands.

    Evidence is cached by content as well, so this saves time and changes no result.
    """
    run = run_of(config)
    if config.getoption("dist") != "load" or not run.concerns_suites():
        return None
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class CaseScheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            case = run.case_of(nodeid)
            return nodeid if case is None else f"case {case}"

        def remove_node(self, node: Any) -> str | None:
            # The inherited method puts the check that killed its worker back into the queue, where it kills the next.
            workload = self.assigned_work.pop(node)
            pending = [(unit, check) for unit in workload.values() for check, done in unit.items() if not done]
            if not pending:
                return None
            unit, killer = pending[0]
            unit[killer] = True
            left = {scope: unit for scope, unit in workload.items() if not all(unit.values())}
            self.workqueue.update(left)
            for other in self.assigned_work:
                self._reschedule(other)
            return str(killer)

    return CaseScheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker which folder all processes of the run share."""
    run = run_of(node.config)
    if run.concerns_suites():
        node.workerinput["irproof_session"] = str(run.shared)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """Remember which checks are to run, even if every worker dies."""
    run = run_of(node.config)
    run.planned.update(node_id for node_id in ids if run.case_of(node_id) is not None)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker counted; a worker that died counted nothing."""
    output = getattr(node, "workeroutput", None) or {}
    run = run_of(node.config)
    # Every worker collects the same, so the counts are the same too.
    run.deselected = max(run.deselected, output.get("irproof_deselected", 0))
    run.planned.update(output.get("irproof_planned", ()))
    run.left_out.update((case, id_) for case, id_ in output.get("irproof_left_out", ()))


def hand_over(config: pytest.Config) -> None:
    """In a worker: leave for the controller what it cannot see."""
    run = run_of(config)
    output: dict[str, Any] = getattr(config, "workeroutput", {})
    output["irproof_deselected"] = run.deselected
    output["irproof_planned"] = sorted(run.planned)
    output["irproof_left_out"] = sorted(map(list, run.left_out))
