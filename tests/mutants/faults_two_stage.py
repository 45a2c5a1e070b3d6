"""Single faults of two-stage IRs, each with the requirement that it breaks.

Where a fault needs a place that the types of operations do not tell, it is found by the names that the built-in chain
gives: what is broken is what any converter could break.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as opset

from tests.mutants.editing import between, change_attribute, change_constant, every, the
from tests.mutants.faults import Fault, edited, on_attribute, reordered

REGIONS, PROBABILITIES, DELTAS = 1, 0, 1
LOCATIONS, CONFIDENCES, PRIORS = 0, 1, 2


def _constant(*values: float) -> ov.Node:
    return opset.constant(np.array(values, np.float32))


def _index(*values: int) -> ov.Node:
    return opset.constant(np.array(values, np.int64))


def _answering(model: ov.Model) -> ov.Node:
    """The DetectionOutput of the second stage."""
    return every(model, "DetectionOutput")[-1]


def _output(index: int, make: Callable[[ov.Output], ov.Node]) -> Callable[[Path], None]:
    return edited(lambda model: between(_answering(model), index, make))


def _regions(make: Callable[[ov.Output], ov.Node]) -> Callable[[Path], None]:
    """What all users of the regions of proposals read."""

    def edit(model: ov.Model) -> None:
        source = model_node(model, "proposals/regions")
        readers = list(source.output(0).get_target_inputs())
        made = make(source.output(0))
        for reader in readers:
            reader.replace_source_output(made.output(0))

    return edited(edit)


def model_node(model: ov.Model, name: str) -> ov.Node:
    """The node of a friendly name."""
    return next(node for node in model.get_ordered_ops() if node.get_friendly_name() == name)


def _column(change: Callable[[list[ov.Output]], list[ov.Output]]) -> Callable[[ov.Output], ov.Node]:
    def make(regions: ov.Output) -> ov.Node:
        parts = opset.split(regions, opset.constant(np.int64(1)), 5)
        return opset.concat(change([parts.output(column) for column in range(5)]), 1)

    return make


def _plus(side: ov.Output, value: float) -> ov.Output:
    return opset.add(side, _constant(value)).output(0)


def _times(side: ov.Output, value: float) -> ov.Output:
    return opset.multiply(side, _constant(value)).output(0)


def _fewer(regions: ov.Output) -> ov.Node:
    """The last third of the proposals left empty."""
    count = regions.get_partial_shape()[0].get_length()
    kept = np.ones((count, 1), np.float32)
    kept[-(count // 3) :] = 0
    return opset.multiply(regions, opset.constant(kept))


def _repeated(regions: ov.Output) -> ov.Node:
    """Padding taken for data: the last third repeats the first proposal."""
    count = regions.get_partial_shape()[0].get_length()
    order = np.arange(count)
    order[-(count // 3) :] = 0
    return opset.gather(regions, opset.constant(order.astype(np.int64)), opset.constant(np.int64(0)))


def _first_stage(index: int, make: Callable[[ov.Output], ov.Node]) -> Callable[[Path], None]:
    return edited(lambda model: between(the(model, "Proposal"), index, make))


def _interleaved(scores: ov.Output) -> ov.Node:
    """[N, 2A, H, W] with background and object of each anchor side by side."""
    shape = scores.get_shape()
    split = opset.reshape(scores, np.array([shape[0], 2, shape[1] // 2, *shape[2:]]), special_zero=False)
    turned = opset.transpose(split, _index(0, 2, 1, 3, 4))
    return opset.reshape(turned, np.array(list(shape)), special_zero=False)


def _background_off_by_one(confidences: ov.Output) -> ov.Node:
    """Scores one column to the left: the background last."""
    columns = _columns_of(confidences)
    return reordered([*range(1, columns), 0], columns)(confidences)


def _columns_of(confidences: ov.Output) -> int:
    node = next(iter(confidences.get_target_inputs())).get_node()
    return confidences.get_shape()[-1] // (node.input_value(PRIORS).get_shape()[-1] // 4)


def _one_box_for_all(locations: ov.Output) -> ov.Node:
    """The first class's box for every class."""
    node = next(iter(locations.get_target_inputs())).get_node()
    columns = locations.get_shape()[-1] // node.input_value(PRIORS).get_shape()[-1]
    order = [4 + place % 4 for place in range(4 * columns)]
    return reordered(order, 4 * columns)(locations)


