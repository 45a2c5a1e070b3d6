"""pytest's exit status is the verdict, and nothing that proves nothing looks like a proof."""

from __future__ import annotations

import pytest

PASSES = """
@pytest.mark.requirement("SSD-3")
def test_scores(evidence, prove):
    prove(passing())
"""


class TestExitStatus:
    def test_all_passed(self, world):
        """Profile full with defaults alone certifies, with status 0."""
        world.suite(PASSES)
        result, certificate = world.certify("--profile", "full")
        assert result.ret == 0
        assert (certificate["verdict"], certificate["standing"]) == ("certified", "certifying")
        result.stdout.fnmatch_lines(["CERTIFIED"])
        assert [case["name"] for case in certificate["cases"]] == ["ssd/a", "ssd/a-b", "ssd/b", "ssd/long"]

    def test_one_failure(self, world):
        """Status 1, and everything else still ran and stands in the certificate."""
        world.suite("""
@pytest.mark.requirement("SSD-3")
def test_scores(evidence, prove, request):
    prove(failing() if "b]" in request.node.nodeid else passing())
""")
        result, certificate = world.certify("--profile", "full")
        assert result.ret == 1
        assert certificate["verdict"] == "not_certified"
        assert [one["outcome"] for one in certificate["results"]] == ["passed", "failed", "failed", "passed"]
        result.stdout.fnmatch_lines(["NOT CERTIFIED: 2 checks failed"])

    @pytest.mark.parametrize(
        "arguments",
        [("--profile", "quick"), ("--profile", "full", "--case", "ssd/a"), ("--profile", "full", "-k", "long")],
    )
    def test_other_than_everything_by_default_is_informational(self, world, arguments):
        """Status 0, but no certificate that says certified."""
        world.suite(PASSES)
        result, certificate = world.certify(*arguments)
        assert result.ret == 0
        assert (certificate["verdict"], certificate["standing"]) == ("informational", "informational")
        result.stdout.fnmatch_lines(["INFORMATIONAL: every check passed, but *"])

    def test_a_part_of_the_suites_is_informational(self, world):
        """One file, or one test by its name."""
        world.suite(PASSES)
        for part in ("suites/test_heads.py", "suites/test_heads.py::test_scores[ssd/a]"):
            _, certificate = world.certify("--profile", "full", part)
            assert certificate["standing_reasons"] == [f"only {part}"]

    def test_the_whole_folder_by_name_certifies(self, world):
        """`pytest suites` is what `pytest` does."""
        world.suite(PASSES)
        _, certificate = world.certify("--profile", "full", "suites")
        assert certificate["verdict"] == "certified"

    def test_nothing_claimed_is_not_certified(self, world):
        """A converter that claims nothing passes nothing."""
        world.suite("""
def test_scores(evidence, prove):
    prove(CheckResult("scores", ("SSD-3",), Stage.HEADS, "not_claimed", notes=("no boxes",)))
""")
        result, certificate = world.certify("--profile", "full")
        assert result.ret == 1
        assert certificate["verdict_reasons"] == ["nothing was compared"]
        result.stdout.fnmatch_lines(["*4 skipped*"])
        coverage = {row["requirement"]: row["status"] for row in certificate["coverage"]}
        assert coverage["SSD-3"] == "not_claimed"

    def test_no_tests_keep_their_own_status(self, world):
        """Status 5 of pytest stays, and no certificate is written."""
        world.suite(PASSES)
        result = world.run("--certificate", "c.json", "-k", "nothing")
        assert result.ret == 5
        assert not (world.path / "c.json").exists()
        result.stdout.fnmatch_lines(["irproof wrote no certificate: *"])

    @pytest.mark.parametrize("more", [(), ("--continue-on-collection-errors",)])
    def test_a_collection_error_writes_no_certificate(self, world, more):
        """Nobody knows what was missing."""
        world.suite(PASSES)
        world.suite("import nothing_of_that_name", name="test_broken")
        result = world.run("--certificate", "c.json", *more)
        assert result.ret in (1, 2)
        assert not (world.path / "c.json").exists()

    def test_a_run_that_is_cut_short_certifies_nothing(self, world):
        """`-x` leaves checks that never ran, and the certificate counts them."""
        world.suite("""
def test_a(evidence, prove):
    prove(failing())
""")
        result, certificate = world.certify("--profile", "full", "-x")
        assert result.ret == 1
        assert not certificate["complete"]
        assert "3 selected checks did not run" in certificate["verdict_reasons"]

    def test_a_file_that_cannot_be_written_is_no_success(self, world):
        """Status 4, and the reason."""
        world.suite(PASSES)
        (world.path / "file").write_text("")
        result = world.run("--certificate", "file/c.json")
        assert result.ret == 4
        result.stdout.fnmatch_lines(["irproof: The file cannot be written*"])

    def test_harness_tests_alone_are_no_certification(self, world):
        """Tests that prove nothing of a converter keep pytest's own ways."""
        (world.path / "tests").mkdir()
        (world.path / "tests" / "test_x.py").write_text("def test_x(): pass")
        result = world.run("tests", "--converter", "missing")
        assert result.ret == 0
        assert "converter" not in result.stdout.str()


