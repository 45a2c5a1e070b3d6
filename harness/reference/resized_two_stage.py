"""The oracle for other sizes of a two-stage detector (RSH-1): TensorFlow's own graph, cut behind the resizer.

The whole of it follows the size of the preprocessed image, so nothing has to be repeated: the pixels of the new size
are fed where the resizer's come out, with their size beside them. At the graph's own size that has to give what the
uncut graph gives. Runs in a worker: this imports TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import ReferenceFailure
from harness.reference.graph_view import node_name
from harness.reference.loop_body import RESIZED, without_loop
from harness.reference.session import failing, graph_session, tf1

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.reference.preprocessing import Preprocessing
    from harness.reference.session import LoadedModel

# Kernels are picked anew for each graph; anything that was cut wrongly moves boxes by whole pixels.
_CLOSE = 1e-3
_FLOAT, _INT32 = 1, 3


class ResizedTwoStage:
    """A two-stage detector at any size and batch; ``fetches`` are the outputs and heads of the uncut graph."""

    def __init__(self, model: LoadedModel, preprocessing: Preprocessing, fetches: Mapping[str, str]) -> None:
        resized = f"{RESIZED}:0" if preprocessing.looped else preprocessing.resized
        if resized is None or preprocessing.image is None:
            raise ReferenceFailure(
                "There is no oracle for another size of this model: its Preprocessor is not where exporters have it.",
                where=model.where,
                advice="Check this model at its own size.",
                requirement="RSH-1",
            )
        self._model = model
        self._resized: str = resized
        # Exporters of early 2018 took the size from the image itself.
        self._sizes = preprocessing.sizes
        self._image: str = preprocessing.image
        own = [name for name in (resized, preprocessing.sizes) if name is not None]
        self._fetches = {key: name for key, name in fetches.items() if name not in own}
        wanted = sorted({node_name(name) for name in self._fetches.values()})
        frozen = model.frozen(wanted)
        if preprocessing.looped:
            frozen = without_loop(frozen, preprocessing.image)
            if frozen is None:
                raise ReferenceFailure(
                    "There is no oracle for another size of this model: what its preprocessing loop does is not known.",
                    where=model.where,
                    advice="Check this model at its own size.",
                    requirement="RSH-1",
                )
        for node in frozen.node:
            if node.name in {node_name(name) for name in own}:
                dtype = _FLOAT if node.name == node_name(self._resized) else _INT32
                del node.input[:]
                node.op = "Placeholder"
                node.attr.clear()
                node.attr["dtype"].type = dtype
            node.attr.pop("_output_shapes", None)
        with failing("cut", model.where):
            _, self._session = graph_session(tf1.graph_util.extract_sub_graph(frozen, wanted))
        self.key: object = None

    def close(self) -> None:
        self._session.close()

    def run(self, pixels: np.ndarray, move: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """All fetches for pixels ``[N, H, W, 3]``; ``move`` is a preprocessed image to take instead of theirs."""
        size = np.tile(np.array(pixels.shape[1:], np.int32), (len(pixels), 1))
        feeds: dict[str, np.ndarray] = {self._resized: pixels.astype(np.float32)}
        if self._sizes is not None:
            feeds[self._sizes] = size
        if move is not None:
            feeds[self._image] = move
        asked = {key: name for key, name in self._fetches.items() if name not in feeds}
        advice = "Check this model at its own size: shapes in the graph are constants of that."
        doing = f"run at {pixels.shape[1]} x {pixels.shape[2]}"
        with failing(doing, self._model.where, requirement="SHP-7", advice=advice):
            found: dict[str, np.ndarray] = self._session.run(asked, feed_dict=feeds)
        return found

    def prove(self, images: np.ndarray, fetches: Mapping[str, str]) -> None:
        """Raise ReferenceFailure unless the cut graph answers ``images`` as the uncut one does at its own size."""
        model = self._model
        probe = np.repeat(images[:1], model.static_batch or 1, axis=0)
        whole = model.run(dict(fetches), {model.input_name: probe})
        if "resized" not in whole:  # nothing comes out of a loop before it is normalised
            height, width = whole["image"].shape[1:3]
            rows, columns = (
                np.arange(side) * has // side for side, has in zip((height, width), probe.shape[1:3], strict=True)
            )
            whole["resized"] = probe[:, rows][:, :, columns]
            whole |= model.run(dict(fetches), {model.input_name: whole["resized"]})
        again = self.run(whole["resized"])
        for key in ("detection_boxes", "detection_scores", "num_detections"):
            one, two = whole[f"output {key}"], again[f"output {key}"]
            if one.shape != two.shape or not (np.abs(one - two) <= _CLOSE).mean() > 0.9:
                raise ReferenceFailure(
                    f"The graph cut behind its resizer gives other {key} than the whole graph at its own size.",
                    where=model.where,
                    advice="Check this model at its own size.",
                    requirement="RSH-1",
                )
