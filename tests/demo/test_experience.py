"""The experience panel and its survey: realism, truth, switches, and the sources that map them."""

import hashlib
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from waage.demo.experience import experience, write_experience
from waage.demo.files import Files
from waage.demo.ix_survey import ITEMS, answers, invitations, reference_mix
from waage.demo.performance import (
    BURN_IN,
    LAGS,
    SHOCKS,
    STOCK,
    Market,
    experience_effects,
    market,
    performance,
    true_effects,
)
from waage.demo.world import Settings

SETTINGS = Settings(seed=7)
SMALL = Settings(persons=500, weeks=30, units=4, seed=3)
SEEDS = range(11, 21)
PERCEPTION = list(ITEMS.loc[ITEMS["construct"] == "perception", "item"])
GOAL = list(ITEMS.loc[ITEMS["construct"] == "goal", "item"])


# What a competent analyst would do, without the library under test's own estimators -------------------------------


def weeks_by_units(frame: pd.DataFrame, column: str, shop: Market) -> np.ndarray:
    return frame.pivot(index="unit", columns="week", values=column).loc[shop.units["unit"]].to_numpy(float)


def residuals(columns: np.ndarray, unit: np.ndarray, week: np.ndarray) -> np.ndarray:
    """Take unit and week effects out of an unbalanced panel, exactly, by least squares on dummies."""
    dummies = np.column_stack([pd.get_dummies(unit), pd.get_dummies(week).iloc[:, 1:]]).astype(float)
    return columns - dummies @ np.linalg.solve(dummies.T @ dummies, dummies.T @ columns)


def oracle(settings: Settings) -> pd.DataFrame:
    """Two-way fixed effects, distributed lags of the TRUE experience: long_run and its SE, clustered by unit."""
    shop, ix = market(settings), experience(settings).ix
    frame = performance(settings, shop, ix)
    visits, orders, demand = (weeks_by_units(frame, name, shop) for name in ("visits", "orders", "demand"))
    outcomes = {"visits": visits, "conversion": orders / visits, "basket": demand / orders, "demand": demand}
    longest = max(len(lags) for lags in LAGS.values())
    unit, week = np.nonzero(np.arange(len(shop.weeks)) >= (shop.start + longest - 1)[:, None])
    at = BURN_IN + week
    stock = shop.marketing.copy()
    for t in range(1, stock.shape[1]):
        stock[:, t] += STOCK * stock[:, t - 1]
    x = [ix[unit, at - delay] for delay in range(longest)]
    controls = [shop.promo[unit, at], np.log(shop.price[unit, at]), np.log(stock[unit, at])]
    y = np.log(np.column_stack([outcome[unit, week] for outcome in outcomes.values()]))
    left = residuals(np.column_stack([y, *x, *controls]), unit, week)
    y, x = left[:, : y.shape[1]], left[:, y.shape[1] :]
    inverse = np.linalg.inv(x.T @ x)
    slopes = inverse @ x.T @ y
    total = np.r_[np.ones(longest), np.zeros(len(controls))] @ inverse
    rows = []
    for number, outcome in enumerate(outcomes):
        scores = x * (y[:, number] - x @ slopes[:, number])[:, None]
        by_unit = np.array([scores[unit == g].sum(axis=0) for g in range(len(shop.units))]) @ total
        rows.append((outcome, slopes[:longest, number].sum(), np.sqrt((by_unit**2).sum())))
    return pd.DataFrame(rows, columns=["outcome", "long_run", "se"]).set_index("outcome")


def scores(rows: pd.DataFrame) -> pd.Series:
    """Each respondent's score (0-100) from the codebook alone."""
    points = {}
    for item in ITEMS[ITEMS["kind"] == "scale"].itertuples():
        value = rows[item.item].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        value[value == pd.to_numeric(item.missing_codes)] = np.nan
        low, high = float(item.scale_min), float(item.scale_max)
        value = 100 * (value - low) / (high - low)
        points[item.item] = 100 - value if item.best == "min" else value
    points = pd.DataFrame(points, index=rows.index)
    return (points[PERCEPTION].mean(axis=1) + points[GOAL].mean(axis=1)) / 2


