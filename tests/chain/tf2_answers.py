"""A script: what TensorFlow answers through SavedModels' signatures, on their own images.

``python tf2_answers.py RESULTS FOLDER ...`` writes ``RESULTS/<i>.npz`` for the i-th model directory: the signature's
outputs by name, stacked over the images, which are in ``images``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image


def main(results: Path, folders: list[Path]) -> None:
    for index, folder in enumerate(folders):
        loaded = tf.saved_model.load(str(folder / "saved_model"))
        signature = loaded.signatures["serving_default"]
        images = [np.asarray(Image.open(path)) for path in sorted((folder / "images").iterdir())]
        answers = [signature(input_tensor=tf.constant(image[None])) for image in images]
        stored = {key: np.concatenate([answer[key].numpy() for answer in answers]) for key in answers[0]}
        np.savez(results / f"{index}.npz", images=np.stack(images), **stored)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]])
