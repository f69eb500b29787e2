import math
import statistics
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waage.errors import WaageError
from waage.privacy import mask_small
from waage.rfm import (
    LIFECYCLE,
    RF10,
    RFM11,
    Grid,
    grid_counts,
    lifecycle_table,
    mask_grid,
    segment_table,
    with_change,
)
from waage.stats import wilson

few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
scored_persons = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.integers(1, 5),
        st.integers(0, 700),
        st.integers(1, 20),
        st.decimals(min_value=-50, max_value=3000, places=2),
    ),
    min_size=1,
    max_size=50,
)


def scored(make_customers, people):
    """Return a scored table whose r and f are given; both hide in person_id."""
    rows = [(f"{r}{f}{i}", *history) for i, (r, f, *history) in enumerate(people)]
    table = make_customers(rows)
    return table.mutate(r=table.person_id[0:1].cast("int64"), f=table.person_id[1:2].cast("int64"))


class TestSegmentTable:
    @few
    @given(scored_persons)
    def test_equals_plain_python(self, make_customers, people):
        table = segment_table(RF10.assign(scored(make_customers, people)))
        assert tuple(table.segment) == RF10.segments
        total = sum(person[4] for person in people)
        for row in table.itertuples():
            own = [person for person in people if RF10.segment_of(*person[:2]) == row.segment]
            money = [float(person[4]) for person in own]
            assert row.customers == len(own)
            assert row.share == len(own) / len(people)
            assert (row.share_low, row.share_high) == wilson(len(own), len(people))
            assert row.revenue == float(sum((person[4] for person in own), Decimal(0)))
            if total > 0:
                assert row.revenue_share == pytest.approx(row.revenue / float(total))
            else:
                assert math.isnan(row.revenue_share)
            if not own:
                assert math.isnan(row.recency_days) and math.isnan(row.orders)
                assert math.isnan(row.revenue_per_customer)
                continue
            assert row.recency_days == statistics.median(person[2] for person in own)
            assert row.orders == pytest.approx(statistics.mean(person[3] for person in own))
            assert row.revenue_per_customer == pytest.approx(statistics.mean(money), abs=1e-9)
            if len(own) == 1:
                assert math.isnan(row.revenue_per_customer_low)
            else:
                half = 1.959963984540054 * statistics.stdev(money) / math.sqrt(len(own))
                assert row.revenue_per_customer_high - row.revenue_per_customer == pytest.approx(half, abs=1e-6)
                assert row.revenue_per_customer - row.revenue_per_customer_low == pytest.approx(half, abs=1e-6)

    def test_equal_amounts_have_no_spread(self, make_customers):
        table = segment_table(RF10.assign(scored(make_customers, [(5, 5, 1, 1, "19.99")] * 3)))
        champions = table.set_index("segment").loc["champions"]
        assert champions.revenue_per_customer_low == champions.revenue_per_customer_high == 19.99
        assert table.customers.sum() == 3

    def test_spread_of_tiny_amounts_is_exact(self, make_customers):
        # Squares of four-decimal amounts have eight decimals; rounded to four, this spread would be wrong.
        people = [(5, 5, 1, 1, "0.005"), (5, 5, 1, 1, "0.015")]
        champions = segment_table(RF10.assign(scored(make_customers, people))).set_index("segment").loc["champions"]
        half = 1.959963984540054 * statistics.stdev([0.005, 0.015]) / math.sqrt(2)
        assert champions.revenue_per_customer_high == pytest.approx(0.01 + half, abs=1e-12)

    def test_order_of_rows_does_not_matter(self, make_customers):
        people = [(1 + i % 5, 1 + i % 3, i * 7 % 300, 1 + i % 4, f"{i * 1.37:.2f}") for i in range(200)]
        first = segment_table(RF10.assign(scored(make_customers, people)))
        second = segment_table(RF10.assign(scored(make_customers, people[::-1])))
        assert first.equals(second)

    def test_unknown_and_missing_segments_are_refused(self, make_customers):
        people = scored(make_customers, [(5, 5, 1, 1, "1"), (1, 1, 2, 1, "1")])
        wrong = people.mutate(segment=(people.r == 5).ifelse("champion", None))
        with pytest.raises(WaageError, match=r"1 persons are in 'champion'.*did you mean 'champions'") as error:
            segment_table(wrong)
        assert "1 persons have no segment" in str(error.value)
        with pytest.raises(WaageError, match="no rows"):
            segment_table(RF10.assign(people).limit(0))
        with pytest.raises(WaageError, match="confidence 95"):
            segment_table(RF10.assign(people), confidence=95)


