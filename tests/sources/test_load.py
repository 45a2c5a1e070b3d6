from __future__ import annotations

import contextlib
import os
import shutil
import time
import tracemalloc
from pathlib import Path

import numpy as np
import openvino
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto import graph_pb2, meta_graph_pb2
from tensorboard.util import tensor_util

from harness.errors import SourceError, UsageError
from harness.sources.load import load_graph


def _run(graph_def, folder, feeds):
    """What OpenVINO answers for the graph, by the output's node name."""
    path = folder / "graph.pb"
    path.write_bytes(graph_def.SerializeToString())
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return list(compiled(feeds).values())


def _structure(graph_def):
    """Everything of a graph but constants' values and what only orders: name -> (op, data inputs)."""
    return {node.name: (node.op, [name for name in node.input if name[0] != "^"]) for node in graph_def.node}


def _constants(graph_def):
    """Type, shape and bytes of every constant, however its values are written."""
    found = {}
    for node in graph_def.node:
        if node.op == "Const":
            tensor = node.attr["value"].tensor
            assert tensor.HasField("tensor_shape"), node.name
            shape = tuple(size.size for size in tensor.tensor_shape.dim)
            content = tensor.tensor_content
            if tensor.half_val:
                content = np.broadcast_to(np.array(tensor.half_val, np.uint16), shape).tobytes()
            elif not content:
                content = tensor_util.make_ndarray(tensor).tobytes()
            found[node.name] = (tensor.dtype, shape, content)
    return found


FORMS = {
    "frozen": ("{}.frozen.pb", None, None),
    "text": ("{}.frozen.pbtxt", "frozen_text", None),
    "checkpoint": ("{}.graph.pb", None, "{}"),
    "text checkpoint": ("{}.graph.pbtxt", "checkpoint", "{}"),
    "text with checkpoint": ("{}.graph.pbtxt", "frozen_text", "{}.index"),
    "MetaGraph": ("{}.meta", None, None),
    "SavedModel": ("{}.saved_model", None, None),
}


def _load(folder, kind, form, **options):
    path, said, checkpoint = FORMS[form]
    prefix = None if checkpoint is None else folder / checkpoint.format(kind)
    return load_graph(folder / path.format(kind), said, prefix, **options)


class TestForms:
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("kind", ["ref.ckpt", "resource.ckpt"])
    def test_same_graph(self, made, kind, form):
        """Every form gives the very graph that TensorFlow's own freezing gives (SRC-1 to SRC-5)."""
        expected = graph_pb2.GraphDef.FromString((made / f"{kind}.frozen.pb").read_bytes())
        loaded = _load(made, kind, form)

        assert _structure(loaded.graph_def) == _structure(expected)
        assert _constants(loaded.graph_def) == _constants(expected)
        assert loaded.source.producer == expected.versions.producer > 0

    @pytest.mark.parametrize("kind", ["ref.ckpt", "resource.ckpt"])
    def test_same_answers(self, made, tmp_path, kind):
        """What was frozen here answers as TensorFlow does with its variables."""
        values = np.load(made / f"{kind}.values.npz")
        graph = _load(made, kind, "MetaGraph").graph_def

        (boxes,) = _run(graph, tmp_path, {"image_tensor:0": values["image"]})

        assert np.abs(values["boxes"]).max() > 1
        np.testing.assert_allclose(boxes, values["boxes"], rtol=1e-4, atol=1e-4)

    def test_facts(self, made):
        """The source says what was read, and from which TensorFlow."""
        source = _load(made, "ref.ckpt", "MetaGraph").source

        assert source.format == "meta_graph"
        assert [path.name for path in source.files] == [
            "ref.ckpt.meta",
            "ref.ckpt.index",
            "ref.ckpt.data-00000-of-00001",
        ]
        assert source.tensorflow_version.startswith("2.")
        assert source.frozen_variables == 9

    def test_digest(self, made, tmp_path):
        """The content hash follows the content, not the name."""
        for name in ("a.pb", "b.pb"):
            shutil.copy(made / "ref.ckpt.frozen.pb", tmp_path / name)
        shutil.copy(made / "resource.ckpt.frozen.pb", tmp_path / "c.pb")
        first, second, third = (load_graph(tmp_path / name).source.digest for name in ("a.pb", "b.pb", "c.pb"))

        assert first == second != third

    def test_outputs(self, made):
        """Outputs that are named win, and nothing else is kept."""
        loaded = _load(made, "ref.ckpt", "frozen", outputs=["net/bias/read"])

        assert [node.name for node in loaded.graph_def.node] == ["net/bias", "net/bias/read"]
        assert loaded.outputs == ("net/bias/read",)

    @pytest.mark.parametrize("form", ["frozen", "checkpoint", "SavedModel"])
    def test_no_such_output(self, made, form):
        """An output that the graph lacks is named."""
        with pytest.raises(SourceError, match="no node 'nothing'"):
            _load(made, "ref.ckpt", form, outputs=["nothing"])

    def test_newer_producer(self, made, tmp_path):
        """A graph of a producer that nobody knows yet is read."""
        graph = graph_pb2.GraphDef.FromString((made / "ref.ckpt.frozen.pb").read_bytes())
        graph.versions.producer = 999999
        (tmp_path / "new.pb").write_bytes(graph.SerializeToString())

        assert load_graph(tmp_path / "new.pb").source.producer == 999999


