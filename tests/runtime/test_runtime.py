"""What an IR answers: facts, answers, parts, reshapes and every failure at its own stage."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from harness.errors import CompileFailure, InferFailure, ReadFailure, ReshapeFailure, UsageError
from harness.runtime.messages import essence
from harness.runtime.runtime import Runtime
from harness.workers.limits import Limits
from harness.workers.worker import Worker

BUILDERS = str(Path(__file__).with_name("builders.py"))


@pytest.fixture(scope="module")
def runtime():
    with Runtime(limits=Limits(seconds=60)) as shared:
        yield shared


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Builds an IR in a worker, once for each name and options."""
    folder = tmp_path_factory.mktemp("irs")
    built = {}
    with Worker() as worker:

        def make(name, **options):
            key = f"{name}-{sorted(options.items())}"
            if key not in built:
                path = folder / f"{len(built)}.xml"
                worker.call(f"{BUILDERS}:{name}", path=path, **options)
                built[key] = path
            return built[key]

        make.worker = worker
        yield make


def image(size=9, seed=0, batch=1, width=None):
    return np.random.default_rng(seed).integers(0, 256, (batch, size, width or size, 3), np.uint8)


@pytest.fixture(scope="module")
def expected_heads():
    """The builder's own arithmetic in NumPy, without importing OpenVINO here."""
    text = Path(BUILDERS).read_text().split("def detector")[0].replace("import openvino as ov", "")
    text = text.split("try:")[0] + text[text.index("WEIGHTS") :]
    space = {}
    exec(compile(text.replace("from __future__ import annotations", ""), BUILDERS, "exec"), space)  # noqa: S102
    return space["heads"]


class TestInspect:
    def test_ports(self, runtime, build):
        """Inputs and outputs come with names, types and shapes."""
        facts = runtime.inspect(build("detector"))
        (port,) = facts.inputs
        assert (port.name, port.element_type, port.shape) == ("image_tensor", "u8", (1, 9, 9, 3))
        assert "image_tensor:0" in port.names
        (port,) = facts.outputs
        assert (port.name, port.element_type, port.shape) == ("detections", "f32", (1, 1, 10, 7))

    def test_ports_without_tensor_names(self, runtime, build):
        """An output without a tensor name goes by its node's, and no two have the same."""
        facts = runtime.inspect(build("two_inputs"))
        assert [port.name for port in facts.inputs] == ["a", "b"]
        assert len({port.name for port in facts.outputs}) == 2

    def test_ports_of_many_names(self, runtime, build):
        """Of many names a detector's own one is taken; the others are told."""
        (port,) = runtime.inspect(build("aliased")).outputs
        assert port.name == "detection_classes:0"
        assert {"add:0", "x"} <= set(port.names)

    def test_detection_ops(self, runtime, build):
        """Detection operations come with their attributes, names and shapes."""
        facts = runtime.inspect(build("detector"))
        (end,) = facts.ops_of("DetectionOutput")
        assert end.name == "DetectionOutput"
        assert end.attributes["keep_top_k"] == [10]
        assert end.attributes["nms_threshold"] == pytest.approx(0.6)
        assert end.input_shapes == ((1, 192), (1, 192), (1, 2, 192))
        (priors,) = facts.ops_of("PriorBoxClustered")
        assert priors.attributes["width"] == [3.0, 4.0, 5.0]

    @pytest.mark.parametrize("loop", [True, False])
    def test_loops(self, runtime, build, loop):
        """Loops are found where there are some, and only there."""
        facts = runtime.inspect(build("detector", loop=loop))
        assert [op.type for op in facts.loops] == ["Loop"] * loop
        assert facts.op_counts.get("Loop", 0) == loop


