from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import PipelineConfigError
from harness.pipeline.anchor_generator import (
    AnchorGrid,
    FlexibleGridAnchorGenerator,
    GridAnchorGenerator,
    MultiscaleAnchorGenerator,
    SsdAnchorGenerator,
)
from harness.pipeline.box_predictor import (
    ConvolutionalBoxPredictor,
    MaskRcnnBoxPredictor,
    RfcnBoxPredictor,
    WeightSharedConvolutionalBoxPredictor,
)
from harness.pipeline.config import PipelineConfig
from harness.pipeline.image_resizer import FixedShapeResizer, IdentityResizer, KeepAspectRatioResizer

SSD = """
model {
  ssd {
    num_classes: 3
    image_resizer { fixed_shape_resizer { height: 256 width: 320 } }
    feature_extractor {
      type: "ssd_mobilenet_v2"
      use_depthwise: true
      conv_hyperparams { regularizer { l2_regularizer { weight: 4e-05 } } activation: RELU_6 }
    }
    box_coder { faster_rcnn_box_coder { y_scale: 8.0 x_scale: 9.0 height_scale: 4.0 width_scale: 3.0 } }
    matcher { argmax_matcher { matched_threshold: 0.5 } }
    box_predictor { convolutional_box_predictor { kernel_size: 3 } }
    anchor_generator { ssd_anchor_generator { num_layers: 6 aspect_ratios: [1.0, 2.0, 0.3333] } }
    post_processing {
      batch_non_max_suppression { score_threshold: 0.3 iou_threshold: 0.5 max_total_detections: 120 }
      score_converter: SIGMOID
    }
    loss { localization_loss { weighted_smooth_l1 {} } }
  }
}
train_config { batch_size: 24 }
eval_input_reader { shuffle: false }
eval_input_reader { shuffle: false }
"""

TWO_STAGES = """
model {
  faster_rcnn {
    num_classes: 5
    image_resizer { keep_aspect_ratio_resizer { min_dimension: 200 max_dimension: 400 } }
    feature_extractor { type: 'faster_rcnn_inception_resnet_v2' first_stage_features_stride: 8 }
    first_stage_anchor_generator {
      grid_anchor_generator { scales: 0.25 scales: 0.5 aspect_ratios: 1 height_stride: 8 width_stride: 8 }
    }
    first_stage_nms_iou_threshold: 0.65
    initial_crop_size: 17
    maxpool_kernel_size: 1
    maxpool_stride: 1
    second_stage_box_predictor { %s }
    second_stage_post_processing { score_converter: SOFTMAX }
  }
}
"""
FASTER = TWO_STAGES % "mask_rcnn_box_predictor { use_dropout: false }"
MASK = (
    TWO_STAGES
    % "mask_rcnn_box_predictor { predict_instance_masks: true mask_height: 33 share_box_across_classes: true }"
)
RFCN = TWO_STAGES % "rfcn_box_predictor { crop_height: 18 crop_width: 18 }"


def f32(value):
    return float(np.float32(value))


def _zoo() -> Path:
    shared = Path(os.environ.get("IRPROOF_SHARED") or Path(__file__).parents[2].parent / "shared")
    if not (shared / "zoo").is_dir():
        pytest.skip("no zoo here")
    return shared / "zoo"


