"""TensorFlow's suppression as this graph carries it out: pipeline.config's numbers, and when boxes are clipped."""

from __future__ import annotations

from typing import Literal

from harness.compare.detections import compare_detections
from harness.compare.noise import Noise
from harness.compare.suppression import Suppression
from harness.errors import CaseError
from harness.pipeline.post_processing import PostProcessing
from harness.reference.reference import Reference

_CLIPS: tuple[Literal["after", "before", "none"], ...] = ("after", "before", "none")


def find_suppression(settings: PostProcessing, reference: Reference, noise: Noise) -> Suppression:
    """The suppression under which the reference's detections follow from its own heads.

    pipeline.config does not say when boxes are clipped: exporters up to early 2018 clip before suppression, later ones
    after it. The graph's own answer tells. Where no heads are visible, the later way is taken.

    Raises:
        CaseError: when the reference's detections follow from its heads under none of them: then pipeline.config is
            not this graph's.

    """
    failure: CaseError | None = None
    for clip in _CLIPS:
        suppression = Suppression(
            score_threshold=settings.score_threshold,
            iou_threshold=settings.iou_threshold,
            max_detections_per_class=settings.max_detections_per_class,
            max_total_detections=settings.max_total_detections,
            clip=clip,
        )
        try:
            compare_detections(reference.answer, reference.answer, noise, suppression)
        except CaseError as error:
            failure = failure or error
        else:
            return suppression
    assert failure is not None
    raise failure
