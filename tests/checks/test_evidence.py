"""Evidence is made once, fails the same way again, and feeds both sides the same."""

from __future__ import annotations

import dataclasses
import types
from pathlib import Path

import numpy as np
import pytest

from harness.cases.case import Case, Scene
from harness.cases.selection import Listed
from harness.checks.evidence import Evidence, joined
from harness.checks.tools import exact_properties
from harness.checks.view import View
from harness.converters.claims import Claims
from harness.errors import CaseError, ReferenceFailure
from harness.observation.detections import Heads


@dataclasses.dataclass(frozen=True)
class Picture(Scene):
    """A scene of one grey."""

    grey: int = 0

    def pixels(self):
        return np.full((4, 6, 3), self.grey, np.uint8)


def a_case(scenes=3, input_shape=None):
    return Case(
        name="ssd/a",
        family="ssd",
        era="1.14",
        model_path=Path("missing.pb"),
        model_format="frozen",
        scenes=tuple(Picture(f"scene_{index}", Path("x.png"), index) for index in range(scenes)),
        input_shape=input_shape,
    )


def evidence(load=a_case, claims=None, references=None):
    listed = Listed("ssd/a", "ssd", "1.14", "frozen", frozenset({"fpn"}), "built-in", load)
    tools = types.SimpleNamespace(
        converter=types.SimpleNamespace(claims=claims or Claims()),
        references=references,
        runtime=types.SimpleNamespace(properties={}),
    )
    return Evidence(listed, tools)


class TestOnce:
    def test_a_case_is_loaded_once(self):
        """However many checks ask for it."""
        calls = []
        found = evidence(lambda: calls.append(1) or a_case())
        assert found.case is found.case
        assert calls == [1]

    def test_what_failed_fails_again_without_being_tried_again(self):
        """A hang costs its time limit once."""
        calls = []

        def load():
            calls.append(1)
            raise CaseError("It cannot be read.")

        found = evidence(load)
        for _ in range(3):
            with pytest.raises(CaseError, match="cannot be read"):
                _ = found.case
        assert calls == [1]

    def test_a_bug_is_not_remembered(self):
        """Only the project's own errors are answers."""
        calls = []

        def load():
            calls.append(1)
            raise KeyError

        found = evidence(load)
        for _ in range(2):
            with pytest.raises(KeyError):
                _ = found.case
        assert calls == [1, 1]


class TestRefusal:
    def test_a_case_that_is_not_claimed_is_not_built(self):
        """What is listed tells."""

        def load():
            raise AssertionError

        found = evidence(load, Claims(families=frozenset({"rfcn"})))
        assert found.refusal == "family ssd is not claimed (claimed: rfcn)"


class TestImages:
    def test_whole_batches_with_the_first_scenes_again(self):
        """Three scenes at a batch of two are four images."""
        images = evidence().images(View(batch=2))
        assert images.shape == (4, 4, 6, 3)
        assert images[:, 0, 0, 0].tolist() == [0, 1, 2, 0]
        assert evidence().scene_names(View(batch=2)) == ["scene_0", "scene_1", "scene_2", "scene_0"]

    def test_the_batch_of_the_case_is_the_default(self):
        """A graph that takes two takes two."""
        found = evidence(lambda: a_case(input_shape=(2, 4, 6, 3)))
        assert (found.own_batch, len(found.images())) == (2, 4)

    def test_another_size(self):
        """Height first."""
        assert evidence().images(View(size=(8, 10))).shape == (3, 8, 10, 3)
        assert evidence().own_size == (4, 6)

    def test_no_scenes(self):
        """Nothing can be asked."""
        with pytest.raises(CaseError, match="no scenes"):
            evidence(lambda: a_case(scenes=0)).images()


class TestReference:
    def test_a_size_that_the_graph_refuses_is_told_from_a_failure(self):
        """The first has no oracle; the second is a failure of the reference."""

        def asking(requirement):
            def reference(*_, **__):
                raise ReferenceFailure("It cannot.", requirement=requirement)

            return evidence(references=types.SimpleNamespace(reference=reference))

        assert asking("SHP-7").refused_size(View(size=(8, 8))) == "It cannot."
        with pytest.raises(ReferenceFailure):
            asking(None).refused_size(View(size=(8, 8)))

    def test_another_batch_of_a_fixed_graph_goes_to_the_oracle(self):
        """The graph itself would refuse it."""
        asked = []
        references = types.SimpleNamespace(reference=lambda _case, images, **how: asked.append((len(images), how)))
        evidence(lambda: a_case(input_shape=(2, 4, 6, 3)), references=references).reference(View(batch=3))
        evidence(references=references).reference(View(batch=3))
        assert asked == [(3, {"batch": 3, "size": (4, 6)}), (3, {"batch": 3, "size": None})]


class TestFacts:
    def test_what_is_listed_is_known_from_the_start(self):
        """Before anything was built."""
        facts = evidence(lambda: 1 / 0).facts()
        assert (facts.name, facts.traits, facts.hashes.model, facts.ir) == ("ssd/a", ("fpn",), None, None)

    def test_seeds_of_what_took_part(self):
        """Those of TensorFlow's repeats, once TensorFlow was asked."""
        kinds = ("input moved by one ulp, seed 1", "input moved by one ulp, seed 2", "without oneDNN, one thread")
        told = types.SimpleNamespace(repeat_kinds=kinds)
        found = evidence(references=types.SimpleNamespace(reference=lambda *_, **__: told))
        assert found.seeds() == {}
        found.reference()
        assert found.seeds() == {
            "reference: input moved by one ulp, 1": 1,
            "reference: input moved by one ulp, 2": 2,
        }

    def test_nothing_runs_for_versions(self):
        """Versions are those of what ran."""
        assert evidence().versions() == {}


class TestJoined:
    def test_batches_become_one(self):
        """Along the first axis; anchors are shared."""
        parts = [Heads(np.zeros((2, 5, 1, 4)), None, np.zeros((5, 4))) for _ in range(2)]
        found = joined(parts)
        assert found.box_encodings.shape == (4, 5, 1, 4)
        assert found.class_scores is None
        assert found.anchors.shape == (5, 4)


class TestProperties:
    def test_the_cpu_computes_in_float32_even_where_it_is_quantised(self):
        """Its own default would be int8 there; other devices do not know the property."""
        assert exact_properties("CPU") == {"INFERENCE_PRECISION_HINT": "f32", "LP_TRANSFORMS_MODE": False}
        assert exact_properties("GPU") == {"INFERENCE_PRECISION_HINT": "f32"}
