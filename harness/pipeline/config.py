"""pipeline.config as the chain asks for it: typed, read-only, in the words of the Object Detection API."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import MutableSequence
from pathlib import Path
from typing import Any, Literal

from harness.errors import PipelineConfigError
from harness.pipeline.anchor_generator import AnchorGenerator, read_anchor_generator
from harness.pipeline.box_predictor import BoxPredictor, MaskRcnnBoxPredictor, RfcnBoxPredictor, read_box_predictor
from harness.pipeline.feature_extractor import FeatureExtractor, read_feature_extractor
from harness.pipeline.image_resizer import ImageResizer, read_image_resizer
from harness.pipeline.post_processing import PostProcessing, read_post_processing
from harness.pipeline.text import parse_text, read_text

MetaArchitecture = Literal["ssd", "faster_rcnn"]
DetectorFamily = Literal["ssd", "efficientdet", "faster_rcnn", "rfcn", "mask_rcnn"]


class PipelineConfig:
    """One pipeline.config. Values are checked when they are asked for, so that a file serves as far as it is right.

    A field that is absent has the API's default; a field that has none, or that contradicts another, is a
    :class:`PipelineConfigError` which names the key (``model.ssd.num_classes``). Floats are float32 values.
    """

    def __init__(self, message: Any, where: str, text: str = "") -> None:
        self._message = message
        self.where = where
        """The file (or what stands for it) that errors name."""
        self.digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        """The hash of the text, for caches."""
        kind = message.model.WhichOneof("model")
        if kind not in ("ssd", "faster_rcnn"):
            raise _no_such_model(kind, where)
        self.meta_architecture: MetaArchitecture = kind
        self._model = getattr(message.model, kind)
        self._key = f"model.{kind}"

    @classmethod
    def read(cls, path: Path | str) -> PipelineConfig:
        """The file at ``path``; missing, unreadable or no such text is a :class:`PipelineConfigError` (CFG-11)."""
        return cls.parse(read_text(Path(path)), where=str(path))

    @classmethod
    def parse(cls, text: str, where: str = "pipeline.config") -> PipelineConfig:
        """The text of a pipeline.config; ``where`` is what errors call it."""
        return cls(parse_text(text, where), where, text)

    def __repr__(self) -> str:
        return f"<PipelineConfig {self.meta_architecture} of {self.where}>"

    # What both kinds of model have

    @property
    def family(self) -> DetectorFamily:
        """The family that the config describes."""
        if self.meta_architecture == "ssd":
            pyramid = self.feature_extractor.feature_pyramid
            bidirectional = pyramid is not None and pyramid.bidirectional
            return "efficientdet" if bidirectional or "efficientnet" in self.feature_extractor.type else "ssd"
        if self._model.second_stage_box_predictor.HasField("rfcn_box_predictor"):
            return "rfcn"
        return "mask_rcnn" if self.predicts_masks else "faster_rcnn"

    @property
    def num_classes(self) -> int:
        """How many classes there are, the background not counted."""
        value = int(self._required("num_classes"))
        if value < 1:
            raise self._error(f"{self._key}.num_classes is {value}, but there has to be a class.")
        return value

    @functools.cached_property
    def image_resizer(self) -> ImageResizer:
        """What the Preprocessor does to an image's size."""
        return read_image_resizer(self._required("image_resizer"), f"{self._key}.image_resizer", self.where)

    @functools.cached_property
    def feature_extractor(self) -> FeatureExtractor:
        """The backbone."""
        return read_feature_extractor(self._model.feature_extractor)

    @functools.cached_property
    def anchor_generator(self) -> AnchorGenerator:
        """An SSD's anchors, or those of the first stage."""
        name = self._for_stage("anchor_generator", first=True)
        return read_anchor_generator(self._required(name), f"{self._key}.{name}", self.where)

    @functools.cached_property
    def box_predictor(self) -> BoxPredictor:
        """An SSD's heads, or the second stage's."""
        name = self._for_stage("box_predictor", first=False)
        return read_box_predictor(self._required(name), f"{self._key}.{name}", self.where)

    @functools.cached_property
    def post_processing(self) -> PostProcessing:
        """An SSD's post-processing, or the second stage's."""
        name = self._for_stage("post_processing", first=False)
        return read_post_processing(getattr(self._model, name), f"{self._key}.{name}", self.where)

    @functools.cached_property
    def box_coder_scales(self) -> tuple[float, float, float, float]:
        """(y, x, height, width) scales by which box encodings were multiplied; variances are their reciprocals.

        A Faster R-CNN's are not in the file: the API has them built in, for both stages.
        """
        if self.meta_architecture == "faster_rcnn":
            return 10.0, 10.0, 5.0, 5.0
        coder = self._required("box_coder")
        kind = coder.WhichOneof("box_coder_oneof")
        key = f"{self._key}.box_coder"
        if kind is None:
            raise self._missing(key)
        if kind != "faster_rcnn_box_coder":
            raise self._error(f"{key}.{kind} is not converted; faster_rcnn_box_coder is, and ovc keeps any.")
        given = coder.faster_rcnn_box_coder
        scales = (given.y_scale, given.x_scale, given.height_scale, given.width_scale)
        if not min(scales) > 0.0:
            raise self._error(f"{key}.{kind} has scales (y, x, height, width) {scales}; they have to be positive.")
        return scales

    @property
    def score_converter(self) -> str:
        """IDENTITY, SIGMOID or SOFTMAX, of the SSD or the second stage."""
        return self.post_processing.score_converter

    @property
    def has_quantization(self) -> bool:
        """Whether the graph was rewritten to train with fake quantisation."""
        return bool(self._message.graph_rewriter.HasField("quantization"))

    # SSD

    @property
    def add_background_class(self) -> bool:
        """Whether class scores have a background column, added by the API; always so for two stages."""
        return self.meta_architecture == "faster_rcnn" or bool(self._model.add_background_class)

    @property
    def explicit_background_class(self) -> bool:
        """Whether the labels themselves count the background as a class (SSD)."""
        return self.meta_architecture == "ssd" and bool(self._model.explicit_background_class)

    @property
    def encode_background_as_zeros(self) -> bool:
        """Whether background targets were all zeros, and not a class of their own (SSD)."""
        return self.meta_architecture == "ssd" and bool(self._model.encode_background_as_zeros)

    # Two stages

    @property
    def number_of_stages(self) -> int:
        """1 for proposals alone, 2 with boxes, 3 with masks predicted from the final boxes; an SSD has 1."""
        if self.meta_architecture == "ssd":
            return 1
        return 1 if self._model.first_stage_only else int(self._model.number_of_stages)

    @property
    def predicts_masks(self) -> bool:
        """Whether the second stage has a mask head."""
        if self.meta_architecture == "ssd":
            return False
        given = self._model.second_stage_box_predictor
        return given.HasField("mask_rcnn_box_predictor") and bool(given.mask_rcnn_box_predictor.predict_instance_masks)

    @property
    def share_box_across_classes(self) -> bool:
        """Whether the second stage has one box a proposal, and not one for each class (DET-2)."""
        return isinstance(self.box_predictor, MaskRcnnBoxPredictor) and self.box_predictor.share_box_across_classes

    @property
    def first_stage_features_stride(self) -> int:
        """The stride in pixels of the feature map that proposals are made from."""
        self._only_two_stages("feature_extractor.first_stage_features_stride")
        return self.feature_extractor.first_stage_features_stride

    @property
    def first_stage_atrous_rate(self) -> int:
        """The dilation of the first stage's convolution."""
        return int(self._of_two_stages("first_stage_atrous_rate"))

    @property
    def first_stage_nms_score_threshold(self) -> float:
        """The objectness under which proposals are dropped before suppression."""
        return float(self._of_two_stages("first_stage_nms_score_threshold"))

    @property
    def first_stage_nms_iou_threshold(self) -> float:
        """The overlap over which the weaker of two proposals is suppressed."""
        value = float(self._of_two_stages("first_stage_nms_iou_threshold"))
        if not 0.0 <= value <= 1.0:
            raise self._error(f"{self._key}.first_stage_nms_iou_threshold is {value}, outside of 0 to 1.")
        return value

    @property
    def first_stage_max_proposals(self) -> int:
        """How many proposals are kept for the second stage."""
        return self._positive("first_stage_max_proposals")

    @property
    def initial_crop_size(self) -> int:
        """Height and width of a proposal's crop before pooling; required, except that an R-FCN has none."""
        return self._positive("initial_crop_size")

    @property
    def maxpool_kernel_size(self) -> int:
        """The kernel of the pooling of crops; required, except that an R-FCN has none."""
        return self._positive("maxpool_kernel_size")

    @property
    def maxpool_stride(self) -> int:
        """The stride of the pooling of crops; required, except that an R-FCN has none."""
        return self._positive("maxpool_stride")

    @property
    def clip_anchors_to_image(self) -> bool:
        """Whether anchors are clipped to the image before they are used."""
        return bool(self._of_two_stages("clip_anchors_to_image"))

    @property
    def use_matmul_crop_and_resize(self) -> bool:
        """Whether crops are written as matrix products, and not as CropAndResize."""
        return bool(self._of_two_stages("use_matmul_crop_and_resize"))

    @property
    def resize_masks(self) -> bool:
        """Whether the mask head's output was resized to mask_height x mask_width."""
        return bool(self._of_two_stages("resize_masks"))

    @property
    def rfcn_box_predictor(self) -> RfcnBoxPredictor:
        """The R-FCN's second stage; an error for other models."""
        predictor = self.box_predictor
        if not isinstance(predictor, RfcnBoxPredictor):
            raise self._missing(f"{self._key}.second_stage_box_predictor.rfcn_box_predictor")
        return predictor

    # Any value by its key, for configurations that name one

    def has(self, key: str) -> bool:
        """Whether the file itself gives a value for ``key``, such as ``model.ssd.num_classes``."""
        message, name = self._walk(key)
        value = getattr(message, name)
        return len(value) > 0 if _is_list(value) else bool(message.HasField(name))

    def value(self, key: str) -> int | float | bool | str | tuple[Any, ...]:
        """The value at ``key``, or its default; enums as their names, lists as tuples.

        Neither given nor defaulted, or a key that names no value at all, is a :class:`PipelineConfigError`.
        """
        message, name = self._walk(key)
        field = message.DESCRIPTOR.fields_by_name[name]
        value: Any = getattr(message, name)
        if field.message_type is not None:
            raise self._error(f"The key {key} names a message, not a value.")
        if _is_list(value):
            return tuple(value)
        if not message.HasField(name) and not field.has_default_value:
            raise self._missing(key)
        return str(field.enum_type.values_by_number[value].name) if field.enum_type is not None else value  # type: ignore[no-any-return]

    def _walk(self, key: str) -> tuple[Any, str]:
        message: Any = self._message
        *parents, name = key.split(".")
        for parent in parents:
            field = message.DESCRIPTOR.fields_by_name.get(parent)
            if field is None or field.message_type is None or _is_list(getattr(message, parent)):
                raise self._error(f"There is no key {key} in what is read of a pipeline.config.")
            message = getattr(message, parent)
        if name not in message.DESCRIPTOR.fields_by_name:
            raise self._error(f"There is no key {key} in what is read of a pipeline.config.")
        return message, name

    def _for_stage(self, name: str, *, first: bool) -> str:
        if self.meta_architecture == "ssd":
            return name
        return f"{'first' if first else 'second'}_stage_{name}"

    def _required(self, name: str) -> Any:
        if not self._model.HasField(name):
            raise self._missing(f"{self._key}.{name}")
        return getattr(self._model, name)

    def _only_two_stages(self, name: str) -> None:
        if self.meta_architecture != "faster_rcnn":
            raise self._missing(f"model.faster_rcnn.{name}")

    def _of_two_stages(self, name: str) -> Any:
        self._only_two_stages(name)
        return getattr(self._model, name)

    def _positive(self, name: str) -> int:
        self._only_two_stages(name)
        field = self._model.DESCRIPTOR.fields_by_name[name]
        value = int(getattr(self._model, name) if field.has_default_value else self._required(name))
        if value < 1:
            raise self._error(f"{self._key}.{name} is {value}; it has to be positive.")
        return value

    def _missing(self, key: str) -> PipelineConfigError:
        return PipelineConfigError(
            f"The key {key} is missing.",
            where=self.where,
            advice="Give the pipeline.config that the model was exported with, or the value as a custom attribute.",
            requirement="CFG-10",
        )

    def _error(self, what: str) -> PipelineConfigError:
        return PipelineConfigError(
            what,
            where=self.where,
            advice="Give the pipeline.config that the model was exported with.",
            requirement="CFG-11",
        )


def _is_list(value: Any) -> bool:
    # Descriptors say it in ways that differ between the protobuf versions that are supported.
    return isinstance(value, MutableSequence)


def _no_such_model(kind: str | None, where: str) -> PipelineConfigError:
    """Why a kind of model cannot be converted, and what can be done instead."""
    if kind is None:
        return PipelineConfigError(
            "The key model.ssd or model.faster_rcnn is missing.",
            where=where,
            advice="Give the pipeline.config of an SSD, EfficientDet, Faster R-CNN, Mask R-CNN or R-FCN.",
            requirement="CFG-11",
        )
    reason = _WITHOUT_EQUAL.get(kind, "its post-processing is none that DetectionOutput stands for")
    return PipelineConfigError(
        f"Models of the kind model.{kind} are not converted: {reason}.",
        where=where,
        advice="Convert it with OpenVINO's own ovc (--converter ovc), which keeps TensorFlow's outputs and operations.",
        requirement="CFG-11",
    )


# What such a model does that no operation of OpenVINO does at once.
_WITHOUT_EQUAL = {
    "center_net": "its detections are peaks of heat maps, without anchors to decode and boxes to suppress"
}
