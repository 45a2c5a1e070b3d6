"""The certificate: every result of a run, with what is needed to repeat it, as JSON by a published schema."""

from harness.certificate.comparable import comparable
from harness.certificate.coverage import coverage
from harness.certificate.model import Certificate
from harness.certificate.reader import CertificateError, read
from harness.certificate.schema import schema
from harness.certificate.verdict import verdict
from harness.certificate.writer import write

__all__ = ["Certificate", "CertificateError", "comparable", "coverage", "read", "schema", "verdict", "write"]
