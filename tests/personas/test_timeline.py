import json
import re

import numpy as np
import pandas as pd
import pytest

from waage.errors import WaageError
from waage.personas.timeline import timeline


def customers(seed=0, n=900):
    rng = np.random.default_rng(seed)
    ids = [f"SECRET{row:04d}" for row in range(n)]
    size = 1 + rng.poisson(1.5, n)
    person = np.repeat(ids, size)
    orders = pd.DataFrame(
        {
            "person_id": person,
            "day": pd.Timestamp("2024-01-05") + pd.to_timedelta(rng.integers(0, 500, len(person)), "D"),
            "channel": rng.choice(["web", "store"], len(person), p=[0.8, 0.2]),
            "revenue": rng.lognormal(4, 0.5, len(person)).round(2),
            "category": rng.choice(["home", "kids"], len(person)),
        }
    )
    probability = pd.Series(rng.random(n), ids)
    behaviour = pd.DataFrame({"frequency": size, "order_value": rng.lognormal(4, 0.3, n)}, ids)
    return probability, behaviour, orders


def test_a_member_near_the_centre_is_told_without_anything_that_names_them():
    probability, behaviour, orders = customers()
    for language, month in (("en", "Month"), ("de", "Monat")):
        found = timeline(probability, behaviour, orders, language)
        text = json.dumps(found, ensure_ascii=False)
        assert found["months"][0]["month"] == 1 and found["months"][0]["text"].startswith(f"{month} 1: ")
        assert "SECRET" not in text and not re.search(r"20\d\d-|\d{2}\.\d{2}\.", text)
        assert all(event["amount"] == float(f"{event['amount']:.0e}") for event in found["months"])
        assert found["alike"] >= 10 and found["alike"] % 10 == 0
        months = [event["month"] for event in found["months"]]
        assert months == sorted(months) and len(months) <= 8
    assert "Bestellung für etwa" in found["months"][0]["text"]


def test_the_order_of_rows_changes_nothing():
    probability, behaviour, orders = customers()
    mixed = orders.sample(frac=1, random_state=1), behaviour.sample(frac=1, random_state=2)
    assert timeline(probability.sample(frac=1, random_state=3), mixed[1], mixed[0]) == timeline(*customers())


def test_whoever_is_one_of_few_is_not_shown():
    probability, behaviour, orders = customers()
    found = timeline(probability, behaviour, orders, min_cell=900)
    assert found["months"] == [] and found["alike"] is None and "fewer than 900" in found["note"]
    assert timeline(probability * 0.5, behaviour, orders)["months"] == []
    # Thirty different customers: nobody has min_cell others alike.
    ids = probability.index[:30]
    lonely = orders[orders["person_id"].isin(ids)].assign(channel=lambda t: t["person_id"], category=None)
    assert timeline(pd.Series(1.0, ids), behaviour.loc[ids], lonely, min_cell=25)["months"] == []


def test_rare_categories_are_left_out():
    probability, behaviour, orders = customers()
    orders["category"] = np.where(np.arange(len(orders)) < 5, "wedding", orders["category"])
    chosen = timeline(probability, behaviour, orders)
    assert "wedding" not in json.dumps(chosen)
    plain = timeline(probability, behaviour, orders.drop(columns="category"))
    assert all(event["category"] is None for event in plain["months"])


def test_where_few_are_sure_the_likely_ones_do_and_it_is_said():
    probability, behaviour, orders = customers()
    likely = timeline(probability * 0.69, behaviour, orders)
    assert "a probability of 0.5 or more" in likely["note"] and len(likely["months"]) > 1
    assert "a probability of 0.7 or more" in timeline(probability, behaviour, orders)["note"]
    assert timeline(probability * 0.49, behaviour, orders)["months"] == []


def test_missing_columns_are_named():
    probability, behaviour, orders = customers()
    with pytest.raises(WaageError, match="orders lacks 'day', 'revenue'"):
        timeline(probability, behaviour, orders.drop(columns=["day", "revenue"]))


def test_histories_tell_the_category_of_most_revenue():
    import ibis

    from waage.personas.members import histories

    day = pd.Timestamp("2025-01-05").date()
    orders = pd.DataFrame(
        {"person_id": ["p1", "p1", "p2"], "source": "web", "order_id": ["1", "2", "3"], "channel": "web"}
    )
    orders = orders.assign(day=day, revenue=[10.0, 20.0, 30.0], counts=True)
    lines = pd.DataFrame({"source": "web", "order_id": ["1", "1", "1", "3", "4"], "revenue": [4.0, 3.0, 3.5, 1.0, 9.0]})
    lines = lines.assign(category=["home", "kids", "kids", None, "home"])
    done = pd.DataFrame({"person_id": ["p2", "p1", "p3"], "frequency": [1.0, 2.0, 9.0]})
    given = [ibis.memtable(table) for table in (done, orders, lines)]
    behaviour, bought = histories(pd.Series(["p1", "p2"]), *given[:2], day, given[2])
    assert list(behaviour.index) == ["p1", "p2"] and list(bought.columns) == [
        "person_id",
        "day",
        "channel",
        "revenue",
        "category",
    ]
    assert bought.category.fillna("-").tolist() == ["kids", "-", "-"] and bought.revenue.tolist() == [10, 20, 30]
    assert "category" not in histories(pd.Series(["p1"]), *given[:2], day)[1]
