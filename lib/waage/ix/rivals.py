"""Other ways to the same number, in one table: uncorrected, split-half, incidents, pooled, and the shop as a whole."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student

from waage.errors import Refusal, WaageError
from waage.ix.link import (
    Link,
    conditioning,
    control_columns,
    control_table,
    default_lags,
    lag_basis,
    lag_names,
    panel_moments,
    reliability,
)
from waage.ix.moments import Moments, jackknife_covariance, shifted
from waage.ix.panel import OUTCOMES, Panel

METHODS = ("eiv", "oriv", "incident_iv", "fe", "pooled")

#: First-stage F from which incidents count as strong instruments (Staiger and Stock 1997).
STRONG = 10.0

_Y = tuple(f"y_{name}" for name in OUTCOMES)


@dataclass(frozen=True)
class IncidentIV:
    """The effect as incidents show it, and how strongly they move the score.

    Attributes
    ----------
    link : Link
        Of the method incident_iv.
    first_stage : DataFrame
        kind, points (what a week under it takes off the score), low, high.
    strength : float
        F of the incidents in the score, robust to clusters of units; below `STRONG` the interval is not to be read.
    """

    link: Link
    first_stage: pd.DataFrame
    strength: float

    @property
    def strong(self) -> bool:
        """Whether the instruments are strong enough to be read."""
        return self.strength >= STRONG


@dataclass(frozen=True)
class ShopSeries:
    """The effect in the one series of the whole shop: what is left when units take demand from each other.

    Attributes
    ----------
    effect, std_error : float
        Long-run log points of demand per point of the shop's IX.
    panel_effect, panel_error : float
        The same between units.
    periods : int
    confidence : float
    """

    effect: float
    std_error: float
    panel_effect: float
    panel_error: float
    periods: int
    confidence: float = 0.95

    @property
    def interval(self) -> tuple[float, float]:
        """Interval of the shop's effect."""
        half = norm.ppf((1 + self.confidence) / 2) * self.std_error
        return self.effect - half, self.effect + half

    @property
    def ratio(self) -> float:
        """The shop's effect over the panel's: 1 without diversion, below 1 where units take from each other."""
        return self.effect / self.panel_effect if self.panel_effect else float("nan")

    @property
    def difference_z(self) -> float:
        """Panel less shop in standard errors; above 2 they disagree."""
        return (self.panel_effect - self.effect) / np.hypot(self.std_error, self.panel_error)

    @property
    def summary(self) -> pd.DataFrame:
        """One row: effect, low, high, panel_effect, ratio, difference_z, periods."""
        low, high = self.interval
        row = {"effect": self.effect, "low": low, "high": high, "panel_effect": self.panel_effect}
        row |= {"ratio": self.ratio, "difference_z": self.difference_z, "periods": self.periods}
        return pd.DataFrame([row])


def split_half(
    panel: Panel, *, lags: int | None = None, controls: list[str] | None = None, confidence: float = 0.95
) -> Link | None:
    """Let each half of the respondents instrument the other (ORIV): no survey variance is needed.

    (Za'Xb + Zb'Xa)^-1 (Za + Zb)'y over both orders; the errors of two halves are independent. None without halves.

    References
    ----------
    Gillen, Snowberg and Yariv (2019), Experimenting with measurement error, Journal of Political Economy 127.
    """
    if panel.halves is None:
        return None
    lags = default_lags(panel) if lags is None else lags
    used, offsets = control_columns(panel, controls), range(lags + 1)
    extra = {f"{half}{o}": shifted(panel.halves[i], o) for i, half in enumerate("ab") for o in offsets}
    moments = panel_moments(panel, offsets, used, extra)
    every = range(len(moments.cross))
    a = moments.at([*(f"a{o}" for o in offsets), *used])
    b = moments.at([*(f"b{o}" for o in offsets), *used])
    y = moments.at(_Y)
    left = moments.cross[np.ix_(every, a, b)] + moments.cross[np.ix_(every, b, a)]
    right = moments.cross[np.ix_(every, a, y)] + moments.cross[np.ix_(every, b, y)]
    found = np.linalg.solve(left, right)
    return _link("oriv", found, lags, used, moments, panel, confidence)


