"""How strong an unseen factor would have to be to take the effect away."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from waage.ix.link import Link, control_columns, lag_names, panel_moments
from waage.ix.panel import OUTCOMES, Panel

_D = OUTCOMES.index("demand")


@dataclass(frozen=True)
class Robustness:
    """How strong an unseen confounder would have to be (Cinelli and Hazlett 2020).

    Attributes
    ----------
    value : float
        Share of the remaining variance of both IX and demand that it would have to explain to take the effect away.
    value_significance : float
        The same, to take its significance away.
    benchmarks : DataFrame
        One row a control: control, r2_score, r2_demand (partial, 0-1), adjusted (the effect after an unseen
        confounder as strong as this control).
    """

    value: float
    value_significance: float
    benchmarks: pd.DataFrame


def robustness_value(t: float, df: float, q: float = 1.0, significance: float | None = None) -> float:
    """Return the robustness value of a coefficient.

    f = q |t| / sqrt(df), less t_crit(df - 1) / sqrt(df - 1) for significance; RV = (sqrt(f^4 + 4 f^2) - f^2) / 2.

    Parameters
    ----------
    t : float
        t value of the coefficient.
    df : float
        Residual degrees of freedom.
    q : float
        Share of the effect that is to be taken away.
    significance : float, optional
        Level (0.05) below which the effect is to lose significance, instead of vanishing.

    References
    ----------
    Cinelli and Hazlett (2020), Making sense of sensitivity, JRSS B 82, equations 19 and 20.
    """
    f = q * abs(t) / np.sqrt(df)
    if significance is not None:
        f = max(f - student.ppf(1 - significance / 2, df - 1) / np.sqrt(df - 1), 0.0)
    return float((np.sqrt(f**4 + 4 * f**2) - f**2) / 2)


def robustness(panel: Panel, fitted: Link) -> Robustness:
    """Return the robustness value of the long run on demand, and what a confounder like each control would do.

    The long run is the coefficient of the same week's score in the regression that also has the other lags' differences
    to it. Partial R2 are those of the corrected moments. Degrees of freedom are those of the rows: with units - 1 the
    same t would look far more robust.
    """
    used = control_columns(panel)
    x = lag_names(range(fitted.lags + 1))
    moments = panel_moments(panel, range(fitted.lags + 1), used)
    p = len(x)
    # [lag_0, lag_1 - lag_0, ...]: the first coefficient is then the sum of all.
    turn = np.eye(p + len(used))
    turn[0, 1:p] = -1.0
    every = [*x, *used, f"y_{OUTCOMES[_D]}"]
    turn = np.block([[turn, np.zeros((len(turn), 1))], [np.zeros((1, len(turn))), np.ones((1, 1))]])
    cross = turn.T @ moments.regressors(every)[0] @ turn
    found, y = [], len(every) - 1
    others = [j for j in range(y) if j != 0]
    left_d, left_y = _residual(cross, 0, others), _residual(cross, y, [0, *others])
    df = moments.df - len(others) - 1
    classical = np.sqrt(left_y / df / left_d)
    # The jackknife's error is the wider one as a rule: significance is lost sooner than classical errors say.
    wider = max(fitted.std_error() / classical, 1.0)
    for k, name in enumerate(used, start=p):
        rest = [j for j in range(y) if j not in (0, k)]
        d2 = _partial_r2(cross, 0, k, rest)
        y2 = _partial_r2(cross, y, k, [0, *rest])
        adjusted = np.nan
        if d2 < 0.5:
            # Equations 13 to 15 with k_D = k_Y = 1.
            r2dz = d2 / (1 - d2)
            r2zx = d2**2 / ((1 - d2) * (1 - d2)) if d2 < 1 else 1.0
            r2yz = min((1 + np.sqrt(r2zx)) ** 2 / (1 - r2zx) * y2 / (1 - y2), 1.0)
            bias = np.sqrt(r2yz * r2dz / (1 - r2dz)) * np.sqrt(left_y / left_d)
            adjusted = fitted.long_run() - np.sign(fitted.long_run()) * bias
        found.append((name.removeprefix("z_"), d2, y2, adjusted))
    t = fitted.long_run() / classical
    return Robustness(
        value=robustness_value(t, df),
        value_significance=robustness_value(t / wider, df, significance=0.05),
        benchmarks=pd.DataFrame(found, columns=["control", "r2_score", "r2_demand", "adjusted"]),
    )


def _partial_r2(cross: np.ndarray, target: int, of: int, given: list[int]) -> float:
    without, with_it = _residual(cross, target, given), _residual(cross, target, [*given, of])
    return float(np.clip(1 - with_it / without, 0, 1)) if without > 0 else 0.0


def _residual(cross: np.ndarray, target: int, given: list[int]) -> float:
    if not given:
        return float(cross[target, target])
    at = np.ix_(given, given)
    return float(cross[target, target] - cross[target, given] @ np.linalg.solve(cross[at], cross[given, target]))
