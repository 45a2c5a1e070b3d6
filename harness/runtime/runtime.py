"""What an IR answers: OpenVINO on a device, in a process of its own with limits, of this Python or of another."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

from harness.errors import CompileFailure, InferFailure, IrproofError, ReadFailure, ReshapeFailure, UsageError
from harness.workers.limits import Limits
from harness.workers.outcome import Outcome, WorkerFailure, tail
from harness.workers.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from harness.runtime.facts import IRFacts

    Dimension = int | tuple[int, int]
    Shape = Sequence[Dimension] | Mapping[str, Sequence[Dimension]]
    Inputs = Mapping[str, np.ndarray] | Sequence[np.ndarray]

# Without this, CPUs with AMX compute in bf16: 3e-2 off on a plain convolution.
EXACT: Mapping[str, Any] = MappingProxyType({"INFERENCE_PRECISION_HINT": "f32"})

_KINDS: dict[str, tuple[type[IrproofError], str]] = {
    "read": (ReadFailure, "reading"),
    "extract": (ReadFailure, "extracting a part of"),
    "reshape": (ReshapeFailure, "reshaping"),
    "compile": (CompileFailure, "compiling"),
    "infer": (InferFailure, "running"),
}


class Runtime:
    """OpenVINO in a worker that is started by the first question and serves them all.

    ``python`` names another Python, whose environment may hold another OpenVINO. ``properties`` go to the compilation
    unless a question brings its own, which then stand alone. ``limits`` hold for each question. Whatever goes wrong is
    a ReadFailure, ReshapeFailure, CompileFailure or InferFailure, also a crash, a hang or too much memory, by how far
    it had come.

    Input arrays go by the input's name (any of its names) or by its position. ``shape`` is what the model is reshaped
    to before it is compiled: the sizes of its image input (the one input of rank 4, else its only one), or a mapping
    from names to sizes; -1 is an open dimension, ``(low, high)`` a bounded one.
    """

    def __init__(
        self,
        *,
        python: Path | None = None,
        device: str = "CPU",
        properties: Mapping[str, Any] = EXACT,
        limits: Limits | None = None,
    ) -> None:
        self.device = device
        self.properties = dict(properties)
        self._worker = Worker(python=python, limits=limits or Limits(seconds=300))

    def versions(self) -> dict[str, str]:
        """``openvino``, ``python``, ``numpy`` and ``device`` (its full name)."""
        found: dict[str, str] = self._ask("versions", None, device=self.device)
        return found

    def inspect(self, ir: Path) -> IRFacts:
        """Inputs, outputs, operations (VAL-2, PRE-2, OUT-3)."""
        facts: IRFacts = self._ask("inspect", ir)
        return facts

    def infer(
        self,
        ir: Path,
        inputs: Inputs,
        *,
        shape: Shape | None = None,
        dynamic: bool = False,
        properties: Mapping[str, Any] | None = None,
    ) -> dict[str, np.ndarray]:
        """The answer to one request, by output name. ``dynamic`` opens batch, height and width of the image input."""
        return self.infer_each(ir, [inputs], shape=shape, dynamic=dynamic, properties=properties)[0]

    def infer_each(
        self,
        ir: Path,
        requests: Sequence[Inputs],
        *,
        shape: Shape | None = None,
        dynamic: bool = False,
        properties: Mapping[str, Any] | None = None,
    ) -> list[dict[str, np.ndarray]]:
        """The answers to requests one after another, on one compiled model (RSH-3: of different sizes)."""
        answers: list[dict[str, np.ndarray]] = self._ask(
            "infer",
            ir,
            requests=list(requests),
            shape=_checked(shape, dynamic=dynamic),
            **self._where(properties),
        )
        return answers

    def infer_sub(
        self,
        ir: Path,
        node_name: str,
        input_index: int | Sequence[int],
        inputs: Inputs,
        *,
        shape: Shape | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> list[np.ndarray]:
        """What comes in at these inputs of a node, in their order.

        The part of the graph behind them is extracted, compiled alone and run: outputs that are added to a whole
        model change what its compilation fuses. Inputs that the part does not need are left out.
        """
        indices = (input_index,) if isinstance(input_index, int) else tuple(input_index)
        answer: list[np.ndarray] = self._ask(
            "infer_part",
            ir,
            request=inputs,
            part=(node_name, indices),
            shape=shape,
            **self._where(properties),
        )
        return answer

    def walk(
        self, ir: Path, steps: Sequence[tuple[Shape | None, Inputs]], *, properties: Mapping[str, Any] | None = None
    ) -> list[dict[str, np.ndarray]]:
        """Reshape one and the same loaded model from step to step and answer at each (RSH-2: there and back)."""
        answers: list[dict[str, np.ndarray]] = self._ask("walk", ir, steps=list(steps), **self._where(properties))
        return answers

    def latencies(
        self,
        ir: Path,
        inputs: Inputs,
        *,
        repeats: int,
        warm_up: int = 0,
        shape: Shape | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> np.ndarray:
        """Seconds of each of so many inferences, measured in the worker: float64 ``[repeats]``.

        The compiled model stays for the next call, so calls for several IRs can be interleaved.
        """
        taken: np.ndarray = self._ask(
            "latencies",
            ir,
            request=inputs,
            repeats=repeats,
            warm_up=warm_up,
            shape=shape,
            **self._where(properties),
        )
        return taken

    def profile(
        self,
        ir: Path,
        inputs: Inputs,
        *,
        repeats: int = 10,
        shape: Shape | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> list[tuple[str, str, str, float]]:
        """Node name, type, way of execution and median seconds of each node that was executed."""
        found: list[tuple[str, str, str, float]] = self._ask(
            "profile",
            ir,
            request=inputs,
            repeats=repeats,
            shape=shape,
            **self._where(properties),
        )
        return found

    def close(self) -> None:
        """End the worker; a later question starts another."""
        self._worker.close()

    def __enter__(self) -> Runtime:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _where(self, properties: Mapping[str, Any] | None) -> dict[str, Any]:
        return {"device": self.device, "properties": dict(self.properties if properties is None else properties)}

    def _ask(self, function: str, ir: Path | None, **arguments: Any) -> Any:
        if ir is not None:
            arguments["ir"] = Path(ir).absolute()
        outcome = self._worker.run(f"harness.runtime.engine:{function}", arguments)
        if isinstance(outcome.error, WorkerFailure):
            raise _failure(outcome, ir) from None
        return outcome.result()


def _checked(shape: Shape | None, *, dynamic: bool) -> Shape | str | None:
    if shape is not None and dynamic:
        raise UsageError("Both a shape and dynamic were asked for.", advice="Give the shape open dimensions (-1).")
    return "dynamic" if dynamic else shape


def _failure(outcome: Outcome, ir: Path | None) -> IrproofError:
    """A worker's ending as the failure of the step that it died in."""
    if outcome.exception in ("ModuleNotFoundError", "ImportError"):
        return UsageError(
            f"The runtime's Python cannot import what it needs: it {outcome.how}.",
            advice="Give a Python whose environment has openvino and numpy.",
        )
    kind, doing = _KINDS.get(outcome.note, (ReadFailure, "starting on"))
    printed = tail(outcome.output)
    return kind(
        f"OpenVINO {outcome.how} while {doing} the IR.",
        where=f"{ir}" + (f"; the end of its output: {printed}" if printed else ""),
        advice=outcome.error.advice if outcome.error else None,
    )
