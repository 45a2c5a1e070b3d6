"""--python: converter and IRs run in another environment, and the certificate does not claim otherwise."""

from __future__ import annotations

import sys


class TestPython:
    def test_is_informational_and_says_so(self, world):
        """The versions are those of that environment, or unknown as long as nothing ran there."""
        world.suite("def test_scores(evidence, prove):\n    prove(passing())\n")
        result, certificate = world.certify(f"--python={sys.executable}", "--profile", "full")
        assert certificate["standing_reasons"] == ["--python"]
        assert certificate["versions"]["openvino"] == "unknown, nothing ran"
        result.stdout.fnmatch_lines([f"runtime: *, OpenVINO of {sys.executable}"])
        assert f"--python {sys.executable}" in certificate["results"][0]["reproduce"]

    def test_an_interpreter_that_is_not_there(self, world):
        """Before anything runs."""
        world.suite("def test_scores(evidence, prove):\n    prove(passing())\n")
        result = world.run("--python=nowhere/python")
        assert result.ret == 4
        result.stderr.fnmatch_lines(["ERROR: --python has to name an interpreter*nowhere/python."])
