"""A customer's history as numbers: local days, orders that count, recency, frequency, T, money, windows.

Two vocabularies meet here and are kept apart. RFM counts orders and measures recency backwards from
`as_of` (`recency_days`). Models of the Buy-Till-You-Die family count repeat purchase days and measure
recency forwards from the first purchase (`recency`, with `T` the age at the window's end).
"""

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.engine import at_zone, value_on_first
from waage.errors import Refusal, WaageError

_ORDER_COLUMNS = (
    *("source", "order_id", "source_id", "person_id", "ordered_at", "day"),
    *("channel", "status", "store_id", "revenue", "net_revenue", "counts"),
)


def to_utc(moment: ir.TimestampValue, time_zone: str) -> ir.TimestampValue:
    """Read a naive local time of `time_zone` as naive UTC."""
    return at_zone("UTC", at_zone(time_zone, moment))


def local_day(moment: ir.TimestampValue, time_zone: str) -> ir.DateValue:
    """Return the day in `time_zone` on which a naive UTC time falls."""
    return at_zone(time_zone, at_zone("UTC", moment)).cast("date")


def customer_orders(
    orders: ir.Table, identity_map: ir.Table, time_zone: str, returns: ir.Table | None = None, until: date | None = None
) -> ir.Table:
    """Give each order its person, its local day and its net revenue.

    Parameters
    ----------
    orders, returns : ibis tables
        As in the contract. Returns without an order number cannot be booked to an order here.
    identity_map : ibis table
        source, source_id, person_id.
    time_zone : str
    until : date, optional
        Returns after this day are not known yet and are left out.

    Returns
    -------
    ibis table
        source, order_id, source_id, person_id (NULL: anonymous), ordered_at (UTC), day (local), channel,
        status, store_id, revenue (demand), net_revenue (demand minus returns; 0 when cancelled), counts
        (False for cancelled orders and for orders whose goods all came back).
    """
    people = identity_map.select("source", "source_id", "person_id")
    table = orders.left_join(people, ["source", "source_id"]).drop("source_right", "source_id_right")
    table = _with_returns(table.mutate(day=local_day(table.ordered_at, time_zone)), returns, time_zone, until, False)
    return table.select(*_ORDER_COLUMNS)


def known_on(
    orders: ir.Table, returns: ir.Table | None, day: date, time_zone: str, keep_returned: bool = False
) -> ir.Table:
    """Return the orders as they were known on a day: none after it, and no return that came back after it.

    Parameters
    ----------
    orders : ibis table
        As `customer_orders` returns them, whatever returns they were made with.
    returns : ibis table or None
        As in the contract; None where the study has none.
    day : date
        The last day that is looked at. A cancellation has no time of its own in the contract and counts from
        the order's day on.
    time_zone : str
    keep_returned : bool
        Whether orders whose goods all came back still count.

    Returns
    -------
    ibis table
        As `customer_orders` returns them; net_revenue and counts as of `day`.
    """
    seen = orders.filter(orders.day <= day).drop("net_revenue", "counts")
    return _with_returns(seen, returns, time_zone, day, keep_returned).select(*_ORDER_COLUMNS)


def _with_returns(
    table: ir.Table, returns: ir.Table | None, time_zone: str, until: date | None, keep_returned: bool
) -> ir.Table:
    money = "decimal(18, 4)"
    nothing = ibis.literal(0).cast(money)
    if returns is None:
        table = table.mutate(returned=nothing)
    else:
        booked = returns.filter(returns.order_id.notnull())
        if until is not None:
            booked = booked.filter(local_day(booked.returned_at, time_zone) <= until)
        booked = booked.group_by("source", "order_id").agg(returned=booked.amount.sum().cast(money))
        table = table.left_join(booked, ["source", "order_id"]).drop("source_right", "order_id_right")
        table = table.mutate(returned=table.returned.fill_null(nothing))
    cancelled = table.status.fill_null("placed") == "cancelled"
    net = ibis.ifelse(cancelled, nothing, (table.revenue - table.returned).cast(money))
    gone = ibis.literal(False) if keep_returned else (table.returned > 0) & (net <= 0)
    return table.mutate(net_revenue=net, counts=~cancelled & ~gone)


