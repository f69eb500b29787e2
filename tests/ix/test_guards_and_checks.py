"""Refusals, merging, checks and the evidence grade."""

from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest

from waage.errors import WaageError
from waage.ix.checks import clark_west, grade_words, run_checks
from waage.ix.guards import LinkRefusal, admit, merge_units, questionnaire_break, response_break, response_rate
from waage.ix.link import link
from waage.ix.measurement import check_parameters
from waage.ix.rivals import incident_iv
from waage.ix.robustness import robustness_value
from waage.ix.sentences import CHECKS, GRADES
from waage.ix.simulation import simulate_panel

matplotlib.use("Agg")


def outcome(**arguments):
    """Block length that is admitted, or 0 for a refusal, of 20 panels."""
    found = []
    for seed in range(20):
        try:
            found.append(admit(simulate_panel(seed, **arguments)[0]).block_weeks)
        except LinkRefusal:
            found.append(0)
    return np.array(found)


def test_thin_samples_are_merged_and_thinner_ones_refused():
    assert (outcome(answers=20) == 0).mean() >= 0.9
    thin = outcome(answers=60)
    assert (thin > 0).all() and (thin > 1).any()
    assert (outcome(answers=150) == 1).mean() >= 0.9


def test_a_refusal_says_why_what_would_cure_it_and_what_could_have_been_seen():
    with pytest.raises(LinkRefusal, match=r"reliability 0\.\d\d .* times as many answers .* smallest effect") as caught:
        admit(simulate_panel(1, answers=20)[0])
    assert list(caught.value.tried["block_weeks"]) == [1, 2, 4] and 0.003 < caught.value.smallest_effect < 0.02
    with pytest.raises(LinkRefusal, match=r"7 units, fewer than the 8 .* Measure at least 8"):
        admit(simulate_panel(1, units=7)[0])
    panel = simulate_panel(1)[0]
    with pytest.raises(LinkRefusal, match="fewer than 20"):
        admit(panel.between(0, 15))
    with pytest.raises(LinkRefusal, match="1 units"):
        admit(panel.select([0]))
    with pytest.raises(LinkRefusal, match="0 periods with all lags") as caught:
        admit(panel.between(0, 1))
    assert caught.value.german.startswith("die Verknüpfung wird abgelehnt: Wochen: 0 Zeiträume")


def test_breaks_of_response_rate_and_questionnaire_refuse():
    day = pd.date_range("2023-01-02", periods=364, freq="D")
    drift = pd.DataFrame({"day": day, "invited": 1000, "completed": np.linspace(120, 80, 364).astype(int)})
    assert response_break(drift) is None and len(response_rate(drift)) == 52
    jump = drift.assign(completed=np.where(np.arange(364) < 200, 120, 60))
    assert "breaks in the week of 2023-07-" in response_break(jump)
    # Few are invited: a factor of 1.5 is chance. A pause without invitations is no break.
    rng = np.random.default_rng(3)
    few = drift.assign(invited=2, completed=rng.binomial(2, 0.1, 364))
    assert response_break(few) is None
    many = few.assign(invited=200, completed=100 * few["completed"])
    assert response_break(many) is not None, "the same rates would be a break of many"
    pause = (np.arange(364) >= 140) & (np.arange(364) < 200)
    assert (
        response_break(drift.assign(**{name: drift[name].where(~pause, 0) for name in ("invited", "completed")}))
        is None
    )
    panel = simulate_panel(1)[0]
    with pytest.raises(LinkRefusal, match=r"Start the window after the break \(parameter `since`\)"):
        admit(panel, invitations=jump)
    weeks = pd.date_range("2023-01-02", periods=20, freq="7D")
    same = pd.concat([pd.DataFrame({"item": item, "week": weeks, "n": 50}) for item in ("find", "ease")])
    assert questionnaire_break(same) is None
    changed = same.assign(n=np.where((same["item"] == "ease") & (same["week"] < weeks[8]), 0, 50))
    assert "ease begins in the week of 2023-02-27" in questionnaire_break(changed)


