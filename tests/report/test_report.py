"""The page says what the certificate says, needs nothing but itself, and believes no string."""

from __future__ import annotations

import dataclasses
import html.parser
import re

import pytest

from harness.certificate import coverage
from harness.certificate.model import (
    CaseFacts,
    Certificate,
    ConverterFacts,
    DeviceFacts,
    FindingFacts,
    Hashes,
    IrSignature,
    Port,
    Result,
    Tool,
)
from harness.certificate.units import amount, in_noise, noises
from harness.report import render
from harness.report.matrix import matrix

EVIL = "<script>alert('x')</script>\"'&<img src=x onerror=alert(1)>"


def a_result(case="ssd/a", check="scores", outcome="passed", ids=("SSD-3",), **other):
    return Result(
        case=case,
        check=check,
        test=f"suites/test_heads.py::test_{check}[{case}]",
        requirements=ids,
        stage="heads",
        outcome=outcome,
        **{"compared": 7, "worst_error": 2e-6, "noise": 1e-6, "tolerance": 1e-5, "unit": "score"} | other,
    )


def a_certificate(*results, **other):
    names = sorted({result.case for result in results})
    return Certificate(
        **{
            "tool": Tool("irproof", "0.1.0", "1"),
            "profile": "quick",
            "standing": "informational",
            "standing_reasons": ("--profile quick",),
            "verdict": "not_certified",
            "verdict_reasons": ("1 check failed",),
            "complete": True,
            "converter": ConverterFacts("chain", "0.1.0", "chain", {"families": ["ssd"]}),
            "device": DeviceFacts("CPU", {"FULL_DEVICE_NAME": "a CPU"}),
            "versions": {"python": "3.11.0"},
            "seeds": {"scenes": 7},
            "cases": tuple(CaseFacts(name, "ssd", "1.14", "frozen", "built-in") for name in names),
            "results": results,
            "coverage": coverage(results),
        }
        | other
    )


