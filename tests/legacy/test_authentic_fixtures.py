"""The built-in models are authentic: Model Optimizer 2024.6 takes them with its own shipped configurations."""

from __future__ import annotations

import pytest
from tensorboard.compat.proto import graph_pb2

from fixtures.catalogue import build, case, specs

pytestmark = [pytest.mark.legacy, pytest.mark.long]

CONFIGURED = [one for one in specs("full") if one.legacy_configuration]
TAKEN = [one for one in CONFIGURED if not one.legacy_limit]
REFUSED = [one for one in CONFIGURED if one.legacy_limit]


class TestAuthenticity:
    @pytest.mark.parametrize("spec", TAKEN, ids=lambda one: one.name)
    def test_model_optimizer_takes_it(self, model_optimizer, types, tmp_path, spec):
        """Exit status 0, one DetectionOutput, and neither loop nor TensorArray left."""
        one = case(spec.name)
        status, said = model_optimizer.convert(one.model_path, spec.legacy_configuration, one.pipeline_config, tmp_path)
        assert status == 0, said[-3000:]
        found = types(tmp_path / "converted.xml")
        assert found["DetectionOutput"] >= 1
        assert not {"Loop", "TensorIterator", "NonMaxSuppression"} & set(found)

    @pytest.mark.parametrize("spec", REFUSED, ids=lambda one: one.name)
    def test_a_stated_limit_is_a_real_one(self, model_optimizer, tmp_path, spec):
        """What is said to be beyond Model Optimizer fails there: the statement cannot outlive its reason."""
        one = case(spec.name)
        status, _ = model_optimizer.convert(one.model_path, spec.legacy_configuration, one.pipeline_config, tmp_path)
        assert status != 0
        assert not (tmp_path / "converted.xml").exists()

    def test_every_ssd_has_a_configuration(self):
        """No fixture escapes this check by saying nothing."""
        silent = [one.name for one in specs("full") if one.family == "ssd" and not one.legacy_configuration]
        assert silent == []


class TestTheCheckItself:
    @pytest.mark.parametrize("node", ["Postprocessor/scale_logits", "Preprocessor/sub"])
    def test_a_graph_with_another_name_is_refused(self, model_optimizer, tmp_path, node):
        """A fixture whose block has other names than the exporter's does not pass."""
        folder = build(["ssd/mobilenet_v1_ppn_tf1.13"])["ssd/mobilenet_v1_ppn_tf1.13"]
        graph = graph_pb2.GraphDef()
        graph.ParseFromString((folder / "frozen_inference_graph.pb").read_bytes())
        for one in graph.node:
            one.name = f"{node}_renamed" if one.name == node else one.name
            for index, source in enumerate(one.input):
                if source == node:
                    one.input[index] = f"{node}_renamed"
        broken = tmp_path / "broken.pb"
        broken.write_bytes(graph.SerializeToString())
        status, _ = model_optimizer.convert(broken, "ssd_v2_support.json", folder / "pipeline.config", tmp_path / "ir")
        assert status != 0 or not (tmp_path / "ir" / "converted.xml").exists()

    def test_the_wrong_era_is_refused(self, model_optimizer, types, tmp_path):
        """A graph of 1.13 does not become a detector by the configuration of 1.15."""
        one = case("ssd/mobilenet_v1_ppn_tf1.13")
        status, _ = model_optimizer.convert(one.model_path, "ssd_support_api_v1.15.json", one.pipeline_config, tmp_path)
        assert status != 0 or "DetectionOutput" not in types(tmp_path / "converted.xml")
