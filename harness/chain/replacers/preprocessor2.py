"""Cuts the resizing out of the TF2 exporters' preprocessing; what normalises the image stays (PRE-1 to PRE-5)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from harness.chain.consistency import check_resizer, check_size
from harness.chain.graph import Tensor
from harness.chain.match import Match, in_scope, scopes_named
from harness.chain.preprocessing.loop_body import LOOPS, ImagePath, LoopBody
from harness.chain.preprocessing.model_input import fix_input, require_input_name, true_image_shapes
from harness.chain.replacer import Replacer
from harness.errors import ConfigurationError, ConversionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.chain.context import ConversionContext
    from harness.chain.graph import Graph, Node

_FLOAT, _INT32, _UINT8 = 1, 3, 4
_MOVES = frozenset({"Identity", "StopGradient", "Cast"})


@dataclasses.dataclass(frozen=True)
class _Form:
    """One way in which preprocessing is written: its first and last nodes, and the image in front of it.

    ``images`` and ``shapes`` are the tensors that leave it; ``loop`` is the While node where there is one.
    """

    scope: str
    start: str
    placeholder: str
    images: Tensor
    shapes: Tensor | None
    loop: str = ""

    @property
    def ends(self) -> tuple[str, ...]:
        return (self.images.node,) if self.shapes is None else (self.images.node, self.shapes.node)


class Preprocessor2Replacement(Replacer):
    """Two forms are known. API 2.0 takes the batch apart and puts it together again in the main graph
    (``Preprocessor/unstack`` to ``Preprocessor/stack``); from 2.4 on a loop in function form does all of it
    (``map/TensorArrayUnstack/TensorListFromTensor`` to ``map/TensorArrayV2Stack/TensorListStack``).
    """

    replacement_id: ClassVar[str] = "ObjectDetectionAPIPreprocessor2Replacement"
    run_after: ClassVar[tuple[str, ...]] = (
        "ObjectDetectionAPIOutputReplacement",
        "ObjectDetectionAPIPreprocessorReplacement",
    )

    def find(self, context: ConversionContext) -> list[Match]:
        if context.image is not None:
            return []
        forms = _forms(context.graph)
        return [Match(nodes=_nodes(context.graph, form), scope=form.scope) for form in forms[:1]]

    def misfit(self, graph: Graph, match: Match) -> str | None:
        start, ends = _named(match)
        lacking = [name for name in (start, ends[0]) if name not in graph]
        if lacking:
            return f"The graph has no node {lacking[0]!r}, where the configuration's preprocessing starts or ends."
        forms = _forms(graph)
        if not any(form.start == start and ends[0] in form.ends for form in forms):
            seen = forms[0].start if forms else "nowhere"
            return f"No preprocessing starts at {start!r} and ends at {ends[0]!r}; it starts at {seen!r}."
        return None

    def replace(self, context: ConversionContext, match: Match) -> None:
        graph = context.graph
        forms = _forms(graph)
        if match.custom_attributes:
            start, _ = _named(match)
            forms = [form for form in forms if form.start == start]
        if not forms:
            raise ConversionError(
                "The preprocessing that the configuration names was not found.",
                where=str(dict(match.custom_attributes)),
                advice="Name the configuration of the API version that exported the model, or none to have it found.",
                requirement="CFG-6",
            )
        form = forms[0]
        placeholder = graph[form.placeholder]
        require_input_name(placeholder, form.scope)
        config = context.pipeline(self.replacement_id)
        path: ImagePath | None = None
        if form.loop:
            path = LoopBody(graph, graph[form.loop]).image_path(_loop_result(graph, form.images.node))
            if path.size is not None:
                check_size(config, path.size, f"{form.loop}, {path.resize}")
        else:
            check_resizer(graph, Match(nodes=_nodes(graph, form)), config)
        shape = fix_input(context, placeholder, config)
        context.image = self._image(graph, form, path, placeholder)
        graph.redirect(form.images, context.image)
        if form.shapes is not None:
            true_image_shapes(context, graph, form.shapes, form.scope, shape[3])
        context.note(
            f"Cut the resizing {'loop ' if form.loop else ''}of {form.scope or 'the main graph'!r}; input "
            f"{placeholder.name!r} is {list(shape)}."
        )

    def _image(self, graph: Graph, form: _Form, path: ImagePath | None, placeholder: Node) -> Tensor:
        """The image as the loop or block would have given it, at the model's own size."""
        if path is None:
            return graph.inputs(form.start)[0]
        image = Tensor(placeholder.name)
        kind = placeholder.attr["dtype"].type
        if kind != _FLOAT:
            cast = graph.add("Cast", f"{form.scope}Preprocessor/Cast", [image], {})
            cast.attr["SrcT"].type, cast.attr["DstT"].type = kind, _FLOAT
            image = Tensor(cast.name)
        for step in path.steps:
            name = f"{form.scope}Preprocessor/{step.name.rpartition('/')[2]}"
            constant = Tensor(graph.add_constant(f"{name}/{'x' if step.constant_first else 'y'}", step.constant).name)
            node = graph.add(step.op, name, [constant, image] if step.constant_first else [image, constant], {})
            node.attr["T"].type = _FLOAT
            image = Tensor(node.name)
        return image


