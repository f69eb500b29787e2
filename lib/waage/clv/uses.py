"""What to do with values: whom to win back, whom to court, where to spend, what to expect of the coming weeks."""

import re
from collections.abc import Sequence
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.clv.histories import KEYS
from waage.clv.purchases import PurchaseModel
from waage.clv.spend import SpendModel
from waage.clv.totals import ForecastError, hide_small, order_draws
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
        value_if_active=table.value_endangered / (1 - table.p_alive)
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

    Returns
    -------
    dict
        new_per_week and its new_spread (standard deviation from week to week), first_value and its first_spread (from
        customer to customer), and the weeks_seen it rests on.
    """
    span = max(min(7 * weeks, int(customers["T"].max() + 1) // 2), 1)
    recent = customers.loc[customers["T"] < span]
    first = recent["first_value"].astype(float)
    whole = max(span // 7, 1)
    weekly = np.bincount(recent["T"].astype(int) // 7, minlength=whole)[:whole]
    return {
        "new_per_week": 7 * len(recent) / span,
        "new_spread": float(weekly.std(ddof=1)) if whole > 1 else float(np.sqrt(weekly[0])),
        "first_value": float(first.mean()) if len(first) else 0.0,
        "first_spread": float(first.std()) if len(first) > 1 else 0.0,
        "weeks_seen": whole,
    }


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
        As `value_totals` returns them for the same groups: gives value_12m, clv and its interval; sums of values are
        then moved as those totals are by past errors.
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
    frame["clv_low"] = frame["clv_high"] = np.nan
    if totals is not None:
        by_measure = {name: part.set_index("group") for name, part in totals.groupby("measure")}
        clv = by_measure["clv"]
        if (own := frame["clv"].sum()) != 0:
            frame["endangered"] *= clv.loc["all", "value"] / own
        frame["value_12m"] = frame["group"].map(by_measure["value_12m"]["value"])
        for name, end in (("clv", "value"), ("clv_low", "low"), ("clv_high", "high")):
            frame[name] = frame["group"].map(clv[end])
    frame["clv_share"] = frame["clv"] / frame["clv"].sum()
    frame["clv_per_customer"] = frame["clv"] / frame["customers"]
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
    rest_share: float = 0.0,
    new_per_week: float = 0.0,
    first_value: float = 0.0,
    new_spread: float = 0.0,
    first_spread: float = 0.0,
    weeks_seen: int = 52,
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
        Of past totals, of orders and of money; without it intervals hold chance and parameters alone.
    corrected : bool
        Whether totals move by the drift of past errors, as in `waage.clv.value_totals`.
    plan : sequence of float
        Planned revenue (the money of `monetary`) of each of `weeks`, of the whole company; empty: none.
    rest_share : float
        Share of the company's revenue that is nobody's of `customers`, see `share_of_rest`: the plan is held against
        revenue / (1 - rest_share).
    new_per_week, first_value : float
        Customers won each week and the mean value of their first order; they buy again as newcomers do. 0 leaves
        future customers out.
    new_spread, first_spread, weeks_seen : float
        As `newcomer_pace` returns them: what intervals know of future customers.
    level, seed : float, int

    Returns
    -------
    DataFrame
        weeks, orders (purchase days), orders_low, orders_high, orders_new (part of them from customers yet to be won),
        revenue, revenue_low, revenue_high, and with a plan revenue_all (of the whole company), revenue_all_low,
        revenue_all_high, plan, plan_gap (revenue_all / plan - 1), plan_within (whether the plan lies within the
        interval; NA without one).
    """
    if len(plan) not in (0, len(weeks)):
        wanted = ", ".join(map(str, weeks))
        raise WaageError(f"plan has {len(plan)} amounts; give one for each of {wanted} weeks, or none")
    if not 0 <= rest_share < 1:
        raise WaageError(f"rest_share must be a share of at least 0 and below 1, got {rest_share!r}")
    planned_for = dict(zip(weeks, plan, strict=False))
    n = customers["n"].to_numpy(dtype=float) if "n" in customers else np.ones(len(customers))
    each = spend.expected_order_value(customers["frequency"], customers["monetary"])
    history = [customers[name].to_numpy(dtype=float) for name in KEYS]
    rows = []
    for count in weeks:
        rng = np.random.default_rng(seed)
        known, moved, chance = order_draws(customers, purchases, 7 * count, rng=rng)
        orders = n * purchases.expected_orders(7 * count, *history)
        mean = float(orders @ each) / max(known, 1e-12)
        noise = float(orders @ each**2) / spend.params["p"]
        back, spread = _newcomers_orders(purchases, count, rng)
        size = len(moved)
        won = new_spread * (rng.standard_normal((size, count)) + rng.standard_normal((size, 1)) / np.sqrt(weeks_seen))
        again_chance = np.sqrt(new_per_week * spread.sum()) * rng.standard_normal(size)
        first_noise = new_per_week * (count * first_spread**2 + back.sum() * mean**2 / spend.params["p"])
        uniform, apart = rng.random(size), rng.standard_normal((2, size))
        # Purchase days, and their value: of new customers' first ones, of all others, and draws of both.
        repeats = known + new_per_week * back.sum()
        repeats_drawn = repeats * moved + chance + won @ back + again_chance
        first, first_drawn = new_per_week * count, new_per_week * count + won.sum(axis=1)
        sides = {
            "orders": (first, repeats, first_drawn, repeats_drawn, error),
            "revenue": (
                first * first_value,
                repeats * mean,
                first_drawn * first_value + np.sqrt(first_noise) * apart[0],
                repeats_drawn * mean + np.sqrt(noise) * apart[1],
                error.money if error is not None else None,
            ),
        }
        row = {"weeks": count}
        for name, (new, old, new_drawn, old_drawn, past) in sides.items():
            again = past.again if corrected and past is not None else 1.0
            drawn = again * old_drawn + new_drawn
            if past is not None:
                drawn = drawn * past.factors(uniform)
            ends = np.maximum(np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]), 0.0)
            row |= {name: again * old + new, f"{name}_low": float(ends[0]), f"{name}_high": float(ends[1])}
            if name == "orders":
                row["orders_new"] = first + again * new_per_week * float(back.sum())
        planned = planned_for.get(count, np.nan)
        asked = planned > 0
        for end in ("", "_low", "_high") if len(plan) else ():
            row[f"revenue_all{end}"] = row[f"revenue{end}"] / (1 - rest_share)
        row["plan"] = planned
        row["plan_gap"] = row["revenue_all"] / planned - 1 if asked else np.nan
        row["plan_within"] = bool(row["revenue_all_low"] <= planned <= row["revenue_all_high"]) if asked else pd.NA
        rows.append(row)
    return pd.DataFrame(rows)


