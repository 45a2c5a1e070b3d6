"""Wrong converters: the chain with one thing done differently in what it is asked, or in what it makes of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from harness.converters.chain import convert
from harness.converters.ovc import convert as ovc
from harness.converters.request import ConversionRequest
from harness.pipeline.config import PipelineConfig
from harness.pipeline.input_size import expected_input_size

_CLAIMS = {"contract": "detection_output"}


def _default_shape(request: ConversionRequest) -> tuple[int, int, int, int]:
    assert request.pipeline_config is not None
    height, width = expected_input_size(PipelineConfig.read(request.pipeline_config).image_resizer, None)
    return 1, height, width, 3


def ignores_input_shape(request: ConversionRequest) -> Path:
    """Whatever shape is asked for, the IR has that of pipeline.config."""
    return convert(dataclasses.replace(request, input_shape=None))


def wrong_size(request: ConversionRequest) -> Path:
    """The IR takes images that are 32 pixels larger than pipeline.config says."""
    path = convert(request)
    _reshape(path, lambda shape: [shape[0], shape[1] + 32, shape[2] + 32, 3])
    return path


def batch_of_two(request: ConversionRequest) -> Path:
    """The batch is 2 although nobody asked for it."""
    batch, height, width, channels = request.input_shape or _default_shape(request)
    return convert(dataclasses.replace(request, input_shape=(2 * batch, height, width, channels)))


def height_and_width_exchanged(request: ConversionRequest) -> Path:
    """A shape that is asked for is taken as [N, W, H, 3]."""
    if request.input_shape is None:
        return convert(request)
    batch, height, width, channels = request.input_shape
    return convert(dataclasses.replace(request, input_shape=(batch, width, height, channels)))


def other_constants_from_a_meta_graph(request: ConversionRequest) -> Path:
    """What is read of a MetaGraph is a little off."""
    path = convert(request)
    if request.model_format == "meta_graph":
        weights = path.with_suffix(".bin")
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.write_bytes(bytes(data))
    return path


def without_raw_boxes(request: ConversionRequest) -> Path:
    """OpenVINO's own conversion without one of TensorFlow's outputs."""
    path = ovc(request)
    _edit(path, _drop_raw_boxes)
    return path


def _drop_raw_boxes(model) -> None:
    (result,) = [one for one in model.get_results() if "raw_detection_boxes" in one.input_value(0).get_names()]
    model.remove_result(result)


def _reshape(path: Path, change) -> None:
    def edit(model) -> None:
        model.reshape(change([side.get_length() for side in model.input(0).get_partial_shape()]))

    _edit(path, edit)


def _edit(path: Path, edit) -> None:
    import openvino as ov

    model = ov.Core().read_model(str(path))
    edit(model)
    target = path.with_name("changed.xml")
    ov.save_model(model, str(target), compress_to_fp16=False)
    del model
    target.with_suffix(".bin").replace(path.with_suffix(".bin"))
    target.replace(path)


for _one in (
    other_constants_from_a_meta_graph,
    ignores_input_shape,
    wrong_size,
    batch_of_two,
    height_and_width_exchanged,
):
    _one.claims = _CLAIMS  # type: ignore[attr-defined]
without_raw_boxes.claims = {"contract": "tf_outputs"}  # type: ignore[attr-defined]
