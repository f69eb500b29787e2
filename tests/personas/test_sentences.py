import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import waage.personas as room
from waage.errors import WaageError
from waage.personas import phrases
from waage.personas.findings import findings
from waage.personas.sentences import alike, clause, comparison, evidence, portrait, quantity
from waage.personas.topics import (
    TOPICS,
    catalogue,
    feedback_variables,
    level_label,
    orders_per_year,
    plain,
    survey_variables,
)

from .simulated import ITEMS, NAMES, SOURCES, survey, variables

ROW = {
    "id": "type_1.q15.yes", "type": "type_1", "variable": "q15", "level": "yes", "kind": "binary", "type_value": 0.42,
    "base_value": 0.25, "index": 168.0, "low": 150.0, "high": 186.0, "value_low": 0.38, "value_high": 0.46,
    "difference": 0.4, "sd": 0.43, "n": 240.0, "q_value": 0.0001, "strength": "say",
}  # fmt: skip
KNOWN = catalogue(["q01", "q15", "age_group", "order_value", "orders_per_year", "category_kids"], ITEMS)


@pytest.fixture(scope="module")
def case():
    rng, types, posterior, weights = survey(11, 1200)
    frame = variables(rng, types)
    return findings(posterior, weights, frame, NAMES, sources=SOURCES), catalogue(frame.columns, ITEMS)


@pytest.mark.parametrize("language", ["en", "de"])
def test_five_to_seven_sentences_each_with_its_findings(case, language):
    table, known = case
    for name in NAMES:
        own = table[table["type"] == name]
        told = portrait(own, known, language)
        assert 5 <= len(told) <= 7
        assert [s.topic for s in told] == sorted((s.topic for s in told), key=TOPICS.index)
        for sentence in told:
            assert sentence.finding_ids and set(sentence.finding_ids) <= set(own["id"])
            assert sentence.text.endswith(".") and sentence.text[0].isupper() and sentence.language == language
            assert not re.search(r"  |nan|None|\{|\}|type_\d| ,|\.\.", sentence.text), sentence.text


def test_same_input_same_bytes_whatever_the_order_of_rows(case):
    table, known = case
    own = table[table["type"] == "type_1"]
    again = own.sample(frac=1, random_state=1)
    assert portrait(own, known, "de") == portrait(again, known, "de")


def test_a_portrait_reads_as_it_should(case):
    table, known = case
    english = [s.text for s in portrait(table[table["type"] == "type_1"], known, "en")]
    german = [s.text for s in portrait(table[table["type"] == "type_1"], known, "de")]
    assert english[0] == "About 7 in 10 are 16–29 years old, clearly more often than customers overall."
    assert german[0] == "Etwa 7 von 10 sind 16–29 Jahre alt, deutlich häufiger als Kund:innen insgesamt."
    assert "When it comes to shopping, about 7 in 10 say “I compare prices”, more often than average." in english
    assert "Beim Einkaufen sagen etwa 7 von 10 „Ich vergleiche Preise“, häufiger als im Durchschnitt." in german


@pytest.mark.parametrize(
    ("index", "english", "german"),
    [
        (120, "more often than", "häufiger als"),
        (149.4, "more often than", "häufiger als"),
        (149.5, "clearly more often than", "deutlich häufiger als"),
        (199.6, "at least twice as often as", "mindestens doppelt so häufig wie"),
        (80, "less often than", "seltener als"),
        (67, "less often than", "seltener als"),
        (66, "clearly less often than", "deutlich seltener als"),
        (50, "at most half as often as", "höchstens halb so häufig wie"),
        (0, "at most half as often as", "höchstens halb so häufig wie"),
    ],
)
def test_strength_words_are_bound_to_the_printed_index(index, english, german):
    row = ROW | {"index": index}
    assert comparison(row, "en") == f"{english} customers overall"
    assert comparison(row, "de") == f"{german} Kund:innen insgesamt"
    assert comparison(row | {"strength": "tentative"}, "de").startswith("vermutlich ")


def test_what_is_not_sure_is_not_said_as_a_difference():
    silent = ROW | {"strength": "silent", "q_value": 0.3}
    assert comparison(silent, "en") == "with no certain difference from customers overall"
    same = silent | {"low": 85.0, "high": 115.0}
    assert alike(same) and comparison(same, "en") == "much like customers overall"
    assert comparison(silent | {"q_value": 0.01}, "de") == "wenig anders als bei Kund:innen insgesamt"


