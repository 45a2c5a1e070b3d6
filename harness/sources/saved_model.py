"""SavedModel folders (SRC-5, SRC-6): picking the MetaGraph that the tags ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorboard.compat.proto import meta_graph_pb2

from harness.errors import SourceError
from harness.sources.files import missing, read_file
from harness.sources.messages import message_class

_DEFAULT_TAG = "serve"


def saved_model_file(folder: Path) -> Path:
    """The ``saved_model.pb`` of the folder; :class:`SourceError` when there is none."""
    path = folder / "saved_model.pb"
    if path.is_file():
        return path
    if (folder / "saved_model.pbtxt").is_file():
        raise SourceError(
            "The SavedModel is written as text, which is not read.",
            where=str(folder / "saved_model.pbtxt"),
            advice="Save it again as saved_model.pb.",
            requirement="SRC-5",
        )
    if not folder.exists():
        raise missing(folder, "SavedModel", "SRC-5")
    raise SourceError(
        "The folder is no SavedModel: it has no saved_model.pb.",
        where=str(folder),
        advice="Give the folder that holds saved_model.pb, or the graph's file.",
        requirement="SRC-5",
    )


def read_saved_model(path: Path, tags: str | None) -> Any:
    """The MetaGraphDef of ``saved_model.pb`` whose tags are exactly ``tags``, a comma-separated set (SRC-6).

    Without tags: the only MetaGraph there is, or the one tagged ``serve``.
    """
    data = read_file(path, "SavedModel's file", "SRC-5")
    try:
        saved = message_class("SavedModel").FromString(data)
        graphs = [meta_graph_pb2.MetaGraphDef.FromString(content) for content in saved.meta_graphs]
    except DecodeError:
        graphs = []
    if not graphs:
        raise SourceError(
            "The file is not a SavedModel, or it is truncated.",
            where=str(path),
            advice="Export or download the SavedModel again.",
            requirement="SRC-5",
        )
    sets = [frozenset(graph.meta_info_def.tags) for graph in graphs]
    if tags is None:
        if len(graphs) == 1:
            return graphs[0]
        wanted = frozenset({_DEFAULT_TAG})
    else:
        wanted = frozenset(tag.strip() for tag in tags.split(",") if tag.strip())
    if wanted not in sets:
        offered = "; ".join(",".join(sorted(tag_set)) or "(no tags)" for tag_set in sets)
        raise SourceError(
            f"The SavedModel has no MetaGraph tagged {','.join(sorted(wanted)) or '(no tags)'}; it has: {offered}.",
            where=str(path),
            advice="Give one of those tag sets; all of its tags have to be named.",
            requirement="SRC-6",
        )
    return graphs[sets.index(wanted)]
