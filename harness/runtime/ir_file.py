"""An IR's two files, read without OpenVINO: whether they are whole, and which operations no output needs."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from collections import Counter
from typing import TYPE_CHECKING

from harness.errors import ReadFailure

if TYPE_CHECKING:
    from pathlib import Path

# The operations whose work is an end in itself, besides the results.
_SINKS = frozenset({"Result", "Assign"})


@dataclasses.dataclass(frozen=True)
class IRFile:
    """What an IR's ``.xml`` says. Operations in the body of a loop are named ``loop/operation``."""

    xml: Path
    weights: Path
    op_counts: dict[str, int]
    constant_bytes: dict[str, int]
    dead: tuple[tuple[str, str], ...]


def read_ir_file(xml: Path) -> IRFile:
    """Read an IR's files as far as that needs no OpenVINO.

    Raises ReadFailure when there is no such file, when it is no IR, or when the ``.bin`` beside it is missing or ends
    before the last constant that the ``.xml`` places in it.
    """
    root = _parse(xml)
    reader = _Reader()
    reader.read(root, "")
    if not reader.counts:
        raise ReadFailure("The .xml has no layers.", where=str(xml), advice="See how the converter wrote it.")
    weights = xml.with_suffix(".bin")
    if not weights.is_file():
        # A model without constants has an empty .bin, but it has one.
        raise ReadFailure("There is no .bin beside the .xml.", where=str(weights), advice="Write both files of the IR.")
    size = weights.stat().st_size
    if reader.weights_end > size:
        raise ReadFailure(
            f"The .bin is cut short: it has {size} bytes, and constant {reader.weights_last!r} ends at byte"
            f" {reader.weights_end}.",
            where=str(weights),
            advice="See whether the converter was interrupted, or the disk was full.",
        )
    return IRFile(xml, weights, dict(reader.counts), dict(reader.constant_bytes), tuple(reader.dead))


def _parse(xml: Path) -> ET.Element:
    if not xml.is_file():
        raise ReadFailure("There is no such .xml.", where=str(xml), advice="See what the converter wrote.")
    try:
        root = ET.parse(xml).getroot()  # noqa: S314 - no entities are resolved beyond the file's own
    except (ET.ParseError, ValueError) as error:
        size = xml.stat().st_size
        raise ReadFailure(
            f"The .xml is no whole XML document ({size} bytes): {error}.",
            where=str(xml),
            advice="See whether the converter was interrupted, or the disk was full.",
        ) from None
    if root.tag != "net" or root.find("layers") is None:
        raise ReadFailure(
            f"The .xml is no IR: its root is <{root.tag}>.", where=str(xml), advice="Give the .xml of an IR."
        )
    return root


class _Reader:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.constant_bytes: Counter[str] = Counter()
        self.dead: list[tuple[str, str]] = []
        self.weights_end = 0
        self.weights_last = ""

    def read(self, graph: ET.Element, prefix: str) -> None:
        layers = {layer.get("id", ""): layer for layer in graph.findall("layers/layer")}
        feeds: dict[str, list[str]] = {}
        for edge in graph.findall("edges/edge"):
            feeds.setdefault(edge.get("to-layer", ""), []).append(edge.get("from-layer", ""))
        needed = set()
        pending = [number for number, layer in layers.items() if layer.get("type") in _SINKS]
        while pending:
            number = pending.pop()
            if number not in needed:
                needed.add(number)
                pending.extend(feeds.get(number, ()))
        for number, layer in layers.items():
            name, kind = prefix + layer.get("name", ""), layer.get("type", "")
            self.counts[kind] += 1
            if number not in needed:
                self.dead.append((name, kind))
            self._weigh(layer, name)
            for tag in ("body", "then_body", "else_body"):
                body = layer.find(tag)
                if body is not None:
                    self.read(body, f"{name}/")

    def _weigh(self, layer: ET.Element, name: str) -> None:
        data = layer.find("data")
        if layer.get("type") != "Const" or data is None:
            return
        size = int(data.get("size", "0"))
        self.constant_bytes[data.get("element_type", "?")] += size
        end = int(data.get("offset", "0")) + size
        if end > self.weights_end:
            self.weights_end, self.weights_last = end, name
