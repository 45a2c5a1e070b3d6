"""Small IRs, written by OpenVINO in a worker, so that the tests' own process never loads it."""

from __future__ import annotations

import numpy as np
import openvino as ov

try:
    from openvino import opset13 as op
except ImportError:
    from openvino.runtime import opset13 as op

WEIGHTS = np.random.default_rng(7).normal(size=(24, 3, 3, 3)).astype(np.float32) * 0.02


def heads(pixels):
    """The location and confidence part of :func:`detector` in NumPy: ``[N, h, w, 12]`` and ``[N, h, w, 12]``."""
    image = pixels.astype(np.float64) / 255
    count, height, width, _ = image.shape
    rows, columns = (height - 3) // 2 + 1, (width - 3) // 2 + 1
    out = np.zeros((count, rows, columns, 24))
    for y in range(3):
        for x in range(3):
            taken = image[:, y : y + 2 * rows - 1 : 2, x : x + 2 * columns - 1 : 2]
            out += np.einsum("nhwc,oc->nhwo", taken, WEIGHTS[:, :, y, x].astype(np.float64))
    return out[..., :12], out[..., 12:]


def detector(path, *, loop=False, size=9, reshapable=True):
    """A detector in small: image, one convolution, three anchors a cell, four classes, a DetectionOutput."""
    image = op.parameter([1, size, size, 3], ov.Type.u8, name="image_tensor")
    image.output(0).set_names({"image_tensor:0", "image_tensor"})
    scaled = op.divide(op.convert(image, "f32"), np.float32(255))
    planes = op.transpose(scaled, np.array([0, 3, 1, 2]))
    features = op.convolution(planes, op.constant(WEIGHTS), [2, 2], [0, 0], [0, 0], [1, 1], name="features")
    rows = op.transpose(features, np.array([0, 2, 3, 1]))
    if loop:
        rows = _identity_loop(rows)
    boxes, classes = op.split(rows, np.array(3), 2).outputs()
    count = 0 if reshapable else 1
    cells = -1 if reshapable else ((size - 3) // 2 + 1) ** 2 * 12
    locations = op.reshape(boxes, np.array([count, cells]), special_zero=True, name="locations")
    confidences = op.sigmoid(op.reshape(classes, np.array([count, cells]), special_zero=True), name="confidences")
    grid = op.slice(op.shape_of(features), np.array([2]), np.array([4]), np.array([1]))
    extent = op.slice(op.shape_of(planes), np.array([2]), np.array([4]), np.array([1]))
    priors = op.prior_box_clustered(
        grid,
        extent,
        {
            "width": [3.0, 4.0, 5.0],
            "height": [3.0, 5.0, 4.0],
            "offset": 0.5,
            "variance": [0.1, 0.1, 0.2, 0.2],
            "clip": False,
        },
    )
    priors.set_friendly_name("priors")
    end = op.detection_output(
        locations,
        confidences,
        op.unsqueeze(priors, np.array(0)),
        {
            "keep_top_k": [10],
            "nms_threshold": 0.6,
            "confidence_threshold": 0.5,
            "share_location": True,
            "code_type": "caffe.PriorBoxParameter.CENTER_SIZE",
            "normalized": True,
            "background_label_id": 0,
        },
    )
    end.set_friendly_name("DetectionOutput")
    end.output(0).set_names({"detections"})
    ov.save_model(ov.Model([end], [image], "detector"), str(path), compress_to_fp16=False)
    return str(path)


def _identity_loop(rows):
    body_in = op.parameter(rows.get_output_partial_shape(0), ov.Type.f32)
    body = ov.Model([op.constant(np.array([True])), op.add(body_in, np.float32(0))], [body_in], "body")
    loop = op.loop(op.constant(np.array(3)), op.constant(np.array([True])))
    loop.set_function(body)
    loop.set_special_body_ports([-1, 0])
    loop.set_merged_input(body_in, rows.output(0), body.results[1].output(0).get_node().input_value(0))
    return loop.get_iter_value(body.results[1].output(0).get_node().input_value(0), -1)


def two_inputs(path):
    """Two float inputs, two outputs: the sum (named) and the difference (not named)."""
    a = op.parameter([2, 3], ov.Type.f32, name="a")
    b = op.parameter([2, 3], ov.Type.f32, name="b")
    total, difference = op.add(a, b), op.subtract(a, b)
    total.output(0).set_names({"sum:0", "sum"})
    difference.set_friendly_name("difference")
    ov.save_model(ov.Model([total, difference], [a, b], "two"), str(path), compress_to_fp16=False)
    return str(path)


def constant_priors(path):
    """A node one of whose inputs depends on no input of the model."""
    a = op.parameter([1, 4], ov.Type.f32, name="a")
    constant = op.multiply(op.constant(np.arange(4, dtype=np.float32)), np.float32(2))
    end = op.add(a, constant)
    end.set_friendly_name("end")
    ov.save_model(ov.Model([end], [a], "constant"), str(path), compress_to_fp16=False)
    return str(path)


def aliased(path):
    """An output of several names, the shortest of which says nothing."""
    a = op.parameter([1], ov.Type.f32, name="a")
    end = op.add(a, np.float32(1))
    end.output(0).set_names({"add:0", "detection_classes:0", "x"})
    ov.save_model(ov.Model([end], [a], "aliased"), str(path), compress_to_fp16=False)
    return str(path)
