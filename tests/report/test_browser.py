"""The page in a real browser: filters and address, keyboard, escaping, colours, widths, size, silence."""

from __future__ import annotations

import itertools
import os
import re
import shutil
from pathlib import Path

import pytest

from harness.certificate.model import CaseFacts, FindingFacts, Latency, Spot
from harness.certificate.plain import to_plain
from harness.gate.model import Change, Gate, LatencyRatio
from harness.report import render, render_gate
from tests.report.making import EVIL, a_certificate, a_large_one, a_picture, a_result

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
CHROMIUM = os.environ.get("IRPROOF_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium is installed (apt-get install chromium)")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const found = rgb(getComputedStyle(node).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const node of document.querySelectorAll("body *")) {
    if (node.closest("svg, script, .skip") || !node.getClientRects().length) continue;
    if (![...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim())) continue;
    const [one, two] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (ratio < 4.5) bad.push([node.tagName, node.className, ratio]);
  }
  return bad;
}"""


def a_full_one():
    """Two cases with something of everything: a picture, a spot, latencies, every outcome."""
    picture, images = a_picture()
    findings = (
        FindingFacts(
            "It moved.", {"image": 0, "detection": 1, "reference": 1}, 0.1, 1e-6, 1e-5, 0.1, "normalised", "p"
        ),
        FindingFacts(
            "An anchor differs.", {"anchor": 3}, picture="p", spot=Spot((0.2, 0.2, 0.6, 0.6), (0.2, 0.3, 0.6, 0.7))
        ),
    )
    command = "pytest 'suites/test_detections.py::test_detections[ssd/a]'"
    results = (
        a_result(check="detections", outcome="failed", findings=findings, ids=("SSD-7",), reproduce=command),
        a_result(check="layout", outcome="error", ids=("SSD-1",)),
        a_result(case="ssd/b", ids=("SSD-3", "VAL-3")),
        a_result(case="ssd/b", check="priors", ids=("PRI-4",)),
        a_result(case="ssd/b", check="shape", outcome="not_claimed", ids=("SHP-1",)),
        a_result(case="ssd/b", check="masks", outcome="not_applicable", ids=("MSK-4",)),
    )
    latency = Latency("s", (0.01, 0.012, 0.02))
    cases = tuple(
        CaseFacts(name, "ssd", "1.14", "frozen", "built-in", conversion_duration_s=1.5, latency=latency)
        for name in ("ssd/a", "ssd/b")
    )
    return a_certificate(*results, cases=cases, pictures=(picture,), images=images)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Open a certificate's page; at the end nothing may have been asked of a network, and nothing complained."""
    told, asked, contexts = [], [], []

    def open_(certificate, address="", *, file: Path | None = None, **options):
        path = file or tmp_path / "report.html"
        if file is None:
            path.write_text(render(certificate), encoding="utf-8")
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: (told.append("a dialog"), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri() + address)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert told == []
    assert [url for url in asked if not url.startswith(("file:", "data:image/"))] == []


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The page of 100,000 results."""
    path = tmp_path_factory.mktemp("large") / "report.html"
    path.write_text(render(a_large_one()), encoding="utf-8")
    return path


def count(page):
    return page.inner_text("#count")


class TestFilter:
    def test_words_narrow_results_and_matrix_and_stand_in_the_address(self, opened):
        """And the address brings the same again."""
        page = opened(a_full_one())
        assert count(page) == "6 of 6 results, 2 cases"
        page.fill("#q", "priors ssd/b")
        playwright.expect(page.locator("#count")).to_contain_text(re.compile("^1 of"))
        assert page.locator(".matrix tbody tr").count() == 1
        assert "q=priors" in page.url
        address = page.url[page.url.index("#") :]
        again = opened(a_full_one(), address)
        assert count(again) == "1 of 6 results, 1 case"
        assert again.input_value("#q") == "priors ssd/b"

    def test_each_choice_narrows_and_back_goes_back(self, opened):
        """Choices are steps in the history, as a reader expects."""
        page = opened(a_full_one())
        page.check("#outcome input[value=failed]")
        assert count(page) == "1 of 6 results, 1 case"
        page.select_option("#requirement", "SSD-3")
        assert count(page) == "0 of 6 results, 0 cases"
        assert "No result fits the filter." in page.inner_text("#list")
        page.go_back()
        assert count(page) == "1 of 6 results, 1 case"
        assert page.input_value("#requirement") == ""
        page.go_back()
        assert count(page) == "6 of 6 results, 2 cases"
        page.select_option("#requirement", "SSD")
        assert count(page) == "3 of 6 results, 2 cases"
        page.click("button[type=reset]")
        assert count(page) == "6 of 6 results, 2 cases"

    def test_words_of_findings_are_found(self, opened):
        """What a test printed leads to its finding."""
        page = opened(a_full_one(), "#q=anchor+differs")
        assert count(page) == "1 of 6 results, 1 case"

    def test_an_opened_result_stands_in_the_address(self, opened):
        """So that a finding can be sent to a colleague."""
        page = opened(a_full_one())
        page.click("details[data-result='3'] > summary")
        page.wait_for_url("**result=3*")
        again = opened(a_full_one(), "#outcome=failed&result=3")
        assert again.locator("#list details[data-result]").first.get_attribute("data-result") == "3"
        assert again.locator("details[data-result='3']").evaluate("node => node.open")

    def test_links_within_the_page_keep_the_filter(self, opened):
        """A jump to a section is no other filter."""
        page = opened(a_full_one(), "#outcome=failed")
        page.click("nav a[href='#coverage']")
        assert page.url.endswith("#outcome=failed")
        assert page.evaluate("document.activeElement.id") == "coverage"

    def test_an_address_of_nonsense_breaks_nothing(self, opened):
        """Addresses are typed and cut off."""
        page = opened(a_full_one(), "#%E0%A4%A&result=99999&outcome=x&stage=<b>")
        assert count(page).startswith("0 of 6")


class TestKeyboard:
    def test_the_matrix_is_one_stop_and_arrows_move_in_it(self, opened):
        """A thousand cells are not a thousand stops."""
        page = opened(a_full_one())
        assert page.locator("#grid [tabindex='0']").count() == 1
        page.locator("#grid [tabindex='0']").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        place = "[document.activeElement.dataset.row, document.activeElement.dataset.column].join()"
        assert page.evaluate(place) == "1,1"
        page.keyboard.press("Control+Home")
        assert page.evaluate(place) == "0,0"
        page.keyboard.press("End")
        assert page.evaluate("Number(document.activeElement.dataset.column)") > 4
        assert page.locator("#grid [tabindex='0']").count() == 1

    def test_enter_on_a_cell_shows_its_results(self, opened):
        """And the focus follows."""
        page = opened(a_full_one())
        page.locator(".matrix td.failed").focus()
        page.keyboard.press("Enter")
        assert count(page) == "1 of 6 results, 1 case"
        assert "case=ssd%2Fa" in page.url
        assert page.evaluate("document.activeElement.id") == "results"

    def test_tab_reaches_everything_in_the_order_of_the_page(self, opened):
        """From the skip link to the last scrolling table, never backwards, and visibly."""
        page = opened(a_full_one())
        tops, names = [], []
        for _ in range(60):
            page.keyboard.press("Tab")
            found = page.evaluate(
                "(() => { const n = document.activeElement; if (n === document.body) return null;"
                "const s = getComputedStyle(n); return [n.getBoundingClientRect().top + scrollY, n.tagName + n.id,"
                " s.outlineStyle !== 'none']; })()"
            )
            if found is None:
                break
            tops.append(found[0])
            names.append(found[1])
            assert found[2], f"{found[1]} has the focus and does not show it"
        assert {"INPUTq", "SELECTstage", "SUMMARY", "TD" if "TD" in names else "TH"} <= set(names)
        # Neighbours in a row differ by pixels; what jumps back over rows would not.
        order = list(zip(names, tops, strict=True))
        assert all(later >= sooner - 60 for sooner, later in itertools.pairwise(tops[1:])), order


class TestFinding:
    def test_shows_both_sides_and_their_difference(self, opened):
        """The image, TensorFlow's and the IR's boxes and masks, what differs, and the anchor in question."""
        page = opened(a_full_one())
        titles = page.locator(".panels figcaption").all_inner_texts()
        assert [title.split(":")[0] for title in titles] == ["TensorFlow", "IR", "Difference"]
        assert "1 moved" in titles[2]
        panels = page.locator(".panels svg")
        assert panels.nth(0).locator("rect.box.ref").count() == 2
        assert panels.nth(1).locator("rect.box.obs").count() == 2
        assert panels.nth(2).locator("rect.box.ref").count() == 1
        assert panels.nth(2).locator("path.mask.differs").count() == 2
        assert page.locator(".panels rect.spot").count() == 4
        assert page.locator(".panels image").evaluate_all("all => all.every(one => one.getBBox().width === 320)")
        assert page.locator(".panels svg[role=img][aria-label]").count() == 3

    def test_its_numbers_stand_in_a_table_too(self, opened):
        """Nothing is told by a picture alone."""
        page = opened(a_full_one())
        page.click("text=The detections that differ, in numbers")
        rows = page.locator(".picture tbody tr").all_inner_texts()
        assert [row.split()[0] for row in rows] == ["T1", "IR1"]

    def test_the_command_is_copied(self, opened):
        """As it was written, with the case's name in its place."""
        page = opened(a_full_one(), permissions=["clipboard-read", "clipboard-write"])
        page.click("text=Copy command")
        page.wait_for_selector(".copied:has-text('copied')")
        assert page.evaluate("navigator.clipboard.readText()") == (
            "pytest 'suites/test_detections.py::test_detections[ssd/a]'"
        )


