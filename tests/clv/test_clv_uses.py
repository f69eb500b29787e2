from dataclasses import replace
from datetime import date, timedelta

import ibis
import matplotlib
import numpy as np
import pandas as pd
import pytest

from waage.clv import (
    ForecastError,
    Terms,
    alive_path,
    budget_table,
    churn_list,
    cumulative_orders,
    customer_value,
    first_purchases,
    fit_calendar,
    fit_models,
    fit_purchases,
    forecast_check,
    forecast_sentence,
    in_groups,
    list_summary,
    memberships,
    newcomer_list,
    newcomer_pace,
    newcomer_value,
    outlook,
    plot_cumulative,
    plot_totals,
    plot_year,
    return_rates,
    score_histories,
    share_of_rest,
    shown_totals,
    typical_days,
    value_cells,
    value_sentence,
    value_totals,
)
from waage.clv.histories import KEYS
from waage.clv.totals import hide_small
from waage.clv.tracking import history_grid
from waage.clv.uses import _newcomers_orders
from waage.errors import Refusal, WaageError

from .customers import CUT, cdnow_orders

TERMS = Terms(CUT, margin_rate=0.35, discount_rate=0.10)


@pytest.fixture(scope="module")
def scores(sample, mbg, spend):
    return score_histories(sample, mbg, spend, TERMS, draws=50)


@pytest.fixture(scope="module")
def values(sample, scores):
    return customer_value(sample, scores)


@pytest.fixture(scope="module")
def orders():
    """CDNOW's sample as `customer_orders` would return it."""
    frame = cdnow_orders("sample").rename(columns={"dollars": "net_revenue"})
    frame["channel"] = np.where(frame["person_id"] < "1000", "app", "web")
    frame["ordered_at"], frame["counts"] = frame["day"], True
    return ibis.memtable(frame.assign(day=frame["day"].dt.date))


@pytest.fixture
def plt():
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def test_the_churn_list_holds_good_customers_who_may_have_left(values):
    found = churn_list(values, 20)
    assert len(found) == 20 and found["value_endangered"].is_monotonic_decreasing
    assert found["p_alive"].between(0.05, 0.99).all()
    np.testing.assert_allclose(found["value_if_active"] * (1 - found["p_alive"]), found["value_endangered"], rtol=1e-6)
    assert found["value_if_active"].median() > 5 * values["clv"].median()
    everybody = churn_list(values, 20, lowest_p=0.0)
    assert everybody["value_endangered"].iloc[0] >= found["value_endangered"].iloc[0]
    assert churn_list(ibis.memtable(values), 3).equals(found.head(3))


def test_newcomers_with_high_potential(values, sample):
    found = newcomer_list(values, newest_days=200, top=15)
    assert len(found) == 15 and found["clv"].is_monotonic_decreasing and (found["T"] <= 200).all()
    bought = sample.set_index("person_id")["frequency"].loc[found["person_id"]]
    assert bought.min() >= 1, "the best newcomers have come back already"
    assert newcomer_list(values, newest_days=10).empty


def test_the_pace_of_newcomers_does_not_take_the_first_customers_of_the_data_for_new():
    # 900 in the first weeks of a year, as a panel begins; then five a week.
    ages = np.concatenate([np.full(900, 360), np.arange(0, 182, 7).repeat(5)])
    pace = newcomer_pace(pd.DataFrame({"T": ages, "first_value": 20.0}), CUT.date())
    assert pace["new_per_week"] == pytest.approx(5, abs=0.3) and pace["first_value"] == 20.0
    assert pace["new_spread"] == 0 and pace["first_spread"] == 0 and pace["weeks_seen"] == 25
    none = newcomer_pace(pd.DataFrame({"T": [300, 310], "first_value": [1.0, 2.0]}), CUT.date())
    assert none["new_per_week"] == none["first_value"] == none["new_spread"] == none["first_spread"] == 0


