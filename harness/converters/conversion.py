"""One conversion of one case: in a worker, checked, kept, and made once however many processes ask for it."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.cases.cache import atomic_folder, cache_root, digest
from harness.converters.ready import find_ready
from harness.converters.registry import version_of
from harness.errors import ConverterFailure, IrproofError, ReadFailure, Stage, UsageError
from harness.runtime.ir_file import read_ir_file
from harness.workers.limits import Limits
from harness.workers.once import only_one
from harness.workers.outcome import Outcome, WorkerFailure, tail
from harness.workers.target import load_target
from harness.workers.worker import run_isolated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.cases.case import Case
    from harness.converters.registry import Converter


@dataclasses.dataclass(frozen=True)
class Conversion:
    """An IR that a converter returned, and that is whole.

    ``seconds`` is the converter's own time, without the start of its process; ``hash`` that of the content of both
    files; ``stdout_tail`` the end of what it printed (stderr too); ``versions`` those of the packages that took part;
    ``peak_bytes`` the largest memory seen. ``kept`` says that the IR was there already.
    """

    ir_path: Path
    seconds: float
    stdout_tail: str
    versions: Mapping[str, str]
    hash: str
    peak_bytes: int = 0
    kept: bool = False


def convert_case(
    converter: Converter,
    case: Case,
    session: Path,
    *,
    limits: Limits | None = None,
    options: Mapping[str, object] = MappingProxyType({}),
    python: Path | None = None,
) -> Conversion:
    """Convert the case, or take what another process of the session has made of it, success or failure.

    ``session`` is the folder that the processes of one run share. ``python`` names another Python, whose environment
    the converter runs in, unless it has one of its own. IRs of reproducible converters stay in the cache
    and are used again as long as neither content, options, this project nor OpenVINO change; failures never stay.

    Raises the converter's own error where that is an IrproofError of stage convert, else ConverterFailure: for
    whatever else it raises, for a crash, a hang, a flood of output or of memory, and when what it returns is no
    whole IR in its output folder.
    """
    options = {**converter.options, **options}
    if converter.way == "ready":
        path = find_ready(Path(converter.target), case.name)
        return Conversion(_whole(path, path.parent), 0.0, "", {}, _hash(path))
    if converter.prepare:
        try:
            load_target(converter.prepare)()
        except IrproofError as error:
            raise ConverterFailure(error.what, where=error.where, advice=error.advice) from None
        python = None
    key = _key(converter, case, options, python)
    folder = (cache_root() / "conversions" if converter.reproducible else Path(session)) / key
    failed = Path(session) / f"{key}.failed"
    try:
        found = _recall(folder)
        if found is None and not failed.is_dir():
            with only_one(folder):
                found = _recall(folder)
                if found is None and not failed.is_dir():
                    shutil.rmtree(folder, ignore_errors=True)  # whatever is there was spoilt
                    return _make(converter, case, options, limits or Limits(), folder, failed, python)
    except OSError as error:
        raise ConverterFailure(
            f"The IR cannot be kept: {error.strerror or error}.",
            where=str(error.filename or folder),
            advice="See whether the disk is full, and the folder writable; IRPROOF_CACHE names another one.",
        ) from None
    if found is None:
        raise _recall_failure(failed)
    return found


def _make(
    converter: Converter,
    case: Case,
    options: Mapping[str, object],
    limits: Limits,
    folder: Path,
    failed: Path,
    python: Path | None,
) -> Conversion:
    try:
        with atomic_folder(folder) as scratch:
            output_dir = scratch / "ir"
            output_dir.mkdir()
            made, outcome = _run(converter, case, options, limits, output_dir, python)
            path = _whole(made["path"], output_dir)
            told = {
                "ir": path.relative_to(scratch).as_posix(),
                "seconds": made["seconds"],
                "stdout_tail": tail(outcome.output, lines=40, characters=8000),
                "versions": {**made["versions"], **({converter.name: converter.version} if converter.version else {})},
                "hash": _hash(path),
                "peak_bytes": outcome.peak_bytes,
            }
            (scratch / "conversion.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    except IrproofError as error:
        _remember_failure(failed, error)
        raise
    found = _recall(folder)
    if found is None:
        raise ConverterFailure(
            "The IR was spoilt while it was kept.",
            where=str(folder),
            advice="See whether another program writes into the cache's folder.",
        )
    return dataclasses.replace(found, kept=False)


def _run(
    converter: Converter,
    case: Case,
    options: Mapping[str, object],
    limits: Limits,
    output_dir: Path,
    python: Path | None,
) -> tuple[dict[str, Any], Outcome]:
    request = {
        "model_path": case.model_path.absolute(),
        "model_format": case.model_format,
        "output_dir": output_dir.absolute(),
        "pipeline_config": case.pipeline_config.absolute() if case.pipeline_config else None,
        "checkpoint": case.checkpoint.absolute() if case.checkpoint else None,
        "input_shape": case.input_shape,
        "family": case.family,
        "era": case.era,
        "options": dict(options),
    }
    arguments = {"way": converter.way, "target": converter.target, "request": request}
    outcome = run_isolated("harness.converters.invoke:invoke", arguments, limits, python=python)
    if outcome.error is not None:
        raise _failure(converter, outcome) from None
    return outcome.value, outcome


def _failure(converter: Converter, outcome: Outcome) -> IrproofError:
    error = outcome.error
    assert error is not None
    if not isinstance(error, WorkerFailure):
        if error.stage is Stage.CONVERT:
            return error
        return ConverterFailure(error.what, where=error.where, advice=error.advice, requirement=error.requirement)
    printed = tail(outcome.output, lines=24)
    where = "; ".join(part for part in (error.where, f"the end of its output: {printed}" if printed else "") if part)
    return ConverterFailure(
        f"The converter {converter.name} {outcome.how}.", where=where or converter.target, advice=error.advice
    )


def _whole(path: Path, output_dir: Path) -> Path:
    """The ``.xml``'s path; raises ConverterFailure when it is not there, elsewhere, or not whole."""
    path = Path(path)
    path = (path if path.is_absolute() else output_dir / path).resolve()
    if not path.is_relative_to(output_dir.resolve()):
        raise ConverterFailure(
            "The converter returned a path outside of its output folder.",
            where=str(path),
            advice="Write the IR into request.output_dir.",
        )
    if path.suffix != ".xml":
        raise ConverterFailure(
            f"The converter returned {path.name!r}, which is no .xml.", where=str(path), advice="Return the IR's .xml."
        )
    try:
        read_ir_file(path)
    except ReadFailure as error:
        raise ConverterFailure(
            f"The converter returned no whole IR. {error.what}", where=error.where, advice=error.advice
        ) from None
    return path