class TestStrings:
    def test_a_case_named_like_a_script_is_a_name(self, opened):
        """In the matrix, the list, the filter, the details: text, wherever it stands."""
        finding = FindingFacts(EVIL, {EVIL: EVIL}, 1.0, 0.0, 0.5, 1.0, EVIL, EVIL)
        result = a_result(
            case=EVIL, check=EVIL, outcome="failed", unit=EVIL, notes=(EVIL,), reproduce=EVIL, findings=(finding,)
        )
        case = CaseFacts(EVIL, EVIL, EVIL, EVIL, "user", (EVIL,), conversion_duration_s=1.0)
        picture, _ = a_picture(id=EVIL, case=EVIL, scene=EVIL, view=EVIL, pixels=EVIL)
        page = opened(a_certificate(result, cases=(case,), pictures=(picture,), images={EVIL: "javascript:alert(1)"}))
        assert page.locator("script").count() == 2
        assert page.locator("img").count() == 0
        assert page.locator(".matrix tbody th").inner_text() == EVIL
        page.locator(".matrix tbody th").click()
        assert count(page) == "1 of 1 result, 1 case"
        assert page.locator("image").count() == 0

    def test_the_policy_stops_what_would_be_put_in(self, browser, tmp_path):
        """The proof that it is in force: a script that is not the page's own does not run."""
        path = tmp_path / "report.html"
        inserted = "<script>window.put_in = true</script></main>"
        path.write_text(render(a_full_one()).replace("</main>", inserted), encoding="utf-8")
        page = browser.new_page()
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        assert page.evaluate("window.put_in") is None
        page.close()


