"""A customer's history as numbers: local days, orders that count, recency, frequency, T, money, windows.

Two vocabularies meet here and are kept apart. RFM counts orders and measures recency backwards from
`as_of` (`recency_days`). Models of the Buy-Till-You-Die family count repeat purchase days and measure
recency forwards from the first purchase (`recency`, with `T` the age at the window's end).
"""

from datetime import date

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandas as pd

from waage.errors import WaageError


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.timestamp), dt.timestamp))
def _timezone(zone, moment):
    """DuckDB's own: reads a naive time in a zone, or shows a zoned time in a zone."""


def to_utc(moment: ir.TimestampValue, time_zone: str) -> ir.TimestampValue:
    """Read a naive local time of `time_zone` as naive UTC."""
    return _timezone("UTC", _timezone(time_zone, moment))


def local_day(moment: ir.TimestampValue, time_zone: str) -> ir.DateValue:
    """Return the day in `time_zone` on which a naive UTC time falls."""
    return _timezone(time_zone, _timezone("UTC", moment)).cast("date")


def customer_orders(
    orders: ir.Table, identity_map: ir.Table, time_zone: str, returns: ir.Table | None = None
) -> ir.Table:
    """Give each order its person, its local day and its net revenue.

    Parameters
    ----------
    orders, returns : ibis tables
        As in the contract. Returns without an order number cannot be booked to an order here.
    identity_map : ibis table
        source, source_id, person_id.
    time_zone : str

    Returns
    -------
    ibis table
        source, order_id, source_id, person_id (NULL: anonymous), ordered_at (UTC), day (local), channel,
        status, store_id, revenue (demand), net_revenue (demand minus returns; 0 when cancelled), counts
        (False for cancelled orders and for orders whose goods all came back).
    """
    people = identity_map.select("source", "source_id", "person_id")
    table = orders.left_join(people, ["source", "source_id"]).drop("source_right", "source_id_right")
    money = "decimal(18, 4)"
    if returns is None:
        table = table.mutate(returned=ibis.literal(0).cast(money))
    else:
        booked = returns.filter(returns.order_id.notnull())
        booked = booked.group_by("source", "order_id").agg(returned=booked.amount.sum().cast(money))
        table = table.left_join(booked, ["source", "order_id"]).drop("source_right", "order_id_right")
        table = table.mutate(returned=table.returned.fill_null(ibis.literal(0).cast(money)))
    cancelled = table.status.fill_null("placed") == "cancelled"
    net = ibis.ifelse(cancelled, ibis.literal(0).cast(money), (table.revenue - table.returned).cast(money))
    return table.mutate(
        day=local_day(table.ordered_at, time_zone),
        net_revenue=net,
        counts=~cancelled & ~((table.returned > 0) & (net <= 0)),
    ).select(
        "source",
        "order_id",
        "source_id",
        "person_id",
        "ordered_at",
        "day",
        "channel",
        "status",
        "store_id",
        "revenue",
        "net_revenue",
        "counts",
    )


def rfm_summary(orders: ir.Table, as_of: date, window_months: int = 0) -> ir.Table:
    """Sum up each person's orders as recency, frequency and monetary value.

    Parameters
    ----------
    orders : ibis table
        As `customer_orders` returns them; orders after `as_of`, without a person or that do not count
        are left out.
    as_of : date
        The day looked from.
    window_months : int
        Months before `as_of` in which orders count for frequency and monetary; 0 counts all. Recency
        always looks at the whole history, so a person without an order in the window has frequency 0.

    Returns
    -------
    ibis table
        person_id, recency_days, frequency (orders), monetary (net revenue), first_day, last_day.
    """
    seen = _seen(orders, as_of)
    inside = seen.day.notnull()
    if window_months:
        start = (pd.Timestamp(as_of) - pd.DateOffset(months=window_months)).date()
        inside = seen.day > start
    money = ibis.ifelse(inside, seen.net_revenue, ibis.literal(0).cast("decimal(18, 4)"))
    table = seen.group_by("person_id").agg(
        first_day=seen.day.min(),
        last_day=seen.day.max(),
        frequency=ibis.ifelse(inside, 1, 0).sum(),
        monetary=money.sum().cast("decimal(18, 4)"),
    )
    recency = ibis.literal(as_of).delta(table.last_day, unit="day")
    return table.mutate(recency_days=recency).select(
        "person_id", "recency_days", "frequency", "monetary", "first_day", "last_day"
    )


def purchase_histories(orders: ir.Table, end: date, holdout_end: date | None = None) -> ir.Table:
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

    Returns
    -------
    ibis table
        person_id, frequency (purchase days after the first), recency (days from the first to the last),
        T (days from the first to `end`), monetary (mean net revenue of a repeat purchase day, 0 where
        frequency is 0); with `holdout_end` also x_holdout and holdout_revenue. Persons whose first
        purchase lies after `end` are not in the table.
    """
    seen = _seen(orders, holdout_end or end)
    days = seen.group_by("person_id", "day").agg(value=seen.net_revenue.sum())
    first = days.group_by("person_id").agg(first_day=days.day.min()).filter(ibis._.first_day <= end)
    days = days.inner_join(first, "person_id")
    calibration, repeat = days.day <= end, (days.day <= end) & (days.day > days.first_day)
    zero = ibis.literal(0).cast(days.value.type())
    sums = {
        "frequency": ibis.ifelse(repeat, 1, 0).sum(),
        "last_day": days.day.max(where=calibration),
        "repeat_value": ibis.ifelse(repeat, days.value, zero).sum(),
    }
    if holdout_end is not None:
        sums["x_holdout"] = ibis.ifelse(calibration, 0, 1).sum()
        sums["holdout_revenue"] = ibis.ifelse(calibration, zero, days.value).sum().cast("decimal(18, 4)")
    table = days.group_by("person_id", "first_day").agg(**sums)
    mean = table.repeat_value.cast("float64") / table.frequency
    return table.select(
        "person_id",
        "frequency",
        recency=table.last_day.delta(table.first_day, unit="day"),
        T=ibis.literal(end).delta(table.first_day, unit="day"),
        monetary=ibis.ifelse(table.frequency > 0, mean, 0.0),
        **{name: table[name] for name in ("x_holdout", "holdout_revenue") if holdout_end is not None},
    )


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
        Length of the holdout (weeks); 0 takes half of the observed span.

    Raises
    ------
    WaageError
        When fewer than 4 weeks would remain on either side.
    """
    first = _seen(orders, as_of).day.min().execute()
    if pd.isna(first):
        raise WaageError(f"no order of a known person up to as_of {as_of}: nothing to split into windows")
    span = (as_of - pd.Timestamp(first).date()).days + 1
    holdout = 7 * holdout_weeks or span // 2
    if min(holdout, span - holdout) < 28:
        raise WaageError(
            f"orders span {span} days up to as_of {as_of}; a holdout of {holdout} days leaves fewer than 28 days "
            "on one side: set holdout_weeks lower, or bring a longer history"
        )
    return (pd.Timestamp(as_of) - pd.Timedelta(days=holdout)).date()


def _seen(orders: ir.Table, until: date) -> ir.Table:
    return orders.filter(orders.person_id.notnull() & orders.counts & (orders.day <= until))
