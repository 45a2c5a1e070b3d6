"""A model's files from a MetaGraph without weights: checkpoint and frozen graph, both as TensorFlow writes them.

Imports TensorFlow: for worker processes only.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from harness.cases.case import Floor
from harness.cases.scenes import read_pixels
from harness.compare.floor import require_floor
from harness.observation.detections import Answer, Detections
from tests.zoo.calibration import calibrated

tf1 = tf.compat.v1
_ANSWERS = ("detection_boxes", "detection_scores", "detection_classes", "num_detections", "detection_masks")


def give_weights(meta_graph: Path, images: list[Path], target: Path, floor: Floor, batch: int) -> dict[str, Any]:
    """Fill ``target`` with ``model.ckpt.meta``, ``.index``, ``.data-*`` and ``frozen_inference_graph.pb``.

    ``images`` are pictures at the model's own size; ``batch`` views of them decide the weights. TensorFlow itself
    restores the checkpoint and freezes the graph. Says what the frozen graph then detects; raises CaseError when
    that is below ``floor``.
    """
    tf.random.set_seed(0)
    graph_def = _read(meta_graph).graph_def
    names = {node.name for node in graph_def.node}
    outputs = [name for name in _ANSWERS if name in names]
    pixels = [read_pixels(image) for image in images]
    values = calibrated(graph_def, _views(pixels, batch), outputs)
    shutil.copyfile(meta_graph, target / "model.ckpt.meta")
    _save(target / "model.ckpt", values)
    frozen = _freeze(target / "model.ckpt.meta", target / "model.ckpt", outputs)
    (target / "frozen_inference_graph.pb").write_bytes(frozen.SerializeToString(deterministic=True))
    answers = _detect(frozen, pixels, outputs)
    require_floor(answers, floor, case=meta_graph.parent.name)
    return {image.stem: _summary(answer.images[0]) for image, answer in zip(images, answers, strict=True)}


def _read(path: Path) -> Any:
    meta_graph = tf1.MetaGraphDef()
    meta_graph.ParseFromString(path.read_bytes())
    return meta_graph


def _views(pixels: list[np.ndarray], count: int) -> np.ndarray:
    """The pictures, then their mirror images with the channels the other way round: uint8 ``[count, H, W, 3]``."""
    views = [*pixels, *[image[:, ::-1, ::-1] for image in pixels]]
    return np.stack([views[index % len(views)] for index in range(count)])


def _save(prefix: Path, values: dict[str, np.ndarray]) -> None:
    names = sorted(values)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(values[name]) for name in names],
    )


def _freeze(meta_graph: Path, prefix: Path, outputs: list[str]) -> Any:
    with tf.Graph().as_default() as graph, tf1.Session(graph=graph) as session:
        saver = tf1.train.import_meta_graph(str(meta_graph), clear_devices=True)
        saver.restore(session, str(prefix))
        return tf1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), outputs)


def _detect(frozen: Any, pixels: list[np.ndarray], outputs: list[str]) -> list[Answer]:
    with tf.Graph().as_default() as graph, tf1.Session(graph=graph) as session:
        tf1.import_graph_def(frozen, name="")
        answers = []
        for image in pixels:
            found = session.run({name: f"{name}:0" for name in outputs}, {"image_tensor:0": image[None]})
            count = int(found["num_detections"][0])
            masks = found.get("detection_masks")
            answers.append(
                Answer(
                    (
                        Detections(
                            found["detection_boxes"][0, :count],
                            found["detection_scores"][0, :count],
                            found["detection_classes"][0, :count].astype(np.int64),
                            None if masks is None else masks[0, :count],
                        ),
                    )
                )
            )
        return answers


def _summary(found: Detections) -> dict[str, Any]:
    return {
        "detections": len(found),
        "over_0.3": int((found.scores > 0.3).sum()),
        "classes": int(np.unique(found.classes[found.scores > 0.3]).size),
        "scores": [round(float(score), 3) for score in np.quantile(found.scores, [0, 0.25, 0.5, 0.75, 1])]
        if len(found)
        else [],
    }
