"""OpenVINO's error messages, trimmed to what they say."""

from __future__ import annotations

import re

_PLACE = re.compile(r"^Exception from .*:\d+:?$")
_CHECK = re.compile(r"^Check '.*' failed at .*:\d+:?$")
_WHERE_IN_SOURCE = re.compile(r" failed at \S+:\d+:?$")
_LIMIT = 700


def essence(message: str) -> str:
    """The message on one line, without the places in OpenVINO's own source.

    A failed condition is kept only when nothing else is said.
    """
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    told = [line for line in lines if not _PLACE.match(line)]
    said = [line for line in told if not _CHECK.match(line)]
    kept = said or [_WHERE_IN_SOURCE.sub(" does not hold", line) for line in told] or lines
    text = " ".join(kept) or "(OpenVINO gave no message)"
    return text if len(text) <= _LIMIT else text[:_LIMIT] + "..."
