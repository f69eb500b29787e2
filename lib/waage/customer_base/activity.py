"""Active, new, reactivated and lapsed customers by day, month and fiscal year, beside the previous year."""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.customer_base.disclosure import told
from waage.customer_base.periods import (
    History,
    Span,
    add_months,
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
_PEOPLE = ("persons", "ordering")  # who ordered; who has an order that was not cancelled
_MEASURES = ("active", *FLOWS, *VOLUMES, "basket")


@dataclass(frozen=True)
class Activity:
    """The customer base over time.

    Attributes
    ----------
    events : DataFrame
        day (index, without gaps), new, reactivated, lapsed, active (at the end of the day); nothing is hidden here.
    table : DataFrame
        grain (month, fiscal_year, rolling: the 12 months up to the last day), period (its first day), measure, value,
        value_before (one year before; NaN where the data do not reach back), known (whether the history is long
        enough to tell), complete (False: the period is running, and value_before covers the same days of it), hidden.
        Hidden values are NaN: active below min_cell; all three flows, or all volumes, of a period in which one is.
    history : History
    min_cell : int
    joined : dict
        As `told` returns it for new customers.
    """

    events: pd.DataFrame
    table: pd.DataFrame
    history: History
    min_cell: int
    joined: dict[date, int]

    @property
    def customers(self) -> int:
        """All who ever ordered."""
        return int(self.events["new"].sum())

    def tells(self, span: Span) -> bool:
        """Return whether the new customers of a span may be shown, beside all else that is."""
        return _tells(self.joined, span)

    @property
    def summary(self) -> pd.DataFrame:
        """The 12 months up to the last day, what is known: measure, value, value_before, hidden, change (a share)."""
        rows = self.table.query("grain == 'rolling' and known")[["measure", "value", "value_before", "hidden"]]
        return rows.assign(change=_change(rows)).reset_index(drop=True)

    @property
    def untold(self) -> list[str]:
        """The measures of which the history is too short to tell a single month."""
        known = self.table.query("grain == 'month'").groupby("measure", sort=False)["known"].any()
        return list(known.index[~known])

    def series(self, measure: str, grain: str = "month") -> pd.DataFrame:
        """Return what is known of one measure over time: period, value, value_before, complete, hidden, change."""
        rows = self.table[(self.table["grain"] == grain) & (self.table["measure"] == measure) & self.table["known"]]
        return rows.drop(columns=["grain", "measure", "known"]).assign(change=_change(rows)).reset_index(drop=True)


def activity(
    orders: ir.Table, until: date, *, fiscal_year_start: int = 1, whole_history: bool = False, min_cell: int = 10
) -> Activity:
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
    min_cell : int
        Smallest group shown. Nothing shown gives a smaller one away, not as the rest of a year or of a month either,
        nor as ordering customers who are neither new nor reactivated.

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
    compared = [pair for part in pairs.values() for pair in part]
    shown = [span for pair in compared for span in (pair if past.compares(*pair) else pair[:1])]
    shown = list(dict.fromkeys(shown))
    wider = [span for months in (1, 3, 12) for span in spans(past.first, until, months)]  # periods of cohorts
    cuts = sorted({cut for span in (*shown, *wider) for cut in span.cuts})
    cells = [Span(start, end - timedelta(1)) for start, end in pairwise(cuts)]
    volumes = _volumes(placed(orders, until), grains, [*cells, *shown], fiscal_year_start)
    figures = {(span.start, span.end): _figures(events, volumes, span) for span in (*cells, *shown)}
    joined = _joined(figures, past, shown, wider, cuts, cells, min_cell)

    def value_of(span: Span, measure: str) -> float:
        value = figures[span.start, span.end][measure]
        if measure == "active":
            hidden = 0 < value < min_cell
            if span.end < add_months(past.first, 12):  # nobody lapses or comes back: who is active is who was new
                hidden |= not _tells(joined["new"], Span(cuts[0], span.end))
        else:
            hidden = not _tells(joined["flows" if measure in FLOWS else "volumes"], span)
        return float("nan") if hidden or events["new"].sum() < min_cell else value

    rows = []
    for grain, part in pairs.items():
        for span, before in part:
            for measure in _MEASURES:
                known, value = past.knows(span, measure), value_of(span, measure)
                last = value_of(before, measure) if past.compares(span, before, measure) else float("nan")
                hidden = pd.isna(value) and pd.notna(figures[span.start, span.end][measure])
                rows.append((grain, span.start, measure, value, last, known, span.complete, hidden))
    columns = ["grain", "period", "measure", "value", "value_before", "known", "complete", "hidden"]
    table = pd.DataFrame(rows, columns=columns)
    return Activity(events, table.assign(period=pd.to_datetime(table["period"])), past, min_cell, joined["new"])


def _tells(joined: dict[date, int], span: Span) -> bool:
    start, end = (joined.get(cut) for cut in span.cuts)
    return start is not None and start == end


def _joined(figures, past, shown, wider, cuts, cells, min_cell) -> dict[str, dict[date, int]]:
    """Return which days are joined by the flows that may be shown, by new customers alone, and by volumes."""

    def of(span: Span, *measures: str) -> np.ndarray:
        return np.array([int(figures[span.start, span.end][measure]) for measure in measures])

    def wanted(some: list[Span], *measures: str) -> list[Span]:
        """Years first, then whole months from the largest on, last what is cut short."""

        def rank(span: Span) -> tuple:
            return span.days < 364, not span.complete, -of(span, *measures).sum(), span.start

        return sorted(some, key=rank)

    active = {span.cuts[1]: int(figures[span.start, span.end]["active"]) for span in cells}
    # Flows beside a small number of active customers would give it away; so would new ones those who just went on.
    few = {cut for cut, n in active.items() if 0 < n < min_cell}
    apart = []
    for span in shown:
        ordering, new, back = of(span, "ordering", "new", "reactivated")
        if 0 < ordering - new < min_cell or 0 < ordering - new - back < min_cell:
            apart.append(span)
    told_of = [span for span in shown if past.knows(span, "new")]
    some = wanted([span for span in told_of if not few & set(span.cuts)], *FLOWS)
    flows = told(cuts, np.array([of(span, *FLOWS) for span in cells]), some, min_cell, apart=apart)
    known = [span for span in some if _tells(flows, span)]
    early = [Span(cuts[0], span.end) for span in shown if span.end < add_months(past.first, 12)]
    early = [span for span in early if past.knows(span, "active")]
    sizes = np.array([of(span, "new") for span in cells])
    new = told(cuts, sizes, [*known, *early, *wanted(told_of, "new"), *wider], min_cell, apart=apart)
    # Customers of two months are not the sum of those of each, but at least those of the larger.
    enough = len(cells) + 1

    def scaled(span: Span) -> np.ndarray:
        return np.array([enough if n >= min_cell else int(n > 0) for n in of(span, *_PEOPLE)])

    sizes, whole = np.array([scaled(span) for span in cells]), {span: scaled(span) for span in shown}
    volumes = told(cuts, sizes, wanted(shown, "ordering"), enough, whole=whole)
    return {"flows": flows, "new": new, "volumes": volumes}


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
    counted = {kind: days.count(where=days[kind]) for kind in FLOWS}
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
    others: list[Span],
    fiscal_year_start: int,
) -> dict[tuple[date, date], dict[str, float]]:
    """Sum orders and money of whole periods in one pass each, and of the few spans that are cut short."""
    found = {}
    for grain, months in (("month", 1), ("fiscal_year", 12)):
        start = period_of(orders.day, months, fiscal_year_start if months == 12 else 1)
        rows = _sums(orders.mutate(_period=start).group_by("_period")).execute()
        by_start = {pd.Timestamp(row["_period"]).date(): row for row in rows.to_dict("records")}
        found |= {(span.start, span.end): by_start.get(span.start, {}) for span in grains[grain]}
    for span in others:
        if (span.start, span.end) not in found:
            inside = orders.filter(orders.day.between(ibis.literal(span.start), ibis.literal(span.end)))
            found[span.start, span.end] = _sums(inside).execute().to_dict("records")[0]
    return found


def _sums(orders) -> ir.Table:
    return orders.aggregate(
        persons=lambda t: t.person_id.nunique(),
        ordering=lambda t: t.person_id.nunique(where=is_kept(t)),
        orders=lambda t: t.count(),
        demand=lambda t: t.revenue.sum(),
        net_revenue=lambda t: t.net_revenue.sum(),
    )


def _figures(events: pd.DataFrame, volumes: dict, span: Span) -> dict[str, float]:
    start, end = pd.Timestamp(span.start), pd.Timestamp(span.end)
    inside = events.loc[start:end]
    sums = volumes.get((span.start, span.end), {})
    figures = {measure: 0.0 if pd.isna(x := sums.get(measure, 0)) else float(x) for measure in ("persons", *VOLUMES)}
    figures |= {flow: float(inside[flow].sum()) for flow in FLOWS}
    upto = events.loc[:end, "active"]
    figures["active"] = float(upto.iloc[-1]) if len(upto) else 0.0
    figures["basket"] = figures["demand"] / figures["orders"] if figures["orders"] else float("nan")
    return figures


def _change(rows: pd.DataFrame) -> pd.Series:
    return rows["value"] / rows["value_before"].where(rows["value_before"] > 0) - 1
