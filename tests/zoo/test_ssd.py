"""Real SSD graphs through the built-in chain: every check of the suites, and what these graphs alone can show."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tensorboard.compat.proto import graph_pb2

from harness.checks.registry import all_checks
from harness.checks.view import View
from harness.compare.detections import compare_detections
from harness.compare.geometry import iou_matrix
from harness.errors import PipelineConfigError
from tests.mutants.faults import FAULTS, _model, _without
from tests.mutants.lab import killers
from tests.zoo import catalogue
from tests.zoo.laboratory import ZooLab

pytestmark = [pytest.mark.zoo, pytest.mark.long]

VARIANTS = [
    (check.name, variant)
    for check in all_checks().values()
    if check.families is None or "ssd" in check.families
    for variant in check.variants
]

#: Checks that have nothing to look at in any of these graphs.
NOTHING_TO_CHECK = {"constant_prior_boxes", "forms", "kept_aspect", "kept_aspect_given", "padded", "refused_size"}
#: Checks that some graphs have nothing for: which of them have.
ONLY = {"box_predictor": {catalogue.SSD_MOBILENET_V2, catalogue.SSDLITE_MOBILENET_V2}}

#: What the trained detector finds on the photos: scene, class (1 person, 2 cat, 3 dog), how many, the score of each.
FINDS = [
    ("image1", 3, 1, 0.4),
    ("image1", 1, 1, 0.6),
    ("example_cat", 2, 1, 0.4),
    ("street", 1, 3, 0.3),
]


@pytest.fixture(scope="module")
def lab(zoo, tmp_path_factory):
    laboratory = ZooLab(tmp_path_factory.mktemp("zoo"), zoo, catalogue.SSD)
    yield laboratory
    laboratory.close()


def by_folder(model):
    return model.folder


class TestChecks:
    @pytest.mark.parametrize("model", catalogue.SSD, ids=by_folder)
    @pytest.mark.parametrize(
        ("name", "variant"), VARIANTS, ids=[" ".join([name, *map(str, one.values())]) for name, one in VARIANTS]
    )
    def test_passes(self, lab, model, name, variant):
        """The chain's IR passes the check; one that has nothing to check says so, and only where that is known."""
        check = all_checks()[name]

        result = check(lab.correct(model.folder), **variant)

        assert not result.findings
        if name in NOTHING_TO_CHECK or model not in ONLY.get(name, {model}):
            assert result.outcome == "not_applicable"
        else:
            assert (result.outcome, result.compared > 0) == ("passed", True), result.notes


class TestFaults:
    @pytest.mark.parametrize("model", [catalogue.SSD_MOBILENET_V2, catalogue.SSDLITE_MOBILENET_V2], ids=by_folder)
    @pytest.mark.parametrize(
        "name",
        [
            "priors half a pixel off",
            "priors frozen at the converted size",
            "X and Y of the encodings not swapped",
            "channels of a class predictor reversed",
            "one weight channel off by a thousandth",
            "weights in half precision",
            "overlap threshold raised",
            "one detection too few kept",
            "class one too high",
            "colour channels reversed",
            "nothing detected",
        ],
    )
    def test_is_failed(self, lab, model, name):
        """An IR with the fault fails a check of the requirement that the fault breaks."""
        fault = next(fault for fault in FAULTS if fault.name == name)

        assert killers(lab.mutant(model.folder, fault), fault.requirement)

    @pytest.mark.parametrize(
        "name", ["overlap threshold raised", "class one too high", "encodings scaled by a half", "nothing detected"]
    )
    def test_is_failed_though_quantised(self, lab, name):
        """TensorFlow's own roundings hide small faults of a quantised graph, but not these."""
        faults = [*FAULTS, dataclasses.replace(_fault("encodings scaled"), name="encodings scaled by a half")]
        fault = next(fault for fault in faults if fault.name == name)
        if name == "encodings scaled by a half":
            fault = dataclasses.replace(fault, apply=_model(_half_encodings))

        assert killers(lab.mutant(catalogue.SSD_MOBILENET_V1_QUANTIZED.folder, fault), fault.requirement)


def _fault(name):
    return next(fault for fault in FAULTS if fault.name == name)


def _half_encodings(model):
    from openvino import opset13 as opset

    from tests.mutants.editing import between, the

    between(the(model, "DetectionOutput"), 0, lambda source: opset.multiply(source, opset.constant(np.float32(0.5))))


class TestConfigOfAnotherModel:
    def test_refused_as_it_lies(self, lab, zoo):
        """The folder's own config says 1 class, the graph has 90: refused, with both numbers and the node (CFG-11)."""
        model = catalogue.SSD_MOBILENET_V2
        case = dataclasses.replace(lab.case(model), pipeline_config=zoo / model.folder / "pipeline.config")

        with pytest.raises(PipelineConfigError) as caught:
            lab.convert(case)

        error = caught.value
        assert error.requirement == "CFG-11"
        assert "num_classes is 1, but the graph has 90" in error.what
        assert "BoxPredictor_0/ClassPredictor" in str(error.where)
        assert str(case.pipeline_config) in str(error.where)

    def test_accepted_when_corrected(self, lab):
        """The very same conversion with 90 classes goes through: what was refused is that number."""
        assert lab.convert(lab.case(catalogue.SSD_MOBILENET_V2)).ir_path.is_file()


