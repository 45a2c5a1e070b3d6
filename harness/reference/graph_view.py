"""Looking around in a GraphDef: who feeds whom, and which scope a node lies in. Needs no TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Operations that hand their first data input on, only differently laid out.
LAYOUT_OPS = frozenset(
    {"Identity", "Reshape", "Transpose", "Tile", "ExpandDims", "Squeeze", "Snapshot", "StopGradient"}
)


class GraphView:
    """A GraphDef with its edges in both directions. Tensors are named ``node`` or ``node:1``, as inputs name them."""

    def __init__(self, graph_def: Any) -> None:
        self.nodes: dict[str, Any] = {node.name: node for node in graph_def.node}
        self._consumers: dict[str, list[Any]] = {}
        for node in graph_def.node:
            for name in node.input:
                if not name.startswith("^"):
                    self._consumers.setdefault(node_name(name), []).append(node)

    def inputs(self, node: Any) -> list[Any]:
        """The nodes of the data inputs, in order."""
        return [self.nodes[node_name(name)] for name in node.input if not name.startswith("^")]

    def consumers(self, node: Any) -> list[Any]:
        """The nodes that use any output of the node, in the graph's order."""
        return self._consumers.get(node.name, [])

    def in_scope(self, scope: str) -> Iterator[Any]:
        """The nodes whose names begin with ``scope/``."""
        return (node for name, node in self.nodes.items() if name.startswith(f"{scope}/"))

    def scopes(self, last: str) -> list[str]:
        """The scopes whose last part is ``last``: ``Postprocessor``, ``StatefulPartitionedCall/Postprocessor``."""
        found: dict[str, None] = {}
        for name in self.nodes:
            parts = name.split("/")
            if last in parts[:-1]:
                found["/".join(parts[: parts.index(last) + 1])] = None
        return list(found)

    def constant(self, node: Any) -> Any | None:
        """The value of a Const, also through Identity and Enter; None when it is no constant."""
        while node.op in ("Identity", "Enter") and node.input:
            node = self.nodes[node_name(node.input[0])]
        if node.op != "Const":
            return None
        import numpy as np
        from tensorboard.compat.tensorflow_stub import dtypes
        from tensorboard.util.tensor_util import make_ndarray

        tensor = node.attr["value"].tensor
        if not tensor.tensor_content and not _has_values(tensor):
            # TensorFlow's optimiser leaves the values of a constant of zeros out.
            shape = [dimension.size for dimension in tensor.tensor_shape.dim]
            return np.zeros(shape, dtypes.as_dtype(tensor.dtype).as_numpy_dtype)
        return make_ndarray(tensor)

    def data_input(self, node: Any) -> Any | None:
        """Of an elementwise operation with a constant: the input that is no constant; else the first one, if any."""
        inputs = self.inputs(node)
        if len(inputs) == 2 and node.op not in LAYOUT_OPS:
            moving = [one for one in inputs if self.constant(one) is None]
            if len(moving) == 1:
                return moving[0]
        return inputs[0] if inputs else None

    def climb(self, node: Any, through: Callable[[Any], bool]) -> Any:
        """The first node upwards, along data inputs, that is not to be passed through; ``node`` itself, perhaps."""
        while through(node):
            above = self.data_input(node)
            if above is None:
                break
            node = above
        return node


def _has_values(tensor: Any) -> bool:
    return any(field.name.endswith("_val") for field, _ in tensor.ListFields())


def node_name(tensor: str) -> str:
    """The node of a tensor's (or control input's) name."""
    return tensor.removeprefix("^").split(":", maxsplit=1)[0]
