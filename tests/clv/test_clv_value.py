import ibis
import numpy as np
import pandas as pd
import pytest

from waage.clv import (
    ForecastError,
    Terms,
    customer_value,
    fit_calendar,
    fit_purchases,
    fit_spend,
    order_total,
    past_error,
    score_histories,
    value_cells,
    value_concentration,
    value_sentence,
    value_table,
    value_totals,
)
from waage.clv.value import month_ends
from waage.errors import Refusal, WaageError

from .customers import model_with, simulate, spend_with

TERMS = Terms("1997-09-30", margin_rate=0.35, discount_rate=0.10)


def valued(customers, model, spend, terms=TERMS, **options):
    return customer_value(customers, score_histories(customers, model, spend, terms, **options))


@pytest.fixture(scope="module")
def scores(sample, mbg, spend):
    return score_histories(sample, mbg, spend, TERMS)


@pytest.fixture(scope="module")
def values(sample, scores):
    return customer_value(sample, scores)


def test_months_are_calendar_months():
    assert month_ends("2025-06-30", 3).tolist() == [31, 62, 92]
    assert month_ends("2023-12-31", 12).tolist()[1:3] == [60, 91]
    assert month_ends("2023-12-31", 12)[-1] == 366
    assert month_ends("2025-01-30", 2).tolist() == [28, 59]


def test_one_row_per_person_with_what_the_models_say(values, sample, mbg, spend):
    assert values["person_id"].is_unique and len(values) == len(sample)
    contract = [
        "person_id", "p_alive", "p_order_90d", "expected_orders", "expected_order_value", "value_12m", "clv",
        "clv_low", "clv_high",
    ]  # fmt: skip
    assert list(values.columns[:9]) == contract
    assert not values[contract].isna().any().any()
    people = sample.sort_values("person_id")
    history = people["frequency"], people["recency"], people["T"]
    np.testing.assert_allclose(values["p_alive"], mbg.p_alive(*history))
    np.testing.assert_allclose(values["p_order_90d"], mbg.p_order(90, *history))
    np.testing.assert_allclose(values["expected_orders"], mbg.expected_orders(365, *history))
    each = spend.expected_order_value(people["frequency"], people["monetary"])
    np.testing.assert_allclose(values["expected_order_value"], each)
    if_active = values["clv"] / values["p_alive"]
    np.testing.assert_allclose(values["value_endangered"], if_active * (1 - values["p_alive"]), rtol=1e-6)
    wait = mbg.days_to_order(*history)
    assert values["days_to_order"].isna().equals(pd.Series(~np.isfinite(wait)))
    likely = np.isfinite(wait)
    at_median = mbg.p_order(wait[likely], *(column[likely] for column in history))
    np.testing.assert_allclose(at_median, 0.5, atol=1e-6)


def test_value_is_the_discounted_sum_over_months(values, sample, mbg, spend):
    person = sample.set_index("person_id").loc["0001"]
    history = person["frequency"], person["recency"], person["T"]
    starts = pd.date_range("1997-10-01", periods=37, freq="MS")
    before, clv, first_year = 0.0, 0.0, 0.0
    for month, end in enumerate(starts[1:], start=1):
        until = float(mbg.expected_orders((end - starts[0]).days, *history))
        clv += 0.35 * (until - before) / 1.10 ** ((month - 0.5) / 12)
        first_year = clv if month == 12 else first_year
        before = until
    each = float(spend.expected_order_value(person["frequency"], person["monetary"]))
    found = values.set_index("person_id").loc["0001"]
    assert found["clv"] == pytest.approx(clv * each, rel=1e-9)
    assert found["value_12m"] == pytest.approx(first_year * each, rel=1e-9)


def test_terms_change_what_they_should(sample, mbg, spend):
    free = Terms("1997-09-30", margin_rate=1.0, discount_rate=0.0, clv_years=1)
    values = valued(sample, mbg, spend, free, draws=0)
    np.testing.assert_allclose(values["clv"], values["value_12m"])
    np.testing.assert_allclose(values["clv"], values["expected_orders"] * values["expected_order_value"])
    half = valued(sample, mbg, spend, Terms("1997-09-30", 1.0, 0.0, horizon_months=6), draws=0)
    assert (half["expected_orders"] < values["expected_orders"]).all()
    assert (half["clv"] > values["clv"]).all()
    assert half["clv_low"].isna().all()


