"""TF2 SavedModels: the functions that a signature calls become one flat graph, without TensorFlow (SRC-5).

A TF2 SavedModel's graph has little more than one call: what it does lies in a function, which calls further ones.
Here each call is replaced by the nodes of its function, named ``<call>/<node>`` as TensorFlow's own freezing names
them. Control flow in function form (While, If) stays, and the functions that it needs with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import graph_pb2, node_def_pb2

from harness.errors import SourceError
from harness.sources.graph_file import source_name

CALLS = frozenset({"StatefulPartitionedCall", "PartitionedCall"})
_DEFAULT_SIGNATURE = "serving_default"
_DEEPEST = 64
_LARGEST = 2_000_000


@dataclasses.dataclass(frozen=True)
class FlatGraph:
    """A graph without calls: ``graph_def`` with variables still in it, and the node names of the answers.

    ``restore_scope`` is where the nodes lie that give each variable its value of the checkpoint. ``answers`` are the
    signature's outputs, by name.
    """

    graph_def: Any
    outputs: tuple[str, ...]
    restore_scope: str
    answers: Mapping[str, str]


def calls_functions(graph_def: Any) -> bool:
    """Whether the main graph has a call of a function, as a TF2 SavedModel's has."""
    return any(node.op in CALLS for node in graph_def.node)


def flatten(meta_graph: Any, path: Path) -> FlatGraph:
    """The signature's call of a TF2 MetaGraph, inlined to the last function.

    The wrapper that a signature is leaves no prefix, and its image input is named as the signature names it: nodes
    get the names that ``convert_variables_to_constants_v2`` gives them. A signature that is missing, a function that
    is not in the library or that calls itself is a :class:`SourceError`.
    """
    flattening = _Flattening(meta_graph, path)
    signature = _signature(meta_graph, path)
    try:
        return flattening.run(signature)
    except (KeyError, IndexError, ValueError) as error:
        # A file that was damaged can refer to anything that it does not have.
        raise flattening.broken(f"something refers to {error}, which is not there") from None


def _signature(meta_graph: Any, path: Path) -> Any:
    usable = {key: one for key, one in meta_graph.signature_def.items() if one.inputs and one.outputs}
    if _DEFAULT_SIGNATURE in usable:
        return usable[_DEFAULT_SIGNATURE]
    if len(usable) == 1:
        return next(iter(usable.values()))
    raise SourceError(
        f"The SavedModel has no signature {_DEFAULT_SIGNATURE!r}; it has {', '.join(sorted(usable)) or 'none'}.",
        where=str(path),
        advice="Export it with tf.saved_model.save(module, folder, signatures=...).",
        requirement="SRC-5",
    )


