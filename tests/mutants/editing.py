"""Editing an IR: finding operations, putting something between two of them, changing attributes and constants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import openvino as ov
from openvino import opset13 as opset

Edit = Callable[[ov.Model], ov.Model]


def the(model: ov.Model, kind: str) -> ov.Node:
    """The one operation of a type."""
    found = every(model, kind)
    assert len(found) == 1, f"{len(found)} operations of type {kind}"
    return found[0]


def every(model: ov.Model, kind: str) -> list[ov.Node]:
    return [node for node in model.get_ordered_ops() if node.get_type_name() == kind]


def between(node: ov.Node, index: int, make: Callable[[ov.Output], ov.Node]) -> None:
    """Put what ``make`` builds between an input of a node and its source."""
    made = make(node.input_value(index))
    node.input(index).replace_source_output(made.output(0))


def at_the_end(model: ov.Model, make: Callable[[ov.Output], ov.Node]) -> ov.Model:
    """Put what ``make`` builds between the first output and its result; names stay."""
    result = model.get_results()[0]
    source = result.input_value(0)
    names = source.get_names()
    made = make(source)
    source.get_tensor().set_names(set())
    result.input(0).replace_source_output(made.output(0))
    made.output(0).get_tensor().set_names(names)
    model.validate_nodes_and_infer_types()
    return model


def change_constant(node: ov.Node, index: int, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Give one input of a node, which has to be constant, another value."""
    source = node.input_value(index).get_node()
    while source.get_type_name() in {"Convert", "Reshape", "Unsqueeze", "Transpose"}:
        node, index = source, 0
        source = node.input_value(0).get_node()
    assert source.get_type_name() == "Constant", source.get_type_name()
    value = np.array(source.data)
    changed = change(value).astype(value.dtype)
    assert changed.shape == value.shape
    node.input(index).replace_source_output(opset.constant(changed).output(0))


def change_attribute(
    xml: Path, kind: str, name: str, change: Callable[[str], str], *, which: int | None = None
) -> None:
    """Change an attribute of the operations of a type in the IR's own text; ``which`` picks one of several."""
    tree = ET.parse(xml)  # noqa: S314 - our own file
    layers = [layer for layer in tree.iter("layer") if layer.get("type") == kind]
    assert layers, f"no {kind} in {xml}"
    changed = 0
    for number, layer in enumerate(layers):
        if which is None or number == which % len(layers):
            data = layer.find("data")
            assert data is not None
            assert name in data.attrib, f"{kind} has no attribute {name}: {data.attrib}"
            before = data.attrib[name]
            data.attrib[name] = change(before)
            changed += data.attrib[name] != before
    assert changed, f"{name} of {kind} was already so"
    tree.write(xml)
