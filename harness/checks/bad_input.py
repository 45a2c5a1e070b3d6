"""Input that no converter can make sense of: it has to be refused, by a message that names what is wrong.

Asked of one small built-in case, damaged in one way at a time; a converter that returns an IR all the same would
hand its user a model that is not the one that was asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.checks.check import Check, NotApplicable, check, facts
from harness.checks.result import Finding
from harness.compare.comparison import Comparison
from harness.errors import IrproofError, Stage

if TYPE_CHECKING:
    from harness.cases.case import Case
    from harness.checks.evidence import Evidence
    from harness.observation.observe import Contract

CASE = "ssd/mobilenet_v1_tf1.13"

Damage = Callable[["Case", Path], "Case"]


def refusal(
    name: str, rule: str, requirement: str, damage: Damage, *words: str, contract: Contract | None = None
) -> Check:
    """A check that the damaged case is refused at conversion, by a message in which all ``words`` stand."""

    def function(evidence: Evidence) -> Comparison | NotApplicable:
        if evidence.name != CASE:
            return NotApplicable(f"asked of {CASE} alone")
        damaged = damage(evidence.case, evidence.scratch(name))
        try:
            evidence.attempt(damaged)
        except IrproofError as error:
            if error.stage is not Stage.CONVERT:
                raise
            missing = [word for word in words if word not in str(error)]
            findings = [Finding(f"The message does not name {word}.", {"message": str(error)}) for word in missing]
            return facts("refusals", 1, findings, (str(error),))
        return facts("refusals", 1, [Finding("It was converted without a word.", {"damage": rule})])

    function.__name__ = name
    function.__doc__ = rule
    return check(requirement, stage=Stage.CONVERT, families=("ssd",), contract=contract)(function)


def _model(data: Callable[[bytes], bytes]) -> Damage:
    """The case with another content of its frozen graph."""

    def damage(case: Case, folder: Path) -> Case:
        path = folder / "frozen_inference_graph.pb"
        path.write_bytes(data(case.model_path.read_bytes()))
        return dataclasses.replace(case, model_path=path)

    return damage


def _graph(edit: Callable[[Any], None]) -> Damage:
    """The case with its GraphDef edited."""

    def changed(data: bytes) -> bytes:
        from tensorboard.compat.proto import graph_pb2

        graph = graph_pb2.GraphDef()
        graph.ParseFromString(data)
        edit(graph)
        written: bytes = graph.SerializeToString()
        return written

    return _model(changed)


def _config(change: Callable[[str], str]) -> Damage:
    """The case with another text of its pipeline.config."""

    def damage(case: Case, folder: Path) -> Case:
        assert case.pipeline_config is not None
        text = case.pipeline_config.read_text(encoding="utf-8")
        changed = change(text)
        assert changed != text, "the damage changed nothing"
        path = folder / "pipeline.config"
        path.write_text(changed, encoding="utf-8")
        return dataclasses.replace(case, pipeline_config=path)

    return damage


def _rename_input(graph: Any) -> None:
    for node in graph.node:
        if node.name == "image_tensor":
            node.name = "picture"
        for index, source in enumerate(node.input):
            if source == "image_tensor":
                node.input[index] = "picture"


def _strange_operation(graph: Any) -> None:
    next(node for node in graph.node if node.op == "Relu6").op = "VendorRelu"


def _no_cast(graph: Any) -> None:
    for node in graph.node:
        if node.op == "Cast" and node.input[0] == "image_tensor":
            node.op = "Identity"
            node.attr["T"].type = 4  # uint8


truncated_model = refusal(
    "truncated_model",
    "A frozen graph that is cut in the middle is refused.",
    "SRC-1",
    _model(lambda data: data[: len(data) // 2]),
)
text_as_binary = refusal(
    "text_as_binary",
    "A graph in text that is handed over as a binary one is refused.",
    "SRC-2",
    _model(lambda _data: b'node { name: "image_tensor" op: "Placeholder" }\n' * 20),
)
unknown_operation = refusal(
    "unknown_operation",
    "An operation that nobody knows is named, by type and by node.",
    "SRC-11",
    _graph(_strange_operation),
    "VendorRelu",
    "Relu6",
)
other_input = refusal(
    "other_input",
    "An input that is named neither image_tensor nor input_tensor is refused by its name.",
    "PRE-4",
    _graph(_rename_input),
    "picture",
    contract="detection_output",
)
input_without_cast = refusal(
    "input_without_cast",
    "An input that no Cast follows is refused.",
    "PRE-4",
    _graph(_no_cast),
    "Cast",
    contract="detection_output",
)
no_config = refusal(
    "no_config",
    "A detection model without its pipeline.config is refused.",
    "CFG-11",
    lambda case, _folder: dataclasses.replace(case, pipeline_config=None),
    "pipeline.config",
    contract="detection_output",
)
broken_config = refusal(
    "broken_config",
    "A pipeline.config that is cut in the middle is refused.",
    "CFG-11",
    _config(lambda text: text[: len(text) // 2]),
    contract="detection_output",
)
other_classes = refusal(
    "other_classes",
    "A pipeline.config with another number of classes than the graph's is refused by that key.",
    "CFG-11",
    _config(lambda text: text.replace("num_classes: 3", "num_classes: 2")),
    "num_classes",
    contract="detection_output",
)
other_threshold = refusal(
    "other_threshold",
    "A pipeline.config with another overlap threshold than the graph's is refused by that key.",
    "CFG-11",
    _config(lambda text: text.replace("iou_threshold: 0.6", "iou_threshold: 0.3")),
    "iou_threshold",
    contract="detection_output",
)
shape_without_height = refusal(
    "shape_without_height",
    "An input shape with a side of zero is refused, and named.",
    "SHP-6",
    lambda case, _folder: dataclasses.replace(case, input_shape=(1, 0, 128, 3)),
    "0",
    "128",
)