class TestResources:
    def test_loop(self, made, tmp_path):
        """Handles that enter a loop or are gathered from are frozen as well."""
        values = np.load(made / "loop.values.npz")
        graph = load_graph(made / "loop.meta", outputs=["answer"]).graph_def

        assert {"VarHandleOp", "ReadVariableOp", "ResourceGather"}.isdisjoint(node.op for node in graph.node)
        (answer,) = _run(graph, tmp_path, {"start:0": np.array([1.0, -1.0], np.float32)})
        np.testing.assert_allclose(answer, values["answer"], rtol=1e-6)

    def test_mutating(self, made):
        """An answer that changes a variable is an error that names node and variable."""
        with pytest.raises(SourceError, match=r"'AssignAdd' \(AssignAdd\) uses variable 'count'"):
            load_graph(made / "mutating.meta")


class TestSavedModel:
    def test_tags(self, made):
        """Of several MetaGraphs the one with exactly these tags is read, in any order (SRC-6)."""
        folder = made / "ref.ckpt.saved_model"

        assert load_graph(folder, tags="gpu, serve").source.tags == ("gpu", "serve")
        assert load_graph(folder, tags="serve").source.tags == ("serve",)
        assert load_graph(folder).source.tags == ("serve",)

    @pytest.mark.parametrize("tags", ["gpu", "serve,gpu,tpu", ""])
    def test_wrong_tags(self, made, tags):
        """Tags that do not match all of a MetaGraph's are an error that lists what there is."""
        with pytest.raises(SourceError, match=r"it has: serve; gpu,serve"):
            load_graph(made / "ref.ckpt.saved_model", tags=tags)

    def test_tags_elsewhere(self, made):
        """Tags for anything else are a usage error."""
        with pytest.raises(UsageError, match="Tags pick a MetaGraph of a SavedModel"):
            load_graph(made / "ref.ckpt.meta", tags="serve")

    def test_no_variables(self, made, tmp_path):
        """A SavedModel whose variables are missing names the file."""
        folder = tmp_path / "saved_model"
        folder.mkdir()
        shutil.copy(made / "ref.ckpt.saved_model" / "saved_model.pb", folder)

        with pytest.raises(SourceError, match=r"index does not exist.*variables\.index"):
            load_graph(folder)

    def test_text(self, tmp_path):
        """A SavedModel in text is named as such."""
        (tmp_path / "saved_model.pbtxt").write_text("saved_model_schema_version: 1")

        with pytest.raises(SourceError, match="written as text"):
            load_graph(tmp_path)

    def test_damaged(self, made, tmp_path):
        """A truncated SavedModel is an error."""
        data = (made / "ref.ckpt.saved_model" / "saved_model.pb").read_bytes()
        (tmp_path / "saved_model.pb").write_bytes(data[:-7])

        with pytest.raises(SourceError, match="truncated"):
            load_graph(tmp_path)


