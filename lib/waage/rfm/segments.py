"""Segments from the recency x frequency grid, lifecycle stages from fixed days, and what each group is worth."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist
from types import MappingProxyType

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.errors import WaageError, did_you_mean
from waage.privacy import mask_small
from waage.rfm.scores import require_columns
from waage.stats import wilson

#: Lifecycle stages in the order of a customer's way through them.
LIFECYCLE = ("new", "active", "defecting", "inactive")


@dataclass(frozen=True)
class Grid:
    """A segmentation of the recency x frequency grid in which every cell has exactly one segment.

    Attributes
    ----------
    name : str
        What messages call the grid.
    cells : mapping of str to tuple of str
        Segment to its cells; a cell is written "RF", so "51" is R 5, F 1. The order is the display order.
    scores : int
        Number of R and of F scores.

    Raises
    ------
    WaageError
        At construction: naming every cell that no segment or more than one claims, cells outside the grid,
        and segments without a cell.
    """

    name: str
    cells: Mapping[str, tuple[str, ...]]
    scores: int = 5

    def __post_init__(self):
        cells = {segment: tuple(own) for segment, own in self.cells.items()}
        object.__setattr__(self, "cells", MappingProxyType(cells))
        scale = range(1, self.scores + 1)
        expected = [f"{r}{f}" for r in scale for f in scale]
        claims = Counter(cell for own in cells.values() for cell in own)
        faults = [f"cell {cell} (R {cell[0]}, F {cell[1]}) has no segment" for cell in expected if not claims[cell]]
        for cell, times in sorted(claims.items()):
            owners = [segment for segment, own in cells.items() if cell in own]
            if cell not in expected:
                faults.append(f"cell {cell!r} of {owners[0]} lies outside 11 to {expected[-1]}")
            elif times > 1:
                faults.append(f"cell {cell} is claimed {times} times, by {' and '.join(owners)}")
        faults += [f"segment {segment} has no cell" for segment, own in cells.items() if not own]
        if faults:
            raise WaageError(
                f"grid {self.name}: {'; '.join(faults)}; give each of the {len(expected)} cells one segment"
            )

    @property
    def segments(self) -> tuple[str, ...]:
        """Segment keys in display order."""
        return tuple(self.cells)

    def segment_of(self, r: int, f: int) -> str:
        """Return the segment of one cell."""
        for segment, own in self.cells.items():
            if f"{r}{f}" in own:
                return segment
        raise WaageError(f"grid {self.name}: R {r}, F {f} lies outside 1 to {self.scores}")

    def assign(self, scored: ir.Table) -> ir.Table:
        """Add the column segment to a table with the integer scores r and f; stays lazy.

        The segment is null where a score is null or outside the grid. Raises WaageError if r or f is missing.
        """
        require_columns(scored, ["r", "f"], f"grid {self.name}")
        cell = scored.r * 10 + scored.f
        branches = [(cell.isin([int(own) for own in cells]), segment) for segment, cells in self.cells.items()]
        return scored.mutate(segment=ibis.cases(*branches, else_=ibis.null("string")))


#: The ten segments in common use. Unlike most published grids it is an exact partition of the 25 cells.
RF10 = Grid(
    "RF10",
    {
        "champions": ("54", "55"),
        "loyal": ("34", "35", "44", "45"),
        "potential_loyalists": ("42", "43", "52", "53"),
        "new": ("51",),
        "promising": ("41",),
        "need_attention": ("33",),
        "about_to_sleep": ("31", "32"),
        "cant_lose": ("15", "25"),
        "at_risk": ("13", "14", "23", "24"),
        "hibernating": ("11", "12", "21", "22"),
    },
)


def lifecycle(customers: ir.Table, *, active_days: int = 90, inactive_days: int = 365) -> ir.Table:
    """Add the lifecycle stage of a buyer, after the stages of Emarsys Smart Insight.

    Parameters
    ----------
    customers : ibis table
        With recency_days, frequency, first_day and last_day; stays lazy.
    active_days : int
        Up to this recency (inclusive) a customer with one order is new, with more orders active. A customer
        with an order on an earlier day is never new, even if frequency counts a shorter window.
    inactive_days : int
        Up to this recency (inclusive) a customer who is neither new nor active is defecting, after it
        inactive. Both limits are Emarsys' defaults for buyers (90 and 365 days); a business with a slower
        purchase rhythm needs longer ones.

    Returns
    -------
    ibis table
        With the column lifecycle: new, active, defecting or inactive; null where recency or frequency is.

    Raises
    ------
    WaageError
        If a column is missing or the days are not 0 <= active_days < inactive_days.
    """
    require_columns(customers, ["recency_days", "frequency", "first_day", "last_day"], "lifecycle")
    if not 0 <= active_days < inactive_days:
        raise WaageError(
            f"lifecycle: active_days {active_days} and inactive_days {inactive_days}; "
            "need 0 <= active_days < inactive_days"
        )
    recency, frequency = customers.recency_days, customers.frequency
    once = (frequency <= 1) & (customers.first_day == customers.last_day)
    stage = ibis.cases(
        (recency.isnull() | frequency.isnull(), ibis.null("string")),
        ((recency <= active_days) & once, "new"),
        (recency <= active_days, "active"),
        (recency <= inactive_days, "defecting"),
        else_="inactive",
    )
    return customers.mutate(lifecycle=stage)


def segment_table(rfm: ir.Table, *, grid: Grid = RF10, confidence: float = 0.95) -> pd.DataFrame:
    """Return size and worth of every segment, one row per segment of the grid in its order.

    Parameters
    ----------
    rfm : ibis table
        One row per person with segment, recency_days, frequency and monetary (net revenue).
    grid : Grid
        Whose segments to list; a segment nobody is in gets a row with 0 customers.
    confidence : float
        Coverage of both intervals.

    Returns
    -------
    DataFrame
        segment; customers; share, share_low, share_high (of all customers, with Wilson's interval);
        revenue (net, study currency); revenue_share (NaN unless total revenue is positive);
        recency_days (median); orders (mean per customer); revenue_per_customer with
        revenue_per_customer_low and _high: mean +- z s / sqrt(n), the normal interval. With fewer than
        about thirty customers, or a few very large ones, that interval is too narrow; it is NaN for
        fewer than two. Sums of money are exact, hence independent of the order of rows.

    Raises
    ------
    WaageError
        If a column is missing, the table is empty, a segment is null or not in the grid, or confidence does
        not lie between 0 and 1.
    """
    require_columns(rfm, ["segment", "recency_days", "frequency", "monetary"], "segment_table")
    money = rfm.monetary.cast("decimal(18, 4)")
    measured = (
        rfm.group_by("segment")
        .agg(
            customers=rfm.count(),
            revenue=money.sum(),
            # The type is stated because Ibis takes the product to have four decimals, and rounds to them.
            squares=(money * money).sum().cast("decimal(38, 8)"),
            recency_days=rfm.recency_days.median(),
            orders=rfm.frequency.sum(),
        )
        .to_pyarrow()
        .to_pandas()
    )
    _check_segments(measured, grid)
    measured = measured.set_index("segment")
    people = int(measured.customers.sum())
    revenue = sum(Fraction(value) for value in measured.revenue)
    rows = []
    for segment in grid.segments:
        found = segment in measured.index
        n = int(measured.customers[segment]) if found else 0
        total = Fraction(measured.revenue[segment]) if found else Fraction(0)
        low, high = wilson(n, people, confidence)
        mean, half = _mean_interval(n, total, measured.squares[segment] if found else 0, confidence)
        rows.append(
            {
                "segment": segment,
                "customers": n,
                "share": n / people,
                "share_low": low,
                "share_high": high,
                "revenue": float(total),
                "revenue_share": float(total / revenue) if revenue > 0 else math.nan,
                "recency_days": float(measured.recency_days[segment]) if found else math.nan,
                "orders": int(measured.orders[segment]) / n if found else math.nan,
                "revenue_per_customer": mean,
                "revenue_per_customer_low": mean - half,
                "revenue_per_customer_high": mean + half,
            }
        )
    return pd.DataFrame(rows)


def lifecycle_table(rfm: ir.Table, *, confidence: float = 0.95) -> pd.DataFrame:
    """Return size and worth of every lifecycle stage, in the order of `LIFECYCLE`.

    Parameters
    ----------
    rfm : ibis table
        One row per person with lifecycle and monetary (net revenue).
    confidence : float
        Coverage of Wilson's interval of the share.

    Returns
    -------
    DataFrame
        lifecycle; customers; share, share_low, share_high (of all customers); revenue (net).

    Raises
    ------
    WaageError
        If a column is missing.
    """
    require_columns(rfm, ["lifecycle", "monetary"], "lifecycle_table")
    found = rfm.group_by("lifecycle").agg(customers=rfm.count(), revenue=rfm.monetary.sum()).to_pyarrow().to_pandas()
    table = found.set_index("lifecycle").reindex(list(LIFECYCLE)).fillna(0).rename_axis("lifecycle").reset_index()
    table = table.astype({"customers": "int64", "revenue": "float64"})
    people = int(table.customers.sum())
    table["share"] = table.customers / max(people, 1)
    table["share_low"], table["share_high"] = wilson(table.customers.to_numpy(), max(people, 1), confidence)
    return table[["lifecycle", "customers", "share", "share_low", "share_high", "revenue"]]


def grid_counts(rfm: ir.Table, *, scores: int = 5) -> pd.DataFrame:
    """Return customers and net revenue of every R x F cell, the table that `plot_grid` draws.

    Parameters
    ----------
    rfm : ibis table
        One row per person with r, f and monetary.
    scores : int
        Number of R and of F scores.

    Returns
    -------
    DataFrame
        ``scores ** 2`` rows ordered by r and f: r, f, customers, share, revenue, revenue_share (NaN unless
        total revenue is positive); 0 where nobody is.

    Raises
    ------
    WaageError
        If a column is missing, the table is empty, or a score is null or outside 1 to ``scores``.
    """
    require_columns(rfm, ["r", "f", "monetary"], "grid_counts")
    money = rfm.monetary.cast("decimal(18, 4)")
    found = rfm.group_by(["r", "f"]).agg(customers=rfm.count(), revenue=money.sum()).to_pyarrow().to_pandas()
    if not len(found):
        raise WaageError("grid_counts: the table has no rows; look at a day with customers")
    inside = found.r.between(1, scores) & found.f.between(1, scores)
    if not inside.all():
        people = int(found.customers[~inside].sum())
        raise WaageError(f"grid_counts: {people} persons have an r or f that is null or not 1 to {scores}")
    cells = {(int(row.r), int(row.f)): row for row in found.itertuples()}
    people = int(found.customers.sum())
    revenue = sum(Fraction(value) for value in found.revenue)
    rows = []
    for r in range(1, scores + 1):
        for f in range(1, scores + 1):
            cell = cells.get((r, f))
            n = int(cell.customers) if cell else 0
            total = Fraction(cell.revenue) if cell else Fraction(0)
            share = float(total / revenue) if revenue > 0 else math.nan
            rows.append((r, f, n, n / people, float(total), share))
    return pd.DataFrame(rows, columns=["r", "f", "customers", "share", "revenue", "revenue_share"])


def mask_grid(counts: pd.DataFrame, segments: pd.DataFrame, *, min_cell: int, grid: Grid = RF10) -> pd.DataFrame:
    """Hide the cells of the R x F grid that are too small, or give away a segment or cell that is.

    Parameters
    ----------
    counts : DataFrame
        As `grid_counts` returns.
    segments : DataFrame
        As `segment_table` returns, after `waage.privacy.mask_small`; it is shown beside the grid.
    min_cell : int
        Smallest group shown, in persons.
    grid : Grid

    Returns
    -------
    DataFrame
        A copy with NaN in customers, share, revenue and revenue_share of hidden cells: all cells of a hidden
        segment; elsewhere cells under `min_cell`, with another of their segment where its total would tell.
    """
    hidden = set(segments.segment[segments.customers.isna()])
    owner = pd.Series([grid.segment_of(r, f) for r, f in zip(counts.r, counts.f, strict=True)], index=counts.index)
    values = ("share", "revenue", "revenue_share")
    parts = [mask_small(part, "customers", *values, min_cell=min_cell) for _, part in counts.groupby(owner, sort=False)]
    masked = pd.concat(parts).loc[counts.index]
    masked.loc[owner.isin(hidden), ["customers", *values]] = math.nan
    return masked


def _mean_interval(n: int, total: Fraction, squares, confidence: float) -> tuple[float, float]:
    if n == 0:
        return math.nan, math.nan
    mean = float(total / n)
    if n == 1:
        return mean, math.nan
    variance = (Fraction(squares) - total**2 / n) / (n - 1)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return mean, z * math.sqrt(variance / n)


def _check_segments(measured: pd.DataFrame, grid: Grid) -> None:
    if not len(measured):
        raise WaageError("segment_table: the table has no rows; look at a day with customers")
    faults = []
    for segment, people in zip(measured.segment, measured.customers, strict=True):
        if pd.isna(segment):
            faults.append(f"{people} persons have no segment; give them scores within 1 to {grid.scores}")
        elif segment not in grid.cells:
            hint = did_you_mean(segment, grid.segments)
            faults.append(f"{people} persons are in {segment!r}, which grid {grid.name} does not have{hint}")
    if faults:
        raise WaageError("segment_table: " + "; ".join(sorted(faults)))
