"""Activity against a brute-force oracle: a customer by customer, day by day reading of the definitions."""

import itertools
import random
from datetime import date, timedelta
from functools import partial

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from waage import customer_base
from waage.customer_base import base_finding, history_note, rates, rolling_year
from waage.customer_base.periods import Span, add_months, period_start, spans, year_before
from waage.errors import Refusal

from .book import order, year_later

ORIGIN = date(2023, 1, 15)
activity = partial(customer_base.activity, min_cell=1)
few = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
statuses = st.sampled_from(["shipped", "placed", None, "cancelled"])
days = st.one_of(st.integers(0, 1100), st.sampled_from([44, 409, 410, 774, 775, 776, 365, 366, 730]))
histories = st.lists(st.tuples(st.integers(0, 4), days, statuses), min_size=1, max_size=14)


def simple_events(rows, until):
    """Walk through each person's days, as the definitions read."""
    events = {}
    people = {}
    for person, day, status in rows:
        if status != "cancelled" and day <= until and person is not None:
            people.setdefault(person, set()).add(day)
    for own in people.values():
        previous = None
        for day in sorted(own):
            if previous is None:
                events.setdefault(day, []).append("new")
            elif day >= year_later(previous):
                events.setdefault(day, []).append("reactivated")
            previous = day
        ordered = sorted(own)
        for day, following in zip(ordered, [*ordered[1:], None], strict=True):
            lapse = year_later(day)
            if lapse <= until and (following is None or following >= lapse):
                events.setdefault(lapse, []).append("lapsed")
    return events, people


def active_on(people, day):
    return sum(any(o <= day < year_later(o) for o in own) for own in people.values())


class TestEvents:
    @few
    @example([(0, 44, "shipped"), (0, 410, "shipped"), (1, 410, "cancelled"), (1, 409, None)], 1000)  # 29 February
    @example([(0, 409, "shipped"), (1, 410, "shipped")], 900)  # both lapse on 28 February 2025
    @example([(0, 10, "shipped"), (0, 375, "shipped")], 700)  # back on the very day of the lapse
    @given(histories, st.integers(0, 1500))
    def test_against_reading_the_definitions(self, make_orders, rows, length):
        rows = [(f"p{person}", ORIGIN + timedelta(at), status) for person, at, status in rows]
        until = max(ORIGIN + timedelta(length), min(day for _, day, _ in rows))
        events, people = simple_events(rows, until)
        table = make_orders([order(person, day, status=status) for person, day, status in rows])
        if not people:
            with pytest.raises(Refusal, match="no known person"):
                activity(table, until)
            return
        found = activity(table, until).events
        assert found.index[0].date() == min(min(own) for own in people.values()) and found.index[-1].date() == until
        for day, row in found.iterrows():
            here = events.get(day.date(), [])
            assert [row.new, row.reactivated, row.lapsed] == [here.count(k) for k in ("new", "reactivated", "lapsed")]
            assert row.active == active_on(people, day.date()), day
        change = found["new"] + found["reactivated"] - found["lapsed"]
        assert (found["active"].diff().iloc[1:] == change.iloc[1:]).all()

    def test_lapse_on_the_last_day_counts_and_the_day_after_not(self, make_orders):
        table = make_orders([("a", date(2024, 3, 1)), ("b", date(2024, 3, 2))])
        assert activity(table, date(2025, 3, 1)).events["lapsed"].sum() == 1

    def test_anonymous_and_later_orders_change_nothing(self, make_orders):
        rows = [order("a", date(2024, 3, 1)), order("b", date(2024, 5, 1), 7)]
        more = [order(None, date(2024, 4, 1), 99), order("a", date(2025, 7, 1), 99), order("c", date(2025, 7, 2))]
        first = activity(make_orders(rows), date(2025, 6, 30))
        second = activity(make_orders(rows + more), date(2025, 6, 30))
        pd.testing.assert_frame_equal(first.events, second.events)
        pd.testing.assert_frame_equal(first.table, second.table)

    def test_returned_orders_are_activity_cancelled_ones_not(self, make_orders):
        table = make_orders(
            [order("a", date(2024, 3, 1), 20, returned=20), order("b", date(2024, 3, 1), 20, "cancelled")]
        )
        rows = (
            activity(table, date(2024, 3, 31), whole_history=True)
            .table.query("grain == 'month'")
            .set_index("measure")["value"]
        )
        assert rows["active"] == rows["ordering"] == rows["new"] == 1
        assert rows["orders"] == 2 and rows["demand"] == 40 and rows["net_revenue"] == 0 and rows["basket"] == 20

    def test_row_order_does_not_matter(self, make_orders):
        rows = [order(f"p{i % 40}", ORIGIN + timedelta(i * 7 % 900), i * 13 % 97 / 7, number=i + 1) for i in range(400)]
        first = activity(make_orders(rows), date(2025, 8, 10)).table
        random.Random(1).shuffle(rows)
        pd.testing.assert_frame_equal(first, activity(make_orders(rows), date(2025, 8, 10)).table)


