"""The gate: what changed between two certificates, and whether it may go in."""

from harness.gate.comparability import NotComparable, hindrances
from harness.gate.comparing import compare
from harness.gate.model import Change, Gate, LatencyRatio

__all__ = ["Change", "Gate", "LatencyRatio", "NotComparable", "compare", "hindrances"]
