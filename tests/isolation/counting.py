"""The chain, as a vendor would wrap it; leaves a line for each conversion in the file that COUNTED names."""

from __future__ import annotations

import os
from pathlib import Path

from harness.converters.chain import convert as chain


def convert(request):
    with Path(os.environ["COUNTED"]).open("a") as stream:
        stream.write(f"{request.model_path} {request.input_shape} {sorted(request.options.items())}\n")
    return chain(request)


convert.claims = {"families": ["ssd"], "contract": "detection_output"}
