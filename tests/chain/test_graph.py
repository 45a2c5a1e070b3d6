"""The graph that replacers rewrite."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from harness.chain.graph import Graph, Tensor
from harness.errors import ConversionError
from tests.chain.graphs import graph_def


def chain_of_three() -> Graph:
    return Graph(
        graph_def(("a", "Placeholder"), ("b", "Identity", "a"), ("c", "Split", "b", "^a"), ("d", "Add", "c:1", "b"))
    )


class TestGraph:
    def test_control_inputs_are_dropped(self):
        """An IR has no side effects to order."""
        assert chain_of_three().inputs("c") == [Tensor("b")]

    def test_redirect_moves_only_the_port_named(self):
        """Readers of another port of the same node stay."""
        graph = chain_of_three()
        assert graph.redirect(Tensor("c", 0), Tensor("a")) == 0
        assert graph.redirect(Tensor("c", 1), Tensor("a")) == 1
        assert graph.inputs("d") == [Tensor("a"), Tensor("b")]

    def test_redirected_readers_are_consumers_of_the_new_node(self):
        """Edges can be followed in both directions after a rewrite."""
        graph = chain_of_three()
        graph.redirect(Tensor("b"), Tensor("a"))
        assert {node.name for node, _ in graph.consumers("a")} == {"b", "c", "d"}
        assert graph.consumers("b") == []

    def test_prune_keeps_what_outputs_need(self):
        """Nodes that no output needs are gone (OUT-3)."""
        graph = chain_of_three()
        graph.prune(["b"])
        assert [node.name for node in graph] == ["a", "b"]

    def test_names_stay_unique(self):
        """A new node with a taken name gets a suffix."""
        graph = chain_of_three()
        assert graph.add("Identity", "b", [Tensor("a")], {}).name == "b_1"

    def test_missing_node_is_named(self):
        """Asking for a node that is not there is an error that names it."""
        with pytest.raises(ConversionError, match="'nowhere'"):
            chain_of_three()["nowhere"]

    @given(arrays.arrays(np.float32, arrays.array_shapes(min_dims=0, max_dims=4), elements={"allow_nan": False}))
    def test_constants_round_trip(self, value):
        """What is written as a constant is read back, scalars and empty sides included."""
        graph = chain_of_three()
        node = graph.add_constant("k", value)
        np.testing.assert_array_equal(graph.constant(node.name), value)
        assert graph.constant(node.name).shape == value.shape

    def test_scalars_without_a_shape_message_are_not_read_as_zero(self):
        """Another tool may write a scalar without its (empty) shape; the front end must see its value all the same."""
        from harness.chain.translation import translate

        graph = graph_def(("x", "Placeholder"), ("k", "Const"), ("y", "AddV2", "x", "k"))
        graph.node[0].attr["dtype"].type = graph.node[1].attr["dtype"].type = graph.node[2].attr["T"].type = 1
        graph.node[0].attr["shape"].shape.dim.add(size=1)
        graph.node[1].attr["value"].tensor.dtype = 1
        graph.node[1].attr["value"].tensor.float_val.append(5.0)
        import openvino as ov

        compiled = ov.Core().compile_model(translate(Graph(graph), ["y"]), "CPU")
        assert compiled(np.array([1.0], np.float32))[0] == [6.0]
