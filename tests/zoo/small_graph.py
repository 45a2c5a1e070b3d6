"""A small graph with what calibration has to deal with, and what its layers give before and after.

Imports TensorFlow: for worker processes only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.zoo.calibration import calibrated
from tests.zoo.roles import initial_value

tf1 = tf.compat.v1


def statistics(*, calibrate: bool) -> dict[str, np.ndarray]:
    """Mean and deviation by channel of each layer over the pictures, with calibrated or with initial values."""
    graph_def, shown = _graph()
    pixels = np.random.default_rng(5).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    variables = {
        node.name: [side.size for side in node.attr["shape"].shape.dim]
        for node in graph_def.node
        if node.op == "VariableV2"
    }
    initial = {name: initial_value(name, tuple(shape)) for name, shape in variables.items()}
    values = calibrated(graph_def, pixels, list(shown)) if calibrate else initial
    with tf.Graph().as_default(), tf1.Session() as session:
        tf1.import_graph_def(graph_def, name="")
        feed: dict[Any, Any] = {f"{name}:0": value for name, value in values.items()}
        feed["image_tensor:0"] = pixels
        found = session.run({name: f"{name}:0" for name in shown}, feed)
    result = {f"{name} mean": value.mean(axis=tuple(range(value.ndim - 1))) for name, value in found.items()}
    result |= {f"{name} deviation": value.std(axis=tuple(range(value.ndim - 1))) for name, value in found.items()}
    result |= {f"{name} all": value.std(axis=tuple(range(value.ndim - 1))).mean() for name, value in found.items()}
    return {**result, **values}


def _graph() -> tuple[Any, tuple[str, ...]]:
    graph = tf.Graph()
    with graph.as_default():
        image = tf1.placeholder(tf.uint8, [None, None, None, 3], "image_tensor")
        scaled = tf.cast(image, tf.float32) * (2 / 255) - 1.0
        scaled.set_shape([None, 32, 32, 3])
        fused = _normalised("fused", _convolved("fused", scaled, 8), fused=True)
        quantised = _quantised("fused/act_quant", tf.nn.relu6(fused))
        unfused = _normalised("unfused", _convolved("unfused", quantised, 6), fused=False)
        # The second time a layer runs it sees what the first time has found, as the mask branch does.
        with tf1.variable_scope("", reuse=True):
            again = _normalised(
                "unfused", _convolved("unfused", tf.pad(unfused, [[0, 0]] * 3 + [[0, 2]]), 6), fused=False
            )
        tf.identity(fused, "shown/fused")
        tf.identity(unfused, "shown/unfused")
        tf.identity(again, "shown/again")
        features = tf.nn.relu(unfused)
        _head("BoxPredictor_0/ClassPredictor", features, 12)
        _head("BoxPredictor_0/BoxEncodingPredictor", features, 8)
        _head("FirstStageBoxPredictor/ClassPredictor", features, 6)
        flat = tf.reduce_mean(features, [1, 2])
        _head("SecondStageBoxPredictor/ClassPredictor", flat, 4)
    heads = ("BoxPredictor_0/ClassPredictor", "BoxPredictor_0/BoxEncodingPredictor")
    stages = ("FirstStageBoxPredictor/ClassPredictor", "SecondStageBoxPredictor/ClassPredictor")
    shown = ("shown/fused", "shown/unfused", "shown/again", *(f"{name}/BiasAdd" for name in (*heads, *stages)))
    return graph.as_graph_def(), shown


def _variable(name: str, shape: list[int]) -> tf.Tensor:
    with tf1.variable_scope("", reuse=tf1.AUTO_REUSE):
        return tf1.get_variable(name, shape, tf.float32, use_resource=False)


def _convolved(scope: str, features: tf.Tensor, channels: int) -> tf.Tensor:
    kernel = _variable(f"{scope}/weights", [3, 3, features.shape[-1], channels])
    return tf.nn.conv2d(features, kernel, 1, "SAME")


def _normalised(scope: str, features: tf.Tensor, *, fused: bool) -> tf.Tensor:
    channels = [features.shape[-1]]
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    gamma, beta, mean, variance = (_variable(f"{scope}/BatchNorm/{name}", channels) for name in names)
    if fused:
        return tf1.nn.fused_batch_norm(features, gamma, beta, mean, variance, 0.001, is_training=False)[0]
    return tf.nn.batch_normalization(features, mean, variance, beta, gamma, 0.001)


def _quantised(scope: str, features: tf.Tensor) -> tf.Tensor:
    low, high = (_variable(f"{scope}/{name}", []) for name in ("min", "max"))
    return tf.quantization.fake_quant_with_min_max_vars(features, low, high)


def _head(scope: str, features: tf.Tensor, channels: int) -> tf.Tensor:
    if features.shape.rank == 2:
        product = tf.matmul(features, _variable(f"{scope}/weights", [features.shape[-1], channels]))
    else:
        product = tf.nn.conv2d(features, _variable(f"{scope}/weights", [1, 1, features.shape[-1], channels]), 1, "SAME")
    return tf.nn.bias_add(product, _variable(f"{scope}/biases", [channels]), name=f"{scope}/BiasAdd")
