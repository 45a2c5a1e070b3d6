"""From a rewritten graph to an OpenVINO model: the front end reads it, the translators build what is ours."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.chain.graph import Tensor
from harness.chain.translate import TRANSLATORS
from harness.errors import ConversionError, IrproofError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.chain.graph import Graph


def translate(graph: Graph, outputs: Sequence[str]) -> Any:
    """The ov.Model of a rewritten graph that ends in ``outputs``.

    What the front end cannot translate, or infers no shape for, is a ConversionError that names the node.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.tensorflow import ConversionExtension

    failures: list[IrproofError] = []
    ends = [_dangling(graph, name) for name in outputs]
    with tempfile.TemporaryDirectory(prefix="irproof-") as folder:
        path = Path(folder) / "rewritten.pb"
        path.write_bytes(graph.to_graph_def().SerializeToString())
        front_end = FrontEndManager().load_by_framework("tf")
        for kind, translator in TRANSLATORS.items():
            front_end.add_extension(ConversionExtension(kind, _reporting(translator, failures, kind, graph)))
        try:
            model = front_end.convert(front_end.load(str(path)))
        except Exception as error:  # noqa: BLE001 - the bindings raise several kinds, all with a text only
            if failures:
                raise failures[0] from None
            raise _explain(str(error), graph) from None
    if failures:
        raise failures[0]
    return _in_order(model, ends, outputs)


def _dangling(graph: Graph, name: str) -> str:
    """The front end ends a model where nobody reads on: an output in the middle gets a reader of its own."""
    if not graph.consumers(name):
        return name
    reader = graph.add("Identity", f"{name}/output", [Tensor(name)], {})
    if "T" in graph[name].attr:
        reader.attr["T"].type = graph[name].attr["T"].type
    return str(reader.name)


def _in_order(model: Any, ends: Sequence[str], outputs: Sequence[str]) -> Any:
    """The model with its outputs in the order asked for, each findable by its TensorFlow name."""
    import openvino as ov

    found: dict[str, Any] = {}
    for result in model.get_results():
        source = result.input_value(0)
        for name in {source.get_node().get_friendly_name(), *(text.split(":")[0] for text in source.get_names())}:
            found.setdefault(name, result)
    if len(ends) == 1 and len(model.get_results()) == 1:
        chosen = list(model.get_results())
    else:
        missing = [name for name in ends if name not in found]
        if missing:
            raise ConversionError("Outputs got lost in the translation.", where=", ".join(missing))
        chosen = [found[name] for name in ends]
    for result, name in zip(chosen, outputs, strict=True):
        tensor = result.input_value(0).get_tensor()
        tensor.add_names({name})
        result.set_friendly_name(f"{name}/sink_port_0")
    for parameter in model.get_parameters():
        name = parameter.get_friendly_name().split(":")[0]
        parameter.set_friendly_name(name)
        parameter.output(0).get_tensor().add_names({name})
    return ov.Model(chosen, model.get_parameters(), "irproof")


def _reporting(translator: Any, failures: list[IrproofError], kind: str, graph: Graph) -> Any:
    """A translator whose failures are kept: the front end passes on their text at most, and knows no node's name."""

    def call(node: Any) -> Any:
        try:
            return translator(node)
        except IrproofError as error:
            failures.append(error)
            raise
        except Exception as error:
            failures.append(
                ConversionError(
                    f"{kind} could not be built: {essential(str(error))}",
                    where="node " + " or ".join(repr(found.name) for found in graph if found.op == kind),
                    advice="The graph's shapes do not fit what its pipeline.config describes.",
                )
            )
            raise

    return call


def essential(message: str) -> str:
    """The sentences of an OpenVINO error that tell something, without source places."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    told = [line for line in lines if not re.match(r"^(Exception from |Check '|\[|src/)", line)]
    text = " ".join(told or lines)
    text = re.sub(r"Exception from \S+?:\d+:?", "", text)
    text = re.sub(r"Check '[^']*' failed at \S+?:\d+:?", "", text)
    return re.sub(r"\s+", " ", text).strip()[:600]


def _explain(message: str, graph: Graph) -> ConversionError:
    unsupported = re.search(r"No conversion rule found for operations: (.*)", message)
    if unsupported:
        kinds = sorted(kind.strip() for kind in unsupported.group(1).split(","))
        places = [f"{node.name} ({node.op})" for node in graph if node.op in kinds]
        return ConversionError(
            f"The graph has operations that cannot be translated: {', '.join(kinds)}.",
            where="; ".join(places[:10]) + (f"; and {len(places) - 10} more" if len(places) > 10 else ""),
            advice="Load the library that defines custom operations, or cut the graph in front of them with --output.",
            requirement="SRC-11",
        )
    failed = re.search(
        r"While validating node '\S*::(\S+) \S+ \((.*?)\) -> .*?': ?(.*?)(?:Summary:|$)", message, re.DOTALL
    )
    if failed:
        kind, inputs, reason = failed.groups()
        shapes = ", ".join(re.findall(r"\[\d+\]:\w+(\[[^\]]*\])", inputs))
        return ConversionError(
            f"{kind} cannot take inputs of the shapes {shapes}: {essential(reason).rstrip('.')}.",
            where=_reader_of(inputs, kind, graph),
            advice="Give the input shape that the model was trained with.",
            requirement="SHP-6",
        )
    return ConversionError(
        f"OpenVINO's TensorFlow front end refuses the graph: {essential(message)}",
        where=_named_node(message, graph),
        advice="Check that the input shape suits the model.",
    )


def _reader_of(inputs: str, kind: str, graph: Graph) -> str | None:
    """The TensorFlow node that reads the named inputs of an operation that could not be built."""
    sources = [name for name in re.findall(r"\S+::\S+ (\S+)\[\d+\]:", inputs) if name in graph]
    for source in sources:
        for reader, _ in graph.consumers(source):
            if kind.lower() in reader.op.lower() or reader.op.lower() in kind.lower():
                return f"node {reader.name!r} ({reader.op}), which reads {source!r}"
    return f"behind node {sources[0]!r}" if sources else None


def _named_node(message: str, graph: Graph) -> str | None:
    for candidate in re.findall(r"'([^']+)'", message) + re.findall(r"name: (\S+)", message):
        name = candidate.split(":")[0]
        if name in graph:
            return f"node {name!r} ({graph[name].op})"
    return None
