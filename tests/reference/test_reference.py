"""What TensorFlow answers: every form of a model, its heads, its noise, and what is kept."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.cases.case import Case, Scene
from harness.errors import ReferenceFailure, UsageError
from harness.reference import References
from harness.workers.limits import Limits
from harness.workers.worker import Worker

GRAPHS = str(Path(__file__).with_name("graphs.py"))
SIZE = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The models of this file, written once, and a cache of its own."""
    found = tmp_path_factory.mktemp("reference")
    with Worker(env={"TF_CPP_MIN_LOG_LEVEL": "3"}) as worker:
        worker.call(f"{GRAPHS}:write", folder=found / "a", forms=("text", "meta", "saved_model"))
        worker.call(f"{GRAPHS}:write", folder=found / "softmax", converter="Softmax")
        worker.call(f"{GRAPHS}:write", folder=found / "identity", converter="Identity")
        worker.call(f"{GRAPHS}:write", folder=found / "stuck", stuck=True)
        worker.call(f"{GRAPHS}:write", folder=found / "two", static_batch=2)
        worker.call(f"{GRAPHS}:write", folder=found / "order", mistake="order")
        worker.call(f"{GRAPHS}:write_other_checkpoint", prefix=found / "other.ckpt")
        worker.call(f"{GRAPHS}:write_tf2", folder=found / "tf2")
        worker.call(f"{GRAPHS}:write_classifier", path=found / "classifier.pb")
        for name, changes in {
            "good": {},
            "softmax": {"converter": "SOFTMAX"},
            "scale": {"min_scale": 0.31},
            "size": {"size": 40},
            "threshold": {"threshold": 0.25},
            "iou": {"iou": 0.55},
        }.items():
            worker.call(f"{GRAPHS}:config", path=found / f"{name}.config", **changes)
    return found


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    found = tmp_path_factory.mktemp("cache")
    before = os.environ.get("IRPROOF_CACHE")
    os.environ["IRPROOF_CACHE"] = str(found)
    yield found
    if before is None:
        del os.environ["IRPROOF_CACHE"]
    else:
        os.environ["IRPROOF_CACHE"] = before


@pytest.fixture(scope="module")
def references():
    with References(Limits(seconds=120)) as shared:
        yield shared


