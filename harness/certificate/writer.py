"""Writing a certificate: checked against its schema, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

from harness.certificate.atomic import write_text
from harness.certificate.model import Certificate
from harness.certificate.plain import to_plain


def dumps(certificate: Certificate) -> str:
    """The certificate as JSON text, the same text for the same certificate."""
    return json.dumps(to_plain(certificate), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write(certificate: Certificate, path: Path) -> None:
    """Write the certificate to ``path``; raises UsageError where that cannot be written."""
    write_text(path, dumps(certificate))