class _Flattening:
    """One MetaGraph in work: its functions, the layout of its ops' outputs, and the nodes made so far."""

    def __init__(self, meta_graph: Any, path: Path) -> None:
        self._path = path
        self._main = {node.name: node for node in meta_graph.graph_def.node}
        self._graph = meta_graph.graph_def
        self._restore = source_name(meta_graph.saver_def.restore_op_name)
        self._functions = {function.signature.name: function for function in self._graph.library.function}
        self._ops = {op.name: op for op in meta_graph.meta_info_def.stripped_op_list.op}
        self._result = graph_pb2.GraphDef()
        self._result.versions.CopyFrom(self._graph.versions)
        self._taken: set[str] = set()

    def run(self, signature: Any) -> FlatGraph:
        renamed = {source_name(info.name): key for key, info in signature.inputs.items()}
        wanted = [source_name(info.name) for info in signature.outputs.values()]
        # What a call reads keeps its name; what it becomes is known when it was expanded.
        outputs: dict[str, list[str]] = {}
        for name in self._in_order([*wanted, *([self._restore] if self._restore in self._main else [])]):
            node = self._main[name]
            given = [self._resolved(text, outputs) for text in node.input if not text.startswith("^")]
            if node.op in CALLS:
                prefix = "" if name in wanted else f"{name}/"
                outputs[name] = self._expand(node, given, prefix, ())
            else:
                copy = self._add(node, renamed.get(name, name), given)
                outputs[name] = [copy]
        answers = {key: self._resolved(info.name, outputs) for key, info in sorted(signature.outputs.items())}
        self._result.library.function.extend(self._needed_functions())
        names = tuple(dict.fromkeys(source_name(text) for text in answers.values()))
        return FlatGraph(self._result, names, f"{self._restore}/", answers)

    def _in_order(self, roots: list[str]) -> list[str]:
        """The main graph's nodes that the roots need, inputs first."""
        return [node.name for node in _sorted_nodes(self._main, roots)]

    def _resolved(self, text: str, outputs: Mapping[str, list[str]]) -> str:
        name, _, port = text.partition(":")
        made, index = outputs[name], int(port) if port.isdigit() else 0
        if self._main[name].op in CALLS:
            return made[index]
        return made[0] if index == 0 else f"{made[0]}:{index}"

    def _expand(self, call: Any, given: list[str], prefix: str, above: tuple[str, ...]) -> list[str]:
        """Put a function's nodes in the place of its call; the tensors that stand for the call's outputs."""
        name = call.attr["f"].func.name
        function = self._functions.get(name)
        if function is None or name in above or len(above) > _DEEPEST:
            how = "is not in the library" if function is None else "calls itself"
            raise self.broken(f"function {name!r}, which node {prefix + call.name!r} calls, {how}")
        arguments = [argument.name for argument in function.signature.input_arg]
        if len(arguments) != len(given):
            raise self.broken(f"function {name!r} takes {len(arguments)} arguments, and is given {len(given)}")
        known: dict[str, str | list[str]] = dict(zip(arguments, given, strict=True))
        nodes = {node.name: node for node in function.node_def}

        def resolve(text: str) -> str:
            source, _, rest = text.partition(":")
            made = known.get(source)
            if made is None:
                raise self.broken(f"function {name!r} reads {text!r}, which it does not have")
            if isinstance(made, list):
                port = self._flat_index(nodes[source], rest)
                if port >= len(made):
                    raise self.broken(f"function {name!r} reads {text!r}, which its call does not give")
                return made[port]
            if source not in nodes:
                return made
            port = self._flat_index(nodes[source], rest)
            return made if port == 0 else f"{made}:{port}"

        for node in _sorted_nodes(nodes):
            inputs = [resolve(text) for text in node.input if not text.startswith("^")]
            if node.op in CALLS:
                known[node.name] = self._expand(node, inputs, f"{prefix}{node.name}/", (*above, name))
            else:
                known[node.name] = self._add(node, prefix + node.name, inputs)
        return [resolve(function.ret[argument.name]) for argument in function.signature.output_arg]

    def _flat_index(self, node: Any, rest: str) -> int:
        """The number of an output that a function's body writes as ``name:index`` of one of the op's outputs."""
        group, _, index = rest.partition(":")
        if node.op in CALLS:
            return int(index or 0)
        described = self._ops.get(node.op)
        if described is None:
            raise SourceError(
                f"The SavedModel does not describe op {node.op!r} of node {node.name!r}.",
                where=str(self._path),
                advice="Save the model again with TensorFlow's own tf.saved_model.save.",
                requirement="SRC-5",
            )
        start = 0
        for output in described.output_arg:
            if output.name == group:
                return start + int(index or 0)
            if output.number_attr:
                start += int(node.attr[output.number_attr].i)
            elif output.type_list_attr:
                start += len(node.attr[output.type_list_attr].list.type)
            else:
                start += 1
        raise self.broken(f"node {node.name!r} ({node.op}) has no output {group!r}")

    def _add(self, node: Any, name: str, inputs: list[str]) -> str:
        unique, count = name, 1
        while unique in self._taken:
            unique, count = f"{name}_{count}", count + 1
        self._taken.add(unique)
        if len(self._taken) > _LARGEST:
            raise self.broken(f"its functions make more than {_LARGEST} nodes")
        copy = self._result.node.add()
        copy.CopyFrom(node)
        copy.name = unique
        copy.ClearField("device")
        del copy.input[:]
        copy.input.extend(inputs)
        return unique

    def _needed_functions(self) -> list[Any]:
        """What is left of the library: the functions of While, If and other nodes that hold functions."""
        queue = [name for node in self._result.node for name in _named_functions(node)]
        needed: dict[str, Any] = {}
        while queue:
            name = queue.pop()
            if name in needed or name not in self._functions:
                continue
            needed[name] = self._functions[name]
            queue.extend(found for node in needed[name].node_def for found in _named_functions(node))
        return [function for name, function in self._functions.items() if name in needed]

    def broken(self, how: str) -> SourceError:
        return SourceError(
            f"The SavedModel's functions do not fit together: {how}.",
            where=str(self._path),
            advice="Export or download the SavedModel again.",
            requirement="SRC-5",
        )


def _named_functions(node: node_def_pb2.NodeDef) -> Iterable[str]:
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        for one in value.list.func:
            yield one.name


def _sorted_nodes(nodes: Mapping[str, Any], roots: Iterable[str] | None = None) -> Iterable[Any]:
    """The nodes that the roots need (None: all), inputs before their readers; they may be listed in any order."""
    entered: set[str] = set()
    for root in nodes if roots is None else roots:
        stack = [(root, False)]
        while stack:
            name, ready = stack.pop()
            if ready:
                yield nodes[name]
                continue
            if name in entered:
                continue
            entered.add(name)
            stack.append((name, True))
            for text in nodes[name].input:
                source = source_name(text)
                if source in nodes and not text.startswith("^"):
                    stack.append((source, False))
