"""The zoo's graphs as cases, and evidence of the built-in chain on them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.cases.model_directory import read_model_directory
from harness.cases.selection import Listed
from tests.zoo.weights import model_folder

if TYPE_CHECKING:
    from pathlib import Path

    from harness.cases.case import Case
    from tests.zoo.catalogue import Model


def zoo_case(model: Model, zoo: Path, model_format: str = "frozen") -> Case:
    """The case of a model's folder in one of its forms, read as any user's folder, with the model's floor."""
    found = read_model_directory(model_folder(model, zoo))
    (case,) = (case for case in found if case.model_format == model_format)
    return dataclasses.replace(case, floor=model.floor, origin="zoo")


def listed(case: Case) -> Listed:
    """What evidence is made of."""
    return Listed(
        name=case.name,
        family=case.family,
        era=case.era,
        model_format=case.model_format,
        traits=case.traits,
        origin=case.origin,
        load=lambda: case,
    )
