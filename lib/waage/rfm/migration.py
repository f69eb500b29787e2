"""Where customers moved between two dates: counts, shares and net revenue from each segment to each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage import style
from waage.errors import Refusal, WaageError, did_you_mean
from waage.privacy import hidden_numbers
from waage.stats import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GONE = "gone"
NOT_YET = "not_yet"

_MONEY = "decimal(18, 4)"
_REVENUE = ("revenue_before", "revenue_after", "revenue_change")
_TEXTS = {
    "plain": ("Where customers moved between two dates", "Wohin sich die Kunden zwischen zwei Stichtagen bewegten"),
    "before": ("Segment before, customers", "Segment vorher, Kunden"),
    "after": ("Segment after, customers", "Segment nachher, Kunden"),
    "note": (
        "Share of the row, number of customers below; framed: stayed; hatched: hidden for privacy",
        "Anteil an der Zeile, darunter Zahl der Kunden; umrahmt: geblieben; schraffiert: zum Schutz verdeckt",
    ),
    GONE: ("Gone", "Nicht mehr da"),
    NOT_YET: ("Not yet a customer", "Noch kein Kunde"),
}


@dataclass(frozen=True)
class Migration:
    """Movements between two dates, as `migration` counts them.

    Attributes
    ----------
    table : DataFrame
        One row a cell, in the given order of segments, zeros included: from_segment, to_segment, customers, share
        (of the row; NaN for an empty row), share_low and share_high (only on the diagonal), revenue_before,
        revenue_after, revenue_change (net revenue of these persons in the periods that end at the two dates),
        from_customers and to_customers (totals of row and column). NaN in the counts of `masked` is hidden.
    summary : DataFrame
        What became of those who were in a segment, gone or not_yet before, one row each: segment;
        customers_before, customers_after, customers_change; stayed (share of customers_before) with stayed_low and
        stayed_high; moved_up (share that moved to an earlier, better segment; the return of those who were gone),
        moved_down, gone (at the later date); revenue_before, revenue_after, revenue_change (of those who were in it
        before). not_yet has no stayed, up or down.
    segments : tuple of str
        Best to worst.
    confidence : float
        Coverage of the intervals.
    label : callable
        From segment and language to its name in charts.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    segments: tuple[str, ...]
    confidence: float
    label: Callable[[str, str], str] = style.label

    def masked(
        self, min_cell: int, before: pd.DataFrame | None = None, after: pd.DataFrame | None = None
    ) -> "Migration":
        """Return a copy whose `table` and `summary` hide counts of fewer than `min_cell` customers.

        What is shown must not give away what is hidden, totals of rows and columns and the sum of all included, see
        `waage.privacy.hidden_numbers`; with fewer than `min_cell` customers in all, everything is hidden.

        Parameters
        ----------
        min_cell : int
            Smallest group shown (customers); 0 or 1 hides nothing.
        before, after : DataFrame, optional
            Tables of segments (segment, customers; NaN where hidden) of the two days that are shown beside this one:
            what they hide is hidden here, and what they show cannot cover for anything.

        """
        rows, columns = [*self.segments, GONE, NOT_YET], [*self.segments, GONE]
        if self.table.customers.isna().any():
            raise WaageError("Migration.masked: the counts are masked already; mask the result of migration()")
        counts = self.table.customers.to_numpy().reshape(len(rows), len(columns))
        full = np.pad(counts, (0, 1))
        known, forced = np.zeros((2, *full.shape), dtype=bool)
        for place, name in enumerate(self.segments):
            for shown, line, at in ((before, counts[place], (place, -1)), (after, counts[:, place], (-1, place))):
                if shown is not None:
                    size = shown.set_index("segment").customers[name]
                    # Who is of the segment there and not in this line is gone: few of them must not be told either.
                    forced[at] = np.isnan(size) or 0 < size - line.sum() < min_cell
                    known[at] = size == line.sum()
        hidden = hidden_numbers(full, min_cell, known, forced)
        masked = self.table.copy()
        cell = hidden[:-1, :-1].ravel()
        of_row = np.repeat(hidden[:-1, -1], len(columns))
        of_column = np.tile(hidden[-1, :-1], len(rows))
        for name in ("customers", "share", "share_low", "share_high", *_REVENUE):
            masked[name] = masked[name].astype(float).mask(cell)
        # A share beside a count gives the total away.
        for name in ("share", "share_low", "share_high"):
            masked[name] = masked[name].mask(of_row)
        masked["from_customers"] = masked.from_customers.astype(float).mask(of_row)
        masked["to_customers"] = masked.to_customers.astype(float).mask(of_column)
        summary = _summarise(masked, self.segments)
        # Sums of rows are safe where the row's size is shown: their parts are hidden in the same cycles.
        for name in _REVENUE:
            summary[name] = self.summary[name].mask(hidden[:-1, -1])
        return replace(self, table=masked, summary=summary)

    def plot_matrix(self, ax: "Axes | None" = None, language: str = "en") -> "Axes":
        """Draw the shares of each row as a heat map, with sizes before at the left and after at the top.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure if left out.
        language : str
            en or de.

        Returns
        -------
        Axes
        """
        from matplotlib.colors import LinearSegmentedColormap
        from matplotlib.patches import Rectangle

        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots(figsize=(13, 0.52 * len(self.segments) + 2.8), layout="constrained")[1]
        rows, columns = [*self.segments, GONE, NOT_YET], [*self.segments, GONE]
        ramp = LinearSegmentedColormap.from_list("waage", ["#ffffff", style.ACCENT])
        cells = self.table.set_index(["from_segment", "to_segment"])
        for (source, target), cell in cells.iterrows():
            x, y = columns.index(target), rows.index(source)
            blank = np.isnan(cell.customers)
            depth = 0.0 if np.isnan(cell.share) else 0.85 * cell.share**0.7
            paint = {"facecolor": "#f1f3f4", "hatch": "/////", "edgecolor": "#c3cad0"} if blank else {}
            paint = paint or {"facecolor": ramp(depth), "edgecolor": "#e6eaed"}
            ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, lw=0.5, **paint))
            if blank or not cell.customers:
                continue
            ink = "white" if depth > 0.55 else style.INK
            text = style.percent(cell.share, language) if cell.share >= 0.005 else "<" + style.percent(0.01, language)
            if not np.isnan(cell.share):
                ax.text(x, y - 0.13, text, ha="center", va="center", color=ink, fontsize=11.5, fontweight="bold")
            count = style.compact(cell.customers, None, language)
            ax.text(x, y + 0.27, count, ha="center", va="center", color=ink, fontsize=8.5)
        for place in range(len(columns)):
            # Whoever stayed is found by the frame.
            ax.add_patch(Rectangle((place - 0.48, place - 0.46), 0.96, 0.92, fill=False, ec=style.BRASS, lw=2))
        before = cells.from_customers.groupby(level=0, sort=False).first()
        after = cells.to_customers.groupby(level=1, sort=False).first()
        ax.set_yticks(
            range(len(rows)),
            [f"{self.name(name, language)}  {_size(before[name], language)}" for name in rows],
            fontsize=10.5,
        )
        heads = [f"{self.name(name, language)}  {_size(after[name], language)}" for name in columns]
        ax.set_xticks(range(len(columns)), heads, fontsize=10, rotation=28, ha="left", rotation_mode="anchor")
        ax.xaxis.tick_top()
        ax.xaxis.set_label_position("top")
        ax.set_xlabel(_text("after", language), loc="left", labelpad=2)
        ax.set_ylabel(_text("before", language))
        ax.set_xlim(-0.5, len(columns) - 0.5)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.axhline(len(self.segments) - 0.5, color=style.MUTED, lw=1)
        ax.axvline(len(self.segments) - 0.5, color=style.MUTED, lw=1)
        ax.grid(False)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.text(0, -0.02, _text("note", language), transform=ax.transAxes, va="top", fontsize=9.5, color=style.MUTED)
        ax.set_title(_text("plain", language))
        return ax

    def name(self, name: str, language: str = "en") -> str:
        """Return how a segment, gone or not_yet is called in charts and sentences."""
        return _text(name, language) if name in (GONE, NOT_YET) else self.label(name, language)


