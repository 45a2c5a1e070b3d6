"""Names of functions: ``module:attribute`` and ``path/file.py:attribute``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from harness.errors import UsageError


def split_target(target: str) -> tuple[str, str]:
    """The module (or file) and the attribute of a target."""
    module, colon, attribute = target.rpartition(":")
    if not colon or not module or not attribute:
        raise UsageError(f"{target!r} names no function.", advice="Write module:function or path/file.py:function.")
    return module, attribute


def load_target(target: str) -> Any:
    """The object that the target names; a file is imported under a name of its own, once a process.

    Raises UsageError when there is no such module, file or attribute. Whatever the module raises while it is
    imported is left as it is.
    """
    name, attribute = split_target(target)
    module = _load_file(Path(name)) if name.endswith(".py") else _load_module(name, target)
    found = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UsageError(
                f"{name} has nothing named {part!r}.", where=target, advice="Look at the attribute's spelling."
            ) from None
    return found


def _load_module(name: str, target: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name != missing and not name.startswith(missing + "."):
            raise
        raise UsageError(
            f"There is no module {name!r}.", where=target, advice="Install it, or put its folder on PYTHONPATH."
        ) from None


def _load_file(path: Path) -> Any:
    path = path.resolve()
    name = f"irproof_file_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise UsageError("There is no such file.", where=str(path), advice="Look at the path's spelling.")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError("The file cannot be imported as Python.", where=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