def test_the_budget_adds_up(values, sample, scores):
    groups = sample.assign(group=np.where(sample["frequency"] > 1, "loyal", "rest"))
    joined = values.merge(groups[["person_id", "group"]], on="person_id")
    totals = value_totals(value_cells(groups, "group"), scores)
    table = budget_table(joined, totals=totals).set_index("group")
    assert table["customers"].sum() == len(sample) and table["clv_share"].sum() == pytest.approx(1)
    assert table["clv"].sum() == pytest.approx(values["clv"].sum())
    assert table["active"].sum() == pytest.approx(values["p_alive"].sum())
    assert (table["clv_low"] < table["clv"]).all() and (table["clv"] < table["clv_high"]).all()
    assert list(table.index) == ["loyal", "rest"]
    moved = value_totals(value_cells(groups, "group"), scores, error=ForecastError(0.1, 3, -0.2))
    lower = budget_table(joined, totals=moved).set_index("group")
    for name in ("value_12m", "clv", "endangered", "clv_per_customer"):
        np.testing.assert_allclose(lower[name], np.exp(-0.2) * table[name])
    assert lower["clv"].sum() == pytest.approx(moved.query("group == 'all' and measure == 'clv'")["value"].iloc[0])
    assert (lower["clv_low"] < lower["clv"]).all() and lower["clv_share"].sum() == pytest.approx(1)
    hidden = budget_table(joined, totals=totals, min_cell=2000)
    assert hidden["clv"].isna().all() and hidden["customers"].isna().all()
    beside = budget_table(joined, totals=totals, min_cell=10, others=4)
    assert beside["customers"].isna().sum() == 1, "four who object are not to be had as the rest of a total"
    plain = budget_table(values.assign(segment=None), "segment")
    assert plain["group"].tolist() == ["–"] and plain["clv_low"].isna().all()


@pytest.fixture
def members(sample):
    """Three types by probability: everybody a third of the second, the rest split by who bought again."""
    again = (sample["frequency"] > 0).to_numpy()
    first = np.where(again, 0.6, 0.1)
    p = pd.DataFrame({"person_id": sample["person_id"], "p_1": first, "p_2": 0.3, "p_3": 0.7 - first})
    types = p.assign(type=np.where(again, "type_4", "type_7"), type_p=p[["p_1", "p_2", "p_3"]].max(axis=1), band="sure")
    types = types.iloc[:-7]  # some customers have no type
    segments = pd.DataFrame({"person_id": sample["person_id"], "segment": np.where(again, "loyal", "lost")})
    return memberships(ibis.memtable(segments), ibis.memtable(types))


def test_customers_count_in_each_type_by_its_probability(values, sample, scores, members):
    assert list(members) == ["segment", "type"] and memberships(None, None) == {"all": None}
    people, worth = ibis.memtable(sample[["person_id", *KEYS, "monetary"]]), ibis.memtable(values)
    totals = value_totals(value_cells(in_groups(people, members["type"]), "group"), scores, seed=1)
    budget = budget_table(in_groups(worth, members["type"]), totals=totals).set_index("group")
    # The names come from whose likeliest type each probability is; nobody's likeliest type is the second.
    assert set(budget.index) == {"type_4", "p_2", "type_7", "–"}
    assert budget.loc["p_2", "customers"] == pytest.approx(0.3 * (len(sample) - 7))
    typed = values[~values["person_id"].isin(sample["person_id"].iloc[-7:])]
    assert budget.loc["p_2", "clv"] == pytest.approx(0.3 * typed["clv"].sum())
    assert budget["clv"].sum() == pytest.approx(values["clv"].sum())
    assert budget["clv"].drop("–").sum() == pytest.approx(typed["clv"].sum())
    summed = totals[totals["measure"] == "clv"].set_index("group")
    assert summed.loc["p_2", "value"] == pytest.approx(budget.loc["p_2", "clv"])
    assert summed.loc["all", "value"] == pytest.approx(values["clv"].sum()) and summed.loc["all", "n"] == len(sample)
    one = value_totals(value_cells(sample.assign(segment="champions"), "segment"), scores, seed=1)
    assert one["group"].unique().tolist() == ["champions", "all"], "all is there when everybody is in one segment"
    assert "over 3 years" in value_sentence(one, 0.5, TERMS)
    whole = value_totals(value_cells(in_groups(people, None), "group"), scores, seed=1)
    assert whole["group"].unique().tolist() == ["all"]
    np.testing.assert_allclose(
        whole.set_index("measure")["value"], totals[totals["group"] == "all"].set_index("measure")["value"]
    )