def pictures(count=3, height=SIZE, width=SIZE, seed=0):
    """Smooth blobs of colour: a detector answers them with scores well apart."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j][..., None]
    found = []
    for _ in range(count):
        waves = [np.sin(rng.uniform(2, 12, 3) * y + rng.uniform(2, 12, 3) * x + rng.uniform(0, 6, 3)) for _ in range(3)]
        found.append(np.clip(127.5 + 60 * sum(waves), 0, 255).astype(np.uint8))
    return found


def case(folder, path="a/frozen.pb", form="frozen", **options):
    return Case("case", "ssd", "1.14", folder / path, form, **options)


@pytest.fixture(scope="module")
def frozen(folder, references):
    return references.reference(case(folder), pictures())


class TestWhole:
    def test_detections(self, frozen):
        """There is an answer for each scene, with detections of several classes in the order of their scores."""
        assert len(frozen.answer.images) == 3
        for found in frozen.answer.images:
            assert len(found) > 2
            assert (np.diff(found.scores) <= 0).all()
            assert found.boxes.shape == (len(found), 4)
            assert set(found.classes.tolist()) <= {1, 2}
        assert {label for found in frozen.answer.images for label in found.classes.tolist()} == {1, 2}

    def test_outputs(self, frozen):
        """TensorFlow's outputs come as they are, padding included, joined along the batch."""
        assert {name: value.shape for name, value in frozen.outputs.items()} == {
            "detection_boxes": (3, 10, 4),
            "detection_scores": (3, 10),
            "detection_classes": (3, 10),
            "num_detections": (3,),
        }
        assert [len(found) for found in frozen.answer.images] == frozen.outputs["num_detections"].tolist()

    def test_heads(self, frozen):
        """Heads, anchors and variances are found, and decode to what was detected."""
        heads = frozen.answer.heads
        assert heads.box_encodings.shape == (3, 240, 1, 4)
        assert heads.class_scores.shape == (3, 240, 3)
        assert heads.anchors.shape == (240, 4)
        np.testing.assert_allclose(heads.variances, np.tile([0.1, 0.1, 0.2, 0.2], (240, 1)), rtol=1e-6)
        best = heads.class_scores[0, :, 1:].max()
        assert best == frozen.answer.images[0].scores[0]

    @pytest.mark.parametrize(
        ("path", "form", "checkpoint"),
        [
            ("a/frozen.pbtxt", "frozen_text", None),
            ("a/model.ckpt.meta", "meta_graph", None),
            ("a/inference.pb", "checkpoint", "a/model.ckpt"),
            ("a/saved_model", "saved_model", None),
        ],
    )
    def test_forms(self, folder, references, frozen, path, form, checkpoint):
        """Every form of the model gives the same answer, heads included."""
        asked = case(folder, path, form, checkpoint=folder / checkpoint if checkpoint else None)
        found = references.reference(asked, pictures())
        for name in ("box_encodings", "class_scores", "anchors"):
            np.testing.assert_allclose(
                getattr(found.answer.heads, name), getattr(frozen.answer.heads, name), atol=1e-5, rtol=1e-5
            )
        for ours, theirs in zip(found.answer.images, frozen.answer.images, strict=True):
            np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-6)

    def test_tf2(self, folder, references):
        """A TF2 SavedModel answers as its signature does; this one is no SSD, and has no heads to show."""
        found = references.reference(case(folder, "tf2", "saved_model"), pictures(2))
        assert found.answer.heads.box_encodings is None
        assert [len(one) for one in found.answer.images] == [1, 1]
        expected = [picture.mean() / 255 for picture in pictures(2)]
        np.testing.assert_allclose([one.scores[0] for one in found.answer.images], expected, rtol=1e-5)
        assert found.repeat_kinds == ("without oneDNN, one thread, weights moved by one ulp, seed 1",)

    @pytest.mark.parametrize(("name", "rows"), [("softmax", 1.0), ("identity", None)])
    def test_score_converters(self, folder, references, name, rows):
        """Scores are those behind the score converter, whichever it is."""
        scores = references.reference(case(folder, f"{name}/frozen.pb"), pictures(1)).answer.heads.class_scores
        if rows is None:
            assert scores.min() < 0
        else:
            np.testing.assert_allclose(scores.sum(axis=2), rows, atol=1e-5)

    def test_batch(self, folder, references, frozen):
        """Several images at once give what one at a time gives, also when the last batch is smaller."""
        found = references.reference(case(folder), pictures(), batch=2)
        for ours, theirs in zip(found.answer.images, frozen.answer.images, strict=True):
            np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1e-5)

    def test_fixed_batch(self, folder, references, frozen):
        """A graph whose input is fixed at a batch is fed so many, and no other number."""
        found = references.reference(case(folder, "two/frozen.pb"), pictures())
        assert found.answer.heads.box_encodings.shape[0] == 3
        for ours, theirs in zip(found.answer.images, frozen.answer.images, strict=True):
            np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1e-5)
        with pytest.raises(ReferenceFailure, match="fixed at batch 2, and 1 images"):
            references.reference(case(folder, "two/frozen.pb"), pictures(), batch=1)

    def test_scenes_from_files(self, folder, references, frozen, tmp_path):
        """Scenes that lie in files give what their pixels give."""
        from PIL import Image

        scenes = []
        for number, pixels in enumerate(pictures()):
            Image.fromarray(pixels).save(tmp_path / f"{number}.png")
            scenes.append(Scene(str(number), tmp_path / f"{number}.png"))
        assert references.reference(case(folder), scenes).kept


class TestNoise:
    def test_kinds(self, frozen):
        """The answer is repeated with moved inputs and with other kernels."""
        assert len(frozen.repeats) == 3
        assert frozen.repeat_kinds == (
            "input moved by one ulp, seed 1",
            "input moved by one ulp, seed 2",
            "without oneDNN, one thread, weights moved by one ulp, seed 1",
        )

    def test_size(self, frozen):
        """Repeats differ from the answer, and by little: noise is neither nothing nor another answer."""
        heads = frozen.answer.heads
        for kind, repeat in zip(frozen.repeat_kinds, frozen.repeats, strict=True):
            far = np.abs(repeat.heads.box_encodings - heads.box_encodings).max()
            assert far < 1e-4, kind
            assert len(repeat.images) == 3
            np.testing.assert_array_equal(repeat.heads.anchors, heads.anchors)
        moved = [np.abs(repeat.heads.box_encodings - heads.box_encodings).max() for repeat in frozen.repeats[:2]]
        assert min(moved) > 0


