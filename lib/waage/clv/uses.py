"""What to do with values: whom to win back, whom to court, where to spend, what to expect of the coming weeks."""

import re
from collections.abc import Sequence
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.clv.histories import KEYS
from waage.clv.purchases import PurchaseModel
from waage.clv.spend import SpendModel
from waage.clv.totals import ForecastError, hide_small, order_total
from waage.errors import WaageError
from waage.style import compact


def churn_list(values: pd.DataFrame | ir.Table, top: int = 100, lowest_p: float = 0.05) -> pd.DataFrame:
    """Return the customers with the most value endangered: whom to win back first.

    Endangered is what a customer would be worth if still active, times the probability of having left. It is high
    for good customers who fell silent, and low for those who never were good or surely buy again.

    Parameters
    ----------
    values : DataFrame or ibis table
        As `customer_value` or `value_table` return it.
    top : int
    lowest_p : float
        P(alive) below which a customer is taken for gone: good customers who left years ago would head the list
        otherwise. A judgement.

    Returns
    -------
    DataFrame
        person_id, value_endangered, p_alive, clv, value_if_active, expected_order_value; the highest first.
    """
    table = _ibis(values, top)
    table = table.filter((table.value_endangered > 0) & (table.p_alive >= lowest_p)).mutate(
        value_if_active=table.clv + table.value_endangered
    )
    columns = ["person_id", "value_endangered", "p_alive", "clv", "value_if_active", "expected_order_value"]
    return table.order_by(ibis.desc("value_endangered"), "person_id").limit(top).select(columns).execute()


def newcomer_list(values: pd.DataFrame | ir.Table, *, newest_days: int = 90, top: int = 100) -> pd.DataFrame:
    """Return the newcomers with the highest value: customers whose first purchase is at most `newest_days` old.

    Returns
    -------
    DataFrame
        person_id, T, clv, clv_low, clv_high, p_order_90d; the highest clv first.
    """
    table = _ibis(values, top)
    table = table.filter(table["T"] <= newest_days)
    columns = ["person_id", "T", "clv", "clv_low", "clv_high", "p_order_90d"]
    return table.order_by(ibis.desc("clv"), "person_id").limit(top).select(columns).execute()


