"""A file of known failures is read, or refused by one message with file, entry and key."""

from __future__ import annotations

import pytest

from harness.expectations import ExpectationsError, read_expectations

GOOD = {
    "case": "ssd/*",
    "requirement": "SSD-5",
    "stage": "detections",
    "reason": "top_k acts before suppression",
    "link": "https://example.org/issues/7",
}


def text(**changes):
    entry = {key: value for key, value in (GOOD | changes).items() if value is not None}
    lines = [f"{key} = {value}" if key.startswith("_") else f'{key} = "{value}"' for key, value in entry.items()]
    return "\n".join(["[[expected]]", *lines, ""])


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "known.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


class TestGoodFiles:
    def test_entries_in_order(self, write):
        """With their numbers, which messages and certificates speak of."""
        first, second = read_expectations(write(text() + text(case="ssd/b", check="detections")))
        assert (first.number, first.case, first.requirement, first.stage, first.check) == (
            1,
            "ssd/*",
            "SSD-5",
            "detections",
            "",
        )
        assert (second.number, second.case, second.check) == (2, "ssd/b", "detections")
        assert first.reason.startswith("top_k")
        assert first.link.endswith("/7")

    def test_an_empty_file(self, write):
        """Nothing is expected to fail."""
        assert read_expectations(write("# none\n")) == ()

    @pytest.mark.parametrize("requirement", ["*", "SSD-*"])
    def test_requirements_may_be_globs(self, write, requirement):
        """A model that does not convert fails under all of them."""
        (entry,) = read_expectations(write(text(requirement=requirement)))
        assert entry.concerns_requirements(["PRE-1", "SSD-5"])


class TestBadFiles:
    @pytest.mark.parametrize("key", ["case", "requirement", "stage", "reason", "link"])
    def test_a_missing_key(self, write, key):
        """Named, with the entry's number; the first entry is no reason to overlook the second."""
        with pytest.raises(ExpectationsError, match=rf"'{key}' is missing.*known\.toml, entry 2, key {key}"):
            read_expectations(write(text() + text(**{key: None})))

    @pytest.mark.parametrize("key", ["case", "requirement", "stage", "reason", "link"])
    def test_an_empty_value(self, write, key):
        """As `--write-expectations` leaves the links."""
        with pytest.raises(ExpectationsError, match=rf"'{key}' is empty.*entry 1, key {key}"):
            read_expectations(write(text(**{key: " "})))

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"stage": "heds"}, "no stage 'heds'.*entry 1, key stage.*convert, read, compile"),
            ({"requirement": "SSD-99"}, "No requirement matches 'SSD-99'.*entry 1, key requirement"),
            ({"link": "ask Anna"}, "'ask Anna' is no address.*entry 1, key link"),
            ({"link": "https://[bad"}, "no address.*entry 1, key link"),
            ({"severity": "low"}, "no key 'severity'.*entry 1, key severity.*case, requirement"),
        ],
    )
    def test_a_senseless_value(self, write, changes, said):
        """What is wrong, where, and what there is instead."""
        with pytest.raises(ExpectationsError, match=said):
            read_expectations(write(text(**changes)))

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ('[[expected]]\ncase = 3\nrequirement="SSD-5"\nstage="heads"\nreason="r"\nlink="https://a.b"', "a int"),
            ("[[expected]\n", "no TOML"),
            ("[expected]\ncase='a'\n", "no list of tables"),
            ("expected = [1]\n", "no table.*entry 1"),
            ("[[failures]]\n", "unknown key 'failures'"),
            (b"\xff\xfe", "no text in UTF-8"),
            (text() + text(reason="another"), "Entry 2 expects the same as entry 1"),
        ],
    )
    def test_a_broken_file(self, write, content, said):
        """One message each, never a traceback."""
        with pytest.raises(ExpectationsError, match=said) as caught:
            read_expectations(write(content))
        assert "known.toml" in str(caught.value)

    def test_no_file(self, tmp_path):
        """It says how a first one is made."""
        with pytest.raises(ExpectationsError, match=r"cannot be read.*--write-expectations"):
            read_expectations(tmp_path / "none.toml")
