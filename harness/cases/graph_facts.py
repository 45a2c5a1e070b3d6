"""What can be told of a model file at a glance, for listing it: its nodes' names and a fixed input size."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorboard.compat.proto import meta_graph_pb2

from harness.cases.case import Format
from harness.errors import SourceError
from harness.sources.files import read_file
from harness.sources.graph_file import parse_binary_graph
from harness.sources.saved_model import read_saved_model, saved_model_file

_NAME_IN_TEXT = re.compile(rb'^\s*name: "([^"\\]*)"\s*$', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class GraphFacts:
    """The names of all nodes, functions' too; ``input_size`` is (height, width) where the graph fixes it."""

    names: frozenset[str] = frozenset()
    input_size: tuple[int, int] | None = None


def read_graph_facts(path: Path, model_format: Format) -> GraphFacts:
    """The facts of a model file; none where it cannot be read: converting it will say what is wrong."""
    try:
        if model_format == "frozen_text" or path.suffix == ".pbtxt":
            names = _NAME_IN_TEXT.findall(read_file(path, "graph", "SRC-2"))
            return GraphFacts(frozenset(name.decode("utf-8", "replace") for name in names))
        if model_format == "saved_model":
            return _facts(read_saved_model(saved_model_file(path), None).graph_def)
        data = read_file(path, "graph", "SRC-1")
        if model_format == "meta_graph":
            return _facts(meta_graph_pb2.MetaGraphDef.FromString(data).graph_def)
        return _facts(parse_binary_graph(data, path))
    except (SourceError, DecodeError):
        return GraphFacts()


def _facts(graph_def: Any) -> GraphFacts:
    names = {node.name for node in graph_def.node}
    for function in graph_def.library.function:
        names.update(node.name for node in function.node_def)
    size = None
    for node in graph_def.node:
        if node.op == "Placeholder":
            sides = [dimension.size for dimension in node.attr["shape"].shape.dim]
            if len(sides) == 4 and min(sides[1:3]) > 0 and sides[3] == 3:
                size = (sides[1], sides[2])
    return GraphFacts(frozenset(names), size)
