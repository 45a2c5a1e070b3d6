"""Crops along boxes that end at the image's edge: truly undecided, and explained only there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.compare.crop_edges import CropEdges
from harness.compare.masks import compare_masks
from harness.observation.detections import Answer
from tests.compare.worlds import detections, noise_of

NOISE = noise_of(1e-5, 1e-5)
EDGES = CropEdges((8, 20), (14, 14))
#: By TensorFlow 2.21's CropAndResize on 8 rows into 14: this box's last row is kept, and one bit lower it is zero.
HANGS = (0.47157577, 0.1, 1.0, 0.3)


def sigmoid(values):
    return (1.0 / (1.0 + np.exp(-values))).astype(np.float32)


class TestUndecided:
    @given(sides=st.tuples(*[st.floats(0, 0.98)] * 4))
    def test_never_away_from_the_edge(self, sides):
        """A box whose far edges are inside of the image has no such row."""
        top, left, bottom, right = sides
        assert not EDGES.undecided(np.array([min(top, bottom), min(left, right), max(top, bottom), max(left, right)]))

    def test_a_box_that_was_seen_to_hang(self):
        """The one whose mask differed between TensorFlow and an IR that were both right."""
        assert EDGES.undecided(np.array(HANGS, np.float32))

    def test_on_either_axis(self):
        """Columns hang as rows do."""
        assert CropEdges((20, 8), (14, 14)).undecided(np.array([HANGS[1], HANGS[0], HANGS[3], HANGS[2]]))

    def test_not_every_box_at_the_edge(self):
        """A half of seven steps is exact: nothing hangs there."""
        exact = CropEdges((9, 9), (5, 5))
        assert not exact.undecided(np.array([0.0, 0.0, 1.0, 1.0]))
        assert not exact.undecided(np.array([0.0, 0.0, 0.7, 1.0]))

    def test_single_row(self):
        """A crop of one row takes the middle."""
        assert not CropEdges((8, 8), (1, 1)).undecided(np.array(HANGS))


@pytest.fixture
def reference():
    """Ten detections, the first along a box that hangs."""
    rng = np.random.default_rng(2)
    boxes = [HANGS, *((0.05 * k, 0.1, 0.05 * k + 0.3, 0.5) for k in range(9))]
    image = detections(*((k % 3 + 1, 0.95 - 0.05 * k, box) for k, box in enumerate(boxes)))
    y = np.linspace(3, -3, 15)[:, None]
    masks = sigmoid(y + 0.5 * rng.normal(size=(10, 15, 15)))
    return Answer((dataclasses.replace(image, masks=masks),))


def moved(answer, indices, by=0.3):
    masks = answer.images[0].masks.copy()
    for index in indices:
        masks[index, -4:] = sigmoid(np.log(masks[index, -4:] / (1 - masks[index, -4:])) - by)
    return Answer((dataclasses.replace(answer.images[0], masks=masks),))


class TestMasks:
    def test_explained_where_it_hangs(self, reference):
        """A mask that differs along such a box passes, and is counted."""
        compared = compare_masks(reference, moved(reference, [0]), NOISE, edges=EDGES)
        assert (compared.outcome, compared.explained) == ("passed", 1)
        assert "ends at the image's edge" in compared.explanations[0].what

    def test_a_finding_elsewhere(self, reference):
        """The same difference along another box fails."""
        compared = compare_masks(reference, moved(reference, [4]), NOISE, edges=EDGES)
        assert (compared.outcome, compared.explained) == ("failed", 0)

    def test_a_finding_where_nobody_says_what_is_cropped(self, reference):
        """Without the sizes nothing is known to hang."""
        assert compare_masks(reference, moved(reference, [0]), NOISE).outcome == "failed"

    def test_another_object_is_no_matter_of_a_row(self, reference):
        """The mask upside down is a fault wherever its box ends."""
        masks = reference.images[0].masks.copy()
        masks[0] = masks[0, ::-1]
        wrong = Answer((dataclasses.replace(reference.images[0], masks=masks),))
        assert compare_masks(reference, wrong, NOISE, edges=EDGES).outcome == "failed"

    def test_many_are_a_fault(self, reference):
        """Where a fifth of all masks hang and differ, that is said."""
        boxes = reference.images[0].boxes.copy()
        boxes[1] = [HANGS[0], 0.5, 1.0, 0.7]
        crowded = Answer((dataclasses.replace(reference.images[0], boxes=boxes),))
        compared = compare_masks(crowded, moved(crowded, [0, 1]), NOISE, edges=EDGES)
        assert compared.outcome == "failed"
        assert "over the share" in compared.findings[-1].what
