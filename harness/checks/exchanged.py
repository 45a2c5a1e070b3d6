"""Images in which a truly close decision of the first stage gave the second stage another proposal.

Where two anchors tie in float32, either may suppress the other, and everything behind works on another crop: boxes,
scores and masks of that image differ by more than noise, with nobody wrong. What TensorFlow would have answered is not
known there, so such an image is left out, and said to be; most images have to be left.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.checks.stages import (
    OWN,
    first_suppressions,
    observed_stages,
    reference_stages,
    two_stage_noise,
)
from harness.compare.comparison import Comparison, Explanation
from harness.compare.proposals import compare_proposals
from harness.compare.two_stage import proposals_of
from harness.observation.detections import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.checks.evidence import Evidence
    from harness.checks.view import View

#: Of the images so many may be left out, and one always may where there are several.
_MOST_LEFT_OUT = 1 / 3


def compare_where_proposals_agree(
    evidence: Evidence, reference: Answer, compare: Callable[[Answer], Comparison], view: View = OWN
) -> Comparison:
    """``compare`` of the IR's answer to a view, without the images whose proposals were exchanged for close reasons.

    Proposals are looked at only where something differs. An image is left out only when the first stage's own
    comparison passes with a close decision in this very image; the decisions are the result's explanations.
    """
    answer = evidence.answer(view)
    whole = compare(answer)
    count = len(reference.images)
    differing = {finding.where.get("image") for finding in whole.findings}
    if not whole.findings or evidence.contract != "detection_output" or len(answer.images) != count:
        return whole
    exchanged = [one for one in _exchanged(evidence, view) if one.where.get("image") in differing]
    left_out = sorted({int(str(one.where["image"])) for one in exchanged})
    if not left_out or len(left_out) > max(1, int(_MOST_LEFT_OUT * count)) or len(left_out) == count:
        return whole
    images = tuple(reference.images[i] if i in left_out else image for i, image in enumerate(answer.images))
    rest = compare(dataclasses.replace(answer, images=images))
    unproven = sum(len(reference.images[index]) for index in left_out)
    note = f"left out: image {', '.join(map(str, left_out))}, where another proposal won a tie"
    return dataclasses.replace(
        rest,
        compared=max(0, rest.compared - unproven),
        explanations=(*rest.explanations, *exchanged),
        notes=(*rest.notes, note),
    )


def _exchanged(evidence: Evidence, view: View) -> tuple[Explanation, ...]:
    reference = reference_stages(evidence, view)
    compared = compare_proposals(
        proposals_of(reference, reference.first),
        proposals_of(observed_stages(evidence, view)),
        two_stage_noise(evidence, view).first,
        first_suppressions(evidence)[0],
        heads=reference.first,
    )
    if compared.outcome != "passed":
        return ()
    close = {one.where.get("image") for one in compared.explanations if one.close}
    return tuple(one for one in compared.explanations if one.where.get("image") in close)
