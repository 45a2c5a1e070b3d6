"""Which converters there are, and how one is called.

:func:`resolve` finds one by what a caller writes; :func:`harness.converters.conversion.convert_case` calls it.
"""

from __future__ import annotations

from harness.converters.registry import Converter, installed, resolve

__all__ = ["Converter", "installed", "resolve"]
