"""How a call in a worker ended, told apart: returned, raised, crashed, exited, timed out, out of memory, flooded."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from harness.errors import IrproofError

Kind = Literal["returned", "raised", "crashed", "exited", "timed_out", "out_of_memory", "flooded"]


class WorkerFailure(IrproofError):
    """A function in a worker did not return. The subclasses say how it ended instead."""


class WorkerRaised(WorkerFailure):
    """The function raised something that is no IrproofError, or returned what cannot be sent back."""


class WorkerCrashed(WorkerFailure):
    """The process died by a signal (or, on Windows, by an exception code)."""


class WorkerExited(WorkerFailure):
    """The process ended itself before the function returned."""


class WorkerTimedOut(WorkerFailure):
    """The function took longer than its limit, and was ended."""


class WorkerOutOfMemory(WorkerFailure):
    """The function's processes took more memory than their limit, or were refused memory."""


class WorkerFlooded(WorkerFailure):
    """The function printed more than its limit, and was ended."""


FAILURES: dict[Kind, type[WorkerFailure]] = {
    "raised": WorkerRaised,
    "crashed": WorkerCrashed,
    "exited": WorkerExited,
    "timed_out": WorkerTimedOut,
    "out_of_memory": WorkerOutOfMemory,
    "flooded": WorkerFlooded,
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one call ended.

    ``error`` is None exactly when ``kind`` is ``returned``: the function's own error where that was an
    :class:`~harness.errors.IrproofError`, else the :class:`WorkerFailure` of the kind. ``how`` says the ending in a
    few words ("died by SIGSEGV"), to be put after a subject. ``exception`` is the type name of what was raised and
    ``traceback`` its tail. ``code`` is the signal's number or the exit code. ``note`` is the last thing that the
    function said of its progress. ``output`` is what it printed: head and tail, when that was much;
    ``output_bytes`` how much it was. ``peak_bytes`` is the largest resident memory seen (0 for a quick call).
    """

    kind: Kind
    value: Any = None
    error: IrproofError | None = None
    how: str = ""
    exception: str = ""
    traceback: str = ""
    code: int | None = None
    note: str = ""
    output: str = ""
    output_bytes: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def returned(self) -> bool:
        return self.kind == "returned"

    def result(self) -> Any:
        """What the function returned; raises ``error`` when it did not."""
        if self.error is not None:
            raise self.error
        return self.value


def tail(text: str, lines: int = 12, characters: int = 2000) -> str:
    """The end of a text, for an error message: at most so many lines and characters."""
    kept = "\n".join(text.rstrip().splitlines()[-lines:])
    return kept if len(kept) <= characters else "..." + kept[-characters:]
