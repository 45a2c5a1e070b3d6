"""Rendering the page from the template beside this module."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jinja2

from harness.certificate.model import Certificate, FindingFacts, Result
from harness.certificate.units import amount, noises
from harness.report.matrix import WORDS, matrix
from harness.requirements import catalogue

VERDICTS = {"certified": "CERTIFIED", "not_certified": "NOT CERTIFIED", "informational": "INFORMATIONAL"}


def render(certificate: Certificate) -> str:
    """One HTML page: verdict, matrix of cases by requirements, findings, coverage, versions.

    It needs no network and runs no script; its policy forbids the browser both. Every string of the certificate is
    escaped, and links lead to counted ids, so a case may be named as it likes.
    """
    return (
        _environment()
        .get_template("page.html")
        .render(
            certificate=certificate,
            matrix=matrix(certificate),
            catalogue=catalogue(),
            verdict=VERDICTS[certificate.verdict],
            counts=_counts(certificate),
            words=WORDS,
        )
    )


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(amount=amount, noises=_noises, ratio=_ratio, place=_place, seconds=_seconds)
    return environment


def _counts(certificate: Certificate) -> dict[str, int]:
    counts = dict.fromkeys(("failed", "error", "passed", "not_claimed", "not_applicable"), 0)
    for result in certificate.results:
        counts[result.outcome] += 1
    return counts


def _noises(finding: FindingFacts) -> str:
    return noises(finding.error, finding.noise)


def _ratio(result: Result) -> str:
    return noises(result.worst_error, result.noise)


def _place(where: Mapping[str, Any]) -> str:
    """The place of a finding on one line: ``scene street, image 0, anchor 17``."""
    return ", ".join(f"{key} {value}" for key, value in where.items())


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 60:.1f} min" if value >= 120 else f"{value:.1f} s"