def test_all_years_are_dert(sample, pareto, mbg, spend):
    forever = Terms("1997-09-30", 1.0, 0.15, clv_years=0)
    values = valued(sample, pareto, spend, forever, draws=0)
    people = sample.sort_values("person_id")
    orders = pareto.discounted_orders(0.15, people["frequency"], people["recency"], people["T"])
    np.testing.assert_allclose(values["clv"], orders * values["expected_order_value"].to_numpy(), rtol=1e-9)
    long = valued(sample, pareto, spend, Terms("1997-09-30", 1.0, 0.15, clv_years=60), draws=0)
    # Sixty years in monthly steps and all of time in one formula: the step costs a few tenths of a percent.
    assert long["clv"].sum() == pytest.approx(values["clv"].sum(), rel=0.005)
    with pytest.raises(Refusal, match="needs the model 'pareto'"):
        score_histories(sample, mbg, spend, forever)


def test_returns_may_make_a_value_negative(sample, mbg, spend):
    people = sample.assign(return_rate=np.where(sample["person_id"] < "1000", 0.9, 0.0))
    costly = Terms("1997-09-30", 0.35, 0.10, return_cost=30.0)
    scores = score_histories(people, mbg, spend, costly)
    values = customer_value(people, scores).set_index("person_id")
    plain = valued(sample, mbg, spend).set_index("person_id")
    returning = values.index < "1000"
    assert (values.loc[returning, "clv"] < plain.loc[returning, "clv"]).all() and (values["clv"] < 0).any()
    np.testing.assert_allclose(values.loc[~returning, "clv"], plain.loc[~returning, "clv"])
    assert (values["clv_low"] <= values["clv_high"]).all()
    held = value_concentration(values.reset_index(), 0.5)
    assert held > 1
    totals = value_totals(value_cells(people), scores).set_index("measure")
    assert totals.loc["clv", "value"] == pytest.approx(values["clv"].sum(), rel=1e-9)


def test_row_order_and_index_change_nothing(sample, mbg, spend, values):
    shuffled = sample.sample(frac=1, random_state=1).set_index(pd.RangeIndex(5, 5 + len(sample)))
    pd.testing.assert_frame_equal(valued(shuffled, mbg, spend), values, check_exact=True)
    other = valued(sample, mbg, spend, seed=8)
    assert not values["clv_high"].equals(other["clv_high"])
    assert values["clv"].equals(other["clv"])


def test_the_lazy_table_is_the_same(sample, scores, values):
    con = ibis.duckdb.connect()
    table = con.create_table("histories", sample.drop(columns="x_holdout").assign(revenue=100.0))
    lazy = value_table(table, scores).order_by("person_id").execute()
    expected = values.assign(value_past=35.0, value_total=values["clv"] + 35.0)
    assert list(lazy.columns) == list(expected.columns)
    pd.testing.assert_frame_equal(lazy, expected, check_dtype=False, rtol=1e-12)
    stored = con.create_table("scores", scores.table)
    again = value_table(table, scores, stored).order_by("person_id").execute()
    pd.testing.assert_frame_equal(again, lazy, check_dtype=False, rtol=1e-12)


def test_bg_never_says_who_is_alive_among_one_time_buyers(sample, bg, mbg, spend):
    alone = valued(sample, bg, spend, draws=0).set_index("person_id")
    once = sample.set_index("person_id")["frequency"].reindex(alone.index) == 0
    assert alone.loc[once, "p_alive"].isna().all() and alone.loc[~once, "p_alive"].notna().all()
    helped = customer_value(sample, score_histories(sample, bg, spend, TERMS, alive_model=mbg, draws=0))
    assert helped["p_alive"].max() < 1 and helped["p_alive"].notna().all()


def test_totals_hold_the_expectation_and_widen(values, sample, scores):
    groups = sample.assign(segment=np.where(sample["frequency"] > 0, "back", "once"))
    cells = value_cells(groups, "segment")
    assert cells["n"].sum() == len(sample)
    totals = value_totals(cells, scores).set_index(["group", "measure"])
    assert [group for group, _ in totals.index[::3]] == ["back", "once", "all"]
    for (group, measure), row in totals.iterrows():
        mine = values.set_index("person_id")
        if group != "all":
            mine = mine[groups.set_index("person_id")["segment"].reindex(mine.index) == group]
        assert row["value"] == pytest.approx(mine[measure].sum(), rel=1e-9)
        assert row["low"] < row["value"] < row["high"] and row["n"] == len(mine)
    wide = value_totals(cells, scores, error=ForecastError()).set_index(["group", "measure"])
    assert ((wide["high"] - wide["low"]) > 1.2 * (totals["high"] - totals["low"]).loc[wide.index]).loc["all"].all()
    # The total of all knows less than the sum of the groups' widths: chance averages out.
    spread = totals["high"] - totals["low"]
    assert (spread["all"] < spread["back"] + spread["once"]).all()


