"""Reading a certificate, with an error of its own for everything that can be wrong with a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from harness.certificate.model import KIND, READABLE_VERSIONS, SCHEMA_VERSION, Certificate
from harness.certificate.plain import from_plain
from harness.certificate.schema import violation
from harness.errors import UsageError


class CertificateError(UsageError):
    """A file is missing, cut off, no certificate, or one of another schema version."""


def read(path: Path) -> Certificate:
    """The certificate in ``path``; raises CertificateError that says what is wrong with the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CertificateError("The file is no text, so no certificate.", where=str(path)) from error
    except OSError as error:
        raise CertificateError(
            f"The certificate cannot be read: {error.strerror or error}.",
            where=str(path),
            advice="`pytest --certificate FILE` writes one.",
        ) from error
    return loads(text, where=str(path))


def loads(text: str, *, where: str) -> Certificate:
    """The certificate in a JSON text that came from ``where``; raises CertificateError."""
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        at_the_end = isinstance(error, json.JSONDecodeError) and error.pos >= len(text.rstrip()) - 1
        unterminated = "Unterminated" in str(error)
        raise CertificateError(
            "The certificate is cut off." if at_the_end or unterminated else f"The file is no JSON: {error}.",
            where=where,
            advice="Write it again with `pytest --certificate FILE`.",
        ) from error
    except RecursionError as error:
        raise CertificateError("The file is nested too deeply to be a certificate.", where=where) from error
    _check(document, where)
    return from_plain(Certificate, document)


def _check(document: Any, where: str) -> None:
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise CertificateError(
            f'The file is JSON, but no certificate: it does not say "kind": "{KIND}".',
            where=where,
            advice="Name a file that `pytest --certificate FILE` wrote.",
        )
    version = document.get("schema_version")
    if type(version) is not int or version not in READABLE_VERSIONS:
        raise CertificateError(
            f"The certificate has schema version {version!r}, and this irproof reads versions 1 to {SCHEMA_VERSION}.",
            where=where,
            advice="Read it with the irproof that wrote it, or certify again with this one.",
        )
    broken = violation(document)
    if broken is not None:
        raise CertificateError(f"The certificate breaks its schema at {broken}.", where=where)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
