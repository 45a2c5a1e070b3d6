from __future__ import annotations

import numpy as np
import pytest

from harness.observation.heads import heads_from_detection_output
from harness.observation.violations import LayoutError

PRIORS = np.float32([[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]])  # x1, y1, x2, y2
VARIANCES = np.float32([[0.1, 0.2, 0.3, 0.4]] * 2)  # x, y, w, h


@pytest.fixture
def locations():
    """Two images, two priors: tx, ty, tw, th count up."""
    return np.arange(16, dtype=np.float32).reshape(2, 8)


@pytest.fixture
def confidences():
    """Two images, two priors, three classes with the background first."""
    return np.arange(12, dtype=np.float32).reshape(2, 6) / 12


@pytest.fixture
def priors():
    """Values, then variances, for all images."""
    return np.stack([PRIORS.ravel(), VARIANCES.ravel()])[None]


class TestConventions:
    def test_order(self, locations, confidences, priors):
        """Encodings, anchors and variances come in TensorFlow's order: y before x, h before w."""
        heads = heads_from_detection_output(locations, confidences, priors, num_classes=3)
        assert heads.box_encodings.shape == (2, 2, 1, 4)
        assert heads.box_encodings[0, 1, 0].tolist() == [5, 4, 7, 6]
        np.testing.assert_array_equal(heads.anchors[0], np.float32([0.2, 0.1, 0.4, 0.3]))
        np.testing.assert_array_equal(heads.variances[0], np.float32([0.2, 0.1, 0.4, 0.3]))
        np.testing.assert_array_equal(heads.class_scores[1, 0], confidences[1, :3])

    def test_each_class(self, confidences, priors):
        """Locations of each class lose the background's, which TensorFlow does not have."""
        locations = np.arange(2 * 2 * 3 * 4, dtype=np.float32).reshape(2, -1)
        heads = heads_from_detection_output(locations, confidences, priors, share_location=False)
        assert heads.box_encodings.shape == (2, 2, 2, 4)
        assert heads.box_encodings[0, 0, 0].tolist() == [5, 4, 7, 6]

    @pytest.mark.parametrize("background", [None, -1])
    def test_without_background(self, locations, confidences, priors, background):
        """A contract without background leaves column 0 NaN."""
        heads = heads_from_detection_output(locations, confidences, priors, background_label_id=background)
        assert heads.class_scores.shape == (2, 2, 4)
        assert np.isnan(heads.class_scores[..., 0]).all()
        np.testing.assert_array_equal(heads.class_scores[0, 0, 1:], confidences[0, :3])

    def test_background_elsewhere(self, locations, confidences, priors):
        """The background comes first, wherever it was."""
        heads = heads_from_detection_output(locations, confidences, priors, background_label_id=2)
        np.testing.assert_array_equal(heads.class_scores[0, 0], confidences[0, [2, 0, 1]])

    def test_multiplied(self, locations, confidences, priors):
        """Encodings that carry their variances already are divided by them, given y, x, h, w."""
        heads = heads_from_detection_output(
            locations,
            confidences,
            priors[:, :1],
            variance_encoded_in_target=True,
            variances=(0.5, 0.5, 0.25, 0.25),
        )
        assert heads.box_encodings[0, 1, 0].tolist() == [10, 8, 28, 24]
        assert heads.variances[0].tolist() == [0.5, 0.5, 0.25, 0.25]

    def test_multiplied_by_something(self, locations, confidences, priors):
        """Without the variances such encodings are not known, and nothing is invented."""
        heads = heads_from_detection_output(locations, confidences, priors[:, :1], variance_encoded_in_target=True)
        assert heads.box_encodings is None
        assert heads.variances is None
        assert heads.class_scores is not None

    def test_priors_of_each_image(self, locations, confidences, priors):
        """Priors that differ between images stay apart; equal ones become one."""
        same = heads_from_detection_output(locations, confidences, np.concatenate([priors, priors]))
        assert same.anchors.shape == (2, 4)
        other = heads_from_detection_output(locations, confidences, np.concatenate([priors, priors + 0.1]))
        assert other.anchors.shape == (2, 2, 4)

    def test_pixels(self, locations, confidences):
        """Priors in pixels, five values each, are normalised by the image's size."""
        pixels = np.concatenate([[[0], [0]], PRIORS * [[200, 100, 200, 100]]], axis=1).astype(np.float32)
        heads = heads_from_detection_output(
            locations,
            confidences,
            pixels.reshape(1, 1, -1),
            normalized=False,
            image_size=(100, 200),
            variance_encoded_in_target=True,
        )
        np.testing.assert_allclose(heads.anchors, PRIORS[:, [1, 0, 3, 2]], rtol=1e-6)


class TestContradictions:
    @pytest.mark.parametrize(
        ("change", "where"),
        [
            ({"locations": np.zeros((2, 12))}, "locations"),
            ({"confidences": np.zeros((2, 5))}, "confidences"),
            ({"confidences": np.zeros((1, 6))}, "confidences"),
            ({"confidences": np.zeros((2, 8))}, "confidences"),
            ({"priors": np.zeros((3, 2, 8))}, "priors"),
            ({"priors": np.zeros((1, 3, 8))}, "priors"),
            ({"priors": np.zeros((1, 2, 7))}, "priors"),
            ({"priors": np.zeros((1, 2, 0))}, "confidences"),
            ({"priors": np.zeros((2, 8))}, "priors"),
        ],
    )
    def test_shapes(self, locations, confidences, priors, change, where):
        """Shapes that contradict each other are an error that names the input."""
        arrays = {"locations": locations, "confidences": confidences, "priors": priors, **change}
        with pytest.raises(LayoutError) as caught:
            heads_from_detection_output(**arrays, num_classes=3)
        assert where in caught.value.where

    def test_pixels_of_what(self, locations, confidences):
        """Priors in pixels need the image's size."""
        with pytest.raises(LayoutError, match="size is not known"):
            heads_from_detection_output(locations, confidences, np.zeros((1, 1, 10)), normalized=False)
