"""A typical customer of a type as a timeline that nobody can be recognised by."""

from collections.abc import Sequence
from math import floor, log10
from typing import Any

import numpy as np
import pandas as pd

from waage import style
from waage.errors import WaageError
from waage.personas.phrases import TIMELINE
from waage.personas.topics import level_label

#: Probability of the type from which a customer may stand for it, that which must do where too few are surer, and
#: orders shown at most (judgements).
SURE, LIKELY, MOST = 0.7, 0.5, 8
#: Upper bounds of the bands of orders within which customers are alike.
_BANDS = (1, 2, 3, 6)


def timeline(
    probability: pd.Series,
    behaviour: pd.DataFrame,
    orders: pd.DataFrame,
    language: str = "en",
    *,
    min_cell: int = 10,
    currency: str = "EUR",
    sure: Sequence[float] = (SURE, LIKELY),
) -> dict[str, Any]:
    """Pick a customer near the centre of a type and tell the orders without date, amount or id.

    Shown are months counted from the first order shown, amounts to one figure, the channel, and the category where
    at least `min_cell` customers of the type bought it. There must be `min_cell` customers of the type (probability
    `sure` or more) with as many orders (1, 2, 3, 4 to 6, more), the same main channel and the same main category; where
    there are none, no category is told and it need not be the same. Who ordered more than once goes first: one order is
    no history.

    Parameters
    ----------
    probability : Series, index person_id
        Of the type, from behaviour alone: a type known from a person's own answers must not lead to that person.
        Without persons who object to profiling.
    behaviour : DataFrame, index person_id
        Numbers the centre is sought in; missing ones count as the median.
    orders : DataFrame
        person_id, day (date), channel, revenue; optionally category (of most revenue). Orders
        with revenue 0 or less are left out.
    language : str
        en or de.
    min_cell : int
    currency : str
    sure : sequence of float
        The first probability from which there are enough customers counts.

    Returns
    -------
    dict
        months (list of dict: month, text, amount, channel, category), note (how it was made, or why nobody is
        shown), alike (customers alike, rounded down to tens; None if nobody is shown). The same customer for any
        order of rows.

    Raises
    ------
    WaageError
        If a column is missing.
    """
    missing = [name for name in ("person_id", "day", "channel", "revenue") if name not in orders.columns]
    if missing:
        raise WaageError(f"timeline: orders lacks {', '.join(map(repr, missing))}")
    at = language == "de"
    for limit in sure:
        members = probability.index[(probability >= limit).to_numpy()].intersection(behaviour.index)
        found = _story(members, behaviour, orders, language, min_cell, currency)
        if found is not None:
            months, crowd = found
            words = (max(crowd - 1, min_cell - 1), style.number(limit, language, 1))
            return {"months": months, "note": TIMELINE["alike"][at].format(*words), "alike": crowd}
    return {"months": [], "note": TIMELINE["few"][at].format(min_cell), "alike": None}


def _story(
    members: pd.Index, behaviour: pd.DataFrame, orders: pd.DataFrame, language: str, min_cell: int, currency: str
) -> tuple[list[dict[str, Any]], int] | None:
    """Return the months of the customer in the middle and how many are alike, rounded down; None if too few are."""
    bought = orders[orders["person_id"].isin(members) & (orders["revenue"].astype(float) > 0)].copy()
    if bought["person_id"].nunique() < min_cell:
        return None
    bought["revenue"] = bought["revenue"].astype(float)
    bought["category"] = _common(bought, "category", min_cell)
    bought["channel"] = _common(bought, "channel", min_cell)
    for shared in (("channel", "category"), ("channel",)):
        kinds = _kinds(bought, shared)
        alike = kinds.map(kinds.value_counts())
        candidates = alike.index[alike >= min_cell]
        if len(candidates):
            break
        bought["category"] = None  # too few are alike in it
    if candidates.empty:
        return None
    several = candidates[(bought.groupby("person_id").size()[candidates] > 1).to_numpy()]
    candidates = several if len(several) else candidates
    # The centre of all sure members, not of the candidates; ids only break ties, through the smallest of them.
    distance = _distance(behaviour.loc[members])[candidates].round(9)
    chosen = sorted(candidates[distance == distance.min()])[0]
    columns = ["day", "revenue", "channel", "category"]
    own = bought[bought["person_id"] == chosen].sort_values(columns, kind="stable", na_position="last").tail(MOST)
    first = pd.Timestamp(own["day"].iloc[0])
    months = [_event(order, first, language, currency) for order in own.to_dict("records")]
    return months, int(alike[chosen]) // 10 * 10 if alike[chosen] >= 10 else min_cell


def _common(bought: pd.DataFrame, column: str, min_cell: int) -> pd.Series:
    """Return the column, missing where fewer customers than min_cell of the type have the value."""
    if column not in bought:
        return pd.Series(None, index=bought.index, dtype=object)
    people = bought.groupby(column)["person_id"].nunique()
    return bought[column].astype(object).where(bought[column].map(people) >= min_cell, None)


def _kinds(bought: pd.DataFrame, shared: Sequence[str]) -> pd.Series:
    """Return what customers must share to be alike: band of orders, main channel, main category if asked for."""
    number = np.searchsorted(_BANDS, bought.groupby("person_id").size())
    kinds = pd.Series(list(map(str, number)), index=sorted(bought["person_id"].unique()))
    for column in shared:
        spent = bought.assign(**{column: bought[column].fillna("")})
        spent = spent.groupby(["person_id", column], as_index=False)["revenue"].sum()
        spent = spent.sort_values(["person_id", "revenue", column], ascending=[True, False, True], kind="stable")
        kinds = kinds + "|" + spent.drop_duplicates("person_id").set_index("person_id")[column].reindex(kinds.index)
    return kinds


def _distance(behaviour: pd.DataFrame) -> pd.Series:
    """Return each customer's mean distance from the medians, in quartile ranges."""
    numbers = behaviour.astype(float)
    middle = numbers.median()
    spread = numbers.quantile(0.75) - numbers.quantile(0.25)
    return ((numbers - middle).abs() / spread.where(spread > 0)).fillna(0.0).mean(axis=1)


def _event(order: dict, first: pd.Timestamp, language: str, currency: str) -> dict[str, Any]:
    at, day = language == "de", pd.Timestamp(order["day"])
    month = (day.year - first.year) * 12 + day.month - first.month + 1
    amount = _one_figure(order["revenue"])
    category = None if pd.isna(order["category"]) else str(order["category"])
    channel = style.label(order["channel"], language) if pd.notna(order["channel"]) else style.MISSING
    what = [channel, TIMELINE["what"][at].format(level_label(category, language, goods=True)) if category else ""]
    shown = TIMELINE["order"][at].format(
        amount=style.money(amount, currency, language), what=", ".join(part for part in what if part)
    )
    text = f"{TIMELINE['month'][at].format(month)}: {shown}"
    return {"month": month, "text": text, "amount": amount, "channel": channel, "category": category}


def _one_figure(amount: float) -> float:
    """Return an amount to one figure; 10 at least."""
    step = 10.0 ** max(floor(log10(max(amount, 1.0))), 1)
    return max(floor(amount / step + 0.5) * step, 10.0)
