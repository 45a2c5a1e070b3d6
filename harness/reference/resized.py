"""The oracle for other sizes than the graph's own (RSH-1).

TensorFlow's graph is cut behind the resizer, fed with pixels of the new size, and read at what each feature map's
heads give before they are reshaped (the shapes in those Reshapes are constants of the training size). Anchors come by
rule from pipeline.config, decoding and suppression are TensorFlow's. Before any of it is used, it has to give at the
training size what the whole graph gives there. Runs in a worker: this imports TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ReferenceFailure
from harness.observation.detections import Answer, Detections, Heads
from harness.observation.tf_outputs import from_tf_outputs
from harness.pipeline.image_resizer import FixedShapeResizer, KeepAspectRatioResizer
from harness.reference.anchors import AnchorRule, Size, anchors_for
from harness.reference.graph_view import node_name
from harness.reference.loop_body import RESIZED, without_loop
from harness.reference.session import FunctionModel, failing, graph_session, tf1
from harness.reference.suppression import check_supported, convert_scores, decode, suppress
from harness.reference.upsampling import follow_input

if TYPE_CHECKING:
    from harness.pipeline.config import PipelineConfig
    from harness.reference.preprocessing import Preprocessing
    from harness.reference.session import LoadedModel
    from harness.reference.ssd import SsdHeads

# Kernels are picked anew for each graph, and a value on the edge of a quantisation step may fall to either side; a
# wrong order of feature maps, anchors or classes moves nearly everything by much more.
_CLOSE, _SHARE = 1e-4, 0.99


class ResizedSsd:
    """An SSD at any size and batch, proven at its own."""

    def __init__(
        self, model: LoadedModel, heads: SsdHeads, preprocessing: Preprocessing, config: PipelineConfig
    ) -> None:
        self._model, self._heads, self._config = model, heads, config
        self.trained = _trained_size(config)
        self._looped = preprocessing.looped
        pixels = f"{RESIZED}:0" if preprocessing.looped else preprocessing.resized
        if not heads.levels or heads.box_coder_scales is None or not preprocessing.image or not pixels:
            raise _unknown("its heads or its Preprocessor are not where an SSD has them", model.where)
        self._image: str = preprocessing.image
        check_supported(config.post_processing, config.where)
        self._check_threshold("iou_threshold")
        self._check_threshold("score_threshold")
        self._fetches = {"image": self._image}
        for index, level in enumerate(heads.levels):
            self._fetches[f"boxes {index}"] = level.box_encodings
            self._fetches[f"classes {index}"] = level.class_predictions
        self._input: str = pixels
        self._session = self._cut()
        self.key: object = None

    def close(self) -> None:
        self._session.close()

    def answer(self, pixels: np.ndarray, rule: AnchorRule, move: np.ndarray | None = None) -> Answer:
        """The answer for uint8 ``[N, H, W, 3]``; ``move`` as in :meth:`heads`."""
        heads = self.heads(pixels.astype(np.float32), rule, move)
        return Answer(self.detections(heads), heads)

    def image(self, pixels: np.ndarray) -> np.ndarray:
        """The preprocessed image of float32 pixels."""
        return self._run({"image": self._fetches["image"]}, {self._input: pixels})["image"]

    def heads(self, pixels: np.ndarray, rule: AnchorRule, move: np.ndarray | None = None) -> Heads:
        """The heads for float32 pixels ``[N, H, W, 3]``; ``move`` is a preprocessed image to take instead of theirs."""
        feeds = {self._input: pixels} if move is None else {self._image: move}
        found = self._run(self._fetches, feeds)
        size = (pixels.shape[1], pixels.shape[2])
        boxes, classes, grids = [], [], []
        for index in range(len(self._heads.levels)):
            box, scores = found[f"boxes {index}"], found[f"classes {index}"]
            if box.ndim != 4 or scores.ndim != 4 or box.shape[:3] != scores.shape[:3] or box.shape[3] % 4:
                raise _unknown(f"heads {index} have shapes {box.shape} and {scores.shape}", self._model.where)
            batch, rows, columns, width = box.shape
            count = rows * columns * (width // 4)
            boxes.append(box.reshape(batch, count, 1, 4))
            classes.append(scores.reshape(batch, count, -1))
            grids.append((rows, columns))
        encodings = np.concatenate(boxes, axis=1)
        anchors = anchors_for(self._config.anchor_generator, grids, size, self.trained, rule)
        if len(anchors) != encodings.shape[1]:
            raise ReferenceFailure(
                f"pipeline.config's anchor generator makes {len(anchors)} anchors for the feature maps {grids}, and"
                f" the graph's heads have {encodings.shape[1]} boxes.",
                where=self._config.where,
                advice="Give the pipeline.config that the model was exported with.",
                requirement="CFG-11",
            )
        variances = np.tile(np.float32(1) / np.asarray(self._heads.box_coder_scales, np.float32), (len(anchors), 1))
        return Heads(encodings, self._scores(np.concatenate(classes, axis=1)), anchors, variances)

    def detections(self, heads: Heads) -> tuple[Detections, ...]:
        """What is left of the heads after decoding and suppression, image by image."""
        assert heads.box_encodings is not None
        assert heads.class_scores is not None
        assert heads.anchors is not None
        assert self._heads.box_coder_scales is not None
        boxes = decode(heads.box_encodings[:, :, 0], heads.anchors, self._heads.box_coder_scales)
        return tuple(
            suppress(
                boxes[image],
                heads.class_scores[image, :, 1:],
                self._config.post_processing,
                clips_first=self._heads.clips_first,
            )
            for image in range(len(boxes))
        )

    def prove(self, pixels: np.ndarray, rule: AnchorRule, fetches: dict[str, str]) -> None:
        """Raise ReferenceFailure unless the pieces put together give at the training size what the graph gives.

        ``pixels`` uint8 ``[1, H, W, 3]`` of any size: what is shown matters little. ``fetches`` has the outputs, the
        heads and ``resized``.
        """
        model = self._model
        rows = np.arange(self.trained[0]) * pixels.shape[1] // self.trained[0]
        columns = np.arange(self.trained[1]) * pixels.shape[2] // self.trained[1]
        probe = pixels[:1, rows][:, :, columns]
        probe = np.repeat(probe, model.static_batch or 1, axis=0)
        whole = model.run(fetches, {model.input_name: probe})
        if self._looped:
            # Nothing comes out of the loop before it is normalised; but at its own size a resizer changes nothing.
            whole["resized"] = probe.astype(np.float32)
            self._compare("image", self.image(whole["resized"]), whole["image"])
        if whole["resized"].shape[1:3] != self.trained:
            raise ReferenceFailure(
                f"pipeline.config says {self.trained[0]} x {self.trained[1]}, and the graph resizes to"
                f" {whole['resized'].shape[1]} x {whole['resized'].shape[2]}.",
                where=self._config.where,
                advice="Give the pipeline.config that the model was exported with.",
                requirement="CFG-11",
            )
        expected = self._heads.read(whole)
        found = self.heads(whole["resized"], rule)
        for field in ("anchors", "box_encodings", "class_scores"):
            self._compare(field, getattr(found, field), getattr(expected, field))
        outputs = {name: whole[f"output {name}"] for name in model.output_names}
        self._compare_detections(self.detections(expected)[0], from_tf_outputs(outputs)[0])

    def _check_threshold(self, name: str) -> None:
        """A threshold that no picture here comes near does not show in any comparison."""
        in_graph, in_config = getattr(self._heads, name), getattr(self._config.post_processing, name)
        if in_graph is not None and abs(in_graph - in_config) > 1e-6:
            raise ReferenceFailure(
                f"pipeline.config says {name} {in_config:.6g}, and the graph has {in_graph:.6g}.",
                where=self._config.where,
                advice="Give the pipeline.config that the model was exported with.",
                requirement="CFG-11",
            )

    def _compare(self, field: str, found: np.ndarray, expected: np.ndarray | None) -> None:
        if expected is None:
            raise _unknown(f"its {field} are not visible", self._model.where)
        if found.shape != expected.shape:
            raise self._disagree(f"{field} have shape {list(found.shape)}, not {list(expected.shape)}")
        difference = np.abs(found - expected)
        bound = _CLOSE * (1 + np.abs(expected)) if field != "anchors" else np.float32(1e-6)
        far = ~((difference <= bound) | np.isnan(expected))
        if far.mean() > (0 if field == "anchors" else 1 - _SHARE):
            first = np.unravel_index(int(np.argmax(far)), far.shape)
            raise self._disagree(
                f"{int(far.sum())} of {far.size} {field} differ, first at {[int(i) for i in first]}:"
                f" {found[first]:.7g}, not {expected[first]:.7g}"
            )

    def _compare_detections(self, found: Detections, expected: Detections) -> None:
        if len(found) != len(expected):
            raise self._disagree(f"there are {len(found)} detections, not {len(expected)}")
        # In the order of scores, and equal scores in any order.
        ours, theirs = (np.lexsort((*one.boxes.round(4).T, one.classes, -one.scores)) for one in (found, expected))
        same = found.classes[ours] == expected.classes[theirs]
        same &= np.abs(found.scores[ours] - expected.scores[theirs]) <= 1e-5
        same &= (np.abs(found.boxes[ours] - expected.boxes[theirs]) <= 1e-5).all(axis=1)
        if not same.all():
            raise self._disagree(f"{int((~same).sum())} of {len(same)} detections differ")

    def _disagree(self, how: str) -> ReferenceFailure:
        return ReferenceFailure(
            f"At the training size {self.trained[0]} x {self.trained[1]} the graph in pieces and pipeline.config give"
            f" something else than the whole graph: {how}.",
            where=f"{self._model.where}, {self._config.where}",
            advice="Give the pipeline.config that the model was exported with.",
            requirement="RSH-1",
        )

    def _scores(self, predictions: np.ndarray) -> np.ndarray:
        if not self._heads.background and predictions.shape[2] == self._config.num_classes + 1:
            predictions = predictions[:, :, 1:]
        scores = convert_scores(predictions, self._heads.converter, self._heads.logit_scale)
        if self._heads.background:
            return scores
        return np.concatenate([np.full((*scores.shape[:2], 1), np.nan, np.float32), scores], axis=2)

    def _cut(self) -> Any:
        wanted = sorted({node_name(tensor) for tensor in self._fetches.values()})
        frozen = self._model.frozen(wanted)
        if self._looped:
            frozen = without_loop(frozen, self._image)
            if frozen is None:
                raise _unknown("what its preprocessing loop does is not known", self._model.where)
        if isinstance(self._model, FunctionModel):
            follow_input(frozen)
        resized = node_name(self._input)
        for node in frozen.node:
            if node.name == resized:
                # Its own shape inference would hold on to the training size.
                del node.input[:]
                node.op = "Placeholder"
                node.attr.clear()
                node.attr["dtype"].type = 1
            node.attr.pop("_output_shapes", None)
        with failing("cut", self._model.where):
            _, session = graph_session(tf1.graph_util.extract_sub_graph(frozen, wanted))
        return session

    def _run(self, fetches: dict[str, str], feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        shape = next(iter(feeds.values())).shape
        advice = "Check this model at its own size: shapes in the graph are constants of that."
        with failing(f"run at {shape[1]} x {shape[2]}", self._model.where, requirement="SHP-7", advice=advice):
            found: dict[str, np.ndarray] = self._session.run(fetches, feed_dict=feeds)
        return found


def _trained_size(config: PipelineConfig) -> Size:
    resizer = config.image_resizer
    if isinstance(resizer, FixedShapeResizer):
        return resizer.height, resizer.width
    if isinstance(resizer, KeepAspectRatioResizer):
        side = resizer.max_dimension if resizer.pad_to_max_dimension else resizer.min_dimension
        return side, side
    raise _unknown(f"a {type(resizer).__name__} has no size of its own", config.where)


def _unknown(why: str, where: str) -> ReferenceFailure:
    return ReferenceFailure(
        f"There is no oracle for another size of this model: {why}.",
        where=where,
        advice="Check this model at its own size.",
        requirement="RSH-1",
    )
