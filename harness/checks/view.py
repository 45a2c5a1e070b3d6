"""In which way a model is asked: how many images at once, of which size, through which kind of shape."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class View:
    """One way to ask.

    ``batch`` None is the case's own (mostly 1), ``size`` None its own height and width; another one is reshaped to.
    ``dynamic`` opens batch, height and width of the IR's input instead, and feeds the same images.
    """

    batch: int | None = None
    size: tuple[int, int] | None = None
    dynamic: bool = False

    def __str__(self) -> str:
        parts = [f"batch {self.batch}"] if self.batch is not None else []
        parts += [f"{self.size[0]} x {self.size[1]}"] if self.size is not None else []
        parts += ["dynamic"] if self.dynamic else []
        return ", ".join(parts) or "as converted"
