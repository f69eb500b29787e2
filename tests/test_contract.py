import json
from datetime import date

import ibis
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waage.contract import ContractError, Limits, check
from waage.tables import TABLES, key_of

LIMITS = Limits("Europe/Berlin", date(2024, 12, 31))
ORDER = {
    "source": "shop",
    "order_id": "A1",
    "source_id": "C1",
    "ordered_at": "2024-05-01 10:00:00",
    "channel": "online",
    "revenue": "10.00",
}


def orders(duck, *changes: dict) -> ibis.Table:
    rows = [{**ORDER, "order_id": f"A{i}", **change} for i, change in enumerate(changes)]
    return duck.create_table(ibis.util.gen_name("t"), pd.DataFrame(rows), temp=True)


def sql(duck, text: str) -> ibis.Table:
    return duck.sql(f"SELECT * FROM ({text})")


def reasons(checked) -> dict[str, int]:
    return dict(zip(checked.summary["reason"], checked.summary["rows"], strict=True))


def test_good_rows_pass_with_canonical_types_and_all_columns(duck):
    checked = check(orders(duck, {}, {"revenue": "0"}), "orders", LIMITS)
    assert (checked.rows_in, checked.rows_accepted, checked.rows_quarantined) == (2, 2, 0)
    schema = checked.accepted.schema()
    assert list(schema) == [column.name for column in TABLES["orders"].columns]
    assert str(schema["revenue"]) == "decimal(18, 4)"
    assert schema["order_id"].is_string() and schema["ordered_at"].is_timestamp()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"revenue": "-1"}, "revenue is negative"),
        ({"revenue": "nan"}, "revenue is not a number of DECIMAL(18,4)"),
        ({"revenue": "inf"}, "revenue is not a number of DECIMAL(18,4)"),
        ({"revenue": "12,50"}, "revenue is not a number of DECIMAL(18,4)"),
        ({"revenue": "1e17"}, "revenue is not a number of DECIMAL(18,4)"),
        ({"revenue": None}, "revenue is missing"),
        ({"order_id": "  "}, "order_id is missing"),
        ({"ordered_at": "2025-01-01 00:00:01"}, "ordered_at lies after data_until 2024-12-31"),
        ({"ordered_at": "1900-01-01 00:00:00"}, "ordered_at lies before 1990-01-01"),
        ({"ordered_at": "yesterday"}, "ordered_at is not a time"),
        ({"ordered_at": "2024-05-01 10:00:00 CEST"}, "ordered_at is not a time"),
        ({"status": "lost"}, "status is none of placed, shipped, cancelled"),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reason(duck, change, reason):
    checked = check(orders(duck, {"status": None}, change), "orders", LIMITS)
    assert reasons(checked) == {reason: 1}
    kept = checked.quarantined.execute().iloc[0]
    assert kept["table"] == "orders" and kept["reason"] == reason
    original = json.loads(kept["row"])
    column = next(iter(change))
    assert (original[column] or "") == (change[column] or "").strip()


def test_nan_in_a_number_column_is_not_money(duck):
    raw = sql(duck, "SELECT 's' AS source, i AS order_id, DATE '2024-01-01' AS ordered_at, 'x' AS channel, "
                    "CASE i WHEN 1 THEN 'NaN'::DOUBLE ELSE 1 END AS revenue FROM range(3) t(i)")  # fmt: skip
    assert reasons(check(raw, "orders", LIMITS)) == {"revenue is not a number of DECIMAL(18,4)": 1}


def test_all_faults_of_a_row_and_of_a_table_are_reported_together(duck):
    checked = check(orders(duck, {"revenue": "-1", "ordered_at": "2030-01-01"}, {"channel": None}), "orders", LIMITS)
    assert reasons(checked) == {
        "ordered_at lies after data_until 2024-12-31": 1,
        "channel is missing": 1,
        "revenue is negative": 1,
    }
    both = checked.quarantined.execute().set_index("key").loc["shop|A0", "reason"]
    assert both == "ordered_at lies after data_until 2024-12-31; revenue is negative"
    assert "'shop|A0' (revenue = -1)" in checked.faults


