"""A small shop with a survey: three types that answer and, where asked for, buy differently."""

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

AS_OF = date(2025, 6, 30)
FIELD = date(2025, 5, 12)
SHARES = (0.45, 0.33, 0.22)
SCALES = [f"q{i}" for i in range(6)]
CHANNELS, CATEGORIES = ("web", "store", "app"), ("women", "home", "sports")


def make_shop(persons: int = 1500, asked: int = 700, carry: float = 1.2, seed: int = 3) -> dict[str, pd.DataFrame]:
    """Return the contract's tables of a shop, and `truth` (person_id, type).

    A type agrees with two items of its own, buys through one channel and in one category rather than another
    (`carry`: log odds; 0: behaviour says nothing). A tenth of the persons have not ordered yet.
    """
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, persons, p=SHARES)
    ids = np.array([f"P{i:05d}" for i in range(persons)])
    orders, lines = [], []
    for i, person in enumerate(ids):
        for j in range(0 if i % 10 == 0 else 1 + rng.poisson(3)):
            odds = np.ones(3)
            odds[kind[i]] = np.exp(carry)
            channel, category = (rng.choice(names, p=odds / odds.sum()) for names in (CHANNELS, CATEGORIES))
            day = AS_OF - timedelta(days=int(rng.integers(0, 700)))
            when = datetime(day.year, day.month, day.day, 10, 30)
            worth = round(float(np.exp(rng.normal(3.6, 0.4))), 2)
            orders.append(("crm", f"{person}-{j}", person, when, channel, worth, "shipped"))
            lines.append(("crm", f"{person}-{j}", "1", category, 1.0, worth))
    told = rng.choice(persons, asked, replace=False)
    answers = []
    for i in told:
        when = datetime(FIELD.year, FIELD.month, FIELD.day, 9) + timedelta(days=int(i % 20))
        key = ("typology", f"R{ids[i]}", "crm", ids[i], when)
        for j, item in enumerate(SCALES):
            level = 4.2 if j // 2 == kind[i] else 2.2
            answers.append((*key, item, float(np.clip(np.rint(level + 0.8 * rng.standard_normal()), 1, 5)), None))
        for j in range(3):
            answers.append((*key, f"b{j}", float(rng.random() < (0.75 if j == kind[i] else 0.2)), None))
        answers.append((*key, "household", None, str(rng.choice(["alone", "family"]))))
    book = [("typology", item, "scale", f"Attitude {item}", f"Haltung {item}", 1.0, 5.0) for item in SCALES]
    book += [("typology", f"b{j}", "binary", f"Interest {j}", f"Interesse {j}", None, None) for j in range(3)]
    book += [("typology", "household", "trait", "Household", "Haushalt", None, None)]
    names = ["source", "order_id", "source_id", "ordered_at", "channel", "revenue", "status"]
    people = pd.DataFrame({"source": "crm", "source_id": ids, "updated_at": datetime(2023, 1, 1)})
    people["birth_date"] = [date(1950 + int(year), 5, 1) for year in rng.integers(0, 55, persons)]
    people["acquisition_channel"] = np.array(CHANNELS)[kind]
    return {
        "orders": pd.DataFrame(orders, columns=names),
        "order_lines": pd.DataFrame(lines, columns=["source", "order_id", "line", "category", "quantity", "revenue"]),
        "responses": pd.DataFrame(
            answers,
            columns=["instrument", "response_id", "source", "source_id", "responded_at", "item", "value", "text"],
        ),
        "items": pd.DataFrame(
            book, columns=["instrument", "item", "kind", "label", "label_de", "scale_min", "scale_max"]
        ),
        "identities": people,
        "truth": pd.DataFrame({"person_id": ids, "type": kind}),
    }


def unified(shop: dict[str, pd.DataFrame], as_of: date = AS_OF) -> dict[str, pd.DataFrame]:
    """Return the tables notebook 02 reads, everybody being a person of the same id."""
    orders = shop["orders"].assign(person_id=lambda t: t.source_id, day=lambda t: t.ordered_at.dt.normalize())
    orders = orders.assign(net_revenue=orders.revenue, counts=True)
    known = orders[orders.day <= pd.Timestamp(as_of)]
    by = known.groupby("person_id").agg(
        frequency=("order_id", "size"), monetary=("revenue", "sum"), last=("day", "max")
    )
    rfm = shop["truth"][["person_id"]].merge(by, how="left", on="person_id")
    days = (pd.Timestamp(as_of) - rfm["last"]).dt.days
    stage = np.select([days.isna(), days <= 90, days <= 365], ["lead", "active", "at_risk"], "lapsed")
    people = shop["identities"].assign(person_id=lambda t: t.source_id)
    return {
        "customer_orders": orders,
        "order_lines": shop["order_lines"],
        "responses": shop["responses"].assign(weight=np.nan),
        "items": shop["items"].assign(best=None, missing_codes=None, construct=None),
        "identity_map": people[["source", "source_id", "person_id"]],
        "persons": people[["person_id", "birth_date", "acquisition_channel"]],
        "rfm": rfm.drop(columns="last").assign(lifecycle=stage),
    }
