"""What a converter says that it can do; what it does not claim is neither passed nor failed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.cases.case import Case

CONTRACTS = ("detection_output", "tf_outputs")


@dataclasses.dataclass(frozen=True)
class Claims:
    """What is claimed; None claims everything of its kind.

    ``families``, ``eras`` and ``formats`` are words of :class:`~harness.cases.case.Case`. ``contract`` says what its
    IRs answer: rows of DetectionOutput, TensorFlow's named outputs, or None where the IR itself has to tell.
    ``options`` are the names of the options that it takes, with a line on each.
    """

    families: frozenset[str] | None = None
    eras: frozenset[str] | None = None
    formats: frozenset[str] | None = None
    contract: str | None = None
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def refusal(self, case: Case) -> str | None:
        """Why the case is outside of what is claimed, or None when it is claimed."""
        for what, word, claimed in (
            ("family", case.family, self.families),
            ("era", case.era, self.eras),
            ("format", case.model_format, self.formats),
        ):
            if claimed is not None and word and word not in claimed:
                return f"{what} {word} is not claimed (claimed: {', '.join(sorted(claimed)) or 'none'})"
        return None


def as_claims(given: Any, where: str) -> Claims:
    """Claims from what a converter declares: None, Claims, or a mapping with the same keys.

    Raises UsageError that names what is wrong with it.
    """
    if given is None:
        return Claims()
    if isinstance(given, Claims):
        return given
    if not isinstance(given, Mapping):
        raise UsageError(
            f"The converter's claims are a {type(given).__name__}.",
            where=where,
            advice="Declare a mapping with families, eras, formats, contract and options.",
        )
    known = {field.name for field in dataclasses.fields(Claims)}
    unknown = sorted(str(key) for key in given if key not in known)
    if unknown:
        raise UsageError(
            f"The converter's claims have unknown keys: {', '.join(unknown)}.",
            where=where,
            advice=f"Known are {', '.join(sorted(known))}.",
        )
    contract = given.get("contract")
    if contract not in (None, *CONTRACTS):
        raise UsageError(
            f"The converter claims the contract {contract!r}.", where=where, advice=f"Known are {', '.join(CONTRACTS)}."
        )
    options = given.get("options") or {}
    if not isinstance(options, Mapping):
        options = dict.fromkeys(options, "")
    return Claims(
        families=_words(given.get("families"), "families", where),
        eras=_words(given.get("eras"), "eras", where),
        formats=_words(given.get("formats"), "formats", where),
        contract=contract,
        options={str(name): str(line) for name, line in options.items()},
    )


def _words(given: Any, key: str, where: str) -> frozenset[str] | None:
    if given is None:
        return None
    if isinstance(given, str) or not all(isinstance(word, str) for word in given):
        raise UsageError(f"The converter's claims have {key} that are no list of words: {given!r}.", where=where)
    return frozenset(given)
