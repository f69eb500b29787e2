"""Rates, cohorts and newcomers against counting by hand and by brute force."""

import random
from datetime import date, timedelta

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from waage.customer_base import activity, cohorts, history, newcomers, rates
from waage.customer_base.cohorts import GRAINS
from waage.customer_base.periods import period_start, spans
from waage.errors import WaageError
from waage.stats import wilson

from .book import order


def some_orders(n=900, people=120, start=date(2022, 1, 3), length=1200, seed=3):
    draw = random.Random(seed)
    status = ["shipped"] * 9 + ["cancelled"]
    return [
        order(
            f"p{draw.randrange(people):03d}",
            start + timedelta(int(length * draw.random() ** 0.7)),
            draw.randrange(500, 9000) / 100,
            draw.choice(status),
            draw.choice(["web", "store"]),
            number=i + 1,
            hour=draw.randrange(24),
        )
        for i in range(n)
    ]


class TestRates:
    @pytest.fixture
    def found(self, make_orders):
        rows = []
        for i in range(40):  # 40 customers of 2023; 25 come back in 2024; of these 5 order twice, and 10 new ones too
            rows.append(order(f"a{i}", date(2023, 1, 1) + timedelta(i * 9)))
            if i < 25:
                rows.append(order(f"a{i}", date(2024, 1, 1) + timedelta(i * 14)))
            if i < 5:
                rows.append(order(f"a{i}", date(2024, 12, 31)))
        for i in range(10):
            rows += [order(f"b{i}", date(2024, 3, 5)), order(f"b{i}", date(2024, 3, 5))]
        rows += [order(f"a{i}", date(2024, 6, 1), status="cancelled") for i in range(30, 40)]
        table = make_orders(rows)
        return lambda **more: rates(table, history(table, date(2024, 12, 31)), **more).table

    def test_by_hand(self, found):
        table = found().set_index(["grain", "measure", "period"])
        year, before = pd.Timestamp("2024-01-01"), pd.Timestamp("2023-01-01")
        for grain in ("fiscal_year", "rolling"):
            again = table.loc[(grain, "returning_rate", year)]
            assert (again.n, again.k, again.value) == (40, 25, 0.625)
            twice = table.loc[(grain, "repeat_rate", year)]
            assert (twice.n, twice.k) == (35, 15)
            assert (twice.value_low, twice.value_high) == pytest.approx(wilson(15, 35))
            assert twice.value_before == 0
        assert table.loc[("fiscal_year", "repeat_rate", before)].n == 40
        assert ("fiscal_year", "returning_rate", before) not in table.index

    def test_small_bases_are_left_out(self, found):
        assert set(found(min_cell=36)["n"]) == {40}
        assert found(min_cell=41).empty

    def test_running_fiscal_years_are_left_out(self, found):
        table = found(fiscal_year_start=7)
        fiscal = table[table["grain"] == "fiscal_year"]
        assert list(fiscal["period"].unique()) == [pd.Timestamp("2023-07-01")]
        assert set(fiscal["measure"]) == {"repeat_rate"}  # the year before is not covered

    def test_a_year_is_compared_with_the_one_before_it_or_none(self, make_orders):
        plan = {2021: 40, 2022: 5, 2023: 30, 2024: 20}
        rows = [order(f"{y}-{i}", date(y, m, 1 + i % 28)) for y, n in plan.items() for i in range(n) for m in (1, 9)]
        table = make_orders(
            [*rows, *(order(f"{y}-x{i}", date(y, 5, 5)) for y in (2023, 2024) for i in range(y - 2013))]
        )
        found = rates(table, history(table, date(2024, 12, 31))).table.query("measure == 'repeat_rate'")
        fiscal = found.query("grain == 'fiscal_year'").set_index("period")
        assert fiscal.index.year.tolist() == [2021, 2023, 2024] and np.isnan(fiscal["value_before"].iloc[1])
        assert fiscal["value_before"].iloc[2] == fiscal["value"].iloc[1] == 30 / 40
        rolling = found.query("grain == 'rolling'").iloc[0]
        assert (rolling["value"], rolling["value_before"]) == (20 / 31, 30 / 40)

    def test_counts_are_whole_numbers_in_the_engine_too(self, make_orders, duck):
        # DuckDB's sum of booleans is a HUGEINT, which Parquet keeps as a double; Ibis takes it for an int64.
        from waage.customer_base.activity import _events

        events = _events(make_orders([("a", date(2024, 1, 1)), ("b", date(2024, 1, 2))]))
        sql = f"SELECT typeof(new), typeof(reactivated), typeof(lapsed) FROM ({ibis.to_sql(events, 'duckdb')}) LIMIT 1"
        assert set(duck.raw_sql(sql).fetchone()) == {"BIGINT"}

    def test_a_year_without_orders_is_no_return(self, make_orders):
        rows = [order(f"a{i}", day) for i in range(20) for day in (date(2021, 1, 1), date(2023, 5, 5))]
        rows += [order(f"b{i}", date(2022, 2, 2)) for i in range(20)]
        table = make_orders(rows)
        found = rates(table, history(table, date(2023, 12, 31))).table.set_index(["grain", "measure", "period"])
        assert found.loc[("fiscal_year", "returning_rate", pd.Timestamp("2023-01-01"))].k == 0
        assert found.loc[("fiscal_year", "returning_rate", pd.Timestamp("2022-01-01"))].k == 0
        assert found.loc[("rolling", "returning_rate", pd.Timestamp("2023-01-01"))].n == 20


