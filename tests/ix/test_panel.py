"""The panel: what goes in, faults by name, gaps, blocks, performance from orders and events."""

from dataclasses import replace
from datetime import datetime

import ibis
import numpy as np
import pandas as pd
import pytest

from waage.errors import Refusal, WaageError
from waage.ix.link import link
from waage.ix.panel import build_panel, merge_weeks, performance_from
from waage.ix.simulation import simulate_panel

WEEKS = pd.date_range("2024-01-01", periods=40, freq="7D")


def tables(units=6, seed=0):
    rng = np.random.default_rng(seed)
    key = pd.MultiIndex.from_product([[f"u{g}" for g in range(units)], WEEKS], names=["unit", "week"]).to_frame(
        index=False
    )
    n = len(key)
    scores = key.assign(ix=rng.uniform(60, 80, n), variance=rng.uniform(2, 4, n), n=100)
    scores = scores.assign(ix_a=scores["ix"] + 1, ix_b=scores["ix"] - 1)
    performance = key.assign(visits=rng.integers(900, 1100, n), orders=rng.integers(40, 60, n))
    performance["demand"] = performance["orders"] * rng.uniform(40, 60, n)
    return scores, performance.assign(price_index=rng.uniform(0.9, 1.1, n), promo=rng.random(n))


def test_scores_and_performance_meet_by_unit_and_week():
    scores, performance = tables()
    panel = build_panel(scores.sample(frac=1, random_state=1), performance.assign(tracking_share=0.7))
    assert panel.score.shape == (6, 40) and panel.control_names == ("price_index", "promo")
    row = scores.iloc[47]
    assert panel.score[1, 7] == row["ix"] and panel.halves[0, 1, 7] == row["ix_a"]
    assert panel.controls[1, 7, 0] == pytest.approx(np.log(performance["price_index"].iloc[47]))
    parts = panel.outcomes
    assert parts[..., :3].sum(axis=2) == pytest.approx(parts[..., 3], abs=1e-12)


def test_gaps_and_late_units_are_kept_and_counted():
    scores, performance = tables(9)
    scores = scores.drop(index=[50, 51]).query("not (unit == 'u2' and week < '2024-04-01')")
    panel = build_panel(scores, performance)
    summary = panel.summary.set_index("unit")
    assert summary.loc["u1", "gaps"] == 2 and summary.loc["u2", "weeks"] == 27
    assert np.isnan(panel.score[1, 10:12]).all()
    # Each of the two missing weeks costs itself and the three that look back at it; two overlap.
    assert link(panel).rows == 9 * 37 - 5 - 13


def test_all_faults_are_named_together():
    scores, performance = tables()
    scores.loc[3, "ix"] = 103.0
    performance.loc[7, "demand"] = 0.0
    performance["week"] = performance["week"].mask(performance.index == 9, pd.Timestamp("2024-03-07"))
    with pytest.raises(WaageError) as caught:
        build_panel(pd.concat([scores, scores.tail(1)]), performance, controls={"promos": "level", "promo": "logs"})
    text = str(caught.value)
    for part in (
        "ix_scores.ix: 1 rows lie outside 0-100; check scale_min and scale_max of the items; first 'u0'",
        "performance.demand: 1 rows are not above 0 and have no log",
        "not Mondays but Thursday, first 2024-03-07 of unit 'u0'",
        "repeat a unit's week",
        "no column 'promos' (did you mean 'promo'?)",
        "promo as 'logs' is none of level, log, log_adstock",
    ):
        assert part in text
    with pytest.raises(WaageError, match=r"ix_scores.variance is missing"):
        build_panel(tables()[0].drop(columns="variance"), performance)
    with pytest.raises(WaageError, match="share no unit"):
        build_panel(tables()[0].assign(unit="elsewhere"), tables()[1])


def test_a_cell_without_variance_takes_no_part_and_is_named():
    scores, performance = tables()
    scores.loc[[5, 6], "variance"] = [0.0, np.nan]
    panel = build_panel(scores, performance)
    assert np.isnan(panel.score[0, 5:7]).all() and np.isfinite(panel.score).sum() == 238
    assert "2 rows have no variance above 0 and take no part" in panel.notes[0]


def test_zero_demand_matters_only_where_there_is_a_score():
    scores, performance = tables()
    scores = scores[scores["week"] >= "2024-03-04"]
    performance.loc[performance["week"] == "2024-01-01", ["orders", "demand"]] = 0
    more = performance[performance["unit"] == "u0"].assign(unit="closed", visits=0, orders=0, demand=0.0)
    panel = build_panel(scores, pd.concat([performance, more]))
    assert link(panel).rows == 6 * 28 and np.isnan(panel.demand[:, 0]).all()
    performance.loc[performance["week"] == "2024-03-04", "demand"] = 0
    with pytest.raises(Refusal, match="6 rows are not above 0 and have no log"):
        build_panel(scores, performance)


def test_collinear_controls_are_named():
    scores, performance = tables()
    week = performance["week"].dt.day_of_year.astype(float)
    performance = performance.assign(spend=week, twice=2 * performance["promo"] + week)
    panel = build_panel(scores, performance)
    assert panel.control_names == ("price_index", "promo")
    assert "spend does not vary beyond unit and week effects" in panel.notes[0]
    assert "twice is a combination of price_index, promo" in panel.notes[1]
    with pytest.raises(WaageError, match="spend does not vary beyond unit and week effects"):
        build_panel(scores, performance, controls=["promo", "spend"])


