"""Putting the page together: template, styles and scripts beside this module, and the certificate as data."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from harness.certificate.model import Certificate
from harness.report.payload import SEVERITY, WORDS, embedded, payload
from harness.requirements import catalogue

VERDICTS = {"certified": "CERTIFIED", "not_certified": "NOT CERTIFIED", "informational": "INFORMATIONAL"}
#: In the order in which they are put together; each uses only what stands before it, ``main`` starts it all.
SCRIPTS = ("elements", "data", "address", "filter", "matrix", "picture", "finding", "results", "plots", "main")


def render(certificate: Certificate) -> str:
    """One HTML page: verdict, matrix of cases by requirements, findings with pictures, plots, coverage, versions.

    It needs nothing but itself: its policy lets the browser run this one script and these styles, known by their
    hashes, and load nothing. Every string of the certificate is either escaped by the template, or set as text by
    the script; none ever becomes markup.
    """
    return (
        environment()
        .get_template("page.html")
        .render(
            certificate=certificate,
            catalogue=catalogue(),
            verdict=VERDICTS[certificate.verdict],
            counts=_counts(certificate),
            words=WORDS,
            policy=policy(),
            style=Markup(style()),  # noqa: S704 - the project's own
            script=Markup(script()),  # noqa: S704 - the project's own
            data=Markup(embedded(payload(certificate))),  # noqa: S704 - without <, > and &
        )
    )


@functools.cache
def style() -> str:
    """The page's styles."""
    return _asset("page.css")


@functools.cache
def script() -> str:
    """The page's script: its parts in one function, strict, with no name left outside."""
    parts = "\n".join(_asset(f"{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


@functools.cache
def policy() -> str:
    """The Content-Security-Policy: this script, these styles, images out of the page itself, and nothing else."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script())}'",
            f"style-src '{_hash(style())}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def _asset(name: str) -> str:
    text = resources.files("harness.report").joinpath("assets", name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")


def static_policy() -> str:
    """The Content-Security-Policy of a page without a script."""
    return f"default-src 'none'; style-src '{_hash(style())}'; base-uri 'none'; form-action 'none'"


@functools.cache
def environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(seconds=_seconds)
    return environment


def _counts(certificate: Certificate) -> dict[str, int]:
    counts = dict.fromkeys(SEVERITY, 0)
    for result in certificate.results:
        counts[result.outcome] += 1
    return counts


def _seconds(value: float | None) -> Any:
    if value is None:
        return "-"
    return f"{value / 60:.1f} min" if value >= 120 else f"{value:.1f} s"
