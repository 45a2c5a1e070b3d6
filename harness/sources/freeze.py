"""Freezing: variables become constants of a checkpoint's values, and what only trained or restored them goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tensorboard.compat.proto import graph_pb2

from harness.errors import SourceError
from harness.sources.checkpoint import Checkpoint, type_name
from harness.sources.graph_file import source_name
from harness.sources.tensor_slice import TensorSlice, parse_shape_and_slice

VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp"})

# Ops that pass a resource handle on, by the input that it comes in.
_HANDLE_PASSING = frozenset({"Identity", "Enter", "Switch"})
# Ops that train, restore, save or report: nothing of a model's answer is behind them.
_STATE_PREFIXES = (
    *("Assign", "Apply", "ResourceApply", "ScatterUpdate", "VarIsInitialized", "IsVariableInitialized"),
    *("Restore", "Save", "MergeV2", "Sharded"),
)
_STATE_SUFFIXES = ("Summary", "SummaryV2")
# Ops that change the variable that they read.
_MUTATING = ("Assign", "Scatter", "CountUpTo", "Apply")
_LISTED = 5


class _Stored(NamedTuple):
    """Where the checkpoint has a variable's value."""

    name: str
    extents: TensorSlice | None = None
    shape: tuple[int, ...] | None = None


def default_outputs(graph_def: Any, signature_outputs: Iterable[str] = ()) -> list[str]:
    """The nodes whose answers a graph is for, where the caller names none.

    The Object Detection API's own outputs; else those of a signature; else every node that nothing reads, apart from
    such as train, restore, save or report.
    """
    names = [
        node.name
        for node in graph_def.node
        if node.name.startswith(("detection_", "raw_detection_", "num_detections")) and "/" not in node.name
    ]
    if names:
        return names
    known = {node.name for node in graph_def.node}
    names = [name for name in dict.fromkeys(source_name(text) for text in signature_outputs) if name in known]
    return names or _sinks(graph_def)


def prune(graph_def: Any, outputs: Sequence[str], where: str) -> Any:
    """The graph of what ``outputs`` need, in its own order; control inputs stay where both ends do."""
    nodes = {node.name: node for node in graph_def.node}
    for name in outputs:
        if name not in nodes:
            raise SourceError(
                f"The graph has no node {name!r}, which is asked for as an output.",
                where=where,
                advice="Name a node of the graph.",
                requirement="OUT-2",
            )
    needed = _ancestors(nodes, outputs)
    result = _empty_like(graph_def)
    for node in graph_def.node:
        if node.name in needed:
            kept = result.node.add()
            kept.CopyFrom(node)
            _drop_lost_controls(kept, needed)
    return result


def freeze(graph_def: Any, checkpoint: Checkpoint, outputs: Sequence[str], saver_scope: str = "") -> tuple[Any, int]:
    """The graph of what ``outputs`` need with constants for variables, and how many of them there were (SRC-8).

    Nodes keep their names: a variable's node becomes the Const, the Identity that reads it stays, and a
    ReadVariableOp becomes an Identity. ``saver_scope`` prefers one of several savers' mapping of names. A variable
    that the checkpoint lacks, or has in another type or shape, is a :class:`SourceError` that names both.
    """
    where = str(checkpoint.prefix)
    stored = _restored_names(graph_def, saver_scope)
    pruned = prune(graph_def, outputs, where)
    variables = {node.name: node for node in pruned.node if node.op in VARIABLES}
    places = {name: _place(node, stored.get(name), checkpoint) for name, node in variables.items()}
    lost = [name for name, place in places.items() if place is None]
    if lost:
        raise _missing(lost, stored, where)
    handles = _handles(pruned, variables)
    for node in pruned.node:
        place = places.get(node.name)
        if place is not None:
            _to_constant(node, place, checkpoint)
        else:
            _read_constants(node, variables, handles, where)
    return pruned, len(variables)


def variables_of(graph_def: Any) -> list[str]:
    """The names of all variables in the graph."""
    return [node.name for node in graph_def.node if node.op in VARIABLES]


