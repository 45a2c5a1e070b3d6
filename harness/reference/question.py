"""What is asked of the worker with TensorFlow, and what it tells. Needs no TensorFlow: both sides know these."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    from harness.observation.detections import Answer
    from harness.reference.anchors import AnchorRule


@dataclasses.dataclass(frozen=True)
class ModelFiles:
    """What is to be loaded: the words are those of :class:`~harness.cases.case.Case`."""

    path: Path
    format: str
    checkpoint: Path | None = None


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked: the model, uint8 images ``[S, H, W, 3]``, how many go in at once
    (None: as many as the graph is fixed at, else one), and what varies.

    ``moves`` has None for the images as they are and a seed for the preprocessed images moved by one unit in the last
    place, each value up or down by chance. ``rule`` is None for the whole graph as it is, else the anchors' rule of
    the oracle for other sizes, which needs ``pipeline_config``. ``weights_seed`` is None for the weights as they are,
    else the layers' weights are moved by one unit in the last place.
    """

    files: ModelFiles
    images: np.ndarray
    batch: int | None
    moves: tuple[int | None, ...] = (None,)
    rule: AnchorRule | None = None
    pipeline_config: Path | None = None
    weights_seed: int | None = None


@dataclasses.dataclass(frozen=True)
class Told:
    """An answer, and TensorFlow's named outputs behind it (none from the oracle); None for a move that cannot be."""

    answer: Answer
    outputs: Mapping[str, np.ndarray]
