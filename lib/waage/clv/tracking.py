"""Forecast and fact over time: cumulated orders with a band, and one customer's P(alive) day by day."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from waage.clv.histories import KEYS
from waage.clv.likelihood import alive_probability
from waage.clv.purchases import DAYS_PER_UNIT, PurchaseModel
from waage.clv.totals import ForecastError, order_total
from waage.errors import Refusal, WaageError


def cumulative_orders(
    histories: pd.DataFrame,
    purchases: PurchaseModel,
    actual: pd.DataFrame,
    *,
    cut: date,
    holdout_days: int,
    error: ForecastError | None = None,
    steps: int = 13,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare cumulated orders after the cut with the forecast made on it.

    Parameters
    ----------
    histories : DataFrame
        frequency, recency, T at the cut.
    purchases : PurchaseModel
        Fitted on the calibration window.
    actual : DataFrame
        `day` and `purchases` (purchase days of these customers); days up to the cut are not looked at.
    cut, holdout_days
    error : ForecastError, optional
        Of forecasts before the cut.
    steps : int
        Points in time.

    Returns
    -------
    DataFrame
        day, days (since the cut), actual, predicted, low, high.
    """
    day = pd.to_datetime(actual["day"])
    since = (day - pd.Timestamp(cut)).dt.days.to_numpy()
    counts = actual["purchases"].to_numpy(dtype=float)
    rows = []
    for days in np.unique(np.linspace(0, holdout_days, steps + 1).round().astype(int))[1:]:
        total = order_total(histories, purchases, int(days), error=error, level=level, seed=seed)
        came = float(counts[(since > 0) & (since <= days)].sum())
        when = (pd.Timestamp(cut) + pd.Timedelta(days=int(days))).date()
        rows.append((when, int(days), came, total["value"], total["low"], total["high"]))
    return pd.DataFrame(rows, columns=["day", "days", "actual", "predicted", "low", "high"])


def typical_days(customers: pd.DataFrame, as_of: date) -> list[date]:
    """Return the purchase days of nobody: the median repeat buyer's number and pace, then silence for as long again.

    Parameters
    ----------
    customers : DataFrame
        frequency, recency, T.
    as_of : date
    """
    again = customers[customers["frequency"] > 0]
    if again.empty:
        raise Refusal("nobody bought twice: there is no typical history")
    repeats = max(int(again["frequency"].median()), 1)
    span = max(int(again["recency"].median()), repeats)
    back = min(2 * span, max(int(customers["T"].max()), span))
    return [as_of - timedelta(days=int(back - day)) for day in np.linspace(0, span, repeats + 1).round()]


def alive_path(model: PurchaseModel, purchase_days: Sequence[date], until: date, step_days: int = 1) -> pd.DataFrame:
    """Return one customer's P(alive) from the first purchase to `until`: day, p_alive, frequency.

    Raises
    ------
    WaageError
        When there is no purchase up to `until`.
    """
    bought = np.unique(np.array([day for day in purchase_days if day <= until], dtype="datetime64[D]"))
    if not len(bought):
        raise WaageError(f"purchase_days: none up to {until}; a path starts with the first purchase")
    days = np.arange(bought[0], np.datetime64(until) + 1, step_days)
    x = np.searchsorted(bought, days, side="right") - 1
    origin = np.datetime64(model.calendar.as_of if model.calendar else until)
    clock = [(moment - origin).astype(float) for moment in (np.full(len(days), bought[0]), bought[x], days)]
    if model.calendar is not None:
        clock = [model.calendar.elapsed(moment) for moment in clock]
    first, last, now = (moment / DAYS_PER_UNIT[model.time_unit] for moment in clock)
    p_alive = alive_probability(model.model, model.params.to_numpy(dtype=float), x, last - first, now - first)
    if model.model == "bg":  # it takes every one-time buyer for alive
        p_alive = np.where(x > 0, p_alive, np.nan)
    return pd.DataFrame({"day": days, "p_alive": p_alive, "frequency": x})


def history_grid(model: PurchaseModel, value: str, T: int, highest: int = 20, cells: int = 40, days: int = 365):
    """Return P(alive) or expected orders over frequency and recency of customers first seen `T` days ago.

    Returns
    -------
    frequency, recency : ndarray
        Axes, shape (highest + 1,) and (cells,).
    grid : ndarray, shape (cells, highest + 1)
        NaN where no history is possible.
    """
    if value not in ("p_alive", "expected_orders"):
        raise WaageError(f"value {value!r} is unknown; use 'p_alive' or 'expected_orders'")
    frequency, recency = np.arange(highest + 1), np.unique(np.linspace(0, T, cells).astype(int))
    x, t_x = np.meshgrid(frequency, recency)
    history = dict(zip(KEYS, (x, t_x, np.full(x.shape, T)), strict=True))
    possible = np.where(x > 0, t_x >= x, t_x == 0)
    if model.model == "bg" and value == "p_alive":  # it takes every one-time buyer for alive
        possible &= x > 0
    grid = model.p_alive(**history) if value == "p_alive" else model.expected_orders(days, **history)
    return frequency, recency, np.where(possible, grid, np.nan)
