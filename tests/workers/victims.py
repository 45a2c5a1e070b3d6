"""Functions for the workers' tests, each ending in another way."""

# ruff: noqa: PTH109, PTH110, PTH123, SIM115

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

from harness.errors import CompileFailure
from harness.workers.progress import note


def add(a, b):
    return a + b


def say(text, times=1):
    for _ in range(times):
        print(text)
    sys.stderr.write("to stderr\n")
    return times


def write_blocks(count, size=1 << 20):
    os.write(1, b"first line\n")
    block = b"x" * (size - 1) + b"\n"
    for _ in range(count):
        os.write(1, block)
    os.write(1, b"last line\n")
    return count


def identity(value):
    return value


def pid():
    return os.getpid()


def where():
    return {"cwd": os.getcwd(), "executable": sys.executable, "path": list(sys.path), "env": dict(os.environ)}


def read_stdin():
    return sys.stdin.read()


def hang(seconds=600):
    note("hanging")
    time.sleep(seconds)


def raise_value_error(text):
    raise ValueError(text)


def raise_project_error():
    raise CompileFailure("No such op.", where="node 'a/b'", advice="Use another.", requirement="SRC-11")


class Unpicklable(Exception):
    def __init__(self):
        super().__init__("holds a lock", __import__("threading").Lock())


def raise_unpicklable():
    raise Unpicklable


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def raise_unprintable():
    raise Unprintable


def return_unpicklable():
    return lambda: 0


class Explosive:
    def __reduce__(self):
        return _explode, ()


def _explode():
    raise OSError("boom")


def return_explosive():
    return Explosive()


def sys_exit(code):
    sys.exit(code)


def os_exit(code):
    os._exit(code)


def die_by(number):
    note("about to die")
    os.kill(os.getpid(), number)
    time.sleep(60)


def segfault():
    print("before the crash")
    ctypes.string_at(0)


def hog(limit=1 << 32):
    held = []
    while len(held) << 20 < limit:
        held.append(b"\1" * (1 << 20))
        time.sleep(0.0005)
    return len(held)


def hog_in_child():
    code = "import time\nheld = [b'\\1' * (1 << 20) for _ in range(300)]\ntime.sleep(60)"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode


def refused_memory():
    return bytearray(1 << 62)


def start_daemon(pid_file, *, detached):
    """Leave a process behind; a detached one has another session, no parent, but an inherited environment."""
    code = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", code], start_new_session=detached)
    while not (os.path.exists(pid_file) and open(pid_file).read()):
        time.sleep(0.01)
    return "left one behind"


def start_daemon_without_environment(pid_file):
    code = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", code], env={})
    while not (os.path.exists(pid_file) and open(pid_file).read()):
        time.sleep(0.01)


def daemon_then_die(pid_file):
    start_daemon(pid_file, detached=True)
    os.kill(os.getpid(), signal.SIGKILL)


def fork_and_return(pid_file):
    """Both the parent and the forked child come back out of the function."""
    child = os.fork()
    if child == 0:
        return "the child"
    os.waitpid(child, 0)
    return "the parent"


def fork_and_outlive(pid_file):
    child = os.fork()
    if child == 0:
        while True:
            time.sleep(1)
    with open(pid_file, "w") as stream:
        stream.write(str(child))
    return "the parent"


def close_everything():
    os.closerange(3, 256)


def close_stdout():
    os.close(1)
    return "fine"


def spin_without_gil_release():
    # A C call that holds the GIL for its whole time.
    return ctypes.PyDLL(None).sleep(600)


def notes_forever():
    while True:
        note("again")


def stop_self():
    os.kill(os.getpid(), signal.SIGSTOP)
