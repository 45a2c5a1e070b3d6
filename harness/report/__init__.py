"""A certificate as one page to read: self-contained, nothing loaded, everything from outside escaped."""

from harness.report.page import render

__all__ = ["render"]