class TestGridCounts:
    @few
    @given(scored_persons)
    def test_every_cell_once_and_nobody_lost(self, make_customers, people):
        counts = grid_counts(scored(make_customers, people))
        cells = [(r, f) for r in range(1, 6) for f in range(1, 6)]
        assert list(zip(counts.r, counts.y, strict=True)) == cells
        assert counts.customers.tolist() == [sum(p[:2] == cell for p in people) for cell in cells]
        assert counts.share.sum() == pytest.approx(1)
        assert counts.revenue.sum() == pytest.approx(float(sum(p[4] for p in people)), abs=1e-6)

    def test_the_second_axis_may_be_frequency_and_money_together(self, make_customers):
        people = scored(make_customers, [(5, 1, 1, 1, "1"), (5, 2, 2, 1, "1"), (5, 5, 2, 1, "1")]).mutate(m=4)
        counts = grid_counts(people, RFM11).query("customers > 0")
        assert list(zip(counts.r, counts.y, counts.customers, strict=True)) == [(5, 3, 2), (5, 5, 1)], "2.5 is 3"

    def test_leads_are_in_no_cell_and_no_segment(self, make_customers):
        people = scored(make_customers, [(5, 5, 1, 1, "1"), (1, 1, None, 0, "0")])
        people = people.mutate(r=people.recency_days.isnull().ifelse(None, people.r))
        assert grid_counts(people).customers.sum() == 1
        assert segment_table(RF10.assign(people)).customers.sum() == 1

    def test_scores_outside_the_grid_are_refused(self, make_customers):
        people = scored(make_customers, [(5, 5, 1, 1, "1"), (1, 1, 2, 1, "1")])
        small = Grid("small", {"all": [f"{r}{y}" for r in range(1, 5) for y in range(1, 5)]}, scores=4)
        with pytest.raises(WaageError, match="1 persons have a score that is null or not 1 to 4"):
            grid_counts(people, small)
        with pytest.raises(WaageError, match="1 persons"):
            grid_counts(people.mutate(f=people.f.nullif(5)))
        with pytest.raises(WaageError, match="no customers"):
            grid_counts(people.limit(0))


def test_change_is_a_share_of_what_was_and_empty_where_nothing_was():
    now = pd.DataFrame({"segment": ["a", "b", "c"], "customers": [30, 20, 10], "revenue": [90.0, -5.0, 1.0]})
    before = pd.DataFrame({"segment": ["b", "a"], "customers": [0, 20], "revenue": [-10.0, 100.0]})
    table = with_change(now, before)
    assert table.customers_change.tolist()[:1] == [0.5] and table.customers_change[1:].isna().all()
    assert table.revenue_change[0] == pytest.approx(-0.1) and table.revenue_change[1:].isna().all()
    assert with_change(now, None)[["customers_change", "revenue_change"]].isna().all(axis=None)


def test_a_small_cell_cannot_be_worked_out_from_its_segment_or_the_total():
    counts = pd.DataFrame([(r, f, 40) for r in range(1, 6) for f in range(1, 6)], columns=["r", "y", "customers"])
    counts[["share", "revenue", "revenue_share"]] = 0.1
    counts.loc[(counts.r == 1) & (counts.y == 5), "customers"] = 8  # cant_lose: 8 and 40
    counts.loc[(counts.r == 4) & (counts.y == 1), "customers"] = 3  # promising: one cell of 3
    owner = [RF10.segment_of(r, f) for r, f in zip(counts.r, counts.y, strict=True)]
    segments = counts.groupby(owner)["customers"].sum().rename_axis("segment").reset_index()
    segments = mask_small(segments, "customers", min_cell=10)
    masked = mask_grid(counts, segments, min_cell=10)
    assert segments["customers"].isna().sum() == 2, "promising, and the smallest other segment"
    shown = masked[masked["customers"].notna()]
    assert (shown["customers"] >= 10).all() and masked["share"].isna().equals(masked["customers"].isna())
    for segment, total in segments.dropna().itertuples(index=False):
        cells = masked["customers"][[name == segment for name in owner]]
        hidden = total - cells.sum()
        assert cells.notna().all() or (hidden >= 10 and cells.isna().sum() > 1)
    assert counts["customers"].sum() - shown["customers"].sum() >= 10
    assert (
        masked["customers"][[name in set(segments.segment[segments.customers.isna()]) for name in owner]].isna().all()
    )


def test_the_lifecycle_table_counts_every_stage_in_order(duck):
    rfm = duck.sql("""SELECT * FROM (VALUES ('new', 10.5), ('active', 20.0), ('active', 0.0), ('lapsed', -5.0))
                      t(lifecycle, net_revenue)""")
    table = lifecycle_table(rfm)
    assert table["lifecycle"].tolist() == list(LIFECYCLE)
    assert table["customers"].tolist() == [0, 1, 0, 2, 0, 0, 1]
    assert table["revenue"].tolist() == [0, 10.5, 0, 20, 0, 0, -5]
    assert table["share"].sum() == 1 and (table["share_low"] <= table["share"]).all()
