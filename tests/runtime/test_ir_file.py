"""The files of an IR, read without OpenVINO: whole, cut short, or no IR at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ReadFailure
from harness.runtime.ir_file import read_ir_file
from harness.workers.worker import run_isolated

BUILDERS = str(Path(__file__).with_name("builders.py"))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("ir") / "detector.xml"
    run_isolated(f"{BUILDERS}:detector", {"path": path, "loop": True}).result()
    return path


@pytest.fixture
def ir(written, tmp_path):
    """A copy to damage."""
    for file in (written, written.with_suffix(".bin")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path / written.name


class TestReadIrFile:
    def test_whole(self, ir):
        """A whole IR is described: operations with those of loop bodies, constants' sizes, nothing dead."""
        found = read_ir_file(ir)
        assert found.op_counts["Convolution"] == 1
        assert found.op_counts["Loop"] == 1
        assert found.op_counts["Parameter"] == 2  # one is the body's
        assert found.constant_bytes["f32"] >= 24 * 27 * 4
        assert found.dead == ()

    def test_dead_operation(self, ir):
        """An operation that leads to no result is named, and so is what only it needs."""
        text = ir.read_text()
        extra = (
            '<layer id="900" name="left/const" type="Const" version="opset1">'
            '<data element_type="f32" shape="1" offset="0" size="4"/></layer>'
            '<layer id="901" name="left/over" type="Relu" version="opset1"/>'
        )
        edges = '<edge from-layer="900" from-port="0" to-layer="901" to-port="0"/>'
        head, middle, end = text.rpartition("</layers>")
        text = head + extra + middle + end
        head, middle, end = text.rpartition("</edges>")
        ir.write_text(head + edges + middle + end)
        assert set(read_ir_file(ir).dead) == {("left/const", "Const"), ("left/over", "Relu")}

    def test_dead_operation_in_a_body(self, ir):
        """An operation that leads nowhere in a loop's body is named with the loop."""
        text = ir.read_text()
        head, middle, end = text.partition("</layers>\n\t\t\t\t<edges>")
        assert middle, "the body's layers end somewhere else"
        ir.write_text(head + '<layer id="900" name="left" type="Relu" version="opset1"/>' + middle + end)
        ((name, kind),) = read_ir_file(ir).dead
        assert (name.rpartition("/")[2], kind) == ("left", "Relu")

    def test_weights_cut_short(self, ir):
        """A .bin that ends too early is an error with both sizes and the constant."""
        weights = ir.with_suffix(".bin")
        size = weights.stat().st_size
        weights.write_bytes(weights.read_bytes()[: size - 1])
        with pytest.raises(ReadFailure, match=f"has {size - 1} bytes.*ends at byte {size}"):
            read_ir_file(ir)

    def test_weights_missing(self, ir):
        """A .bin that is not there is an error that names it."""
        ir.with_suffix(".bin").unlink()
        with pytest.raises(ReadFailure, match=r"no \.bin .*detector\.bin"):
            read_ir_file(ir)

    @pytest.mark.parametrize("keep", [0, 10, 0.5, 0.999])
    def test_xml_cut_short(self, ir, keep):
        """An .xml that is cut short, or empty, is an error."""
        data = ir.read_bytes()
        ir.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
        with pytest.raises(ReadFailure, match="no whole XML"):
            read_ir_file(ir)

    @pytest.mark.parametrize("text", ["<html></html>", "<net></net>", "<net><layers/></net>"])
    def test_other_xml(self, ir, text):
        """An .xml that is something else is an error."""
        ir.write_text(text)
        with pytest.raises(ReadFailure):
            read_ir_file(ir)

    def test_missing(self, tmp_path):
        """A file that is not there is an error that names it."""
        with pytest.raises(ReadFailure, match=r"nothing\.xml"):
            read_ir_file(tmp_path / "nothing.xml")
