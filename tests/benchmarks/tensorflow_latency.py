"""Latency of the original graph in TensorFlow. Imports TensorFlow: for worker processes only."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
_OUTPUTS = ("detection_boxes", "detection_scores", "detection_classes", "num_detections", "detection_masks")


def latencies(graph: Path, image: np.ndarray, repeats: int, warm_up: int) -> np.ndarray:
    """Seconds of each of so many runs after some that do not count: float64 ``[repeats]``; the graph stays loaded."""
    session, outputs = _loaded(str(graph))
    taken = np.empty(repeats)
    for index in range(-warm_up, repeats):
        started = time.perf_counter()
        session(image)
        if index >= 0:
            taken[index] = time.perf_counter() - started
    assert outputs
    return taken


@functools.cache
def _loaded(path: str) -> tuple[Any, list[str]]:
    graph_def = tf1.GraphDef()
    graph_def.ParseFromString(Path(path).read_bytes())
    graph = tf.Graph()
    with graph.as_default():
        tf1.import_graph_def(graph_def, name="")
    session = tf1.Session(graph=graph)
    there = {op.name for op in graph.get_operations()}
    outputs = [f"{name}:0" for name in _OUTPUTS if name in there]
    # A callable skips the checks of feeds and fetches that Session.run makes each time.
    return session.make_callable(outputs, ["image_tensor:0"]), outputs
