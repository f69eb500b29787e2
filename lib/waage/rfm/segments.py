"""Segments and lifecycle stages of the base on a day, and what each group is worth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.errors import Refusal, WaageError
from waage.history import months_before
from waage.privacy import mask_small
from waage.rfm.customers import Customers
from waage.rfm.grids import RF10, Grid
from waage.rfm.groups import lifecycle_table, segment_table, with_change
from waage.rfm.migration import Migration, migration
from waage.rfm.prediction import Prediction, predict_next
from waage.rfm.scores import Scores, fit_scores

_COLUMNS = (
    *("person_id", "as_of", "recency_days", "frequency", "monetary", "net_revenue", "tenure_days", "first_day"),
    *("r", "f", "m", "segment", "lifecycle"),
)


@dataclass(frozen=True)
class Segmentation:
    """Customers, thresholds and grid together: the segment of every customer on any day.

    Attributes
    ----------
    customers : Customers
    scores : Scores
        The same thresholds for every day, so that a move between segments is a move of the customer.
    grid : Grid
    """

    customers: Customers
    scores: Scores
    grid: Grid = RF10

    def at(self, day: date) -> ir.Table:
        """Return the table `rfm` as of a day.

        The customers are summed up once and kept while a table made of them is in use; so are those of somebody who
        holds `customers.at(day).cache()`, for the thresholds.

        Returns
        -------
        ibis table
            person_id, as_of, recency_days, frequency, monetary, net_revenue, tenure_days, first_day, r, f, m,
            segment, lifecycle; scores and segment are NULL for leads.
        """
        scored = self.grid.assign(self.scores.apply(self.customers.at(day).cache()))
        return scored.mutate(as_of=ibis.literal(day)).select(*_COLUMNS)

    def with_outcome(self, day: date, until: date) -> ir.Table:
        """Return the customers as of a day with what they did after it, as `predict_next` wants them.

        Returns
        -------
        ibis table
            The columns of `at` without leads; repeat (0 or 1: an order with after < day <= until) and revenue (net).
        """
        table = self.at(day)
        table = table.filter(table.segment.notnull())
        later = self.customers.outcome(day, until).rename(later="orders")
        table = table.left_join(later, "person_id").drop("person_id_right")
        return table.mutate(
            repeat=(table.later.fill_null(0) > 0).cast("int64"),
            revenue=table.revenue.fill_null(ibis.literal(0).cast(table.revenue.type())),
        ).drop("later")

    def overview(self, day: date, rfm: ir.Table, min_cell: int) -> "Overview":
        """Return segments and stages of a day as they may be shown, with the change on the year before.

        Parameters
        ----------
        day : date
        rfm : ibis table
            What `at` returned for that day, or the table written of it.
        min_cell : int
            Smallest group shown.
        """
        objectors, before, year_ago = self.customers.objectors(day), None, months_before(day, 12)
        if self.customers.reaches(year_ago):
            before = segment_table(self.at(year_ago), grid=self.grid)
            hide = before.columns.difference(["segment", "customers"])
            left_out = self.customers.objectors(year_ago)
            before = mask_small(before, "customers", *hide, min_cell=min_cell, others=left_out)
        now = segment_table(rfm, grid=self.grid)
        assert now.customers.sum() == rfm.segment.count().execute()
        hide = now.columns.difference(["segment", "customers"])
        segments = with_change(mask_small(now, "customers", *hide, min_cell=min_cell, others=objectors), before)
        # Who bought too long ago for the window piles up with the years: there is no like for like.
        open_ended = {"11"} if self.customers.window_months else {f"1{y}" for y in range(1, self.grid.scores + 1)}
        piled = [bool(open_ended & set(self.grid.cells[segment])) for segment in segments.segment]
        segments.loc[piled, ["customers_change", "revenue_change"]] = math.nan
        # Apart from the leads: the sum of the others is the number of customers, which the segments tell.
        found = lifecycle_table(rfm)
        parts = (found[found.lifecycle == "lead"], found[found.lifecycle != "lead"])
        stages = pd.concat(mask_small(part, "customers", "share", "revenue", min_cell=min_cell) for part in parts)
        return Overview(segments, before, stages, objectors)

    def migration(self, before: date, after: date, *, gone_days: int = 730, seed: int = 7) -> Migration:
        """Return where customers moved between two days; the same thresholds at both.

        Parameters
        ----------
        before, after : date
        gone_days, seed : int
            As in `waage.rfm.migration`.

        Raises
        ------
        Refusal
            When the orders do not cover the window before the earlier day, or as long a time before it as lies
            between the two: customers would seem to rise although only the data began.
        """
        if before >= after:
            raise WaageError(f"migration: {before} does not lie before {after}; set migration_months to 1 or more")
        span = round((after - before).days / 30.4375)
        if not (self.customers.reaches(before) and self.customers.reaches(before, span)):
            raise Refusal(
                f"the orders do not cover the window before {before}, so customers would seem to rise with the data: "
                "set migration_months or window_months lower, or bring a longer history"
            )
        revenue = self.customers.revenue_around(before, after)
        pair = self.at(before), self.at(after)
        return migration(
            *pair, revenue, segments=self.grid.segments, gone_days=gone_days, seed=seed, label=self.grid.label
        )


@dataclass(frozen=True)
class Overview:
    """What a report shows of a day, small groups masked.

    Attributes
    ----------
    segments : DataFrame
        As `segment_table` and `with_change` return.
    before : DataFrame or None
        The segments a year before; None where the data do not reach back far enough.
    stages : DataFrame
        As `lifecycle_table` returns.
    objectors : int
        Customers who are in no segment because they object to profiling.
    """

    segments: pd.DataFrame
    before: pd.DataFrame | None
    stages: pd.DataFrame
    objectors: int


def backtest_segments(
    customers: Customers, grid: Grid, as_of: date, days: int = 90, *, seed: int = 7, **breaks: Sequence[float]
) -> Prediction:
    """Test whether segments foretell what customers do next, with nothing from after the day they are assigned on.

    Parameters
    ----------
    customers : Customers
    grid : Grid
    as_of : date
        Last day of the holdout.
    days : int
        Its length. The `days` before it, with segments from before them, teach each split how its groups order.
    seed : int
    **breaks
        r_breaks, f_breaks, m_breaks of `fit_scores`; quantiles are those of the earlier day.

    Returns
    -------
    Prediction

    Raises
    ------
    Refusal
        When too few customers or repeat buyers are in either period.
    """
    if days < 1:
        raise WaageError(f"holdout_days is {days}; 1 or more are needed, 90 are usual")
    holdout = as_of - timedelta(days=days)
    training = holdout - timedelta(days=days)
    earlier = customers.at(training).cache()  # held until the segments of that day are made of it, too
    segmentation = Segmentation(customers, fit_scores(earlier, **breaks), grid)
    pair = segmentation.with_outcome(training, holdout), segmentation.with_outcome(holdout, as_of)
    return predict_next(*pair, seed=seed, label=grid.label)
