"""The cockpit of new customers: their first order, and how soon a second one follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import NormalDist

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.customer_base.activity import Activity
from waage.customer_base.periods import kept, period_of, rolling_year, spans, year_before
from waage.privacy import mask_small
from waage.stats import wilson

HORIZONS = (30, 60, 90, 180)
OTHER = "all_other"
_MIX = ["level", "customers", "share", "customers_before", "share_before"]
_ENOUGH = 30  # customers from which on a mean has a normal interval; judgement


@dataclass(frozen=True)
class Newcomers:
    """Customers by the month of their first order.

    Attributes
    ----------
    table : DataFrame
        month, customers, basket (mean value of the first order), basket_low, basket_high (95 %), basket_median,
        within_30, within_60, ... (share with a second order within so many days), with _low and _high (Wilson, 95 %);
        NaN where not every customer of the month has been observed that long, or the month is hidden;
        complete (False: the month is running). Only months of which the history can tell who is new.
    channels, categories : DataFrame
        level, customers, share, customers_before, share_before: the first channel, and the category with the largest
        value in the first order, of the newcomers of the last 12 months and of the 12 months before. Empty where
        that cannot be told.
    """

    table: pd.DataFrame
    channels: pd.DataFrame
    categories: pd.DataFrame


def newcomers(
    orders: ir.Table,
    activity: Activity,
    order_lines: ir.Table | None = None,
    *,
    horizons: Sequence[int] = HORIZONS,
) -> Newcomers:
    """Describe the first orders of new customers, month by month.

    Parameters
    ----------
    orders : ibis table
        As `waage.history.known_on` returns them.
    activity : Activity
        Months are hidden where its new customers are, levels below its min_cell.
    order_lines : ibis table, optional
        source, order_id, category, revenue.
    horizons : sequence of int
        Days within which a second order is looked for.

    Returns
    -------
    Newcomers
    """
    past, min_cell = activity.history, activity.min_cell
    every = kept(orders, past.until)
    turn = ibis.window(group_by="person_id", order_by=["ordered_at", "source", "order_id"])
    every = every.mutate(_place=ibis.row_number().over(turn), _next=every.day.lead().over(turn))
    first = every.filter(every["_place"] == 0)
    table = _by_month(first, activity, tuple(horizons))
    now = rolling_year(past.until)
    before = year_before(now)
    if not past.knows(now, "new"):
        empty = pd.DataFrame(columns=_MIX)
        return Newcomers(table, empty, empty)
    since = before.start if past.knows(before, "new") else now.start
    recent = first.filter(first.day >= ibis.literal(since))
    recent = recent.mutate(before=recent.day < ibis.literal(now.start))
    mixes = [_mix(recent.mutate(level=recent.channel), min_cell)]
    if order_lines is None:
        return Newcomers(table, mixes[0], mixes[0].iloc[:0])
    return Newcomers(table, mixes[0], _mix(_with_category(recent, order_lines), min_cell))


def _by_month(first: ir.Table, activity: Activity, horizons: tuple[int, ...]) -> pd.DataFrame:
    past = activity.history
    gap = first["_next"].delta(first.day, unit="day")
    again = {f"within_{days}": first.count(where=gap <= days) for days in horizons}
    counts = first.group_by(month=period_of(first.day, 1)).agg(
        customers=first.count(),
        total=first.revenue.sum(),
        squares=(first.revenue * first.revenue).sum(),  # decimals: exact, so that the order of rows cannot matter
        basket_median=first.revenue.cast("float64").median(),
        **again,
    )
    found = counts.execute()
    found = found.assign(month=pd.to_datetime(found["month"])).set_index("month").astype(float)
    known = [span for span in spans(past.first, past.until) if past.knows(span, "new")]
    table = found.reindex(pd.DatetimeIndex([span.start for span in known], name="month"))
    table[["customers", *again]] = table[["customers", *again]].fillna(0)
    n = table["customers"]
    table["basket"] = table["total"] / n.where(n > 0)
    variance = ((table["squares"] - n * table["basket"] ** 2) / (n - 1)).where(n >= _ENOUGH)
    half = NormalDist().inv_cdf(0.975) * (variance.clip(lower=0) / n) ** 0.5
    table = table.assign(basket_low=table["basket"] - half, basket_high=table["basket"] + half)
    shares = []
    for name, days in zip(again, horizons, strict=True):
        low, high = wilson(table[name], n)
        mature = [span.complete and span.end + timedelta(days) <= past.until for span in known]
        ends = {name: table[name] / n.where(n > 0), f"{name}_low": low, f"{name}_high": high}
        table = table.assign(**{key: pd.Series(share, table.index).where(mature) for key, share in ends.items()})
        shares += list(ends)
    columns = ["basket", "basket_low", "basket_high", "basket_median", *shares]
    table = table[["customers", *columns]].assign(complete=[span.complete for span in known]).reset_index()
    hidden = pd.Series([not activity.tells(span) for span in known], dtype=bool)
    return table.assign(**{name: table[name].mask(hidden) for name in ("customers", *columns)})


def _with_category(first: ir.Table, order_lines: ir.Table) -> ir.Table:
    """Give each first order the category with its largest value; of equal ones the first by name."""
    lines = order_lines.inner_join(first.select("source", "order_id", "before", "person_id"), ["source", "order_id"])
    lines = lines.mutate(level=ibis.coalesce(lines.category, "unknown"))
    sums = lines.group_by("person_id", "before", "level").agg(value=lines.revenue.sum())
    best = ibis.window(group_by="person_id", order_by=[ibis.desc("value"), "level"])
    return sums.mutate(_place=ibis.row_number().over(best)).filter(lambda t: t["_place"] == 0)


def _mix(first: ir.Table, min_cell: int, most: int = 9) -> pd.DataFrame:
    """Count newcomers by level, now and before; levels after the `most` largest are one."""
    found = first.group_by("level", "before").agg(customers=first.count()).execute()
    wide = found.pivot_table(index="level", columns="before", values="customers", aggfunc="sum")
    wide = wide.reindex(columns=[False, True]).astype(float).reset_index()
    wide.columns = ["level", "customers", "customers_before"]
    if not wide["customers"].sum():
        return pd.DataFrame(columns=_MIX)
    compared = wide["customers_before"].notna().any()
    wide = wide.fillna({"customers": 0, **({"customers_before": 0} if compared else {})})
    wide = wide.sort_values(["customers", "level"], ascending=[False, True], ignore_index=True)
    if len(wide) > most + 1:
        rest = wide.iloc[most:][["customers", "customers_before"]].sum(min_count=1)
        wide = pd.concat([wide.iloc[:most], pd.DataFrame([{"level": OTHER, **rest}])], ignore_index=True)
    for end in ("", "_before"):
        total = wide[f"customers{end}"].sum()
        wide[f"share{end}"] = wide[f"customers{end}"] / total if total else float("nan")
        wide = mask_small(wide, f"customers{end}", f"share{end}", min_cell=min_cell)
    return wide[_MIX]
