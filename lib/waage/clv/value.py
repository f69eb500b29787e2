"""What customers will be worth: expected and discounted margin, once for each unique history, with intervals."""

from dataclasses import dataclass, field
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.clv.drawing import draw_purchases
from waage.clv.histories import KEYS, check_histories, unique_histories
from waage.clv.purchases import PurchaseModel
from waage.clv.spend import SpendModel, clean_history
from waage.errors import Refusal, WaageError

#: Columns of a valuation; the first nine are the table contract of `clv`.
COLUMNS = (
    *("person_id", "p_alive", "p_order_90d", "expected_orders", "expected_order_value", "value_12m", "clv"),
    *("clv_low", "clv_high", "days_to_order", "value_endangered", "value_past", "value_total", "T"),
)
FOREVER = 0
_ROWS = 65_536  # histories scored at a time


@dataclass(frozen=True)
class Terms:
    """What turns orders into value: the same for every customer, and printed beside every figure.

    Attributes
    ----------
    as_of : date
        Last day of the window that histories end at; months are calendar months counted from the day after it.
    margin_rate : float
        Margin as a share of the money in `monetary`, 0 to 1.
    discount_rate : float
        Per year, not negative. A month's margin is discounted from its middle: (1 + rate)^-((month - 1/2) / 12).
    horizon_months : int
        Months that count into expected_orders.
    clv_years : int
        Years that count into clv; 0 counts all that will ever come, for Pareto/NBD alone.
    return_cost : float
        Cost of a returned order, in the study's money; times a customer's return rate it may make a value negative.
    level : float
        Coverage of the intervals.
    """

    as_of: date
    margin_rate: float
    discount_rate: float
    horizon_months: int = 12
    clv_years: int = 3
    return_cost: float = 0.0
    level: float = 0.8

    def __post_init__(self):
        faults = []
        try:
            object.__setattr__(self, "as_of", pd.Timestamp(self.as_of).date())
        except (TypeError, ValueError):
            faults.append(f"as_of must be a day, got {self.as_of!r}")
        if not 0 <= self.margin_rate <= 1:
            faults.append(f"margin_rate must be a share between 0 and 1, got {self.margin_rate!r}")
        if not 0 <= self.discount_rate < np.inf:
            faults.append(
                f"discount_rate must not be negative, got {self.discount_rate!r} (0.10 is ten percent a year)"
            )
        if self.horizon_months < 1:
            faults.append(f"horizon_months must be at least 1, got {self.horizon_months}")
        if self.clv_years < 0 or (self.clv_years == FOREVER and not self.discount_rate):
            faults.append(f"clv_years must be at least 1 (0, all years, needs a discount_rate), got {self.clv_years}")
        if not 0 <= self.return_cost < np.inf:
            faults.append(f"return_cost must not be negative, got {self.return_cost!r}")
        if not 0 < self.level < 1:
            faults.append(f"level must lie between 0 and 1, got {self.level!r}")
        if faults:
            raise WaageError("terms: " + "; ".join(faults))

    @property
    def months(self) -> int:
        """Months that are looked at one by one."""
        return max(self.horizon_months, 12, 12 * self.clv_years)

    @property
    def weights(self) -> np.ndarray:
        """Discount factor of each month within 12 months and within clv_years, shape (2, months)."""
        month = np.arange(self.months)
        factor = (1 + self.discount_rate) ** -((month + 0.5) / 12)
        return np.array([factor * (month < 12), factor * (month < (12 * self.clv_years or self.months))])


