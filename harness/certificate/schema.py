"""The published JSON Schema of certificates, and the check against it."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

import jsonschema

from harness.certificate.model import READABLE_VERSIONS, SCHEMA_VERSION


@functools.cache
def schema(version: int = SCHEMA_VERSION) -> dict[str, Any]:
    """The schema of that version, as published in ``schema-<version>.json``."""
    text = resources.files("harness.certificate").joinpath(f"schema-{version}.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def violation(document: Any) -> str | None:
    """The first way in which ``document`` breaks the schema of its version, with its place; None when it is valid."""
    version = document.get("schema_version") if isinstance(document, dict) else None
    validator = jsonschema.Draft202012Validator(schema(version if version in READABLE_VERSIONS else SCHEMA_VERSION))
    for error in validator.iter_errors(document):
        best = jsonschema.exceptions.best_match([error]) or error
        place = "/".join(str(part) for part in best.absolute_path) or "the document itself"
        return f"{place}: {_shortened(best.message)}"
    return None


def _shortened(text: str) -> str:
    # jsonschema prints the whole value that is wrong, be it the certificate.
    return text if len(text) <= 200 else f"{text[:90]} ... {text[-90:]}"
