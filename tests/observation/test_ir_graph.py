"""The wiring of an IR, and where confidences come from before a converter sets some to zero."""

from __future__ import annotations

import pytest

from harness.errors import ReadFailure
from harness.observation.ir_graph import IrGraph
from harness.observation.observe import score_source


def write(path, layers, edges):
    """An IR of layers (name, type) and edges (from, to, input)."""
    ids = {name: index for index, (name, _) in enumerate(layers)}
    xml = "".join(f'<layer id="{ids[name]}" name="{name}" type="{kind}"/>' for name, kind in layers)
    wires = "".join(
        f'<edge from-layer="{ids[start]}" from-port="0" to-layer="{ids[end]}" to-port="{port}"/>'
        for start, end, port in edges
    )
    target = path / "model.xml"
    target.write_text(f"<net><layers>{xml}</layers><edges>{wires}</edges></net>")
    return target


LAYERS = [
    ("image", "Parameter"),
    ("shape", "ShapeOf"),
    ("mean", "Subtract"),
    ("resize", "Interpolate"),
    ("first", "Convolution"),
    ("scores", "Sigmoid"),
    ("boxes", "Reshape"),
    ("bound", "GreaterEqual"),
    ("zero", "Const"),
    ("select", "Select"),
    ("multiply", "Multiply"),
    ("where", "Concat"),
    ("kept", "GatherND"),
    ("scatter", "ScatterNDUpdate"),
    ("flat", "Reshape"),
    ("answer", "DetectionOutput"),
]
BODY = [
    ("image", "shape", 0),
    ("image", "mean", 0),
    ("zero", "mean", 1),
    ("mean", "resize", 0),
    ("resize", "first", 0),
    ("first", "scores", 0),
    ("first", "boxes", 0),
    ("boxes", "answer", 0),
    ("zero", "answer", 2),
]
PLAIN = [*BODY, ("scores", "flat", 0), ("flat", "answer", 1)]
PRUNED = [*BODY, ("bound", "select", 0), ("scores", "select", 1), ("zero", "select", 2), ("select", "flat", 0)]
CAPPED = [
    *BODY,
    ("scores", "multiply", 0),
    ("zero", "multiply", 1),
    ("multiply", "scatter", 0),
    ("where", "scatter", 1),
    ("kept", "scatter", 2),
    ("scatter", "flat", 0),
]


class TestIrGraph:
    def test_inputs_in_their_order(self, tmp_path):
        """Whatever the order of the edges in the file."""
        graph = IrGraph(write(tmp_path, LAYERS, list(reversed(PRUNED))))
        select = graph.find("select")
        assert [graph.source(select, index).name for index in range(3)] == ["bound", "scores", "zero"]

    def test_what_data_passes_on_its_way(self, tmp_path):
        """From the image to the first convolution, without what only reads a shape."""
        found = IrGraph(write(tmp_path, LAYERS, PLAIN)).between("Parameter", frozenset({"Convolution"}))
        assert [one.name for one in found] == ["mean", "resize"]

    @pytest.mark.parametrize("text", ["", "<net/>", "<html></html>", "no xml"])
    def test_other_files(self, tmp_path, text):
        """Each is an error that names the file."""
        (tmp_path / "model.xml").write_text(text)
        with pytest.raises(ReadFailure, match=r"model\.xml"):
            IrGraph(tmp_path / "model.xml")

    def test_a_name_that_is_not_there(self, tmp_path):
        """Is an error that names it."""
        with pytest.raises(ReadFailure, match="'nobody'"):
            IrGraph(write(tmp_path, LAYERS, PLAIN)).find("nobody")


class TestScoreSource:
    def test_scores_as_they_are(self, tmp_path):
        """Nothing was set to zero: there is nothing before."""
        assert score_source(IrGraph(write(tmp_path, LAYERS, PLAIN)), "answer") is None

    def test_scores_under_a_bound_set_to_zero(self, tmp_path):
        """What is selected from."""
        graph = IrGraph(write(tmp_path, LAYERS, [*PRUNED, ("flat", "answer", 1)]))
        assert score_source(graph, "answer") == ("select", 1)

    def test_kept_scores_scattered_into_zeros(self, tmp_path):
        """What the zeros were made of."""
        graph = IrGraph(write(tmp_path, LAYERS, [*CAPPED, ("flat", "answer", 1)]))
        assert score_source(graph, "answer") == ("multiply", 0)

    def test_a_choice_between_scores_hides_none(self, tmp_path):
        """Only zeros are looked behind."""
        edges = [edge for edge in PRUNED if edge != ("zero", "select", 2)]
        graph = IrGraph(write(tmp_path, LAYERS, [*edges, ("kept", "select", 2), ("flat", "answer", 1)]))
        assert score_source(graph, "answer") is None
