"""The score: answers to numbers, weights, variances that are true, and answers that are refused."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from waage.demo.ix_survey import ITEMS, reference_mix
from waage.demo.world import Settings
from waage.errors import Refusal, WaageError
from waage.ix.display import audit, boxes, r_indicator, smooth
from waage.ix.measurement import Measurement, conversion_audit
from waage.ix.score import IxWeights, codebook, respondent_scores, respondents, score
from waage.ix.validity import validity
from waage.weighting import rake, rake_groups

from .demo_panel import demo_people, demo_scores, true_ix

matplotlib.use("Agg")
SMALL = Settings(seed=5, units=8, weeks=70)


@pytest.fixture(scope="module")
def people():
    return demo_people(SMALL)


@pytest.fixture(scope="module")
def scores():
    return demo_scores(SMALL)


def test_the_weighted_score_is_true_and_its_variance_too(scores):
    both = scores.table.merge(true_ix(SMALL))
    error = both["ix"] - both["true"]
    # 540 unit-weeks: the standard error of the mean is .09, of the variance 6 %.
    assert abs(error.mean()) < 0.35
    assert both["variance"].mean() / error.var() == pytest.approx(1.0, abs=0.13)
    assert abs((both["raw"] - both["true"]).mean()) > abs(error.mean())
    halves = both["ix_a"] - both["true"], both["ix_b"] - both["true"]
    assert abs(np.corrcoef(*halves)[0, 1]) < 0.12
    assert (both["n_effective"] < both["n"]).all() and scores.mix["after"].sub(
        scores.mix["population"]
    ).abs().max() < 0.02


def test_contributions_of_items_add_up(scores):
    summed = scores.contributions.groupby(["unit", "week"])["contribution"].sum()
    table = scores.table.set_index(["unit", "week"])
    assert summed.to_numpy() == pytest.approx(table["ix"].to_numpy(), abs=1e-9)
    assert ((table["perception"] + table["goal"]) / 2).to_numpy() == pytest.approx(table["ix"].to_numpy(), abs=1e-9)
    assert list(scores.summary) == ["unit", "week", "ix", "perception", "goal", "variance", "n"]
    reliability = scores.reliability
    assert reliability["reliability"].between(0.2, 0.95).all() and len(reliability) == 8


def test_many_samples_are_raked_like_each_alone():
    rng = np.random.default_rng(0)
    sample = pd.DataFrame({"a": rng.choice(["x", "y"], 600, p=[0.8, 0.2]), "b": rng.choice(["p", "q", "r"], 600)})
    sample.loc[:9, "a"] = None
    margins = {"a": {"x": 0.5, "y": 0.5}, "b": {"p": 0.2, "q": 0.3, "r": 0.5}}
    group = np.repeat(np.arange(3), 200)
    found, missing = rake_groups(sample, group, margins, tolerance=1e-9, max_iter=500, trim=20)
    for g in range(3):
        alone = rake(sample[group == g].reset_index(drop=True), margins, tolerance=1e-9, trim=20)
        assert found[group == g] == pytest.approx(alone.weights, abs=1e-5)
    assert (missing == 0).all()
    sample.loc[(group == 2) & (sample["b"] == "r"), "b"] = "q"
    found, missing = rake_groups(sample, group, margins, trim=20)
    assert missing == pytest.approx([0, 0, 0.5])
    inside = group == 2
    assert found[inside][sample["b"][inside] == "p"].sum() / found[inside].sum() == pytest.approx(0.4, abs=1e-4)


def test_weights_are_trimmed_at_medians_of_their_group():
    sample = pd.DataFrame({"a": ["x"] * 99 + ["y"]})
    found, _ = rake_groups(sample, np.zeros(100, int), {"a": {"x": 0.5, "y": 0.5}}, trim=5)
    assert found.max() == pytest.approx(5 * np.median(found)) and found.mean() == pytest.approx(1)


def long_answers(people: pd.DataFrame) -> pd.DataFrame:
    """The answers of a few respondents in the form of the contract."""
    rows = people.head(60)
    parts = []
    for item in ITEMS[ITEMS["kind"] == "scale"].itertuples():
        low, high = float(item.scale_min), float(item.scale_max)
        share = rows[item.item] / 100
        value = low + (high - low) * (1 - share if item.best == "min" else share)
        parts.append(pd.DataFrame({"response_id": rows["response_id"], "item": item.item, "value": value}))
    for trait in ("visitor", "intent", "channel"):
        part = pd.DataFrame({"response_id": rows["response_id"], "item": trait, "text": rows[f"trait_{trait}"]})
        parts.append(part)
    table = pd.concat(parts, ignore_index=True).merge(rows[["response_id", "unit", "week"]], on="response_id")
    table["value"] = table["value"].fillna(9.0).where(table["item"].isin(ITEMS.loc[ITEMS["kind"] == "scale", "item"]))
    table = table[~((table["item"] == "attained") & (table["value"] == 9))]
    table = table.assign(instrument="ix", responded_at=table["week"] + pd.Timedelta(hours=40), weight=1.0)
    return table.assign(source=None, source_id=None).astype({"source": "string", "source_id": "string"})


def test_the_engine_turns_answers_into_respondents(people, duck):
    made = duck.create_table("ix_answers", long_answers(people), temp=True, overwrite=True)
    found = respondents(made, ITEMS, "Europe/Berlin").execute().sort_values("response_id", ignore_index=True)
    wanted = people.head(60).sort_values("response_id", ignore_index=True)
    names = list(ITEMS.loc[ITEMS["kind"] == "scale", "item"])
    assert found[names].to_numpy() == pytest.approx(wanted[names].to_numpy(), abs=1e-9, nan_ok=True)
    assert (pd.to_datetime(found["week"]) == wanted["week"]).all()
    assert (found["trait_intent"] == wanted["trait_intent"]).all() and found["visitor"].isna().all()


def test_answers_outside_their_scale_are_named(people, duck):
    rows = long_answers(people)
    rows.loc[rows["item"] == "find", "value"] = rows["value"].where(rows["value"] != 7, 11)
    made = duck.create_table(
        "ix_wrong", rows.assign(unit=rows["unit"].where(rows.index != 5)), temp=True, overwrite=True
    )
    with pytest.raises(WaageError, match=r"find: .* answers lie outside 1-7, such as 11; .* 1 answers have no unit"):
        respondents(made, ITEMS, "Europe/Berlin")


def test_missing_codes_that_are_no_numbers_are_named(people, duck):
    made = duck.create_table("ix_codes", long_answers(people), temp=True, overwrite=True)
    wrong = ITEMS.assign(missing_codes=ITEMS["missing_codes"].where(ITEMS["item"] != "ease", "9; k.A."))
    with pytest.raises(WaageError, match=r"ease: missing_codes '9; k.A.' are not numbers"):
        respondents(made, wrong, "Europe/Berlin")


def test_items_without_construct_or_of_purchases_are_refused():
    scale = {"kind": "scale", "scale_min": 1, "scale_max": 5, "best": "max", "missing_codes": None}
    rows = [
        {"item": "find", "construct": "perception", **scale},
        {"item": "mood", "construct": "perceptions", **scale},
        {"item": "ordered", "construct": "goal", "label": "Placed an order", **scale, "kind": "binary"},
        {"item": "flat", "construct": "perception", **scale, "scale_max": 1},
    ]
    with pytest.raises(WaageError) as caught:
        codebook(pd.DataFrame(rows))
    text = str(caught.value)
    assert "mood has construct perceptions, not perception or goal (did you mean 'perception'?)" in text
    assert "ordered is a purchase of the session" in text
    assert "flat has no scale" in text
    with pytest.raises(WaageError, match="no item measures goal"):
        codebook(pd.DataFrame(rows[:1]), IxWeights())


def test_a_purchase_is_known_by_its_name_and_not_by_free_wording():
    scale = {"kind": "scale", "scale_min": 0, "scale_max": 1, "best": "max", "missing_codes": None}
    fine = [
        {"item": "chat_helped", "construct": "perception", "label": "Was the conversation helpful?", **scale},
        {"item": "done", "construct": "goal", "label": "Came in order to change it", **scale, "kind": "binary"},
    ]
    assert len(codebook(pd.DataFrame(fine))) == 2
    for name in ("has_ordered", "order_placed", "session_order", "bestellt"):
        with pytest.raises(WaageError, match=f"{name} is a purchase of the session"):
            codebook(pd.DataFrame([*fine, {"item": name, "construct": "goal", "label": "x", **scale}]))


def test_the_audit_compares_with_visits_of_the_same_units_and_weeks(people):
    items = pd.concat([ITEMS, pd.DataFrame([{"item": "session_order", "kind": "trait"}])]).assign(instrument="ix")
    rng = np.random.default_rng(0)
    first = people["week"] == people["week"].min()
    answered = people.assign(
        trait_session_order=np.where(rng.random(len(people)) < np.where(first, 0.4, 0.04), "yes", "no")
    )
    own = Measurement(score(answered, items, reference_mix()), answered, items, None, None, pd.DataFrame())
    sales = answered[["unit", "week"]].drop_duplicates().assign(visits=1000)
    sales["orders"] = np.where(sales["week"] == people["week"].min(), 400, 40)
    # Years without a survey in which nobody bought say nothing about who answers.
    other = sales.assign(week=sales["week"] - pd.Timedelta(weeks=520), orders=0, visits=90_000)
    found = conversion_audit(own, pd.concat([sales, other])).iloc[0]
    assert abs(found["gap"]) < 0.01 and abs(found["gap_se"]) < 3
    mine = answered["trait_session_order"] == "yes"
    w = own.scores.person_weights
    assert found["respondents"] == pytest.approx((w * mine).sum() / w.sum()) and found["respondents"] != mine.mean()


def test_a_turned_scale_is_refused(people):
    with pytest.raises(WaageError, match=r"effort runs against the other items of goal .* `best` says min"):
        score(people.assign(effort=100 - people["effort"]), ITEMS, reference_mix())


def test_traits_and_weights_must_be_there(people):
    mix = pd.DataFrame({"trait": ["visitors"] * 2, "level": ["known", "new"], "share": [0.5, 0.5]})
    with pytest.raises(WaageError, match=r"'visitors' .did you mean 'visitor'"):
        score(people, ITEMS, mix)
    with pytest.raises(WaageError, match="add up to 1"):
        IxWeights("2", 0.5, 0.6)
    with pytest.raises(Refusal, match="0 of"):
        score(people.head(50).assign(**dict.fromkeys(codebook(ITEMS)["item"], np.nan)), ITEMS)


def test_answers_of_one_visitor_count_as_one(people):
    half = people.head(4000)
    twice = pd.concat([half, half]).assign(visitor=[*half["response_id"]] * 2)
    alone = score(half, ITEMS).table
    clustered = score(twice, ITEMS).table
    assert clustered["variance"].to_numpy() == pytest.approx(alone["variance"].to_numpy(), rel=0.02)


def test_thin_cells_take_the_usual_spread_of_their_unit(people):
    few = people.groupby(["unit", "week"]).head(6)
    found = score(few, ITEMS).table
    assert not found["own_variance"].any() and (found["variance"] > 0).all()
    wide = score(people, ITEMS).table
    assert found["variance"].mean() == pytest.approx(wide["variance"].mean() * wide["n"].mean() / 6, rel=0.25)


def test_a_unit_that_cannot_know_its_spread_takes_the_shops(people):
    units = people["unit"].unique()[:2]
    alone = people[people["unit"] == units[0]].groupby("week").head(1)
    both = pd.concat([alone, people[people["unit"] == units[1]]])
    found = score(both, ITEMS).table.set_index("unit")
    wide = found.loc[units[1]]
    assert found.loc[units[0], "variance"].mean() == pytest.approx((wide["variance"] * wide["n"]).mean(), rel=0.1)
    assert score(alone, ITEMS).table["variance"].isna().all(), "one answer a week knows no spread, not even 0"


def test_the_smooth_line_is_closer_to_the_truth_and_says_how_close(scores):
    line = smooth(scores.table, min_n=100).merge(true_ix(SMALL))
    raw = scores.table.merge(true_ix(SMALL))
    assert (line["smooth"] - line["true"]).std() < 0.8 * (raw["ix"] - raw["true"]).std()
    assert ((line["low"] <= line["true"]) & (line["true"] <= line["high"])).mean() > 0.82
    assert line["ix"].isna().any()
    assert scores.plot_units(language="de").get_title().startswith("IX von")


def test_boxes_validity_and_audit(people):
    shown = boxes(people, ITEMS)
    assert set(shown["measure"]) == {"top_2_box"} and shown["value"].between(shown["low"], shown["high"]).all()
    found = validity(people, codebook(ITEMS))
    assert found["better"].eq("two").all() and (found["cfi_two"] > 0.95).all() and (found["rmsea_two"] < 0.06).all()
    assert found[["alpha_perception", "omega_goal"]].stack().between(0.75, 0.9).all()
    known = reference_mix()
    gaps = audit(people, known).set_index(["trait", "level"])
    assert gaps.loc[("visitor", "known"), "gap_se"] > 5
    assert r_indicator(np.array([0.1, 0.1, 0.1])) == pytest.approx(1)
    with pytest.raises(WaageError, match="did you mean 'visitor'"):
        audit(people, known.replace({"trait": {"visitor": "visitors"}}))


def test_respondents_are_scored_one_by_one(people, scores):
    one = respondent_scores(people, ITEMS)
    assert one["ix"].mean() == pytest.approx(np.average(scores.table["raw"], weights=scores.table["n"]), abs=1e-6)


def test_weights_of_the_sub_indices_are_a_version(people):
    found = score(people.head(3000), ITEMS, weights=IxWeights("2026", 1.0, 0.0))
    assert found.weights.version == "2026"
    assert found.table["ix"].to_numpy() == pytest.approx(found.table["perception"].to_numpy())
    assert found.respondents <= 3000