class TestSsd:
    def test_values(self):
        """What the file says is what the accessors say, in float32."""
        config = PipelineConfig.parse(SSD)

        assert "ssd" == config.meta_architecture == config.family
        assert config.num_classes == 3
        assert FixedShapeResizer(256, 320) == config.image_resizer
        assert config.box_coder_scales == (8.0, 9.0, 4.0, 3.0)
        assert config.score_converter == "SIGMOID"
        assert f32(0.3) == config.post_processing.score_threshold != 0.3
        assert config.post_processing.iou_threshold == 0.5
        assert config.post_processing.max_total_detections == 120
        assert ConvolutionalBoxPredictor(kernel_size=3) == config.box_predictor
        assert config.feature_extractor.use_depthwise
        assert (1.0, 2.0, f32(0.3333)) == config.anchor_generator.aspect_ratios
        assert config.number_of_stages == 1
        assert not config.predicts_masks

    def test_defaults(self):
        """Absent fields read as the Object Detection API reads them."""
        config = PipelineConfig.parse(SSD)

        assert config.post_processing.max_detections_per_class == 100
        assert config.post_processing.logit_scale == 1.0
        assert config.post_processing.change_coordinate_frame
        assert config.add_background_class
        assert not config.explicit_background_class
        assert not config.encode_background_as_zeros
        assert not config.has_quantization
        assert config.feature_extractor.min_depth == 16
        assert config.anchor_generator.reduce_boxes_in_lowest_layer
        assert f32(0.2) == config.anchor_generator.min_scale
        assert config.anchor_generator.interpolated_scale_aspect_ratio == 1.0
        assert config.anchor_generator.anchor_strides is None

    def test_no_post_processing(self):
        """A post_processing that is absent has the API's defaults, one of them IDENTITY."""
        config = PipelineConfig.parse("model { ssd { num_classes: 1 } }")

        assert config.score_converter == "IDENTITY"
        assert f32(0.6) == config.post_processing.iou_threshold

    @pytest.mark.parametrize("name", ["num_classes", "image_resizer", "box_coder", "anchor_generator", "box_predictor"])
    def test_missing(self, name):
        """A value that has no default is an error that names its key."""
        config = PipelineConfig.parse("model { ssd { } }")

        with pytest.raises(PipelineConfigError, match=rf"model\.ssd\.{name} is missing"):
            config.box_coder_scales if name == "box_coder" else getattr(config, name)

    def test_two_stage_values(self):
        """An SSD has no values of two stages, and says under which key it looked."""
        with pytest.raises(PipelineConfigError, match=r"model\.faster_rcnn\.first_stage_max_proposals is missing"):
            _ = PipelineConfig.parse(SSD).first_stage_max_proposals

    def test_efficientdet(self):
        """A bidirectional pyramid makes an EfficientDet."""
        config = PipelineConfig.parse(
            'model { ssd { feature_extractor { type: "ssd_efficientnet-b0_bifpn_keras" bifpn { max_level: 6 } } } }'
        )

        assert config.family == "efficientdet"
        assert (
            config.feature_extractor.feature_pyramid.min_level,
            config.feature_extractor.feature_pyramid.max_level,
            config.feature_extractor.feature_pyramid.bidirectional,
        ) == (3, 6, True)

    def test_quantization(self):
        """A graph rewriter with quantisation shows."""
        assert PipelineConfig.parse(SSD + "graph_rewriter { quantization { delay: 5 } }").has_quantization


class TestTwoStages:
    def test_values(self):
        """First and second stage are read, with the API's built-in box coder."""
        config = PipelineConfig.parse(FASTER)

        assert config.family == "faster_rcnn"
        assert KeepAspectRatioResizer(200, 400) == config.image_resizer
        assert GridAnchorGenerator(256, 256, 8, 8, scales=(0.25, 0.5), aspect_ratios=(1.0,)) == config.anchor_generator
        assert config.box_coder_scales == (10.0, 10.0, 5.0, 5.0)
        assert (config.first_stage_features_stride, config.first_stage_atrous_rate) == (8, 1)
        assert (0.0, f32(0.65)) == (config.first_stage_nms_score_threshold, config.first_stage_nms_iou_threshold)
        assert config.first_stage_max_proposals == 300
        assert (config.initial_crop_size, config.maxpool_kernel_size, config.maxpool_stride) == (17, 1, 1)
        assert config.score_converter == "SOFTMAX"
        assert MaskRcnnBoxPredictor() == config.box_predictor
        assert not config.share_box_across_classes
        assert not config.clip_anchors_to_image
        assert not config.use_matmul_crop_and_resize
        assert config.resize_masks
        assert config.add_background_class
        assert config.number_of_stages == 2

    def test_masks(self):
        """A mask head makes a Mask R-CNN."""
        config = PipelineConfig.parse(MASK)

        assert config.family == "mask_rcnn"
        assert (config.box_predictor.mask_height, config.box_predictor.mask_width) == (33, 15)
        assert config.share_box_across_classes

    def test_rfcn(self):
        """An R-FCN's predictor makes an R-FCN."""
        config = PipelineConfig.parse(RFCN)

        assert config.family == "rfcn"
        assert RfcnBoxPredictor(crop_height=18, crop_width=18) == config.rfcn_box_predictor

    def test_no_rfcn(self):
        """Asking a Faster R-CNN for an R-FCN's values names the key."""
        with pytest.raises(PipelineConfigError, match=r"second_stage_box_predictor\.rfcn_box_predictor is missing"):
            _ = PipelineConfig.parse(FASTER).rfcn_box_predictor

    @pytest.mark.parametrize("name", ["initial_crop_size", "maxpool_kernel_size", "maxpool_stride"])
    def test_missing(self, name):
        """Crop sizes have no default."""
        config = PipelineConfig.parse("model { faster_rcnn { } }")

        with pytest.raises(PipelineConfigError, match=rf"model\.faster_rcnn\.{name} is missing"):
            getattr(config, name)

    def test_first_stage_only(self):
        """2017's spelling of a lone first stage is understood."""
        config = PipelineConfig.parse("model { faster_rcnn { first_stage_only: true } }")

        assert config.number_of_stages == 1


