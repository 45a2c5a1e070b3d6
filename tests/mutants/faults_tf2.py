"""Faults that converters of the TF2 eras' single-stage detectors really had or could have."""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import opset13 as opset

from tests.mutants.editing import at_the_end, every
from tests.mutants.faults import Fault, edited, on_attribute

FUSION = ("Add", "Multiply")


def _rounded(text: str) -> str:
    return ",".join(repr(float(round(float(value)))) for value in text.split(","))


def _labels_without_background(model: ov.Model) -> ov.Model:
    """What DetectionOutput itself gives where there is no background: classes from 0."""

    def make(rows: ov.Output) -> ov.Node:
        found = opset.greater(rows, opset.constant(np.array([2, 0.5, 2, 2, 2, 2, 2], np.float32)))
        return opset.subtract(rows, opset.convert(found, "f32"))

    return at_the_end(model, make)


def _fused_sums(model: ov.Model) -> list[tuple[ov.Node, list[ov.Node]]]:
    """Each sum of two maps that are multiplied by a number, with the products."""
    sums = []
    for node in every(model, FUSION[0]):
        products = [node.input_value(index).get_node() for index in (0, 1)]
        if all(one.get_type_name() == FUSION[1] and _weight(one) is not None for one in products):
            sums.append((node, products))
    assert sums, "no weighted sum of maps"
    return sums


def _weight(product: ov.Node) -> int | None:
    """Which input of a product is a single constant number."""
    for index in (0, 1):
        source = product.input_value(index).get_node()
        if source.get_type_name() == "Constant" and source.get_output_shape(0) in ([], [1], [1, 1, 1, 1]):
            return index
    return None


def _weights_exchanged(model: ov.Model) -> None:
    _, (first, second) = max(_fused_sums(model), key=lambda one: _difference(one[1]))
    places = _weight(first), _weight(second)
    values = first.input_value(places[0]), second.input_value(places[1])
    first.input(places[0]).replace_source_output(values[1])
    second.input(places[1]).replace_source_output(values[0])


def _difference(products: list[ov.Node]) -> float:
    one, two = (float(np.ravel(node.input_value(_weight(node)).get_node().data)[0]) for node in products)
    return abs(one - two)


def _one_map_left_out(model: ov.Model) -> None:
    node, (first, _) = _fused_sums(model)[-1]
    node.output(0).replace(first.output(0))


def _spread_left_out(model: ov.Model) -> None:
    """The channels' spread, the last division of the image, left out."""
    node = every(model, "Divide")[1]
    node.output(0).replace(node.input_value(0))


EFFICIENTDET = (
    Fault("labels from zero", "SSD-9", edited(_labels_without_background)),
    Fault("widths of priors rounded", "SSD-9", on_attribute("PriorBoxClustered", "width", _rounded)),
    Fault("heights of priors rounded", "SSD-9", on_attribute("PriorBoxClustered", "height", _rounded)),
    Fault("weights of a fused sum exchanged", "SSD-8", edited(_weights_exchanged)),
    Fault("a map left out of a fused sum", "SSD-8", edited(_one_map_left_out)),
    Fault("maps enlarged linearly", "SSD-8", on_attribute("Interpolate", "mode", lambda _v: "linear_onnx")),
    Fault("spread of the channels left out", "PRE-1", edited(_spread_left_out)),
)

TWO_STAGES = (
    Fault(
        "clipped anchors taken for clipped boxes",
        "PRO-1",
        on_attribute("Proposal", "clip_before_nms", lambda _v: "true"),
    ),
)

CROWDED = (
    Fault("cut before suppression in a pyramid", "SSD-5", on_attribute("DetectionOutput", "top_k", lambda _v: "20")),
)
