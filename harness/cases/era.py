"""Which family and which exporter's era a graph is of, told from its nodes' names alone (CFG-6).

An era is what one support configuration is made for, and not what a file's TensorFlow stamp says: exporters and
TensorFlow drifted apart within weeks. So every guess says what it rests on.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from harness.cases.case import Era, Family

_TF2_PREFIX = "StatefulPartitionedCall/"
_EFFICIENTDET = re.compile(r"efficientdet|efficientnet|bifpn", re.IGNORECASE)
_CLASSIFIER = re.compile(r"(^|/)(Logits|Predictions|predictions)(/|$)")
_MASKS = (
    "BatchMultiClassNonMaxSuppression_1",
    "CropAndResize_1",
    "mask_rcnn_keras_box_predictor/mask_rcnn_mask_head",
    "detection_masks",
)
_FAKE_QUANT = re.compile(r"FakeQuant")


@dataclasses.dataclass(frozen=True)
class StructureGuess:
    """What a graph's names say. ``era`` is "" where they say nothing; ``evidence`` names what the guess rests on.

    ``traits`` are words that a case can be selected by: ``fpn``, ``weight_shared``, ``fake_quant``, ``tf2``.
    """

    family: Family
    era: Era = ""
    evidence: tuple[str, ...] = ()
    traits: frozenset[str] = frozenset()


def guess_structure(node_names: Iterable[str]) -> StructureGuess:
    """Family and era of the graph whose nodes have these names; those in functions' bodies count as well."""
    given = set(node_names)
    tf2 = any(name == _TF2_PREFIX[:-1] or name.startswith(_TF2_PREFIX) for name in given)
    names = _Names({name.removeprefix(_TF2_PREFIX) for name in given} if tf2 else given)
    traits = _traits(names) | ({"tf2"} if tf2 else set())
    if names.scope("FirstStageBoxPredictor/") or names.scope("SecondStagePostprocessor/"):
        family, why = _two_stage_family(names)
        era, era_why = _tf2_era(names) if tf2 else _two_stage_era(names, family)
    elif names.scope("Postprocessor/"):
        family, why = _single_stage_family(names)
        era, era_why = _tf2_era(names) if tf2 else _ssd_era(names)
    else:
        family, why = _no_detector(names, traits)
        era, era_why = "", ""
    return StructureGuess(family, era, tuple(text for text in (why, era_why) if text), frozenset(traits))


class _Names:
    """A set of names that can be asked for scopes."""

    def __init__(self, names: set[str]) -> None:
        self.all = names
        self._scopes = {name[: place + 1] for name in names for place, char in enumerate(name) if char == "/"}

    def __contains__(self, name: str) -> bool:
        return name in self.all

    def scope(self, prefix: str) -> bool:
        return prefix in self._scopes

    def first(self, pattern: re.Pattern[str]) -> str | None:
        return min((name for name in self.all if pattern.search(name)), default=None)


def _two_stage_family(names: _Names) -> tuple[Family, str]:
    if names.scope("SecondStageBoxPredictor/map/") or names.scope("SecondStageBoxPredictor/class_predictions/"):
        return "rfcn", "the second stage crops score maps (SecondStageBoxPredictor/class_predictions)"
    for sign in _MASKS:
        if sign in names or names.scope(f"{sign}/"):
            return "mask_rcnn", f"there is a second suppression, a second crop or a head for masks ({sign})"
    return "faster_rcnn", "there are two stages (FirstStageBoxPredictor/, SecondStagePostprocessor/) and no masks"


def _single_stage_family(names: _Names) -> tuple[Family, str]:
    sign = names.first(_EFFICIENTDET)
    if sign is not None:
        return "efficientdet", f"the backbone is EfficientNet's ({sign})"
    return "ssd", "there is one Postprocessor/ and no second stage"


def _no_detector(names: _Names, traits: set[str]) -> tuple[Family, str]:
    sign = names.first(_CLASSIFIER)
    if sign is None:
        return "other", "there is neither a Postprocessor/ nor a scope of logits"
    if "fake_quant" in traits:
        return "quantized", f"logits ({sign}) and fake quantisation, but no Postprocessor/"
    return "classifier", f"logits ({sign}), but no Postprocessor/"


def _ssd_era(names: _Names) -> tuple[Era, str]:
    if "Postprocessor/ToFloat" in names:
        return "1.13", "image shapes are converted by Postprocessor/ToFloat"
    if "Postprocessor/Cast_1" in names and "Postprocessor/Tile_1" in names:
        return "1.15", "Postprocessor/Tile_1 numbers the anchors, so image shapes are converted by Postprocessor/Cast_1"
    if "Postprocessor/Cast" in names:
        return "1.14", "image shapes are converted by Postprocessor/Cast"
    return "", ""


def _two_stage_era(names: _Names, family: Family) -> tuple[Era, str]:
    if family != "rfcn" and "concat_1/concat" in names:
        return "1.15", "the first stage's predictions are joined in concat_1/concat"
    if names.scope("BatchMultiClassNonMaxSuppression/map/TensorArrayStack_5/"):
        return "1.14", "suppression has six results (BatchMultiClassNonMaxSuppression/map/TensorArrayStack_5)"
    if names.scope("map_2/TensorArrayStack/"):
        return "1.13", "proposals end in map_2/TensorArrayStack"
    if family == "rfcn":
        if names.scope("SecondStageBoxPredictor/map/"):
            return "1.10", "crops are made in a loop (SecondStageBoxPredictor/map), and there is no map_2"
        return "1.6", "crops are made outside of a loop"
    if names.scope("CropAndResize/CropAndResize/") or "CropAndResize/CropAndResize" in names:
        return ("1.11" if family == "mask_rcnn" else "1.10"), "the crop has a scope of its own, and there is no map_2"
    if "concat_1" in names:
        return "1.7", "the first stage's predictions are joined in concat_1, and the crop is not in a scope"
    return "1.6", "the first stage's predictions are not joined (there is no concat_1)"


def _tf2_era(names: _Names) -> tuple[Era, str]:
    if names.scope("map/TensorArrayUnstack/"):
        return "2.4", "preprocessing is a loop over images (map/TensorArrayUnstack/TensorListFromTensor)"
    if "Preprocessor/unstack" in names or "Preprocessor/stack" in names:
        return "2.0", "preprocessing is outside of a loop (Preprocessor/unstack)"
    return "", ""


def _traits(names: _Names) -> set[str]:
    traits = set()
    if names.first(_FAKE_QUANT) is not None:
        traits.add("fake_quant")
    if names.scope("MultiscaleGridAnchorGenerator/"):
        traits.add("fpn")
    if any(name.startswith("WeightSharedConvolutionalBoxPredictor") for name in names.all):
        traits.add("weight_shared")
    return traits