class TestAnchorGenerators:
    def _read(self, text):
        return PipelineConfig.parse(f"model {{ ssd {{ anchor_generator {{ {text} }} }} }}").anchor_generator

    def test_multiscale(self):
        """RetinaNet's generator with its defaults."""
        assert MultiscaleAnchorGenerator(aspect_ratios=(1.0, 2.0)) == self._read(
            "multiscale_anchor_generator { aspect_ratios: [1.0, 2.0] }"
        )

    def test_flexible(self):
        """Every layer of the flexible generator is kept."""
        grid = AnchorGrid((8.0,), (1.0,), 4, 5, 1, 0)
        text = "anchor_grid { base_sizes: 8 aspect_ratios: 1 height_stride: 4 width_stride: 5 height_offset: 1 }"

        assert FlexibleGridAnchorGenerator((grid, grid), normalize_coordinates=False) == self._read(
            f"flexible_grid_anchor_generator {{ {text} {text} normalize_coordinates: false }}"
        )

    def test_strides(self):
        """Strides and offsets are pairs, a layer each."""
        generator = self._read(
            "ssd_anchor_generator { num_layers: 2 height_stride: [8, 16] width_stride: [9, 17]"
            " height_offset: [0, 1] width_offset: [2, 3] scales: [0.1, 0.2] }"
        )

        assert generator.anchor_strides == ((8, 9), (16, 17))
        assert generator.anchor_offsets == ((0, 2), (1, 3))
        assert isinstance(generator, SsdAnchorGenerator)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("ssd_anchor_generator { height_stride: 8 width_stride: 8 }", "for 1 layers, but has 6"),
            ("ssd_anchor_generator { num_layers: 1 }", "num_layers is 1, but has to be 2"),
            ("multiscale_anchor_generator { min_level: 8 }", r"min_level \(8\) is over"),
            ("", "model.ssd.anchor_generator names no anchor generator"),
        ],
    )
    def test_contradictions(self, text, message):
        """A generator that the API could not build is an error that says why."""
        with pytest.raises(PipelineConfigError, match=message):
            self._read(text)


class TestContradictions:
    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("num_classes", "num_classes: 0", "num_classes is 0"),
            (
                "post_processing",
                "post_processing { batch_non_max_suppression { iou_threshold: 1.5 } }",
                "iou_threshold",
            ),
            (
                "post_processing",
                "post_processing { batch_non_max_suppression { iou_threshold: nan } }",
                "iou_threshold",
            ),
            (
                "post_processing",
                "post_processing { batch_non_max_suppression { max_total_detections: 99 } }",
                r"max_detections_per_class \(100\) is over max_total_detections \(99\)",
            ),
            ("post_processing", "post_processing { logit_scale: 0 }", "logit_scale is 0"),
            ("post_processing", "post_processing { batch_non_max_suppression { soft_nms_sigma: -1 } }", "soft_nms"),
            ("box_coder_scales", "box_coder { square_box_coder { } }", "square_box_coder is not converted"),
            ("box_coder_scales", "box_coder { }", r"model\.ssd\.box_coder is missing"),
            ("box_coder_scales", "box_coder { faster_rcnn_box_coder { y_scale: 0 } }", "have to be positive"),
            ("image_resizer", "image_resizer { }", "names no resizer"),
            ("image_resizer", "image_resizer { fixed_shape_resizer { height: 0 } }", "height is 0"),
            (
                "image_resizer",
                "image_resizer { keep_aspect_ratio_resizer { min_dimension: 9 max_dimension: 8 } }",
                r"min_dimension \(9\) is over",
            ),
            ("box_predictor", "box_predictor { }", "names no box predictor"),
            (
                "box_predictor",
                "box_predictor { convolutional_box_predictor { box_code_size: 6 } }",
                "box_code_size is 6",
            ),
        ],
    )
    def test_refused(self, name, text, message):
        """What the API would refuse is refused, with key and value (CFG-11)."""
        config = PipelineConfig.parse(f"model {{ ssd {{ {text} }} }}")

        with pytest.raises(PipelineConfigError, match=message):
            getattr(config, name)


