"""How much time, memory and output a function in a worker may take."""

from __future__ import annotations

import dataclasses

from harness.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Limits:
    """The limits of one call.

    ``seconds`` of wall clock, counted from the request; ``memory_bytes`` of resident memory of the worker and all of
    its descendants together; ``output_bytes`` of what they print to stdout and stderr together. A call that passes
    one of them is ended, with everything that it started.
    """

    seconds: float = 600.0
    memory_bytes: int = 6 << 30
    output_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        for name in ("seconds", "memory_bytes", "output_bytes"):
            if not getattr(self, name) > 0:
                raise UsageError(
                    f"The limit {name} has to be positive, and is {getattr(self, name)!r}.",
                    advice=f"Give a {name} over 0.",
                )
