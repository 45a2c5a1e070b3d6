"""From the rewritten graph's own op types to OpenVINO's: one translator an op type.

A translator gets the front end's view of one node and gives the outputs that stand for it. Translators are the only
code of the chain that builds OpenVINO operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.chain.translate.ssd import translate_ssd
from harness.chain.translate.upsampling import translate_nearest_upsampling

if TYPE_CHECKING:
    from collections.abc import Callable

TRANSLATORS: dict[str, Callable[[Any], list[Any]]] = {
    "NearestUpsampling": translate_nearest_upsampling,
    "SsdDetectionOutput": translate_ssd,
}
