"""The checks by name: for suites, for mutants, and for whoever asks which check proves a requirement."""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.checks import (
    bad_input,
    detection_output,
    detections,
    efficientdet,
    forms,
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
    from collections.abc import Iterable, Mapping
    from types import ModuleType

MODULES = (
    forms,
    structure,
    validation,
    preprocessing,
    input_shape,
    heads,
    detections,
    efficientdet,
    detection_output,
    reshape,
    proposals,
    second_stage,
    masks,
    two_stage_reshape,
)


@functools.cache
def all_checks() -> Mapping[str, Check]:
    """The checks of conversions that succeed, in the order in which they ought to be read."""
    return _by_name(MODULES)


@functools.cache
def refusals() -> Mapping[str, Check]:
    """The checks of conversions that have to fail."""
    return _by_name((bad_input,))


def _by_name(modules: Iterable[ModuleType]) -> Mapping[str, Check]:
    found: dict[str, Check] = {}
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, Check):
                assert found.setdefault(value.name, value) is value, f"two checks are named {value.name}"
    return MappingProxyType(found)


def checks_of(requirement: str) -> tuple[Check, ...]:
    """The checks that name a requirement, refusals included."""
    every = (*all_checks().values(), *refusals().values())
    return tuple(found for found in every if requirement in found.requirements)
