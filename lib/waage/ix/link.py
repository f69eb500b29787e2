"""What a point of IX does to visits, conversion, basket and demand: the link, corrected for survey noise.

    y_gt = a_g + tau_t + sum over l = 0..L of b_l x_g,t-l + c'z_gt + e_gt
    s_gt = x_gt + u_gt,  Var(u_gt) = v_gt known

y are logs, x the experience itself, s what the survey shows of it. Least squares on s is pulled towards 0 by the
survey's noise; the noise's variance is known, so it is taken out of the cross products (`waage.ix.moments`). One set of
regressors serves all outcomes, so that effects on visits, conversion and basket add up to that on demand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.linalg import eigh
from scipy.stats import t as student

from waage.errors import Refusal, Told, WaageError, did_you_mean
from waage.ix.moments import Moments, jackknife, jackknife_covariance, shifted, two_way_moments
from waage.ix.panel import OUTCOMES, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_Y = tuple(f"y_{name}" for name in OUTCOMES)


@dataclass(frozen=True)
class Link:
    """The effect of a point of IX on four outcomes, in log points (.007 is 0.7 %).

    Attributes
    ----------
    method : str
        eiv (corrected), fe (uncorrected), oriv, incident_iv or pooled.
    coefficients : ndarray, shape (1 + G, L + 1, 4)
        Effect by weeks (or blocks) of delay on `OUTCOMES`: first of all units, then with each unit left out.
    control_effects : DataFrame
        outcome, control, effect, low, high.
    units, rows, block_weeks : int
        Units and unit-weeks that took part; weeks a period has.
    reliability : float
        Share (0 to 1) of the score's movement within units, less common weeks, that is not survey noise.
    conditioning : float
        Smallest share of signal in any combination of regressors; near 0 the correction divides by nearly nothing.
    confidence : float
    """

    method: str
    coefficients: np.ndarray
    control_effects: pd.DataFrame
    units: int
    rows: int
    block_weeks: int
    reliability: float
    conditioning: float
    confidence: float = 0.95

    @property
    def lags(self) -> int:
        """Periods of delay that are looked at."""
        return self.coefficients.shape[1] - 1

    @property
    def df(self) -> int:
        """Degrees of freedom of the jackknife: units - 1."""
        return self.units - 1

    @property
    def long_runs(self) -> np.ndarray:
        """Long-run effects, shape (1 + G, 4): first of all units, then with each unit left out."""
        return self.coefficients.sum(axis=1)

    def long_run(self, outcome: str = "demand") -> float:
        """Sum of the effects over all delays: what a point that lasts does in the end."""
        return float(self.long_runs[0, _place(outcome)])

    def std_error(self, outcome: str = "demand") -> float:
        """Standard error of the long-run effect, from the jackknife over units."""
        return float(jackknife(self.long_runs)[_place(outcome)])

    def interval(self, outcome: str = "demand") -> tuple[float, float]:
        """Return the interval of the long-run effect, t with units - 1 degrees of freedom."""
        half = student.ppf((1 + self.confidence) / 2, self.df) * self.std_error(outcome)
        return self.long_run(outcome) - half, self.long_run(outcome) + half

    def year_1(self, outcome: str = "demand") -> float:
        """Share of the long-run effect that is earned in the first year on average.

        (1/52) sum over k = 0..51 of [sum over l <= k of b_l] / long run, with blocks of weeks for weeks. NaN where the
        interval of the long run holds 0, or where delays of both signs put the share outside 0 to 1: it would be the
        quotient of two numbers near 0.
        """
        low, high = self.interval(outcome)
        if not low * high > 0:
            return float("nan")
        b = self.coefficients[0, :, _place(outcome)]
        year = round(52 / self.block_weeks)
        earned = np.maximum(year - np.arange(len(b)), 0) @ b / year
        share = float(earned / b.sum())
        return share if 0 <= share <= 1 else float("nan")

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the long-run effects on visits, conversion and basket, shape (3, 3), from the jackknife."""
        return jackknife_covariance(self.long_runs[:, :3])

    @property
    def summary(self) -> pd.DataFrame:
        """One row an outcome.

        method, outcome; short_run (same period); long_run, low, high, std_error, p_value; year_1.
        """
        quantile = student.ppf((1 + self.confidence) / 2, self.df)
        errors = jackknife(self.long_runs)
        table = pd.DataFrame(
            {
                "method": self.method,
                "outcome": OUTCOMES,
                "short_run": self.coefficients[0, 0],
                "long_run": self.long_runs[0],
                "low": self.long_runs[0] - quantile * errors,
                "high": self.long_runs[0] + quantile * errors,
                "std_error": errors,
            }
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            table["p_value"] = 2 * student.sf(np.abs(table["long_run"] / errors), self.df)
        table["year_1"] = [self.year_1(outcome) for outcome in OUTCOMES]
        return table

    @property
    def lag_profile(self) -> pd.DataFrame:
        """One row an outcome and delay: outcome, lag (periods), effect, low, high, cumulative and its low and high."""
        quantile = student.ppf((1 + self.confidence) / 2, self.df)
        summed = self.coefficients.cumsum(axis=1)
        ends, summed_ends = jackknife(self.coefficients) * quantile, jackknife(summed) * quantile
        parts = []
        for place, outcome in enumerate(OUTCOMES):
            b, c = self.coefficients[0, :, place], summed[0, :, place]
            part = pd.DataFrame({"outcome": outcome, "lag": np.arange(len(b)), "effect": b})
            part["low"], part["high"] = b - ends[:, place], b + ends[:, place]
            part["cumulative"] = c
            part["cumulative_low"], part["cumulative_high"] = c - summed_ends[:, place], c + summed_ends[:, place]
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def plot_lags(self, outcome: str = "demand", ax: "Axes | None" = None, language: str = "en") -> "Axes":
        """Draw the effect by weeks of delay, and its running sum with the interval."""
        from waage.ix.plots import plot_lags

        _place(outcome)
        return plot_lags(self.lag_profile, outcome, ax, language=language, block_weeks=self.block_weeks)


def link(
    panel: Panel,
    *,
    lags: int | None = None,
    basis: str = "free",
    controls: Sequence[str] | None = None,
    correct: bool = True,
    confidence: float = 0.95,
) -> Link:
    """Estimate what a point of IX does to visits, conversion, basket and demand.

    Two-way fixed effects, distributed lags, errors-in-variables moment correction with each cell's survey variance,
    leave-one-unit-out jackknife with t(G - 1).

    Parameters
    ----------
    panel : Panel
        As `build_panel` makes it; single weeks, or blocks of them.
    lags : int, optional
        Periods of delay beside the same one; 3 weeks, or as many blocks as hold them.
    basis : {"free", "almon", "decline"}
        Every delay its own coefficient; a parabola over delays that is 0 after the last (Almon 1965); a straight line
        down to 0 after the last, one coefficient in all.
    controls : sequence of str, optional
        Those of the panel that take part; all without it.
    correct : bool
        False leaves the noise in: least squares, for comparison.
    confidence : float

    Returns
    -------
    Link

    Raises
    ------
    Refusal
        With fewer than 3 units or no week in which two units have all lags; `waage.ix.guards` refuses earlier.
    WaageError
        For unknown controls or basis, or columns that cannot be told apart.

    References
    ----------
    Fuller (1987), Measurement Error Models, section 2.2; Griliches and Hausman (1986), Errors in variables in panel
    data, Journal of Econometrics 31; Efron and Stein (1981), The jackknife estimate of variance; Almon (1965).
    """
    lags = default_lags(panel) if lags is None else lags
    used = control_columns(panel, controls)
    moments = panel_moments(panel, range(lags + 1), used)
    x = lag_names(range(lags + 1))
    regressors = [*x, *used]
    W = lag_basis(basis, lags, len(used))
    found = moments.coefficients(regressors, _Y, basis=W, correct=correct)
    return Link(
        method="eiv" if correct else "fe",
        coefficients=found[:, : lags + 1],
        control_effects=control_table(found[:, lags + 1 :], used, moments.units, confidence),
        units=moments.units,
        rows=int(moments.rows.sum()),
        block_weeks=panel.block_weeks,
        reliability=reliability(moments),
        conditioning=conditioning(moments, regressors, W),
        confidence=confidence,
    )


def default_lags(panel: Panel) -> int:
    """Return how many periods of delay hold three weeks."""
    return -(-3 // panel.block_weeks)


def lag_names(offsets: Sequence[int]) -> list[str]:
    """Return the names of the score's columns in `panel_moments`: lag_0, lag_1, ...; lead_1 for -1."""
    return [f"lag_{o}" if o >= 0 else f"lead_{-o}" for o in offsets]


def control_columns(panel: Panel, controls: Sequence[str] | None = None) -> list[str]:
    """Return the columns of the controls that are asked for, all of the panel's without being asked."""
    names = panel.control_names if controls is None else controls
    unknown = [name for name in names if name not in panel.control_names]
    if unknown:
        hint = did_you_mean(unknown[0], panel.control_names)
        raise WaageError(
            f"link: the panel has no control {unknown[0]!r}{hint}; it has {', '.join(panel.control_names)}"
        )
    return [f"z_{name}" for name in names]


def panel_moments(
    panel: Panel,
    offsets: Sequence[int],
    controls: Sequence[str] = (),
    extra: dict[str, np.ndarray] | None = None,
    need: Sequence[int] = (),
) -> Moments:
    """Return the moments of score lags, controls, further columns (G, T) and outcomes of a panel.

    A unit-week takes part when it has all of them; `need` names further lags it must have, so that models with
    different lags compare on the same rows.
    """
    offsets = list(offsets)
    columns = [shifted(panel.score, o) for o in offsets]
    columns += [panel.controls[:, :, panel.control_names.index(name.removeprefix("z_"))] for name in controls]
    columns += list((extra or {}).values())
    columns = np.concatenate([np.stack(columns, axis=2), panel.outcomes], axis=2)
    rows = np.isfinite(columns).all(axis=2)
    for o in need:
        rows &= np.isfinite(shifted(panel.score, o))
    units, weeks = rows.any(axis=1).sum(), rows.any(axis=0).sum()
    # A week with one unit says nothing once the week's own effect is taken out; neither does a unit with one week.
    for _ in range(2):
        rows &= (rows.sum(axis=0) > 1)[None, :]
        rows &= (rows.sum(axis=1) > 1)[:, None]
    if rows.any(axis=1).sum() < 3 or rows.any(axis=0).sum() < 3:
        raise Refusal(
            Told(
                f"link: {units} units and {weeks} weeks have sales and scores for all lags; at least 3 of each are "
                "needed to compare units with each other, 8 units to say how sure one can be",
                f"Verknüpfung: {units} Einheiten und {weeks} Wochen haben Verkäufe und Werte für alle Verzögerungen; "
                "mindestens je 3 sind nötig, um Einheiten zu vergleichen, 8 Einheiten, um zu sagen, wie sicher",
            )
        )
    # Centred before demeaning, so that rounding stays at the last digits; effects take constants out anyway.
    columns = columns - np.nanmean(np.where(rows[:, :, None], columns, np.nan), axis=(0, 1))
    names = [*lag_names(offsets), *controls, *(extra or {}), *_Y]
    return two_way_moments(columns, names, rows, np.nan_to_num(panel.variance), offsets)


def reliability(moments: Moments, name: str = "lag_0") -> float:
    """Return 1 - mean(v) / Var(s) within units and weeks."""
    at = moments.names.index(name)
    return float(1 - moments.error[0, at, at] / moments.cross[0, at, at])


def conditioning(moments: Moments, regressors: Sequence[str], basis: np.ndarray | None = None) -> float:
    """Return the smallest eigenvalue of X'X - Om relative to X'X."""
    W = np.eye(len(regressors)) if basis is None else basis
    corrected = W.T @ moments.regressors(regressors)[0] @ W
    whole = W.T @ moments.regressors(regressors, correct=False)[0] @ W
    scale = np.sqrt(np.diag(whole))
    if not (scale > 0).all() or np.linalg.cond(whole / np.outer(scale, scale)) > 1e10:
        raise WaageError(f"link: {', '.join(regressors)} cannot be told apart in this panel; leave one out")
    return float(eigh(corrected / np.outer(scale, scale), whole / np.outer(scale, scale), eigvals_only=True)[0])


def control_table(found: np.ndarray, names: Sequence[str], units: int, confidence: float) -> pd.DataFrame:
    """Return the controls' own effects, one row an outcome and control."""
    half = student.ppf((1 + confidence) / 2, units - 1) * jackknife(found)
    rows = [
        (outcome, name.removeprefix("z_"), found[0, k, o], found[0, k, o] - half[k, o], found[0, k, o] + half[k, o])
        for o, outcome in enumerate(OUTCOMES)
        for k, name in enumerate(names)
    ]
    return pd.DataFrame(rows, columns=["outcome", "control", "effect", "low", "high"])


def lag_basis(basis: str, lags: int, controls: int) -> np.ndarray | None:
    """Return the matrix from free parameters to coefficients of lags and controls; None: all are free."""
    if basis == "free":
        return None
    kinds = ("free", "almon", "decline")
    if basis not in kinds:
        raise WaageError(f"link: basis {basis!r} is none of {', '.join(kinds)}{did_you_mean(basis, kinds)}")
    delay = np.arange(lags + 1) / (lags + 1)
    W = np.column_stack([1 - delay, delay * (1 - delay)])[:, : min(lags + 1, 2 if basis == "almon" else 1)]
    return np.block([[W, np.zeros((len(W), controls))], [np.zeros((controls, W.shape[1])), np.eye(controls)]])


def _place(outcome: str) -> int:
    if outcome not in OUTCOMES:
        raise WaageError(f"link: outcome {outcome!r} is none of {', '.join(OUTCOMES)}{did_you_mean(outcome, OUTCOMES)}")
    return OUTCOMES.index(outcome)
