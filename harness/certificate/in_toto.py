"""A certificate as an in-toto Statement with the test-result predicate, ready to be signed by tools that sign those.

The subject is the certificate's file, by the SHA-256 of its bytes; the predicate says what passed, what failed, and
under which configuration. Failures that were expected are warnings.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from harness.certificate.model import Certificate, Result
from harness.certificate.plain import to_plain
from harness.certificate.writer import dumps

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
_RESULTS = {"certified": "PASSED", "informational": "WARNED", "not_certified": "FAILED"}


def statement(certificate: Certificate, file_name: str) -> dict[str, Any]:
    """The statement on a certificate that is written (as :func:`~harness.certificate.writer.write` does) to a file."""
    listed: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    for result in certificate.results:
        place = _list_of(result)
        if place is not None:
            listed[place].append(_name(result))
    plain: dict[str, Any] = to_plain(
        {
            "_type": STATEMENT,
            "subject": [{"name": file_name, "digest": {"sha256": sha256(certificate)}}],
            "predicateType": PREDICATE,
            "predicate": {
                "result": _RESULTS[certificate.verdict],
                "configuration": list(_configuration(certificate)),
                **{name: sorted(set(names)) for name, names in listed.items()},
            },
        }
    )
    return plain


def text(certificate: Certificate, file_name: str) -> str:
    """The statement as JSON text."""
    return json.dumps(statement(certificate, file_name), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def sha256(certificate: Certificate) -> str:
    """The hash of the certificate's file."""
    return hashlib.sha256(dumps(certificate).encode("utf-8")).hexdigest()


def _list_of(result: Result) -> str | None:
    if result.outcome == "passed":
        return "passedTests"
    if result.outcome in ("failed", "error"):
        return "failedTests" if result.expected is None else "warnedTests"
    return None  # neither claimed nor applicable: it was no test of this converter


def _name(result: Result) -> str:
    """One check on one case; a test may hold several."""
    return f"{result.test} {result.check}"


def _configuration(certificate: Certificate) -> list[dict[str, Any]]:
    """Resource descriptors of what the run depends on: the suite, the converter, and each case's files."""
    tool, converter, device = certificate.tool, certificate.converter, certificate.device
    found: list[dict[str, Any]] = [
        {
            "name": f"{tool.name} suite {tool.suite_version}",
            "annotations": {
                "version": tool.version,
                "profile": certificate.profile,
                "verdict": certificate.verdict,
                "reasons": [*certificate.verdict_reasons, *certificate.standing_reasons],
                "versions": dict(certificate.versions),
                "seeds": dict(certificate.seeds),
            },
        },
        {"name": f"converter {converter.name}", "annotations": {"version": converter.version, "spec": converter.spec}},
        {"name": f"device {device.name}", "annotations": dict(device.properties)},
    ]
    for case in certificate.cases:
        hashes = {name: value for name, value in to_plain(case.hashes).items() if value is not None}
        # Hashes of several files together, by this project's own rule: no tool may take them for a file's SHA-256.
        digest = {f"irproof-{name}": value for name, value in hashes.items()}
        found.append({"name": f"case {case.name}", **({"digest": digest} if digest else {})})
    return found
