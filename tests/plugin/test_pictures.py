"""Pictures say what either side found, fit into the certificate, and do not depend on the order of events."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from harness.certificate.model import FindingFacts, Picture, Result
from harness.checks.pictures import LONGEST_SIDE, MOST_DRAWN, as_data_uri, hex_mask, picture, spot
from harness.checks.view import View
from harness.errors import InferFailure
from harness.observation.detections import Answer, Detections, Heads
from harness.plugin import picturing
from harness.plugin.picturing import Album, fitting, illustrate


def detections(count, *, masks=None):
    boxes = np.tile(np.array([[0.1, 0.2, 0.5, 0.6]], np.float32), (count, 1))
    return Detections(boxes, np.linspace(0.9, 0.4, count, dtype=np.float32), np.ones(count, np.int64), masks)


class Shown:
    """As much of the evidence as pictures ask for."""

    name = "ssd/a"

    def __init__(self, reference, observed, *, error=None):
        anchors = np.array([[0.0, 0.0, 0.5, 0.5], [0.25, 0.25, 1.0, 1.0]], np.float32)
        self._reference = Answer((reference,), Heads(anchors=anchors))
        self._observed = Answer((observed,), Heads(anchors=anchors + 0.125))
        self._error = error

    def reference(self, view):
        return type("Reference", (), {"answer": self._reference})

    def answer(self, view, *, heads=False):
        if self._error is not None:
            raise self._error
        return self._observed

    def images(self, view):
        return np.full((1, 480, 640, 3), 128, np.uint8)

    def scene_names(self, view):
        return ["street"]

    def remember(self, key, make):
        return make()


class TestPicture:
    def test_shows_the_surest_and_those_that_are_named(self):
        """A finding about the least sure detection is seen as well."""
        found, uri = picture(Shown(detections(60), detections(50)), View(), 0, ({59}, {49}))
        assert [one.index for one in found.reference] == [*range(MOST_DRAWN), 59]
        assert [one.index for one in found.observed] == [*range(MOST_DRAWN), 49]
        assert found.left_out == 110 - 2 * (MOST_DRAWN + 1)
        assert (found.height, found.width, found.scene) == (480, 640, "street")
        image = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
        assert max(image.size) == LONGEST_SIDE

    def test_pairs_counterparts(self):
        """By class and place, never by index."""
        two = detections(2)
        moved = Detections(two.boxes + np.float32([[0.0], [0.4]]), two.scores, two.classes)
        found, _ = picture(Shown(two, moved), View(), 0)
        assert len(found.pairs) == 1

    def test_an_answer_that_is_no_number_is_shown_without_pairs(self):
        """Nothing breaks on what a broken IR answers."""
        broken = Detections(np.full((1, 4), np.nan, np.float32), np.float32([np.nan]), np.int64([1]))
        found, _ = picture(Shown(detections(1), broken), View(), 0)
        assert found.pairs == ()
        assert len(found.observed) == 1

    def test_masks_of_one_shape_are_drawn_and_of_two_are_not(self):
        """They could not be laid over each other."""
        masks = np.zeros((1, 2, 3), np.float32)
        masks[0, 0] = [0.0, 0.5, 1.0]
        found, _ = picture(Shown(detections(1, masks=masks), detections(1, masks=masks)), View(), 0)
        assert found.mask_shape == (2, 3)
        assert found.reference[0].mask == "08f000"
        other = np.zeros((1, 4, 4), np.float32)
        found, _ = picture(Shown(detections(1, masks=masks), detections(1, masks=other)), View(), 0)
        assert found.mask_shape == ()
        assert found.reference[0].mask == ""

    def test_an_image_that_a_side_does_not_answer_has_no_picture(self):
        """A finding may be just that."""
        assert picture(Shown(detections(1), detections(1)), View(), 1) is None

    def test_a_spot_is_the_anchor_of_either_side(self):
        """And empty where a side has no such anchor."""
        place = spot(Shown(detections(1), detections(1)), View(), 0, 1)
        assert place.reference == (0.25, 0.25, 1.0, 1.0)
        assert place.observed == (0.375, 0.375, 1.125, 1.125)
        assert spot(Shown(detections(1), detections(1)), View(), 0, 2) is None


class TestEncoding:
    def test_masks_have_a_digit_a_value(self):
        """What lies outside of 0 to 1, or is no number, is drawn at the edge."""
        assert hex_mask(np.array([[0.0, 1.0, 2.0], [-1.0, np.nan, 0.4]])) == "0ff006"

    def test_the_same_pixels_give_the_same_text(self):
        """Two runs of the same thing differ in nothing but times."""
        pixels = np.random.default_rng(3).integers(0, 255, (60, 80, 3), np.uint8)
        assert as_data_uri(pixels) == as_data_uri(pixels.copy())


class TestIllustrate:
    def test_a_finding_about_an_image_calls_its_picture(self):
        """And one about anything else calls none."""
        album = Album()
        about = (
            FindingFacts("a", {"image": 0, "detection": 1}),
            FindingFacts("b", {"node": "x"}),
            FindingFacts("c", {"image": 0, "anchor": 1}),
        )
        found = illustrate(about, Shown(detections(2), detections(2)), "detections", {}, album)
        (id_,) = album.pictures
        assert [one.picture for one in found] == [id_, "", id_]
        assert found[2].spot is not None
        assert album.pictures[id_].pixels in album.images

    def test_what_cannot_be_asked_is_not_shown(self):
        """An IR that crashed has failed its check already; a picture must not be what breaks the run."""
        about = (FindingFacts("a", {"image": 0}),)
        evidence = Shown(detections(1), detections(1), error=InferFailure("It crashed."))
        assert illustrate(about, evidence, "detections", {}, Album()) == about

    @pytest.mark.parametrize(
        ("check", "where"), [("back_again", {"image": 0}), ("dynamic", {"image": 0, "part": "against the static IR"})]
    )
    def test_comparisons_of_an_ir_with_itself_show_no_answer_of_tensorflow(self, check, where):
        """Their indices are of other detections."""
        about = (FindingFacts("a", where),)
        assert illustrate(about, Shown(detections(1), detections(1)), check, {}, Album()) == about


class TestFitting:
    def made(self, names):
        pictures = [
            Picture(f"{case}{n}", case, "as converted", n, "s", 1, 1, f"p{n}") for case in names for n in (0, 1)
        ]
        album = Album({one.id: one for one in pictures}, {"p0": "data:0" * 20, "p1": "data:1" * 20})
        results = [
            Result(one.case, "c", "t", (), "heads", "failed", (FindingFacts("x", picture=one.id),)) for one in pictures
        ]
        return album, results

    def test_only_what_results_call_is_kept_in_an_order_of_its_own(self):
        """Whatever came first."""
        album, results = self.made(["a", "b"])
        turned = Album(dict(reversed(album.pictures.items())), dict(reversed(album.images.items())))
        assert fitting(turned, results[::-1]) == fitting(album, results)
        assert [one.id for one in fitting(album, results[:3])[0]] == ["a0", "a1", "b0"]

    def test_every_case_shows_one_before_one_shows_two(self, monkeypatch):
        """And what was left out is counted."""
        album, results = self.made(["a", "b", "c"])
        monkeypatch.setattr(picturing, "MOST_ALTOGETHER", 1100)
        kept, images, left_out = fitting(album, results)
        assert {one.id for one in kept} >= {"a0", "b0", "c0"}
        assert left_out == 6 - len(kept) > 0
        assert set(images) == {one.pixels for one in kept}