class TestMissingTensors:
    def test_named(self, made, tmp_path):
        """The tensors that a checkpoint lacks are named, all of them counted (SRC-8)."""
        for path in made.glob("sharded.*"):
            shutil.copy(path, tmp_path)

        with pytest.raises(
            SourceError, match=r"lacks 9 of the tensors that the graph needs: 'net/weights'.* and 4 more"
        ):
            load_graph(made / "ref.ckpt.meta", checkpoint=tmp_path / "sharded")

    def test_other_shape(self, made, tmp_path):
        """A tensor of another shape is an error with both shapes."""
        graph = meta_graph_pb2.MetaGraphDef.FromString((made / "ref.ckpt.meta").read_bytes())
        for node in graph.graph_def.node:
            if node.name == "net/bias":
                node.attr["shape"].shape.dim[0].size = 5
        (tmp_path / "changed.meta").write_bytes(graph.SerializeToString())

        with pytest.raises(SourceError, match=r"'net/bias' is float \[5\], but .* is float \[4\]"):
            load_graph(tmp_path / "changed.meta", checkpoint=made / "ref.ckpt")

    def test_other_type(self, made, tmp_path):
        """So is one of another type."""
        graph = meta_graph_pb2.MetaGraphDef.FromString((made / "ref.ckpt.meta").read_bytes())
        for node in graph.graph_def.node:
            if node.name == "net/bias":
                node.attr["dtype"].type = 2
        (tmp_path / "changed.meta").write_bytes(graph.SerializeToString())

        with pytest.raises(SourceError, match=r"'net/bias' is double \[4\], but .* is float \[4\]"):
            load_graph(tmp_path / "changed.meta", checkpoint=made / "ref.ckpt")

    def test_unused_may_miss(self, made, tmp_path):
        """A variable that no output needs may be missing from the checkpoint."""
        graph = meta_graph_pb2.MetaGraphDef.FromString((made / "ref.ckpt.meta").read_bytes())
        graph.graph_def.node.add(name="lonely", op="VariableV2")
        (tmp_path / "more.meta").write_bytes(graph.SerializeToString())

        assert load_graph(tmp_path / "more.meta", checkpoint=made / "ref.ckpt").source.frozen_variables == 9


