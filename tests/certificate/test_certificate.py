"""A certificate survives its file, keeps to its schema, and says clearly when a file is none."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import stat

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.certificate import CertificateError, comparable, coverage, read, schema, verdict, write
from harness.certificate.model import (
    CaseFacts,
    Certificate,
    ConverterFacts,
    Coverage,
    DeviceFacts,
    Drawn,
    ExpectationFacts,
    Expected,
    FindingFacts,
    Hashes,
    IrSignature,
    Latency,
    Picture,
    Port,
    Result,
    Spot,
    Tool,
)
from harness.certificate.plain import from_plain, to_plain
from harness.certificate.reader import loads
from harness.certificate.writer import dumps
from harness.checks.result import Outcome
from harness.errors import Stage, UsageError
from harness.requirements import catalogue


class TestWriteAndRead:
    def test_what_was_written_is_read(self, certificate, tmp_path):
        """Everything comes back, NaN and infinity included."""
        write(certificate, tmp_path / "certificate.json")
        again = read(tmp_path / "certificate.json")
        assert dumps(again) == dumps(certificate)
        assert math.isnan(again.results[1].findings[0].error)
        assert again.results[1].passing_tolerance == math.inf

    def test_the_file_is_json_in_the_strict_sense(self, certificate):
        """No NaN, Infinity or -Infinity stands there as a bare word, which most readers refuse."""

        def refuse(name):
            raise AssertionError(name)

        document = json.loads(dumps(certificate), parse_constant=refuse)
        assert document["results"][1]["worst_error"] == "NaN"

    def test_an_older_file_stays_when_the_folder_cannot_be_written(self, certificate, tmp_path):
        """An error while writing leaves what was there, and no half file beside it."""
        target = tmp_path / "certificate.json"
        target.mkdir()
        with pytest.raises(UsageError, match=r"cannot be written.*Where: .*certificate\.json"):
            write(certificate, target)
        assert [entry.name for entry in tmp_path.iterdir()] == ["certificate.json"]

    @pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
    def test_others_may_read_it_as_any_new_file(self, certificate, tmp_path):
        """It has the permissions of a file that open() makes, not those of a temporary one."""
        write(certificate, tmp_path / "certificate.json")
        (tmp_path / "plain").write_text("")
        assert stat.S_IMODE((tmp_path / "certificate.json").stat().st_mode) == stat.S_IMODE(
            (tmp_path / "plain").stat().st_mode
        )

    def test_makes_the_folder(self, certificate, tmp_path):
        """A folder that isn't there yet is made."""
        write(certificate, tmp_path / "a" / "b.json")
        assert read(tmp_path / "a" / "b.json").profile == "full"


class TestBadFiles:
    @pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
    def test_a_truncated_file_is_called_cut_off(self, certificate, keep):
        """Wherever it was cut."""
        text = dumps(certificate)
        with pytest.raises(CertificateError, match=r"cut off.*Where: c\.json.*What to do"):
            loads(text[: int(len(text) * keep)], where="c.json")

    def test_an_empty_file_is_called_cut_off(self):
        """Nothing is less than a certificate."""
        with pytest.raises(CertificateError, match="cut off"):
            loads("", where="c.json")

    @pytest.mark.parametrize("text", ["{}", "[]", "3", '"irproof-certificate"', '{"kind": "something"}'])
    def test_other_json_is_no_certificate(self, text):
        """JSON of another kind is told apart from a broken certificate."""
        with pytest.raises(CertificateError, match="no certificate"):
            loads(text, where="c.json")

    def test_text_that_is_no_json(self):
        """A report handed over in place of a certificate."""
        with pytest.raises(CertificateError, match="no JSON"):
            loads("<html>hello</html>", where="c.html")

    @pytest.mark.parametrize("version", [0, 3, "1", None, True, 1.5])
    def test_another_schema_version_is_named(self, certificate, version):
        """Both versions stand in the message, what was found and what is read."""
        document = to_plain(certificate) | {"schema_version": version}
        with pytest.raises(CertificateError, match=f"schema version {version!r}, .* reads versions 1 to 2"):
            loads(json.dumps(document), where="c.json")

    def test_a_broken_field_is_named_by_its_place(self, certificate):
        """Somebody edited a result by hand."""
        document = to_plain(certificate)
        document["results"][1]["outcome"] = "fine"
        with pytest.raises(CertificateError, match=r"results/1/outcome: 'fine' is not one of"):
            loads(json.dumps(document), where="c.json")

    def test_a_bare_nan_is_refused(self, certificate):
        """The rule for numbers that are not finite holds for readers too."""
        text = dumps(certificate).replace('"worst_error": "NaN"', '"worst_error": NaN')
        with pytest.raises(CertificateError, match="NaN is no JSON"):
            loads(text, where="c.json")

    def test_a_missing_file(self, tmp_path):
        """The message says how one is made."""
        with pytest.raises(CertificateError, match=r"cannot be read.*--certificate"):
            read(tmp_path / "none.json")

    def test_a_binary_file(self, tmp_path):
        """An IR's weights, say."""
        (tmp_path / "model.bin").write_bytes(bytes(range(256)))
        with pytest.raises(CertificateError, match="no text"):
            read(tmp_path / "model.bin")

    def test_a_file_nested_beyond_reason(self):
        """A bomb of brackets is an error, not a crash."""
        with pytest.raises(CertificateError):
            loads('{"a":' * 200_000, where="c.json")


