"""Single faults put into a correct IR, each with the requirement that it breaks.

A fault is what a converter could really get wrong. The right answer for each is that the suite fails, at a check that
names the requirement; tests/mutants/test_mutants.py holds the suite to that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as opset

from tests.mutants.editing import at_the_end, between, change_attribute, change_constant, every, the

LOCATIONS, CONFIDENCES, PRIORS = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Fault:
    """``apply`` changes an IR on disk; ``requirement`` is broken by it; ``traits`` are what a case needs to show it."""

    name: str
    requirement: str
    apply: Callable[[Path], None]
    traits: frozenset[str] = frozenset()


def _model(edit: Callable[[ov.Model], ov.Model | None]) -> Callable[[Path], None]:
    def apply(xml: Path) -> None:
        model = ov.Core().read_model(str(xml))
        changed = edit(model) or model
        changed.validate_nodes_and_infer_types()
        target = xml.with_name("changed.xml")
        ov.save_model(changed, str(target), compress_to_fp16=False)
        del model, changed
        target.with_suffix(".bin").replace(xml.with_suffix(".bin"))
        target.replace(xml)

    return apply


def _attribute(kind: str, name: str, change: Callable[[str], str], which: int | None = None) -> Callable[[Path], None]:
    return lambda xml: change_attribute(xml, kind, name, change, which=which)


def _scaled(factor: float, which: int | None = None) -> Callable[[str], str]:
    """A change of a list of numbers: all of them, or one, multiplied."""

    def change(text: str) -> str:
        values = [float(value) for value in text.split(",")]
        for index in range(len(values)):
            if which is None or index == which % len(values):
                values[index] *= factor
        return ",".join(repr(value) for value in values)

    return change


def _swapped(first: int, second: int) -> Callable[[str], str]:
    def change(text: str) -> str:
        values = text.split(",")
        values[first], values[second] = values[second], values[first]
        return ",".join(values)

    return change


def _detection(index: int, make: Callable[[ov.Output], ov.Node]) -> Callable[[Path], None]:
    def edit(model: ov.Model) -> None:
        between(the(model, "DetectionOutput"), index, make)

    return _model(edit)


def _picked(order: list[int], length: int) -> Callable[[ov.Output], ov.Node]:
    """Values of the last axis in groups of ``length``, in another order within each group."""

    def make(source: ov.Output) -> ov.Node:
        shape = opset.shape_of(source, "i64")
        grouped = opset.reshape(
            source,
            np.array([0, -1, length])
            if source.get_partial_shape().rank.get_length() == 2
            else np.array([0, 0, -1, length]),
            special_zero=True,
        )
        axis = opset.constant(np.int64(-1))
        return opset.reshape(opset.gather(grouped, opset.constant(np.array(order, np.int64)), axis), shape, False)

    return make


def _columns(change: Callable[[list[ov.Output]], list[ov.Output]]) -> Callable[[Path], None]:
    """Rows of the answer with their seven columns changed."""

    def make(rows: ov.Output) -> ov.Node:
        parts = opset.split(rows, opset.constant(np.int64(-1)), 7)
        return opset.concat(change([parts.output(column) for column in range(7)]), -1)

    return _model(lambda model: at_the_end(model, make))


def _valid(columns: list[ov.Output], changed: ov.Output | ov.Node, column: int) -> list[ov.Output]:
    """One column changed in rows that have a class, so that padding stays padding."""
    real = opset.greater(columns[1], opset.constant(np.float32(0.5)))
    result = list(columns)
    result[column] = opset.select(real, changed, columns[column]).output(0)
    return result


def _label_shift(by: int) -> Callable[[Path], None]:
    return _columns(lambda c: _valid(c, opset.add(c[1], opset.constant(np.float32(by))), 1))


def _times(factor: float) -> Callable[[ov.Output], ov.Node]:
    return lambda source: opset.multiply(source, opset.constant(np.float32(factor)))


def _plus(value: float) -> Callable[[ov.Output], ov.Node]:
    return lambda source: opset.add(source, opset.constant(np.float32(value)))


def _head(index: int, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    """Weights changed in the convolution behind DetectionOutput's input that the first feature map comes from."""

    def edit(model: ov.Model) -> None:
        node = the(model, "DetectionOutput").input_value(index).get_node()
        while node.get_type_name() not in {"Convolution", "GroupConvolution"}:
            node = node.input_value(0).get_node()
        change_constant(node, 1, change)

    return _model(edit)