def test_levels_of_life_are_no_goods_and_words_for_persons_stand_once():
    assert level_label("women", "de") == "Frauen" and level_label("women", "de", goods=True) == "Damenmode"
    row = ROW | {"variable": "household_size", "level": "1 person", "kind": "categorical"}
    known = pd.concat([KNOWN, KNOWN.loc[["age_group"]].rename({"age_group": "household_size"})])
    assert "Personen" not in "".join(clause(row, known, "de"))
    few = ROW | {"variable": "channel_web", "level": "", "kind": "numeric", "type_value": 0.97, "difference": 0.3}
    assert clause(few, catalogue(["channel_web"]), "de")[0] == "fast alle ihre Bestellungen"


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (0.03, "fewer than 5 in 100", "weniger als 5 von 100"),
        (0.06, "about 5 in 100", "etwa 5 von 100"),
        (0.11, "about 1 in 10", "etwa 10 von 100"),
        (0.42, "about 4 in 10", "etwa 4 von 10"),
        (0.5, "about half", "etwa 5 von 10"),
        (0.97, "nearly all", "fast alle"),
    ],
)
def test_shares_are_rounded_as_one_says_them(value, english, german):
    row = ROW | {"type_value": value}
    assert (quantity(row, "thing", "en"), quantity(row, "thing", "de")) == (english, german)


@pytest.mark.parametrize(
    ("variable", "value", "english", "german"),
    [
        ("order_value", 63.4, "an order is worth about €65", "eine Bestellung ist etwa 65 € wert"),
        ("order_value", 1243.0, "an order is worth about €1,200", "eine Bestellung ist etwa 1.200 € wert"),
        ("orders_per_year", 3.7, "they order about 4 times a year", "sie bestellen etwa 4-mal im Jahr"),
        ("orders_per_year", 1.2, "they order about once a year", "sie bestellen etwa einmal im Jahr"),
        ("category_kids", 0.28, "about 30% of what they spend goes to kids' wear",
         "etwa 30 % ihrer Ausgaben entfallen auf Kindermode"),
    ],
)  # fmt: skip
def test_means_are_told_in_their_unit(variable, value, english, german):
    row = ROW | {"variable": variable, "level": "", "kind": "numeric", "type_value": value, "difference": 0.6}
    row["base_value"] = value / 1.3
    for language, expected in (("en", english), ("de", german)):
        subject, verb, rest = clause(row, KNOWN, language)
        assert f"{subject} {verb}{rest}".replace("\u00a0", " ").startswith(expected + ", ")
        assert rest.endswith({"en": "clearly more than among customers overall",
                              "de": "deutlich mehr als bei Kund:innen insgesamt"}[language])  # fmt: skip


@pytest.mark.parametrize(
    ("difference", "base", "word"),
    [(0.9, 30.0, "far more"), (0.9, 45.0, "clearly more"), (0.9, 58.0, "somewhat more"), (0.3, 20.0, "somewhat more"),
     (-0.9, 62.4, "somewhat less"), (-0.9, 100.0, "far less"), (0.9, 0.0, "far more")],
)  # fmt: skip
def test_a_mean_is_far_from_all_only_if_it_is_so_in_its_unit_too(difference, base, word):
    row = ROW | {"variable": "order_value", "level": "", "kind": "numeric", "difference": difference}
    row |= {"type_value": 60.0, "base_value": base}
    assert f", {word} than" in clause(row, KNOWN, "en")[2]


def test_the_back_tells_range_base_index_n_and_q():
    expected = "42% (38% to 46%); all customers 25%; index 168 (150 to 186); n = 240; q < 0.001"
    assert evidence(ROW, KNOWN) == expected
    assert evidence(ROW | {"n": np.nan}, KNOWN, "de") == "verdeckt: zu wenige Antworten"
    numeric = ROW | {"variable": "order_value", "level": "", "kind": "numeric", "index": np.nan, "q_value": 0.0123}
    numeric |= {"type_value": 63.0, "value_low": 60.5, "value_high": 65.5, "base_value": 70.0}
    assert evidence(numeric, KNOWN, "de").replace("\u00a0", " ") == (
        "63 € (60,50 € bis 65,50 €); alle Kund:innen 70 €; n = 240; q = 0,012"
    )


def test_few_variables_give_fewer_sentences_and_too_few_people_none(case):
    table, known = case
    own = table[(table["type"] == "type_1") & table["variable"].isin(["order_value", "weekend_share"])]
    assert [s.topic for s in portrait(own, known)] == ["timing", "rhythm"]
    assert portrait(own.assign(n=29.0), known) == ()
    assert portrait(own.assign(n=np.nan), known) == ()


def test_a_life_that_nothing_sets_apart_is_mixed_and_not_a_cliche(case):
    table, known = case
    own = table[(table["type"] == "type_2") & (table["variable"] == "age_group")].assign(strength="silent")
    sex = own.head(1).assign(variable="gender", level="f", id="type_2.gender.f", type_value=0.55)
    told = portrait(pd.concat([sex, own]), pd.concat([known, known.loc[["age_group"]].rename({"age_group": "gender"})]))
    assert told[0].text.startswith("Their life situation is mixed: about 3 in 10 are ")
    assert "years old" in told[0].text.split(";")[0] and told[0].text.count("years old") == 1
    # What few of them are is no picture of their life by itself, but then it is not "mixed" either.
    own.loc[own.index[0], ["strength", "difference", "index", "type_value"]] = ["say", -0.3, 60.0, 0.1]
    text = portrait(own, known)[0].text
    typical, few = text.split("; ")
    assert "mixed" not in text and "years old" in typical and "16–29" not in typical
    assert few == "about 1 in 10 are 16–29 years old, clearly less often than average."


