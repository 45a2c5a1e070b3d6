"""The script that a worker process runs: it makes this project importable, and nothing else of its environment.

A worker may be another Python, in whose environment this project is not installed. Putting the folder that holds
``harness`` on its path could put our whole environment there, another OpenVINO with it; so only the package itself
is registered, by its place.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path


def _register_package() -> None:
    folder = Path(__file__).resolve().parent.parent
    # Python put this script's folder first: its modules are no top-level modules.
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != folder / "workers"]
    spec = importlib.util.spec_from_file_location(
        "harness", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"{folder} is no package")
    package = importlib.util.module_from_spec(spec)
    sys.modules["harness"] = package
    spec.loader.exec_module(package)


def _take_hand_over() -> dict[str, object]:
    """Read the owner's line from stdin, then leave an empty stdin to the code that runs here."""
    received = b""
    while block := os.read(0, 1 << 16):
        received += block
    hand_over: dict[str, object] = json.loads(received)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return hand_over


if __name__ == "__main__":
    _register_package()
    from harness.workers.server import serve

    serve(**_take_hand_over())  # type: ignore[arg-type]
