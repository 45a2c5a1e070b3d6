"""What a worker prints, kept within bounded memory: the head and the tail."""

from __future__ import annotations

import threading
from typing import IO

KEPT = 64 << 10


class HeadTail:
    """Keeps the first and the last bytes of a stream, and counts all of them."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0

    def write(self, data: bytes) -> None:
        self.total += len(data)
        room = self._kept - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data:
            self._tail += data
            del self._tail[: -self._kept]

    def __bytes__(self) -> bytes:
        left_out = self.total - len(self._head) - len(self._tail)
        middle = f"\n[... {left_out} bytes left out ...]\n".encode() if left_out else b""
        return bytes(self._head) + middle + bytes(self._tail)


class Capture:
    """Reads a worker's output in a thread of its own, call by call.

    The end of a call's output is a *marker* that the worker writes behind it; ``finish`` waits for that, or for the
    stream's end. ``on_flood`` is called once a call, when it has written more than its limit.
    """

    def __init__(self, stream: IO[bytes], on_flood: threading.Event) -> None:
        self._stream = stream
        self._flood = on_flood
        self._changed = threading.Condition()
        self._kept = HeadTail()
        self._limit = 1 << 62
        self._marker = b""
        self._recent = b""
        self._marked = False
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="irproof-capture", daemon=True)
        self._thread.start()

    def begin(self, marker: bytes, limit: int) -> None:
        """Start a call's output, that will end with the marker."""
        with self._changed:
            self._kept = HeadTail()
            self._marker, self._limit = marker, limit
            self._recent, self._marked = b"", False
            self._flood.clear()

    def finish(self, patience: float) -> tuple[str, int]:
        """The call's output as text, and its number of bytes; waits no longer than ``patience`` seconds for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._marked or self._ended, timeout=patience)
            data = bytes(self._kept)
            total = self._kept.total
            if self._marked:
                data = data.replace(self._marker, b"")
                total = max(0, total - len(self._marker))
            return data.decode("utf-8", "replace"), total

    def join(self, patience: float) -> bool:
        """Wait for the stream's end; whether it came."""
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _read(self) -> None:
        descriptor = self._stream.fileno()
        while True:
            try:
                data = _read_some(descriptor)
            except (OSError, ValueError):
                data = b""
            with self._changed:
                if not data:
                    self._ended = True
                    self._changed.notify_all()
                    break
                self._kept.write(data)
                if self._marker and not self._marked:
                    # The marker may lie across two reads.
                    window = self._recent + data
                    self._marked = self._marker in window
                    self._recent = window[-len(self._marker) :]
                    if self._marked:
                        self._changed.notify_all()
                if self._kept.total > self._limit and not self._marked:
                    self._flood.set()
        self._stream.close()


def _read_some(descriptor: int) -> bytes:
    import os

    return os.read(descriptor, 1 << 16)
