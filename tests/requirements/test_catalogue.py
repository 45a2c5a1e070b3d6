"""The catalogue has every requirement id once, and says what it asks."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.requirements import areas, catalogue, require

SHARED = Path(os.environ.get("IRPROOF_SHARED", Path(__file__).resolve().parents[3] / "shared"))


class TestCatalogue:
    def test_every_id_belongs_to_an_area_with_a_title(self):
        """No area is empty or nameless."""
        assert {requirement.area for requirement in catalogue().values()} == set(areas())
        assert all(areas().values())

    def test_ids_are_numbered_without_gaps(self):
        """Within an area the numbers run from 1, so that a lost row is noticed."""
        for area in areas():
            numbers = [int(id_.split("-")[1]) for id_ in catalogue() if id_.startswith(f"{area}-")]
            assert numbers == list(range(1, len(numbers) + 1)), area

    def test_every_requirement_says_something_of_its_own(self):
        """Texts are there, and none stands twice."""
        texts = [requirement.text for requirement in catalogue().values()]
        assert all(len(text) > 10 for text in texts)
        assert len(set(texts)) == len(texts)

    def test_only_the_older_proposal_form_is_legacy(self):
        """The one place where two documents disagree is marked."""
        assert [id_ for id_, requirement in catalogue().items() if requirement.legacy] == ["PRO-8"]

    @pytest.mark.zoo
    def test_the_ids_are_those_of_the_specification(self):
        """Where the specification lies beside the repository, the two lists are one."""
        specification = SHARED / "spec" / "REQUIREMENTS.md"
        if not specification.is_file():
            pytest.skip("the specification is not on this machine")
        stated = re.findall(r"^\| ([A-Z]{3}-\d+) \|", specification.read_text(encoding="utf-8"), re.MULTILINE)
        assert list(catalogue()) == stated


class TestRequire:
    def test_puts_ids_into_the_order_of_the_catalogue(self):
        """Whatever order a marker names them in."""
        assert require(["VAL-1", "SSD-6", "SSD-3", "SSD-6"], where="here") == ("SSD-3", "SSD-6", "VAL-1")

    def test_refuses_an_id_that_does_not_exist(self):
        """A typo in a marker is an error that names it."""
        with pytest.raises(UsageError, match=r"SSD-99.*Where: test_x"):
            require(["SSD-99"], where="test_x")
