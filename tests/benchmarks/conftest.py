from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from harness.runtime.runtime import EXACT, Runtime
from harness.workers.limits import Limits
from harness.workers.worker import Worker
from tests.benchmarks import subjects
from tests.benchmarks.conversion_commands import commands, run
from tests.benchmarks.ratios import interleaved, table
from tests.benchmarks.subjects import Subject
from tests.zoo.shared import ROOT

CONVERSION_ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Effort:
    """Rounds, and the inferences of one contender in a round, of which the median counts; others ran meanwhile, so
    some warm up first.
    """

    rounds: int = 15
    repeats: int = 5
    warm_up: int = 2


# Seconds from which an inference is long enough to need fewer of its kind.
SLOW = 0.2
LESS = Effort(rounds=7, repeats=1, warm_up=1)
# As a user runs one image after another; f32, since bf16 is another question than who is faster.
PROPERTIES = {**EXACT, "PERFORMANCE_HINT": "LATENCY"}

TABLES = pytest.StashKey[list[str]]()


@dataclasses.dataclass
class Measured:
    """One model's measurements: seconds by contender, of conversions and of inferences by scene; the IRs' paths."""

    subject: Subject
    irs: dict[str, Path] = dataclasses.field(default_factory=dict)
    conversion: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    latency: dict[str, dict[str, np.ndarray]] = dataclasses.field(default_factory=dict)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Benchmarks run when they are asked for, on a machine that has nothing else to do; never among the tests."""
    if config.getoption("benchmark_only"):
        return
    here = Path(__file__).parent
    left = [item for item in items if here in item.path.parents and "benchmark" in getattr(item, "fixturenames", ())]
    if left:
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)


@pytest.fixture(scope="session", params=subjects.names())
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Conversions and inferences of one model, all contenders in turn; the table goes to the end of the output."""
    subject = subjects.subject(request.param)
    result = Measured(subject)
    tables = request.config.stash.setdefault(TABLES, [])
    _convert(result, tmp_path_factory.mktemp("irs"), tables)
    _infer(result, tables)
    return result


def _convert(result: Measured, output: Path, tables: list[str]) -> None:
    contenders: dict[str, Callable[[], float]] = {}
    for name, command in commands(result.subject, output).items():
        result.irs[name] = output / name / "model.xml"
        contenders[name] = lambda command=command, name=name: run(command, output / name)
    result.conversion = interleaved(contenders, CONVERSION_ROUNDS)
    title = f"Conversion of {result.subject.case.name}, whole process, {CONVERSION_ROUNDS} rounds in turn{_load()}"
    tables += ["", *table(title, result.conversion, {}, "s", 1.0)]


def _infer(result: Measured, tables: list[str]) -> None:
    shape = (1, *result.subject.size, 3)
    environment = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    with Runtime(properties=PROPERTIES) as runtime, Worker(env=environment, limits=Limits(seconds=300)) as tensorflow:
        for kind, scene in result.subject.scenes.items():
            image = scene.pixels()[None]
            effort = [LESS]

            def of_ir(path: Path, image: np.ndarray = image, efforts: list[Effort] = effort) -> float:
                effort = efforts[-1]
                seconds = runtime.latencies(path, [image], repeats=effort.repeats, warm_up=effort.warm_up, shape=shape)
                return float(np.median(seconds))

            def of_tensorflow(image: np.ndarray = image, efforts: list[Effort] = effort) -> float:
                effort = efforts[-1]
                graph = result.subject.case.model_path
                arguments = {"graph": graph, "image": image, "repeats": effort.repeats, "warm_up": effort.warm_up}
                seconds = tensorflow.call("tests.benchmarks.tensorflow_latency:latencies", **arguments)
                return float(np.median(seconds))

            contenders: dict[str, Callable[[], float]] = {
                name: lambda path=path: of_ir(path) for name, path in result.irs.items()
            }
            contenders["TensorFlow"] = of_tensorflow
            interleaved(contenders, 1)  # everyone loads and compiles
            slowest = max(float(seconds.max()) for seconds in interleaved(contenders, 1).values())
            effort.append(LESS if slowest > SLOW else Effort())
            samples = interleaved(contenders, effort[-1].rounds)
            result.latency[kind] = samples
            title = (
                f"Latency of {result.subject.case.name} on a {kind} ({scene.name}), f32, batch 1,"
                f" {effort[-1].rounds} rounds in turn{_load()}"
            )
            notes = {name: _profile_note(runtime, path, image, shape) for name, path in result.irs.items()}
            tables += ["", *table(title, samples, notes, "ms", 1e3)]


def _profile_note(runtime: Runtime, path: Path, image: np.ndarray, shape: tuple[int, ...]) -> str:
    """How many operations the IR has, and where its time goes."""
    facts = runtime.inspect(path)
    profile = runtime.profile(path, [image], repeats=5, shape=shape)
    total = sum(seconds for *_, seconds in profile)
    outside = sum(seconds for _, kind, _, seconds in profile if kind not in {"Convolution", "GroupConvolution"})
    by_kind: dict[str, float] = {}
    for _, kind, _, seconds in profile:
        by_kind[kind] = by_kind.get(kind, 0.0) + seconds
    costly = sorted((kind for kind in by_kind if "Convolution" not in kind), key=by_kind.__getitem__)[:-4:-1]
    most = ", ".join(f"{kind} {by_kind[kind] * 1e3:.2f} ms" for kind in costly)
    loops = f", {len(facts.loops)} loops" if facts.loops else ""
    return f"{_operations(path)} operations{loops}; {outside / total:.0%} outside convolutions ({most})"


def _operations(path: Path) -> int:
    """The operations of the IR's graph, constants among them, bodies of loops not."""
    layers = ET.parse(path).getroot().find("layers")  # noqa: S314 - an IR that was written just now
    return 0 if layers is None else len(layers)


def _load() -> str:
    """The machine's load, and whether that is too much for the numbers to mean anything."""
    if not hasattr(os, "getloadavg"):
        return ""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    # This process waits while a contender runs, which may use every core.
    return f" (load {load:.1f} on {cores} cores{': TOO BUSY to measure' if load > 1.3 * cores else ''})"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the tables with the ratios."""
    lines = config.stash.get(TABLES, [])
    if lines:
        terminalreporter.section("ratios, contenders measured in turn")
        for line in lines:
            terminalreporter.write_line(line)