@dataclass(frozen=True, eq=False)
class Scores:
    """What a unique history is worth, as `score_histories` returns it.

    Attributes
    ----------
    table : DataFrame
        One row a unique history: frequency, recency, T, n; p_alive, p_order_90d, days_to_order (NaN: more likely
        never), expected_orders; orders_12m and orders_clv (discounted), and p_alive_within, the probability they hold
        (of `purchases` itself, where another model says p_alive); and if there were draws low, high (bounds of
        clv before margin, per spend_unit + frequency monetary), low_orders, high_orders (discounted orders there),
        variance (of what low and high are bounds of), variance_orders (of the orders in the horizon), variance_12m
        (as variance, within 12 months).
    terms : Terms
    purchases, spend : PurchaseModel, SpendModel
    """

    table: pd.DataFrame = field(repr=False)
    terms: Terms
    purchases: PurchaseModel
    spend: SpendModel

    @property
    def spend_table(self) -> pd.DataFrame:
        """By frequency spend_unit and spend_pull: an order is expected to be worth pull (unit + frequency monetary)."""
        x = np.unique(self.table["frequency"].to_numpy())
        p, q, unit = self.spend.split(self.spend.params, x)
        return pd.DataFrame({"frequency": x, "spend_unit": unit, "spend_pull": p / (p * x + q - 1)})

    def with_spend(self) -> pd.DataFrame:
        """The table with spend_unit and spend_pull, without n."""
        return self.table.drop(columns="n").merge(self.spend_table, on="frequency", how="left")


def score_histories(
    histories: pd.DataFrame,
    purchases: PurchaseModel,
    spend: SpendModel,
    terms: Terms,
    *,
    alive_model: PurchaseModel | None = None,
    draws: int = 200,
    seed: int = 0,
) -> Scores:
    """Score every unique history once.

    Parameters
    ----------
    histories : DataFrame
        frequency, recency, T in days; n if counted.
    purchases, spend : PurchaseModel, SpendModel
        Fitted models; the spend model on the same money.
    terms : Terms
    alive_model : PurchaseModel, optional
        Who says whether a customer is still there, where `purchases` is a BG/NBD: that model takes all one-time buyers
        for alive, so without it their p_alive is NaN.
    draws, seed : int
        Predictive draws for each unique history; 0 leaves the intervals out. Draws take the parameters as they are:
        their uncertainty is negligible for one customer, and not for totals, see `value_totals`.

    Raises
    ------
    WaageError
        When histories are broken.
    Refusal
        When the spend model has no mean, or all years are asked of a model other than Pareto/NBD.

    Notes
    -----
    The money of a customer with mean value m in x repeat orders is (unit + x m) S / G, with S a sum of discounted
    Gamma(p) draws, one for each order, and G ~ Gamma(q + p x) (Fader and Hardie, note 025): its quantiles over the
    unit depend on the history alone, so a million customers need no more draws than their unique histories.
    """
    if draws < 0:
        raise WaageError(f"draws must not be negative, got {draws} (0 leaves the intervals out)")
    if spend.problem:
        raise Refusal(f"spend model: {spend.problem}")
    if terms.clv_years == FOREVER and purchases.model != "pareto":
        raise Refusal(f"clv_years 0 (all years) needs the model 'pareto', not {purchases.model!r}; set clv_years")
    if purchases.calendar is not None and purchases.calendar.as_of != terms.as_of:
        raise WaageError(f"the model's calendar starts after {purchases.calendar.as_of}, the terms after {terms.as_of}")
    unique = unique_histories(histories)
    columns = ["p_alive", "p_order_90d", "days_to_order", "expected_orders", "orders_12m", "orders_clv"]
    columns.append("p_alive_within")
    for name in columns:
        unique[name] = np.nan
    ends = month_ends(terms.as_of, terms.months)
    for start in range(0, len(unique), _ROWS):
        rows = slice(start, start + _ROWS)
        history = [unique[name].to_numpy(dtype=float)[rows] for name in KEYS]
        unique.iloc[rows, -len(columns) :] = _score(history, purchases, alive_model, terms, ends)
    history = [unique[name].to_numpy(dtype=float) for name in KEYS]
    alive = purchases.p_alive(*history) if draws else None
    names = ["low", "high", "low_orders", "high_orders", "variance", "variance_orders", "variance_12m"]
    if draws:
        unique[names] = _simulate(purchases, spend, history, alive, ends, terms, draws, seed)
    return Scores(unique, terms, purchases, spend)


