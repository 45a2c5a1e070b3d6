"""From a rewritten graph to an OpenVINO model: the front end reads it, the translators build what is ours."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.chain.translate import TRANSLATORS
from harness.errors import ConversionError, IrproofError

if TYPE_CHECKING:
    from harness.chain.graph import Graph


def translate(graph: Graph, outputs: Sequence[str]) -> Any:
    """The ov.Model of a rewritten graph that ends in ``outputs``.

    What the front end cannot translate, or infers no shape for, is a ConversionError that names the node.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.tensorflow import ConversionExtension

    failures: list[IrproofError] = []
    with tempfile.TemporaryDirectory(prefix="irproof-") as folder:
        path = Path(folder) / "rewritten.pb"
        path.write_bytes(graph.to_graph_def().SerializeToString())
        front_end = FrontEndManager().load_by_framework("tf")
        for kind, translator in TRANSLATORS.items():
            front_end.add_extension(ConversionExtension(kind, _reporting(translator, failures)))
        try:
            model = front_end.convert(front_end.load(str(path)))
        except Exception as error:  # the bindings raise several kinds, all with a text only
            if failures:
                raise failures[0] from None
            raise _explain(str(error), graph) from None
    if failures:
        raise failures[0]
    return model


def _reporting(translator: Any, failures: list[IrproofError]) -> Any:
    def call(node: Any) -> Any:
        try:
            return translator(node)
        except IrproofError as error:
            failures.append(error)
            raise
        except Exception as error:
            failures.append(
                ConversionError(
                    f"{node.get_op_type()} could not be built: {essential(str(error))}",
                    where=f"node {node.get_name()!r}",
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
    unsupported = re.findall(r"No translator found for (\S+) node", message)
    if unsupported:
        kinds = sorted(set(unsupported))
        places = [f"{node.name} ({node.op})" for node in graph if node.op in kinds]
        return ConversionError(
            f"The graph has operations that cannot be translated: {', '.join(kinds)}.",
            where="; ".join(places[:10]) + (f"; and {len(places) - 10} more" if len(places) > 10 else ""),
            advice="Load the library that defines custom operations, or cut the graph in front of them with --output.",
            requirement="SRC-11",
        )
    return ConversionError(
        f"OpenVINO's TensorFlow front end refuses the graph: {essential(message)}",
        where=_named_node(message, graph),
        advice="Check that the input shape suits the model.",
    )


def _named_node(message: str, graph: Graph) -> str | None:
    for candidate in re.findall(r"'([^']+)'", message) + re.findall(r"name: (\S+)", message):
        name = candidate.split(":")[0]
        if name in graph:
            return f"node {name!r} ({graph[name].op})"
    return None