class TestCohorts:
    UNTIL = date(2025, 5, 10)

    @pytest.mark.parametrize("grain", list(GRAINS))
    def test_brute_force(self, make_orders, grain):
        rows = some_orders()
        table = make_orders(rows)
        found = cohorts(table, activity(table, self.UNTIL, min_cell=1), grain=grain).table
        months, people = GRAINS[grain], {}
        for row in rows:
            if row["status"] != "cancelled" and row["day"] <= self.UNTIL:
                people.setdefault(row["person_id"], []).append(row)
        born = {person: period_start(min(row["day"] for row in own), months) for person, own in people.items()}
        first = min(row["day"] for own in people.values() for row in own)
        whole = [span for span in spans(first, self.UNTIL, months) if span.complete]
        expected = {}
        for place, cohort in enumerate(whole):
            members = [person for person, start in born.items() if start == cohort.start]
            for age, span in enumerate(whole[place:]):
                if members:
                    inside = {m: [o for o in people[m] if span.start <= o["day"] <= span.end] for m in members}
                    money = float(sum(o["net_revenue"] for own in inside.values() for o in own))
                    expected[cohort.start, age] = (len(members), sum(map(bool, inside.values())), money)
        got = {
            (row["cohort"].date(), row["age"]): (row["size"], row["customers"], pytest.approx(row["net_revenue"]))
            for row in found.to_dict("records")
        }
        assert got == expected and len(expected) > 5
        assert (found["share"] == found["customers"] / found["size"]).all()
        assert (found.loc[found["age"] == 0, "share"] == 1).all()

    def test_no_small_count_is_shown(self, make_orders):
        table = make_orders(some_orders())
        found = cohorts(table, activity(table, self.UNTIL, min_cell=8), grain="quarter").table
        shown = found["customers"].dropna()
        assert not shown.between(1, 7).any() and found["customers"].isna().any() and (shown >= 8).any()
        hidden = found["customers"].isna()
        assert found.loc[hidden, ["share", "share_low", "share_high", "net_revenue"]].isna().all(axis=None)
        gone = found[(found["age"] == 0) & hidden]["cohort"]
        assert len(gone) and found.loc[found["cohort"].isin(gone), ["size", "customers", "share"]].isna().all(axis=None)
        assert not (found["share"] * found["size"]).dropna().round(6).between(0.5, 7.5).any()

    def test_the_first_year_is_marked(self, make_orders):
        table = make_orders([("a", date(2023, 1, 1)), ("b", date(2024, 1, 1)), ("c", date(2023, 10, 1))])
        found = cohorts(table, activity(table, date(2024, 12, 31), min_cell=1)).table.query("age == 0")
        assert found.set_index("cohort")["known"].to_dict() == {
            pd.Timestamp("2023-01-01"): False,
            pd.Timestamp("2023-10-01"): False,
            pd.Timestamp("2024-01-01"): True,
        }

    def test_nothing_complete_nothing_shown_and_a_wrong_grain(self, make_orders):
        table = make_orders([("a", date(2024, 5, 5))])
        assert cohorts(table, activity(table, date(2024, 5, 20))).table.empty
        with pytest.raises(WaageError, match="did you mean 'month'"):
            cohorts(table, activity(table, date(2024, 5, 20)), grain="months")


