"""The converter ``ovc``: OpenVINO's own ``convert_model``, for comparison; its IRs answer TensorFlow's outputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConverterFailure

if TYPE_CHECKING:
    from harness.converters.request import ConversionRequest


def convert(request: ConversionRequest) -> Path:
    """The path of the IR's ``.xml`` in ``request.output_dir``; weights stay as they are."""
    import openvino as ov

    if request.model_format == "checkpoint":
        raise ConverterFailure(
            "ovc takes no inference graph with its checkpoint.",
            where=str(request.model_path),
            advice="Give it the frozen graph, the MetaGraph or the SavedModel.",
        )
    model = ov.convert_model(str(request.model_path))
    if request.input_shape is not None:
        # The shape cannot go to convert_model: it refuses the input's bare name.
        images = [port for port in model.inputs if _rank(port) in (None, 4)]
        model.reshape({images[0]: list(request.input_shape)})
    path = Path(request.output_dir) / "model.xml"
    ov.save_model(model, str(path), compress_to_fp16=False)
    return path


def _rank(port: Any) -> int | None:
    shape = port.get_partial_shape()
    return None if shape.rank.is_dynamic else len(shape)