def test_totals_of_small_groups_are_not_shown(sample, scores):
    size = np.where(np.arange(len(sample)) < 5, "few", np.where(np.arange(len(sample)) < 105, "some", "many"))
    totals = value_totals(value_cells(sample.assign(group=size), "group"), scores)
    assert set(totals["group"]) == {"few", "some", "many", "all"}
    # With the few the next smallest goes, as a total and all others would tell them.
    assert set(shown_totals(totals, min_cell=10)["group"]) == {"many", "all"}
    assert set(shown_totals(totals, min_cell=5)["group"]) == {"few", "some", "many", "all"}
    assert shown_totals(totals, min_cell=10_000).empty


def test_who_objects_covers_for_no_small_group():
    table = pd.DataFrame({"group": ["a", "b", "c"], "customers": [9, 40, 60], "clv": [1.0, 2.0, 3.0]})
    # Nine customers and four who object are thirteen, but the objectors have no value that could hide theirs.
    hidden = hide_small(table, "customers", "clv", min_cell=10, others=4)
    assert hidden["clv"].isna().tolist() == [True, True, False]
    enough = table.assign(customers=[9, 8, 60])
    assert hide_small(enough, "customers", "clv", min_cell=10, others=4)["clv"].isna().tolist() == [True, True, False]
    large = table.assign(customers=[30, 40, 60])
    assert hide_small(large, "customers", min_cell=10, others=4)["customers"].isna().tolist() == [True, False, False]
    assert hide_small(large, "customers", min_cell=10, others=12)["customers"].notna().all()


def test_lists_are_told_without_a_person(values):
    lost, young = churn_list(values, 40), newcomer_list(values, newest_days=200, top=30)
    text = list_summary("win_back", lost, min_cell=10)
    assert "40 customers" in text and "probability of" in text
    assert "30 wertvollsten Neukunden" in list_summary("newcomers", young, min_cell=10, language="de")
    for person in [*lost["person_id"], *young["person_id"]]:
        assert f" {person} " not in text
    assert "too few" in list_summary("win_back", lost.head(9), min_cell=10)
    assert "zu wenige" in list_summary("newcomers", young.head(0), min_cell=0, language="de")


def test_a_typical_history_is_nobodys(sample, mbg):
    days = typical_days(sample, CUT.date())
    again = sample[sample["frequency"] > 0]
    assert len(days) == int(again["frequency"].median()) + 1 and days == sorted(set(days))
    assert days[-1] < CUT.date() and alive_path(mbg, days, CUT.date())["p_alive"].between(0, 1).all()
    with pytest.raises(Refusal, match="nobody bought twice"):
        typical_days(sample[sample["frequency"] == 0], CUT.date())
    daily = pd.DataFrame({"frequency": [3, 3], "recency": [3, 3], "T": [3, 3]})
    assert len(typical_days(daily, CUT.date())) == 4