class TestNewcomers:
    UNTIL = date(2025, 6, 29)

    def base(self):
        return [order(f"old{i}", date(2023, 1, 1), number=900_000 + i) for i in range(3)]

    def test_maturity_to_the_day(self, make_orders):
        rows = self.base() + [order(f"p{i}", date(2025, 3, 3), number=i + 1) for i in range(12)]
        rows += [order(f"p{i}", date(2025, 4, 2), number=100 + i) for i in range(4)]  # 30 days later
        rows += [order(f"p{i}", date(2025, 4, 3), number=200 + i) for i in range(4, 7)]  # 31 days later
        table = make_orders(rows)
        for until, seen in [(date(2025, 4, 29), False), (date(2025, 4, 30), True)]:
            march = newcomers(table, activity(table, until)).table.set_index("month").loc["2025-03-01"]
            if not seen:
                assert np.isnan(march["within_30"]) and np.isnan(march["within_30_low"])
            else:
                assert march["within_30"] == 4 / 12 and np.isnan(march["within_60"])
                assert (march["within_30_low"], march["within_30_high"]) == pytest.approx(wilson(4, 12))
        later = newcomers(table, activity(table, self.UNTIL)).table.set_index("month").loc["2025-03-01"]
        assert later["within_60"] == 7 / 12 and later["within_90"] == 7 / 12
        assert np.isnan(later["within_180"]) and later["complete"]

    def test_the_first_order_that_was_not_cancelled(self, make_orders):
        rows = self.base()
        for i in range(40):
            rows += [
                order(f"p{i}", date(2025, 1, 5), 999, "cancelled", number=3 * i + 1),
                order(f"p{i}", date(2025, 1, 6), 10 + i, channel="store", number=3 * i + 2, hour=9),
                order(f"p{i}", date(2025, 1, 6), 500, number=3 * i + 3, hour=10),
            ]
        table = make_orders(rows)
        found = newcomers(table, activity(table, self.UNTIL))
        january = found.table.set_index("month").loc["2025-01-01"]
        values = np.arange(40) + 10.0
        assert january["basket"] == pytest.approx(values.mean()) and january["basket_median"] == np.median(values)
        half = 1.959964 * values.std(ddof=1) / 40**0.5
        assert january["basket_high"] - january["basket"] == pytest.approx(half, rel=1e-5)
        assert january["basket_low"] == pytest.approx(values.mean() - half)
        assert january["within_30"] == 1  # the second one of the same day
        assert found.channels[["level", "customers", "share"]].to_numpy().tolist() == [["store", 40, 1]]

    def test_assortment_of_the_first_order_ties_by_name(self, make_orders, duck):
        rows = self.base() + [order(f"p{i:02d}", date(2025, 1, 5), 30, number=i + 1) for i in range(30)]
        lines = []
        for i in range(30):
            pairs = [("shoes", 10), ("hats", 10), ("hats", 0), ("bags", 5)] if i < 18 else [(None, 30), ("bags", 2)]
            lines += [{"source": "shop", "order_id": f"{i + 1:06d}", "category": c, "revenue": v} for c, v in pairs]
        table = make_orders(rows)
        booked = duck.create_table("base_lines", pa.Table.from_pylist(lines), temp=True, overwrite=True)
        mix = newcomers(table, activity(table, self.UNTIL), booked).categories.set_index("level")
        assert mix["customers"].to_dict() == {"hats": 18, "unknown": 12}
        assert mix["share"].to_dict() == {"hats": 0.6, "unknown": 0.4}

    def test_now_and_before_small_groups_hidden(self, make_orders):
        rows = [*self.base(), order("first", date(2022, 1, 1), number=999_000)]
        plan = [("web", 2025, 30), ("store", 2025, 20), ("app", 2025, 3), ("web", 2024, 40), ("store", 2024, 10)]
        for channel, year, n in plan:
            rows += [
                order(f"{channel}{year}{i}", date(year, 2, 1), channel=channel, number=len(rows) + i + 1)
                for i in range(n)
            ]
        table = make_orders(rows)
        mix = newcomers(table, activity(table, self.UNTIL)).channels.set_index("level")
        assert mix.loc["web", "customers"] == 30 and mix.loc["web", "share"] == pytest.approx(30 / 53)
        assert mix.loc[["app", "store"], ["customers", "share"]].isna().all(axis=None)  # store would give app away
        assert mix["customers_before"].to_dict() == {"web": 40, "store": 10, "app": 0}

    def test_what_cannot_be_told_is_not_compared(self, make_orders):
        rows = self.base() + [order(f"p{i}", date(2024 + i % 2, 2, 1), number=i + 1) for i in range(40)]
        table = make_orders(rows)
        mix = newcomers(table, activity(table, self.UNTIL)).channels
        assert mix["customers"].tolist() == [20] and mix["customers_before"].isna().all()

    def test_small_months_are_hidden_and_unknown_ones_left_out(self, make_orders):
        rows = self.base() + [order(f"p{i}", date(2025, 1, 5), number=i + 1) for i in range(4)]
        table = make_orders(rows)
        found = newcomers(table, activity(table, self.UNTIL)).table.set_index("month")
        assert found.index[0] == pd.Timestamp("2024-01-01")
        assert found.loc["2025-01-01"].drop("complete").isna().all()
        short = newcomers(table, activity(table, date(2023, 12, 31)))
        assert short.table.empty and short.channels.empty and short.categories.empty

    def test_row_order_does_not_matter(self, make_orders):
        rows = some_orders()
        table = make_orders(rows)
        first = newcomers(table, activity(table, self.UNTIL))
        random.Random(5).shuffle(rows)
        table = make_orders(rows)
        second = newcomers(table, activity(table, self.UNTIL))
        pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)
        pd.testing.assert_frame_equal(first.channels, second.channels, check_exact=True)
