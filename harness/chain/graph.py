"""A TensorFlow graph that replacers can rewrite: nodes by name, edges by tensor, no TensorFlow needed.

The graph is a GraphDef whose nodes are kept as protobuf messages; only what is touched is changed. Control inputs are
dropped on the way in: they order side effects (assertions, summaries), and an IR has none.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tensorboard.compat.proto import graph_pb2, node_def_pb2, types_pb2
from tensorboard.util import tensor_util

from harness.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Node = Any  # node_def_pb2.NodeDef: generated classes carry no types


class Tensor(NamedTuple):
    """One output of one node; written ``name`` or ``name:port`` as in TensorFlow."""

    node: str
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Tensor:
        name, _, port = text.partition(":")
        return cls(name, int(port) if port else 0)

    def __str__(self) -> str:
        return f"{self.node}:{self.port}" if self.port else self.node


class Graph:
    """A mutable view of a GraphDef.

    Iterating and look-ups are cheap; :meth:`consumers` is kept up to date by the methods that change edges, so nodes'
    ``input`` fields are changed through them only.
    """

    def __init__(self, graph_def: Any) -> None:
        self._nodes: dict[str, Node] = {}
        self._versions = graph_def.versions
        self.library = graph_def.library
        for node in graph_def.node:
            kept = [name for name in node.input if not name.startswith("^")]
            if len(kept) != len(node.input):
                del node.input[:]
                node.input.extend(kept)
            if node.op == "Const" and not node.attr["value"].tensor.HasField("tensor_shape"):
                # OpenVINO's front end (2026.4) reads a scalar whose shape message is absent as zero, without a word.
                node.attr["value"].tensor.tensor_shape.SetInParent()
            self._nodes[node.name] = node
        self._consumers: dict[str, list[str]] = {}
        for node in self._nodes.values():
            for text in node.input:
                self._consumers.setdefault(Tensor.parse(text).node, []).append(node.name)

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    def __iter__(self) -> Iterator[Node]:
        return iter(list(self._nodes.values()))

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, name: str) -> Node:
        try:
            return self._nodes[name]
        except KeyError:
            raise ConversionError("The graph has no such node.", where=f"node {name!r}") from None

    def get(self, name: str) -> Node | None:
        return self._nodes.get(name)

    def inputs(self, name: str) -> list[Tensor]:
        """The tensors that a node reads, in order."""
        return [Tensor.parse(text) for text in self[name].input]

    def input_node(self, name: str, port: int = 0) -> Node:
        """The node behind one input of a node."""
        tensors = self.inputs(name)
        if port >= len(tensors):
            raise ConversionError(f"The node has no input {port}.", where=f"node {name!r} ({self[name].op})")
        return self[tensors[port].node]

    def consumers(self, name: str, port: int | None = None) -> list[tuple[Node, int]]:
        """The (node, input index) pairs that read a node, or one port of it."""
        found = []
        for reader in dict.fromkeys(self._consumers.get(name, ())):
            node = self._nodes.get(reader)
            if node is None:
                continue
            for index, text in enumerate(node.input):
                tensor = Tensor.parse(text)
                if tensor.node == name and (port is None or tensor.port == port):
                    found.append((node, index))
        return found

    def add(self, op: str, name: str, inputs: Sequence[Tensor | str], attributes: Mapping[str, object]) -> Node:
        """A new node; the name gets a suffix when it is taken."""
        unique, count = name, 1
        while unique in self._nodes:
            unique, count = f"{name}_{count}", count + 1
        node = node_def_pb2.NodeDef(name=unique, op=op)
        node.input.extend(str(tensor) for tensor in inputs)
        for key, value in attributes.items():
            _set_attribute(node.attr[key], value)
        self._nodes[unique] = node
        for tensor in inputs:
            self._consumers.setdefault(Tensor.parse(str(tensor)).node, []).append(unique)
        return node

    def add_constant(self, name: str, value: np.ndarray) -> Node:
        node = self.add("Const", name, [], {})
        write_constant(node, value)
        return node

    def set_input(self, name: str, index: int, tensor: Tensor) -> None:
        """Let one input of a node read another tensor."""
        self[name].input[index] = str(tensor)
        self._consumers.setdefault(tensor.node, []).append(name)

    def redirect(self, old: Tensor, new: Tensor, *, only: Iterable[str] | None = None) -> int:
        """Let every reader of ``old`` (or only the named ones) read ``new``; the number of edges moved."""
        chosen = None if only is None else set(only)
        moved = 0
        for node, index in self.consumers(old.node, old.port):
            if chosen is None or node.name in chosen:
                self.set_input(node.name, index, new)
                moved += 1
        return moved

    def ancestors(self, roots: Iterable[str], *, stop: Iterable[str] = ()) -> dict[str, str]:
        """All nodes behind ``roots`` (roots included), as name -> the reader through which each was found.

        Nodes in ``stop`` are included but not passed.
        """
        barrier = set(stop)
        found: dict[str, str] = {}
        queue: deque[str] = deque()
        for root in roots:
            if root not in found:
                found[root] = ""
                queue.append(root)
        while queue:
            name = queue.popleft()
            if name in barrier:
                continue
            for text in self[name].input:
                source = Tensor.parse(text).node
                if source not in found:
                    found[source] = name
                    queue.append(source)
        return found

    def descendants(self, roots: Iterable[str], *, within: set[str] | None = None) -> set[str]:
        """All nodes that depend on ``roots`` (roots included), optionally only those in ``within``."""
        found = set(roots)
        queue = deque(found)
        while queue:
            for node, _ in self.consumers(queue.popleft()):
                if node.name not in found and (within is None or node.name in within):
                    found.add(node.name)
                    queue.append(node.name)
        return found

    def prune(self, outputs: Iterable[str], *, keep: Iterable[str] = ()) -> None:
        """Remove every node that no output needs (OUT-3)."""
        needed = set(self.ancestors(outputs)) | set(keep)
        self._nodes = {name: node for name, node in self._nodes.items() if name in needed}
        self._consumers = {name: readers for name, readers in self._consumers.items() if name in needed}

    def to_graph_def(self) -> Any:
        return self.to_graph_def_of(self._nodes)

    def to_graph_def_of(self, names: Iterable[str]) -> Any:
        """A GraphDef of copies of the named nodes."""
        result = graph_pb2.GraphDef()
        result.versions.CopyFrom(self._versions)
        result.library.CopyFrom(self.library)
        result.node.extend(self._nodes[name] for name in names)
        return result

    def constant(self, name: str) -> np.ndarray | None:
        """The value of a constant, seen through Identity nodes; None when the node is no constant."""
        holder = self.constant_node(name)
        return None if holder is None else read_constant(holder)

    def constant_node(self, name: str) -> Node | None:
        """The Const node behind a name, seen through Identity nodes; None when there is none."""
        node = self.get(name)
        while node is not None and node.op in {"Identity", "Enter"} and node.input:
            node = self.get(Tensor.parse(node.input[0]).node)
        return node if node is not None and node.op == "Const" else None


def read_constant(node: Node) -> np.ndarray:
    """The value of a Const node."""
    value: np.ndarray = tensor_util.make_ndarray(node.attr["value"].tensor)
    return value


def write_constant(node: Node, value: np.ndarray) -> None:
    """Give a Const node another value."""
    if value.ndim and not value.flags["C_CONTIGUOUS"]:
        value = np.ascontiguousarray(value)
    proto = node.attr["value"].tensor
    proto.Clear()
    proto.dtype = _DTYPES[value.dtype.name]
    proto.tensor_shape.SetInParent()
    for size in value.shape:
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_content = value.tobytes()
    node.attr["dtype"].type = proto.dtype


_DTYPES = {
    "float32": types_pb2.DT_FLOAT,
    "float64": types_pb2.DT_DOUBLE,
    "float16": types_pb2.DT_HALF,
    "int32": types_pb2.DT_INT32,
    "int64": types_pb2.DT_INT64,
    "uint8": types_pb2.DT_UINT8,
    "bool": types_pb2.DT_BOOL,
}


def _set_attribute(slot: Any, value: object) -> None:
    if isinstance(value, bool):
        slot.b = value
    elif isinstance(value, int):
        slot.i = value
    elif isinstance(value, float):
        slot.f = value
    elif isinstance(value, str):
        slot.s = value.encode()
    elif isinstance(value, (list, tuple)):
        if value and all(isinstance(item, str) for item in value):
            slot.list.s.extend(str(item).encode() for item in value)
        elif value and all(isinstance(item, int) for item in value):
            slot.list.i.extend(value)
        else:
            slot.list.f.extend(float(item) for item in value)
    else:
        message = f"attributes of type {type(value).__name__} cannot be written"
        raise TypeError(message)
