"""A certificate that has something of everything."""

from __future__ import annotations

import math

import pytest

from harness.certificate import Certificate, coverage
from harness.certificate.model import (
    CaseFacts,
    ConverterFacts,
    DeviceFacts,
    FindingFacts,
    Hashes,
    IrSignature,
    Port,
    Result,
    Tool,
)


@pytest.fixture
def certificate() -> Certificate:
    results = (
        Result(
            case="ssd/small",
            check="prior_boxes",
            test="suites/test_priors.py::test_prior_boxes[ssd/small]",
            requirements=("PRI-4",),
            stage="heads",
            outcome="passed",
            worst_error=1e-6,
            noise=1e-7,
            tolerance=1e-6,
            passing_tolerance=1e-6,
            unit="normalised coordinate",
            compared=1917,
            duration_s=0.25,
        ),
        Result(
            case="ssd/<script>alert(1)</script>",
            check="scores",
            test="suites/test_heads.py::test_scores[ssd/<script>alert(1)</script>]",
            requirements=("SSD-3", "VAL-3"),
            stage="heads",
            outcome="failed",
            findings=(
                FindingFacts(
                    what="A score is no number.",
                    where={"scene": "street", "image": 0, "anchor": 17},
                    error=math.nan,
                    noise=0.0,
                    tolerance=1e-4,
                    passing_tolerance=math.inf,
                    unit="score",
                ),
            ),
            worst_error=math.nan,
            noise=0.0,
            tolerance=1e-4,
            passing_tolerance=math.inf,
            compared=10,
            explained=1,
            notes=("two scenes",),
            reproduce="pytest 'x'",
            duration_s=1.5,
        ),
    )
    return Certificate(
        tool=Tool("irproof", "0.1.0", "1"),
        profile="full",
        standing="certifying",
        standing_reasons=(),
        verdict="not_certified",
        verdict_reasons=("1 check failed",),
        complete=True,
        converter=ConverterFacts("chain", "0.1.0", "chain", {"families": ["ssd"]}),
        device=DeviceFacts("CPU", {"FULL_DEVICE_NAME": "a CPU"}),
        versions={"python": "3.11.0", "openvino": "2026.4.1"},
        seeds={"scenes": 7},
        cases=(
            CaseFacts(
                name="ssd/small",
                family="ssd",
                era="1.14",
                format="frozen",
                origin="built-in",
                traits=("sigmoid",),
                input_shape=(1, 300, 300, 3),
                hashes=Hashes(model="0" * 64),
                ir=IrSignature((Port("image_tensor", "u8", "[1,300,300,3]"),), (), {"Convolution": 28}),
                conversion_duration_s=1.0,
            ),
        ),
        results=results,
        coverage=coverage(results),
        started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T00:00:02+00:00",
        duration_s=2.0,
    )