def raked(rows: pd.DataFrame, week: pd.Series) -> np.ndarray:
    """Weights that bring every week of a unit to the reference mix, by iterative proportional fitting of its cells."""
    target = reference_mix().set_index(["trait", "level"])["share"]
    names = ["visitor", "intent", "channel"]
    levels = [list(target[name].index) for name in names]
    codes = [week.to_numpy(), *(pd.Categorical(rows[name], of).codes for name, of in zip(names, levels, strict=True))]
    counts = np.zeros((week.max() + 1, *map(len, levels)))
    np.add.at(counts, tuple(codes), 1)
    fitted = counts.copy()
    for _ in range(30):
        for axis, name in enumerate(names, start=1):
            others = tuple(k for k in (1, 2, 3) if k != axis)
            share = fitted.sum(axis=others, keepdims=True)
            shape = [1, *(len(levels[axis - 1]) if k == axis else 1 for k in (1, 2, 3))]
            fitted *= target[name].to_numpy().reshape(shape) / np.where(share > 0, share, 1)
    return (fitted / np.where(counts > 0, counts, 1))[tuple(codes)]


@lru_cache(maxsize=4)
def survey(settings: Settings) -> pd.DataFrame:
    """Unit-weeks: the true ix, the plain and the weighted mean score, and the sampling variance of each."""
    shop, ix = market(settings), experience(settings).ix
    parts = []
    for number in range(settings.units):
        rows = answers(settings, shop, ix, number)
        week = ((rows["responded_at"].dt.normalize() - shop.weeks[0]).dt.days // 7).rename("week")
        score, weight = scores(rows), pd.Series(raked(rows, week))
        both = pd.DataFrame({"week": week, "n": 1, "s": score, "ss": score**2, "w": weight, "ww": weight**2})
        both["ws"] = weight * score
        sums = both.groupby("week").sum()
        mean = sums["ws"] / sums["w"]
        deviation = both["ww"] * (score - mean.loc[week].to_numpy()) ** 2
        part = pd.DataFrame(
            {
                "unit": number,
                "ix": ix[number, BURN_IN + sums.index.to_numpy()],
                "n": sums["n"],
                "plain": sums["s"] / sums["n"],
                "weighted": mean,
                "v_plain": (sums["ss"] / sums["n"] - (sums["s"] / sums["n"]) ** 2) / (sums["n"] - 1),
                "v_weighted": deviation.groupby(week).sum() / sums["w"] ** 2,
            }
        )
        parts.append(part.reset_index())
    return pd.concat(parts, ignore_index=True)


# Files -------------------------------------------------------------------------------------------------------------


def digests(folder) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def generated(settings: Settings, folder):
    market.cache_clear()
    experience.cache_clear()
    with Files(folder) as out:
        write_experience(settings, out)
    return digests(folder)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others(tmp_path):
    first, again = generated(SMALL, tmp_path / "a"), generated(SMALL, tmp_path / "b")
    other = generated(replace(SMALL, seed=4), tmp_path / "c")
    assert first == again
    fixed = {"raw/ix_items.csv", "raw/reference_mix.csv", "raw/units.csv"}
    assert {name for name in first if first[name] == other[name]} == fixed | {"truth/sample.parquet"}


def test_units_are_all_different_and_every_assortment_meets_every_device():
    units = market(replace(SETTINGS, units=30)).units
    assert units["unit"].is_unique
    assert len(units.head(24).groupby(["category", "device"])) == 24


# Truth and the oracle ----------------------------------------------------------------------------------------------


def test_true_effects_add_up_and_have_the_size_seen_in_e_commerce():
    effects, units = true_effects(SETTINGS, market(SETTINGS), experience(SETTINGS).ix)
    effects = effects.set_index("outcome")
    for run in ("short_run", "long_run", "shop_short_run", "shop_long_run"):
        assert effects.loc["demand", run] == pytest.approx(effects.loc[list(LAGS), run].sum(), abs=1e-12)
    assert 0.002 < effects.loc["demand", "long_run"] < 0.010
    spread = units[units["outcome"] == "demand"]["long_run"]
    assert 0.1 < spread.std() / spread.mean() < 0.4


def test_the_true_effect_is_what_a_point_more_does():
    shop, ix = market(SETTINGS), experience(SETTINGS).ix
    up, down = (experience_effects(SETTINGS, shop, ix + step) for step in (0.5, -0.5))
    truth = true_effects(SETTINGS, shop, ix)[0].set_index("outcome")["long_run"]
    for outcome in LAGS:
        change = np.where(shop.live, up[outcome] - down[outcome], 0).sum(axis=1) / shop.live.sum(axis=1)
        assert change.mean() == pytest.approx(truth[outcome], rel=0.01)


@pytest.fixture(scope="module")
def oracles() -> dict[str, pd.DataFrame]:
    """The oracle's long-run effects minus truth over several worlds: outcome columns, one row a seed."""
    found = {}
    for name, switch in {"base": {}, "null": {"ix_null": True}, "reverse": {"reverse_causality": True}}.items():
        rows = []
        for seed in SEEDS:
            settings = Settings(seed=seed, **switch)
            estimate = oracle(settings)
            truth = true_effects(settings, market(settings), experience(settings).ix)[0].set_index("outcome")
            rows.append(pd.concat({"estimate": estimate["long_run"], "se": estimate["se"], "truth": truth["long_run"]}))
        found[name] = pd.DataFrame(rows)
    return found


def test_an_oracle_regression_recovers_the_long_run_effects(oracles):
    base = oracles["base"]
    for outcome in ("visits", "conversion", "basket", "demand"):
        error = base["estimate"][outcome] - base["truth"][outcome]
        assert (error.abs() < 4 * base["se"][outcome]).all()
        assert abs(error.mean()) < 3 * error.std() / np.sqrt(len(error)) + 0.04 * base["truth"][outcome].mean()
    parts = base["estimate"][["visits", "conversion", "basket"]].sum(axis=1)
    assert np.allclose(parts, base["estimate"]["demand"], atol=1e-10)


def test_without_an_effect_truth_is_zero_and_the_oracle_finds_none(oracles):
    null = oracles["null"]
    assert (null["truth"] == 0).all(axis=None)
    assert ((null["estimate"] / null["se"]).abs() < 4).all(axis=None)
    settings = replace(SETTINGS, ix_null=True)
    effects = experience_effects(settings, market(settings), experience(settings).ix)
    assert all((effect == 0).all() for effect in effects.values())


def test_reverse_causality_pulls_the_oracle_down(oracles):
    base, reverse = oracles["base"], oracles["reverse"]
    shortfall = 1 - reverse["estimate"]["demand"] / base["estimate"]["demand"]
    assert (shortfall > 0).all()
    assert shortfall.median() > 0.25


def test_diversion_lowers_the_shop_effect_and_not_the_panels():
    divert = replace(SETTINGS, diversion=0.6)
    shop, ix = market(divert), experience(divert).ix
    truth = true_effects(divert, shop, ix)[0].set_index("outcome")
    plain = true_effects(SETTINGS, market(SETTINGS), ix)[0].set_index("outcome")
    assert np.allclose(truth["shop_long_run"], 0.4 * plain["shop_long_run"])
    assert np.allclose(truth["long_run"], plain["long_run"])

    up, down = (experience_effects(divert, shop, ix + step) for step in (0.5, -0.5))
    change = sum(up[outcome] - down[outcome] for outcome in LAGS)
    assert np.mean((shop.weight * change).sum(axis=0)) == pytest.approx(truth.loc["demand", "shop_long_run"], rel=0.05)
    seen = [oracle(settings).loc["demand", "long_run"] for settings in (divert, SETTINGS)]
    assert seen[0] == pytest.approx(seen[1], rel=0.05)


def test_counting_noise_is_small_beside_shocks():
    frame = performance(SETTINGS, market(SETTINGS), experience(SETTINGS).ix)
    shocks = SHOCKS[0] ** 2 + SHOCKS[1] ** 2
    assert (1 / frame["orders"]).mean() / shocks < 0.10
    assert frame["visits"].min() > 10_000


def test_late_units_have_no_rows_before_they_start():
    shop = market(SETTINGS)
    frame = performance(SETTINGS, shop, experience(SETTINGS).ix)
    rows = frame.groupby("unit").size().loc[shop.units["unit"]].to_numpy()
    assert (rows == SETTINGS.weeks - shop.start).all()
    assert (shop.start > 0).sum() == 3


# The survey --------------------------------------------------------------------------------------------------------


def test_a_third_of_the_weekly_movement_is_survey_noise_at_120_answers():
    """Half of it in quiet weeks; incidents stand out."""
    panel = survey(SETTINGS)
    assert panel["n"].mean() == pytest.approx(120, abs=2)
    for score, variance in (("plain", "v_plain"), ("weighted", "v_weighted")):
        left = residuals(panel[[score, "ix"]].to_numpy(), panel["unit"], panel["week"])
        shrink = (1 - 1 / SETTINGS.units) * (1 - 1 / SETTINGS.weeks)
        reliability = 1 - shrink * panel[variance].mean() / left[:, 0].var()
        assert 0.6 < reliability < 0.75
    assert left[:, 1].var() / left[:, 0].var() == pytest.approx(reliability, abs=0.05)


def test_the_weighted_score_is_unbiased_and_the_plain_one_drifts():
    panel = survey(SETTINGS)
    year = panel["week"] // 52
    plain, weighted = (panel[name] - panel["ix"] for name in ("plain", "weighted"))
    by_unit = plain.groupby([panel["unit"], year]).mean().unstack()
    assert (by_unit.iloc[:, -1] - by_unit.iloc[:, 0]).std() > 0.3  # units drift apart
    assert weighted.groupby(year).mean().abs().max() < 0.15
    assert plain.groupby(year).mean().abs().max() > 0.4
    slow = [error.groupby([panel["unit"], panel["week"] // 13]).mean().std() for error in (plain, weighted)]
    assert slow[0] > 1.3 * slow[1]


def test_items_hang_together_as_real_scales_do():
    rows = answers(SETTINGS, market(SETTINGS), experience(SETTINGS).ix, 0)
    for items in (PERCEPTION, GOAL):
        values = rows[items].replace(9, pd.NA).dropna().astype(float)
        reverse = ITEMS.set_index("item").loc[items, "best"] == "min"
        values = values.sub(values.mean()) / values.std() * np.where(reverse, -1, 1)
        correlation = values.corr().to_numpy()
        k = len(items)
        alpha = k / (k - 1) * (1 - k / correlation.sum())
        assert 0.75 < alpha < 0.90
        assert (correlation > 0.3).all()


def test_busy_weeks_change_the_mix_of_respondents():
    shop, ix = market(SETTINGS), experience(SETTINGS).ix
    rows = answers(SETTINGS, shop, ix, 0)
    week = (rows["responded_at"].dt.normalize() - shop.weeks[0]).dt.days // 7
    known = (rows["visitor"] == "known").groupby(week).mean()
    left = known - np.polyval(np.polyfit(known.index, known, 1), known.index)
    assert np.corrcoef(left, shop.busy[0, BURN_IN + known.index.to_numpy()])[0, 1] < -0.3


def test_invitations_account_for_every_answer():
    rows = answers(SETTINGS, market(SETTINGS), experience(SETTINGS).ix, 1)
    days = invitations(SETTINGS, rows, 1)
    assert days["completed"].sum() == len(rows)
    assert (days["completed"] <= days["started"]).all() and (days["started"] <= days["invited"]).all()
    assert 0.05 < days["completed"].sum() / days["invited"].sum() < 0.15


def test_incidents_are_seen_in_the_experience_they_touch():
    shop, known = market(SETTINGS), experience(SETTINGS)
    incidents = known.incidents
    assert incidents["incident_id"].is_unique and 100 < len(incidents) < 260
    assert (incidents["ended_at"].isna() == (incidents["kind"] == "release")).all()
    lasting = incidents["kind"].isin(["search_fault", "slow_pages", "delivery_delay"])
    own = incidents[incidents["unit"].notna() & lasting]
    unit = shop.units["unit"].tolist()
    change = []
    for row in own.itertuples():
        g, t = unit.index(row.unit), (row.started_at - shop.weeks[0]).days // 7
        if row.started_at.day_of_week < 2 and t >= 1:
            change.append(known.ix[g, BURN_IN + t] - known.ix[g, BURN_IN + t - 1])
    assert np.mean(change) < -1.5
