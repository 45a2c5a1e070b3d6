"""Run TensorFlow's non-max suppression on the boxes and scores of a file, class by class (a process of its own)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

folder, score, iou, cap = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
given = np.load(folder / "given.npz")
kept = {}
for name in given.files:
    if name.startswith("boxes"):
        index = name.removeprefix("boxes")
        for label, column in enumerate(given[f"scores{index}"].T):
            chosen = tf.image.non_max_suppression(given[name], column, cap, iou_threshold=iou, score_threshold=score)
            kept[f"{index}-{label}"] = chosen.numpy()
np.savez(folder / "kept.npz", **kept)
