"""Model folders from the zoo's graphs, made once and kept in the cache: weights synthesised, configs corrected.

Each is a folder as model zoos unpack: pipeline.config, frozen_inference_graph.pb, model.ckpt.*, images/ at the model's
own size. The weights are made in a worker process, by TensorFlow; here is none.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from harness.cases.cache import atomic_folder, cache_root, digest
from harness.cases.scenes import fit, image_files, read_pixels
from harness.pipeline.config import PipelineConfig
from harness.pipeline.input_size import expected_input_size
from harness.workers.limits import Limits
from harness.workers.once import only_one
from harness.workers.worker import run_isolated
from tests.zoo.derived_config import derive_config
from tests.zoo.shared import ROOT

if TYPE_CHECKING:
    from tests.zoo.catalogue import Model

LIMITS = Limits(seconds=300, memory_bytes=10 << 30)
_CODE = ("calibration.py", "derived_config.py", "roles.py", "synthesis.py", "weights.py")


def model_folder(model: Model, zoo: Path) -> Path:
    """The model's folder, made on first use: the same graph, pictures, code and TensorFlow give the same folder."""
    here = Path(__file__).parent
    key = digest(
        repr(model), importlib.metadata.version("tensorboard"), _tensorflow(), *[here / name for name in _CODE],
        zoo / model.folder, zoo / "images",
    )  # fmt: skip
    folder = cache_root() / "zoo" / key[:32] / model.folder
    if not folder.is_dir():
        with only_one(folder):
            if not folder.is_dir():
                with atomic_folder(folder) as scratch:
                    _fill(scratch, model, zoo)
    return folder


def _fill(folder: Path, model: Model, zoo: Path) -> None:
    source = zoo / model.folder
    graph = "frozen_inference_graph.pb"
    if model.trained:
        shutil.copyfile(source / graph, folder / graph)
        (folder / "pipeline.config").write_text(derive_config(source / graph), encoding="utf-8")
    else:
        (folder / "pipeline.config").write_text(corrected_config(model, source), encoding="utf-8")
    size = expected_input_size(PipelineConfig.read(folder / "pipeline.config").image_resizer, None)
    (folder / "images").mkdir()
    images = []
    for photo in image_files(zoo / "images"):
        images.append(folder / "images" / f"{photo.stem}.png")
        Image.fromarray(fit(read_pixels(photo), *size)).save(images[-1])
    if not model.trained:
        found = run_isolated(
            "tests.zoo.synthesis:give_weights",
            {
                "meta_graph": source / "model.ckpt.meta",
                "images": images,
                "target": folder,
                "floor": model.floor,
                "batch": model.batch,
            },
            LIMITS,
            env={"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        ).result()
        (folder / "found.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


def corrected_config(model: Model, source: Path) -> str:
    """The pipeline.config of the folder with the model's corrections in place."""
    text = (source / "pipeline.config").read_text(encoding="utf-8")
    for wrong, right in model.corrections:
        if text.count(wrong) != 1:
            raise AssertionError(f"{wrong!r} occurs {text.count(wrong)} times in {source / 'pipeline.config'}")
        text = text.replace(wrong, right)
    return text


def _tensorflow() -> str:
    for name in ("tensorflow-cpu", "tensorflow"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""