class TestPreviousYear:
    @pytest.fixture
    def two_years(self, make_orders):
        rows = [order("a", date(2021, 1, 1), 1)]  # so that everything below is known and can be compared
        rows += [order(f"p{day.day}", day, day.day) for day in (date(2024, 6, d) for d in (1, 10, 20, 30))]
        rows += [order(f"q{day.day}", day, 100 + day.day) for day in (date(2025, 6, d) for d in (2, 20, 25))]
        rows += [order("m", date(2024, 5, 31), 5), order("m", date(2025, 5, 1), 6), order("x", date(2025, 2, 28), 8)]
        rows += [order("y", date(2024, 2, 29), 9)]
        return make_orders(rows)

    def month(self, found, month, measure):
        rows = found.table.query("grain == 'month' and measure == @measure").set_index("period")
        return rows.loc[pd.Timestamp(month)]

    def test_a_running_month_is_held_against_the_same_days(self, two_years):
        row = self.month(activity(two_years, date(2025, 6, 20)), "2025-06-01", "demand")
        assert (row.value, row.value_before, row.complete) == (222, 31, False)

    def test_a_whole_month_against_the_whole_month(self, two_years):
        found = activity(two_years, date(2025, 6, 30))
        row = self.month(found, "2025-06-01", "demand")
        assert (row.value, row.value_before, row.complete) == (347, 61, True)
        assert self.month(found, "2025-05-01", "orders").value_before == 1
        assert self.month(found, "2025-02-01", "demand").value_before == 9  # 29 February belongs to it
        assert self.month(found, "2025-06-01", "new").value_before == 4

    def test_active_is_that_of_the_same_day_a_year_before(self, two_years):
        row = self.month(activity(two_years, date(2025, 6, 20)), "2025-06-01", "active")
        assert (row.value, row.value_before) == (5, 5)  # q2 q20 x m p30; then p1 p10 p20 m y

    def test_a_fiscal_year_starts_in_its_month(self, two_years):
        found = activity(two_years, date(2025, 6, 20), fiscal_year_start=3)
        rows = found.table.query("grain == 'fiscal_year' and measure == 'demand'").set_index("period")
        last = rows.loc[pd.Timestamp("2025-03-01")]
        assert (last.value, last.value_before, last.complete) == (6 + 222, 5 + 31, False)
        whole = rows.loc[pd.Timestamp("2024-03-01")]
        assert (whole.value, whole.value_before, whole.complete) == (61 + 5 + 8, 9, True)

    def test_twelve_months_are_those_of_the_definition(self, two_years):
        summary = activity(two_years, date(2025, 6, 20)).summary.set_index("measure")
        assert summary.loc["active", "value"] == summary.loc["ordering", "value"] == 5
        assert summary.loc["ordering", "value_before"] == summary.loc["active", "value_before"] == 5
        assert summary.loc["demand", "change"] == pytest.approx((6 + 8 + 30 + 222) / (9 + 5 + 31) - 1)


class TestWhatTheHistoryCanTell:
    def test_the_first_twelve_months_are_not_known_nor_compared(self, make_orders):
        rows = [order(f"p{i}", add_months(date(2022, 1, 1), i)) for i in range(40)]
        table = activity(make_orders(rows), date(2025, 4, 30)).table.query("grain == 'month'")
        new = table.query("measure == 'new'").set_index("period")
        assert not new.loc[:"2022-12-01", "known"].any() and new.loc["2023-01-01":, "known"].all()
        assert (
            new.loc[:"2023-12-01", "value_before"].isna().all() and (new.loc["2024-01-01":, "value_before"] == 1).all()
        )
        orders = table.query("measure == 'orders'").set_index("period")
        assert orders["known"].all() and orders.loc["2023-01-01":, "value_before"].notna().all()
        active = table.query("measure == 'active'").set_index("period")
        assert not active.loc["2022-11-01", "known"] and active.loc["2022-12-01", "known"]
        back = table.query("measure == 'reactivated'").set_index(
            "period"
        )  # two years of history before what is compared
        assert (
            back.loc[:"2024-12-01", "value_before"].isna().all()
            and back.loc["2025-01-01":, "value_before"].notna().all()
        )

    def test_one_year_has_a_base_but_no_flows(self, make_orders):
        found = activity(make_orders([("a", date(2024, 1, 1)), ("b", date(2024, 9, 5))]), date(2024, 12, 31))
        assert "new" not in set(found.summary["measure"]) and found.summary["value_before"].isna().all()
        assert {"new", "reactivated", "lapsed"} <= set(found.untold) and "orders" not in found.untold
        assert "too short" in history_note(found) and "zu kurz" in history_note(found, "de")

    def test_a_whole_history_knows_everybody(self, make_orders):
        found = activity(
            make_orders([("a", date(2024, 1, 10)), ("b", date(2024, 9, 5))]), date(2024, 12, 31), whole_history=True
        )
        assert found.table["known"].sum() == 9 * 14 and found.series("new")["value"].sum() == 2
        assert history_note(found) == ""

    def test_one_customer_and_one_day(self, make_orders):
        day = date(2024, 2, 29)
        found = activity(make_orders([("a", day, 3), ("a", day, 4)]), day, whole_history=True)
        rows = found.table.query("grain == 'month'").set_index("measure")["value"]
        assert (rows["active"], rows["new"], rows["orders"], rows["demand"], rows["ordering"]) == (1, 1, 2, 7, 1)
        assert len(found.events) == 1