def test_labels_are_plain_text_in_one_line():
    label = "\u202eevil\u202c <b>fat</b>\n👩\u200d👧 ok\x00"
    assert plain(label) == "evil <b>fat</b> 👩\u200d👧 ok"
    assert len(plain("x" * 300)) == 90 and plain("x" * 300).endswith("…")
    items = ITEMS.assign(label=label, label_de=None)
    known = catalogue(["q15"], items)
    assert known.loc["q15", "label_de"] == known.loc["q15", "label_en"] == plain(label)
    assert "<b>fat</b>" in "".join(clause(ROW, known, "de")), "pages escape, texts do not"


def test_answers_become_variables():
    items = ITEMS.assign(best=ITEMS["best"].where(ITEMS.index != "q05", "min"))
    items.loc["note"] = ["comment", None, "Comment", "Kommentar", None, None, None]
    answers = pd.DataFrame({"q01": [1, 3, 4, 5, np.nan], "q05": [1, 2, 3, 4, 5], "q15": [0, 1, 1, 0, 1],
                            "age_group": ["60+", None, "30-44", "30-44", "60+"], "note": list("abcde"),
                            "q09": [np.nan] * 5})  # fmt: skip
    table = survey_variables(answers, items)
    assert list(table) == ["q01", "q05", "q15", "age_group"]
    assert table["q01"].tolist()[:4] == [0, 0, 1, 1] and np.isnan(table["q01"].iloc[4])
    assert table["q05"].tolist() == [1, 1, 0, 0, 0], "1 is best"
    assert table["age_group"].isna().sum() == 1
    assert level_label("60+", "de") == "60 oder mehr" and level_label("f", "de") == "Frauen"


def test_feedback_and_orders_become_variables_of_persons():
    items = pd.DataFrame({"kind": ["scale", "binary", "comment"]}, index=["stars", "reason_app", "comment"])
    rows = [("p1", "stars", 5), ("p1", "stars", 2), ("p1", "reason_app", 0), ("p1", "reason_app", 1),
            ("p2", "stars", 4), ("p2", "reason_app", 0), (None, "stars", 1), ("p3", "comment", None)]  # fmt: skip
    table = feedback_variables(pd.DataFrame(rows, columns=["person_id", "item", "value"]), items)
    assert table.loc["p1"].to_dict() == {"reason_app": 1.0, "stars": 3.5}
    assert table.loc["p2"].to_dict() == {"reason_app": 0.0, "stars": 4.0} and len(table) == 2
    assert orders_per_year(pd.Series([2.0, 4.0]), pd.Series([100.0, 730.0])).tolist() == [2.0, 2.0]
    with pytest.raises(WaageError, match="'stars' is twice"):
        catalogue(["stars"], pd.concat([items, items]))


def test_a_scale_in_a_label_is_not_quoted_as_a_sentence():
    items = ITEMS.assign(
        label="Good materials: 1 very important to 5 unimportant", label_de="Material: 1 ja bis 5 nein"
    )
    known = catalogue(["q01"], items)
    row = ROW | {"variable": "q01"}
    assert clause(row, known)[:2] == ("about 4 in 10", "stress") and "“Good materials”" in clause(row, known)[2]
    assert "„Material“" in clause(row, known, "de")[2]


def test_both_languages_have_all_words():
    pairs = [*phrases.WORDS.values(), *phrases.LEADS.values(), *phrases.RECOGNISE.values(), *phrases.TIMELINE.values()]
    pairs += [*phrases.LEVELS.values(), *(pair for rule in phrases.ADVICE.values() for pair in rule)]
    for english, german in pairs:
        assert len(re.findall(r"\{\w*\}", english)) == len(re.findall(r"\{\w*\}", german)), english
    for english, german in phrases.CLAUSES.values():
        assert len(english) == len(german) == 3 and english[1] and german[1]
    assert {topic for topic, *_ in phrases.BEHAVIOUR.values()} <= set(phrases.LEADS)


def test_no_text_is_written_anywhere_else():
    # Sentences come from the table of phrases alone: a template elsewhere would have no German.
    for name in ("sentences", "persona", "recognise", "timeline"):
        text = (Path(room.__file__).parent / f"{name}.py").read_text(encoding="utf-8")
        assert not re.search(r"Kund:innen|häufiger|etwa ", text), name
