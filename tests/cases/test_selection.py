"""Which cases are meant: globs, folders, profiles; and a typo selects nothing in silence."""

from __future__ import annotations

import types

import pytest

from fixtures import catalogue
from harness.cases import model_directory, selection
from harness.cases.case import Case
from harness.cases.selection import select
from harness.errors import UsageError


def spec(name, quick):
    return types.SimpleNamespace(
        name=name, family="ssd", era="1.14", traits=frozenset(), forms=("frozen",), quick=quick, design=None
    )


@pytest.fixture(autouse=True)
def world(monkeypatch, tmp_path):
    built = [spec("ssd/b", quick=True), spec("ssd/a", quick=False), spec("rfcn/[x]", quick=True)]
    monkeypatch.setattr(
        catalogue, "specs", lambda profile: tuple(one for one in built if profile == "full" or one.quick)
    )
    case = Case(name="mine", family="ssd", era="", model_path=tmp_path / "x.pb", model_format="frozen", origin="user")
    monkeypatch.setattr(model_directory, "discover", lambda folder: [case] if folder.name == "models" else [])


def names(*patterns, **options):
    return [listed.name for listed in select(patterns, **options)]


class TestSelect:
    def test_the_built_in_cases_of_the_profile(self):
        """By name."""
        assert names() == ["rfcn/[x]", "ssd/b"]
        assert names(profile="full") == ["rfcn/[x]", "ssd/a", "ssd/b"]

    def test_a_pattern_reaches_all_profiles(self):
        """Who names a case means it."""
        assert names("ssd/*") == ["ssd/a", "ssd/b"]

    def test_a_name_is_a_name_before_it_is_a_glob(self):
        """Folders may have brackets in their names."""
        assert names("rfcn/[x]") == ["rfcn/[x]"]

    def test_folders_take_the_place_of_the_built_in_cases(self, tmp_path):
        """Who brings a model wants to know of that one."""
        assert names(model_dirs=[tmp_path / "models"]) == ["mine"]
        assert [one.origin for one in select(zoo=tmp_path / "models")] == ["zoo"]

    def test_patterns_choose_among_all(self, tmp_path):
        """Built-in ones and the folder's."""
        assert names("mine", "ssd/b", model_dirs=[tmp_path / "models"]) == ["ssd/b", "mine"]

    @pytest.mark.parametrize(
        ("patterns", "options", "words"),
        [
            (("sdd/*",), {}, "No case matches 'sdd/"),
            (("ssd/*", "nothing"), {}, "No case matches 'nothing'"),
        ],
    )
    def test_what_selects_nothing_is_an_error(self, patterns, options, words):
        """Each pattern for itself."""
        with pytest.raises(UsageError, match=words):
            names(*patterns, **options)

    def test_a_folder_without_models(self, tmp_path):
        """Is an error that says how one should look."""
        with pytest.raises(UsageError, match=r"holds no model.*empty.*folder of its own"):
            names(model_dirs=[tmp_path / "empty"])

    def test_two_cases_of_one_name(self, tmp_path):
        """Results could not be told apart."""
        with pytest.raises(UsageError, match="Two cases are named mine"):
            names(model_dirs=[tmp_path / "models", tmp_path / "models"])

    def test_listing_builds_nothing(self, monkeypatch):
        """Cases are made when they are asked for."""
        monkeypatch.setattr(catalogue, "case", lambda name: f"built {name}")
        listed = selection.select(["ssd/a"])[0]
        assert listed.load() == "built ssd/a"
