"""What TensorFlow answers for the original graph, how far it moves from itself, and where that is kept."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.cases.cache import cache_root, digest
from harness.errors import ReferenceFailure, UsageError
from harness.reference import store
from harness.reference.question import ModelFiles, Question, Told
from harness.workers.limits import Limits
from harness.workers.once import only_one
from harness.workers.outcome import WorkerFailure, tail
from harness.workers.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from harness.cases.case import Case, Scene
    from harness.observation.detections import Answer
    from harness.reference.anchors import AnchorRule

# Two seeds for the moved input: one chance may cancel out what another shows.
_SEEDS = (1, 2)
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
_OTHER_KERNELS = {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


@dataclasses.dataclass(frozen=True)
class Reference:
    """TensorFlow's answer to the scenes, and the same answer in other ways.

    ``answer`` has an image for each scene, in order, and the raw heads where they are visible. ``outputs`` are
    TensorFlow's named outputs as they are, joined along the batch; empty for another size than the graph's.
    ``repeats`` are further answers to the same question and ``repeat_kinds`` what was changed for each: how far they
    are from ``answer`` is the case's noise (DESIGN 5.4). ``versions`` name TensorFlow and NumPy.
    """

    answer: Answer
    outputs: Mapping[str, np.ndarray]
    repeats: tuple[Answer, ...]
    repeat_kinds: tuple[str, ...]
    versions: Mapping[str, str]
    kept: bool = False


class References:
    """Asks TensorFlow in workers of their own, and keeps the answers in the cache.

    There are two workers, started when something is not in the cache: TensorFlow as it comes, and TensorFlow with
    other kernels (without oneDNN, one thread) and weights moved by a rounding; kernels are decided when it is imported.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits or Limits(seconds=900)
        self._plain = Worker(env=_QUIET, limits=limits)
        self._other = Worker(env={**_QUIET, **_OTHER_KERNELS}, limits=limits)
        self._last: ModelFiles | None = None

    def reference(
        self,
        case: Case,
        scenes: Sequence[Scene | np.ndarray],
        *,
        batch: int | None = None,
        size: tuple[int, int] | None = None,
        anchors: AnchorRule = "pixel",
    ) -> Reference:
        """TensorFlow's answer to the scenes: each is a Scene, or uint8 ``[H, W, 3]`` in RGB; all of one size.

        ``batch`` images go in at a time (None: as many as the graph's input is fixed at, else one); the last time
        there may be fewer. Without ``size`` the whole
        original graph answers, with its own resizer. With ``size`` (height, width), which the scenes have to have,
        the oracle for other sizes answers (RSH-1): the graph from behind the resizer, with ``anchors`` that keep
        their size in pixels (``pixel``) or their share of the image (``relative``).

        Raises ReferenceFailure when TensorFlow cannot load or run the graph, crashes, or does not show what the
        oracle needs; UsageError for scenes that do not fit the question.
        """
        images = _stacked(scenes, size)
        if batch is not None and batch < 1:
            raise UsageError(f"The batch is {batch}.", advice="Feed one image at a time, or more.")
        if size is not None and case.pipeline_config is None:
            raise ReferenceFailure(
                "There is no oracle for another size of this model: it has no pipeline.config.",
                where=str(case.model_path),
                advice="Give the pipeline.config that the model was exported with.",
                requirement="RSH-1",
            )
        kind = "whole" if size is None else f"resized {anchors}"
        folder = cache_root() / "reference" / _key(case, images, batch, kind, with_config=size is not None)
        try:
            kept = folder.is_dir()
            if not kept:
                with only_one(folder):
                    kept = folder.is_dir()
                    if not kept:
                        self._make(case, images, batch, None if size is None else anchors, folder)
            answers, outputs, facts = store.read(folder)
        except OSError as error:
            raise ReferenceFailure(
                f"TensorFlow's answer cannot be kept: {error.strerror or error}.",
                where=str(error.filename or folder),
                advice="See whether the disk is full, and the folder writable; IRPROOF_CACHE names another one.",
            ) from None
        return Reference(
            answer=answers[0],
            outputs=outputs,
            repeats=tuple(answers[1:]),
            repeat_kinds=tuple(facts["repeat_kinds"]),
            versions=facts["versions"],
            kept=kept,
        )

    def close(self) -> None:
        """End the workers, and give their memory back; a later question starts them again."""
        self._last = None
        self._plain.close()
        self._other.close()

    def __enter__(self) -> References:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make(self, case: Case, images: np.ndarray, batch: int | None, rule: AnchorRule | None, folder: Path) -> None:
        files = ModelFiles(
            Path(case.model_path).absolute(),
            case.model_format,
            Path(case.checkpoint).absolute() if case.checkpoint else None,
        )
        config = Path(case.pipeline_config).absolute() if case.pipeline_config else None
        question = Question(files, images, batch, (None, *_SEEDS), rule, config)
        self._start_afresh_for(files)
        # Both at once: most of the time goes into importing TensorFlow, twice.
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(
                self._ask, self._other, dataclasses.replace(question, moves=(None,), weights_seed=_SEEDS[0])
            )
            plain = self._ask(self._plain, question)
            other = waiting.result()
        told = [
            *zip(("", *(f"input moved by one ulp, seed {seed}" for seed in _SEEDS)), plain, strict=True),
            (f"without oneDNN, one thread, weights moved by one ulp, seed {_SEEDS[0]}", other[0]),
        ]
        known = [(kind, one) for kind, one in told if one is not None]
        facts = {
            "case": case.name,
            "repeat_kinds": [kind for kind, _ in known[1:]],
            "versions": self._plain.call("harness.reference.runner:versions"),
        }
        store.write(folder, [one.answer for _, one in known], known[0][1].outputs, facts)

    def _start_afresh_for(self, files: ModelFiles) -> None:
        """Give a SavedModel a TensorFlow of its own.

        Functions are known by name to the whole process, and those of two models have the same names.
        """
        last = self._last
        if last is not None and last != files and "saved_model" in (last.format, files.format):
            self.close()
        self._last = files

    @staticmethod
    def _ask(worker: Worker, question: Question) -> list[Told | None]:
        outcome = worker.run("harness.reference.runner:answer", {"question": question})
        if isinstance(outcome.error, WorkerFailure):
            printed = tail(outcome.output)
            raise ReferenceFailure(
                f"TensorFlow {outcome.how} while it was to {outcome.note or 'start with'} the original graph.",
                where=f"{question.files.path}" + (f"; the end of its output: {printed}" if printed else ""),
                advice=outcome.error.advice or "See whether the model's files are whole and belong together.",
            ) from None
        found: list[Told | None] = outcome.result()
        return found