def test_the_outlook_beside_the_plan(sample, mbg, spend):
    plan = [20_000.0, float("nan"), 200_000.0]
    found = outlook(sample, mbg, spend, plan=plan, error=ForecastError()).set_index("weeks")
    history = sample["frequency"], sample["recency"], sample["T"]
    each = spend.expected_order_value(sample["frequency"], sample["monetary"])
    for weeks, row in found.iterrows():
        expected = mbg.expected_orders(7 * weeks, *history)
        assert row["orders"] == pytest.approx(expected.sum())
        assert row["revenue"] == pytest.approx((expected * each).sum())
        assert row["orders_low"] < row["orders"] < row["orders_high"]
        assert row["revenue_low"] < row["revenue"] < row["revenue_high"]
    assert bool(found.loc[13, "plan_within"]) and not found.loc[52, "plan_within"] and pd.isna(found.loc[26, "plan"])
    assert found.loc[52, "plan_gap"] == pytest.approx(found.loc[52, "revenue"] / 200_000 - 1)
    with pytest.raises(WaageError, match="plan has 2 amounts; give one for each of 13, 26, 52 weeks"):
        outlook(sample, mbg, spend, plan=plan[:2])
    drifting = outlook(sample, mbg, spend, error=ForecastError(0.1, 1, 0.2)).set_index("weeks")
    np.testing.assert_allclose(drifting["revenue"], np.exp(0.2) * found["revenue"])
    # What was learned of orders is not what was learned of money.
    error = ForecastError(0.1, 1, 0.2, of_money=ForecastError(0.3, 1, -0.1))
    apart = outlook(sample, mbg, spend, error=error).set_index("weeks")
    np.testing.assert_allclose(apart["orders"], np.exp(0.2) * found["orders"])
    np.testing.assert_allclose(apart["revenue"], np.exp(-0.1) * found["revenue"])
    relative = (apart["revenue_high"] - apart["revenue_low"]) / apart["revenue"]
    assert (relative > 2 * (apart["orders_high"] - apart["orders_low"]) / apart["orders"]).all()
    # A plan is the whole company's: a fifth of its revenue is anonymous here.
    whole = outlook(sample, mbg, spend, plan=[20_000.0] * 3, rest_share=0.2, error=ForecastError()).set_index("weeks")
    np.testing.assert_allclose(whole["revenue_all"], found["revenue"] / 0.8)
    np.testing.assert_allclose(whole["plan_gap"], found["revenue"] / 16_000 - 1)
    assert whole.loc[13, "revenue_all_high"] == pytest.approx(found.loc[13, "revenue_high"] / 0.8)
    with pytest.raises(WaageError, match=r"rest_share must be a share of at least 0 and below 1, got 1\.0"):
        outlook(sample, mbg, spend, rest_share=1.0)
    more = outlook(sample, mbg, spend, new_per_week=10, first_value=30.0).set_index("weeks")
    assert (more["orders_new"] > 10 * more.index).all() and (more["orders"] > found["orders"]).all()


def test_the_interval_knows_that_nobody_knows_how_many_will_come(sample, mbg, spend):
    certain = replace(mbg, log_draw_factor=np.zeros((4, 4)))
    few = sample.head(2)
    pace = {"new_per_week": 50.0, "new_spread": 15.0, "first_value": 30.0, "first_spread": 20.0, "weeks_seen": 52}
    found = outlook(few, certain, spend, weeks=[13], **pace).iloc[0]
    rng = np.random.default_rng(1)
    orders, money = [], []
    expected = mbg.expected_orders(91, *(few[name] for name in KEYS))
    each = np.average(spend.expected_order_value(few["frequency"], few["monetary"]), weights=expected)
    for _ in range(400):
        won = np.maximum(rng.normal(50 + 15 * rng.standard_normal() / np.sqrt(52), 15, 13).round().astype(int), 0)
        back = [
            mbg.draw_orders(91 - 7 * (week + 0.5), *np.zeros((3, n)), draws=1, rng=rng, with_parameters=False).sum()
            for week, n in enumerate(won)
        ]
        orders.append(won.sum() + sum(back))
        money.append(rng.normal(30 * won.sum(), 20 * np.sqrt(won.sum())) + each * sum(back))
    for name, drawn, wide in (("orders", orders, 0.12), ("revenue", money, 0.20)):
        low, high = np.quantile(drawn, [0.1, 0.9])
        assert found[name] == pytest.approx(np.mean(drawn), rel=0.02)
        assert found[f"{name}_high"] - found[f"{name}_low"] == pytest.approx(high - low, rel=wide)