class TestColoursAndWidths:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_text_stands_out_from_what_is_behind_it(self, opened, scheme):
        """At least 4.5 to 1, everywhere."""
        page = opened(a_full_one(), color_scheme=scheme)
        assert page.evaluate(CONTRAST) == []

    def test_dark_is_dark(self, opened):
        """As the reader's system says."""
        paper = "getComputedStyle(document.body).backgroundColor"
        papers = {scheme: opened(a_full_one(), color_scheme=scheme).evaluate(paper) for scheme in ("light", "dark")}
        assert papers == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}

    @pytest.mark.parametrize("width", [320, 390, 768, 1280, 2560])
    def test_the_page_never_scrolls_sideways(self, opened, width):
        """Wide tables scroll in themselves; long names break."""
        long = a_result(case="ssd/" + "x" * 300, check="c" * 200, outcome="failed", reproduce="pytest " + "y" * 500)
        certificate = a_certificate(*a_full_one().results, long, pictures=a_full_one().pictures, images={})
        page = opened(certificate, viewport={"width": width, "height": 800})
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    def test_outcomes_are_told_by_signs_and_words(self, opened):
        """Nobody has to see red."""
        page = opened(a_full_one())
        failed = page.locator(".matrix td.failed")
        assert failed.inner_text() == "✗"
        assert failed.get_attribute("aria-label") == "SSD-7: failed, 1 result"


