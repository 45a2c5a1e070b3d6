"""The outcome of a call by the way it ended, in words: what happened, where, what to do."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from harness.errors import IrproofError
from harness.workers import wire
from harness.workers.outcome import FAILURES, Kind, Outcome, WorkerFailure, tail

if TYPE_CHECKING:
    from harness.workers.limits import Limits


def raised(told: dict[str, Any]) -> Outcome:
    """From what the worker tells of an exception; an IrproofError comes back as itself."""
    kind: Kind = "out_of_memory" if told["memory"] else "raised"
    how = f"raised {told['type']}" + (f": {told['message']}" if told["message"] else "")
    error: IrproofError | None = None
    if told["error"] is not None:
        try:
            again = wire.decode(told["error"])
        except Exception:  # noqa: BLE001 - of a package that only the worker has
            again = None
        error = again if isinstance(again, IrproofError) else None
    return Outcome(
        kind,
        error=error or _failure(kind, how, _innermost(told["traceback"])),
        how=how,
        exception=told["type"],
        traceback=told["traceback"],
    )


def exited(code: int, said: str = "") -> Outcome:
    """The function asked for the end of its process."""
    how = f"ended its process with exit code {code}" + (f" ({said})" if said else "")
    return Outcome("exited", error=_failure("exited", how), how=how, code=code)


def died(code: int | None, output: str) -> Outcome:
    """The process is gone, with this return code (negative: a signal), or it closed its connection (None)."""
    if code is None:
        how = "closed its worker's connection"
        return Outcome("crashed", error=_failure("crashed", how), how=how)
    printed = tail(output)
    where = f"the end of its output: {printed}" if printed else None
    if code < 0 or code >= 0x80000000:
        how = f"died by {_signal_name(-code)}" if code < 0 else f"died by exception {code:#x}"
        advice = None
        if code == -getattr(signal, "SIGKILL", 9):
            advice = "Something outside killed it; perhaps the system was out of memory."
        return Outcome("crashed", error=_failure("crashed", how, where, advice), how=how, code=abs(code))
    how = f"ended its process with exit code {code}"
    return Outcome("exited", error=_failure("exited", how, where), how=how, code=code)


def timed_out(limits: Limits) -> Outcome:
    how = f"took longer than its limit of {limits.seconds:g} s"
    return Outcome(
        "timed_out", error=_failure("timed_out", how, None, "Raise the time limit, if it is just slow."), how=how
    )


def over_memory(bytes_taken: int, limits: Limits) -> Outcome:
    how = f"took {_mebibytes(bytes_taken)} of memory, over its limit of {_mebibytes(limits.memory_bytes)}"
    return Outcome(
        "out_of_memory",
        error=_failure("out_of_memory", how, None, "Raise the memory limit, if so much is right."),
        how=how,
    )


def flooded(limits: Limits) -> Outcome:
    how = f"printed more than its limit of {_mebibytes(limits.output_bytes)}"
    return Outcome("flooded", error=_failure("flooded", how, None, "Make it print less."), how=how)


def undecodable(why: str) -> Outcome:
    how = f"returned what cannot be read back: {why}"
    return Outcome("raised", error=_failure("raised", how), how=how)


def no_start(python: str, code: int | None, output: str) -> WorkerFailure:
    """The process did not come so far as to take requests."""
    kind: Kind = "timed_out" if code is None else "crashed" if code < 0 else "exited"
    how = "did not answer in time" if code is None else f"ended at once, with code {code}"
    return FAILURES[kind](
        f"The worker process of {python} {how}.",
        where=tail(output) or None,
        advice="See whether this Python starts, is 3.10 or newer, and has what the function needs.",
    )


def _failure(kind: Kind, how: str, where: str | None = None, advice: str | None = None) -> WorkerFailure:
    return FAILURES[kind](f"The function in the worker {how}.", where=where, advice=advice)


def _innermost(trace: str) -> str | None:
    """The last place in a traceback, as one line."""
    places = [line.strip() for line in trace.splitlines() if line.strip().startswith("File ")]
    return places[-1] if places else None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _mebibytes(count: int) -> str:
    return f"{count / (1 << 20):,.1f} MiB" if count < (10 << 20) else f"{count / (1 << 20):,.0f} MiB"