class Page(html.parser.HTMLParser):
    """Elements, ids, links and text of a page."""

    VOID = frozenset({"meta", "br", "img", "link", "input"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.texts, self.open = [], [], [], [], []
        self.attributes = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


class TestRender:
    def test_says_verdict_reasons_and_counts_first(self):
        """What a reader wants to know before anything else."""
        page = Page(render(a_certificate(a_result(), a_result(check="boxes", outcome="failed"))))
        start = page.text[page.text.index("chain 0.1.0") :]
        assert start.index("NOT CERTIFIED") < start.index("1 check failed") < start.index("1 failed") < 120

    def test_is_well_formed_with_unique_ids_and_links_that_lead_somewhere(self):
        """Every sign in the matrix leads to its result, in this page."""
        page = Page(
            render(
                a_certificate(
                    a_result(),
                    a_result(case="ssd/b", outcome="failed", ids=("SSD-3", "VAL-3")),
                    a_result(case="ssd/b", check="layout", outcome="not_claimed", ids=("SSD-1",)),
                    a_result(case="ssd/c", check="layout", outcome="error", ids=()),
                )
            )
        )
        assert len(set(page.ids)) == len(page.ids)
        assert page.links
        assert {link for link in page.links if not (link.startswith("#") and link[1:] in page.ids)} == set()

    def test_needs_no_network_and_no_script(self):
        """A page that can be mailed, and opened where nothing may run."""
        page = Page(render(a_certificate(a_result())))
        assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
        assert "url(" not in "".join(page.texts)
        assert any("default-src 'none'" in value for name, value in page.attributes if name == "content")

    def test_shows_error_in_units_of_noise_tolerances_place_and_command(self):
        """All that a person needs to go and look."""
        finding = FindingFacts(
            what="A score differs.",
            where={"scene": "street", "image": 0, "anchor": 17},
            error=3e-4,
            noise=1e-6,
            tolerance=1e-5,
            passing_tolerance=3e-4,
            unit="score",
        )
        result = a_result(outcome="failed", findings=(finding,), reproduce="pytest 'suites/x.py::test_y[ssd/a]'")
        text = Page(render(a_certificate(result))).text
        assert "A score differs." in text
        assert "scene street, image 0, anchor 17" in text
        assert "0.0003 score (300 x noise)" in text
        assert "1e-05 score; would have passed with 0.0003 score" in text
        assert "pytest 'suites/x.py::test_y[ssd/a]'" in text

    def test_shows_the_ir_and_the_hashes(self):
        """What was checked can be told apart from anything else of that name."""
        case = CaseFacts(
            name="ssd/a",
            family="ssd",
            era="1.14",
            format="frozen",
            origin="user",
            traits=("fpn",),
            input_shape=(1, 300, 400, 3),
            hashes=Hashes(model="a" * 64, ir="b" * 64),
            ir=IrSignature((Port("image_tensor", "u8", "[1,300,400,3]"),), (), {"Convolution": 28, "Add": 2}),
            conversion_duration_s=1.25,
        )
        text = Page(render(a_certificate(a_result(), cases=(case,)))).text
        assert "a" * 64 in text
        assert "1 x 300 x 400 x 3" in text
        assert "image_tensor u8 [1,300,400,3]" in text
        assert "30 (Add 2, Convolution 28)" in text or "30 (Convolution 28, Add 2)" in text

    def test_every_string_from_outside_is_escaped(self):
        """A case, a check, a finding, a version: none of them becomes an element or an attribute."""
        result = a_result(
            case=EVIL,
            check=EVIL,
            outcome="failed",
            ids=("SSD-3", EVIL),
            unit=EVIL,
            notes=(EVIL,),
            reproduce=EVIL,
            findings=(FindingFacts(EVIL, {EVIL: EVIL}, 1.0, 0.0, 0.5, 1.0, EVIL),),
        )
        passed = dataclasses.replace(result, outcome="not_claimed")
        case = CaseFacts(
            EVIL, EVIL, EVIL, EVIL, "user", (EVIL,), ir=IrSignature((Port(EVIL, EVIL, EVIL),), (), {EVIL: 1})
        )
        text = render(
            a_certificate(
                result,
                passed,
                cases=(case,),
                tool=Tool(EVIL, EVIL, EVIL),
                converter=ConverterFacts(EVIL, EVIL, EVIL, {EVIL: [EVIL]}),
                device=DeviceFacts(EVIL, {EVIL: EVIL}),
                versions={EVIL: EVIL},
                seeds={EVIL: 1},
                started=EVIL,
                verdict_reasons=(EVIL,),
                standing_reasons=(EVIL,),
            )
        )
        page = Page(text)
        assert not {"script", "img"} & set(page.tags)
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        assert "<script" not in text
        assert page.text.count("alert('x')") > 20

    def test_works_without_any_case(self):
        """A run in which nothing was checked has a page too."""
        page = Page(render(a_certificate(verdict_reasons=("nothing was compared",))))
        assert "nothing was compared" in page.text
        assert "No case was checked." in page.text

    def test_colours_follow_the_reader_and_narrow_screens_are_thought_of(self):
        """Dark and light, wide and narrow, by the browser's own words."""
        text = render(a_certificate(a_result()))
        assert "color-scheme: light dark" in text
        assert "prefers-color-scheme: dark" in text
        assert "width=device-width" in text
        assert "@media (max-width: 40rem)" in text

    def test_regions_that_scroll_can_be_reached_by_keyboard(self):
        """A table wider than the screen has to take the focus to be scrolled."""
        text = render(a_certificate(a_result()))
        assert text.count('class="wide"') == text.count('class="wide" tabindex="0" role="region"')

    @pytest.mark.parametrize(
        ("verdict", "words"),
        [("certified", "CERTIFIED"), ("not_certified", "NOT CERTIFIED"), ("informational", "INFORMATIONAL")],
    )
    def test_the_title_is_the_verdict(self, verdict, words):
        """So that a tab says it."""
        assert f"<title>{words}: chain</title>" in render(a_certificate(a_result(), verdict=verdict))


class TestMatrix:
    def test_the_worst_outcome_of_a_case_fills_the_cell(self):
        """A pass beside a failure of the same requirement does not hide it."""
        made = matrix(a_certificate(a_result(), a_result(check="more", outcome="failed")))
        (cell,) = made.rows[0].cells
        assert (cell.outcome, cell.anchor, cell.title) == ("failed", "r1", "SSD-3 failed (more, scores)")

    def test_columns_are_the_named_requirements_grouped_by_area(self):
        """In the catalogue's order, whatever the order of the results."""
        made = matrix(a_certificate(a_result(ids=("VAL-3", "SSD-6")), a_result(check="b", ids=("SSD-3",))))
        assert made.requirements == ("SSD-3", "SSD-6", "VAL-3")
        assert [(area.name, area.columns) for area in made.areas] == [("SSD", 2), ("VAL", 1)]

    def test_a_requirement_not_named_on_a_case_stays_empty(self):
        """Empty is another thing than passed."""
        made = matrix(a_certificate(a_result(), a_result(case="ssd/b", ids=("SSD-6",))))
        assert [[cell and cell.outcome for cell in row.cells] for row in made.rows] == [
            ["passed", None],
            [None, "passed"],
        ]

    def test_a_case_without_facts_has_a_row(self):
        """Its model could not be read, and that is a result."""
        made = matrix(a_certificate(a_result(outcome="error"), cases=()))
        assert [(row.name, row.facts) for row in made.rows] == [("ssd/a", None)]


class TestUnits:
    @pytest.mark.parametrize(
        ("error", "noise", "text"),
        [
            (3.0, 1.0, "3 x noise"),
            (0.0, 0.0, "0 x noise"),
            (1.0, 0.0, "where TensorFlow has no noise"),
            (float("nan"), 1.0, "nan x noise"),
            (None, 1.0, ""),
            (1.0, None, ""),
        ],
    )
    def test_errors_in_units_of_noise(self, error, noise, text):
        """With words where there is no quotient."""
        assert noises(error, noise) == text

    def test_a_nan_never_looks_small(self):
        """NaN over no noise stays NaN."""
        assert in_noise(float("nan"), 0.0) != in_noise(float("nan"), 0.0)

    def test_amounts(self):
        """Three digits and the unit."""
        assert [amount(1.23456e-5, "score"), amount(None, "score"), amount(2.0)] == ["1.23e-05 score", "-", "2"]
