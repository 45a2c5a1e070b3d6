"""What checks of two-stage detectors ask of the evidence: either side's stages, their noise, their suppressions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.checks.suppression import Clip, fitting_suppressions
from harness.checks.view import View
from harness.compare.crop_edges import CropEdges
from harness.compare.noise import Noise
from harness.compare.suppression import Suppression
from harness.compare.two_stage import TwoStageNoise, as_first_stage, measure_two_stage_noise, require_two_stages
from harness.observation.detections import Answer, Heads
from harness.observation.ir_stages import IrStages, fed_heads, find_stages, observe_stages
from harness.observation.two_stage import TwoStageHeads, as_single_stage, join_two_stage
from harness.pipeline.post_processing import PostProcessing

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from harness.checks.evidence import Evidence
    from harness.observation.ir_stages import Extract
    from harness.pipeline.config import PipelineConfig

OWN = View()
_CLIPS: tuple[Clip, ...] = ("after", "before")


def needed_config(evidence: Evidence) -> PipelineConfig:
    """The case's pipeline.config; two stages are never claimed without one."""
    config = evidence.config
    assert config is not None, "a two-stage case without a pipeline.config"
    return config


def ir_stages(evidence: Evidence) -> IrStages:
    """Where the stages lie in the IR; raises LayoutError when it has no two."""
    return evidence.remember("stages", lambda: find_stages(evidence.graph, evidence.inspection()))


def reference_stages(evidence: Evidence, view: View = OWN) -> TwoStageHeads:
    """TensorFlow's stages; raises CaseError where its graph does not show them."""
    return require_two_stages(evidence.reference(view).answer)


def observed_stages(evidence: Evidence, view: View = OWN, *, fed: bool = False) -> TwoStageHeads:
    """The IR's stages, of all images of a view; ``fed`` with the second one as its DetectionOutput gets it."""

    def make() -> TwoStageHeads:
        stages, batch = ir_stages(evidence), view.batch or evidence.own_batch
        parts = [
            observe_stages(stages, extract, batch, variances(evidence), fed=fed) for extract in _batches(evidence, view)
        ]
        joined = join_two_stage(parts)
        assert joined is not None
        return joined

    return evidence.remember(("observed stages", view, fed), make)


def fed_answer(evidence: Evidence) -> Answer:
    """The IR's detections, with the second stage as its DetectionOutput gets it for heads."""
    from harness.checks.evidence import joined

    stages, batch = ir_stages(evidence), evidence.own_batch
    parts = [fed_heads(stages, extract, batch, variances(evidence)) for extract in _batches(evidence, OWN)]
    return Answer(evidence.answer().images, _with_anchors(joined(parts), [part.anchors for part in parts]))


def two_stage_noise(evidence: Evidence, view: View = OWN) -> TwoStageNoise:
    """How far either stage of TensorFlow's moves from itself."""

    def make() -> TwoStageNoise:
        reference = evidence.reference(view)
        return measure_two_stage_noise(reference.answer, reference.repeats)

    return evidence.remember(("noise of two stages", view.batch, view.size), make)


def detections_of(evidence: Evidence, view: View = OWN) -> tuple[Answer, Noise, Suppression | None]:
    """TensorFlow's detections with what explains differences: heads where they are visible, noise, suppression."""
    answer = evidence.reference(view).answer
    if answer.two_stage is None:
        return answer, evidence.noise(view), evidence.suppression
    return as_single_stage(answer), two_stage_noise(evidence, view).second, second_suppressions(evidence, view)[0]


def second_suppressions(evidence: Evidence, view: View = OWN) -> tuple[Suppression, ...]:
    """The suppressions from which TensorFlow's detections follow; CaseError when they follow from none.

    A view's are those that fit its own answer: what is the same at one size may differ at another.
    """

    def make() -> tuple[Suppression, ...]:
        answer = as_single_stage(evidence.reference(view).answer)
        settings = needed_config(evidence).post_processing
        return tuple(fitting_suppressions(settings, answer, two_stage_noise(evidence, view).second, _CLIPS))

    return evidence.remember(("suppressions of detections", view.batch, view.size), make)


def first_suppressions(evidence: Evidence) -> tuple[Suppression, ...]:
    """The suppressions from which TensorFlow's proposals follow; CaseError when they follow from none."""

    def make() -> tuple[Suppression, ...]:
        config = needed_config(evidence)
        settings = PostProcessing(
            score_threshold=config.first_stage_nms_score_threshold,
            iou_threshold=config.first_stage_nms_iou_threshold,
            max_detections_per_class=config.first_stage_max_proposals,
            max_total_detections=config.first_stage_max_proposals,
        )
        answer = as_first_stage(reference_stages(evidence))
        return tuple(fitting_suppressions(settings, answer, two_stage_noise(evidence).first, _CLIPS))

    return evidence.remember("suppressions of proposals", make)


def crop_edges(evidence: Evidence, view: View = OWN) -> CropEdges:
    """What the second and third stage's crops are taken from, and how large they are."""
    config = needed_config(evidence)
    height, width = view.size or evidence.own_size
    stride, side = config.first_stage_features_stride, config.initial_crop_size
    return CropEdges((-(-height // stride), -(-width // stride)), (side, side))


def clipping(fitting: tuple[Suppression, ...]) -> dict[str, bool]:
    """What DetectionOutput or Proposal has to say about clipping: nothing where TensorFlow's answer fits either way."""
    if len(fitting) > 1:
        return {}
    return {"clip_before_nms": fitting[0].clip == "before", "clip_after_nms": fitting[0].clip == "after"}


def variances(evidence: Evidence) -> tuple[float, float, float, float]:
    """One over the box coder's scales (y, x, height, width), which locations come multiplied by."""
    y, x, height, width = needed_config(evidence).box_coder_scales
    return 1.0 / y, 1.0 / x, 1.0 / height, 1.0 / width


def _batches(evidence: Evidence, view: View) -> list[Extract]:
    """A way to extract for each batch of the view's images."""
    batch = view.batch or evidence.own_batch
    count = len(evidence.images(view)) // batch

    def of(number: int) -> Extract:
        return lambda node, inputs: evidence.extract(node, tuple(inputs), view)[number]

    return [of(number) for number in range(count)]


def _with_anchors(heads: Heads, anchors: Sequence[np.ndarray | None]) -> Heads:
    """Proposals differ from image to image, so they go along the batch as well."""
    import numpy as np

    known = [one if one.ndim == 3 else one[None] for one in anchors if one is not None]
    return dataclasses.replace(heads, anchors=np.concatenate(known)) if len(known) == len(anchors) else heads
