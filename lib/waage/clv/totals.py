"""What all customers, or a segment of them, will be worth together: chance, parameters and the calendar added up."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.stats import t as student

from waage.clv.histories import KEYS
from waage.clv.purchases import PurchaseModel
from waage.clv.value import Scores, Terms, month_ends
from waage.errors import WaageError
from waage.privacy import mask_small
from waage.style import number

#: What is believed of the relative error of a total before any forecast was tested, and how many tests that is worth.
#: Judgements: a tenth, as much as five tests would say.
PRIOR_ERROR, PRIOR_TESTS = 0.10, 5
MEASURES = ("expected_orders", "value_12m", "clv")
_SAMPLE = 400  # histories that show how far a group's total moves with the parameters


@dataclass(frozen=True)
class ForecastError:
    """How far totals were off in the past beyond chance: what the plain interval of a total does not know.

    Attributes
    ----------
    scale : float
        Typical log(actual / forecast), lasting biases included.
    n : int
        Past forecasts it rests on, beside `PRIOR_TESTS` that a judgement counts for.
    drift : float
        Mean log(actual / forecast), shrunken by n / (n + 1): what of the past error is expected again, if a lasting and
        a passing error are taken to be equally likely. Half of a single miss, nearly all of many in one direction.
    of_money : ForecastError, optional
        The same of totals of revenue; by default money is taken to be missed as purchases are.
    """

    scale: float = PRIOR_ERROR
    n: int = 0
    drift: float = 0.0
    of_money: "ForecastError | None" = None

    @property
    def money(self) -> "ForecastError":
        """What is known of the errors of totals of revenue."""
        return self.of_money or self

    @property
    def again(self) -> float:
        """The factor by which a total is expected to be off again, 1 where nothing lasting was seen."""
        return float(np.exp(self.drift))

    def factors(self, uniform: np.ndarray) -> np.ndarray:
        """Turn uniform numbers into factors on a total: t-distributed on the log scale, wider with few forecasts."""
        return np.exp(self.scale * student.ppf(uniform, self.n + PRIOR_TESTS))


def past_error(
    actual: Sequence[float], forecast: Sequence[float], chance: Sequence[float] | float = 0.0
) -> ForecastError:
    """Sum up past forecasts of totals, one number for each origin.

    Parameters
    ----------
    actual, forecast : sequence of float
    chance : sequence of float
        Standard deviation of log(actual) that chance and parameters explain, which is not counted twice.

    Raises
    ------
    WaageError
        When a total is not positive.

    Notes
    -----
    The posterior of a variance about zero under a scaled inverse chi-squared prior (Gelman et al. 2013, Bayesian
    Data Analysis, section 2.6), which makes the next error t-distributed. Errors are taken to be as large, in
    relation to the total, over a year as over the windows tested.
    """
    actual, forecast = np.asarray(actual, dtype=float), np.asarray(forecast, dtype=float)
    if not (actual > 0).all() or not (forecast > 0).all():
        raise WaageError("past_error needs positive totals")
    beyond = np.maximum(np.log(actual / forecast) ** 2 - np.asarray(chance, dtype=float) ** 2, 0.0)
    n = len(actual)
    scale = float(np.sqrt((PRIOR_TESTS * PRIOR_ERROR**2 + beyond.sum()) / (PRIOR_TESTS + n)))
    return ForecastError(scale, n, float(np.log(actual / forecast).sum() / (n + 1)))


def value_cells(customers: pd.DataFrame | ir.Table, by: str | None = None) -> pd.DataFrame:
    """Count customers by group and history, with the sums that totals need.

    Parameters
    ----------
    customers : DataFrame or ibis table
        frequency, recency, T, monetary, optionally return_rate, the column `by`, and weight (share of the customer
        that belongs to the group, such as the probability of a type; 1 if absent).
    by : str, optional
        Column with groups (segment, type); by default all are one group. Customers without a group are "–".

    Returns
    -------
    DataFrame
        group, frequency, recency, T, n (sum of weights), money and money_2 (sum of the mean values and of their
        squares), rate (mean return rate).
    """
    if not isinstance(customers, ir.Table):
        customers = ibis.memtable(customers)
    kept = ibis.ifelse(customers.frequency > 0, customers.monetary.cast("float64"), 0.0)
    rate = customers.return_rate.cast("float64") if "return_rate" in customers.columns else ibis.literal(0.0)
    group = customers[by].cast("string").fill_null("–") if by else ibis.literal("all")
    share = customers.weight if "weight" in customers.columns else ibis.literal(1)
    keys = {name: customers[name].cast("int64") for name in KEYS}
    table = customers.select(group=group, money=ibis.greatest(kept, 0.0), rate=rate, weight=share, **keys)
    table = table.filter(table.weight > 0)
    table = table.group_by("group", *KEYS).agg(
        n=table.weight.sum(),
        money_2=(table.weight * table.money * table.money).sum(),
        money=(table.weight * table.money).sum(),
        rate=(table.weight * table.rate).sum() / table.weight.sum(),
    )
    return table.order_by("group", *KEYS).execute()


def value_totals(
    cells: pd.DataFrame,
    scores: Scores,
    *,
    error: ForecastError | None = None,
    corrected: bool = True,
    level: float | None = None,
    parameter_draws: int = 60,
    draws: int = 4000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the totals of groups of customers with intervals.

    Parameters
    ----------
    cells : DataFrame
        As `value_cells` returns them.
    scores : Scores
        Of (at least) these histories, with intervals.
    error : ForecastError, optional
        Of past forecasts; without it the interval holds chance and parameters alone, and no season, trend or
        campaign: it will miss. For value_12m and clv what it says of money counts.
    corrected : bool
        Whether totals move by the drift of past errors, as in `waage.clv.outlook`: the values of single customers do
        not, so that they add up to the totals only without a drift.
    level : float, optional
        Coverage, by default that of the terms.
    parameter_draws, draws, seed : int

    Returns
    -------
    DataFrame
        group ("all" last), measure (expected_orders, value_12m, clv), n, value, low, high, level, again (the factor of
        past errors in value, low and high).

    Notes
    -----
    Three parts, drawn together: chance (independent customers, hence normal, from each history's variance), the
    parameters (all customers of a draw share them; a sample in proportion to value shows how far the group's
    expectation moves) and the calendar (one factor on all).
    """
    terms, rng = scores.terms, np.random.default_rng(seed)
    level = terms.level if level is None else level
    if "variance" not in scores.table:
        raise WaageError("scores: they have no intervals, and totals need them; score with draws of at least 2")
    joined = cells.merge(scores.with_spend(), on=KEYS, how="left")
    if joined["orders_clv"].isna().any():
        raise WaageError(f"scores: {int(joined['orders_clv'].isna().sum())} histories have none; score these customers")
    x, n = joined["frequency"].to_numpy(dtype=float), joined["n"].to_numpy(dtype=float)
    unit, pull = joined["spend_unit"].to_numpy(), joined["spend_pull"].to_numpy()
    money, money_2 = joined["money"].to_numpy(), joined["money_2"].to_numpy()
    basis, basis_2 = unit * n + x * money, unit**2 * n + 2 * unit * x * money + x**2 * money_2
    profit = terms.margin_rate * pull * basis - terms.return_cost * joined["rate"].to_numpy() * n
    joined["expected_orders"] *= n
    joined["value_12m"] = joined["orders_12m"] * profit
    joined["clv"] = joined["orders_clv"] * profit
    squares = terms.margin_rate**2 * basis_2
    variance = {
        "expected_orders": n * joined["variance_orders"].to_numpy(),
        "value_12m": squares * joined["variance_12m"].to_numpy(),
        "clv": squares * joined["variance"].to_numpy(),
    }
    groups = joined["group"].to_numpy()
    sides = [(name, groups == name) for name in pd.unique(groups) if name != "all"]
    sides.append(("all", np.ones(len(groups), dtype=bool)))
    purchase_params = scores.purchases.draw_parameters(parameter_draws, rng)
    spend_params = scores.spend.draw_parameters(parameter_draws, rng)
    calendar = rng.random(draws)
    pick, chance = rng.integers(0, parameter_draws, draws), rng.standard_normal(draws)
    rows = []
    for name, mine in sides:
        moved = _parameter_ratios(joined[mine], money[mine], scores, purchase_params, spend_params, rng)
        for measure in MEASURES:
            value = float(joined.loc[mine, measure].sum())
            spread = float(np.sqrt(variance[measure][mine].sum()))
            drawn = value * moved[measure][pick] + spread * chance
            again = 1.0
            if error is not None:
                past = error if measure == "expected_orders" else error.money
                again = past.again if corrected else 1.0
                value, drawn = again * value, again * drawn * past.factors(calendar)
            if measure == "expected_orders" or not terms.return_cost:
                drawn = np.maximum(drawn, 0.0)  # a small group's chance is not quite normal
            low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
            rows.append((name, measure, round(n[mine].sum()), value, float(low), float(high), float(level), again))
    return pd.DataFrame(rows, columns=["group", "measure", "n", "value", "low", "high", "level", "again"])


