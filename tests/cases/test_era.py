from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto import graph_pb2, meta_graph_pb2

from harness.cases.era import guess_structure

SSD = [
    "image_tensor",
    "Preprocessor/sub",
    "Postprocessor/Shape",
    "Postprocessor/Reshape_1",
    "Postprocessor/scale_logits",
]
TWO = ["image_tensor", "FirstStageBoxPredictor/Reshape/shape", "SecondStagePostprocessor/Reshape", "CropAndResize"]
SCOPED = [*TWO, "CropAndResize/CropAndResize", "map_1/TensorArrayStack/TensorArrayGatherV3", "concat", "concat_1"]
MAP_2 = [*SCOPED, "map_2/TensorArrayStack/TensorArrayGatherV3"]
SIX = [*MAP_2, "BatchMultiClassNonMaxSuppression/map/TensorArrayStack_5/TensorArrayGatherV3"]
JOINED = [*SIX, "concat/concat", "concat_1/concat"]
MASKS = ["BatchMultiClassNonMaxSuppression_1/map/TensorArrayStack/TensorArrayGatherV3", "detection_masks"]
RFCN = ["SecondStageBoxPredictor/class_predictions/Conv2D"]
RFCN_LOOP = [*RFCN, "SecondStageBoxPredictor/map/Shape", "SecondStageBoxPredictor/map_1/Shape"]


def _tf2(*names):
    return [f"StatefulPartitionedCall/{name}" for name in names]


class TestGuess:
    @pytest.mark.parametrize(
        ("names", "family", "era"),
        [
            ([*SSD, "Postprocessor/ToFloat"], "ssd", "1.13"),
            ([*SSD, "Postprocessor/Cast", "Postprocessor/Cast_1"], "ssd", "1.14"),
            ([*SSD, "Postprocessor/Cast", "Postprocessor/Cast_1", "Postprocessor/Tile_1"], "ssd", "1.15"),
            (SSD, "ssd", ""),
            (TWO, "faster_rcnn", "1.6"),
            ([*TWO, "concat", "concat_1"], "faster_rcnn", "1.7"),
            (SCOPED, "faster_rcnn", "1.10"),
            (MAP_2, "faster_rcnn", "1.13"),
            (SIX, "faster_rcnn", "1.14"),
            (JOINED, "faster_rcnn", "1.15"),
            ([*TWO, *MASKS], "mask_rcnn", "1.6"),
            ([*TWO, "CropAndResize_1", "concat", "concat_1"], "mask_rcnn", "1.7"),
            ([*SCOPED, *MASKS], "mask_rcnn", "1.11"),
            ([*MAP_2, *MASKS], "mask_rcnn", "1.13"),
            ([*SIX, *MASKS], "mask_rcnn", "1.14"),
            ([*JOINED, *MASKS], "mask_rcnn", "1.15"),
            ([*TWO[:-1], *RFCN], "rfcn", "1.6"),
            ([*TWO[:-1], *RFCN_LOOP], "rfcn", "1.10"),
            ([*TWO[:-1], *RFCN_LOOP, MAP_2[-1]], "rfcn", "1.13"),
            ([*TWO[:-1], *RFCN_LOOP, MAP_2[-1], SIX[-1]], "rfcn", "1.14"),
            (_tf2(*SSD, "Preprocessor/unstack"), "ssd", "2.0"),
            (_tf2(*SSD, "map/TensorArrayUnstack/TensorListFromTensor"), "ssd", "2.4"),
            (["StatefulPartitionedCall", *SSD, "map/TensorArrayUnstack/TensorListFromTensor"], "ssd", "2.4"),
            (_tf2(*SSD, "EfficientDet-D0/model/x", "Preprocessor/stack"), "efficientdet", "2.0"),
            (_tf2(*TWO, "Preprocessor/stack"), "faster_rcnn", "2.0"),
            (
                _tf2(*TWO, "mask_rcnn_keras_box_predictor/mask_rcnn_mask_head/x/Conv", "map/TensorArrayUnstack/x"),
                "mask_rcnn",
                "2.4",
            ),
            (["input", "InceptionV1/Logits/Conv2d/BiasAdd"], "classifier", ""),
            (["input", "MobilenetV1/Logits/act_quant/FakeQuantWithMinMaxVars"], "quantized", ""),
            (["a", "b/c"], "other", ""),
            ([], "other", ""),
        ],
    )
    def test_names(self, names, family, era):
        """Family and era follow from the names that NAMES.md lists, and the guess says from which."""
        guess = guess_structure(names)

        assert (guess.family, guess.era) == (family, era)
        assert len(guess.evidence) == 1 + bool(era)

    def test_order(self):
        """The order of the names does not matter."""
        assert guess_structure(JOINED) == guess_structure(reversed(JOINED))

    def test_traits(self):
        """Traits are told as well."""
        names = [*SSD, "WeightSharedConvolutionalBoxPredictor_1/x", "MultiscaleGridAnchorGenerator/x", "a/FakeQuant"]

        assert guess_structure(names).traits == {"weight_shared", "fpn", "fake_quant"}
        assert guess_structure(_tf2(*SSD)).traits == {"tf2"}

    @given(st.lists(st.text(max_size=30), max_size=20))
    def test_any_names(self, names):
        """Any names give a guess."""
        assert guess_structure(names).family


