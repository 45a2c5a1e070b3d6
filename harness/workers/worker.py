"""Running functions in processes of their own: once (:func:`run_isolated`) or many times (:class:`Worker`).

A function is named (``module:function`` or ``path/file.py:function``), never sent, and takes keyword arguments that
can be pickled. It runs with limits on time, memory and output; whatever it does, the caller gets an
:class:`~harness.workers.outcome.Outcome` and nothing that it started outlives it.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from harness.workers.limits import Limits
from harness.workers.process import Process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from harness.workers.outcome import Outcome


class Worker:
    """A process that serves many calls, so that a slow import is paid once; started anew after it was lost.

    It is started by the first call, in the Python ``python`` (None: this one), in the folder ``cwd``, with the
    environment of this process changed by ``env`` (a None value takes a variable away). ``imports`` names modules to
    import at the start. Calls from several threads are served one after another. ``starts`` counts the processes.
    """

    def __init__(
        self,
        *,
        python: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        limits: Limits | None = None,
        imports: Sequence[str] = (),
    ) -> None:
        self.limits = limits or Limits()
        self.starts = 0
        self._how = {"python": python, "env": dict(env or {}), "cwd": cwd, "imports": tuple(imports)}
        self._lock = threading.Lock()
        self._held: list[Process] = []
        # Also at the interpreter's end, and without keeping this object alive.
        self._end = weakref.finalize(self, _close, self._held)

    def run(self, target: str, arguments: Mapping[str, Any] | None = None, *, limits: Limits | None = None) -> Outcome:
        """Run the function and tell how that ended; raises only when no process can be started."""
        with self._lock:
            outcome = self._process().run(target, arguments or {}, limits or self.limits)
            if not self._held[0].alive:
                _close(self._held)
            return outcome

    def call(self, target: str, /, **arguments: Any) -> Any:
        """What the function returns; raises its IrproofError, or the WorkerFailure of the way in which it ended."""
        return self.run(target, arguments).result()

    @property
    def pid(self) -> int | None:
        """The process's id, or None when there is none at the moment."""
        return self._held[0].pid if self._held else None

    def close(self) -> None:
        """End the process and everything that it started. A later call starts another."""
        with self._lock:
            _close(self._held)

    def __enter__(self) -> Worker:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _process(self) -> Process:
        if self._held and not self._held[0].alive:
            _close(self._held)
        if not self._held:
            self._held.append(Process(**self._how))  # type: ignore[arg-type]
            self.starts += 1
        return self._held[0]


def run_isolated(
    target: str,
    arguments: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
    *,
    python: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    cwd: Path | None = None,
) -> Outcome:
    """Run the function in a process that is started for it alone, and ended with it.

    The arguments are those of :class:`Worker`. Raises only when no process can be started.
    """
    with Worker(python=python, env=env, cwd=cwd) as worker:
        return worker.run(target, arguments, limits=limits)


def _close(held: list[Process]) -> None:
    while held:
        held.pop().close()
