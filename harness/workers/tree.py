"""The processes that a worker consists of: found, weighed and ended, wherever they went."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

# Set in a worker's environment and inherited by what it starts: so also a process that left its parent is found.
MARK = "IRPROOF_WORKER"


class ProcessTree:
    """A worker's process and all of its descendants, including those whose parent is gone.

    Descendants are known in three ways: by being children of known ones, by the mark in their environment, and (where
    the system has sessions) by the worker's session. A process would have to leave all three between two looks.
    """

    def __init__(self, pid: int, mark: str) -> None:
        self._pid = pid
        self._mark = mark
        self._known: dict[int, psutil.Process] = {}
        with contextlib.suppress(psutil.Error):
            self._known[pid] = psutil.Process(pid)

    def look(self) -> list[psutil.Process]:
        """The living ones, found by parentage: the quick way."""
        seen: dict[int, psutil.Process] = {}
        for process in self._known.values():
            # Oldest first: what descends from one that was looked at needs no look of its own.
            if process.pid not in seen and _alive(process):
                seen[process.pid] = process
                with contextlib.suppress(psutil.Error):
                    seen.update((child.pid, child) for child in process.children(recursive=True))
        self._known = seen
        return [process for process in seen.values() if _alive(process)]

    def memory(self, enough: int) -> int:
        """Resident bytes of all of them together.

        Pages that they share are counted once for each, unless that makes more than ``enough``: then it is worth
        the slower count of what each has for itself, plus the largest shared part.
        """
        processes = self.look()
        resident = {process.pid: _resident(process) for process in processes}
        total = sum(resident.values())
        if total <= enough or len(processes) == 1:
            return total
        own = {process.pid: min(_unshared(process), resident[process.pid]) for process in processes}
        return sum(own.values()) + max((resident[pid] - own[pid] for pid in own), default=0)

    def end(self, patience: float = 5.0) -> None:
        """Kill all of them, and look again until there is none: one may have started another meanwhile."""
        deadline = time.monotonic() + patience
        while True:
            found = {process.pid: process for process in (*self.look(), *self._marked())}
            self._known.update(found)
            if not found:
                return
            for process in found.values():
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(list(found.values()), timeout=0.5)
            if time.monotonic() > deadline:
                return

    def _marked(self) -> Iterable[psutil.Process]:
        own = os.getpid()
        for process in psutil.process_iter():
            if process.pid == own:
                continue
            with contextlib.suppress(psutil.Error, OSError):
                if (_session(process.pid) == self._pid or process.environ().get(MARK) == self._mark) and _alive(
                    process
                ):
                    yield process


def _session(pid: int) -> int | None:
    return os.getsid(pid) if hasattr(os, "getsid") else None


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _unshared(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().uss)
    except psutil.AccessDenied:
        return _resident(process)
    except psutil.Error:
        return 0
