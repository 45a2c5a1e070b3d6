"""A runtime that remembers: the same IR, asked the same by the same OpenVINO, is not run again."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cases.cache import atomic_folder, cache_root, digest
from harness.runtime.runtime import Runtime
from harness.workers import wire

if TYPE_CHECKING:
    from collections.abc import Mapping

# What is measured is asked anew each time.
_KEPT = frozenset({"inspect", "infer", "infer_part", "walk"})


class KeptRuntime(Runtime):
    """A :class:`Runtime` whose answers stay in the cache, by the content of IR, inputs, shapes and properties.

    Only answers stay, never failures, and only those of the CPU with this Python's own OpenVINO: what another device
    answers depends on drivers that have no name here. Latencies and profiles are never kept.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._keeping = self.device == "CPU" and options.get("python") is None
        self._contents: dict[object, str] = {}

    def _ask(self, function: str, ir: Path | None, **arguments: Any) -> Any:
        if not self._keeping or ir is None or function not in _KEPT:
            return super()._ask(function, ir, **arguments)
        folder = cache_root() / "answers" / self._key(function, Path(ir), arguments)
        kept = folder / "answer"
        if kept.is_file():
            return wire.decode(kept.read_bytes())
        found = super()._ask(function, ir, **arguments)
        with atomic_folder(folder) as scratch:
            (scratch / kept.name).write_bytes(wire.encode(found))
        return found

    def _key(self, function: str, ir: Path, arguments: Mapping[str, Any]) -> str:
        asked = wire.encode(sorted(arguments.items()))
        return digest(function, self._content(ir), asked, *_surroundings())[:40]

    def _content(self, ir: Path) -> str:
        files = [file for file in (ir, ir.with_suffix(".bin")) if file.is_file()]
        stamp = tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
        if stamp not in self._contents:
            self._contents[stamp] = digest(*files)
        return self._contents[stamp]


@functools.cache
def _surroundings() -> tuple[str | Path, ...]:
    """What else an answer depends on: versions, the machine, and how this package asks."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("openvino", "numpy")]
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return (*versions, platform.machine(), platform.processor(), *sources)
