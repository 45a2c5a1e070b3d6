"""Functions in processes of their own: every way to end is told apart, and nothing is left behind."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from harness.errors import CompileFailure, IrproofError, UsageError
from harness.workers.limits import Limits
from harness.workers.outcome import (
    WorkerCrashed,
    WorkerExited,
    WorkerFlooded,
    WorkerOutOfMemory,
    WorkerRaised,
    WorkerTimedOut,
)
from harness.workers.worker import Worker, run_isolated

VICTIMS = str(Path(__file__).with_name("victims.py"))
posix = pytest.mark.skipif(os.name != "posix", reason="has no signals or fork")


def victim(name):
    return f"{VICTIMS}:{name}"


def gone(pid, patience=3.0):
    """Whether the process ended (a zombie that nobody reaps has)."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def worker():
    with Worker(limits=Limits(seconds=20)) as shared:
        yield shared


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Every test ends with the processes and threads that it started with, its module's worker aside."""
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    yield
    after = {
        process.pid for process in psutil.Process().children(recursive=True) if process.status() != psutil.STATUS_ZOMBIE
    }
    assert len(after - before) <= 1  # the module's worker may have been started (anew)


class TestReturning:
    def test_value(self, worker):
        """What the function returns comes back."""
        assert worker.call(victim("add"), a=1, b=2) == 3

    def test_one_process_serves_many(self, worker):
        """The process of the first call serves the second one too."""
        assert worker.call(victim("pid")) == worker.call(victim("pid")) == worker.pid

    @pytest.mark.parametrize(
        "value",
        [
            np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2],
            np.zeros((0, 4), np.int64),
            np.array(3.5),
            np.asfortranarray(np.arange(6).reshape(2, 3)),
            np.array(["a", "bc"]),
            np.array([True, False]),
        ],
    )
    def test_arrays(self, worker, value):
        """Arrays come back with their type, shape and values, and can be written to."""
        back = worker.call(victim("identity"), value=value)
        assert back.dtype == value.dtype
        assert back.shape == value.shape
        np.testing.assert_array_equal(back, value)
        assert back.flags.writeable

    def test_containers(self, worker):
        """Scalars, types, object arrays and containers of arrays come back."""
        value = {"s": np.float32(1.5), "d": np.dtype("float16"), "o": np.array([1, "x"], object), "t": (np.ones(2),)}
        back = worker.call(victim("identity"), value=value)
        assert back["s"] == np.float32(1.5)
        assert back["d"] == np.float16
        assert list(back["o"]) == [1, "x"]
        np.testing.assert_array_equal(back["t"][0], np.ones(2))

    def test_large(self, worker):
        """A result much larger than any buffer comes back whole."""
        value = np.arange(10_000_000, dtype=np.float32)
        np.testing.assert_array_equal(worker.call(victim("identity"), value=value), value)

    def test_output_is_kept_apart_per_call(self, worker):
        """Each call has its own output, stdout and stderr in the order written, and no marker."""
        first = worker.run(victim("say"), {"text": "first"})
        second = worker.run(victim("say"), {"text": "second"})
        assert first.output == "first\nto stderr\n"
        assert second.output == "second\nto stderr\n"
        assert second.output_bytes == len(second.output)

    def test_stdin_is_empty(self, worker):
        """What reads stdin reads nothing, and does not wait."""
        assert worker.call(victim("read_stdin")) == ""

    def test_closed_stdout(self):
        """A function that closes stdout is heard all the same."""
        assert run_isolated(victim("close_stdout")).result() == "fine"

    def test_calls_from_threads_take_turns(self, worker):
        """Calls from several threads do not mix."""
        results = {}
        threads = [
            threading.Thread(target=lambda n=n: results.update({n: worker.call(victim("add"), a=n, b=100)}))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == {n: n + 100 for n in range(8)}


class TestRaising:
    def test_other_exception(self, worker):
        """An exception that is not the project's comes as type, message and the end of the traceback."""
        outcome = worker.run(victim("raise_value_error"), {"text": "bad value 7"})
        assert (outcome.kind, outcome.exception) == ("raised", "ValueError")
        assert isinstance(outcome.error, WorkerRaised)
        assert "bad value 7" in str(outcome.error)
        assert "victims.py" in outcome.error.where
        assert outcome.traceback.rstrip().endswith("ValueError: bad value 7")

    def test_project_error_comes_back_as_itself(self, worker):
        """An IrproofError keeps its kind and all that it says."""
        with pytest.raises(CompileFailure) as caught:
            worker.call(victim("raise_project_error"))
        error = caught.value
        assert (error.what, error.where, error.advice, error.requirement) == (
            "No such op.", "node 'a/b'", "Use another.", "SRC-11",
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("name", "said"), [("raise_unpicklable", "holds a lock"), ("raise_unprintable", "cannot be printed")]
    )
    def test_exceptions_that_cannot_travel(self, worker, name, said):
        """What an exception holds need be neither picklable nor printable."""
        assert said in str(worker.run(victim(name)).error)

    def test_result_that_cannot_travel(self, worker):
        """A result that cannot be pickled is told from one that is right."""
        outcome = worker.run(victim("return_unpicklable"))
        assert outcome.kind == "raised"
        assert "cannot be sent back" in str(outcome.error)

    def test_result_that_cannot_be_read_back(self, worker):
        """A result that fails while it is read is the function's failure, and the worker serves on."""
        outcome = worker.run(victim("return_explosive"))
        assert outcome.kind == "raised"
        assert "cannot be read back" in str(outcome.error)
        assert worker.call(victim("add"), a=1, b=1) == 2

    @pytest.mark.parametrize("target", ["nonsense", "no.such.module:f", f"{VICTIMS}:nothing", "/no/such/file.py:f"])
    def test_targets_that_do_not_exist(self, worker, target):
        """A name of nothing is a usage error that repeats the name."""
        with pytest.raises(UsageError) as caught:
            worker.call(target)
        assert target.split(":")[0] in str(caught.value)

    def test_worker_survives(self, worker):
        """After an exception the same process serves the next call."""
        before = worker.call(victim("pid"))
        worker.run(victim("raise_value_error"), {"text": ""})
        assert worker.call(victim("pid")) == before


class TestEndingOtherwise:
    def test_hang(self, worker):
        """A function that hangs is ended at its limit, its place is shown, and the next call has a new process."""
        before = worker.call(victim("pid"))
        started = time.monotonic()
        outcome = worker.run(victim("hang"), limits=Limits(seconds=0.6))
        assert time.monotonic() - started < 4
        assert outcome.kind == "timed_out"
        assert isinstance(outcome.error, WorkerTimedOut)
        assert "0.6 s" in str(outcome.error)
        assert outcome.note == "hanging"
        assert "in hang" in outcome.output  # where it hung
        assert gone(before)
        assert worker.call(victim("pid")) != before

    @posix
    def test_hang_that_holds_the_gil(self):
        """A hang in C code that lets no Python run is ended as well."""
        assert run_isolated(victim("spin_without_gil_release"), limits=Limits(seconds=0.6)).kind == "timed_out"

    @posix
    def test_stopped(self):
        """A process that is stopped does not stop its owner."""
        arguments = {"value": np.zeros(5_000_000)}
        with Worker() as own:
            own.call(victim("add"), a=1, b=1)
            os.kill(own.pid, signal.SIGSTOP)
            assert own.run(victim("identity"), arguments, limits=Limits(seconds=0.6)).kind == "timed_out"

    def test_chatter_does_not_extend_the_limit(self):
        """Progress notes without end do not keep the limits from being looked at."""
        assert run_isolated(victim("notes_forever"), limits=Limits(seconds=0.6)).kind == "timed_out"

    @posix
    @pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGTERM])
    def test_signal(self, number):
        """A death by a signal names the signal, and how far it had come."""
        outcome = run_isolated(victim("die_by"), {"number": int(number)})
        assert (outcome.kind, outcome.code, outcome.note) == ("crashed", number, "about to die")
        assert isinstance(outcome.error, WorkerCrashed)
        assert number.name in str(outcome.error)

    def test_segmentation_fault(self):
        """A crash in C code is told with the Python stack and the output before it."""
        outcome = run_isolated(victim("segfault"))
        assert outcome.kind == "crashed"
        assert "before the crash" in outcome.output
        assert "in segfault" in outcome.output

    @pytest.mark.parametrize(
        ("name", "code", "exit_code"), [("sys_exit", 3, 3), ("os_exit", 4, 4), ("sys_exit", "no", 1)]
    )
    def test_exit(self, name, code, exit_code):
        """Exiting is told from returning, with the code, by whichever way."""
        outcome = run_isolated(victim(name), {"code": code})
        assert (outcome.kind, outcome.code) == ("exited", exit_code)
        assert isinstance(outcome.error, WorkerExited)

    @posix
    def test_closed_connection(self):
        """A function that closes the connection cannot answer: that is a failure, not a wait without end."""
        started = time.monotonic()
        assert run_isolated(victim("close_everything"), limits=Limits(seconds=5)).kind in ("exited", "crashed")
        assert time.monotonic() - started < 4

    def test_memory(self):
        """Memory over the limit ends the function; the message has both numbers."""
        outcome = run_isolated(victim("hog"), limits=Limits(memory_bytes=300 << 20))
        assert outcome.kind == "out_of_memory"
        assert isinstance(outcome.error, WorkerOutOfMemory)
        assert "300 MiB" in str(outcome.error)
        assert 300 << 20 < outcome.peak_bytes < 2 << 30

    def test_memory_of_children(self):
        """Memory that a child process takes counts."""
        assert run_isolated(victim("hog_in_child"), limits=Limits(memory_bytes=200 << 20)).kind == "out_of_memory"

    def test_memory_below_the_limit(self):
        """Memory within the limit is no failure, and the peak is told."""
        outcome = run_isolated(victim("hog"), {"limit": 200 << 20}, Limits(memory_bytes=1 << 30))
        assert outcome.returned
        assert outcome.peak_bytes > 100 << 20

    def test_refused_memory(self):
        """An allocation that the system refuses is memory trouble too."""
        assert run_isolated(victim("refused_memory")).kind == "out_of_memory"

    def test_flood(self):
        """A function that prints a gigabyte is ended at its limit, with head and tail kept."""
        outcome = run_isolated(victim("write_blocks"), {"count": 1024}, Limits(output_bytes=8 << 20))
        assert outcome.kind == "flooded"
        assert isinstance(outcome.error, WorkerFlooded)
        assert "8.0 MiB" in str(outcome.error)
        assert outcome.output.startswith("first line")
        assert "bytes left out" in outcome.output
        assert len(outcome.output) < 1 << 18

    def test_much_output_within_the_limit(self, worker):
        """Much output below the limit is no failure; its two ends are kept."""
        outcome = worker.run(victim("write_blocks"), {"count": 4})
        assert outcome.returned
        assert outcome.output.startswith("first line")
        assert outcome.output.endswith("last line\n")
        assert outcome.output_bytes > 4 << 20

    def test_quick_flood_is_found_after_the_fact(self):
        """A flood that is over before anyone looked is a flood all the same."""
        outcome = run_isolated(victim("say"), {"text": "x" * 100, "times": 100}, Limits(output_bytes=1000))
        assert outcome.kind == "flooded"


