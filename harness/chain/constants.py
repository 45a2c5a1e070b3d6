"""Evaluating a part of a graph that depends on constants (and on sizes that conversion fixes), without TensorFlow."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.chain.graph import Graph

if TYPE_CHECKING:
    from harness.chain.graph import Tensor


def evaluate(graph: Graph, tensor: Tensor) -> np.ndarray | None:
    """The value of a tensor that depends on constants and on fixed sizes only; None when it depends on more.

    Sizes of a statically shaped input count as constants: exporters that leave the image size open compute their
    anchors from the shapes of feature maps.
    """
    import openvino as ov
    from openvino.frontend import FrontEndManager

    needed = graph.ancestors([tensor.node])
    part = Graph(graph.to_graph_def_of(needed))
    part.add("Identity", "irproof/evaluated", [tensor], {})
    part["irproof/evaluated"].attr["T"].type = _element_type(graph, tensor)
    with tempfile.TemporaryDirectory(prefix="irproof-") as folder:
        path = Path(folder) / "part.pb"
        path.write_bytes(part.to_graph_def().SerializeToString())
        try:
            front_end = FrontEndManager().load_by_framework("tf")
            model = front_end.convert(front_end.load(str(path)))
            source = model.get_results()[0].input_value(0).get_node()
            if source.get_type_name() == "Constant":
                return np.array(source.data)
            if model.get_parameters():
                return None
            compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            return np.array(compiled([])[0])
        except Exception:  # noqa: BLE001 - the bindings raise several kinds; whatever it is, there is no value
            return None


def _element_type(graph: Graph, tensor: Tensor) -> int:
    node = graph[tensor.node]
    for key in ("T", "dtype", "DstT"):
        if key in node.attr:
            return int(node.attr[key].type)
    return 1  # float: anchors are
