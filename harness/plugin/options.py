"""The options of a certification, and which of them keep a run from certifying."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

DEFAULT_CONVERTER = "chain"
DEFAULT_DEVICE = "CPU"
DEFAULT_PROFILE = "quick"


@dataclasses.dataclass(frozen=True)
class Options:
    """What the caller asked for; paths are absolute."""

    converter: str = DEFAULT_CONVERTER
    cases: tuple[str, ...] = ()
    model_dirs: tuple[Path, ...] = ()
    zoo: Path | None = None
    device: str = DEFAULT_DEVICE
    certificate: Path | None = None
    html: Path | None = None
    profile: str = DEFAULT_PROFILE
    long: bool = False
    expectations: Path | None = None
    write_expectations: Path | None = None
    python: Path | None = None
    in_toto: Path | None = None
    markdown: Path | None = None

    def written(self) -> dict[str, Path]:
        """The files that are written at the end, by their options."""
        files = {
            "--certificate": self.certificate,
            "--html": self.html,
            "--in-toto": self.in_toto,
            "--markdown": self.markdown,
        }
        return {name: path for name, path in files.items() if path is not None}

    def hindrances(self) -> tuple[str, ...]:
        """Why a run with these options is informational; empty for profile ``full`` and defaults alone.

        Which converter is asked and what is written where changes nothing of what is checked.
        """
        reasons = [f"--profile {self.profile}"] if self.profile != "full" else []
        reasons += [f"--case {pattern}" for pattern in self.cases]
        reasons += ["--model-dir"] if self.model_dirs else []
        reasons += ["--zoo"] if self.zoo else []
        reasons += [f"--device {self.device}"] if self.device != DEFAULT_DEVICE else []
        reasons += ["--expectations"] if self.expectations else []
        reasons += ["--python"] if self.python else []
        return tuple(reasons)

    def repeating(self, case: str) -> list[str]:
        """The options that select the same check on the same case again; expected failures fail then."""
        words = ["--converter", self.converter] if self.converter != DEFAULT_CONVERTER else []
        words += ["--case", case] if case else []
        for folder in self.model_dirs:
            words += ["--model-dir", str(folder)]
        words += ["--zoo", str(self.zoo)] if self.zoo else []
        words += ["--device", self.device] if self.device != DEFAULT_DEVICE else []
        words += ["--python", str(self.python)] if self.python else []
        words += ["--profile", self.profile] if self.profile != DEFAULT_PROFILE else []
        return words


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options, in a group of their own in ``pytest --help``."""
    group = parser.getgroup("irproof", "irproof: certify a converter of TensorFlow detection models")
    group.addoption(
        "--converter",
        dest="irproof_converter",
        default=DEFAULT_CONVERTER,
        metavar="NAME|module:attr|path.py:attr",
        help="the converter to certify (default: %(default)s); `irproof converters` lists the installed ones",
    )
    group.addoption(
        "--case",
        dest="irproof_cases",
        action="append",
        default=[],
        metavar="GLOB",
        help="only the cases whose name matches, e.g. 'ssd/*'; may be given several times",
    )
    group.addoption(
        "--model-dir",
        dest="irproof_model_dirs",
        action="append",
        default=[],
        metavar="DIR",
        help="a folder of models of your own, one a folder: pipeline.config with a frozen graph, a checkpoint or a "
        "SavedModel; without --case, these are checked in place of the built-in ones",
    )
    group.addoption(
        "--zoo",
        dest="irproof_zoo",
        default=None,
        metavar="DIR",
        help="a folder of models from a model zoo, unpacked or as archives, selected as with --model-dir",
    )
    group.addoption(
        "--device",
        dest="irproof_device",
        default=DEFAULT_DEVICE,
        metavar="DEVICE",
        help="the OpenVINO device that the IRs run on (default: %(default)s)",
    )
    group.addoption(
        "--python",
        dest="irproof_python",
        default=None,
        metavar="FILE",
        help="the Python in whose environment converter and IRs run, with its OpenVINO (default: this one)",
    )
    group.addoption(
        "--profile",
        dest="irproof_profile",
        choices=("quick", "full"),
        default=DEFAULT_PROFILE,
        help="quick: what a change needs (default); full: everything, and the only one that certifies",
    )
    group.addoption("--certificate", dest="irproof_certificate", default=None, metavar="FILE", help="write JSON there")
    group.addoption(
        "--in-toto",
        dest="irproof_in_toto",
        default=None,
        metavar="FILE",
        help="write an in-toto Statement (test-result) on the certificate there, to be signed",
    )
    group.addoption(
        "--markdown", dest="irproof_markdown", default=None, metavar="FILE", help="write a summary as Markdown there"
    )
    group.addoption("--html", dest="irproof_html", default=None, metavar="FILE", help="write a report as HTML there")
    group.addoption(
        "--expectations",
        dest="irproof_expectations",
        default=None,
        metavar="FILE",
        help="known failures as TOML: they don't fail the run, and what passes unexpectedly does",
    )
    group.addoption(
        "--write-expectations",
        dest="irproof_write_expectations",
        default=None,
        metavar="FILE",
        help="write what failed in this run there, as a first file for --expectations",
    )
    group.addoption(
        "--long", dest="irproof_long", action="store_true", help="run the harness's own long tests (marked long) too"
    )


def options_of(config: pytest.Config) -> Options:
    """The options of this run; relative paths count from where pytest was called."""
    here = config.invocation_params.dir

    def path(value: str | None) -> Path | None:
        return None if value is None else here / Path(value).expanduser()

    option = config.option
    return Options(
        converter=option.irproof_converter,
        cases=tuple(option.irproof_cases),
        model_dirs=tuple(here / Path(folder).expanduser() for folder in option.irproof_model_dirs),
        zoo=path(option.irproof_zoo),
        device=option.irproof_device,
        certificate=path(option.irproof_certificate),
        html=path(option.irproof_html),
        profile=option.irproof_profile,
        long=option.irproof_long,
        expectations=path(option.irproof_expectations),
        write_expectations=path(option.irproof_write_expectations),
        python=path(option.irproof_python),
        in_toto=path(option.irproof_in_toto),
        markdown=path(option.irproof_markdown),
    )
