"""Replacers run in the order they declare (CFG-9)."""

from __future__ import annotations

import pytest

from harness.chain.replacer import Replacer, Step, in_order
from harness.errors import ConfigurationError


def replacer(name: str, before: tuple[str, ...] = (), after: tuple[str, ...] = ()) -> Step:
    class Declared(Replacer):
        replacement_id = name
        run_before = before
        run_after = after

        def find(self, context):
            return []

        def replace(self, context, match):
            pass

    return Step(Declared())


def names(steps: list[Step]) -> list[str]:
    return [step.replacer.replacement_id for step in steps]


class TestInOrder:
    def test_run_after(self):
        """What runs after another is moved behind it."""
        assert names(in_order([replacer("b", after=("a",)), replacer("a")])) == ["a", "b"]

    def test_run_before(self):
        """What runs before another is moved in front of it."""
        assert names(in_order([replacer("b"), replacer("a", before=("b",))])) == ["a", "b"]

    def test_keeps_given_order_without_declarations(self):
        """Steps that declare nothing stay as they were given."""
        assert names(in_order([replacer("c"), replacer("a"), replacer("b")])) == ["c", "a", "b"]

    def test_unknown_ids_are_ignored(self):
        """A declaration about a replacer that is not part of the conversion means nothing."""
        assert names(in_order([replacer("a", after=("elsewhere",))])) == ["a"]

    def test_cycle_is_an_error_that_names_it(self):
        """A circle cannot be ordered; the error shows who is in it."""
        with pytest.raises(ConfigurationError, match="circle") as caught:
            in_order([replacer("a", after=("c",)), replacer("b", after=("a",)), replacer("c", after=("b",))])
        assert caught.value.requirement == "CFG-9"
        assert {"a", "b", "c"} <= set(str(caught.value.where).split(" -> "))
