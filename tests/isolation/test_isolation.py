"""No converter, whatever it does, changes the result of another one, or of the run."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.cases.case import Case
from harness.converters.conversion import convert_case
from harness.converters.registry import Converter
from harness.errors import ConverterFailure
from harness.workers.limits import Limits

HOSTILE = Path(__file__).with_name("hostile.py")
posix = pytest.mark.skipif(os.name != "posix", reason="has no signals")
LIMITS = Limits(seconds=6, output_bytes=4 << 20)


@pytest.fixture
def cwd(tmp_path, monkeypatch):
    """A folder of one's own to be in, since the converters leave things there."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def case(tmp_path, monkeypatch, cwd):
    monkeypatch.setenv("IRPROOF_CACHE", str(tmp_path / "cache"))
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "model.pb").write_bytes(b"graph")
    return Case("ssd/small", "ssd", "1.14", tmp_path / "case" / "model.pb", "frozen")


def converter(name, **options):
    return Converter(name, name, "callable", f"{HOSTILE}:{name}", **options)


def told(made):
    """All that a conversion says, but for its time, its memory, and where it lies."""
    return dataclasses.replace(made, seconds=0.0, peak_bytes=0, kept=False, ir_path=Path("x"))


class TestAnotherConverter:
    @pytest.mark.parametrize(
        "name",
        [
            "poisons_path",
            "patches_everything",
            "moves_about",
            "writes_beside",
            pytest.param("crashes", marks=posix),
            "floods",
            pytest.param("ends_everything", marks=posix),
        ],
    )
    def test_converts_as_if_alone(self, case, tmp_path, name):
        """Before and after the harm was done: the same IR, the same modules from the same places, the same words."""
        before = convert_case(converter("good"), case, tmp_path / "one")
        environment, path, here = dict(os.environ), list(sys.path), Path.cwd()
        hostile = dataclasses.replace(case, name="ssd/other")
        try:
            convert_case(converter(name), hostile, tmp_path / "session", limits=LIMITS)
            failed = False
        except ConverterFailure:
            failed = True
        # Who spoils its own process may well fail in it.
        assert failed == (name in ("crashes", "floods", "ends_everything")) or name == "poisons_path"
        after = convert_case(converter("good"), case, tmp_path / "session", limits=LIMITS)
        assert told(after) == told(before)
        assert (dict(os.environ), sys.path, Path.cwd()) == (environment, path, here)

    def test_a_hang_takes_its_time_and_no_more(self, case, tmp_path):
        """Who comes next is served at once."""
        started = time.monotonic()
        with pytest.raises(ConverterFailure, match="longer than its limit"):
            convert_case(converter("hangs"), case, tmp_path, limits=Limits(seconds=1))
        assert convert_case(converter("good"), case, tmp_path).ir_path.is_file()
        assert time.monotonic() - started < 15

    @posix
    def test_nothing_that_was_started_goes_on(self, case, tmp_path):
        """Neither a child, nor one that went its own way; a thread that waits holds nobody up."""
        started = time.monotonic()
        convert_case(converter("leaves_children"), case, tmp_path, limits=LIMITS)
        assert time.monotonic() - started < 10
        pids = [int(word) for word in (case.model_path.parent / "children").read_text().split()]
        assert len(pids) == 3
        alive = [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
        assert alive == []

    def test_an_ir_that_was_overwritten_is_made_again(self, case, tmp_path):
        """What lies in the cache is held to its hash, whoever spoilt it."""
        kept = converter("good", reproducible=True)
        before = convert_case(kept, case, tmp_path / "one")
        other = dataclasses.replace(case, name="ssd/other")
        convert_case(converter("writes_beside"), other, tmp_path / "one", limits=LIMITS)
        assert before.ir_path.read_bytes() == b"overwritten"
        again = convert_case(kept, case, tmp_path / "two")
        assert not again.kept
        assert told(again) == told(before)
        assert convert_case(kept, case, tmp_path / "three").kept

    @pytest.mark.parametrize("damage", ["", "{", '{"ir": 3}'])
    def test_a_record_that_was_spoilt_is_made_again(self, case, tmp_path, damage):
        """A disk that was full, say."""
        kept = converter("good", reproducible=True)
        before = convert_case(kept, case, tmp_path / "one")
        (before.ir_path.parents[1] / "conversion.json").write_text(damage)
        assert told(convert_case(kept, case, tmp_path / "two")) == told(before)
