from datetime import date, datetime

import ibis
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waage.errors import WaageError
from waage.history import (
    customer_orders,
    known_on,
    local_day,
    purchase_histories,
    rfm_summary,
    split_day,
    to_utc,
    unique_histories,
)

ZONE = "Europe/Berlin"


def orders(duck, rows: list[tuple], columns="person_id day net_revenue counts") -> ibis.Table:
    frame = pd.DataFrame(rows, columns=columns.split())
    table = duck.create_table(ibis.util.gen_name("t"), frame, temp=True)
    return table.mutate(
        person_id=table.person_id.cast("string"),
        day=table.day.cast("date"),
        net_revenue=table.net_revenue.cast("decimal(18, 4)"),
    )


def test_utc_and_local_days_across_the_summer_time_change(duck):
    moments = ["2024-03-30 23:30:00", "2024-03-31 22:30:00", "2024-10-26 22:30:00", "2024-10-27 22:59:59"]
    table = duck.create_table(ibis.util.gen_name("t"), pd.DataFrame({"t": pd.to_datetime(moments)}), temp=True)
    days = [str(day)[:10] for day in table.select(day=local_day(table.t, ZONE)).execute()["day"]]
    assert days == ["2024-03-31", "2024-04-01", "2024-10-27", "2024-10-27"]
    noon = duck.create_table(ibis.util.gen_name("t"), pd.DataFrame({"t": [datetime(2024, 7, 1, 12)]}), temp=True)
    assert str(noon.select(t=to_utc(noon.t, ZONE)).execute()["t"][0]) == "2024-07-01 10:00:00"


def test_net_revenue_books_returns_to_their_order_and_nothing_to_cancelled_ones(duck):
    made = duck.sql("""
        SELECT 's' AS source, o.* FROM (VALUES
          ('A', 'C1', 50.0, NULL), ('B', 'C1', 40.0, 'cancelled'), ('C', NULL, 30.0, 'shipped'),
          ('D', 'C2', 20.0, 'placed'), ('E', 'C2', 0.0, 'placed')
        ) o(order_id, source_id, revenue, status)""")
    made = made.mutate(
        ordered_at=ibis.timestamp("2024-01-01 23:30:00"), channel=ibis.literal("x"), store_id=ibis.null("string"),
        revenue=made.revenue.cast("decimal(18, 4)"),
    )  # fmt: skip
    people = duck.sql("SELECT 's' AS source, 'C' || i AS source_id, 'P' || i AS person_id FROM range(1, 3) t(i)")
    returns = duck.sql("""SELECT * FROM (VALUES ('s', 'A', 10.0), ('s', 'A', 5.0), ('s', 'D', 20.0), ('s', NULL, 99.0))
                          r(source, order_id, amount)""")
    returns = returns.mutate(amount=returns.amount.cast("decimal(18, 4)"))
    got = customer_orders(made, people, ZONE, returns).order_by("order_id").execute().set_index("order_id")
    assert got["net_revenue"].astype(float).to_dict() == {"A": 35, "B": 0, "C": 30, "D": 0, "E": 0}
    assert got["counts"].to_dict() == {"A": True, "B": False, "C": True, "D": False, "E": True}
    assert got["person_id"].notna().to_dict() == {"A": True, "B": True, "C": False, "D": True, "E": True}
    assert str(got["day"]["A"])[:10] == "2024-01-02", "half past eleven UTC is the next day in Berlin"
    assert got["revenue"].astype(float).sum() == 140
    dated = returns.mutate(returned_at=ibis.timestamp("2024-03-01 10:00:00"))
    before = customer_orders(made, people, ZONE, dated, until=date(2024, 2, 29)).order_by("order_id").execute()
    assert before["net_revenue"].astype(float).tolist() == [50, 0, 30, 20, 0], "returns to come are not known yet"


def test_the_window_does_not_know_returns_of_the_holdout(duck):
    final = orders(
        duck, [("a", "2024-01-01", 10.0, True), ("a", "2024-01-11", 0.0, False), ("a", "2024-03-01", 5.0, True)]
    )
    then = orders(
        duck, [("a", "2024-01-01", 10.0, True), ("a", "2024-01-11", 20.0, True), ("a", "2024-03-01", 5.0, True)]
    )
    leaky = purchase_histories(final, date(2024, 1, 31), date(2024, 3, 31)).execute().iloc[0]
    fair = purchase_histories(final, date(2024, 1, 31), date(2024, 3, 31), then).execute().iloc[0]
    assert (leaky.frequency, fair.frequency, fair.monetary, fair.x_holdout) == (0, 1, 20.0, 1)


def test_rfm_counts_orders_up_to_as_of_and_recency_looks_back_over_everything(duck):
    table = orders(duck, [
        ("a", "2023-01-10", 10.0, True), ("a", "2024-06-01", 20.0, True), ("a", "2024-06-01", 5.0, True),
        ("a", "2024-07-02", 99.0, True), ("b", "2022-01-01", 7.0, True), ("c", "2024-06-01", 1.0, False),
        (None, "2024-06-01", 1.0, True),
    ])  # fmt: skip
    got = rfm_summary(table, date(2024, 7, 1)).order_by("person_id").execute()
    assert got[["person_id", "recency_days", "frequency"]].to_numpy().tolist() == [["a", 30, 3], ["b", 912, 1]]
    assert got["monetary"].astype(float).tolist() == [35, 7]
    window = rfm_summary(table, date(2024, 7, 1), window_months=12).order_by("person_id").execute()
    assert window["frequency"].tolist() == [2, 0] and window["recency_days"].tolist() == [30, 912]
    assert window["monetary"].astype(float).tolist() == [25, 0]