def _stacked(scenes: Sequence[Scene | np.ndarray], size: tuple[int, int] | None) -> np.ndarray:
    images = [scene if isinstance(scene, np.ndarray) else scene.pixels() for scene in scenes]
    if not images:
        raise UsageError("There are no scenes to ask TensorFlow about.", advice="Give the case some images.")
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1 or len(shapes[0]) != 3 or shapes[0][2] != 3 or any(image.dtype != np.uint8 for image in images):
        raise UsageError(
            f"The scenes are not uint8 [H, W, 3] of one size: {', '.join(map(str, shapes))},"
            f" {', '.join(sorted({str(image.dtype) for image in images}))}.",
            advice="Resize them to the size in question first, without loss.",
            requirement="VAL-1",
        )
    if size is not None and shapes[0][:2] != tuple(size):
        raise UsageError(
            f"The scenes are {shapes[0][0]} x {shapes[0][1]}, and the question is for {size[0]} x {size[1]}.",
            advice="Both sides have to get the same pixels: resize the scenes first, without loss.",
            requirement="VAL-1",
        )
    return np.stack(images)


def _key(case: Case, images: np.ndarray, batch: int | None, kind: str, *, with_config: bool) -> str:
    parts: list[str | bytes | Path] = [kind, case.model_format, str(batch), repr(images.shape), images.tobytes()]
    parts += [_tensorflow_version(), *_own_source(), *_model_content(case)]
    if with_config and case.pipeline_config is not None:
        parts.append(Path(case.pipeline_config))
    return digest(*parts)[:40]


def _model_content(case: Case) -> list[str | bytes | Path]:
    path = Path(case.model_path)
    if not path.exists():
        raise ReferenceFailure("There is no such model.", where=str(path), advice="Look at the path's spelling.")
    parts: list[str | bytes | Path] = [path]
    prefix = case.checkpoint or (path.with_suffix("") if case.model_format == "meta_graph" else None)
    if prefix is not None:
        for file in sorted(Path(prefix).parent.glob(f"{Path(prefix).name}.*")):
            parts += [file.name, file]
    return parts


def _own_source() -> list[str | bytes | Path]:
    return [part for file in sorted(Path(__file__).parent.glob("*.py")) for part in (file.name, file)]


def _tensorflow_version() -> str:
    for name in ("tensorflow-cpu", "tensorflow"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    raise ReferenceFailure(
        "TensorFlow is not installed.", advice="Install tensorflow-cpu: the original graph is asked with it."
    )
