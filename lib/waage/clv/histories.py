"""What a purchase history is: checks, unique histories with counts, and what was known on a day."""

from collections.abc import Callable
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.errors import WaageError
from waage.history import known_on, purchase_histories

KEYS = ["frequency", "recency", "T"]


def unique_histories(histories: pd.DataFrame) -> pd.DataFrame:
    """Check histories and count the unique ones: frequency, recency, T, n, sorted.

    Raises
    ------
    WaageError
        Naming all faults: missing columns, gaps, fractions, negative values, recency beyond T, recency without
        repeat purchases or the other way round.
    """
    check_histories(histories)
    counted = histories[KEYS].astype("int64")
    counted["n"] = histories["n"].astype("int64") if "n" in histories else 1
    if _ascending(*(counted[name].to_numpy() for name in KEYS)) and (counted["n"] > 0).all():
        return counted.reset_index(drop=True)
    unique = counted.groupby(KEYS, as_index=False, sort=True)["n"].sum()
    return unique[unique["n"] > 0].reset_index(drop=True)


def check_histories(histories: pd.DataFrame) -> None:
    """Refuse histories that no sequence of purchase days can have, naming all faults."""
    missing = [name for name in KEYS if name not in histories]
    if missing:
        raise WaageError(f"histories: column {', '.join(missing)} missing; there are {', '.join(map(str, histories))}")
    if len(histories) == 0:
        raise WaageError("histories: no rows; check the window and the customers selected")
    faults = []
    for name in (*KEYS, "n"):
        if name not in histories:
            continue
        values = histories[name].to_numpy(dtype=float, na_value=np.nan)
        with np.errstate(invalid="ignore"):
            bad = ~np.isfinite(values) | (values < 0) | (values != np.floor(values))
        if bad.any():
            faults.append(f"{name} must be whole and not negative ({_first(values, bad)})")
    if not faults:
        x, recency, T = (histories[name].to_numpy(dtype=float) for name in KEYS)
        if (bad := recency > T).any():
            faults.append(f"recency lies after the end of the window, beyond T ({_first(recency, bad)})")
        if (bad := (x == 0) & (recency > 0)).any():
            faults.append(f"recency without a repeat purchase ({_first(recency, bad)})")
        if (bad := (x > 0) & (recency < x)).any():
            faults.append(f"more repeat purchase days than days, merge orders of one day ({_first(x, bad)})")
        if T.max() == 0:
            faults.append("T is 0 for everybody, nothing was observed; take a longer window")
    if faults:
        raise WaageError("histories: " + "; ".join(faults))


def histories_from(orders: ir.Table, returns: ir.Table | None, time_zone: str) -> Callable[[date, date], pd.DataFrame]:
    """Return the function that gives histories as they were known on a day, for `rolling_backtest`.

    Parameters
    ----------
    orders, returns, time_zone
        As `waage.history.known_on` takes them.

    Returns
    -------
    callable
        From a cut and the end of its window to a DataFrame by person: as `waage.history.purchase_histories` makes it,
        the window as known on its end, and `last_window`, see there.
    """

    def at(cut: date, end: date) -> pd.DataFrame:
        known, later = (known_on(orders, returns, day, time_zone) for day in (cut, end))
        table = purchase_histories(later, cut, end, known)
        recent = last_window(known, cut, (end - cut).days)
        return table.left_join(recent, "person_id").drop("person_id_right").order_by("person_id").execute()

    return at


def last_window(known: ir.Table, cut: date, days: int) -> ir.Table:
    """Count what customers bought again in the last `days` up to the cut, as a lazy expression.

    Parameters
    ----------
    known : ibis table
        The orders as known on the cut.
    cut : date
    days : int
        Length of the window. Where the data begin inside it, counts are scaled up to it.

    Returns
    -------
    ibis table
        person_id, last_window: purchase days in the window without a customer's first one ever, of everybody known:
        who was won inside the window counts, too.
    """
    seen = known.filter(known.person_id.notnull() & known.counts & (known.day <= cut))
    start = cut - timedelta(days=days)
    table = seen.group_by("person_id").agg(first=seen.day.min(), bought=seen.day.nunique(where=seen.day > start))
    observed = ibis.least(ibis.literal(cut).delta(seen.day.min().as_scalar(), unit="day") + 1, days)
    again = table.bought - ibis.ifelse(table["first"] > start, 1, 0)
    return table.select("person_id", last_window=again * (days / observed))


def return_rates(orders: ir.Table, as_of: date, weight: float = 5.0) -> ir.Table:
    """Return how often a customer sends goods back, as a lazy expression.

    Parameters
    ----------
    orders : ibis table
        As `waage.history.customer_orders` returns them, with returns booked.
    as_of : date
        Last day looked at.
    weight : float
        Orders of the average customer that are added to everybody's own. A judgement.

    Returns
    -------
    ibis table
        person_id, return_rate (0 to 1): orders with a return by all orders that were not cancelled, shrunken to the
        share of all.
    """
    kept = orders.filter(
        orders.person_id.notnull() & (orders.day <= as_of) & (orders.status.fill_null("") != "cancelled")
    )
    back = (kept.net_revenue < kept.revenue).cast("float64")
    share = float(kept.aggregate(share=back.mean()).execute()["share"].fillna(0.0).iloc[0])
    table = kept.group_by("person_id").agg(own=back.sum(), n=kept.count())
    return table.select("person_id", return_rate=(table.own + weight * share) / (table.n + weight))


def _ascending(first: np.ndarray, second: np.ndarray, third: np.ndarray) -> bool:
    """Return whether rows are sorted by the three columns and none repeats: then there is nothing to count."""
    steps = [np.diff(column) for column in (first, second, third)]
    rises = (steps[0] > 0) | ((steps[0] == 0) & ((steps[1] > 0) | ((steps[1] == 0) & (steps[2] > 0))))
    return bool(rises.all())


def _first(values: np.ndarray, bad: np.ndarray) -> str:
    position = int(np.flatnonzero(bad)[0])
    return f"{int(bad.sum())} rows, first {values[position]:g} in row {position}"
