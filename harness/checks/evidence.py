"""What checks ask of one case: reference, conversion, observation; each made when first asked for, and once."""

from __future__ import annotations

import functools
from types import TracebackType
from typing import Any

from harness.cases.case import Case
from harness.cases.selection import Listed
from harness.certificate.model import CaseFacts


class Evidence:
    """One case under one converter on one device.

    Nothing happens before it is asked for. What failed once fails again with the same error, without being tried
    again: a conversion that hangs costs its time limit once, not once a check.
    """

    def __init__(self, listed: Listed, converter: Any, *, device: str = "CPU") -> None:
        self._listed = listed
        self.converter = converter
        self.device = device

    @functools.cached_property
    def case(self) -> Case:
        """The case, built or read on first use."""
        return self._listed.load()

    def facts(self) -> CaseFacts:
        """What a certificate says of the case, as far as it is known by now; asks for nothing new."""
        listed = self._listed
        return CaseFacts(
            listed.name, listed.family, listed.era, listed.model_format, listed.origin, tuple(sorted(listed.traits))
        )

    def __enter__(self) -> Evidence:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
