"""Something made once, though several ask for it at the same time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.errors import CaseError
from harness.workers.once import only_one

ROOT = Path(__file__).parents[2]


class TestOnlyOne:
    def test_one_after_another(self, tmp_path):
        """No two are inside at the same time."""
        inside, most = [], []

        def work():
            with only_one(tmp_path / "folder" / "target"):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.03)
                inside.pop()

        threads = [threading.Thread(target=work) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == [1] * 5

    def test_targets_do_not_mind_each_other(self, tmp_path):
        """Another target is free."""
        with only_one(tmp_path / "a"), only_one(tmp_path / "b", patience=0.1):
            pass

    def test_patience(self, tmp_path):
        """A lock that does not get free is an error that names the target, not a wait without end."""
        target = tmp_path / "a"
        with only_one(target), pytest.raises(CaseError, match="too long"), only_one(target, patience=0.1):
            pytest.fail("both are inside")

    def test_traces(self, tmp_path):
        """Nothing but the target stays when it was made."""
        with only_one(tmp_path / "a"):
            (tmp_path / "a").mkdir()
        assert [path.name for path in tmp_path.iterdir()] == ["a"]

    def test_killed_holder(self, tmp_path):
        """A holder that is killed holds nothing any more."""
        code = (
            "import sys, time, pathlib; from harness.workers.once import only_one\n"
            "with only_one(pathlib.Path(sys.argv[1])): print('in', flush=True); time.sleep(600)"
        )
        holder = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "a")], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        try:
            assert holder.stdout.readline() == "in\n"
            with pytest.raises(CaseError), only_one(tmp_path / "a", patience=0.1):
                pytest.fail("both are inside")
        finally:
            holder.kill()
            holder.communicate()
        with only_one(tmp_path / "a", patience=2):
            pass