def test_larger_units_carry_what_small_ones_do_not():
    panel, _ = simulate_panel(3, units=24, answers=40)
    groups = {unit: f"group_{g // 2}" for g, unit in enumerate(panel.units)}
    merged = merge_units(panel, groups)
    assert len(merged.units) == 12 and np.nansum(merged.demand) == pytest.approx(np.nansum(panel.demand))
    assert np.nanmean(merged.variance) < 0.7 * np.nanmean(panel.variance)
    assert admit(merged).link.units == 12


def test_a_missing_unit_is_no_week_without_sales_and_a_late_one_stands_alone():
    panel, _ = simulate_panel(3, units=8, answers=40)
    groups = {unit: f"group_{g // 2}" for g, unit in enumerate(panel.units)}
    demand, score = panel.demand.copy(), panel.score.copy()
    demand[0, 50] = np.nan  # a gap
    demand[7, :60] = score[7, :60] = np.nan  # begins late
    holes = {"demand": demand, "orders": np.where(np.isnan(demand), np.nan, panel.orders)}
    holes["visits"] = np.where(np.isnan(demand), np.nan, panel.visits)
    merged = merge_units(replace(panel, score=score, **holes), groups)
    assert merged.units == ("group_0", "group_1", "group_2", "group_3", panel.units[7])
    assert np.isnan(merged.demand[0, 50]) and merged.demand[0, 51] == pytest.approx(panel.demand[:2, 51].sum())
    steps = np.abs(np.diff(np.log(merged.demand[3])))
    assert steps.max() < 0.6, "nothing jumps when the late unit begins"
    assert np.isnan(merged.demand[4, :60]).all() and np.isfinite(merged.demand[4, 60:]).all()


def test_a_control_that_blocks_make_collinear_is_left_out():
    panel, _ = simulate_panel(1, units=12, answers=40)
    weeks = np.arange(len(panel.weeks))
    # Odd weeks take what even weeks give: nothing is left in two weeks.
    swing = np.where(weeks % 2, 1.0, -1.0) * np.linspace(0.5, 1.5, 12)[:, None]
    panel = replace(
        panel,
        controls=np.concatenate([panel.controls, swing[:, :, None]], axis=2),
        control_names=("promo", "swing"),
    )
    found = admit(panel, blocks=(2, 4))
    assert found.panel.control_names == ("promo",) and "swing does not vary beyond" in found.panel.notes[-1]


def test_periods_are_those_the_link_uses():
    panel, _ = simulate_panel(1, units=12, weeks=60)
    score = panel.score.copy()
    score[:, ::5] = np.nan  # one week in five is left with all lags: twelve, not sixty
    with pytest.raises(LinkRefusal, match=r"1[0-2] periods with all lags, fewer than 20"):
        admit(replace(panel, score=score), blocks=(1,))


def test_parameters_are_checked_together():
    with pytest.raises(WaageError, match=r"lags = -1 .* blocks = \[\] .* compare_weeks = 0 must be at least 1"):
        check_parameters(1.0, 0.0, 0.0, lags=-1, blocks=[], compare_weeks=0)


def test_robustness_value_reproduces_the_published_one():
    # Cinelli and Hazlett (2020), section 5: the Darfur study, t = 4.184 at 783 degrees of freedom.
    assert robustness_value(4.184, 783) == pytest.approx(0.1388, abs=5e-5)
    assert robustness_value(4.184, 783, significance=0.05) == pytest.approx(0.0763, abs=1e-4)


def test_clark_west_sees_a_better_forecast():
    rng = np.random.default_rng(0)
    x, e = rng.normal(size=(10, 80)), rng.normal(size=(10, 80))
    z, p = clark_west(0.5 * x + e, np.zeros_like(x), 0.5 * x)
    assert z > 5 and p < 1e-6
    assert clark_west(e, np.zeros_like(x), 0.1 * x)[1] > 0.01


