"""What replacers share while one graph is converted."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.errors import PipelineConfigError, UsageError
from harness.pipeline.input_size import expected_input_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.chain.graph import Graph, Tensor
    from harness.pipeline.config import PipelineConfig


@dataclasses.dataclass
class ConversionContext:
    """One conversion in progress.

    ``requested_shape`` is the caller's ``[N, H, W, 3]`` or None. ``image_size`` (height, width in pixels) and
    ``input_tensor`` (the image behind the resizer) are set by the preprocessor's replacer for those that follow.
    ``outputs`` are the nodes that the converted graph ends in. ``say`` reports progress, one line a call.
    """

    graph: Graph
    config: PipelineConfig | None
    requested_shape: tuple[int, ...] | None = None
    options: Mapping[str, object] = dataclasses.field(default_factory=dict)
    requested_outputs: tuple[str, ...] = ()
    batch: int = 1
    image_size: tuple[int, int] = (0, 0)
    image: Tensor | None = None
    image_shapes: Tensor | None = None
    outputs: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    shared: dict[str, object] = dataclasses.field(default_factory=dict)
    say: Callable[[str], None] = lambda _line: None

    @property
    def training_size(self) -> tuple[int, int]:
        """(height, width) that pipeline.config implies when nobody asks for another."""
        if self.config is None:
            return self.image_size
        try:
            return expected_input_size(self.config.image_resizer, None)
        except UsageError:
            return self.image_size

    def pipeline(self, replacer: str) -> PipelineConfig:
        """pipeline.config, or an error that names the replacer that needs it (CFG-11)."""
        if self.config is None:
            raise PipelineConfigError(
                f"{replacer} needs the model's pipeline.config, and none was given.",
                where=f"replacer {replacer}",
                advice="Pass the pipeline.config that lies beside the exported model with --pipeline-config.",
                requirement="CFG-11",
            )
        return self.config

    def warn(self, line: str) -> None:
        self.warnings.append(line)
        self.say(f"warning: {line}")

    def note(self, line: str) -> None:
        self.notes.append(line)
        self.say(line)
