"""Real Faster R-CNN and Mask R-CNN graphs at full size through the built-in chain, as far as it claims them."""

from __future__ import annotations

import pytest

from harness.checks.registry import all_checks, checks_of
from tests.zoo import catalogue
from tests.zoo.laboratory import ZooLab

pytestmark = [pytest.mark.zoo, pytest.mark.long]

#: Half a minute of TensorFlow each at this size; the built-in models are asked these as well.
LEFT_TO_SMALL_MODELS = ({"batch": 3}, {"size": "odd"})


def variants_of(check):
    """The variants of a check that are worth their time at full size."""
    return [dict(one) for one in check.variants if dict(one) not in LEFT_TO_SMALL_MODELS]


VARIANTS = [
    (model, check.name, variant)
    for model in catalogue.TWO_STAGE
    for check in all_checks().values()
    if check.families is None or model.family in check.families
    for variant in variants_of(check)
]
#: What has to be proven of each family, not merely not failed.
PROVEN = {
    "faster_rcnn": ("PRO-1", "DET-1", "DET-5", "PRE-2", "OUT-3"),
    "mask_rcnn": ("PRO-1", "DET-1", "DET-5", "MSK-2", "MSK-4", "PRE-2", "OUT-3"),
}


@pytest.fixture(scope="module")
def lab(zoo, tmp_path_factory):
    laboratory = ZooLab(tmp_path_factory.mktemp("zoo"), zoo, catalogue.TWO_STAGE)
    yield laboratory
    laboratory.close()


def by_folder(model):
    return model.folder


def require_claim(lab, model):
    """Skip where the chain does not claim the family yet."""
    claimed = lab.tools.converter.claims.families
    if claimed is not None and model.family not in claimed:
        pytest.skip(f"the chain does not claim {model.family}")


class TestChecks:
    @pytest.mark.parametrize(
        ("model", "name", "variant"),
        VARIANTS,
        ids=[" ".join([model.folder, name, *map(str, one.values())]) for model, name, one in VARIANTS],
    )
    def test_passes(self, lab, model, name, variant):
        """The chain's IR passes the check, or the check has nothing to look at in this graph."""
        require_claim(lab, model)

        result = all_checks()[name](lab.correct(model.folder), **variant)

        assert not result.findings
        assert result.outcome in {"passed", "not_applicable"}, result.notes

    @pytest.mark.parametrize(
        ("model", "requirement"),
        [(model, requirement) for model in catalogue.TWO_STAGE for requirement in PROVEN[model.family]],
        ids=lambda value: value if isinstance(value, str) else value.folder,
    )
    def test_proven(self, lab, model, requirement):
        """Some check that names the requirement passes on the graph."""
        require_claim(lab, model)

        results = [
            check(lab.correct(model.folder), **one) for check in checks_of(requirement) for one in variants_of(check)
        ]

        assert [result.check for result in results if result.outcome == "passed" and result.compared]


class TestForms:
    @pytest.mark.parametrize("model", catalogue.TWO_STAGE, ids=by_folder)
    def test_same_ir(self, lab, model):
        """MetaGraph with checkpoint and frozen graph give one IR, bit for bit (SRC-7)."""
        require_claim(lab, model)

        frozen = lab.convert(lab.case(model)).ir_path
        meta_graph = lab.convert(lab.case(model, "meta_graph")).ir_path

        assert frozen.with_suffix(".bin").read_bytes() == meta_graph.with_suffix(".bin").read_bytes()
        assert frozen.read_text(encoding="utf-8").replace(frozen.stem, "") == meta_graph.read_text(
            encoding="utf-8"
        ).replace(meta_graph.stem, "")