def test_the_first_years_spread_is_that_of_a_first_year(sample, pareto, spend, scores):
    one = score_histories(sample, scores.purchases, spend, Terms("1997-09-30", 0.35, 0.10, clv_years=1), seed=4)
    table = scores.table
    assert table["variance_12m"].sum() == pytest.approx(one.table["variance"].sum(), rel=0.15)
    np.testing.assert_array_equal(one.table["variance_12m"], one.table["variance"])
    assert (table["variance_12m"] <= table["variance"]).mean() > 0.99
    # Three years' variance times the share of orders would be far too much: part of it grows with the square.
    share = table["orders_12m"].sum() / table["orders_clv"].sum()
    assert table["variance_12m"].sum() < 0.75 * share * table["variance"].sum()
    ever = score_histories(sample, pareto, spend, Terms("1997-09-30", 0.35, 0.10, clv_years=0), draws=20)
    assert (ever.table["variance_12m"] <= ever.table["variance"]).mean() > 0.9


def test_totals_move_by_what_past_forecasts_missed(sample, scores):
    cells = value_cells(sample)
    drifting = ForecastError(0.1, 3, -0.2)
    plain, moved, own, left = (
        value_totals(cells, scores, error=error, corrected=corrected).set_index("measure")
        for error, corrected in (
            (ForecastError(0.1, 3), True),
            (drifting, True),
            (ForecastError(0.1, 3, -0.2, of_money=ForecastError(0.1, 3, 0.1)), True),
            (drifting, False),
        )
    )
    ends = ["value", "low", "high"]
    np.testing.assert_allclose(moved[ends], np.exp(-0.2) * plain[ends])
    assert own.loc["clv", "value"] == pytest.approx(np.exp(0.1) * plain.loc["clv", "value"])
    assert own.loc["expected_orders", "value"] == pytest.approx(moved.loc["expected_orders", "value"])
    pd.testing.assert_frame_equal(left, plain)
    sentence = value_sentence(moved.reset_index(), 0.8, TERMS)
    assert "over 3 years" in sentence and "which lower it by 18%" in sentence
    assert "heben" in value_sentence(own.reset_index(), 0.8, TERMS, language="de")
    assert "included);" in value_sentence(plain.reset_index(), 0.8, TERMS)
    for years, said in ((0, "over all years to come"), (1, "over one year")):
        assert said in value_sentence(plain.reset_index(), 0.8, Terms("1997-09-30", 0.35, 0.1, clv_years=years))


def test_past_errors_widen_totals_by_what_chance_does_not_explain(sample, mbg):
    known = past_error([100, 100], [100, 100], [0.2, 0.2])
    bad = past_error([100, 100], [150, 60])
    assert known.scale == pytest.approx(0.1 * np.sqrt(5 / 7)) and bad.scale > 0.2
    widths = []
    for error in (None, known, bad):
        total = order_total(sample, mbg, 273, error=error)
        widths.append(total["high"] - total["low"])
        assert total["low"] < total["value"] < total["high"]
    assert widths == sorted(widths)
    with pytest.raises(WaageError, match="positive totals"):
        past_error([0], [1])


def test_draws_have_the_mean_and_spread_of_simulated_customers(mbg, pareto, spend):
    person = {"frequency": 3, "recency": 200, "T": 272, "monetary": 40.0}
    people = pd.DataFrame([person] * 2).assign(person_id=["a", "b"])
    for model in (mbg, pareto):
        table = score_histories(people, model, spend, TERMS, draws=20_000).table.iloc[0]
        drawn = model.draw_orders(365, [3], [200], [272], draws=20_000, rng=np.random.default_rng(1))
        assert table["variance_orders"] == pytest.approx(drawn.var(), rel=0.1)
        assert table["low"] < table["high"]
        # A draw of value has the closed form's mean: unit + x m times money per unit.
        scored = score_histories(people, model, spend, Terms("1997-09-30", 1.0, 0.0, level=0.5), draws=20_000)
        value = customer_value(people, scored).iloc[0]
        assert value["clv_low"] < value["clv"] < 3 * value["clv_high"]


