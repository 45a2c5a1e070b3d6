"""Support configurations: the published JSON form is read and obeyed, or refused with the entry and the key (CFG-7)."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.chain.configuration import built_in, parse_configuration, read_configuration
from harness.chain.graph import Graph
from harness.chain.match import between_points
from harness.chain.replacers import REPLACERS
from harness.errors import ConfigurationError
from tests.chain.graphs import graph_def

POINTS = {
    "id": "ObjectDetectionAPISSDPostprocessorReplacement",
    "match_kind": "points",
    "instances": {"start_points": ["a"], "end_points": ["b"]},
    "custom_attributes": {},
}


class TestParse:
    @pytest.mark.parametrize("name", sorted(built_in()))
    def test_built_in_files_name_known_replacers(self, name):
        """Every built-in configuration can be read, and each id in it has a replacer."""
        assert built_in()[name].steps(REPLACERS)

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"id": None}, "'id'"),
            ({"match_kind": "guess"}, "'match_kind'"),
            ({"instances": []}, "start_points"),
            ({"instances": {"start_points": ["a"]}}, "instances.end_points"),
            ({"instances": {"start_points": [1], "end_points": ["b"]}}, "instances.start_points"),
            ({"custom_attributes": 3}, "'custom_attributes'"),
            ({"surprise": 1}, "'surprise'"),
            ({"match_kind": "scope", "instances": ["("]}, "regular expression"),
            ({"match_kind": "scope", "instances": ["x/"], "inputs": [[{"node": "a"}]]}, "'inputs'"),
        ],
    )
    def test_error_names_entry_and_key(self, change, told):
        """A wrong entry is refused by number, with the key that is wrong."""
        with pytest.raises(ConfigurationError) as caught:
            parse_configuration(json.dumps([POINTS, {**POINTS, **change}]), "mine.json")
        assert told in str(caught.value)
        assert "mine.json, entry 2" in str(caught.value)
        assert caught.value.requirement == "CFG-7"

    def test_text_that_is_no_json_names_the_place(self):
        """A syntax error is reported with line and column."""
        with pytest.raises(ConfigurationError) as caught:
            parse_configuration('[\n  {"id": }]', "mine.json")
        assert "mine.json:2:" in str(caught.value)

    def test_unknown_replacer_lists_the_known_ones(self):
        """An id that no replacer has is an error, and the error is a help."""
        configuration = parse_configuration(json.dumps([{**POINTS, "id": "Nobody"}]), "mine.json")
        with pytest.raises(ConfigurationError, match="ObjectDetectionAPIPreprocessorReplacement"):
            configuration.steps(REPLACERS)

    @given(
        st.one_of(
            st.text(max_size=200),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.text(max_size=10),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(
                        st.sampled_from(["id", "match_kind", "instances", "inputs", "start_points", "node", "port"]),
                        inner,
                        max_size=4,
                    )
                ),
            ).map(json.dumps),
        )
    )
    def test_any_text_is_read_or_refused(self, text):
        """Whatever the text, the answer is a configuration or an error of the project's own kind."""
        with contextlib.suppress(ConfigurationError):
            assert parse_configuration(text, "fuzz.json").replacements

    def test_missing_name_lists_the_built_in_ones(self):
        """Neither a file nor a name: the error says which names there are."""
        with pytest.raises(ConfigurationError, match="ssd_v2_support"):
            read_configuration("no_such_configuration")


class TestPoints:
    GRAPH = Graph(
        graph_def(
            ("image", "Placeholder"),
            ("start", "Identity", "image"),
            ("other", "Identity", "image"),
            ("middle", "Add", "start", "other"),
            ("end", "Identity", "middle"),
        )
    )

    def test_model_input_inside_is_an_error(self):
        """A sub-graph that is not closed by its start points reaches the image; the error shows on which way."""
        with pytest.raises(ConfigurationError, match="image -> other -> middle -> end"):
            between_points(self.GRAPH, ["start"], ["end"])

    def test_closed_sub_graph(self):
        """With all start points, the sub-graph is what lies between, both ends included."""
        assert between_points(self.GRAPH, ["start", "other"], ["end"]) == {"start", "other", "middle", "end"}

    def test_missing_point_is_named(self):
        """Points that the graph lacks are named."""
        with pytest.raises(ConfigurationError, match="elsewhere"):
            between_points(self.GRAPH, ["elsewhere"], ["end"])