class TestInfer:
    def test_by_name_and_by_position(self, runtime, build):
        """Inputs go by any of their names or by position, and answers by output name."""
        ir, pixels = build("detector"), image()
        answers = [
            runtime.infer(ir, given) for given in ([pixels], {"image_tensor": pixels}, {"image_tensor:0": pixels})
        ]
        for answer in answers:
            assert list(answer) == ["detections"]
            np.testing.assert_array_equal(answer["detections"], answers[0]["detections"])
        assert answers[0]["detections"][0, 0, 0, 2] > 0.5  # it finds something

    def test_two_inputs(self, runtime, build):
        """Each input gets its own array."""
        a, b = np.full((2, 3), 5, np.float32), np.full((2, 3), 3, np.float32)
        answer = runtime.infer(build("two_inputs"), {"b": b, "a": a})
        assert sorted(float(value.max()) for value in answer.values()) == [2, 8]
        assert float(answer["sum"].max()) == 8

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"c": 0}, "no input 'c'"),
            ({"a": 0}, "has 2 inputs"),
            ([0, 0, 0], "has 2 inputs"),
        ],
    )
    def test_wrong_inputs(self, runtime, build, given, said):
        """Inputs that are not the model's are an error that names the model's."""
        zeros = np.zeros((2, 3), np.float32)
        given = dict.fromkeys(given, zeros) if isinstance(given, dict) else [zeros for _ in given]
        with pytest.raises(InferFailure, match=said) as caught:
            runtime.infer(build("two_inputs"), given)
        assert "a, b" in str(caught.value)

    def test_wrong_type(self, runtime, build):
        """Values are never cast where that may lose something."""
        with pytest.raises(InferFailure, match="takes uint8, and float64 was given"):
            runtime.infer(build("detector"), [image().astype(np.float64)])

    def test_wrong_size(self, runtime, build):
        """An image of another size than the model's is an error in OpenVINO's words, not its paths."""
        with pytest.raises(InferFailure) as caught:
            runtime.infer(build("detector"), [image(10)])
        assert "src/" not in str(caught.value)
        assert "10" in str(caught.value)


class TestInferSub:
    def test_heads_and_priors(self, runtime, build, expected_heads):
        """The inputs of a node come as they are computed, alone or together."""
        ir, pixels = build("detector"), image(seed=3)
        boxes, classes = expected_heads(pixels)
        locations, confidences, priors = runtime.infer_sub(ir, "DetectionOutput", (0, 1, 2), [pixels])
        np.testing.assert_allclose(locations.ravel(), boxes.ravel(), atol=1e-5)
        np.testing.assert_allclose(confidences.ravel(), 1 / (1 + np.exp(-classes.ravel())), atol=1e-5)
        assert priors.shape == (1, 2, 192)
        first = priors[0, 0].reshape(-1, 4)[0]
        center = 0.5 * 9 / 4  # the step is the image's size over the grid's
        np.testing.assert_allclose(
            first, [(center - 1.5) / 9, (center - 1.5) / 9, (center + 1.5) / 9, (center + 1.5) / 9], rtol=1e-5
        )
        (alone,) = runtime.infer_sub(ir, "DetectionOutput", 1, {"image_tensor": pixels})
        np.testing.assert_array_equal(alone, confidences)

    def test_without_inputs(self, runtime, build):
        """A part that no input of the model feeds is run all the same."""
        (constant,) = runtime.infer_sub(build("constant_priors"), "end", 1, [np.zeros((1, 4), np.float32)])
        np.testing.assert_array_equal(constant.ravel(), [0, 2, 4, 6])

    def test_reshaped(self, runtime, build):
        """A part of the reshaped model has the sizes of the reshaped model."""
        (locations,) = runtime.infer_sub(
            build("detector"), "DetectionOutput", 0, [image(11, width=15)], shape=(1, 11, 15, 3)
        )
        assert locations.shape == (1, 5 * 7 * 12)

    @pytest.mark.parametrize(
        ("node", "index", "said"), [("nothing", 0, "no node 'nothing'"), ("DetectionOutput", 3, "has 3 inputs")]
    )
    def test_no_such_place(self, runtime, build, node, index, said):
        """A node or input that is not there is an error that says so."""
        with pytest.raises(ReadFailure, match=said):
            runtime.infer_sub(build("detector"), node, index, [image()])


