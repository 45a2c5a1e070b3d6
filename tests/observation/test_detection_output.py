from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import Stage
from harness.observation.detection_output import check_rows, from_detection_output
from harness.observation.violations import LayoutError

END = [-1, 0, 0, 0, 0, 0, 0]
PAD = [0, 0, 0, 0, 0, 0, 0]
ROWS = [
    [0, 1, 0.9, 0.1, 0.2, 0.3, 0.6],
    [0, 1, 0.5, 0.5, 0.2, 0.7, 0.6],
    [0, 3, 0.7, 0.1, 0.2, 0.3, 0.6],
    [1, 2, 0.8, 0.4, 0.1, 0.9, 0.2],
]


def table(*rows):
    return np.asarray(rows, np.float32).reshape(1, 1, -1, 7)


def kinds(rows, batch=2, **options):
    violations = []
    from_detection_output(rows, batch, violations=violations, **options)
    return [(violation.kind, violation.row) for violation in violations]


class TestReading:
    def test_images(self):
        """Rows go to their images, in their order, with boxes in TensorFlow's order."""
        one, two = from_detection_output(table(*ROWS, END, PAD), 2)
        assert one.classes.tolist() == [1, 1, 3]
        np.testing.assert_array_equal(one.boxes[0], np.float32([0.2, 0.1, 0.6, 0.3]))
        assert (one.boxes.dtype, one.scores.dtype, one.classes.dtype) == (np.float32, np.float32, np.int64)
        assert two.scores.tolist() == [pytest.approx(0.8)]

    def test_flat(self):
        """[M, 7] is read like [1, 1, M, 7] (MSK-3)."""
        assert len(from_detection_output(table(*ROWS).reshape(-1, 7), 2)[0]) == 3

    def test_full(self):
        """An output that is full has no terminator."""
        assert kinds(table(*ROWS)) == []

    def test_nothing(self):
        """An output that starts with the terminator holds nothing, for every image of the batch."""
        answer = from_detection_output(table(END, PAD, PAD), 2)
        assert [len(image) for image in answer] == [0, 0]
        assert answer[0].boxes.shape == (0, 4)

    def test_padding_is_no_data(self):
        """The zero rows after the terminator are not detections of image 0."""
        assert len(from_detection_output(table(END, PAD), 1)[0]) == 0

    def test_terminators_as_padding(self):
        """A device that pads with terminators pads as well."""
        assert kinds(table(*ROWS, END, END, END)) == []

    @settings(max_examples=50, deadline=None)
    @given(counts=st.lists(st.integers(0, 4), min_size=1, max_size=4), padding=st.integers(0, 3))
    def test_every_row_arrives(self, counts, padding):
        """As many detections come out as rows went in, each in its image."""
        rng = np.random.default_rng(sum(counts))
        rows = [[image, 1, *rng.random(5)] for image, count in enumerate(counts) for _ in range(count)]
        rows += [END, *[PAD] * padding] if padding else []
        answer = from_detection_output(np.asarray(rows, np.float32).reshape(-1, 7), len(counts))
        assert [len(image) for image in answer] == counts


class TestMasks:
    def test_own_class(self):
        """Each detection takes the channel of its own class, and background has none."""
        masks = np.arange(5 * 3, dtype=np.float32).reshape(5, 3, 1, 1) * np.ones((1, 1, 2, 2), np.float32)
        one, two = from_detection_output(table(*ROWS, END), 2, masks=masks)
        assert one.masks[:, 0, 0].tolist() == [0, 3, 8]
        assert two.masks[:, 0, 0].tolist() == [10]

    def test_other_rows(self):
        """Masks for another number of rows belong to nothing."""
        assert kinds(table(*ROWS), masks=np.zeros((3, 3, 2, 2))) == [("mask", None)]

    def test_too_few_channels(self):
        """A label without a channel is a violation."""
        assert kinds(table(*ROWS), masks=np.zeros((4, 2, 2, 2))) == [("mask", 2)]


