"""Calling a converter: the part that runs in the worker."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from harness.converters.command import run_command
from harness.converters.description import load_converter
from harness.converters.request import ConversionRequest
from harness.errors import ConverterFailure

# Whose versions matter to what came out, when they took part.
_PACKAGES = ("openvino", "tensorflow", "numpy", "protobuf", "tensorboard")


def invoke(way: str, target: str, request: dict[str, Any]) -> dict[str, Any]:
    """``path`` of what was converted, ``seconds`` that it took, ``versions`` of what took part."""
    asked = ConversionRequest(**request)
    started = time.perf_counter()
    if way == "command":
        path: Any = run_command(target, asked)
    else:
        _, function = load_converter(target)
        path = function(asked)
    seconds = time.perf_counter() - started
    if not isinstance(path, (str, os.PathLike)):
        raise ConverterFailure(
            "The converter returned nothing." if path is None else f"The converter returned a {type(path).__name__}.",
            where=target,
            advice="It has to return the path of the IR's .xml.",
        )
    return {"path": Path(os.fspath(path)), "seconds": seconds, "versions": _versions()}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        module = "google.protobuf" if name == "protobuf" else name
        if module in sys.modules:
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                found[name] = str(getattr(sys.modules[module], "__version__", "unknown"))
    return found
