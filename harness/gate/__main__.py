"""``python -m harness.gate openvino==A openvino==B``: what an upgrade changes."""

from __future__ import annotations

import sys

from harness.gate.upgrade import main

if __name__ == "__main__":
    sys.exit(main())
