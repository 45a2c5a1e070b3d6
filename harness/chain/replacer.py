"""A replacer: one rule that finds a sub-graph and puts a node of a new kind there; and the order of several (CFG-9)."""

from __future__ import annotations

import abc
import dataclasses
import graphlib
from typing import TYPE_CHECKING, ClassVar

from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harness.chain.context import ConversionContext
    from harness.chain.graph import Graph
    from harness.chain.match import Match


class Replacer(abc.ABC):
    """One rule of the chain.

    ``replacement_id`` is the ``id`` by which support configurations name it. ``run_before`` and ``run_after`` hold ids
    of other replacers; ids that are not part of a conversion are ignored. ``always`` marks a rule that is not part of
    the published configurations and runs by structure whichever of them is named.
    """

    replacement_id: ClassVar[str]
    run_before: ClassVar[tuple[str, ...]] = ()
    run_after: ClassVar[tuple[str, ...]] = ()
    always: ClassVar[bool] = False

    @abc.abstractmethod
    def find(self, context: ConversionContext) -> list[Match]:
        """The places in the graph where the rule applies by structure, when no configuration says where."""

    def misfit(self, graph: Graph, match: Match) -> str | None:  # noqa: ARG002 - most replacers fit where they match
        """Why a place that a configuration names is the wrong one although its nodes exist; None when it is right."""
        return None

    @abc.abstractmethod
    def replace(self, context: ConversionContext, match: Match) -> None:
        """Rewrite one place."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One replacer in a conversion; ``places`` are those that a configuration names."""

    replacer: Replacer
    places: Callable[[Graph], list[Match]] = lambda _graph: []


def in_order(steps: Sequence[Step]) -> list[Step]:
    """The steps so that everything runs before and after what it declares; a cycle is a ConfigurationError (CFG-9).

    Steps that declare nothing about each other keep the order given.
    """
    present = {step.replacer.replacement_id: index for index, step in reversed(list(enumerate(steps)))}
    sorter: graphlib.TopologicalSorter[int] = graphlib.TopologicalSorter()
    for index, step in enumerate(steps):
        sorter.add(index, *_indices(step.replacer.run_after, present, index))
        for later in _indices(step.replacer.run_before, present, index):
            sorter.add(later, index)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        names = " -> ".join(steps[index].replacer.replacement_id for index in reversed(error.args[1]))
        raise ConfigurationError(
            "The replacers declare an order that goes round in a circle.",
            where=names,
            advice="Remove one of the declarations run_before / run_after.",
            requirement="CFG-9",
        ) from None
    result: list[Step] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        result.extend(steps[index] for index in ready)
        sorter.done(*ready)
    return result


def _indices(ids: Iterable[str], present: Mapping[str, int], own: int) -> list[int]:
    return [present[name] for name in ids if name in present and present[name] != own]
