import json
import re

import numpy as np
import pandas as pd
import pytest

from waage.errors import WaageError
from waage.personas.findings import Rules, findings
from waage.personas.members import Members, against_truth
from waage.personas.persona import idle_labels, personas, propose_labels, sizes_by_type
from waage.personas.topics import catalogue

from .simulated import ITEMS, NAMES, SHARES, SOURCES, survey, variables


def table_of(seed=21, n=1200, names=NAMES, posterior=None, columns=None):
    rng, types, own, weights = survey(seed, n)
    frame = variables(rng, types)
    frame = frame if columns is None else frame[columns]
    posterior = own if posterior is None else posterior
    day = pd.Timestamp("2025-06-29").date()
    table = findings(posterior, weights, frame, names, sources=SOURCES, as_of=day)
    return table, catalogue(frame.columns, ITEMS), posterior, weights, frame


@pytest.fixture(scope="module")
def case():
    return table_of()


def entries(document):
    """Every part of a document that names a finding."""
    if isinstance(document, dict):
        if "finding_id" in document:
            yield document
        for part in document.values():
            yield from entries(part)
    elif isinstance(document, list):
        for part in document:
            yield from entries(part)


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_statement_of_the_document_is_a_finding_with_its_numbers(case, language):
    table, known, *_ = case
    by_id = table.set_index("id")
    for persona in personas(table, known, language=language):
        document = persona.to_dict()
        assert json.loads(json.dumps(document, allow_nan=False, ensure_ascii=False)) == document
        found = list(entries(document))
        assert len(found) > 10
        for entry in found:
            row = by_id.loc[entry["finding_id"]]
            assert row["type"] == persona.type
            if "value" in entry:
                assert entry["value"] == row["type_value"] and entry["n"] == row["n"]
                assert entry["strength"] == row["strength"]
        for sentence in document["sentences"]:
            assert set(sentence["finding_ids"]) <= set(by_id.index)
        assert persona.as_of == "2025-06-29"


def test_what_a_type_is_and_does(case):
    table, known, *_ = case
    first, second, third = personas(table, known)
    assert [p.label for p in (first, second, third)] == ["Price-aware shoppers", "Shoppers in a hurry", "Discoverers"]
    assert [p.label for p in personas(table, known, language="de")] == [
        "Preisbewusste",
        "Eilige",
        "Entdeckungsfreudige",
    ]
    assert first.life[0]["typical"] == "16-29" and first.life[0]["text"] == "16–29"
    # Half of the third are 60 or older: over-represented, but not more than 60 %.
    assert third.life[0]["typical"] is None and third.life[0]["text"] == "mixed"
    assert [entry["level"] for entry in third.life[0]["levels"]] == ["16-29", "30-44", "45-59", "60+"]
    assert first.dos[0] == {"text": "Lead with price and savings.", "finding_id": "type_1.q01.yes"}
    assert {"text": "Do not open with discounts.", "finding_id": "type_3.q01.yes"} in third.donts
    assert {entry["variable"] for entry in first.kpis} == {"order_value", "orders_per_year"}
    assert first.separates["strength"] == "say"
    assert first.composite == f"Composite of {first.n:.0f} customers"


def test_every_type_shares_something_with_everyone(case):
    table, known, *_ = case
    for persona in personas(table, known):
        assert len(persona.shared) >= 2
        assert all(entry["strength"] == "silent" for entry in persona.shared)
        proven = [entry["proven"] for entry in persona.shared]
        assert proven == sorted(proven, reverse=True) and proven[0]
        alike = [e for e in persona.shared if e["proven"] and e["index"] == e["index"]]
        assert all(entry["index_low"] > 80 and entry["index_high"] < 120 for entry in alike)


def test_figures_open_with_orders_a_year_basket_returns_and_satisfaction(case):
    *_, posterior, weights, frame = case
    rng = np.random.default_rng(3)
    more = ("visits", "stars", "return_share", "tenure_days")
    frame = frame.assign(**{name: 1 + rng.random(len(frame)) for name in more})
    stars = pd.DataFrame(
        {"kind": "scale", "construct": "satisfaction", "label": "Stars", "label_de": "Sterne"}, ["stars"]
    )
    table = findings(posterior, weights, frame, NAMES, sources="behaviour")
    known = catalogue(frame.columns, pd.concat([ITEMS, stars]))
    for one in personas(table, known):
        assert [entry["variable"] for entry in one.kpis[:4]] == [
            "orders_per_year",
            "order_value",
            "return_share",
            "stars",
        ]
        assert one.kpis[3]["label"] == "Satisfaction: Stars"


def test_labels_may_be_given_and_are_plain_text(case):
    table, known, *_ = case
    given = {"type_2": "<script>\u202ealert</script>\n⏱ Eilige"}
    second = personas(table, known, labels=given, first_names=True)[1]
    assert second.label == "<script>alert</script> ⏱ Eilige" and second.first_name == "Robin"
    both = {"type_2": {"en": "In haste", "de": "In Eile"}, "type_1": {"de": "Sparsame"}}
    assert [p.label for p in personas(table, known, labels=both)[:2]] == ["Price-aware shoppers", "In haste"]
    assert [p.label for p in personas(table, known, labels=both, language="de")[:2]] == ["Sparsame", "In Eile"]
    # A label for a type that is gone stops nothing; it is told.
    assert personas(table, known, labels={"type_9": "x"})[0].label == "Price-aware shoppers"
    assert "'type_9', which is no type (did you mean 'type_" in idle_labels({"type_9": "x", "type_1": "y"}, NAMES)[0]
    assert idle_labels(None, NAMES) == idle_labels({"type_1": "y"}, NAMES) == []
    with pytest.raises(WaageError, match="catalogue lacks 'q15'"):
        personas(table, known.drop(index="q15"))
    assert personas(table, known)[0].first_name is None


