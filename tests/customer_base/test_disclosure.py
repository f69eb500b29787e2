"""An intruder with a matrix: what follows, as a sum or difference, from all that is published about time."""

import itertools
import random
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from waage import customer_base as base
from waage.customer_base.disclosure import told
from waage.customer_base.periods import Span, add_months, placed

from .book import order

FLOWS = ("new", "reactivated", "lapsed")
K = 5


def book(seed, people, until):
    draw = random.Random(seed)
    rows = [order("first", until - timedelta(1200), number=1)]
    for person in range(people):
        for _ in range(draw.choice([1, 1, 2, 3])):
            day = until - timedelta(int(1200 * draw.random() ** 1.3))
            status = draw.choice(["shipped"] * 8 + ["cancelled"])
            rows.append(order(f"p{person}", day, draw.randrange(5, 90), status, number=len(rows) + 1))
    return rows


def span_of(row, until):
    month = pd.Timestamp(row.period).date()
    length = {"month": 1, "fiscal_year": 12, "quarter": 3, "year": 12}.get(row.grain)
    return Span(month, until if length is None else min(until, add_months(month, length) - timedelta(1)))


def published(found, measure, until):
    """Every shown value of a measure and its span, those of a year before included."""
    for row in found.table[found.table["measure"] == measure].itertuples():
        span = span_of(row, until)
        if pd.notna(row.value):
            yield span, row.value
        if pd.notna(row.value_before):
            span = Span(span.start, span.end, row.complete)
            before = base.periods.year_before(span) if row.grain == "rolling" else span.before()
            yield before, row.value_before


def solver(equations):
    """Return a function that tells whether a sum is a combination of the equations."""
    space = np.array(equations)
    sizes, basis = np.linalg.eigh(space.T @ space)
    unseen = basis[:, sizes < 1e-6].T
    return lambda wanted: np.abs(unseen @ wanted).max(initial=0) < 1e-6


CASES = [
    (1, 150, date(2025, 6, 30), 1, False),
    (2, 400, date(2025, 6, 20), 7, False),
    (3, 260, date(2024, 2, 29), 1, True),
    (4, 500, date(2025, 12, 31), 1, False),
]


@pytest.mark.parametrize(("seed", "people", "until", "fiscal", "whole"), CASES)
def test_nobody_can_solve_for_a_small_group(make_orders, seed, people, until, fiscal, whole):
    table = make_orders(book(seed, people, until))
    found = base.activity(table, until, fiscal_year_start=fiscal, whole_history=whole, min_cell=K)
    first = found.history.first
    spans = {m: list(published(found, m, until)) for m in ("active", *FLOWS, "demand")}
    newcomers = base.newcomers(table, found).table.dropna(subset="customers")
    for row in newcomers.assign(grain="month", period=newcomers["month"]).itertuples():
        spans["new"].append((span_of(row, until), row.customers))
    for grain in ("month", "quarter", "year"):
        sizes = base.cohorts(table, found, grain=grain).table.query("age == 0").dropna(subset="size")
        sizes = sizes.assign(grain=grain, period=sizes["cohort"]).rename(columns={"size": "n"})
        spans["new"] += [(span_of(row, until), row.n) for row in sizes.itertuples()]
    assert sum(map(len, spans.values())) > 40 and found.table["hidden"].any()
    named = [span for some in spans.values() for span, _ in some]
    cuts = sorted(
        {cut for span in (*named, *(span_of(row, until) for row in found.table.itertuples())) for cut in span.cuts}
    )
    at = {cut: place for place, cut in enumerate(cuts)}
    cells = len(cuts) - 1
    days = found.events
    ends = [(pd.Timestamp(cut), pd.Timestamp(later - timedelta(1))) for cut, later in itertools.pairwise(cuts)]
    truth = np.array([[days.loc[start:end, flow].sum() for start, end in ends] for flow in FLOWS])

    def line(flow, start, end):
        row = np.zeros((3, cells))
        row[FLOWS.index(flow), at[start] : at[end]] = 1
        return row.ravel()

    equations = []
    for flow in FLOWS:
        for span, value in spans[flow]:
            equations.append(line(flow, *span.cuts))
            assert equations[-1] @ truth.ravel() == value
    for span, value in spans["active"]:
        signs = zip(FLOWS, (1, 1, -1), strict=True)
        equations.append(sum(sign * line(flow, cuts[0], span.cuts[1]) for flow, sign in signs))
        assert equations[-1] @ truth.ravel() == value
    for place, cut in enumerate(cuts[1:]):
        if cut <= add_months(first, 12):  # nobody can have lapsed or come back
            equations += [line(flow, cuts[place], cut) for flow in FLOWS[1:]]
    follows = solver(equations)
    pairs = [(a, b) for i, a in enumerate(cuts) for b in cuts[i + 1 :]]
    small = 0
    for flow in FLOWS:
        for a, b in pairs:
            wanted = line(flow, a, b)
            if 0 < wanted @ truth.ravel() < K:
                small += 1
                assert not follows(wanted), (flow, a, b)
    assert small > 3
    rows = placed(table, until).select("person_id", "day").execute()
    equations = [np.eye(cells)[at[s.start] : at[s.cuts[1]]].sum(axis=0) for s, _ in spans["demand"]]
    follows = solver(equations)
    for a, b in pairs:
        inside = pd.to_datetime(rows["day"]).between(pd.Timestamp(a), pd.Timestamp(b - timedelta(1)))
        if 0 < rows[inside]["person_id"].nunique() < K:
            assert not follows(np.eye(cells)[at[a] : at[b]].sum(axis=0)), (a, b)


MONTHS = [Span(date(2024, m, 1), add_months(date(2024, m, 1), 1) - timedelta(1)) for m in range(1, 13)]
CUTS = [*(span.start for span in MONTHS), date(2025, 1, 1)]
YEAR = Span(date(2024, 1, 1), date(2024, 12, 31))


class TestTold:
    def shown(self, sizes, spans, **more):
        joined = told(CUTS, np.array(sizes)[:, None], spans, 10, **more)
        return [m for m, span in enumerate(MONTHS) if joined[span.start] == joined[span.cuts[1]]]

    def test_one_small_month_of_a_shown_year_takes_the_next_smallest(self):
        sizes = [30, 40, 50, 3, 35, 20, 60, 70, 45, 33, 31, 32]
        months = sorted(MONTHS, key=lambda span: -sizes[span.start.month - 1])
        assert self.shown(sizes, [YEAR, *months]) == [0, 1, 2, 4, 6, 7, 8, 9, 10, 11]
        assert self.shown(sizes, months) == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]

    def test_two_that_are_few_together_take_a_third(self):
        sizes = [30, 40, 50, 3, 35, 20, 60, 2, 45, 33, 31, 32]
        months = sorted(MONTHS, key=lambda span: -sizes[span.start.month - 1])
        assert self.shown(sizes, [YEAR, *months]) == [0, 1, 2, 4, 6, 8, 9, 10, 11]

    def test_empty_months_are_shown(self):
        sizes = [30, 0, 50, 0, 35, 20, 60, 0, 45, 33, 31, 32]
        assert self.shown(sizes, [YEAR, *MONTHS]) == list(range(12))

    def test_what_must_not_follow_does_not(self):
        sizes = [30] * 12
        assert self.shown(sizes, [YEAR, *MONTHS], apart=[MONTHS[4]]) == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