def _backbone(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def edit(model: ov.Model) -> None:
        convolutions = every(model, "Convolution")
        change_constant(convolutions[len(convolutions) // 3], 1, change)

    return _model(edit)


def _without_shift(model: ov.Model) -> None:
    """The first thing that is added to or subtracted from the image left out."""
    node = next(node for node in model.get_ordered_ops() if node.get_type_name() in {"Subtract", "Add"})
    node.output(0).replace(node.input_value(0))


def _one_channel(value: np.ndarray) -> np.ndarray:
    changed = value.copy()
    changed[0] *= 1.0 + 1e-3
    return changed


def _one_channel_more(value: np.ndarray) -> np.ndarray:
    changed = value.copy()
    changed[0] *= 1.0 + 1e-2
    return changed


def _reversed_channels(value: np.ndarray) -> np.ndarray:
    return value[::-1]


def _frozen_priors(model: ov.Model) -> None:
    """Priors as a constant of the converted size: right there, wrong after a reshape."""
    detection_output = the(model, "DetectionOutput")
    source = detection_output.input_value(PRIORS)
    part = ov.Model([source], model.get_parameters(), "priors")
    compiled = ov.Core().compile_model(part, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    value = compiled([np.zeros(port.shape, np.uint8) for port in part.inputs])[0]
    detection_output.input(PRIORS).replace_source_output(opset.constant(np.array(value)).output(0))


def _without(kind: str) -> Callable[[Path], None]:
    def edit(model: ov.Model) -> None:
        node = every(model, kind)[-1]
        node.output(0).replace(node.input_value(0))

    return _model(edit)


def _twice(kind: str) -> Callable[[Path], None]:
    def edit(model: ov.Model) -> None:
        node = every(model, kind)[-1]
        readers = list(node.output(0).get_target_inputs())
        again = opset.sigmoid(node.output(0))
        for reader in readers:
            reader.replace_source_output(again.output(0))

    return _model(edit)


def _channels_reversed(model: ov.Model) -> None:
    parameter = model.get_parameters()[0]
    readers = list(parameter.output(0).get_target_inputs())
    reversed_image = opset.gather(
        parameter.output(0), opset.constant(np.array([2, 1, 0], np.int64)), opset.constant(np.int64(3))
    )
    for reader in readers:
        reader.replace_source_output(reversed_image.output(0))


def _half_precision(xml: Path) -> None:
    model = ov.Core().read_model(str(xml))
    target = xml.with_name("changed.xml")
    ov.save_model(model, str(target), compress_to_fp16=True)
    del model
    target.with_suffix(".bin").replace(xml.with_suffix(".bin"))
    target.replace(xml)


def _same_image_for_all(model: ov.Model) -> None:
    """Every image of a batch taken to be the first: right for one image, wrong for two."""
    (parameter,) = model.get_parameters()
    readers = list(parameter.output(0).get_target_inputs())
    first = opset.gather(parameter.output(0), opset.constant(np.array([0], np.int64)), opset.constant(np.int64(0)))
    repeated = opset.broadcast(first, opset.shape_of(parameter.output(0), "i64"))
    for reader in readers:
        reader.replace_source_output(repeated.output(0))


def _second_input(model: ov.Model) -> None:
    """An input that the caller has to feed and that changes nothing."""
    (parameter,) = model.get_parameters()
    extra = opset.parameter([1, 3], np.float32, name="image_info")
    extra.output(0).get_tensor().set_names({"image_info"})
    readers = list(parameter.output(0).get_target_inputs())
    nothing = opset.convert(
        opset.multiply(opset.reduce_sum(extra, opset.constant(np.array([0, 1]))), opset.constant(np.float32(0))), "u8"
    )
    same = opset.add(parameter.output(0), nothing)
    for reader in readers:
        reader.replace_source_output(same.output(0))
    model.add_parameters([extra])


def _resized_inside(model: ov.Model) -> None:
    """The image resized (to its own size) in the graph, which the conversion was to cut out."""
    (parameter,) = model.get_parameters()
    readers = list(parameter.output(0).get_target_inputs())
    shape = parameter.get_partial_shape()
    size = opset.constant(np.array([shape[1].get_length(), shape[2].get_length()], np.int64))
    resized = opset.convert(
        opset.interpolate(
            opset.convert(parameter.output(0), "f32"),
            size,
            mode="linear_onnx",
            shape_calculation_mode="sizes",
            axes=opset.constant(np.array([1, 2], np.int64)),
        ),
        "u8",
    )
    for reader in readers:
        reader.replace_source_output(resized.output(0))


def _loop(rows: ov.Output) -> ov.Node:
    """The answer passed through a loop that runs once."""
    inside = opset.parameter(rows.get_partial_shape(), np.float32)
    going_on = opset.constant(np.array([True]))
    copy = opset.multiply(inside, opset.constant(np.float32(1)))
    loop = opset.loop(opset.constant(np.int64(1)), opset.constant(np.array(True)))
    body = ov.Model([going_on.output(0), copy.output(0)], [inside], "body")
    loop.set_function(body)
    loop.set_special_body_ports([-1, 0])
    loop.set_invariant_input(inside, rows)
    return loop.get_iter_value(copy.output(0), -1).get_node()


def _two_detection_outputs(model: ov.Model) -> ov.Model:
    first = the(model, "DetectionOutput")
    inputs = [first.input_value(index) for index in range(3)]
    second = opset.detection_output(
        *inputs, first.get_attributes() | {"keep_top_k": first.get_attributes()["keep_top_k"]}
    )
    half = opset.constant(np.float32(0.5))
    return at_the_end(model, lambda rows: opset.multiply(opset.add(rows, second), half))


def _constant_answer(model: ov.Model) -> ov.Model:
    """The right answer to some other picture, whatever is fed; nothing is read any more."""
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    value = np.array(compiled([np.full(port.shape, 100, np.uint8) for port in model.inputs])[0])
    answer = opset.constant(value, name="answer")
    answer.output(0).get_tensor().set_names({"DetectionOutput"})
    return ov.Model([opset.result(answer)], [], "constant")


def _dead_end(model: ov.Model) -> ov.Model:
    """A second output that nobody asked for."""
    extra = opset.result(the(model, "DetectionOutput").input_value(CONFIDENCES))
    model.add_results([extra])
    return model


def _identity(rows: ov.Output, value: float) -> ov.Node:
    return opset.broadcast(opset.constant(np.float32(value)), opset.shape_of(rows, "i64"))


def _whole_image(columns: list[ov.Output]) -> list[ov.Output]:
    zero = opset.multiply(columns[3], opset.constant(np.float32(0)))
    ones = opset.add(zero, opset.constant(np.float32(1)))
    return [*columns[:3], zero.output(0), zero.output(0), ones.output(0), ones.output(0)]


def _only_class_one(columns: list[ov.Output]) -> list[ov.Output]:
    one = opset.add(opset.multiply(columns[1], opset.constant(np.float32(0))), opset.constant(np.float32(1)))
    return _valid(columns, one, 1)


# For the faults of other families.
edited, on_attribute, reordered = _model, _attribute, _picked

FAULTS = (
    # Priors
    Fault(
        "priors half a pixel off", "PRI-4", _attribute("PriorBoxClustered", "offset", lambda v: str(float(v) + 0.02))
    ),
    Fault(
        "priors of one feature map half a cell off",
        "PRI-4",
        _attribute("PriorBoxClustered", "offset", lambda v: str(float(v) + 0.5), which=-1),
    ),
    Fault("prior widths rounded", "PRI-3", _attribute("PriorBoxClustered", "width", _scaled(1.01, 1), which=0)),
    Fault("prior height and width exchanged", "PRI-3", _detection(PRIORS, _picked([1, 0, 3, 2], 4))),
    Fault(
        "variances of position and size exchanged",
        "SSD-4",
        _attribute("PriorBoxClustered", "variance", lambda v: ",".join((v.split(",") * 2)[2:6])),
    ),
    Fault("priors frozen at the converted size", "PRI-1", _model(_frozen_priors)),
    # Heads
    Fault("X and Y of the encodings not swapped", "SSD-6", _detection(LOCATIONS, _picked([1, 0, 3, 2], 4))),
    Fault("encodings scaled", "SSD-6", _detection(LOCATIONS, _times(1.01))),
    Fault("one weight channel off by a thousandth", "SSD-7", _backbone(_one_channel)),
    Fault("channels of a class predictor reversed", "SSD-3", _head(CONFIDENCES, _reversed_channels)),
    Fault("one channel of a box predictor off by a hundredth", "SSD-6", _head(LOCATIONS, _one_channel_more)),
    Fault("score converter left out", "SSD-3", _without("Sigmoid"), frozenset({"sigmoid"})),
    Fault("score converter applied twice", "SSD-3", _twice("Sigmoid"), frozenset({"sigmoid"})),
    Fault("scores a little too high", "SSD-3", _detection(CONFIDENCES, _plus(1e-3))),
    # DetectionOutput's attributes
    Fault(
        "overlap threshold lowered",
        "SSD-4",
        _attribute("DetectionOutput", "nms_threshold", lambda v: str(float(v) - 0.15)),
    ),
    Fault(
        "overlap threshold raised",
        "SSD-4",
        _attribute("DetectionOutput", "nms_threshold", lambda v: str(float(v) + 0.2)),
    ),
    Fault("score threshold raised", "SSD-4", _attribute("DetectionOutput", "confidence_threshold", lambda _v: "0.6")),
    Fault(
        "half as many detections kept",
        "SSD-4",
        _attribute("DetectionOutput", "keep_top_k", lambda v: str(max(1, int(v) // 2))),
    ),
    Fault(
        "one detection too few kept", "SSD-4", _attribute("DetectionOutput", "keep_top_k", lambda v: str(int(v) - 1))
    ),
    Fault(
        "cut before suppression", "SSD-5", _attribute("DetectionOutput", "top_k", lambda _v: "20"), frozenset({"crowd"})
    ),
    Fault(
        "background taken for a class", "SSD-4", _attribute("DetectionOutput", "background_label_id", lambda _v: "1")
    ),
    Fault(
        "code type of corners",
        "SSD-4",
        _attribute("DetectionOutput", "code_type", lambda _v: "caffe.PriorBoxParameter.CORNER"),
    ),
    # The answer
    Fault("class one too low", "SSD-7", _label_shift(-1)),
    Fault("class one too high", "SSD-7", _label_shift(1)),
    Fault("X and Y of the answer exchanged", "SSD-2", _columns(lambda c: [*c[:3], c[4], c[3], c[6], c[5]])),
    Fault(
        "boxes a thousandth to the right",
        "SSD-7",
        _columns(
            lambda c: [
                *c[:3],
                opset.add(c[3], opset.constant(np.float32(1e-3))).output(0),
                c[4],
                opset.add(c[5], opset.constant(np.float32(1e-3))).output(0),
                c[6],
            ]
        ),
    ),
    Fault(
        "boxes in pixels",
        "SSD-2",
        _columns(
            lambda c: [*c[:3], *(opset.multiply(side, opset.constant(np.float32(128))).output(0) for side in c[3:])]
        ),
    ),
    Fault("nothing detected", "SSD-7", _model(lambda model: at_the_end(model, lambda rows: _identity(rows, -1.0)))),
    Fault("not a number", "SSD-2", _model(lambda model: at_the_end(model, lambda rows: _identity(rows, float("nan"))))),
    Fault("the whole image every time", "SSD-7", _columns(_whole_image)),
    Fault("one class only", "SSD-7", _columns(_only_class_one), frozenset({"classes"})),
    Fault(
        "rows of two dimensions",
        "SSD-2",
        _model(
            lambda model: at_the_end(model, lambda rows: opset.reshape(rows, np.array([-1, 7]), special_zero=False))
        ),
    ),
    # Input and structure
    Fault("colour channels reversed", "PRE-1", _model(_channels_reversed)),
    Fault("mean subtraction left out", "PRE-1", _model(_without_shift)),
    Fault("weights in half precision", "SSD-7", _half_precision),
    Fault("an output that nobody asked for", "OUT-3", _model(_dead_end)),
    Fault("an input more", "PRE-3", _model(_second_input)),
    Fault("resized in the graph", "PRE-1", _model(_resized_inside)),
    Fault("a loop", "PRE-2", _model(lambda model: at_the_end(model, _loop))),
    Fault("two operations for one", "SSD-1", _model(_two_detection_outputs)),
    Fault("no input at all", "VAL-2", _model(_constant_answer)),
    Fault("one image of a batch computed from another", "RSH-1", _model(_same_image_for_all)),
)
