"""Where cached things lie, and how an entry gets there whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs


def cache_root() -> Path:
    """The folder of all caches: ``IRPROOF_CACHE``, else the user's cache folder."""
    override = os.environ.get("IRPROOF_CACHE")
    root = Path(override) if override else Path(platformdirs.user_cache_dir("irproof"))
    root.mkdir(parents=True, exist_ok=True)
    return root


def digest(*parts: str | bytes | Path) -> str:
    """A hash of the parts, in order; a Path stands for the *content* of that file or folder, not for its name."""
    state = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            for file in sorted(part.rglob("*")) if part.is_dir() else [part]:
                if file.is_file():
                    name = file.relative_to(part).as_posix() if part.is_dir() else ""
                    state.update(f"file:{name}:{file.stat().st_size}:".encode())
                    with file.open("rb") as stream:
                        while block := stream.read(1 << 20):
                            state.update(block)
        else:
            data = part.encode() if isinstance(part, str) else part
            state.update(f"text:{len(data)}:".encode())
            state.update(data)
    return state.hexdigest()


@contextlib.contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """A folder to fill that becomes ``target`` when the block ends well, and vanishes when it doesn't.

    When another process finished the same entry first, that one stays: entries are named by content.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield scratch
        try:
            scratch.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
