"""Where the two stages of a detector lie in an IR, and their heads in TensorFlow's conventions.

What any converter's IR has in common: proposals feed ROIPooling or PSROIPooling as rows (image, xmin, ymin, xmax,
ymax), and a DetectionOutput behind that picks the detections. Everything is read by extracting what feeds an operation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.observation.detections import Heads
from harness.observation.heads import heads_from_detection_output
from harness.observation.ir_graph import IrGraph, Operation
from harness.observation.two_stage import TwoStageHeads, true_number
from harness.observation.violations import LayoutError
from harness.runtime.facts import IRFacts, OpFacts

POOLINGS = ("ROIPooling", "PSROIPooling")
REGIONS = 1
LOCATIONS, CONFIDENCES, PRIORS = 0, 1, 2
PROBABILITIES, DELTAS = 0, 1
_CONVERTERS = frozenset({"Softmax", "SoftMax", "Sigmoid"})
_YXYX = [1, 0, 3, 2]  # from XYXY to TensorFlow's order; its own inverse

Extract = Callable[[str, Sequence[int]], list[np.ndarray]]
"""What comes in at inputs of a named operation, for one batch of images."""


@dataclasses.dataclass(frozen=True)
class IrStages:
    """The landmarks of a two-stage IR.

    ``detections`` is the DetectionOutput that answers; ``proposals`` the Proposal or DetectionOutput in front of the
    pooling, None where something else makes proposals. ``pooled`` crop along proposals, ``final_pooled`` along
    detections. ``scores`` are where converted class scores can be extracted: a node and the index of its input, for
    the second stage and (with a DetectionOutput for proposals) the first.
    """

    detections: OpFacts
    proposals: OpFacts | None
    pooled: tuple[OpFacts, ...]
    final_pooled: tuple[OpFacts, ...]
    scores: tuple[str, int] | None
    first_scores: tuple[str, int] | None


def find_stages(graph: IrGraph, facts: IRFacts) -> IrStages:
    """The stages of an IR.

    Raises:
        LayoutError: when no DetectionOutput lies behind a ROIPooling or PSROIPooling, or more than one does.

    """
    search = _Search(graph)
    poolings = facts.ops_of(*POOLINGS)
    behind_pooling = search.behind(op.name for op in poolings)
    answering = [op for op in facts.ops_of("DetectionOutput") if op.name in behind_pooling]
    if len(answering) != 1:
        raise LayoutError(
            f"{len(answering)} DetectionOutput operations lie behind the {len(poolings)} poolings of regions, and one"
            " should answer.",
            where=", ".join(op.name for op in answering) or "the IR's operations",
            advice="Put one DetectionOutput in the place of the second stage's post-processing.",
            requirement="DET-1",
        )
    (detections,) = answering
    behind_detections = search.behind([detections.name])
    pooled = tuple(op for op in poolings if op.name not in behind_detections)
    before = search.before(op.name for op in pooled)
    makers = [op for op in facts.ops_of("Proposal", "DetectionOutput") if op.name in before]
    proposals = makers[0] if len(makers) == 1 else None
    second = search.converted(detections.name, CONFIDENCES, search.behind(op.name for op in pooled))
    first = None
    if proposals is not None and proposals.type == "DetectionOutput":
        first = search.converted(proposals.name, CONFIDENCES, search.before([proposals.name]))
    final = tuple(op for op in poolings if op.name in behind_detections)
    return IrStages(detections, proposals, pooled, final, second, first)


def observe_stages(
    stages: IrStages,
    extract: Extract,
    batch: int,
    variances: tuple[float, float, float, float],
    *,
    fed: bool = False,
) -> TwoStageHeads:
    """The heads of one batch. ``variances`` (y, x, h, w) are those that the locations come multiplied by.

    With ``fed`` the second stage is what its DetectionOutput gets: some scores may have been set to zero before.

    Proposals keep their order, but those without area go to the end, as TensorFlow keeps them.
    """
    (regions,) = extract(stages.pooled[0].name, (REGIONS,))
    boxes = regions_to_boxes(regions, batch)
    order = np.argsort(~((boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])), axis=1, kind="stable")
    boxes = np.take_along_axis(boxes, order[..., None], axis=1)
    second = (fed_heads if fed else second_stage)(stages, extract, batch, variances)
    encodings, scores = second.box_encodings, second.class_scores
    if encodings is not None and encodings.shape[:2] == order.shape:
        encodings = np.take_along_axis(encodings, order[..., None, None], axis=1)
    if scores is not None and scores.shape[:2] == order.shape:
        scores = np.take_along_axis(scores, order[..., None], axis=1)
    return TwoStageHeads(
        first=first_stage(stages, extract, batch),
        proposals=boxes,
        num_proposals=true_number(boxes),
        box_encodings=encodings,
        class_scores=scores,
        variances=np.asarray(variances, np.float32),
    )


def regions_to_boxes(regions: np.ndarray, batch: int) -> np.ndarray:
    """Boxes ``[N, K, 4]`` (YXYX) of regions ``[N * K, 5]`` (image, xmin, ymin, xmax, ymax).

    A row with the image -1 ends the regions: it and what follows it up to the next image is padding.
    """
    if regions.ndim != 2 or regions.shape[1] != 5 or len(regions) % batch:
        raise LayoutError(
            f"The pooled regions have shape {list(regions.shape)}, not [{batch} x proposals, 5].",
            where="the second input of the pooling",
            advice="Give rows of (image, xmin, ymin, xmax, ymax).",
            requirement="PRO-3",
        )
    rows = regions.reshape(batch, -1, 5)
    boxes = rows[..., 1:][..., _YXYX].copy()
    ended = np.cumsum(rows[..., 0] < 0, axis=1) > 0
    boxes[ended] = 0.0
    return boxes


def fed_heads(stages: IrStages, extract: Extract, batch: int, variances: tuple[float, float, float, float]) -> Heads:
    """The second stage as its DetectionOutput gets it: some scores may have been set to zero before."""
    operation = stages.detections
    locations, confidences, priors = extract(operation.name, (LOCATIONS, CONFIDENCES, PRIORS))
    return _in_tf_terms(
        operation.attributes, locations, confidences, priors.reshape(batch, -1, priors.shape[-1]), variances
    )


def second_stage(stages: IrStages, extract: Extract, batch: int, variances: tuple[float, float, float, float]) -> Heads:
    """The second stage, with scores as they are before any is set to zero."""
    fed = fed_heads(stages, extract, batch, variances)
    if stages.scores is None or fed.class_scores is None:
        return fed
    (scores,) = extract(*_one(stages.scores))
    if scores.size != fed.class_scores.size:
        return fed
    return dataclasses.replace(fed, class_scores=scores.reshape(fed.class_scores.shape))


def first_stage(stages: IrStages, extract: Extract, batch: int) -> Heads:
    """The first stage's heads ``[N, P, ...]``, anchors in the order of TensorFlow's; empty where nothing tells."""
    operation = stages.proposals
    if operation is None:
        return Heads()
    if operation.type == "Proposal":
        probabilities, deltas = extract(operation.name, (PROBABILITIES, DELTAS))
        return _of_proposal(probabilities, deltas, operation.attributes)
    locations, confidences, priors = extract(operation.name, (LOCATIONS, CONFIDENCES, PRIORS))
    fed = _in_tf_terms(operation.attributes, locations, confidences, priors, (0.1, 0.1, 0.2, 0.2))
    if stages.first_scores is None:
        return fed
    (scores,) = extract(*_one(stages.first_scores))
    return dataclasses.replace(fed, class_scores=scores.reshape(batch, -1, 2))


def _of_proposal(probabilities: np.ndarray, deltas: np.ndarray, attributes: Mapping[str, object]) -> Heads:
    """Heads of ``[N, 2A, H, W]`` (all backgrounds, then all objects) and ``[N, 4A, H, W]`` (anchor by anchor)."""
    if probabilities.ndim != 4 or deltas.ndim != 4 or deltas.shape[1] != 2 * probabilities.shape[1]:
        raise LayoutError(
            f"Proposal is fed with scores {list(probabilities.shape)} and encodings {list(deltas.shape)}.",
            where="the inputs of Proposal",
            advice="Give [N, 2A, H, W] and [N, 4A, H, W].",
            requirement="PRO-2",
        )
    batch, doubled, height, width = probabilities.shape
    anchors = doubled // 2
    scores = probabilities.reshape(batch, 2, anchors, height, width).transpose(0, 3, 4, 2, 1)
    encodings = deltas.reshape(batch, anchors, 4, height, width).transpose(0, 3, 4, 1, 2)
    if attributes.get("framework") != "tensorflow":
        encodings = encodings[..., _YXYX]
    return Heads(
        box_encodings=np.ascontiguousarray(encodings).reshape(batch, -1, 1, 4),
        class_scores=np.ascontiguousarray(scores).reshape(batch, -1, 2),
    )


def _in_tf_terms(
    attributes: Mapping[str, Any],
    locations: np.ndarray,
    confidences: np.ndarray,
    priors: np.ndarray,
    variances: tuple[float, float, float, float],
) -> Heads:
    encoded = bool(attributes.get("variance_encoded_in_target", False))
    return heads_from_detection_output(
        locations,
        confidences,
        priors,
        share_location=bool(attributes.get("share_location", True)),
        variance_encoded_in_target=encoded,
        variances=variances if encoded else None,
        background_label_id=int(attributes.get("background_label_id", 0)),
        normalized=bool(attributes.get("normalized", False)),
        image_size=(int(attributes.get("input_height", 1)), int(attributes.get("input_width", 1))),
    )


def _one(place: tuple[str, int]) -> tuple[str, tuple[int]]:
    return place[0], (place[1],)


class _Search:
    """Reachability in the wiring of an IR."""

    def __init__(self, graph: IrGraph) -> None:
        self._graph = graph
        self._numbers = {one.name: number for number, one in enumerate(graph.operations)}

    def behind(self, names: Any) -> frozenset[str]:
        """The names of all operations that values of these reach."""
        return self._reach(names, lambda number: self._graph.readers[number])

    def before(self, names: Any) -> frozenset[str]:
        """The names of all operations whose values reach these."""
        return self._reach(names, lambda number: self._graph.operations[number].sources)

    def converted(self, name: str, index: int, among: frozenset[str]) -> tuple[str, int] | None:
        """A reader, and its input, of the nearest score converter in front of an input of an operation."""
        operations = self._graph.operations
        pending = [self._numbers[self._graph.source(self._graph.find(name), index).name]]
        seen: set[int] = set()
        while pending:
            number = pending.pop(0)
            if number in seen:
                continue
            seen.add(number)
            if operations[number].type in _CONVERTERS and operations[number].name in among:
                reader: Operation = operations[self._graph.readers[number][0]]
                return reader.name, reader.sources.index(number)
            pending += operations[number].sources
        return None

    def _reach(self, names: Any, following: Callable[[int], Sequence[int]]) -> frozenset[str]:
        pending = [self._numbers[name] for name in names]
        seen: set[int] = set()
        while pending:
            for number in following(pending.pop()):
                if number not in seen:
                    seen.add(number)
                    pending.append(number)
        return frozenset(self._graph.operations[number].name for number in seen)
