from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image
from tensorboard.compat.proto import graph_pb2, meta_graph_pb2

from harness.cases import discover
from harness.cases.model_directory import read_model_directory
from harness.errors import CaseError, UsageError

CONFIG = """
model { ssd {
  num_classes: 2
  image_resizer { fixed_shape_resizer { height: 40 width: 60 } }
  feature_extractor { type: "ssd_mobilenet_v2" use_depthwise: true }
  post_processing { score_converter: SIGMOID }
} }
"""
NAMES = ("image_tensor", "Postprocessor/scale_logits", "Postprocessor/ToFloat", "detection_boxes")


def _graph(names=NAMES, size=None):
    graph = graph_pb2.GraphDef()
    for name in names:
        node = graph.node.add(name=name, op="Placeholder" if name == "image_tensor" else "Identity")
        if name == "image_tensor" and size:
            for side in (1, *size, 3):
                node.attr["shape"].shape.dim.add(size=side)
    return graph


def _model(folder, *, config=CONFIG, names=NAMES, size=None):
    folder.mkdir(parents=True)
    if config is not None:
        (folder / "pipeline.config").write_text(config)
    (folder / "frozen_inference_graph.pb").write_bytes(_graph(names, size).SerializeToString())
    return folder


def _all_forms(folder):
    _model(folder)
    (folder / "graph.pbtxt").write_text(str(_graph()))
    meta_graph = meta_graph_pb2.MetaGraphDef(graph_def=_graph())
    (folder / "model.ckpt.meta").write_bytes(meta_graph.SerializeToString())
    for name in ("model.ckpt.index", "model.ckpt.data-00000-of-00001", "checkpoint", "frozen_inference_graph.pbtxt"):
        (folder / name).write_bytes(b"")
    (folder / "saved_model").mkdir()
    (folder / "saved_model" / "saved_model.pb").write_bytes(b"")
    return folder


