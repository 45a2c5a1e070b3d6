"""TF2 SavedModels: functions become one flat graph that answers as TensorFlow does."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto import graph_pb2, meta_graph_pb2

from harness.errors import SourceError
from harness.sources.functions import calls_functions, flatten
from harness.sources.load import load_graph
from harness.sources.saved_model import read_saved_model

_RUN = """
import os, sys, json
import numpy as np
import tensorflow as tf
graph_file, image_file, names = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
graph = tf.Graph()
with graph.as_default():
    tf.import_graph_def(tf.compat.v1.GraphDef.FromString(open(graph_file, "rb").read()), name="")
    with tf.compat.v1.Session(graph=graph) as session:
        found = session.run({key: name + ":0" for key, name in names.items()},
                            {"input_tensor:0": np.load(image_file)["image"]})
np.savez(sys.argv[4], **found)
"""


def _saved(made):
    return read_saved_model(made / "tf2.saved_model" / "saved_model.pb", None)


class TestFlatten:
    def test_names(self, made):
        """Nodes are named as TensorFlow's own freezing names them (variables' reads stay, as Identity nodes)."""
        expected = graph_pb2.GraphDef.FromString((made / "tf2.frozen.pb").read_bytes())
        frozen = load_graph(made / "tf2.saved_model").graph_def
        names = {node.name for node in frozen.node}

        # Nodes of no operation only order side effects; "Func/" are grappler's own Identity nodes at a call's border;
        # variables are called "unknown" there, and by their names here.
        by_grappler = {
            node.name
            for node in expected.node
            if node.op != "NoOp" and not node.name.startswith("Func/") and "unknown" not in node.name
        }

        assert "input_tensor" in names
        assert "StatefulPartitionedCall/map/TensorArrayV2Stack/TensorListStack" in names
        assert not any(node.op in {"StatefulPartitionedCall", "PartitionedCall", "VarHandleOp"} for node in frozen.node)
        assert len(by_grappler) > 50
        assert by_grappler - names == set()

    def test_answers(self, made, tmp_path):
        """The flat graph answers bit for bit as TensorFlow does through the SavedModel's signature (SRC-5)."""
        meta_graph = _saved(made)
        answers = flatten(meta_graph, made).answers
        (tmp_path / "graph.pb").write_bytes(load_graph(made / "tf2.saved_model").graph_def.SerializeToString())
        expected = np.load(made / "tf2.values.npz")
        command = [sys.executable, "-c", _RUN, str(tmp_path / "graph.pb"), str(made / "tf2.values.npz")]
        done = subprocess.run(
            [*command, json.dumps(dict(answers)), str(tmp_path / "found.npz")],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found = np.load(tmp_path / "found.npz")

        assert set(answers) == {"detection_classes", "detection_scores", "raw", "where"}
        assert len(expected["detection_scores"]) >= 3
        for name in answers:
            np.testing.assert_array_equal(found[name], expected[name])

    def test_library(self, made):
        """Functions of loops stay; those that were inlined, and those that save and restore, go."""
        frozen = load_graph(made / "tf2.saved_model").graph_def
        kept = {function.signature.name for function in frozen.library.function}

        assert kept
        assert not any("call" in name or "head" in name or "traced" in name for name in kept)

    def test_shared_weights(self, made):
        """A variable that is read at two places is one constant."""
        frozen = load_graph(made / "tf2.saved_model").graph_def
        constants = [node for node in frozen.node if node.op == "Const" and "kernel" in node.name]

        assert len(constants) == 1
        assert sum(constants[0].name in node.input for node in frozen.node) == 2

    def test_source(self, made):
        """The source tells files, TensorFlow's version and the number of variables frozen."""
        source = load_graph(made / "tf2.saved_model").source

        assert source.format == "saved_model"
        assert source.frozen_variables == 2
        assert len(source.files) == 3
        assert source.tensorflow_version.startswith("2.")

    def test_no_functions(self, made):
        """A TF1 SavedModel calls none."""
        graph = read_saved_model(made / "ref.ckpt.saved_model" / "saved_model.pb", "serve").graph_def

        assert not calls_functions(graph)


class TestErrors:
    def test_lost_function(self, made):
        """A function that the library lacks is named together with its caller."""
        meta_graph = _saved(made)
        library = meta_graph.graph_def.library.function
        kept = [function for function in library if "inference_head" not in function.signature.name]
        assert len(kept) < len(library)
        del library[:]
        library.extend(kept)

        with pytest.raises(SourceError, match=r"function '__inference_head_\d+', which node .* calls, is not in"):
            flatten(meta_graph, made)

    def test_recursion(self, made):
        """A function that calls itself is no endless loop."""
        meta_graph = _saved(made)
        for function in meta_graph.graph_def.library.function:
            for node in function.node_def:
                if node.op == "StatefulPartitionedCall":
                    node.attr["f"].func.name = function.signature.name

        with pytest.raises(SourceError, match="calls itself"):
            flatten(meta_graph, made)

    def test_unknown_op(self, made):
        """An op whose outputs the SavedModel does not describe is named, not guessed at."""
        meta_graph = _saved(made)
        ops = meta_graph.meta_info_def.stripped_op_list.op
        kept = [op for op in ops if op.name != "TopKV2"]
        del ops[:]
        ops.extend(kept)

        with pytest.raises(SourceError, match="does not describe op 'TopKV2'"):
            flatten(meta_graph, made)

    def test_no_signature(self, made):
        """Without a signature there is nothing to read."""
        meta_graph = _saved(made)
        meta_graph.signature_def.clear()

        with pytest.raises(SourceError, match="no signature 'serving_default'; it has none"):
            flatten(meta_graph, made)

    def test_no_variables(self, made, tmp_path):
        """A TF2 SavedModel without its variables names the file."""
        shutil.copy(made / "tf2.saved_model" / "saved_model.pb", tmp_path)

        with pytest.raises(SourceError, match=r"does not exist.*variables"):
            load_graph(tmp_path)

    @given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=3))
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_damaged(self, made, tmp_path, edits):
        """Bytes changed, lost or added: it is read, or a SourceError."""
        data = (made / "tf2.saved_model" / "saved_model.pb").read_bytes()
        for where, length, piece in edits:
            start = int(where * len(data))
            data = data[:start] + piece + data[start + length :]
        (tmp_path / "saved_model.pb").write_bytes(data)
        variables = tmp_path / "variables"
        if not variables.exists():
            shutil.copytree(made / "tf2.saved_model" / "variables", variables)
        with contextlib.suppress(SourceError):
            load_graph(tmp_path)

    def test_signature_of_nothing(self, made):
        """A signature that names nodes which are not there is an error of ours."""
        meta_graph = meta_graph_pb2.MetaGraphDef.FromString(_saved(made).SerializeToString())
        for info in meta_graph.signature_def["serving_default"].outputs.values():
            info.name = "Nowhere:0"

        with pytest.raises(SourceError, match="Nowhere"):
            flatten(meta_graph, made)
