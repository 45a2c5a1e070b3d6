"""What a finding looks like: the image it is about, reduced, with what TensorFlow and the IR found on it."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, features

from harness.certificate.model import Drawn, Picture, Spot
from harness.checks.view import View
from harness.compare.matching import pair_detections

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.checks.evidence import Evidence
    from harness.observation.detections import Detections

#: The longer side of a picture's image, in pixels: enough to recognise what is in a box, small enough for thousands.
LONGEST_SIDE = 320
#: Of each side so many detections are drawn, the surest first, besides those that findings name.
MOST_DRAWN = 24
#: From this overlap on two detections of a class are shown as counterparts; judging them is the checks' affair.
_SAME = 0.5


def picture(
    evidence: Evidence, view: View, image: int, named: tuple[Collection[int], Collection[int]] = ((), ())
) -> tuple[Picture, str] | None:
    """The picture of an image of a view and its pixels as a data URI; None where either side has no such image.

    ``named`` are indices of TensorFlow's and of the IR's detections that are drawn however unsure they are. Raises
    what the evidence raises where a side cannot be asked.
    """
    reference, observed = evidence.reference(view).answer.images, evidence.answer(view).images
    if not 0 <= image < min(len(reference), len(observed)):
        return None
    pixels = evidence.images(view)[image]
    uri = evidence.remember(("pixels", view, image), lambda: as_data_uri(pixels))
    one, two = reference[image], observed[image]
    first, second = _chosen(one, named[0]), _chosen(two, named[1])
    shapes = {side.masks.shape[1:] for side in (one, two) if side.masks is not None}
    # Masks of two shapes cannot be laid over each other; that they differ is the finding then.
    shape = shapes.pop() if len(shapes) == 1 else ()
    return (
        Picture(
            id="",
            case=evidence.name,
            view=str(view),
            image=image,
            scene=evidence.scene_names(view)[image],
            height=int(pixels.shape[0]),
            width=int(pixels.shape[1]),
            pixels=hashlib.sha256(uri.encode("ascii")).hexdigest()[:16],
            reference=tuple(_drawn(one, index, masked=bool(shape)) for index in first),
            observed=tuple(_drawn(two, index, masked=bool(shape)) for index in second),
            pairs=tuple(pair for pair in _pairs(one, two) if pair[0] in first and pair[1] in second),
            mask_shape=tuple(int(side) for side in shape),
            left_out=len(one) + len(two) - len(first) - len(second),
        ),
        uri,
    )


def spot(evidence: Evidence, view: View, image: int, anchor: int) -> Spot | None:
    """The anchor of either side that a finding about heads names; None where neither side shows its anchors."""
    reference = evidence.reference(view).answer.heads.anchors
    observed = evidence.answer(view, heads=True).heads.anchors
    found = Spot(_anchor(reference, image, anchor), _anchor(observed, image, anchor))
    return found if found.reference or found.observed else None


def as_data_uri(pixels: np.ndarray) -> str:
    """An image, uint8 ``[H, W, 3]``, as a reduced WebP (or PNG, where Pillow has no WebP) in a ``data:`` URI."""
    image = Image.fromarray(pixels)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    kind = "webp" if features.check("webp") else "png"
    image.save(buffer, kind, **({"quality": 75, "method": 4} if kind == "webp" else {"optimize": True}))
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def hex_mask(mask: np.ndarray) -> str:
    """A mask ``[h, w]`` of probabilities, a hexadecimal digit a value, row by row; what is no number counts as 0."""
    levels = np.rint(np.clip(np.nan_to_num(mask, nan=0.0), 0.0, 1.0) * 15).astype(np.uint8)
    return "".join(f"{level:x}" for level in levels.ravel().tolist())


def _chosen(image: Detections, named: Collection[int]) -> list[int]:
    surest = np.argsort(-np.nan_to_num(image.scores, nan=np.inf), kind="stable")[:MOST_DRAWN]
    return sorted({int(index) for index in surest} | {index for index in named if 0 <= index < len(image)})


def _drawn(image: Detections, index: int, *, masked: bool) -> Drawn:
    mask = hex_mask(image.masks[index]) if masked and image.masks is not None else ""
    return Drawn(
        index=index,
        label=int(image.classes[index]),
        score=round(float(image.scores[index]), 4),
        box=tuple(round(float(side), 4) for side in image.boxes[index]),
        mask=mask,
    )


def _pairs(one: Detections, two: Detections) -> tuple[tuple[int, int], ...]:
    finite = all(bool(np.isfinite(side).all()) for image in (one, two) for side in (image.boxes, image.scores))
    return pair_detections(one, two, least_iou=_SAME).pairs if finite and len(one) and len(two) else ()


def _anchor(anchors: np.ndarray | None, image: int, anchor: int) -> tuple[float, ...]:
    if anchors is None:
        return ()
    shared = anchors if anchors.ndim == 2 else anchors[image] if image < len(anchors) else anchors[:0]
    return tuple(round(float(side), 4) for side in shared[anchor]) if anchor < len(shared) else ()