def test_incidents_become_shares_of_weeks():
    scores, performance = tables()
    rows = [
        ("i1", datetime(2024, 1, 10, 23), datetime(2024, 1, 16, 23), "u1", "outage"),
        ("i2", datetime(2024, 2, 5), datetime(2024, 2, 7), None, "outage"),
        ("i3", datetime(2024, 2, 5), None, "u2", "release"),
    ]
    incidents = pd.DataFrame(rows, columns=["incident_id", "started_at", "ended_at", "unit", "kind"])
    panel = build_panel(scores, performance, incidents=incidents)
    assert panel.kinds == ("outage",)
    # From Thursday 0 h to Wednesday 0 h in Berlin: four days of the one week, two of the next.
    assert panel.exposure[1, 1:3, 0] == pytest.approx([4 / 7, 2 / 7])
    assert panel.exposure.sum() == pytest.approx(6 / 7)


def test_blocks_add_sales_and_weigh_scores_by_answers():
    panel, _ = simulate_panel(1, weeks=31)
    merged = merge_weeks(panel, 2)
    assert merged.score.shape == (24, 15) and merged.weeks[0] == panel.weeks[1]
    n = panel.n[0, 1:3]
    assert merged.score[0, 0] == pytest.approx(n @ panel.score[0, 1:3] / n.sum())
    assert merged.variance[0, 0] == pytest.approx(n**2 @ panel.variance[0, 1:3] / n.sum() ** 2)
    assert merged.demand[0, 0] == panel.demand[0, 1:3].sum()
    assert link(merged).lags == 2 and merge_weeks(panel, 1) is panel
    with pytest.raises(WaageError, match="not from blocks"):
        merge_weeks(merged, 2)


def test_a_missing_half_has_no_weight_in_a_block():
    panel, _ = simulate_panel(1, weeks=30)
    halves = panel.halves.copy()
    halves[1, 0, 3] = np.nan
    merged = merge_weeks(replace(panel, halves=halves), 2)
    assert merged.halves[1, 0, 1] == pytest.approx(halves[1, 0, 2])
    assert merged.score[0, 1] == merge_weeks(panel, 2).score[0, 1]


def test_controls_that_are_texts_gaps_or_never_used_are_named_and_cost_nothing():
    scores, performance = tables()
    first = performance["unit"] == "u0"
    performance = performance.assign(
        campaign="spring",
        unknown=np.nan,
        weather=np.where(performance["week"] < "2024-07-01", np.nan, performance["promo"] ** 2),
        marketing_spend=np.where(first, 0.0, 100 * performance["promo"]),
    )
    panel = build_panel(scores, performance)
    assert panel.control_names == ("price_index", "promo", "marketing_spend")
    assert np.isfinite(panel.controls).all() and link(panel).rows == 6 * 37
    text = "; ".join(panel.notes)
    assert "campaign hold no numbers" in text and "unknown is missing in 100% of" in text
    assert "weather is missing in 65% of the weeks" in text
    with pytest.raises(WaageError, match=r"performance.campaign holds no numbers, such as 'spring'"):
        build_panel(scores, performance, controls=["campaign"])


def test_weeks_that_are_missing_and_incidents_without_an_end_are_named():
    scores, performance = tables()
    performance["week"] = performance["week"].mask(performance.index == 9)
    with pytest.raises(WaageError, match=r"performance.week: 1 rows have no week"):
        build_panel(scores, performance)
    rows = [("i1", datetime(2024, 1, 10), None, "u1", "outage")]
    incidents = pd.DataFrame(rows, columns=["incident_id", "started_at", "ended_at", "unit", "kind"])
    assert "1 incidents without an end are left out: outage" in build_panel(*tables(), incidents=incidents).notes


def test_performance_is_counted_from_orders_and_events(duck):
    units = ibis.memtable(
        pd.DataFrame({"unit": ["w_app", "m_app"], "category": ["women", "men"], "device": ["app", "app"]})
    )
    when = pd.to_datetime(["2024-01-07 22:30", "2024-01-07 23:30", "2024-01-09 10:00"])  # UTC; Berlin is an hour on
    orders = pd.DataFrame(
        {
            "source": "shop",
            "order_id": ["1", "2", "3"],
            "device": "app",
            "revenue": [30.0, 20.0, 50.0],
            "ordered_at": when,
        }
    )
    lines = pd.DataFrame(
        {
            "source": "shop",
            "order_id": ["1", "2", "3", "3"],
            "category": ["women", "women", "women", "men"],
            "revenue": [30.0, 20.0, 35.0, 15.0],
        }
    )
    events = pd.DataFrame(
        {
            "event_id": list("abcd"),
            "session_id": ["s1", "s2", "s2", "s2"],
            "category": ["women", "women", "women", "men"],
            "device": "app",
            "event": ["view", "visit", "cart", "search"],
            "occurred_at": pd.to_datetime(["2024-01-07 22:00", *["2024-01-09 09:00"] * 3]),
        }
    )
    mail = events.head(2).assign(event_id=["m1", "m2"], session_id=["m1", "m2"], event=["open", "scan"])
    events = pd.concat([events, mail])
    made = performance_from(
        duck.create_table("o9", orders, temp=True),
        duck.create_table("e9", events, temp=True),
        duck.create_table("u9", units.execute(), temp=True),
        "Europe/Berlin",
        duck.create_table("l9", lines, temp=True),
    ).execute()
    made["week"] = pd.to_datetime(made["week"]).dt.strftime("%d.%m.")
    rows = {(r.unit, r.week): (r.visits, r.orders, float(r.demand)) for r in made.itertuples()}
    assert rows == {
        ("w_app", "01.01."): (1, 1, 30.0),
        ("w_app", "08.01."): (1, 2, 55.0),
        ("m_app", "08.01."): (1, 1, 15.0),
    }
    with pytest.raises(WaageError, match="no order_lines"):
        performance_from(duck.table("o9"), duck.table("e9"), duck.table("u9"), "Europe/Berlin")
