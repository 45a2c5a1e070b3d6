"""The project's own protobuf schema of pipeline.config: the fields that a conversion needs, and no others.

Field names, numbers, types and proto2 defaults are those of ``object_detection/protos``, so that a value that is
absent from a file reads as the Object Detection API itself would read it. The schema lives in a descriptor pool of
its own, beside a real ``object_detection`` package if one is installed. Everything that it does not name (training,
losses, hyper-parameters, readers, extensions) is skipped by the reader.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "irproof.pipeline"

# Text may hold extensions wherever a message admits some; these numbers are free in every message below.
_EXTENSIONS = 2000


class _Field(NamedTuple):
    number: int
    name: str
    kind: str  # a scalar type, or the name of a message or enum of this schema
    default: str | None = None
    repeated: bool = False


_F = _Field


def _many(number: int, name: str, kind: str) -> _Field:
    return _Field(number, name, kind, None, repeated=True)


_ENUMS: dict[str, dict[str, int]] = {
    "ResizeType": {"BILINEAR": 0, "NEAREST_NEIGHBOR": 1, "BICUBIC": 2, "AREA": 3},
    "ResizeCondition": {"INVALID": 0, "GREATER": 1, "SMALLER": 2},
    "ScoreConverter": {"IDENTITY": 0, "SIGMOID": 1, "SOFTMAX": 2},
}

_RESIZERS: dict[str, tuple[_Field, ...]] = {
    "ImageResizer": (
        _F(1, "keep_aspect_ratio_resizer", "KeepAspectRatioResizer"),
        _F(2, "fixed_shape_resizer", "FixedShapeResizer"),
        _F(3, "identity_resizer", "IdentityResizer"),
        _F(4, "conditional_shape_resizer", "ConditionalShapeResizer"),
        _F(5, "pad_to_multiple_resizer", "PadToMultipleResizer"),
    ),
    "KeepAspectRatioResizer": (
        _F(1, "min_dimension", "int32", "600"),
        _F(2, "max_dimension", "int32", "1024"),
        _F(3, "resize_method", "ResizeType", "BILINEAR"),
        _F(4, "pad_to_max_dimension", "bool", "false"),
        _F(5, "convert_to_grayscale", "bool", "false"),
        _many(6, "per_channel_pad_value", "float"),
    ),
    "FixedShapeResizer": (
        _F(1, "height", "int32", "300"),
        _F(2, "width", "int32", "300"),
        _F(3, "resize_method", "ResizeType", "BILINEAR"),
        _F(4, "convert_to_grayscale", "bool", "false"),
    ),
    "IdentityResizer": (),
    "ConditionalShapeResizer": (
        _F(1, "condition", "ResizeCondition", "GREATER"),
        _F(2, "size_threshold", "int32", "300"),
        _F(3, "resize_method", "ResizeType", "BILINEAR"),
        _F(4, "convert_to_grayscale", "bool", "false"),
    ),
    "PadToMultipleResizer": (
        _F(1, "multiple", "int32", "1"),
        _F(4, "convert_to_grayscale", "bool", "false"),
    ),
}

_ANCHOR_GENERATORS: dict[str, tuple[_Field, ...]] = {
    "AnchorGenerator": (
        _F(1, "grid_anchor_generator", "GridAnchorGenerator"),
        _F(2, "ssd_anchor_generator", "SsdAnchorGenerator"),
        _F(3, "multiscale_anchor_generator", "MultiscaleAnchorGenerator"),
        _F(4, "flexible_grid_anchor_generator", "FlexibleGridAnchorGenerator"),
    ),
    "GridAnchorGenerator": (
        _F(1, "height", "int32", "256"),
        _F(2, "width", "int32", "256"),
        _F(3, "height_stride", "int32", "16"),
        _F(4, "width_stride", "int32", "16"),
        _F(5, "height_offset", "int32", "0"),
        _F(6, "width_offset", "int32", "0"),
        _many(7, "scales", "float"),
        _many(8, "aspect_ratios", "float"),
    ),
    "SsdAnchorGenerator": (
        _F(1, "num_layers", "int32", "6"),
        _F(2, "min_scale", "float", "0.2"),
        _F(3, "max_scale", "float", "0.95"),
        _many(4, "aspect_ratios", "float"),
        _F(5, "reduce_boxes_in_lowest_layer", "bool", "true"),
        _F(6, "base_anchor_height", "float", "1"),
        _F(7, "base_anchor_width", "float", "1"),
        _many(8, "height_stride", "int32"),
        _many(9, "width_stride", "int32"),
        _many(10, "height_offset", "int32"),
        _many(11, "width_offset", "int32"),
        _many(12, "scales", "float"),
        _F(13, "interpolated_scale_aspect_ratio", "float", "1"),
    ),
    "MultiscaleAnchorGenerator": (
        _F(1, "min_level", "int32", "3"),
        _F(2, "max_level", "int32", "7"),
        _F(3, "anchor_scale", "float", "4"),
        _many(4, "aspect_ratios", "float"),
        _F(5, "scales_per_octave", "int32", "2"),
        _F(6, "normalize_coordinates", "bool", "true"),
    ),
    "FlexibleGridAnchorGenerator": (
        _many(1, "anchor_grid", "AnchorGrid"),
        _F(2, "normalize_coordinates", "bool", "true"),
    ),
    "AnchorGrid": (
        _many(1, "base_sizes", "float"),
        _many(2, "aspect_ratios", "float"),
        _F(3, "height_stride", "uint32"),
        _F(4, "width_stride", "uint32"),
        _F(5, "height_offset", "uint32", "0"),
        _F(6, "width_offset", "uint32", "0"),
    ),
}

_BOX_CODERS: dict[str, tuple[_Field, ...]] = {
    "BoxCoder": (
        _F(1, "faster_rcnn_box_coder", "FasterRcnnBoxCoder"),
        _F(2, "mean_stddev_box_coder", "MeanStddevBoxCoder"),
        _F(3, "square_box_coder", "SquareBoxCoder"),
        _F(4, "keypoint_box_coder", "KeypointBoxCoder"),
    ),
    "FasterRcnnBoxCoder": (
        _F(1, "y_scale", "float", "10"),
        _F(2, "x_scale", "float", "10"),
        _F(3, "height_scale", "float", "5"),
        _F(4, "width_scale", "float", "5"),
    ),
    "MeanStddevBoxCoder": (_F(1, "stddev", "float", "0.01"),),
    "SquareBoxCoder": (
        _F(1, "y_scale", "float", "10"),
        _F(2, "x_scale", "float", "10"),
        _F(3, "length_scale", "float", "5"),
    ),
    "KeypointBoxCoder": (
        _F(1, "num_keypoints", "int32"),
        _F(2, "y_scale", "float", "10"),
        _F(3, "x_scale", "float", "10"),
        _F(4, "height_scale", "float", "5"),
        _F(5, "width_scale", "float", "5"),
    ),
}

_BOX_PREDICTORS: dict[str, tuple[_Field, ...]] = {
    "BoxPredictor": (
        _F(1, "convolutional_box_predictor", "ConvolutionalBoxPredictor"),
        _F(2, "mask_rcnn_box_predictor", "MaskRCNNBoxPredictor"),
        _F(3, "rfcn_box_predictor", "RfcnBoxPredictor"),
        _F(4, "weight_shared_convolutional_box_predictor", "WeightSharedConvolutionalBoxPredictor"),
    ),
    "BoxEncodingsClipRange": (_F(1, "min", "float"), _F(2, "max", "float")),
    "ConvolutionalBoxPredictor": (
        _F(2, "min_depth", "int32", "0"),
        _F(3, "max_depth", "int32", "0"),
        _F(4, "num_layers_before_predictor", "int32", "0"),
        _F(7, "kernel_size", "int32", "1"),
        _F(8, "box_code_size", "int32", "4"),
        _F(9, "apply_sigmoid_to_scores", "bool", "false"),
        _F(11, "use_depthwise", "bool", "false"),
        _F(12, "box_encodings_clip_range", "BoxEncodingsClipRange"),
    ),
    "WeightSharedConvolutionalBoxPredictor": (
        _F(2, "depth", "int32", "0"),
        _F(4, "num_layers_before_predictor", "int32", "0"),
        _F(7, "kernel_size", "int32", "3"),
        _F(8, "box_code_size", "int32", "4"),
        _F(13, "share_prediction_tower", "bool", "false"),
        _F(14, "use_depthwise", "bool", "false"),
        _F(16, "score_converter", "ScoreConverter", "IDENTITY"),
        _F(17, "box_encodings_clip_range", "BoxEncodingsClipRange"),
    ),
    "MaskRCNNBoxPredictor": (
        _F(4, "box_code_size", "int32", "4"),
        _F(6, "predict_instance_masks", "bool", "false"),
        _F(7, "mask_prediction_conv_depth", "int32", "256"),
        _F(8, "predict_keypoints", "bool", "false"),
        _F(9, "mask_height", "int32", "15"),
        _F(10, "mask_width", "int32", "15"),
        _F(11, "mask_prediction_num_conv_layers", "int32", "2"),
        _F(12, "masks_are_class_agnostic", "bool", "false"),
        _F(13, "share_box_across_classes", "bool", "false"),
        _F(14, "convolve_then_upsample_masks", "bool", "false"),
    ),
    "RfcnBoxPredictor": (
        _F(2, "num_spatial_bins_height", "int32", "3"),
        _F(3, "num_spatial_bins_width", "int32", "3"),
        _F(4, "depth", "int32", "1024"),
        _F(5, "box_code_size", "int32", "4"),
        _F(6, "crop_height", "int32", "12"),
        _F(7, "crop_width", "int32", "12"),
    ),
}

_POST_PROCESSING: dict[str, tuple[_Field, ...]] = {
    "PostProcessing": (
        _F(1, "batch_non_max_suppression", "BatchNonMaxSuppression"),
        _F(2, "score_converter", "ScoreConverter", "IDENTITY"),
        _F(3, "logit_scale", "float", "1"),
        _F(4, "calibration_config", "CalibrationConfig"),
    ),
    # Only its presence is asked for: calibrated scores are not converted.
    "CalibrationConfig": (),
    "BatchNonMaxSuppression": (
        _F(1, "score_threshold", "float", "0"),
        _F(2, "iou_threshold", "float", "0.6"),
        _F(3, "max_detections_per_class", "int32", "100"),
        _F(5, "max_total_detections", "int32", "100"),
        _F(6, "use_static_shapes", "bool", "false"),
        _F(7, "use_class_agnostic_nms", "bool", "false"),
        _F(8, "max_classes_per_detection", "int32", "1"),
        _F(9, "soft_nms_sigma", "float", "0"),
        _F(10, "use_partitioned_nms", "bool", "false"),
        _F(11, "use_combined_nms", "bool", "false"),
        _F(12, "change_coordinate_frame", "bool", "true"),
        _F(13, "use_hard_nms", "bool", "false"),
        _F(14, "use_cpu_nms", "bool", "false"),
    ),
}

_MODELS: dict[str, tuple[_Field, ...]] = {
    "TrainEvalPipelineConfig": (
        _F(1, "model", "DetectionModel"),
        _F(6, "graph_rewriter", "GraphRewriter"),
    ),
    "DetectionModel": (
        _F(1, "faster_rcnn", "FasterRcnn"),
        _F(2, "ssd", "Ssd"),
        _F(3, "experimental_model", "Unread"),
        _F(4, "center_net", "Unread"),
    ),
    "Unread": (),
    "GraphRewriter": (_F(1, "quantization", "Quantization"),),
    "Quantization": (
        _F(1, "delay", "int32", "500000"),
        _F(2, "weight_bits", "int32", "8"),
        _F(3, "activation_bits", "int32", "8"),
        _F(4, "symmetric", "bool", "false"),
    ),
    "FeaturePyramidNetworks": (
        _F(1, "min_level", "int32", "3"),
        _F(2, "max_level", "int32", "7"),
        _F(3, "additional_layer_depth", "int32", "256"),
    ),
    "BidirectionalFeaturePyramidNetworks": (
        _F(1, "min_level", "int32", "3"),
        _F(2, "max_level", "int32", "7"),
        _F(3, "num_iterations", "int32"),
        _F(4, "num_filters", "int32"),
        _F(5, "combine_method", "string", "fast_attention"),
    ),
    "Ssd": (
        _F(1, "num_classes", "int32"),
        _F(2, "image_resizer", "ImageResizer"),
        _F(3, "feature_extractor", "SsdFeatureExtractor"),
        _F(4, "box_coder", "BoxCoder"),
        _F(7, "box_predictor", "BoxPredictor"),
        _F(8, "anchor_generator", "AnchorGenerator"),
        _F(9, "post_processing", "PostProcessing"),
        _F(12, "encode_background_as_zeros", "bool", "false"),
        _F(15, "inplace_batchnorm_update", "bool", "false"),
        _F(16, "freeze_batchnorm", "bool", "false"),
        _F(21, "add_background_class", "bool", "true"),
        _F(24, "explicit_background_class", "bool", "false"),
        _F(26, "return_raw_detections_during_predict", "bool", "false"),
    ),
    "SsdFeatureExtractor": (
        _F(1, "type", "string"),
        _F(2, "depth_multiplier", "float", "1"),
        _F(3, "min_depth", "int32", "16"),
        _F(5, "pad_to_multiple", "int32", "1"),
        _F(7, "use_explicit_padding", "bool", "false"),
        _F(8, "use_depthwise", "bool", "false"),
        _F(10, "fpn", "FeaturePyramidNetworks"),
        _F(11, "replace_preprocessor_with_placeholder", "bool", "false"),
        _F(12, "num_layers", "int32", "6"),
        _F(19, "bifpn", "BidirectionalFeaturePyramidNetworks"),
    ),
    "FasterRcnn": (
        _F(1, "number_of_stages", "int32", "2"),
        _F(3, "num_classes", "int32"),
        _F(4, "image_resizer", "ImageResizer"),
        _F(5, "feature_extractor", "FasterRcnnFeatureExtractor"),
        _F(6, "first_stage_anchor_generator", "AnchorGenerator"),
        _F(7, "first_stage_atrous_rate", "int32", "1"),
        _F(9, "first_stage_box_predictor_kernel_size", "int32", "3"),
        _F(10, "first_stage_box_predictor_depth", "int32", "512"),
        _F(13, "first_stage_nms_score_threshold", "float", "0"),
        _F(14, "first_stage_nms_iou_threshold", "float", "0.7"),
        _F(15, "first_stage_max_proposals", "int32", "300"),
        _F(18, "initial_crop_size", "int32"),
        _F(19, "maxpool_kernel_size", "int32"),
        _F(20, "maxpool_stride", "int32"),
        _F(21, "second_stage_box_predictor", "BoxPredictor"),
        _F(24, "second_stage_post_processing", "PostProcessing"),
        _F(30, "inplace_batchnorm_update", "bool", "false"),
        _F(31, "use_matmul_crop_and_resize", "bool", "false"),
        _F(32, "clip_anchors_to_image", "bool", "false"),
        _F(35, "use_static_shapes", "bool", "false"),
        _F(36, "resize_masks", "bool", "true"),
        _F(37, "use_static_shapes_for_eval", "bool", "false"),
        _F(38, "use_partitioned_nms_in_first_stage", "bool", "true"),
        _F(39, "return_raw_detections_during_predict", "bool", "false"),
        _F(40, "use_combined_nms_in_first_stage", "bool", "false"),
        # 2017's files have this in place of number_of_stages; its real number is 1, which is taken.
        _F(1001, "first_stage_only", "bool", "false"),
    ),
    "FasterRcnnFeatureExtractor": (
        _F(1, "type", "string"),
        _F(2, "first_stage_features_stride", "int32", "16"),
        _F(3, "batch_norm_trainable", "bool", "false"),
        _F(6, "pad_to_multiple", "int32", "32"),
        _F(7, "fpn", "FeaturePyramidNetworks"),
    ),
}

# Members of a oneof by message; proto2 lets the last one that a file names win, as the API does.
_ONEOFS: dict[str, tuple[str, tuple[str, ...] | None]] = {
    "ImageResizer": ("image_resizer_oneof", None),
    "AnchorGenerator": ("anchor_generator_oneof", None),
    "BoxCoder": ("box_coder_oneof", None),
    "BoxPredictor": ("box_predictor_oneof", None),
    "DetectionModel": ("model", None),
    "SsdFeatureExtractor": ("feature_pyramid_oneof", ("fpn", "bifpn")),
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="irproof/pipeline.proto", package=_PACKAGE, syntax="proto2")
    for name, values in _ENUMS.items():
        # Protobuf puts an enum's values beside the enum, where names would clash: each sits in a message of its own.
        enum = file.message_type.add(name=name).enum_type.add(name="Value")
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    for messages in (_RESIZERS, _ANCHOR_GENERATORS, _BOX_CODERS, _BOX_PREDICTORS, _POST_PROCESSING, _MODELS):
        for name, fields in messages.items():
            _add_message(file, name, fields)
    return file


def _add_message(file: descriptor_pb2.FileDescriptorProto, name: str, fields: tuple[_Field, ...]) -> None:
    message = file.message_type.add(name=name)
    message.extension_range.add(start=_EXTENSIONS, end=1 << 29)
    oneof_name, members = _ONEOFS.get(name, ("", ()))
    if oneof_name:
        message.oneof_decl.add(name=oneof_name)
    kinds = descriptor_pb2.FieldDescriptorProto.Type
    for field in fields:
        proto = message.field.add(name=field.name, number=field.number)
        proto.label = proto.LABEL_REPEATED if field.repeated else proto.LABEL_OPTIONAL
        if f"TYPE_{field.kind.upper()}" in kinds.keys():  # noqa: SIM118 - an enum wrapper is no mapping
            proto.type = kinds.Value(f"TYPE_{field.kind.upper()}")
        elif field.kind in _ENUMS:
            proto.type, proto.type_name = proto.TYPE_ENUM, f".{_PACKAGE}.{field.kind}.Value"
        else:
            proto.type, proto.type_name = proto.TYPE_MESSAGE, f".{_PACKAGE}.{field.kind}"
        if field.default is not None:
            proto.default_value = field.default
        if oneof_name and (members is None or field.name in members):
            proto.oneof_index = 0


@functools.cache
def config_class() -> Any:
    """The message class of a whole pipeline.config file."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_file().SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.TrainEvalPipelineConfig"))
