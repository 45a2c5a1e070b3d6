"""Writes, with TensorFlow itself, what the tests of harness.sources read. Run as a program: one argument, a folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
IMAGE = np.random.default_rng(5).normal(size=(1, 6, 6, 3)).astype(np.float32)


def _network(image, *, resource):
    """A small network with variables of several kinds, and an output by the API's name."""
    with tf1.variable_scope("net", use_resource=resource):
        weights = tf1.get_variable("weights", [3, 3, 3, 4], initializer=tf1.random_normal_initializer(seed=1))
        bias = tf1.get_variable("bias", [4], initializer=tf1.random_normal_initializer(seed=2))
        scalar = tf1.get_variable("scalar", [], initializer=tf1.constant_initializer(1.25))
        half = tf1.get_variable("half", [4], tf.float16, initializer=tf1.constant_initializer(0.5))
        short = tf1.get_variable("short", [4], tf.bfloat16, initializer=tf1.constant_initializer(-1.5))
        whole = tf1.get_variable("whole", [4], tf.int32, initializer=tf1.constant_initializer([1, 2, 3, 4]))
        partitioner = tf1.fixed_size_partitioner(3, axis=0)
        with tf1.variable_scope("parts", partitioner=partitioner):
            table = tf1.get_variable("table", [100, 4], initializer=tf1.random_normal_initializer(seed=3))
        unused = tf1.get_variable("unused", [2], initializer=tf1.zeros_initializer())
    step = tf1.train.get_or_create_global_step()
    hidden = tf1.nn.conv2d(image, weights, strides=1, padding="SAME") + bias
    hidden = hidden * scalar + tf.cast(half, tf.float32) + tf.cast(short, tf.float32) + tf.cast(whole, tf.float32)
    hidden = hidden + tf.reduce_sum(tf.gather(tf.convert_to_tensor(table), [0, 40, 99]), axis=0)
    boxes = tf.identity(hidden, name="detection_boxes")
    loss = tf.reduce_sum(boxes) + tf.reduce_sum(unused)
    tf1.summary.scalar("loss", loss)
    tf1.train.GradientDescentOptimizer(0.1).minimize(loss, global_step=step)
    return boxes


def _save(folder, name, *, resource):
    with tf1.Graph().as_default() as graph, tf1.Session() as session:
        image = tf1.placeholder(tf.float32, [None, 6, 6, 3], name="image_tensor")
        boxes = _network(image, resource=resource)
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(session, str(folder / name))
        values = {variable.op.name: session.run(variable) for variable in tf1.global_variables()}
        values = {key: value.astype(np.float64) for key, value in values.items()}
        np.savez(folder / f"{name}.values.npz", boxes=session.run(boxes, {image: IMAGE}), image=IMAGE, **values)
        graph_def = graph.as_graph_def()
        Path(folder / f"{name}.graph.pb").write_bytes(graph_def.SerializeToString())
        tf.io.write_graph(graph_def, str(folder), f"{name}.graph.pbtxt", as_text=True)
        frozen = tf1.graph_util.convert_variables_to_constants(session, graph_def, ["detection_boxes"])
        Path(folder / f"{name}.frozen.pb").write_bytes(frozen.SerializeToString())
        tf.io.write_graph(frozen, str(folder), f"{name}.frozen.pbtxt", as_text=True)
        inputs = {"image": tf1.saved_model.utils.build_tensor_info(image)}
        outputs = {"boxes": tf1.saved_model.utils.build_tensor_info(boxes)}
        signature = tf1.saved_model.signature_def_utils.build_signature_def(inputs, outputs, "predict")
        builder = tf1.saved_model.Builder(str(folder / f"{name}.saved_model"))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.add_meta_graph(["serve", "gpu"], {"serving_default": signature})
        builder.save()