def test_new_customers_buy_again_in_the_season_they_come_in(sample):
    days = pd.date_range("1994-10-01", "1997-09-30")
    counts = pd.DataFrame({"day": days, "purchases": np.where(days.month == 12, 30, 10)})
    calendar = fit_calendar(counts, date(1997, 9, 30))
    model = fit_purchases(sample, "mbg", calendar=calendar)
    back, spread = _newcomers_orders(model, 26, np.random.default_rng(1))
    for week in (0, 8, 14, 20):
        # Whole days on either side of the middle of the week in which they come.
        around = [
            replace(model, calendar=calendar.at(date(1997, 9, 30) + timedelta(days=start))).expected_orders(
                182 - start, 0, 0, 0
            )
            for start in (7 * week + 3, 7 * week + 4)
        ]
        assert min(around) < back[week] < max(around)
    assert spread.mean() > back.mean(), "customers differ, so that counts spread more than by chance"


def test_what_cannot_be_forecast_by_customer_is_part_of_the_company():
    last = date(2024, 12, 31)
    rows = [("a", 100.0, True), ("b", 60.0, True), (None, 40.0, True), ("a", 999.0, False)]
    orders = pd.DataFrame(rows, columns=["person_id", "net_revenue", "counts"]).assign(day=last)
    early = orders.head(1).assign(person_id=None, day=date(2022, 1, 1))
    everyone = ibis.memtable(pd.concat([orders, early]))
    assert share_of_rest(everyone, everyone, last) == pytest.approx(0.2)
    willing = everyone.filter((everyone.person_id != "b") | everyone.person_id.isnull())
    assert share_of_rest(everyone, willing, last) == pytest.approx(0.5)
    assert share_of_rest(everyone, willing, last, min_cell=2) == pytest.approx(40 / 140), (
        "one objector is nobody's business"
    )
    assert share_of_rest(everyone, willing, date(2020, 1, 1)) == 0


def test_a_new_customer_is_worth_the_first_order_and_what_follows(orders, sample, bg, spend):
    first = first_purchases(orders, CUT.date()).execute()
    assert (
        len(first) == len(sample)
        and set(first["cohort"]) == {"1997 Q1"}
        and set(first["first_channel"]) == {"app", "web"}
    )
    people = sample.merge(first, on="person_id")
    young = newcomer_value(people, bg, TERMS, by="first_channel")
    assert not young["own_model"].any(), "nine months do not tell two channels apart"
    found = newcomer_value(people, bg, TERMS, by="first_channel", watched_days=200).set_index("group")
    assert list(found.index) == ["app", "web", "all"] and found["own_model"].tolist() == [True, True, False]
    everybody = found.loc["all"]
    assert everybody["first_margin"] == pytest.approx(0.35 * people["first_value"].mean())
    # Undiscounted expectation over three years bounds it from above.
    assert 0.7 * bg.expected_orders(1096, 0, 0, 0) < everybody["later_orders"] < bg.expected_orders(1096, 0, 0, 0)
    worth = everybody["first_margin"] + 0.35 * everybody["later_orders"] * everybody["order_value"]
    assert everybody["value"] == pytest.approx(worth)
    assert ((found["value_low"] < found["value"]) & (found["value"] < found["value_high"])).all()
    poor = newcomer_value(people, bg, TERMS, by="first_channel", min_repeaters=10_000, watched_days=0)
    assert not poor["own_model"].any()
    with pytest.raises(WaageError, match="column first_value missing"):
        newcomer_value(sample, bg, TERMS)


def test_a_new_customers_returns_cost_what_a_known_ones_do(orders, sample, mbg):
    people = sample.merge(first_purchases(orders, CUT.date()).execute(), on="person_id").assign(return_rate=0.2)
    plain, costly = (
        newcomer_value(people, mbg, Terms(CUT, 0.35, 0.10, return_cost=cost)).iloc[0] for cost in (0.0, 10.0)
    )
    assert costly["first_margin"] == pytest.approx(plain["first_margin"] - 2.0)
    assert costly["value"] == pytest.approx(plain["value"] - 2.0 * (1 + plain["later_orders"]))
    assert costly["value_low"] < costly["value"] < costly["value_high"] < plain["value_high"]