class TestShapes:
    def test_static_and_dynamic_agree(self, runtime, build):
        """Requests of different sizes on one dynamic model answer what static models answer."""
        ir = build("detector")
        batches = [image(9), image(11, seed=1, width=15), image(9, seed=2, batch=2), image(9)]
        dynamic = runtime.infer_each(ir, [[batch] for batch in batches], dynamic=True)
        for batch, answer in zip(batches, dynamic, strict=True):
            static = runtime.infer(ir, [batch], shape=batch.shape)
            np.testing.assert_allclose(answer["detections"], static["detections"], atol=1e-6)

    def test_bounded(self, runtime, build):
        """Bounds of a dimension are passed on: within them it runs."""
        answer = runtime.infer(build("detector"), [image(11)], shape=(1, (9, 12), (9, 12), 3))
        assert answer["detections"].shape == (1, 1, 10, 7)

    def test_walk(self, runtime, build):
        """One model reshaped there and back gives its first answer again."""
        ir = build("detector")
        first, other, back = runtime.walk(
            ir,
            [(None, [image()]), ((1, 15, 11, 3), [image(15, width=11)]), ({"image_tensor": (1, 9, 9, 3)}, [image()])],
        )
        np.testing.assert_array_equal(first["detections"], back["detections"])
        assert not np.array_equal(first["detections"], other["detections"])

    @pytest.mark.parametrize(
        ("shape", "options"),
        [((1, 2, 2, 3), {}), ((1, 15, 15, 3), {"reshapable": False}), ({"nothing": (1, 9, 9, 3)}, {})],
    )
    def test_refused(self, runtime, build, shape, options):
        """A shape that the model refuses is a failure to reshape."""
        with pytest.raises(ReshapeFailure):
            runtime.infer(build("detector", **options), [image()], shape=shape)

    def test_shape_and_dynamic(self, runtime, build):
        """Asking for both is a usage error."""
        with pytest.raises(UsageError):
            runtime.infer(build("detector"), [image()], shape=(1, 9, 9, 3), dynamic=True)

    def test_ambiguous(self, runtime, build):
        """One shape for a model of several inputs of rank 4 (or none) is asked back, not guessed."""
        with pytest.raises(ReshapeFailure, match="a, b"):
            runtime.infer(build("two_inputs"), [np.zeros((4, 3), np.float32)] * 2, shape=(4, 3))
        answer = runtime.infer(
            build("two_inputs"), [np.zeros((4, 3), np.float32)] * 2, shape={"a": (4, 3), "b": (4, 3)}
        )
        assert answer["sum"].shape == (4, 3)


class TestFailures:
    def test_cut_short(self, runtime, build, tmp_path):
        """An IR with a damaged .bin cannot be read."""
        ir = build("detector")
        (tmp_path / "a.xml").write_bytes(ir.read_bytes())
        (tmp_path / "a.bin").write_bytes(ir.with_suffix(".bin").read_bytes()[:100])
        for ask in (runtime.inspect, lambda path: runtime.infer(path, [image()])):
            with pytest.raises(ReadFailure):
                ask(tmp_path / "a.xml")

    def test_unknown_operation(self, runtime, build, tmp_path):
        """An operation that OpenVINO does not know is a failure to read that names its type."""
        ir = build("detector")
        (tmp_path / "a.xml").write_text(ir.read_text().replace('type="Convolution"', 'type="Confabulation"'))
        (tmp_path / "a.bin").write_bytes(ir.with_suffix(".bin").read_bytes())
        with pytest.raises(ReadFailure, match="Confabulation"):
            runtime.infer(tmp_path / "a.xml", [image()])

    def test_no_such_device(self, build):
        """A device that is not there is a failure to compile that names it."""
        with Runtime(device="NPU.7") as other, pytest.raises(CompileFailure, match=r"NPU"):
            other.infer(build("detector"), [image()])

    def test_no_such_property(self, runtime, build):
        """A property that the device does not know is a failure to compile."""
        with pytest.raises(CompileFailure):
            runtime.infer(build("detector"), [image()], properties={"NO_SUCH_PROPERTY": "1"})

    @pytest.mark.skipif(os.name != "posix", reason="has no signals")
    def test_crash(self, build, tmp_path, monkeypatch):
        """A crash of OpenVINO is a failure at the step where it crashed, and the runtime serves on."""
        crashing = tmp_path / "crashing.py"
        crashing.write_text(
            "import os, signal\n"
            "from harness.runtime import engine\n"
            "def die(*_, **__):\n    os.kill(os.getpid(), signal.SIGSEGV)\n"
            "def arm(name):\n    setattr(engine, name, die)\n"
        )
        steps = {"_keys": ReadFailure, "_run": InferFailure}
        with Runtime() as own:
            for name, kind in steps.items():
                own._worker.call(f"{crashing}:arm", name=name)
                with pytest.raises(kind, match="SIGSEGV"):
                    own.infer(build("detector"), [image()])
                assert own.infer(build("detector"), [image()])["detections"].shape == (1, 1, 10, 7)

    def test_hang(self, build, tmp_path):
        """An inference that takes too long is a failure to infer."""
        hanging = tmp_path / "hanging.py"
        hanging.write_text(
            "import time\nfrom harness.runtime import engine\n"
            "def arm():\n    engine._run = lambda *_: time.sleep(600)\n"
        )
        with Runtime(limits=Limits(seconds=2)) as own:
            own._worker.call(f"{hanging}:arm")
            with pytest.raises(InferFailure, match="limit of 2 s"):
                own.infer(build("detector"), [image()])

    def test_changed_file(self, runtime, build, tmp_path):
        """An IR that was written anew under the same name is compiled anew."""
        path = tmp_path / "same.xml"
        build.worker.call(f"{BUILDERS}:detector", path=path, size=9)
        runtime.infer(path, [image(9)])
        build.worker.call(f"{BUILDERS}:detector", path=path, size=11)
        runtime.infer(path, [image(11)])


