"""An environment that a converter needs is made before the first check, or the run ends with one message."""

from __future__ import annotations

SUITE = """
def test_scores(evidence, prove):
    prove(passing())
"""
CONVERTER = """
import harness.converters
from harness.converters import Converter
from harness.converters.claims import Claims


def resolve(spec):
    families = frozenset({"ssd" if spec == "claimed" else "rfcn"})
    return Converter(spec, "made-up", "callable", "x:convert", "1", Claims(families), prepare=f"{__file__}:prepare")


def prepare(say):
    say("fetching a great deal")
    if BROKEN:
        from harness.environments import EnvironmentFailure
        raise EnvironmentFailure("No Python of 3.11 is here.", advice="Install one.")


harness.converters.resolve = resolve
"""


class TestSetUp:
    def world(self, world, *, broken):
        world.suite(SUITE)
        text = (world.path / "conftest.py").read_text()
        (world.path / "conftest.py").write_text(text + f"BROKEN = {broken}\n" + CONVERTER)

    def test_progress_is_shown(self, world):
        """It takes minutes, and nobody should wonder."""
        self.world(world, broken=False)
        result, _ = world.certify("--converter", "claimed")
        assert result.ret == 0
        result.stdout.fnmatch_lines(["*fetching a great deal"])

    def test_a_failure_is_one_message(self, world):
        """No check fails for it one by one."""
        self.world(world, broken=True)
        result = world.run("--converter", "claimed")
        assert result.ret == 4
        result.stderr.fnmatch_lines(["ERROR: No Python of 3.11 is here. What to do: Install one."])

    def test_nothing_is_made_for_cases_that_are_not_claimed(self, world):
        """A gigabyte for nothing."""
        self.world(world, broken=True)
        result = world.run("--converter", "other")
        assert "fetching" not in result.stdout.str()
