from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sources.tensor_slice import Extent, parse_shape_and_slice, slice_key

starts = st.integers(0, 1 << 40)


class TestParse:
    def test_whole(self):
        """An empty text asks for the whole tensor."""
        assert parse_shape_and_slice("") is None

    def test_part(self):
        """Sizes, then a slice for each: a dash stands for a whole dimension."""
        assert parse_shape_and_slice("10 4 5,5:-") == ((10, 4), (Extent(5, 5), Extent()))

    @pytest.mark.parametrize("text", ["10 4 0,5", "10 0,a", "x -", "10 4 0,5:-:-", "10 0,5,6"])
    def test_nonsense(self, text):
        """Other texts are errors."""
        with pytest.raises(ValueError):
            parse_shape_and_slice(text)


class TestSliceKey:
    @given(st.lists(starts, min_size=2, max_size=2))
    def test_order(self, pair):
        """Keys sort as the slices' first indices do, which is what the format is for."""
        keys = [slice_key("w", (Extent(start, 1),)) for start in pair]

        assert (keys[0] < keys[1]) == (pair[0] < pair[1])

    def test_name_order(self):
        """Keys sort by tensor first."""
        assert slice_key("a", (Extent(9, 1),)) < slice_key("b", (Extent(0, 1),))
