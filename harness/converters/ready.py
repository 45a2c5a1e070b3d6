"""IRs that were made elsewhere, in a folder, by the case's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import ConverterFailure

if TYPE_CHECKING:
    from pathlib import Path


def find_ready(folder: Path, case_name: str) -> Path:
    """``FOLDER/<case>.xml``, else the one ``.xml`` in ``FOLDER/<case>/``.

    Raises ConverterFailure when there is none, or several.
    """
    single = folder.joinpath(*f"{case_name}.xml".split("/"))
    if single.is_file():
        return single
    inside = folder.joinpath(*case_name.split("/"))
    found = sorted(inside.glob("*.xml")) if inside.is_dir() else []
    if len(found) == 1:
        return found[0]
    raise ConverterFailure(
        f"There is {'more than one' if found else 'no'} IR for the case {case_name!r}.",
        where=str(folder),
        advice=f"It should be {single.relative_to(folder)}, or the one .xml in {inside.relative_to(folder)}.",
    )
