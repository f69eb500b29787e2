"""Behaviour: every figure by hand on a small shop, and nothing from after the day."""

from datetime import date

import ibis
import pytest

from waage.errors import WaageError
from waage.typology.behaviour import BLOCKS, behaviour, blocks, levels

ORDERS = """
SELECT 'web' AS source, order_id, person_id, ts AS ordered_at, CAST(ts AS DATE) AS day, channel, status,
  CAST(revenue AS DECIMAL(18, 4)) AS revenue FROM (VALUES
  ('o1', 'a', TIMESTAMP '2024-01-06 19:00:00', 'web', 'shipped', 100),
  ('o2', 'a', TIMESTAMP '2024-03-05 10:00:00', 'store', NULL, 50),
  ('o3', 'a', TIMESTAMP '2024-03-06 10:00:00', 'web', 'cancelled', 900),
  ('o4', 'a', TIMESTAMP '2024-04-01 10:00:00', 'web', 'shipped', 70),
  ('o5', 'b', TIMESTAMP '2024-02-01 10:00:00', 'app', 'shipped', 40),
  ('o6', NULL, TIMESTAMP '2024-02-01 10:00:00', 'app', 'shipped', 40)
) t(order_id, person_id, ts, channel, status, revenue)
"""
RETURNS = """
SELECT 'web' AS source, order_id, ts AS returned_at, CAST(amount AS DECIMAL(18, 4)) AS amount FROM (VALUES
  ('o1', TIMESTAMP '2024-01-20 10:00:00', 30), ('o2', TIMESTAMP '2024-03-20 10:00:00', 50),
  ('o5', TIMESTAMP '2024-02-10 10:00:00', 40)) t(order_id, ts, amount)
"""
DETAILS = """
SELECT 'web' AS source, order_id, CAST(discount AS DECIMAL(18, 4)) AS discount, coupon AS coupon_code FROM (VALUES
  ('o1', 25, 'X'), ('o2', NULL, ''), ('o4', 9, 'Y'), ('o5', 0, NULL)) t(order_id, discount, coupon)
"""
LINES = """
SELECT 'web' AS source, order_id, line, category, CAST(q AS DECIMAL(18, 4)) AS quantity,
  CAST(revenue AS DECIMAL(18, 4)) AS revenue, seller FROM (VALUES
  ('o1', '1', 'kids', 1, 75, 'own'), ('o1', '2', 'home', 2, 25, 'partner'), ('o2', '1', 'kids', 1, 50, 'own'),
  ('o4', '1', 'home', 5, 70, 'own')) t(order_id, line, category, q, revenue, seller)
"""
EVENTS = """
SELECT person_id, ts AS occurred_at, event, device FROM (VALUES
  ('a', TIMESTAMP '2024-03-01 10:00:00', 'visit', 'app'), ('a', TIMESTAMP '2024-03-02 10:00:00', 'visit', 'mobile'),
  ('a', TIMESTAMP '2024-03-02 10:01:00', 'view', 'mobile'), ('a', TIMESTAMP '2024-03-10 23:30:00', 'visit', 'app'),
  ('a', TIMESTAMP '2022-03-02 10:00:00', 'visit', 'app'), ('c', TIMESTAMP '2024-03-02 10:00:00', 'open', NULL)
) t(person_id, ts, event, device)
"""
DAY = date(2024, 3, 10)


@pytest.fixture(scope="module")
def shop(duck):
    parts = {"returns": RETURNS, "details": DETAILS, "lines": LINES, "events": EVENTS}
    tables = {
        name: duck.create_table(f"b_{name}", duck.sql(sql).to_pyarrow(), temp=True) for name, sql in parts.items()
    }
    orders = duck.create_table("b_orders", duck.sql(ORDERS).to_pyarrow(), temp=True)
    return orders, tables | {"channels": ("web", "store"), "categories": ("kids", "home"), "time_zone": "Europe/Berlin"}


def rows(table):
    return {row.pop("person_id"): row for row in table.to_pyarrow().to_pylist()}


def days(duck, *pairs):
    values = ", ".join(f"('{person}', DATE '{day}')" for person, day in pairs)
    return duck.sql(f"SELECT * FROM (VALUES {values}) t(person_id, day)")


