"""The body of a loop in function form: what it does to an image on its way from the loop's input to its results.

The TF2 exporters of 2.4 cast, resize and normalise inside ``tf.map_fn``, whose body is a function of the graph's
library. Of that only the arithmetic matters: at the model's own size nothing else changes the image (PRE-1).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.chain.graph import Tensor, read_constant
from harness.errors import ConversionError

if TYPE_CHECKING:
    from harness.chain.graph import Graph, Node

LOOPS = frozenset({"While", "StatelessWhile"})
ARITHMETIC = frozenset({"Sub", "Mul", "RealDiv", "Div", "Add", "AddV2"})
RESIZES = frozenset({"ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea"})
_MOVES = frozenset(
    {
        *("Cast", "ExpandDims", "StridedSlice", "Reshape", "Squeeze", "Identity", "Unpack", "Pack", "StopGradient"),
        *("Pad", "PadV2", "EnsureShape", "CheckNumerics"),
    }
)
"""What leaves the values as they are where the image already has the model's size."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation of the image with a constant; ``constant_first`` where that is the left operand."""

    op: str
    name: str
    constant: np.ndarray
    constant_first: bool = False


@dataclasses.dataclass(frozen=True)
class ImagePath:
    """What happens to an image in a body: the ``steps`` in order, and the constant ``size`` that it is resized to."""

    steps: tuple[Step, ...]
    size: tuple[int, int] | None
    resize: str


class LoopBody:
    """The body function of one While node, with its arguments tied to the node's inputs."""

    def __init__(self, graph: Graph, loop: Node) -> None:
        self._graph = graph
        self._loop = loop
        name = loop.attr["body"].func.name
        found = [function for function in graph.library.function if function.signature.name == name]
        if not found:
            raise ConversionError(
                f"The graph's library has no function {name!r}.",
                where=f"body of node {loop.name!r} ({loop.op})",
                advice="Convert the graph or SavedModel as it was exported, with its functions.",
                requirement="PRE-1",
            )
        self._function = found[0]
        self._nodes = {node.name: node for node in self._function.node_def}
        self._arguments = [argument.name for argument in self._function.signature.input_arg]

    def image_path(self, result: int) -> ImagePath:
        """How the loop's result of this number came from the loop's images; ConversionError for anything unknown."""
        text = self._function.ret[self._function.signature.output_arg[result].name]
        node = self._skip_identities(text)
        if node is None or node.op != "TensorListSetItem":
            raise self._unknown(node, "A result of the preprocessing loop is not written image by image.")
        steps: list[Step] = []
        size: tuple[int, int] | None = None
        resize = ""
        text = node.input[2]
        while True:
            node = self._node(text)
            if node is None:
                raise self._unknown(node, f"The preprocessing loop's image comes from {text!r}, not from its input.")
            if node.op == "TensorListGetItem":
                return ImagePath(tuple(reversed(steps)), size, resize)
            if node.op in ARITHMETIC:
                step, text = self._step(node)
                steps.append(step)
            elif node.op in RESIZES:
                value = self._constant(node.input[1])
                if value is not None and value.size == 2:
                    size = (int(value.reshape(-1)[0]), int(value.reshape(-1)[1]))
                resize, text = node.name, node.input[0]
            elif node.op in _MOVES:
                text = node.input[0]
            else:
                raise self._unknown(node, "The preprocessing loop does something to the image that is not known.")

    def _step(self, node: Node) -> tuple[Step, str]:
        values = [self._constant(text) for text in node.input[:2]]
        if (values[0] is None) == (values[1] is None):
            raise self._unknown(node, "The preprocessing loop's arithmetic is not with one constant.")
        first = values[0] is not None
        constant = values[0] if first else values[1]
        assert constant is not None
        return Step(node.op, node.name, constant, constant_first=first), node.input[1 if first else 0]

    def _node(self, text: str) -> Any:
        return self._nodes.get(text.partition(":")[0])

    def _skip_identities(self, text: str) -> Any:
        node = self._node(text)
        while node is not None and node.op == "Identity":
            node = self._node(node.input[0])
        return node

    def _constant(self, text: str) -> np.ndarray | None:
        """The value of a constant of the body, or of one of the main graph that the loop was given."""
        node = self._node(text)
        while node is not None and node.op == "Identity":
            text = node.input[0]
            node = self._node(text)
        if node is not None:
            return read_constant(node) if node.op == "Const" else None
        name = text.partition(":")[0]
        if name not in self._arguments:
            return None
        return self._graph.constant(Tensor.parse(self._loop.input[self._arguments.index(name)]).node)

    def _unknown(self, node: Any, what: str) -> ConversionError:
        place = "" if node is None else f"node {node.name!r} ({node.op}) of "
        return ConversionError(
            what,
            where=f"{place}the body of {self._loop.name!r}",
            advice="Convert a model that the Object Detection API exported, with input_type image_tensor.",
            requirement="PRE-4",
        )
