"""Fixtures through Model Optimizer: conversions in the background, evidence of their IRs for the suite's checks."""

from __future__ import annotations

import dataclasses
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from fixtures.catalogue import build, case
from fixtures.spec import FixtureSpec
from harness.cases.selection import listed_cases
from harness.checks.evidence import Evidence
from harness.checks.tools import Tools
from harness.converters import resolve
from tests.legacy.model_optimizer import ModelOptimizer


@dataclasses.dataclass(frozen=True)
class Converted:
    """What a run of Model Optimizer left: its exit status, its words, and where its IR would be."""

    status: int
    said: str
    ir: Path


class Bench:
    """A conversion takes ten to forty seconds of one core: all that are asked for are begun at once, two at a time."""

    def __init__(self, optimizer: ModelOptimizer, folder: Path, asked: list[FixtureSpec]) -> None:
        self._optimizer = optimizer
        self._folder = folder
        self._pool = ThreadPoolExecutor(min(2, os.cpu_count() or 1))
        build([spec.name for spec in asked])
        self._begun: dict[str, Future[Converted]] = {one.name: self._pool.submit(self._convert, one) for one in asked}
        self._tools: Tools | None = None
        self._listed = {listed.name: listed for listed in listed_cases(profile="full")}

    def converted(self, spec: FixtureSpec) -> Converted:
        """The fixture's conversion, when it is done."""
        return self._begun[spec.name].result()

    def evidence(self, spec: FixtureSpec) -> Evidence:
        """The evidence that the suite's checks judge, of Model Optimizer's IR."""
        self.converted(spec)
        if self._tools is None:
            self._tools = Tools.make(resolve(f"ir:{self._folder}"), self._folder / "session")
        return Evidence(self._listed[spec.name], self._tools)

    def close(self) -> None:
        """End workers, and drop conversions that nobody waits for."""
        self._pool.shutdown(cancel_futures=True)
        if self._tools is not None:
            self._tools.__exit__(None, None, None)

    def _convert(self, spec: FixtureSpec) -> Converted:
        one = case(spec.name)
        target = self._folder.joinpath(*f"{spec.name}.xml".split("/"))
        status, said = self._optimizer.convert(
            one.model_path,
            spec.legacy_configuration,
            one.pipeline_config,
            target.parent,
            name=target.stem,
            input_shape=spec.input_shape,
        )
        return Converted(status, said, target)
