"""Second stages are compared proposal by proposal, in whatever order either side holds them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.compare.two_stage import (
    align,
    as_first_stage,
    compare_second_stage,
    measure_two_stage_noise,
    require_two_stages,
)
from harness.errors import CaseError
from harness.observation.detections import Answer, Detections, Heads
from harness.observation.two_stage import TwoStageHeads, true_number

COUNT, CLASSES = 6, 3


def heads():
    rng = np.random.default_rng(7)
    centres = np.stack([np.linspace(0.2, 0.8, COUNT), np.linspace(0.8, 0.2, COUNT)], axis=1)
    boxes = np.concatenate([centres - 0.1, centres + 0.1], axis=1)[None].astype(np.float32)
    boxes[:, -1] = 0
    first = Heads(
        np.zeros((1, COUNT, 1, 4), np.float32),
        np.tile(rng.uniform(0.2, 0.8, (1, COUNT, 1)), (1, 1, 2)).astype(np.float32),
        boxes[0],
        np.full((COUNT, 4), 0.1, np.float32),
    )
    return TwoStageHeads(
        first=first,
        proposals=boxes,
        num_proposals=true_number(boxes),
        box_encodings=rng.normal(size=(1, COUNT, CLASSES, 4)).astype(np.float32),
        class_scores=rng.uniform(0.1, 0.9, (1, COUNT, CLASSES + 1)).astype(np.float32),
        variances=np.array([0.1, 0.1, 0.2, 0.2], np.float32),
    )


def shuffled(one, order=(3, 0, 4, 1, 2, 5)):
    rows = list(order)
    return dataclasses.replace(
        one,
        proposals=one.proposals[:, rows],
        box_encodings=one.box_encodings[:, rows],
        class_scores=one.class_scores[:, rows],
    )


def answer(one):
    found = Detections(one.proposals[0, :2], np.array([0.9, 0.8], np.float32), np.array([1, 2]))
    return Answer((found,), two_stage=one)


@pytest.fixture
def noise():
    return measure_two_stage_noise(answer(heads()), [answer(shuffled(heads()))])


class TestAlign:
    def test_finds_each_proposal_again(self):
        """The order is not what makes a proposal."""
        (pairs,) = align(heads(), shuffled(heads()))
        assert pairs.tolist() == [[0, 1], [1, 3], [2, 4], [3, 0], [4, 2]]

    def test_another_box_is_another_proposal(self):
        """A proposal that moved by a part of the image has no counterpart."""
        moved = dataclasses.replace(heads(), proposals=heads().proposals + np.float32(0.02))
        assert not len(align(heads(), moved)[0])


class TestNoise:
    def test_another_order_is_no_movement(self, noise):
        """Repeats that only order their proposals differently moved nothing."""
        assert noise.second.encodings.worst == noise.second.scores.worst == noise.second.anchors.worst == 0.0

    def test_the_first_stage_lends_scores_to_proposals(self):
        """A proposal scored what the anchor that it came from scored."""
        (image,) = as_first_stage(heads()).images
        assert np.array_equal(image.scores, heads().first.class_scores[0, : COUNT - 1, 1])

    def test_invisible_stages_are_no_oracle(self):
        """Where TensorFlow's graph does not show its stages nothing can be compared with them."""
        with pytest.raises(CaseError, match="stages"):
            require_two_stages(Answer(()))


class TestCompareSecondStage:
    def test_another_order_passes(self, noise):
        """All of the five true proposals are compared."""
        found = compare_second_stage(heads(), shuffled(heads()), noise.second)
        assert found.outcome == "passed"
        assert found.compared == 5 * (CLASSES * 4 + CLASSES + 1)

    @pytest.mark.parametrize("field", ["box_encodings", "class_scores"])
    def test_another_class_fails(self, noise, field):
        """Boxes or scores of the neighbouring class are not the class's own."""
        wrong = dataclasses.replace(heads(), **{field: np.roll(getattr(heads(), field), 1, axis=2)})
        assert compare_second_stage(heads(), wrong, noise.second).outcome == "failed"

    def test_nothing_in_common_fails(self, noise):
        """A second stage over other proposals proves nothing, and says so."""
        moved = dataclasses.replace(heads(), proposals=heads().proposals * np.float32(0.5))
        found = compare_second_stage(heads(), moved, noise.second)
        assert found.outcome == "failed"
        assert "proposals" in found.findings[0].what
