"""What each variable of an exporter's graph is for, by its name, and the value that it starts from.

No TensorFlow here: names and numbers only. Kernels are He-scaled and seeded by their variable's name, so that a
graph's weights do not depend on the order or number of its variables.
"""

from __future__ import annotations

import dataclasses
import re
import zlib

import numpy as np


@dataclasses.dataclass(frozen=True)
class Spread:
    """What the outputs of a layer with a bias should look like over real images.

    ``deviation`` is their standard deviation; ``means`` repeat over the output channels.
    """

    deviation: float
    means: tuple[float, ...] = (0.0,)

    def bias(self, channels: int) -> np.ndarray:
        """The mean of each of the output channels, float32 ``[channels]``."""
        return np.resize(np.array(self.means, np.float32), channels)


BETA = 1.0
"""The mean of batch norms' beta. Around 0, half of each activation is cut off, and a deep graph with random weights is
chaotic: rounding errors grow by a fifth a layer. Around 1 most pass, and errors stay what they are, as in trained ones.
"""

SMOOTH = 0.5
"""The mean of depthwise kernels, whose deviation is He's: they blur a little, which evens out the roundings of
FakeQuant at neighbouring places, where otherwise each layer adds its own to those before it.
"""

_CLASS = r"(ClassPredictor|class_predictions)$"
_BOX = r"(BoxEncodingPredictor|WeightSharedConvolutionalBoxPredictor(_\d+)?/BoxPredictor|refined_locations)$"


def spread_of(scope: str, channels: int, *, ends: bool) -> Spread:
    """The spread that the layer ``scope`` should have; ``ends`` says that no activation follows it.

    Class logits are wide and biased to the background, so that few of thousands of boxes stand out.
    """
    if re.search(_CLASS, scope):
        if scope.startswith("FirstStage"):
            return Spread(2.3, (1.5, -1.5))
        if scope.startswith("SecondStage"):
            return Spread(2.3, (4.0, *[0.0] * (channels - 1)))
        return Spread(2.3, (-6.0,))
    if re.search(_BOX, scope):
        return Spread(0.7)
    if scope.startswith("SecondStage") and ends:
        return Spread(2.0)  # mask logits: about half of each mask is inside
    return Spread(1.0)


def initial_value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Where a variable starts, float32; those that images decide (moments, ranges, heads) are set later."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith(("/gamma", "/moving_variance")):
        return random.uniform(0.7, 1.3, shape).astype(np.float32)
    if name.endswith("/beta"):
        return random.normal(BETA, 0.2, shape).astype(np.float32)
    if len(shape) in (2, 4):
        depthwise = name.endswith(("depthwise_weights", "depthwise_kernel"))
        fan_in = shape[0] * shape[1] if depthwise else int(np.prod(shape[:-1]))
        mean = SMOOTH if depthwise else 0.0
        return random.normal(mean, np.sqrt(2.0 / fan_in), shape).astype(np.float32)
    if name.endswith("/max"):
        return np.full(shape, 6.0, np.float32)
    return np.zeros(shape, np.float32)
