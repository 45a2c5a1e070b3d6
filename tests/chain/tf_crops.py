"""A script: TensorFlow's CropAndResize of random boxes. ``python tf_crops.py FOLDER`` writes one .npz a case."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf


def boxes(random: np.random.Generator, count: int) -> np.ndarray:
    """Boxes YXYX of all kinds: inside, at an edge or several, over the whole image, empty."""
    corners = random.uniform(0, 1, (count, 2, 2))
    corners.sort(axis=1)
    result = corners.reshape(count, 4).astype(np.float32)
    kinds = random.integers(0, 8, count)
    result[kinds == 1, 0] = 0.0
    result[kinds == 2, 2] = 1.0
    result[kinds == 3, 3] = 1.0
    result[kinds == 4] = [0.0, 0.0, 1.0, 1.0]
    result[kinds == 5, 2:] = result[kinds == 5, :2]
    result[kinds == 6, 1] = 0.0
    return result


def main(folder: Path) -> None:
    random = np.random.default_rng(7)
    for rows, columns, height, width in (
        (38, 38, 14, 14),
        (57, 29, 14, 14),
        (19, 64, 7, 9),
        (5, 4, 17, 17),
        (8, 8, 1, 1),
    ):
        features = random.normal(0, 1, (2, rows, columns, 5)).astype(np.float32)
        regions = boxes(random, 150)
        images = random.integers(0, 2, len(regions))
        expected = tf.image.crop_and_resize(features, regions, images, [height, width]).numpy()
        np.savez(folder / f"crop_{rows}.npz", features=features, boxes=regions, images=images, expected=expected)

    bins, size, channels = 3, 4, 6
    features = random.normal(0, 1, (2, 21, 17, bins * bins * channels)).astype(np.float32)
    regions = boxes(random, 40)
    # Bins of a box that ends at the edge end there or a hair beyond; only the inner ones are looked at.
    regions = np.clip(regions, 0.0, 0.98).astype(np.float32)
    images = np.repeat([0, 1], 20)
    parts = []
    ymin, xmin, ymax, xmax = regions.T
    tall, wide = (ymax - ymin) / bins, (xmax - xmin) / bins
    for row in range(bins):
        for column in range(bins):
            part = np.stack(
                [ymin + row * tall, xmin + column * wide, ymin + (row + 1) * tall, xmin + (column + 1) * wide], 1
            )
            start = (row * bins + column) * channels
            crop = tf.image.crop_and_resize(
                features[..., start : start + channels], part.astype(np.float32), images, [size, size]
            )
            parts.append(crop.numpy().mean(axis=(1, 2)))
    np.savez(
        folder / "bins.npz",
        features=features,
        boxes=regions,
        images=images,
        expected=np.mean(parts, axis=0),
        bins=bins,
        size=size,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
