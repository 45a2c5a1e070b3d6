"""Images are left out for a tie of proposals, and for nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.checks import exchanged
from harness.checks.exchanged import compare_where_proposals_agree
from harness.compare.comparison import Explanation
from harness.compare.detections import compare_detections
from harness.observation.detections import Answer
from tests.compare.worlds import detections, noise_of

NOISE = noise_of(1e-5, 1e-5)
TIE = "TensorFlow's detection 0 is not there: their scores are a tie"


@dataclasses.dataclass
class Evidence:
    """As much of the evidence as is asked."""

    given: Answer
    contract: str | None = "detection_output"

    def answer(self, view):
        return self.given


def scene(*classes):
    return detections(*((label, 0.9 - 0.1 * k, (0.1 * k, 0.1, 0.1 * k + 0.3, 0.5)) for k, label in enumerate(classes)))


@pytest.fixture
def reference():
    return Answer(tuple(scene(1, 2, 3) for _ in range(3)))


@pytest.fixture
def ties(monkeypatch):
    """Lets the first stage have close decisions in the images named."""

    def set_ties(*images):
        found = tuple(Explanation(TIE, {"image": image}, True) for image in images)
        monkeypatch.setattr(exchanged, "_exchanged", lambda evidence, view: found)

    return set_ties


def moved(reference, *images):
    return Answer(
        tuple(
            dataclasses.replace(image, boxes=(image.boxes + np.float32(0.03))) if index in images else image
            for index, image in enumerate(reference.images)
        )
    )


def judge(reference, given, **values):
    return compare_where_proposals_agree(
        Evidence(given, **values), reference, lambda answer: compare_detections(reference, answer, NOISE)
    )


class TestLeavingOut:
    def test_a_tie_leaves_its_image_out(self, reference, ties):
        """What differs there is no finding; it is explained, noted, and not counted as compared."""
        ties(1)
        compared = judge(reference, moved(reference, 1))
        assert (compared.outcome, compared.explained, compared.compared) == ("passed", 1, 6)
        assert "image 1" in compared.notes[-1]

    def test_without_a_tie_it_fails(self, reference, ties):
        """No close decision, no excuse."""
        ties()
        assert judge(reference, moved(reference, 1)).outcome == "failed"

    def test_a_tie_excuses_its_own_image_only(self, reference, ties):
        """What differs in another image is a finding still."""
        ties(1)
        compared = judge(reference, moved(reference, 1, 2))
        assert compared.outcome == "failed"
        assert {finding.where["image"] for finding in compared.findings} == {2}

    def test_most_images_have_to_be_left(self, reference, ties):
        """Ties everywhere prove nothing."""
        ties(0, 1)
        assert judge(reference, moved(reference, 0, 1)).outcome == "failed"

    def test_a_single_image_is_never_left_out(self, ties):
        """Nothing would be compared."""
        ties(0)
        alone = Answer((scene(1, 2),))
        assert judge(alone, moved(alone, 0)).outcome == "failed"

    def test_proposals_have_to_be_visible(self, reference, ties):
        """An IR by another contract shows no proposals."""
        ties(1)
        assert judge(reference, moved(reference, 1), contract="tf_outputs").outcome == "failed"

    def test_equal_answers_ask_for_nothing(self, reference, monkeypatch):
        """Proposals are looked at only where something differs."""
        monkeypatch.setattr(exchanged, "_exchanged", None)
        assert judge(reference, reference).outcome == "passed"
