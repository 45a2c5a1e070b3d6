"""Weights moved by one unit in the last place: which, and by how much."""

from __future__ import annotations

import numpy as np
import pytest
from tensorboard.compat.proto import graph_pb2
from tensorboard.util.tensor_util import make_ndarray, make_tensor_proto

from harness.reference.rounding import with_moved_weights


def graph(*nodes):
    found = graph_pb2.GraphDef()
    for name, op, inputs, value in nodes:
        node = found.node.add(name=name, op=op, input=inputs)
        if value is not None:
            node.attr["value"].tensor.CopyFrom(make_tensor_proto(np.asarray(value, np.float32)))
    return found


@pytest.fixture
def model():
    generator = np.random.default_rng(5)
    return graph(
        ("image", "Placeholder", [], None),
        ("weights", "Const", [], generator.normal(size=(3, 3, 2, 4))),
        ("weights/read", "Identity", ["weights"], None),
        ("scale", "Const", [], generator.normal(size=4)),
        ("folded", "Mul", ["weights/read", "scale"], None),
        ("conv", "Conv2D", ["image", "folded"], None),
        ("bias", "Const", [], generator.normal(size=4)),
        ("sum", "BiasAdd", ["conv", "bias"], None),
        ("anchors", "Const", [], generator.normal(size=(5, 4))),
        ("decode", "Mul", ["sum", "anchors"], None),
    )


def values(found, name):
    (node,) = [node for node in found.node if node.name == name]
    return make_ndarray(node.attr["value"].tensor)


class TestMovedWeights:
    def test_each_weight_by_one_unit(self, model):
        """Up or down to the next float32, about as many of each."""
        before, after = values(model, "weights"), values(with_moved_weights(model, 1), "weights")
        assert np.all(np.abs(after - before) == np.abs(np.where(after > before, 1, -1) * np.spacing(before)))
        assert 0.2 < (after > before).mean() < 0.8

    @pytest.mark.parametrize("name", ["bias", "anchors", "scale"])
    def test_nothing_else(self, model, name):
        """Biases, anchors and a folded scale are no terms of a layer's sum."""
        np.testing.assert_array_equal(values(model, name), values(with_moved_weights(model, 1), name))

    def test_the_graph_given_stays(self, model):
        """What is moved is a copy."""
        before = model.SerializeToString(deterministic=True)
        with_moved_weights(model, 1)
        assert model.SerializeToString(deterministic=True) == before

    def test_seeds(self, model):
        """The same seed gives the same weights, another one others."""
        one, same, other = (values(with_moved_weights(model, seed), "weights") for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert (one != other).any()

    def test_zeros_stay(self):
        """A weight of zero was pruned."""
        zeros = np.zeros((1, 1, 2, 2))
        found = graph(("x", "Placeholder", [], None), ("w", "Const", [], zeros), ("conv", "Conv2D", ["x", "w"], None))
        assert not values(with_moved_weights(found, 1), "w").any()
