"""All personas on one sheet, two of them compared, and the matrix: from the findings, readable at every width."""

import re

import pytest
from bs4 import BeautifulSoup

from waage import style
from waage.errors import WaageError
from waage.personas.poster import css, page, uid
from waage.personas.sheet import colours, comparison, divides, matrix, sheet


def everything(study):
    first, *_, last = study.personas
    parts = [f(study.personas, study.findings, study.known) for f in (sheet, matrix)]
    return page("".join([*parts, comparison(first, last, study.findings, study.known)]), "Personas")


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_persona_is_on_the_sheet_with_its_sizes(persona_study, language):
    study = persona_study(language)
    soup = BeautifulSoup(sheet(study.personas, study.findings, study.known), "html.parser")
    cards = soup.select("a.card")
    assert [card.strong.text for card in cards] == [persona["label"] for persona in study.personas]
    assert [card["href"] for card in cards] == [f"#{uid(persona)}" for persona in study.personas]
    for card, persona in zip(cards, study.personas, strict=True):
        shown = [share.b.text for share in card.select(".share")]
        assert shown == [style.percent(persona["size"][key], language) for key in ("share", "revenue_share")]
        assert any(one["text"] in card.text for one in persona["sentences"]) and persona["composite"] in card.text
    base = soup.select_one(".note").text
    assert "800" in base and "1 March to 30 April 2025" in base and "weighted to age" in base
    for bar, key in zip(soup.select(".stack"), ("share", "revenue_share"), strict=True):
        widths = [float(re.search(r"width: ([\d.]+)%", piece["style"])[1]) for piece in bar.select("i")]
        assert widths == pytest.approx([100 * persona["size"][key] for persona in study.personas], abs=0.051)
        assert sum(widths) == pytest.approx(100, abs=0.3)


def test_cards_open_with_what_is_said_and_print_what_the_types_are(persona_study):
    study = persona_study()
    silent = study.findings["id"].isin(study.personas[0]["sentences"][0]["finding_ids"])
    table = study.findings.assign(strength=study.findings["strength"].mask(silent, "silent"))
    about = study.personas[0]["basis"] | {"verdict": "natural types", "caution": "They <b>come</b> back."}
    some = [one | {"basis": about | {"revenue_months": 24}} for one in study.personas]
    soup = BeautifulSoup(sheet(some, table, study.known), "html.parser")
    says = soup.select_one("a.card .say").text
    assert says != study.personas[0]["sentences"][0]["text"]
    assert says in [one["text"] for one in study.personas[0]["sentences"][1:]]
    note = soup.select_one(".note").text
    assert "natural types" in note and note.endswith("They <b>come</b> back.")
    assert "of net revenue in 24 months" in soup.select_one("a.card").text


def test_the_sentence_names_the_share_in_which_they_are_furthest_apart(persona_study):
    study = persona_study()
    told = divides(study.personas, study.findings, study.known)
    table = study.findings[(study.findings["kind"] != "numeric") & (study.findings["strength"] == "say")]
    spread = table.groupby(["variable", "level"])["difference"].agg(lambda d: d.max() - d.min() if len(d) > 1 else 0)
    most, least = (study.findings.set_index("id").loc[one] for one in told["finding_ids"])
    assert (most["variable"], most["level"]) == spread.idxmax() == (least["variable"], least["level"])
    labels = {persona["type"]: persona["label"] for persona in study.personas}
    for row in (most, least):
        assert f"{labels[row['type']]} {style.percent(row['type_value'])}" in told["text"]
    assert f"all customers {style.percent(most['base_value'])}" in told["text"]
    silent = study.findings.assign(strength="silent")
    assert divides(study.personas, silent, study.known) == {
        "text": "No finding divides them with certainty.", "finding_ids": [],
    }  # fmt: skip


def test_cells_of_the_matrix_are_the_findings(persona_study):
    study = persona_study()
    soup = BeautifulSoup(matrix(study.personas, study.findings, study.known, most=8), "html.parser")
    rows = soup.select(".row:not(.head)")
    assert len(rows) == 8
    assert [head.text for head in soup.select(".head span")][1:] == [persona["label"] for persona in study.personas]
    first = rows[0].select("[role=cell]")
    wide = study.findings.pivot(index=["variable", "level"], columns="type", values="difference")
    key = (wide.max(axis=1) - wide.min(axis=1)).idxmax()
    types = [persona["type"] for persona in study.personas]
    own = study.findings.set_index(["variable", "level", "type"]).sort_index().loc[key].loc[types]
    numbers = [
        style.number(row["index"]) if row["index"] == row["index"] else style.number(row["difference"], decimals=1)
        for _, row in own.iterrows()
    ]
    assert [cell.text for cell in first] == numbers
    fills = [re.search(r"background: (#\w+)", cell["style"])[1] for cell in first]
    assert len(set(fills)) == 3


