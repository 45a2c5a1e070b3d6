from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare.candidates import candidates_from_heads
from harness.compare.consistency import KeptSet
from harness.compare.detections import compare_detections
from harness.compare.geometry import iou_bounds, iou_matrix
from harness.compare.heads import compare_heads
from harness.compare.noise import TOLERANCE_FACTOR
from harness.compare.suppression import Suppression, suppress
from harness.observation.detections import Answer
from tests.compare.worlds import moved, take, world


@st.composite
def worlds(draw):
    """Worlds of all kinds: few or many boxes, ties, crowds, tiny boxes, boxes over the edges, every way to clip."""
    suppression = Suppression(
        score_threshold=draw(st.sampled_from([1e-8, 0.05, 0.3])),
        iou_threshold=draw(st.sampled_from([0.3, 0.5, 0.6, 0.9, 1.0])),
        max_detections_per_class=draw(st.sampled_from([2, 10, 100])),
        max_total_detections=draw(st.sampled_from([3, 10, 20, 100])),
        clip=draw(st.sampled_from(["before", "after", "none"])),
    )
    return world(
        draw(st.integers(0, 2**31)),
        anchors=draw(st.integers(3, 150)),
        classes=draw(st.integers(1, 5)),
        objects=draw(st.integers(1, 6)),
        per_class_boxes=draw(st.booleans()),
        grid=draw(st.sampled_from([None, 0.5, 0.01])),
        over_edges=draw(st.booleans()),
        tiny=draw(st.booleans()),
        encoding_noise=10.0 ** draw(st.integers(-7, -3)),
        score_noise=10.0 ** draw(st.integers(-7, -3)),
        suppression=suppression,
    )


class TestWithinTolerance:
    @settings(max_examples=150, deadline=None)
    @given(scene=worlds(), seed=st.integers(0, 2**31))
    def test_passes(self, scene, seed):
        """Whatever heads within tolerance are suppressed to passes: no close decision is held against an answer."""
        heads = moved(scene.heads, scene.noise, seed, 0.999)
        answer = Answer(suppress(heads, scene.suppression))
        comparison = compare_detections(scene.reference, answer, scene.noise, scene.suppression, explained_share=1.0)
        assert comparison.findings == ()

    @settings(max_examples=40, deadline=None)
    @given(scene=worlds(), seed=st.integers(0, 2**31))
    def test_heads_agree_too(self, scene, seed):
        """The same heads pass element by element, so both comparisons mean the same tolerance."""
        heads = moved(scene.heads, scene.noise, seed, 0.999)
        for comparison in compare_heads(scene.heads, heads, scene.noise).values():
            # Errors at the very tolerance everywhere are no noise in the mean, which is the other bound's business.
            assert [finding for finding in comparison.findings if not finding.unit.endswith("mean")] == []

    @pytest.mark.long
    @settings(max_examples=3000, deadline=None)
    @given(scene=worlds(), seed=st.integers(0, 2**31))
    def test_passes_many(self, scene, seed):
        """The same, for as many worlds as patience allows."""
        answer = Answer(suppress(moved(scene.heads, scene.noise, seed, 0.999), scene.suppression))
        comparison = compare_detections(scene.reference, answer, scene.noise, scene.suppression, explained_share=1.0)
        assert comparison.findings == ()


class TestExactly:
    @settings(max_examples=60, deadline=None)
    @given(scene=worlds(), data=st.data())
    def test_each_lost_detection_is_missed(self, scene, data):
        """In a world without ties, any single detection that is lost is missed, unless its score is at a cap."""
        image = data.draw(st.integers(0, 1))
        full = scene.reference.images[image]
        if len(full) < 2:
            return
        index = data.draw(st.integers(0, len(full) - 1))
        candidates = candidates_from_heads(scene.heads, image, scene.noise, scene.suppression, TOLERANCE_FACTOR)
        close = _is_close(scene, candidates, image, index)
        rest = take(full, [other for other in range(len(full)) if other != index])
        answer = Answer(tuple(rest if other == image else one for other, one in enumerate(scene.reference.images)))
        comparison = compare_detections(scene.reference, answer, scene.noise, scene.suppression)
        assert comparison.outcome == "failed" or close

    @settings(max_examples=60, deadline=None)
    @given(scene=worlds(), data=st.data())
    def test_each_doubled_detection_is_noticed(self, scene, data):
        """Any detection that is there twice is noticed, but where no box ever suppresses another."""
        image = data.draw(st.integers(0, 1))
        full = scene.reference.images[image]
        if not len(full) or scene.suppression.iou_threshold == 1.0:
            return
        index = data.draw(st.integers(0, len(full) - 1))
        double = take(full, [*range(len(full)), index])
        answer = Answer(tuple(double if other == image else one for other, one in enumerate(scene.reference.images)))
        assert compare_detections(scene.reference, answer, scene.noise, scene.suppression).outcome == "failed"


def _is_close(scene, candidates, image, index):
    """Whether a close decision may excuse this detection's absence: known from the full set, seen without it."""
    full = scene.reference.images[image]
    kept = KeptSet(candidates, full, scene.suppression)
    anchor, label = int(kept.identity[index]), int(full.classes[index])
    rest = take(full, [other for other in range(len(full)) if other != index])
    reason = KeptSet(candidates, rest, scene.suppression).absence(anchor, label)
    return reason is not None and reason.close


class TestBounds:
    @settings(max_examples=100, deadline=None)
    @given(seed=st.integers(0, 2**31), spread=st.sampled_from([0.0, 1e-6, 1e-3, 0.1]))
    def test_iou_lies_between(self, seed, spread):
        """The IoU of any boxes between the corners lies between the bounds."""
        rng = np.random.default_rng(seed)
        start = rng.uniform(0, 0.7, (2, 6, 2))
        boxes = np.concatenate([start, start + rng.uniform(0, 0.3, (2, 6, 2))], axis=2)
        low, high = boxes - spread * rng.random(boxes.shape), boxes + spread * rng.random(boxes.shape)
        inside = rng.uniform(low, high + 1e-300)
        least, most = iou_bounds(low[0], high[0], low[1], high[1])
        for one, two in ((boxes[0], boxes[1]), (inside[0], inside[1])):
            overlap = iou_matrix(one, two)
            assert (least <= overlap + 1e-12).all()
            assert (overlap <= most + 1e-12).all()
