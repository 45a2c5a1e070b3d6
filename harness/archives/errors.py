"""What is wrong with an archive."""

from __future__ import annotations

from harness.errors import UsageError


class ArchiveError(UsageError):
    """An archive is damaged, larger than it may be, not the one that is locked, or would write where it must not."""