def test_hidden_cells_have_no_number_and_no_colour(persona_study):
    study = persona_study()
    hidden = study.findings.copy()
    hidden.loc[hidden["type"] == "type_2", ["difference", "index", "type_value"]] = float("nan")
    soup = BeautifulSoup(matrix(study.personas, hidden, study.known), "html.parser")
    second = [row.select("[role=cell]")[1] for row in soup.select(".row:not(.head)")]
    assert {cell.text for cell in second} == {"·"} and all("#fff;" in cell["style"] for cell in second)
    compared = comparison(study.personas[0], study.personas[1], hidden, study.known)
    assert "No finding divides them with certainty." in compared and "nan" not in compared


def test_comparison_shows_both_values_and_the_larger_bar_is_the_larger_value(persona_study):
    study = persona_study()
    one, other = study.personas[:2]
    soup = BeautifulSoup(comparison(one, other, study.findings, study.known, most=5), "html.parser")
    assert [card.strong.text for card in soup.select(".card")] == [one["label"], other["label"]]
    rows = soup.select(".versus")
    assert len(rows) == 5
    for row in rows:
        values = [float(re.sub(r"[^\d.]", "", value.text)) for value in row.select(".value")]
        widths = [float(re.search(r"width: ([\d.]+)%", bar.i["style"])[1]) for bar in row.select(".bar")]
        assert (values[0] > values[1]) == (widths[0] > widths[1]) and all(0 <= width <= 100 for width in widths)
    tinted = comparison(one, other, study.findings, study.known, tints=colours(study.personas)[1:])
    assert colours(study.personas)[2] in tinted


def test_equal_bytes_and_no_markup_from_labels(persona_study):
    assert everything(persona_study()) == everything(persona_study())
    text = everything(persona_study(long=True))
    assert "&lt;b&gt;" in text and "<b>&amp;" not in text and "Söhne</b>" not in text
    assert css() in text


def test_languages_do_not_mix(persona_study):
    mixed = [persona_study("en").personas[0], persona_study("de").personas[1]]
    study = persona_study()
    with pytest.raises(WaageError, match=r"in one language, at least one; these are in \['de', 'en'\]"):
        sheet(mixed, study.findings, study.known)
    with pytest.raises(WaageError, match="these are in none"):
        sheet([], study.findings, study.known)


def test_types_without_sizes_and_a_single_one(persona_study):
    study = persona_study()
    empty = {"sentences": [], "silence": "Nothing.", "separates": None}
    bare = [persona | {"size": dict.fromkeys(persona["size"])} | empty for persona in study.personas]
    soup = BeautifulSoup(sheet(bare, study.findings, study.known), "html.parser")
    assert not soup.select(".stack") and not soup.select(".share") and "Nothing." in soup.text
    assert "None" not in soup.text
    assert BeautifulSoup(sheet(bare[:1], study.findings, study.known), "html.parser").h1.text == "One persona"


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1180])
@pytest.mark.parametrize(("language", "long"), [("en", False), ("de", False), ("de", True)])
def test_it_fits(persona_study, opened, overflow, language, long, width):
    shown = opened(everything(persona_study(language, long)), width)
    assert shown.evaluate(overflow) == [] and shown.asked == []


@pytest.mark.browser
def test_it_fits_with_seven_personas_on_a_phone_and_on_paper(persona_study, opened, overflow):
    study = persona_study("de", people=(120,) * 7)
    assert opened(everything(study), 390).evaluate(overflow) == []
    shown = opened(everything(study), 695, "print")
    assert shown.evaluate(overflow) == []
    heights = shown.evaluate("[...document.querySelectorAll('.sheet')].map(e => e.getBoundingClientRect().height)")
    assert len(heights) == 3 and all(height <= 275 * 96 / 25.4 for height in heights), heights


@pytest.mark.browser
def test_words_on_colour_can_be_read(persona_study, opened):
    shown = opened(everything(persona_study()), 1180)
    pairs = shown.evaluate(
        """[...document.querySelectorAll('.heat [role=cell], .stack i')].filter(e => e.textContent.trim())
           .map(e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor])"""
    )

    def light(colour):
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        parts = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    contrasts = [(max(pair) + 0.05) / (min(pair) + 0.05) for pair in ([light(a), light(b)] for a, b in pairs)]
    assert len(contrasts) > 20 and min(contrasts) >= 4.5, min(contrasts)
