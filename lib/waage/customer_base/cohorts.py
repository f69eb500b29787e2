"""Retention by acquisition cohort: who of those who came together still orders, and for how much."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.customer_base.activity import Activity
from waage.customer_base.periods import kept, period_of, spans
from waage.errors import WaageError, did_you_mean
from waage.privacy import mask_small
from waage.stats import wilson

GRAINS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Cohorts:
    """Retention by acquisition cohort.

    Attributes
    ----------
    table : DataFrame
        cohort (first day of the period of the first order), age (periods since), size (customers of the cohort),
        customers (those who ordered in that period), share, share_low, share_high (Wilson, 95 %), net_revenue, known
        (False: the data begin less than 12 months before, so returning customers may be among the new). Complete
        periods only; small cells are NaN.
    grain : str
        month, quarter or year.
    """

    table: pd.DataFrame
    grain: str


def cohorts(orders: ir.Table, activity: Activity, *, grain: str = "quarter") -> Cohorts:
    """Follow the customers of each acquisition period through the periods after it.

    Parameters
    ----------
    orders : ibis table
        As `waage.history.known_on` returns them.
    activity : Activity
        Cells below its min_cell are hidden, and with them what would give them away as the rest of a period; so are
        cohorts whose size does not go together with its new customers.
    grain : {"month", "quarter", "year"}
        Calendar periods, of cohorts and of their age.

    Returns
    -------
    Cohorts

    Raises
    ------
    WaageError
        For an unknown grain.
    """
    if grain not in GRAINS:
        raise WaageError(f"cohorts: no grain {grain!r}{did_you_mean(grain, GRAINS)}; one of {', '.join(GRAINS)}")
    past, min_cell = activity.history, activity.min_cell
    every = kept(orders, past.until)
    first = every.day.min().over(ibis.window(group_by="person_id"))
    every = every.mutate(_first=first)
    every = every.mutate(cohort=period_of(every["_first"], GRAINS[grain]), period=period_of(every.day, GRAINS[grain]))
    cells = every.group_by("cohort", "period").agg(
        customers=every.person_id.nunique(), net_revenue=every.net_revenue.sum()
    )
    found = cells.execute().astype({"net_revenue": float})
    found = found.assign(**{name: pd.to_datetime(found[name]) for name in ("cohort", "period")})
    whole = [span for span in spans(past.first, past.until, GRAINS[grain]) if span.complete]
    known = [(past.knows(span, "new"), activity.tells(span)) for span in whole]
    rows = [
        (pd.Timestamp(born.start), age, pd.Timestamp(later.start), *sure)
        for place, (born, sure) in enumerate(zip(whole, known, strict=True))
        for age, later in enumerate(whole[place:])
    ]
    table = pd.DataFrame(rows, columns=["cohort", "age", "period", "known", "told"])
    table = table.merge(found, how="left", on=["cohort", "period"]).fillna({"customers": 0, "net_revenue": 0.0})
    table["size"] = table.groupby("cohort")["customers"].transform("first")
    table = table[table["size"] > 0].reset_index(drop=True)
    low, high = wilson(table["customers"], table["size"])
    table = table.assign(share=table["customers"] / table["size"], share_low=low, share_high=high)
    hide = ("net_revenue", "share", "share_low", "share_high")
    # All customers of a period belong to some cohort: its cells add up to a total that is shown elsewhere, and so is
    # the youngest of them, as new customers.
    fixed = table["told"] & (table["age"] == 0)
    parts = [mask_small(part, "customers", *hide, min_cell=min_cell) for _, part in table[~fixed].groupby("period")]
    small = table["customers"].where(table["customers"].ne(0) & ~fixed)
    table = pd.concat([table[fixed], *parts]).sort_values(["cohort", "age"])
    hidden = table["customers"].isna() | ~table["told"]
    rest = small.where(hidden).groupby(table["period"]).transform("sum")
    table["net_revenue"] = table["net_revenue"].mask(rest.between(1, min_cell - 1))
    # A hidden size takes its whole cohort with it: shares times size are counts.
    table[["size", "customers", *hide]] = table[["size", "customers", *hide]].astype(float).mask(~table["told"], axis=0)
    table = table.reset_index(drop=True)
    columns = ["cohort", "age", "size", "customers", "share", "share_low", "share_high", "net_revenue", "known"]
    return Cohorts(table[columns].assign(cohort=pd.to_datetime(table["cohort"])), grain)
