"""A case: one model in one form, with what is fed to it and what its reference must at least show.

A case holds paths and facts, never tensors of a model: it is cheap to list hundreds of them (``irproof cases``).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np

Family = Literal["ssd", "efficientdet", "faster_rcnn", "rfcn", "mask_rcnn", "classifier", "quantized", "other"]
Format = Literal["frozen", "frozen_text", "checkpoint", "meta_graph", "saved_model"]
Era = Literal["1.13", "1.14", "1.15", "2.0", "2.4", "1.6", "1.7", "1.10", "1.11", ""]


@dataclasses.dataclass(frozen=True)
class Scene:
    """One input image: uint8 ``[H, W, 3]``, RGB, already at the model's own size (VAL-1), stored losslessly."""

    name: str
    path: Path

    def pixels(self) -> np.ndarray:
        """The image as uint8 ``[H, W, 3]`` in RGB order."""
        from harness.cases.scenes import read_pixels

        return read_pixels(self.path)


@dataclasses.dataclass(frozen=True)
class Floor:
    """What the *reference* has to show before a comparison means anything (ANCHORS 0.1).

    ``score`` is the score over which a detection counts; the other numbers are minima over all scenes together.
    """

    score: float = 0.3
    detections: int = 5
    classes: int = 1
    score_spread: float = 0.05
    mask_area: float = 0.0


@dataclasses.dataclass(frozen=True)
class Case:
    """One model in one form.

    ``model_path`` is a file, or a folder for a SavedModel. For ``checkpoint`` it is the inference graph and
    ``checkpoint`` the checkpoint's prefix. ``input_shape`` is ``[N, H, W, 3]`` when the case asks the converter for
    another input than pipeline.config implies. ``traits`` are words to select by: "fpn", "crowd", "softmax", ...
    """

    name: str
    family: Family
    era: Era
    model_path: Path
    model_format: Format
    pipeline_config: Path | None = None
    checkpoint: Path | None = None
    scenes: tuple[Scene, ...] = ()
    input_shape: tuple[int, int, int, int] | None = None
    traits: frozenset[str] = frozenset()
    floor: Floor = Floor()
    origin: Literal["built-in", "zoo", "user"] = "built-in"
