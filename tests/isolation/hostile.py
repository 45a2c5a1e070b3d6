"""Converters that do harm to whatever they can reach; each returns a whole IR all the same, where it comes so far."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "converters"))
from vendors import write

FAKE = "raise ImportError('this is not what you think')\n"
SLEEPER = "import time; time.sleep(600)"


def good(request):
    """A plain converter, whose IR tells which NumPy and which harness it got, and from where."""
    import json

    import numpy as np

    import harness

    print("modules", json.dumps([np.__file__, harness.__file__, np.__version__]))
    return write(request.output_dir, xml=_xml(np.__version__))


def _xml(version):
    from vendors import XML

    return XML.replace('name="small"', f'name="numpy {version}"')


def poisons_path(request):
    """Puts modules of its own before the real ones, for itself and (it hopes) for all that come after."""
    trap = request.model_path.parent / "trap"
    trap.mkdir(exist_ok=True)
    for name in ("numpy", "openvino", "harness", "json", "pickle"):
        (trap / f"{name}.py").write_text(FAKE)
        (Path.cwd() / f"{name}.py").write_text(FAKE)
    sys.path[:0] = [str(trap), ""]
    os.environ["PYTHONPATH"] = str(trap)
    os.environ["PYTHONSTARTUP"] = str(trap / "json.py")
    os.environ["IRPROOF_CACHE"] = str(trap)
    sys.modules["numpy"] = sys.modules["harness.errors"] = sys.modules["os"]
    return write(request.output_dir)


def patches_everything(request):
    """Replaces functions of Python's and of the harness's own."""
    import builtins
    import hashlib
    import json

    from harness.cases import cache
    from harness.runtime import ir_file

    write(request.output_dir)
    ir_file.read_ir_file = cache.digest = lambda *_parts: "0" * 64
    hashlib.sha256 = json.dumps = builtins.open = None
    return request.output_dir / "model.xml"


def moves_about(request):
    """Changes the folder, the limits and the mask, and closes what it finds open."""
    os.chdir("/")
    os.umask(0o777)
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(60)
    sys.stdout = sys.stderr = None
    return write_readable(request)


def write_readable(request):
    os.umask(0o022)
    return write(request.output_dir)


def leaves_children(request):
    """Starts processes that would outlive it: a child, one in a session of its own, and a thread that waits."""
    place = request.model_path.parent / "children"
    started = [
        subprocess.Popen([sys.executable, "-c", SLEEPER], start_new_session=apart, env=env)
        for apart, env in ((False, None), (True, None), (True, {"PATH": os.environ.get("PATH", "")}))
    ]
    place.write_text(" ".join(str(one.pid) for one in started))
    threading.Thread(target=time.sleep, args=(600,)).start()
    return write(request.output_dir)


def writes_beside(request):
    """Overwrites the IRs of whoever was before it, wherever it finds some near its own folder."""
    for path in request.output_dir.parents[1].rglob("model.*"):
        path.write_bytes(b"overwritten")
    for path in (Path(os.environ["IRPROOF_CACHE"]) / "conversions").rglob("model.*"):
        path.write_bytes(b"overwritten")
    return write(request.output_dir)


def crashes(request):
    os.abort()


def hangs(request):
    time.sleep(600)


def floods(request):
    while True:
        os.write(1, b"y" * (1 << 20))


def ends_everything(request):
    """Ends its own group of processes, which must not be ours."""
    import signal

    os.killpg(0, signal.SIGKILL)
