import ast
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

from waage.rfm import RF10, Migration, bounds_table, chapter, fit_scores, migration_table, orders_ahead, segment_numbers
from waage.rfm.chapters import _CHAPTERS

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "02_rfm_typology.ipynb"


def test_every_chapter_speaks_both_languages_and_the_notebook_has_them_all():
    for key in _CHAPTERS:
        english, german = (chapter(key, language).data for language in ("en", "de"))
        assert english.startswith("## ") and german.startswith("## ") and english != german
    used = []
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            for node in ast.walk(ast.parse("".join(cell["source"]))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "rfm.chapter":
                    used.append(node.args[0].value)
    assert sorted(used) == sorted(_CHAPTERS)


def test_segment_numbers_hide_intervals_of_few_and_speak_german():
    table = pd.DataFrame({"segment": ["champions", "new", "loyal"], "customers": [100.0, 29, math.nan], "share": 0.1})
    ends = [f"{name}_{end}" for name in ("share", "revenue_per_customer") for end in ("low", "high")]
    others = ["revenue", "revenue_share", "recency_days", "orders", "revenue_per_customer"]
    for name in (*ends, *others, "customers_change", "revenue_change"):
        table[name] = [0.5, 0.5, math.nan]
    shown = segment_numbers(table, RF10, "EUR", "de").set_index("Segment")
    assert "bis" in shown.loc["Champions", "Umsatz je Kunde"] and "bis" not in shown.loc["Neukunden", "Umsatz je Kunde"]
    assert shown.loc["Treue Kunden", "Kunden"] == "verdeckt"


def test_bounds_hide_a_tie_of_few(make_customers):
    few = make_customers([(str(i), i, 1 + i // 20, str(i)) for i in range(40)])
    scores = fit_scores(few)
    shown = bounds_table(scores, scores.drift(few), 10)
    ties = shown.set_index("Measure")["Tied"]
    assert set(ties["recency (days)"]) == {"–"}, "one customer a day"
    assert set(ties["frequency (orders)"]) == {"50.0%"}


def test_migration_table_uses_the_names_of_its_grid():
    summary = pd.DataFrame({"segment": ["vip", "gone", "not_yet"]})
    for name in ("customers_before", "customers_after", "customers_change", "stayed", "stayed_low", "stayed_high",
                 "moved_up", "moved_down", "gone", "revenue_before", "revenue_after", "revenue_change"):  # fmt: skip
        summary[name] = [0.25, np.nan, np.nan]
    moves = Migration(summary, summary, ("vip",), 0.95, lambda segment, language: f"{segment} {language}")
    assert migration_table(moves, "EUR", "de")["Segment"].tolist() == ["vip de", "Nicht mehr da", "Noch kein Kunde"]


def test_orders_ahead_are_those_of_the_real_person(con):
    rfm = con.sql("""SELECT 'P' || i AS person_id, CASE WHEN i < 20 THEN 'loyal' WHEN i < 40 THEN 'new' END AS segment
                     FROM range(60) t(i)""")
    found = con.sql("SELECT 's' AS source, 'C' || i AS source_id, 'P' || i AS person_id FROM range(60) t(i)")
    truth = con.sql("SELECT 's' AS source, 'C' || i AS source_id, 'T' || i AS person_id FROM range(60) t(i)")
    future = con.sql("SELECT 'T' || i AS person_id, 3 AS known_orders FROM range(10) t(i)")
    shown = orders_ahead(rfm, found, truth, future, RF10, 10).set_index("Segment")
    assert shown["Customers"].to_dict() == {"Loyal customers": "20", "New customers": "20"}
    assert shown["Orders ahead"].to_dict() == {"Loyal customers": "1.50", "New customers": "0"}


def test_a_truth_of_few_is_hidden(con):
    rfm = con.sql("""SELECT 'P' || i AS person_id, CASE WHEN i < 3 THEN 'loyal' ELSE 'new' END AS segment
                     FROM range(30) t(i)""")
    pairs = con.sql("SELECT 's' AS source, 'C' || i AS source_id, 'P' || i AS person_id FROM range(30) t(i)")
    future = con.sql("SELECT 'P0' AS person_id, 3 AS known_orders")
    shown = orders_ahead(rfm, pairs, pairs, future, RF10, 10).set_index("Segment")
    assert set(shown["Customers"]) == {"hidden"}, "the other group would tell of the three"
