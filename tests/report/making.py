"""Certificates for the tests of the report."""

from __future__ import annotations

from harness.certificate import coverage
from harness.certificate.model import (
    CaseFacts,
    Certificate,
    ConverterFacts,
    DeviceFacts,
    Drawn,
    FindingFacts,
    Picture,
    Result,
    Tool,
)
from harness.requirements import catalogue

EVIL = "<script>alert('x')</script>\"'&<img src=x onerror=alert(1)>]]>--><!--<script>"


def a_result(case="ssd/a", check="scores", outcome="passed", ids=("SSD-3",), **other):
    return Result(
        case=case,
        check=check,
        test=f"suites/test_heads.py::test_{check}[{case}]",
        requirements=ids,
        stage="heads",
        outcome=outcome,
        **{"compared": 7, "worst_error": 2e-6, "noise": 1e-6, "tolerance": 1e-5, "unit": "score"} | other,
    )


def a_certificate(*results, **other):
    names = sorted({result.case for result in results})
    return Certificate(
        **{
            "tool": Tool("irproof", "0.1.0", "1"),
            "profile": "quick",
            "standing": "informational",
            "standing_reasons": ("--profile quick",),
            "verdict": "not_certified",
            "verdict_reasons": ("1 check failed",),
            "complete": True,
            "converter": ConverterFacts("chain", "0.1.0", "chain", {"families": ["ssd"]}),
            "device": DeviceFacts("CPU", {"FULL_DEVICE_NAME": "a CPU"}),
            "versions": {"python": "3.11.0"},
            "seeds": {"scenes": 7},
            "cases": tuple(CaseFacts(name, "ssd", "1.14", "frozen", "built-in") for name in names),
            "results": results,
            "coverage": coverage(results),
        }
        | other
    )


def a_picture(**other):
    """An image of a few pixels with two detections on each side, one of which moved."""
    dot = (
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
        "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    boxes = ((0.1, 0.1, 0.5, 0.5), (0.5, 0.5, 0.9, 0.9))
    moved = ((0.1, 0.1, 0.5, 0.5), (0.5, 0.6, 0.9, 1.0))
    return Picture(
        **{
            "id": "p",
            "case": "ssd/a",
            "view": "as converted",
            "image": 0,
            "scene": "street",
            "height": 240,
            "width": 320,
            "pixels": "dot",
            "reference": tuple(Drawn(i, 1, 0.9, box, "0f0f") for i, box in enumerate(boxes)),
            "observed": tuple(Drawn(i, 1, 0.9, box, "0ff0") for i, box in enumerate(moved)),
            "pairs": ((0, 0), (1, 1)),
            "mask_shape": (2, 2),
        }
        | other
    ), {"dot": dot}


def a_large_one(cases=1250, checks=80):
    """A certificate of ``cases * checks`` results, every 97th of which failed."""
    ids = [id_ for id_ in catalogue() if not id_.startswith("OTH")]
    results = [
        Result(
            case=f"ssd/model_{case:04}",
            check=f"check_{check}",
            test=f"suites/test_heads.py::test_check_{check}[ssd/model_{case:04}]",
            requirements=(ids[check % len(ids)],),
            stage=("heads", "detections", "reshape")[check % 3],
            outcome="failed" if (case * checks + check) % 97 == 0 else "passed",
            findings=(FindingFacts("A score differs.", {"image": 0}, 1.0, 0.1, 0.5, 1.0, "score"),)
            if (case * checks + check) % 97 == 0
            else (),
            worst_error=1e-7 * (1 + (case * 7 + check) % 1000),
            noise=1e-6,
            tolerance=1e-4,
            unit="score",
            compared=7,
            reproduce=f"pytest 'suites/test_heads.py::test_check_{check}[ssd/model_{case:04}]'",
            duration_s=0.01,
        )
        for case in range(cases)
        for check in range(checks)
    ]
    return a_certificate(*results)