def test_a_season_needs_two_years():
    days = pd.date_range("1997-01-01", "1998-12-28")
    counts = pd.DataFrame({"day": days, "purchases": 5})
    with pytest.raises(Refusal, match="needs two years of purchases, there are 103 whole weeks"):
        fit_calendar(counts, days[-1].date())
    flat = fit_calendar(pd.concat([counts, pd.DataFrame({"day": [days[0] - pd.Timedelta(days=9)], "purchases": 5})]),
                        days[-1].date())  # fmt: skip
    # Nothing but noise is no season.
    assert np.abs(flat.index - 1).max() < 0.01
    with pytest.raises(WaageError, match="column purchases missing"):
        fit_calendar(counts[["day"]], days[-1].date())


def test_forecast_and_fact_over_time(sample, mbg, orders, plt):
    daily = orders.filter(orders.person_id.isin(sample["person_id"])).group_by("day").agg(purchases=ibis._.count())
    track = cumulative_orders(sample, mbg, daily.execute(), cut=CUT.date(), holdout_days=273, steps=3)
    assert track["actual"].iloc[-1] == 1882 and track["days"].tolist() == [91, 182, 273]
    assert track["predicted"].iloc[-1] == pytest.approx(1576.7, abs=0.1)
    assert (track["low"] < track["predicted"]).all() and (track["predicted"] < track["high"]).all()
    ax = plot_cumulative(track)
    drawn = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    assert drawn["Actual"][-1] == 1882 and drawn["Forecast made on 30 September 1997"][0] == 0
    assert plot_cumulative(track, plt.figure().add_subplot(), language="de").get_ylabel().startswith("Kauftage seit")


def test_one_customers_life(mbg, plt):
    bought = [date(1997, 1, 1), date(1997, 2, 1), date(1997, 3, 1), date(1997, 3, 1)]
    path = alive_path(mbg, bought, date(1997, 9, 30)).set_index("day")
    last = path.iloc[-1]
    assert last["frequency"] == 2 and last["p_alive"] == pytest.approx(mbg.p_alive(2, 59, 272))
    # Certainty fades between purchases and comes back with the next one.
    assert path.loc["1997-01-31", "p_alive"] < path.loc["1997-02-01", "p_alive"]
    assert (np.diff(path.loc["1997-03-02":, "p_alive"]) < 0).all()
    ax = mbg.plot_customer(bought, date(1997, 9, 30))
    assert ax.get_ylabel() == "Probability alive" and len(ax.collections[0].get_segments()) == 3
    with pytest.raises(WaageError, match="none up to 1996-12-31"):
        alive_path(mbg, bought, date(1996, 12, 31))


def test_a_life_on_the_clock_of_the_season_ends_where_the_model_says(sample):
    days = pd.date_range("1994-10-01", "1997-09-30")
    counts = pd.DataFrame({"day": days, "purchases": np.where(days.month == 12, 30, 10)})
    model = fit_purchases(sample, "mbg", calendar=fit_calendar(counts, date(1997, 9, 30)))
    path = alive_path(model, [date(1997, 1, 1), date(1997, 3, 1)], date(1997, 9, 30))
    assert path["p_alive"].iloc[-1] == pytest.approx(model.p_alive(1, 59, 272))


def test_bg_says_nothing_of_one_time_buyers(sample, bg, mbg, spend):
    path = alive_path(bg, [date(1997, 1, 1), date(1997, 3, 1)], date(1997, 9, 30)).set_index("frequency")
    assert path.loc[0, "p_alive"].isna().all() and path.loc[1, "p_alive"].notna().all()
    _, _, grid = history_grid(bg, "p_alive", 272)
    assert np.isnan(grid[:, 0]).all() and np.isfinite(grid[-1, 1:]).all()
    assert np.isfinite(history_grid(bg, "expected_orders", 272)[2][0, 0])
    scored = score_histories(sample, bg, spend, TERMS, alive_model=mbg, draws=0)
    values = customer_value(sample, scored).set_index("person_id")
    once = sample.set_index("person_id")["frequency"].reindex(values.index) == 0
    # BG/NBD's value of a one-time buyer is that of an active one: no more than all of it can be lost.
    assert (values.loc[once, "value_endangered"] < values.loc[once, "clv"]).all()
    assert values["value_endangered"].sum() < values["clv"].sum()
    lost = churn_list(values.reset_index(), 2000)
    np.testing.assert_allclose(lost["value_if_active"] * (1 - lost["p_alive"]), lost["value_endangered"])
    assert lost["value_if_active"].max() < 5 * values["clv"].max()