class TestWrongFiles:
    @pytest.mark.parametrize(
        ("said", "make", "message"),
        [
            (None, lambda p, m: None, "graph does not exist"),
            (None, lambda p, m: p.write_bytes(b""), "graph is empty"),
            (None, lambda p, m: p.write_bytes(b"\x00\x01\x02 nonsense \xff" * 9), "not a TensorFlow graph"),
            (None, lambda p, m: p.write_text("model { ssd { } }"), "text, not a binary TensorFlow graph"),
            (None, lambda p, m: p.write_text("version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer"),
            (None, lambda p, m: shutil.copy(m / "ref.ckpt.frozen.pbtxt", p), "graph is text, but it is read as binary"),
            (None, lambda p, m: shutil.copy(m / "ref.ckpt.meta", p), "file is a MetaGraph"),
            (None, lambda p, m: shutil.copy(m / "ref.ckpt.saved_model/saved_model.pb", p), "file is a SavedModel"),
            (None, lambda p, m: shutil.copy(m / "ref.ckpt.graph.pb", p), "not frozen: it has 11 variables"),
            ("frozen", lambda p, m: p.mkdir(), "is a folder"),
            (None, lambda p, m: p.mkdir(), "is no SavedModel"),
            ("saved_model", lambda p, m: None, "SavedModel does not exist"),
            ("frozen_text", lambda p, m: shutil.copy(m / "ref.ckpt.frozen.pb", p), "said to be text, but the file is"),
            ("frozen_text", lambda p, m: p.write_text("node {\n  name 'a'\n}"), "line 2, column"),
            ("frozen_text", lambda p, m: p.write_text("versions { }"), "without a single node"),
            ("frozen_text", lambda p, m: p.write_bytes(b"node { name: '\xff' }"), "not UTF-8"),
            ("frozen_text", lambda p, m: p.write_text("library { " * 50000), "not a graph"),
            ("meta_graph", lambda p, m: shutil.copy(m / "ref.ckpt.frozen.pb", p), "not a MetaGraph"),
            ("meta_graph", lambda p, m: p.write_text("meta_info_def { }"), "It is text"),
            ("meta_graph", lambda p, m: p.write_bytes((m / "ref.ckpt.meta").read_bytes()[:-9]), "truncated"),
        ],
    )
    def test_one_clear_error(self, made, tmp_path, said, make, message):
        """Whatever a file is instead of the model is one SourceError that says so and names it."""
        path = tmp_path / "model.pb"
        make(path, made)

        with pytest.raises(SourceError, match=message) as caught:
            load_graph(path, said)

        assert str(path) in str(caught.value)

    def test_truncated(self, made, tmp_path):
        """A frozen graph cut anywhere is an error, or every node that is left is whole."""
        data = (made / "ref.ckpt.frozen.pb").read_bytes()
        path = tmp_path / "model.pb"
        refused = 0
        for keep in range(1, len(data), 97):
            path.write_bytes(data[:keep])
            try:
                load_graph(path)
            except SourceError:
                refused += 1

        assert refused >= len(range(1, len(data), 97)) - 3

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda graph: graph.node.add(name="x", op="Identity", input=["nobody"]), "'x' reads 'nobody'"),
            (lambda graph: graph.node.add(name="net/bias", op="Const"), "two nodes are named 'net/bias'"),
            (lambda graph: graph.node.add(name="x"), "node 'x' has no op"),
            (lambda graph: graph.node.add(op="Const"), "has no name"),
        ],
    )
    def test_broken_graph(self, made, tmp_path, change, message):
        """A graph that is not sound names the node."""
        graph = graph_pb2.GraphDef.FromString((made / "ref.ckpt.frozen.pb").read_bytes())
        change(graph)
        (tmp_path / "broken.pb").write_bytes(graph.SerializeToString())

        with pytest.raises(SourceError, match=message):
            load_graph(tmp_path / "broken.pb")

    def test_permission(self, made, tmp_path, monkeypatch):
        """A file that may not be read says so."""
        path = shutil.copy(made / "ref.ckpt.frozen.pb", tmp_path / "model.pb")

        def refuse(self):
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(SourceError, match="cannot be read: Permission denied"):
            load_graph(path)

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
    def test_real_permission(self, made, tmp_path):
        """So does one on a real file system."""
        path = Path(shutil.copy(made / "ref.ckpt.frozen.pb", tmp_path / "model.pb"))
        path.chmod(0)

        with pytest.raises(SourceError, match="cannot be read"):
            load_graph(path)

    def test_too_large(self, tmp_path):
        """A file beyond what protobuf can hold is refused before it is read."""
        path = tmp_path / "huge.pb"
        with path.open("wb") as file:
            file.truncate(1 << 31)

        with pytest.raises(SourceError, match="cannot be that long"):
            load_graph(path)

    def test_no_checkpoint(self, made):
        """An inference graph without a checkpoint asks for it."""
        with pytest.raises(UsageError, match="needs a checkpoint"):
            load_graph(made / "ref.ckpt.graph.pb", "checkpoint")

    @pytest.mark.parametrize("name", ["ref.ckpt.index", "ref.ckpt.data-00000-of-00001"])
    def test_checkpoint_as_graph(self, made, name):
        """A checkpoint's own file holds no graph."""
        with pytest.raises(SourceError, match="holds no graph"):
            load_graph(made / name)

    def test_unknown_format(self, made):
        """A format that does not exist lists those that do."""
        with pytest.raises(UsageError, match="frozen, frozen_text, checkpoint, meta_graph, saved_model"):
            load_graph(made / "ref.ckpt.frozen.pb", "onnx")


