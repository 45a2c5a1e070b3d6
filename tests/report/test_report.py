"""The page says what the certificate says, needs nothing but itself, and believes no string."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html.parser
import json
import math
import re

import pytest

from harness.certificate.model import (
    CaseFacts,
    ConverterFacts,
    DeviceFacts,
    ExpectationFacts,
    FindingFacts,
    Tool,
)
from harness.certificate.units import amount, in_noise, noises
from harness.report import render
from harness.report.payload import embedded, payload
from tests.report.making import EVIL, a_certificate, a_large_one, a_picture, a_result


class Page(html.parser.HTMLParser):
    """Elements, ids, links and text of a page."""

    VOID = frozenset({"meta", "br", "img", "link", "input"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.texts, self.open = [], [], [], [], []
        self.scripts, self.styles = [], []
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
        kept = {"script": self.scripts, "style": self.styles}.get(self.open[-1] if self.open else "", self.texts)
        kept.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


class TestRender:
    def test_says_verdict_reasons_and_counts_first(self):
        """What a reader wants to know before anything else, without a script."""
        page = Page(render(a_certificate(a_result(), a_result(check="boxes", outcome="failed"))))
        start = page.text[page.text.rindex("chain 0.1.0") :]
        assert start.index("NOT CERTIFIED") < start.index("1 check failed") < start.index("1 failed") < 120

    def test_is_well_formed_with_unique_ids_and_links_that_lead_somewhere(self):
        """Every link stays in this page."""
        page = Page(render(a_certificate(a_result(), a_result(case="ssd/b", outcome="failed"))))
        assert len(set(page.ids)) == len(page.ids)
        assert page.links
        assert {link for link in page.links if not (link.startswith("#") and link[1:] in page.ids)} == set()

    def test_its_policy_lets_nothing_run_but_its_own_script(self):
        """A page that can be mailed; its script and styles are known by their hashes, and nothing is loaded."""
        page = Page(render(a_certificate(a_result())))
        assert not {"link", "img", "iframe", "object", "base"} & set(page.tags)
        (policy,) = [value for name, value in page.attributes if name == "content" and "default-src" in value]
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        assert rules["default-src"] == "'none'"
        assert rules["img-src"] == "data:"
        for rule, (text,) in (("script-src", page.scripts[1:]), ("style-src", page.styles)):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert rules[rule] == f"'sha256-{digest}'"
        assert "url(" not in page.styles[0]
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|eval\(|Function\(|fetch\(", page.scripts[1])

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
            findings=(FindingFacts(EVIL, {EVIL: EVIL}, 1.0, 0.0, 0.5, 1.0, EVIL, EVIL),),
        )
        text = render(
            a_certificate(
                result,
                dataclasses.replace(result, outcome="not_claimed"),
                cases=(CaseFacts(EVIL, EVIL, EVIL, EVIL, "user", (EVIL,)),),
                tool=Tool(EVIL, EVIL, EVIL),
                converter=ConverterFacts(EVIL, EVIL, EVIL, {EVIL: [EVIL]}),
                device=DeviceFacts(EVIL, {EVIL: EVIL}),
                versions={EVIL: EVIL},
                seeds={EVIL: 1},
                started=EVIL,
                verdict_reasons=(EVIL,),
                standing_reasons=(EVIL,),
                expectations=(ExpectationFacts(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, "met", 1, (EVIL,)),),
            )
        )
        page = Page(text)
        assert page.tags.count("script") == 2
        assert "img" not in page.tags
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        assert text.count("<script") == text.count("</script") == 2
        assert "<!--" not in text
        assert page.text.count("alert('x')") > 10
        assert json.loads(page.scripts[0])["checks"] == [EVIL]

    def test_works_without_any_case(self):
        """A run in which nothing was checked has a page too."""
        page = Page(render(a_certificate(verdict_reasons=("nothing was compared",))))
        assert "nothing was compared" in page.text
        assert "No case was checked." in page.text

    def test_shows_what_became_of_expected_failures(self):
        """With the reason that the vendor gave."""
        entry = ExpectationFacts(
            "ssd/*", "SSD-5", "detections", "", "top_k cuts", "issue 7", "unexpected_pass", 0, ("a",)
        )
        text = Page(render(a_certificate(a_result(), expectations=(entry,)))).text
        assert "unexpected pass: a" in text
        assert "top_k cuts (issue 7)" in text

    def test_regions_that_scroll_can_be_reached_by_keyboard(self):
        """A table wider than the screen has to take the focus to be scrolled; the matrix has a cell that does."""
        text = render(a_certificate(a_result()))
        assert text.count('class="scroll"') == text.count('class="scroll" tabindex="0" role="region"') + 1

    @pytest.mark.parametrize(
        ("verdict", "words"),
        [("certified", "CERTIFIED"), ("not_certified", "NOT CERTIFIED"), ("informational", "INFORMATIONAL")],
    )
    def test_the_title_is_the_verdict(self, verdict, words):
        """So that a tab says it."""
        assert f"<title>{words}: chain</title>" in render(a_certificate(a_result(), verdict=verdict))


class TestPayload:
    def test_the_worst_results_come_first(self):
        """What failed is what a reader came for."""
        made = payload(a_certificate(a_result(), a_result(check="more", outcome="failed")))
        assert [made["outcomes"][one]["id"] for one in made["results"]["outcome"]] == ["failed", "passed"]
        assert [made["checks"][one] for one in made["results"]["check"]] == ["more", "scores"]

    def test_columns_are_the_named_requirements_in_the_catalogue_s_order(self):
        """Whatever the order of the results; unknown ids come last."""
        made = payload(a_certificate(a_result(ids=("VAL-3", "SSD-6")), a_result(check="b", ids=("SSD-3", "ZZZ-1"))))
        assert [one["id"] for one in made["requirements"]] == ["SSD-3", "SSD-6", "VAL-3", "ZZZ-1"]
        assert list(made["areas"]) == ["SSD", "VAL", "ZZZ"]

    def test_a_case_without_facts_has_a_row(self):
        """Its model could not be read, and that is a result."""
        assert payload(a_certificate(a_result(outcome="error"), cases=()))["cases"] == [{"name": "ssd/a"}]

    def test_numbers_that_are_none_and_those_that_are_not_finite_stay_apart(self):
        """NaN is a finding, None is no statement."""
        made = payload(a_certificate(a_result(worst_error=math.nan, noise=None), a_result(worst_error=math.inf)))
        assert made["results"]["error"] == ["NaN", "Infinity"]
        assert made["results"]["noise"] == [None, 1e-6]

    def test_commands_of_many_cases_share_one_template(self):
        """A hundred bytes a result are ten megabytes."""
        results = [a_result(case=f"ssd/{n}", reproduce=f"pytest 'x[ssd/{n}]'") for n in range(9)]
        made = payload(a_certificate(*results))
        assert made["strings"].count("pytest 'x[\x01]'") == 1
        assert len(set(made["results"]["reproduce"])) == 1

    def test_findings_name_their_picture_and_what_they_mark_on_it(self):
        """Detections by their index on either side."""
        picture, images = a_picture()
        finding = FindingFacts("It moved.", {"image": 0, "detection": 1, "reference": 1}, picture="p")
        made = payload(
            a_certificate(a_result(outcome="failed", findings=(finding,)), pictures=(picture,), images=images)
        )
        (told,) = made["results"]["findings"]["0"]
        assert told["marks"] == [1, 1]
        assert made["pictures"][told["picture"]]["pixels"] in made["images"]

    def test_a_hundred_thousand_results_take_a_hundred_bytes_each_at_most(self):
        """So that the page can be sent and opens at once."""
        text = embedded(payload(a_large_one()))
        assert len(text) < 10_000_000

    def test_embedded_json_holds_nothing_that_html_could_see(self):
        """And reads back as it was."""
        value = {"a": [EVIL, "\u2028", "</script>", "]]>", "<!--"]}
        text = embedded(value)
        assert not set("<>&\u2028") & set(text)
        assert json.loads(text) == value


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
