"""The poster: one side of A4 that fits, a back with the evidence, readable on a phone, harmless whatever is in it."""

import importlib
import re
import shutil
import sys

import pytest
from bs4 import BeautifulSoup

from waage.errors import WaageError
from waage.personas.poster import css, page, pdf, poster

module = importlib.import_module("waage.personas.poster")
A4_INSIDE = 695  # CSS pixels of A4 without the margins: 184 mm at 96 dpi
QUOTES = [
    "Ich plane meinen Einkauf gern lange im Voraus und vergleiche jede Woche die Preise, das spart viel. [Name] 👍🏽",
    "שלום, the app is great & <b>fast</b>, only delivery could be a little quicker than it is, to be honest!",
]  # fmt: skip


def of(study, place=0, **options):
    persona = study.personas[place]
    own = study.findings[study.findings["type"] == persona["type"]]
    return poster(persona, own, study.known, **{"quotes": QUOTES, **options})


def whole(study, **options):
    last = len(study.personas) - 1
    return page("".join(of(study, i, last=i == last, **options) for i in range(last + 1)), "Personas", "en")


@pytest.mark.parametrize("language", ["en", "de"])
def test_front_and_back_say_what_the_document_says(persona_study, language):
    study = persona_study(language)
    persona = study.personas[0]
    soup = BeautifulSoup(of(study), "html.parser")
    front, back = soup.select(".side")
    assert front.h1.text == persona["label"] and persona["first_name"] in front.select_one(".who").text
    assert persona["composite"] in front.select_one(".who").text
    assert 5 <= len(persona["sentences"]) <= 7
    assert [share.b.text for share in front.select(".share")] == [
        module.style.percent(persona["size"][key], language) for key in ("share", "revenue_share")
    ]
    assert front.select_one(".do li").get_text().startswith(persona["dos"][0]["text"])
    assert all(one in front.select_one(".quotes").text for one in QUOTES)
    for mark in soup.select("sup"):
        mark.decompose()
    assert front.select_one(".story").get_text() == " ".join(sentence["text"] for sentence in persona["sentences"])
    said = {"en": ("Survey n = 800", "1 March", "weighted"), "de": ("Befragung n = 800", "1 March", "weighted")}[
        language
    ]
    assert all(text in side.select_one(".foot").text for text in said for side in (front, back))
    assert (
        soup.article["lang"] == language and ("simulierte Daten" if language == "de" else "simulated data") in soup.text
    )


def test_every_mark_leads_to_the_finding_it_names(persona_study):
    study = persona_study()
    for place, persona in enumerate(study.personas):
        own = study.findings[study.findings["type"] == persona["type"]].reset_index(drop=True)
        soup = BeautifulSoup(of(study, place), "html.parser")
        rows = {row["id"]: row for row in soup.select("tbody tr")}
        links = soup.select("sup a")
        assert len(links) > 20 and all(link["href"][1:] in rows for link in links)
        for row in rows.values():
            finding = own.loc[int(row.td.text) - 1]
            cells = [cell.get_text() for cell in row.select("td")]
            assert cells[8] == finding["id"]
            if finding["kind"] != "numeric":
                shown = [module.style.percent(finding[name]) for name in ("type_value", "base_value")]
                index = module.style.number(finding["index"])
                ends = f"{module.style.number(finding['low'])} to {module.style.number(finding['high'])}"
                assert cells[2:6] == [*shown, index, ends if finding["low"] == finding["low"] else "–"]
        for sentence, marks in zip(persona["sentences"], soup.select(".story sup"), strict=True):
            assert {own.loc[int(mark.text) - 1, "id"] for mark in marks.select("a")} == set(sentence["finding_ids"])


def test_a_statement_without_its_finding_is_refused(persona_study):
    study = persona_study()
    persona = study.personas[0]
    with pytest.raises(
        WaageError, match=r"persona 'type_1': sentences says .* on finding .*, which is not among the 0"
    ):
        poster(persona, study.findings[:0], study.known)
    for name, part in (
        ("dos", {"text": "Do it.", "finding_id": None}),
        ("sentences", {"text": "So.", "finding_ids": []}),
    ):
        with pytest.raises(WaageError, match=f"{name} says"):
            poster(persona | {name: [part]}, study.findings[study.findings["type"] == "type_1"], study.known)


def test_equal_input_gives_equal_bytes(persona_study):
    assert whole(persona_study()) == whole(persona_study())


def test_nothing_in_it_is_markup_or_loads(persona_study):
    study = persona_study(long=True)
    text = whole(study)
    assert "<b>" not in BeautifulSoup(text, "html.parser").select_one(".story").decode_contents()
    assert "<b>fast" not in text and "&lt;b&gt;fast" in text and "<b>&amp;" not in text
    assert not re.search(r"(src|href)=\"(?!#|data:)|url\(|@import|<script", text.replace('xmlns="http', ""))
    assert "default-src 'none'" in text


