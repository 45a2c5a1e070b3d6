"""One model in several forms: frozen graph, MetaGraph with its checkpoint, SavedModel."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from harness.checks.check import NotApplicable, check, facts
from harness.checks.families import DETECTORS
from harness.checks.result import Finding
from harness.compare.comparison import Comparison
from harness.errors import Stage

if TYPE_CHECKING:
    from harness.cases.case import Case
    from harness.checks.evidence import Evidence


@check("SRC-7", stage=Stage.CONVERT, families=DETECTORS)
def forms(evidence: Evidence) -> Comparison | NotApplicable:
    """Every form of the model gives the same IR: the same operations wired alike, and the same constants to the bit."""
    every = _other_forms(evidence.case, evidence.scratch("forms"))
    others = [one for one in every if evidence.converter.claims.refusal(one) is None]
    if not others:
        return NotApplicable("the model is there in one form that is claimed")
    own = evidence.conversion().ir_path
    findings = []
    for other in others:
        path = evidence.attempt(other).ir_path
        what = difference(own, path)
        if what is not None:
            findings.append(
                Finding(f"The IR of the form {other.model_format} is another: {what}.", {"case": other.name})
            )
    words = ", ".join(one.model_format for one in others)
    return facts("forms", len(others), findings, (f"{evidence.case.model_format} against {words}",))


def difference(one: Path, two: Path) -> str | None:
    """What is not the same in two IRs, apart from their names; None when nothing is."""
    first, second = (ET.parse(path).getroot() for path in (one, two))  # noqa: S314 - written by the converter in test
    for part in ("layers", "edges"):
        elements = [list(root.find(part) or ()) for root in (first, second)]
        if len(elements[0]) != len(elements[1]):
            return f"it has {len(elements[1])} {part}, not {len(elements[0])}"
        for left, right in zip(*elements, strict=True):
            if ET.tostring(left) != ET.tostring(right):
                return f"its {left.tag} {right.get('name') or dict(right.attrib)} is not that of the first"
    if one.with_suffix(".bin").read_bytes() != two.with_suffix(".bin").read_bytes():
        return "its constants are not the same"
    return None


def _other_forms(case: Case, folder: Path) -> list[Case]:
    """The same built-in model in its other forms; a user's forms are cases of their own."""
    if case.origin != "built-in":
        return []
    from fixtures.catalogue import case as built_in
    from fixtures.catalogue import spec

    found = [built_in(case.name, form) for form in spec(case.name).forms if form != case.model_format]
    rewritten = [one for form in found if form.model_format == "meta_graph" for one in _rewritten(form, folder)]
    if case.model_format == "frozen":
        rewritten.append(_as_text(case, folder))
    return [*found, *rewritten]


def _as_text(case: Case, folder: Path) -> Case:
    """The frozen graph in text."""
    from google.protobuf import text_format
    from tensorboard.compat.proto import graph_pb2

    path = folder / "frozen_inference_graph.pbtxt"
    path.write_text(text_format.MessageToString(graph_pb2.GraphDef.FromString(case.model_path.read_bytes())), "utf-8")
    return dataclasses.replace(case, name=f"{case.name}@frozen_text", model_path=path, model_format="frozen_text")


def _rewritten(case: Case, folder: Path) -> list[Case]:
    """A MetaGraph with its checkpoint as an inference graph with a checkpoint, and as a SavedModel of TensorFlow 1."""
    from tensorboard.compat.proto import meta_graph_pb2

    from harness.sources.messages import message_class

    meta_graph = meta_graph_pb2.MetaGraphDef.FromString(case.model_path.read_bytes())
    prefix = case.model_path.with_suffix("")
    graph = folder / "inference_graph.pb"
    graph.write_bytes(meta_graph.graph_def.SerializeToString())
    saved = folder / "saved_model"
    (saved / "variables").mkdir(parents=True, exist_ok=True)
    for file in prefix.parent.glob(f"{prefix.name}.*"):
        if file != case.model_path:
            shutil.copy(file, saved / "variables" / file.name.replace(prefix.name, "variables", 1))
    meta_graph.meta_info_def.tags.append("serve")
    whole = message_class("SavedModel")(saved_model_schema_version=1, meta_graphs=[meta_graph.SerializeToString()])
    (saved / "saved_model.pb").write_bytes(whole.SerializeToString())
    name = case.name.partition("@")[0]
    return [
        dataclasses.replace(
            case, name=f"{name}@checkpoint", model_path=graph, model_format="checkpoint", checkpoint=prefix
        ),
        dataclasses.replace(case, name=f"{name}@saved_model", model_path=saved, model_format="saved_model"),
    ]
