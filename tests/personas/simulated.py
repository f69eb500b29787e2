"""Respondents of three simulated types, a calibrated posterior, answers active and passive, and what is true."""

import numpy as np
import pandas as pd

NAMES = ["type_1", "type_2", "type_3"]
SHARES = (0.45, 0.35, 0.2)
SHARE = {  # of each type that says yes
    "q01": (0.70, 0.40, 0.30),
    "q05": (0.30, 0.60, 0.30),
    "q09": (0.40, 0.40, 0.42),
    "q15": (0.20, 0.25, 0.60),
    "reason_app": (0.05, 0.15, 0.10),
}
MEAN = {"order_value": (50.0, 60.0, 80.0), "weekend_share": (0.40, 0.40, 0.41), "orders_per_year": (4.0, 3.0, 1.6)}
AGES = ("16-29", "30-44", "45-59", "60+")
AGE = np.array([(0.7, 0.1, 0.1, 0.1), (0.25, 0.25, 0.25, 0.25), (0.1, 0.2, 0.2, 0.5)])
SOURCES = dict.fromkeys(MEAN, "behaviour") | dict.fromkeys([*SHARE, "age_group"], "responses")
ITEMS = pd.DataFrame(
    [
        ("q01", "scale", "price", "I compare prices", "Ich vergleiche Preise", 1, 5, "max"),
        ("q05", "scale", "speed", "It must be over quickly", "Es muss schnell gehen", 1, 5, "max"),
        ("q09", "scale", "family", "My days are full with family", "Meine Tage sind voll Familie", 1, 5, "max"),
        ("q15", "binary", "inspiration", "Interest: magazines", "Interesse: Zeitschriften", None, None, None),
        ("reason_app", "binary", "reason", "Reason: app", "Grund: App", None, None, None),
        ("age_group", "trait", "life", "Age group", "Altersgruppe", None, None, None),
    ],
    columns=["item", "kind", "construct", "label", "label_de", "scale_min", "scale_max", "best"],
).set_index("item")


def survey(seed, n=900, shares=SHARES, clear=2.5):
    """Return generator, true types, posterior and weights; entropy R2 of the posterior about .75."""
    rng = np.random.default_rng(seed)
    types = rng.choice(len(shares), n, p=shares)
    signal = rng.normal(size=(n, len(shares))) * 1.2 + clear * np.eye(len(shares))[types]
    score = np.log(shares) + clear * signal / 1.44
    posterior = np.exp(score - score.max(axis=1, keepdims=True))
    return rng, types, posterior / posterior.sum(axis=1, keepdims=True), np.exp(0.5 * rng.normal(size=n))


def variables(rng, types):
    """Return answers and behaviour that depend on the true type only: passive variables."""
    n = len(types)
    table = {name: (rng.random(n) < np.array(yes)[types]).astype(float) for name, yes in SHARE.items()}
    table["q05"][rng.random(n) < np.array([0.02, 0.1, 0.05])[types]] = np.nan
    table["age_group"] = np.array(AGES)[(rng.random(n)[:, None] > AGE.cumsum(axis=1)[types, :-1]).sum(axis=1)]
    spread = {"order_value": 25.0, "weekend_share": 0.15, "orders_per_year": 1.2}
    for name, means in MEAN.items():
        table[name] = np.array(means)[types] + spread[name] * rng.normal(size=n)
    return pd.DataFrame(table, index=[f"R{row:05d}" for row in range(n)])


def truth(table):
    """Return the true value behind each finding."""
    rows = zip(table["type"], table["variable"], table["level"], strict=True)
    values = []
    for name, variable, level in rows:
        k = NAMES.index(name)
        values.append(AGE[k, AGES.index(level)] if level in AGES else (SHARE | MEAN)[variable][k])
    return pd.Series(values, index=table.index, dtype=float)


def true_base(table):
    """Return the true value among all customers behind each finding."""
    every = pd.Series(0.0, index=table.index)
    for name, share in zip(NAMES, SHARES, strict=True):
        every += share * truth(table.assign(type=name))
    return every


def members(posterior, weights, index):
    return pd.DataFrame(posterior, index, NAMES).assign(weight=weights)
