import math
import statistics
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waage.errors import WaageError
from waage.privacy import mask_small
from waage.rfm import LIFECYCLE, RF10, Grid, grid_counts, lifecycle, lifecycle_table, mask_grid, segment_table
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


class TestGrid:
    def test_rf10_is_an_exact_partition(self):
        cells = [cell for own in RF10.cells.values() for cell in own]
        assert sorted(cells) == [f"{r}{f}" for r in range(1, 6) for f in range(1, 6)]
        assert [len(own) for own in RF10.cells.values()] == [2, 4, 4, 1, 1, 1, 2, 2, 4, 4]
        assert len(RF10.segments) == 10

    @pytest.mark.parametrize(
        ("r", "f", "segment"),
        [
            (5, 5, "champions"),
            (3, 4, "loyal"),
            (4, 2, "potential_loyalists"),
            (5, 1, "new"),
            (4, 1, "promising"),
            (3, 3, "need_attention"),
            (3, 2, "about_to_sleep"),
            (1, 5, "cant_lose"),
            (2, 3, "at_risk"),
            (2, 2, "hibernating"),
        ],
    )
    def test_rf10_cells(self, r, f, segment):
        assert RF10.segment_of(r, f) == segment

    def test_assign_agrees_with_the_grid_in_every_cell(self, make_customers, read):
        people = [(r, f, 1, 1, "1") for r in range(1, 6) for f in range(1, 6)]
        assigned = read(RF10.assign(scored(make_customers, people)), "r", "f", "segment")
        assert len(assigned) == 25
        assert all(RF10.segment_of(r, f) == segment for r, f, segment in assigned.values())

    def test_a_gap_is_refused_naming_the_cells(self):
        cells = {segment: own for segment, own in RF10.cells.items() if segment != "cant_lose"}
        with pytest.raises(WaageError, match=r"cell 15 \(R 1, F 5\) has no segment; cell 25") as error:
            Grid("mine", cells)
        assert "grid mine" in str(error.value)

    def test_an_overlap_is_refused_naming_cell_and_owners(self):
        with pytest.raises(WaageError, match="cell 11 is claimed 2 times, by hibernating and lost"):
            Grid("mine", {**RF10.cells, "lost": ("11",)})
        with pytest.raises(WaageError, match="cell 11 is claimed 2 times, by all"):
            Grid("mine", {"all": ("11", "11", "12", "21", "22")}, scores=2)

    def test_cells_outside_and_empty_segments_are_refused(self):
        with pytest.raises(WaageError, match="cell '16' of extra lies outside 11 to 55"):
            Grid("mine", {**RF10.cells, "extra": ("16",)})
        with pytest.raises(WaageError, match="segment extra has no cell"):
            Grid("mine", {**RF10.cells, "extra": ()})

    def test_cells_cannot_be_changed_afterwards(self):
        with pytest.raises(TypeError):
            RF10.cells["champions"] = ("55",)

    def test_assign_needs_scores(self, make_customers):
        with pytest.raises(WaageError, match=r"'r' is missing.*'f' is missing"):
            RF10.assign(make_customers([("a", 1, 1, "1")]))


class TestLifecycle:
    @pytest.mark.parametrize(
        ("recency", "frequency", "stage"),
        [
            (0, 1, "new"),
            (90, 1, "new"),
            (90, 2, "active"),
            (91, 1, "defecting"),
            (365, 9, "defecting"),
            (366, 9, "inactive"),
            (None, None, None),
        ],
    )
    def test_limits_are_inclusive(self, make_customers, read, recency, frequency, stage):
        customers = make_customers([("a", recency, frequency, "1")])
        assert read(lifecycle(customers), "lifecycle") == {"a": (stage,)}

    def test_a_returning_customer_is_not_new_when_frequency_counts_a_window(self, make_customers, read):
        customers = make_customers([("a", 10, 2, "1")]).mutate(frequency=1)
        assert read(lifecycle(customers), "lifecycle") == {"a": ("active",)}

    def test_days_are_parameters(self, make_customers, read):
        customers = make_customers([("a", 20, 1, "1"), ("b", 70, 3, "1")])
        stages = read(lifecycle(customers, active_days=14, inactive_days=60), "lifecycle")
        assert stages == {"a": ("defecting",), "b": ("inactive",)}
        assert {stage for (stage,) in stages.values()} <= set(LIFECYCLE)

    @pytest.mark.parametrize("days", [(-1, 10), (90, 90), (100, 90)])
    def test_impossible_days_are_refused(self, make_customers, days):
        customers = make_customers([("a", 20, 1, "1")])
        with pytest.raises(WaageError, match="need 0 <= active_days < inactive_days"):
            lifecycle(customers, active_days=days[0], inactive_days=days[1])


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
        assert list(zip(counts.r, counts.f, strict=True)) == cells
        assert counts.customers.tolist() == [sum(p[:2] == cell for p in people) for cell in cells]
        assert counts.share.sum() == pytest.approx(1)
        assert counts.revenue.sum() == pytest.approx(float(sum(p[4] for p in people)), abs=1e-6)

    def test_scores_outside_the_grid_are_refused(self, make_customers):
        people = scored(make_customers, [(5, 5, 1, 1, "1"), (1, 1, 2, 1, "1")])
        with pytest.raises(WaageError, match="1 persons have an r or f that is null or not 1 to 4"):
            grid_counts(people, scores=4)
        with pytest.raises(WaageError, match="1 persons"):
            grid_counts(people.mutate(r=people.r.nullif(5)))


def test_a_small_cell_cannot_be_worked_out_from_its_segment_or_the_total():
    counts = pd.DataFrame([(r, f, 40) for r in range(1, 6) for f in range(1, 6)], columns=["r", "f", "customers"])
    counts[["share", "revenue", "revenue_share"]] = 0.1
    counts.loc[(counts.r == 1) & (counts.f == 5), "customers"] = 8  # cant_lose: 8 and 40
    counts.loc[(counts.r == 4) & (counts.f == 1), "customers"] = 3  # promising: one cell of 3
    owner = [RF10.segment_of(r, f) for r, f in zip(counts.r, counts.f, strict=True)]
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
    rfm = duck.sql("""SELECT * FROM (VALUES ('new', 10.5), ('active', 20.0), ('active', 0.0), ('inactive', -5.0))
                      t(lifecycle, monetary)""")
    table = lifecycle_table(rfm)
    assert table["lifecycle"].tolist() == list(LIFECYCLE)
    assert table["customers"].tolist() == [1, 2, 0, 1] and table["revenue"].tolist() == [10.5, 20, 0, -5]
    assert table["share"].sum() == 1 and (table["share_low"] <= table["share"]).all()