def incident_iv(
    panel: Panel,
    *,
    lags: int | None = None,
    controls: list[str] | None = None,
    basis: str = "free",
    confidence: float = 0.95,
) -> IncidentIV | None:
    """Let incidents move the score: free of survey noise and of demand that wears the shop down.

    One instrument for each lag, the incidents' expected effect on the score in that week: kinds are weighted by what
    they take off the score (so exactly identified, without the bias of many instruments). Incidents must act on
    demand through the experience alone. None without incidents of single units.

    Raises
    ------
    WaageError
        If the incidents' kinds cannot be told apart.
    """
    if panel.exposure is None or not panel.kinds:
        return None
    lags = default_lags(panel) if lags is None else lags
    used, offsets = control_columns(panel, controls), range(lags + 1)
    touched = [j for j in range(len(panel.kinds)) if (panel.exposure[:, :, j] > 0).any(axis=1).sum() > 1]
    if not touched:
        return None
    names = {j: [f"e{j}_{o}" for o in offsets] for j in touched}
    extra = {names[j][o]: shifted(panel.exposure[:, :, j], o) for j in touched for o in offsets}
    moments = panel_moments(panel, offsets, used, extra)
    first = [names[j][0] for j in touched]
    size = moments.coefficients([*first, *used], ["lag_0"], correct=False)[:, : len(touched), 0]
    every = range(len(moments.cross))

    def weighted(columns: np.ndarray) -> np.ndarray:
        z = np.stack(
            [
                sum(
                    size[:, [k]] * moments.cross[:, moments.at([names[j][o]])[0]][:, columns]
                    for k, j in enumerate(touched)
                )
                for o in offsets
            ],
            axis=1,
        )
        return np.concatenate([z, moments.cross[np.ix_(every, moments.at(used), columns)]], axis=1)

    x, y = moments.at([*lag_names(offsets), *used]), moments.at(_Y)
    W = lag_basis(basis, lags, len(used))
    W = np.eye(len(x)) if W is None else W
    try:
        found = W @ np.linalg.solve(W.T @ weighted(x) @ W, W.T @ weighted(y))
    except np.linalg.LinAlgError:
        raise WaageError(f"incident_iv: incidents of {', '.join(panel.kinds)} do not tell the lags apart") from None
    covariance = jackknife_covariance(size)
    strength = float(size[0] @ np.linalg.pinv(covariance, hermitian=True) @ size[0] / len(touched))
    half = student.ppf((1 + confidence) / 2, moments.units - 1) * np.sqrt(np.diag(covariance))
    stage = pd.DataFrame({"kind": [panel.kinds[j] for j in touched], "points": size[0]})
    stage["low"], stage["high"] = size[0] - half, size[0] + half
    return IncidentIV(_link("incident_iv", found, lags, used, moments, panel, confidence), stage, strength)