def test_maps_and_totals_are_drawn(mbg, pareto, sample, scores, plt):
    for model in (mbg, pareto):
        ax = model.plot_alive(T=272, highest=10)
        mesh = ax.collections[0].get_array()
        assert np.nanmax(mesh) <= 1 and ax.get_title() == "Customers first seen 272 days ago"
        assert model.plot_expected_orders(T=272, days=90).get_xlabel() == "Repeat purchase days"
    groups = sample.assign(segment=np.where(sample["frequency"] > 1, "loyal", "lost"))
    totals = value_totals(value_cells(groups, "segment"), scores)
    ax = plot_totals(totals)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["Lost", "Loyal customers"]
    with pytest.raises(WaageError, match="measure 'orders'"):
        plot_totals(totals, measure="orders")
    year = {"forecast": 41.2e6, "came": 40.1e6, "next": 43e6, "next_low": 39e6, "next_high": 47e6}
    ax = plot_year(year, language="de")
    assert [patch.get_height() for patch in ax.patches] == [41.2e6, 40.1e6, 43e6]
    assert ax.get_xticklabels()[1].get_text() == "Gekommen,\nletzte\n52 Wochen"


def test_the_first_screen_says_what_was_forecast_and_what_came(sample, mbg, spend):
    money = sample.assign(holdout_revenue=30.0)
    check = forecast_check((money, mbg, spend), (money, mbg, spend), weeks=39, error=ForecastError(0.1, 1, 0.1))
    assert check["came"] == 30 * 2357 and check["next"] == pytest.approx(np.exp(0.1) * check["forecast"])
    assert check["next_low"] < check["next"] < check["next_high"]
    sentence = forecast_sentence(check, "USD")
    assert sentence.startswith("The forecast for the last 39 weeks was $") and "$70.7k came" in sentence
    assert "gekommen sind 70,7" in forecast_sentence(check, "EUR", "de")


def test_return_rates_are_shrunken(orders):
    booked = orders.mutate(
        status=ibis.literal("shipped"), revenue=ibis._.net_revenue,
        net_revenue=ibis.ifelse(ibis._.person_id < "0500", 0.0, ibis._.net_revenue),
    )  # fmt: skip
    rates = return_rates(booked, CUT.date()).execute().set_index("person_id")["return_rate"]
    assert rates.between(0, 1).all() and rates[rates.index < "0500"].min() >= rates[rates.index >= "0500"].max()


def test_models_that_cannot_be_fitted_are_left_out(sample):
    assert list(fit_models(sample, time_unit="weeks")) == ["mbg", "pareto", "bg"]
    with pytest.raises(Refusal, match="customers bought again"):
        fit_models(sample.head(5))


def test_bad_histories_are_refused_one_by_one(sample):
    for broken, error, message in (
        (sample.assign(frequency=0, recency=0), Refusal, "0 of 2357 customers bought again"),
        (sample.head(1), Refusal, "customers bought again"),
        (sample.assign(frequency=0, recency=0, T=0), WaageError, "T is 0 for everybody"),
        (sample.assign(recency=sample["T"] + 1), WaageError, "beyond T"),
        (sample.assign(T=np.nan), WaageError, "T must be whole and not negative"),
        (sample.head(0), WaageError, "no rows"),
    ):
        with pytest.raises(error, match=message):
            fit_purchases(broken)


def test_a_horizon_of_nothing_is_refused(mbg, spend, sample):
    with pytest.raises(WaageError, match="horizon_months must be at least 1, got 0"):
        Terms(CUT, 0.35, 0.1, horizon_months=0)
    assert (mbg.expected_orders(0, *(sample[name] for name in ("frequency", "recency", "T"))) == 0).all()
