"""Scenes: pictures at a model's own size, stored without loss, so that every side gets the same pixels (VAL-1)."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from harness.cases.cache import atomic_folder, cache_root, digest
from harness.cases.case import Scene
from harness.errors import CaseError

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

# Part of every cache entry's name: it changes when the same input would give other pixels.
_FITTING = "fitted-1"
_GENERATING = "generated-1"


def read_pixels(path: Path) -> np.ndarray:
    """The picture as uint8 ``[H, W, 3]``, RGB, turned as its camera says; :class:`CaseError` when it is no picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as on odd metadata, which scenes have no use for
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                turned = ImageOps.exif_transpose(image)
                return np.array(turned.convert("RGB"), dtype=np.uint8)
    except FileNotFoundError:
        raise CaseError(
            "The picture does not exist.", where=str(path), advice="Check the path.", requirement="VAL-1"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise CaseError(
            "The picture is larger than any photo.",
            where=str(path),
            advice="Give a smaller one.",
            requirement="VAL-1",
        ) from None
    except Exception as error:  # noqa: BLE001 - decoders meet damaged files with errors of any kind
        raise CaseError(
            f"The picture cannot be read: {error}.",
            where=str(path),
            advice="Replace it, or take it out of the folder.",
            requirement="VAL-1",
        ) from None


def fit(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The picture, uint8 ``[H, W, 3]``, stretched to ``[height, width, 3]``; untouched where it has that size."""
    if image.shape[:2] == (height, width):
        return image
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.array(resized, dtype=np.uint8)


def image_files(folder: Path) -> list[Path]:
    """The pictures of a folder, by name; :class:`CaseError` when there is none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not found:
        raise CaseError(
            "The folder of images holds no picture.",
            where=str(folder),
            advice=f"Put pictures there ({', '.join(sorted(IMAGE_SUFFIXES))}), or remove the folder.",
            requirement="VAL-1",
        )
    return found


def fitted_scenes(paths: Sequence[Path], height: int, width: int) -> tuple[Scene, ...]:
    """A scene for each picture, resized once to ``height`` x ``width`` and kept as PNG in the cache."""
    stems = Counter(path.stem for path in paths)
    scenes = []
    for path in paths:
        name = path.stem if stems[path.stem] == 1 else path.name
        entry = cache_root() / "scenes" / _content(path, height, width)
        target = entry / "scene.png"
        if not target.is_file():
            pixels = fit(read_pixels(path), height, width)
            with atomic_folder(entry) as scratch:
                _write_png(pixels, scratch / target.name)
        scenes.append(Scene(name, target))
    return tuple(scenes)


def generated_scenes(height: int, width: int, classes: int) -> tuple[Scene, ...]:
    """Drawn scenes for a model that came without pictures: objects on textured ground, two sparse and two crowded.

    They depend on the arguments alone. What a model sees in them is its own affair; where it sees too little, the
    floor of the case says so.
    """
    from fixtures import scenes as drawing

    styles = {
        "sparse": drawing.SceneStyle(),
        "crowded": drawing.SceneStyle(objects=(14, 20), sizes=(0.1, 0.3), overlap=0.35),
    }
    kinds = max(1, min(classes, 12))
    entry = cache_root() / "scenes" / digest(_GENERATING, f"{height}x{width}x{kinds}", Path(drawing.__file__))[:32]
    names = [f"{style}_{index}" for style in styles for index in range(2)]
    if not all((entry / f"{name}.png").is_file() for name in names):
        with atomic_folder(entry) as scratch:
            for style, looks in styles.items():
                drawn = drawing.draw_scenes(f"user/{style}", 2, height, width, kinds, looks)
                for index, scene in enumerate(drawn):
                    _write_png(scene.image, scratch / f"{style}_{index}.png")
    return tuple(Scene(name, entry / f"{name}.png") for name in names)


def _content(path: Path, height: int, width: int) -> str:
    try:
        return digest(_FITTING, f"{height}x{width}", path)[:32]
    except OSError as error:
        raise CaseError(
            f"The picture cannot be read: {error.strerror or type(error).__name__}.",
            where=str(path),
            advice="Check its permissions.",
            requirement="VAL-1",
        ) from None


def _write_png(pixels: np.ndarray, path: Path) -> None:
    Image.fromarray(pixels).save(path, format="PNG", compress_level=1)
