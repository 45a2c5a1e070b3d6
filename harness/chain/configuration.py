"""Support configurations: the published JSON form, read and obeyed (CFG-6, CFG-7).

A file lists replacements. Each has an ``id`` (which replacer), a ``match_kind`` (``scope``, ``points``, ``general``),
``instances`` (name patterns of scopes, or start and end points), for scopes ``inputs`` and ``outputs``, and
``custom_attributes``. The built-in files are in ``harness/chain/configurations``.
"""

from __future__ import annotations

import dataclasses
import json
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.chain.graph import Tensor
from harness.chain.match import Match, between_points, by_scope
from harness.chain.replacer import Replacer, Step
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.chain.graph import Graph

_KINDS = ("scope", "points", "general")
_KEYS = {
    "id",
    "match_kind",
    "instances",
    "inputs",
    "outputs",
    "custom_attributes",
    "include_inputs_to_sub_graph",
    "include_outputs_to_sub_graph",
}


@dataclasses.dataclass(frozen=True)
class Replacement:
    """One entry of a configuration, checked. ``barrier`` holds the end points of the entries before it."""

    identifier: str
    match_kind: str
    description: Mapping[str, Any]
    where: str
    barrier: tuple[str, ...] = ()

    @property
    def custom_attributes(self) -> Mapping[str, object]:
        attributes: Mapping[str, object] = self.description.get("custom_attributes") or {}
        return attributes

    def matches(self, graph: Graph) -> list[Match]:
        """The places that this entry names in a graph; a ConfigurationError when the points are not this graph's."""
        if self.match_kind == "general":
            return [Match(custom_attributes=self.custom_attributes)]
        if self.match_kind == "scope":
            found = by_scope(graph, list(self.description["instances"]), self.description)
            if not found:
                raise ConfigurationError(
                    "No scope of the graph fits the configuration's patterns.",
                    where=f"{self.where}: {self.description['instances']}",
                    advice="Name the configuration of the exporting API version, or none to have it found.",
                    requirement="CFG-6",
                )
            return [dataclasses.replace(match, custom_attributes=self.custom_attributes) for match in found]
        instances = self.description["instances"]
        start, end = list(instances["start_points"]), list(instances["end_points"])
        nodes = between_points(graph, start, end, barrier=[name for name in self.barrier if name not in end])
        inputs = tuple(graph.inputs(name)[0] for name in start if graph[name].input)
        return [
            Match(
                nodes=nodes,
                inputs=inputs,
                outputs=tuple(Tensor(name) for name in end),
                custom_attributes=self.custom_attributes,
            )
        ]


@dataclasses.dataclass(frozen=True)
class Configuration:
    """A configuration file: its name, and its replacements in the file's order."""

    name: str
    replacements: tuple[Replacement, ...]

    def steps(self, replacers: Mapping[str, type[Replacer]]) -> list[Step]:
        """One step an entry; an ``id`` that no replacer has is a ConfigurationError that lists those there are."""
        result = []
        for entry in self.replacements:
            if entry.identifier not in replacers:
                raise ConfigurationError(
                    f"There is no replacer {entry.identifier!r}.",
                    where=entry.where,
                    advice=f"Known ids: {', '.join(sorted(replacers))}.",
                    requirement="CFG-7",
                )
            result.append(Step(replacers[entry.identifier](), entry.matches))
        return result

    def mismatch(self, graph: Graph, replacers: Mapping[str, type[Replacer]]) -> ConfigurationError | None:
        """Why this configuration is not for the graph, or None when all its points and scopes are there and fit."""
        try:
            entries = zip(self.replacements, self.steps(replacers), strict=True)
            # Points tell versions apart, and looking for them costs nothing; what they are for costs most to find out.
            points_first = sorted(entries, key=lambda pair: pair[0].match_kind != "points")
            places = [(entry, step, step.places(graph)) for entry, step in points_first]
            for entry, step, matches in reversed(places):
                for match in matches:
                    reason = step.replacer.misfit(graph, match)
                    if reason is not None:
                        return ConfigurationError(reason, where=entry.where, requirement="CFG-6")
        except ConfigurationError as error:
            return error
        return None


def built_in() -> dict[str, Configuration]:
    """The built-in configurations by name, newest API version of a family last."""
    folder = resources.files("harness.chain") / "configurations"
    found = {}
    for entry in sorted(folder.iterdir(), key=lambda item: _age(item.name)):
        if entry.name.endswith(".json"):
            name = entry.name.removesuffix(".json")
            found[name] = parse_configuration(entry.read_text(encoding="utf-8"), name)
    return found


def _age(name: str) -> tuple[int, int, str]:
    """Files sorted by API version; those without one are for the eras before, legacy ones for still older forms."""
    version = re.search(r"_v(\d+)\.(\d+)", name)
    if version is None:
        return (-1 if name.startswith("legacy") else 0, 0, name)
    return int(version.group(1)), int(version.group(2)), name


