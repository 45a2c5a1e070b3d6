"""Conversions: whole IRs come back once, and everything else is a failure of its own at stage convert."""

from __future__ import annotations

import os
import pickle
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.cases.case import Case
from harness.converters import resolve
from harness.converters.conversion import convert_case
from harness.converters.registry import Converter
from harness.errors import ConversionError, ConverterFailure, Stage
from harness.workers.limits import Limits

VENDORS = Path(__file__).with_name("vendors.py")
posix = pytest.mark.skipif(os.name != "posix", reason="has no signals")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IRPROOF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def case(tmp_path):
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "model.pb").write_bytes(b"graph")
    (folder / "pipeline.config").write_text("model {}")
    return Case("ssd/small", "ssd", "1.14", folder / "model.pb", "frozen", folder / "pipeline.config")


@pytest.fixture
def session(tmp_path):
    return tmp_path / "session"


def vendor(name, **options):
    # Not resolved: that would cost another process for each.
    return Converter(name, name, "callable", f"{VENDORS}:{name}", **options)


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")]


class TestSuccess:
    @pytest.mark.parametrize("name", ["good", "text_path", "relative", "Vendor", "ready_made"])
    def test_whole(self, case, session, name):
        """A whole IR comes back with its time, hash and versions, by whichever way its path is told."""
        made = convert_case(vendor(name), case, session)
        assert made.ir_path.is_file()
        assert made.ir_path.with_suffix(".bin").is_file()
        assert made.ir_path.is_relative_to(session)
        assert made.seconds >= 0
        assert len(made.hash) == 64
        assert "python" in made.versions

    def test_output(self, case, session):
        """What it printed is kept."""
        assert f"converting {case.model_path}" in convert_case(vendor("good"), case, session).stdout_tail

    def test_request(self, case, session):
        """It is told of the case what the request has, with absolute paths, and its options."""
        made = convert_case(vendor("echo", options={"a": 1}), case, session, options={"b": 2})
        told = made.ir_path.read_text()
        for part in (str(case.model_path), str(case.pipeline_config), "'ssd'", "'1.14'", "{'a': 1, 'b': 2}"):
            assert part in told
        assert "ssd/small" not in told

    def test_hash(self, case, session):
        """The hash is that of the content: the same for the same, another for another."""
        first = convert_case(vendor("good"), case, session)
        assert convert_case(vendor("text_path"), case, session).hash == first.hash
        assert convert_case(vendor("echo"), case, session).hash != first.hash


class TestFailure:
    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("raises", "raised KeyError: \"node 'x/y'\""),
            ("raises_usage_error", "Wrong option. Where: option 'a'"),
            ("nothing", "returned nothing"),
            ("number", "returned a int"),
            ("no_file", "no such .xml"),
            ("outside", "outside of its output folder"),
            ("not_xml", "'model.onnx', which is no .xml"),
            ("no_weights", "no .bin beside"),
            ("short_weights", "has 3 bytes, and constant 'weight' ends at byte 16"),
            ("short_xml", "no whole XML document"),
            ("exits", "exit code 1 (gave up)"),
            ("writes_then_raises", "after writing"),
            ("missing", "nothing named 'missing'"),
            pytest.param("crashes", "died by SIGSEGV", marks=posix),
        ],
    )
    def test_each_its_own(self, case, session, name, said):
        """Each way to fail is a ConverterFailure at stage convert with its own message, and leaves no IR behind."""
        with pytest.raises(ConverterFailure) as caught:
            convert_case(vendor(name), case, session)
        assert said in str(caught.value)
        assert caught.value.stage is Stage.CONVERT
        assert [path.name for path in files_in(session)] == ["error.pickle"]

    def test_own_error(self, case, session):
        """An error of stage convert stays what it is."""
        with pytest.raises(ConversionError) as caught:
            convert_case(vendor("raises_conversion_error"), case, session)
        assert caught.value.requirement == "SSD-1"

    def test_crash_shows_output(self, case, session):
        """A crash shows the end of the output."""
        with pytest.raises(ConverterFailure, match="on the edge"):
            convert_case(vendor("crashes"), case, session)

    @pytest.mark.parametrize(
        ("name", "limits", "said"),
        [
            ("hangs", Limits(seconds=0.7), "longer than its limit of 0.7 s"),
            ("floods", Limits(output_bytes=4 << 20), "printed more than its limit of 4.0 MiB"),
            ("hogs", Limits(memory_bytes=200 << 20), "over its limit of 200 MiB"),
        ],
    )
    def test_limits(self, case, session, name, limits, said):
        """A hang, a gigabyte of output and a hog of memory are ended at their limits."""
        started = time.monotonic()
        with pytest.raises(ConverterFailure) as caught:
            convert_case(vendor(name), case, session, limits=limits)
        assert said in str(caught.value)
        assert len(str(caught.value)) < 8000
        assert time.monotonic() - started < 10


