"""What a converter is asked, and nothing that lets it see the reference's answers (DESIGN 2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType


@dataclasses.dataclass(frozen=True)
class ConversionRequest:
    """One conversion: the model, its pipeline.config, and the folder that the IR goes to.

    ``model_path`` is a file or a SavedModel folder; ``model_format`` one of ``frozen``, ``frozen_text``,
    ``checkpoint``, ``meta_graph``, ``saved_model``; ``checkpoint`` the checkpoint's prefix for format ``checkpoint``.
    ``input_shape`` is ``(N, H, W, 3)`` or None for what pipeline.config implies. ``options`` are the converter's own.
    A converter returns the path of the IR's ``.xml`` inside ``output_dir``.
    """

    model_path: Path
    model_format: str
    output_dir: Path
    pipeline_config: Path | None = None
    checkpoint: Path | None = None
    input_shape: tuple[int, int, int, int] | None = None
    family: str = ""
    era: str = ""
    options: Mapping[str, object] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
