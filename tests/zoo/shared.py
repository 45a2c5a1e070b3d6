"""Where the folder of real graphs is, which only developers have."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]


def zoo_folder() -> Path | None:
    """The folder ``zoo`` of ``IRPROOF_SHARED``, else of ``shared`` beside the repository; None where there is none."""
    shared = Path(os.environ.get("IRPROOF_SHARED") or ROOT.parent / "shared")
    return shared / "zoo" if (shared / "zoo").is_dir() else None
