"""What an exporter's loop over the images does to pixels that already have the model's size. Needs no TensorFlow.

The exporters of TF2 from API 2.4 on cast, resize and normalise inside ``tf.map_fn``: a While whose body is a function.
For another size the pixels go in behind the resizer, so the arithmetic behind it has to be had outside of the loop.
"""

from __future__ import annotations

from typing import Any

from harness.reference.graph_view import GraphView, node_name

LOOPS = frozenset({"While", "StatelessWhile"})
RESIZED = "irproof/resized"
"""The node that stands for the resized pixels, float32 ``[N, H, W, 3]``, in a graph of :func:`without_loop`."""

_ARITHMETIC = frozenset({"Mul", "Sub", "Add", "AddV2", "RealDiv", "Div", "Cast"})
_MOVES = frozenset({"StridedSlice", "Squeeze", "Reshape", "ExpandDims", "Identity"})
_WRITES = frozenset({"TensorListSetItem"})


def without_loop(graph_def: Any, image: str) -> Any | None:
    """A copy of the graph in which the preprocessed ``image`` comes from :data:`RESIZED` by the body's arithmetic.

    ``image`` names the stack of what the loop collects. None where no loop collects it, or its body is unknown.
    """
    view = GraphView(graph_def)
    stack = view.nodes[node_name(image)]
    loop, result = _loop_of(view, stack)
    if loop is None:
        return None
    name = loop.attr["body"].func.name
    functions = [one for one in graph_def.library.function if one.signature.name == name]
    if len(functions) != 1:
        return None
    found = type(graph_def)()
    found.CopyFrom(graph_def)
    body = _Body(functions[0], dict(zip(_arguments(functions[0]), loop.input, strict=False)))
    end = body.copy_arithmetic(result, found)
    if end is None:
        return None
    for node in found.node:
        if node.name == stack.name:
            del node.input[:]
            node.op = "Identity"
            node.attr.clear()
            node.attr["T"].type = 1
            node.input.append(end)
    return found


def _loop_of(view: GraphView, stack: Any) -> tuple[Any | None, int]:
    """The loop, and the number of its result, that a stack reads."""
    text = stack.input[0]
    while view.nodes[node_name(text)].op == "Identity":
        text = view.nodes[node_name(text)].input[0]
    loop = view.nodes[node_name(text)]
    return (loop if loop.op in LOOPS else None), int([*text.split(":"), "0"][1])


def _arguments(function: Any) -> list[str]:
    return [argument.name for argument in function.signature.input_arg]


class _Body:
    """A loop's body; ``given`` are the tensors outside by the names of its arguments."""

    def __init__(self, function: Any, given: dict[str, str]) -> None:
        self.function = function
        self.given = given
        self.nodes = {node.name: node for node in function.node_def}

    def copy_arithmetic(self, result: int, target: Any) -> str | None:
        """Add the arithmetic behind the resizer to ``target``; the name of what it ends in."""
        text = self.function.ret[self.function.signature.output_arg[result].name]
        written = self._skip(text, frozenset({"Identity"}))
        if written is None or self.nodes[written].op not in _WRITES:
            return None
        end = self._skip(self.nodes[written].input[2], _MOVES)
        if end is None:
            return None
        placeholder = target.node.add(name=RESIZED, op="Placeholder")
        placeholder.attr["dtype"].type = 1
        return self._copy(end, target)

    def _copy(self, name: str, target: Any) -> str:
        """The name in ``target`` of a node of the body, copied with what it needs down to the resized pixels."""
        node = self.nodes[name]
        if node.op not in _ARITHMETIC and node.op != "Const":
            return RESIZED
        copied = f"irproof/{name}"
        if copied not in {one.name for one in target.node}:
            inputs = [self._copied_input(text, target) for text in node.input if not text.startswith("^")]
            added = target.node.add()
            added.CopyFrom(node)
            added.name = copied
            added.attr.pop("_output_shapes", None)
            del added.input[:]
            added.input.extend(inputs)
        return copied

    def _copied_input(self, text: str, target: Any) -> str:
        name = node_name(text)
        return self.given[name] if name not in self.nodes and name in self.given else self._copy(name, target)

    def _skip(self, text: str, through: frozenset[str]) -> str | None:
        name = node_name(text)
        while name in self.nodes and self.nodes[name].op in through:
            name = node_name(self.nodes[name].input[0])
        return name if name in self.nodes else None