def _to_constant(node: Any, place: _Stored, checkpoint: Checkpoint) -> None:
    info = checkpoint.info(place.name)
    dtype = node.attr["dtype"].type
    shape = info.shape if place.extents is None else _sliced(info.shape, place.extents)
    declared = node.attr["shape"].shape
    sizes = [dimension.size for dimension in declared.dim]
    fits = declared.unknown_rank or (
        len(sizes) == len(shape) and all(size in (-1, given) for size, given in zip(sizes, shape, strict=True))
    )
    if dtype != info.dtype or not fits:
        raise SourceError(
            f"Variable {node.name!r} is {type_name(dtype)} {sizes}, but the checkpoint's tensor {place.name!r} is "
            f"{type_name(info.dtype)} {list(shape)}.",
            where=str(checkpoint.prefix),
            advice="Give the checkpoint that was saved with this graph.",
            requirement="SRC-8",
        )
    name = node.name
    content = checkpoint.read(place.name, place.extents)
    node.Clear()
    node.name, node.op = name, "Const"
    node.attr["dtype"].type = dtype
    tensor = node.attr["value"].tensor
    tensor.dtype = dtype
    # A scalar's shape has nothing in it but must be there: OpenVINO reads a constant without one as zero.
    tensor.tensor_shape.SetInParent()
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = content


def _handles(graph_def: Any, variables: dict[str, Any]) -> dict[str, int]:
    """The nodes whose output is a variable's handle, with the type of the variable behind it."""
    handles = {name: node.attr["dtype"].type for name, node in variables.items() if node.op == "VarHandleOp"}
    passing = [node for node in graph_def.node if node.op in _HANDLE_PASSING and handles]
    found = True
    while found:  # once for graphs in order, and once more to see that nothing is left
        found = False
        for node in passing:
            source = source_name(node.input[0]) if node.input else ""
            if node.name not in handles and source in handles:
                handles[node.name] = handles[source]
                found = True
    return handles


def _read_constants(node: Any, variables: dict[str, Any], handles: dict[str, int], where: str) -> None:
    """Let a node that reads variables or their handles read the constants that took their place."""
    given = [source_name(text) for text in node.input if not text.startswith("^")]
    handle = next((name for name in given if name in handles), None)
    changed = next((name for name in given[:1] if name in variables and node.op.startswith(_MUTATING)), None)
    if handle is not None and node.op == "ReadVariableOp":
        node.op = "Identity"
        node.attr["T"].type = handles[handle]
        del node.attr["dtype"]
    elif handle is not None and node.op in _HANDLE_PASSING:
        node.attr["T"].type = handles[handle]
    elif handle is not None and node.op == "ResourceGather":
        node.op = "Gather"
        indices = node.attr["Tindices"].type
        node.attr.clear()
        node.attr["Tparams"].type, node.attr["Tindices"].type = handles[handle], indices
    elif handle is not None or changed is not None:
        raise SourceError(
            f"Node {node.name!r} ({node.op}) uses variable {handle or changed!r} in a way that cannot be frozen.",
            where=where,
            advice="Export the graph for inference, or freeze it with TensorFlow.",
            requirement="SRC-8",
        )


def _place(node: Any, stored: _Stored | None, checkpoint: Checkpoint) -> _Stored | None:
    """Where the value is: as the graph's own saver says, else under the variable's name."""
    shared = node.attr["shared_name"].s.decode("utf-8", "replace") if "shared_name" in node.attr else ""
    for place in (stored, _Stored(node.name), _Stored(shared)):
        if place is not None and place.name in checkpoint:
            return place
    return None


