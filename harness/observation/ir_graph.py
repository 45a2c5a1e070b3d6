"""The wiring of an IR, read from its ``.xml`` without OpenVINO: which operation feeds which."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from pathlib import Path

from harness.errors import ReadFailure


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation: friendly name, type, and the indices of what feeds its inputs, in the inputs' order."""

    name: str
    type: str
    sources: tuple[int, ...]


class IrGraph:
    """The operations of an IR's outermost graph; bodies of loops are part of their operation.

    Raises ReadFailure when the ``.xml`` is none of an IR.
    """

    def __init__(self, xml: Path) -> None:
        try:
            root = ET.parse(xml).getroot()  # noqa: S314 - no entities are resolved beyond the file's own
            layers, edges = root.find("layers"), root.find("edges")
        except (OSError, ET.ParseError) as error:
            raise ReadFailure(f"The .xml cannot be read: {error}.", where=str(xml)) from error
        if layers is None or edges is None:
            raise ReadFailure("The .xml is no IR: it has no layers or edges.", where=str(xml))
        feeding: dict[str, dict[int, str]] = {}
        for edge in edges:
            feeding.setdefault(edge.attrib["to-layer"], {})[int(edge.attrib["to-port"])] = edge.attrib["from-layer"]
        numbers = {layer.attrib["id"]: number for number, layer in enumerate(layers)}
        self.operations = tuple(
            Operation(
                name=layer.attrib["name"],
                type=layer.attrib["type"],
                sources=tuple(numbers[source] for _, source in sorted(feeding.get(layer.attrib["id"], {}).items())),
            )
            for layer in layers
        )
        self.readers: tuple[tuple[int, ...], ...] = self._readers()

    def find(self, name: str) -> Operation:
        """The operation of that friendly name; raises ReadFailure when there is none."""
        for operation in self.operations:
            if operation.name == name:
                return operation
        raise ReadFailure(f"The IR has no operation {name!r}.")

    def source(self, operation: Operation, index: int) -> Operation:
        """What feeds one input of an operation."""
        return self.operations[operation.sources[index]]

    def between(self, start: str, ends: frozenset[str]) -> list[Operation]:
        """What data passes from operations of type ``start`` up to the first of a type in ``ends``, which are left out.

        Constants are no data, and neither is what only reads a shape.
        """
        pending = [number for number, one in enumerate(self.operations) if one.type == start]
        seen: set[int] = set(pending)
        found = []
        while pending:
            for reader in self.readers[pending.pop()]:
                operation = self.operations[reader]
                if reader in seen or operation.type in ends or operation.type == "ShapeOf":
                    continue
                seen.add(reader)
                found.append(operation)
                pending.append(reader)
        return found

    def _readers(self) -> tuple[tuple[int, ...], ...]:
        readers: list[list[int]] = [[] for _ in self.operations]
        for number, operation in enumerate(self.operations):
            for source in operation.sources:
                readers[source].append(number)
        return tuple(tuple(found) for found in readers)
