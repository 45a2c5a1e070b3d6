"""What the IR is made of: what a conversion has to leave out, and what it has to put in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.check import NotApplicable, check, facts
from harness.checks.families import SINGLE_STAGE
from harness.checks.result import Finding
from harness.compare.comparison import Comparison
from harness.errors import Stage
from harness.observation.observe import LOCATIONS, PRIORS
from harness.pipeline.anchor_generator import MultiscaleAnchorGenerator, SsdAnchorGenerator

if TYPE_CHECKING:
    from harness.checks.evidence import Evidence
    from harness.runtime.facts import IRFacts

_LISTS = ("TensorArray", "TensorList")
_SUPPRESSIONS = ("NonMaxSuppression", "MulticlassNms", "MatrixNms")
_OUTPUTS = {
    "detection_output": "one output with DetectionOutput's rows",
    "tf_outputs": "TensorFlow's named outputs",
}


@check("PRE-2", stage=Stage.LAYOUT)
def no_loops(evidence: Evidence) -> Comparison:
    """No loop, no TensorArray and no TensorList is left."""
    inspection = evidence.inspection()
    findings = [
        Finding(f"A {loop.type} is left, which runs once for each image.", {"node": loop.name})
        for loop in inspection.loops
    ]
    findings += [
        Finding(f"{count} operations {kind} are left.", {"type": kind})
        for kind, count in inspection.op_counts.items()
        if kind.startswith(_LISTS)
    ]
    return facts("operations", sum(inspection.op_counts.values()), findings)


@check("OUT-3", stage=Stage.LAYOUT)
def nothing_dead(evidence: Evidence) -> Comparison:
    """Every operation serves an output, and every output is one that the contract has."""
    inspection = evidence.inspection()
    findings = [Finding(f"The {kind} serves no output.", {"node": name}) for name, kind in inspection.dead]
    contract = evidence.contract
    surplus = _surplus(inspection, contract)
    findings += [
        Finding(
            f"The output {name} belongs to no answer; the contract has {_OUTPUTS.get(str(contract), 'none')}.",
            {"output": name},
        )
        for name in surplus
    ]
    return facts("operations", sum(inspection.op_counts.values()), findings)


@check("SSD-1", stage=Stage.LAYOUT, families=SINGLE_STAGE, contract="detection_output")
def one_detection_output(evidence: Evidence) -> Comparison:
    """One DetectionOutput takes the place of the Postprocessor, fed with locations, confidences and priors."""
    found = evidence.inspection().ops_of("DetectionOutput")
    if len(found) != 1:
        names = [operation.name for operation in found]
        return facts(
            "operations", 1, [Finding(f"The IR has {len(found)} DetectionOutput operations.", {"nodes": names})]
        )
    (operation,) = found
    shapes = dict(zip(("locations", "confidences", "priors"), operation.input_shapes, strict=False))
    findings = [
        Finding(f"The {name} have shape {shape}, not {words}.", {"node": operation.name, "input": index})
        for index, ((name, shape), (rank, words)) in enumerate(
            zip(shapes.items(), ((2, "[N, P * 4]"), (2, "[N, P * C]"), (3, "[1, 2, P * 4]")), strict=True)
        )
        if shape is not None and len(shape) != rank
    ]
    sizes = [shapes[name] for name in ("locations", "priors")]
    if not findings and all(shape is not None and shape[-1] > 0 for shape in sizes):
        places = [shape[-1] for shape in sizes if shape is not None]
        if places[0] % places[1]:
            what = f"Locations are {places[0]} wide and priors {places[1]}: they are not in this order."
            findings.append(Finding(what, {"node": operation.name, "inputs": [LOCATIONS, PRIORS]}))
    return facts("inputs", len(shapes), findings)


@check("PRI-1", stage=Stage.LAYOUT, families=SINGLE_STAGE, contract="detection_output")
def prior_box_operations(evidence: Evidence) -> Comparison | NotApplicable:
    """Each feature map has an operation that makes its prior boxes, so that they follow a reshape."""
    maps = feature_maps(evidence)
    if maps is None:
        return NotApplicable("the anchor generator is none that such an operation can stand for")
    found = evidence.inspection().ops_of("PriorBoxClustered", "PriorBox")
    findings = []
    if len(found) != maps:
        findings.append(Finding(f"{len(found)} operations make prior boxes, for {maps} feature maps."))
    reached = _behind_priors(evidence)
    findings += [
        Finding("The operation's prior boxes do not reach DetectionOutput.", {"node": operation.name})
        for operation in found
        if operation.name not in reached
    ]
    return facts("feature maps", max(maps, len(found)), findings)


@check("PRI-2", stage=Stage.LAYOUT, families=SINGLE_STAGE, contract="detection_output")
def constant_prior_boxes(evidence: Evidence) -> Comparison | NotApplicable:
    """Where the generator is unknown, priors are constants of shape [1, 2, 4P]: values, then variances."""
    if feature_maps(evidence) is not None:
        return NotApplicable("the anchor generator is known, and its prior boxes are made by operations")
    operation = evidence.detection_output
    shape = operation.input_shapes[PRIORS]
    reference = evidence.reference().answer.heads.anchors
    count = None if reference is None else len(reference)
    wanted = (1, 2, -1 if count is None else 4 * count)
    findings = []
    if shape is None or len(shape) != 3 or shape[:2] != wanted[:2] or (count is not None and shape != wanted):
        findings.append(Finding(f"The priors have shape {shape}, not {wanted}.", {"node": operation.name}))
    return facts("priors", 0 if count is None else count, findings)


def feature_maps(evidence: Evidence) -> int | None:
    """How many feature maps the anchor generator makes anchors for; None where operations can't make them."""
    generator = None if evidence.config is None else evidence.config.anchor_generator
    if isinstance(generator, SsdAnchorGenerator):
        return generator.layers
    if isinstance(generator, MultiscaleAnchorGenerator) and generator.normalize_coordinates:
        return generator.max_level - generator.min_level + 1
    return None


def _behind_priors(evidence: Evidence) -> frozenset[str]:
    """The names of all operations that what DetectionOutput takes for priors is computed from."""
    operation = evidence.detection_output
    graph = evidence.graph
    pending = [graph.source(graph.find(operation.name), PRIORS)]
    seen: set[str] = set()
    while pending:
        one = pending.pop()
        if one.name not in seen:
            seen.add(one.name)
            pending += [graph.operations[source] for source in one.sources]
    return frozenset(seen)


def _surplus(inspection: IRFacts, contract: str | None) -> list[str]:
    outputs = inspection.outputs
    if contract == "detection_output":
        rows = [port for port in outputs if port.shape is not None and port.shape[-1:] == (7,)]
        masks = [port for port in outputs if "masks" in port.names]
        return [port.name for port in outputs if port not in (*rows[:1], *masks[:1])]
    return []
