from __future__ import annotations

import numpy as np
import pytest

from harness.compare.proposals import Proposals, compare_proposals
from harness.compare.suppression import Suppression
from harness.errors import UsageError
from tests.compare.worlds import world

FIRST_STAGE = Suppression(0.0, 0.7, 60, 60)


@pytest.fixture(scope="module")
def scene():
    return world(11, classes=1, suppression=FIRST_STAGE)


def proposals(answer, *, scores=True):
    return [Proposals(image.boxes, image.scores if scores else None) for image in answer.images]


def compare(scene, observed, *, heads=True):
    return compare_proposals(
        proposals(scene.reference), observed, scene.noise, FIRST_STAGE, heads=scene.heads if heads else None
    )


class TestProposals:
    @pytest.mark.parametrize("heads", [True, False])
    @pytest.mark.parametrize("scores", [True, False])
    def test_right(self, scene, scores, heads):
        """The same proposals in another order pass, with and without scores, with and without heads."""
        observed = [
            Proposals(one.boxes[::-1], None if one.scores is None else one.scores[::-1])
            for one in proposals(scene.converted(share=0.1), scores=scores)
        ]
        comparison = compare(scene, observed, heads=heads)
        assert (comparison.subject, comparison.findings) == ("proposals", ())
        assert comparison.compared == 120

    @pytest.mark.parametrize("heads", [True, False])
    @pytest.mark.parametrize("scores", [True, False])
    @pytest.mark.parametrize(
        "wrong",
        [
            lambda boxes: boxes[1:],
            lambda boxes: boxes[:30],
            lambda boxes: boxes[:, [1, 0, 3, 2]],
            lambda boxes: boxes * np.float32(1.01),
            lambda boxes: boxes[[0, *range(len(boxes) - 1)]],
            np.zeros_like,
            lambda boxes: boxes[:0],
            lambda boxes: boxes + np.float32([[np.nan, 0, 0, 0]]),
        ],
        ids=["lost", "half", "swapped", "scaled", "doubled", "zeros", "none", "nan"],
    )
    def test_wrong(self, scene, wrong, scores, heads):
        """Lost, moved, doubled and missing proposals fail, whether their scores are known or not."""
        observed = []
        for one in proposals(scene.converted(share=0.1)):
            boxes = wrong(one.boxes)
            observed.append(Proposals(boxes, one.scores[: len(boxes)] if scores else None))
        assert compare(scene, observed, heads=heads).outcome == "failed"

    def test_images_permuted(self, scene):
        """Proposals of one image are not those of another."""
        assert compare(scene, proposals(scene.converted(), scores=False)[::-1]).outcome == "failed"

    def test_reference_without_scores(self, scene):
        """The reference's own scores are needed."""
        bare = proposals(scene.reference, scores=False)
        with pytest.raises(UsageError, match="no scores"):
            compare_proposals(bare, bare, scene.noise, FIRST_STAGE)
