"""How good the forecasts are: a held-out window or several, beside what needs no model, and a verdict."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from waage.clv.baselines import baselines
from waage.clv.calendar import Calendar
from waage.clv.drawing import highest_mass, randomised_pit
from waage.clv.histories import KEYS, check_histories
from waage.clv.purchases import PurchaseModel, fit_purchases
from waage.clv.spend import SpendModel
from waage.clv.totals import ForecastError, order_total, past_error
from waage.errors import WaageError, did_you_mean

COLUMNS = ["window", "model", "metric", "value", "low", "high"]


def backtest(
    histories: pd.DataFrame,
    holdout: pd.DataFrame | pd.Series,
    models: Iterable[PurchaseModel],
    *,
    holdout_days: int,
    seed: int,
    calibration_days: int | None = None,
    earlier: pd.DataFrame | None = None,
    segment: str | None = None,
    past: pd.DataFrame | None = None,
    window: str = "holdout",
    draws: int = 400,
) -> pd.DataFrame:
    """Compare predictions with what customers did in a held-out window, beside what needs no such model.

    Parameters
    ----------
    histories : DataFrame
        One row per person at the end of the calibration window: `person_id`, `frequency`, `recency`, `T`; `monetary`
        and `last_window` (purchase days in a window of the holdout's length before the cut) where known.
    holdout : DataFrame or Series
        `person_id` and `x_holdout` (purchase days in the holdout window, 0 included), or a Series of the counts
        with person_id as index. Every person of `histories` must be in it.
    models : iterable of PurchaseModel
        Fitted on the calibration window, at most one of each kind.
    holdout_days : int
        Length of the holdout window, which starts the day after calibration ends.
    seed : int
        Of the simulated intervals.
    calibration_days : int, optional
        Length of the calibration window for `same_count`; by default the longest T plus the first day.
    earlier : DataFrame, optional
        Customers as of `holdout_days` before the cut, with the columns of `histories` and `x_holdout` counted up to the
        cut: what segment means and boosted trees learn from, honestly. Where the history is too short, of a shorter
        window, with counts scaled to `holdout_days`.
    segment : str, optional
        Column of `histories` and `earlier`, such as the RFM segment.
    past : DataFrame, optional
        A `rolling_backtest` of days before the cut: gives `total_calendar`, the total with the interval that knows how
        far such forecasts were off before.
    window : str
        Name of this split in the result.
    draws : int
        Predictive draws per customer.

    Returns
    -------
    DataFrame
        Columns window, model, metric, value, low, high (95 %). Models: those given, zero (nobody returns), same_count
        (as many as before, for equal length), same_rate (x / T), last_window (as many as in the last equal window),
        segment_mean (as the segment did in the last equal window), trees (gradient boosting). Metrics: total and
        bias_pct (100 (total / actual - 1)) with the interval from chance and parameters, total_calendar; actual_total;
        mae, rmse (purchase days per customer); spearman; gini (normalised: 1 ranks like the outcome, 0 like chance);
        top_decile (share of holdout purchases in the top predicted tenth, ties shared); coverage_80, coverage_95
        (share of customers inside their highest-mass sets of counts) beside mass_80, mass_95 (what these sets hold if
        the model is right: above nominal, as counts are whole numbers);
        pit_deviation (largest deviation of a tenth of the randomised PIT from 0.1); log_score (mean log probability of
        what happened, exact); score_gap (how much lower that is than the best model's, with the interval of the paired
        differences; BG/NBD is the best only where it is alone).
        What is not defined, such as the rank correlation of a constant, is NaN.

    Raises
    ------
    WaageError
        When persons are missing or repeated, or counts are broken.
    """
    joined, actual = _join(histories, holdout)
    rows, scores = [], {}
    for name, model, predicted in _predictions(
        joined, models, holdout_days, calibration_days, earlier=earlier, segment=segment, seed=seed
    ):
        metrics = _metrics(predicted, actual)
        intervals = {}
        if model is not None:
            # The kind of model takes part in the seed by its letters, so that the order of models does not matter.
            own = np.random.SeedSequence([seed, *name.encode()])
            total_seed, draw_seed = (int(part.generate_state(1)[0]) for part in own.spawn(2))
            total = order_total(joined, model, holdout_days, seed=total_seed)
            intervals["total"] = (total["low"], total["high"])
            if actual.sum():
                intervals["bias_pct"] = tuple(100 * (total[end] / actual.sum() - 1) for end in ("low", "high"))
            if past is not None:
                wide = order_total(joined, model, holdout_days, seed=total_seed, error=error_of(past, name))
                metrics["total_calendar"] = wide["value"]
                intervals["total_calendar"] = (wide["low"], wide["high"])
            metrics |= predictive_check(model, joined, actual, holdout_days, draws=draws, seed=draw_seed)[0]
            history = [joined[column].to_numpy(dtype=float) for column in KEYS]
            scores[name] = np.log(np.maximum(model.p_count(actual, holdout_days, *history), 1e-300))
            metrics["log_score"] = scores[name].mean()
        for metric, value in metrics.items():
            low, high = intervals.get(metric, (np.nan, np.nan))
            rows.append((window, name, metric, float(value), float(low), float(high)))
    rows += [(window, name, "score_gap", *gap) for name, gap in _score_gaps(scores).items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def rolling_backtest(
    histories_at: Callable[[date, date], pd.DataFrame],
    origins: Sequence[date],
    *,
    holdout_days: int,
    seed: int,
    models: Sequence[str] = ("mbg", "pareto", "bg"),
    calendar_at: Callable[[date], Calendar | None] | None = None,
    time_unit: str = "days",
    draws: int = 100,
) -> pd.DataFrame:
    """Look back from several days: fit on what was known, forecast the next `holdout_days`, compare.

    Parameters
    ----------
    histories_at : callable
        From a cut and the end of its window to histories with `person_id` and `x_holdout`.
    origins : sequence of date
        Cuts. One with too little history is left out.
    holdout_days, seed, models, time_unit, draws
        As in `backtest` and `fit_purchases`.
    calendar_at : callable, optional
        From a cut to the calendar known on it, or None: then each model is tried with it, too.

    Returns
    -------
    DataFrame
        As `backtest`, one window for each origin, named by its day.

    Notes
    -----
    Boosted trees learn for each origin from customers as of a window before, see `earlier_customers`.
    """
    parts = []
    for origin in origins:
        customers = histories_at(origin, origin + timedelta(days=holdout_days))
        fitted = []
        for calendar in (None, calendar_at(origin) if calendar_at else None):
            if calendar is None and fitted:
                continue
            for kind in models:
                try:
                    fitted.append(fit_purchases(customers, kind, time_unit, calendar=calendar, fitter="own"))
                except WaageError:  # too few who bought again, or no optimum: this look has one forecast less
                    continue
        if fitted:
            begin = origin - timedelta(days=int(customers["T"].max()))
            earlier = earlier_customers(histories_at, begin, origin, holdout_days)[1]
            options = {"holdout_days": holdout_days, "seed": seed, "draws": draws, "earlier": earlier}
            options["window"] = origin.isoformat()
            parts.append(backtest(customers, customers, fitted, **options))
    if not parts:
        # Typed, so that a table put together with it stays one of numbers.
        return pd.DataFrame({name: pd.Series(dtype="str" if name in COLUMNS[:3] else "float64") for name in COLUMNS})
    return pd.concat(parts, ignore_index=True)


def look_back(
    first: date, last: date, holdout_days: int, most: int = 3, shortest_days: int = 91
) -> tuple[list[date], int]:
    """Return days to look back from, the latest first, and the length of their windows, which end by `last`.

    Windows follow each other and are as long as the test; where the history before `last` has no room for one of them,
    they are shorter, in whole weeks, so that `most` find room, and no shorter than four weeks. The first look comes
    `shortest_days` after the first day, or after a third of the history: less tells next to nothing of who stays away.
    """
    span = (last - first).days
    room = span - min(shortest_days, span // 3)
    days = holdout_days if room >= holdout_days else max(room // most // 7 * 7, 28)
    return [last - timedelta(days=days * k) for k in range(1, min(room // days, most) + 1)], days


def earlier_customers(
    histories_at: Callable[[date, date], pd.DataFrame], first: date, cut: date, holdout_days: int
) -> tuple[date, pd.DataFrame]:
    """Return a day before the cut and the customers as of it, with what they did up to the cut.

    They are what `backtest` calls `earlier`. The day lies a holdout's length before the cut, or half of a history that
    is too short for that; counts are then scaled to `holdout_days`.
    """
    days = max(min(holdout_days, (cut - first).days // 2), 1)
    day = cut - timedelta(days=days)
    customers = histories_at(day, cut)
    for name in ("x_holdout", "last_window"):
        if name in customers:
            customers[name] *= holdout_days / days
    return day, customers


def as_used(tested: pd.DataFrame, *models: str) -> pd.DataFrame:
    """Return tests in which a model with a calendar has the figures of the one without where there was no calendar.

    Two years before today no season could be known: what would have been used then is the same model without one.
    `models` are names to give figures to beside those in `tested`.
    """
    parts = [tested]
    for name in {*tested["model"], *models}:
        kind = name.removesuffix("_calendar")
        if kind != name:
            known = tested.loc[tested["model"] == name, "window"]
            parts.append(tested[(tested["model"] == kind) & ~tested["window"].isin(known)].assign(model=name))
    return pd.concat([part for part in parts if len(part)], ignore_index=True) if len(tested) else tested


def error_of(tested: pd.DataFrame, model: str) -> ForecastError:
    """Return how far the totals of one model were off in the windows of a backtest; a judgement where there is none.

    Where a season was not known yet, the same model without a calendar counts, see `as_used`: it widens, but says
    nothing of what the model itself gets wrong again, unless there is no other window. With figures of
    `backtest_revenue` among them it also knows of money: windows without lend their purchases.
    """
    itself = set(tested.loc[tested["model"] == model, "window"])
    tested = as_used(tested, model)
    mine = tested[tested["model"] == model].astype(dict.fromkeys(("value", "low", "high"), "float64"))
    if not len(mine):
        return ForecastError()
    table = mine.pivot(index="window", columns="metric", values="value")
    total = mine[mine["metric"] == "total"].set_index("window").loc[table.index]
    usable = ((table["actual_total"] > 0) & (table["total"] > 0) & (total["low"] > 0)).to_numpy()
    table, total = table[usable], total[usable]
    chance = (np.log(total["high"]) - np.log(total["low"])) / (2 * 1.96)
    own = table.index.isin(itself) if itself & set(table.index) else np.full(len(table), True)

    def error(actual: pd.Series, forecast: pd.Series) -> ForecastError:
        return replace(past_error(actual, forecast, chance), drift=past_error(actual[own], forecast[own]).drift)

    orders = error(table["actual_total"], table["total"])
    if "revenue_total" not in table:
        return orders
    priced = (table["revenue_actual"] > 0) & (table["revenue_total"] > 0)
    actual, forecast = (
        table[count].mask(priced, table[money])
        for count, money in (("actual_total", "revenue_actual"), ("total", "revenue_total"))
    )
    return replace(orders, of_money=error(actual, forecast))


def predictive_check(
    model: PurchaseModel,
    histories: pd.DataFrame,
    actual,
    holdout_days: int,
    *,
    draws: int = 400,
    seed: int = 0,
    chunk: int = 5_000,
) -> tuple[dict[str, float], np.ndarray]:
    """Hold counts against their predictive distributions.

    Returns
    -------
    metrics : dict
        coverage_80, coverage_95, mass_80, mass_95, pit_deviation, as in `backtest`.
    pit : ndarray
        Randomised probability integral transforms, uniform if the distributions are right.
    """
    history = [histories[name].to_numpy(dtype=float) for name in KEYS]
    actual = np.asarray(actual, dtype=float)
    inside, mass, pit = np.zeros(2), np.zeros(2), np.empty(len(actual))
    for number, seeds in enumerate(np.random.SeedSequence(seed).spawn(-(-len(actual) // chunk))):
        rows, rng = slice(number * chunk, (number + 1) * chunk), np.random.default_rng(seeds)
        drawn = model.draw_orders(
            holdout_days, *(column[rows] for column in history), draws=draws, rng=rng, with_parameters=False
        )
        found, held = highest_mass(drawn, actual[rows], (0.8, 0.95))
        inside, mass = inside + found.sum(axis=1), mass + held.sum(axis=1)
        pit[rows] = randomised_pit(drawn, actual[rows], rng)
    shares = np.bincount(np.minimum((10 * pit).astype(int), 9), minlength=10) / len(pit)
    coverage, mass = inside / len(actual), mass / len(actual)
    deviation = float(np.abs(shares - 0.1).max())
    metrics = {"coverage_80": coverage[0], "coverage_95": coverage[1], "mass_80": mass[0], "mass_95": mass[1]}
    return metrics | {"pit_deviation": deviation}, pit


def backtest_revenue(
    histories: pd.DataFrame, model: PurchaseModel, spend: SpendModel, *, holdout_days: int, window: str = "holdout"
) -> pd.DataFrame:
    """Compare the money a model expects in the holdout with what came in.

    Parameters
    ----------
    histories : DataFrame
        `frequency`, `recency`, `T`, `monetary` at the end of the calibration window and `holdout_revenue`.
    model, spend : PurchaseModel, SpendModel
        Fitted on the calibration window.
    holdout_days : int
    window : str

    Returns
    -------
    DataFrame
        As `backtest`, metrics revenue_total, revenue_actual, revenue_bias_pct, revenue_mae, revenue_gini; no
        interval: the spread of purchases alone would flatter it.
    """
    orders = model.expected_orders(holdout_days, *(histories[name] for name in KEYS))
    expected = orders * spend.expected_order_value(histories["frequency"], histories["monetary"])
    came = histories["holdout_revenue"].astype(float).to_numpy()
    actual, total = float(came.sum()), float(expected.sum())
    rows = {
        "revenue_total": total,
        "revenue_actual": actual,
        "revenue_bias_pct": 100 * (total / actual - 1) if actual > 0 else np.nan,
        "revenue_mae": float(np.abs(expected - came).mean()),
        "revenue_gini": normalised_gini(expected, came),
    }
    frame = pd.DataFrame([(window, model.name, name, value, np.nan, np.nan) for name, value in rows.items()])
    return frame.set_axis(COLUMNS, axis=1)


def missed(tested: pd.DataFrame, revenue: pd.DataFrame, model: str) -> dict[str, tuple[float, ...]]:
    """Return the errors of one model's totals as shares, those there are.

    Parameters
    ----------
    tested, revenue : DataFrame
        As `backtest` and `backtest_revenue` return them.
    model : str

    Returns
    -------
    dict
        backtest_bias: error, low, high (95 %, chance and parameters); backtest_revenue_bias: error. Without purchases
        in the test there is none.
    """
    bias = tested[(tested["model"] == model) & (tested["metric"] == "bias_pct")].iloc[0]
    money = revenue.set_index("metric").loc["revenue_bias_pct", "value"]
    found = {"backtest_bias": tuple(bias[["value", "low", "high"]] / 100), "backtest_revenue_bias": (money / 100,)}
    return {name: figures for name, figures in found.items() if np.isfinite(figures[0])}


def holdout_by_group(
    histories: pd.DataFrame,
    holdout: pd.DataFrame | pd.Series,
    models: Iterable[PurchaseModel],
    *,
    holdout_days: int,
    by: str = "frequency",
    calibration_days: int | None = None,
    highest: int = 7,
) -> pd.DataFrame:
    """Mean predicted and actual holdout purchase days per group of customers: calibration, cohorts, segments.

    Parameters
    ----------
    histories, holdout, models, holdout_days, calibration_days
        As in `backtest`.
    by : {"frequency", "decile"} or a column of `histories`
        Groups of equal calibration frequency, the last one `highest` and more; or tenths of each model's own
        prediction (10 the highest; equal predictions stay together, so tenths may differ in size or be empty); or the
        values of a column, such as a cohort or a segment.
    highest : int
        First frequency of the open last group.

    Returns
    -------
    DataFrame
        Columns by, group, model, n, predicted, actual, low, high (95 % interval of the actual mean).
    """
    if by not in ("frequency", "decile", *histories.columns):
        options = ["frequency", "decile", *map(str, histories.columns)]
        raise WaageError(f"by {by!r} is unknown; use one of {', '.join(options)}{did_you_mean(by, options)}")
    joined, actual = _join(histories, holdout, () if by in ("frequency", "decile") else (by,))
    parts = []
    for name, _, predicted in _predictions(joined, models, holdout_days, calibration_days):
        if by == "frequency":
            group = np.minimum(joined["frequency"], highest).astype(int)
        elif by == "decile":
            group = np.ceil(10 * (rankdata(predicted) - 0.5) / len(predicted)).astype(int)
        else:
            group = joined[by]
        frame = pd.DataFrame({"group": group, "predicted": predicted, "actual": actual})
        part = frame.groupby("group", as_index=False).agg(
            n=("actual", "size"), predicted=("predicted", "mean"), actual=("actual", "mean"), spread=("actual", "std")
        )
        half = 1.96 * part.pop("spread").fillna(0.0) / np.sqrt(part["n"])
        part["low"], part["high"] = np.maximum(part["actual"] - half, 0.0), part["actual"] + half
        part.insert(0, "by", by)
        part.insert(2, "model", name)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def normalised_gini(predicted, actual) -> float:
    """Gini of the outcome ordered by the prediction, over that ordered by itself; equal predictions share ranks.

    NaN when the outcome is the same for everybody.
    """
    best = _concentration(actual, actual)
    return _concentration(predicted, actual) / best if best else float("nan")


def top_share(predicted, actual, top: float = 0.1) -> float:
    """Share of the outcome found in the `top` share of predictions; a tie at the border enters in proportion."""
    predicted, actual = np.asarray(predicted, dtype=float), np.asarray(actual, dtype=float)
    if actual.sum() == 0:
        return float("nan")
    _, group = np.unique(-predicted, return_inverse=True)
    people = np.concatenate([[0.0], np.cumsum(np.bincount(group))]) / len(actual)
    gains = np.concatenate([[0.0], np.cumsum(np.bincount(group, weights=actual))]) / actual.sum()
    return float(np.interp(top, people, gains))


def _join(
    histories: pd.DataFrame, holdout: pd.DataFrame | pd.Series, more: Sequence[str] = ()
) -> tuple[pd.DataFrame, np.ndarray]:
    if isinstance(holdout, pd.Series):
        holdout = pd.DataFrame({"person_id": holdout.index, "x_holdout": holdout.to_numpy()})
    for name, frame, column in (
        ("histories", histories, "person_id"),
        ("holdout", holdout, "person_id"),
        ("holdout", holdout, "x_holdout"),
    ):
        if column not in frame:
            raise WaageError(f"{name}: column {column} missing; there are {', '.join(map(str, frame))}")
    for name, frame in (("histories", histories), ("holdout", holdout)):
        if (twice := frame["person_id"].duplicated()).any():
            raise WaageError(
                f"{name}.person_id: {int(twice.sum())} rows repeat a person, first "
                f"{frame['person_id'][twice].iloc[0]!r}; one row per person"
            )
    check_histories(histories)
    known = [name for name in ("monetary", "last_window") if name in histories and name not in more]
    others = [name for name in histories if name not in (*known, *more, *KEYS, "person_id", "x_holdout", "n")]
    columns = ["person_id", *KEYS, *known, *[name for name in more if name not in KEYS], *others]
    joined = (
        histories[columns]
        .drop(columns=[name for name in others if name in more])
        .merge(holdout[["person_id", "x_holdout"]], on="person_id", how="left")
    )
    actual = joined["x_holdout"].to_numpy(dtype=float, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        bad = ~np.isfinite(actual) | (actual < 0) | (actual % 1 != 0)
    if bad.any():
        raise WaageError(
            f"holdout.x_holdout: {int(bad.sum())} of {len(bad)} persons have no whole count, first "
            f"{joined['person_id'][bad].iloc[0]!r}; give 0 to those who bought nothing"
        )
    # By what they did, not by who they are: persons alike in all of it cannot be told apart in any figure.
    joined = joined.sort_values(["frequency", "recency", "T", "x_holdout"], kind="stable", ignore_index=True)
    return joined, joined["x_holdout"].to_numpy(dtype=float)


def _predictions(joined, models, holdout_days, calibration_days, **options):
    if holdout_days < 1:
        raise WaageError(f"holdout_days must be at least 1, got {holdout_days}")
    models = list(models)
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise WaageError(f"models: {', '.join(names)} repeats a kind; give one fitted model of each")
    history = [joined[name].to_numpy(dtype=float) for name in KEYS]
    for name, model in zip(names, models, strict=True):
        yield name, model, model.expected_orders(holdout_days, *history)
    length = calibration_days or history[2].max() + 1
    for name, predicted in baselines(joined, holdout_days, length, **options).items():
        yield name, None, predicted


def _metrics(predicted: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    error = predicted - actual
    total = actual.sum()
    return {
        "total": predicted.sum(),
        "actual_total": total,
        "bias_pct": 100 * (predicted.sum() / total - 1) if total else np.nan,
        "mae": np.abs(error).mean(),
        "rmse": np.sqrt(np.mean(error**2)),
        "spearman": _spearman(predicted, actual),
        "gini": normalised_gini(predicted, actual),
        "top_decile": top_share(predicted, actual),
    }


def _score_gaps(scores: dict[str, np.ndarray]) -> dict[str, tuple[float, float, float]]:
    """How far behind the best model each one is, customer by customer: mean and 95 % interval."""
    able = [name for name in scores if not name.startswith("bg")] or list(scores)
    best = max(able, key=lambda name: scores[name].mean(), default=None)
    gaps = {}
    for name, own in scores.items():
        behind = scores[best] - own
        gap, half = float(behind.mean()), 1.96 * float(behind.std()) / np.sqrt(len(own))
        gaps[name] = (gap, gap - half, gap + half)
    return gaps


def _spearman(predicted: np.ndarray, actual: np.ndarray) -> float:
    ranks = [rankdata(values) - (len(values) + 1) / 2 for values in (predicted, actual)]
    scale = np.sqrt(np.sum(ranks[0] ** 2) * np.sum(ranks[1] ** 2))
    return float(np.sum(ranks[0] * ranks[1]) / scale) if scale else float("nan")


def _concentration(order, outcome) -> float:
    outcome = np.asarray(outcome, dtype=float)
    n, total = len(outcome), outcome.sum()
    if total == 0:
        return 0.0
    return float(2 * np.sum(outcome * (rankdata(order) - (n + 1) / 2)) / (n * total))