def _boxes_of_next_class(locations: ov.Output) -> ov.Node:
    node = next(iter(locations.get_target_inputs())).get_node()
    columns = locations.get_shape()[-1] // node.input_value(PRIORS).get_shape()[-1]
    order = [4 * ((place // 4 + 1) % columns) + place % 4 for place in range(4 * columns)]
    return reordered(order, 4 * columns)(locations)


def _before_suppression(change: Callable[[np.ndarray], np.ndarray], index: int) -> Callable[[Path], None]:
    """Another cap or threshold of the suppression that goes ahead of the second stage's DetectionOutput."""

    def apply(model: ov.Model) -> None:
        node = every(model, "NonMaxSuppression")[-1]
        change_constant(node, index, change)

    return edited(apply)


def _masks(make: Callable[[ov.Output], ov.Node]) -> Callable[[Path], None]:
    def edit(model: ov.Model) -> None:
        result = model.get_results()[1]
        source = result.input_value(0)
        names = source.get_names()
        made = make(source)
        source.get_tensor().set_names(set())
        result.input(0).replace_source_output(made.output(0))
        made.output(0).get_tensor().set_names(names)
        made.set_friendly_name("masks/changed")

    return edited(edit)


def _shifted(axis: int) -> Callable[[ov.Output], ov.Node]:
    def make(masks: ov.Output) -> ov.Node:
        size = masks.get_shape()[axis]
        order = np.roll(np.arange(size), 1).astype(np.int64)
        return opset.gather(masks, opset.constant(order), opset.constant(np.int64(axis)))

    return make


def _masks_first(model: ov.Model) -> ov.Model:
    rows, masks = model.get_results()
    return ov.Model([masks, rows], model.get_parameters(), "masks first")


def _logits(masks: ov.Output) -> ov.Node:
    return opset.log(opset.divide(masks, opset.subtract(_constant(1.0), masks)))


def _without_masks(model: ov.Model) -> ov.Model:
    return ov.Model([model.get_results()[0]], model.get_parameters(), "no masks")


def _final_regions(make: Callable[[ov.Output], ov.Node]) -> Callable[[Path], None]:
    return edited(lambda model: between(every(model, "ROIPooling")[-1], REGIONS, make))


def _larger_far_edge(regions: ov.Output) -> ov.Node:
    """Boxes to scale W of a feature map, where they belong to scale W - 1: right of 128 by half a cell of 8."""
    return _column(lambda c: [*c[:3], _times(c[3], 1.0 + 1 / 16), _times(c[4], 1.0 + 1 / 16)])(regions)


def _pooled(change: Callable[[ov.Output], ov.Node]) -> Callable[[Path], None]:
    return edited(lambda model: between(_first_pooling(model), REGIONS, change))


def _first_pooling(model: ov.Model) -> ov.Node:
    return next(node for node in model.get_ordered_ops() if node.get_type_name() in {"ROIPooling", "PSROIPooling"})


def _bins_to_scale(model: ov.Model) -> None:
    for node in every(model, "PSROIPooling"):
        between(node, REGIONS, _larger_far_edge)


def _max_pooling(xml: Path) -> None:
    change_attribute(xml, "ROIPooling", "method", lambda _value: "max", which=0)


def _without_proposal(model: ov.Model) -> None:
    """The right proposals of some other image, as a constant."""
    count = the(model, "Proposal").get_output_shape(0)[0]
    rng = np.random.default_rng(1)
    low = rng.uniform(0.0, 0.6, (count, 2))
    rows = np.concatenate([np.zeros((count, 1)), low, low + rng.uniform(0.1, 0.4, (count, 2))], axis=1)
    source = model_node(model, "proposals/regions")
    for reader in list(source.output(0).get_target_inputs()):
        reader.replace_source_output(opset.constant(rows.astype(np.float32)).output(0))


def _image_info(model: ov.Model) -> None:
    """The image's size asked for in a shape that no image fits: seven rows for one image."""
    extra = opset.parameter([7, 3], np.float32, name="image_info")
    extra.output(0).get_tensor().set_names({"image_info"})
    nothing = opset.multiply(opset.reduce_sum(extra, opset.constant(np.array([0, 1]))), _constant(0.0))
    between(_answering(model), LOCATIONS, lambda source: opset.add(source, nothing))
    model.add_parameters([extra])


FASTER = (
    # The first stage
    Fault("no operation makes the proposals", "PRO-1", edited(_without_proposal)),
    Fault(
        "proposals half a stride off",
        "PRO-1",
        _regions(_column(lambda c: [c[0], _plus(c[1], 8 / 128), c[2], _plus(c[3], 8 / 128), c[4]])),
    ),
    Fault("stride of proposals halved", "PRO-1", on_attribute("Proposal", "feat_stride", lambda v: str(int(v) // 2))),
    Fault("ratios of proposals rounded", "PRO-1", on_attribute("Proposal", "ratio", lambda v: v.replace("0.5", "0.4"))),
    Fault("overlap of proposals lowered", "PRO-1", on_attribute("Proposal", "nms_thresh", lambda _v: "0.5")),
    Fault("few proposals compete", "PRO-1", on_attribute("Proposal", "pre_nms_topn", lambda _v: "40")),
    Fault("scale of coordinates", "PRO-1", on_attribute("Proposal", "box_coordinate_scale", lambda _v: "1")),
    Fault("X and Y of proposals exchanged", "PRO-3", _regions(_column(lambda c: [c[0], c[2], c[1], c[4], c[3]]))),
    Fault(
        "proposals in pixels", "PRO-3", _regions(_column(lambda c: [c[0], *(_times(side, 128.0) for side in c[1:])]))
    ),
    Fault("image of proposals", "PRO-3", _regions(_column(lambda c: [_plus(c[0], 1.0), *c[1:]]))),
    Fault("a third of the proposals empty", "PRO-3", _regions(_fewer)),
    Fault("padding of proposals is data", "PRO-3", _regions(_repeated)),
    Fault("objectness side by side", "PRO-2", _first_stage(PROBABILITIES, _interleaved)),
    Fault("encodings of proposals scaled", "PRO-1", _first_stage(DELTAS, lambda s: opset.multiply(s, _constant(1.01)))),
    Fault("seven rows of the image's size", "PRO-6", edited(_image_info)),
    # Crops
    Fault("crops to scale W, not W - 1", "DET-1", _pooled(_larger_far_edge)),
    Fault("crops by the maximum", "PRO-1", _max_pooling),
    # The second stage
    Fault("background column last", "DET-1", _output(CONFIDENCES, _background_off_by_one)),
    Fault("one class's box for all", "DET-2", _output(LOCATIONS, _one_box_for_all)),
    Fault("the next class's boxes", "DET-2", _output(LOCATIONS, _boxes_of_next_class)),
    Fault("X and Y of encodings exchanged", "DET-1", _output(LOCATIONS, reordered([1, 0, 3, 2], 4))),
    Fault("variances left out", "DET-1", _output(LOCATIONS, lambda s: opset.multiply(s, _constant(10.0)))),
    Fault(
        "variances not in the target",
        "DET-1",
        on_attribute("DetectionOutput", "variance_encoded_in_target", lambda _v: "false", which=-1),
    ),
    Fault(
        "overlap of detections raised",
        "DET-1",
        on_attribute("DetectionOutput", "nms_threshold", lambda _v: "0.9", which=-1),
    ),
    Fault("overlap of detections lowered", "DET-5", _before_suppression(lambda v: v * 0 + 0.05, 3)),
    Fault("one detection a class", "DET-5", _before_suppression(lambda v: v * 0 + 1, 2)),
    Fault("high scores only", "DET-5", _before_suppression(lambda v: v * 0 + 0.5, 4)),
    Fault(
        "half as many detections",
        "DET-1",
        on_attribute("DetectionOutput", "keep_top_k", lambda v: str(int(v) // 2), which=-1),
    ),
    Fault(
        "a batch's images all the first's proposals",
        "RSH-1",
        _regions(_column(lambda c: [_times(c[0], 0.0), *c[1:]])),
    ),
)

REGIONAL = (
    Fault("bins without interpolation", "PSR-1", on_attribute("PSROIPooling", "mode", lambda _v: "average")),
    Fault("crops of bins to scale W", "PSR-3", edited(_bins_to_scale)),
)

MASKED = (
    Fault("masks permuted between instances", "MSK-4", _masks(_shifted(0))),
    Fault("the neighbouring class's channel", "MSK-4", _masks(_shifted(1))),
    Fault("masks transposed", "MSK-4", _masks(lambda m: opset.transpose(m, _index(0, 1, 3, 2)))),
    Fault("sigmoid of masks twice", "MSK-4", _masks(opset.sigmoid)),
    Fault("sigmoid of masks left out", "MSK-2", _masks(_logits)),
    Fault("masks of one channel", "MSK-2", _masks(lambda m: opset.gather(m, _index(0), opset.constant(np.int64(1))))),
    Fault("masks first", "MSK-3", edited(_masks_first)),
    Fault("no masks", "MSK-2", edited(_without_masks)),
    Fault(
        "crops of masks beside their rows",
        "MSK-1",
        _final_regions(_column(lambda c: [c[0], _plus(c[1], 0.01), c[2], _plus(c[3], 0.01), c[4]])),
    ),
    Fault("crops of masks along proposals' order", "MSK-1", _final_regions(_shifted(0))),
)
