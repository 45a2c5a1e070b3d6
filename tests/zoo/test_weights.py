"""Synthesised weights: layers are calibrated, heads have their spread, and the folders are whole."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.cases.cache import cache_root
from harness.errors import CaseError
from harness.sources.load import load_graph
from harness.workers.limits import Limits
from harness.workers.worker import run_isolated
from tests.zoo import catalogue
from tests.zoo.roles import initial_value, spread_of
from tests.zoo.shared import ROOT
from tests.zoo.weights import corrected_config, model_folder


class TestRoles:
    @pytest.mark.parametrize(
        ("scope", "channels", "ends", "deviation", "bias"),
        [
            ("BoxPredictor_0/ClassPredictor", 2, True, 2.3, [-6, -6]),
            ("BoxPredictor_0/BoxEncodingPredictor", 2, True, 0.7, [0, 0]),
            ("WeightSharedConvolutionalBoxPredictor/BoxPredictor", 2, True, 0.7, [0, 0]),
            ("FirstStageBoxPredictor/ClassPredictor", 4, True, 2.3, [1.5, -1.5, 1.5, -1.5]),
            ("SecondStageBoxPredictor/ClassPredictor", 3, True, 2.3, [4, 0, 0]),
            ("SecondStageBoxPredictor/class_predictions", 3, True, 2.3, [4, 0, 0]),
            ("SecondStageBoxPredictor/Conv_1", 2, True, 2.0, [0, 0]),
            ("SecondStageBoxPredictor/Conv", 2, False, 1.0, [0, 0]),
            ("Conv", 2, False, 1.0, [0, 0]),
        ],
    )
    def test_spread(self, scope, channels, ends, deviation, bias):
        """Each kind of head has its own spread and bias, other layers with a bias are plain."""
        spread = spread_of(scope, channels, ends=ends)

        assert spread.deviation == deviation
        assert spread.bias(channels).tolist() == bias

    def test_seeded_by_name(self):
        """A variable's value depends on its name and shape alone."""
        first = initial_value("a/weights", (3, 3, 4, 8))

        assert np.array_equal(first, initial_value("a/weights", (3, 3, 4, 8)))
        assert not np.array_equal(first, initial_value("b/weights", (3, 3, 4, 8)))
        assert first.std() == pytest.approx(np.sqrt(2 / 36), rel=0.2)


@pytest.fixture(scope="module")
def small():
    """Layers of a small graph, with calibrated and with initial values."""
    return {
        calibrate: run_isolated(
            "tests.zoo.small_graph:statistics",
            {"calibrate": calibrate},
            Limits(seconds=120),
            env={"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        ).result()
        for calibrate in (True, False)
    }


@pytest.mark.long
class TestCalibration:
    @pytest.mark.parametrize("form", ["fused", "unfused"])
    def test_batch_norm(self, small, form):
        """Over the pictures a batch norm's result has its own beta as mean and gamma as deviation."""
        found = small[True]
        gamma, beta = found[f"{form}/BatchNorm/gamma"], found[f"{form}/BatchNorm/beta"]

        assert np.allclose(found[f"shown/{form} mean"], beta, atol=0.02)
        assert (found[f"shown/{form} deviation"] <= gamma * 1.01).all()  # less where the floor holds
        assert np.allclose(found[f"shown/{form} deviation"], gamma, rtol=0.05)

    def test_first_use_decides(self, small):
        """A layer that runs twice is calibrated for the first run, not for the second, which depends on it."""
        beta = small[True]["unfused/BatchNorm/beta"]

        assert not np.allclose(small[True]["shown/again mean"], beta, atol=0.02)

    @pytest.mark.parametrize(
        ("head", "deviation", "means"),
        [
            ("BoxPredictor_0/ClassPredictor", 2.3, [-6]),
            ("BoxPredictor_0/BoxEncodingPredictor", 0.7, [0]),
            ("FirstStageBoxPredictor/ClassPredictor", 2.3, [1.5, -1.5]),
            ("SecondStageBoxPredictor/ClassPredictor", 2.3, [4, 0, 0, 0]),
        ],
    )
    def test_heads(self, small, head, deviation, means):
        """A head's outputs have the asked mean in each channel, and the asked deviation over all."""
        mean = small[True][f"{head}/BiasAdd mean"]
        deviations = small[True][f"{head}/BiasAdd deviation"]

        assert np.allclose(mean, np.resize(means, len(mean)), atol=0.02)
        assert np.sqrt(np.square(deviations).mean()) == pytest.approx(deviation, rel=0.02)

    def test_range(self, small):
        """A FakeQuant's range is what its input spans, a little clipped."""
        assert small[True]["fused/act_quant/min"] == 0.0
        assert 1.0 < small[True]["fused/act_quant/max"] <= 6.0 * 0.95

    def test_initial_values_are_no_calibration(self, small):
        """Without calibration none of these holds: the tests above can fail."""
        found = small[False]

        for form in ("fused", "unfused"):
            assert not np.allclose(found[f"shown/{form} deviation"], found[f"{form}/BatchNorm/gamma"], rtol=0.05)
        for head in ("BoxPredictor_0/ClassPredictor", "SecondStageBoxPredictor/ClassPredictor"):
            deviations = found[f"{head}/BiasAdd deviation"]
            assert np.sqrt(np.square(deviations).mean()) != pytest.approx(2.3, rel=0.1)


@pytest.mark.zoo
@pytest.mark.long
class TestModelFolder:
    @pytest.mark.parametrize("model", catalogue.WITHOUT_WEIGHTS, ids=lambda model: model.folder)
    def test_whole(self, zoo, model):
        """A folder has the forms of a zoo's archive, every variable of the graph has a value, and nothing is open."""
        folder = model_folder(model, zoo)

        assert {path.name for path in folder.iterdir()} >= {
            "frozen_inference_graph.pb",
            "images",
            "model.ckpt.data-00000-of-00001",
            "model.ckpt.index",
            "model.ckpt.meta",
            "pipeline.config",
        }
        loaded = load_graph(folder / "model.ckpt.meta", "meta_graph")
        assert loaded.source.frozen_variables > 100
        assert not any(node.op.startswith("Variable") for node in loaded.graph_def.node)

    def test_below_the_floor(self, zoo, tmp_path, monkeypatch):
        """Weights under which too little is found are refused, and leave nothing behind."""
        monkeypatch.setenv("IRPROOF_CACHE", str(tmp_path))
        floor = dataclasses.replace(catalogue.SSDLITE_MOBILENET_V2.floor, detections=10_000)

        with pytest.raises(CaseError, match="10000 are asked for"):
            model_folder(dataclasses.replace(catalogue.SSDLITE_MOBILENET_V2, floor=floor), zoo)

        assert not [path for path in cache_root().rglob("*") if path.suffix in {".pb", ".config", ".meta"}]

    def test_correction_that_does_not_apply(self, zoo):
        """A correction of something that the folder's config does not say is an error, not a silent pass."""
        model = dataclasses.replace(catalogue.SSDLITE_MOBILENET_V2, corrections=(("num_classes: 1\n", ""),))

        with pytest.raises(AssertionError, match="occurs 0 times"):
            corrected_config(model, zoo / model.folder)
