"""The corrected link: gates by simulation (reduced; `benchmarks/ix_simulation` is the full one), identities, rivals."""

from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest

from waage.errors import Refusal, WaageError
from waage.ix.link import control_columns, lag_names, link, panel_moments
from waage.ix.moments import score_test
from waage.ix.panel import OUTCOMES, merge_weeks
from waage.ix.rivals import experiments, incident_iv, shop_series, split_half, uncorrected
from waage.ix.simulation import simulate_panel

matplotlib.use("Agg")
TRUTH = 0.007


def study(seeds, block=1, **arguments):
    """Estimate, covered, covers 0, uncorrected, p of the lead test of simulated panels."""
    rows = []
    for seed in seeds:
        panel = merge_weeks(simulate_panel(seed, **arguments)[0], block)
        found = link(panel)
        low, high = found.interval()
        used, x = control_columns(panel), lag_names(range(found.lags + 1))
        moments = panel_moments(panel, [*range(found.lags + 1), -1], used)
        plain = moments.coefficients([*x, *used], ["y_demand"], correct=False)[0, : len(x), 0].sum()
        lead = score_test(moments, "lead_1", [*x, *used], "y_demand")[1]
        rows.append((found.long_run(), low <= TRUTH <= high, low <= 0 <= high, plain, lead))
    return pd.DataFrame(rows, columns=["estimate", "covered", "covers_0", "plain", "lead"])


@pytest.mark.slow
def test_base_case_is_unbiased_and_covered_where_least_squares_is_not():
    found = study(range(5000, 5100))
    # 100 panels: the standard error of the bias is 1.6 %, of the coverage 2.2 %.
    assert abs(found["estimate"].mean() / TRUTH - 1) < 0.03 + 0.016
    assert found["covered"].mean() >= 0.90
    assert (found["plain"].abs() < found["estimate"].abs()).mean() > 0.95
    assert -0.35 < found["plain"].mean() / TRUTH - 1 < -0.15
    assert (found["lead"] < 0.05).mean() <= 0.10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("block", "arguments"), [(2, {"answers": 60}), (1, {"units": 8}), (1, {"units": 12})], ids=["thin", "8", "12"]
)
def test_intervals_hold_in_thin_and_small_panels(block, arguments):
    found = study(range(5000, 5050), block, **arguments)
    assert abs(found["estimate"].median() / TRUTH - 1) < 0.12  # 50 panels: two standard errors
    assert found["covered"].mean() >= 0.88


@pytest.mark.slow
def test_without_an_effect_none_is_found():
    found = study(range(5000, 5060), effect=(0.0, 0.0, 0.0))
    assert found["covers_0"].mean() >= 0.90
    assert abs(found["estimate"].mean()) < 0.0004


def test_effects_on_parts_add_up_to_that_on_demand():
    panel, _ = simulate_panel(1)
    for block in (1, 2):
        found = link(merge_weeks(panel, block))
        assert np.abs(found.coefficients[..., :3].sum(axis=2) - found.coefficients[..., 3]).max() < 1e-10
        table = found.summary.set_index("outcome")
        assert list(table.index) == list(OUTCOMES)
        assert table["long_run"].iloc[:3].sum() == pytest.approx(table["long_run"].iloc[3], abs=1e-10)


def test_year_1_is_what_a_year_of_weeks_earns():
    found = link(simulate_panel(1)[0])
    b = found.coefficients[0, :, 3]
    by_hand = np.mean([b[: k + 1].sum() for k in range(52)]) / b.sum()
    assert found.year_1() == pytest.approx(by_hand)


def test_uncorrected_is_panel_ols_of_linearmodels_and_its_covariance():
    pytest.importorskip("linearmodels")
    panel, _ = simulate_panel(2)
    score = panel.score.copy()
    score[3, 40:44] = np.nan  # a gap, and a unit that starts late
    score[5, :20] = np.nan
    panel = replace(panel, score=score)
    theirs = uncorrected(panel).set_index("outcome")
    ours = link(panel, correct=False).summary.set_index("outcome")
    assert ours["long_run"].to_numpy() == pytest.approx(theirs["long_run"].to_numpy(), abs=1e-10)
    assert ours["std_error"].to_numpy() == pytest.approx(theirs["std_error"].to_numpy(), rel=0.2)
    pooled = uncorrected(panel, pooled=True).set_index("outcome")
    assert pooled.loc["demand", "long_run"] > 5 * TRUTH


