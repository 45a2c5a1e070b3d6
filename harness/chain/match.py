"""Finding sub-graphs: by scope, by start and end points, or not at all (the published ``match_kind`` values, CFG-7)."""

from __future__ import annotations

import dataclasses
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.chain.graph import Graph, Tensor
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Match:
    """A sub-graph found: its nodes, the tensors that it reads and gives, in the configuration's order.

    ``scope`` is the name prefix with its slash, where the match is one scope. ``custom_attributes`` are the
    configuration's, and win over pipeline.config (CFG-10).
    """

    nodes: frozenset[str] = frozenset()
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    scope: str = ""
    custom_attributes: Mapping[str, object] = dataclasses.field(default_factory=lambda: MappingProxyType({}))


def scopes_named(graph: Graph, name: str) -> list[str]:
    """Every name prefix whose last part is ``name``, with its slash: ``Preprocessor/``, ``import/Preprocessor/``."""
    return sorted(_outermost(prefix for prefix in _prefixes(graph) if prefix[:-1].rpartition("/")[2] == name))


def in_scope(graph: Graph, scope: str) -> frozenset[str]:
    return frozenset(node.name for node in graph if node.name.startswith(scope))


def entering(graph: Graph, nodes: Iterable[str]) -> dict[Tensor, list[tuple[str, int]]]:
    """The tensors made outside that a set of nodes reads, each with its readers inside."""
    inside = set(nodes)
    found: dict[Tensor, list[tuple[str, int]]] = {}
    for name in sorted(inside):
        for index, tensor in enumerate(graph.inputs(name)):
            if tensor.node not in inside:
                found.setdefault(tensor, []).append((name, index))
    return found


def leaving(graph: Graph, nodes: Iterable[str]) -> dict[Tensor, list[tuple[str, int]]]:
    """The tensors of a set of nodes that are read outside, each with its readers."""
    inside = set(nodes)
    found: dict[Tensor, list[tuple[str, int]]] = {}
    for name in sorted(inside):
        for reader, index in graph.consumers(name):
            if reader.name not in inside:
                found.setdefault(graph.inputs(reader.name)[index], []).append((reader.name, index))
    return found


def between_points(
    graph: Graph, start_points: Sequence[str], end_points: Sequence[str], *, barrier: Sequence[str] = ()
) -> frozenset[str]:
    """The nodes between start and end points, both included (``match_kind: points``).

    Everything that the end points need is inside, as far back as the start points, or as ``barrier``: nodes at which
    other replacements of the same configuration end. Start points that the graph lacks,
    or an input of the model inside the sub-graph, are a ConfigurationError: the configuration is for another graph.
    """
    missing = [name for name in (*start_points, *end_points) if name not in graph]
    if missing:
        raise ConfigurationError(
            "The graph has no node for points of the configuration.",
            where=", ".join(missing),
            advice="Name the configuration of the API version that exported the model, or none to have it found.",
            requirement="CFG-6",
        )
    found = graph.ancestors(end_points, stop=[*start_points, *barrier])
    for name in found:
        if graph[name].op == "Placeholder":
            path = [name]
            while found[path[-1]]:
                path.append(found[path[-1]])
            raise ConfigurationError(
                f"The sub-graph between the configuration's points contains the model's input {name!r}.",
                where=" -> ".join(path[:6]) + (" -> ..." if len(path) > 6 else ""),
                advice="A start point is missing: name the configuration of the API version that exported the model.",
                requirement="CFG-6",
            )
    return frozenset(found)


def by_scope(graph: Graph, instances: Sequence[str], description: Mapping[str, object]) -> list[Match]:
    """Every scope that an instance pattern names, with inputs and outputs as the configuration lists them."""
    prefixes = _prefixes(graph)
    found = []
    for pattern in instances:
        compiled = re.compile(f"(?:{pattern})")
        fitting = _outermost(prefix for prefix in prefixes if compiled.fullmatch(prefix))
        found += [_scope_match(graph, prefix, description) for prefix in sorted(fitting)]
    return found


def _prefixes(graph: Graph) -> set[str]:
    """Every scope of the graph, with its slash."""
    found: set[str] = set()
    for node in graph:
        scope = node.name.rpartition("/")[0]
        while scope and f"{scope}/" not in found:
            found.add(f"{scope}/")
            scope = scope.rpartition("/")[0]
    return found


def _outermost(prefixes: Iterable[str]) -> set[str]:
    every = set(prefixes)
    return {prefix for prefix in every if not any(prefix != other and prefix.startswith(other) for other in every)}


def _scope_match(graph: Graph, prefix: str, description: Mapping[str, object]) -> Match:
    nodes = in_scope(graph, prefix)
    inputs = []
    for group in _groups(description.get("inputs")):
        name, port = group[0]
        node = _resolve(nodes, prefix, name)
        read = graph.inputs(node)
        if port >= len(read):
            raise ConfigurationError(
                f"A node that the configuration lists has no input {port}.",
                where=f"node {node!r} ({graph[node].op})",
                advice="Name the configuration of the API version that exported the model, or none to have it found.",
                requirement="CFG-6",
            )
        inputs.append(read[port])
    outputs = [
        Tensor(_resolve(nodes, prefix, name), port)
        for group in _groups(description.get("outputs"))
        for name, port in group
    ]
    return Match(nodes=nodes, inputs=tuple(inputs), outputs=tuple(outputs), scope=prefix)


def _groups(listed: object) -> list[list[tuple[str, int]]]:
    groups = []
    for entry in listed if isinstance(listed, list) else []:
        members = entry if isinstance(entry, list) else [entry]
        groups.append([(str(member["node"]), int(member["port"])) for member in members])
    return groups


def _resolve(nodes: frozenset[str], prefix: str, pattern: str) -> str:
    compiled = re.compile(re.escape(prefix) + pattern)
    for name in sorted(nodes):
        if compiled.match(name):
            return name
    raise ConfigurationError(
        "The scope has no node for a pattern of the configuration.",
        where=f"scope {prefix!r}, pattern {pattern!r}",
        advice="Name the configuration of the API version that exported the model, or none to have it found.",
        requirement="CFG-6",
    )