class TestKept:
    def test_again(self, folder, references, frozen):
        """The same question is answered from the cache, equal to the last bit."""
        again = references.reference(case(folder), pictures())
        assert again.kept
        assert not frozen.kept
        np.testing.assert_array_equal(again.answer.heads.class_scores, frozen.answer.heads.class_scores)
        for ours, theirs in zip(again.answer.images, frozen.answer.images, strict=True):
            np.testing.assert_array_equal(ours.boxes, theirs.boxes)
            assert ours.classes.dtype == np.int64
        assert again.repeat_kinds == frozen.repeat_kinds
        assert again.versions["tensorflow"].startswith("2.")

    def test_without_tensorflow(self, folder, frozen):
        """What is kept needs no worker, and nobody here has imported TensorFlow."""
        with References() as fresh:
            assert fresh.reference(case(folder), pictures()).kept
            assert fresh._plain.starts == fresh._other.starts == 0
        assert "tensorflow" not in sys.modules

    def test_other_pixels(self, folder, references, frozen):
        """Other pixels are another question."""
        changed = pictures()
        changed[0][0, 0, 0] ^= 1
        assert not references.reference(case(folder), changed).kept

    def test_other_model(self, folder, references, frozen, tmp_path):
        """The content of the model counts, not its name."""
        shutil.copy(folder / "a" / "frozen.pb", tmp_path / "other.pb")
        assert references.reference(case(tmp_path, "other.pb"), pictures()).kept
        shutil.copy(folder / "softmax" / "frozen.pb", tmp_path / "other.pb")
        assert not references.reference(case(tmp_path, "other.pb"), pictures()).kept

    def test_config_only_where_used(self, folder, references, frozen, tmp_path):
        """A pipeline.config changes nothing of what the whole graph answers."""
        assert references.reference(case(folder, pipeline_config=folder / "scale.config"), pictures()).kept


class TestFailures:
    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("missing.pb", None, "no such model"),
            ("empty.pb", b"", "no input image_tensor"),
            ("text.pb", b"this is no graph", "could not load"),
            ("cut.pb", "cut", "could not load"),
        ],
    )
    def test_files(self, folder, references, tmp_path, name, content, said):
        """A missing, empty, foreign or cut file is a failure of the reference that names it."""
        if content == "cut":
            data = (folder / "a" / "frozen.pb").read_bytes()
            content = data[: len(data) // 2]
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ReferenceFailure) as caught:
            references.reference(case(tmp_path, name), pictures(1))
        assert said in str(caught.value)
        assert name in str(caught.value)

    def test_no_detector(self, folder, references):
        """A graph without detections is none."""
        with pytest.raises(ReferenceFailure, match="no output detection_boxes"):
            references.reference(case(folder, "classifier.pb"), pictures(1))

    def test_no_weights(self, folder, references, tmp_path):
        """A MetaGraph without its checkpoint's data is a failure."""
        shutil.copy(folder / "a" / "model.ckpt.meta", tmp_path)
        with pytest.raises(ReferenceFailure, match=r"model\.ckpt"):
            references.reference(case(tmp_path, "model.ckpt.meta", "meta_graph"), pictures(1))

    def test_other_checkpoint(self, folder, references):
        """A checkpoint that lacks variables of the graph is a failure that names one."""
        asked = case(folder, "a/inference.pb", "checkpoint", checkpoint=folder / "other.ckpt")
        with pytest.raises(ReferenceFailure, match="lacks 10 variables of the graph, the first is"):
            references.reference(asked, pictures(1))

    @pytest.mark.parametrize(
        ("scenes", "said"),
        [
            ([], "no scenes"),
            ([np.zeros((8, 8, 3), np.float32)], "float32"),
            ([np.zeros((8, 8), np.uint8)], r"\(8, 8\)"),
            ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)], r"\(8, 9, 3\)"),
        ],
    )
    def test_scenes(self, folder, references, scenes, said):
        """Scenes that are no images of one size are refused."""
        with pytest.raises(UsageError, match=said):
            references.reference(case(folder), scenes)

    def test_unwritable(self, folder, references, tmp_path, monkeypatch):
        """A cache that cannot be written is a failure that names it."""
        (tmp_path / "reference").write_text("in the way")
        monkeypatch.setenv("IRPROOF_CACHE", str(tmp_path))
        with pytest.raises(ReferenceFailure, match="cannot be kept"):
            references.reference(case(folder), pictures(1))

    @pytest.mark.skipif(os.name != "posix", reason="has no signals")
    def test_crash(self, folder, references, cache, tmp_path):
        """A crash of TensorFlow is a failure that says how far it was, and nothing half-written stays."""
        code = tmp_path / "arm.py"
        code.write_text(
            "import os\nfrom harness.reference import session\n"
            "def arm(number):\n"
            "    session.LoadedModel.run = lambda *_: os.kill(os.getpid(), number)\n"
        )
        before = set(cache.rglob("*"))
        references._plain.call(f"{code}:arm", number=int(signal.SIGSEGV))
        with pytest.raises(ReferenceFailure, match="SIGSEGV while it was to"):
            references.reference(case(folder), pictures(1, seed=99))
        assert all(path.name.endswith(".lock") for path in set(cache.rglob("*")) - before)


