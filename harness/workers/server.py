"""The worker's side: takes requests from its owner, runs them one after another, and answers."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import platform
import queue
import socket
import sys
import threading
import traceback
from typing import Any

from harness.errors import IrproofError
from harness.workers import progress, wire
from harness.workers.target import load_target

# What a call's stack is dumped for, just before its owner ends it: the captured output then says where it hung.
_DUMP_AT = 0.9


def serve(port: int, token: str, path: list[str], imports: list[str]) -> None:
    """Connect to the owner, then run its requests until it is gone or says stop."""
    sys.path.extend(entry for entry in path if entry not in sys.path)
    faulthandler.enable(all_threads=False)
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(bytes.fromhex(token))
    channel = _Channel(connection)
    channel.answer(("ready", {"python": platform.python_version(), "pid": os.getpid()}))
    for name in imports:
        # A warm start: what is missing will be said by the first call that needs it.
        with contextlib.suppress(ImportError):
            __import__(name)
    while True:
        request = channel.requests.get()
        if request is None:
            return
        _run(channel, *request)


class _Channel:
    """The connection to the owner. A process that the function forks off must not speak through it."""

    def __init__(self, connection: socket.socket) -> None:
        self.requests: queue.Queue[Any] = queue.Queue()
        self._connection = connection
        self._sending = threading.Lock()
        self.pid = os.getpid()
        threading.Thread(target=self._read, name="irproof-requests", daemon=True).start()

    def answer(self, message: tuple[Any, ...]) -> None:
        self.answer_bytes(wire.encode(message))

    def answer_bytes(self, data: bytes) -> None:
        if os.getpid() == self.pid:
            with self._sending:
                wire.send(self._connection, data)

    def _read(self) -> None:
        while (data := wire.receive(self._connection)) is not None:
            request = wire.decode(data)
            self.requests.put(request)
            if request is None:
                return
        # The owner is gone without a word, so nobody is left to end a call that runs: everything ends here.
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            import signal

            os.killpg(0, signal.SIGKILL)
        os._exit(70)


def _run(channel: _Channel, number: int, target: str, arguments: bytes, seconds: float, marker: bytes) -> None:
    progress.listen(lambda text: channel.answer(("note", number, text)))
    faulthandler.dump_traceback_later(seconds * _DUMP_AT)
    answer = _answer(number, target, arguments)
    if os.getpid() != channel.pid:
        # A child that was forked off in the function, and came back out of it. Nothing may be tidied up here: the
        # threads that would take part are the parent's.
        os._exit(0)
    faulthandler.cancel_dump_traceback_later()
    progress.listen(None)
    _end_output(marker)
    channel.answer_bytes(answer)


def _answer(number: int, target: str, arguments: bytes) -> bytes:
    try:
        value = load_target(target)(**wire.decode(arguments))
    except SystemExit as error:
        code = error.code
        said = "" if code is None or isinstance(code, int) else str(code)
        return wire.encode(("exited", number, code if isinstance(code, int) else int(code is not None), said))
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the function's
        return _raised(number, error)
    try:
        return wire.encode(("returned", number, value))
    except Exception as error:  # noqa: BLE001 - pickling runs the value's own code
        return _raised(number, TypeError(f"what it returned ({type(value).__name__}) cannot be sent back: {error}"))


def _raised(number: int, error: BaseException) -> bytes:
    told: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins."),
        "message": _message(error),
        "memory": isinstance(error, MemoryError),
        "traceback": _traceback(error),
        "error": None,
    }
    if isinstance(error, IrproofError):
        # One of another package's own making may not be importable on the owner's side: it then goes as its text.
        with contextlib.suppress(Exception):
            told["error"] = wire.encode(error)
    return wire.encode(("raised", number, told))


def _message(error: BaseException) -> str:
    try:
        return str(error)[:4000]
    except Exception:  # noqa: BLE001 - a broken __str__ is the function's, and must not hide the error
        return "(its message cannot be printed)"


def _traceback(error: BaseException) -> str:
    try:
        # Our own frames (this file's, and the loading of the target) are nothing that the reader can act on.
        frames = error.__traceback__.tb_next if error.__traceback__ else None
        return "".join(traceback.format_exception(type(error), error, frames, limit=-12))[-8000:]
    except Exception:  # noqa: BLE001 - as above
        return ""


def _end_output(marker: bytes) -> None:
    """Write out what is still buffered, and then the marker that ends this call's output."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    with contextlib.suppress(Exception):
        import ctypes

        (ctypes.CDLL(None) if os.name == "posix" else ctypes.cdll.msvcrt).fflush(None)  # type: ignore[attr-defined,unused-ignore]
    with contextlib.suppress(OSError):
        os.write(1, marker)