def test_missing_unknown_and_hopeless_columns_are_named_together(duck):
    raw = sql(duck, "SELECT 's' AS source, 7.0::DOUBLE AS order_id, 1 AS revenu, true AS discount, "
                    "now() AS ordered_at")  # fmt: skip
    with pytest.raises(ContractError) as error:
        check(raw, "orders", LIMITS)
    text = str(error.value)
    assert "'channel' is missing" in text and "'revenue' is missing" in text
    assert "'revenu' is unknown (did you mean 'revenue'?)" in text
    assert "'discount' is boolean" in text
    assert "'order_id' is float64, but ids are texts" in text


def test_exact_copies_go_and_one_stays_while_contradictions_go_altogether(duck):
    same, other = {"order_id": "X"}, {"order_id": "Y"}
    checked = check(orders(duck, {}, same, same, same, other, {**other, "revenue": "11"}), "orders", LIMITS)
    assert reasons(checked) == {
        "is an exact copy of another row": 2,
        "has the same source, order_id as a row of other content": 2,
    }
    assert sorted(checked.accepted.order_id.execute()) == ["A0", "X"]


def test_null_parts_of_a_key_count_as_equal(duck):
    row = "SELECT 's' AS source, '1' AS source_id, NULL::TIMESTAMP AS updated_at, 'a@b.de' AS email"
    checked = check(sql(duck, f"{row} UNION ALL {row}"), "identities", LIMITS)
    assert (checked.rows_accepted, checked.rows_quarantined) == (1, 1)


def test_what_the_source_sets_aside_is_quarantined_but_is_no_fault(duck):
    raw = orders(duck, {}, {"quarantine_reason": "test order", "revenue": "-5"}, {"quarantine_reason": None})
    checked = check(raw, "orders", LIMITS)
    assert reasons(checked) == {"test order": 1}
    assert checked.rows_excluded == 1 and checked.fault_share == 0
    assert "quarantine_reason" not in checked.accepted.columns


def test_lines_without_an_accepted_order_are_quarantined(duck):
    parent = check(orders(duck, {}), "orders", LIMITS)
    raw = sql(duck, "SELECT 'shop' AS source, 'A' || i AS order_id, 1 AS line, 0 AS quantity FROM range(2) t(i)")
    checked = check(raw, "order_lines", LIMITS, {"orders": parent})
    assert reasons(checked) == {"belongs to no accepted row of orders": 1}
    assert checked.accepted.order_id.execute().tolist() == ["A0"]
    assert checked.rows_excluded == 0 and checked.fault_share == 0.5


def test_lines_of_an_order_the_source_set_aside_follow_it_and_are_no_fault(duck):
    parent = check(orders(duck, {"quarantine_reason": None}, {"quarantine_reason": "test order"}), "orders", LIMITS)
    raw = sql(duck, "SELECT 'shop' AS source, 'A' || i AS order_id, 1 AS line FROM range(2) t(i)")
    checked = check(raw, "order_lines", LIMITS, {"orders": parent})
    assert (checked.rows_quarantined, checked.rows_excluded, checked.fault_share) == (1, 1, 0)


def test_examples_in_messages_name_no_person(duck):
    raw = sql(duck, "SELECT 'news' AS source, 'anna@web.de' AS source_id, '31.12.1970' AS birth_date, "
                    "'VIP' AS account_type")  # fmt: skip
    checked = check(raw, "identities", LIMITS)
    assert reasons(checked) == {"birth_date is not a date": 1, "account_type is none of private, business, staff": 1}
    assert "anna" not in checked.faults and "1970" not in checked.faults and "account_type = VIP" in checked.faults


