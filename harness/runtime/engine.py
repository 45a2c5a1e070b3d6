"""OpenVINO itself, as called inside a worker: needs nothing but OpenVINO, NumPy and this package's light modules.

The worker may be another Python with another OpenVINO, so only what OpenVINO has had since 2024 is used.
"""

from __future__ import annotations

import collections
import contextlib
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov

from harness.errors import CompileFailure, InferFailure, IrproofError, ReadFailure, ReshapeFailure
from harness.runtime.facts import DETECTION_TYPES, DETECTOR_NAMES, LOOP_TYPES, IRFacts, OpFacts, PortFacts
from harness.runtime.ir_file import read_ir_file
from harness.runtime.messages import essence
from harness.workers.progress import note

if TYPE_CHECKING:
    from pathlib import Path

Dimension = int | tuple[int, int]
# None: as it is; "dynamic": batch, height and width of the image input open; sizes of the image input; or by name.
Shape = None | str | Sequence[Dimension] | Mapping[str, Sequence[Dimension]]
Inputs = Mapping[str, np.ndarray] | Sequence[np.ndarray]

_core: Any = None
# Compiling costs far more than running, and checks ask the same model again and again; a few fit in memory.
_compiled: collections.OrderedDict[str, tuple[Any, list[str]]] = collections.OrderedDict()
_KEPT = 4


def versions(device: str) -> dict[str, str]:
    """OpenVINO's version, Python's, NumPy's and the device's full name."""
    with _step(CompileFailure, "asking for the device", device):
        name = str(_engine().get_property(device, "FULL_DEVICE_NAME"))
    return {
        "openvino": str(ov.get_version()),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "device": name.strip(),
    }


def inspect(ir: Path) -> IRFacts:
    """What there is to say of the IR."""
    written = read_ir_file(ir)
    model = _read(ir)
    operations = list(_operations(model))
    return IRFacts(
        inputs=tuple(_port_facts(port, name) for port, name in zip(model.inputs, _keys(model.inputs), strict=True)),
        outputs=tuple(_port_facts(port, name) for port, name in zip(model.outputs, _keys(model.outputs), strict=True)),
        op_counts=written.op_counts,
        loops=tuple(_op_facts(op) for op in operations if op.get_type_name() in LOOP_TYPES),
        detection_ops=tuple(_op_facts(op) for op in operations if op.get_type_name() in DETECTION_TYPES),
        dead=written.dead,
        constant_bytes=written.constant_bytes,
    )


def infer(
    ir: Path,
    requests: Sequence[Inputs],
    shape: Shape,
    device: str,
    properties: Mapping[str, Any],
) -> list[dict[str, np.ndarray]]:
    """Compile once, then answer the requests one after another, each as a mapping from output names to arrays."""
    compiled, _ = _compile_cached(ir, shape, device, properties)
    note("infer")
    return [_run(compiled, request, str(ir)) for request in requests]


def infer_part(
    ir: Path,
    request: Inputs,
    part: tuple[str, tuple[int, ...]],
    shape: Shape,
    device: str,
    properties: Mapping[str, Any],
) -> list[np.ndarray]:
    """Compile what feeds the given inputs of the named node, and run that alone."""
    compiled, names = _compile_cached(ir, shape, device, properties, part)
    note("infer")
    given = request if isinstance(request, Mapping) else dict(zip(names, request, strict=False))
    keys = _keys(compiled.inputs)
    needed = {name: array for name, array in given.items() if _find(compiled.inputs, keys, name) is not None}
    return list(_run(compiled, needed, f"{ir}, the part before {part[0]!r}").values())


def walk(
    ir: Path, steps: Sequence[tuple[Shape, Inputs]], device: str, properties: Mapping[str, Any]
) -> list[dict[str, np.ndarray]]:
    """Reshape one and the same model from step to step, and answer at each."""
    model = _read(ir)
    answers = []
    for shape, request in steps:
        _reshape(model, shape, ir)
        compiled = _compile(model, device, properties, ir)
        note("infer")
        answers.append(_run(compiled, request, str(ir)))
    return answers


