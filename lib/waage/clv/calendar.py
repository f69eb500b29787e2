"""The season: an index by week of the year from the whole base, and a clock that runs faster when it is high."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.errors import Refusal, WaageError
from waage.history import known_on

WEEKS = 52
_REACH = 40 * 366  # days the clock knows on either side of its origin


def purchases_by_day(orders: ir.Table, customers: ir.Table | None = None) -> pd.DataFrame:
    """Count the customers who bought on each day: day, purchases.

    Parameters
    ----------
    orders : ibis table
        As `waage.history.customer_orders` returns them.
    customers : ibis table, optional
        Orders, too: only persons with one in it that counts are looked at.
    """
    table = orders.filter(orders.counts & orders.person_id.notnull())
    if customers is not None:
        table = table.semi_join(customers.filter(customers.counts), "person_id")
    return table.group_by("day").agg(purchases=table.person_id.nunique()).order_by("day").execute()


def fit_calendar(purchases: pd.DataFrame, as_of: date) -> "Calendar":
    """Estimate how purchases depend on the week of the year.

    Parameters
    ----------
    purchases : DataFrame
        `day` (date) and `purchases` (purchase days of all customers on it); missing days had none. Days after
        `as_of` are not looked at.
    as_of : date
        The last day known, and the origin of the clock.

    Returns
    -------
    Calendar

    Raises
    ------
    Refusal
        When there are fewer than two whole years: one Christmas cannot be told from a trend.
    WaageError
        When columns are missing.

    Notes
    -----
    Ratio to the centred 52-week mean, the mean over years for each week of the year (Macaulay 1931, The Smoothing
    of Time Series), shrunken towards 1 by the share of its spread that Poisson noise explains, and scaled so that
    a year has as many days on the clock as on the wall. Trends and moving holidays stay in the errors.
    """
    missing = [name for name in ("day", "purchases") if name not in purchases]
    if missing:
        raise WaageError(f"purchases: column {', '.join(missing)} missing; there are {', '.join(map(str, purchases))}")
    day = pd.to_datetime(purchases["day"])
    seen = day <= pd.Timestamp(as_of)
    ago = (pd.Timestamp(as_of) - day[seen]).dt.days.to_numpy()
    counts = purchases["purchases"].to_numpy(dtype=float)[seen.to_numpy()]
    # A week that began before the data did is left out.
    weeks = int(ago.max() + 1) // 7 if len(ago) else 0
    if weeks < 2 * WEEKS:
        raise Refusal(
            f"a calendar factor needs two years of purchases, there are {weeks} whole weeks up to {as_of}: totals are "
            "forecast without a season"
        )
    series = np.bincount(ago // 7, weights=counts)[:weeks][::-1]
    ends = [pd.Timestamp(as_of) - pd.Timedelta(days=7 * k) for k in range(weeks)][::-1]
    middle = week_of_year(np.array([end - pd.Timedelta(days=3) for end in ends], dtype="datetime64[D]"))
    window = np.ones(WEEKS + 1)
    window[[0, -1]] = 0.5
    trend = np.convolve(series, window / WEEKS, mode="valid")
    inside = slice(WEEKS // 2, WEEKS // 2 + len(trend))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(trend > 0, series[inside] / trend, np.nan)
    known = np.isfinite(ratio)
    weight = np.bincount(middle[inside][known], weights=trend[known], minlength=WEEKS)
    total = np.bincount(middle[inside][known], weights=(ratio * trend)[known], minlength=WEEKS)
    raw = np.divide(total, weight, out=np.ones(WEEKS), where=weight > 0)
    noise = np.mean(1 / weight[weight > 0]) if (weight > 0).any() else np.inf
    spread = float(np.var(raw))
    kept = max(0.0, 1 - noise / spread) if spread > 0 else 0.0
    index = 1 + kept * (raw / raw.mean() - 1)
    return Calendar(as_of, index / index.mean(), kept, weeks)


def calendars_from(orders: ir.Table, returns: ir.Table | None, time_zone: str) -> Callable[[date], "Calendar"]:
    """Return the function that fits the calendar as it could be known on a day, for `rolling_backtest`.

    Parameters
    ----------
    orders, returns, time_zone
        As `waage.history.known_on` takes them: neither later orders nor later returns reach a calendar.

    Returns
    -------
    callable
        From a day to what `fit_calendar` returns, or its refusal.
    """

    def at(day: date) -> Calendar:
        return fit_calendar(purchases_by_day(known_on(orders, returns, day, time_zone)), day)

    return at


@dataclass(frozen=True, eq=False)
class Calendar:
    """A seasonal index and the clock made of it.

    Attributes
    ----------
    as_of : date
        Origin of the clock.
    index : ndarray, shape (52,)
        Purchases in each seventh of the year's days (week 1 begins on 1 January; the last one holds the rest),
        relative to the mean.
    kept : float
        Share of the raw index's spread that is not noise; the index was shrunken by it.
    weeks : int
        Weeks it was estimated on.
    """

    as_of: date
    index: np.ndarray
    kept: float
    weeks: int

    def __post_init__(self):
        days = np.datetime64(self.as_of) + 1 + np.arange(-_REACH, _REACH)
        ticks = np.concatenate([[0.0], np.cumsum(np.maximum(self.index, 0.05)[week_of_year(days)])])
        object.__setattr__(self, "_ticks", ticks - ticks[_REACH])

    def at(self, as_of: date) -> "Calendar":
        """Return the same season with the clock's origin on another day."""
        return Calendar(as_of, self.index, self.kept, self.weeks)

    def elapsed(self, days) -> np.ndarray:
        """Average days on the clock between the end of `as_of` and so many days later (earlier: negative)."""
        return np.interp(days, np.arange(-_REACH, _REACH + 1), self._ticks)

    def days(self, elapsed) -> np.ndarray:
        """Invert `elapsed`: days after which so many average days have passed."""
        return np.interp(elapsed, self._ticks, np.arange(-_REACH, _REACH + 1))

    def history(self, recency, T) -> tuple[np.ndarray, np.ndarray]:
        """Return recency and T of histories that end at `as_of`, on the clock."""
        first = self.elapsed(-np.asarray(T, dtype=float))
        last = self.elapsed(np.asarray(recency, dtype=float) - np.asarray(T, dtype=float))
        return np.where(np.asarray(recency) > 0, last - first, 0.0), -first

    @property
    def table(self) -> pd.DataFrame:
        """The index as a table: week (1 to 52), index."""
        return pd.DataFrame({"week": np.arange(1, WEEKS + 1), "index": self.index})


def week_of_year(days: np.ndarray) -> np.ndarray:
    """Return the week of the year, 0 to 51, of datetime64 days; the last one holds 8 or 9 days."""
    days = days.astype("datetime64[D]")
    return np.minimum((days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(int) // 7, WEEKS - 1)
