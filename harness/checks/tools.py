"""What all cases of a run share: the converter, the runtime, TensorFlow, and the folder of the run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.converters import Converter
from harness.reference.reference import References
from harness.runtime.kept import KeptRuntime
from harness.runtime.runtime import EXACT, Runtime
from harness.workers.limits import Limits


@dataclasses.dataclass
class Tools:
    """The converter under test, and workers that are started by the first question and serve all cases.

    ``session`` is a folder that all processes of one run share: a conversion is made there once. ``limits`` hold for
    each conversion. ``python`` is another Python than this one, in whose environment the converter and the IRs run.
    """

    converter: Converter
    session: Path
    runtime: Runtime
    references: References
    limits: Limits
    python: Path | None = None

    @classmethod
    def make(
        cls,
        converter: Converter,
        session: Path,
        *,
        device: str = "CPU",
        limits: Limits | None = None,
        python: Path | None = None,
    ) -> Tools:
        """Tools with a runtime and the harness's own TensorFlow; no process is started yet."""
        runtime = KeptRuntime(device=device, properties=exact_properties(device), python=python)
        return cls(converter, session, runtime, References(), limits or Limits(), python)

    def __enter__(self) -> Tools:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.runtime.close()
        self.references.close()


def exact_properties(device: str) -> dict[str, Any]:
    """What makes a device compute in float32, as TensorFlow does; what a device does by default is another question.

    The CPU runs graphs with FakeQuantize in int8 even under a precision hint of f32, unless its low-precision
    transformations are switched off: on a quantised SSD that moves box encodings by 0.2 in the mean.
    """
    return {**EXACT, "LP_TRANSFORMS_MODE": False} if device == "CPU" else dict(EXACT)