def latencies(
    ir: Path,
    request: Inputs,
    repeats: int,
    warm_up: int,
    shape: Shape,
    device: str,
    properties: Mapping[str, Any],
) -> np.ndarray:
    """Seconds of each of so many synchronous inferences, after some that do not count: float64 ``[repeats]``."""
    compiled, _ = _compile_cached(ir, shape, device, properties)
    note("infer")
    inputs = _inputs(compiled, request, str(ir))
    running = compiled.create_infer_request()
    taken = np.empty(repeats)
    with _step(InferFailure, "infer", str(ir)):
        for _ in range(warm_up):
            running.infer(inputs)
        for index in range(repeats):
            started = time.perf_counter()
            running.infer(inputs)
            taken[index] = time.perf_counter() - started
    return taken


def profile(
    ir: Path, request: Inputs, repeats: int, shape: Shape, device: str, properties: Mapping[str, Any]
) -> list[tuple[str, str, str, float]]:
    """Where the time goes: node name, its type, how it was executed, and its median seconds, for what was executed."""
    compiled, _ = _compile_cached(ir, shape, device, {**properties, "PERF_COUNT": True})
    note("infer")
    inputs = _inputs(compiled, request, str(ir))
    running = compiled.create_infer_request()
    taken: dict[tuple[str, str, str], list[float]] = {}
    with _step(InferFailure, "infer", str(ir)):
        running.infer(inputs)
        for _ in range(repeats):
            running.infer(inputs)
            for entry in running.get_profiling_info():
                if str(entry.status).rpartition(".")[2] == "EXECUTED":
                    key = (entry.node_name, entry.node_type, entry.exec_type)
                    taken.setdefault(key, []).append(entry.real_time.total_seconds())
    return [(*key, float(np.median(seconds))) for key, seconds in taken.items()]


def _engine() -> Any:
    global _core  # noqa: PLW0603 - one core a process, as OpenVINO advises
    if _core is None:
        _core = ov.Core()
    return _core


@contextlib.contextmanager
def _step(kind: type[IrproofError], name: str, where: str) -> Iterator[None]:
    """Turn whatever OpenVINO raises in a step into the project's error of that step."""
    note(name)
    try:
        yield
    except IrproofError:
        raise
    except Exception as error:  # noqa: BLE001 - OpenVINO raises plain RuntimeError and more
        raise kind(f"OpenVINO {ov.__version__}: {essence(str(error))}", where=where) from None


def _read(ir: Path) -> Any:
    with _step(ReadFailure, "read", str(ir)):
        return _engine().read_model(str(ir))


def _reshape(model: Any, shape: Shape, ir: Path) -> None:
    if shape is None:
        return
    keys = _keys(model.inputs)
    if not isinstance(shape, Mapping):
        name, open_sizes = _image_input(model, keys, ir)
        shape = {name: open_sizes if isinstance(shape, str) else shape}
    wanted = {}
    for name, sizes in shape.items():
        port = _find(model.inputs, keys, name)
        if port is None:
            raise ReshapeFailure(
                f"The IR has no input {name!r}.", where=str(ir), advice=f"Its inputs are {', '.join(keys)}."
            )
        wanted[port] = ov.PartialShape([ov.Dimension(*size) if isinstance(size, tuple) else size for size in sizes])
    with _step(ReshapeFailure, "reshape", str(ir)):
        model.reshape(wanted)


