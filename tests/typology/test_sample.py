"""From answers to a sample: who is in, what their answers are worth, what is refused."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from waage.errors import Refusal, WaageError
from waage.typology.active import MAXDIFF, maxdiff_scores
from waage.typology.sample import prepare_sample

SCALES = [f"q{i}" for i in range(10)]
SETS = {"m1": ("price", "speed", "advice"), "m2": ("price", "family", "advice")}


def codebook(**changes):
    rows = [
        {"item": item, "kind": "scale", "scale_min": 1.0, "scale_max": 5.0, "missing_codes": "-99"} for item in SCALES
    ]
    rows[3]["best"] = "min"
    rows += [{"item": item, "kind": "binary"} for item in ("b0", "b1")]
    rows += [{"item": f"{name}_{kind}", "kind": kind} for name in SETS for kind in ("best", "worst")]
    rows += [{"item": "job", "kind": "nominal"}, {"item": "age", "kind": "trait"}, {"item": "words", "kind": "comment"}]
    table = pd.DataFrame(rows).assign(instrument="typology")
    for item, row in changes.items():
        table.loc[table["item"] == item, list(row)] = list(row.values())
    return table


def survey(n, seed=0, style=0.0):
    """Return n respondents' answers, one row an item; `style` shifts all of a person's scale answers."""
    rng = np.random.default_rng(seed)
    level = 3 + style * rng.standard_normal((n, 1)) + rng.standard_normal((n, len(SCALES)))
    likert = np.clip(np.rint(level), 1, 5)
    rows = []
    for i in range(n):
        key = (f"R{i:04d}", "panel", f"P{i:04d}", datetime(2025, 5, 1, 22, 30) + timedelta(days=int(i % 5)))
        rows += [(*key, item, likert[i, j], None) for j, item in enumerate(SCALES)]
        rows += [(*key, item, float(rng.integers(2)), None) for item in ("b0", "b1")]
        for name, options in SETS.items():
            best, worst = rng.permutation(options)[:2]
            rows += [(*key, f"{name}_best", None, best), (*key, f"{name}_worst", None, worst)]
        rows += [(*key, "job", None, rng.choice(["a", "b"])), (*key, "age", None, "30-44"), (*key, "words", None, "hm")]
    names = ["response_id", "source", "source_id", "responded_at", "item", "value", "text"]
    return pd.DataFrame(rows, columns=names).assign(instrument="typology", weight=np.nan)


@pytest.fixture
def prepare(duck):
    """Return a function from pandas tables to a sample; everybody is a person of their own if no map is given."""

    def run(responses, book=None, people=None, **options):
        people = people if people is not None else responses[["source", "source_id"]].drop_duplicates()
        people = people if "person_id" in people else people.assign(person_id="T" + people.source_id)
        tables = {"responses": responses, "items": codebook() if book is None else book, "identity_map": people}
        if "customers" in options:
            tables["customers"] = options.pop("customers")
        lazy = {
            name: duck.create_table(f"sample_{name}", pa.Table.from_pandas(table, preserve_index=False), overwrite=True)
            for name, table in tables.items()
        }
        return prepare_sample(**lazy, **options)

    return run


def change(responses, respondent, items, value):
    responses.loc[(responses.response_id == respondent) & responses["item"].isin(items), "value"] = value


def test_answers_become_one_row_a_respondent(prepare):
    responses = survey(320)
    change(responses, "R0001", ["q0"], -99.0)
    sample = prepare(responses, time_zone="Europe/Berlin")
    assert sample.n == 320 and list(sample.active.index) == sorted(responses.response_id.unique())
    assert np.isnan(sample.answers.q0["R0001"]) and (sample.respondents.weight == 1).all()
    assert sample.respondents.answered["R0001"] < 1
    # 22:30 UTC on 1 May is the 2nd in Berlin
    assert sample.respondents.day["R0000"] == pd.Timestamp("2025-05-02")
    assert sample.respondents.person_id["R0007"] == "TP0007"
    assert sample.items.reversed[sample.items.reversed].index.tolist() == ["q3"]
    assert "job" not in sample.kinds and "age" not in sample.kinds  # life, not motives
    assert not sample.timed and any("time stamp" in text for text in sample.warnings())


def test_straight_liners_break_off_and_duplicates_are_counted(prepare):
    responses = survey(320)
    change(responses, "R0002", SCALES, 4.0)
    few = responses[responses.response_id == "R0003"].head(3)
    responses = pd.concat([responses[responses.response_id != "R0003"], few])
    # Person of R0010 answers again in full, later; the person of R0011 opens the link again and stops.
    again = responses[responses.response_id == "R0010"].assign(response_id="R9010")
    again["responded_at"] += timedelta(days=9)
    stops = responses[responses.response_id == "R0011"].head(8).assign(response_id="R9011")
    stops["responded_at"] += timedelta(days=9)
    sample = prepare(pd.concat([responses, again, stops]))
    counts = sample.counts.set_index("measure").respondents.to_dict()
    assert counts == {
        "answers": 322,
        "duplicates": 2,
        "broken_off": 1,
        "straight_liners": 1,
        "speeders": 0,
        "usable": 318,
        "unlinked": 0,
    }
    assert sample.respondents.straight_liner["R0002"] and "R0002" not in sample.active.index
    assert "R9010" in sample.active.index and "R0010" not in sample.respondents.index
    assert "R0011" in sample.active.index and "R9011" not in sample.respondents.index
    assert sample.summary("de").measure.iloc[0] == "Fragebögen mit einer Antwort"


def test_who_is_too_fast_shows_only_in_time_stamps_by_item(prepare):
    responses = survey(310)
    order = responses.groupby("response_id").cumcount()
    pace = np.where(responses.response_id == "R0005", 2, 10)
    responses["responded_at"] += pd.to_timedelta(order * pace, unit="s")
    sample = prepare(responses)
    assert sample.timed and sample.respondents.speeder[sample.respondents.speeder].index.tolist() == ["R0005"]
    assert sample.n == 309


def test_persons_absent_from_the_customer_file_are_counted_and_kept(prepare):
    responses = survey(320)
    customers = pd.DataFrame({"person_id": [f"TP{i:04d}" for i in range(300)]})
    sample = prepare(responses, customers=customers)
    assert sample.counts.set_index("measure").respondents["unlinked"] == 20
    assert sample.n == 320 and sample.respondents.person_id.isna().sum() == 20


def test_maxdiff_scores_by_hand():
    choices = pd.DataFrame(
        {
            "m1_best": ["price", "speed", None],
            "m1_worst": ["advice", "price", None],
            "m2_best": ["price", "family", "advice"],
            "m2_worst": ["family", "advice", "price"],
        }
    )
    kinds = pd.Series({item: item.split("_")[1] for item in choices})
    scores = maxdiff_scores(choices, kinds)
    # price and advice are in both sets, speed and family in one
    assert scores.price.tolist() == [1.0, -0.5, -1.0]
    assert scores.advice.tolist() == [-0.5, -0.5, 1.0]
    assert scores.speed.tolist()[:2] == [0.0, 1.0] and np.isnan(scores.speed[2])
    assert scores.family.tolist() == [-1.0, 1.0, 0.0]


def test_the_rule_for_centring(prepare):
    plain = codebook()
    plain = plain[~plain.kind.isin(["best", "worst"])]

    def without_choices(responses):
        return responses[~responses["item"].str.startswith("m")]

    raw = prepare(without_choices(survey(320)), plain)
    assert raw.style == "raw" and raw.kinds["q0"] == "categorical" and "both signs" in raw.style_reason()
    style = prepare(without_choices(survey(320, style=1.5)), plain)
    assert style.style == "centred" and style.one_sign and style.first_component > 0.25
    assert style.kinds["q0"] == "gaussian"
    assert style.active[SCALES].mean(axis=1).abs().max() < 1e-12
    assert prepare(without_choices(survey(320, style=1.5)), plain, scales="raw").style == "raw"
    beside = prepare(survey(320))
    assert beside.style_rule == "maxdiff" and beside.kinds[f"{MAXDIFF}price"] == "gaussian"
    assert "Auswahlen" in beside.style_reason("de")


def test_items_that_all_answer_alike_are_named(prepare):
    responses = survey(320)
    responses.loc[responses["item"] == "b1", "value"] = 1.0
    sample = prepare(responses)
    assert sample.dropped == ("b1",) and "b1" not in sample.active
    assert any("b1" in text for text in sample.warnings("de"))


def test_sizes(prepare):
    with pytest.raises(Refusal, match="299 usable respondents, and types need 300"):
        prepare(survey(299))
    small = prepare(survey(300))
    assert list(small.ks) == [2, 3, 4]
    assert sum("300" in text for text in small.warnings()) == 3  # at most 4 types; coarse; respondents per item
    assert prepare(survey(500)).ks[-1] == 8
    with pytest.raises(Refusal, match="no answer to the instrument"):
        prepare(survey(300).assign(instrument="ix"))


def test_faults_are_named_together(prepare):
    responses = survey(300)
    change(responses, "R0001", ["q1"], 7.0)
    extra = responses[responses["item"] == "q2"].assign(item="q22")
    with pytest.raises(WaageError) as fault:
        prepare(pd.concat([responses, extra]))
    assert "item 'q22' (300 answers) is not in the table items" in str(fault.value)
    assert "item 'q1' has 1 answers outside 1 to 5, such as 7" in str(fault.value)
    with pytest.raises(WaageError, match="did you mean 'q1'"):
        prepare(survey(300), active=["q1x"])
    with pytest.raises(WaageError, match="did you mean 'centred'"):
        prepare(survey(300), scales="centered")


def test_traits_are_active_where_they_are_asked_for(prepare):
    sample = prepare(survey(320), active=["job", "b0", "q0"], scales="raw")
    assert sample.kinds == {"q0": "categorical", "b0": "binary", "job": "categorical"}
    alone = prepare(survey(320), active=["job", "b0"])
    assert alone.style == "raw" and alone.style_reason("de") == "keine Skala ist aktiv"
