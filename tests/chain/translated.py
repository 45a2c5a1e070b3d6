"""One translator as a model of its own: what it builds for a node with the given attributes and inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as opset


class FakeNode:
    """What the front end shows a translator of a node."""

    def __init__(self, inputs: list[Any], attributes: dict[str, object]) -> None:
        self._inputs, self._attributes = inputs, attributes

    def get_input(self, position: int) -> Any:
        return self._inputs[position]

    def get_input_size(self) -> int:
        return len(self._inputs)

    def get_attribute(self, name: str, default: object = None) -> object:
        return self._attributes.get(name, default)


def translated(translator: Any, inputs: list[np.ndarray], **attributes: object) -> list[np.ndarray]:
    """The outputs of a translator for these inputs, computed by OpenVINO in float32."""
    parameters = [opset.parameter(list(value.shape), value.dtype) for value in inputs]
    outputs = translator(FakeNode([one.output(0) for one in parameters], attributes))
    model = ov.Model(list(outputs), parameters, "piece")
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answer = compiled(inputs)
    return [np.array(answer[one]) for one in range(len(outputs))]