class TestReadModelDirectory:
    def test_frozen(self, tmp_path):
        """A frozen graph with its config is one case, told by its structure."""
        folder = _model(tmp_path / "my_ssd")

        (case,) = read_model_directory(folder)

        assert (case.name, case.family, case.era, case.origin) == ("my_ssd", "ssd", "1.13", "user")
        assert (case.model_format, case.model_path.name) == ("frozen", "frozen_inference_graph.pb")
        assert case.pipeline_config == folder / "pipeline.config"
        assert case.traits == {"sigmoid", "depthwise"}
        assert [scene.pixels().shape for scene in case.scenes] == [(40, 60, 3)] * 4

    def test_forms(self, tmp_path):
        """Every form is a case of its own, the frozen graph first."""
        folder = _all_forms(tmp_path / "m")

        cases = read_model_directory(folder)

        assert [(case.name, case.model_format, case.model_path.name) for case in cases] == [
            ("m", "frozen", "frozen_inference_graph.pb"),
            ("m@frozen_text", "frozen_text", "frozen_inference_graph.pbtxt"),
            ("m@checkpoint", "checkpoint", "graph.pbtxt"),
            ("m@meta_graph", "meta_graph", "model.ckpt.meta"),
            ("m@saved_model", "saved_model", "saved_model"),
        ]
        assert [case.checkpoint for case in cases] == [None, None, folder / "model.ckpt", None, None]
        assert len({(case.family, case.era, case.scenes) for case in cases}) == 1

    def test_steps(self, tmp_path):
        """Of several checkpoints of training the last one counts."""
        folder = tmp_path / "m"
        folder.mkdir()
        for step in (900, 1000, 99):
            (folder / f"model.ckpt-{step}.meta").write_bytes(b"")

        (case,) = read_model_directory(folder)

        assert case.model_path.name == "model.ckpt-1000.meta"

    def test_meta_graph_only(self, tmp_path):
        """A MetaGraph is read for its structure as well."""
        folder = _all_forms(tmp_path / "m")
        for name in ("frozen_inference_graph.pb", "frozen_inference_graph.pbtxt", "graph.pbtxt"):
            (folder / name).unlink()
        shutil.rmtree(folder / "saved_model")

        (case,) = read_model_directory(folder)

        assert (case.name, case.family, case.era) == ("m@meta_graph", "ssd", "1.13")

    def test_text_only(self, tmp_path):
        """So is a text graph."""
        folder = _all_forms(tmp_path / "m")
        for name in ("frozen_inference_graph.pb", "frozen_inference_graph.pbtxt"):
            (folder / name).unlink()

        assert read_model_directory(folder)[0].era == "1.13"

    def test_images(self, tmp_path):
        """The user's pictures are resized to the model's own size, once and without loss (VAL-1)."""
        folder = _model(tmp_path / "m")
        (folder / "images").mkdir()
        pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / "right.png")
        Image.fromarray(pixels[:, :50]).save(folder / "images" / "wrong.png")

        (case,) = read_model_directory(folder)

        assert [scene.name for scene in case.scenes] == ["right", "wrong"]
        np.testing.assert_array_equal(case.scenes[0].pixels(), pixels)
        assert case.scenes[1].pixels().shape == (40, 60, 3)

    @pytest.mark.parametrize(
        ("resizer", "size"),
        [
            ("keep_aspect_ratio_resizer { min_dimension: 48 max_dimension: 80 }", (48, 48)),
            ("keep_aspect_ratio_resizer { min_dimension: 48 max_dimension: 80 pad_to_max_dimension: true }", (80, 80)),
            ("identity_resizer { }", (72, 36)),
        ],
    )
    def test_sizes(self, tmp_path, resizer, size):
        """The size is what the resizer implies, else what the graph fixes."""
        config = CONFIG.replace("fixed_shape_resizer { height: 40 width: 60 }", resizer)

        (case,) = read_model_directory(_model(tmp_path / "m", config=config, size=(72, 36)))

        assert case.scenes[0].pixels().shape == (*size, 3)
        assert ("keep_aspect_ratio" in case.traits) == ("keep" in resizer)

    def test_no_config(self, tmp_path):
        """Without a config the graph's own fixed size is taken."""
        (case,) = read_model_directory(_model(tmp_path / "m", config=None, size=(50, 70)))

        assert case.pipeline_config is None
        assert case.scenes[0].pixels().shape == (50, 70, 3)

    def test_graph_wins(self, tmp_path):
        """Where config and graph name different families, the case is what the graph is (CFG-11 will say so)."""
        (case,) = read_model_directory(
            _model(tmp_path / "m", names=("FirstStageBoxPredictor/x", "SecondStagePostprocessor/x"))
        )

        assert case.family == "faster_rcnn"

    @pytest.mark.parametrize("damage", ["graph", "config", "both"])
    def test_damaged(self, tmp_path, damage):
        """A model that cannot be read is still a case: converting it will say what is wrong."""
        folder = _model(tmp_path / "m", config="model {" if damage != "graph" else CONFIG)
        if damage != "config":
            (folder / "frozen_inference_graph.pb").write_bytes(b"\xff" * 50)

        (case,) = read_model_directory(folder)

        assert case.family == ("other" if damage == "both" else "ssd")
        assert case.pipeline_config == folder / "pipeline.config"
        assert case.scenes

    def test_model_missing(self, tmp_path):
        """So is a config without a model: nothing that a user brought is passed over in silence."""
        folder = tmp_path / "m"
        folder.mkdir()
        (folder / "pipeline.config").write_text(CONFIG)

        (case,) = read_model_directory(folder)

        assert (case.family, case.era) == ("ssd", "")
        assert case.model_path == folder / "frozen_inference_graph.pb"

    def test_nothing(self, tmp_path):
        """A folder without any of it is an error that lists what there may be."""
        with pytest.raises(CaseError, match=r"holds no model.*frozen_inference_graph\.pb"):
            read_model_directory(tmp_path)

    def test_bad_picture(self, tmp_path):
        """A picture that cannot be read is an error that names it."""
        folder = _model(tmp_path / "m")
        (folder / "images").mkdir()
        (folder / "images" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")

        with pytest.raises(CaseError, match=r"cannot be read.*broken\.jpg"):
            read_model_directory(folder)


class TestDiscover:
    def test_folder_of_models(self, tmp_path):
        """Every folder with a model is found, by name; folders without are passed over."""
        for name in ("b", "a", ".cache"):
            _model(tmp_path / name)
        (tmp_path / "images").mkdir()
        (tmp_path / "notes.txt").write_text("x")

        assert [case.name for case in discover(tmp_path)] == ["a", "b"]

    def test_one_model(self, tmp_path):
        """A model's own folder will do as well."""
        assert [case.name for case in discover(_model(tmp_path / "m"))] == ["m"]

    def test_empty(self, tmp_path):
        """A folder without models has no cases."""
        assert discover(tmp_path) == []

    @pytest.mark.parametrize(("name", "message"), [("nowhere", "no such folder"), ("file", "is a file")])
    def test_no_folder(self, tmp_path, name, message):
        """What is no folder is a usage error."""
        (tmp_path / "file").write_text("")

        with pytest.raises(UsageError, match=message):
            discover(tmp_path / name)


@pytest.mark.zoo
class TestZoo:
    def test_all(self, shared):
        """All models of the zoo are found as they lie."""
        cases = {case.name: case for case in discover(shared / "zoo")}

        assert sorted(cases) == [
            "aiy_ssd_mobilenet_v1_person_cat_dog",
            "faster_rcnn_inception_v2_tf1.8@meta_graph",
            "mask_rcnn_inception_v2_tf1.14@meta_graph",
            "ssd_mobilenet_v1_0.75_quantized_tf1.12@meta_graph",
            "ssd_mobilenet_v2_coco_2018_03_29@meta_graph",
            "ssdlite_mobilenet_v2_tf1.14@meta_graph",
        ]
        sizes = {name: case.scenes[0].pixels().shape[:2] for name, case in cases.items()}
        assert sizes["aiy_ssd_mobilenet_v1_person_cat_dog"] == (256, 256)
        assert sizes["mask_rcnn_inception_v2_tf1.14@meta_graph"] == (800, 800)