@pytest.mark.zoo
class TestReal:
    @pytest.mark.parametrize(
        ("folder", "family", "era", "traits"),
        [
            ("ssd_mobilenet_v2_coco_2018_03_29", "ssd", "1.13", set()),
            ("ssd_mobilenet_v1_0.75_quantized_tf1.12", "ssd", "1.13", {"fake_quant"}),
            ("ssdlite_mobilenet_v2_tf1.14", "ssd", "1.15", set()),
            ("faster_rcnn_inception_v2_tf1.8", "faster_rcnn", "1.6", set()),
            ("mask_rcnn_inception_v2_tf1.14", "mask_rcnn", "1.14", set()),
        ],
    )
    def test_zoo(self, shared, folder, family, era, traits):
        """Real graphs of the zoo are told by structure, whatever their TensorFlow stamp."""
        data = (shared / "zoo" / folder / "model.ckpt.meta").read_bytes()
        graph = meta_graph_pb2.MetaGraphDef.FromString(data).graph_def

        guess = guess_structure(node.name for node in graph.node)

        assert (guess.family, guess.era, guess.traits) == (family, era, traits)

    def test_frozen(self, shared):
        """The oldest graph of all is an SSD."""
        path = shared / "zoo" / "aiy_ssd_mobilenet_v1_person_cat_dog" / "frozen_inference_graph.pb"
        guess = guess_structure(node.name for node in graph_pb2.GraphDef.FromString(path.read_bytes()).node)

        assert (guess.family, guess.era) == ("ssd", "1.13")

    @pytest.mark.parametrize(
        ("name", "family", "era"),
        [
            ("ssd_mobilenet_v1_fpn_2018-11", "ssd", "1.13"),
            ("mask_rcnn_resnet50_atrous_2018-11", "mask_rcnn", "1.11"),
            ("rfcn_resnet101_2018-11", "rfcn", "1.10"),
            ("tf2_efficientdet_d0_2021-07", "efficientdet", "2.4"),
            ("tf2_faster_rcnn_resnet50_2021-07", "faster_rcnn", "2.4"),
            ("tf2_ssd_mobilenet_v2_2021-07", "ssd", "2.4"),
            ("tf2_ssd_mobilenet_v2_fpnlite_2021-07", "ssd", "2.4"),
        ],
    )
    def test_listings(self, shared, name, family, era):
        """So are the listings of exported graphs, as far as they list what tells the era."""
        lines = (shared / "spec" / "graphs" / f"{name}.txt").read_text().splitlines()
        names = [line.partition(" | ")[0] for line in lines if not line.startswith("#")]

        guess = guess_structure(text.replace("SPC/", "StatefulPartitionedCall/") for text in names)

        assert (guess.family, guess.era) == (family, era)
