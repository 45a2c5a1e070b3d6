"""The built-in converters on real graphs: what they return runs, and answers as their contract says."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from harness.cases.case import Case
from harness.converters import resolve
from harness.converters.conversion import convert_case
from harness.errors import ConverterFailure
from harness.runtime.runtime import Runtime
from harness.workers.worker import Worker

GRAPHS = Path(__file__).parents[1] / "reference" / "graphs.py"
ZOO = Path(os.environ.get("IRPROOF_SHARED", Path(__file__).parents[3] / "shared")) / "zoo"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("models")
    with Worker(env={"TF_CPP_MIN_LOG_LEVEL": "3"}) as worker:
        worker.call(f"{GRAPHS}:write", folder=found, forms=("text", "meta", "saved_model"))
    return found


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IRPROOF_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def runtime():
    with Runtime() as shared:
        yield shared


class TestOvc:
    @pytest.mark.parametrize(
        ("path", "form", "shape"),
        [
            ("frozen.pb", "frozen", (1, 32, 32, 3)),
            ("frozen.pbtxt", "frozen_text", None),
            ("model.ckpt.meta", "meta_graph", None),
            ("saved_model", "saved_model", None),
        ],
    )
    def test_forms(self, folder, runtime, tmp_path, path, form, shape):
        """OpenVINO's own converter takes every form, and its IR has TensorFlow's outputs."""
        case = Case("small", "ssd", "1.14", folder / path, form, input_shape=shape)
        made = convert_case(resolve("ovc"), case, tmp_path)
        assert made.versions["openvino"]
        assert "tensorflow" not in made.versions
        pixels = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
        names = {name.split(":")[0] for name in runtime.infer(made.ir_path, [pixels])}
        assert {"detection_boxes", "detection_scores", "detection_classes", "num_detections"} <= names
        (port,) = runtime.inspect(made.ir_path).inputs
        assert port.shape == (shape or (-1, -1, -1, 3))

    def test_not_claimed(self, folder, tmp_path):
        """An inference graph with its checkpoint is not claimed, and refused where it is given all the same."""
        case = Case("small", "ssd", "1.14", folder / "inference.pb", "checkpoint", checkpoint=folder / "model.ckpt")
        ovc = resolve("ovc")
        assert "format checkpoint is not claimed" in ovc.claims.refusal(case)
        with pytest.raises(ConverterFailure, match="takes no inference graph"):
            convert_case(ovc, case, tmp_path)

    def test_failure(self, tmp_path):
        """What it refuses is a failure to convert, in its own words."""
        (tmp_path / "bad.pb").write_bytes(b"no graph")
        with pytest.raises(ConverterFailure, match=r"The converter ovc raised"):
            convert_case(resolve("ovc"), Case("bad", "ssd", "", tmp_path / "bad.pb", "frozen"), tmp_path / "session")


@pytest.mark.zoo
@pytest.mark.skipif(not ZOO.is_dir(), reason="there is no zoo; IRPROOF_SHARED names one")
class TestChain:
    def test_contract(self, runtime, tmp_path):
        """The chain's IR is kept by content, and answers rows of a DetectionOutput."""
        model = ZOO / "aiy_ssd_mobilenet_v1_person_cat_dog" / "frozen_inference_graph.pb"
        text = (GRAPHS.parent / "test_ssd.py").read_text().split('AIY_CONFIG = """')[1].split('"""')[0]
        (tmp_path / "pipeline.config").write_text(text)
        case = Case("aiy", "ssd", "", model, "frozen", tmp_path / "pipeline.config")
        chain = resolve("chain")
        made = convert_case(chain, case, tmp_path / "one")
        assert convert_case(chain, case, tmp_path / "two").kept
        assert "tensorflow" not in made.versions
        facts = runtime.inspect(made.ir_path)
        assert len(facts.ops_of("DetectionOutput")) == 1
        assert facts.loops == ()
        assert facts.dead == ()