class TestViolations:
    @pytest.mark.parametrize(
        ("rows", "expected"),
        [
            ([[2, 1, 0.9, 0, 0, 1, 1]], [("image_id", 0)]),
            ([[0.5, 1, 0.9, 0, 0, 1, 1]], [("image_id", 0)]),
            ([[-2, 1, 0.9, 0, 0, 1, 1]], [("image_id", 0)]),
            ([[np.nan, 1, 0.9, 0, 0, 1, 1]], [("non_finite", 0), ("image_id", 0)]),
            ([[0, 0, 0.9, 0, 0, 1, 1]], [("label", 0)]),
            ([[0, 1.5, 0.9, 0, 0, 1, 1]], [("label", 0)]),
            ([[0, -1, 0.9, 0, 0, 1, 1]], [("label", 0)]),
            ([[0, 1, np.nan, 0, 0, 1, 1]], [("non_finite", 0)]),
            ([[0, 1, 0.9, 0, 0, np.inf, 1]], [("non_finite", 0)]),
            ([*ROWS, END, ROWS[0]], [("padding", 5)]),
            ([*ROWS, END, PAD, [0, 0, 0.1, 0, 0, 0, 0]], [("padding", 6)]),
            ([*ROWS, END, [np.nan, 0, 0, 0, 0, 0, 0]], [("padding", 5)]),
            ([*ROWS, PAD], [("terminator", 4)]),
            ([PAD, PAD], [("terminator", 0), ("terminator", 1)]),
            ([*ROWS, [-1, 1, 0.5, 0, 0, 1, 1]], [("terminator", 4)]),
        ],
    )
    def test_kinds(self, rows, expected):
        """Whatever is off is named, with its row."""
        assert kinds(table(*rows)) == expected

    @pytest.mark.parametrize("shape", [(1, 1, 3, 6), (2, 1, 3, 7), (7,), (1, 3, 7), (0,)])
    def test_shape(self, shape):
        """Another shape is no DetectionOutput."""
        assert kinds(np.zeros(shape, np.float32)) == [("shape", None)]

    def test_uncollected(self):
        """A violation that nobody collects is an error with its row and values: it is never lost."""
        with pytest.raises(LayoutError, match=r"row 4: an all-zero row .*\(and 1 more\)") as caught:
            from_detection_output(table(*ROWS, PAD, PAD), 2)
        assert caught.value.stage is Stage.LAYOUT

    def test_not_finite_is_kept(self):
        """A detection that is not finite stays in the answer, where a comparison trips over it."""
        violations = []
        (image,) = from_detection_output(table([0, 1, np.nan, 0, 0, 1, 1]), 1, violations=violations)
        assert np.isnan(image.scores).all()


class TestRules:
    def test_right(self):
        """Rows as DetectionOutput writes them keep all rules."""
        assert check_rows(table(*ROWS, END, PAD), 2, num_classes=3, keep_top_k=3, clipped=True) == ()

    @pytest.mark.parametrize(
        ("rows", "expected"),
        [
            ([ROWS[1], ROWS[0]], ("order", 1)),
            ([ROWS[2], ROWS[0]], ("order", 1)),
            ([ROWS[3], ROWS[0]], ("order", 1)),
            ([[0, 4, 0.9, 0, 0, 1, 1]], ("label", 0)),
            ([[0, 1, 1.5, 0, 0, 1, 1]], ("score_range", 0)),
            ([[0, 1, -0.1, 0, 0, 1, 1]], ("score_range", 0)),
            ([[0, 1, 0.5, 0.9, 0, 0.1, 1]], ("box", 0)),
            ([[0, 1, 0.5, -0.1, 0, 0.1, 1]], ("box", 0)),
        ],
    )
    def test_broken(self, rows, expected):
        """Order, label range, score range and boxes are checked row by row."""
        padding = [END, *[PAD] * (5 - len(rows))]
        found = check_rows(table(*rows, *padding), 2, num_classes=3, keep_top_k=3, clipped=True)
        assert [(violation.kind, violation.row) for violation in found] == [expected]

    def test_count(self):
        """There are batch x keep_top_k rows, and no image has more than keep_top_k."""
        found = check_rows(table(*ROWS), 2, keep_top_k=2)
        assert [str(violation) for violation in found] == ["image 0 has 3 rows, over keep_top_k 2"]
        found = check_rows(table(*ROWS), 1, keep_top_k=5)
        assert [violation.kind for violation in found] == ["image_id", "count"]