def migration(
    before: ir.Table,
    after: ir.Table,
    revenue: ir.Table,
    *,
    segments: Sequence[str],
    gone_days: int = 730,
    draws: int = 2000,
    seed: int = 7,
    confidence: float = 0.95,
    label: Callable[[str, str], str] = style.label,
) -> Migration:
    """Count who moved from which segment to which between two dates, and with how much net revenue.

    A person's state at a date is not_yet without a row or segment, gone with the last order more than
    `gone_days` ago, else her segment. Who had a segment before and has none after (all orders came back) is
    gone. Who is not_yet at both dates is left out; everybody else is in exactly one cell.

    Parameters
    ----------
    before, after : ibis tables
        One row a person, scored with the same frozen thresholds at an earlier and a later date: person_id,
        recency_days (days since the last order; NULL without an order), segment (NULL without an order).
    revenue : ibis table
        person_id, revenue_before, revenue_after (net, study currency, in two periods of equal length that end at
        the two dates); a missing person or NULL is 0. Sums are exact.
    segments : sequence of str
        All segments, best to worst: up and down in `Migration.summary` follow this order.
    gone_days : int
        Days without an order after which a customer is gone; 0: nobody is. Two years are a judgement.
    draws, seed : int
        Bootstrap draws of all persons (a multinomial draw of the whole matrix) and the seed of the generator.
    confidence : float
        Coverage of the percentile intervals of the shares that stayed (Efron 1979); Wilson's interval where nobody or
        everybody stayed.
    label : callable
        From segment and language to its name in charts.

    Returns
    -------
    Migration

    Raises
    ------
    WaageError
        If columns are missing, a person occurs twice or without an id, a segment is not in `segments`, a person
        with a segment has no recency, or an argument is out of range.
    Refusal
        If nobody was a customer on the earlier day.

    References
    ----------
    Efron (1979), Bootstrap methods: another look at the jackknife, Annals of Statistics 7, 1-26.
    """
    segments = tuple(segments)
    _check_arguments(segments, gone_days, draws, confidence)
    faults = []
    for name, table in (("before", before), ("after", after)):
        faults += _missing(name, table, ["person_id", "recency_days", "segment"]) or _faults(name, table, segments)
    faults += _missing("revenue", revenue, ["person_id", "revenue_before", "revenue_after"])
    if faults:
        raise WaageError("migration: " + "; ".join(faults))
    nothing = ibis.null("string")
    old = _states(before, gone_days).mutate(source=ibis._.state, target=nothing)
    new = _states(after, gone_days).mutate(source=nothing, target=ibis._.state)
    # Two tables stacked and grouped: a full outer join would have to merge the two ids.
    moves = old.union(new).group_by("person_id").agg(source=ibis._.source.max(), target=ibis._.target.max())
    moves = moves.mutate(source=moves.source.fill_null(NOT_YET), target=moves.target.fill_null(GONE))
    zero = ibis.literal(0).cast(_MONEY)
    money = revenue.group_by("person_id").agg(
        before=revenue.revenue_before.cast(_MONEY).sum(), after=revenue.revenue_after.cast(_MONEY).sum()
    )
    moves = moves.left_join(money, "person_id")
    found = moves.group_by("source", "target").agg(
        customers=moves.count(), before=moves.before.fill_null(zero).sum(), after=moves.after.fill_null(zero).sum()
    )
    found = {(row["source"], row["target"]): row for row in found.to_pyarrow().to_pylist()}
    rows, columns = [*segments, GONE, NOT_YET], [*segments, GONE]
    cells = [(source, target) for source in rows for target in columns]
    counts = np.array([found[cell]["customers"] if cell in found else 0 for cell in cells], dtype=np.int64)
    if not counts.sum():
        raise WaageError("migration: nobody has a segment at either date; look at dates with customers")
    counts = counts.reshape(len(rows), len(columns))
    if not counts[:-1].sum():
        raise Refusal("nobody was a customer yet on the earlier day: compare with a later one")
    low, high = _diagonal_interval(counts, draws, seed, confidence)
    totals = np.repeat(counts.sum(axis=1), len(columns))
    table = pd.DataFrame(cells, columns=["from_segment", "to_segment"])
    table["customers"] = counts.ravel()
    table["share"] = counts.ravel() / np.where(totals > 0, totals, np.nan)
    table["share_low"], table["share_high"] = low.ravel(), high.ravel()
    amounts = [(Fraction(found[c]["before"]), Fraction(found[c]["after"])) if c in found else (0, 0) for c in cells]
    table["revenue_before"] = [float(was) for was, _ in amounts]
    table["revenue_after"] = [float(now) for _, now in amounts]
    table["revenue_change"] = [float(now - was) for was, now in amounts]
    table["from_customers"], table["to_customers"] = totals, np.tile(counts.sum(axis=0), len(rows))
    return Migration(table, _summarise(table, segments), segments, confidence, label)


