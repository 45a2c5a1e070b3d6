"""Both stages' heads, found by structure in graphs that real exporters wrote, and put together from what is fetched."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto import meta_graph_pb2

from harness.observation.detections import Answer, Detections, Heads
from harness.observation.two_stage import TwoStageHeads, join_two_stage, true_number
from harness.reference import store
from harness.reference.preprocessing import find_preprocessing
from harness.reference.two_stage import Decoder, TwoStageTensors, find_two_stage

ZOO = Path(os.environ.get("IRPROOF_SHARED", Path(__file__).parents[3] / "shared")) / "zoo"


def zoo_graph(name):
    (meta,) = (ZOO / name).rglob("model.ckpt.meta")
    message = meta_graph_pb2.MetaGraphDef()
    message.ParseFromString(meta.read_bytes())
    return message.graph_def


class TestFindTwoStage:
    @pytest.mark.zoo
    @pytest.mark.skipif(not ZOO.is_dir(), reason="there is no zoo; IRPROOF_SHARED names one")
    @pytest.mark.parametrize("name", ["faster_rcnn_inception_v2_tf1.8", "mask_rcnn_inception_v2_tf1.14"])
    def test_finds_every_head_of_real_graphs(self, name):
        """Proposals, both decoders with the coder's scales, both scores, and the ends of the Preprocessor."""
        graph = zoo_graph(name)
        found = find_two_stage(graph)
        assert found is not None
        assert found.first is not None
        assert found.second is not None
        assert found.first.scales == found.second.scales == (10.0, 10.0, 5.0, 5.0)
        assert found.first.encodings != found.second.encodings
        assert None not in (found.first_scores, found.second_scores)
        ends = find_preprocessing(graph)
        assert None not in (ends.resized, ends.image)
        assert (ends.sizes is None) == ("tf1.8" in name)

    @pytest.mark.zoo
    @pytest.mark.skipif(not ZOO.is_dir(), reason="there is no zoo; IRPROOF_SHARED names one")
    def test_an_ssd_has_none(self):
        """Without crops there are no two stages."""
        assert find_two_stage(zoo_graph("ssdlite_mobilenet_v2_tf1.14")) is None


class TestRead:
    def test_puts_heads_together(self):
        """Columns are unstacked, anchors in pixels become parts of the image, classes are no scores."""
        rng = np.random.default_rng(0)
        batch, anchors, count, classes = 2, 5, 3, 4
        decoder = Decoder("a:0", "b:0", 0, (10.0, 10.0, 5.0, 5.0))
        tensors = TwoStageTensors("p:0", ("k:0", "c:0", "n:0"), decoder, decoder, "s:0", "t:0")
        first = rng.normal(size=(4, batch * anchors)).astype(np.float32)
        second = rng.normal(size=(4, batch * count * classes)).astype(np.float32)
        pixels = np.tile(np.array([[0, 0, 20, 40]], np.float32), (batch * anchors, 1)).T
        scores = rng.uniform(0.1, 0.9, (batch, count)).astype(np.float32)
        given = {
            "proposals": np.zeros((batch, count, 4), np.float32),
            "first encodings": first,
            "first anchors": pixels,
            "first scores": np.zeros((batch, anchors, 2), np.float32),
            "second encodings": second,
            "second scores": np.zeros((batch * count, classes + 1), np.float32),
            "kept 0": np.zeros((batch, count), np.float32),
            "kept 1": scores,
            "kept 2": np.array([3, 1], np.int32),
        }
        heads = tensors.read({f"two stages {key}": value for key, value in given.items()}, (40, 80))
        assert np.array_equal(heads.first.box_encodings[1, 2, 0], first[:, anchors + 2])
        assert np.allclose(heads.first.anchors, [0, 0, 0.5, 0.5])
        assert np.array_equal(heads.box_encodings[1, 0, 2], second[:, (count + 0) * classes + 2])
        assert heads.class_scores.shape == (batch, count, classes + 1)
        assert heads.num_proposals.tolist() == [3, 1]
        assert np.array_equal(heads.proposal_scores, scores)
        assert np.allclose(heads.variances, [0.1, 0.1, 0.2, 0.2])


def some_heads(images=2):
    rng = np.random.default_rng(3)
    boxes = np.sort(rng.uniform(0, 1, (images, 4, 2, 2)), axis=2).reshape(images, 4, 4).astype(np.float32)
    boxes[:, 3] = 0
    return TwoStageHeads(
        first=Heads(rng.normal(size=(images, 6, 1, 4)), rng.uniform(size=(images, 6, 2)), np.ones((6, 4))),
        proposals=boxes,
        num_proposals=true_number(boxes),
        box_encodings=rng.normal(size=(images, 4, 2, 4)).astype(np.float32),
        class_scores=rng.uniform(size=(images, 4, 3)).astype(np.float32),
        variances=np.array([0.1, 0.1, 0.2, 0.2], np.float32),
    )


class TestTwoStageHeads:
    def test_padding_ends_the_proposals(self):
        """The first box without area ends them, whatever follows."""
        assert some_heads().num_proposals.tolist() == [3, 3]

    def test_padding_has_no_scores_in_the_second_stage(self):
        """What pads the proposals can become no detection."""
        second = some_heads().second()
        assert not second.class_scores[:, 3].any()
        assert second.class_scores[:, :3].all()
        assert second.variances.shape == (4, 4)

    def test_batches_join(self):
        """Batches go one behind the other, and what one lacks none has."""
        joined = join_two_stage([some_heads(2), some_heads(1)])
        assert joined.proposals.shape == (3, 4, 4)
        assert joined.first.box_encodings.shape == (3, 6, 1, 4)
        assert joined.proposal_scores is None
        assert join_two_stage([some_heads(), None]) is None

    def test_survives_the_store(self, tmp_path):
        """What is kept is read as it was."""
        image = Detections(np.ones((1, 4), np.float32), np.ones(1, np.float32), np.ones(1, np.int64))
        heads = some_heads(1)
        store.write(tmp_path / "kept", [Answer((image,), two_stage=heads), Answer((image,))], {}, {})
        (first, second), _, _ = store.read(tmp_path / "kept")
        assert second.two_stage is None
        assert np.array_equal(first.two_stage.proposals, heads.proposals)
        assert np.array_equal(first.two_stage.first.class_scores, heads.first.class_scores)
        assert first.two_stage.proposal_scores is None
