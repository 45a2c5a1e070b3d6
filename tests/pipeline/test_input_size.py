from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.pipeline.image_resizer import (
    ConditionalShapeResizer,
    FixedShapeResizer,
    IdentityResizer,
    KeepAspectRatioResizer,
    PadToMultipleResizer,
)
from harness.pipeline.input_size import expected_input_size

sides = st.integers(1, 5000)


class TestFixedShapeResizer:
    @given(sides, sides)
    def test_config(self, height, width):
        """Without a requested shape, height and width are the config's (SHP-1)."""
        assert (height, width) == expected_input_size(FixedShapeResizer(height, width), None)

    @given(sides, sides, st.integers(1, 8))
    def test_request(self, height, width, batch):
        """A requested shape wins, whatever the config says (SHP-2)."""
        assert (height, width) == expected_input_size(FixedShapeResizer(300, 301), [batch, height, width, 3])


class TestKeepAspectRatioResizer:
    def test_config(self):
        """Without a requested shape, the input is a square of min_dimension (SHP-3)."""
        assert expected_input_size(KeepAspectRatioResizer(600, 1024), None) == (600, 600)

    @pytest.mark.parametrize(
        ("requested", "expected"),
        [
            ((480, 640), (600, 800)),  # the short side decides
            ((640, 480), (800, 600)),
            ((300, 1024), (300, 1024)),  # the long side decides
            ((2048, 512), (1024, 256)),
            ((600, 1024), (600, 1024)),
            ((1, 2), (512, 1024)),
            ((333, 1000), (341, 1024)),  # 340.992 is rounded up
            ((427, 640), (600, 899)),  # 899.297 is rounded down
        ],
    )
    def test_worked(self, requested, expected):
        """Sizes worked out by hand come out (SHP-4)."""
        assert expected == expected_input_size(KeepAspectRatioResizer(600, 1024), [1, *requested, 3])

    @given(st.integers(32, 2000), st.integers(32, 2000), st.integers(64, 1000), st.integers(0, 1000))
    def test_published_formula(self, height, width, low, more):
        """Both sides are scaled by the smaller ratio, each rounded, as the requirement says (SHP-4)."""
        high = low + more
        ratio = min(Fraction(low, min(height, width)), Fraction(high, max(height, width)))

        got = expected_input_size(KeepAspectRatioResizer(low, high), [1, height, width, 3])

        for side, exact in zip(got, (height * ratio, width * ratio), strict=True):
            assert abs(side - exact) <= Fraction(1, 2) + Fraction(1, 10**9)

    @given(st.integers(32, 2000), st.integers(32, 2000), st.integers(64, 1000), st.integers(0, 1000))
    def test_constraints(self, height, width, low, more):
        """One side meets its constraint exactly, and neither breaks one."""
        got = expected_input_size(KeepAspectRatioResizer(low, low + more), [1, height, width, 3])

        assert min(got) <= low
        assert max(got) <= low + more
        assert min(got) == low or max(got) == low + more

    @given(st.none() | st.tuples(st.just(1), sides, sides, st.just(3)))
    def test_pad(self, requested):
        """Padding to max_dimension makes every input that square (SHP-5)."""
        resizer = KeepAspectRatioResizer(600, 1024, pad_to_max_dimension=True)

        assert expected_input_size(resizer, requested) == (1024, 1024)

    def test_vanishing(self):
        """A shape whose short side would be scaled away is an error with both sizes (SHP-6)."""
        with pytest.raises(UsageError, match=r"1 x 10000 would be scaled to 0 x 1024"):
            expected_input_size(KeepAspectRatioResizer(600, 1024), [1, 1, 10000, 3])


class TestOtherResizers:
    @pytest.mark.parametrize("resizer", [IdentityResizer(), ConditionalShapeResizer("GREATER", 5)])
    def test_open(self, resizer):
        """Resizers that leave the size open need a requested shape."""
        with pytest.raises(UsageError, match="leaves the input size open"):
            expected_input_size(resizer, None)

    def test_identity(self):
        """The identity resizer keeps the requested size."""
        assert expected_input_size(IdentityResizer(), [1, 17, 31, 3]) == (17, 31)

    @pytest.mark.parametrize(
        ("condition", "size", "expected"),
        [
            ("GREATER", (100, 200), (100, 200)),
            ("GREATER", (100, 600), (50, 300)),
            ("GREATER", (101, 600), (50, 300)),
            ("SMALLER", (300, 400), (300, 400)),
            ("SMALLER", (150, 201), (300, 402)),
        ],
    )
    def test_conditional(self, condition, size, expected):
        """Only sizes beyond the threshold are scaled, and fractions are cut off."""
        assert expected == expected_input_size(ConditionalShapeResizer(condition, 300), [1, *size, 3])

    def test_pad_to_multiple(self):
        """Both sides are padded up to a multiple."""
        assert expected_input_size(PadToMultipleResizer(4), [1, 101, 199, 3]) == (104, 200)


class TestShapes:
    @pytest.mark.parametrize("shape", [(1, 0, 5, 3), (1, -1, -1, 3), (300, 300), (1, 3, 300, 300), (0, 5, 5, 3)])
    def test_nonsense(self, shape):
        """A requested shape that is no [N, H, W, 3] is a usage error that shows it."""
        with pytest.raises(UsageError, match=r"is not \[N, H, W, 3\]"):
            expected_input_size(FixedShapeResizer(300, 300), shape)
