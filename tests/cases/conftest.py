from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Every test has a cache of its own."""
    monkeypatch.setenv("IRPROOF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def shared():
    """The folder of real graphs and listings that only developers have."""
    folder = Path(os.environ.get("IRPROOF_SHARED") or Path(__file__).parents[2].parent / "shared")
    if not (folder / "zoo").is_dir():
        pytest.skip("no zoo here")
    return folder