def _summarise(table: pd.DataFrame, segments: tuple[str, ...]) -> pd.DataFrame:
    order = [*segments, GONE]
    cells = table.set_index(["from_segment", "to_segment"])
    rows = []
    for place, name in enumerate([*order, NOT_YET]):
        row = cells.loc[name]
        before, after, own, fates = row.from_customers.iloc[0], 0, [np.nan] * 3, [np.nan] * 3
        if name != NOT_YET:
            after = cells.to_customers.iloc[place]
            own = list(row.loc[name, ["share", "share_low", "share_high"]])
            ways = (order[:place], order[place + 1 : -1], [GONE])
            fates = [row.share[names].sum(skipna=False) if before else np.nan for names in ways]
        rows.append((name, before, after, after - before, *own, *fates, *row[list(_REVENUE)].sum(skipna=False)))
    columns = ["segment", "customers_before", "customers_after", "customers_change", "stayed", "stayed_low"]
    return pd.DataFrame(rows, columns=[*columns, "stayed_high", "moved_up", "moved_down", "gone", *_REVENUE])


def _states(table: ir.Table, gone_days: int) -> ir.Table:
    table = table.filter(table.segment.notnull())
    gone = (table.recency_days > gone_days) if gone_days else ibis.literal(False)
    return table.select("person_id", state=ibis.ifelse(gone, GONE, table.segment))


