"""What two runs of the same thing have in common: the whole certificate but its times and durations."""

from __future__ import annotations

from typing import Any

from harness.certificate.model import Certificate
from harness.certificate.plain import to_plain


def comparable(certificate: Certificate) -> dict[str, Any]:
    """The certificate as plain values without times and durations: equal for two runs of the same thing."""
    plain: dict[str, Any] = to_plain(certificate, moments=False)
    return plain