def share_of_rest(everyone: ir.Table, orders: ir.Table, as_of: date, *, min_cell: int = 0, weeks: int = 52) -> float:
    """Return the share of the last weeks' revenue that cannot be forecast by customer: a plan holds it, too.

    Parameters
    ----------
    everyone : ibis table
        All orders, as `waage.history.customer_orders` returns them: anonymous ones have no person_id.
    orders : ibis table
        Those of persons who do not object to profiling.
    as_of : date
        Last day looked at.
    min_cell : int
        Where fewer persons object their revenue is left out, as the share would tell it.
    weeks : int
        How far back to look.
    """
    since = as_of - timedelta(days=7 * weeks)
    recent = everyone.filter(everyone.counts & (everyone.day > since) & (everyone.day <= as_of))
    own = orders.filter(orders.person_id.notnull()).select("person_id").distinct()
    known, left = recent.semi_join(own, "person_id"), recent.anti_join(own, "person_id")
    objecting = left.filter(left.person_id.notnull())
    if 0 < int(objecting.person_id.nunique().execute()) < min_cell:
        left = left.filter(left.person_id.isnull())
    sums = [float(table.net_revenue.sum().fill_null(0).execute()) for table in (known, left)]
    return max(sums[1], 0.0) / sum(sums) if sums[0] > 0 else 0.0


def _newcomers_orders(purchases: PurchaseModel, weeks: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the later purchase days of one customer won in each of the coming weeks, by its end."""
    end, start = 7.0 * weeks, 7 * (np.arange(weeks) + 0.5)
    left = end - start
    if purchases.calendar is not None:
        # The model's clock starts today; theirs starts when they are won, in another season.
        clock = purchases.calendar
        left = clock.days(clock.elapsed(end) - clock.elapsed(start))
    none = np.zeros(weeks)
    back = purchases.expected_orders(left, none, none, none)
    one = np.zeros(400)
    drawn = [
        purchases.draw_orders(days, one, one, one, draws=1, rng=rng, with_parameters=False)[0].var() for days in left
    ]
    return back, np.array(drawn)


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
        Of past totals: what it says of money widens the band, and its drift moves the next forecast.
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
