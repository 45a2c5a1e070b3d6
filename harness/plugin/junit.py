"""What pytest's own JUnit XML (``--junit-xml FILE``) says beyond outcomes: properties of tests and of the suite."""

from __future__ import annotations

import pytest

from harness.certificate.model import Certificate, Result


def properties_of(result: Result) -> list[tuple[str, object]]:
    """The properties of a test's element for one result that was recorded in it; times are left to pytest."""
    found: list[tuple[str, object]] = [("check", result.check), ("outcome", result.outcome), ("stage", result.stage)]
    found += [("requirement", id_) for id_ in result.requirements]
    for name in ("worst_error", "noise", "tolerance", "passing_tolerance"):
        value = getattr(result, name)
        if value is not None:
            found.append((name, value))
    if result.expected is not None:
        found.append(("expected", f"{result.expected.reason} {result.expected.link}"))
    return found


def describe_suite(config: pytest.Config, certificate: Certificate) -> None:
    """Give the verdict, and what took part, to the plugin that writes JUnit XML, where there is one."""
    converter = certificate.converter
    told = {
        "verdict": certificate.verdict,
        "verdict_reasons": "; ".join(certificate.verdict_reasons),
        "standing": certificate.standing,
        "converter": f"{converter.name} {converter.version}".strip(),
        "device": certificate.device.name,
        "suite_version": certificate.tool.suite_version,
        **{f"version of {name}": version for name, version in certificate.versions.items()},
    }
    for plugin in config.pluginmanager.get_plugins():
        add = getattr(plugin, "add_global_property", None)
        if callable(add):
            for name, value in told.items():
                add(name, value)