def newcomer_pace(customers: pd.DataFrame, as_of: date, weeks: int = 52) -> dict[str, float]:
    """Return how many customers were won a week and the mean of their first order, as `outlook` takes them.

    Parameters
    ----------
    customers : DataFrame
        T and first_value.
    as_of : date
        The day T is counted to.
    weeks : int
        How far back to look; at most half of the history, as at its beginning everybody looks new.
    """
    span = max(min(7 * weeks, int(customers["T"].max() + 1) // 2), 1)
    recent = customers.loc[customers["T"] < span, "first_value"].astype(float)
    return {"new_per_week": 7 * len(recent) / span, "first_value": float(recent.mean()) if len(recent) else 0.0}


def memberships(rfm: ir.Table | None, types: ir.Table | None) -> dict[str, ir.Table | None]:
    """Return who belongs to which segment and type.

    Parameters
    ----------
    rfm : ibis table or None
        person_id, segment.
    types : ibis table or None
        person_id, p_1..p_K, type (the likeliest), as the model of behaviour gives them: customers count in every type
        with its probability, as counting them in the likeliest would make large types larger.

    Returns
    -------
    dict
        "segment" and "type", those there are, to a table of person_id, group, weight; {"all": None} without either.
    """
    found: dict[str, ir.Table | None] = {}
    if rfm is not None:
        found["segment"] = rfm.select("person_id", group=rfm.segment, weight=ibis.literal(1.0))
    if types is not None:
        shares = [name for name in types.columns if re.fullmatch(r"p_\d+", name)]
        first = [types[one] > ibis.greatest(0.0, *(types[other] for other in shares if other != one)) for one in shares]
        names = types.aggregate(**{one: types.type.max(where=top) for one, top in zip(shares, first, strict=True)})
        names = names.execute().iloc[0].fillna({one: one for one in shares})
        parts = [types.select("person_id", group=ibis.literal(names[one]), weight=types[one]) for one in shares]
        found["type"] = ibis.union(*parts) if len(parts) > 1 else parts[0]
    return found or {"all": None}


def in_groups(table: ir.Table, members: ir.Table | None) -> ir.Table:
    """Return customers with the columns group ("–": none) and weight; once for each group they may be of."""
    if members is None:
        return table.mutate(group=ibis.literal("all"), weight=ibis.literal(1.0))
    joined = table.left_join(members, "person_id").drop("person_id_right")
    return joined.mutate(group=joined.group.fill_null("–"), weight=joined.weight.fill_null(1.0))


def budget_table(
    values: pd.DataFrame | ir.Table,
    by: str = "group",
    totals: pd.DataFrame | None = None,
    *,
    min_cell: int = 0,
    others: int = 0,
) -> pd.DataFrame:
    """Sum up values by group (segment, type): what there is to keep and to lose.

    Parameters
    ----------
    values : DataFrame or ibis table
        As `customer_value` returns it, with the column `by`, and weight where customers belong to a group in part.
    by : str
        Customers without a group are "–".
    totals : DataFrame, optional
        As `value_totals` returns them for the same groups: gives the interval of clv.
    min_cell, others : int
        Groups of fewer customers are hidden, as `waage.clv.totals.hide_small` does it.

    Returns
    -------
    DataFrame
        One row a group, the most valuable first: group, customers, active (expected number still there),
        value_12m, clv, clv_low, clv_high, clv_share, clv_per_customer, endangered (value).
    """
    table = _ibis(values)
    table = table.mutate(group=table[by].cast("string").fill_null("–"))
    if "weight" not in table.columns:
        table = table.mutate(weight=ibis.literal(1.0))
    share = table.weight
    sums = {
        "customers": share,
        "active": share * table.p_alive,
        "value_12m": share * table.value_12m,
        "clv": share * table.clv,
        "endangered": share * table.value_endangered,
    }
    frame = table.group_by("group").agg(**{name: part.sum() for name, part in sums.items()}).execute()
    frame["clv_share"] = frame["clv"] / frame["clv"].sum()
    frame["clv_per_customer"] = frame["clv"] / frame["customers"]
    frame["clv_low"] = frame["clv_high"] = np.nan
    if totals is not None:
        ends = totals[totals["measure"] == "clv"].set_index("group")
        for name, end in (("clv_low", "low"), ("clv_high", "high")):
            frame[name] = frame["group"].map(ends[end])
    columns = ["group", "customers", "active", "value_12m", "clv", "clv_low", "clv_high", "clv_share"]
    frame = frame[[*columns, "clv_per_customer", "endangered"]]
    frame = hide_small(frame, "customers", *frame.columns[2:], min_cell=min_cell, others=others)
    # Sorted when masked, so that its place says nothing of a hidden group.
    return frame.sort_values(["clv", "group"], ascending=[False, True], ignore_index=True)


def outlook(
    customers: pd.DataFrame,
    purchases: PurchaseModel,
    spend: SpendModel,
    *,
    weeks: Sequence[int] = (13, 26, 52),
    error: ForecastError | None = None,
    corrected: bool = True,
    plan: Sequence[float] = (),
    new_per_week: float = 0.0,
    first_value: float = 0.0,
    level: float = 0.8,
    seed: int = 0,
) -> pd.DataFrame:
    """Return expected orders and revenue of the coming weeks, beside the plan.

    Parameters
    ----------
    customers : DataFrame
        frequency, recency, T, monetary of everybody known; n if counted.
    purchases, spend : PurchaseModel, SpendModel
    weeks : sequence of int
    error : ForecastError, optional
        Of past totals; without it intervals hold chance and parameters alone.
    corrected : bool
        Whether the drift of past errors is taken into account: sums of customers' values are not.
    plan : sequence of float
        Planned revenue (the money of `monetary`) of each of `weeks`; empty: none.
    new_per_week, first_value : float
        Customers won each week and the mean value of their first order; they buy again as newcomers do. 0 leaves
        future customers out.
    level, seed : float, int

    Returns
    -------
    DataFrame
        weeks, orders (purchase days), orders_low, orders_high, orders_new (part of them from customers yet to be won),
        revenue, revenue_low, revenue_high, plan, plan_gap (revenue / plan - 1), plan_within (whether the plan lies
        within the interval; NA without one).
    """
    if len(plan) not in (0, len(weeks)):
        wanted = ", ".join(map(str, weeks))
        raise WaageError(f"plan has {len(plan)} amounts; give one for each of {wanted} weeks, or none")
    planned_for = dict(zip(weeks, plan, strict=False))
    n = customers["n"].to_numpy(dtype=float) if "n" in customers else np.ones(len(customers))
    each = spend.expected_order_value(customers["frequency"], customers["monetary"])
    history = [customers[name].to_numpy(dtype=float) for name in KEYS]
    rows = []
    for count in weeks:
        days = 7 * count
        total = order_total(customers, purchases, days, error=error, corrected=corrected, level=level, seed=seed)
        orders = n * purchases.expected_orders(days, *history)
        again = total["value"] / max(float(orders.sum()), 1e-12)
        revenue = again * float(orders @ each)
        ages = days - 7 * (np.arange(count) + 0.5)
        zeros = np.zeros(count)
        back = float(purchases.expected_orders(ages, zeros, zeros, zeros).sum()) * new_per_week * again
        new_orders = new_per_week * count + back
        new_revenue = new_per_week * count * first_value + back * revenue / max(total["value"], 1e-12)
        # Chance in the values of single orders widens the relative interval of their sum.
        noise = again * np.sqrt(float(orders @ each**2) / spend.params["p"]) / max(revenue, 1e-12)
        ends = []
        for end in (total["low"], total["high"]):
            apart = np.log(max(end, 1e-9) / max(total["value"], 1e-9))
            ends.append(float(np.exp(np.sign(apart) * np.hypot(apart, noise))))
        planned = planned_for.get(count, np.nan)
        sums = [(revenue + new_revenue) * end for end in ends]
        rows.append(
            {
                "weeks": count,
                "orders": total["value"] + new_orders,
                "orders_low": (total["value"] + new_orders) * total["low"] / max(total["value"], 1e-12),
                "orders_high": (total["value"] + new_orders) * total["high"] / max(total["value"], 1e-12),
                "orders_new": new_orders,
                "revenue": revenue + new_revenue,
                "revenue_low": sums[0],
                "revenue_high": sums[1],
                "plan": planned,
                "plan_gap": (revenue + new_revenue) / planned - 1 if planned > 0 else np.nan,
                "plan_within": bool(sums[0] <= planned <= sums[1]) if planned > 0 else pd.NA,
            }
        )
    return pd.DataFrame(rows)


def forecast_check(
    before: tuple[pd.DataFrame, PurchaseModel, SpendModel],
    now: tuple[pd.DataFrame, PurchaseModel, SpendModel],
    *,
    weeks: int,
    error: ForecastError | None = None,
    level: float = 0.8,
    seed: int = 0,
) -> dict[str, float]:
    """Hold the forecast for the last `weeks` against what came, and give the one for the next `weeks`.

    Parameters
    ----------
    before : customers, purchase model, spend model
        As of `weeks` ago; customers with holdout_revenue, what they brought since.
    now : customers, purchase model, spend model
    weeks : int
    error : ForecastError, optional
        Of past totals: widens the band, and its drift moves the next forecast.
    level, seed : float, int

    Returns
    -------
    dict
        weeks, forecast, forecast_low, forecast_high, came, next, next_low, next_high: revenue of the customers known
        when the forecast was made.
    """
    options = {"weeks": [weeks], "level": level, "seed": seed}
    # The drift was learned from the last weeks, so it cannot be credited to the forecast for them.
    last = outlook(*before, error=ForecastError(), corrected=False, **options).iloc[0]
    ahead = outlook(*now, error=error, **options).iloc[0]
    result = {"weeks": weeks, "came": float(before[0]["holdout_revenue"].astype(float).sum())}
    for name, row in (("forecast", last), ("next", ahead)):
        result |= {f"{name}{end}": float(row[f"revenue{end}"]) for end in ("", "_low", "_high")}
    return result


def forecast_sentence(check: dict[str, float], currency: str = "EUR", language: str = "en") -> str:
    """Say in one sentence what was forecast, what came and what is expected."""
    amounts = {name: compact(check[name], currency, language, 3) for name in check if name != "weeks"}
    text = (
        "The forecast for the last {weeks} weeks was {forecast}, {came} came; for the next {weeks} weeks {next} are "
        "expected ({next_low} to {next_high}) from the customers known today.",
        "Für die letzten {weeks} Wochen waren {forecast} vorhergesagt, gekommen sind {came}; für die nächsten {weeks} "
        "Wochen werden von den heute bekannten Kunden {next} erwartet ({next_low} bis {next_high}).",
    )[("en", "de").index(language)]
    return text.format(weeks=check["weeks"], **amounts)


def _ibis(table: pd.DataFrame | ir.Table, top: int = 0) -> ir.Table:
    if top < 0:
        raise WaageError(f"top must be the length of a list, got {top}")
    if isinstance(table, pd.DataFrame):
        if "person_id" not in table and "clv" not in table:
            raise WaageError(f"values: neither person_id nor clv among {', '.join(map(str, table))}")
        return ibis.memtable(table)
    return table
