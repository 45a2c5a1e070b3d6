"""What checks ask of one case: reference, conversion, observation; each made when first asked for, and once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from harness.cases.cache import digest
from harness.cases.case import Case
from harness.cases.scenes import fit
from harness.cases.selection import Listed
from harness.certificate.model import CaseFacts, Hashes, IrSignature, Port
from harness.checks.tools import Tools
from harness.checks.view import View
from harness.compare.comparison import Comparison
from harness.compare.detections import compare_detections
from harness.compare.floor import require_floor
from harness.compare.noise import Noise, measure_noise
from harness.compare.suppression import Suppression
from harness.converters import Converter
from harness.converters.conversion import Conversion, convert_case
from harness.errors import CaseError, IrproofError, ReferenceFailure
from harness.observation.detections import Answer, Detections, Heads
from harness.observation.ir_graph import IrGraph
from harness.observation.observe import Contract, Observation, contract_of, inputs_for, observe, the_detection_output
from harness.pipeline.config import PipelineConfig
from harness.reference.reference import Reference
from harness.runtime.facts import IRFacts, OpFacts

T = TypeVar("T")
OWN = View()


class Evidence:
    """One case under one converter on one device.

    Nothing happens before it is asked for. What failed once fails again with the same error, without being tried
    again: a conversion that hangs costs its time limit once, not once a check.
    """

    def __init__(self, listed: Listed, tools: Tools) -> None:
        self._listed = listed
        self._tools = tools
        self._made: dict[Hashable, Any] = {}
        self._failed: dict[Hashable, IrproofError] = {}

    # ------------------------------------------------------------------ the case

    @property
    def name(self) -> str:
        """The case's name."""
        return self._listed.name

    @property
    def converter(self) -> Converter:
        """The converter under test."""
        return self._tools.converter

    @property
    def case(self) -> Case:
        """The case, built or read on first use."""
        return self._once("case", self._listed.load)

    @property
    def config(self) -> PipelineConfig | None:
        """What pipeline.config says, or None where there is none."""
        path = self.case.pipeline_config
        return None if path is None else self._once("config", lambda: PipelineConfig.read(path))

    @property
    def refusal(self) -> str | None:
        """Why the converter does not claim the case, or None when it does."""
        # What is listed tells: a case that is not claimed need not be built.
        return self.converter.claims.refusal(cast("Case", self._listed))

    @functools.cached_property
    def own_size(self) -> tuple[int, int]:
        """Height and width of the case's scenes, which are at the model's own size."""
        height, width = self._pixels[0].shape[:2]
        return height, width

    @property
    def own_batch(self) -> int:
        """How many images the case asks for at once."""
        return 1 if self.case.input_shape is None else self.case.input_shape[0]

    def images(self, view: View = OWN) -> np.ndarray:
        """What is fed, uint8 ``[S, H, W, 3]``: all scenes, the first ones again until whole batches are full."""
        pixels = self._pixels
        if view.size is not None:
            pixels = [fit(image, *view.size) for image in pixels]
        batch = view.batch or self.own_batch
        count = -(-len(pixels) // batch) * batch
        return np.stack([pixels[index % len(pixels)] for index in range(count)])

    def scene_names(self, view: View = OWN) -> list[str]:
        """The name of each image of :meth:`images`."""
        names = [scene.name for scene in self.case.scenes]
        return [names[index % len(names)] for index in range(len(self.images(view)))]

    @functools.cached_property
    def _pixels(self) -> list[np.ndarray]:
        if not self.case.scenes:
            raise CaseError("The case has no scenes.", where=self.name, advice="Give it pictures in images/.")
        return [scene.pixels() for scene in self.case.scenes]

    # ------------------------------------------------------------------ TensorFlow's side

    def reference(self, view: View = OWN) -> Reference:
        """TensorFlow's answer to the images of a view."""
        batch = view.batch or self.own_batch
        size = view.size
        if size is None and self.case.input_shape is not None and batch != self.own_batch:
            size = self.own_size  # a graph whose batch is fixed answers another one through the oracle alone
        asked = View(batch, size)
        return self._once(
            ("reference", asked),
            lambda: self._tools.references.reference(self.case, list(self.images(asked)), batch=batch, size=size),
        )

    def refused_size(self, view: View) -> str | None:
        """Why TensorFlow's own graph cannot take the size of a view, or None when it can (SHP-7).

        Reshapes to constant sizes, as in some pyramids, tie a graph to the size that it was exported for.
        """
        try:
            self.reference(view)
        except ReferenceFailure as error:
            if error.requirement != "SHP-7":
                raise
            return error.what
        return None

    def noise(self, view: View = OWN) -> Noise:
        """How far TensorFlow's answer to a view moves from itself."""
        reference = self.reference(view)
        key = ("noise", view.batch, view.size)
        return self._once(key, lambda: measure_noise(reference.answer, reference.repeats))

    def require_floor(self) -> None:
        """Raise CaseError unless TensorFlow's answer to the scenes shows enough to compare with."""
        self._once("floor", lambda: require_floor(self.reference().answer, self.case.floor, case=self.name))

    @property
    def suppression(self) -> Suppression | None:
        """TensorFlow's suppression in this graph, or None where there is no pipeline.config to tell."""
        return self._once("suppression", self._find_suppression)

    def _find_suppression(self) -> Suppression | None:
        from harness.checks.suppression import find_suppression

        config = self.config
        return None if config is None else find_suppression(config.post_processing, self.reference(), self.noise())

    # ------------------------------------------------------------------ the converter's side

    def conversion(self, input_shape: tuple[int, int, int, int] | None = None) -> Conversion:
        """The converter's IR, for the case's own input shape or another."""
        case = self.case if input_shape is None else dataclasses.replace(self.case, input_shape=input_shape)
        tools = self._tools
        return self._once(
            ("conversion", input_shape),
            lambda: convert_case(tools.converter, case, tools.session, limits=tools.limits, python=tools.python),
        )

    def attempt(self, case: Case) -> Conversion:
        """A conversion of something else than the case, such as a damaged copy; not remembered."""
        tools = self._tools
        return convert_case(tools.converter, case, tools.session, limits=tools.limits, python=tools.python)

    def scratch(self, name: str) -> Path:
        """A folder of the run's for what is made of the case, by name."""
        folder = self._tools.session / "made" / digest(self.name)[:16] / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def inspection(self, input_shape: tuple[int, int, int, int] | None = None) -> IRFacts:
        """Inputs, outputs and operations of the IR."""
        ir = self.conversion(input_shape).ir_path
        return self._once(("inspection", input_shape), lambda: self._tools.runtime.inspect(ir))

    @property
    def detection_output(self) -> OpFacts:
        """The IR's one DetectionOutput; raises LayoutError when there is none, or more than one."""
        return the_detection_output(self.inspection())

    @property
    def graph(self) -> IrGraph:
        """The IR's wiring."""
        return self._once("graph", lambda: IrGraph(self.conversion().ir_path))

    @property
    def contract(self) -> Contract | None:
        """What the converter claims that its IRs answer, else what this IR shows; None when it shows neither."""
        claimed = self.converter.claims.contract
        return cast("Contract", claimed) if claimed is not None else contract_of(self.inspection())

    def observation(
        self, view: View = OWN, *, heads: bool = False, input_shape: tuple[int, int, int, int] | None = None
    ) -> tuple[Observation, ...]:
        """The IR's answers to the images of a view, a batch each; with raw heads where they are asked for.

        ``input_shape`` asks the IR that was converted for it, as it is.
        """
        return self._once(("observation", view, heads, input_shape), lambda: self._observe(view, heads, input_shape))

    def answer(self, view: View = OWN, *, heads: bool = False, fed: bool = False) -> Answer:
        """The IR's answers to all images of a view as one; ``fed`` with the heads as DetectionOutput gets them."""
        observations = self.observation(view, heads=heads or fed)
        parts = [one.fed if fed else one.answer.heads for one in observations]
        return Answer(tuple(image for one in observations for image in one.answer.images), joined(parts))

    def extract(self, node: str, inputs: tuple[int, ...], view: View = OWN) -> tuple[list[np.ndarray], ...]:
        """What comes in at inputs of a node of the IR, for each batch of a view's images."""
        return self._once(("extract", node, inputs, view), lambda: self._extract(node, inputs, view))

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """What a family of checks derives from the evidence: made when first asked for, and once."""
        return self._once(("derived", key), make)

    def compared_detections(self, view: View = OWN) -> Comparison:
        """The IR's detections at a view against TensorFlow's; several checks are about them."""
        return self._once(
            ("compared", view),
            lambda: compare_detections(
                self.reference(view).answer, self.answer(view), self.noise(view), self.suppression
            ),
        )

    def walk(self, views: tuple[View, ...]) -> tuple[tuple[Detections, ...], ...]:
        """The answers of one loaded IR that is reshaped from view to view, each to a batch with much to find."""
        return self._once(("walk", views), lambda: self._walk(views))

    def _observe(
        self, view: View, heads: bool, input_shape: tuple[int, int, int, int] | None
    ) -> tuple[Observation, ...]:
        facts = self.inspection(input_shape)
        images = self.images(view)
        batch = view.batch or self.own_batch
        reshaped = (view.batch is not None or view.size is not None) and not view.dynamic and input_shape is None
        return tuple(
            observe(
                self._tools.runtime,
                self.conversion(input_shape).ir_path,
                facts,
                images[start : start + batch],
                shape=(batch, *images.shape[1:]) if reshaped else None,
                dynamic=view.dynamic,
                heads=heads,
            )
            for start in range(0, len(images), batch)
        )

    def _extract(self, node: str, inputs: tuple[int, ...], view: View) -> tuple[list[np.ndarray], ...]:
        ir = self.conversion().ir_path
        images = self.images(view)
        batch = view.batch or self.own_batch
        shape = (batch, *images.shape[1:]) if view.batch is not None or view.size is not None else None
        parts = [images[start : start + batch] for start in range(0, len(images), batch)]
        facts, runtime = self.inspection(), self._tools.runtime
        return tuple(runtime.infer_sub(ir, node, inputs, inputs_for(facts, part), shape=shape) for part in parts)

    def _walk(self, views: tuple[View, ...]) -> tuple[tuple[Detections, ...], ...]:
        from harness.observation.detection_output import from_detection_output
        from harness.observation.observe import rows_of

        # An image in which nothing is found would compare nothing.
        fullest = max(range(len(self.images())), key=lambda index: len(self.reference().answer.images[index]))
        batches = [np.roll(self.images(view), -fullest, axis=0)[: view.batch or self.own_batch] for view in views]
        steps = [(batch.shape, [batch]) for batch in batches]
        answers = self._tools.runtime.walk(self.conversion().ir_path, steps)
        return tuple(
            from_detection_output(rows_of(outputs), len(batch), violations=[])
            for outputs, batch in zip(answers, batches, strict=True)
        )

    # ------------------------------------------------------------------ for the certificate

    def facts(self) -> CaseFacts:
        """What a certificate says of the case, as far as it is known by now; asks for nothing new."""
        listed = self._listed
        case = self._made.get("case")
        conversion: Conversion | None = self._made.get(("conversion", None))
        inspection: IRFacts | None = self._made.get(("inspection", None))
        return CaseFacts(
            name=listed.name,
            family=listed.family,
            era=listed.era,
            format=listed.model_format,
            origin=listed.origin,
            traits=tuple(sorted(listed.traits)),
            input_shape=None if case is None else case.input_shape,
            hashes=Hashes()
            if case is None
            else dataclasses.replace(
                self._once("hashes", lambda: _hashes(case)), ir=None if conversion is None else conversion.hash
            ),
            ir=None if inspection is None else signature(inspection),
            conversion_duration_s=None if conversion is None else conversion.seconds,
        )

    def versions(self) -> dict[str, str]:
        """Versions of what ran the IR, where that has run by now."""
        return {name: version for name, version in self._runtime_versions().items() if name == "openvino"}

    def properties(self) -> dict[str, str]:
        """The device's full name and the properties that the harness sets, where something ran by now."""
        found = {name: str(value) for name, value in self._tools.runtime.properties.items()}
        device = self._runtime_versions().get("device")
        return found | ({"FULL_DEVICE_NAME": device} if device else {})

    def seeds(self) -> dict[str, int]:
        """The seeds that took part by now: of the model's weights, and of each way in which TensorFlow was moved."""
        found = {} if self._listed.seed is None else {f"weights of {self.name}": self._listed.seed}
        references = [made for key, made in self._made.items() if isinstance(key, tuple) and key[0] == "reference"]
        for kind in {kind for one in references for kind in one.repeat_kinds}:
            words, seeded, seed = kind.rpartition(", seed ")
            if seeded:
                found[f"reference: {words}, {seed}"] = int(seed)
        return found

    def _runtime_versions(self) -> dict[str, str]:
        ran = any(isinstance(key, tuple) and key[0] == "observation" for key in self._made)
        return self._once("runtime versions", self._tools.runtime.versions) if ran else {}

    # ------------------------------------------------------------------

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        if key in self._failed:
            raise self._failed[key].with_traceback(None)
        if key not in self._made:
            try:
                self._made[key] = make()
            except IrproofError as error:
                self._failed[key] = error
                raise
        return cast("T", self._made[key])


def joined(parts: list[Heads]) -> Heads:
    """The heads of several batches as those of one; None what one of them lacks."""

    def along_batch(name: str) -> np.ndarray | None:
        values = [getattr(part, name) for part in parts]
        return None if any(value is None for value in values) else np.concatenate(values)

    return Heads(along_batch("box_encodings"), along_batch("class_scores"), parts[0].anchors, parts[0].variances)


def signature(inspection: IRFacts) -> IrSignature:
    """An IR's signature for the certificate."""

    def ports(found: Any) -> tuple[Port, ...]:
        return tuple(Port(port.name, port.element_type, port.shape_text) for port in found)

    return IrSignature(ports(inspection.inputs), ports(inspection.outputs), dict(sorted(inspection.op_counts.items())))


def _hashes(case: Case) -> Hashes:
    config = case.pipeline_config
    return Hashes(
        model=digest(case.model_path) if case.model_path.exists() else None,
        config=digest(config) if config is not None and config.is_file() else None,
        inputs=digest(*(part for scene in case.scenes for part in (scene.name, scene.path))),
    )
