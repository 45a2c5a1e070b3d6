"""One worker process: started, spoken to, watched and ended."""

from __future__ import annotations

import contextlib
import dataclasses
import hmac
import json
import os
import queue
import secrets
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.workers import endings, wire
from harness.workers.capture import Capture
from harness.workers.outcome import Outcome
from harness.workers.tree import MARK, ProcessTree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.workers.limits import Limits

_START_SECONDS = 60.0
_FIRST_LOOK, _LOOK_EVERY = 0.02, 0.1


class Process:
    """A worker process with its connection; ends with everything that it started when it is closed.

    Raises a :class:`~harness.workers.outcome.WorkerFailure` when it cannot be started.
    """

    def __init__(
        self,
        python: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        imports: Sequence[str] = (),
    ) -> None:
        mark = secrets.token_hex(16)
        self._python = str(python or sys.executable)
        self._connection: socket.socket | None = None
        self._reader: threading.Thread | None = None
        self._news: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self._flood = threading.Event()
        self._calls = 0
        self.python_version = ""
        with socket.create_server(("127.0.0.1", 0)) as server:
            try:
                self._process = subprocess.Popen(
                    [self._python, "-u", str(Path(__file__).with_name("bootstrap.py"))],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=_environment(mark, env or {}),
                    cwd=cwd,
                    **_apart(),
                )
            except OSError as error:
                raise endings.no_start(self._python, 1, str(error)) from None
            self._tree = ProcessTree(self._process.pid, mark)
            assert self._process.stdout is not None
            self._capture = Capture(self._process.stdout, self._flood)
            try:
                token = secrets.token_bytes(32)
                # Another Python's packages are its own; the same Python may import whatever its owner could.
                path = [entry or str(Path.cwd()) for entry in sys.path] if python is None else []
                self._hand_over(port=server.getsockname()[1], token=token.hex(), path=path, imports=list(imports))
                self._accept(server, token)
            except BaseException:
                self.close()
                raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._connection is not None and self._process.poll() is None

    def run(self, target: str, arguments: Mapping[str, Any], limits: Limits) -> Outcome:
        """Run one function. The process is closed afterwards unless the function returned or raised."""
        assert self._connection is not None
        self._calls += 1
        watch = _Watch(limits)
        marker = b"\0irproof " + secrets.token_hex(8).encode() + b"\0"
        request = wire.encode((self._calls, target, wire.encode(dict(arguments)), limits.seconds, marker))
        self._capture.begin(marker, limits.output_bytes)
        # In a thread, since a stopped worker would not take a large request, and nothing may block the limits.
        threading.Thread(target=_send, args=(self._connection, request), daemon=True).start()
        try:
            outcome = self._await(self._calls, watch)
        except BaseException:  # an interrupt, say: then nobody waits for the rest of the call
            self.close()
            raise
        seconds = watch.elapsed()
        if outcome.kind not in ("returned", "raised"):
            self.close()
        output, printed = self._capture.finish(2.0)
        if printed > limits.output_bytes and outcome.kind in ("returned", "raised"):
            self.close()
            outcome = endings.flooded(limits)
        return dataclasses.replace(
            outcome,
            note=watch.note,
            output=output,
            output_bytes=printed,
            seconds=seconds,
            peak_bytes=watch.peak,
        )

    def close(self) -> None:
        """End the process and everything that it started; harmless when that was done already."""
        # While the process is still there to be a parent: without its connection it ends by itself.
        self._tree.look()
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
            self._connection.close()
            self._connection = None
        self._tree.end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._capture.join(2.0)
        if self._reader is not None:
            self._reader.join(2.0)

    def _hand_over(self, **line: object) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it ended at once: to be found out by waiting for it
            self._process.stdin.write(json.dumps(line).encode())
            self._process.stdin.close()

    def _accept(self, server: socket.socket, token: bytes) -> None:
        deadline = time.monotonic() + _START_SECONDS
        server.settimeout(0.05)
        while self._connection is None:
            try:
                connection, _ = server.accept()
            except TimeoutError:
                if self._process.poll() is None and time.monotonic() < deadline:
                    continue
                raise self._no_start() from None
            connection.settimeout(5.0)
            if hmac.compare_digest(_take(connection, len(token)), token):
                connection.settimeout(None)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connection = connection
            else:
                connection.close()
        self._reader = threading.Thread(target=self._read, args=(self._connection,), daemon=True)
        self._reader.start()
        try:
            told = self._news.get(timeout=_START_SECONDS)
        except queue.Empty:
            told = ("gone",)
        if told[0] != "ready":
            raise self._no_start()
        self.python_version = told[1]["python"]

    def _no_start(self) -> Exception:
        code = self._process.poll()
        self._tree.end()
        return endings.no_start(self._python, code, self._capture.finish(1.0)[0])

    def _read(self, connection: socket.socket) -> None:
        while (data := wire.receive(connection)) is not None:
            try:
                message = wire.decode(data)
            except Exception as error:  # noqa: BLE001 - unpickling runs code of the value's own
                message = ("undecodable", f"{type(error).__name__}: {error}")
            self._news.put(message)
        self._news.put(("gone",))

    def _await(self, number: int, watch: _Watch) -> Outcome:
        pause = _FIRST_LOOK
        while True:
            try:
                message = self._news.get(timeout=pause)
            except queue.Empty:
                if self._process.poll() is not None:
                    return self._died(number, watch)
            else:
                outcome = self._heard(message, number, watch)
                if outcome is not None:
                    return outcome
            if self._flood.is_set():
                return endings.flooded(watch.limits)
            outcome = watch.look(self._tree)
            if outcome is not None:
                return outcome
            pause = min(_LOOK_EVERY, pause * 2)

    def _heard(self, message: tuple[Any, ...], number: int, watch: _Watch) -> Outcome | None:
        """The outcome that a message tells, or None when the call goes on."""
        if message[0] == "gone":
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2)
            return self._died(number, watch)
        if message[0] == "undecodable":
            return endings.undecodable(message[1])
        if message[1] != number:
            return None
        if message[0] == "note":
            watch.note = message[2]
            return None
        if message[0] == "returned":
            return Outcome("returned", value=message[2])
        return endings.raised(message[2]) if message[0] == "raised" else endings.exited(message[2], message[3])

    def _died(self, number: int, watch: _Watch) -> Outcome:
        """The process is gone, or has closed its connection; its last words may still be on the way."""
        code = self._process.poll()
        self._tree.end()
        if self._reader is not None:
            self._reader.join(1.0)
        while not self._news.empty():
            message = self._news.get()
            outcome = self._heard(message, number, watch) if message[0] != "gone" else None
            if outcome is not None:
                return outcome
        return endings.died(code, self._capture.finish(1.0)[0])


