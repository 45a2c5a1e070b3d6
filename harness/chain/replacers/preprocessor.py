"""Cuts the resizing loop out of the Preprocessor block; mean subtraction and scaling stay (PRE-1 to PRE-5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.chain.consistency import check_resizer
from harness.chain.graph import Tensor
from harness.chain.match import Match, entering, in_scope, leaving, scopes_named
from harness.chain.preprocessing.model_input import fix_input, require_input_name, true_image_shapes
from harness.chain.replacer import Replacer
from harness.errors import ConversionError

if TYPE_CHECKING:
    from harness.chain.context import ConversionContext
    from harness.chain.graph import Graph, Node

_LOOP_RESULTS = ("TensorArrayGatherV3", "TensorArrayGatherV2", "TensorArrayGather", "TensorListStack")
_ARITHMETIC = ("Sub", "Mul")
_FLOAT, _INT32 = 1, 3


class PreprocessorReplacement(Replacer):
    """The block resizes each image in a loop and then shifts and scales all of them; only the latter stays.

    What the loop gave as true image shapes becomes the constant that pipeline.config and the input shape imply (PRE-3).
    """

    replacement_id: ClassVar[str] = "ObjectDetectionAPIPreprocessorReplacement"

    def find(self, context: ConversionContext) -> list[Match]:
        found = []
        for scope in scopes_named(context.graph, "Preprocessor"):
            nodes = in_scope(context.graph, scope)
            if any(context.graph[name].op in _LOOP_RESULTS for name in nodes):
                found.append(Match(nodes=nodes, scope=scope))
        return found

    def replace(self, context: ConversionContext, match: Match) -> None:
        graph = context.graph
        placeholder, cast = _model_input(graph, match)
        images, shapes = _loop_results(graph, match)
        _require_arithmetic(graph, match, images)

        config = context.pipeline(self.replacement_id)
        check_resizer(graph, match, config)
        shape = fix_input(context, placeholder, config)

        graph.redirect(Tensor(images.name), Tensor(cast.name))
        if shapes is not None:
            true_image_shapes(context, graph, Tensor(shapes.name), match.scope, shape[3])
        context.image = Tensor(cast.name)
        context.note(
            f"Cut the resizing loop of {match.scope[:-1]!r}; input {placeholder.name!r} is "
            f"[{','.join(map(str, shape))}]."
        )


def _model_input(graph: Graph, match: Match) -> tuple[Node, Node]:
    """The placeholder behind the block and the Cast between them, or the error that fits (PRE-4)."""
    sources = [tensor for tensor in entering(graph, match.nodes) if graph[tensor.node].op != "Const"]
    placeholders = [
        graph[name] for name in graph.ancestors(tensor.node for tensor in sources) if graph[name].op == "Placeholder"
    ]
    if not placeholders:
        raise ConversionError(
            "Nothing that the caller feeds reaches the Preprocessor block.",
            where=f"scope {match.scope!r}",
            advice="Convert the graph as the Object Detection API exported it, with its image input.",
            requirement="PRE-4",
        )
    placeholder = placeholders[0]
    require_input_name(placeholder, match.scope)
    casts = [graph[tensor.node] for tensor in sources if graph[tensor.node].op == "Cast"]
    behind = [cast for cast in casts if graph.input_node(cast.name).name == placeholder.name]
    if not behind:
        followers = ", ".join(f"{node.name} ({node.op})" for node, _ in graph.consumers(placeholder.name)) or "nothing"
        raise ConversionError(
            f"The input {placeholder.name!r} is not followed by a Cast in front of the Preprocessor block.",
            where=f"node {placeholder.name!r}, read by {followers}",
            advice="Export with input_type image_tensor, which feeds uint8 images.",
            requirement="PRE-4",
        )
    return placeholder, behind[0]


def _loop_results(graph: Graph, match: Match) -> tuple[Node, Node | None]:
    """What the resizing loop gives: the images, and their true shapes."""
    results = [graph[name] for name in sorted(match.nodes) if graph[name].op in _LOOP_RESULTS]
    images = [node for node in results if _element_type(node) == _FLOAT]
    shapes = [node for node in results if _element_type(node) == _INT32]
    if len(images) != 1 or len(shapes) > 1:
        raise ConversionError(
            f"The Preprocessor block's loop gives {len(images)} float and {len(shapes)} integer results; "
            "one of images and at most one of shapes are expected.",
            where=f"scope {match.scope!r}: " + ", ".join(node.name for node in results),
            advice="Convert a graph that the Object Detection API exported.",
            requirement="PRE-4",
        )
    return images[0], shapes[0] if shapes else None


def _element_type(node: Node) -> int:
    return int(node.attr["dtype"].type or node.attr["element_dtype"].type)


def _require_arithmetic(graph: Graph, match: Match, images: Node) -> None:
    """The images have to leave the block through the Sub or Mul that shifts and scales them (PRE-4)."""
    behind = graph.descendants([images.name], within=set(match.nodes))
    ends = [graph[tensor.node] for tensor in leaving(graph, match.nodes) if tensor.node in behind]
    wrong = [node for node in ends if node.op not in _ARITHMETIC]
    if wrong or not ends:
        named = ", ".join(f"{node.name} ({node.op})" for node in wrong) or "nothing"
        raise ConversionError(
            "The output of the Preprocessor block is neither Sub nor Mul.",
            where=f"scope {match.scope!r}: {named}",
            advice="Convert a graph that the Object Detection API exported.",
            requirement="PRE-4",
        )