class TestOracle:
    """The oracle for other sizes: proven at the model's own, refused where it would be made up."""

    def ask(self, references, folder, name="a", config="good", height=SIZE, width=SIZE, **options):
        asked = case(folder, f"{name}/frozen.pb", pipeline_config=folder / f"{config}.config")
        return references.reference(asked, pictures(2, height, width), size=(height, width), **options)

    @pytest.mark.parametrize("batch", [None, 2])
    def test_own_size(self, folder, references, frozen, batch):
        """At the training size it gives what the whole graph gives."""
        found = self.ask(references, folder, batch=batch)
        heads, expected = found.answer.heads, frozen.answer.heads
        np.testing.assert_allclose(heads.box_encodings, expected.box_encodings[:2], atol=1e-5)
        np.testing.assert_allclose(heads.class_scores, expected.class_scores[:2], atol=1e-6)
        np.testing.assert_allclose(heads.anchors, expected.anchors, atol=3e-7)
        for ours, theirs in zip(found.answer.images, frozen.answer.images[:2], strict=True):
            np.testing.assert_array_equal(ours.classes, theirs.classes)
            np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1e-5)
        assert found.outputs == {}
        assert len(found.repeats) == 3

    @pytest.mark.parametrize(("rule", "side"), [("pixel", 0.3 * 32 / 48), ("relative", 0.3)])
    def test_rules(self, folder, references, rule, side):
        """At another size anchors keep their pixels, or their share; their centres go with the cells."""
        heads = self.ask(references, folder, height=48, width=80, anchors=rule).answer.heads
        count = 3 * (12 * 20 + 6 * 10)
        assert heads.anchors.shape == (count, 4)
        first = heads.anchors[0]
        np.testing.assert_allclose(first[2] - first[0], side, rtol=1e-5)
        np.testing.assert_allclose(first[3] - first[1], side if rule == "relative" else 0.3 * 32 / 80, rtol=1e-5)
        np.testing.assert_allclose(
            [(first[0] + first[2]) / 2, (first[1] + first[3]) / 2], [0.5 / 12, 0.5 / 20], rtol=1e-5
        )

    def test_fixed_batch(self, folder, references):
        """A graph that is fixed at a batch is asked at another one here."""
        found = self.ask(references, folder, "two", height=40, width=40, batch=1)
        other = self.ask(references, folder, "a", height=40, width=40, batch=1)
        np.testing.assert_allclose(found.answer.heads.box_encodings, other.answer.heads.box_encodings, atol=1e-5)

    def test_softmax(self, folder, references):
        """Scores go through the graph's own converter."""
        heads = self.ask(references, folder, "softmax", "softmax", 40, 48).answer.heads
        np.testing.assert_allclose(heads.class_scores.sum(axis=2), 1, atol=1e-5)

    @pytest.mark.parametrize(
        ("name", "config", "said"),
        [
            ("a", "scale", "anchors differ"),
            ("a", "size", "says 40 x 40, and the graph resizes to 32 x 32"),
            ("a", "threshold", "says score_threshold 0.25, and the graph has 0.2"),
            ("a", "iou", "says iou_threshold 0.55, and the graph has 0.5"),
            ("order", "good", "anchors differ"),
        ],
    )
    def test_refused(self, folder, references, name, config, said):
        """A config, or an order of pieces, that is not the whole graph's is found out at the training size."""
        with pytest.raises(ReferenceFailure, match=said):
            self.ask(references, folder, name, config, 40, 40)

    def test_stuck(self, folder, references):
        """A graph that takes no other size says so, by the node that refuses."""
        with pytest.raises(ReferenceFailure, match="FeatureExtractor/stuck") as caught:
            self.ask(references, folder, "stuck", height=40, width=40)
        assert caught.value.requirement == "SHP-7"

    def test_without_config(self, folder, references):
        """Without pipeline.config nothing is made up."""
        with pytest.raises(ReferenceFailure, match=r"no pipeline\.config"):
            references.reference(case(folder), pictures(1, 40, 40), size=(40, 40))

    def test_no_ssd(self, folder, references):
        """A model that shows no heads has no oracle."""
        asked = case(folder, "tf2", "saved_model", pipeline_config=folder / "good.config")
        with pytest.raises(ReferenceFailure, match="no SSD"):
            references.reference(asked, pictures(1, 40, 40), size=(40, 40))

    def test_other_scenes(self, folder, references):
        """Scenes of another size than asked for are refused: both sides have to get the same pixels."""
        asked = case(folder, pipeline_config=folder / "good.config")
        with pytest.raises(UsageError, match="32 x 32, and the question is for 40 x 40"):
            references.reference(asked, pictures(1), size=(40, 40))
