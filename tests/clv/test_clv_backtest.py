import matplotlib
import numpy as np
import pandas as pd
import pytest

from waage.clv import (
    backtest,
    fit_purchases,
    holdout_by_group,
    normalised_gini,
    plot_calibration,
    plot_value_concentration,
    top_share,
)
from waage.errors import WaageError

MATCHES = {"total": 1.0, "bias_pct": 0.06, "mae": 6e-4, "rmse": 6e-4, "gini": 2e-3, "top_decile": 3e-3}


@pytest.fixture(scope="module")
def result(sample, bg, mbg):
    return backtest(sample, sample[["person_id", "x_holdout"]], [bg, mbg], holdout_days=273, seed=7)


@pytest.fixture(scope="module")
def table(result):
    return result.pivot(index="model", columns="metric", values="value")


@pytest.fixture
def plt():
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


@pytest.mark.parametrize("model", ["bg", "mbg", "zero", "same_count", "same_rate"])
def test_sample_benchmark(table, reference, model):
    for metric, value in reference["sample"]["holdout"][model].items():
        assert table.loc[model, metric] == pytest.approx(value, abs=MATCHES[metric]), metric
    assert table.loc[model, "actual_total"] == reference["sample"]["holdout_orders"]


def test_master_benchmark(master, reference):
    models = [fit_purchases(master, kind, "weeks") for kind in ("bg", "mbg")]
    result = backtest(master, master[["person_id", "x_holdout"]], models, holdout_days=273, seed=7, draws=20)
    table = result.pivot(index="model", columns="metric", values="value")
    for model, metrics in reference["master"]["holdout"].items():
        for metric, value in metrics.items():
            assert table.loc[model, metric] == pytest.approx(value, abs=MATCHES[metric]), (model, metric)


def test_simulated_intervals(result, reference):
    known = reference["sample"]["holdout"]
    rows = result[result["model"] == "bg"].set_index("metric")
    total = rows.loc["total"]
    # Ends of a 95 % interval from 400 draws: a standard error of about 12 purchases.
    assert total["low"] == pytest.approx(known["bg_total_95"]["low"], abs=45)
    assert total["high"] == pytest.approx(known["bg_total_95"]["high"], abs=45)
    assert rows.loc["bias_pct", "low"] == pytest.approx(100 * (total["low"] / 1882 - 1))
    assert rows.loc["coverage_80", "value"] == pytest.approx(known["bg_coverage_80"], abs=0.01)
    baselines = result[~result["model"].isin(["bg", "mbg"])]
    assert baselines["low"].isna().all() and "coverage_80" not in set(baselines["metric"])


def test_order_of_rows_and_models_changes_nothing(sample, bg, mbg, result):
    shuffled = sample.sample(frac=1, random_state=9)
    counts = sample.sample(frac=1, random_state=2).set_index("person_id")["x_holdout"]
    again = backtest(shuffled, counts, [mbg, bg], holdout_days=273, seed=7)
    keys = ["model", "metric"]
    pd.testing.assert_frame_equal(
        again.sort_values(keys, ignore_index=True), result.sort_values(keys, ignore_index=True), check_exact=True
    )


def test_a_constant_prediction_ranks_like_chance(table):
    assert np.isnan(table.loc["zero", "spearman"])
    assert table.loc["zero", "gini"] == pytest.approx(0, abs=1e-12)
    assert table.loc["zero", "top_decile"] == pytest.approx(0.1)


def test_ties_count_like_the_average_over_all_their_orders(sample, table):
    # Counts are full of ties: broken by row order they would make the figure a matter of sorting.
    rng = np.random.default_rng(0)
    x, actual = sample["frequency"].to_numpy(), sample["x_holdout"].to_numpy()
    by_chance = []
    for _ in range(200):
        order = np.lexsort((rng.random(len(x)), x))
        by_chance.append(normalised_gini(np.argsort(order), actual))
    error = np.std(by_chance) / np.sqrt(len(by_chance))
    assert table.loc["same_count", "gini"] == pytest.approx(np.mean(by_chance), abs=4 * error)
    tenth = int(0.1 * len(x))
    tops = [actual[np.lexsort((rng.random(len(x)), x))[-tenth:]].sum() / actual.sum() for _ in range(200)]
    # A tenth of 2,357 customers is not whole: up to one customer's share of difference.
    assert table.loc["same_count", "top_decile"] == pytest.approx(np.mean(tops), abs=0.002)


def test_ranking_metrics_by_hand():
    actual = np.array([0, 0, 1, 3])
    assert normalised_gini([1, 2, 3, 4], actual) == pytest.approx(1)
    assert normalised_gini([4, 3, 2, 1], actual) == pytest.approx(-1)
    assert top_share([1, 2, 3, 4], actual, 0.25) == pytest.approx(0.75)
    # Three tied at the top share their four purchases: a quarter of people holds a third of them.
    assert top_share([0, 1, 1, 1], actual, 0.25) == pytest.approx(1 / 3)
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        tied = np.array([1, 1, 2, 2])[order]
        assert normalised_gini(tied, actual[order]) == pytest.approx(0.8)
    assert np.isnan(normalised_gini([1, 2], [0, 0])) and np.isnan(top_share([1, 2], [0, 0]))


