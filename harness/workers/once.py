"""Something made once, though several processes ask for it at the same time."""

from __future__ import annotations

import contextlib
import os
import time
from typing import IO, TYPE_CHECKING

from harness.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def only_one(target: Path, patience: float = 3600.0) -> Iterator[None]:
    """Hold back everyone else who asks for the same target, in this process or another, until the block ends.

    The lock is the system's, on a file beside the target, so it ends with its holder however that ends. Look whether
    the target is there by now *inside* the block. Raises CaseError when the lock is not free within ``patience``
    seconds.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(f".{target.name}.lock")
    deadline = time.monotonic() + patience
    with path.open("a+b") as stream:
        while not _take(stream):
            if time.monotonic() > deadline:
                raise CaseError(
                    "Another process has been making this for too long.",
                    where=str(target),
                    advice="End that process, and run again.",
                )
            time.sleep(0.02)
        try:
            yield
        finally:
            if target.exists():
                # Nobody makes it again; whoever waits at the old file, or makes a new one, will find the target.
                with contextlib.suppress(OSError):
                    path.unlink()
            _give(stream)


if os.name == "posix":
    import fcntl

    def _take(stream: IO[bytes]) -> bool:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _give(stream: IO[bytes]) -> None:
        fcntl.flock(stream, fcntl.LOCK_UN)

else:
    import msvcrt

    def _take(stream: IO[bytes]) -> bool:
        stream.seek(0)
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True

    def _give(stream: IO[bytes]) -> None:
        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]
