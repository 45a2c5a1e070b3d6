"""A detector in small with an SSD's structure, written in every form; runs in a worker, for it imports TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
tf1.disable_control_flow_v2()
tf1.disable_resource_variables()

SIZE, CLASSES, RATIOS = 32, 2, (1.0, 2.0, 0.5)

CONFIG = """
model {{ ssd {{
  num_classes: 2
  image_resizer {{ fixed_shape_resizer {{ height: {size} width: {size} }} }}
  feature_extractor {{ type: "ssd_mobilenet_v1" }}
  box_coder {{ faster_rcnn_box_coder {{ y_scale: 10 x_scale: 10 height_scale: 5 width_scale: 5 }} }}
  box_predictor {{ convolutional_box_predictor {{ kernel_size: 1 }} }}
  anchor_generator {{ ssd_anchor_generator {{
    num_layers: 2 min_scale: {min_scale} max_scale: 0.8 reduce_boxes_in_lowest_layer: false
    aspect_ratios: 1 aspect_ratios: 2 aspect_ratios: 0.5 interpolated_scale_aspect_ratio: 0 }} }}
  post_processing {{
    batch_non_max_suppression {{
      score_threshold: {threshold} iou_threshold: {iou} max_detections_per_class: 8 max_total_detections: 10 }}
    score_converter: {converter} }}
}} }}
"""


def config(path, **changes):
    """A pipeline.config that is the graph's, but for the changes."""
    values = {"size": SIZE, "min_scale": 0.3, "threshold": 0.2, "iou": 0.5, "converter": "SIGMOID", **changes}
    Path(path).write_text(CONFIG.format(**values))
    return Path(path)


