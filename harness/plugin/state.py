"""What one run of pytest knows of its certification, kept in the configuration's stash."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.cases import selection
from harness.cases.selection import Listed
from harness.certificate.model import CaseFacts, Result
from harness.errors import IrproofError
from harness.expectations import Expectation, read_expectations
from harness.plugin.options import Options, options_of
from harness.plugin.picturing import Album


@dataclasses.dataclass
class Run:
    """The state of a run, in the controller as in every worker of pytest-xdist.

    ``planned`` are the node ids of the selected checks, ``reported`` those that came to an end. ``results`` and
    ``facts`` fill only where reports arrive: in the controller, or in the one process there is; so do the runtime's
    ``versions``, the device's ``properties`` and the ``seeds``. ``left_out`` are the cases and requirements of checks
    that were deselected. ``session`` is a folder that all processes of the
    run share, for what has to be made once; ask for it as :attr:`shared`.
    """

    config: pytest.Config
    options: Options
    results: list[Result] = dataclasses.field(default_factory=list)
    facts: dict[str, CaseFacts] = dataclasses.field(default_factory=dict)
    planned: set[str] = dataclasses.field(default_factory=set)
    reported: set[str] = dataclasses.field(default_factory=set)
    deselected: int = 0
    left_out: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    collection_failed: bool = False
    verdict_missing: str = ""
    write_error: str = ""
    expectations_written: int | None = None
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    properties: dict[str, str] = dataclasses.field(default_factory=dict)
    seeds: dict[str, int] = dataclasses.field(default_factory=dict)
    album: Album = dataclasses.field(default_factory=Album)
    session: Path | None = None
    started: dt.datetime = dataclasses.field(default_factory=lambda: dt.datetime.now(dt.timezone.utc))
    clock: float = dataclasses.field(default_factory=time.perf_counter)
    _selection: dict[str, Listed] | None = None
    _converter: Any = None
    _expectations: tuple[Expectation, ...] | None = None

    @property
    def is_worker(self) -> bool:
        """Whether this is one of pytest-xdist's workers, which report to a controller."""
        return hasattr(self.config, "workerinput")

    @property
    def selection(self) -> Mapping[str, Listed]:
        """The selected cases by name; raises pytest.UsageError where the options select none."""
        if self._selection is None:
            options = self.options
            try:
                self._selection = {
                    listed.name: listed
                    for listed in selection.select(
                        patterns=options.cases,
                        model_dirs=options.model_dirs,
                        zoo=options.zoo,
                        profile=options.profile,
                    )
                }
            except IrproofError as error:
                raise pytest.UsageError(str(error)) from error
        return self._selection

    @property
    def converter(self) -> Any:
        """The converter under test; raises pytest.UsageError where there is none of that name."""
        if self._converter is None:
            from harness.converters import resolve

            try:
                self._converter = resolve(self.options.converter)
            except IrproofError as error:
                raise pytest.UsageError(str(error)) from error
        return self._converter

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """The known failures that the caller names; raises pytest.UsageError where the file makes no sense."""
        if self._expectations is None:
            path = self.options.expectations
            try:
                self._expectations = () if path is None else read_expectations(path)
            except IrproofError as error:
                raise pytest.UsageError(str(error)) from error
        return self._expectations

    @property
    def shared(self) -> Path:
        """The folder that all processes of the run share; the one who makes it removes it, see :meth:`clean_up`."""
        if self.session is None:
            given = getattr(self.config, "workerinput", {}).get("irproof_session")
            self.session = Path(given or tempfile.mkdtemp(prefix="irproof-"))
        return self.session

    def clean_up(self) -> None:
        """Remove the shared folder, unless this is a worker."""
        if self.session is not None and not self.is_worker:
            shutil.rmtree(self.session, ignore_errors=True)

    def concerns_suites(self) -> bool:
        """Whether the suites are among what pytest was asked to run."""
        suites = self.config.rootpath / "suites"
        for argument in self.config.args:
            path = (self.config.invocation_params.dir / str(argument).split("::")[0]).resolve()
            if path == suites or suites in path.parents or path in suites.parents:
                return True
        return False

    def parts(self) -> tuple[str, ...]:
        """What of the suites was asked for by name, where that isn't the whole."""
        suites = self.config.rootpath / "suites"
        found = []
        for argument in map(str, self.config.args):
            path, _, inside = argument.partition("::")
            place = (self.config.invocation_params.dir / path).resolve()
            if inside or suites in place.parents:
                found.append(argument)
            elif place == suites or place in suites.parents:
                return ()
        return tuple(found)

    def case_of(self, node_id: str) -> str | None:
        """The case in a node id such as ``suites/test_priors.py::test_boxes[ssd/small-2]``, or None."""
        _, bracket, rest = node_id.partition("[")
        if not bracket or not rest.endswith("]") or self._selection is None:
            return None
        identity = rest[:-1]
        fitting = [
            name for name in self._selection if identity == as_id(name) or identity.startswith(f"{as_id(name)}-")
        ]
        return max(fitting, key=len, default=None)


def as_id(name: str) -> str:
    """A case's name as pytest writes it into node ids."""
    return name.encode("unicode_escape").decode("ascii")


RUN = pytest.StashKey[Run]()


def run_of(config: pytest.Config) -> Run:
    """The run's state; made on first use."""
    if RUN not in config.stash:
        config.stash[RUN] = Run(config, options_of(config))
    return config.stash[RUN]
