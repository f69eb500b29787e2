"""What each group of customers is worth: tables of segments, stages and cells, and what of them may be shown."""

import math
from fractions import Fraction
from statistics import NormalDist

import ibis.expr.types as ir
import pandas as pd

from waage.errors import WaageError, did_you_mean
from waage.privacy import mask_small
from waage.rfm.customers import LIFECYCLE
from waage.rfm.cut_points import require_columns
from waage.rfm.grids import RF10, Grid
from waage.stats import wilson


def segment_table(rfm: ir.Table, *, grid: Grid = RF10, confidence: float = 0.95) -> pd.DataFrame:
    """Return size and worth of every segment, one row per segment of the grid in its order.

    Parameters
    ----------
    rfm : ibis table
        One row per person with segment, recency_days (NULL for leads, who are left out), frequency and net_revenue.
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
    require_columns(rfm, ["segment", "recency_days", "frequency", "net_revenue"], "segment_table")
    rfm = rfm.filter(rfm.recency_days.notnull())
    money = rfm.net_revenue.cast("decimal(18, 4)")
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
        One row per person with lifecycle and net_revenue.
    confidence : float
        Coverage of Wilson's interval of the share.

    Returns
    -------
    DataFrame
        lifecycle; customers; share, share_low, share_high (of all persons, leads included); revenue (net).

    Raises
    ------
    WaageError
        If a column is missing.
    """
    require_columns(rfm, ["lifecycle", "net_revenue"], "lifecycle_table")
    found = rfm.group_by("lifecycle").agg(customers=rfm.count(), revenue=rfm.net_revenue.sum()).to_pyarrow().to_pandas()
    table = found.set_index("lifecycle").reindex(list(LIFECYCLE)).fillna(0).rename_axis("lifecycle").reset_index()
    table = table.astype({"customers": "int64", "revenue": "float64"})
    people = int(table.customers.sum())
    table["share"] = table.customers / max(people, 1)
    table["share_low"], table["share_high"] = wilson(table.customers.to_numpy(), max(people, 1), confidence)
    return table[["lifecycle", "customers", "share", "share_low", "share_high", "revenue"]]


def with_change(now: pd.DataFrame, before: pd.DataFrame | None) -> pd.DataFrame:
    """Add what changed since an earlier day to a table of segments.

    Parameters
    ----------
    now, before : DataFrame
        As `segment_table` returns; None: there is nothing to compare with.

    Returns
    -------
    DataFrame
        `now` with customers_change and revenue_change (shares: .1 is ten percent more), NaN where there was
        nobody, or no revenue, or nothing to compare with.
    """
    table = now.copy()
    for column in ("customers", "revenue"):
        earlier = before.set_index("segment")[column] if before is not None else pd.Series(dtype=float)
        earlier = table.segment.map(earlier).astype(float)
        table[f"{column}_change"] = (table[column] / earlier.where(earlier > 0) - 1).astype(float)
    return table


def grid_counts(rfm: ir.Table, grid: Grid = RF10) -> pd.DataFrame:
    """Return customers and net revenue of every cell of a grid, the table that `plot_grid` draws.

    Parameters
    ----------
    rfm : ibis table
        One row per person with r, f, m and net_revenue; leads, whose r is NULL, are left out.
    grid : Grid

    Returns
    -------
    DataFrame
        ``scores ** 2`` rows ordered by r and y (F, or F and M together): r, y, customers, share, revenue,
        revenue_share (NaN unless total revenue is positive); 0 where nobody is.

    Raises
    ------
    WaageError
        If a column is missing, the table has no customers, or a score is outside 1 to ``scores``.
    """
    require_columns(rfm, ["r", "f", "net_revenue"], "grid_counts")
    rfm = rfm.filter(rfm.r.notnull()).mutate(y=grid.second(rfm))
    money = rfm.net_revenue.cast("decimal(18, 4)")
    found = rfm.group_by(["r", "y"]).agg(customers=rfm.count(), revenue=money.sum()).to_pyarrow().to_pandas()
    if not len(found):
        raise WaageError("grid_counts: the table has no customers; look at a day with customers")
    inside = found.r.between(1, grid.scores) & found.y.between(1, grid.scores)
    if not inside.all():
        people = int(found.customers[~inside].sum())
        raise WaageError(f"grid_counts: {people} persons have a score that is null or not 1 to {grid.scores}")
    cells = {(int(row.r), int(row.y)): row for row in found.itertuples()}
    people = int(found.customers.sum())
    revenue = sum(Fraction(value) for value in found.revenue)
    rows = []
    for r in range(1, grid.scores + 1):
        for y in range(1, grid.scores + 1):
            cell = cells.get((r, y))
            n = int(cell.customers) if cell else 0
            total = Fraction(cell.revenue) if cell else Fraction(0)
            share = float(total / revenue) if revenue > 0 else math.nan
            rows.append((r, y, n, n / people, float(total), share))
    return pd.DataFrame(rows, columns=["r", "y", "customers", "share", "revenue", "revenue_share"])


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
    owner = pd.Series([grid.segment_of(r, y) for r, y in zip(counts.r, counts.y, strict=True)], index=counts.index)
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
