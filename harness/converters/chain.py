"""The built-in converter: the replacer chain on today's OpenVINO, as a callable that others can wrap."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.chain.configuration import read_configuration
from harness.chain.convert import convert_graph
from harness.chain.ir import output_folder, write_ir
from harness.errors import UsageError
from harness.pipeline.config import PipelineConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.converters.request import ConversionRequest

_OWN_OPTIONS = ("configuration", "outputs", "compress_to_fp16", "model_name")


def convert(request: ConversionRequest, say: Callable[[str], None] = lambda _line: None) -> Path:
    """The path of the IR's ``.xml`` in ``request.output_dir``.

    Options: ``configuration`` (a built-in name or a file, CFG-6, CFG-7), ``outputs`` (node names, OUT-2),
    ``compress_to_fp16`` (default false), ``model_name``, ``scale_anchors_with_image`` (RSH-1). Nothing is written
    unless everything is.
    """
    from harness.sources.load import load_graph

    own = {key: request.options[key] for key in _OWN_OPTIONS if key in request.options}
    rest = {key: value for key, value in request.options.items() if key not in own}
    name = str(own.get("model_name") or _model_name(request.model_path))
    if Path(name).name != name or name in {"", ".", ".."}:
        raise UsageError("The model's name has to be a plain file name.", where=repr(name))
    with output_folder(Path(request.output_dir)) as scratch:
        config = PipelineConfig.read(request.pipeline_config) if request.pipeline_config is not None else None
        configuration = read_configuration(str(own["configuration"])) if own.get("configuration") else None
        started = time.perf_counter()
        loaded = load_graph(request.model_path, request.model_format, request.checkpoint)
        say(
            f"Read {len(loaded.graph_def.node)} nodes of {request.model_path} in {time.perf_counter() - started:.1f} s."
        )
        listed = own.get("outputs") or ()
        outputs = [str(listed)] if isinstance(listed, str) else [str(item) for item in listed]  # type: ignore[attr-defined]
        converted = convert_graph(
            loaded.graph_def,
            config=config,
            configuration=configuration,
            input_shape=request.input_shape,
            outputs=outputs,
            options=rest,
            say=say,
        )
        target = Path(request.output_dir) / f"{name}.xml"
        return write_ir(converted.model, scratch, target, compress_to_fp16=bool(own.get("compress_to_fp16", False)))


def _model_name(path: Path) -> str:
    path = Path(path)
    return path.name if path.is_dir() else path.name.split(".")[0] or "model"
