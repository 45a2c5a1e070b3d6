"""Where the raw heads of an SSD lie in the original graph, by structure: what enters its Postprocessor.

The Postprocessor decodes boxes (two tensors of four columns are unstacked; what is exponentiated comes from the
encodings, the other are the anchors), scales and converts logits, and suppresses. Names inside changed from era to
era; this structure did not.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.observation.detections import Heads
from harness.reference.graph_view import LAYOUT_OPS, GraphView, node_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONVERTERS = frozenset({"Sigmoid", "Softmax", "Identity"})
_SLICES = frozenset({"Slice", "StridedSlice"})
_ARITHMETIC = frozenset({"Mul", "Sub", "Add", "AddV2", "RealDiv", "Div", "BiasAdd"})


@dataclasses.dataclass(frozen=True)
class Level:
    """What is reshaped of one feature map's heads, ``[N, h, w, A * 4]`` and ``[N, h, w, A * columns]``: tensors."""

    box_encodings: str
    class_predictions: str


@dataclasses.dataclass(frozen=True)
class SsdHeads:
    """Tensor names of an SSD's heads; what was not found is None.

    ``class_scores`` is behind the score converter, whose kind and logit scale are ``converter`` and ``logit_scale``.
    ``background`` says whether it has a background column; ``box_coder_scales`` are (y, x, h, w). ``levels`` are in
    the order in which the graph concatenates them. ``clips_first`` says that boxes are clipped to the image before
    they suppress each other, as exporters did until 2018, and not after. The thresholds are the graph's own.
    """

    box_encodings: str | None = None
    class_predictions: str | None = None
    class_scores: str | None = None
    anchors: str | None = None
    converter: str = ""
    logit_scale: float = 1.0
    background: bool = True
    box_coder_scales: tuple[float, float, float, float] | None = None
    levels: tuple[Level, ...] = ()
    clips_first: bool = False
    iou_threshold: float | None = None
    score_threshold: float | None = None

    def fetches(self) -> dict[str, str]:
        """The tensors to fetch, by the names that :meth:`read` expects."""
        found = {"box_encodings": self.box_encodings, "class_scores": self.class_scores, "anchors": self.anchors}
        return {key: name for key, name in found.items() if name is not None}

    def read(self, fetched: Mapping[str, np.ndarray]) -> Heads:
        """The heads from the fetched arrays; the batch is ``N`` of the box encodings."""
        boxes = fetched.get("box_encodings")
        scores = fetched.get("class_scores")
        anchors = fetched.get("anchors")
        if boxes is not None:
            boxes = boxes.reshape(boxes.shape[0], boxes.shape[1], -1, 4)
        if scores is not None:
            if scores.ndim == 2 and boxes is not None:  # flattened for an old Softmax
                scores = scores.reshape(boxes.shape[0], boxes.shape[1], -1)
            if not self.background:
                scores = np.concatenate([np.full((*scores.shape[:2], 1), np.nan, np.float32), scores], axis=2)
        if anchors is not None:
            anchors = anchors.reshape(-1, 4)
        variances = None
        if self.box_coder_scales is not None and anchors is not None:
            variances = np.tile(np.float32(1) / np.asarray(self.box_coder_scales, np.float32), (len(anchors), 1))
        return Heads(box_encodings=boxes, class_scores=scores, anchors=anchors, variances=variances)


def find_ssd_heads(graph_def: Any) -> SsdHeads | None:
    """The heads of the graph's SSD, or None when there is no ``Postprocessor`` that decodes boxes."""
    view = GraphView(graph_def)
    for scope in view.scopes("Postprocessor"):
        found = _Search(view, scope).heads()
        if found is not None:
            return found
    return None