class TestNothingOutlives:
    @pytest.mark.parametrize("detached", [False, True])
    def test_child_left_behind(self, tmp_path, detached):
        """A process that the function leaves behind ends with the worker, detached or not."""
        pid_file = tmp_path / "pid"
        outcome = run_isolated(victim("start_daemon"), {"pid_file": pid_file, "detached": detached})
        assert outcome.result() == "left one behind"
        assert gone(int(pid_file.read_text()))

    @posix
    def test_child_without_the_mark(self, tmp_path):
        """A child with an empty environment is found by its parent or session."""
        pid_file = tmp_path / "pid"
        run_isolated(victim("start_daemon_without_environment"), {"pid_file": pid_file}).result()
        assert gone(int(pid_file.read_text()))

    @posix
    def test_orphan_of_a_crash(self, tmp_path):
        """A detached process whose parent crashed ends as well."""
        pid_file = tmp_path / "pid"
        assert run_isolated(victim("daemon_then_die"), {"pid_file": pid_file}).kind == "crashed"
        assert gone(int(pid_file.read_text()))

    @posix
    def test_forked_child_does_not_answer(self, tmp_path):
        """A forked child that comes back out of the function does not speak for its parent."""
        assert run_isolated(victim("fork_and_return"), {"pid_file": tmp_path / "pid"}).result() == "the parent"

    @posix
    def test_forked_child_that_outlives(self, tmp_path):
        """A forked child, which holds the connection and the output open, neither delays nor survives."""
        pid_file = tmp_path / "pid"
        started = time.monotonic()
        assert run_isolated(victim("fork_and_outlive"), {"pid_file": pid_file}).result() == "the parent"
        assert time.monotonic() - started < 5
        assert gone(int(pid_file.read_text()))

    def test_closing_ends_the_process(self):
        """close() ends it, twice is harmless, and a later call starts another."""
        own = Worker()
        first = own.call(victim("pid"))
        own.close()
        own.close()
        assert gone(first)
        assert own.call(victim("pid")) != first
        assert own.starts == 2
        own.close()

    def test_forgotten_worker(self):
        """A worker that nobody refers to any more is ended."""
        own = Worker()
        pid = own.call(victim("pid"))
        del own
        assert gone(pid)

    @posix
    def test_owner_is_killed(self, tmp_path):
        """When the owner dies without a word the worker ends, even in the middle of a call."""
        pid_file = tmp_path / "pid"
        owner = tmp_path / "owner.py"
        owner.write_text(
            "from harness.workers.worker import Worker\n"
            f"Worker().call({victim('start_daemon')!r}, pid_file={str(pid_file)!r}, detached=False)\n"
            f"w = Worker(); open({str(tmp_path / 'w')!r}, 'w').write(str(w.call({victim('pid')!r})))\n"
            f"w.call({victim('hang')!r})\n"
        )
        process = psutil.Popen([sys.executable, str(owner)], cwd=Path(__file__).parents[2])
        try:
            mark = tmp_path / "w"
            deadline = time.monotonic() + 20
            while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
                time.sleep(0.02)
            worker_pid = int(mark.read_text())
            time.sleep(0.1)
        finally:
            process.kill()
            process.wait()
        assert gone(worker_pid)

    def test_interrupt(self, monkeypatch):
        """An interrupt of the owner ends the call that it waited for."""
        own = Worker()
        pid = own.call(victim("pid"))

        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr("harness.workers.process._Watch.look", interrupt)
        with pytest.raises(KeyboardInterrupt):
            own.run(victim("hang"))
        assert gone(pid)


