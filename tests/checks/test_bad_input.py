"""A converter that takes anything, or refuses without saying what, is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cases.case import Case
from harness.checks import bad_input
from harness.checks.bad_input import CASE
from harness.checks.registry import refusals
from harness.errors import ConverterFailure, ReferenceFailure, Stage

CONFIG = "model { ssd { num_classes: 3 post_processing { batch_non_max_suppression { iou_threshold: 0.6 } } } }"


def graph() -> bytes:
    from tensorboard.compat.proto import graph_pb2

    made = graph_pb2.GraphDef()
    for name, op, source in (
        ("image_tensor", "Placeholder", ""),
        ("cast", "Cast", "image_tensor"),
        ("r", "Relu6", "cast"),
    ):
        node = made.node.add(name=name, op=op)
        if source:
            node.input.append(source)
    data: bytes = made.SerializeToString()
    return data


class Evidence:
    """A case on disk, and a converter that does what ``attempt`` does."""

    refusal = None
    contract = "detection_output"

    def __init__(self, folder: Path, attempt, name=CASE):
        self.folder, self.name, self.attempt = folder, name, attempt
        (folder / "model.pb").write_bytes(graph())
        (folder / "pipeline.config").write_text(CONFIG)
        self.case = Case(name, "ssd", "1.13", folder / "model.pb", "frozen", folder / "pipeline.config")

    def scratch(self, name):
        (self.folder / name).mkdir(exist_ok=True)
        return self.folder / name


def refuse(text):
    def attempt(case):
        raise ConverterFailure(text)

    return attempt


@pytest.mark.parametrize("check", refusals().values(), ids=list(refusals()))
class TestRefusals:
    def test_a_converter_that_takes_anything_fails(self, check, tmp_path):
        """An IR of a damaged model is no answer."""
        seen = []
        result = check(Evidence(tmp_path, seen.append))
        assert (result.outcome, result.stage) == ("failed", Stage.CONVERT)
        assert "without a word" in result.findings[0].what
        (case,) = seen
        original = Evidence(tmp_path, None).case
        damaged = [
            name
            for name in ("model_path", "pipeline_config", "input_shape")
            if getattr(case, name) != getattr(original, name)
        ]
        assert len(damaged) == 1

    def test_a_converter_that_names_what_is_wrong_passes(self, check, tmp_path):
        """In its own words."""
        text = "VendorRelu at Relu6, picture, Cast, pipeline.config, num_classes, iou_threshold, [1, 0, 128, 3]"
        result = check(Evidence(tmp_path, refuse(text)))
        assert (result.outcome, result.compared) == ("passed", 1)

    def test_another_case_is_not_asked(self, check, tmp_path):
        """Once a run is enough."""
        assert check(Evidence(tmp_path, None, name="ssd/other")).outcome == "not_applicable"

    def test_a_failure_of_another_stage_is_none_of_the_converter(self, check, tmp_path):
        """It is reported at its own stage."""

        def attempt(case):
            raise ReferenceFailure("TensorFlow died.")

        assert check(Evidence(tmp_path, attempt)).stage is Stage.REFERENCE


class TestMessages:
    @pytest.mark.parametrize(
        "check", [bad_input.unknown_operation, bad_input.other_classes, bad_input.shape_without_height]
    )
    def test_a_refusal_that_names_nothing_fails(self, check, tmp_path):
        """A person has to find the place."""
        result = check(Evidence(tmp_path, refuse("It did not work.")))
        assert result.outcome == "failed"
        assert result.findings[0].where == {"message": "It did not work."}

    def test_config_is_not_asked_of_who_reads_none(self, tmp_path):
        """Converters that answer as TensorFlow does need no pipeline.config."""
        evidence = Evidence(tmp_path, None)
        evidence.contract = "tf_outputs"
        assert bad_input.other_classes(evidence).outcome == "not_claimed"
