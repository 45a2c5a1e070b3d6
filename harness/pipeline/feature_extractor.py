"""``feature_extractor``: the backbone's type and what of it shows in shapes and names."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class FeaturePyramid:
    """The levels of a feature pyramid; ``bidirectional`` for EfficientDet's."""

    min_level: int = 3
    max_level: int = 7
    bidirectional: bool = False


@dataclasses.dataclass(frozen=True)
class FeatureExtractor:
    """The backbone. ``first_stage_features_stride`` is Faster R-CNN's; ``num_layers`` and depth are SSD's."""

    type: str
    depth_multiplier: float = 1.0
    min_depth: int = 16
    pad_to_multiple: int = 1
    use_explicit_padding: bool = False
    use_depthwise: bool = False
    num_layers: int = 6
    first_stage_features_stride: int = 16
    feature_pyramid: FeaturePyramid | None = None


def read_feature_extractor(message: Any) -> FeatureExtractor:
    """An SSD's or a Faster R-CNN's ``feature_extractor`` message; fields that one of them lacks keep the defaults."""
    known = message.DESCRIPTOR.fields_by_name
    pyramid = None
    for name in ("fpn", "bifpn"):
        if name in known and message.HasField(name):
            given = getattr(message, name)
            pyramid = FeaturePyramid(given.min_level, given.max_level, bidirectional=name == "bifpn")
    values = {
        field.name: getattr(message, field.name)
        for field in dataclasses.fields(FeatureExtractor)
        if field.name in known
    }
    return FeatureExtractor(**values, feature_pyramid=pyramid)
