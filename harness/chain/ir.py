"""Writing an IR whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def output_folder(folder: Path) -> Iterator[Path]:
    """A scratch folder beside the IR-to-be; it vanishes in the end.

    It is made before any work is done, so that a folder that cannot be written to is known at once.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".irproof-", dir=folder))
    except OSError as error:
        raise ConversionError(
            "The output folder cannot be written to.",
            where=f"{folder}: {error.strerror}",
            advice="Name another folder with --output-dir.",
        ) from None
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_ir(model: Any, scratch: Path, target: Path, *, compress_to_fp16: bool = False) -> Path:
    """Write ``target`` (an ``.xml``) and its ``.bin`` by way of ``scratch``; the path of the ``.xml``.

    Both files are written elsewhere, read back, and moved into place, the ``.xml`` last: an ``.xml`` that is there has
    its ``.bin``. A full disk leaves neither.
    """
    import openvino as ov

    draft = scratch / target.name
    try:
        ov.save_model(model, str(draft), compress_to_fp16=compress_to_fp16)
        # A stream that fails on a full disk does so silently: only what can be read back was written.
        ov.Core().read_model(str(draft))
        wanted = _constant_bytes(draft)
        if draft.with_suffix(".bin").stat().st_size < wanted:
            raise OSError(errno.ENOSPC, "the weights file is shorter than the IR says")  # noqa: TRY301
    except (OSError, RuntimeError) as error:
        free = shutil.disk_usage(scratch).free
        raise ConversionError(
            "The IR could not be written whole; nothing was left behind.",
            where=f"{target} ({free >> 20} MiB free): {str(error).splitlines()[0][:200]}",
            advice="Free some space, or name another folder with --output-dir.",
        ) from None
    try:
        draft.with_suffix(".bin").replace(target.with_suffix(".bin"))
        draft.replace(target)
    except OSError as error:
        raise ConversionError("The IR could not be moved into place.", where=f"{target}: {error.strerror}") from None
    return target


def _constant_bytes(xml: Path) -> int:
    """How long the weights file has to be for every constant of the IR to lie inside it."""
    from xml.etree import ElementTree as ET

    end = 0
    for _, element in ET.iterparse(xml):  # noqa: S314 - the file was written a moment ago by OpenVINO
        if element.tag == "data" and {"offset", "size"} <= element.attrib.keys():
            end = max(end, int(element.attrib["offset"]) + int(element.attrib["size"]))
    return end