def _named(match: Match) -> tuple[str, Sequence[str]]:
    """The configuration's first start node, and its end nodes."""
    values = []
    for key in ("start_nodes", "end_nodes"):
        listed = match.custom_attributes.get(key)
        if not isinstance(listed, list) or not listed or not all(isinstance(name, str) for name in listed):
            raise ConfigurationError(
                f"The key 'custom_attributes.{key}' has to be a list of node names.",
                where=Preprocessor2Replacement.replacement_id,
                requirement="CFG-7",
            )
        values.append(listed)
    return values[0][0], values[1]


def _forms(graph: Graph) -> list[_Form]:
    return [*_loops(graph), *_unrolled(graph)]


def _loops(graph: Graph) -> list[_Form]:
    """Loops over the images that a placeholder feeds."""
    found = []
    for node in graph:
        if node.op != "TensorListFromTensor":
            continue
        placeholder = _placeholder(graph, graph.inputs(node.name)[0])
        loops = [reader.name for reader, _ in graph.consumers(node.name) if reader.op in LOOPS]
        if placeholder is None or len(loops) != 1:
            continue
        stacks = [graph[name] for name in _behind(graph, loops[0]) if graph[name].op == "TensorListStack"]
        images = [stack for stack in stacks if stack.attr["element_dtype"].type == _FLOAT]
        shapes = [stack for stack in stacks if stack.attr["element_dtype"].type == _INT32]
        if len(images) != 1 or len(shapes) > 1:
            raise ConversionError(
                f"The loop over the images gives {len(images)} float and {len(shapes)} integer results; "
                "one of images and at most one of shapes are expected.",
                where=f"node {loops[0]!r}",
                advice="Convert a graph that the Object Detection API exported.",
                requirement="PRE-4",
            )
        scope = node.name.rpartition("map/TensorArrayUnstack/")[0]
        found.append(
            _Form(
                scope,
                node.name,
                placeholder,
                Tensor(images[0].name),
                Tensor(shapes[0].name) if shapes else None,
                loops[0],
            )
        )
    return found


def _unrolled(graph: Graph) -> list[_Form]:
    """Batches of a known number of images, taken apart and put together in a scope ``Preprocessor``."""
    found = []
    for scope in scopes_named(graph, "Preprocessor"):
        nodes = in_scope(graph, scope)
        for name in sorted(nodes):
            node = graph[name]
            if node.op != "Unpack" or node.attr["T"].type != _FLOAT or node.attr["axis"].i != 0:
                continue
            placeholder = _placeholder(graph, graph.inputs(name)[0])
            if placeholder is None:
                continue
            count = node.attr["num"].i
            ends = [graph[one] for one in sorted(nodes) if graph[one].op == "Pack" and len(graph[one].input) == count]
            behind = graph.descendants([name], within=set(nodes))
            ends = [end for end in ends if end.name.startswith(scope) and "/" not in end.name[len(scope) :]]
            images = [end for end in ends if end.attr["T"].type == _FLOAT and end.name in behind]
            shapes = [end for end in ends if end.attr["T"].type == _INT32]
            if len(images) == 1:
                shape = Tensor(shapes[0].name) if len(shapes) == 1 else None
                found.append(_Form(scope, name, placeholder, Tensor(images[0].name), shape))
    return found


def _placeholder(graph: Graph, tensor: Tensor) -> str | None:
    """The placeholder that a tensor is, but for casts."""
    node = graph[tensor.node]
    while node.op in _MOVES:
        node = graph.input_node(node.name)
    return str(node.name) if node.op == "Placeholder" else None


def _behind(graph: Graph, loop: str) -> list[str]:
    """What reads the loop's results: stacks, and what only passes their lists on."""
    found, queue = [], [loop]
    while queue:
        for reader, _ in graph.consumers(queue.pop()):
            if reader.op in _MOVES:
                queue.append(reader.name)
            else:
                found.append(reader.name)
    return found


def _loop_result(graph: Graph, stack: str) -> int:
    """Which of the loop's results a stack reads."""
    tensor = graph.inputs(stack)[0]
    while graph[tensor.node].op in _MOVES:
        tensor = graph.inputs(tensor.node)[0]
    return tensor.port


def _nodes(graph: Graph, form: _Form) -> frozenset[str]:
    return frozenset(graph.ancestors(form.ends, stop=[form.start]))
