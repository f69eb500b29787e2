"""How good the purchase models are: a held-out window, beside what needs no model."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from waage.clv.histories import check_histories
from waage.clv.purchases import PurchaseModel
from waage.clv.spend import SpendModel
from waage.errors import WaageError, did_you_mean

BASELINES = ("zero", "same_count", "same_rate")


def backtest(
    histories: pd.DataFrame,
    holdout: pd.DataFrame | pd.Series,
    models: Iterable[PurchaseModel],
    *,
    holdout_days: int,
    seed: int,
    calibration_days: int | None = None,
    window: str = "holdout",
    draws: int = 400,
    with_parameters: bool = True,
    chunk: int = 10_000,
) -> pd.DataFrame:
    """Compare predictions with what customers did in a held-out window, beside three naive baselines.

    Parameters
    ----------
    histories : DataFrame
        One row per person at the end of the calibration window: `person_id`, `frequency`, `recency`, `T`.
    holdout : DataFrame or Series
        `person_id` and `x_holdout` (purchase days in the holdout window, 0 included), or a Series of the counts
        with person_id as index. Every person of `histories` must be in it.
    models : iterable of PurchaseModel
        Fitted on the calibration window, at most one of each kind.
    holdout_days : int
        Length of the holdout window, which starts the day after calibration ends.
    seed : int
        Of the simulated intervals.
    calibration_days : int, optional
        Length of the calibration window for `same_count`; by default the longest T plus the first day.
    window : str
        Name of this split in the result.
    draws, with_parameters, chunk
        Of the simulation, as in `customer_value`.

    Returns
    -------
    DataFrame
        Columns window, model, metric, value, low, high (95 %, simulated: total and bias_pct of models). Models
        bg, mbg, zero (nobody returns), same_count (as many as before, for equal length), same_rate (x / T). Metrics:
        total, actual_total; bias_pct (100 (total / actual - 1)); mae, rmse (purchase days per customer);
        spearman; gini (normalised: 1 ranks like the outcome, 0 like chance); top_decile (share of holdout
        purchases in the top predicted tenth, ties shared); coverage_80 (share of customers inside their
        simulated 80 % interval; above 0.8 by construction, as counts are whole numbers). What is not defined,
        such as the rank correlation of a constant, is NaN.

    Raises
    ------
    WaageError
        When persons are missing or repeated, or counts are broken.
    """
    joined, actual = _join(histories, holdout)
    history = tuple(joined[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T"))
    rows = []
    for name, model, predicted in _predictions(history, models, holdout_days, calibration_days):
        metrics = _metrics(predicted, actual)
        intervals = {}
        if model is not None:
            intervals, metrics["coverage_80"] = _simulated(
                model, history, actual, holdout_days, draws, seed, with_parameters, chunk
            )
        for metric, value in metrics.items():
            low, high = intervals.get(metric, (np.nan, np.nan))
            rows.append((window, name, metric, float(value), float(low), float(high)))
    return pd.DataFrame(rows, columns=["window", "model", "metric", "value", "low", "high"])


def backtest_revenue(
    histories: pd.DataFrame, model: PurchaseModel, spend: SpendModel, *, holdout_days: int, window: str = "holdout"
) -> pd.DataFrame:
    """Compare the money a model expects in the holdout with what came in.

    Parameters
    ----------
    histories : DataFrame
        `frequency`, `recency`, `T`, `monetary` at the end of the calibration window and `holdout_revenue`.
    model, spend : PurchaseModel, SpendModel
        Fitted on the calibration window.
    holdout_days : int
    window : str

    Returns
    -------
    DataFrame
        As `backtest`, metrics revenue_total, revenue_actual, revenue_bias_pct; no interval: the spread of
        purchases alone would flatter it.
    """
    orders = model.expected_orders(holdout_days, histories["frequency"], histories["recency"], histories["T"])
    expected = float((orders * spend.expected_order_value(histories["frequency"], histories["monetary"])).sum())
    actual = float(histories["holdout_revenue"].astype(float).sum())
    bias = 100 * (expected / actual - 1) if actual > 0 else np.nan
    rows = [("revenue_total", expected), ("revenue_actual", actual), ("revenue_bias_pct", bias)]
    return pd.DataFrame(
        [(window, model.model, metric, value, np.nan, np.nan) for metric, value in rows],
        columns=["window", "model", "metric", "value", "low", "high"],
    )


def holdout_by_group(
    histories: pd.DataFrame,
    holdout: pd.DataFrame | pd.Series,
    models: Iterable[PurchaseModel],
    *,
    holdout_days: int,
    by: str = "frequency",
    calibration_days: int | None = None,
    highest: int = 7,
) -> pd.DataFrame:
    """Mean predicted and actual holdout purchase days per group of customers, for calibration charts.

    Parameters
    ----------
    histories, holdout, models, holdout_days, calibration_days
        As in `backtest`.
    by : {"frequency", "decile"}
        Groups of equal calibration frequency, the last one `highest` and more; or tenths of each model's own
        prediction (10 the highest; equal predictions stay together, so tenths may differ in size or be empty).
    highest : int
        First frequency of the open last group.

    Returns
    -------
    DataFrame
        Columns by, group, model, n, predicted, actual.
    """
    if by not in ("frequency", "decile"):
        raise WaageError(
            f"by {by!r} is unknown; use 'frequency' or 'decile'{did_you_mean(by, ['frequency', 'decile'])}"
        )
    joined, actual = _join(histories, holdout)
    history = tuple(joined[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T"))
    parts = []
    for name, _, predicted in _predictions(history, models, holdout_days, calibration_days):
        if by == "frequency":
            group = np.minimum(history[0], highest)
        else:
            group = np.ceil(10 * (rankdata(predicted) - 0.5) / len(predicted))
        frame = pd.DataFrame({"group": group.astype(int), "predicted": predicted, "actual": actual})
        part = frame.groupby("group", as_index=False).agg(
            n=("actual", "size"), predicted=("predicted", "mean"), actual=("actual", "mean")
        )
        part.insert(0, "by", by)
        part.insert(2, "model", name)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def normalised_gini(predicted, actual) -> float:
    """Gini of the outcome ordered by the prediction, over that ordered by itself; equal predictions share ranks.

    NaN when the outcome is the same for everybody.
    """
    best = _concentration(actual, actual)
    return _concentration(predicted, actual) / best if best else float("nan")


def top_share(predicted, actual, top: float = 0.1) -> float:
    """Share of the outcome found in the `top` share of predictions; a tie at the border enters in proportion."""
    predicted, actual = np.asarray(predicted, dtype=float), np.asarray(actual, dtype=float)
    if actual.sum() == 0:
        return float("nan")
    _, group = np.unique(-predicted, return_inverse=True)
    people = np.concatenate([[0.0], np.cumsum(np.bincount(group))]) / len(actual)
    gains = np.concatenate([[0.0], np.cumsum(np.bincount(group, weights=actual))]) / actual.sum()
    return float(np.interp(top, people, gains))


def _join(histories: pd.DataFrame, holdout: pd.DataFrame | pd.Series) -> tuple[pd.DataFrame, np.ndarray]:
    if isinstance(holdout, pd.Series):
        holdout = pd.DataFrame({"person_id": holdout.index, "x_holdout": holdout.to_numpy()})
    for name, frame, column in (
        ("histories", histories, "person_id"),
        ("holdout", holdout, "person_id"),
        ("holdout", holdout, "x_holdout"),
    ):
        if column not in frame:
            raise WaageError(f"{name}: column {column} missing; there are {', '.join(map(str, frame))}")
    for name, frame in (("histories", histories), ("holdout", holdout)):
        if (twice := frame["person_id"].duplicated()).any():
            raise WaageError(
                f"{name}.person_id: {int(twice.sum())} rows repeat a person, first "
                f"{frame['person_id'][twice].iloc[0]!r}; one row per person"
            )
    check_histories(histories)
    columns = ["person_id", "frequency", "recency", "T"]
    joined = histories[columns].merge(holdout[["person_id", "x_holdout"]], on="person_id", how="left")
    actual = joined["x_holdout"].to_numpy(dtype=float, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        bad = ~np.isfinite(actual) | (actual < 0) | (actual % 1 != 0)
    if bad.any():
        raise WaageError(
            f"holdout.x_holdout: {int(bad.sum())} of {len(bad)} persons have no whole count, first "
            f"{joined['person_id'][bad].iloc[0]!r}; give 0 to those who bought nothing"
        )
    # By what they did, not by who they are: persons alike in all of it cannot be told apart in any figure.
    joined = joined.sort_values(["frequency", "recency", "T", "x_holdout"], kind="stable", ignore_index=True)
    return joined, joined["x_holdout"].to_numpy(dtype=float)


def _predictions(history, models, holdout_days, calibration_days):
    if holdout_days < 1:
        raise WaageError(f"holdout_days must be at least 1, got {holdout_days}")
    x, _, T = history
    models = list(models)
    names = [model.model for model in models]
    if len(set(names)) < len(names):
        raise WaageError(f"models: {', '.join(names)} repeats a kind; give one fitted model of each")
    for name, model in zip(names, models, strict=True):
        yield name, model, model.expected_orders(holdout_days, *history)
    length = calibration_days or T.max() + 1
    yield "zero", None, np.zeros(len(x))
    yield "same_count", None, x * holdout_days / length
    yield "same_rate", None, np.divide(x, T, out=np.zeros(len(x)), where=T > 0) * holdout_days


def _metrics(predicted: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    error = predicted - actual
    total = actual.sum()
    return {
        "total": predicted.sum(),
        "actual_total": total,
        "bias_pct": 100 * (predicted.sum() / total - 1) if total else np.nan,
        "mae": np.abs(error).mean(),
        "rmse": np.sqrt(np.mean(error**2)),
        "spearman": _spearman(predicted, actual),
        "gini": normalised_gini(predicted, actual),
        "top_decile": top_share(predicted, actual),
    }


def _spearman(predicted: np.ndarray, actual: np.ndarray) -> float:
    ranks = [rankdata(values) - (len(values) + 1) / 2 for values in (predicted, actual)]
    scale = np.sqrt(np.sum(ranks[0] ** 2) * np.sum(ranks[1] ** 2))
    return float(np.sum(ranks[0] * ranks[1]) / scale) if scale else float("nan")


def _concentration(order, outcome) -> float:
    outcome = np.asarray(outcome, dtype=float)
    n, total = len(outcome), outcome.sum()
    if total == 0:
        return 0.0
    return float(2 * np.sum(outcome * (rankdata(order) - (n + 1) / 2)) / (n * total))


def _simulated(model, history, actual, holdout_days, draws, seed, with_parameters, chunk):
    """95 % intervals of the total and its bias, and the coverage of the customers' 80 % intervals."""
    n = len(actual)
    # The kind of model takes part in the seed by its letters, so that the order of models does not matter.
    root = np.random.SeedSequence([seed, *model.model.encode()])
    parameter_seed, *chunk_seeds = root.spawn(1 + -(-n // chunk))
    params = (
        model.draw_parameters(draws, np.random.default_rng(parameter_seed))
        if with_parameters
        else np.tile(model.params.to_numpy(dtype=float), (draws, 1))
    )
    totals, inside = np.zeros(draws), 0
    for number, chunk_seed in enumerate(chunk_seeds):
        rows = slice(number * chunk, (number + 1) * chunk)
        orders = model.draw_orders(
            holdout_days,
            *(column[rows] for column in history),
            draws=draws,
            rng=np.random.default_rng(chunk_seed),
            params=params,
        )
        totals += orders.sum(axis=1)
        low, high = np.quantile(orders, [0.1, 0.9], axis=0, method="inverted_cdf")
        inside += np.count_nonzero((low <= actual[rows]) & (actual[rows] <= high))
    low, high = np.quantile(totals, [0.025, 0.975])
    intervals = {"total": (low, high)}
    if actual.sum():
        intervals["bias_pct"] = tuple(100 * (end / actual.sum() - 1) for end in (low, high))
    return intervals, inside / n
