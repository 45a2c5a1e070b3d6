"""What can be said of an IR without running it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class PortFacts:
    """An input or output of a model.

    ``name`` is the one that answers are keyed by: a tensor name that detectors have, else the shortest tensor name,
    else the node's. ``names`` are all tensor
    names and the node's friendly name. ``shape`` has -1 for an open dimension and is None when the rank is open;
    ``shape_text`` is OpenVINO's own notation, with the bounds. ``element_type`` is OpenVINO's word ("f32", "u8").
    """

    name: str
    names: tuple[str, ...]
    element_type: str
    shape: tuple[int, ...] | None
    shape_text: str


@dataclasses.dataclass(frozen=True)
class OpFacts:
    """One operation: friendly name, type, opset, attributes by OpenVINO's names, and shapes (-1 where open)."""

    name: str
    type: str
    version: str
    attributes: Mapping[str, object]
    input_shapes: tuple[tuple[int, ...] | None, ...]
    output_shapes: tuple[tuple[int, ...] | None, ...]


@dataclasses.dataclass(frozen=True)
class IRFacts:
    """An IR, described.

    ``op_counts`` counts operations by type, those in bodies of loops included. ``loops`` are the Loop, TensorIterator
    and If operations and ``detection_ops`` those that detection models are made of; ``dead`` are the names and types
    of operations, as written in the file, that no output needs. ``constant_bytes`` is by element type.
    """

    inputs: tuple[PortFacts, ...]
    outputs: tuple[PortFacts, ...]
    op_counts: Mapping[str, int]
    loops: tuple[OpFacts, ...]
    detection_ops: tuple[OpFacts, ...]
    dead: tuple[tuple[str, str], ...]
    constant_bytes: Mapping[str, int]

    def ops_of(self, *types: str) -> tuple[OpFacts, ...]:
        """The detection operations of these types, in the graph's order."""
        return tuple(op for op in self.detection_ops if op.type in types)


# How the exporters' and the replacers' inputs and outputs are named.
DETECTOR_NAMES = (
    "detection_",
    "num_detections",
    "raw_detection_",
    "image_tensor",
    "input_tensor",
    "masks",
    "reshape_do",
)
LOOP_TYPES = frozenset({"Loop", "TensorIterator", "If"})
DETECTION_TYPES = frozenset(
    {
        "DetectionOutput",
        "PriorBox",
        "PriorBoxClustered",
        "Proposal",
        "ROIPooling",
        "PSROIPooling",
        "ROIAlign",
        "NonMaxSuppression",
        "NonMaxSuppressionIEInternal",
        "MulticlassNms",
        "MatrixNms",
    }
)
