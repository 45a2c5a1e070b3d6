"""Where the raw heads of a two-stage detector lie in the original graph, by structure. Needs no TensorFlow.

What holds from 2018 to 2020, whatever the names: one suppression in front of all crops, of the proposals; crops cut
along the proposals; and a suppression for each class behind the crops. Boxes are decoded in front of both: four
columns are unstacked, and what is exponentiated comes from the encodings and multiplies the anchors' sides. Box
coordinates are pixels in the decoders, and parts of the image in the crops.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.observation.detections import Heads
from harness.observation.two_stage import TwoStageHeads, true_number
from harness.reference.graph_view import GraphView, node_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_CROP = "CropAndResize"
_CONVERTERS = frozenset({"Softmax", "Sigmoid"})
_UNCHANGED = frozenset({"Identity", "StopGradient"})
_READS = ("TensorArrayReadV3", "TensorArrayReadV2", "TensorArrayRead")
_GATHERS = ("TensorArrayGatherV3", "TensorArrayGatherV2", "TensorArrayGather")
_PREFIX = "two stages "


@dataclasses.dataclass(frozen=True)
class Decoder:
    """The four columns of encodings and of anchors before they are unstacked along ``axis``, by tensor name.

    ``scales`` are the box coder's (y, x, h, w).
    """

    encodings: str
    anchors: str
    axis: int
    scales: tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class TwoStageTensors:
    """Tensor names of a two-stage detector's heads.

    ``proposals`` ``[N, K, 4]`` is what crops are cut along; ``kept`` are all results of the first suppression that
    loops over the images collect: boxes, scores, classes, numbers, told apart by their shapes.
    """

    proposals: str
    kept: tuple[str, ...]
    first: Decoder | None
    second: Decoder | None
    first_scores: str | None
    second_scores: str | None

    def fetches(self) -> dict[str, str]:
        """The tensors to fetch, by the names that :meth:`read` expects."""
        found = {"proposals": self.proposals, "first scores": self.first_scores, "second scores": self.second_scores}
        found |= {f"kept {index}": name for index, name in enumerate(self.kept)}
        for stage, decoder in (("first", self.first), ("second", self.second)):
            if decoder is not None:
                found[f"{stage} encodings"] = decoder.encodings
        if self.first is not None:
            found["first anchors"] = self.first.anchors
        return {_PREFIX + key: name for key, name in found.items() if name is not None}

    def read(self, fetched: Mapping[str, np.ndarray], size: tuple[int, int]) -> TwoStageHeads:
        """The heads from the fetched arrays; ``size`` is the height and width of the preprocessed image."""
        given = {key.removeprefix(_PREFIX): value for key, value in fetched.items() if key.startswith(_PREFIX)}
        proposals = given["proposals"]
        batch, count = proposals.shape[:2]
        scores, number = _kept(given, batch, count)
        second_encodings = _columns(given.get("second encodings"), self.second)
        second_scores = given.get("second scores")
        return TwoStageHeads(
            first=self._first(given, batch, size),
            proposals=proposals,
            proposal_scores=scores,
            num_proposals=true_number(proposals) if number is None else number,
            box_encodings=None if second_encodings is None else second_encodings.reshape(batch, count, -1, 4),
            class_scores=None if second_scores is None else second_scores.reshape(batch, count, -1),
            variances=None if self.second is None else _variances(self.second),
        )

    def _first(self, given: Mapping[str, np.ndarray], batch: int, size: tuple[int, int]) -> Heads:
        if self.first is None:
            return Heads()
        encodings = _columns(given.get("first encodings"), self.first)
        anchors = _columns(given.get("first anchors"), self.first)
        scores = given.get("first scores")
        assert encodings is not None
        assert anchors is not None
        # Boxes are decoded for all images at once, and the anchors repeated for it, or not.
        anchors = anchors.reshape(-1, len(encodings) // batch, 4)[0] / np.array([*size, *size], np.float32)
        return Heads(
            box_encodings=encodings.reshape(batch, -1, 1, 4),
            class_scores=None if scores is None else scores.reshape(batch, -1, 2),
            anchors=anchors,
            variances=np.tile(_variances(self.first), (len(anchors), 1)),
        )


def find_two_stage(graph_def: Any) -> TwoStageTensors | None:
    """The heads of the graph's two stages; None where there are no crops between suppressions."""
    view = GraphView(graph_def)
    crops = [node for node in view.nodes.values() if node.op == _CROP]
    if not crops:
        return None
    behind_crops = _reachable(crops, view.consumers)
    suppressions = [node for node in view.nodes.values() if node.op.startswith("NonMaxSuppression")]
    first = [node for node in suppressions if node.name not in behind_crops]
    second = [node for node in suppressions if node.name in behind_crops]
    if not first or not second:
        return None
    behind_second = _reachable(second, view.consumers)
    boxes = [_boxes_of(view, crop) for crop in crops if crop.name not in behind_second]
    proposals = next((name for name in boxes if name is not None), None)
    if proposals is None:
        return None
    before_second = _reachable(second, view.inputs)
    return TwoStageTensors(
        proposals=proposals,
        kept=tuple(_gathered(view, first)),
        first=_decoder(view, _reachable(first, view.inputs) - behind_crops),
        second=_decoder(view, before_second & behind_crops),
        first_scores=_scores(view, first, lambda node: node.name not in behind_crops),
        second_scores=_scores(view, second, lambda node: node.name in behind_crops),
    )