def test_acts_of_one_moment_are_both_kept_and_the_newest_act_counts_even_after_the_extract(duck):
    act = "SELECT 'shop' AS source, '1' AS source_id, 'profiling' AS purpose, NULL AS channel"
    same = ", TIMESTAMP '2024-02-01' AS changed_at"
    raw = sql(duck, f"{act}{same}, 'granted' AS status UNION ALL {act}{same}, 'objected' UNION ALL "
                    f"{act}, TIMESTAMP '2025-06-01', 'withdrawn'")  # fmt: skip
    checked = check(raw, "consents", LIMITS)
    assert (checked.rows_accepted, checked.rows_quarantined) == (3, 0)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("TIMESTAMP '2024-07-01 00:30:00'", "2024-06-30 22:30:00"),  # naive: read in Berlin, summer
        ("TIMESTAMP '2024-01-01 00:30:00'", "2023-12-31 23:30:00"),  # naive: winter
        ("TIMESTAMPTZ '2024-07-01 00:30:00+00'", "2024-07-01 00:30:00"),
        ("'2024-07-01T00:30:00Z'", "2024-07-01 00:30:00"),
        ("'2024-07-01T00:30:00+05:00'", "2024-06-30 19:30:00"),
        ("'2024-07-01 00:30:00 UTC'", "2024-07-01 00:30:00"),
        ("'2024-07-01T00:30:00'", "2024-06-30 22:30:00"),
        ("'2024-07-01'", "2024-06-30 22:00:00"),
        ("DATE '2024-07-01'", "2024-06-30 22:00:00"),
    ],
)
def test_times_become_utc(duck, text, utc):
    raw = sql(duck, f"SELECT 's' AS source, '1' AS order_id, 'x' AS channel, 1 AS revenue, {text} AS ordered_at")
    assert str(check(raw, "orders", LIMITS).accepted.ordered_at.execute()[0]) == utc


def test_the_last_local_day_is_inside_and_the_next_midnight_is_not(duck):
    inside, outside = {"ordered_at": "2024-12-31 23:59:59"}, {"ordered_at": "2024-12-31T23:00:00Z"}
    assert reasons(check(orders(duck, inside, outside), "orders", LIMITS)) == {
        "ordered_at lies after data_until 2024-12-31": 1
    }


def test_leading_zeros_survive(duck):
    checked = check(orders(duck, {"order_id": "007", "source_id": "000"}), "orders", LIMITS)
    assert checked.accepted.select("order_id", "source_id").execute().to_numpy().tolist() == [["007", "000"]]


def test_open_columns_are_kept_as_numbers_and_weeks_start_on_monday(duck):
    raw = sql(duck, "SELECT 'u' AS unit, DATE '2024-01-01' + i::INT AS week, 5 AS visits, 1 AS orders, 9.5 AS demand, "
                    "1.02 AS price_index FROM range(2) t(i)")  # fmt: skip
    checked = check(raw, "performance", LIMITS)
    assert checked.accepted.schema()["price_index"].is_float64()
    assert reasons(checked) == {"week is not a Monday": 1}


def test_an_empty_source_is_an_empty_table(duck):
    checked = check(orders(duck, {}).limit(0), "orders", LIMITS)
    assert (checked.rows_in, checked.rows_accepted, checked.fault_share) == (0, 0, 0.0)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_key_columns_it_declares(name):
    declared = [column.name for column in TABLES[name].columns]
    assert set(key_of(name)) <= set(declared) and len(declared) == len(set(declared))


VALUES = st.sampled_from([None, "", "1", "2.5", "-3", "nan", "x", "2024-01-01", "9999-01-01", "1900-01-01", "A", " A "])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(ORDER, VALUES)), min_size=1, max_size=12), st.randoms())
def test_no_row_is_lost_and_row_order_does_not_matter(duck, rows, random):
    frame = pd.DataFrame(rows, columns=list(ORDER)).astype("str").where(lambda f: f != "None", None)
    shuffled = frame.sample(frac=1, random_state=random.randrange(1000))
    first, second = (
        check(duck.create_table(ibis.util.gen_name("t"), part, temp=True), "orders", LIMITS)
        for part in (frame, shuffled)
    )
    assert first.rows_in == len(rows) == first.rows_accepted + first.rows_quarantined
    assert first.accepted.count().execute() == first.rows_accepted
    assert first.quarantined.count().execute() == first.rows_quarantined

    def content(table):
        return sorted(map(str, table.execute().itertuples(index=False)))

    assert content(first.accepted) == content(second.accepted)
    assert content(first.quarantined) == content(second.quarantined)
