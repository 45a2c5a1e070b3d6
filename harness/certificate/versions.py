"""Versions of what a result may depend on, read from the installed packages without importing any."""

from __future__ import annotations

import importlib.metadata
import platform

# TensorFlow comes under either name.
PACKAGES = {"openvino": ("openvino",), "tensorflow": ("tensorflow-cpu", "tensorflow"), "numpy": ("numpy",)}


def versions() -> dict[str, str]:
    """Python, platform, and the packages; what isn't installed has the version ``missing``."""
    found = {name: _installed(distributions) for name, distributions in PACKAGES.items()}
    return {"python": platform.python_version(), "platform": platform.platform(), **found}


def _installed(distributions: tuple[str, ...]) -> str:
    for distribution in distributions:
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "missing"