@pytest.fixture(scope="module")
def clean():
    pytest.importorskip("linearmodels")
    panel, _ = simulate_panel(2, weeks=156, incidents=2)
    rng = np.random.default_rng(0)
    panel = replace(panel, negative=rng.normal(size=panel.score.shape))
    fitted = link(panel)
    groups = {"half": {unit: "a" if g < 12 else "b" for g, unit in enumerate(panel.units)}}
    return panel, fitted, run_checks(panel, fitted, groups=groups)


def test_every_check_has_verdict_and_sentence_in_both_languages(clean):
    _, _, checks = clean
    table = checks.table
    assert set(table["check"]) == set(CHECKS) - {"scope_apart"}
    assert set(table["verdict"]) <= {"passed", "failed", "open", "note"}
    assert table[["sentence", "sentence_de"]].notna().all(axis=None)
    assert not table["sentence"].str.contains("[{}]").any()
    assert list(checks.summary) == ["check", "statistic", "verdict", "sentence"]
    assert len(checks.first_page(5)) == 5
    assert set(checks.sweeps["sweep"]) == {"lags", "controls", "units"} and len(checks.splits) == 2
    assert checks.table.set_index("check").loc["scope", "sentence"].startswith("Scope: between units")


def test_all_passed_needs_incidents_that_would_have_noticed(clean):
    panel, fitted, checks = clean
    assert checks.grade == "C" and checks.headline == "eiv"
    assert checks.words("de") == "Panel, alle Prüfungen bestanden"
    assert set(checks.estimates["method"]) == {"eiv", "oriv", "incident_iv", "fe", "pooled", "shop_series"}
    grades = checks.estimates.drop_duplicates("method").set_index("method")["grade"]
    assert grades["incident_iv"] == "D" and grades["pooled"] == "E"
    alone = run_checks(replace(panel, exposure=None), fitted, shop=False)
    assert alone.grade == "D" and alone.table.set_index("check").loc["incidents", "verdict"] == "open"
    assert [grade_words(letter) for letter in GRADES][:2] == ["experiment", "incident evidence"]


@pytest.mark.slow
def test_reverse_causality_is_not_graded_as_passed():
    pytest.importorskip("linearmodels")
    for seed in range(6):
        panel, _ = simulate_panel(seed, weeks=156, incidents=2, same_week=-10.0)
        assert run_checks(panel, link(panel), shop=False).headline_grade == "D"


def test_pictures_of_checks(clean):
    _, _, checks = clean
    assert checks.plot_board(language="de").get_title().startswith("Was dafür spricht")
    assert len(checks.plot_estimates().get_yticklabels()) == 6


def test_a_check_that_cannot_be_made_stays_open_with_its_reason():
    pytest.importorskip("linearmodels")
    panel, _ = simulate_panel(2, weeks=120, units=12)
    score = panel.score.copy()
    score[:, ::5] = np.nan  # the survey pauses every fifth week: four weeks in a row, never five
    paused = replace(panel, score=score, variance=np.where(np.isfinite(score), panel.variance, np.nan))
    table = run_checks(paused, link(paused), shop=False).table.set_index("check")
    for name in ("lead", "feedback", "lag_window"):
        assert table.loc[name, "verdict"] == "open" and "0 weeks have sales and scores" in table.loc[name, "sentence"]
    assert "ließ sich nicht prüfen" in table.loc["lead", "sentence_de"]
    assert table.loc["same_week", "verdict"] in ("passed", "failed")
    assert np.isfinite(table.loc["forecast", "statistic"]), "weeks without a forecast are no error of it"


def test_incidents_that_cannot_be_told_apart_or_came_too_early_are_no_crash():
    panel, _ = simulate_panel(2, weeks=104, units=12, incidents=2)
    alone = incident_iv(panel)
    twice = replace(panel, exposure=np.concatenate([panel.exposure] * 2, axis=2), kinds=("outage", "stockout"))
    both = incident_iv(twice)
    assert list(both.first_stage["kind"]) == ["outage"]
    assert both.link.long_run() == pytest.approx(alone.link.long_run())
    score, early = panel.score.copy(), panel.exposure.copy()
    score[:, :30], early[:, 30:] = np.nan, 0.0
    assert incident_iv(replace(panel, score=score, exposure=early)) is None