class TestReading:
    def test_file(self, tmp_path):
        """A file with a byte order mark and Windows line ends reads like any other."""
        path = tmp_path / "pipeline.config"
        path.write_bytes(b"\xef\xbb\xbf" + SSD.replace("\n", "\r\n").encode())

        config = PipelineConfig.read(path)

        assert config.num_classes == 3
        assert str(path) == config.where

    def test_last_scalar_wins(self):
        """A scalar given twice has its last value, as in the API's own reading."""
        assert PipelineConfig.parse("model { ssd { num_classes: 3 num_classes: 4 } }").num_classes == 4

    def test_last_of_oneof_wins(self):
        """Of two resizers the last one counts."""
        text = "model { ssd { image_resizer { fixed_shape_resizer { } identity_resizer { } } } }"

        assert IdentityResizer() == PipelineConfig.parse(text).image_resizer

    def test_unknown_is_skipped(self):
        """Fields, messages and extensions that the schema does not name are skipped."""
        text = """
          model { ssd { num_classes: 2 next_year { a: 1 b: [X, Y] c < d: 'e' > } } }
          [object_detection.protos.something.config] { speed: 3 }
        """

        assert PipelineConfig.parse(text).num_classes == 2

    def test_position(self):
        """What cannot be read is pointed at by line and column."""
        with pytest.raises(PipelineConfigError, match=r"my\.config, line 4, column \d+") as caught:
            PipelineConfig.parse("model {\n  ssd {\n    num_classes: 2\n    image_resizer = 4\n  }\n}", "my.config")

        assert caught.value.requirement == "CFG-11"

    @pytest.mark.parametrize(
        "text",
        [
            "model { ssd { num_classes: 'three' } }",
            "model { ssd { num_classes: 99999999999 } }",
            "model { ssd { post_processing { score_converter: SOFTPLUS } } }",
            "model { ssd {",
            "}",
            "model { ssd { image_resizer: 3 } }",
        ],
    )
    def test_wrong_text(self, text):
        """Wrong types, unknown enum values and open braces are errors with a place."""
        with pytest.raises(PipelineConfigError, match="line 1"):
            PipelineConfig.parse(text)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "model.ssd or model.faster_rcnn is missing"),
            ("train_config { batch_size: 1 }", "is missing"),
            ("model { center_net { num_classes: 3 } }", "model.center_net are not converted"),
            ("model { experimental_model { name: 'x' } }", "model.experimental_model"),
        ],
    )
    def test_no_detector(self, text, message):
        """A config of no model that is converted says so at once."""
        with pytest.raises(PipelineConfigError, match=message):
            PipelineConfig.parse(text)

    def test_what_has_no_equal_is_told_with_the_alternative(self):
        """CenterNet's and a keypoint coder's refusals say why, and that ovc converts them (CFG-11)."""
        with pytest.raises(PipelineConfigError, match=r"peaks of heat maps.*OpenVINO's own ovc"):
            PipelineConfig.parse("model { center_net { num_classes: 3 } }")
        keypoints = PipelineConfig.parse("model { ssd { box_coder { keypoint_box_coder { num_keypoints: 4 } } } }")
        with pytest.raises(PipelineConfigError, match=r"keypoint_box_coder is not converted.*ovc"):
            _ = keypoints.box_coder_scales

    def test_deep(self):
        """Braces nested beyond reason are an error, not a crash."""
        with pytest.raises(PipelineConfigError, match="nested too deeply"):
            PipelineConfig.parse("a {" * 100_000)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda path: None, "There is no such pipeline.config"),
            (lambda path: path.mkdir(), "It is a folder"),
            (lambda path: path.write_bytes(b"\x0a\xff\xfe\x00model"), "byte 1 is not UTF-8"),
            (lambda path: path.write_bytes(b" " * (5 << 20)), "too large"),
        ],
    )
    def test_no_such_file(self, tmp_path, make, message):
        """Missing, a folder, binary, or far too large: one clear error each."""
        path = tmp_path / "pipeline.config"
        make(path)

        with pytest.raises(PipelineConfigError, match=message):
            PipelineConfig.read(path)


