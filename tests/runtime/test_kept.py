"""Answers are kept by content, and nothing is kept that may differ next time."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import InferFailure
from harness.runtime.kept import KeptRuntime
from harness.runtime.runtime import Runtime


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What reaches the worker."""
    monkeypatch.setenv("IRPROOF_CACHE", str(tmp_path / "cache"))
    questions = []

    def ask(_self, function, _ir, **arguments):
        questions.append(function)
        if arguments.get("requests") == ["fail"]:
            raise InferFailure("It died.")
        return [{"output": np.float32(len(questions)) * np.ones(3, np.float32)}]

    monkeypatch.setattr(Runtime, "_ask", ask)
    return questions


@pytest.fixture
def ir(tmp_path):
    (tmp_path / "model.xml").write_text("<net/>")
    (tmp_path / "model.bin").write_bytes(b"123")
    return tmp_path / "model.xml"


IMAGE = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)


class TestKept:
    def test_the_same_question_is_asked_once(self, asked, ir):
        """By this runtime, or by the next one."""
        first = KeptRuntime().infer(ir, [IMAGE])
        second = KeptRuntime().infer(ir, [IMAGE.copy()])
        assert asked == ["infer"]
        np.testing.assert_array_equal(first["output"], second["output"])

    @pytest.mark.parametrize(
        "change",
        [
            lambda runtime, ir: runtime.infer(ir, [IMAGE + 1]),
            lambda runtime, ir: runtime.infer(ir, [IMAGE.reshape(1, 4, 1, 3)]),
            lambda runtime, ir: runtime.infer(ir, [IMAGE], shape=(1, 2, 2, 3)),
            lambda runtime, ir: runtime.infer(ir, [IMAGE], dynamic=True),
            lambda runtime, ir: runtime.infer(ir, [IMAGE], properties={"INFERENCE_PRECISION_HINT": "bf16"}),
            lambda runtime, ir: (ir.with_suffix(".bin").write_bytes(b"1234"), runtime.infer(ir, [IMAGE])),
            lambda runtime, ir: (ir.write_text("<net />"), runtime.infer(ir, [IMAGE])),
        ],
        ids=["pixels", "shape of the image", "shape", "dynamic", "properties", "weights", "graph"],
    )
    def test_another_question_is_asked(self, asked, ir, change):
        """Whatever of it differs."""
        runtime = KeptRuntime()
        runtime.infer(ir, [IMAGE])
        change(runtime, ir)
        assert asked == ["infer", "infer"]

    def test_failures_are_not_kept(self, asked, ir):
        """The next run may have more memory."""
        for _ in range(2):
            with pytest.raises(InferFailure):
                KeptRuntime().infer(ir, "fail")
        assert asked == ["infer", "infer"]

    def test_what_is_measured_is_measured_anew(self, asked, ir):
        """Latencies are never remembered."""
        for _ in range(2):
            KeptRuntime().latencies(ir, [IMAGE], repeats=1)
        assert asked == ["latencies", "latencies"]

    def test_other_devices_are_asked_anew(self, asked, ir):
        """Their drivers have no name here."""
        for _ in range(2):
            KeptRuntime(device="GPU").infer(ir, [IMAGE])
        assert asked == ["infer", "infer"]