@pytest.mark.browser
@pytest.mark.parametrize("long", [False, True], ids=["usual", "long"])
@pytest.mark.parametrize("language", ["en", "de"])
class TestInABrowser:
    def test_it_fits_a_phone(self, persona_study, opened, overflow, language, long):
        shown = opened(whole(persona_study(language, long)), 390)
        assert shown.evaluate(overflow) == [] and shown.asked == []
        assert (
            shown.evaluate("getComputedStyle(document.querySelector('.main')).gridTemplateColumns.split(' ').length")
            == 1
        )

    def test_it_fits_a_screen(self, persona_study, opened, overflow, language, long):
        assert opened(whole(persona_study(language, long)), 1100).evaluate(overflow) == []

    def test_it_fits_a_page(self, persona_study, opened, overflow, language, long):
        shown = opened(whole(persona_study(language, long)), A4_INSIDE, "print")
        assert shown.evaluate(overflow) == []
        heights = shown.evaluate("[...document.querySelectorAll('.side')].map(e => e.getBoundingClientRect().height)")
        assert all(height <= 275 * 96 / 25.4 for height in heights), heights

    def test_it_prints_one_page_a_side(self, persona_study, chromium, tmp_path, language, long):
        study = persona_study(language, long)
        pdf(whole(study), tmp_path / "personas.pdf", browser=shutil.which("chromium") or None)
        content = (tmp_path / "personas.pdf").read_bytes()
        assert content.startswith(b"%PDF") and [int(n) for n in re.findall(rb"/Count (\d+)", content)] == [6]
        assert set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content)) <= {
            (b"594.95996", b"841.91998"),
            (b"595", b"842"),
        }
        assert [path.name for path in tmp_path.iterdir()] == ["personas.pdf"]


@pytest.mark.browser
def test_a_text_that_runs_from_right_to_left_does_not_turn_its_neighbours(persona_study, opened):
    shown = opened(whole(persona_study()), 1100)
    assert shown.evaluate("[...document.querySelectorAll('blockquote bdi')].length") == 6
    assert shown.evaluate("getComputedStyle(document.querySelector('.foot')).direction") == "ltr"


def test_a_small_type_and_a_study_without_much(persona_study):
    study = persona_study(people=(8, 300, 300))
    text = BeautifulSoup(of(study, quotes=()), "html.parser")
    persona = study.personas[0]
    assert persona["composite"] in text.select_one(".who").text
    assert text.select_one(".quotes") is None and text.select_one(".share") is None
    bare = persona | {name: [] for name in ("sentences", "life", "motives", "interests", "pains", "channels", "timing",
                                            "assortment", "kpis", "shared", "dos", "donts")}  # fmt: skip
    bare |= {"silence": "Nothing can be said.", "size": dict.fromkeys(persona["size"]), "first_name": None}
    empty = BeautifulSoup(poster(bare, study.findings[:0], study.known), "html.parser")
    assert empty.select_one(".story").text.strip() == "Nothing can be said." and empty.select_one("table") is None
    assert "None" not in empty.text and "nan" not in empty.text.lower()


def test_hidden_figures_are_dashes(persona_study):
    study = persona_study()
    own = study.findings[study.findings["type"] == "type_1"].copy()
    own.loc[own.index[3], ["type_value", "base_value", "index", "low", "high", "n", "q_value"]] = float("nan")
    rows = {
        row["id"]: row
        for row in BeautifulSoup(poster(study.personas[0], own, study.known), "html.parser").select("tbody tr")
    }
    hidden = [row for key, row in rows.items() if key.endswith("-4")]
    assert not hidden or [cell.text for cell in hidden[0].select("td")][2:8] == ["–"] * 6


def test_recognising_and_history_are_told_in_order(persona_study):
    study = persona_study()
    months = [{"month": "2024-03", "text": "March"}, {"month": "2024-05", "text": "May"}]
    parts = {
        "recognise": {"rule": "Much app.", "features": [{"label": "x"}], "threshold": 0.7, "advice": "From .7."},
        "timeline": {"months": months, "note": "One."},
    }
    own = study.findings[study.findings["type"] == "type_1"]
    soup = BeautifulSoup(poster(study.personas[0] | parts, own, study.known), "html.parser")
    lists = {
        block.h2.text: [li.text for li in block.select("li")]
        for block in soup.select(".back .columns > div")
        if block.h2
    }
    assert lists["How to recognise them"] == ["Much app.", "From .7."] and lists["A typical history"] == [
        "March",
        "May",
        "One.",
    ]


def test_printing_says_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(
        WaageError, match=r"x\.pdf: no Chromium, Chrome or Edge is installed.*open the HTML file in any browser"
    ):
        pdf("<p>", tmp_path / "x.pdf")
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(WaageError, match=r'pip install "waage\[pdf\]"; or open the HTML file'):
        pdf("<p>", tmp_path / "x.pdf", browser="/usr/bin/chromium")
    assert not list(tmp_path.iterdir())


@pytest.mark.browser
def test_printing_with_a_broken_browser_says_which(tmp_path, chromium):
    with pytest.raises(
        WaageError, match=r"x\.pdf: /nowhere/chromium did not print: .*open the HTML file in any browser"
    ):
        pdf("<p>", tmp_path / "x.pdf", browser="/nowhere/chromium")


def test_style_stands_by_itself_in_a_notebook():
    rules = re.sub(r"@media[^{]*\{|@page[^}]*\}", "", css())
    selectors = [rule.split("}")[-1].strip() for rule in rules.split("{")[:-1]]
    outside = [part for one in selectors for part in one.split(",") if ".persona" not in part and part.strip()]
    assert outside == [], outside