def _diagonal_interval(counts: np.ndarray, draws: int, seed: int, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    people = counts.sum()
    drawn = np.random.default_rng(seed).multinomial(people, counts.ravel() / people, size=draws)
    drawn = drawn.reshape(draws, *counts.shape)
    totals = drawn.sum(axis=2)
    low, high = np.full((2, *counts.shape), np.nan)
    for place in range(counts.shape[1]):
        some = totals[:, place] > 0
        if some.any():
            stayed = drawn[some, place, place] / totals[some, place]
            low[place, place], high[place, place] = np.quantile(stayed, [(1 - confidence) / 2, (1 + confidence) / 2])
        if counts[place].sum() and counts[place, place] in (0, counts[place].sum()):
            # No draw can differ from none or all; that does not make it certain.
            low[place, place], high[place, place] = wilson(counts[place, place], counts[place].sum(), confidence)
    return low, high


def _missing(name: str, table: ir.Table, columns: Sequence[str]) -> list[str]:
    return [f"{name}.{c} is missing{did_you_mean(c, table.columns)}" for c in columns if c not in table.columns]


def _faults(name: str, table: ir.Table, segments: Sequence[str]) -> list[str]:
    known = table.segment.notnull()
    counted = (
        table.aggregate(
            nameless=table.person_id.isnull().sum(),
            twice=table.person_id.count() - table.person_id.nunique(),
            undated=(known & table.recency_days.isnull()).sum(),
            other=(known & table.segment.notin(segments)).sum(),
            example=table.segment.min(where=known & table.segment.notin(segments)),
        )
        .to_pyarrow()
        .to_pylist()[0]
    )
    texts = {
        "nameless": f"{name}.person_id: {{}} rows are NULL; leave anonymous orders out",
        "twice": f"{name}.person_id: {{}} rows repeat a person; give one row a person",
        "undated": f"{name}.recency_days: {{}} rows with a segment are NULL; a segment needs an order",
        "other": f"{name}.segment: {{}} rows are not in segments, first {counted['example']!r}; "
        f"segments are {', '.join(segments)}",
    }
    return [text.format(counted[key]) for key, text in texts.items() if counted[key]]


def _check_arguments(segments: Sequence[str], gone_days: int, draws: int, confidence: float) -> None:
    faults = [f"segments: {name!r} is a state of its own; rename it" for name in (GONE, NOT_YET) if name in segments]
    if not segments or len(set(segments)) < len(segments):
        faults.append(f"segments: {list(segments)!r} must name each segment once")
    if gone_days < 0:
        faults.append(f"gone_days {gone_days} is negative; 0 means that nobody is gone")
    if draws < 1:
        faults.append(f"draws {draws}; 1 or more are needed, 2000 are usual")
    if not 0 < confidence < 1:
        faults.append(f"confidence {confidence!r} does not lie between 0 and 1; 0.95 is usual")
    if faults:
        raise WaageError("migration: " + "; ".join(faults))


def _size(people: float, language: str) -> str:
    return style.label("hidden", language) if np.isnan(people) else style.number(people, language)


def _text(key: str, language: str) -> str:
    return _TEXTS[key][language == "de"]
