"""What customers will be worth: expected and discounted margin, with predictive intervals."""

import datetime

import numpy as np
import pandas as pd

from waage.clv.histories import check_histories
from waage.clv.purchases import PurchaseModel
from waage.clv.spend import SpendModel, clean_history, draw_rates
from waage.errors import Refusal, WaageError

COLUMNS = ["person_id", "frequency", "recency", "T", "monetary"]


def customer_value(
    customers: pd.DataFrame,
    purchases: PurchaseModel,
    spend: SpendModel,
    *,
    horizon_months: int,
    as_of: datetime.date | str,
    margin_rate: float,
    discount_rate: float,
    draws: int = 400,
    level: float = 0.8,
    seed: int,
    with_parameters: bool = True,
    chunk: int = 10_000,
) -> pd.DataFrame:
    """Value every customer over the coming months.

    Orders are purchase days. Money is that of `monetary`: net revenue in, net revenue out. Months are calendar
    months counted from the day after `as_of`, with their real lengths; each month's margin is discounted from
    the middle of the month, (1 + discount_rate)^-((month - 1/2) / 12).

    Parameters
    ----------
    customers : DataFrame
        One row per person: `person_id`, `frequency`, `recency`, `T` (days), `monetary` (mean value per repeat
        purchase day; ignored where frequency is 0).
    purchases, spend : PurchaseModel, SpendModel
        Fitted models; the spend model on the same money.
    horizon_months : int
        Months that count into expected_orders and clv.
    as_of : date or ISO text
        Last day of the window that histories end at.
    margin_rate : float
        Margin as a share of the money in `monetary`, 0 to 1.
    discount_rate : float
        Per year, not negative.
    draws, level, seed : int, float, int
        Predictive draws per customer, coverage of the interval, seed. With fewer draws the interval's ends get
        coarser, not biased.
    with_parameters : bool
        Let the draws carry the uncertainty of the fitted parameters; negligible for one customer, not for totals.
    chunk : int
        Customers simulated at once: bounds memory (8 x draws x chunk bytes) and is part of the seed.

    Returns
    -------
    DataFrame
        One row per person, sorted by person_id: person_id, p_alive, p_order_90d, expected_orders (within the
        horizon), expected_order_value, value_12m (expected undiscounted value in 12 months, before margin), clv
        (expected discounted margin within the horizon), clv_low, clv_high. The expectation of a customer who
        will probably buy nothing lies above clv_high. `total_value` gives the totals of the same draws.

    Raises
    ------
    WaageError
        When columns, ids or rates are not usable, or the spend model has no mean.
    """
    months = int(horizon_months)
    _check(customers, spend, months, margin_rate, discount_rate, draws, level, chunk)
    customers = customers[COLUMNS].sort_values("person_id", kind="stable", ignore_index=True)
    x, recency, T = (customers[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T"))
    x, m = clean_history(x, customers["monetary"].to_numpy(dtype=float, na_value=np.nan))
    ends = month_ends(as_of, max(months, 12))
    discount = (1 + discount_rate) ** -((np.arange(len(ends)) + 0.5) / 12) * (np.arange(len(ends)) < months)

    # Each unique history is scored once; cumulating to the month ends costs one prediction per month.
    unique, place = np.unique(np.column_stack([x, recency, T]), axis=0, return_inverse=True)
    history, place = unique.T, place.reshape(-1)
    cumulated = np.array([purchases.expected_orders(end, *history) for end in ends])
    # Differences of nearly equal expectations may come out as -1e-17.
    monthly = np.maximum(np.diff(cumulated, axis=0, prepend=0.0), 0.0)
    order_value = spend.expected_order_value(x, m)
    result = pd.DataFrame(
        {
            "person_id": customers["person_id"],
            "p_alive": purchases.p_alive(*history)[place],
            "p_order_90d": purchases.p_order(90, *history)[place],
            "expected_orders": cumulated[months - 1][place],
            "expected_order_value": order_value,
            "value_12m": cumulated[11][place] * order_value,
            "clv": margin_rate * (discount @ monthly)[place] * order_value,
        }
    )
    low, high, totals = _simulate(
        purchases,
        spend,
        (x, recency, T, m),
        ends=ends,
        weights=np.column_stack([margin_rate * discount, np.arange(len(ends)) < 12]),
        months=months,
        draws=draws,
        tails=((1 - level) / 2, (1 + level) / 2),
        seed=seed,
        with_parameters=with_parameters,
        chunk=chunk,
    )
    result["clv_low"], result["clv_high"] = low, high
    result.attrs["total_value"] = _total_rows(result, totals, level)
    return result


def total_value(values: pd.DataFrame) -> pd.DataFrame:
    """Return the totals of all customers with their intervals, as `customer_value` simulated them.

    Columns measure (expected_orders, value_12m, clv), value, low, high. All customers of a draw share its
    parameters, so parameter uncertainty does not average out. The interval knows chance and estimation, not
    seasons, campaigns or the economy: compare it with the backtest before promising it.

    Raises
    ------
    WaageError
        When `values` is not what `customer_value` returned (a merge or a file drops the totals).
    """
    rows = values.attrs.get("total_value")
    if rows is None:
        raise WaageError(
            "values: no simulated totals attached; call total_value on the result of customer_value itself"
        )
    return pd.DataFrame(rows)


def value_concentration(values: pd.DataFrame | pd.Series, top: float = 0.2) -> float:
    """Share of all CLV held by the `top` share of customers (0.2: the best fifth); NaN without any value.

    Raises
    ------
    WaageError
        When `top` is not between 0 and 1 or values are negative or missing.
    """
    if not 0 <= top <= 1:
        raise WaageError(f"top must be a share between 0 and 1, got {top!r}")
    customers, held = concentration_curve(values)
    return float(np.interp(top, customers, held))


def concentration_curve(values: pd.DataFrame | pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Shares of customers, most valuable first, and of the CLV they hold together; both from 0 to 1."""
    clv = values["clv"] if isinstance(values, pd.DataFrame) else values
    clv = np.sort(np.asarray(clv, dtype=float))[::-1]
    if len(clv) == 0 or not (np.isfinite(clv) & (clv >= 0)).all():
        raise WaageError("values.clv: concentration needs at least one value and none negative or missing")
    held = np.concatenate([[0.0], np.cumsum(clv)])
    # All shares from one division, so that the curve ends at exactly 1; undefined when there is nothing to share.
    held = held / held[-1] if held[-1] > 0 else np.full(len(held), np.nan)
    return np.arange(len(held)) / len(clv), held


def month_ends(as_of: datetime.date | str, months: int) -> np.ndarray:
    """Days from `as_of` to the end of each of the next calendar months, counted from the day after it."""
    start = pd.Timestamp(as_of).normalize() + pd.Timedelta(days=1)
    return np.array([(start + pd.DateOffset(months=k) - start).days for k in range(1, months + 1)])


def _simulate(
    purchases, spend, history, *, ends, weights, months, draws, tails, seed, with_parameters, chunk
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Draw every customer's orders and their values; return interval ends and totals per draw."""
    n = len(history[0])
    root = np.random.SeedSequence(seed)
    parameter_seed, *chunk_seeds = root.spawn(1 + -(-n // chunk))
    rng = np.random.default_rng(parameter_seed)
    # One parameter vector per draw for all chunks: a total must not average the models' uncertainty away.
    if with_parameters:
        purchase_params, spend_params = (model.draw_parameters(draws, rng) for model in (purchases, spend))
    else:
        purchase_params, spend_params = (
            np.tile(model.params.to_numpy(dtype=float), (draws, 1)) for model in (purchases, spend)
        )
    low, high = np.empty(n), np.empty(n)
    totals = {name: np.zeros(draws) for name in ("expected_orders", "value_12m", "clv")}
    for number, chunk_seed in enumerate(chunk_seeds):
        rows = slice(number * chunk, (number + 1) * chunk)
        x, recency, T, m = (column[rows] for column in history)
        rng = np.random.default_rng(chunk_seed)
        margins = np.zeros((draws, len(x)))
        for d in range(draws):
            buyers, counts, when = purchases.draw_order_days(
                ends[-1], x, recency, T, params=purchase_params[d], rng=rng
            )
            rate = draw_rates(spend.split(spend_params[d], x[buyers]), x[buyers], m[buyers], rng)
            amounts = rng.standard_gamma(spend_params[d, 0], size=len(when)) / np.repeat(rate, counts)
            month = np.minimum(np.searchsorted(ends, when), len(ends) - 1)
            discounted, within_year = (amounts[:, None] * weights[month]).T
            margins[d] = np.bincount(np.repeat(buyers, counts), weights=discounted, minlength=len(x))
            totals["expected_orders"][d] += np.count_nonzero(month < months)
            totals["value_12m"][d] += within_year.sum()
            totals["clv"][d] += discounted.sum()
        low[rows], high[rows] = np.quantile(margins, tails, axis=0)
    return low, high, {name: np.quantile(drawn, tails) for name, drawn in totals.items()}


def _total_rows(result: pd.DataFrame, totals: dict[str, np.ndarray], level: float) -> list[dict]:
    # Plain numbers, because attrs travel into Parquet metadata as JSON.
    return [
        {
            "measure": name,
            "value": float(result[name].sum()),
            "low": float(low),
            "high": float(high),
            "level": float(level),
        }
        for name, (low, high) in totals.items()
    ]


def _check(customers, spend, months, margin_rate, discount_rate, draws, level, chunk) -> None:
    missing = [name for name in COLUMNS if name not in customers]
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
    if months < 1:
        faults.append(f"horizon_months must be at least 1, got {months}")
    if not 0 <= margin_rate <= 1:
        faults.append(f"margin_rate must be a share between 0 and 1, got {margin_rate!r}")
    if not 0 <= discount_rate < np.inf:
        faults.append(f"discount_rate must not be negative, got {discount_rate!r} (0.10 is ten percent a year)")
    if draws < 2 or chunk < 1:
        faults.append(f"draws must be at least 2 and chunk at least 1, got {draws} and {chunk}")
    if not 0 < level < 1:
        faults.append(f"level must lie between 0 and 1, got {level!r}")
    if faults:
        raise WaageError("customer_value: " + "; ".join(faults))
    if spend.problem:
        raise Refusal(f"spend model: {spend.problem}")
    check_histories(customers)
