"""Rules in words must be the rules that assign the segment."""

import re
from datetime import date

import pytest

from waage.rfm import RF10, RFM11, Customers, Segmentation, definitions, fit_scores, segment_table, to_yaml
from waage.rfm.documents import rule

AS_OF = date(2025, 6, 30)


def segmentation(con, make_customers, grid=RF10, window=24, **breaks):
    rows = [(f"{i:03d}", i * 3 % 800, i % 9, str(i)) for i in range(1, 200)]
    customers = make_customers(rows)
    base = Customers(con.sql("SELECT 1 AS day"), window_months=window)
    given = {"r_breaks": (30.5, 90, 180, 365), "f_breaks": (1, 2, 3, 6)} | breaks
    scores = fit_scores(customers, **given)
    return customers, Segmentation(base, scores, grid)


def holds(text: str, days: int, orders: int) -> bool:
    recency, _, frequency = text.partition(" and ")
    if not frequency and "orders" in recency:
        recency, frequency = "", recency
    numbers = [int(number) for number in re.findall(r"\d+", recency.replace(",", ""))]
    fits = not numbers or (days > numbers[0] if "more than" in recency else numbers[0] <= days <= numbers[1])
    frequency = frequency.partition(" in the last")[0]
    numbers = [int(number) for number in re.findall(r"\d+", frequency)]
    if not numbers:
        return fits
    if "or more" in frequency:
        return fits and orders >= numbers[0]
    return fits and (0 if "up to" in frequency else numbers[0]) <= orders <= numbers[-1]


def test_the_words_decide_as_the_grid_does(con, make_customers, read):
    customers, own = segmentation(con, make_customers)
    assigned = read(RF10.assign(own.scores.apply(customers)), "segment", "recency_days", "frequency")
    words = {segment: rule(own, segment) for segment in RF10.segments}
    for segment, days, orders in assigned.values():
        assert [name for name, text in words.items() if holds(text, days, orders)] == [segment]


@pytest.mark.parametrize(
    ("segment", "window", "language", "words"),
    [
        ("new", 0, "en", "last order 0–30 days ago and 1 order"),
        ("new", 24, "en", "last order 0–30 days ago and up to 1 order in the last 24 months"),
        ("need_attention", 12, "de", "letzte Bestellung vor 91–180 Tagen und 3 Bestellungen in den letzten 12 Monaten"),
        ("cant_lose", 0, "de", "letzte Bestellung vor mehr als 180 Tagen und 7 oder mehr Bestellungen"),
    ],
)
def test_rules_read_as_sentences(con, make_customers, segment, window, language, words):
    assert rule(segmentation(con, make_customers, window=window)[1], segment, language) == words


def test_a_segment_of_two_areas_and_of_both_scores_says_so(con, make_customers):
    words = rule(segmentation(con, make_customers, RFM11)[1], "hibernating")
    assert words.count("; or ") == 1 and "score of frequency and monetary 1–2" in words


def test_bounds_that_coincide_are_named(con, make_customers):
    customers = make_customers([(str(i), i, 1, "5") for i in range(50)])
    own = Segmentation(Customers(con.sql("SELECT 1 AS day")), fit_scores(customers))
    assert "bounds coincide" in rule(own, "need_attention")


def test_recency_bounds_that_coincide_are_named_and_orders_too(con, make_customers):
    customers = make_customers([(str(i), 5, 1, "5") for i in range(50)])
    own = Segmentation(Customers(con.sql("SELECT 1 AS day")), fit_scores(customers))
    assert "no number of (bounds coincide) days" in rule(own, "need_attention")


def test_hidden_sizes_stay_hidden_in_the_document(con, make_customers):
    customers, own = segmentation(con, make_customers)
    table = segment_table(RF10.assign(own.scores.apply(customers)))
    table["customers"] = table["customers"].astype(float)
    table.loc[table.segment == "loyal", "customers"] = float("nan")
    made = definitions(own, table, AS_OF)
    assert made.customers.isna().sum() == made.share.isna().sum() == 1 and made.owner.isna().all()
    text = to_yaml(made, own.scores, 10)
    assert "hidden, or fewer than 10" in text and text.count("customers:") == 9