def _key(converter: Converter, case: Case, options: Mapping[str, object], python: Path | None) -> str:
    """A name for what comes out: of a reproducible converter by all that it depends on, else by who asks for what."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "_", case.name)[:60]
    asked = json.dumps([converter.spec, converter.target, sorted(options.items())], default=str)
    shape = [case.model_format, case.input_shape, case.family, case.era]
    if not converter.reproducible:
        return f"{words}-{digest(asked, case.name, repr(shape), str(case.model_path), str(python))[:16]}"
    parts: list[str | bytes | Path] = [asked, repr(shape), converter.version, *_content(case)]
    parts += _own_source(converter, python)
    return f"{words}-{digest(*parts)[:32]}"


def _content(case: Case) -> list[str | Path]:
    parts: list[str | Path] = [case.model_path.name, case.model_path]
    for path in (case.pipeline_config, case.checkpoint, case.model_path if case.model_format == "meta_graph" else None):
        if path is None:
            parts.append("none")
        elif path.is_file() and path is not case.model_path:
            parts.append(path)
        else:
            # A checkpoint's prefix, or the MetaGraph's own: the files that begin with it.
            prefix = path.name.removesuffix(".meta")
            parts += [part for file in sorted(path.parent.glob(f"{prefix}.*")) for part in (file.name, file)]
    return parts


def _own_source(converter: Converter, python: Path | None) -> list[str | Path]:
    """What else comes out depends on: this project's files, or those that the converter names, and packages."""
    package = Path(__file__).parents[1]
    places = [package / name for name in converter.sources] or [package]
    found = [file for place in places for file in ([place] if place.is_file() else place.rglob("*"))]
    files = sorted(file for file in found if file.is_file() and file.suffix in (".py", ".json", ".toml"))
    parts: list[str | Path] = [_packages(python)] if python else []
    if not python:
        parts += [version_of(name) for name in ("openvino", "numpy", "tensorboard")]
    return parts + [part for file in files for part in (file.relative_to(package).as_posix(), file)]


@functools.cache
def _packages(python: Path) -> str:
    """Everything that is installed beside another Python, by name and version."""
    asked = (
        "import importlib.metadata as m, sys;"
        "print(sys.version, sorted({str((d.metadata['Name'], d.version)) for d in m.distributions()}))"
    )
    try:
        done = subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(
            "The Python for converter and IRs does not run.", where=f"{python}: {error}", advice="Name another one."
        ) from None
    return done.stdout


def _hash(path: Path) -> str:
    return digest(path, path.with_suffix(".bin"))


def _recall(folder: Path) -> Conversion | None:
    """What was made, or None where nothing is there, or what is there is not what was made."""
    try:
        told = json.loads((folder / "conversion.json").read_text(encoding="utf-8"))
        found = Conversion(ir_path=folder / told.pop("ir"), kept=True, **told)
        return found if _hash(found.ir_path) == found.hash else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _remember_failure(failed: Path, error: IrproofError) -> None:
    import pickle

    with atomic_folder(failed) as scratch:
        (scratch / "error.pickle").write_bytes(pickle.dumps(error))


def _recall_failure(failed: Path) -> IrproofError:
    import pickle

    error: IrproofError = pickle.loads((failed / "error.pickle").read_bytes())  # noqa: S301 - of this session's own
    return error
