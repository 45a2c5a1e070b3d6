"""Evidence of the built-in chain on the zoo's graphs, correct and with faults put into its IRs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.mutants.lab import Lab
from tests.zoo.cases import listed, zoo_case

if TYPE_CHECKING:
    from pathlib import Path

    from harness.cases.case import Case
    from harness.cases.selection import Listed
    from harness.checks.evidence import Evidence
    from harness.converters.conversion import Conversion
    from tests.zoo.catalogue import Model


class ZooLab(Lab):
    """The laboratory of mutants over the zoo's cases, by their folders' names; each made when first asked for."""

    def __init__(self, folder: Path, zoo: Path, models: tuple[Model, ...]) -> None:
        super().__init__(folder)
        self._zoo = zoo
        self._models = {model.folder: model for model in models}
        self._evidence: dict[str, Evidence] = {}

    def case(self, model: Model, model_format: str = "frozen") -> Case:
        return zoo_case(model, self._zoo, model_format)

    def listed(self, case: str) -> Listed:
        return listed(self.case(self._models[case]))

    def correct(self, case: str) -> Evidence:
        """Evidence of the chain's own conversion; one for all tests."""
        if case not in self._evidence:
            self._evidence[case] = super().correct(case)
        return self._evidence[case]

    def convert(self, case: Case) -> Conversion:
        """The chain's conversion of any case."""
        from harness.converters.conversion import convert_case

        return convert_case(self.tools.converter, case, self.tools.session)