class TestFuzz:
    @given(st.binary(max_size=400), st.sampled_from([None, "frozen_text", "meta_graph"]))
    @settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_bytes(self, tmp_path, data, said):
        """Any bytes are a graph or a SourceError."""
        path = tmp_path / "model.pb"
        path.write_bytes(data)
        with contextlib.suppress(SourceError):
            load_graph(path, said)

    @given(
        st.sampled_from(["ref.ckpt.frozen.pb", "ref.ckpt.meta", "ref.ckpt.index", "ref.ckpt.data-00000-of-00001"]),
        st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=3),
    )
    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_damaged(self, made, tmp_path, victim, edits):
        """Bytes changed, lost or added in any file of a model: it is read or a SourceError, in little memory."""
        for name in ("ref.ckpt.frozen.pb", "ref.ckpt.meta", "ref.ckpt.index", "ref.ckpt.data-00000-of-00001"):
            data = (made / name).read_bytes()
            if name == victim:
                for where, length, piece in edits:
                    start = int(where * len(data))
                    data = data[:start] + piece + data[start + length :]
            (tmp_path / name).write_bytes(data)
        tracemalloc.start()
        try:
            for name in ("ref.ckpt.frozen.pb", "ref.ckpt.meta"):
                with contextlib.suppress(SourceError):
                    load_graph(tmp_path / name)
            assert tracemalloc.get_traced_memory()[1] < 100 << 20
        finally:
            tracemalloc.stop()


class TestSpeed:
    def test_large(self, tmp_path):
        """A frozen graph of 70 MB is read in well under a second."""
        graph = graph_pb2.GraphDef()
        for index in range(8000):
            node = graph.node.add(name=f"scope/node_{index}", op="Const")
            node.attr["value"].tensor.tensor_content = bytes(8750)
        path = tmp_path / "large.pb"
        path.write_bytes(graph.SerializeToString())
        assert path.stat().st_size > 70_000_000

        best = min(_timed(path) for _ in range(3))

        assert best < 0.8


def _timed(path):
    start = time.perf_counter()
    load_graph(path)
    return time.perf_counter() - start


@pytest.mark.zoo
class TestZoo:
    @pytest.mark.parametrize(
        ("folder", "lost"),
        [
            ("faster_rcnn_inception_v2_tf1.8", "model.ckpt.data-00000-of-00001"),
            ("mask_rcnn_inception_v2_tf1.14", "model.ckpt.data-00000-of-00001"),
            ("ssd_mobilenet_v1_0.75_quantized_tf1.12", "model.ckpt.data-00000-of-00001"),
            ("ssd_mobilenet_v2_coco_2018_03_29", "model.ckpt.data-00000-of-00001"),
            ("ssdlite_mobilenet_v2_tf1.14", "model.ckpt.index"),
        ],
    )
    def test_without_weights(self, zoo, folder, lost):
        """MetaGraphs without weights say which file is missing (SRC-4)."""
        with pytest.raises(SourceError, match=rf"does not exist.*{lost}"):
            load_graph(zoo / folder / "model.ckpt.meta")

    def test_frozen(self, zoo):
        """A real frozen graph of 2017 is read as it is."""
        loaded = load_graph(zoo / "aiy_ssd_mobilenet_v1_person_cat_dog" / "frozen_inference_graph.pb")

        assert len(loaded.graph_def.node) == 2012
        assert loaded.outputs == ()