def read_configuration(name_or_path: str) -> Configuration:
    """A built-in configuration by name, or a caller's own file (CFG-6, CFG-7)."""
    known = built_in()
    name = Path(name_or_path).name.removesuffix(".json")
    path = Path(name_or_path)
    if path.is_file():
        try:
            return parse_configuration(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                "The configuration file cannot be read.", where=f"{path}: {error}", requirement="CFG-7"
            ) from None
    if name in known:
        return known[name]
    raise ConfigurationError(
        "There is no such configuration: neither a file nor a built-in name.",
        where=repr(name_or_path),
        advice=f"Built in are {', '.join(known)}. Or leave the option out: the configuration is found from the graph.",
        requirement="CFG-6",
    )


def parse_configuration(text: str, where: str) -> Configuration:
    """The text of a configuration file; anything off is a ConfigurationError that names the entry and the key."""
    try:
        entries = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        place = f"{where}:{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else where
        raise ConfigurationError(
            "The configuration is no JSON.", where=place, advice=str(error)[:200], requirement="CFG-7"
        ) from None
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError(
            "A configuration is a list of replacements.",
            where=where,
            advice='Begin with \'[ { "id": ...',
            requirement="CFG-7",
        )
    replacements: list[Replacement] = []
    barrier: list[str] = []
    for number, entry in enumerate(entries, 1):
        replacement = dataclasses.replace(_replacement(entry, f"{where}, entry {number}"), barrier=tuple(barrier))
        replacements.append(replacement)
        if replacement.match_kind == "points":
            barrier += replacement.description["instances"]["end_points"]
    return Configuration(Path(where).name.removesuffix(".json"), tuple(replacements))


def _replacement(entry: object, where: str) -> Replacement:
    if not isinstance(entry, dict):
        raise _wrong("A replacement is an object.", where)
    identifier = entry.get("id")
    if not isinstance(identifier, str) or not identifier:
        raise _wrong("The key 'id' has to name a replacer.", where)
    where = f"{where} ({identifier})"
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise _wrong(f"There is no key {unknown[0]!r} in a replacement.", where)
    kind = entry.get("match_kind")
    if kind not in _KINDS:
        raise _wrong(f"The key 'match_kind' is {kind!r}; it has to be one of {', '.join(_KINDS)}.", where)
    attributes = entry.get("custom_attributes")
    if attributes is not None and not isinstance(attributes, dict):
        raise _wrong("The key 'custom_attributes' has to be an object.", where)
    instances = entry.get("instances")
    if kind == "scope" and not (_is_names(instances) and instances):
        raise _wrong("The key 'instances' has to be a list of scope patterns.", where)
    if kind == "scope":
        _check_patterns(entry, where)
    if kind == "points":
        if not isinstance(instances, dict):
            raise _wrong("The key 'instances' has to hold 'start_points' and 'end_points'.", where)
        for key in ("start_points", "end_points"):
            if not (_is_names(instances.get(key)) and instances[key]):
                raise _wrong(f"The key 'instances.{key}' has to be a list of node names.", where)
    return Replacement(identifier, str(kind), entry, where)


def _check_patterns(entry: Mapping[str, Any], where: str) -> None:
    for key in ("inputs", "outputs"):
        listed = entry.get(key) or []
        if not isinstance(listed, list):
            raise _wrong(f"The key {key!r} has to be a list.", where)
        for item in listed:
            for member in item if isinstance(item, list) and item else [item]:
                node, port = (member.get("node"), member.get("port")) if isinstance(member, dict) else (None, None)
                if not isinstance(node, str) or not isinstance(port, int) or isinstance(port, bool) or port < 0:
                    raise _wrong(f"Each entry of {key!r} needs a 'node' pattern and a 'port' number.", where)
    patterns = [*entry["instances"]]
    for key in ("inputs", "outputs"):
        for item in entry.get(key) or []:
            patterns += [member["node"] for member in (item if isinstance(item, list) else [item])]
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise _wrong(f"The pattern {pattern!r} is no regular expression: {error}.", where) from None


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _wrong(what: str, where: str) -> ConfigurationError:
    return ConfigurationError(
        what, where=where, advice="The form is described in docs/convert.md.", requirement="CFG-7"
    )


def matching(
    graph: Graph, candidates: Mapping[str, Configuration], replacers: Mapping[str, type[Replacer]]
) -> list[str]:
    """The names of the configurations whose points and scopes are all in the graph."""
    return [name for name, configuration in candidates.items() if configuration.mismatch(graph, replacers) is None]


def require_match(graph: Graph, configuration: Configuration, replacers: Mapping[str, type[Replacer]]) -> None:
    """Naming a configuration of another graph is an error that says which would match (CFG-6)."""
    error = configuration.mismatch(graph, replacers)
    if error is None:
        return
    if error.requirement == "CFG-7":
        raise error
    fitting: Sequence[str] = matching(graph, built_in(), replacers)
    advice = (
        f"This graph matches {' and '.join(fitting)}; or leave the option out."
        if fitting
        else "No built-in configuration matches; leave the option out to have the graph matched by structure."
    )
    raise ConfigurationError(
        f"The configuration {configuration.name!r} is not for this graph: {error.what}",
        where=error.where,
        advice=advice,
        requirement="CFG-6",
    )
