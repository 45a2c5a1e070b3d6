"""The families of detectors by the number of their stages."""

from __future__ import annotations

SINGLE_STAGE = ("ssd", "efficientdet", "quantized")
TWO_STAGE = ("faster_rcnn", "rfcn", "mask_rcnn")
DETECTORS = (*SINGLE_STAGE, *TWO_STAGE)
