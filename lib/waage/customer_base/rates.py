"""Wiederkehrrate and Wiederkaufrate: who of last year's customers came back, who ordered more than once."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.customer_base.periods import History, kept, period_of, rolling_year, spans, year_before
from waage.stats import wilson

RATES = ("returning_rate", "repeat_rate")


@dataclass(frozen=True)
class Rates:
    """Returning and repeat rate by year.

    Attributes
    ----------
    table : DataFrame
        grain (fiscal_year: complete ones; rolling: the 12 months up to the last day), period (its first day), measure
        (returning_rate, repeat_rate), n (customers it is a share of), k, value, value_low, value_high (Wilson, 95 %),
        value_before (of the year before, where that is there). Years that the history cannot tell, or of fewer than
        min_cell customers, are left out.
    """

    table: pd.DataFrame

    @property
    def summary(self) -> pd.DataFrame:
        """The rates of the 12 months up to the last day."""
        return self.table[self.table["grain"] == "rolling"].reset_index(drop=True)


def rates(orders: ir.Table, past: History, *, fiscal_year_start: int = 1, min_cell: int = 10) -> Rates:
    """Compute the share that ordered again and the share that ordered more than once, by year.

    Parameters
    ----------
    orders : ibis table
        As `waage.history.known_on` returns them.
    past : History
        As `history` returns it.
    fiscal_year_start : int
        Month, 1 to 12.
    min_cell : int
        Shares of fewer customers are left out.

    Returns
    -------
    Rates
    """
    every = kept(orders, past.until)
    fiscal = [span for span in spans(past.first, past.until, 12, fiscal_year_start) if span.complete]
    year = rolling_year(past.until)
    rolling = [year]
    while (earlier := year_before(rolling[0])).end >= past.first:
        rolling.insert(0, earlier)
    number = ibis.cases(
        *((every.day >= ibis.literal(span.start), place) for place, span in reversed(list(enumerate(rolling))))
    )
    counted = {
        "fiscal_year": (fiscal, _by_year(every, period_of(every.day, 12, fiscal_year_start))),
        "rolling": (rolling, _by_year(every, number)),
    }
    rows = []
    for grain, (years, counts) in counted.items():
        for place, span in enumerate(years):
            key = place if grain == "rolling" else pd.Timestamp(span.start)
            now = counts.get(key, _NOBODY)
            base = counts.get(place - 1 if grain == "rolling" else pd.Timestamp(span.before().start), _NOBODY)
            before = year_before(span) if grain == "rolling" else span.before()
            if past.knows(span) and past.knows(before):
                rows.append((grain, span.start, before.start, "returning_rate", base["customers"], now["returned"]))
            if past.knows(span):
                rows.append((grain, span.start, before.start, "repeat_rate", now["customers"], now["repeated"]))
    table = pd.DataFrame(rows, columns=["grain", "period", "before", "measure", "n", "k"])
    table = table[table["n"] >= max(min_cell, 1)].reset_index(drop=True)
    low, high = wilson(table["k"], table["n"])
    table = table.assign(period=pd.to_datetime(table["period"]), value=table["k"] / table["n"])
    table = table.assign(value_low=low, value_high=high)
    values = table.set_index(["grain", "measure", "period"])["value"]
    before = pd.MultiIndex.from_arrays([table["grain"], table["measure"], pd.to_datetime(table.pop("before"))])
    table["value_before"] = values.reindex(before).to_numpy()
    last = table["period"] == pd.Timestamp(year.start)
    return Rates(table[(table["grain"] == "fiscal_year") | last].reset_index(drop=True))


_NOBODY = {"customers": 0, "repeated": 0, "returned": 0}


def _by_year(orders: ir.Table, year: ir.Value) -> dict:
    """Count by year the customers, those with two orders or more and those who also ordered in the year before."""
    people = orders.mutate(year=year).group_by("person_id", "year").agg(orders=lambda t: t.count())
    previous = people.year.lag().over(ibis.window(group_by="person_id", order_by="year"))
    people = people.mutate(previous=previous)
    if people.year.type().is_date():
        following = (people.previous + ibis.interval(months=12)).cast("date")
    else:
        following = people.previous + 1
    people = people.mutate(came_back=(people.year == following).fill_null(False))
    counts = people.group_by("year").agg(
        customers=people.count(),
        repeated=people.count(where=people.orders >= 2),
        returned=people.count(where=people.came_back),
    )
    rows = counts.execute().to_dict("records")
    return {pd.Timestamp(row["year"]) if people.year.type().is_date() else row["year"]: row for row in rows}