@pytest.mark.parametrize("kind", ["bg", "mbg"])
def test_intervals_cover_simulated_customers(kind):
    rng = np.random.default_rng(3)
    people = simulate(kind, (0.8, 20.0, 0.7, 2.5), rng.integers(100, 366, 4000).astype(float), 21, future_days=365)
    people["recency"] = np.maximum(np.ceil(people["recency"]), people["frequency"])
    people["T"] = np.maximum(people["T"], people["recency"])
    people["person_id"] = [f"{i:05d}" for i in range(len(people))]
    p, q, v = 4.0, 3.0, 30.0
    nu = rng.gamma(q, 1 / v, len(people))
    x = people["frequency"].to_numpy()
    people["monetary"] = np.where(x > 0, rng.gamma(p * x + (x == 0)) / nu / np.maximum(x, 1), np.nan)
    spent = rng.gamma(p * people["future"]) / nu
    model = fit_purchases(people, kind)
    scores = score_histories(people, model, spend_with(p, q, v), Terms("1997-09-30", 1.0, 0.0, clv_years=1))
    values = customer_value(people, scores)
    inside = (values["clv_low"] <= spent) & (spent <= values["clv_high"])
    # Nominal 80 %; above it, because many customers buy nothing and their interval holds zero.
    assert inside.mean() > 0.79
    # Among those sure to buy the interval has no atom to hide in: it should be near nominal.
    sure = model.p_order(365, people["frequency"], people["recency"], people["T"]) > 0.9
    assert sure.sum() > 150
    assert 0.72 < inside[sure].mean() < 0.90
    totals = value_totals(value_cells(people), scores).set_index("measure")
    assert totals.loc["expected_orders", "value"] == pytest.approx(people["future"].sum(), rel=0.08)


def test_with_a_season_money_comes_when_it_comes(sample, spend):
    days = pd.date_range("1994-10-01", "1997-09-30")
    season = np.where(days.month == 12, 30, 10)
    calendar = fit_calendar(pd.DataFrame({"day": days, "purchases": season}), pd.Timestamp("1997-09-30").date())
    model = fit_purchases(sample, "mbg", calendar=calendar)
    plain = fit_purchases(sample, "mbg")
    history = sample["frequency"], sample["recency"], sample["T"]
    ends = month_ends("1997-09-30", 12)
    monthly, flat = (
        np.diff([m.expected_orders(end, *history).sum() for end in ends], prepend=0.0) for m in (model, plain)
    )
    assert np.argmax(monthly) == 2  # December
    assert monthly[2] > 1.8 * flat[2] > 0
    scores = score_histories(sample, model, spend, TERMS, draws=20)
    assert np.isfinite(scores.table[["low", "high"]]).all().all()
    with pytest.raises(WaageError, match="calendar starts after"):
        score_histories(sample, model, spend, Terms("1997-10-31", 0.35, 0.1))


def test_concentration_is_a_share():
    assert value_concentration(pd.Series([6.0, 2.0, 1.0, 1.0, 0.0]), 0.2) == pytest.approx(0.6)
    assert value_concentration(pd.Series([6.0, 2.0, 1.0, 1.0, 0.0]), 0.3) == pytest.approx(0.7)
    assert value_concentration(pd.DataFrame({"clv": [5.0] * 10}), 0.2) == pytest.approx(0.2)
    assert np.isnan(value_concentration(pd.Series([0.0, 0.0])))
    # Return costs can make values negative: the others then hold more than everything.
    assert value_concentration(pd.Series([-1.0, 2.0]), 0.5) == pytest.approx(2.0)
    for bad in (pd.Series([np.nan]), pd.Series([], dtype=float)):
        with pytest.raises(WaageError, match="concentration needs"):
            value_concentration(bad)


def test_all_faults_are_named(sample, mbg, scores):
    with pytest.raises(WaageError) as caught:
        Terms("soon", margin_rate=35, discount_rate=-0.1, horizon_months=0, clv_years=-1, return_cost=-1, level=1.5)
    for part in ("as_of", "margin_rate", "discount_rate", "horizon_months", "clv_years", "return_cost", "level"):
        assert part in str(caught.value)
    with pytest.raises(WaageError, match="person_id must be unique"):
        customer_value(pd.concat([sample, sample.head(1)]), scores)
    with pytest.raises(Refusal, match=r"q = 0\.900"):
        score_histories(sample, mbg, spend_with(6.0, 0.9, 15.0), TERMS)
    with pytest.raises(WaageError, match="column monetary missing"):
        customer_value(sample.drop(columns="monetary"), scores)
    unseen = sample.head(1).assign(frequency=50, recency=271, T=272)
    with pytest.raises(WaageError, match="1 histories have none"):
        customer_value(unseen, scores)
    with pytest.raises(WaageError, match="1 histories have none"):
        value_totals(value_cells(unseen), scores)


def test_one_customer_can_be_valued_but_not_fitted(sample, mbg, spend):
    one = sample.head(1)
    values = valued(one, mbg, spend, draws=50)
    assert len(values) == 1 and np.isfinite(values["clv"].iloc[0])
    with pytest.raises(Refusal, match="customers bought again"):
        fit_purchases(one)
    with pytest.raises(Refusal, match="customers have repeat purchases"):
        fit_spend(one)


def test_a_plus_b_below_one_is_said_and_does_no_harm(sample, spend):
    model = model_with("bg", 0.2, 3.0, 0.15, 0.25)
    assert "a + b = 0.400 is below 1" in model.caution
    values = valued(sample, model, spend, draws=0)
    assert np.isfinite(values["clv"]).all()
