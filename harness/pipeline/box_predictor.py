"""``box_predictor``: which heads the graph has, and what they already do to their outputs."""

from __future__ import annotations

import dataclasses
from typing import Any, Union

from harness.errors import PipelineConfigError


@dataclasses.dataclass(frozen=True)
class ConvolutionalBoxPredictor:
    """Heads of their own for each feature map. ``box_encodings_clip_range`` is (min, max) or None."""

    min_depth: int = 0
    max_depth: int = 0
    num_layers_before_predictor: int = 0
    kernel_size: int = 1
    box_code_size: int = 4
    apply_sigmoid_to_scores: bool = False
    use_depthwise: bool = False
    box_encodings_clip_range: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class WeightSharedConvolutionalBoxPredictor:
    """Heads shared by all feature maps (RetinaNet, FPN, EfficientDet).

    ``score_converter`` (IDENTITY or SIGMOID) is applied inside the head, before post-processing.
    """

    depth: int = 0
    num_layers_before_predictor: int = 0
    kernel_size: int = 3
    box_code_size: int = 4
    share_prediction_tower: bool = False
    use_depthwise: bool = False
    score_converter: str = "IDENTITY"
    box_encodings_clip_range: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class MaskRcnnBoxPredictor:
    """The second stage of Faster R-CNN and Mask R-CNN; ``mask_height`` and ``mask_width`` in pixels."""

    box_code_size: int = 4
    predict_instance_masks: bool = False
    mask_prediction_conv_depth: int = 256
    predict_keypoints: bool = False
    mask_height: int = 15
    mask_width: int = 15
    mask_prediction_num_conv_layers: int = 2
    masks_are_class_agnostic: bool = False
    share_box_across_classes: bool = False
    convolve_then_upsample_masks: bool = False


@dataclasses.dataclass(frozen=True)
class RfcnBoxPredictor:
    """The second stage of R-FCN: position-sensitive crops of ``crop_height`` x ``crop_width`` in spatial bins."""

    num_spatial_bins_height: int = 3
    num_spatial_bins_width: int = 3
    depth: int = 1024
    box_code_size: int = 4
    crop_height: int = 12
    crop_width: int = 12


BoxPredictor = Union[  # noqa: UP007 - an alias is evaluated, and 3.10 is supported
    ConvolutionalBoxPredictor, WeightSharedConvolutionalBoxPredictor, MaskRcnnBoxPredictor, RfcnBoxPredictor
]

_KINDS: dict[str, type[Any]] = {
    "convolutional_box_predictor": ConvolutionalBoxPredictor,
    "weight_shared_convolutional_box_predictor": WeightSharedConvolutionalBoxPredictor,
    "mask_rcnn_box_predictor": MaskRcnnBoxPredictor,
    "rfcn_box_predictor": RfcnBoxPredictor,
}


def read_box_predictor(message: Any, key: str, where: str) -> BoxPredictor:
    """The predictor that the message names; ``key`` is the message's path, such as ``model.ssd.box_predictor``."""
    kind = message.WhichOneof("box_predictor_oneof")
    if kind is None:
        raise PipelineConfigError(
            f"{key} names no box predictor.",
            where=where,
            advice=f"It needs one of {', '.join(sorted(_KINDS))}.",
            requirement="CFG-10",
        )
    given = getattr(message, kind)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(_KINDS[kind]):
        if field.name == "box_encodings_clip_range":
            clip = given.box_encodings_clip_range
            values[field.name] = (clip.min, clip.max) if given.HasField(field.name) else None
        elif field.name == "score_converter":
            values[field.name] = "SIGMOID" if given.score_converter == 1 else "IDENTITY"
        else:
            values[field.name] = getattr(given, field.name)
    predictor: BoxPredictor = _KINDS[kind](**values)
    if predictor.box_code_size != 4:
        raise PipelineConfigError(
            f"{key}.{kind}.box_code_size is {predictor.box_code_size}; boxes of 4 numbers are all that is converted.",
            where=where,
            advice="Convert a model without keypoints in its boxes.",
            requirement="CFG-11",
        )
    return predictor
