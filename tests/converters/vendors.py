"""Converters of strangers, each with another way to go wrong; they write small IRs by hand, without OpenVINO."""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
from pathlib import Path

from harness.errors import ConversionError, UsageError

XML = """<?xml version="1.0"?>
<net name="small" version="11">
 <layers>
  <layer id="0" name="in" type="Parameter" version="opset1">
   <data shape="1,4" element_type="f32"/>
   <output><port id="0" precision="FP32" names="in"><dim>1</dim><dim>4</dim></port></output>
  </layer>
  <layer id="1" name="weight" type="Const" version="opset1">
   <data element_type="f32" shape="1, 4" offset="0" size="16"/>
   <output><port id="0" precision="FP32"><dim>1</dim><dim>4</dim></port></output>
  </layer>
  <layer id="2" name="sum" type="Add" version="opset1">
   <data auto_broadcast="numpy"/>
   <input><port id="0"><dim>1</dim><dim>4</dim></port><port id="1"><dim>1</dim><dim>4</dim></port></input>
   <output><port id="2" precision="FP32" names="sum"><dim>1</dim><dim>4</dim></port></output>
  </layer>
  <layer id="3" name="out" type="Result" version="opset1">
   <input><port id="0"><dim>1</dim><dim>4</dim></port></input>
  </layer>
 </layers>
 <edges>
  <edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>
  <edge from-layer="1" from-port="0" to-layer="2" to-port="1"/>
  <edge from-layer="2" from-port="2" to-layer="3" to-port="0"/>
 </edges>
</net>
"""


WEIGHTS = struct.pack("<4f", 1, 2, 3, 4)


def write(folder, name="model", *, weights=WEIGHTS, xml=XML):
    path = Path(folder) / f"{name}.xml"
    path.write_text(xml)
    if weights is not None:
        path.with_suffix(".bin").write_bytes(weights)
    return path


def good(request):
    print("converting", request.model_path)
    return write(request.output_dir)


def text_path(request):
    return str(write(request.output_dir))


def relative(request):
    write(request.output_dir)
    return "model.xml"


def counting(request):
    """Leaves a line for each call beside the model."""
    with (request.model_path.parent / "calls").open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    time.sleep(0.3)
    return write(request.output_dir)


def counting_failure(request):
    counting(request)
    raise ValueError("no, again")


def echo(request):
    write(
        request.output_dir,
        xml=XML.replace("small", repr(request).replace('"', "'").replace("<", "(").replace(">", ")")),
    )
    return request.output_dir / "model.xml"


def hangs(request):
    print("thinking")
    time.sleep(600)


def crashes(request):
    print("on the edge", flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


def exits(request):
    sys.exit("gave up")


def floods(request):
    block = b"y" * (1 << 20)
    for _ in range(1024):
        os.write(1, block)
    return write(request.output_dir)


def hogs(request):
    held = []
    while True:
        held.append(b"\1" * (1 << 20))
        time.sleep(0.0005)


def raises(request):
    raise KeyError("node 'x/y'")


def raises_conversion_error(request):
    raise ConversionError("Cannot convert.", where="node 'x/y'", requirement="SSD-1")


def raises_usage_error(request):
    raise UsageError("Wrong option.", where="option 'a'")


def nothing(request):
    return None


def number(request):
    return 7


def no_file(request):
    return request.output_dir / "model.xml"


def outside(request):
    return write(request.model_path.parent)


def not_xml(request):
    path = request.output_dir / "model.onnx"
    path.write_bytes(b"x")
    return path


def no_weights(request):
    return write(request.output_dir, weights=None)


def short_weights(request):
    return write(request.output_dir, weights=b"123")


def short_xml(request):
    return write(request.output_dir, xml=XML[:500])


def writes_then_raises(request):
    write(request.output_dir)
    raise ValueError("after writing")


class Vendor:
    name = "vendor's best"
    version = "3.1"
    claims = {"families": ["ssd"], "eras": ["1.14"], "contract": "detection_output", "options": ["speed"]}  # noqa: RUF012

    def convert(self, request):
        return write(request.output_dir)


ready_made = Vendor()


class BadClaims:
    claims = {"familes": ["ssd"]}  # noqa: RUF012

    def convert(self, request):
        return None


class BadContract(BadClaims):
    claims = {"contract": "rows"}  # noqa: RUF012


not_a_converter = 7
