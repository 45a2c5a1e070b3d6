"""What TensorFlow answers for the original graph.

:class:`References` asks, in workers of their own, and keeps the answers. Importing this imports no TensorFlow.
"""

from __future__ import annotations

from harness.reference.reference import Reference, References

__all__ = ["Reference", "References"]