def customer_value(customers: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """Value every customer: scores joined to persons.

    Parameters
    ----------
    customers : DataFrame
        One row per person: `person_id`, `frequency`, `recency`, `T` (days), `monetary` (mean value per repeat
        purchase day; ignored where frequency is 0); optionally `return_rate` (of future orders, 0 to 1) and
        `revenue` (all that was bought so far).
    scores : Scores
        Of (at least) these histories.

    Returns
    -------
    DataFrame
        One row per person, sorted by person_id. person_id, p_alive, p_order_90d; expected_orders (within
        horizon_months); expected_order_value (before margin); value_12m and clv (expected discounted margin less
        costs of returns in 12 months and in clv_years: the residual value); clv_low, clv_high; days_to_order (median,
        NaN where no order is more likely); value_endangered (clv if still active, times 1 - P(alive)); value_past
        (margin so far, NaN without `revenue`) and value_total (with clv: the value including history); T. The
        expectation of a customer who will probably buy nothing lies above clv_high.

    Raises
    ------
    WaageError
        When columns or ids are not usable, or a history has no score.
    """
    needed = ["person_id", *KEYS, "monetary"]
    missing = [name for name in needed if name not in customers]
    if missing:
        raise WaageError(f"customers: column {', '.join(missing)} missing; there are {', '.join(map(str, customers))}")
    faults = []
    if customers["person_id"].isna().any():
        faults.append("person_id is missing in some rows")
    if (twice := customers["person_id"].duplicated()).any():
        faults.append(
            f"person_id must be unique, {int(twice.sum())} rows repeat one, first "
            f"{customers['person_id'][twice].iloc[0]!r}"
        )
    if faults:
        raise WaageError("customer_value: " + "; ".join(faults))
    check_histories(customers)
    optional = [name for name in ("return_rate", "revenue") if name in customers]
    people = customers[[*needed, *optional]].sort_values("person_id", kind="stable", ignore_index=True)
    _, people["monetary"] = clean_history(
        people["frequency"], people["monetary"].to_numpy(dtype=float, na_value=np.nan)
    )
    joined = people.merge(scores.with_spend(), on=KEYS, how="left")
    if joined["spend_unit"].isna().any():
        raise WaageError(f"scores: {int(joined['spend_unit'].isna().sum())} histories have none; score these customers")
    for name in optional:
        joined[name] = joined[name].astype(float)
    for name, value in _valuation(joined, scores.terms).items():
        joined[name] = value
    if "clv_low" in joined:
        joined[["clv_low", "clv_high"]] = np.sort(joined[["clv_low", "clv_high"]], axis=1)
    return joined.reindex(columns=list(COLUMNS))


def value_table(histories: ir.Table, scores: Scores, stored: ir.Table | None = None) -> ir.Table:
    """Value every customer as one lazy expression: `customer_value` for as many customers as there are.

    Parameters
    ----------
    histories : ibis table
        As `waage.history.purchase_histories` returns them; optionally with return_rate and revenue.
    scores : Scores
        Of all unique histories in it.
    stored : ibis table, optional
        `scores.table` where the engine keeps it, so that it need not be handed over; of `scores` itself only terms and
        spend are then read, and the frequencies in its table.
    """
    needless = ["n", "variance", "variance_orders", "variance_12m"]
    if stored is None:
        slim = scores.table.drop(columns=needless, errors="ignore")
        stored = ibis.memtable(slim.astype(dict.fromkeys(KEYS, "int32")))
    stored = stored.drop(*[name for name in needless if name in stored.columns])
    stored = stored.mutate(**{name: stored[name].cast("int32") for name in KEYS})
    clean = histories.mutate(
        monetary=ibis.ifelse(histories.frequency > 0, histories.monetary.cast("float64"), 0.0),
        **{name: histories[name].cast("int32") for name in KEYS},
    )
    clean = clean.mutate(monetary=ibis.greatest(clean.monetary, 0.0))
    joined = clean.inner_join(stored, KEYS)
    joined = joined.inner_join(ibis.memtable(scores.spend_table.astype({"frequency": "int32"})), "frequency")
    table = joined.mutate(**_valuation(joined, scores.terms))
    if "clv_low" in table.columns:
        table = table.mutate(
            clv_low=ibis.least(table.clv_low, table.clv_high), clv_high=ibis.greatest(table.clv_low, table.clv_high)
        )
    gaps = {name: ibis.null("float64") for name in COLUMNS if name not in table.columns}
    return table.mutate(
        **gaps, T=table["T"].cast("int64"), days_to_order=table.days_to_order.nullif(float("nan"))
    ).select(*COLUMNS)


def _score(history, purchases: PurchaseModel, alive_model, terms: Terms, ends: np.ndarray) -> np.ndarray:
    """Score histories; columns as `score_histories` names them."""
    alive = purchases.p_alive(*history)
    near, far, before = np.zeros((3, len(alive)))
    horizon = None
    for end, weight_12m, weight_clv, month in zip(ends, *terms.weights, range(1, terms.months + 1), strict=True):
        until = purchases.expected_orders(end, *history, if_alive=True)
        # Differences of nearly equal expectations may come out as -1e-17.
        coming = np.maximum(until - before, 0.0)
        near += weight_12m * coming
        far += weight_clv * coming
        if month == terms.horizon_months:
            horizon = until
        before = until
    in_all = alive * far
    if terms.clv_years == FOREVER:
        in_all = purchases.discounted_orders(terms.discount_rate, *history)
    shown = alive
    if purchases.model == "bg":
        shown = np.where(history[0] > 0, alive, np.nan) if alive_model is None else alive_model.p_alive(*history)
    wait = purchases.days_to_order(*history)
    wait = np.where(np.isfinite(wait), wait, np.nan)
    near_orders = purchases.p_order(90, *history)
    return np.column_stack([shown, near_orders, wait, alive * horizon, alive * near, in_all, alive])


def _valuation(row, terms: Terms) -> dict:
    """The one place where scores become money: on a DataFrame or on an ibis table."""
    basis = row["spend_unit"] + row["frequency"] * row["monetary"]
    each = row["spend_pull"] * basis
    cost = terms.return_cost * row["return_rate"] if "return_rate" in row.columns else 0.0
    profit = terms.margin_rate * each - cost
    clv = row["orders_clv"] * profit
    result = {
        "expected_order_value": each,
        "value_12m": row["orders_12m"] * profit,
        "clv": clv,
        # If still there a customer would be worth clv over the P(alive) in it; 1 - P(alive) of that may be lost.
        "value_endangered": clv * (1 - row["p_alive"]) / (row["p_alive_within"] + 1e-300),
    }
    if "low" in row.columns:
        result["clv_low"] = terms.margin_rate * basis * row["low"] - cost * row["low_orders"]
        result["clv_high"] = terms.margin_rate * basis * row["high"] - cost * row["high_orders"]
    if "revenue" in row.columns:
        past = terms.margin_rate * row["revenue"]
        result |= {"value_past": past, "value_total": past + clv}
    return result


def value_concentration(values: pd.DataFrame | pd.Series, top: float = 0.2) -> float:
    """Share of all CLV held by the `top` share of customers (0.2: the best fifth); NaN without any value.

    Customers with a negative value are the last ones; the others may then hold more than all of it.

    Raises
    ------
    WaageError
        When `top` is not between 0 and 1 or values are missing.
    """
    if not 0 <= top <= 1:
        raise WaageError(f"top must be a share between 0 and 1, got {top!r}")
    customers, held = concentration_curve(values)
    return float(np.interp(top, customers, held))


def concentration_curve(values: pd.DataFrame | pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Shares of customers, most valuable first, and of the CLV they hold together; both from 0 to 1."""
    clv = values["clv"] if isinstance(values, pd.DataFrame) else values
    clv = np.sort(np.asarray(clv, dtype=float))[::-1]
    if len(clv) == 0 or not np.isfinite(clv).all():
        raise WaageError("values.clv: concentration needs at least one value and none missing")
    held = np.concatenate([[0.0], np.cumsum(clv)])
    # All shares from one division, so that the curve ends at exactly 1; undefined when there is nothing to share.
    held = held / held[-1] if held[-1] > 0 else np.full(len(held), np.nan)
    return np.arange(len(held)) / len(clv), held


def month_ends(as_of: date | str, months: int) -> np.ndarray:
    """Days from `as_of` to the end of each of the next calendar months, counted from the day after it."""
    start = pd.Timestamp(as_of).normalize() + pd.Timedelta(days=1)
    return np.array([(start + pd.DateOffset(months=k) - start).days for k in range(1, months + 1)])


def _simulate(purchases, spend, history, alive, ends, terms, draws, seed, chunk: int = 8_192) -> np.ndarray:
    """Bounds, the discounted orders at them, the variances of money per unit, of orders, of money in 12 months."""
    n, vector = len(alive), purchases.params.to_numpy(dtype=float)
    x, recency, T = purchases._history(*history)
    horizon = ends[-1] if terms.clv_years else int(np.ceil(365.25 * np.log(200) / np.log1p(terms.discount_rate)))
    limit = float(purchases._horizon(horizon, np.zeros(())))
    months = month_ends(terms.as_of, int(np.ceil(horizon / 30.4)) + 1) if not terms.clv_years else ends
    plain = (1 + terms.discount_rate) ** -((np.arange(len(months)) + 0.5) / 12)
    factor = terms.weights[1] if terms.clv_years else plain
    near_factor = plain * (np.arange(len(months)) < 12)
    closes = purchases._horizon(months.astype(float), months)
    p, q, _ = spend.split(spend.params, x)
    tails = ((1 - terms.level) / 2, (1 + terms.level) / 2)
    result = np.zeros((n, 7))
    for number, seeds in enumerate(np.random.SeedSequence(seed).spawn(-(-n // chunk))):
        rows = slice(number * chunk, (number + 1) * chunk)
        rng = np.random.default_rng(seeds)
        k, t_x, age, there = x[rows], recency[rows], T[rows], alive[rows]
        money, first_year, orders, near = np.zeros((4, draws, len(k)))
        for d in range(draws):
            buyers, counts, when = draw_purchases(purchases.model, vector, limit, k, t_x, age, rng, there)
            month = np.minimum(np.searchsorted(closes, when), len(factor) - 1)
            worth, each = factor[month], rng.standard_gamma(p, len(when))
            owner = np.repeat(np.arange(len(buyers)), counts)
            # A rate of zero would make money infinite; gamma draws underflow only for tiny shapes.
            rate = np.maximum(rng.standard_gamma(q + p * k[buyers]), 1e-12)
            for table, weight in ((money, worth), (first_year, near_factor[month])):
                table[d, buyers] = np.bincount(owner, weights=weight * each, minlength=len(buyers)) / rate
            orders[d, buyers] = np.bincount(owner, weights=worth, minlength=len(buyers))
            near[d, buyers] = np.bincount(owner[when < closes[terms.horizon_months - 1]], minlength=len(buyers))
        place = np.argsort(money, axis=0, kind="stable")
        for side, tail in enumerate(tails):
            at = np.quantile(np.arange(draws), tail)
            lower, upper = place[int(np.floor(at))], place[int(np.ceil(at))]
            part = at - np.floor(at)
            for column, drawn in ((side, money), (side + 2, orders)):
                low, high = (drawn[which, np.arange(len(k))] for which in (lower, upper))
                result[rows, column] = (1 - part) * low + part * high
        result[rows, 4:] = np.column_stack([drawn.var(axis=0) for drawn in (money, near, first_year)])
    return result
