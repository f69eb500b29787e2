"""What intervals and forecasts are worth where the truth is known."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from waage.clv import (
    Terms,
    fit_calendar,
    fit_purchases,
    newcomer_value,
    order_total,
    past_error,
    predictive_check,
    score_histories,
    value_cells,
    value_totals,
)
from waage.clv.histories import KEYS
from waage.demo.world import LAST_DAY

from .customers import demo_customers, histories_of, model_with, simulate_many, spend_with


@pytest.fixture(scope="module", params=["bg", "mbg", "pareto"])
def world(request, bg, mbg, pareto):
    """60,000 customers who live by the model fitted on CDNOW's sample, entering over 12 weeks as there."""
    model = {"bg": bg, "mbg": mbg, "pareto": pareto}[request.param]
    T = np.random.default_rng(1).uniform(27, 39, 60_000)
    people = simulate_many(request.param, model.params.to_numpy(), T, 11, 39.0)
    return model, people.assign(recency=7 * people["recency"], T=7 * people["T"])


@pytest.mark.slow
def test_sets_of_counts_hold_what_they_say(world):
    model, people = world
    metrics, pit = predictive_check(model, people.head(20_000), people["future"].head(20_000), 273, draws=400, seed=3)
    # Exactly what the sets hold, within three standard errors; that is at least what they are called, and at most 8
    # points more, unless "nothing" alone holds more: Pareto/NBD gives it over 88 % for three customers in five.
    for level in (80, 95):
        held = metrics[f"mass_{level}"]
        assert metrics[f"coverage_{level}"] == pytest.approx(held, abs=3 * np.sqrt(held * (1 - held) / 20_000))
        assert held >= level / 100
    history = [people[name].head(20_000) for name in KEYS]
    nothing = (model.draw_orders(273, *history, draws=200, rng=np.random.default_rng(4)) == 0).mean(axis=0)
    floor = np.maximum(nothing, 0.80).mean()
    assert metrics["coverage_80"] <= max(0.88, floor + 0.02)
    assert metrics["coverage_80"] <= 0.88 or model.model == "pareto"
    assert metrics["pit_deviation"] < 0.01
    # 400 draws make the distribution function a staircase, too fine to matter with 20,000 customers.
    assert kstest(pit, "uniform").pvalue > 0.01


@pytest.mark.slow
def test_totals_hold_what_they_say(world):
    model, people = world
    certain = type(model)(
        model.model, model.time_unit, model.params, np.zeros((4, 4)), np.zeros((4, 4)), 0.0, 1, 1, "the truth"
    )
    inside = {0.8: [], 0.95: []}
    for number in range(400):
        group = people.iloc[150 * number : 150 * (number + 1)]
        came = group["future"].sum()
        for level, found in inside.items():
            total = order_total(group, certain, 273, level=level, parameter_draws=2, draws=40, seed=number)
            found.append(total["low"] <= came <= total["high"])
    # 400 groups of 150: standard errors of 2.0 and 1.1 points.
    assert np.mean(inside[0.8]) == pytest.approx(0.80, abs=0.03)
    assert np.mean(inside[0.95]) == pytest.approx(0.95, abs=0.03)


@pytest.mark.slow
def test_a_new_customers_interval_holds_the_truth_for_young_cohorts_too():
    params, terms = (0.8, 60.0, 0.7, 2.0), Terms("1997-09-30", 1.0, 0.10)
    spans = {"0 to 90": (0, 91), "91 to 180": (91, 181), "450 to 540": (450, 541), "640 to 730": (640, 731)}
    held, truth = {name: 0 for name in spans}, 0.0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        ages = np.concatenate([rng.integers(*span, 950) for span in spans.values()]).astype(float)
        people = simulate_many("mbg", params, ages, seed + 1, 0)
        people["recency"] = np.maximum(np.ceil(people["recency"]), people["frequency"])
        people["T"] = np.maximum(people["T"], people["recency"])
        people = people.assign(cohort=np.repeat([*spans], 950), first_value=40.0, monetary=40.0)
        truth = truth or newcomer_value(people, model_with("mbg", *params), terms)["value"].iloc[0]
        model = fit_purchases(people, "mbg", fitter="own")
        found = newcomer_value(people, model, terms, by="cohort", seed=seed).set_index("group")
        for name in spans:
            held[name] += found.loc[name, "value_low"] <= truth <= found.loc[name, "value_high"]
    # Nominal 80 %, standard error 5 points. With models of their own the young ones held it in 63 % and less.
    assert min(held.values()) / 60 >= 0.70, held


