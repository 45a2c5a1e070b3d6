"""From whatever form a TensorFlow model was handed over in to one frozen GraphDef, without TensorFlow."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorboard.compat.proto import meta_graph_pb2

from harness.cases.cache import digest
from harness.cases.case import Format
from harness.errors import SourceError, UsageError
from harness.sources.checkpoint import Checkpoint
from harness.sources.files import read_file
from harness.sources.freeze import default_outputs, freeze, prune, variables_of
from harness.sources.functions import calls_functions, flatten
from harness.sources.graph_file import check_graph, looks_like_text, parse_binary_graph, parse_text_graph
from harness.sources.saved_model import read_saved_model, saved_model_file

FORMATS: tuple[Format, ...] = ("frozen", "frozen_text", "checkpoint", "meta_graph", "saved_model")


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a graph came from. ``producer`` and ``min_consumer`` are TensorFlow's graph versions, 0 where unsaid.

    ``files`` are all files that were read; ``frozen_variables`` counts those that became constants on the way.
    """

    path: Path
    format: Format
    files: tuple[Path, ...]
    producer: int = 0
    min_consumer: int = 0
    tensorflow_version: str = ""
    tags: tuple[str, ...] = ()
    frozen_variables: int = 0

    @functools.cached_property
    def digest(self) -> str:
        """A hash of the content of all files; read when first asked for."""
        return digest(*self.files)


@dataclasses.dataclass(frozen=True)
class LoadedGraph:
    """A frozen ``graph_pb2.GraphDef`` and where it came from.

    ``outputs`` are the node names that the graph was cut to; empty when it is whole.
    """

    graph_def: Any
    source: Source
    outputs: tuple[str, ...] = ()


def load_graph(
    model_path: Path | str,
    model_format: Format | str | None = None,
    checkpoint: Path | str | None = None,
    *,
    tags: str | None = None,
    outputs: Sequence[str] | None = None,
) -> LoadedGraph:
    """Read a model in one of the :data:`FORMATS` and freeze it (SRC-1 to SRC-6, SRC-8).

    ``model_path`` is a file, or a folder for a SavedModel. ``checkpoint`` is a checkpoint's prefix (its ``.index``
    will do as well); with a graph it makes the format ``checkpoint``, with a MetaGraph it replaces the checkpoint
    beside it. Text graphs are read only when the format says ``frozen_text``, or when an inference graph for a
    checkpoint is called ``*.pbtxt``. ``tags`` pick a SavedModel's MetaGraph. ``outputs`` are node names to cut to;
    by default a frozen graph stays whole, and any other is cut to its answers. Everything wrong with the files is a
    :class:`SourceError`; a format that does not exist is a :class:`UsageError`.
    """
    path = Path(model_path)
    prefix = None if checkpoint is None else _prefix(Path(checkpoint))
    kind = _format(path, model_format, prefix)
    if tags is not None and kind != "saved_model":
        raise UsageError(
            f"Tags pick a MetaGraph of a SavedModel, but the model is read as {kind}.",
            where=str(path),
            advice="Leave the tags out, or give a SavedModel's folder.",
            requirement="SRC-6",
        )
    if kind == "saved_model":
        return _load_saved_model(path, tags, outputs)
    if kind == "meta_graph":
        return _load_meta_graph(path, prefix, outputs)
    return _load_graph_file(path, kind, prefix, outputs)


def _load_graph_file(path: Path, kind: Format, prefix: Path | None, outputs: Sequence[str] | None) -> LoadedGraph:
    data = read_file(path, "graph", "SRC-1")
    text = kind == "frozen_text" or (kind == "checkpoint" and path.suffix.lower() in {".pbtxt", ".prototxt"})
    graph_def = parse_text_graph(data, path) if text else parse_binary_graph(data, path)
    del data
    if kind == "checkpoint" or prefix is not None:
        if prefix is None:
            raise UsageError(
                "An inference graph needs a checkpoint for its variables.",
                where=str(path),
                advice="Give the checkpoint's prefix, such as model.ckpt.",
                requirement="SRC-3",
            )
        return _frozen(graph_def, Source(path, "checkpoint", (path,)), prefix, outputs)
    variables = variables_of(graph_def)
    if variables:
        raise SourceError(
            f"The graph is not frozen: it has {len(variables)} variables, the first of them {variables[0]!r}.",
            where=str(path),
            advice="Give its checkpoint as well, or freeze it.",
            requirement="SRC-8",
        )
    source = _with_versions(Source(path, kind, (path,)), graph_def)
    if outputs is None:
        return LoadedGraph(graph_def, source)
    return LoadedGraph(prune(graph_def, outputs, str(path)), source, tuple(outputs))