def _restored_names(graph_def: Any, saver_scope: str) -> dict[str, _Stored]:
    """What the graph's savers restore each variable from (a partitioned one from a slice of a tensor)."""
    nodes = {node.name: node for node in graph_def.node}
    restores = {node.name: node for node in graph_def.node if node.op == "RestoreV2" and len(node.input) >= 3}
    if not restores:
        return {}
    tensors = {name: _tensors_of(node, nodes) for name, node in restores.items()}
    found: dict[str, tuple[bool, _Stored]] = {}
    for node in graph_def.node:
        if node.op not in {"Assign", "AssignVariableOp"} or len(node.input) < 2:
            continue
        name, port = _split(node.input[1])
        while name in nodes and nodes[name].op == "Identity" and nodes[name].input:
            name, port = _split(nodes[name].input[0])
        if name not in restores or port >= len(tensors[name]):
            continue
        preferred = bool(saver_scope) and name.startswith(saver_scope)
        variable = source_name(node.input[0])
        if variable not in found or (preferred and not found[variable][0]):
            found[variable] = (preferred, tensors[name][port])
    return {name: stored for name, (_, stored) in found.items()}


def _tensors_of(restore: Any, nodes: dict[str, Any]) -> list[_Stored]:
    names = _strings(nodes.get(source_name(restore.input[1])))
    specs = _strings(nodes.get(source_name(restore.input[2])))
    result = []
    for index, name in enumerate(names):
        try:
            spec = parse_shape_and_slice(specs[index] if index < len(specs) else "")
        except ValueError:
            spec = None
        result.append(_Stored(name) if spec is None else _Stored(name, spec[1], spec[0]))
    return result


def _strings(node: Any) -> list[str]:
    """The strings of a constant; a single value may stand for many equal ones."""
    if node is None or node.op != "Const":
        return []
    tensor = node.attr["value"].tensor
    values = [value.decode("utf-8", "replace") for value in tensor.string_val]
    sizes = [dimension.size for dimension in tensor.tensor_shape.dim]
    # Bounded by what was read from the file, whatever the shape claims.
    wanted = min(sizes[0], 1 << 16) if len(sizes) == 1 else len(values)
    return values + values[-1:] * max(0, wanted - len(values))


def _missing(lost: list[str], stored: dict[str, _Stored], where: str) -> SourceError:
    listed = ", ".join(repr(stored[name].name if name in stored else name) for name in lost[:_LISTED])
    more = f" and {len(lost) - _LISTED} more" if len(lost) > _LISTED else ""
    return SourceError(
        f"The checkpoint lacks {len(lost)} of the tensors that the graph needs: {listed}{more}.",
        where=where,
        advice="Give the checkpoint that was saved with this graph.",
        requirement="SRC-8",
    )


def _sliced(shape: tuple[int, ...], extents: TensorSlice) -> tuple[int, ...]:
    bounds = (extent.bounds(size) for extent, size in zip(extents, shape, strict=False))
    return tuple(last - first for first, last in bounds)


def _sinks(graph_def: Any) -> list[str]:
    read: set[str] = set()
    stateful: set[str] = set()
    for node in graph_def.node:
        read.update(source_name(text) for text in node.input if not text.startswith("^"))
        if node.op.startswith(_STATE_PREFIXES) or node.op.endswith(_STATE_SUFFIXES) or node.op == "NoOp":
            stateful.add(node.name)
    return [
        node.name
        for node in graph_def.node
        if node.name not in read
        and node.name not in stateful
        and not any(source_name(text) in stateful for text in node.input)
    ]


def _ancestors(nodes: dict[str, Any], outputs: Sequence[str]) -> set[str]:
    needed = set(outputs)
    queue = list(outputs)
    while queue:
        for text in nodes[queue.pop()].input:
            if not text.startswith("^"):
                name = source_name(text)
                if name not in needed:
                    needed.add(name)
                    queue.append(name)
    return needed


def _drop_lost_controls(node: Any, needed: set[str]) -> None:
    kept = [text for text in node.input if not text.startswith("^") or source_name(text) in needed]
    if len(kept) != len(node.input):
        del node.input[:]
        node.input.extend(kept)


def _empty_like(graph_def: Any) -> Any:
    result = graph_pb2.GraphDef()
    result.versions.CopyFrom(graph_def.versions)
    result.library.CopyFrom(graph_def.library)
    return result


def _split(text: str) -> tuple[str, int]:
    name, _, port = text.removeprefix("^").partition(":")
    return name, int(port) if port.isdigit() else 0
