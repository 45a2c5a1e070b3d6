"""From the state of a run to its certificate."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from typing import Any

from harness import __version__
from harness.cases.selection import listed_cases
from harness.certificate import Certificate, coverage, verdict
from harness.certificate.model import (
    SUITE_VERSION,
    CaseFacts,
    ConverterFacts,
    DeviceFacts,
    ExpectationFacts,
    Result,
    Standing,
    Tool,
)
from harness.certificate.plain import to_plain
from harness.certificate.versions import versions
from harness.expectations import Scope, judge
from harness.plugin.picturing import fitting
from harness.plugin.state import Run


def certify(run: Run) -> Certificate:
    """The certificate of what was gathered, in an order that does not depend on the order of events."""
    reasons = standing_reasons(run)
    standing: Standing = "informational" if reasons else "certifying"
    results = tuple(sorted(run.results, key=_place))
    not_run = len(run.planned - run.reported)
    expectations = judged_expectations(run, results)
    found, why = verdict(results, standing=standing, not_run=not_run, expectations=expectations)
    pictures, images, left_out = fitting(run.album, results)
    converter = run.converter
    ended = dt.datetime.now(dt.timezone.utc)
    return Certificate(
        tool=Tool("irproof", __version__, SUITE_VERSION),
        profile=run.options.profile,
        standing=standing,
        standing_reasons=reasons,
        verdict=found,
        verdict_reasons=why,
        complete=not_run == 0,
        converter=ConverterFacts(
            name=converter.name,
            version=_version(run),
            spec=run.options.converter,
            claims=_claims(converter),
        ),
        device=DeviceFacts(run.options.device, dict(sorted(run.properties.items()))),
        versions=dict(sorted((_own_versions(run) | run.versions).items())),
        seeds=dict(sorted(run.seeds.items())),
        cases=tuple(_facts(run, name) for name in sorted(run.selection)),
        results=results,
        coverage=coverage(results),
        expectations=expectations,
        pictures=pictures,
        images=images,
        pictures_left_out=left_out,
        started=run.started.isoformat(timespec="seconds"),
        ended=ended.isoformat(timespec="seconds"),
        duration_s=round(time.perf_counter() - run.clock, 3),
    )


def standing_reasons(run: Run) -> tuple[str, ...]:
    """Why the run is informational; empty where it certifies."""
    reasons = run.options.hindrances()
    if run.deselected:
        reasons += (f"{run.deselected} checks were deselected",)
    return reasons + tuple(f"only {part}" for part in run.parts())


def judged_expectations(run: Run, results: Sequence[Result]) -> tuple[ExpectationFacts, ...]:
    """What became of the expected failures; none where the caller named no file."""
    if not run.expectations:
        return ()
    options = run.options
    known = {one.name for one in listed_cases(model_dirs=options.model_dirs, zoo=options.zoo, profile="full")}
    # Whatever was planned and never came to an end says nothing of what would have passed.
    partial = bool(run.parts()) or bool(run.planned - run.reported)
    scope = Scope(selected=tuple(run.selection), known=known, left_out=run.left_out, partial=partial)
    return judge(run.expectations, results, scope)


def _own_versions(run: Run) -> dict[str, str]:
    """The versions of this environment, without the OpenVINO that another one brings."""
    return versions() | ({"openvino": "unknown, nothing ran"} if run.options.python else {})


def _version(run: Run) -> str:
    if run.options.python and run.converter.name == "ovc":
        return run.versions.get("openvino", "")  # its own version is that of this environment
    return str(getattr(run.converter, "version", "") or "")


def _place(result: Result) -> tuple[str, str, str]:
    return result.case, result.test, result.check


def _facts(run: Run, name: str) -> CaseFacts:
    if name in run.facts:
        return run.facts[name]
    # No check on the case got as far as reading it; what is listed is all that is known.
    listed = run.selection[name]
    return CaseFacts(name, listed.family, listed.era, listed.model_format, listed.origin, tuple(sorted(listed.traits)))


def _claims(converter: Any) -> dict[str, Any]:
    claims = to_plain(getattr(converter, "claims", None) or {})
    return claims if isinstance(claims, dict) else {"claims": claims}