def test_histories_by_hand(duck):
    table = orders(duck, [
        ("a", "2024-01-01", 10.0, True), ("a", "2024-01-01", 99.0, True), ("a", "2024-01-11", 20.0, True),
        ("a", "2024-01-21", 40.0, True), ("a", "2024-02-05", 7.0, True), ("b", "2024-01-31", 5.0, True),
        ("c", "2024-02-10", 5.0, True),
    ])  # fmt: skip
    got = purchase_histories(table, date(2024, 1, 31), date(2024, 2, 29)).order_by("person_id").execute()
    assert got[["person_id", "frequency", "recency", "T", "monetary", "x_holdout"]].to_numpy().tolist() == [
        ["a", 2, 20, 30, 30.0, 1],
        ["b", 0, 0, 0, 0.0, 0],
    ]
    assert got["holdout_revenue"].astype(float).tolist() == [7, 0]


DAYS = st.lists(
    st.tuples(st.sampled_from("abc"), st.dates(date(2024, 1, 1), date(2024, 4, 30)), st.integers(0, 50), st.just(True)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DAYS, st.randoms())
def test_histories_agree_with_a_plain_count_whatever_the_order_of_rows(duck, rows, random):
    end, last = date(2024, 3, 1), date(2024, 4, 30)
    expected = {}
    for person in "abc":
        days = sorted({row[1] for row in rows if row[0] == person})
        if not days or days[0] > end:
            continue
        inside = [day for day in days if day <= end]
        expected[person] = (
            len(inside) - 1, (inside[-1] - inside[0]).days, (end - inside[0]).days, len(days) - len(inside),
        )  # fmt: skip
    random.shuffle(rows)
    got = purchase_histories(orders(duck, rows), end, last).execute()
    counted = {row.person_id: (row.frequency, row.recency, row.T, row.x_holdout) for row in got.itertuples()}
    assert counted == expected
    unique = unique_histories(purchase_histories(orders(duck, rows), end)).execute()
    assert unique["n"].sum() == len(expected)
    assert not unique.duplicated(["frequency", "recency", "T"]).any()


def test_later_orders_do_not_change_what_was_seen_before(duck):
    rows = [("a", "2024-01-01", 10.0, True), ("a", "2024-01-20", 10.0, True)]
    later = [*rows, ("a", "2024-05-01", 99.0, True), ("b", "2024-05-01", 99.0, True)]
    for function in (rfm_summary, purchase_histories):
        first, second = (function(orders(duck, part), date(2024, 2, 1)).execute() for part in (rows, later))
        pd.testing.assert_frame_equal(first, second)


def test_the_split_leaves_the_wanted_weeks_or_refuses(duck):
    table = orders(duck, [("a", "2024-01-01", 1.0, True), ("a", "2024-12-30", 1.0, True)])
    assert split_day(table, date(2024, 12, 29), 26) == date(2024, 6, 30)
    assert split_day(table, date(2024, 12, 29)) == date(2024, 6, 30)
    assert (date(2024, 12, 25) - split_day(table, date(2024, 12, 25))).days % 7 == 0, "the test has whole weeks"
    with pytest.raises(WaageError, match="fewer than 28 days on one side"):
        split_day(table, date(2024, 12, 29), 50)
    with pytest.raises(WaageError, match="nothing to split"):
        split_day(table, date(2023, 1, 1))


def test_what_was_known_on_a_day_holds_no_later_order_and_no_later_return(duck):
    made = duck.sql("""
        SELECT 's' AS source, o.*, CAST(o.d || ' 12:00:00' AS TIMESTAMP) AS ordered_at, 'C1' AS source_id,
          'x' AS channel,
          NULL::VARCHAR AS store_id
        FROM (VALUES ('A', '2024-01-01', 50.0, 'placed'), ('B', '2024-02-01', 40.0, 'cancelled'),
          ('C', '2024-03-01', 30.0, 'placed'), ('D', '2024-04-01', 20.0, 'placed')) o(order_id, d, revenue, status)""")
    made = made.mutate(revenue=made.revenue.cast("decimal(18, 4)"))
    people = duck.sql("SELECT 's' AS source, 'C1' AS source_id, 'P1' AS person_id")
    back = duck.sql("""SELECT 's' AS source, r.order_id, r.amount::DECIMAL(18, 4) AS amount,
          r.back::TIMESTAMP AS returned_at
        FROM (VALUES ('A', 10.0, '2024-01-10 12:00:00'), ('A', 40.0, '2024-03-10 22:59:59'),
          ('C', 30.0, '2024-03-31 22:00:00')) r(order_id, amount, back)""")
    told = customer_orders(made, people, ZONE, back)

    def at(day, **switch):
        got = known_on(told, back, date.fromisoformat(day), ZONE, **switch).order_by("order_id").execute()
        return dict(zip(got.order_id, zip(got.net_revenue.astype(float), got.counts, strict=True), strict=True))

    assert at("2024-01-09") == {"A": (50, True)}
    assert at("2024-02-01") == {"A": (40, True), "B": (0, False)}
    assert at("2024-03-10") == {"A": (0, False), "B": (0, False), "C": (30, True)}, "half past 23 in Berlin"
    assert at("2024-03-31")["C"] == (30, True) and at("2024-04-01")["C"] == (0, False), "the local day of the return"
    assert at("2024-04-01", keep_returned=True)["C"] == (0, True)
    assert known_on(told, None, date(2024, 4, 1), ZONE).net_revenue.sum().execute() == 100
    assert (
        known_on(told, back, date(2024, 4, 30), ZONE)
        .order_by("order_id")
        .execute()
        .equals(told.order_by("order_id").execute())
    )
