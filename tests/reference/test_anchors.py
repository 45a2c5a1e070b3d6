"""Anchors by the Object Detection API's rules, for the trained size and for others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ReferenceFailure
from harness.pipeline.anchor_generator import (
    FlexibleGridAnchorGenerator,
    MultiscaleAnchorGenerator,
    SsdAnchorGenerator,
)
from harness.reference.anchors import anchors_for

SSD = SsdAnchorGenerator(num_layers=2, min_scale=0.2, max_scale=0.8, aspect_ratios=(1.0, 2.0))
MULTI = MultiscaleAnchorGenerator(min_level=3, max_level=4, aspect_ratios=(1.0, 2.0), scales_per_octave=2)


def sizes(boxes):
    return boxes[:, 2:] - boxes[:, :2]


def centers(boxes):
    return (boxes[:, 2:] + boxes[:, :2]) / 2


class TestSsd:
    def test_lowest_layer(self):
        """The lowest layer has three reduced boxes; the others one for each ratio, and one in between."""
        boxes = anchors_for(SSD, [(2, 2), (1, 1)], (64, 64), (64, 64), "pixel")
        assert boxes.shape == (4 * 3 + 3, 4)
        assert boxes.dtype == np.float32
        np.testing.assert_allclose(sizes(boxes)[0], [0.1, 0.1], rtol=1e-6)
        np.testing.assert_allclose(sizes(boxes)[1], [0.2 / 2**0.5, 0.2 * 2**0.5], rtol=1e-6)
        np.testing.assert_allclose(
            sizes(boxes)[12:], [[0.8, 0.8], [0.8 / 2**0.5, 0.8 * 2**0.5], [0.8**0.5] * 2], rtol=1e-6
        )

    def test_order(self):
        """Rows before columns before anchors of a cell."""
        boxes = anchors_for(SSD, [(2, 3), (1, 1)], (64, 96), (64, 96), "pixel")
        np.testing.assert_allclose(centers(boxes)[:3], [[0.25, 0.5 / 3]] * 3, rtol=1e-6)
        np.testing.assert_allclose(centers(boxes)[3:6], [[0.25, 1.5 / 3]] * 3, rtol=1e-6)
        np.testing.assert_allclose(centers(boxes)[9:12], [[0.75, 0.5 / 3]] * 3, rtol=1e-6)

    def test_non_square(self):
        """In a wide image a square anchor is square in pixels, by the short side."""
        boxes = anchors_for(SSD, [(2, 4), (1, 2)], (64, 128), (64, 128), "pixel")
        np.testing.assert_allclose(sizes(boxes)[0] * [64, 128], [6.4, 6.4], rtol=1e-6)

    def test_explicit(self):
        """Scales, base sizes, strides and offsets that the file gives are taken."""
        generator = SsdAnchorGenerator(
            num_layers=1,
            scales=(0.5,),
            aspect_ratios=(1.0,),
            interpolated_scale_aspect_ratio=0.0,
            reduce_boxes_in_lowest_layer=False,
            base_anchor_height=2.0,
            height_stride=(16,),
            width_stride=(32,),
            height_offset=(4,),
            width_offset=(0,),
        )
        boxes = anchors_for(generator, [(2, 2)], (64, 64), (64, 64), "pixel")
        np.testing.assert_allclose(sizes(boxes), [[1.0, 0.5]] * 4, rtol=1e-6)
        np.testing.assert_allclose(
            centers(boxes), [[4 / 64, 0], [4 / 64, 0.5], [20 / 64, 0], [20 / 64, 0.5]], atol=1e-6
        )

    def test_wrong_count(self):
        """A config for another number of feature maps is refused."""
        with pytest.raises(ReferenceFailure, match=r"3 feature maps with heads.*generator 2"):
            anchors_for(SSD, [(4, 4), (2, 2), (1, 1)], (64, 64), (64, 64), "pixel")


class TestMultiscale:
    def test_sizes_and_order(self):
        """Octave scales vary faster than aspect ratios; the base is four strides."""
        boxes = anchors_for(MULTI, [(8, 8), (4, 4)], (64, 64), (64, 64), "pixel")
        root = 2**0.5
        np.testing.assert_allclose(
            sizes(boxes)[:4] * 64,
            [[32, 32], [32 * root, 32 * root], [32 / root, 32 * root], [32, 64]],
            rtol=1e-5,
        )
        np.testing.assert_allclose(centers(boxes)[0] * 64, [4, 4], rtol=1e-5)
        np.testing.assert_allclose(sizes(boxes)[8 * 8 * 4] * 64, [64, 64], rtol=1e-5)

    def test_ragged(self):
        """Where cells do not fill the image the first centre is in its corner."""
        boxes = anchors_for(MULTI, [(9, 8), (5, 4)], (65, 64), (65, 64), "pixel")
        np.testing.assert_allclose(centers(boxes)[0] * [65, 64], [0, 4], atol=1e-4)


class TestRules:
    @given(
        image=st.tuples(st.integers(32, 400), st.integers(32, 400)),
        generator=st.sampled_from([SSD, MULTI]),
    )
    def test_pixel(self, image, generator):
        """With rule pixel every anchor keeps its height and width in pixels, whatever the size."""
        grids = [(-(-image[0] // 8), -(-image[1] // 8)), (-(-image[0] // 16), -(-image[1] // 16))]
        trained = anchors_for(generator, [(1, 1), (1, 1)], (64, 96), (64, 96), "pixel")
        boxes = anchors_for(generator, grids, image, (64, 96), "pixel")
        per_cell = len(trained) // 2
        np.testing.assert_allclose(
            sizes(boxes)[:per_cell] * image, sizes(trained)[:per_cell] * [64, 96], rtol=1e-3, atol=1e-3
        )

    @given(image=st.tuples(st.integers(32, 400), st.integers(32, 400)), generator=st.sampled_from([SSD, MULTI]))
    def test_relative(self, image, generator):
        """With rule relative every anchor keeps its share of the image."""
        trained = anchors_for(generator, [(1, 1), (1, 1)], (64, 96), (64, 96), "pixel")
        boxes = anchors_for(generator, [(1, 1), (1, 1)], image, (64, 96), "relative")
        np.testing.assert_allclose(sizes(boxes), sizes(trained), rtol=1e-3, atol=1e-4)

    def test_unknown_generator(self):
        """A generator that is not known here is refused by name."""
        with pytest.raises(ReferenceFailure, match="FlexibleGridAnchorGenerator"):
            anchors_for(FlexibleGridAnchorGenerator(), [(1, 1)], (64, 64), (64, 64), "pixel")