def build(converter="Sigmoid", *, stuck=False, static_batch=None, mistake=""):
    """Put the graph into TensorFlow's default graph; ``stuck`` fixes a shape that keeps it at its own size."""
    rng = np.random.default_rng(5)

    def variable(name, shape, spread, value=None):
        start = rng.normal(0, spread, shape).astype(np.float32) if value is None else np.full(shape, value, np.float32)
        return tf1.get_variable(name, initializer=tf.constant(start))

    image = tf1.placeholder(tf.uint8, [static_batch, None, None, 3], name="image_tensor")
    pixels = tf.cast(image, tf.float32, name="Cast")
    with tf1.name_scope("Preprocessor/"):
        resized = tf1.map_fn(lambda one: tf1.image.resize_images(one, [SIZE, SIZE]), pixels, name="map")
        scaled = tf.multiply(tf.constant(2 / 255.0), resized, name="mul")
        features = tf.subtract(scaled, tf.constant(1.0), name="sub")
    boxes, classes = [], []
    for level, depth in enumerate((12, 16)):
        kernel = variable(f"FeatureExtractor/{level}/weights", [3, 3, features.shape[-1] or 3, depth], 0.35)
        features = tf.nn.relu6(tf.nn.conv2d(features, kernel, 4 if level == 0 else 2, "SAME"))
        if stuck and level == 0:
            features = tf.reshape(features, [-1, SIZE // 4, SIZE // 4, depth], name="FeatureExtractor/stuck")
        for kind, columns, found in (("BoxEncoding", 4, boxes), ("Class", CLASSES + 1, classes)):
            width = len(RATIOS) * columns
            scope = f"BoxPredictor_{level}/{kind}Predictor"
            weights = variable(f"{scope}/weights", [1, 1, depth, width], 0.8 if kind == "Class" else 0.25)
            bias = variable(f"{scope}/biases", [width], 0, value=-1.0 if kind == "Class" else 0.0)
            raw = tf.nn.bias_add(tf.nn.conv2d(features, weights, 1, "SAME"), bias, name=f"{scope}/BiasAdd")
            found.append(tf.reshape(raw, [tf.shape(raw)[0], -1, *([1, 4] if kind == "BoxEncoding" else [columns])]))
    if mistake == "order":
        boxes.reverse()
        classes.reverse()
    encodings = tf.squeeze(tf.concat(boxes, 1), 2, name="Squeeze")
    logits = tf.concat(classes, 1, name="concat_1")
    anchors = tf.constant(_anchors(), name="Concatenate/concat")
    _postprocess(encodings, logits, anchors, converter)
    return image


def _anchors():
    found = []
    for grid, scale in ((8, 0.3), (4, 0.8)):
        for row in range(grid):
            for column in range(grid):
                for ratio in RATIOS:
                    y, x, root = (row + 0.5) / grid, (column + 0.5) / grid, np.sqrt(ratio)
                    h, w = scale / root, scale * root
                    found.append([y - h / 2, x - w / 2, y + h / 2, x + w / 2])
    return np.array(found, np.float32)


def _postprocess(encodings, logits, anchors, converter):
    with tf1.name_scope("Postprocessor/"):
        shape = tf.shape(encodings)
        tiled = tf.reshape(tf.tile(tf.expand_dims(anchors, 0), tf.stack([shape[0], 1, 1])), [-1, 4])
        ymin, xmin, ymax, xmax = tf.unstack(tf.transpose(tiled), name="Decode/sizes/unstack")
        ty, tx, th, tw = tf.unstack(tf.transpose(tf.reshape(encodings, [-1, 4])), name="Decode/unstack")
        ha, wa = ymax - ymin, xmax - xmin
        h, w = tf.exp(th / 5.0) * ha, tf.exp(tw / 5.0) * wa
        y, x = ty / 10.0 * ha + (ymin + ha / 2.0), tx / 10.0 * wa + (xmin + wa / 2.0)
        stacked = tf.stack([y - h / 2.0, x - w / 2.0, y + h / 2.0, x + w / 2.0])
        boxes = tf.reshape(tf.transpose(stacked), tf.stack([shape[0], shape[1], 4]))
        scaled = tf.divide(logits, tf.constant(1.0), name="scale_logits")
        function = {"Sigmoid": tf.sigmoid, "Softmax": tf.nn.softmax, "Identity": tf.identity}[converter]
        scores = function(scaled, name="convert_scores")[:, :, 1:]
        found = tf1.map_fn(
            _suppress, (boxes, scores), dtype=(tf.float32, tf.float32, tf.float32, tf.int32), name="NonMaxSuppression"
        )
    tf.identity(found[0], name="detection_boxes")
    tf.identity(found[1], name="detection_scores")
    tf.identity(found[2] + 1.0, name="detection_classes")
    tf.cast(found[3], tf.float32, name="num_detections")


def _suppress(one):
    boxes, scores = one
    kept = []
    for column in range(CLASSES):
        over = tf.where(scores[:, column] > 0.2)[:, 0]
        some, their = tf.gather(boxes, over), tf.gather(scores[:, column], over)
        picked = tf.image.non_max_suppression(some, their, 8, 0.5)
        kept.append((tf.gather(some, picked), tf.gather(their, picked), tf.ones_like(picked, tf.float32) * column))
    boxes, scores, classes = (tf.concat(parts, 0) for parts in zip(*kept, strict=True))
    best, order = tf.nn.top_k(scores, tf.minimum(10, tf.size(scores)))
    count = tf.size(best)
    pad = 10 - count
    boxes = tf.clip_by_value(tf.gather(boxes, order), 0.0, 1.0)
    return (
        tf.reshape(tf.pad(boxes, [[0, pad], [0, 0]]), [10, 4]),
        tf.reshape(tf.pad(best, [[0, pad]]), [10]),
        tf.reshape(tf.pad(tf.gather(classes, order), [[0, pad]]), [10]),
        count,
    )


def write(folder, *, forms=("frozen",), **options):
    """Write the graph in these forms into the folder; returns nothing that needs TensorFlow."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    outputs = ["detection_boxes", "detection_scores", "detection_classes", "num_detections"]
    with tf.Graph().as_default() as graph, tf1.Session(graph=graph) as session:
        image = build(**options)
        session.run(tf1.global_variables_initializer())
        frozen = tf1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), outputs)
        (folder / "frozen.pb").write_bytes(frozen.SerializeToString())
        if "text" in forms:
            for node in frozen.node:
                node.ClearField("experimental_type")  # today's TensorFlow adds it; no exporter of those years did
            tf1.train.write_graph(frozen, str(folder), "frozen.pbtxt")
        if "meta" in forms:
            (folder / "inference.pb").write_bytes(graph.as_graph_def().SerializeToString())
            tf1.train.Saver().save(session, str(folder / "model.ckpt"))
        if "saved_model" in forms:
            named = {name: graph.get_tensor_by_name(f"{name}:0") for name in outputs}
            tf1.saved_model.simple_save(session, str(folder / "saved_model"), {"inputs": image}, named)


def write_tf2(folder):
    """A TF2 SavedModel with a detector's signature: one box, whose score is the image's mean."""

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8, "input_tensor")])
        def __call__(self, image):
            score = tf.reduce_mean(tf.cast(image, tf.float32), [1, 2, 3]) / 255.0
            return {
                "detection_boxes": tf.ones([1, 1, 4]) * [0.1, 0.2, 0.3, 0.4],
                "detection_scores": score[:, None],
                "detection_classes": tf.ones([1, 1]),
                "num_detections": tf.ones([1]),
            }

    module = Module()
    tf.saved_model.save(module, str(folder), signatures=module.__call__.get_concrete_function())


def write_other_checkpoint(prefix):
    """A checkpoint of another graph."""
    with tf.Graph().as_default(), tf1.Session() as session:
        session.run(tf1.get_variable("other", [1]).initializer)
        tf1.train.Saver().save(session, str(prefix))


def write_classifier(path):
    """A graph without detections."""
    with tf.Graph().as_default() as graph:
        image = tf1.placeholder(tf.uint8, [None, None, None, 3], name="image_tensor")
        tf.reduce_mean(tf.cast(image, tf.float32), name="logits")
        Path(path).write_bytes(graph.as_graph_def().SerializeToString())