class TestForms:
    @pytest.mark.parametrize(
        "model", [model for model in catalogue.SSD if model in catalogue.WITHOUT_WEIGHTS], ids=by_folder
    )
    def test_same_ir(self, lab, model):
        """MetaGraph with checkpoint and frozen graph give one IR, bit for bit (SRC-7)."""
        frozen = lab.convert(lab.case(model)).ir_path
        meta_graph = lab.convert(lab.case(model, "meta_graph")).ir_path

        assert frozen != meta_graph
        assert _bytes(frozen) == _bytes(meta_graph)

    def test_another_weight_is_another_ir(self, lab):
        """One channel of one layer off by a thousandth is seen: equality of bytes means something."""
        model = catalogue.SSDLITE_MOBILENET_V2
        mutant = lab.mutant(model.folder, _fault("one weight channel off by a thousandth"))

        assert _bytes(lab.convert(lab.case(model)).ir_path)[1] != _bytes(mutant.conversion().ir_path)[1]


def _bytes(ir):
    return ir.read_bytes().replace(ir.stem.encode(), b""), ir.with_suffix(".bin").read_bytes()


class TestQuantised:
    MODEL = catalogue.SSD_MOBILENET_V1_QUANTIZED

    def test_fake_quantize_survives(self, lab):
        """Each FakeQuant of the graph is a FakeQuantize of the IR (QNT-1)."""
        assert _quantised(lab.correct(self.MODEL.folder)) == _fake_quants(lab.case(self.MODEL).model_path) > 0

    def test_a_missing_one_is_seen(self, lab):
        """An IR that lacks one is told from it."""
        fault = dataclasses.replace(_fault("nothing detected"), name="no FakeQuantize", apply=_without("FakeQuantize"))

        mutant = lab.mutant(self.MODEL.folder, fault)

        assert _quantised(mutant) == _fake_quants(lab.case(self.MODEL).model_path) - 1


def _quantised(evidence):
    return evidence.inspection().op_counts.get("FakeQuantize", 0)


def _fake_quants(frozen):
    graph = graph_pb2.GraphDef.FromString(frozen.read_bytes())
    return sum(node.op == "FakeQuantWithMinMaxVars" for node in graph.node)


class TestTrained:
    """The trained detector, whose pipeline.config is derived from its graph: no other was published."""

    MODEL = catalogue.AIY_PERSON_CAT_DOG

    def test_config_is_derived(self, lab):
        """The config says of itself that it is derived."""
        assert "Derived from the nodes" in lab.case(self.MODEL).pipeline_config.read_text(encoding="utf-8")

    @pytest.mark.parametrize(("scene", "label", "count", "score"), FINDS)
    def test_finds(self, lab, scene, label, count, score):
        """Dogs, cat and people that TensorFlow finds on the photos are found by the IR, in the same places."""
        evidence = lab.correct(self.MODEL.folder)
        index = evidence.scene_names().index(scene)
        found = _found(evidence.reference().answer.images[index], label, score)
        assert len(found.scores) >= count, "TensorFlow itself does not find it"

        assert _lost(found, evidence.answer().images[index], label) == []

    @pytest.mark.parametrize("fault", ["class one too high", "nothing detected", "X and Y of the answer exchanged"])
    @pytest.mark.parametrize(("scene", "label", "count", "score"), FINDS)
    def test_does_not_find(self, lab, fault, scene, label, count, score):
        """A wrong IR loses each of them."""
        evidence = lab.correct(self.MODEL.folder)
        mutant = lab.mutant(self.MODEL.folder, _fault(fault))
        index = evidence.scene_names().index(scene)
        found = _found(evidence.reference().answer.images[index], label, score)

        assert _lost(found, mutant.answer().images[index], label)

    @pytest.mark.parametrize("batch", [2, 4])
    def test_batch(self, lab, batch):
        """The graph takes one image at a time; the IR takes several, and answers each as the graph does."""
        evidence = lab.correct(self.MODEL.folder)
        evidence.require_floor()

        compared = compare_detections(
            evidence.reference().answer, evidence.answer(View(batch=batch)), evidence.noise(), evidence.suppression
        )

        assert (compared.outcome, compared.findings) == ("passed", ())


def _found(detections, label, score):
    """The detections of a class over a score."""
    good = (detections.classes == label) & (detections.scores >= score)
    return dataclasses.replace(
        detections, boxes=detections.boxes[good], scores=detections.scores[good], classes=detections.classes[good]
    )


def _lost(found, answer, label):
    """The scores of those that have no like in the answer: same class, place and score."""
    same = _found(answer, label, 0.0)
    if not len(same.scores):
        return found.scores.tolist()
    overlap = iou_matrix(found.boxes, same.boxes) > 0.99
    close = np.abs(found.scores[:, None] - same.scores[None]) < 1e-3
    return found.scores[~(overlap & close).any(axis=1)].tolist()