def _image_input(model: Any, keys: list[str], ir: Path) -> tuple[str, list[Dimension]]:
    """The name of the input of rank 4, else of the only input; and its sizes with all but the last one open."""
    ranks = {key: port.get_partial_shape() for key, port in zip(keys, model.inputs, strict=True)}
    found = [key for key, sizes in ranks.items() if sizes.rank.is_static and len(sizes) == 4] or keys
    if len(found) != 1:
        raise ReshapeFailure(
            f"The IR has {len(found)} inputs that one shape could be meant for: {', '.join(found)}.",
            where=str(ir),
            advice="Give a mapping from names to shapes.",
        )
    sizes = _sizes(ranks[found[0]]) or (-1, -1, -1, -1)
    return found[0], [*(-1 for _ in sizes[:-1]), sizes[-1]]


def _compile(model: Any, device: str, properties: Mapping[str, Any], ir: Path) -> Any:
    with _step(CompileFailure, "compile", f"{ir} on {device}"):
        return _engine().compile_model(model, device, dict(properties))


def _compile_cached(
    ir: Path,
    shape: Shape,
    device: str,
    properties: Mapping[str, Any],
    part: tuple[str, tuple[int, ...]] | None = None,
) -> tuple[Any, list[str]]:
    """The compiled model (or part of it), and the names of the whole model's inputs in their order."""
    files = [(file.stat().st_mtime_ns, file.stat().st_size) for file in (ir, ir.with_suffix(".bin")) if file.is_file()]
    key = repr((str(ir), files, shape, device, sorted(properties.items(), key=str), part))
    if key in _compiled:
        _compiled.move_to_end(key)
        return _compiled[key]
    model = _read(ir)
    names = _keys(model.inputs)
    _reshape(model, shape, ir)
    if part is not None:
        model = _extract(model, *part, ir)
    _compiled[key] = _compile(model, device, properties, ir), names
    while len(_compiled) > _KEPT:
        _compiled.popitem(last=False)
    return _compiled[key]


def _extract(model: Any, node_name: str, indices: tuple[int, ...], ir: Path) -> Any:
    """The part of the model that feeds these inputs of the node, as a model of its own."""
    node = next((op for op in model.get_ops() if op.get_friendly_name() == node_name), None)
    if node is None:
        raise ReadFailure(f"The IR has no node {node_name!r}.", where=str(ir), advice="See the names in inspect().")
    count = node.get_input_size()
    if not all(0 <= index < count for index in indices):
        raise ReadFailure(f"{node_name!r} has {count} inputs; asked for {list(indices)}.", where=str(ir))
    with _step(ReadFailure, "extract", f"{ir}, inputs {list(indices)} of {node_name!r}"):
        ends = [node.input_value(index) for index in indices]
        results = []
        for index, end in zip(indices, ends, strict=True):
            result = ov.opset8.result(end) if hasattr(ov, "opset8") else _result_of_2024(end)
            result.set_friendly_name(f"input {index}")
            results.append(result)
        return ov.Model(results, _parameters_behind(ends), f"part of {node_name}")


def _result_of_2024(end: Any) -> Any:
    from openvino.runtime import opset8

    return opset8.result(end)


def _parameters_behind(ends: Sequence[Any]) -> list[Any]:
    parameters: dict[str, Any] = {}
    pending = [end.get_node() for end in ends]
    seen = set()
    while pending:
        node = pending.pop()
        name = node.get_name()
        if name in seen:
            continue
        seen.add(name)
        if node.get_type_name() == "Parameter":
            parameters[name] = node
        pending.extend(node.input_value(index).get_node() for index in range(node.get_input_size()))
    return list(parameters.values())


def _run(compiled: Any, request: Inputs, where: str) -> dict[str, np.ndarray]:
    inputs = _inputs(compiled, request, where)
    with _step(InferFailure, "infer", where):
        running = compiled.create_infer_request()
        running.infer(inputs)
        keys = _keys(compiled.outputs)
        return {key: np.array(running.get_output_tensor(index).data) for index, key in enumerate(keys)}


