"""A certificate to change: two cases, with results, IRs and latencies as a full run has them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.certificate import Certificate, coverage
from harness.certificate.model import (
    CaseFacts,
    ConverterFacts,
    DeviceFacts,
    FindingFacts,
    Hashes,
    IrSignature,
    Latency,
    Port,
    Result,
    Tool,
)

NAMES = ("ssd/a", "ssd/b")
ROUNDS = 40


def result(case, check, outcome="passed", stage="heads", error=2e-6, noise=1e-6, **more):
    findings = (FindingFacts("A score differs."),) if outcome in ("failed", "error") else ()
    return Result(
        case=case,
        check=check,
        test=f"suites/test_heads.py::test_{check}[{case}]",
        requirements=("SSD-3",),
        stage=stage,
        outcome=outcome,
        findings=findings,
        worst_error=error,
        noise=noise,
        unit="score",
        compared=3,
        **more,
    )


def latency(case, factor=1.0, spread=0.02, seed=0, session="one"):
    rng = np.random.default_rng(seed)
    # The machine's load is shared by both sides of a round, and is far larger than what tells them apart.
    load = np.random.default_rng(sum(case.encode())).lognormal(0, 0.3, ROUNDS)
    return Latency(session, tuple((0.02 * factor * load * rng.lognormal(0, spread, ROUNDS)).tolist()))


def facts(name, seed):
    return CaseFacts(
        name=name,
        family="ssd",
        era="1.14",
        format="frozen",
        origin="built-in",
        hashes=Hashes("1" * 64, "2" * 64, "3" * 64, "4" * 64),
        ir=IrSignature(
            (Port("image_tensor", "u8", "[1,300,300,3]"),),
            (Port("detection_boxes", "f32", "[1,1,100,7]"),),
            {"Convolution": 28, "DetectionOutput": 1, "Add": 30},
        ),
        latency=latency(name, seed=seed),
    )


def certificate(seed=0):
    results = tuple(
        one
        for name in NAMES
        for one in (
            result(name, "scores"),
            result(name, "boxes", stage="detections"),
            result(name, "masks", "not_applicable", stage="masks", error=None, noise=None),
            result(name, "crowd", "failed" if name == "ssd/b" else "passed", stage="detections", error=0.3),
        )
    )
    return Certificate(
        tool=Tool("irproof", "0.1.0", "1"),
        profile="full",
        standing="certifying",
        standing_reasons=(),
        verdict="not_certified",
        verdict_reasons=("1 check failed",),
        complete=True,
        converter=ConverterFacts("chain", "0.1.0", "chain"),
        device=DeviceFacts("CPU", {"FULL_DEVICE_NAME": "a CPU"}),
        versions={"openvino": f"202{5 + seed}.4"},
        seeds={},
        cases=tuple(facts(name, seed) for name in NAMES),
        results=results,
        coverage=coverage(results),
    )


@pytest.fixture
def baseline() -> Certificate:
    return certificate(0)


@pytest.fixture
def candidate() -> Certificate:
    return certificate(1)


@pytest.fixture
def edited(candidate):
    """``edited(case=..., **fields)`` changes a case; ``edited(check=..., **fields)`` changes that check on ssd/a."""

    def edited(*, case=None, check=None, **fields):
        if check is not None:
            results = tuple(
                dataclasses.replace(one, **fields) if (one.check, one.case) == (check, case or "ssd/a") else one
                for one in candidate.results
            )
            return dataclasses.replace(candidate, results=results)
        cases = tuple(dataclasses.replace(one, **fields) if one.name == case else one for one in candidate.cases)
        return dataclasses.replace(candidate, cases=cases)

    return edited