def hide_small(table: pd.DataFrame, count: str, *values: str, min_cell: int, others: int = 0) -> pd.DataFrame:
    """Hide small groups, and a further one wherever a total would tell them.

    Totals of value leave out who objects to profiling, so these `others` cover for no hidden group; where none is
    hidden, totals known from elsewhere must not tell the others.
    """
    masked = mask_small(table, count, *values, min_cell=min_cell)
    if masked[count].isna().any():
        return masked
    return mask_small(table, count, *values, min_cell=min_cell, others=others)


def count_text(count: int, min_cell: int, language: str = "en") -> str:
    """Return a number of customers as text, without counting out a group too small to be shown."""
    if 0 < count < min_cell:
        return ("fewer than {n}", "weniger als {n}")[language == "de"].format(n=number(min_cell, language))
    return number(count, language)


def shown_totals(totals: pd.DataFrame, *, min_cell: int, others: int = 0) -> pd.DataFrame:
    """Return the totals that may be shown: those of groups too small are left out, as `hide_small` hides them."""
    whole = totals[totals["group"] == "all"]
    parts = totals[totals["group"] != "all"]
    kept = hide_small(parts.drop_duplicates("group"), "n", min_cell=min_cell, others=others)
    kept = kept.loc[kept["n"].notna(), "group"]
    return pd.concat([parts[parts["group"].isin(kept)], whole[whole["n"] >= min_cell]], ignore_index=True)


