"""Forecasts that need no purchase model: what every backtest shows beside it."""

import numpy as np
import pandas as pd

from waage.clv.histories import KEYS
from waage.errors import WaageError

BASELINES = ("zero", "same_count", "same_rate", "last_window", "segment_mean", "trees")


def baselines(
    histories: pd.DataFrame,
    holdout_days: int,
    calibration_days: float,
    *,
    earlier: pd.DataFrame | None = None,
    segment: str | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Predict purchase days in the next `holdout_days` by simple rules.

    Parameters
    ----------
    histories : DataFrame
        frequency, recency, T; optionally monetary, last_window and the column `segment`.
    holdout_days : int
    calibration_days : float
        Length of the calibration window.
    earlier : DataFrame, optional
        The same columns `holdout_days` before, and what happened until now as `x_holdout`; from a shorter window the
        counts scaled to `holdout_days`.
    segment : str, optional
    seed : int
        Of the trees.

    Returns
    -------
    dict of ndarray
        Of `BASELINES` those that the columns allow. zero: nobody returns. same_count: frequency, for equal length.
        same_rate: x / T. last_window: as many as in the last equal window. segment_mean: the mean of the segment
        in the last equal window. trees: gradient boosting (Poisson) on histories as of the earlier day.
    """
    x, _, T = (histories[name].to_numpy(dtype=float) for name in KEYS)
    found = {
        "zero": np.zeros(len(x)),
        "same_count": x * holdout_days / calibration_days,
        "same_rate": np.divide(x, T, out=np.zeros(len(x)), where=T > 0) * holdout_days,
    }
    if "last_window" in histories:
        found["last_window"] = histories["last_window"].to_numpy(dtype=float)
    if earlier is None:
        return found
    if "x_holdout" not in earlier:
        raise WaageError(f"earlier: column x_holdout missing; there are {', '.join(map(str, earlier))}")
    outcome = earlier["x_holdout"].to_numpy(dtype=float)
    if segment is not None:
        if missing := [
            name for name, frame in (("histories", histories), ("earlier", earlier)) if segment not in frame
        ]:
            raise WaageError(f"{' and '.join(missing)}: column {segment} missing; score the segments on both days")
        means = earlier.assign(_y=outcome).groupby(segment, observed=True)["_y"].mean()
        found["segment_mean"] = histories[segment].map(means).fillna(outcome.mean()).to_numpy(dtype=float)
    found["trees"] = _trees(histories, earlier, outcome, seed)
    return found


def _trees(histories: pd.DataFrame, earlier: pd.DataFrame, outcome: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    shared = [name for name in ("monetary", "last_window") if name in histories and name in earlier]
    booster = HistGradientBoostingRegressor(
        loss="poisson", learning_rate=0.05, max_iter=150, max_leaf_nodes=15, min_samples_leaf=40, random_state=seed
    )
    if outcome.sum() == 0:
        return np.zeros(len(histories))
    with threadpool_limits(1):  # sums in one order, and no threads that wait for busy cores
        booster.fit(_features(earlier, shared), outcome)
        return booster.predict(_features(histories, shared))


def _features(frame: pd.DataFrame, shared: list[str]) -> np.ndarray:
    x, recency, T = (frame[name].to_numpy(dtype=float) for name in KEYS)
    rest = [frame[name].to_numpy(dtype=float, na_value=np.nan) for name in shared]
    silence = T - recency
    # The usual gap, and the silence in its terms: what the purchase models look at, too.
    gap = np.divide(recency, x, out=np.full(len(x), np.nan), where=x > 0)
    overdue = np.divide(silence, gap, out=np.full(len(x), np.nan), where=gap > 0)
    return np.column_stack([x, recency, T, silence, x / (T + 1), gap, overdue, *rest])
