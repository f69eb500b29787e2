"""Customers on a day, against a plain reading of the definitions."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from waage.errors import WaageError
from waage.history import months_before
from waage.rfm import LIFECYCLE, RF10, Customers, Segmentation, fit_scores

AS_OF = date(2025, 6, 30)
few = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
# person (None: anonymous), days before AS_OF (negative: later), value, status, return (days after the order, share)
ORDER = st.tuples(
    st.sampled_from(["A", "B", "C", None]),
    st.integers(-40, 900) | st.sampled_from([0, 90, 91, 365, 366, 455, 456, 457]),
    st.decimals(0, 500, places=2),
    st.sampled_from(["placed", "placed", "shipped", "cancelled", None]),
    st.none() | st.tuples(st.integers(0, 60), st.sampled_from(["0.5", "1", "1.2"])),
)
orders = st.lists(ORDER, min_size=1, max_size=25)
PERSONS = ("A", "B", "C", "D")


def make(con, rows, **settings):
    count = len(rows)
    days = [AS_OF - timedelta(days=row[1]) for row in rows]
    money = pa.decimal128(18, 4)
    made = pa.table(
        {
            "source": ["s"] * count,
            "order_id": [f"{i:04d}" for i in range(count)],
            "source_id": pa.array([row[0] for row in rows], pa.string()),
            "person_id": pa.array([row[0] for row in rows], pa.string()),
            "ordered_at": pa.array([pd.Timestamp(day) + pd.Timedelta(hours=12) for day in days], pa.timestamp("us")),
            "day": pa.array(days, pa.date32()),
            "channel": ["x"] * count,
            "status": pa.array([row[3] for row in rows], pa.string()),
            "store_id": pa.array([None] * count, pa.string()),
            "revenue": pa.array([row[2] for row in rows], money),
            "net_revenue": pa.array([Decimal(0)] * count, money),  # known_on must not trust it
            "counts": pa.array([True] * count),
        }
    )
    back = [(i, days[i] + timedelta(days=row[4][0]), back_of(row)) for i, row in enumerate(rows) if row[4]]
    returned = pa.table(
        {
            "source": pa.array(["s"] * len(back), pa.string()),
            "order_id": pa.array([f"{i:04d}" for i, *_ in back], pa.string()),
            "returned_at": pa.array([pd.Timestamp(day) for _, day, _ in back], pa.timestamp("us")),
            "amount": pa.array([amount for *_, amount in back], money),
        }
    )
    people = pa.table({"person_id": list(PERSONS)})
    tables = [con.create_table(f"c_{name}", content, temp=True, overwrite=True)
              for name, content in (("orders", made), ("returns", returned), ("people", people))]  # fmt: skip
    return Customers(*tables, **settings)


def back_of(row):
    return (row[2] * Decimal(row[4][1])).quantize(Decimal("0.01"))


def oracle(rows, day, window=0, keep=False, active=90, lapsed=365):
    """Read the definitions order by order."""
    result = {}
    start = months_before(day, window) if window else date.min
    for person in PERSONS:
        own = []
        for row in rows:
            ordered = AS_OF - timedelta(days=row[1])
            if row[0] != person or ordered > day or row[3] == "cancelled":
                continue
            back = back_of(row) if row[4] and ordered + timedelta(days=row[4][0]) <= day else Decimal(0)
            if back > 0 and row[2] - back <= 0 and not keep:
                continue
            own.append((ordered, row[2] - back))
        own.sort()
        days = [ordered for ordered, _ in own]
        inside = [value for ordered, value in own if ordered > start]
        recency = (day - days[-1]).days if days else None
        gaps = [(b, (b - a).days) for a, b in pairwise(days)]
        came_back = any(gap > lapsed and (day - to).days <= active for to, gap in gaps)
        if not days:
            stage = "lead"
        elif recency > lapsed:
            stage = "lapsed"
        elif len(days) == 1:
            stage = "new" if recency <= active else "one_time"
        elif recency > active:
            stage = "at_risk"
        else:
            stage = "reactivated" if came_back else "active"
        tenure = (day - days[0]).days if days else None
        result[person] = (recency, len(inside), sum(inside, Decimal(0)), tenure, stage)
    return result


def got(customers, day):
    columns = ("recency_days", "frequency", "monetary", "tenure_days", "lifecycle")
    rows = customers.at(day).to_pyarrow().to_pylist()
    assert len(rows) == len(PERSONS), "everybody once"
    return {row["person_id"]: tuple(row[name] for name in columns) for row in rows}


def of_a(*days):
    return [("A", ago, Decimal(1), None, None) for ago in days]


@few
@given(orders, st.sampled_from([0, 12, 24]), st.booleans(), st.integers(0, 400))
@example(of_a(456, 90), 0, False, 0)
@example(of_a(455, 90), 0, False, 0)
@example(of_a(457, 91, 5), 0, False, 0)
def test_a_day_is_what_the_definitions_say(con, rows, window, keep, earlier):
    day = AS_OF - timedelta(days=earlier)
    customers = make(con, rows, window_months=window, keep_returned=keep)
    assert got(customers, day) == oracle(rows, day, window, keep)


@few
@given(orders, orders, st.integers(0, 200), st.randoms(use_true_random=False))
def test_neither_later_orders_and_returns_nor_the_order_of_rows_change_a_day(con, rows, more, earlier, rng):
    day = AS_OF - timedelta(days=earlier)
    before = got(make(con, rows, window_months=24), day)
    later = [(person, -abs(days) - 1 + earlier, *rest) for person, days, *rest in more]
    later = [row for row in later if AS_OF - timedelta(days=row[1]) > day]
    mixed = rows + later
    rng.shuffle(mixed)
    assert got(make(con, mixed, window_months=24), day) == before


@few
@given(orders, st.integers(0, 300), st.integers(10, 200))
def test_every_person_has_one_segment_and_one_stage(con, rows, recent, longer):
    limits = {"active_days": recent, "lapsed_days": recent + longer}
    customers = make(con, [*rows, ("A", 5, Decimal(3), None, None)], **limits)
    table = Segmentation(customers, fit_scores(customers.at(AS_OF), f_breaks=(1, 2, 3, 6))).at(AS_OF).execute()
    assert sorted(table.person_id) == list(PERSONS) and set(table.lifecycle) <= set(LIFECYCLE)
    lead = table.lifecycle == "lead"
    assert table.segment[~lead].isin(RF10.segments).all()
    assert table.loc[lead, ["recency_days", "r", "f", "m", "segment"]].isna().all(axis=None)
    assert (table.loc[lead, ["frequency", "net_revenue"]].astype(float) == 0).all(axis=None)


@few
@given(orders, st.sampled_from([0, 12]))
def test_every_order_is_counted_or_excluded_for_one_reason(con, rows, window):
    customers = make(con, [*rows, ("X", 3, Decimal(7), None, None)], window_months=window)
    table = customers.excluded(AS_OF).set_index("reason")
    assert table.orders.sum() == len(rows) + 1
    assert table.demand.sum() == pytest.approx(float(sum(row[2] for row in rows)) + 7)
    assert table.orders["objected"] == 1 and customers.objectors(AS_OF) == 1
    assert table.orders["counted"] == sum(values[1] for values in oracle(rows, AS_OF, window).values())
    assert table.orders["later"] == sum(row[1] < 0 for row in rows)
    assert table.orders["anonymous"] == sum(row[0] is None and row[1] >= 0 for row in rows)


def test_money_may_be_the_mean_order_value(con):
    rows = [("A", 10, Decimal(10), None, None), ("A", 20, Decimal(5), None, None), ("B", 500, Decimal(8), None, None)]
    table = make(con, rows, window_months=12, monetary="mean_order_value").at(AS_OF).execute().set_index("person_id")
    assert table.monetary.astype(float).to_dict() == {"A": 7.5, "B": 0, "C": 0, "D": 0}
    assert table.net_revenue.astype(float)["A"] == 15


@pytest.mark.parametrize(("days", "amount", "left"), [(10, "0.5", 50), (11, "0.5", 100), (10, "1.2", None)])
def test_a_return_counts_from_the_day_it_came_back(con, days, amount, left):
    customers = make(con, [("A", 30, Decimal(100), None, (days, amount))])
    table = customers.at(AS_OF - timedelta(days=20)).execute().set_index("person_id")
    assert float(table.monetary["A"]) == (left or 0) and (table.lifecycle["A"] == "lead") == (left is None)


def test_outcomes_are_of_the_days_after_and_up_to(con):
    rows = [("A", days, Decimal(days), None, None) for days in (90, 60, 30, 0)]
    customers = make(con, [*rows, ("B", 45, Decimal(9), None, (5, "1")), ("X", 20, Decimal(5), None, None)])
    start, end = AS_OF - timedelta(days=60), AS_OF
    assert customers.outcome(start, end).execute().to_dict("records") == [
        {"person_id": "A", "orders": 2, "revenue": Decimal("30.0000")}
    ]
    around = customers.revenue_around(start, AS_OF - timedelta(days=30)).execute().to_dict("records")
    assert around == [{"person_id": "A", "revenue_before": Decimal("60.0000"), "revenue_after": Decimal("30.0000")}], (
        "the order of 90 days ago lies on the edge of the earlier period"
    )


def test_a_window_before_the_first_order_cannot_be_compared(con):
    customers = make(con, [("A", 400, Decimal(1), None, None)], window_months=12)
    assert customers.reaches(AS_OF - timedelta(days=45)) and not customers.reaches(AS_OF - timedelta(days=80))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"window_months": -1}, "window_months -1 is negative"),
        ({"monetary": "margin"}, "monetary 'margin' is neither"),
        ({"active_days": 90, "lapsed_days": 90}, "need 0 <= active_days < lapsed_days"),
        ({"active_days": -1}, "need 0 <= active_days"),
    ],
)
def test_impossible_settings_are_refused(wrong, words):
    with pytest.raises(WaageError, match=words):
        Customers(ibis.memtable({"day": [1]}), **wrong)