class TestDisk:
    def test_no_folder(self, case, tmp_path):
        """A session folder that cannot be made is a failure that names it."""
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(ConverterFailure, match=r"cannot be kept.*file"):
            convert_case(vendor("good"), case, tmp_path / "file" / "session")

    @posix
    def test_full(self, case, session, monkeypatch):
        """A disk that is full when the IR is to be kept is a failure, and nothing half-written stays."""

        def full(*_args, **_options):
            raise OSError(28, "No space left on device", str(session / "conversion.json"))

        monkeypatch.setattr(Path, "write_text", full)
        with pytest.raises(ConverterFailure, match="No space left on device"):
            convert_case(vendor("good"), case, session)
        assert files_in(session) == []


class TestOnce:
    def calls(self, case):
        return (case.model_path.parent / "calls").read_text().splitlines()

    def test_again(self, case, session):
        """A second question gets the first one's answer."""
        first = convert_case(vendor("counting"), case, session)
        again = convert_case(vendor("counting"), case, session)
        assert len(self.calls(case)) == 1
        assert (first.kept, again.kept) == (False, True)
        assert (again.hash, again.ir_path, again.seconds) == (first.hash, first.ir_path, first.seconds)

    def test_failure_again(self, case, session):
        """What failed fails again with the same error, without another try."""
        errors = []
        for _ in range(2):
            with pytest.raises(ConverterFailure) as caught:
                convert_case(vendor("counting_failure"), case, session)
            errors.append(str(caught.value))
        assert errors[0] == errors[1]
        assert len(self.calls(case)) == 1

    def test_another_session(self, case, session, tmp_path):
        """A vendor's IR is not kept from session to session."""
        convert_case(vendor("counting"), case, session)
        convert_case(vendor("counting"), case, tmp_path / "other")
        assert len(self.calls(case)) == 2

    def test_options(self, case, session):
        """Other options are another conversion."""
        convert_case(vendor("counting"), case, session)
        convert_case(vendor("counting"), case, session, options={"a": 1})
        assert len(self.calls(case)) == 2

    @pytest.mark.parametrize("name", ["counting", "counting_failure"])
    def test_threads(self, case, session, name):
        """Of several that ask at once one converts; all get its answer."""
        answers = []

        def ask():
            try:
                answers.append(convert_case(vendor(name), case, session).hash)
            except ConverterFailure as error:
                answers.append(str(error))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 4
        assert len(set(answers)) == 1
        assert len(self.calls(case)) == 1

    def test_processes(self, case, session, tmp_path):
        """Of several processes that ask at once one converts."""
        (tmp_path / "asked").write_bytes(pickle.dumps((vendor("counting").target, case, session)))
        code = (
            "import pickle, sys; from harness.converters.conversion import convert_case;"
            "from harness.converters.registry import Converter;"
            "t, c, s = pickle.load(open(sys.argv[1], 'rb'));"
            "print(convert_case(Converter('counting', 'counting', 'callable', t), c, s).hash)"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "asked")]
        started = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=VENDORS.parents[2]) for _ in range(3)
        ]
        hashes = {process.communicate(timeout=60)[0].strip() for process in started}
        assert len(hashes) == 1
        assert len(hashes.pop()) == 64
        assert len(self.calls(case)) == 1

    def test_reproducible(self, case, session, tmp_path, cache):
        """A reproducible converter's IR is kept by content: until model, config or options change."""
        converter = vendor("counting", reproducible=True)
        first = convert_case(converter, case, session)
        assert first.ir_path.is_relative_to(cache)
        assert convert_case(converter, case, tmp_path / "other").kept
        assert len(self.calls(case)) == 1
        case.pipeline_config.write_text("model { ssd {} }")
        convert_case(converter, case, session)
        case.model_path.write_bytes(b"other graph")
        convert_case(converter, case, session)
        convert_case(converter, case, session, options={"a": 1})
        assert len(self.calls(case)) == 4

    def test_reproducible_failure(self, case, session, tmp_path):
        """A failure is never kept beyond the session."""
        converter = vendor("counting_failure", reproducible=True)
        for folder in (session, session, tmp_path / "other"):
            with pytest.raises(ConverterFailure):
                convert_case(converter, case, folder)
        assert len(self.calls(case)) == 2