def uncorrected(
    panel: Panel,
    *,
    lags: int | None = None,
    controls: list[str] | None = None,
    pooled: bool = False,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what usual regressions say: linearmodels' PanelOLS with two-way effects, or without any (pooled).

    Both are pulled towards 0 by survey noise; the pooled one moreover reads good units as large ones. Standard errors
    are clustered by unit. Columns as `Link.summary`.

    Raises
    ------
    WaageError
        Where linearmodels is not installed.
    """
    try:
        from linearmodels.panel import PanelOLS, PooledOLS
    except ImportError:
        raise WaageError("uncorrected: linearmodels is not installed; pip install 'linearmodels>=7.1'") from None
    lags = default_lags(panel) if lags is None else lags
    used, offsets = control_columns(panel, controls), range(lags + 1)
    columns = {name: shifted(panel.score, o) for name, o in zip(lag_names(offsets), offsets, strict=True)}
    columns |= {name: panel.controls[:, :, panel.control_names.index(name.removeprefix("z_"))] for name in used}
    rows = np.isfinite(np.stack([*columns.values(), *np.moveaxis(panel.outcomes, 2, 0)])).all(axis=0)
    g, t = np.nonzero(rows)
    index = pd.MultiIndex.from_arrays([np.array(panel.units)[g], panel.weeks[t]], names=["unit", "week"])
    frame = pd.DataFrame({name: values[g, t] for name, values in columns.items()}, index=index)
    y = pd.DataFrame(panel.outcomes[g, t], index=index, columns=list(_Y))
    found = []
    df = len(np.unique(g)) - 1
    quantile = student.ppf((1 + confidence) / 2, df)
    for outcome in OUTCOMES:
        if pooled:
            model = PooledOLS(y[f"y_{outcome}"], frame.assign(const=1.0))
        else:
            model = PanelOLS(y[f"y_{outcome}"], frame, entity_effects=True, time_effects=True)
        fit = model.fit(cov_type="clustered", cluster_entity=True)
        ones = np.array([float(name.startswith("lag_")) for name in fit.params.index])
        b = fit.params.filter(like="lag_").to_numpy()
        long_run = float(b.sum())
        error = float(np.sqrt(ones @ fit.cov.to_numpy() @ ones))
        year = round(52 / panel.block_weeks)
        earned = float(np.maximum(year - np.arange(len(b)), 0) @ b / year)
        row = {"method": "pooled" if pooled else "fe", "outcome": outcome, "short_run": b[0], "long_run": long_run}
        row |= {"low": long_run - quantile * error, "high": long_run + quantile * error, "std_error": error}
        row |= {"p_value": 2 * student.sf(abs(long_run / error), df), "year_1": earned / long_run}
        found.append(row)
    return pd.DataFrame(found)


def estimators(panel: Panel, fitted: Link) -> tuple[pd.DataFrame, IncidentIV | None, Link | None]:
    """Return all estimates side by side, columns as `Link.summary`, with the incident and the split-half estimate.

    Parameters
    ----------
    panel : Panel
    fitted : Link
        The corrected estimate, whose lags the others take, too.
    """
    choice = {"lags": fitted.lags, "confidence": fitted.confidence}
    halves, incidents = split_half(panel, **choice), incident_iv(panel, **choice)
    parts = [fitted.summary]
    parts += [] if halves is None else [halves.summary]
    parts += [] if incidents is None else [incidents.link.summary]
    parts += [uncorrected(panel, **choice), uncorrected(panel, pooled=True, **choice)]
    return pd.concat(parts, ignore_index=True), incidents, halves


def shop_series(panel: Panel, fitted: Link, *, harmonics: int = 2) -> ShopSeries:
    """Estimate the effect in the shop's one series, as a scope check for demand that units take from each other.

    log demand of the shop = random walk + AR(1) + yearly waves + controls + effect * experience, by
    state space (statsmodels UnobservedComponents). Experience is the demand-weighted IX, its delays weighted as in the
    panel, so that one coefficient is the long run. In the demo's three years its standard error is four fifths of the
    effect: right on average, it tells a diversion of 60 % from none in one study out of five only. A hint, no verdict.

    Parameters
    ----------
    panel : Panel
    fitted : Link
        The corrected estimate, for the weights of delays and the comparison.
    harmonics : int
        Sine waves of the year; more did not sharpen it (demo).

    Raises
    ------
    Refusal
        With fewer than 60 weeks (or as many weeks in blocks) of all units.

    References
    ----------
    Harvey (1989), Forecasting, structural time series models and the Kalman filter.
    """
    import warnings

    from statsmodels.tsa.statespace.structural import UnobservedComponents

    early = np.isfinite(panel.score) & np.isfinite(panel.demand)
    # The units that were there all along: a late one would move the shop's level.
    whole = early.mean(axis=1) >= 0.95 * early.mean(axis=1).max()
    score, demand = panel.score[whole], panel.demand[whole]
    share = np.nansum(demand, axis=1) / np.nansum(demand)
    good = np.isfinite(score)
    ix = (np.nan_to_num(score) * share[:, None]).sum(axis=0) / np.maximum((good * share[:, None]).sum(axis=0), 1e-12)
    complete = np.isfinite(demand).all(axis=0) & good.any(axis=0)
    b = fitted.coefficients[0, :, OUTCOMES.index("demand")]
    # Delays whose weights partly cancel would not be a mean of weeks; then the same week stands for them.
    weights = b / b.sum() if b.sum() > 0 and (b > -0.25 * b.sum()).all() else np.eye(len(b))[0]
    delayed = sum(w * shifted(ix[None], k)[0] for k, w in enumerate(weights))
    periods = np.flatnonzero(complete & np.isfinite(delayed))
    if len(periods) * panel.block_weeks < 60:
        raise Refusal(f"the shop's series has {len(periods)} periods of all units; a scope check needs 60 weeks")
    first, last = periods[0], periods[-1] + 1
    y = np.where(complete, np.log(np.where(complete, demand.sum(axis=0), 1.0)), np.nan)[first:last]
    columns = [pd.Series(delayed[first:last]).interpolate().to_numpy()]
    angle = 2 * np.pi * np.arange(first, last) * panel.block_weeks / 52.18
    columns += [f(k * angle) for k in range(1, harmonics + 1) for f in (np.sin, np.cos)]
    for k in range(panel.controls.shape[2]):
        mean = np.nanmean(np.where(good, panel.controls[whole][:, :, k], np.nan), axis=0)[first:last]
        columns.append(pd.Series(mean).interpolate(limit_direction="both").to_numpy())
    exog = np.column_stack(columns)
    exog = exog - exog.mean(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence is judged by the error it leads to
        model = UnobservedComponents(
            y, level="llevel" if panel.block_weeks == 1 else "rwalk", autoregressive=1, exog=exog
        )
        result = model.fit(disp=False, maxiter=200, method="lbfgs")
        place = list(result.model.param_names).index("beta.x1")
        effect, error = float(result.params[place]), float(result.bse[place])
    return ShopSeries(effect, error, fitted.long_run(), fitted.std_error(), last - first, fitted.confidence)


def negative_outcome(panel: Panel, fitted: Link) -> tuple[float, float, float] | None:
    """Return effect, standard error and p-value on an outcome the experience cannot change; None without one."""
    if panel.negative is None:
        return None
    used, offsets = control_columns(panel), range(fitted.lags + 1)
    moments = panel_moments(panel, offsets, used, {"negative": panel.negative})
    found = moments.coefficients([*lag_names(offsets), *used], ["negative"])[:, : fitted.lags + 1, 0].sum(axis=1)
    error = float(np.sqrt(jackknife_covariance(found[:, None])[0, 0]))
    return float(found[0]), error, float(2 * student.sf(abs(found[0] / error), moments.units - 1))


def experiments(tests: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return the slope of demand on IX over experiments that asked both arms: evidence of the highest grade.

    Parameters
    ----------
    tests : DataFrame
        One row an A/B test: d_score (IX of treated less control), score_variance, d_log_demand.
    confidence : float

    Returns
    -------
    DataFrame
        One row: method, outcome, long_run, low, high, std_error, tests, reliability. Through the origin, corrected
        for survey noise, jackknifed over tests.

    Raises
    ------
    Refusal
        With fewer than 10 tests, or where most of the differences in score are survey noise.
    """
    s, y, v = (tests[name].to_numpy(dtype=float) for name in ("d_score", "d_log_demand", "score_variance"))
    if len(s) < 10:
        raise Refusal(f"experiments: {len(s)} tests; a slope needs at least 10, better 40")
    signal = s @ s - v.sum()
    share = signal / (s @ s)
    if share < 0.3:
        raise Refusal(f"experiments: {1 - share:.0%} of the differences in IX are survey noise; ask more in each arm")
    slope = s @ y / signal
    without = (s @ y - s * y) / (s @ s - s**2 - v.sum() + v)
    error = np.sqrt((len(s) - 1) / len(s) * ((without - without.mean()) ** 2).sum())
    half = student.ppf((1 + confidence) / 2, len(s) - 1) * error
    row = {"method": "experiment", "outcome": "demand", "long_run": slope, "low": slope - half, "high": slope + half}
    return pd.DataFrame([row | {"std_error": error, "tests": len(s), "reliability": share}])


def _link(method: str, found: np.ndarray, lags: int, used, moments: Moments, panel: Panel, confidence: float) -> Link:
    return Link(
        method=method,
        coefficients=found[:, : lags + 1],
        control_effects=control_table(found[:, lags + 1 :], used, moments.units, confidence),
        units=moments.units,
        rows=int(moments.rows.sum()),
        block_weeks=panel.block_weeks,
        reliability=reliability(moments),
        conditioning=conditioning(moments, [*lag_names(range(lags + 1)), *used]),
        confidence=confidence,
    )
