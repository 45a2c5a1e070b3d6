from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.cases.case import Floor
from harness.compare.floor import require_floor
from harness.errors import CaseError
from harness.observation.detections import Answer
from tests.compare.worlds import detections

GOOD = [(k % 2 + 1, 0.9 - 0.1 * k, (0.1 * k, 0.1, 0.1 * k + 0.3, 0.6)) for k in range(5)]


def answer(*rows):
    return Answer((detections(*rows),))


class TestRequireFloor:
    def test_good(self):
        """Five detections of two classes, well apart, are enough."""
        require_floor(answer(*GOOD), Floor(classes=2))

    def test_scenes_together(self):
        """The floor holds for all scenes together."""
        require_floor([answer(*GOOD[:2]), answer(), answer(*GOOD[2:])], Floor(classes=2))

    @pytest.mark.parametrize(
        ("rows", "floor", "why"),
        [
            ([], Floor(), "0 of 0 detections"),
            ([], Floor(detections=0), "0 of 0 detections"),
            (GOOD[:4], Floor(), "4 of 4 detections"),
            ([(1, 0.1, row[2]) for row in GOOD], Floor(), "0 of 5 detections"),
            ([(1, row[1], (0, 0, 1, 1)) for row in GOOD], Floor(), "0 of 5 detections"),
            ([(1, row[1], (0.3, 0.3, 0.3, 0.9)) for row in GOOD], Floor(), "0 of 5 detections"),
            ([(1, row[1], (1.3, 0.3, 1.6, 0.9)) for row in GOOD], Floor(), "0 of 5 detections"),
            ([(1, row[1], GOOD[0][2]) for row in GOOD], Floor(), "all are the same box"),
            ([(1, *row[1:]) for row in GOOD], Floor(classes=2), "of 1 classes where 2"),
            ([(row[0], 0.9, row[2]) for row in GOOD], Floor(), "span 0 "),
            ([(row[0], np.nan, row[2]) for row in GOOD], Floor(), "not finite"),
            (GOOD, Floor(mask_area=0.1), "5 detections have no mask"),
        ],
        ids=[
            "nothing",
            "nothing, and nothing asked",
            "too few",
            "low scores",
            "whole image",
            "no area",
            "outside",
            "one place",
            "one class",
            "equal scores",
            "nan",
            "no masks",
        ],
    )
    def test_poor(self, rows, floor, why):
        """A reference that shows too little is the case's error, which says what was found."""
        with pytest.raises(CaseError, match="too poor to prove anything") as caught:
            require_floor(answer(*rows), floor, case="poor")
        assert why in str(caught.value)
        assert "case poor" in str(caught.value)

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_masks_without_shape(self, value):
        """Masks that are empty or full show nothing."""
        image = dataclasses.replace(detections(*GOOD), masks=np.full((5, 7, 7), value, np.float32))
        with pytest.raises(CaseError, match="masks fill"):
            require_floor(Answer((image,)), Floor(mask_area=0.1))

    def test_masks(self):
        """Masks that fill a part of their boxes are enough."""
        masks = np.zeros((5, 7, 7), np.float32)
        masks[:, 2:5, 2:6] = 1.0
        image = dataclasses.replace(detections(*GOOD), masks=masks)
        require_floor(Answer((image,)), Floor(mask_area=0.1))
