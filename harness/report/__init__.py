"""A certificate as one page to read: self-contained, nothing loaded, everything from outside escaped."""

from harness.report.gate_page import is_gate, render_gate
from harness.report.page import render

__all__ = ["is_gate", "render", "render_gate"]