def _loop(folder):
    """A resource variable that is read inside a TensorFlow 1 loop, and one that is gathered from."""
    with tf1.Graph().as_default(), tf1.Session() as session:
        variable = tf1.get_variable("factor", [2], initializer=tf1.constant_initializer([2.0, 3.0]), use_resource=True)
        table = tf1.get_variable("table", [5, 2], initializer=tf1.random_normal_initializer(seed=4), use_resource=True)
        start = tf1.placeholder(tf.float32, [2], name="start")
        _, result = tf1.while_loop(lambda i, _: i < 3, lambda i, x: (i + 1, x * variable), [tf.constant(0), start])
        result = result + tf.reduce_sum(tf.gather(table, [1, 3]), axis=0)
        tf.identity(result, name="answer")
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(session, str(folder / "loop"))
        answer = session.run("answer:0", {"start:0": [1.0, -1.0]})
        np.savez(folder / "loop.values.npz", answer=answer, table=session.run(table))


def _mutating(folder):
    """An answer that changes a variable on its way cannot be frozen."""
    with tf1.Graph().as_default(), tf1.Session() as session:
        variable = tf1.get_variable("count", [], initializer=tf1.zeros_initializer(), use_resource=False)
        tf.identity(tf1.assign_add(variable, 1.0), name="detection_count")
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(session, str(folder / "mutating"))


class _Detector(tf.Module):
    """A module as the TF2 exporter's: functions in functions, weights read twice, several outputs of one op, a loop."""

    def __init__(self):
        super().__init__()
        generator = np.random.default_rng(6)
        self.kernel = tf.Variable(generator.normal(size=(3, 3, 3, 4)).astype(np.float32), name="head/kernel")
        self.bias = tf.Variable(np.arange(4, dtype=np.float32), name="head/bias")

    @tf.function
    def head(self, image):
        return tf.nn.conv2d(image, self.kernel, 1, "SAME") + self.bias

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8)])
    def call(self, input_tensor):
        size = tf.shape(input_tensor)
        floats = tf.map_fn(lambda one: tf.cast(one, tf.float32) - 127.5, input_tensor, fn_output_signature=tf.float32)
        first, second = self.head(floats), self.head(floats * 0.5)
        top, left, bottom, right = tf.unstack(tf.reshape(first + second, [-1, 4]), axis=1)
        norm = tf.nn.batch_normalization(left, 1.0, 2.0, 3.0, 4.0, 1e-3)
        kept, scores = tf.image.non_max_suppression_with_scores(tf.stack([top, norm, bottom, right], 1), top, 5)
        values, places = tf.nn.top_k(tf.concat([bottom, tf.cast(size[1:2], tf.float32)], 0), 3)
        return {
            "detection_scores": scores,
            "detection_classes": tf.cast(kept, tf.float32),
            "raw": values,
            "where": tf.cast(places, tf.float32),
        }


def _tf2(folder):
    module = _Detector()
    function = module.call.get_concrete_function()
    tf.saved_model.save(module, str(folder / "tf2.saved_model"), signatures=function)
    image = np.random.default_rng(7).integers(0, 256, (1, 9, 7, 3)).astype(np.uint8)
    loaded = tf.saved_model.load(str(folder / "tf2.saved_model"))  # its variables end with it
    signature = loaded.signatures["serving_default"]
    answers = {key: value.numpy() for key, value in signature(input_tensor=tf.constant(image)).items()}
    np.savez(folder / "tf2.values.npz", image=image, **answers)
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(signature, lower_control_flow=False).graph.as_graph_def()
    (folder / "tf2.frozen.pb").write_bytes(frozen.SerializeToString())


def main() -> None:
    folder = Path(sys.argv[1])
    _tf2(folder)
    tf1.disable_eager_execution()
    tf1.disable_control_flow_v2()
    _save(folder, "ref.ckpt", resource=False)
    _save(folder, "resource.ckpt", resource=True)
    _loop(folder)
    _mutating(folder)
    with tf1.Graph().as_default(), tf1.Session(config=tf1.ConfigProto(device_count={"CPU": 2})) as session:
        with tf1.device("/cpu:0"):
            tf1.get_variable("a", initializer=np.arange(3, dtype=np.float32), use_resource=False)
        with tf1.device("/cpu:1"):
            tf1.get_variable("b", initializer=np.arange(4, dtype=np.float32), use_resource=False)
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver(sharded=True).save(session, str(folder / "sharded"))
        tf1.train.Saver(write_version=tf1.train.SaverDef.V1).save(session, str(folder / "old"))


if __name__ == "__main__":
    main()