class TestOlderVersions:
    def test_a_certificate_of_version_1_is_read(self, certificate):
        """What has been added since has its default; the gate compares with old baselines."""
        kinds = schema(1)["$defs"]

        def cut(plain, node):
            return {name: value for name, value in plain.items() if name in node["properties"]}

        document = cut(to_plain(certificate) | {"schema_version": 1}, schema(1))
        document["cases"] = [cut(case, kinds["case"]) for case in document["cases"]]
        document["results"] = [
            cut(one, kinds["result"]) | {"findings": [cut(found, kinds["finding"]) for found in one["findings"]]}
            for one in document["results"]
        ]
        again = loads(json.dumps(document), where="c.json")
        assert again.results[0].expected is None
        assert again.cases[0].latency is None
        assert again.expectations == ()

    def test_a_new_field_in_an_old_version_is_refused(self, certificate):
        """Each version is held to its own schema."""
        with pytest.raises(CertificateError, match="breaks its schema"):
            loads(json.dumps(to_plain(certificate) | {"schema_version": 1}), where="c.json")


class TestSchema:
    def test_is_a_valid_schema(self):
        """By the rules of the draft that it names."""
        jsonschema.Draft202012Validator.check_schema(schema())

    @pytest.mark.parametrize(
        ("kind", "place"),
        [
            (Certificate, []),
            (Tool, ["properties", "tool"]),
            (ConverterFacts, ["properties", "converter"]),
            (DeviceFacts, ["properties", "device"]),
            (CaseFacts, ["$defs", "case"]),
            (Hashes, ["$defs", "case", "properties", "hashes"]),
            (IrSignature, ["$defs", "case", "properties", "ir", "anyOf", 1]),
            (Port, ["$defs", "port"]),
            (Result, ["$defs", "result"]),
            (FindingFacts, ["$defs", "finding"]),
            (Spot, ["$defs", "finding", "properties", "spot", "anyOf", 1]),
            (Picture, ["$defs", "picture"]),
            (Drawn, ["$defs", "drawn"]),
            (Coverage, ["$defs", "coverage"]),
            (Latency, ["$defs", "case", "properties", "latency", "anyOf", 1]),
            (Expected, ["$defs", "result", "properties", "expected", "anyOf", 1]),
            (ExpectationFacts, ["$defs", "expectation"]),
        ],
    )
    def test_has_every_field_of_the_dataclasses(self, kind, place):
        """Schema and dataclasses cannot drift apart, and every field is required."""
        node = schema()
        for step in place:
            node = node[step]
        names = {field.name for field in dataclasses.fields(kind)}
        assert set(node["properties"]) == names
        assert set(node["required"]) == names
        assert node["additionalProperties"] is False

    def test_has_every_stage_and_outcome(self):
        """A new stage without a new schema is noticed here."""
        result = schema()["$defs"]["result"]["properties"]
        assert result["stage"]["enum"] == [stage.value for stage in Stage]
        assert set(result["outcome"]["enum"]) == set(Outcome.__args__)


