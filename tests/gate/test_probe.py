"""A frozen IR's answers under two versions: the same, near-tied rows swapped, moved, and lost are told apart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gate.probe import FLOOR, describe, probe, tolerance_of
from harness.observation.detections import Detections


def detections(count=20, seed=0, masks=False):
    """Boxes apart from each other, of three classes, sorted by score."""
    rng = np.random.default_rng(seed)
    corners = np.stack([np.arange(count) // 5 / 5, np.arange(count) % 5 / 5], axis=1)
    boxes = np.concatenate([corners, corners + 0.15], axis=1).astype(np.float32)
    scores = np.sort(rng.uniform(0.3, 0.99, count).astype(np.float32))[::-1].copy()
    # Well apart, so that only a test that wants ties has them.
    scores = (np.linspace(0.95, 0.35, count) + 0 * scores).astype(np.float32)
    return Detections(
        boxes, scores, rng.integers(1, 4, count), rng.random((count, 8, 8)).astype(np.float32) if masks else None
    )


def taken(one, order):
    return Detections(
        one.boxes[order], one.scores[order], one.classes[order], None if one.masks is None else one.masks[order]
    )


def changed(one, index, **values):
    arrays = {}
    for name, value in values.items():
        arrays[name] = getattr(one, name).copy()
        arrays[name][index] = value
    return dataclasses.replace(one, **arrays)


def tied(one, index):
    return changed(one, index + 1, scores=one.scores[index] - 1e-6)


def swapped(one, index):
    order = np.arange(len(one))
    order[[index, index + 1]] = order[[index + 1, index]]
    return taken(one, order)


class TestKinds:
    @pytest.mark.parametrize("masks", [False, True])
    def test_the_same(self, masks):
        """To within rounding."""
        old = detections(masks=masks)
        new = dataclasses.replace(old, scores=old.scores + np.float32(3e-6), boxes=old.boxes - np.float32(2e-6))
        one = probe("case", [old], [new])
        assert (one.kind, one.rows, one.regression) == ("same", 20, False)
        assert one.worst == pytest.approx(3e-6, rel=0.1)

    def test_near_tied_rows_swapped(self):
        """Nothing is lost; the values are the same."""
        old = tied(detections(), 7)
        one = probe("case", [old], [swapped(old, 7)])
        assert (one.kind, one.swapped, one.regression) == ("swapped", 1, False)
        assert "near-tied rows swapped: 1 of 20, nothing lost" in describe(one)

    def test_an_order_that_no_tie_explains(self):
        """Rows far apart in score have changed places."""
        old = detections()
        one = probe("case", [old], [swapped(old, 7)])
        assert (one.kind, one.reordered, one.regression) == ("moved", 1, True)

    @pytest.mark.parametrize("values", [{"scores": 0.5}, {"boxes": [0.4, 0.01, 0.55, 0.16]}])
    def test_moved(self, values):
        """The same object, another value."""
        old = detections()
        one = probe("case", [old], [changed(old, 10, **values)])
        assert (one.kind, one.moved, one.lost) == ("moved", 1, 0)

    def test_a_mask_that_moved(self):
        """Score and box as they were."""
        old = detections(masks=True)
        masks = old.masks.copy()
        masks[3, 2, 2] = 1 - masks[3, 2, 2]
        one = probe("case", [old], [dataclasses.replace(old, masks=masks)])
        assert (one.kind, one.moved) == ("moved", 1)

    def test_without_counterpart(self):
        """As R-FCN's eleven of three hundred."""
        old = detections()
        one = probe("case", [old], [taken(old, np.arange(3, 20))])
        assert (one.kind, one.lost, one.added, one.regression) == ("without_counterpart", 3, 0, True)
        assert describe(one).startswith("REGRESSION case: rows without counterpart: 3 of 20 lost")

    def test_added(self):
        """What was not there before is no counterpart of anything."""
        old = detections()
        one = probe("case", [taken(old, np.arange(19))], [old])
        assert (one.kind, one.lost, one.added) == ("without_counterpart", 0, 1)

    def test_another_class(self):
        """The same box under another label is another object."""
        old = detections()
        one = probe("case", [old], [changed(old, 4, classes=9)])
        assert (one.kind, one.lost, one.added) == ("without_counterpart", 1, 1)

    @pytest.mark.parametrize("values", [{"scores": np.nan}, {"boxes": np.nan}])
    def test_not_a_number(self, values):
        """Is never the same."""
        assert probe("case", [detections()], [changed(detections(), 2, **values)]).regression

    def test_nothing(self):
        """Two empty answers agree on nothing: neither the same, nor the upgrade's fault. One that is empty is."""
        empty = taken(detections(), [])
        one = probe("case", [empty], [empty])
        assert (one.kind, one.regression) == ("nothing", False)
        assert "nothing was compared" in describe(one)
        assert probe("case", [detections()], [empty]).regression
        assert probe("case", [empty], [detections()]).regression

    def test_all_images_count(self):
        """The second one's loss is no less a loss."""
        old = detections()
        assert probe("case", [old, old], [old, taken(old, np.arange(19))]).lost == 1


class TestTolerance:
    def test_measured_noise_widens_it(self):
        """What the old version does to itself, the new one may do too; but not more than a few times that."""
        old = detections()
        again = dataclasses.replace(old, scores=old.scores + np.float32(1e-4))
        tolerance = tolerance_of([old], [again])
        assert tolerance == pytest.approx(4e-4, rel=0.01)
        assert probe("case", [old], [again], tolerance).kind == "same"
        assert probe("case", [old], [again]).kind == "moved"

    def test_never_below_the_floor(self):
        """Where the old version repeats itself bit for bit."""
        assert tolerance_of([detections()], [detections()]) == FLOOR


class TestProperties:
    @given(st.integers(0, 2**32 - 1))
    def test_any_order_of_clear_scores_is_found(self, seed):
        """A permutation loses nothing and is never called the same, but for the one that changes nothing."""
        old = detections(seed=1)
        order = np.random.default_rng(seed).permutation(len(old))
        one = probe("case", [old], [taken(old, order)])
        assert (one.lost, one.added, one.moved) == (0, 0, 0)
        assert (one.kind == "same") == bool((order == np.arange(len(old))).all())
