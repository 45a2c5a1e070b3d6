"""A gate's comparison as one page: verdict, changes (what closes the gate first), latency ratios with intervals.

Only the JSON that ``irproof gate --json`` prints is read, so a page can be made elsewhere and later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from harness.errors import UsageError
from harness.report.page import environment, static_policy, style

_LISTS = ("changes", "latencies", "differences", "notes")
WORDS = {
    "newly_failing": "newly failing",
    "fails_earlier": "fails earlier",
    "no_longer_proven": "no longer proven",
    "newly_passing": "newly passing",
    "error_growth": "error growth",
    "too_noisy": "too noisy to tell",
}
#: Of the plot's width, which is 100.
_LEFT, _RIGHT = 2.0, 98.0


def is_gate(document: Any) -> bool:
    """Whether a JSON document is what a gate prints."""
    return (
        isinstance(document, dict)
        and isinstance(document.get("passed"), bool)
        and all(isinstance(document.get(name), str) for name in ("baseline", "candidate"))
        and all(isinstance(document.get(name), list) for name in _LISTS)
    )


def render_gate(document: Mapping[str, Any]) -> str:
    """The page of a gate's JSON; raises UsageError where a change or a latency is not what a gate writes."""
    try:
        changes = sorted(document["changes"], key=lambda change: not change["regression"])
        latencies = sorted(document["latencies"], key=lambda one: -float(one["ratio"]))
        text: str = (
            environment()
            .get_template("gate.html")
            .render(
                gate=document,
                changes=changes,
                latencies=[(one, span(one, latencies)) for one in latencies],
                regressions=sum(bool(change["regression"]) for change in changes),
                words=WORDS,
                policy=static_policy(),
                style=Markup(style()),  # noqa: S704 - the project's own
            )
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"The gate's JSON is not what this irproof writes: {type(error).__name__} {error}.",
            advice="Compare the certificates again with `irproof gate --json`.",
        ) from error
    return text


def span(one: Mapping[str, Any], latencies: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Where a ratio, its interval and a ratio of one lie on a logarithmic axis from 0 to 100 that all share."""
    ends = [float(other[name]) for other in latencies for name in ("low", "high", "ratio")]
    if not all(math.isfinite(end) and end > 0 for end in ends):
        raise ValueError("a ratio of latencies that is not positive")
    reach = max(math.log(1.1), *(abs(math.log(end)) for end in ends))

    def at(ratio: float) -> float:
        return round(_LEFT + (math.log(ratio) / reach + 1) / 2 * (_RIGHT - _LEFT), 2)

    return {name: at(float(one[name])) for name in ("low", "ratio", "high")} | {"one": at(1.0)}
