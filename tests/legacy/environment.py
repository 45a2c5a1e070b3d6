"""Makes the legacy converter's environment: ``python -m tests.legacy.environment`` (``tox -e legacy`` does it).

Model Optimizer 2024.6 cannot be installed beside a current OpenVINO, so it gets a virtual environment of its own in the
folder that ``IRPROOF_LEGACY`` names. One that is there already is kept.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = ("openvino-dev==2024.6.0", "tensorflow-cpu==2.18.1", "numpy==1.26.4")
#: What these packages have wheels for, best known first.
PYTHONS = ("3.11", "3.10", "3.12", "3.9")


def main() -> int:
    """Make the environment; 0 when it is there and works."""
    named = os.environ.get("IRPROOF_LEGACY")
    if not named:
        print("IRPROOF_LEGACY has to name the folder for the legacy environment.", file=sys.stderr)
        return 2
    folder = Path(named)
    tool = folder / ("Scripts" if os.name == "nt" else "bin") / "mo"
    if works(tool):
        print(f"{folder}: kept")
        return 0
    python = find_python()
    if python is None:
        print(f"Model Optimizer 2024.6 needs a Python of {', '.join(PYTHONS)}, and none is here.", file=sys.stderr)
        return 2
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{folder}: made with {python}; this takes some minutes", flush=True)
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    pip = tool.with_name("python")
    subprocess.run([str(pip), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return 0 if works(tool) else 1


def works(tool: Path) -> bool:
    """Whether Model Optimizer starts."""
    if not tool.exists() and not tool.with_suffix(".exe").exists():
        return False
    return subprocess.run([str(tool), "--version"], capture_output=True, check=False).returncode == 0


def find_python() -> str | None:
    """An interpreter of one of the supported versions; this one first."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" in PYTHONS:
        return sys.executable
    return next((found for version in PYTHONS if (found := shutil.which(f"python{version}"))), None)


if __name__ == "__main__":
    sys.exit(main())
