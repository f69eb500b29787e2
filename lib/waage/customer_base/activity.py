"""Active, new, reactivated and lapsed customers by day, month and fiscal year, beside the previous year."""

from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.customer_base.periods import (
    History,
    Span,
    history,
    is_kept,
    kept,
    period_of,
    placed,
    rolling_year,
    spans,
    year_before,
)

FLOWS = ("new", "reactivated", "lapsed")
VOLUMES = ("ordering", "orders", "demand", "net_revenue")
_MEASURES = ("active", *FLOWS, *VOLUMES, "basket")


@dataclass(frozen=True)
class Activity:
    """The customer base over time.

    Attributes
    ----------
    events : DataFrame
        day (index, without gaps), new, reactivated, lapsed, active (at the end of the day).
    table : DataFrame
        grain (month, fiscal_year, rolling: the 12 months up to the last day), period (its first day), measure, value,
        value_before (one year before; NaN where the data do not reach back), known (whether the history is long
        enough to tell), complete (False: the period is running, and value_before covers the same days of it).
    history : History
    """

    events: pd.DataFrame
    table: pd.DataFrame
    history: History

    @property
    def summary(self) -> pd.DataFrame:
        """The 12 months up to the last day, what is known of them: measure, value, value_before, change (a share)."""
        rows = self.table.query("grain == 'rolling' and known")[["measure", "value", "value_before"]]
        return rows.assign(change=_change(rows)).reset_index(drop=True)

    @property
    def untold(self) -> list[str]:
        """The measures of which the history is too short to tell a single month."""
        known = self.table.query("grain == 'month'").groupby("measure", sort=False)["known"].any()
        return list(known.index[~known])

    def series(self, measure: str, grain: str = "month") -> pd.DataFrame:
        """Return what is known of one measure over time: period, value, value_before, complete, change."""
        rows = self.table[(self.table["grain"] == grain) & (self.table["measure"] == measure) & self.table["known"]]
        return rows.drop(columns=["grain", "measure", "known"]).assign(change=_change(rows)).reset_index(drop=True)


def activity(orders: ir.Table, until: date, *, fiscal_year_start: int = 1, whole_history: bool = False) -> Activity:
    """Follow the customer base from the first order to a day.

    Parameters
    ----------
    orders : ibis table
        As `waage.history.known_on` returns them.
    until : date
        The last day looked at; what comes later changes nothing.
    fiscal_year_start : int
        Month, 1 to 12.
    whole_history : bool
        Whether nobody ordered before the data begin. Otherwise the first 12 months cannot tell a new customer from a
        returning one and are marked as not known.

    Returns
    -------
    Activity

    Raises
    ------
    Refusal
        When no known person has an order that was not cancelled.
    """
    past = history(orders, until, whole_history)
    events = _by_day(_events(kept(orders, until)).execute(), past)
    grains = {
        "month": spans(past.first, until),
        "fiscal_year": spans(past.first, until, 12, fiscal_year_start),
    }
    pairs = {grain: [(span, span.before()) for span in cut] for grain, cut in grains.items()}
    year = rolling_year(until)
    pairs["rolling"] = [(year, year_before(year))]
    volumes = _volumes(placed(orders, until), grains, pairs, fiscal_year_start)
    rows = []
    for grain, compared in pairs.items():
        for span, before in compared:
            now, then = (_figures(events, volumes, one) for one in (span, before))
            for measure in _MEASURES:
                known = past.knows(span, measure)
                last = then[measure] if past.compares(span, before, measure) else float("nan")
                rows.append((grain, span.start, measure, now[measure], last, known, span.complete))
    table = pd.DataFrame(rows, columns=["grain", "period", "measure", "value", "value_before", "known", "complete"])
    return Activity(events, table.assign(period=pd.to_datetime(table["period"])), past)


def _events(orders: ir.Table) -> ir.Table:
    """Count by day who is new, who is reactivated and who will lapse 12 months later."""
    days = orders.select("person_id", "day").distinct()
    own = ibis.window(group_by="person_id", order_by="day")
    days = days.mutate(previous=days.day.lag().over(own), following=days.day.lead().over(own))
    year = ibis.interval(months=12)
    lapse_day = (days.day + year).cast("date")
    days = days.mutate(
        new=days.previous.isnull(),
        reactivated=(days.day >= (days.previous + year).cast("date")).fill_null(False),
        lapsed=days.following.isnull() | (days.following >= lapse_day),
        lapse_day=lapse_day,
    )
    counted = {kind: days[kind].sum().cast("int64") for kind in FLOWS}
    return days.group_by("day", "lapse_day").agg(**counted).order_by("day")


def _by_day(counts: pd.DataFrame, past: History) -> pd.DataFrame:
    calendar = pd.date_range(past.first, past.until, name="day")
    by_day, by_lapse = (counts.set_index(pd.to_datetime(counts[name])) for name in ("day", "lapse_day"))
    lapsed = by_lapse["lapsed"].groupby(level=0).sum()  # two days lapse on one at the end of February
    events = pd.DataFrame(
        {"new": by_day["new"], "reactivated": by_day["reactivated"], "lapsed": lapsed}, index=calendar
    )
    events = events.fillna(0).astype("int64")
    return events.assign(active=(events["new"] + events["reactivated"] - events["lapsed"]).cumsum())


def _volumes(
    orders: ir.Table,
    grains: dict[str, list[Span]],
    pairs: dict[str, list[tuple[Span, Span]]],
    fiscal_year_start: int,
) -> dict[tuple[date, date], dict[str, float]]:
    """Sum orders and money of whole periods in one pass each, and of the few spans that are cut short."""
    found = {}
    for grain, months in (("month", 1), ("fiscal_year", 12)):
        start = period_of(orders.day, months, fiscal_year_start if months == 12 else 1)
        rows = _sums(orders.mutate(_period=start).group_by("_period")).execute()
        by_start = {pd.Timestamp(row["_period"]).date(): row for row in rows.to_dict("records")}
        found |= {(span.start, span.end): by_start[span.start] for span in grains[grain] if span.start in by_start}
    cut_short = [before for span, before in [compared[-1] for compared in pairs.values()]] + [pairs["rolling"][0][0]]
    for span in cut_short:
        if (span.start, span.end) not in found:
            inside = orders.filter(orders.day.between(ibis.literal(span.start), ibis.literal(span.end)))
            found[span.start, span.end] = _sums(inside).execute().to_dict("records")[0]
    return found


def _sums(orders) -> ir.Table:
    return orders.aggregate(
        ordering=lambda t: t.person_id.nunique(where=is_kept(t)),
        orders=lambda t: t.count(),
        demand=lambda t: t.revenue.sum(),
        net_revenue=lambda t: t.net_revenue.sum(),
    )


def _figures(events: pd.DataFrame, volumes: dict, span: Span) -> dict[str, float]:
    start, end = pd.Timestamp(span.start), pd.Timestamp(span.end)
    inside = events.loc[start:end]
    sums = volumes.get((span.start, span.end), {})
    figures = {measure: 0.0 if pd.isna(x := sums.get(measure, 0)) else float(x) for measure in VOLUMES}
    figures |= {flow: float(inside[flow].sum()) for flow in FLOWS}
    upto = events.loc[:end, "active"]
    figures["active"] = float(upto.iloc[-1]) if len(upto) else 0.0
    figures["basket"] = figures["demand"] / figures["orders"] if figures["orders"] else float("nan")
    return figures


def _change(rows: pd.DataFrame) -> pd.Series:
    return rows["value"] / rows["value_before"].where(rows["value_before"] > 0) - 1