@pytest.mark.slow
def test_the_demo_retailers_year_is_forecast_within_eight_percent():
    """Five seeds of 6,000 persons and three years; the truth is none of the models, and one year was tested before."""
    errors, plain, by_type = [], [], []
    for seed in range(1, 6):
        days, window = demo_customers(seed)
        forecasts = []
        for cut in (window - 365, window - 1):
            customers = histories_of(days, cut, cut + 364)
            end = LAST_DAY - timedelta(days=window - 1 - cut)
            counts = days[days["day"] <= cut].groupby("day").size()
            wall = [end - timedelta(days=int(cut - day)) for day in counts.index]
            calendar = fit_calendar(pd.DataFrame({"day": wall, "purchases": counts.to_numpy()}), end)
            model = fit_purchases(customers, "pareto", calendar=calendar, fitter="own")
            forecasts.append((model, customers))
        before, known = forecasts[0]
        expected = before.expected_orders(364, *(known[name] for name in KEYS)).sum()
        error = past_error([known["x_holdout"].sum()], [expected])
        model, customers = forecasts[1]
        terms = Terms(LAST_DAY, 0.35, 0.10, clv_years=1)
        scores = score_histories(customers, model, spend_with(6.0, 4.0, 15.0), terms, draws=2)
        totals = value_totals(value_cells(customers.assign(monetary=30.0)), scores, error=error).set_index("measure")
        came = customers["x_holdout"].sum()
        errors.append(totals.loc["expected_orders", "value"] / came - 1)
        customers["expected"] = model.expected_orders(364, *(customers[name] for name in KEYS))
        plain.append(customers["expected"].sum() / came - 1)
        sums = customers.groupby("type")[["expected", "x_holdout"]].sum()
        by_type.append(sums["expected"] / sums["x_holdout"] - 1)
    bias = pd.concat(by_type, axis=1).mean(axis=1)
    print("corrected", np.round(errors, 3), "plain", np.round(plain, 3), "by type", bias.round(3).to_dict())
    assert np.median(np.abs(errors)) <= 0.08
    # What the year before taught makes it better, not only different.
    assert np.median(np.abs(errors)) < np.median(np.abs(plain))
    # Types buy differently and the model does not know them; none is lost.
    assert bias.abs().max() < 0.30


def test_the_season_is_found_and_moves_the_forecast():
    rng = np.random.default_rng(3)
    days = pd.date_range("2022-01-01", "2024-12-31")
    week = np.minimum((days.day_of_year - 1) // 7, 51)
    truth = 1 + 0.4 * np.sin(2 * np.pi * week / 52)
    growth = np.linspace(1, 1.5, len(days))
    counts = rng.poisson(200 * truth * growth)
    calendar = fit_calendar(pd.DataFrame({"day": days, "purchases": counts}), days[-1].date())
    assert calendar.index.mean() == pytest.approx(1) and calendar.kept > 0.95
    expected = 1 + 0.4 * np.sin(2 * np.pi * np.arange(52) / 52)
    assert np.abs(calendar.index - expected).max() < 0.06
    # A year on the clock is a year; the high half of it passes faster.
    assert calendar.elapsed(365) == pytest.approx(365, abs=1)
    assert calendar.elapsed(182) > 182 + 30
    np.testing.assert_allclose(calendar.days(calendar.elapsed([3.0, -100.0, 400.0])), [3, -100, 400])
    recency, T = calendar.history([0, 100], [365, 365])
    assert recency[0] == 0 and T[0] == pytest.approx(365, abs=1) and 0 < recency[1] < T[1]
    assert list(calendar.table.columns) == ["week", "index"] and len(calendar.table) == 52