class TestCommand:
    def convert(self, code, case, session):
        template = f"command:{shlex.quote(sys.executable)} -c {shlex.quote(code)} {{model}} {{output_dir}}"
        return convert_case(resolve(template), case, session)

    WRITE = (
        f"import sys; sys.path.insert(0, {str(VENDORS.parent)!r}); sys.path.insert(0, {str(VENDORS.parents[2])!r});"
        " import vendors; "
    )

    def test_success(self, case, session):
        """The one .xml that a command leaves is its IR; what it prints is kept."""
        made = self.convert(self.WRITE + "print('hello'); vendors.write(sys.argv[2], 'name')", case, session)
        assert made.ir_path.name == "name.xml"
        assert "hello" in made.stdout_tail

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            ("import sys; sys.exit(3)", "exit code 3"),
            ("pass", "left no .xml"),
            (WRITE + "[vendors.write(sys.argv[2], n) for n in 'ab']", "left 2 .xml"),
            (WRITE + "vendors.write(sys.argv[2], weights=b'')", "cut short"),
        ],
    )
    def test_failure(self, case, session, code, said):
        """A code other than 0, no IR, several, or half of one are failures of their own."""
        with pytest.raises(ConverterFailure) as caught:
            self.convert(code, case, session)
        assert said in str(caught.value)

    def test_no_such_program(self, case, session):
        """A program that is not there is a failure that names it."""
        with pytest.raises(ConverterFailure, match=r"cannot be started.*no-such-tool"):
            convert_case(resolve("command:no-such-tool {model} {output_dir}"), case, session)

    def test_hanging_grandchild(self, case, session):
        """A hang of the command is ended with it."""
        code = "import time; time.sleep(600)"
        template = f"command:{shlex.quote(sys.executable)} -c {shlex.quote(code)} {{output_dir}}"
        with pytest.raises(ConverterFailure, match=r"limit of 0\.7 s"):
            convert_case(resolve(template), case, session, limits=Limits(seconds=0.7))


class TestReady:
    def test_by_name(self, case, session, tmp_path):
        """An IR lies under the case's name, or alone in a folder of that name."""
        sys.path.insert(0, str(VENDORS.parent))
        try:
            from vendors import write
        finally:
            sys.path.pop(0)
        folder = tmp_path / "irs"
        (folder / "ssd" / "small").mkdir(parents=True)
        converter = resolve(f"ir:{folder}")
        with pytest.raises(ConverterFailure, match="no IR for the case 'ssd/small'"):
            convert_case(converter, case, session)
        inside = write(folder / "ssd" / "small", "any")
        assert convert_case(converter, case, session).ir_path == inside
        write(folder / "ssd" / "small", "other")
        with pytest.raises(ConverterFailure, match="more than one IR"):
            convert_case(converter, case, session)
        direct = write(folder / "ssd", "small")
        assert convert_case(converter, case, session).ir_path == direct
        direct.with_suffix(".bin").write_bytes(b"")
        with pytest.raises(ConverterFailure, match="cut short"):
            convert_case(converter, case, session)
