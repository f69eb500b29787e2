"""Customers as they stood on a day: recency, frequency, monetary and lifecycle stage, and the orders left out."""

from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.errors import WaageError
from waage.history import known_on, months_before, rfm_summary

#: Lifecycle stages in the order of a customer's way through them: an exact partition of all persons.
LIFECYCLE = ("lead", "new", "one_time", "active", "reactivated", "at_risk", "lapsed")

_NOTHING = ibis.literal(0).cast("decimal(18, 4)")


@dataclass(frozen=True)
class Customers:
    """The base behind every RFM figure, looked at on any day as it was known on that day.

    Attributes
    ----------
    orders : ibis table
        `customer_orders`.
    returns : ibis table or None
        As in the contract; each counts from the day it came back.
    persons : ibis table or None
        With person_id: who is in the result, with or without orders. None: everybody with an order.
    time_zone : str
        Of the study; the day of a return is cut in it.
    window_months : int
        Months before the day in which orders count for frequency and monetary; 0 counts all. Shops with
        seasons need a multiple of 12.
    monetary : {"net_revenue", "mean_order_value"}
        Sum of net revenue in the window, or its mean per order.
    keep_returned : bool
        Whether orders whose goods all came back count.
    active_days, lapsed_days : int
        Limits of the lifecycle stages, both inclusive.

    Raises
    ------
    WaageError
        At construction, naming every wrong setting.
    """

    orders: ir.Table
    returns: ir.Table | None = None
    persons: ir.Table | None = None
    time_zone: str = "UTC"
    window_months: int = 0
    monetary: str = "net_revenue"
    keep_returned: bool = False
    active_days: int = 90
    lapsed_days: int = 365

    def __post_init__(self):
        faults = []
        if self.window_months < 0:
            faults.append(f"window_months {self.window_months} is negative; 0 counts all orders")
        if self.monetary not in ("net_revenue", "mean_order_value"):
            faults.append(f"monetary {self.monetary!r} is neither net_revenue nor mean_order_value")
        if not 0 <= self.active_days < self.lapsed_days:
            faults.append(
                f"active_days {self.active_days} and lapsed_days {self.lapsed_days}; "
                "need 0 <= active_days < lapsed_days"
            )
        if faults:
            raise WaageError("customers: " + "; ".join(faults))

    def known(self, day: date) -> ir.Table:
        """Return the orders as known on a day, see `waage.history.known_on`."""
        return known_on(self.orders, self.returns, day, self.time_zone, self.keep_returned)

    def at(self, day: date) -> ir.Table:
        """Return one row per person, lazily, from no order and no return after the day.

        What was cancelled is left out on every day: the contract knows no time of a cancellation.

        Parameters
        ----------
        day : date

        Returns
        -------
        ibis table
            person_id, recency_days, frequency, monetary, net_revenue, tenure_days, first_day, last_day, orders,
            gap_days (see `waage.history.rfm_summary`), lifecycle. A person without an order that counts is a lead:
            frequency, monetary, net_revenue and orders 0, the rest NULL.
        """
        summary = rfm_summary(self.known(day), day, self.window_months, self.monetary, self.active_days)
        if self.persons is not None:
            people = self.persons.select("person_id").left_join(summary, "person_id").drop("person_id_right")
            summary = people.mutate(
                frequency=people.frequency.fill_null(0),
                monetary=people.monetary.fill_null(_NOTHING),
                net_revenue=people.net_revenue.fill_null(_NOTHING),
                orders=people.orders.fill_null(0),
            )
        return lifecycle(summary, active_days=self.active_days, lapsed_days=self.lapsed_days)

    def outcome(self, after: date, until: date) -> ir.Table:
        """Return what buyers among the persons ordered in a period, returns up to its end taken off.

        Parameters
        ----------
        after, until : date
            The period's days are after < day <= until.

        Returns
        -------
        ibis table
            person_id, orders (that count), revenue (net); persons without an order in it are not in the table.
        """
        seen = self.known(until)
        seen = seen.filter(seen.person_id.notnull() & seen.counts & (seen.day > after))
        table = seen.group_by("person_id").agg(orders=seen.count(), revenue=seen.net_revenue.sum())
        if self.persons is not None:
            table = table.semi_join(self.persons, "person_id")
        return table.mutate(revenue=table.revenue.cast("decimal(18, 4)"))

    def revenue_around(self, before: date, after: date) -> ir.Table:
        """Return each person's net revenue in the time between two days, and in as long a time before the first.

        Returns
        -------
        ibis table
            person_id, revenue_before (known on `before`), revenue_after (known on `after`); persons with an order in
            either period.
        """
        start = before - (after - before)
        earlier = self.outcome(start, before).select("person_id", revenue_before="revenue")
        later = self.outcome(before, after).select("person_id", revenue_after="revenue")
        both = earlier.outer_join(later, "person_id")
        return both.select(
            person_id=ibis.coalesce(both.person_id, both.person_id_right),
            revenue_before=both.revenue_before.fill_null(_NOTHING),
            revenue_after=both.revenue_after.fill_null(_NOTHING),
        )

    def reaches(self, day: date, months: int = 0) -> bool:
        """Return whether the orders cover the months before a day, give or take 5 %.

        Sums of a window that begins before the first order are too small to be compared with later ones.

        Parameters
        ----------
        day : date
        months : int
            0 takes the window, or 12 where all orders count.
        """
        start = pd.Timestamp(months_before(day, months or self.window_months or 12))
        first = pd.Timestamp(self.orders.day.min().execute())
        return bool(first <= start + 0.05 * (pd.Timestamp(day) - start))

    def objectors(self, day: date) -> int:
        """Return how many persons with an order that counts are left out, because `persons` lacks them."""
        if self.persons is None:
            return 0
        seen = self.known(day)
        seen = seen.filter(seen.person_id.notnull() & seen.counts).anti_join(self.persons, "person_id")
        return int(seen.person_id.nunique().execute())

    def excluded(self, day: date) -> pd.DataFrame:
        """Return why orders do not count for recency, frequency and monetary on a day.

        Parameters
        ----------
        day : date

        Returns
        -------
        DataFrame
            reason (counted, before_window, later, anonymous, cancelled, returned, objected), orders, demand. Every
            order of `orders` is in exactly one row, by the first reason that holds: later, anonymous, objected,
            cancelled, returned. An order before the window counts for recency only.
        """
        later = self.orders.filter(self.orders.day > day).mutate(reason=ibis.literal("later"))
        seen = self.known(day)
        inside = ibis.literal(True)
        if self.window_months:
            inside = seen.day > months_before(day, self.window_months)
        reasons = [(seen.person_id.isnull(), "anonymous")]
        if self.persons is not None:
            people = self.persons.select("person_id").mutate(_listed=True)
            seen = seen.left_join(people, "person_id").drop("person_id_right")
            reasons = [(seen.person_id.isnull(), "anonymous"), (seen["_listed"].isnull(), "objected")]
        reasons += [
            (seen.status.fill_null("placed") == "cancelled", "cancelled"),
            (~seen.counts, "returned"),
            (~inside if self.window_months else ibis.literal(False), "before_window"),
        ]
        seen = seen.mutate(reason=ibis.cases(*reasons, else_="counted"))
        both = seen.select("reason", "revenue").union(later.select("reason", "revenue"))
        found = both.group_by("reason").agg(orders=both.count(), demand=both.revenue.sum()).to_pyarrow().to_pandas()
        order = ["counted", "before_window", "later", "anonymous", "objected", "cancelled", "returned"]
        found = found.set_index("reason").reindex(order).fillna(0).rename_axis("reason").reset_index()
        return found.astype({"orders": "int64", "demand": "float64"})


