"""Pictures for the findings of a failed check, and as many of them as a certificate of bearable size can hold."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from harness.certificate.model import FindingFacts, Picture, Result
from harness.certificate.plain import to_plain
from harness.checks.pictures import picture, spot
from harness.checks.reshape import other_size
from harness.checks.view import View
from harness.errors import IrproofError

if TYPE_CHECKING:
    from harness.checks.evidence import Evidence

#: A check that goes wrong on every image shows the first few.
MOST_A_RESULT = 4
#: Characters of pictures and images in one certificate.
MOST_ALTOGETHER = 6_000_000
#: Comparisons of an IR with itself: their findings name detections that TensorFlow never gave.
_WITH_ITSELF = ("against the static IR",)


@dataclasses.dataclass
class Album:
    """Pictures by id, and images by name."""

    pictures: dict[str, Picture] = dataclasses.field(default_factory=dict)
    images: dict[str, str] = dataclasses.field(default_factory=dict)

    def update(self, other: Album) -> None:
        """Take in another's."""
        self.pictures.update(other.pictures)
        self.images.update(other.images)


def illustrate(
    findings: tuple[FindingFacts, ...], evidence: Evidence, check: str, variant: Mapping[str, Any], album: Album
) -> tuple[FindingFacts, ...]:
    """The findings with pictures where they concern an image; the pictures go to ``album``.

    Only what can be asked is shown: where the evidence raises, the finding has no picture.
    """
    if check == "back_again":  # compares an IR with itself throughout
        return findings
    view = view_of(evidence, check, variant)
    shown: dict[int, str] = {}
    told = []
    for finding in findings:
        image, anchor = finding.where.get("image"), finding.where.get("anchor")
        if finding.where.get("part") in _WITH_ITSELF or not (_is_index(image) or _is_index(anchor)):
            told.append(finding)
            continue
        # Anchors are the same on every image.
        number = image if _is_index(image) else 0
        try:
            if number not in shown and len(shown) < MOST_A_RESULT:
                shown[number] = _add(evidence, view, number, findings, album)
            place = spot(evidence, view, number, anchor) if _is_index(anchor) else None
        except IrproofError:
            told.append(finding)
            continue
        told.append(dataclasses.replace(finding, picture=shown.get(number, ""), spot=place))
    return tuple(told)


def view_of(evidence: Evidence, check: str, variant: Mapping[str, Any]) -> View:
    """How a check asks the model, by its variant; mostly as converted."""
    if check == "dynamic":
        return View(dynamic=True)
    if "batch" in variant:
        return View(batch=variant["batch"])
    if "size" in variant:
        return View(size=other_size(evidence, variant["size"]))
    return View()


def fitting(album: Album, results: Iterable[Result]) -> tuple[tuple[Picture, ...], dict[str, str], int]:
    """The pictures that results call, the images that these call, and how many were left out as too much.

    Every case shows its first picture before one shows its second, whatever the order of events was.
    """
    called = {finding.picture for result in results for finding in result.findings}
    known = sorted(
        (one for one in album.pictures.values() if one.id in called),
        key=lambda one: (one.case, one.view != "as converted", one.view, one.image, one.id),
    )
    seen: Counter[str] = Counter()
    ranked = []
    for number, one in enumerate(known):
        ranked.append((seen[one.case], number, one))
        seen[one.case] += 1
    kept: list[tuple[int, Picture]] = []
    images: dict[str, str] = {}
    size = 0
    for _, number, one in sorted(ranked, key=lambda entry: entry[:2]):
        pixels = album.images.get(one.pixels, "")
        cost = len(json.dumps(to_plain(one))) + (0 if one.pixels in images else len(pixels))
        if size + cost > MOST_ALTOGETHER:
            continue
        size += cost
        images[one.pixels] = pixels
        kept.append((number, one))
    return (
        tuple(one for _, one in sorted(kept, key=lambda entry: entry[0])),
        dict(sorted(images.items())),
        (len(known) - len(kept)),
    )


def _add(evidence: Evidence, view: View, image: int, findings: Iterable[FindingFacts], album: Album) -> str:
    """Put the picture of an image into the album; its id, or empty where there is none to show."""
    here = [finding.where for finding in findings if finding.where.get("image") == image]
    named = tuple({where[key] for where in here if _is_index(where.get(key))} for key in ("reference", "detection"))
    made = picture(evidence, view, image, (named[0], named[1]))
    if made is None:
        return ""
    found, uri = made
    text = json.dumps(to_plain(found), sort_keys=True)
    id_ = hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
    album.pictures[id_] = dataclasses.replace(found, id=id_)
    album.images[found.pixels] = uri
    return id_


def _is_index(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
