"""What pytest needs to know before it knows this project: that the folder of ``--model-dir`` is no test path.

pytest looks for its configuration beside whatever stands on the command line and exists, before any plugin has told
it which options take a value. `pytest --model-dir /models` and a second `pytest --certificate /tmp/c.json` would so
miss the project's configuration, its plugin, and end as "unrecognized arguments". This module is an entry point of
pytest (``pytest11``), thus loaded in time to notice that, and starts over with the root that was meant.
"""

from __future__ import annotations

from pathlib import Path

import pytest

# Options of harness.plugin.options whose value may be a path that exists.
PATHS = (
    "--model-dir",
    "--zoo",
    "--certificate",
    "--html",
    "--converter",
    "--expectations",
    "--write-expectations",
    "--python",
    "--in-toto",
    "--markdown",
)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Start over when a path among the options made pytest look elsewhere for its configuration."""
    called_with = early_config.invocation_params
    home = project_root(called_with.dir)
    if home is None or early_config.rootpath == home:
        return
    if not any(str(argument).startswith(PATHS) for argument in called_with.args):
        return
    if any(str(argument).startswith(("-c", "--config-file", "--rootdir")) for argument in called_with.args):
        return
    arguments = ["--config-file", str(home / "pyproject.toml"), "--rootdir", str(home), "-p", "harness.plugin"]
    raise SystemExit(pytest.main([*arguments, *called_with.args]))


def project_root(folder: Path) -> Path | None:
    """The checkout of this project that ``folder`` lies in, or None."""
    for candidate in (folder, *folder.parents):
        if (candidate / "harness" / "rooting.py").is_file() and (candidate / "conftest.py").is_file():
            return candidate
    return None