def test_split_halves_are_two_stage_least_squares_of_linearmodels():
    iv = pytest.importorskip("linearmodels.iv")
    panel, _ = simulate_panel(3)
    found = split_half(panel, lags=0, controls=[])

    def demeaned(a):
        return (a - a.mean(axis=1, keepdims=True) - a.mean(axis=0) + a.mean()).ravel()

    y = demeaned(panel.outcomes[:, :, 3])
    a, b = (demeaned(half) for half in panel.halves)
    both = iv.IV2SLS(np.r_[y, y], None, np.r_[a, b][:, None], np.r_[b, a][:, None]).fit()
    assert found.long_run() == pytest.approx(float(both.params.iloc[0]), abs=1e-10)


def test_halves_and_incidents_agree_with_the_correction():
    panel, _ = simulate_panel(4, weeks=156, incidents=2)
    found, halves, incidents = link(panel), split_half(panel), incident_iv(panel)
    assert halves.long_run() == pytest.approx(found.long_run(), rel=0.1)
    low, high = incidents.link.interval()
    assert incidents.strong and low < TRUTH < high
    assert incidents.first_stage["points"].iloc[0] == pytest.approx(-8, abs=0.8)
    assert split_half(replace(panel, halves=None)) is None and incident_iv(replace(panel, exposure=None)) is None


def test_busy_weeks_bias_the_panel_and_not_the_incidents():
    found = []
    for seed in range(8):
        panel, _ = simulate_panel(seed, weeks=156, incidents=2, same_week=-10.0)
        found.append((link(panel).long_run(), incident_iv(panel).link.long_run()))
    panel, incidents = np.mean(found, axis=0)
    assert panel < 0.65 * TRUTH
    assert incidents == pytest.approx(TRUTH, rel=0.2)


def test_sweeps_find_the_same_long_run():
    panel, _ = simulate_panel(6, answers=400)
    assert link(panel, lags=12, basis="almon").long_run() == pytest.approx(link(panel).long_run(), abs=0.003)
    profile = link(panel).lag_profile
    assert len(profile) == 16 and (profile["low"] < profile["effect"]).all()


def test_experiments_are_corrected_for_the_survey_in_both_arms():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        d, v = rng.normal(0, 1.2, 40), np.full(40, 2 * 22**2 / 1500)
        tests = pd.DataFrame({"d_score": d + rng.normal(0, np.sqrt(v)), "score_variance": v})
        tests["d_log_demand"] = TRUTH * d + rng.normal(0, 0.008, 40)
        found.append(experiments(tests)["long_run"].iloc[0])
    assert np.mean(found) == pytest.approx(TRUTH, rel=0.08)
    with pytest.raises(Refusal, match="9 tests"):
        experiments(tests.head(9))


def test_the_shop_series_sees_a_common_effect():
    panel, _ = simulate_panel(8, weeks=156, answers=400)
    series = shop_series(panel, link(panel))
    low, high = series.interval
    assert low < TRUTH < high and series.periods == 153
    with pytest.raises(Refusal, match="60 weeks"):
        shop_series(panel.between(0, 50), link(panel))


def test_unknown_names_are_answered_with_a_hint():
    panel, _ = simulate_panel(1, weeks=30)
    with pytest.raises(WaageError, match=r"no control 'promos' .did you mean 'promo'"):
        link(panel, controls=["promos"])
    with pytest.raises(WaageError, match="did you mean 'almon'"):
        link(panel, basis="almond")
    with pytest.raises(WaageError, match="did you mean 'visits'"):
        link(panel).long_run("visit")
    with pytest.raises(Refusal, match="at least 3 of each"):
        link(panel.select([0, 1]))
    with pytest.raises(WaageError, match="cannot be told apart"):
        link(replace(panel, controls=np.zeros((24, 30, 1))))


def test_charts_come_from_result_tables():
    ax = link(simulate_panel(1)[0]).plot_lags("visits", language="de")
    assert "Besuche" in ax.get_title()


def test_an_outcome_that_never_moves_has_no_effect_and_breaks_nothing():
    """A shop that knows no visits counts orders as visits: conversion is 1 everywhere."""
    panel, *_ = simulate_panel(4, units=8, weeks=60)
    panel = replace(panel, visits=panel.orders)
    table = uncorrected(panel).set_index("outcome")
    assert table.loc["conversion", "long_run"] == pytest.approx(0, abs=1e-12)
    assert np.isfinite(table.loc["demand", ["long_run", "p_value", "year_1"]].astype(float)).all()
    corrected = link(panel).summary.set_index("outcome")
    assert corrected.loc["visits", "long_run"] + corrected.loc["basket", "long_run"] == pytest.approx(
        corrected.loc["demand", "long_run"], abs=1e-10
    )
