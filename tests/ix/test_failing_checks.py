"""Every check fails on the panel it is there for, and what failed or could not be made is never graded as passed."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from waage.ix import checks as board
from waage.ix.checks import run_checks
from waage.ix.link import link
from waage.ix.robustness import Robustness
from waage.ix.simulation import simulate_panel
from waage.ix.value import value_points

pytest.importorskip("linearmodels")


def more_demand(panel, logs):
    return replace(panel, orders=panel.orders * np.exp(logs), demand=panel.demand * np.exp(logs))


def lead():
    return simulate_panel(1, feedback=-10.0)[0]


def same_week():
    return simulate_panel(1, weeks=156, same_week=-10.0)[0]


def incidents():
    return simulate_panel(1, weeks=156, same_week=-10.0, incidents=2)[0]


def kinds():
    panel = simulate_panel(1, weeks=156, incidents=2, kinds=2)[0]
    return more_demand(panel, -0.15 * panel.exposure[:, :, 1])


def stability():
    panel = simulate_panel(1, weeks=156, answers=600)[0]
    return more_demand(panel, 0.02 * (panel.score - 70) * (np.arange(156) >= 78))


def one_unit():
    panel = simulate_panel(1, answers=600)[0]
    return more_demand(panel, 0.1 * (panel.score - 70) * (np.arange(24) == 5)[:, None])


def lag_window():
    return simulate_panel(1, weeks=156, answers=600, effect=(0.004, 0.002, 0.001, 0.0, 0.01, 0.01))[0]


def split_half():
    panel = simulate_panel(1, weeks=156)[0]
    return replace(panel, variance=panel.variance / 10)


def negative_outcome():
    panel = simulate_panel(1)[0]
    return replace(panel, negative=np.log(panel.demand))


def splits():
    panel = simulate_panel(1, weeks=156, answers=600)[0]
    return more_demand(panel, 0.03 * (panel.score - 70) * (np.arange(24) >= 16)[:, None])


@pytest.mark.parametrize(
    ("check", "make"),
    [(make.__name__, make) for make in (lead, same_week, incidents, kinds, stability, one_unit, lag_window, split_half)]
    + [("feedback", lead), ("negative_outcome", negative_outcome), ("splits", splits)],
)
def test_a_check_fails_where_it_must(check, make):
    panel = make()
    halves = {unit: "b" if g >= 16 else "a" for g, unit in enumerate(panel.units)}
    found = run_checks(panel, link(panel), groups={"half": halves}, shop=False)
    row = found.table.set_index("check").loc[check]
    assert row["verdict"] == "failed" and found.grade == "D"
    assert row["sentence"] in found.first_page(7)


def test_a_longer_window_that_may_be_chance_is_said_with_an_interval_that_holds_0():
    panel = simulate_panel(3)[0]
    row = run_checks(panel, link(panel), shop=False).table.set_index("check").loc["lag_window"]
    low, high = re.search(r"\(99%: (\S+)% to (\S+)%\)", row["sentence"]).groups()
    assert row["verdict"] == "passed" and "may be chance" in row["sentence"]
    assert low.startswith("−") and not high.startswith("−")


def test_an_unseen_factor_that_turns_the_sign_or_has_no_bound_fails():
    fitted = link(simulate_panel(1, weeks=60)[0])
    turned = pd.DataFrame({"control": ["a", "b"], "r2_score": 0.3, "r2_demand": 0.3, "adjusted": [-0.005, 0.001]})
    row = board._robustness_row(Robustness(0.1, 0.05, turned), fitted)
    assert row["verdict"] == "failed" and "as strong as a" in row["sentence"] and "0.50%" in row["sentence"]
    row = board._robustness_row(Robustness(0.1, 0.05, turned.assign(adjusted=[0.005, np.nan])), fitted)
    assert row["verdict"] == "failed" and "too strong" in row["sentence"] and "zu stark" in row["sentence_de"]
    row = board._robustness_row(Robustness(0.1, 0.05, turned.assign(adjusted=[0.005, 0.006])), fitted)
    assert row["verdict"] == "passed"


def test_nothing_that_failed_or_is_open_is_graded_as_passed():
    verdicts = pd.Series({"incidents": "passed", "stability": "passed", "scope": "note", "forecast": "open"})
    assert board._grade(verdicts) == "C"
    for name, verdict in (("stability", "open"), ("scope", "open"), ("incidents", "open"), ("stability", "failed")):
        assert board._grade(verdicts.where(verdicts.index != name, verdict)) == "D"


def test_incidents_carry_the_headline_only_if_kinds_agree_and_nothing_speaks_against_them():
    graded = []
    for seed in range(2):
        panel = simulate_panel(seed, weeks=156, incidents=3, same_week=-10.0)[0]
        both = simulate_panel(seed, weeks=156, incidents=3, kinds=2, same_week=-10.0)[0]
        fitted = link(panel)
        graded.append(run_checks(both, fitted, shop=False).headline_grade)
        # One kind: nothing tests it. What experience cannot change follows it: something else moves both.
        assert run_checks(panel, fitted, shop=False).headline_grade == "D"
        assert run_checks(replace(both, negative=np.log(both.demand)), fitted, shop=False).headline_grade == "D"
    assert graded == ["B", "B"]
    said = value_points(panel, fitted, grade="B")
    assert "only if incidents act on demand through the experience alone" in said.sentence()
    assert "allein über das Erlebnis" in said.sentence("de")


def test_incidents_that_also_stop_buying_are_no_evidence():
    for seed in range(2):
        panel = simulate_panel(seed, weeks=156, incidents=2)[0]
        panel = more_demand(panel, -0.15 * panel.exposure[:, :, 0])
        found = run_checks(panel, link(panel), shop=False)
        assert (found.headline, found.headline_grade) == ("eiv", "D")
        panel = simulate_panel(seed, weeks=156, incidents=2, kinds=2)[0]
        panel = more_demand(panel, -0.15 * panel.exposure[:, :, 1])
        assert run_checks(panel, link(panel), shop=False).headline_grade == "D"
        kept = run_checks(panel, link(panel), shop=False, incidents_touch_demand=["incident_2"])
        assert kept.incidents.link.long_run() < 0.014