def test_baselines_scale_with_the_length_of_the_windows(sample, bg):
    holdout = sample[["person_id", "x_holdout"]]
    short = backtest(sample, holdout, [], holdout_days=91, seed=1, calibration_days=182)
    assert set(short["model"]) == {"zero", "same_count", "same_rate"}
    totals = short[short["metric"] == "total"].set_index("model")["value"]
    assert totals["same_count"] == pytest.approx(sample["frequency"].sum() / 2)
    assert totals["same_rate"] == pytest.approx((sample["frequency"] / sample["T"]).sum() * 91)


def test_groups_add_up_to_the_totals(sample, bg, table):
    holdout = sample[["person_id", "x_holdout"]]
    for by in ("frequency", "decile"):
        groups = holdout_by_group(sample, holdout, [bg], holdout_days=273, by=by)
        for model, part in groups.groupby("model"):
            assert part["n"].sum() == len(sample)
            assert (part["n"] * part["predicted"]).sum() == pytest.approx(table.loc[model, "total"])
            assert (part["n"] * part["actual"]).sum() == pytest.approx(1882)
    assert groups[groups["model"] == "bg"]["predicted"].is_monotonic_increasing
    # The constant has one group: equal predictions are never torn apart.
    assert len(groups[groups["model"] == "zero"]) == 1
    one_timers = holdout_by_group(sample, holdout, [bg], holdout_days=273).query("group == 0 and model == 'bg'")
    assert one_timers["n"].item() == 2357 - 946


def test_refusals(sample, bg):
    holdout = sample[["person_id", "x_holdout"]]
    for data, counts, message in (
        (sample, holdout.head(2000), "357 of 2357 persons have no whole count"),
        (sample, holdout.assign(x_holdout=0.5), "2357 of 2357 persons"),
        (pd.concat([sample, sample.head(1)]), holdout, "histories.person_id: 1 rows repeat"),
        (sample, pd.concat([holdout, holdout.head(2)]), "holdout.person_id: 2 rows repeat"),
        (sample, holdout.drop(columns="x_holdout"), "holdout: column x_holdout missing"),
    ):
        clean = data.drop(columns="x_holdout")
        with pytest.raises(WaageError, match=message):
            backtest(clean, counts, [bg], holdout_days=273, seed=7)
    with pytest.raises(WaageError, match="holdout_days must be at least 1"):
        backtest(sample, holdout, [bg], holdout_days=0, seed=7)
    with pytest.raises(WaageError, match="repeats a kind"):
        backtest(sample, holdout, [bg, bg], holdout_days=273, seed=7)
    with pytest.raises(WaageError, match="did you mean 'decile'"):
        holdout_by_group(sample, holdout, [bg], holdout_days=273, by="deciles")


@pytest.mark.parametrize("by", ["frequency", "decile"])
def test_calibration_chart_shows_the_table(sample, bg, by, plt):
    groups = holdout_by_group(sample, sample[["person_id", "x_holdout"]], [bg], holdout_days=273, by=by)
    ax = plot_calibration(groups, models=["bg", "same_count"])
    drawn = {line.get_label(): line for line in ax.get_lines()}
    expected = groups[groups["model"] == "bg"]["predicted"]
    np.testing.assert_allclose(drawn["BG/NBD"].get_ydata(), expected)
    assert ax.get_xlabel() and "per customer" in ax.get_ylabel()
    assert len(drawn) == (3 if by == "frequency" else 4)
    own = plt.figure().add_subplot()
    assert plot_calibration(groups, own, language="de") is own
    assert own.get_ylabel() == "Kauftage je Kunde im Testzeitraum"
    with pytest.raises(WaageError, match="not in groups"):
        plot_calibration(groups, models=["pareto"])
    with pytest.raises(WaageError, match="language"):
        plot_calibration(groups, language="fr")


def test_concentration_chart_says_its_number(plt):
    ax = plot_value_concentration(pd.Series([60.0, 20.0, 10.0, 10.0, 0.0]))
    assert ax.get_title() == "The most valuable 20% of customers hold 60% of the value"
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), [0, 0.6, 0.8, 0.9, 1, 1])
    assert ax.get_xlabel().startswith("Share of customers") and ax.get_ylabel().startswith("Share of customer lifetime")
    assert ax.yaxis.get_major_formatter()(0.6) == "60%"
    own = plt.figure().add_subplot()
    assert plot_value_concentration(pd.DataFrame({"clv": [1.0, 3.0]}), own, top=0.5, language="de") is own
    assert "75\u00a0%" in own.get_title()
