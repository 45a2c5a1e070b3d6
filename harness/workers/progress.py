"""What a function in a worker says of its progress, so that its owner knows how far it came when it dies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_listener: Callable[[str], None] | None = None


def note(text: str) -> None:
    """Tell the owner of this worker what comes next; does nothing outside of a worker."""
    if _listener is not None:
        _listener(text)


def listen(listener: Callable[[str], None] | None) -> None:
    """Where notes go; the worker's server sets this."""
    global _listener  # noqa: PLW0603 - one worker, one owner
    _listener = listener
