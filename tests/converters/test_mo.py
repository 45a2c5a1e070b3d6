"""Model Optimizer as a converter: its environment, its arguments, and (where it is) what it converts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fixtures.catalogue import case as built
from harness.cases.case import Case
from harness.converters import mo, resolve
from harness.converters.conversion import convert_case
from harness.converters.request import ConversionRequest
from harness.environments import EnvironmentFailure
from harness.errors import ConverterFailure

posix = pytest.mark.skipif(os.name != "posix", reason="writes scripts for a shell")
XML = (Path(__file__).with_name("vendors.py").read_text().split('XML = """')[1]).split('"""', maxsplit=1)[0]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IRPROOF_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def legacy(tmp_path, monkeypatch):
    """A folder that looks like Model Optimizer's environment: its Python writes a small IR, or fails."""
    folder = tmp_path / "legacy"
    configurations = folder / "lib" / "python3.11" / "site-packages" / "openvino" / "tools" / "mo" / "front" / "tf"
    configurations.mkdir(parents=True)
    (configurations / "ssd_v2_support.json").write_text("[]")
    (folder / "bin").mkdir()
    (folder / "small.xml").write_text(XML)
    script = folder / "bin" / "python"
    script.write_text(
        f'#!/bin/sh\necho "$@" > {folder}/asked\n[ -e {folder}/broken ] && echo "it is broken" && exit 3\n'
        'while [ "$1" != "--output_dir" ]; do shift; done\n'
        f'cp {folder}/small.xml "$2/model.xml"\nprintf 0123456789abcdef > "$2/model.bin"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv(mo.VARIABLE, str(folder))
    return folder


@pytest.fixture
def case(tmp_path):
    (tmp_path / "frozen.pb").write_bytes(b"graph")
    (tmp_path / "pipeline.config").write_text("model {}")
    return Case("ssd/small", "ssd", "1.13", tmp_path / "frozen.pb", "frozen", tmp_path / "pipeline.config")


def request(**changes):
    values = {
        "model_path": Path("m.pb"),
        "model_format": "frozen",
        "output_dir": Path("out"),
        "pipeline_config": Path("pipeline.config"),
        "family": "ssd",
        "era": "1.14",
    }
    return ConversionRequest(**(values | changes))


class TestArguments:
    @pytest.mark.parametrize(
        ("changes", "part"),
        [
            ({}, "--input_model m.pb"),
            ({"model_format": "frozen_text"}, "--input_model_is_text --input_model m.pb"),
            ({"model_format": "checkpoint", "checkpoint": Path("c")}, "--input_model m.pb --input_checkpoint c"),
            ({"model_format": "meta_graph"}, "--input_meta_graph m.pb"),
            ({"model_format": "saved_model"}, "--saved_model_dir m.pb"),
            ({"input_shape": (2, 300, 400, 3)}, "--input_shape [2,300,400,3]"),
            ({}, f"--transformations_config {Path('conf') / 'ssd_support_api_v1.14.json'}"),
            ({"family": "rfcn", "era": "1.6"}, f"--transformations_config {Path('conf') / 'rfcn_support.json'}"),
            (
                {"options": {"transformations_config": "mine.json"}},
                "--transformations_config conf/mine.json",
            ),
            ({}, "--tensorflow_object_detection_api_pipeline_config pipeline.config"),
            ({"options": {"reverse_input_channels": True}}, "--reverse_input_channels --compress_to_fp16=False"),
            ({}, "--compress_to_fp16=False --output_dir out"),
        ],
    )
    def test_each(self, changes, part):
        """As Model Optimizer spells them."""
        assert part in " ".join(mo.arguments(request(**changes), Path("conf")))

    def test_no_configuration(self):
        """An era that it has none for is refused before it runs for half a minute."""
        with pytest.raises(ConverterFailure, match=r"no configuration for rfcn of era 2\.4.*1\.14"):
            mo.arguments(request(family="rfcn", era="2.4"), Path("conf"))

    def test_no_detector(self):
        """A classifier needs neither configuration nor pipeline.config."""
        words = mo.arguments(request(family="classifier", era="", pipeline_config=None), Path("conf"))
        assert not any("config" in word for word in words)


class TestClaims:
    def test_what_it_has_configurations_for(self):
        """Families and eras; all forms; rows of DetectionOutput."""
        found = resolve("mo")
        assert found.version == "2024.6.0"
        assert found.claims.families == {"ssd", "efficientdet", "faster_rcnn", "rfcn", "mask_rcnn"}
        assert found.claims.formats is None
        assert found.claims.contract == "detection_output"


@posix
class TestEnvironment:
    def test_converts(self, legacy, case, tmp_path):
        """In the environment that is named; its IR is kept by content."""
        made = convert_case(resolve("mo"), case, tmp_path / "session")
        assert made.ir_path.is_file()
        asked = (legacy / "asked").read_text()
        assert asked.startswith("-m openvino.tools.mo --input_model")
        assert "ssd_v2_support.json" in asked
        assert convert_case(resolve("mo"), case, tmp_path / "other").kept

    def test_its_failure(self, legacy, case, tmp_path):
        """With the exit code and its own words."""
        (legacy / "broken").touch()
        with pytest.raises(ConverterFailure, match="ended with exit code 3: it is broken"):
            convert_case(resolve("mo"), case, tmp_path / "session")

    def test_a_folder_that_is_none(self, case, tmp_path, monkeypatch):
        """Is named, with the variable."""
        monkeypatch.setenv(mo.VARIABLE, str(tmp_path / "nowhere"))
        with pytest.raises(EnvironmentFailure, match=r"IRPROOF_LEGACY names no virtual environment.*nowhere"):
            mo.prepare()
        with pytest.raises(ConverterFailure, match="IRPROOF_LEGACY names no"):
            convert_case(resolve("mo"), case, tmp_path / "session")

    def test_an_environment_without_it(self, legacy, case, tmp_path):
        """Some other virtual environment."""
        next(legacy.rglob("ssd_v2_support.json")).unlink()
        with pytest.raises(ConverterFailure, match="holds no Model Optimizer"):
            convert_case(resolve("mo"), case, tmp_path / "session")

    def test_no_python(self, monkeypatch):
        """What is needed, and what to do."""
        monkeypatch.delenv(mo.VARIABLE, raising=False)
        monkeypatch.setattr(mo, "find_python", lambda _versions: None)
        with pytest.raises(EnvironmentFailure, match=r"needs a Python of 3\.8 to 3\.11, and none is here.*python3\.11"):
            mo.prepare()

    def test_is_made_on_first_use(self, monkeypatch):
        """With the last Model Optimizer, and the TensorFlow that it reads models with."""
        monkeypatch.delenv(mo.VARIABLE, raising=False)
        monkeypatch.setattr(mo, "find_python", lambda _versions: sys.executable)
        asked = []
        monkeypatch.setattr(mo, "make_environment", lambda *given: asked.append(given) or Path("made"))
        assert mo.prepare(print) == Path("made")
        ((name, packages, python, _),) = asked
        assert "2024.6" in name
        assert "openvino-dev==2024.6.0" in packages
        assert python == sys.executable


@pytest.mark.legacy
@pytest.mark.long
class TestModelOptimizer:
    def test_a_real_model(self, tmp_path, monkeypatch):
        """A built-in SSD: one DetectionOutput, no loop."""
        if not os.environ.get(mo.VARIABLE):
            pytest.skip("IRPROOF_LEGACY names no environment with openvino-dev 2024.6")
        monkeypatch.delenv("IRPROOF_CACHE")
        made = convert_case(resolve("mo"), built("ssd/mobilenet_v1_tf1.13"), tmp_path)
        text = made.ir_path.read_text()
        assert text.count('type="DetectionOutput"') == 1
        assert 'type="Loop"' not in text