def lifecycle(customers: ir.Table, *, active_days: int = 90, lapsed_days: int = 365) -> ir.Table:
    """Add the lifecycle stage: every person is in exactly one.

    Parameters
    ----------
    customers : ibis table
        With recency_days (NULL: no order), orders (in the whole history) and gap_days, the days between the last
        order before the last `active_days` days and the first one in them; stays lazy.
    active_days, lapsed_days : int
        Limits, both inclusive; the defaults are those of Emarsys Smart Insight for buyers. A business with a slower
        purchase rhythm needs longer ones, see `return_curve`.

    Returns
    -------
    ibis table
        With the column lifecycle: lead (no order); lapsed (last order more than `lapsed_days` ago); new and one_time
        (one order, up to `active_days` ago or longer); reactivated (came back within the last `active_days` days
        after more than `lapsed_days` without an order); active and at_risk (two or more orders, the last up to
        `active_days` ago or longer).
    """
    recency = customers.recency_days
    recent, once = recency <= active_days, customers.orders == 1
    stage = ibis.cases(
        (recency.isnull(), "lead"),
        (recency > lapsed_days, "lapsed"),
        (once & recent, "new"),
        (once, "one_time"),
        (recent & (customers.gap_days > lapsed_days).fill_null(False), "reactivated"),
        (recent, "active"),
        else_="at_risk",
    )
    return customers.mutate(lifecycle=stage)