class TestStarting:
    def test_cwd_and_env(self, tmp_path, monkeypatch):
        """Folder and environment are as asked; None takes a variable away."""
        monkeypatch.setenv("IRPROOF_TEST_GONE", "1")
        found = run_isolated(
            victim("where"), cwd=tmp_path, env={"IRPROOF_TEST_GONE": None, "IRPROOF_TEST_NEW": "ü"}
        ).result()
        assert Path(found["cwd"]) == tmp_path.resolve()
        assert found["env"]["IRPROOF_TEST_NEW"] == "ü"
        assert "IRPROOF_TEST_GONE" not in found["env"]

    def test_modules_of_the_owner(self, tmp_path, monkeypatch):
        """The same Python imports what its owner can."""
        (tmp_path / "irproof_test_module.py").write_text("def f():\n    return 'found'\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        assert run_isolated("irproof_test_module:f").result() == "found"

    def test_own_modules_are_no_top_level_modules(self):
        """The script's folder is not on the path: nobody gets our 'capture' or 'limits'."""
        found = run_isolated(victim("where")).result()
        assert not [entry for entry in found["path"] if Path(entry).name == "workers"]

    def test_no_such_python(self, tmp_path):
        """A Python that is not there is an error that names it."""
        with pytest.raises(WorkerExited) as caught:
            run_isolated(victim("pid"), python=tmp_path / "python")
        assert str(tmp_path / "python") in str(caught.value)

    def test_python_that_ends_at_once(self, tmp_path):
        """A Python that cannot start says why."""
        with pytest.raises(IrproofError) as caught:
            run_isolated(victim("pid"), env={"PYTHONHOME": str(tmp_path / "nothing")})
        assert "ended at once" in str(caught.value)

    def test_import_that_takes_the_process_along(self, tmp_path):
        """A module that dies while it is imported is the function's failure."""
        (tmp_path / "dies.py").write_text("import os\nprint('dying', flush=True)\nos._exit(9)\n")
        outcome = run_isolated(f"{tmp_path / 'dies.py'}:f")
        assert (outcome.kind, outcome.code) == ("exited", 9)
        assert "dying" in str(outcome.error)

    def test_limits_make_sense(self):
        """A limit of nothing is refused."""
        with pytest.raises(UsageError):
            Limits(seconds=0)


class TestOutcome:
    def test_can_be_pickled(self):
        """An outcome crosses process borders itself."""
        outcome = run_isolated(victim("sys_exit"), {"code": 3})
        again = pickle.loads(pickle.dumps(outcome))  # noqa: S301 - our own
        assert (again.kind, again.code, str(again.error)) == (outcome.kind, outcome.code, str(outcome.error))


@pytest.mark.legacy
class TestAnotherPython:
    def test_arrays_between_numpy_versions(self):
        """Arrays cross to an environment with another NumPy, which has neither psutil nor this project."""
        python = Path(os.environ.get("IRPROOF_LEGACY", "")) / "bin" / "python"
        if not python.is_file():
            pytest.skip("IRPROOF_LEGACY names no environment with another NumPy")
        value = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "s": np.float64(2)}
        with Worker(python=python, env={"PYTHONPATH": None}) as own:
            back = own.call(victim("identity"), value=value)
            assert own.call("numpy:get_include") != np.get_include()
        np.testing.assert_array_equal(back["a"], value["a"])
        assert back["s"] == 2