def test_labels_of_two_types_that_want_the_same_differ(case):
    table, known, *_ = case
    alike = pd.concat([table, table[table["type"] == "type_1"].assign(type="type_4")])
    labels = propose_labels(alike, known)
    assert labels["type_1"] == "Price-aware shoppers (1)" and labels["type_4"] == "Price-aware shoppers (4)"
    nothing = propose_labels(table.assign(strength="silent"), known, "de")
    assert nothing == {"type_1": "Gruppe 1", "type_2": "Gruppe 2", "type_3": "Gruppe 3"}


def test_same_input_same_bytes(case):
    table, known, *_ = case
    once, again = (json.dumps([p.to_dict() for p in personas(table, known, language="de")]) for _ in range(2))
    assert once == again


def test_segments_without_a_survey():
    types = survey(22, 1200)[1]
    names = ["champions", "at_risk", "lost"]
    columns = ["order_value", "weekend_share", "orders_per_year"]
    table, known, *_ = table_of(22, 1200, names, np.eye(3)[types], columns)
    found = personas(table, known, language="de", basis={"kind": "segments", "note": "x"})
    assert [p.label for p in found] == ["Champions", "Gefährdet", "Verloren"]
    assert found[0].basis["header"].startswith("RFM-Segmente statt Typen") and found[0].basis["note"] == "x"
    assert found[0].life == () and found[0].motives == () and found[0].sentences
    assert len(found[0].shared) >= 1


def test_a_type_of_eight_is_silent_and_shows_no_number():
    _, types, _, _ = survey(23, 900)
    hard = np.eye(4)[types]
    hard[:8] = [0, 0, 0, 1]
    names = [*NAMES, "type_4"]
    table, known, *_ = table_of(23, 900, names, hard)
    sizes = sizes_by_type(hard, np.ones(900), names, np.ones(900))
    few = personas(table, known, sizes=sizes)[3]
    assert few.sentences == () and few.silence.startswith("Nothing can be said")
    assert few.composite == "Composite of customers, number hidden" and few.label == "Group 4"
    assert not list(entries(few.to_dict())) and few.to_dict()["n"] is None
    assert set(few.to_dict()["size"].values()) == {None}
    assert sizes["share"].isna().sum() == 2, "the others and the total would give it away"


def test_sizes_are_sums_of_probability_and_cover_the_truth():
    inside = []
    for seed in range(150):
        rng, types, posterior, weights = survey(seed, 700)
        revenue = np.array([100.0, 200.0, 400.0])[types] * rng.gamma(2, 0.5, len(types))
        sizes = sizes_by_type(posterior, weights, NAMES, revenue, customers=20_000)
        true = np.array(SHARES)
        money = true * [100, 200, 400] / (true @ [100, 200, 400])
        inside.append([sizes["share_low"].le(true) & sizes["share_high"].ge(true),
                       sizes["revenue_share_low"].le(money) & sizes["revenue_share_high"].ge(money)])  # fmt: skip
    covered = np.mean(inside, axis=(0, 2))
    # 450 cells each: standard error .01, types of a survey depend on each other.
    assert covered == pytest.approx(0.95, abs=0.03)
    assert sizes[["share", "revenue_share"]].sum().tolist() == pytest.approx([1, 1])
    assert sizes["customers"].sum() == pytest.approx(20_000)
    hard = np.eye(3)[types]
    plain = sizes_by_type(hard, np.ones(700), NAMES, revenue)
    assert plain["revenue_share"].tolist() == pytest.approx((hard.T @ revenue / revenue.sum()).tolist())
    assert sizes_by_type(hard, np.ones(700), NAMES)["revenue_share"].isna().all()


def test_held_against_the_truth_nothing_large_is_missed_where_types_are_known(case):
    *_, frame = case
    _, kind, posterior, weights = survey(21, 1200)
    true = pd.Series(np.array(NAMES)[kind], frame.index)
    rules = Rules()

    def members(posterior):
        return Members("types", tuple(NAMES), posterior, weights, frame, SOURCES, (), ITEMS, None, 1200.0, None)

    def counts(posterior, known=true):
        made = members(posterior)
        text = against_truth(made, made.findings(rules, None, 10, 30, 7), known, rules)
        return [int(number) for number in re.findall(r"\b\d+\b(?!%)", text)]

    large, found, said, false = counts((kind[:, None] == np.arange(3)).astype(float))
    assert large == found > 8 and said > found and false == 0
    large, found, said, false = counts(posterior)
    assert found >= 0.8 * large > 4 and false <= 0.05 * said
    upside_down = true.map({"type_1": "type_2", "type_2": "type_1", "type_3": "type_3"})
    assert counts(posterior, upside_down)[3] > 5
    assert counts(posterior, true.iloc[:900])[2] == said, "whose true type is unknown is left out of the truth alone"
