"""Where the resized pixels and the preprocessed image lie in the original graph, by structure."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.reference.graph_view import GraphView

_ARRAYS = frozenset({"TensorArrayGatherV3", "TensorArrayGatherV2", "TensorArrayGather", "TensorListStack"})
_NORMALISING = frozenset({"Mul", "Sub", "Add", "AddV2", "RealDiv", "Div", "Identity", "Cast"})
_PACKS = frozenset({"Pack"})
_FLOAT, _INT32 = 1, 3
_CONVOLUTIONS = frozenset({"Conv2D", "DepthwiseConv2dNative"})
_ON_THE_WAY = frozenset(
    {"Pad", "PadV2", "Identity", "FakeQuantWithMinMaxVars", "SpaceToBatchND", "Transpose", "Mul", "Sub", "RealDiv"}
)


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """Tensor names: ``resized`` pixels as floats, before mean and scale; the ``image`` that the network takes; and the
    images' ``sizes`` int32 ``[N, 3]`` behind the resizer.

    ``looped`` says that all of it happens in the function of a loop, out of which only image and sizes come.
    """

    resized: str | None = None
    image: str | None = None
    sizes: str | None = None
    looped: bool = False

    def fetches(self) -> dict[str, str]:
        """The tensors by their roles."""
        found = {"resized": self.resized, "image": self.image, "sizes": self.sizes}
        return {role: name for role, name in found.items() if name is not None}


def find_preprocessing(graph_def: Any) -> Preprocessing:
    """What leaves the ``Preprocessor`` towards the first convolution, and the resizer's output behind it."""
    view = GraphView(graph_def)
    for scope in view.scopes("Preprocessor"):
        for node in view.in_scope(scope):
            if node.op in _ARRAYS | _NORMALISING and _is_convolved(view, node, scope):
                resized = view.climb(node, lambda one: one.op in _NORMALISING)
                pixels = f"{resized.name}:0" if resized.op in _ARRAYS | _PACKS else None
                return Preprocessing(pixels, f"{node.name}:0", _sizes(view, scope))
    return _looped(view)


def _looped(view: GraphView) -> Preprocessing:
    """The results of a loop in function form over the images, whose body holds the ``Preprocessor``."""
    stacks = [node for node in view.nodes.values() if node.op == "TensorListStack"]
    for node in stacks:
        if node.attr["element_dtype"].type == _FLOAT and _is_convolved(view, node, node.name):
            sources = {one.name for one in view.inputs(node)}
            beside = [
                one.name
                for one in stacks
                if one.attr["element_dtype"].type == _INT32 and sources & {source.name for source in view.inputs(one)}
            ]
            sizes = f"{beside[0]}:0" if len(beside) == 1 else None
            return Preprocessing(None, f"{node.name}:0", sizes, looped=True)
    return Preprocessing()


def _sizes(view: GraphView, scope: str) -> str | None:
    for node in view.in_scope(scope):
        if node.op in _ARRAYS and any(node.attr[key].type == _INT32 for key in ("dtype", "element_dtype")):
            return f"{node.name}:0"
    own = [node for node in view.in_scope(scope) if "/" not in node.name.removeprefix(f"{scope}/")]
    packed = [node for node in own if node.op in _PACKS and node.attr["T"].type == _INT32]
    return f"{packed[0].name}:0" if len(packed) == 1 else None


def _is_convolved(view: GraphView, node: Any, scope: str) -> bool:
    """Whether a convolution reads the node, directly or over padding and the like, without the scope in between."""
    pending, seen = [node], set()
    while pending:
        for consumer in view.consumers(pending.pop()):
            if consumer.name.startswith(f"{scope}/") or consumer.name in seen:
                continue
            seen.add(consumer.name)
            if consumer.op in _CONVOLUTIONS:
                return True
            if consumer.op in _ON_THE_WAY:
                pending.append(consumer)
    return False