class TestPeriods:
    @settings(max_examples=300, deadline=None)
    @example(date(2025, 2, 28))
    @example(date(2024, 2, 28))
    @example(date(2024, 2, 29))
    @given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
    def test_a_rolling_year_is_what_makes_active(self, day):
        year = rolling_year(day)
        assert year.end == day and year.start <= day < year_later(year.start)
        assert year_later(year.start - timedelta(1)) <= day
        assert year_before(year).end == year.start - timedelta(1)

    @settings(max_examples=200, deadline=None)
    @given(
        st.dates(date(2000, 1, 1), date(2030, 1, 1)),
        st.integers(0, 900),
        st.sampled_from([1, 3, 12]),
        st.integers(1, 12),
    )
    def test_spans_cover_the_calendar(self, first, length, months, starts_in):
        until = first + timedelta(length)
        found = spans(first, until, months, starts_in)
        assert found[0].start <= first <= found[0].end or found[0].end == until
        assert found[-1].end == until
        for one, other in itertools.pairwise(found):
            assert one.end + timedelta(1) == other.start and one.complete
        assert found[-1].complete == (add_months(found[-1].start, months) == until + timedelta(1))
        assert all(span.start.day == 1 and (span.start.month - starts_in) % months == 0 for span in found)

    def test_the_engine_cuts_as_the_calendar(self, make_orders):
        from waage.customer_base.periods import period_of

        some = [date(2023, 1, 1) + timedelta(i) for i in range(800)]
        table = make_orders([("a", day) for day in some])
        for months, starts_in in [(1, 1), (3, 1), (12, 1), (12, 3), (12, 12), (12, 7)]:
            cut = table.select("day", start=period_of(table.day, months, starts_in)).execute()
            expected = [period_start(pd.Timestamp(day).date(), months, starts_in) for day in cut["day"]]
            assert [pd.Timestamp(start).date() for start in cut["start"]] == expected

    def test_the_year_before_a_running_span(self):
        assert Span(date(2024, 2, 1), date(2024, 2, 29), True).before() == Span(
            date(2023, 2, 1), date(2023, 2, 28), True
        )
        assert Span(date(2025, 2, 1), date(2025, 2, 28), True).before() == Span(
            date(2024, 2, 1), date(2024, 2, 29), True
        )
        assert Span(date(2024, 1, 1), date(2024, 2, 29), False).before().end == date(2023, 2, 28)
        assert Span(date(2024, 1, 1), date(2024, 2, 28), False).before().end == date(2023, 2, 28)


class TestSentence:
    def test_it_says_what_the_table_says(self, make_orders):
        rows = [order("a", date(2021, 1, 1))]
        rows += [order(f"p{i}", date(2023, 7, 1) + timedelta(i)) for i in range(100)]
        rows += [order(f"p{i}", date(2024, 8, 1) + timedelta(i)) for i in range(30)]
        rows += [order(f"q{i}", date(2025, 1, 1) + timedelta(i)) for i in range(20)]
        found = activity(make_orders(rows), date(2025, 6, 30))
        text = base_finding(found, rates(make_orders(rows), found.history))
        assert "**50 customers are active on 30 June 2025, 50.0% fewer than a year before.**" in text
        assert "20 ordered for the first time and 30 came back" in text and "100 lapsed" in text
        assert "30.0% (21.9% to 39.6%) ordered again" in text
        german = base_finding(found, rates(make_orders(rows), found.history), "de")
        assert "50 Kunden sind am 30. Juni 2025 aktiv" in german and "weniger als ein Jahr zuvor" in german