class TestUsage:
    def test_a_converter_that_does_not_exist(self, world):
        """Status 4 before anything is collected."""
        world.suite(PASSES)
        result = world.run("--converter", "missing")
        assert result.ret == 4
        result.stderr.fnmatch_lines(["ERROR: There is no converter missing*`irproof converters`*"])

    def test_a_case_that_does_not_exist(self, world):
        """A typo must not select nothing in silence."""
        world.suite(PASSES)
        result = world.run("--case", "sdd/a")
        assert result.ret == 4
        result.stderr.fnmatch_lines(["ERROR: No case matches*"])

    def test_a_folder_in_place_of_a_file(self, world):
        """Before the run, not after it."""
        world.suite(PASSES)
        result = world.run("--html", str(world.path))
        assert result.ret == 4
        result.stderr.fnmatch_lines(["ERROR: --html has to name a file, and * is a folder."])

    def test_a_requirement_that_does_not_exist(self, world):
        """A marker with a typo is found at collection."""
        world.suite("""
@pytest.mark.requirement("SSD-99")
def test_scores(evidence, prove):
    prove(passing())
""")
        result = world.run()
        assert result.ret == 4
        result.stderr.fnmatch_lines(["ERROR: There is no requirement SSD-99*test_scores*"])

    def test_the_header_says_who_certifies_what(self, world):
        """Converter, versions, device, cases."""
        world.suite(PASSES)
        result = world.run("--device", "GPU.1")
        result.stdout.fnmatch_lines(
            [
                "irproof *, suite *: converter made-up 1.2, device GPU.1, profile quick",
                "runtime: openvino *, tensorflow *, numpy *",
                "cases (3): ssd/a, ssd/b, ssd/a-b",
            ]
        )


class TestGuards:
    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ("pass", "The check recorded no result."),
            ("prove()", "The check recorded no result."),
            ("prove(passing(compared=0))", "Nothing was compared, and nothing passes on nothing."),
            ("prove(passing(worst_error=float('nan')))", "The worst error is no number, and a NaN passes nothing."),
            ("prove(passing(findings=(Finding('x'),)))", "The check passed with findings*"),
        ],
    )
    def test_a_pass_that_proves_nothing_is_an_error(self, world, body, words):
        """Whatever the check itself says."""
        world.suite(f"def test_scores(evidence, prove):\n    {body}\n")
        result, certificate = world.certify("--case", "ssd/a")
        assert result.ret == 1
        assert [one["outcome"] for one in certificate["results"]] == ["error"]
        result.stdout.fnmatch_lines([words])

    def test_an_error_of_the_project_fails_at_its_stage(self, world):
        """Without a traceback, which would only show the harness."""
        world.suite("""
@pytest.mark.requirement("SSD-1")
def test_scores(evidence, prove):
    raise ConverterFailure("The converter returned nothing.", where="node x", advice="Return a path.")
""")
        result, certificate = world.certify("--case", "ssd/a")
        (one,) = certificate["results"]
        assert (one["outcome"], one["stage"], one["requirements"]) == ("failed", "convert", ["SSD-1"])
        assert one["findings"][0]["what"] == "The converter returned nothing."
        assert "Traceback" not in result.stdout.str()
        result.stdout.fnmatch_lines(["The converter returned nothing.", "where: *node x*", "repeat: pytest *"])

    def test_any_other_exception_is_an_error(self, world):
        """With its traceback, for it is a bug of the check."""
        world.suite("def test_scores(evidence, prove):\n    {}['x']\n")
        result, certificate = world.certify("--case", "ssd/a")
        (one,) = certificate["results"]
        assert (one["outcome"], one["check"]) == ("error", "scores")
        assert one["findings"][0]["what"] == "The check ended with KeyError: 'x'"
        result.stdout.fnmatch_lines(["*KeyError: 'x'"])

    def test_an_error_after_a_recorded_pass_counts(self, world):
        """The pass stands, and so does the error."""
        world.suite("def test_scores(evidence, prove):\n    prove(passing())\n    {}['x']\n")
        _, certificate = world.certify("--case", "ssd/a")
        assert sorted(one["outcome"] for one in certificate["results"]) == ["error", "passed"]
        assert certificate["verdict"] == "not_certified"

    def test_errors_before_and_after_the_check_count(self, world):
        """A fixture that fails in setup or teardown is an error of the check."""
        world.suite("""
@pytest.fixture
def before():
    raise RuntimeError("before")

@pytest.fixture
def after():
    yield
    raise RuntimeError("after")

def test_a(evidence, prove, before):
    prove(passing())

def test_b(evidence, prove, after):
    prove(passing())
""")
        _, certificate = world.certify("--case", "ssd/a")
        found = [(one["check"], one["outcome"]) for one in certificate["results"]]
        assert found == [("a", "error"), ("b", "error"), ("scores", "passed")]

    def test_a_skip_is_not_applicable(self, world):
        """And so no proof."""
        world.suite("def test_scores(evidence, prove):\n    pytest.skip('no masks')\n")
        _, certificate = world.certify("--case", "ssd/a")
        (one,) = certificate["results"]
        assert (one["outcome"], one["notes"]) == ("not_applicable", ["no masks"])
        assert certificate["verdict"] == "not_certified"

    def test_all_results_are_recorded_before_the_test_fails(self, world):
        """The first failure hides no second one."""
        world.suite("def test_scores(evidence, prove):\n    prove(failing('a'), passing('b'), failing('c'))\n")
        result, certificate = world.certify("--case", "ssd/a")
        assert [(one["check"], one["outcome"]) for one in certificate["results"]] == [
            ("a", "failed"),
            ("b", "passed"),
            ("c", "failed"),
        ]
        assert result.stdout.str().count("where: scene street, image 0, anchor 17") == 2