class _Search:
    def __init__(self, view: GraphView, scope: str) -> None:
        self.view = view
        self.scope = scope
        # Suppression brings unstacks and slices of its own.
        self.nodes = [node for node in view.in_scope(scope) if "NonMaxSuppression" not in node.name]

    def inside(self, node: Any) -> bool:
        return bool(node.name.startswith(f"{self.scope}/"))

    def heads(self) -> SsdHeads | None:
        encodings = anchors = None
        scales = None
        for node in self.nodes:
            if node.op == "Unpack" and node.attr["num"].i == 4:
                source = self.entrance(node)
                if self.leads_to_exp(node):
                    encodings = encodings or source
                    scales = scales or self.coder_scales(node)
                else:
                    anchors = anchors or source
        if encodings is None:
            return None
        logits, converted, upstream_slice = self.scores(taken={encodings.name, *([anchors.name] if anchors else [])})
        kind, scale = "", 1.0
        if converted is not None:
            kind, scale = converted.op, self.logit_scale(converted)
        boxes = _levels(self.view, encodings)
        classes = _levels(self.view, logits) if logits is not None else []
        return SsdHeads(
            box_encodings=f"{encodings.name}:0",
            class_predictions=f"{logits.name}:0" if logits is not None else None,
            class_scores=f"{converted.name}:0" if converted is not None else None,
            anchors=f"{anchors.name}:0" if anchors is not None else None,
            converter=kind,
            logit_scale=scale,
            background=not upstream_slice and converted is not None and self.drops_background_later(converted),
            box_coder_scales=scales,
            levels=tuple(Level(*pair) for pair in zip(boxes, classes, strict=True))
            if len(boxes) == len(classes)
            else (),
            clips_first=self.clips_first(),
            iou_threshold=self.iou_threshold(),
            score_threshold=self.score_threshold(),
        )

    def entrance(self, node: Any) -> Any:
        """Where what the node works on comes into the scope (or a constant in it)."""
        return self.view.climb(
            self.view.inputs(node)[0], lambda one: self.inside(one) and one.op in LAYOUT_OPS and bool(one.input)
        )

    def leads_to_exp(self, node: Any) -> bool:
        return any(
            consumer.op == "Exp" or any(further.op == "Exp" for further in self.view.consumers(consumer))
            for consumer in self.view.consumers(node)
        )

    def coder_scales(self, node: Any) -> tuple[float, float, float, float] | None:
        """What each of the four unstacked columns is divided by (1 where it is used as it is)."""
        scales = [1.0, 1.0, 1.0, 1.0]
        for consumer in self.view.consumers(node):
            if consumer.op not in ("RealDiv", "Div", "Mul"):
                continue
            column = int([*consumer.input[0].split(":"), "0"][1])
            constant = self.view.constant(self.view.inputs(consumer)[1])
            if constant is not None and node_name(consumer.input[0]) == node.name:
                value = float(constant)
                scales[column] = 1.0 / value if consumer.op == "Mul" else value
        return (scales[0], scales[1], scales[2], scales[3])

    def scores(self, taken: set[str]) -> tuple[Any | None, Any | None, bool]:
        """The logits where they enter the scope, the converted scores, and whether a slice came between."""
        for node in self.nodes:
            if node.op not in ("Sigmoid", "Softmax") and not (node.op == "Identity" and self.is_scaled(node)):
                continue
            sliced = False

            def through(one: Any) -> bool:
                nonlocal sliced
                if not self.inside(one) or not one.input:
                    return False
                if one.op in _SLICES:
                    sliced = True
                    return True
                return one.op in LAYOUT_OPS or one.op in _CONVERTERS or one.op in _ARITHMETIC

            source = self.view.climb(node, through)
            if not self.inside(source) and source.name not in taken:
                return source, node, sliced
        return None, None, False

    def is_scaled(self, node: Any) -> bool:
        above = self.view.inputs(node)
        return bool(above) and self.inside(above[0]) and self.scale_of(above[0]) is not None

    def logit_scale(self, converted: Any) -> float:
        scaled = self.view.climb(self.view.inputs(converted)[0], lambda one: self.inside(one) and one.op in LAYOUT_OPS)
        scale = self.scale_of(scaled) if self.inside(scaled) else None
        return 1.0 if scale is None else scale

    def scale_of(self, node: Any) -> float | None:
        """The scalar constant that the node divides by, if it does."""
        if node.op not in ("RealDiv", "Div", "Mul"):
            return None
        constants = [self.view.constant(one) for one in self.view.inputs(node)]
        found = [value for value in constants if value is not None and value.size == 1]
        if len(found) != 1:
            return None
        return 1.0 / float(found[0]) if node.op == "Mul" else float(found[0])

    def suppressions(self) -> list[Any]:
        return [node for node in self.view.in_scope(self.scope) if node.op.startswith("NonMaxSuppression")]

    def clips_first(self) -> bool:
        """Whether the boxes that come to the suppression were clipped."""
        passed: set[str] = set()

        def through(one: Any) -> bool:
            passed.add(one.op)
            return bool(one.input) and not one.op.startswith("TensorArray")

        for node in self.suppressions()[:1]:
            self.view.climb(self.view.inputs(node)[0], through)
        return bool(passed & {"Minimum", "Maximum"})

    def iou_threshold(self) -> float | None:
        for node in self.suppressions()[:1]:
            if node.op == "NonMaxSuppression":
                return float(node.attr["iou_threshold"].f)
            value = self.view.constant(self.view.inputs(node)[3])
            return None if value is None else float(value)
        return None

    def score_threshold(self) -> float | None:
        """What scores are compared with before the suppression or in it; 0, which areas are compared with too, is
        not told from that, and then None.
        """
        found = set()
        for node in self.suppressions()[:1]:
            inputs = self.view.inputs(node)
            value = self.view.constant(inputs[4]) if len(inputs) > 4 else None
            if value is not None and np.isfinite(value):
                found.add(float(value))
        for node in self.view.in_scope(self.scope):
            if node.op == "Greater" and "NonMaxSuppression" in node.name:
                value = self.view.constant(self.view.inputs(node)[1])
                if value is not None and value.size == 1 and value.dtype == np.float32:
                    found.add(float(value))
        found.discard(0.0)
        return found.pop() if len(found) == 1 else None

    def drops_background_later(self, converted: Any) -> bool:
        """Whether a slice behind the scores leaves out the first column."""
        pending, seen = [converted], set()
        while pending:
            node = pending.pop()
            if node.name in seen:
                continue
            seen.add(node.name)
            for consumer in self.view.consumers(node):
                if not self.inside(consumer):
                    continue
                if consumer.op in _SLICES:
                    begin = self.view.constant(self.view.inputs(consumer)[1])
                    if begin is not None and begin.size == 3 and int(begin[-1]) == 1:
                        return True
                elif consumer.op in LAYOUT_OPS:
                    pending.append(consumer)
        return False


def _levels(view: GraphView, joined: Any) -> list[str]:
    """What is reshaped for each feature map, in the order of concatenation, by tensor name."""
    joined = view.climb(joined, lambda one: one.op in ("Squeeze", "Identity"))
    parts = [joined]
    if joined.op in ("ConcatV2", "Concat"):
        inputs = view.inputs(joined)
        parts = inputs[:-1] if joined.op == "ConcatV2" else inputs[1:]
    found = []
    for part in parts:
        reshape = view.climb(part, lambda one: one.op in ("Squeeze", "Identity"))
        if reshape.op != "Reshape":
            return []
        source = reshape.input[0]
        while view.nodes[node_name(source)].op in ("Reshape", "Identity"):  # spread over anchors first
            source = view.nodes[node_name(source)].input[0]
        found.append(source if ":" in source else f"{source}:0")
    return found