def test_every_figure_by_hand(shop, duck):
    orders, rest = shop
    found = rows(behaviour(orders, days(duck, ("a", DAY), ("b", DAY), ("c", DAY)), **rest))
    a = found["a"]
    # On 10 March: o1 (70 left of 100) and o2; the return of o2 is not known yet, o3 was cancelled, o4 is later.
    assert (a["recency_days"], a["frequency"], a["monetary"], a["tenure_days"]) == (5, 2, 120, 64)
    assert (a["order_value"], a["return_share"]) == (75, 30 / 150)
    assert (a["discount_share"], a["coupon_share"]) == (25 / 175, 0.5)
    assert (a["items_per_order"], a["item_price"], a["partner_share"]) == (2, 37.5, 25 / 150)
    assert (a["categories_bought"], a["category_kids"], a["category_home"]) == (2, 125 / 150, 25 / 150)
    # 6 January 2024 was a Saturday, and 19:00 UTC is 20:00 in Berlin.
    assert (a["weekend_share"], a["evening_share"], a["channel_web"], a["channel_store"]) == (0.5, 0.5, 0.5, 0.5)
    # 23:30 UTC on 10 March is the 11th in Berlin, and 2022 is too long ago.
    assert (a["visits"], a["app_share"], a["mobile_share"], a["views_per_visit"]) == (2, 0.5, 0.5, 0.5)
    # b sent all back: an order, but none that counts.
    assert (found["b"]["frequency"], found["b"]["recency_days"], found["b"]["return_share"]) == (0, None, 1)
    assert (found["c"]["frequency"], found["c"]["order_value"], found["c"]["opens"]) == (0, None, 1)


def test_one_day_for_all_is_the_same_as_a_table_with_that_day(shop, duck):
    orders, rest = shop
    people = duck.sql("SELECT * FROM (VALUES ('a'), ('b'), ('c')) t(person_id)")
    own = behaviour(orders, days(duck, ("a", DAY), ("b", DAY), ("c", DAY)), **rest)
    assert rows(behaviour(orders, DAY, persons=people, **rest)) == rows(own)
    assert set(rows(behaviour(orders, DAY, **rest))) == {"a", "b"}


def test_nothing_from_after_the_interview_enters(shop, duck):
    orders, rest = shop
    early = days(duck, ("a", date(2024, 1, 10)), ("b", date(2024, 2, 5)))
    before = rows(behaviour(orders, early, **rest))
    assert before["a"]["frequency"] == 1 and before["a"]["return_share"] == 0
    assert before["b"]["frequency"] == 1 and before["b"]["monetary"] == 40
    # The world goes on: whatever happens later must not change a bit.
    later = {
        "orders": orders.filter(orders.day > date(2024, 2, 5)),
        "returns": rest["returns"].filter(rest["returns"].returned_at > "2024-02-06"),
        "events": rest["events"].filter(rest["events"].occurred_at > "2024-02-06"),
    }
    cut = {"returns": rest["returns"].anti_join(later["returns"], ["order_id"])}
    cut["events"] = rest["events"].filter(rest["events"].occurred_at <= "2024-02-06")
    alone = behaviour(orders.filter(orders.day <= date(2024, 2, 5)), early, **(rest | cut))
    only_a = rows(alone)["a"]
    assert only_a == before["a"]
    assert rows(alone)["b"] == before["b"]
    # And each person has a day of their own: a later day for a sees more, the same day for b does not.
    moved = rows(behaviour(orders, days(duck, ("a", date(2024, 4, 2)), ("b", date(2024, 2, 5))), **rest))
    assert moved["b"] == before["b"] and moved["a"] != before["a"]


def test_the_order_of_rows_does_not_matter(shop, duck):
    orders, rest = shop
    turned = {k: t.order_by(ibis.desc(t.columns[1])) if isinstance(t, ibis.Table) else t for k, t in rest.items()}
    one = behaviour(orders, DAY, **rest).order_by("person_id").to_pyarrow()
    assert one.equals(
        behaviour(orders.order_by(ibis.desc("ordered_at")), DAY, **turned).order_by("person_id").to_pyarrow()
    )


def test_blocks_partition_the_columns(shop):
    orders, rest = shop
    columns = behaviour(orders, DAY, **rest).columns[1:]
    found = blocks(columns)
    assert list(found) == list(BLOCKS) and sorted(c for names in found.values() for c in names) == sorted(columns)
    assert list(blocks(behaviour(orders, DAY).columns[1:])) == ["rfm", "basket", "channel"]
    with pytest.raises(WaageError, match=r"'visit' belongs to no block \(did you mean 'visits'"):
        blocks(["visit"])


def test_levels_are_the_most_frequent_by_name(shop):
    assert levels(shop[1]["lines"], "category") == ("home", "kids")
    assert levels(shop[1]["events"], "device", 1) == ("app",)


def test_missing_columns_are_named(shop):
    orders, rest = shop
    with pytest.raises(WaageError, match="orders lacks 'channel'"):
        behaviour(orders.drop("channel"), DAY)
    with pytest.raises(WaageError, match="events lacks 'person_id'"):
        behaviour(orders, DAY, events=rest["events"].drop("person_id"))
