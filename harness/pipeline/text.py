"""From the text of a pipeline.config to a protobuf message, or to one error that says which line is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import text_format

from harness.errors import PipelineConfigError
from harness.pipeline.schema import config_class

# Real files have a few kilobytes; anything like a model file given by mistake is refused before it is parsed.
_LARGEST_FILE = 4 << 20


def read_text(path: Path) -> str:
    """The text of the file, or :class:`PipelineConfigError`: missing, a folder, unreadable, too large, not text."""
    where = str(path)
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise PipelineConfigError(
                f"The file is too large for a pipeline.config ({path.stat().st_size} bytes).",
                where=where,
                advice="Give the pipeline.config that lay beside the model when it was exported.",
                requirement="CFG-11",
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise PipelineConfigError(
            "There is no such pipeline.config.",
            where=where,
            advice="Give the path of the pipeline.config that the model was exported with.",
            requirement="CFG-11",
        ) from None
    except OSError as error:
        reason = "It is a folder" if path.is_dir() else (error.strerror or type(error).__name__)
        raise PipelineConfigError(
            f"The pipeline.config cannot be read: {reason}.",
            where=where,
            advice="Give a file that can be read.",
            requirement="CFG-11",
        ) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PipelineConfigError(
            f"The pipeline.config is not text: byte {error.start} is not UTF-8.",
            where=where,
            advice="Give the pipeline.config in its text form, not a model or a binary message.",
            requirement="CFG-11",
        ) from None


def parse_text(text: str, where: str) -> Any:
    """The message that the text describes; fields that the schema does not name are skipped.

    A scalar that is given twice takes its last value, as when the Object Detection API reads the file.
    """
    message = config_class()()
    try:
        text_format.Merge(text, message, allow_unknown_field=True, allow_unknown_extension=True)
    except text_format.ParseError as error:
        line, column = error.GetLine(), error.GetColumn()
        place = f"{where}, line {line}, column {column}" if line is not None else where
        reason = str(error).removeprefix(f"{line}:{column} : ").strip().rstrip(".")
        raise PipelineConfigError(
            f"The pipeline.config cannot be read as protobuf text: {reason}.",
            where=place,
            advice="Correct that line, or give the file that the model was exported with.",
            requirement="CFG-11",
        ) from None
    except RecursionError:
        raise PipelineConfigError(
            "The pipeline.config cannot be read as protobuf text: its braces are nested too deeply.",
            where=where,
            advice="Give the file that the model was exported with.",
            requirement="CFG-11",
        ) from None
    return message
