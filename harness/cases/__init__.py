"""See docs/architecture.md for what this package answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from harness.cases.case import Case


def discover(model_dir: Path | str) -> list[Case]:
    """The cases of a folder: :func:`harness.cases.model_directory.discover`, imported when it is first needed."""
    from harness.cases import model_directory

    return model_directory.discover(model_dir)
