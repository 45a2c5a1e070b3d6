"""TensorFlow's suppression as this graph carries it out: pipeline.config's numbers, and when boxes are clipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from harness.compare.detections import compare_detections
from harness.compare.noise import Noise
from harness.compare.suppression import Suppression
from harness.errors import CaseError
from harness.observation.detections import Answer
from harness.pipeline.post_processing import PostProcessing
from harness.reference.reference import Reference

Clip = Literal["after", "before", "none"]
_CLIPS: tuple[Clip, ...] = ("after", "before", "none")


def find_suppression(settings: PostProcessing, reference: Reference, noise: Noise) -> Suppression:
    """The suppression under which the reference's detections follow from its own heads.

    The graph's own answer tells when boxes are clipped. Where no heads are visible, the later way is taken.

    Raises:
        CaseError: as :func:`fitting_suppressions`.

    """
    return next(fitting_suppressions(settings, reference.answer, noise))


def fitting_suppressions(
    settings: PostProcessing, answer: Answer, noise: Noise, clips: tuple[Clip, ...] = _CLIPS
) -> Iterator[Suppression]:
    """Each suppression, of those that clip in one of these ways, under which the detections follow from the heads.

    pipeline.config does not say when boxes are clipped: exporters up to early 2018 clip before suppression, later ones
    after it; and an answer often fits both.

    Raises:
        CaseError: when the detections follow from the heads under none of them: then pipeline.config is not this
            graph's.

    """
    failure: CaseError | None = None
    fits = False
    for clip in clips:
        suppression = Suppression(
            score_threshold=settings.score_threshold,
            iou_threshold=settings.iou_threshold,
            max_detections_per_class=settings.max_detections_per_class,
            max_total_detections=settings.max_total_detections,
            clip=clip,
        )
        try:
            compare_detections(answer, answer, noise, suppression)
        except CaseError as error:
            failure = failure or error
        else:
            fits = True
            yield suppression
    if not fits:
        assert failure is not None
        raise failure
