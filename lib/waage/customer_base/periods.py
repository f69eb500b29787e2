"""Calendar spans of the customer base and the orders that count in them."""

from dataclasses import dataclass
from datetime import date, timedelta

import ibis.expr.types as ir
import pandas as pd

from waage.errors import Refusal

COVERED = 0.02  # share of a span's days that may lie before the first order: none of a month, a week of a year
PAUSE_MONTHS = 24  # judgement: a history this long before a span shows enough returns after a pause to compare them


@dataclass(frozen=True)
class Span:
    """Days from start to end, both included; not complete where the period goes on after `end`."""

    start: date
    end: date
    complete: bool = True

    @property
    def days(self) -> int:
        """Length in days."""
        return (self.end - self.start).days + 1

    @property
    def cuts(self) -> tuple[date, date]:
        """The first day and the day after the last."""
        return self.start, self.end + timedelta(1)

    def before(self) -> "Span":
        """Return the same days one year before: of a whole period the whole one, else up to the same day."""
        end = add_months(self.end + timedelta(1), -12) - timedelta(1) if self.complete else add_months(self.end, -12)
        return Span(add_months(self.start, -12), end, self.complete)


@dataclass(frozen=True)
class History:
    """How far back orders reach, and so which figures can be told.

    Attributes
    ----------
    first, until : date
        The first order of a known person, the last day looked at.
    whole : bool
        Whether nobody ordered before `first`, so that every first order in the data is a first order ever.
    """

    first: date
    until: date
    whole: bool = False

    @property
    def flows_from(self) -> date:
        """The day from which a first order can be told from a return within 12 months."""
        return self.first if self.whole else add_months(self.first, 12)

    def knows(self, span: Span, measure: str = "orders") -> bool:
        """Return whether the data hold what `measure` needs of the span."""
        if self.whole:
            return span.end >= self.first
        if measure == "active":
            span = rolling_year(span.end)
        start = self.flows_from if measure in ("new", "reactivated", "lapsed") else self.first
        return (start - span.start).days <= COVERED * span.days

    def compares(self, span: Span, before: Span, measure: str = "orders") -> bool:
        """Return whether the data can tell `measure` of both spans, and on equal terms.

        The longer the history, the more returns after a pause are seen as such and not as first orders: reactivated
        customers seem to grow until the history is long enough.
        """
        equal = measure != "reactivated" or self.whole
        equal |= (add_months(self.first, PAUSE_MONTHS) - before.start).days <= COVERED * before.days
        return equal and self.knows(span, measure) and self.knows(before, measure)


def history(orders: ir.Table, until: date, whole: bool = False) -> History:
    """Return the history of known persons up to a day.

    Raises
    ------
    Refusal
        When no known person has an order that was not cancelled.
    """
    first = kept(orders, until).day.min().execute()
    if pd.isna(first):
        raise Refusal(f"no known person has an order up to {until} that was not cancelled: there is no customer base")
    return History(pd.Timestamp(first).date(), until, whole)


def placed(orders: ir.Table, until: date) -> ir.Table:
    """Return the orders of known persons up to a day, cancelled ones included."""
    return orders.filter(orders.person_id.notnull() & (orders.day <= until))


def kept(orders: ir.Table, until: date, since: date | None = None) -> ir.Table:
    """Return the orders of known persons that were not cancelled, from `since` to `until`."""
    orders = placed(orders, until)
    orders = orders.filter(is_kept(orders))
    return orders if since is None else orders.filter(orders.day >= since)


def is_kept(orders: ir.Table) -> ir.BooleanValue:
    """Return whether an order was not cancelled."""
    return orders.status.fill_null("placed") != "cancelled"


def active_customers(orders: ir.Table, until: date) -> ir.Table:
    """Return the customers who are active on a day: person_id, orders and net_revenue of the 12 months up to it."""
    year = kept(orders, until, rolling_year(until).start)
    return year.group_by("person_id").agg(
        orders=year.count(), net_revenue=year.net_revenue.sum().cast("decimal(18, 4)")
    )


def rolling_year(day: date) -> Span:
    """Return the 12 months up to a day: exactly the days on which an order makes a customer active on `day`."""
    start = add_months(day + timedelta(1), -12)
    while add_months(start, 12) <= day:  # the end of February, where months differ in length
        start += timedelta(1)
    return Span(start, day)


def year_before(span: Span) -> Span:
    """Return the 12 months that end on the day before a span."""
    return rolling_year(span.start - timedelta(1))


def spans(first: date, until: date, months: int = 1, starts_in: int = 1) -> list[Span]:
    """Cut the time from the period of `first` to `until` into periods; the last may be running.

    Parameters
    ----------
    first, until : date
    months : int
        Length of a period: 1 (months), 3 (quarters) or 12 (years).
    starts_in : int
        The month in which a year starts, 1 to 12.
    """
    start = period_start(first, months, starts_in)
    found = []
    while start <= until:
        following = add_months(start, months)
        last = following - timedelta(1)
        found.append(Span(start, min(last, until), last <= until))
        start = following
    return found


def period_start(day: date, months: int, starts_in: int = 1) -> date:
    """Return the first day of the period of so many months in which a day lies."""
    return add_months(day.replace(day=1), -((day.month - starts_in) % months))


def period_of(day: ir.DateValue, months: int, starts_in: int = 1) -> ir.DateValue:
    """Return the same as `period_start` in the engine."""
    import ibis

    shift = (starts_in - 1) % months
    unit = {1: "M", 3: "Q", 12: "Y"}[months]
    if shift == 0:
        return day.truncate(unit).cast("date")
    first = day.truncate("M").cast("date") - ibis.interval(months=shift)
    return (first.truncate(unit) + ibis.interval(months=shift)).cast("date")


def add_months(day: date, months: int) -> date:
    """Return the same day so many months later; the end of the month where it is shorter."""
    return (pd.Timestamp(day) + pd.DateOffset(months=months)).date()
