"""References on disk: arrays in an ``.npz``, what else there is in a ``.json``; written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.cases.cache import atomic_folder
from harness.observation.detections import Answer, Detections, Heads
from harness.observation.two_stage import TwoStageHeads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_HEADS = tuple(field.name for field in dataclasses.fields(Heads))
_DETECTIONS = tuple(field.name for field in dataclasses.fields(Detections))
_TWO_STAGE = tuple(field.name for field in dataclasses.fields(TwoStageHeads) if field.name != "first")


def write(folder: Path, answers: Sequence[Answer], outputs: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Store the answers (the first one is the reference's, the others its repeats) and the named outputs."""
    arrays: dict[str, np.ndarray] = {f"output/{name}": value for name, value in outputs.items()}
    for number, answer in enumerate(answers):
        arrays |= _named(answer.heads, _HEADS, f"{number}/heads")
        if answer.two_stage is not None:
            arrays |= _named(answer.two_stage, _TWO_STAGE, f"{number}/two_stage")
            arrays |= _named(answer.two_stage.first, _HEADS, f"{number}/two_stage/first")
        for image, detections in enumerate(answer.images):
            arrays |= _named(detections, _DETECTIONS, f"{number}/image/{image}")
    images = [len(answer.images) for answer in answers]
    with atomic_folder(folder) as scratch:
        with (scratch / "arrays.npz").open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
        (scratch / "facts.json").write_text(json.dumps({**facts, "images": images}, indent=1), encoding="utf-8")


def read(folder: Path) -> tuple[list[Answer], dict[str, np.ndarray], dict[str, Any]]:
    """The answers, outputs and facts as they were stored."""
    facts: dict[str, Any] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
        arrays = dict(stored.items())
    answers = [
        Answer(
            tuple(
                Detections(**{name: arrays.get(f"{number}/image/{image}/{name}") for name in _DETECTIONS})  # type: ignore[arg-type]
                for image in range(images)
            ),
            Heads(**{name: arrays.get(f"{number}/heads/{name}") for name in _HEADS}),
            _two_stage(arrays, f"{number}/two_stage"),
        )
        for number, images in enumerate(facts.pop("images"))
    ]
    outputs = {name.removeprefix("output/"): value for name, value in arrays.items() if name.startswith("output/")}
    return answers, outputs, facts


def _two_stage(arrays: Mapping[str, np.ndarray], prefix: str) -> TwoStageHeads | None:
    found = {name: arrays[f"{prefix}/{name}"] for name in _TWO_STAGE if f"{prefix}/{name}" in arrays}
    if not found:
        return None
    first = Heads(**{name: arrays.get(f"{prefix}/first/{name}") for name in _HEADS})
    return TwoStageHeads(first, **found)


def _named(holder: object, names: Sequence[str], prefix: str) -> dict[str, np.ndarray]:
    found = {f"{prefix}/{name}": getattr(holder, name) for name in names}
    return {key: value for key, value in found.items() if value is not None}