def _reachable(start: Iterable[Any], following: Callable[[Any], list[Any]]) -> set[str]:
    """The names of all nodes that lie beyond these, step by step; they themselves only when a step leads back."""
    pending, seen = list(start), set()
    while pending:
        for node in following(pending.pop()):
            if node.name not in seen:
                seen.add(node.name)
                pending.append(node)
    return seen


def _boxes_of(view: GraphView, crop: Any) -> str | None:
    """The ``[N, K, 4]`` boxes that a crop is cut along: flattened by a Reshape, or read image by image in a loop."""
    pending, seen = [view.inputs(crop)[1]], set()
    while pending:
        node = pending.pop(0)
        if node.name in seen:
            continue
        seen.add(node.name)
        if node.op == "Reshape":
            return _unchanged(view, node.input[0])
        if node.op in _READS:
            scatter = view.climb(view.nodes[node_name(node.input[2])], lambda one: one.op in _UNCHANGED | {"Enter"})
            if scatter.op.startswith("TensorArrayScatter"):
                return _unchanged(view, scatter.input[2])
            continue
        pending += view.inputs(node)
    return None


def _unchanged(view: GraphView, tensor: str) -> str:
    while view.nodes[node_name(tensor)].op in _UNCHANGED:
        tensor = view.nodes[node_name(tensor)].input[0]
    return tensor if ":" in tensor else f"{tensor}:0"


def _gathered(view: GraphView, suppressions: list[Any]) -> list[str]:
    """What a loop over the images collects of what depends on its suppression."""
    pending, seen, found = list(suppressions), set(), []
    while pending:
        for node in view.consumers(pending.pop()):
            if node.name in seen:
                continue
            seen.add(node.name)
            if node.op in _GATHERS or _puts_images_together(node):
                found.append(f"{node.name}:0")
            else:
                pending.append(node)
    return sorted(found)


def _puts_images_together(node: Any) -> bool:
    """Whether it stacks the images' results, where exporters knew their number and wrote no loop."""
    scope = node.name.rpartition("/")[0].rpartition("/")[2]
    return bool(node.op == "Pack" and node.attr["axis"].i == 0 and scope.startswith("BatchMultiClassNonMaxSuppression"))


def _decoder(view: GraphView, among: set[str]) -> Decoder | None:
    """The decoding of boxes among these nodes."""
    for name in sorted(among):
        node = view.nodes[name]
        if node.op != "Unpack" or node.attr["num"].i != 4:
            continue
        for exponential in _exponentials(view, node):
            anchors = _anchors(view, exponential)
            if anchors is not None:
                return Decoder(
                    _tensor(node.input[0]), _tensor(anchors.input[0]), int(node.attr["axis"].i), _scales(view, node)
                )
    return None


def _exponentials(view: GraphView, unpack: Any) -> list[Any]:
    steps = view.consumers(unpack)
    return [node for one in steps for node in (one, *view.consumers(one)) if node.op == "Exp"]


def _anchors(view: GraphView, exponential: Any) -> Any | None:
    """The unstacked anchors whose side an exponential multiplies."""
    for product in view.consumers(exponential):
        for side in view.inputs(product):
            if side.op == "Sub":
                source = view.inputs(side)[0]
                if source.op == "Unpack":
                    return source
    return None


def _scales(view: GraphView, unpack: Any) -> tuple[float, float, float, float]:
    """What each of the four columns is divided by; 1 where it is used as it is."""
    scales = [1.0, 1.0, 1.0, 1.0]
    for consumer in view.consumers(unpack):
        name, _, column = consumer.input[0].partition(":")
        if consumer.op in ("RealDiv", "Div", "Mul") and name == unpack.name:
            constant = view.constant(view.inputs(consumer)[1])
            if constant is not None and constant.size == 1:
                value = float(constant)
                scales[int(column or 0)] = 1.0 / value if consumer.op == "Mul" else value
    return scales[0], scales[1], scales[2], scales[3]


def _scores(view: GraphView, suppressions: list[Any], accepted: Callable[[Any], bool]) -> str | None:
    """The converted scores nearest in front of suppressions."""
    pending, seen = list(suppressions), set()
    while pending:
        for node in view.inputs(pending.pop(0)):
            if node.name in seen:
                continue
            seen.add(node.name)
            if node.op in _CONVERTERS and accepted(node):
                return f"{node.name}:0"
            pending.append(node)
    return None


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def _columns(value: np.ndarray | None, decoder: Decoder | None) -> np.ndarray | None:
    if value is None or decoder is None:
        return None
    return np.ascontiguousarray(np.moveaxis(value, decoder.axis, -1).reshape(-1, 4))


def _variances(decoder: Decoder) -> np.ndarray:
    found: np.ndarray = np.float32(1) / np.asarray(decoder.scales, np.float32)
    return found


def _kept(given: Mapping[str, np.ndarray], batch: int, count: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Scores ``[N, K]`` and numbers ``[N]`` among what the first suppression leaves; None what is not among it."""
    scores = number = None
    for key in sorted(key for key in given if key.startswith("kept ")):
        value = given[key]
        if value.shape == (batch,) and np.issubdtype(value.dtype, np.integer):
            number = value.astype(np.int64)
        # Classes are of the same shape, and all are class 0.
        if value.shape == (batch, count) and value.dtype == np.float32 and value.any() and value.max() <= 1.0:
            scores = value if scores is None else scores
    return scores, number
