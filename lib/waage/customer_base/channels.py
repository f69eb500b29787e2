"""Orders, customers, revenue and basket by channel: the last 12 months beside the 12 months before."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.customer_base.periods import History, is_kept, placed, rolling_year, year_before
from waage.privacy import mask_small


@dataclass(frozen=True)
class Channels:
    """Channels side by side.

    Attributes
    ----------
    table : DataFrame
        channel (most net revenue first), customers, orders, demand, net_revenue, basket (demand per order), share (of
        net revenue), and each of them with _before for the 12 months before; NaN where fewer than min_cell persons
        ordered, and in _before where the data do not reach back.
    anonymous_orders, anonymous_demand : float
        Share of all orders, and of all demand, of the last 12 months that no known person placed.
    """

    table: pd.DataFrame
    anonymous_orders: float = 0.0
    anonymous_demand: float = 0.0


def channels(orders: ir.Table, past: History, *, min_cell: int = 10) -> Channels:
    """Sum up the last 12 months and the 12 months before by channel.

    Parameters
    ----------
    orders : ibis table
        As `waage.history.known_on` returns them.
    past : History
    min_cell : int
        Channels with fewer ordering persons are hidden.

    Returns
    -------
    Channels
    """
    year = rolling_year(past.until)
    earlier = year_before(year)
    now = _by_channel(placed(orders, year.end).filter(lambda t: t.day >= year.start), min_cell)
    before = _by_channel(placed(orders, earlier.end).filter(lambda t: t.day >= earlier.start), min_cell)
    if not past.knows(earlier):
        before = before.iloc[:0]
    table = now.join(before.add_suffix("_before"), how="outer").rename_axis("channel").reset_index()
    table = table.sort_values(["net_revenue", "channel"], ascending=[False, True], ignore_index=True)
    everybody = orders.filter(orders.day.between(ibis.literal(year.start), ibis.literal(year.end)))
    nobody = everybody.person_id.isnull()
    money = everybody.revenue
    parts = everybody.aggregate(
        orders=everybody.count(), own=everybody.count(where=nobody), demand=money.sum(), value=money.sum(where=nobody)
    )
    row = parts.execute().astype(float).fillna(0.0).iloc[0]
    return Channels(table, row["own"] / max(row["orders"], 1), row["value"] / row["demand"] if row["demand"] else 0.0)


def _by_channel(orders: ir.Table, min_cell: int) -> pd.DataFrame:
    rows = orders.group_by("channel").agg(
        persons=orders.person_id.nunique(),
        customers=orders.person_id.nunique(where=is_kept(orders)),
        orders=orders.count(),
        demand=orders.revenue.sum(),
        net_revenue=orders.net_revenue.sum(),
    )
    table = rows.execute().sort_values("channel").set_index("channel").astype(float)
    total = table["net_revenue"].sum()
    table["basket"] = table["demand"] / table["orders"]
    table["share"] = table["net_revenue"] / total if total > 0 else float("nan")
    hide = [name for name in table.columns if name != "persons"]
    return mask_small(table, "persons", *hide, min_cell=min_cell).drop(columns="persons")
