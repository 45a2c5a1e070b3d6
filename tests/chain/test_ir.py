"""An IR is written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as opset

from harness.chain.ir import output_folder, write_ir
from harness.errors import ConversionError


def model(size: int = 1000) -> ov.Model:
    values = opset.parameter([size], np.float32)
    weights = opset.constant(np.random.default_rng(0).normal(size=size).astype(np.float32))
    return ov.Model([opset.add(values, weights)], [values], "small")


class TestWriteIr:
    def test_both_files_and_nothing_else(self, tmp_path):
        """The folder holds the .xml and the .bin, and the IR can be read."""
        with output_folder(tmp_path / "new") as scratch:
            path = write_ir(model(), scratch, tmp_path / "new" / "small.xml")
        assert sorted(item.name for item in (tmp_path / "new").iterdir()) == ["small.bin", "small.xml"]
        assert ov.Core().read_model(str(path)).inputs

    def test_truncated_weights_are_noticed(self, tmp_path, monkeypatch):
        """A stream that stops short without a word, as on a full disk, leaves nothing behind and is an error."""
        save = ov.save_model

        def save_short(graph, path, **options):
            save(graph, path, **options)
            weights = Path(path).with_suffix(".bin")
            os.truncate(weights, weights.stat().st_size // 2)

        monkeypatch.setattr(ov, "save_model", save_short)
        with output_folder(tmp_path) as scratch, pytest.raises(ConversionError, match="nothing was left behind"):
            write_ir(model(), scratch, tmp_path / "small.xml")
        assert list(tmp_path.iterdir()) == []

    def test_an_earlier_ir_survives_a_failure(self, tmp_path, monkeypatch):
        """What was there before a failed conversion is still there after it."""
        with output_folder(tmp_path) as scratch:
            path = write_ir(model(), scratch, tmp_path / "small.xml")
        before = path.read_bytes()

        def fail(*_args, **_options):
            raise RuntimeError("disk full")

        monkeypatch.setattr(ov, "save_model", fail)
        with output_folder(tmp_path) as scratch, pytest.raises(ConversionError):
            write_ir(model(), scratch, tmp_path / "small.xml")
        assert path.read_bytes() == before

    def test_a_limit_on_file_size_is_an_error(self, tmp_path):
        """The operating system's own refusal to write more, as a full disk gives it, is one clear message."""
        pytest.importorskip("resource", reason="the limit that stands in for a full disk exists on POSIX only")
        script = textwrap.dedent(f"""
            import resource, signal
            from pathlib import Path
            from harness.chain.ir import output_folder, write_ir
            from harness.errors import ConversionError
            from tests.chain.test_ir import model
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
            folder = Path({str(tmp_path)!r})
            try:
                with output_folder(folder) as scratch:
                    write_ir(model(1_000_000), scratch, folder / "small.xml")
            except ConversionError as error:
                print("refused:", error)
        """)
        root = Path(__file__).parents[2]
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=root)
        assert "refused:" in done.stdout, done.stderr
        assert list(tmp_path.iterdir()) == []


class TestOutputFolder:
    def test_a_file_in_the_way_is_an_error_before_any_work(self, tmp_path):
        """A folder that cannot be made is known before the conversion starts."""
        (tmp_path / "taken").write_text("a file")
        with pytest.raises(ConversionError, match="cannot be written to") as caught, output_folder(tmp_path / "taken"):
            pytest.fail("the block was entered")
        assert "taken" in str(caught.value)