class TestKeys:
    def test_value(self):
        """Any value can be had by its key: given, defaulted, lists and enums."""
        config = PipelineConfig.parse(SSD)

        assert config.value("model.ssd.num_classes") == 3
        assert config.value("model.ssd.post_processing.score_converter") == "SIGMOID"
        assert config.value("model.ssd.post_processing.batch_non_max_suppression.max_detections_per_class") == 100
        assert config.value("model.ssd.anchor_generator.ssd_anchor_generator.scales") == ()

    def test_has(self):
        """Whether the file itself says it is another question."""
        config = PipelineConfig.parse(SSD)

        assert config.has("model.ssd.num_classes")
        assert config.has("model.ssd.anchor_generator.ssd_anchor_generator.aspect_ratios")
        assert not config.has("model.ssd.anchor_generator.ssd_anchor_generator.scales")
        assert not config.has("model.ssd.post_processing.logit_scale")

    @pytest.mark.parametrize("key", ["model.ssd.nums", "nothing.at.all", "model.ssd.num_classes.x", "model.ssd", ""])
    def test_no_such_key(self, key):
        """A key that names no value is an error that repeats it."""
        with pytest.raises(PipelineConfigError, match="key"):
            PipelineConfig.parse(SSD).value(key)

    def test_neither_given_nor_defaulted(self):
        """A value without default that the file omits is missing."""
        with pytest.raises(PipelineConfigError, match=r"model\.ssd\.num_classes is missing"):
            PipelineConfig.parse("model { ssd {} }").value("model.ssd.num_classes")


class TestWeightShared:
    def test_values(self):
        """The weight-shared predictor's own converter and clipping are read."""
        config = PipelineConfig.parse(
            "model { ssd { box_predictor { weight_shared_convolutional_box_predictor {"
            " depth: 64 score_converter: SIGMOID box_encodings_clip_range { min: -10 max: 10 } } } } }"
        )

        assert (
            WeightSharedConvolutionalBoxPredictor(
                depth=64, score_converter="SIGMOID", box_encodings_clip_range=(-10.0, 10.0)
            )
            == config.box_predictor
        )


_PROPERTIES = [name for name in vars(PipelineConfig) if isinstance(getattr(PipelineConfig, name), property)] + [
    "image_resizer",
    "feature_extractor",
    "anchor_generator",
    "box_predictor",
    "post_processing",
    "box_coder_scales",
]


def _exercise(text: str) -> None:
    try:
        config = PipelineConfig.parse(text)
    except PipelineConfigError:
        return
    for name in _PROPERTIES:
        with contextlib.suppress(PipelineConfigError):
            getattr(config, name)


class TestFuzz:
    @given(st.text(max_size=200))
    def test_any_text(self, text):
        """Any text is a config or a PipelineConfigError, never another exception."""
        _exercise(text)

    @given(
        st.sampled_from([SSD, FASTER, MASK, RFCN]),
        st.lists(
            st.tuples(
                st.floats(0, 1),
                st.integers(0, 12),
                st.sampled_from(["", "}", "{", ":", "-1", "1e99", "nan", '"', "'", "[", "]", "<", "\\", "0x7", "#"])
                | st.text(max_size=4),
            ),
            min_size=1,
            max_size=4,
        ),
    )
    @settings(max_examples=300, deadline=None)
    def test_damaged(self, text, edits):
        """A config with pieces cut out and put in is a config or a PipelineConfigError."""
        for where, length, piece in edits:
            start = int(where * len(text))
            text = text[:start] + piece + text[start + length :]
        _exercise(text)

    @given(st.binary(max_size=300))
    def test_any_bytes(self, tmp_path_factory, data):
        """Any file is a config or a PipelineConfigError."""
        path = tmp_path_factory.mktemp("fuzz") / "pipeline.config"
        path.write_bytes(data)
        with contextlib.suppress(PipelineConfigError):
            PipelineConfig.read(path)


@pytest.mark.zoo
class TestZoo:
    @pytest.mark.parametrize(
        ("folder", "family", "classes"),
        [
            ("ssd_mobilenet_v2_coco_2018_03_29", "ssd", 1),
            ("ssdlite_mobilenet_v2_tf1.14", "ssd", 6),
            ("ssd_mobilenet_v1_0.75_quantized_tf1.12", "ssd", 1),
            ("faster_rcnn_inception_v2_tf1.8", "faster_rcnn", 6),
            ("mask_rcnn_inception_v2_tf1.14", "mask_rcnn", 1),
        ],
    )
    def test_read(self, folder, family, classes):
        """Real files of all eras are read, training sections and all."""
        config = PipelineConfig.read(_zoo() / folder / "pipeline.config")

        assert (family, classes) == (config.family, config.num_classes)
        assert config.image_resizer
        assert config.anchor_generator
        assert config.box_predictor
        assert config.post_processing.max_detections_per_class == 100
        assert config.has_quantization == ("quantized" in folder)