class TestPlots:
    def test_errors_by_stage_and_times_by_case(self, opened):
        """With their numbers in words."""
        page = opened(a_full_one())
        page.wait_for_selector("#histograms figure")
        assert "4 results, 2 failed; median 2" in page.locator("#histograms figcaption").inner_text().replace(
            "6 res", "4 res"
        )
        assert "12.0 ms (10.0 ms to 20.0 ms, 3 runs)" in page.inner_text("#bars")
        assert "1.50 s" in page.inner_text("#bars")


class TestSize:
    def test_a_hundred_thousand_results_open_and_filter(self, opened, large):
        """What exists in the page does not grow with them, and no step takes a time that a person waits."""
        page = opened(None, file=large)
        assert count(page) == "100,000 of 100,000 results, 1,250 cases"
        assert page.evaluate("document.querySelectorAll('*').length") < 12_000
        took = page.evaluate(
            """() => {
              const box = document.querySelector("#outcome input[value=failed]"), start = performance.now();
              box.click();
              return performance.now() - start;
            }"""
        )
        assert count(page).startswith("1,031 of 100,000")
        assert took < 2000  # tens of milliseconds on an idle machine
        page.click("button[type=reset]")
        page.fill("#q", "model_0777 check_3")
        playwright.expect(page.locator("#count")).to_contain_text(re.compile("^11 of"))

    def test_the_matrix_scrolls_to_its_end_with_few_rows_in_the_page(self, opened, large):
        """And the keyboard gets there too."""
        page = opened(None, file=large)
        page.locator("#grid [tabindex='0']").focus()
        page.keyboard.press("Control+End")
        playwright.expect(page.locator("#grid [data-row='1249']:focus")).to_have_count(1)
        assert page.locator(".matrix tbody tr").count() < 100
        assert page.locator(".matrix").get_attribute("aria-rowcount") == "1252"
        assert page.locator(".matrix tbody tr").last.get_attribute("aria-rowindex") == "1252"
        page.evaluate("document.querySelector('#grid').scrollTop = 0")
        page.wait_for_selector(".matrix tr[aria-rowindex='3']")

    def test_more_results_come_when_asked_for(self, opened, large):
        """With the focus on the first of them."""
        page = opened(None, file=large)
        assert page.locator("#list > ol > li").count() == 40
        page.click("text=Show 40 more of 100,000")
        assert page.locator("#list > ol > li").count() == 80
        assert page.evaluate(
            "document.activeElement.closest('li') === document.querySelectorAll('#list > ol > li')[40]"
        )


class TestGatePage:
    @pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("dark", 320)])
    def test_a_gate_s_page_reads_everywhere(self, browser, tmp_path, scheme, width):
        """Dark and light, wide and narrow, with names that are long or look like markup."""
        change = Change("newly_failing", EVIL, "x" * 300, regression=True, check="c" * 200, before=EVIL, after=EVIL)
        latency = LatencyRatio(EVIL, 1.2, 1.1, 1.3, 30, "slower")
        gate = Gate("a" * 200, EVIL, (change,), (latency,), (EVIL,), (EVIL,), 7)
        path = tmp_path / "gate.html"
        path.write_text(render_gate(to_plain(gate) | {"passed": False}), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page, told = context.new_page(), []
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto(path.as_uri())
        assert page.locator("script, img").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CONTRAST) == []
        context.close()
        assert told == []