class TestComparable:
    def test_leaves_out_times_and_durations_alone(self, certificate):
        """Two runs that differ in nothing else compare equal, and any other difference shows."""
        later = dataclasses.replace(
            certificate,
            started="2027",
            ended="2028",
            duration_s=9.0,
            cases=tuple(dataclasses.replace(case, conversion_duration_s=3.0) for case in certificate.cases),
            results=tuple(dataclasses.replace(result, duration_s=8.0) for result in certificate.results),
        )
        assert comparable(later) == comparable(certificate)
        other = dataclasses.replace(certificate, seeds={"scenes": 8})
        assert comparable(other) != comparable(certificate)

    def test_keeps_what_a_finding_calls_by_such_a_name(self, certificate):
        """Only the certificate's own fields are times; an op that is named duration_s is none."""
        finding = FindingFacts("x", {"duration_s": 3})
        result = dataclasses.replace(certificate.results[0], findings=(finding,))
        document = comparable(dataclasses.replace(certificate, results=(result,)))
        assert document["results"][0]["findings"][0]["where"] == {"duration_s": 3}


class TestPlain:
    @given(st.floats(allow_nan=True, allow_infinity=True))
    def test_every_float_survives(self, value):
        """Through text, whatever it is."""
        finding = FindingFacts("x", error=value)
        again = from_plain(FindingFacts, json.loads(json.dumps(to_plain(finding), allow_nan=False)))
        assert again.error == value or (math.isnan(value) and math.isnan(again.error))

    @given(st.text(st.characters()))
    def test_every_string_can_be_written(self, text):
        """Lone surrogates, as in file names that are no text, included."""
        json.dumps(to_plain({"a": text}), ensure_ascii=False).encode("utf-8")

    def test_numpy_becomes_plain(self):
        """Findings come from arrays, and their values are seldom Python's own."""
        plain = to_plain({"a": np.float32(0.5), "b": np.int64(3), "c": np.array([1.0, np.nan]), "d": np.bool_(1)})
        assert plain == {"a": 0.5, "b": 3, "c": [1.0, "NaN"], "d": True}

    def test_sets_are_sorted_and_mappings_keep_their_order(self):
        """The one has no order that two runs would share, the other's is meant."""
        assert list(to_plain({"scene": 1, "image": 2})) == ["scene", "image"]
        assert to_plain(frozenset({"z", "y", "x"})) == ["x", "y", "z"]


def result(outcome, *ids, compared=1):
    return Result("case", "check", "test", ids, "heads", outcome, compared=compared)


class TestCoverage:
    def test_has_every_requirement_in_order(self):
        """What no check named is not covered, and is said."""
        rows = coverage([])
        assert [row.requirement for row in rows] == list(catalogue())
        assert {row.status for row in rows} == {"not_covered"}

    @pytest.mark.parametrize(
        ("outcomes", "status"),
        [
            (["passed"], "passed"),
            (["passed", "failed"], "failed"),
            (["passed", "error"], "failed"),
            (["passed", "not_claimed"], "passed"),
            (["not_claimed", "not_applicable"], "not_claimed"),
            (["not_applicable"], "not_covered"),
        ],
    )
    def test_the_worst_outcome_decides(self, outcomes, status):
        """What isn't claimed or doesn't apply never counts as passed."""
        rows = {row.requirement: row for row in coverage(result(outcome, "SSD-1") for outcome in outcomes)}
        assert rows["SSD-1"].status == status
        assert rows["SSD-2"].status == "not_covered"


class TestVerdict:
    def test_all_passed(self):
        """Certified only for a run that certifies."""
        passed = [result("passed", "SSD-1")]
        assert verdict(passed, standing="certifying") == ("certified", ())
        assert verdict(passed, standing="informational") == ("informational", ())

    @pytest.mark.parametrize("outcome", ["failed", "error"])
    def test_one_failure_is_enough(self, outcome):
        """Among any number of passes."""
        results = [result("passed", "SSD-1")] * 9 + [result(outcome, "SSD-1")]
        assert verdict(results, standing="certifying")[0] == "not_certified"

    @pytest.mark.parametrize(
        "results",
        [
            [],
            [result("passed", "SSD-1", compared=0)],
            [result("not_claimed", "SSD-1", compared=0)] * 3,
            [result("not_applicable", "SSD-1", compared=5)],
        ],
    )
    def test_nothing_compared_is_not_certified(self, results):
        """A converter that claims nothing passes nothing."""
        assert verdict(results, standing="certifying") == ("not_certified", ("nothing was compared",))

    def test_a_check_that_did_not_run(self):
        """A run that was stopped half way certifies nothing."""
        found = verdict([result("passed", "SSD-1")], standing="certifying", not_run=2)
        assert found == ("not_certified", ("2 selected checks did not run",))
