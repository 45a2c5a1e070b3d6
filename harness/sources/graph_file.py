"""Graph files: binary or text GraphDef, and a word on what a file is that is neither."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorboard.compat.proto import graph_pb2, meta_graph_pb2

from harness.errors import SourceError
from harness.sources.messages import message_class

_CONTROL_CHARACTERS = re.compile(rb"[\x00-\x08\x0e-\x1f]")


def parse_binary_graph(data: bytes, path: Path) -> Any:
    """The GraphDef in ``data`` (SRC-1); ``path`` is what errors name."""
    try:
        graph_def = graph_pb2.GraphDef.FromString(data)
    except DecodeError:
        graph_def = None
    if graph_def is None or not graph_def.node:
        raise _explain(data, path)
    check_graph(graph_def, path)
    return graph_def


def parse_text_graph(data: bytes, path: Path) -> Any:
    """The GraphDef that ``data`` describes as protobuf text (SRC-2)."""
    if not looks_like_text(data):
        raise SourceError(
            "The graph was said to be text, but the file is binary.",
            where=str(path),
            advice="Say that it is a binary graph (format frozen).",
            requirement="SRC-2",
        )
    graph_def = graph_pb2.GraphDef()
    parse_text_message(data, graph_def, path)
    if not graph_def.node:
        raise SourceError(
            "The text describes a graph without a single node.",
            where=str(path),
            advice="Give the graph as text, such as tf.io.write_graph(..., as_text=True) writes it.",
            requirement="SRC-2",
        )
    check_graph(graph_def, path)
    return graph_def


def parse_text_message(data: bytes, message: Any, path: Path) -> None:
    """Fill the message from protobuf text; :class:`SourceError` with line and column when it cannot be."""
    try:
        text_format.Parse(data.decode("utf-8-sig"), message)
    except text_format.ParseError as error:
        line, column = error.GetLine(), error.GetColumn()
        place = f"{path}, line {line}, column {column}" if line is not None else str(path)
        reason = str(error).removeprefix(f"{line}:{column} : ").strip().rstrip(".")
        raise SourceError(
            f"The text is not a graph: {reason}.",
            where=place,
            advice="Write the graph again, whole.",
            requirement="SRC-2",
        ) from None
    except UnicodeError as error:
        raise SourceError(
            f"The text is not a graph: it is not UTF-8 ({error}).", where=str(path), requirement="SRC-2"
        ) from None
    except RecursionError:
        raise SourceError(
            "The text is not a graph: its braces are nested too deeply.", where=str(path), requirement="SRC-2"
        ) from None


def looks_like_text(data: bytes) -> bool:
    """Whether the data is text: a serialised message of any use has control characters among its first bytes."""
    return _CONTROL_CHARACTERS.search(data, 0, 4096) is None


def check_graph(graph_def: Any, path: Path) -> None:
    """Every node has a name of its own and an op, and reads only nodes that exist; else :class:`SourceError`."""
    ops: dict[str, str] = {}
    for node in graph_def.node:
        if not node.name or not node.op:
            raise _broken(f"node {node.name!r} has {'no op' if node.name else 'no name'}", path)
        if node.name in ops:
            raise _broken(f"two nodes are named {node.name!r}", path)
        ops[node.name] = node.op
    for node in graph_def.node:
        for text in node.input:
            if source_name(text) not in ops:
                raise _broken(f"node {node.name!r} reads {text!r}, which is not in the graph", path)


def source_name(text: str) -> str:
    """The node behind an input as a graph writes it: ``^name``, ``name`` or ``name:1``."""
    return text.removeprefix("^").partition(":")[0]


def _broken(how: str, path: Path) -> SourceError:
    return SourceError(
        f"The graph is broken: {how}.",
        where=str(path),
        advice="The file may be truncated, or was cut badly; export the graph again.",
        requirement="SRC-1",
    )


def _explain(data: bytes, path: Path) -> SourceError:
    """The error for bytes that hold no GraphDef, saying what they are where that can be told."""
    what, advice = "The file is not a TensorFlow graph, or it is truncated.", "Give a graph as TensorFlow writes it."
    if data.startswith(b"version https://git-lfs"):
        what = "The file is a Git LFS pointer, not the graph itself."
        advice = "Fetch the file with git lfs pull."
    elif looks_like_text(data):
        if re.search(rb"\bnode\s*:?\s*[{<]", data):
            what = "The graph is text, but it is read as binary."
            advice = "Say that it is text (format frozen_text)."
        else:
            what = "The file is text, not a binary TensorFlow graph."
    elif _is_saved_model(data):
        what = "The file is a SavedModel's, not a graph."
        advice = "Give its folder (format saved_model)."
    elif _is_meta_graph(data):
        what = "The file is a MetaGraph, not a graph."
        advice = "Say so (format meta_graph), with its checkpoint beside it."
    return SourceError(what, where=str(path), advice=advice, requirement="SRC-1")


def _is_saved_model(data: bytes) -> bool:
    try:
        saved = message_class("SavedModel").FromString(data)
    except DecodeError:
        return False
    return bool(saved.HasField("saved_model_schema_version")) and len(saved.meta_graphs) > 0


def _is_meta_graph(data: bytes) -> bool:
    try:
        return len(meta_graph_pb2.MetaGraphDef.FromString(data).graph_def.node) > 0
    except DecodeError:
        return False