class _Watch:
    """Compares a call with its limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.peak = 0
        self.note = ""
        self._started = time.monotonic()

    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def look(self, tree: ProcessTree) -> Outcome | None:
        self.peak = max(self.peak, tree.memory(self.limits.memory_bytes))
        if self.peak > self.limits.memory_bytes:
            return endings.over_memory(self.peak, self.limits)
        return endings.timed_out(self.limits) if self.elapsed() > self.limits.seconds else None


def _environment(mark: str, changes: Mapping[str, str | None]) -> dict[str, str]:
    """The owner's environment with the changes (None takes a variable away) and the mark."""
    merged = {**os.environ, "PYTHONIOENCODING": "utf-8:backslashreplace", **changes, MARK: mark}
    return {name: value for name, value in merged.items() if value is not None}


def _apart() -> dict[str, Any]:
    """A group of its own, so that an interrupt at the terminal reaches the owner, who then ends the worker."""
    if os.name == "posix":
        return {"start_new_session": True}
    return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}  # type: ignore[attr-defined,unused-ignore]


def _send(connection: socket.socket, data: bytes) -> None:
    # When the worker is gone its owner learns that from the reading side.
    with contextlib.suppress(OSError):
        wire.send(connection, data)


def _take(connection: socket.socket, size: int) -> bytes:
    data = b""
    with contextlib.suppress(OSError):
        while len(data) < size and (block := connection.recv(size - len(data))):
            data += block
    return data