def _load_meta_graph(path: Path, prefix: Path | None, outputs: Sequence[str] | None) -> LoadedGraph:
    data = read_file(path, "MetaGraph", "SRC-4")
    try:
        meta_graph = meta_graph_pb2.MetaGraphDef.FromString(data)
    except DecodeError:
        meta_graph = None
    if meta_graph is None or not meta_graph.graph_def.node:
        text = " It is text; only a binary one is read." if looks_like_text(data) else ""
        raise SourceError(
            f"The file is not a MetaGraph, or it is truncated.{text}",
            where=str(path),
            advice="Give the .meta file that TensorFlow's Saver wrote.",
            requirement="SRC-4",
        )
    check_graph(meta_graph.graph_def, path)
    if prefix is None:
        prefix = path.with_suffix("") if path.suffix == ".meta" else path
    source = Source(path, "meta_graph", (path,), tensorflow_version=meta_graph.meta_info_def.tensorflow_version)
    return _frozen(meta_graph.graph_def, source, prefix, outputs, meta_graph)


def _load_saved_model(path: Path, tags: str | None, outputs: Sequence[str] | None) -> LoadedGraph:
    folder = path.parent if path.name == "saved_model.pb" else path
    file = saved_model_file(folder)
    meta_graph = read_saved_model(file, tags)
    graph_def = meta_graph.graph_def
    if not graph_def.node:
        raise SourceError("The SavedModel's graph has no nodes.", where=str(file), requirement="SRC-5")
    check_graph(graph_def, file)
    source = Source(
        folder,
        "saved_model",
        (file,),
        tensorflow_version=meta_graph.meta_info_def.tensorflow_version,
        tags=tuple(sorted(meta_graph.meta_info_def.tags)),
    )
    variables = folder / "variables" / "variables"
    if calls_functions(graph_def):
        return _load_functions(meta_graph, source, variables, outputs)
    named = list(outputs) if outputs is not None else default_outputs(graph_def, _signature_outputs(meta_graph))
    pruned = prune(graph_def, named, str(file))
    if not variables_of(pruned):
        return LoadedGraph(pruned, _with_versions(source, graph_def), tuple(named))
    return _frozen(graph_def, source, variables, named, meta_graph)


def _load_functions(meta_graph: Any, source: Source, prefix: Path, outputs: Sequence[str] | None) -> LoadedGraph:
    """A TF2 SavedModel: its signature's function inlined, then frozen as any other graph."""
    flat = flatten(meta_graph, source.files[0])
    named = list(outputs) if outputs is not None else list(flat.outputs)
    pruned = prune(flat.graph_def, named, str(source.files[0]))
    if not variables_of(pruned):
        return LoadedGraph(pruned, _with_versions(source, flat.graph_def), tuple(named))
    with Checkpoint(prefix) as values:
        frozen, count = freeze(flat.graph_def, values, named, flat.restore_scope)
        files = (*source.files, *values.paths)
    source = dataclasses.replace(source, files=files, frozen_variables=count)
    return LoadedGraph(frozen, _with_versions(source, flat.graph_def), tuple(named))


def _frozen(
    graph_def: Any, source: Source, prefix: Path, outputs: Sequence[str] | None, meta_graph: Any = None
) -> LoadedGraph:
    named = list(outputs) if outputs is not None else default_outputs(graph_def, _signature_outputs(meta_graph))
    if not named:
        raise SourceError(
            "The graph has no outputs: every node only trains, restores, saves or reports.",
            where=str(source.path),
            advice="Name the outputs.",
            requirement="SRC-8",
        )
    restore = "" if meta_graph is None else meta_graph.saver_def.restore_op_name
    with Checkpoint(prefix) as values:
        frozen, count = freeze(graph_def, values, named, restore.rpartition("/")[0] + "/" if "/" in restore else "")
        files = (*source.files, *values.paths)
    source = dataclasses.replace(source, files=files, frozen_variables=count)
    return LoadedGraph(frozen, _with_versions(source, graph_def), tuple(named))


def _signature_outputs(meta_graph: Any) -> list[str]:
    if meta_graph is None:
        return []
    return [
        output.name
        for signature in meta_graph.signature_def.values()
        for output in signature.outputs.values()
        if output.name
    ]


def _with_versions(source: Source, graph_def: Any) -> Source:
    versions = graph_def.versions
    return dataclasses.replace(source, producer=versions.producer, min_consumer=versions.min_consumer)


def _format(path: Path, model_format: str | None, prefix: Path | None) -> Format:
    if model_format is not None:
        if model_format not in FORMATS:
            raise UsageError(f"There is no model format {model_format!r}.", advice=f"Say one of {', '.join(FORMATS)}.")
        return model_format  # type: ignore[return-value]
    if path.is_dir() or path.name in {"saved_model.pb", "saved_model.pbtxt"}:
        return "saved_model"
    if path.suffix == ".meta":
        return "meta_graph"
    if prefix is not None:
        return "checkpoint"
    if path.suffix == ".index" or ".data-" in path.name:
        raise SourceError(
            "The file is part of a checkpoint, which holds no graph.",
            where=str(path),
            advice="Give the .meta file beside it, or a graph together with the checkpoint.",
            requirement="SRC-3",
        )
    return "frozen"


def _prefix(path: Path) -> Path:
    """A checkpoint's prefix, also when one of its files was named."""
    if path.suffix in {".index", ".meta"}:
        return path.with_suffix("")
    head, found, _ = path.name.partition(".data-")
    return path.with_name(head) if found and head else path
