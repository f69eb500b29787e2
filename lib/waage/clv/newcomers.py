"""What a new customer is worth, by acquisition channel and cohort."""

from dataclasses import replace
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.clv.histories import KEYS
from waage.clv.purchases import PurchaseModel, fit_purchases
from waage.clv.totals import hide_small
from waage.clv.value import FOREVER, Terms, month_ends
from waage.errors import Refusal, WaageError
from waage.privacy import mask_small

#: Days a group must have been watched for a model of its own: who leaves shows late, and the parameters of younger
#: groups come out too certain (their 80 % intervals held the truth in 33 to 58 % of simulated cohorts). A judgement.
WATCHED_DAYS = 365


def first_purchases(orders: ir.Table, until: date) -> ir.Table:
    """Return each person's first purchase day, as a lazy expression.

    Parameters
    ----------
    orders : ibis table
        As `waage.history.customer_orders` returns them.
    until : date
        Last day looked at.

    Returns
    -------
    ibis table
        person_id, first_day, first_value (net revenue of that day), first_channel (of the day's first order), cohort
        ("2024 Q1"), revenue (net revenue of all days).
    """
    seen = orders.filter(orders.person_id.notnull() & orders.counts & (orders.day <= until))
    seen = seen.mutate(first_day=seen.day.min().over(ibis.window(group_by="person_id")))
    first = seen.day == seen.first_day
    table = seen.group_by("person_id", "first_day").agg(
        first_value=seen.net_revenue.sum(where=first),
        first_channel=seen.channel.argmin(seen.ordered_at),
        revenue=seen.net_revenue.sum(),
    )
    quarter = table.first_day.year().cast("string") + " Q" + table.first_day.quarter().cast("string")
    money = {name: table[name].cast("float64") for name in ("first_value", "revenue")}
    return table.mutate(cohort=quarter, **money)


def newcomer_value(
    customers: pd.DataFrame,
    purchases: PurchaseModel,
    terms: Terms,
    *,
    by: str | None = None,
    draws: int = 200,
    min_repeaters: int = 100,
    watched_days: int = WATCHED_DAYS,
    min_cell: int = 0,
    others: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """Value a customer who has yet to buy for the first time: the first order's margin and all that follows.

    Parameters
    ----------
    customers : DataFrame
        frequency, recency, T, monetary; first_value (of the first purchase day); the column `by`; return_rate, which
        the terms' return_cost is paid for.
    purchases : PurchaseModel
        Fitted on all customers: its kind, unit and calendar serve for the groups, too.
    terms : Terms
    by : str, optional
        Acquisition channel or cohort; each group with at least `min_repeaters` repeaters and a first customer at least
        `watched_days` old gets a model of its own, the others share the one of all.
    min_cell, others : int
        Groups of fewer customers are hidden, as `waage.clv.totals.hide_small` does it.
    draws, seed : int
        For the interval of the mean: parameters, first values and order values.

    Returns
    -------
    DataFrame
        group ("all" last, and alone where there is one group only), customers, own_model, first_margin, later_orders
        (expected, discounted, within clv_years), order_value, value, value_low, value_high (interval at the terms'
        level). Margins are less the cost of returns. Value is margin per customer won, before the cost of winning:
        what may be spent on it at most.

    Notes
    -----
    E[X(t)] of a customer who bought at t = 0, discounted by months (Fader, Hardie, Lee 2005), with order values
    averaged over orders, not customers: frequent buyers place most of them.
    """
    missing = [name for name in (*KEYS, "monetary", "first_value", *([by] if by else [])) if name not in customers]
    if missing:
        raise WaageError(f"customers: column {', '.join(missing)} missing; there are {', '.join(map(str, customers))}")
    rng = np.random.default_rng(seed)
    groups = [("all", customers)]
    if by:
        parts = [*customers.groupby(customers[by].astype("string").fillna("–"), sort=True)]
        groups = [*(parts if len(parts) > 1 else []), *groups]
    rows = []
    for name, part in groups:
        own = name != "all" and len(part) < len(customers) and part["T"].max() >= watched_days
        model = purchases
        if own:
            try:
                options = {"calendar": purchases.calendar, "min_repeaters": min_repeaters, "fitter": "own"}
                model = fit_purchases(part, purchases.model, purchases.time_unit, **options)
            except Refusal:
                own = False
        later, spread = _later(model, terms, draws, rng)
        x = part["frequency"].to_numpy(dtype=float)
        if x.sum() == 0:
            x, part_money = np.ones(1), np.array([float(customers["first_value"].astype(float).mean())])
        else:
            part_money = np.nan_to_num(part["monetary"].to_numpy(dtype=float, na_value=0.0))
        each = float(x @ part_money / x.sum())
        rate = part["return_rate"].to_numpy(dtype=float) if "return_rate" in part else np.zeros(len(part))
        first = terms.margin_rate * part["first_value"].astype(float).to_numpy() - terms.return_cost * rate
        first_margin = float(first.mean())
        rate = rate if len(rate) == len(x) else rate.mean()
        earned = terms.margin_rate * part_money - terms.return_cost * rate
        profit = float(x @ earned / x.sum())
        # Standard errors of the two means: customers, and orders weighted by customer.
        error_first = float(first.std()) / np.sqrt(len(first))
        error_each = float(np.sqrt(np.sum(x**2 * (earned - profit) ** 2))) / x.sum()
        drawn = first_margin + error_first * rng.standard_normal(draws)
        drawn += spread * (profit + error_each * rng.standard_normal(draws))
        low, high = np.quantile(drawn, [(1 - terms.level) / 2, (1 + terms.level) / 2])
        value = first_margin + later * profit
        rows.append((name, len(part), own, first_margin, later, each, value, float(low), float(high)))
    figures = ["first_margin", "later_orders", "order_value", "value", "value_low", "value_high"]
    table = pd.DataFrame(rows, columns=["group", "customers", "own_model", *figures])
    parts = hide_small(table.iloc[:-1], "customers", *figures, min_cell=min_cell, others=others)
    return pd.concat([parts, mask_small(table.iloc[-1:], "customers", *figures, min_cell=min_cell)], ignore_index=True)


def _later(model: PurchaseModel, terms: Terms, draws: int, rng) -> tuple[float, np.ndarray]:
    """Discounted orders after the first: the estimate and draws of the parameters."""
    ends = month_ends(terms.as_of, terms.months if terms.clv_years else 600)
    factor = (1 + terms.discount_rate) ** -((np.arange(len(ends)) + 0.5) / 12)
    if terms.clv_years != FOREVER:
        factor = factor * (np.arange(len(ends)) < 12 * terms.clv_years)
    zeros = np.zeros(len(ends))

    def discounted(some: PurchaseModel) -> float:
        return float(factor @ np.diff(some.expected_orders(ends, zeros, zeros, zeros), prepend=0.0))

    vectors = model.draw_parameters(draws, rng)
    spread = [discounted(replace(model, params=pd.Series(vector, index=model.params.index))) for vector in vectors]
    return discounted(model), np.array(spread)
