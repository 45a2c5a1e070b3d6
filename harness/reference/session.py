"""The original graph, loaded into TensorFlow as it is. Runs in a worker: this imports TensorFlow."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from harness.errors import IrproofError, ReferenceFailure
from harness.reference.rounding import with_moved_weights
from harness.workers.progress import note

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.reference.question import ModelFiles

tf1 = tf.compat.v1

OUTPUTS = (
    "detection_boxes",
    "detection_scores",
    "detection_classes",
    "num_detections",
    "detection_masks",
    "detection_multiclass_scores",
    "raw_detection_boxes",
    "raw_detection_scores",
)


# How far a graph may be from the functions that it was made of: kernels are picked anew for each.
_CLOSE = 1e-4


class LoadedModel:
    """A graph in a session: ``graph_def`` as exported, ``input_name`` and ``output_names`` (name -> tensor)."""

    def __init__(self, graph: Any, session: Any, where: str, signature: Any | None = None) -> None:
        self.session = session
        self.graph = graph
        self.graph_def = graph.as_graph_def()
        self.where = where
        if signature is None:
            self.input_name = _image_input(graph, where)
            self.output_names = {name: f"{name}:0" for name in OUTPUTS if _has(graph, f"{name}:0")}
        else:
            self.input_name = next(iter(signature.inputs.values())).name
            self.output_names = {key: info.name for key, info in sorted(signature.outputs.items())}
        _require_detections(self.output_names, where)

    @property
    def static_batch(self) -> int | None:
        """The batch that the graph's input is fixed at, or None."""
        shape = self.graph.get_tensor_by_name(self.input_name).shape
        return int(shape[0]) if shape.rank == 4 and shape[0] is not None else None

    def run(self, fetches: Mapping[str, str], feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The fetched tensors, by the keys of ``fetches``."""
        with failing("run", self.where):
            values = self.session.run(dict(fetches), feed_dict=dict(feeds))
        return {key: np.asarray(value) for key, value in values.items()}

    def frozen(self, outputs: Sequence[str]) -> Any:
        """The graph with its variables as constants, as far as the named nodes need it."""
        with failing("freeze", self.where):
            return tf1.graph_util.convert_variables_to_constants(self.session, self.graph_def, list(outputs))

    def move_weights(self, seed: int, tensors: Iterable[str]) -> None:
        """Move the weights by one unit in the last place; of the graph, what the ``tensors`` need remains."""
        nodes = sorted({name.rpartition(":")[0] or name for name in tensors})
        moved = with_moved_weights(self.frozen(nodes), seed)
        self.session.close()
        self.graph_def = moved
        self.graph, self.session = graph_session(moved)

    def close(self) -> None:
        self.session.close()


class FunctionModel(LoadedModel):
    """A TF2 SavedModel: the functions behind its serving signature, written out into one graph by TensorFlow.

    So its heads are visible like those of older graphs. What is asked is that graph, and :meth:`prove` holds it
    against the signature itself.
    """

    def __init__(self, loaded: Any, function: Any, where: str) -> None:
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        self._loaded = loaded  # its variables end with it
        self._function = function
        self.where = where
        names = sorted(function.structured_outputs)
        _require_detections(names, where)
        with _functions_forgotten():
            flat = convert_variables_to_constants_v2(function, lower_control_flow=False)
        self.graph_def = flat.graph.as_graph_def()
        self.input_name = flat.inputs[0].name
        self.output_names = dict(zip(names, (tensor.name for tensor in flat.outputs), strict=True))
        self.graph, self.session = graph_session(self.graph_def)

    def frozen(self, outputs: Sequence[str]) -> Any:
        """The part of the graph that the named nodes need; its variables are constants already."""
        return tf1.graph_util.extract_sub_graph(self.graph_def, list(outputs))

    def prove(self, images: np.ndarray) -> None:
        """Raise ReferenceFailure unless the graph answers as the signature does.

        ``images`` uint8 ``[N, H, W, 3]``, as many as may go in at once. Near-equal detections may come in another
        order, since TensorFlow optimises each graph anew; scores in their order, and what is raw, have to be the same.
        """
        name, spec = next(iter(self._function.structured_input_signature[1].items()))
        with failing("run", self.where):
            said = self._function(**{name: tf.constant(images, spec.dtype)})
        found = self.run(self.output_names, {self.input_name: images})
        for output in ("raw_detection_boxes", "raw_detection_scores", "detection_scores", "num_detections"):
            if output not in said:
                continue
            one, two = said[output].numpy(), found[output]
            if one.shape != two.shape or not np.allclose(one, two, atol=_CLOSE, rtol=_CLOSE):
                raise ReferenceFailure(
                    f"TensorFlow {tf.__version__} writes the model's functions out into a graph with another"
                    f" {output} than theirs.",
                    where=self.where,
                    advice="Give the model as a frozen graph.",
                )

    def close(self) -> None:
        super().close()
        self._function = self._loaded = None


def load(files: ModelFiles) -> LoadedModel:
    """Load the model. Whatever TensorFlow objects to is a ReferenceFailure."""
    note("load")
    where = str(files.path)
    with failing("load", where):
        if files.format == "saved_model":
            return _load_saved_model(files.path)
        graph = tf.Graph()
        with graph.as_default():
            if files.format == "meta_graph":
                saver = tf1.train.import_meta_graph(where, clear_devices=True)
                session = tf1.Session(graph=graph)
                prefix = files.checkpoint or files.path.with_suffix("")
                if saver is None:
                    tf1.train.Saver().restore(session, str(prefix))
                else:
                    saver.restore(session, str(prefix))
                return LoadedModel(graph, session, where)
            tf1.import_graph_def(_read_graph_def(files.path, text=_is_text(files)), name="")
            session = tf1.Session(graph=graph)
            if files.format == "checkpoint":
                _restore(graph, session, files)
            return LoadedModel(graph, session, where)


@contextlib.contextmanager
def _functions_forgotten() -> Iterator[None]:
    """Let TensorFlow forget the functions that it makes in here, once they are in a graph of their own.

    Their names are the same for every model, and what they do is not: the next model would not load.
    """
    from tensorflow.python.eager import context

    known = set(context.context().list_function_names())
    yield
    for name in set(context.context().list_function_names()) - known:
        if not name.startswith("__inference_"):  # those are numbered, and go by themselves
            context.context().remove_function(name)


def graph_session(graph_def: Any) -> tuple[Any, Any]:
    """A graph and a session of a GraphDef."""
    graph = tf.Graph()
    with graph.as_default():
        tf1.import_graph_def(graph_def, name="")
    return graph, tf1.Session(graph=graph)


@contextlib.contextmanager
def failing(
    doing: str,
    where: str,
    requirement: str | None = None,
    advice: str = "See whether the model's files are whole and belong together.",
) -> Iterator[None]:
    """Turn whatever TensorFlow raises into a ReferenceFailure with its first lines."""
    note(doing)
    try:
        yield
    except IrproofError:
        raise
    except Exception as error:  # noqa: BLE001 - TensorFlow raises its own and Python's own
        said = _essence(str(error)) or type(error).__name__
        raise ReferenceFailure(
            f"TensorFlow {tf.__version__} could not {doing} the original graph: {said}",
            where=where,
            advice=advice,
            requirement=requirement,
        ) from None


def _essence(message: str) -> str:
    """What TensorFlow says, with the node that it says it of, and without the call stacks around it."""
    said, nodes = [], []
    for line in (line.strip() for line in message.splitlines()):
        if match := re.match(r"(?:Detected at node '(.+?)'|Node: '(.+)'|\[\[\{\{node (.+?)\}\}\]\])", line):
            nodes.append(next(part for part in match.groups() if part))
        elif line and not _NOISE.match(line):
            said.append(line)
    text = " ".join(dict.fromkeys(said[:3]))[:600]
    where = list(dict.fromkeys(node for node in nodes if node not in text))[:1]
    return text + (f" (node {where[0]!r})" if where else "")


_NOISE = re.compile(
    r"Graph execution error|defined at|File \"|Original stack trace|\d+ root error|\(\d+\) |Errors may have"
)


def _load_saved_model(path: Path) -> LoadedModel:
    from tensorflow.python.saved_model import loader_impl

    described = loader_impl.parse_saved_model(str(path))
    serving = [graph for graph in described.meta_graphs if "serve" in graph.meta_info_def.tags] or list(
        described.meta_graphs
    )
    if serving[0].HasField("object_graph_def"):
        loaded = tf.saved_model.load(str(path))
        signatures = loaded.signatures
        if not signatures:
            raise ReferenceFailure("The SavedModel has no signature.", where=str(path))
        name = "serving_default" if "serving_default" in signatures else min(signatures)
        return FunctionModel(loaded, signatures[name], str(path))
    graph = tf.Graph()
    with graph.as_default():
        session = tf1.Session(graph=graph)
        meta_graph = tf1.saved_model.load(session, list(serving[0].meta_info_def.tags), str(path))
        signatures = meta_graph.signature_def
        name = "serving_default" if "serving_default" in signatures else next(iter(sorted(signatures)), None)
        return LoadedModel(graph, session, str(path), signatures[name] if name else None)


def _is_text(files: ModelFiles) -> bool:
    return files.format == "frozen_text" or files.path.suffix == ".pbtxt"


def _read_graph_def(path: Path, *, text: bool) -> Any:
    graph_def = tf1.GraphDef()
    if text:
        from google.protobuf import text_format

        text_format.Parse(path.read_text(encoding="utf-8"), graph_def)
    else:
        graph_def.ParseFromString(path.read_bytes())
    return graph_def


def _restore(graph: Any, session: Any, files: ModelFiles) -> None:
    """Give the variables of an inference graph their values from the checkpoint, each by its node's name."""
    reader = tf.train.load_checkpoint(str(files.checkpoint))
    assignments, feeds, missing = [], {}, []
    with graph.as_default():
        for op in graph.get_operations():
            if op.type not in ("VariableV2", "Variable", "VarHandleOp"):
                continue
            if not reader.has_tensor(op.name):
                missing.append(op.name)
                continue
            value = reader.get_tensor(op.name)
            holder = tf1.placeholder(value.dtype, value.shape)
            feeds[holder] = value
            assign = tf1.raw_ops.AssignVariableOp if op.type == "VarHandleOp" else tf1.raw_ops.Assign
            key = "resource" if op.type == "VarHandleOp" else "ref"
            done = assign(**{key: op.outputs[0], "value": holder})
            assignments.append(done if op.type == "VarHandleOp" else done.op)
    if missing:
        raise ReferenceFailure(
            f"The checkpoint lacks {len(missing)} variables of the graph, the first is {missing[0]!r}.",
            where=str(files.checkpoint),
            advice="Give the checkpoint that belongs to the graph.",
            requirement="SRC-8",
        )
    session.run(assignments, feed_dict=feeds)


def _image_input(graph: Any, where: str) -> str:
    if _has(graph, "image_tensor:0"):
        return "image_tensor:0"
    found = [op for op in graph.get_operations() if op.type == "Placeholder" and op.outputs[0].shape.rank in (None, 4)]
    if len(found) != 1:
        raise ReferenceFailure(
            f"The graph has no input image_tensor, and {len(found)} that could be the image.",
            where=where,
            advice="Give an Object Detection API model.",
        )
    return f"{found[0].name}:0"


def _require_detections(names: Collection[str], where: str) -> None:
    missing = [name for name in OUTPUTS[:4] if name not in names]
    if missing:
        raise ReferenceFailure(
            f"The graph has no output {', '.join(missing)}: it is not a detection model as it was exported.",
            where=where,
            advice="Give the graph that the Object Detection API's exporter wrote.",
        )


def _has(graph: Any, tensor: str) -> bool:
    try:
        graph.get_tensor_by_name(tensor)
    except (KeyError, ValueError):
        return False
    return True