class TestMeasuring:
    def test_versions(self, runtime):
        """The versions name OpenVINO, Python, NumPy and the device."""
        found = runtime.versions()
        assert found["openvino"].startswith("202")
        assert all(found[name] for name in ("python", "numpy", "device"))

    def test_latencies(self, runtime, build):
        """As many times as asked, all of them above nothing."""
        taken = runtime.latencies(build("detector"), [image()], repeats=5, warm_up=1)
        assert taken.shape == (5,)
        assert (taken > 0).all()

    def test_profile(self, runtime, build):
        """The profile names the executed nodes with their types."""
        types = {kind for _, kind, _, _ in runtime.profile(build("detector"), [image()], repeats=2)}
        assert {"Convolution", "DetectionOutput"} <= types

    def test_precision(self, build):
        """By default the properties ask for f32."""
        assert Runtime().properties == {"INFERENCE_PRECISION_HINT": "f32"}


class TestEssence:
    @pytest.mark.parametrize(
        ("message", "kept"),
        [
            ("Exception from src/a.cpp:84:\nCheck 'x > 0' failed at src/b.cpp:9:\nIt is bad: 3\n\n", "It is bad: 3"),
            ("Exception from src/a.cpp:84:\nCheck 'x > 0' failed at src/b.cpp:9:\n", "Check 'x > 0' does not hold"),
            ("plain", "plain"),
            ("", "(OpenVINO gave no message)"),
        ],
    )
    def test_essence(self, message, kept):
        """What is said is kept, places in OpenVINO's source are not."""
        assert essence(message) == kept

    def test_long(self):
        """A long message is cut, and shows it."""
        assert len(essence("word " * 1000)) < 800


@pytest.mark.legacy
class TestAnotherPython:
    def test_other_openvino(self, build):
        """Another Python's OpenVINO answers the same, to rounding."""
        python = Path(os.environ.get("IRPROOF_LEGACY", "")) / "bin" / "python"
        if not python.is_file():
            pytest.skip("IRPROOF_LEGACY names no environment with another OpenVINO")
        ir, pixels = build("detector"), image()
        with Runtime(python=python) as old, Runtime() as new:
            assert old.versions()["openvino"] != new.versions()["openvino"]
            np.testing.assert_allclose(
                old.infer(ir, [pixels])["detections"], new.infer(ir, [pixels])["detections"], atol=1e-5
            )
            assert len(old.infer_sub(ir, "DetectionOutput", (0, 1, 2), [pixels])) == 3
            assert old.inspect(ir).ops_of("DetectionOutput")
