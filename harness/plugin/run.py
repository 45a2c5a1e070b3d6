"""The course of a run: header, results as they come in, certificate, report, exit status."""

from __future__ import annotations

import pytest

from harness import __version__
from harness.certificate import Certificate, in_toto, markdown, write
from harness.certificate.atomic import write_text
from harness.certificate.model import SUITE_VERSION
from harness.certificate.versions import versions
from harness.errors import IrproofError
from harness.expectations import write_expectations
from harness.plugin import distribution, summary
from harness.plugin.certifying import certify
from harness.plugin.gathering import Gathering
from harness.plugin.junit import describe_suite
from harness.plugin.state import run_of
from harness.report import render

CERTIFICATE = pytest.StashKey[Certificate]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the clock, and gather what reports bring."""
    config.pluginmanager.register(Gathering(run_of(config)), "irproof-gathering")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the processes of the run shared."""
    run_of(config).clean_up()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse options that make no sense before anything takes time; raises pytest.UsageError."""
    run = run_of(session.config)
    if not run.concerns_suites():
        return
    for name, path in run.options.written().items():
        if path.is_dir():
            raise pytest.UsageError(f"{name} has to name a file, and {path} is a folder.")
    if run.options.in_toto is not None and run.options.certificate is None:
        raise pytest.UsageError("--in-toto states the hash of a certificate's file: give --certificate FILE too.")
    target = run.options.write_expectations
    if target is not None and target.exists():
        raise pytest.UsageError(
            f"--write-expectations writes a first file, and {target} exists. What to do: name another file."
        )
    python = run.options.python
    if python is not None and not python.is_file():
        raise pytest.UsageError(f"--python has to name an interpreter, and there is no file {python}.")
    _ = run.expectations, run.converter, run.selection


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Who certifies what, with what, on what."""
    run = run_of(config)
    if not run.concerns_suites():
        return []
    converter, options = run.converter, run.options
    left = ("python", "platform", *(["openvino"] if options.python else []))
    shown = ", ".join(f"{name} {version}" for name, version in versions().items() if name not in left)
    shown += f", OpenVINO of {options.python}" if options.python else ""
    subject = f"converter {converter.name} {converter.version}".rstrip()
    names = list(run.selection)
    listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return [
        f"irproof {__version__}, suite {SUITE_VERSION}: {subject}, device {options.device}, profile {options.profile}",
        f"runtime: {shown}",
        f"cases ({len(names)}): {listed}",
    ]


@pytest.hookimpl(tryfirst=True)  # before pytest's own writer of JUnit XML
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Reach the verdict, write certificate and report, and make the verdict the exit status."""
    config = session.config
    run = run_of(config)
    if run.is_worker:
        distribution.hand_over(config)
        return
    if config.option.collectonly:
        return
    # After an interrupt, a usage error, or with nothing collected there is nothing to certify; the status stands.
    if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or not (run.planned or run.reported):
        return
    if run.collection_failed:
        run.verdict_missing = "not everything could be collected"
        return
    certificate = certify(run)
    config.stash[CERTIFICATE] = certificate
    describe_suite(config, certificate)
    try:
        if run.options.certificate is not None:
            write(certificate, run.options.certificate)
        if run.options.html is not None:
            write_text(run.options.html, render(certificate))
        if run.options.in_toto is not None and run.options.certificate is not None:
            write_text(run.options.in_toto, in_toto.text(certificate, run.options.certificate.name))
        if run.options.markdown is not None:
            write_text(run.options.markdown, markdown.text(certificate))
        if run.options.write_expectations is not None:
            subject = certificate.converter.name
            run.expectations_written = write_expectations(
                certificate.results, run.options.write_expectations, converter=subject
            )
    except IrproofError as error:
        run.write_error = str(error)
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
        return
    if certificate.verdict == "not_certified":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say per case and area what passed and failed, the worst error, and the verdict."""
    run = run_of(config)
    certificate = config.stash.get(CERTIFICATE, None)
    if certificate is not None:
        summary.show(terminalreporter, certificate)
        names = {"--html": "report", "--in-toto": "statement", "--markdown": "summary"}
        for name, path in run.options.written().items():
            if path.is_file() and not run.write_error:
                terminalreporter.write_line(f"{names.get(name, name.removeprefix('--'))}: {path}")
        if run.expectations_written is not None:
            count, target = run.expectations_written, run.options.write_expectations
            terminalreporter.write_line(f"expectations: {count} written to {target}; give each its link before use")
    elif run.options.written():
        why = run.verdict_missing or "no check of the suites ran to its end"
        terminalreporter.write_line(f"irproof wrote no certificate: {why}.", yellow=True)
    if run.write_error:
        terminalreporter.write_line(f"irproof: {run.write_error}", red=True)