def _inputs(compiled: Any, request: Inputs, where: str) -> dict[int, np.ndarray]:
    """The arrays by input index, in the inputs' element types; only casts that lose nothing but float64 are made."""
    ports, keys = compiled.inputs, _keys(compiled.inputs)
    if isinstance(request, Mapping):
        found = {name: _find(ports, keys, name) for name in request}
        unknown = [name for name, port in found.items() if port is None]
        if unknown:
            raise InferFailure(
                f"The IR has no input {unknown[0]!r}.",
                where=where,
                advice=f"Its inputs are {', '.join(keys) or 'none'}.",
            )
        given = {ports.index(found[name]): array for name, array in request.items()}
    else:
        given = dict(enumerate(request))
    if sorted(given) != list(range(len(ports))):
        raise InferFailure(
            f"The IR has {len(ports)} inputs ({', '.join(keys)}), and {len(given)} were given.",
            where=where,
            advice="Give an array for each of its inputs.",
        )
    return {index: _cast(array, ports[index], keys[index], where) for index, array in given.items()}


def _cast(array: np.ndarray, port: Any, name: str, where: str) -> np.ndarray:
    wanted = np.dtype(port.get_element_type().to_dtype())
    array = np.asarray(array)
    floats = array.dtype.kind == "f" and wanted.kind == "f"
    if array.dtype != wanted and not floats and not np.can_cast(array.dtype, wanted, "safe"):
        raise InferFailure(
            f"Input {name!r} takes {wanted}, and {array.dtype} was given.",
            where=where,
            advice="Convert the values to the input's type.",
        )
    return np.ascontiguousarray(array, dtype=wanted).reshape(array.shape)


def _find(ports: Sequence[Any], keys: Sequence[str], name: str) -> Any | None:
    for port, key in zip(ports, keys, strict=True):
        if name == key or name in port.get_names() or name == port.get_node().get_friendly_name():
            return port
    return None


def _keys(ports: Sequence[Any]) -> list[str]:
    """One name for each port, all different: a detector's own name for it, else the shortest; else the node's name."""
    keys: list[str] = []
    for port in ports:
        # One tensor may go by many names: `add:0` is shorter than `detection_classes:0`, and says nothing.
        named = sorted(port.get_names(), key=lambda name: (not name.startswith(DETECTOR_NAMES), len(name), name))
        key = named[0] if named else port.get_node().get_friendly_name()
        keys.append(key if key not in keys else f"{key}#{len(keys)}")
    return keys


def _operations(model: Any) -> Iterator[Any]:
    """All operations, those in bodies after the operation that holds them."""
    for op in model.get_ordered_ops():
        yield op
        if op.get_type_name() in ("Loop", "TensorIterator"):
            yield from _operations(op.get_function())


def _port_facts(port: Any, key: str) -> PortFacts:
    shape = port.get_partial_shape()
    names = {*port.get_names(), port.get_node().get_friendly_name()}
    return PortFacts(
        name=key,
        names=tuple(sorted(names)),
        element_type=port.get_element_type().get_type_name(),
        shape=_sizes(shape),
        shape_text=str(shape),
    )


def _op_facts(op: Any) -> OpFacts:
    return OpFacts(
        name=op.get_friendly_name(),
        type=op.get_type_name(),
        version=str(op.get_type_info().version_id),
        attributes=_attributes(op),
        input_shapes=tuple(_sizes(op.get_input_partial_shape(index)) for index in range(op.get_input_size())),
        output_shapes=tuple(_sizes(op.get_output_partial_shape(index)) for index in range(op.get_output_size())),
    )


def _attributes(op: Any) -> dict[str, object]:
    """Plain values only: bodies and port maps of loops have no place in a description."""
    try:
        found = op.get_attributes()
    except Exception:  # noqa: BLE001 - some operations' attributes have no Python form
        return {}
    return {name: value for name, value in found.items() if isinstance(value, (bool, int, float, str, list, tuple))}


def _sizes(shape: Any) -> tuple[int, ...] | None:
    if shape.rank.is_dynamic:
        return None
    return tuple(size.get_length() if size.is_static else -1 for size in shape)
