"""What is measured: real full-size models where they are present, else a built-in fixture."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from harness.cases.case import Case, Scene
from harness.cases.model_directory import read_model_directory
from harness.cases.scenes import generated_scenes
from harness.cases.selection import listed_cases
from harness.converters.registry import resolve
from tests.zoo import catalogue
from tests.zoo.shared import zoo_folder
from tests.zoo.weights import model_folder

REAL = (catalogue.SSD_MOBILENET_V2, catalogue.FASTER_RCNN_INCEPTION_V2, catalogue.MASK_RCNN_INCEPTION_V2)
# Of its own configurations none matches the names of the real Faster R-CNN graph.
_LEGACY_CONFIGURATIONS = {
    catalogue.SSD_MOBILENET_V2.folder: "ssd_v2_support.json",
    catalogue.MASK_RCNN_INCEPTION_V2.folder: "mask_rcnn_support_api_v1.14.json",
}


@dataclasses.dataclass(frozen=True)
class Subject:
    """One model: its case, a scene with few objects and one that is crowded, and what Model Optimizer is to be told.

    ``size`` is (height, width). ``legacy_configuration`` is the name of Model Optimizer's own file, or empty.
    """

    case: Case
    scenes: dict[str, Scene]
    size: tuple[int, int]
    legacy_configuration: str = ""

    @property
    def folder(self) -> Path:
        """The folder of the model's files."""
        return self.case.model_path.parent


def names() -> list[str]:
    """The models that are measured here; only those that the chain claims to convert."""
    if zoo_folder() is None:
        return ["built-in"]
    claims = resolve("chain").claims
    return [model.folder for model in REAL if claims.families is None or model.family in claims.families]


def subject(name: str) -> Subject:
    """The model of this name, built or synthesised where it is not in the cache yet."""
    zoo = zoo_folder()
    if zoo is None or name == "built-in":
        listed = next(one for one in listed_cases(profile="quick") if one.family == "ssd" and "crowd" not in one.traits)
        case = listed.load()
        photo = case.scenes[0]
    else:
        model = next(model for model in REAL if model.folder == name)
        case = read_model_directory(model_folder(model, zoo))[0]
        photo = next(scene for scene in case.scenes if scene.name == "image1")
    height, width, _ = photo.pixels().shape
    crowd = next(scene for scene in generated_scenes(height, width, 12) if scene.name.startswith("crowded"))
    return Subject(case, {"photo": photo, "crowd": crowd}, (height, width), _LEGACY_CONFIGURATIONS.get(name, ""))
