"""Anchors by grid, and PriorBoxClustered built from them, against the anchors' definition (PRI-1, PRI-3, PRI-4)."""

from __future__ import annotations

import math

import numpy as np
import openvino as ov
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openvino import opset13 as opset

from harness.chain.consistency import _feature_maps
from harness.chain.ssd.anchors import anchor_grids, lay_out
from harness.chain.translate.priors import in_one, on_grid
from harness.pipeline.anchor_generator import MultiscaleAnchorGenerator, SsdAnchorGenerator
from harness.reference.anchors import anchors_for

SIZES = st.tuples(st.integers(32, 512), st.integers(32, 512))


def ssd_anchor(scale: float, ratio: float, cell: tuple[float, float], size: tuple[int, int]) -> list[float]:
    """One SSD anchor from first principles: square for ratio 1, of the given scale of the short side, YXYX."""
    short = min(size)
    height, width = scale * short / math.sqrt(ratio) / size[0], scale * short * math.sqrt(ratio) / size[1]
    return [cell[0] - height / 2, cell[1] - width / 2, cell[0] + height / 2, cell[1] + width / 2]


class TestSsdGenerator:
    def test_lowest_layer_has_three_anchors(self):
        """The lowest layer has a small square and two oblong boxes, the others all ratios and the square between."""
        grids = anchor_grids(SsdAnchorGenerator(aspect_ratios=(1.0, 2.0, 0.5, 3.0, 1 / 3)), (300, 300))
        assert [len(grid.heights) for grid in grids] == [3, 6, 6, 6, 6, 6]
        assert grids[0].heights[0] == pytest.approx(30.0)

    @given(SIZES, st.booleans(), st.floats(0.5, 2.0))
    def test_elementwise(self, size, reduce, interpolated):
        """Each anchor stands where its cell, scale and ratio put it, on images of any shape."""
        ratios = (1.0, 2.0, 0.5)
        generator = SsdAnchorGenerator(
            num_layers=2,
            min_scale=0.3,
            max_scale=0.8,
            aspect_ratios=ratios,
            interpolated_scale_aspect_ratio=interpolated,
            reduce_boxes_in_lowest_layer=reduce,
        )
        maps = [(3, 4), (1, 2)]
        boxes = lay_out(anchor_grids(generator, size), maps, size)
        first = (
            [(0.1, 1.0), (0.3, 2.0), (0.3, 0.5)]
            if reduce
            else [(0.3, r) for r in ratios] + [(math.sqrt(0.3 * 0.8), interpolated)]
        )
        second = [(0.8, r) for r in ratios] + [(math.sqrt(0.8), interpolated)]
        expected = [
            ssd_anchor(scale, ratio, ((row + 0.5) / rows, (column + 0.5) / columns), size)
            for (rows, columns), pairs in zip(maps, (first, second), strict=True)
            for row in range(rows)
            for column in range(columns)
            for scale, ratio in pairs
        ]
        np.testing.assert_allclose(boxes, expected, atol=1e-9)
        assert _feature_maps(anchor_grids(generator, size), boxes) == maps


class TestMultiscaleGenerator:
    def test_cells_are_centred_only_where_the_stride_divides_the_image(self):
        """A stride that does not divide the image puts the first centre at its edge, as the generator does."""
        generator = MultiscaleAnchorGenerator(min_level=3, max_level=3, aspect_ratios=(1.0,), scales_per_octave=1)
        for size, centre in (((64, 64), 4.0), ((65, 65), 0.0)):
            box = lay_out(anchor_grids(generator, size), [(1, 1)], size)[0] * size[0]
            assert (box[0] + box[2]) / 2 == pytest.approx(centre)
            assert box[2] - box[0] == pytest.approx(32.0)

    def test_sides_may_differ_in_divisibility(self):
        """Each side of the image decides for itself."""
        generator = MultiscaleAnchorGenerator(min_level=3, max_level=3, aspect_ratios=(1.0,), scales_per_octave=1)
        box = lay_out(anchor_grids(generator, (64, 65)), [(1, 1)], (64, 65))[0] * [64, 65, 64, 65]
        assert (box[0] + box[2]) / 2 == pytest.approx(4.0)
        assert (box[1] + box[3]) / 2 == pytest.approx(0.0)


def run_priors(grids, maps, size, variances, *, trained=None, converted_at=None):
    """What the operations answer, ``[2, P, 4]``: built at ``converted_at`` and reshaped to ``size`` where given."""
    from harness.chain.translate.ops import spatial

    image = opset.parameter([1, *(converted_at or size), 3], np.float32)
    features = [opset.parameter([1, *shape, 1], np.float32) for shape in maps]
    parts = [
        on_grid(
            feature.output(0),
            spatial(image.output(0)),
            grid,
            trained=None if trained is None else opset.constant(np.array(trained, np.int64)),
            variances=variances,
            name=f"priors_{level}",
        )
        for level, (feature, grid) in enumerate(zip(features, grids, strict=True))
    ]
    model = ov.Model([in_one(parts)], [image, *features])
    model.reshape({model.inputs[0]: [1, *size, 3]})
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([np.zeros(port.shape, np.float32) for port in model.inputs])[0].reshape(2, -1, 4)


GENERATORS = {
    "multiscale": MultiscaleAnchorGenerator(min_level=4, max_level=5, aspect_ratios=(1.0, 2.0)),
    "ssd": SsdAnchorGenerator(num_layers=2, aspect_ratios=(1.0, 2.0, 0.5)),
    "ssd with strides": SsdAnchorGenerator(
        num_layers=2,
        aspect_ratios=(1.0, 2.0),
        height_stride=(16, 32),
        width_stride=(24, 32),
        height_offset=(8, 16),
        width_offset=(6, 16),
    ),
}


class TestPriorBoxClustered:
    @pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS.keys())
    @settings(deadline=None, max_examples=10)
    @given(size=SIZES)
    def test_operation_gives_the_grids_boxes(self, generator, size):
        """OpenVINO's operation, run, gives the boxes of the grids elementwise, in XYXY, with the variances behind."""
        grids = anchor_grids(generator, size)
        maps, variances = [(5, 3), (2, 2)], [0.1, 0.2, 0.3, 0.4]
        priors = run_priors(grids, maps, size, variances)
        expected = lay_out(grids, maps, size)[:, [1, 0, 3, 2]]
        np.testing.assert_allclose(priors[0], expected, atol=2e-6)
        np.testing.assert_allclose(priors[1], np.tile(variances, (len(expected), 1)), rtol=1e-6)

    @pytest.mark.parametrize("rule", ["pixel", "relative"])
    @pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS.keys())
    @settings(deadline=None, max_examples=10)
    @given(size=SIZES, trained=SIZES)
    def test_reshaped(self, generator, rule, size, trained):
        """At another size they are the anchors of that size, by either rule, as the oracle derives them (RSH-1)."""
        grids = anchor_grids(generator, trained)
        maps = [(5, 3), (2, 2)]
        keep = trained if rule == "relative" else None
        priors = run_priors(grids, maps, size, [1.0] * 4, trained=keep, converted_at=trained)
        expected = anchors_for(generator, maps, size, trained, rule)[:, [1, 0, 3, 2]]
        np.testing.assert_allclose(priors[0], expected, atol=1e-5, rtol=1e-5)
