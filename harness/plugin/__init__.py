"""The pytest plugin: ``pytest`` certifies a converter over the cases.

The top-level ``conftest.py`` loads this module. The hooks are spread over the modules of this package by concept;
pytest finds them here.
"""

from __future__ import annotations

from harness.plugin.collecting import (
    evidence,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_deselected,
    pytest_generate_tests,
    tools,
)
from harness.plugin.distribution import (
    pytest_configure_node,
    pytest_testnodedown,
    pytest_xdist_make_scheduler,
    pytest_xdist_node_collection_finished,
)
from harness.plugin.options import pytest_addoption
from harness.plugin.preparing import pytest_runtestloop
from harness.plugin.proving import prove, pytest_runtest_call, pytest_runtest_makereport
from harness.plugin.run import (
    pytest_configure,
    pytest_report_header,
    pytest_sessionfinish,
    pytest_sessionstart,
    pytest_terminal_summary,
    pytest_unconfigure,
)

__all__ = [
    "evidence",
    "prove",
    "pytest_addoption",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_deselected",
    "pytest_generate_tests",
    "pytest_report_header",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtestloop",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "pytest_unconfigure",
    "pytest_xdist_make_scheduler",
    "pytest_xdist_node_collection_finished",
    "tools",
]
