"""The project's own errors: each says what was wrong, where, and what to do.

Everything irproof raises on purpose is an :class:`IrproofError`. A traceback of any other kind that reaches a user
is a bug of irproof. The *stage* tells how far a conversion came before it failed; expectations, certificates and
gates speak of stages (DESIGN 1), so a stage's value never changes meaning.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class Stage(str, enum.Enum):
    """How far a proof had come: the order of the members is the order in which things happen."""

    CASE = "case"
    REFERENCE = "reference"
    CONVERT = "convert"
    READ = "read"
    COMPILE = "compile"
    INFER = "infer"
    HEADS = "heads"
    DETECTIONS = "detections"
    MASKS = "masks"
    LAYOUT = "layout"
    RESHAPE = "reshape"
    LATENCY = "latency"


class IrproofError(Exception):
    """Base of all errors of the project's own.

    ``what`` is one sentence on what is wrong; ``where`` names the file, node or value; ``advice`` says what to do.
    ``requirement`` is the id of the rule that asks for this error, where one does.
    """

    stage: ClassVar[Stage] = Stage.CASE

    def __init__(
        self, what: str, *, where: str | None = None, advice: str | None = None, requirement: str | None = None
    ) -> None:
        super().__init__(what, where, advice, requirement)
        self.what = what
        self.where = where
        self.advice = advice
        self.requirement = requirement

    def __str__(self) -> str:
        parts = [self.what]
        if self.where:
            parts.append(f"Where: {self.where}.")
        if self.advice:
            parts.append(f"What to do: {self.advice}")
        return " ".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (workers), so keyword-only fields have to survive pickling.
        return _rebuild, (type(self), self.what, self.where, self.advice, self.requirement)


def _rebuild(
    kind: type[IrproofError], what: str, where: str | None, advice: str | None, requirement: str | None
) -> IrproofError:
    return kind(what, where=where, advice=advice, requirement=requirement)


class UsageError(IrproofError):
    """An option, name or pattern given by the caller makes no sense."""


class CaseError(IrproofError):
    """A case cannot be read, or its reference is too poor to prove anything (below the floor)."""


class ReferenceFailure(IrproofError):
    """TensorFlow could not run the original graph."""

    stage = Stage.REFERENCE


class SourceError(IrproofError):
    """A model file is missing, damaged, of another format than said, or incomplete (SRC-*)."""

    stage = Stage.CONVERT


class PipelineConfigError(IrproofError):
    """pipeline.config is missing, unreadable, incomplete, or not this graph's (CFG-10, CFG-11)."""

    stage = Stage.CONVERT


class ConfigurationError(IrproofError):
    """A support configuration cannot be read, is not for the graph, or its replacers cannot be ordered (CFG-6..9)."""

    stage = Stage.CONVERT


class ConversionError(IrproofError):
    """A replacer or the translation met something that it cannot convert; names the node."""

    stage = Stage.CONVERT


class ConverterFailure(IrproofError):
    """A converter raised, crashed, hung, returned nothing or something that is no IR."""

    stage = Stage.CONVERT


class ReadFailure(IrproofError):
    """OpenVINO cannot read the IR that the converter returned."""

    stage = Stage.READ


class CompileFailure(IrproofError):
    """OpenVINO reads the IR but cannot compile it for the device."""

    stage = Stage.COMPILE


class InferFailure(IrproofError):
    """The compiled IR crashed, hung or raised while it ran."""

    stage = Stage.INFER


class ReshapeFailure(IrproofError):
    """The IR refused the input shape that the check asked for."""

    stage = Stage.RESHAPE
