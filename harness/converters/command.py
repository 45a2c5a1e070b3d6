"""A converter that is a command line, written as a template."""

from __future__ import annotations

import shlex
import string
import subprocess
from typing import TYPE_CHECKING

from harness.errors import ConverterFailure, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.converters.request import ConversionRequest

FIELDS = ("model", "config", "output_dir", "input_shape", "format", "checkpoint")


def parse_template(template: str) -> list[str]:
    """The template's words; raises UsageError when it is empty, has unbalanced quotes, or fields that there are not."""
    try:
        words = shlex.split(template)
        fields = {field for word in words for _, field, _, _ in string.Formatter().parse(word) if field is not None}
    except ValueError as error:
        raise UsageError(
            f"The command's template cannot be read: {error}.",
            where=template,
            advice="Close quotes and braces; a brace of its own is written twice.",
        ) from None
    unknown = sorted(fields - set(FIELDS))
    if unknown:
        raise UsageError(
            f"The command's template has a field {{{unknown[0]}}} that there is not.",
            where=template,
            advice=f"The fields are {', '.join(FIELDS)}.",
        )
    if not words:
        raise UsageError(
            "The command's template is empty.", advice="For example: command:mytool {model} -o {output_dir}"
        )
    if "output_dir" not in fields:
        raise UsageError(
            "The command's template does not say where the IR goes.",
            where=template,
            advice="Use {output_dir} in it.",
        )
    return words


def fill_template(template: str, request: ConversionRequest) -> list[str]:
    """The command line for one conversion.

    A word with a field that this conversion has no value for (no pipeline.config, say) is left out; when the word is
    that field alone, the option before it (a word that starts with ``-`` and has no ``=``) goes with it.
    """
    values = {
        "model": str(request.model_path),
        "config": str(request.pipeline_config) if request.pipeline_config else None,
        "output_dir": str(request.output_dir),
        "input_shape": ",".join(str(size) for size in request.input_shape) if request.input_shape else None,
        "format": request.model_format,
        "checkpoint": str(request.checkpoint) if request.checkpoint else None,
    }
    filled: list[str] = []
    for word in parse_template(template):
        fields = [field for _, field, _, _ in string.Formatter().parse(word) if field is not None]
        if any(values[field] is None for field in fields):
            if word == f"{{{fields[0]}}}" and filled and filled[-1].startswith("-") and "=" not in filled[-1]:
                filled.pop()
        else:
            filled.append(word.format(**values))
    return filled


def run_command(template: str, request: ConversionRequest) -> Path:
    """Run the command, and return the one ``.xml`` in the output folder.

    Its output goes to this process's own. Raises ConverterFailure when it cannot be started, ends with another code
    than 0, or leaves no ``.xml`` or several.
    """
    words = fill_template(template, request)
    try:
        code = subprocess.run(words, check=False).returncode
    except OSError as error:
        raise ConverterFailure(
            f"The command cannot be started: {error.strerror or error}.",
            where=shlex.join(words),
            advice="Look at the program's name, and whether it is on PATH.",
        ) from None
    if code:
        how = f"died by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise ConverterFailure(f"The command {how}.", where=shlex.join(words), advice="See its output.")
    found = sorted(request.output_dir.rglob("*.xml"))
    if len(found) != 1:
        raise ConverterFailure(
            f"The command left {len(found) or 'no'} .xml in its output folder.",
            where=shlex.join(words),
            advice="It has to write one IR into {output_dir}.",
        )
    return found[0]