def rfm_summary(
    orders: ir.Table, as_of: date, window_months: int = 0, monetary: str = "net_revenue", recent_days: int = 90
) -> ir.Table:
    """Sum up each person's orders as recency, frequency and monetary value, in one pass over the orders.

    Parameters
    ----------
    orders : ibis table
        As `customer_orders` or `known_on` return them; orders after `as_of`, without a person or that do not
        count are left out.
    as_of : date
        The day looked from.
    window_months : int
        Months before `as_of` in which orders count for frequency and monetary; 0 counts all. Recency
        always looks at the whole history, so a person without an order in the window has frequency 0.
    monetary : {"net_revenue", "mean_order_value"}
        The window's net revenue, or that divided by frequency (0 where frequency is 0).
    recent_days : int
        For `gap_days`.

    Returns
    -------
    ibis table
        person_id; recency_days; frequency (orders in the window); monetary and net_revenue of the window (DECIMAL);
        tenure_days (days since the first order); first_day, last_day; orders (in the whole history); gap_days: days
        from the last order before the last `recent_days` days to the first one in them, NULL where either is missing.
    """
    seen = _seen(orders, as_of)
    money, nothing = "decimal(18, 4)", ibis.literal(0).cast("decimal(18, 4)")
    recent = seen.day >= (pd.Timestamp(as_of) - pd.Timedelta(days=recent_days)).date()
    sums = {
        "first_day": seen.day.min(),
        "last_day": seen.day.max(),
        "orders": seen.count(),
        "earlier": ibis.ifelse(recent, ibis.null("date"), seen.day).max(),
        "return_day": ibis.ifelse(recent, seen.day, ibis.null("date")).min(),
    }
    if window_months:
        inside = seen.day > months_before(as_of, window_months)
        # A count, because DuckDB's sum of integers is a HUGEINT, which Parquet keeps as a double.
        sums["frequency"] = seen.count(where=inside)
        sums["net_revenue"] = ibis.ifelse(inside, seen.net_revenue, nothing).sum().cast(money)
    else:
        sums["net_revenue"] = seen.net_revenue.sum().cast(money)
    table = seen.group_by("person_id").agg(**sums)
    if not window_months:
        table = table.mutate(frequency=table.orders)
    mean = ibis.ifelse(table.frequency > 0, (table.net_revenue / table.frequency).cast(money), nothing)
    kinds = {"net_revenue": table.net_revenue, "mean_order_value": mean}
    if monetary not in kinds:
        raise WaageError(f"monetary: {monetary!r} is neither net_revenue nor mean_order_value")
    today = ibis.literal(as_of)
    return table.select(
        "person_id",
        recency_days=today.delta(table.last_day, unit="day"),
        frequency=table.frequency,
        monetary=kinds[monetary],
        net_revenue=table.net_revenue,
        tenure_days=today.delta(table.first_day, unit="day"),
        first_day=table.first_day,
        last_day=table.last_day,
        orders=table.orders,
        gap_days=table.return_day.delta(table.earlier, unit="day"),
    )


def months_before(day: date, months: int) -> date:
    """Return the same day of an earlier month, or that month's last."""
    return (pd.Timestamp(day) - pd.DateOffset(months=months)).date()


