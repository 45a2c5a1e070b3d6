"""What an answer can have wrong before anybody asks whether it is right: rows that break the output's contract."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.errors import IrproofError, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

ViolationKind = Literal[
    "shape", "image_id", "label", "non_finite", "terminator", "padding", "mask", "score_range", "box", "order", "count"
]


@dataclasses.dataclass(frozen=True)
class LayoutViolation:
    """One broken rule of an output's layout.

    ``row`` is the row of the output as it was given (0 is the first), or None when the whole output is meant;
    ``values`` are that row's values, as read.
    """

    kind: ViolationKind
    what: str
    row: int | None = None
    values: tuple[float, ...] = ()

    def __str__(self) -> str:
        place = "" if self.row is None else f"row {self.row}: "
        shown = f" ({', '.join(f'{value:.6g}' for value in self.values)})" if self.values else ""
        return f"{place}{self.what}{shown}"


class LayoutError(IrproofError):
    """An output that breaks its own contract was to be read as if it kept it (SSD-2)."""

    stage: ClassVar[Stage] = Stage.LAYOUT


def report(found: Sequence[LayoutViolation], collected: list[LayoutViolation] | None, output: str) -> None:
    """Hand the violations to the caller's list; without one, raise, so that none is ever lost on the way.

    Raises:
        LayoutError: when there are violations and nobody collects them.

    """
    if collected is not None:
        collected.extend(found)
    elif found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise LayoutError(
            f"The output {output} breaks its layout: {found[0]}{more}.",
            where=output if found[0].row is None else f"{output}, row {found[0].row}",
            advice="Look at the rows from there on: what follows a broken row cannot be trusted either.",
            requirement="SSD-2",
        )