def order_total(
    histories: pd.DataFrame,
    purchases: PurchaseModel,
    days: int,
    *,
    error: ForecastError | None = None,
    corrected: bool = False,
    level: float = 0.95,
    draws: int = 400,
    parameter_draws: int = 100,
    seed: int = 0,
) -> dict[str, float]:
    """Return the expected orders of all customers in `days` and the interval of their total: value, low, high.

    Chance by exact draws, the parameters by the expectation under drawn ones, the calendar by `error`; `corrected`
    moves all three by its drift.
    """
    rng = np.random.default_rng(seed)
    value, moved, chance = order_draws(
        histories, purchases, days, draws=draws, parameter_draws=parameter_draws, rng=rng
    )
    total = value * moved + chance
    if error is not None:
        total = total * error.factors(rng.random(len(total)))
    low, high = np.quantile(total, [(1 - level) / 2, (1 + level) / 2])
    again = error.again if corrected and error is not None else 1.0
    return {"value": again * value, "low": float(again * max(low, 0.0)), "high": float(again * high)}


def order_draws(
    histories: pd.DataFrame,
    purchases: PurchaseModel,
    days: int,
    *,
    draws: int = 400,
    parameter_draws: int = 100,
    rng: np.random.Generator,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the expected orders of all customers in `days` and what makes their total uncertain.

    Returns
    -------
    value : float
    moved : ndarray
        Ratios of the expectation under drawn parameters to it, shape (20 draws,).
    chance : ndarray
        Purchase days that chance adds, of the same shape.
    """
    x, recency, T = (histories[name].to_numpy(dtype=float) for name in KEYS)
    n = histories["n"].to_numpy(dtype=float) if "n" in histories else np.ones(len(x))
    expected = purchases.expected_orders(days, x, recency, T)
    sampled = _sample(expected * n, rng)
    means = [
        _with(purchases, params).expected_orders(days, x[sampled], recency[sampled], T[sampled]) / expected[sampled]
        for params in purchases.draw_parameters(parameter_draws, rng)
    ]
    moved = np.array([mean.mean() for mean in means])
    drawn = purchases.draw_orders(days, x, recency, T, draws=min(draws, 100), rng=rng, with_parameters=False)
    spread = float(np.sqrt(n @ drawn.var(axis=0, ddof=1)))
    return float(n @ expected), rng.choice(moved, 20 * draws), spread * rng.standard_normal(20 * draws)


def _parameter_ratios(part, money, scores: Scores, purchase_params, spend_params, rng) -> dict[str, np.ndarray]:
    """How the expectation of a group moves with the parameters: ratios to the estimate, shape (draws,)."""
    terms = scores.terms
    orders = part["expected_orders"].to_numpy()
    chosen = _sample(orders + 1e-300, rng)
    few = part.iloc[chosen]
    history = [few[name].to_numpy(dtype=float) for name in KEYS]
    mean = money[chosen] / few["n"].to_numpy(dtype=float)
    base_each = scores.spend.expected_order_value(history[0], mean)
    base = _three(scores.purchases, terms, history)
    ratios = {name: np.ones(len(purchase_params)) for name in MEASURES}
    # Sampled in proportion to orders: the weights turn that into shares of the other measures.
    weights = {name: few[name].to_numpy() / (orders[chosen] + 1e-300) for name in MEASURES}
    for d, (own, spend) in enumerate(zip(purchase_params, spend_params, strict=True)):
        moved = _three(_with(scores.purchases, own), terms, history)
        p, q, unit = scores.spend.split(spend, history[0])
        each = p * (unit + history[0] * mean) / (p * history[0] + q - 1) / base_each
        for name in MEASURES:
            if weights[name].sum() != 0:
                factor = moved[name] / np.maximum(base[name], 1e-300) * (1.0 if name == "expected_orders" else each)
                ratios[name][d] = np.average(factor, weights=weights[name])
    return ratios


def _three(model: PurchaseModel, terms: Terms, history) -> dict[str, np.ndarray]:
    """Expected orders of the three horizons, discounted year by year: for ratios, where months cancel."""
    years = terms.clv_years or 10
    ends = month_ends(terms.as_of, max(12 * years, terms.horizon_months))
    alive = model.p_alive(*history)
    until = [model.expected_orders(ends[12 * year - 1], *history, if_alive=True) for year in range(1, years + 1)]
    coming = np.diff(np.array(until), axis=0, prepend=0.0)
    factor = (1 + terms.discount_rate) ** -(np.arange(years) + 0.5)
    horizon = until[0]
    if terms.horizon_months != 12:
        horizon = model.expected_orders(ends[terms.horizon_months - 1], *history, if_alive=True)
    return {"expected_orders": alive * horizon, "value_12m": alive * coming[0], "clv": alive * (factor @ coming)}


def _with(model: PurchaseModel, params) -> PurchaseModel:
    return replace(model, params=pd.Series(params, index=model.params.index))


def _sample(size: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw positions in proportion to size, systematically."""
    edges = np.cumsum(size)
    if not edges[-1] > 0:
        return np.arange(min(len(size), _SAMPLE))
    points = (np.arange(_SAMPLE) + rng.random()) / _SAMPLE * edges[-1]
    return np.minimum(np.searchsorted(edges, points), len(size) - 1)
