"""What runs in the worker: load the original graph, feed it, and read heads and outputs. This imports TensorFlow."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from harness.errors import ReferenceFailure
from harness.observation.detections import Answer, Detections, Heads
from harness.observation.tf_outputs import from_tf_outputs
from harness.observation.two_stage import TwoStageHeads, join_two_stage
from harness.reference.preprocessing import Preprocessing, find_preprocessing
from harness.reference.question import ModelFiles, Question, Told
from harness.reference.session import FunctionModel, LoadedModel, load
from harness.reference.ssd import SsdHeads, find_ssd_heads
from harness.reference.two_stage import TwoStageTensors, find_two_stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclasses.dataclass
class _Opened:
    key: object
    model: LoadedModel
    heads: SsdHeads | None
    two_stage: TwoStageTensors | None
    preprocessing: Preprocessing
    # The same for every question: TensorFlow optimises a graph anew for each set of fetches.
    fetches: dict[str, str]
    resized: Any = None
    proven: bool = False

    @property
    def units(self) -> int:
        """By how many units in the last place an input is moved.

        One, but eight where a graph is quantised: FakeQuant rounds a single unit away before anything can be seen of
        it, while each layer rounds about eight times (the same number as behind the floor in
        ``harness.compare.noise``), and what such roundings turn over at a step's edge is this model's noise.
        """
        return 8 if any(node.op.startswith("FakeQuant") for node in self.model.graph_def.node) else 1


_opened: _Opened | None = None


def answer(question: Question) -> list[Told | None]:
    """An answer for each of the moves."""
    opened = _open(question.files, question.weights_seed)
    ask = _ask_whole if question.rule is None else _ask_resized
    return [ask(opened, question, move) for move in question.moves]


def versions() -> dict[str, str]:
    """TensorFlow's version and NumPy's."""
    return {"tensorflow": tf.__version__, "numpy": np.__version__}


def _open(files: ModelFiles, weights_seed: int | None) -> _Opened:
    global _opened  # noqa: PLW0603 - one model at a time is what memory is for
    key = (files, weights_seed, [file.stat().st_mtime_ns for file in sorted(_model_files(files))])
    if _opened is None or _opened.key != key:
        if _opened is not None:
            if _opened.resized is not None:
                _opened.resized.close()
            _opened.model.close()
            _opened = None
        model = load(files)
        heads, preprocessing = find_ssd_heads(model.graph_def), find_preprocessing(model.graph_def)
        two_stage = find_two_stage(model.graph_def) if heads is None and preprocessing.image else None
        fetches = {f"output {name}": tensor for name, tensor in model.output_names.items()}
        fetches |= heads.fetches() if heads is not None else {}
        fetches |= two_stage.fetches() if two_stage is not None else {}
        fetches |= preprocessing.fetches()
        _opened = _Opened(key, model, heads, two_stage, preprocessing, fetches)
        if weights_seed is not None:
            model.move_weights(weights_seed, [*fetches.values(), model.input_name])
            _opened.proven = True  # of the graph as it was exported, where that is asked
    return _opened


def _model_files(files: ModelFiles) -> list[Path]:
    if files.path.is_dir():
        return [file for file in files.path.rglob("*") if file.is_file()]
    return [files.path] if files.path.exists() else []


def _ask_whole(opened: _Opened, question: Question, move: int | None) -> Told | None:
    model, heads, image = opened.model, opened.heads, opened.preprocessing.image
    if move is not None and image is None:
        return None
    batch = question.batch or model.static_batch or 1
    if model.static_batch == 1:
        batch = 1  # such a graph answers many images one by one
    if model.static_batch is not None and model.static_batch != batch:
        raise ReferenceFailure(
            f"The graph's input is fixed at batch {model.static_batch}, and {batch} images are to go in.",
            where=model.where,
            advice=f"Feed it {model.static_batch} at a time, or ask the oracle for other sizes.",
        )
    if isinstance(model, FunctionModel) and not opened.proven:
        model.prove(question.images[:batch])
        opened.proven = True
    parts: list[dict[str, np.ndarray]] = []
    shown: list[Heads] = []
    stages: list[TwoStageHeads | None] = []
    for images in _batches(question.images, batch):
        count = len(images)
        if model.static_batch is not None:  # the last one is repeated until it is full, and cut off again
            images = images[np.minimum(np.arange(batch), count - 1)]  # noqa: PLW2901
        feeds = {model.input_name: images}
        if move is not None and image is not None:
            feeds[image] = _moved(model.run(opened.fetches, feeds)["image"], move, opened.units)
        found = model.run({key: name for key, name in opened.fetches.items() if name not in feeds}, feeds)
        stages.append(_two_stage(opened, found | feeds).images(count) if opened.two_stage is not None else None)
        if heads is not None:  # in their own form first: early graphs have rows of all images in one axis
            shown.append(_of_first(heads.read(found), count))
        parts.append({name: found[f"output {name}"][:count] for name in model.output_names})
    outputs = {name: np.concatenate([part[name] for part in parts]) for name in model.output_names}
    joined = _joined(shown) if heads is not None else Heads()
    return Told(Answer(from_tf_outputs(outputs), joined, join_two_stage(stages)), outputs)


def _two_stage(opened: _Opened, found: Mapping[str, np.ndarray]) -> TwoStageHeads:
    """The heads of both stages from what was fetched or fed; the preprocessed image is in one of them."""
    image = opened.preprocessing.image
    assert opened.two_stage is not None
    assert image is not None
    size = (found["image"] if "image" in found else found[image]).shape[1:3]
    return opened.two_stage.read(found, (size[0], size[1]))


def _ask_resized(opened: _Opened, question: Question, move: int | None) -> Told | None:
    from harness.pipeline.config import PipelineConfig
    from harness.reference.resized import ResizedSsd

    if opened.two_stage is not None:
        return _ask_resized_two_stage(opened, question, move)
    if opened.heads is None or question.pipeline_config is None:
        why = "it is no SSD" if question.pipeline_config else "it has no pipeline.config"
        raise ReferenceFailure(
            f"There is no oracle for another size of this model: {why}.",
            where=opened.model.where,
            advice="Check this model at its own size.",
            requirement="RSH-1",
        )
    assert question.rule is not None
    key = question.pipeline_config.read_bytes()
    if opened.resized is None or opened.resized.key != key:
        if opened.resized is not None:
            opened.resized.close()
            opened.resized = None
        config = PipelineConfig.read(question.pipeline_config)
        resized = ResizedSsd(opened.model, opened.heads, opened.preprocessing, config)
        try:
            resized.prove(question.images[:1], question.rule, opened.fetches)
        except BaseException:
            resized.close()
            raise
        resized.key = key
        opened.resized = resized
    answers = []
    for images in _batches(question.images, question.batch or 1):
        moved = None if move is None else _moved(opened.resized.image(images.astype(np.float32)), move, opened.units)
        answers.append(opened.resized.answer(images, question.rule, moved))
    detections = tuple(one for part in answers for one in part.images)
    return Told(Answer(detections, _joined([part.heads for part in answers])), {})


def _ask_resized_two_stage(opened: _Opened, question: Question, move: int | None) -> Told:
    from harness.reference.resized_two_stage import ResizedTwoStage

    if opened.resized is None:
        resized = ResizedTwoStage(opened.model, opened.preprocessing, opened.fetches)
        try:
            resized.prove(question.images, opened.fetches)
        except BaseException:
            resized.close()
            raise
        opened.resized = resized
    images: list[Detections] = []
    stages: list[TwoStageHeads | None] = []
    for pixels in _batches(question.images, question.batch or 1):
        moved = None if move is None else _moved(opened.resized.run(pixels)["image"], move, opened.units)
        found = opened.resized.run(pixels, moved)
        images += from_tf_outputs({name: found[f"output {name}"] for name in opened.model.output_names})
        stages.append(_two_stage(opened, {"image": pixels} | found))
    return Told(Answer(tuple(images), two_stage=join_two_stage(stages)), {})


def _batches(images: np.ndarray, batch: int) -> list[np.ndarray]:
    return [images[start : start + batch] for start in range(0, len(images), batch)]


def _moved(image: np.ndarray, seed: int, units: int) -> np.ndarray:
    """Each value so many units in the last place up or down."""
    up = np.random.default_rng(seed).random(image.shape) < 0.5
    moved = image
    for _ in range(units):
        moved = np.nextafter(moved, np.where(up, np.inf, -np.inf).astype(image.dtype))
    return moved


def _of_first(heads: Heads, count: int) -> Heads:
    """The heads of the first ``count`` images."""

    def cut(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[:count]

    anchors = heads.anchors if heads.anchors is None or heads.anchors.ndim == 2 else heads.anchors[:count]
    return Heads(cut(heads.box_encodings), cut(heads.class_scores), anchors, heads.variances)


def _joined(parts: Sequence[Heads]) -> Heads:
    def along_batch(name: str) -> np.ndarray | None:
        values = [getattr(part, name) for part in parts]
        return None if any(value is None for value in values) else np.concatenate(values)

    return Heads(along_batch("box_encodings"), along_batch("class_scores"), parts[0].anchors, parts[0].variances)
