"""Repetition of rows and columns as Interpolate, which follows its input's size."""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import opset13 as opset

from harness.chain.translate.ops import ints


def translate_nearest_upsampling(node: Any) -> list[Any]:
    """``[N, a h, b w, C]`` of ``[N, h, w, C]``: each value repeated a times down and b times across."""
    factors = [float(node.get_attribute("scale_height")), float(node.get_attribute("scale_width"))]
    resized = opset.interpolate(
        node.get_input(0),
        opset.constant(np.array(factors, np.float32)),
        mode="nearest",
        shape_calculation_mode="scales",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
        axes=ints(1, 2),
    )
    return [resized.output(0)]