def purchase_histories(
    orders: ir.Table, end: date, holdout_end: date | None = None, known: ir.Table | None = None
) -> ir.Table:
    """Return each person's repeat purchases up to `end`, as the BTYD models want them.

    Orders of one day are one purchase (Fader, Hardie and Lee 2005).

    Parameters
    ----------
    orders : ibis table
        As `customer_orders` returns them.
    end : date
        Last day of the window.
    holdout_end : date, optional
        Also count purchase days and net revenue after `end` up to this day.
    known : ibis table, optional
        The orders as they stood on `end` (`customer_orders(..., until=end)`), so that returns of the
        holdout do not leak into the window; the same as `orders` where there are no returns.

    Returns
    -------
    ibis table
        person_id, frequency (purchase days after the first), recency (days from the first to the last),
        T (days from the first to `end`), monetary (mean net revenue of a repeat purchase day, 0 where
        frequency is 0); with `holdout_end` also x_holdout and holdout_revenue. Persons whose first
        purchase lies after `end` are not in the table.
    """
    days = _purchase_days(orders if known is None else known, end)
    # What came after the first day is all less the first day: no window function, which would sort everything.
    table = days.group_by("person_id").agg(
        first_day=days.day.min(),
        frequency=days.count() - 1,
        last_day=days.day.max(),
        repeat_value=days.value.sum() - value_on_first(days.value.cast("decimal(38, 4)"), days.day),
    )
    mean = table.repeat_value.cast("float64") / table.frequency
    table = table.select(
        "person_id",
        "frequency",
        recency=table.last_day.delta(table.first_day, unit="day"),
        T=ibis.literal(end).delta(table.first_day, unit="day"),
        monetary=ibis.ifelse(table.frequency > 0, mean, 0.0),
    )
    if holdout_end is None:
        return table
    later = _purchase_days(orders, holdout_end)
    later = later.filter(later.day > end)
    later = later.group_by("person_id").agg(x_holdout=later.count(), holdout_revenue=later.value.sum())
    table = table.left_join(later, "person_id").drop("person_id_right")
    revenue = table.holdout_revenue.fill_null(ibis.literal(0).cast(table.holdout_revenue.type()))
    return table.mutate(x_holdout=table.x_holdout.fill_null(0), holdout_revenue=revenue.cast("decimal(18, 4)"))


def unique_histories(histories: ir.Table) -> ir.Table:
    """Count customers for each distinct history: frequency, recency, T, n, ordered by the first three.

    The likelihood of BG/NBD and its kin depends on these three alone, so a fit on unique histories
    weighted by n is the fit on all customers.
    """
    table = histories.group_by("frequency", "recency", "T").agg(n=histories.count())
    return table.order_by("frequency", "recency", "T")


def split_day(orders: ir.Table, as_of: date, holdout_weeks: int = 0) -> date:
    """Return the last day of the calibration window.

    Parameters
    ----------
    orders : ibis table
        As `customer_orders` returns them.
    as_of : date
        Last day of the holdout.
    holdout_weeks : int
        Length of the holdout (weeks); 0 takes half of the observed span, in whole weeks.

    Raises
    ------
    Refusal
        When fewer than 4 weeks would remain on either side.
    """
    first = _seen(orders, as_of).day.min().execute()
    if pd.isna(first):
        raise Refusal(f"no order of a known person up to as_of {as_of}: nothing to split into windows")
    span = (as_of - pd.Timestamp(first).date()).days + 1
    holdout = 7 * (holdout_weeks or span // 14)
    if min(holdout, span - holdout) < 28:
        raise Refusal(
            f"orders span {span} days up to as_of {as_of}; a holdout of {holdout} days leaves fewer than 28 days "
            "on one side: set holdout_weeks lower, or bring a longer history"
        )
    return (pd.Timestamp(as_of) - pd.Timedelta(days=holdout)).date()


def _purchase_days(orders: ir.Table, until: date) -> ir.Table:
    seen = _seen(orders, until)
    return seen.group_by("person_id", "day").agg(value=seen.net_revenue.sum())


def _seen(orders: ir.Table, until: date) -> ir.Table:
    return orders.filter(orders.person_id.notnull() & orders.counts & (orders.day <= until))
