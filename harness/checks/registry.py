"""Every check there is, by name: for suites, for mutants, and for whoever asks which check proves a requirement."""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.checks import (
    detection_output,
    detections,
    heads,
    input_shape,
    masks,
    preprocessing,
    proposals,
    reshape,
    second_stage,
    structure,
    two_stage_reshape,
    validation,
)
from harness.checks.check import Check

if TYPE_CHECKING:
    from collections.abc import Mapping

MODULES = (
    structure,
    validation,
    preprocessing,
    input_shape,
    heads,
    detections,
    detection_output,
    reshape,
    proposals,
    second_stage,
    masks,
    two_stage_reshape,
)


@functools.cache
def all_checks() -> Mapping[str, Check]:
    """The checks by name, in the order in which they ought to be read."""
    found: dict[str, Check] = {}
    for module in MODULES:
        for value in vars(module).values():
            if isinstance(value, Check):
                assert found.setdefault(value.name, value) is value, f"two checks are named {value.name}"
    return MappingProxyType(found)


def checks_of(requirement: str) -> tuple[Check, ...]:
    """The checks that name a requirement."""
    return tuple(found for found in all_checks().values() if requirement in found.requirements)
