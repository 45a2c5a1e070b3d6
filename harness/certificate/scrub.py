"""Texts without what differs between two runs of the same thing: scratch folders, caches, addresses in memory."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from harness.cases.cache import cache_root

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


def scrubbed(text: str) -> str:
    """``text`` with the cache's folder as ``<cache>``, a scratch folder as ``<tmp>`` and addresses as ``0x...``.

    Converters' own messages hold such things, and a certificate that names them could never equal the next one.
    """
    for folder in _spellings(cache_root()):
        text = text.replace(folder, "<cache>")
    for folder in _spellings(Path(tempfile.gettempdir())):
        # The name right under the folder for temporary files is the random one.
        text = re.sub(re.escape(folder) + r"[/\\][^/\\\s'\":;,)\]]+", "<tmp>", text)
    return _ADDRESS.sub("0x...", text)


def _spellings(folder: Path) -> list[str]:
    """The folder as given and as resolved, the longer first."""
    return sorted({str(folder), str(folder.resolve())}, key=len, reverse=True)
