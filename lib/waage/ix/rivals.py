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
    """The effect in the series of the whole shop: what is left when units take from each other.

    Attributes
    ----------
    table : DataFrame
        One row an outcome (visits, conversion, basket): outcome, effect, std_error (log points per point of the shop's
        IX), panel_effect, panel_error (the same between units), reliability.
    panel_effect : float
        Long-run log points of demand between units.
    periods : int
    confidence : float
    """

    table: pd.DataFrame
    panel_effect: float
    periods: int
    confidence: float = 0.95

    @property
    def ratio(self) -> float:
        """The shop's effects over the panel's, outcomes weighted by precision: 1 without diversion."""
        weight = self.table["panel_effect"] / self._variance
        return float((weight * self.table["effect"]).sum() / (weight * self.table["panel_effect"]).sum())

    @property
    def ratio_error(self) -> float:
        """Standard error of the ratio, that of the panel included."""
        return float((self.table["panel_effect"] ** 2 / self._variance).sum() ** -0.5)

    @property
    def effect(self) -> float:
        """What is left of the effect on demand in the shop as a whole: ratio x panel."""
        return self.ratio * self.panel_effect

    @property
    def std_error(self) -> float:
        """Standard error of `effect`."""
        return self.ratio_error * abs(self.panel_effect)

    @property
    def interval(self) -> tuple[float, float]:
        """Interval of the shop's effect."""
        half = norm.ppf((1 + self.confidence) / 2) * self.std_error
        return self.effect - half, self.effect + half

    @property
    def difference_z(self) -> float:
        """How far the ratio lies below 1, in standard errors; above 2 panel and shop disagree."""
        return (1 - self.ratio) / self.ratio_error

    @property
    def summary(self) -> pd.DataFrame:
        """One row: effect, low, high, panel_effect, ratio, difference_z, periods."""
        low, high = self.interval
        row = {"effect": self.effect, "low": low, "high": high, "panel_effect": self.panel_effect}
        row |= {"ratio": self.ratio, "difference_z": self.difference_z, "periods": self.periods}
        return pd.DataFrame([row])

    @property
    def _variance(self) -> pd.Series:
        return self.table["std_error"] ** 2 + self.table["panel_error"] ** 2


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
    names = {j: [f"e{j}_{o}" for o in offsets] for j in range(len(panel.kinds))}
    extra = {names[j][o]: shifted(panel.exposure[:, :, j], o) for j in names for o in offsets}
    moments = panel_moments(panel, offsets, used, extra)
    touched = _distinct_kinds(panel, moments)
    if not touched:
        return None
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


def _distinct_kinds(panel: Panel, moments: Moments) -> list[int]:
    """Return the places of kinds that touched two units or more in weeks of the link, and not always with another."""
    kept, at = [], []
    for j in range(len(panel.kinds)):
        if ((panel.exposure[:, :, j] > 0) & moments.rows).any(axis=1).sum() < 2:
            continue
        k = moments.names.index(f"e{j}_0")
        own = left = moments.cross[:, k, k]
        if at:
            with_kept = moments.cross[:, at, k]
            slopes = np.linalg.solve(moments.cross[:, at][:, :, at], with_kept[:, :, None])[:, :, 0]
            left = own - (with_kept * slopes).sum(axis=1)
        if (left > 1e-6 * own.max()).all():
            kept.append(j)
            at.append(k)
    return kept


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
        row |= {"p_value": 2 * student.sf(abs(long_run) / error, df) if error else np.nan}
        row |= {"year_1": earned / long_run if long_run else np.nan}
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
    halves = split_half(panel, **choice)
    try:
        incidents = incident_iv(panel, **choice)
    except WaageError:
        incidents = None
    parts = [fitted.summary]
    parts += [] if halves is None else [halves.summary]
    parts += [] if incidents is None else [incidents.link.summary]
    parts += [uncorrected(panel, **choice), uncorrected(panel, pooled=True, **choice)]
    return pd.concat(parts, ignore_index=True), incidents, halves


def shop_series(panel: Panel, fitted: Link, *, harmonics: int = 2) -> ShopSeries:
    """Estimate the effect in the shop's own series, as a scope check for demand that units take from each other.

    Mean log outcome of all units = local level + AR(1) + yearly waves + controls + effect x mean experience, one
    outcome at a time, by state space (statsmodels UnobservedComponents). Delays are weighted as in the panel, so that
    one coefficient is the long run; what survey noise takes off it is put back by the reliability of the score's
    innovations. Outcome by outcome, because common shocks to visits are many times those to conversion: together they
    say what share of the panel's effect is left, twice as sharply as the one series of demand does. Still, a diversion
    of 60 % is told from none in five simulated studies out of twelve only: the interval is to be read, not the point.

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
    good = np.isfinite(panel.score) & np.isfinite(panel.demand)
    # The units that were there all along: a late one would move the shop's level.
    whole = good.mean(axis=1) >= 0.95 * good.mean(axis=1).max()
    outcomes, score = panel.outcomes[whole].mean(axis=0), panel.score[whole].mean(axis=0)
    variance = float(np.nanmean(panel.variance[whole]) / whole.sum())
    controls = panel.controls[whole].mean(axis=0)
    complete = np.isfinite(score) & np.isfinite(outcomes).all(axis=1) & np.isfinite(controls).all(axis=1)
    periods = np.flatnonzero(complete & np.isfinite(shifted(score[None], fitted.lags)[0]))
    if len(periods) * panel.block_weeks < 60:
        raise Refusal(f"the shop's series has {len(periods)} periods of all units; a scope check needs 60 weeks")
    inside = slice(periods[0], periods[-1] + 1)
    angle = 2 * np.pi * np.arange(len(score)) * panel.block_weeks / 52.18
    waves = np.column_stack([f(k * angle) for k in range(1, harmonics + 1) for f in (np.sin, np.cos)])
    others = np.column_stack([waves, pd.DataFrame(controls).interpolate(limit_direction="both")])[inside]
    rows = []
    for place, outcome in enumerate(OUTCOMES[:3]):
        weights = _delay_weights(fitted, place)
        delayed = sum(w * shifted(score[None], k)[0] for k, w in enumerate(weights))
        x = pd.Series(delayed[inside]).interpolate(limit_direction="both").to_numpy()
        y = np.where(complete, outcomes[:, place], np.nan)[inside]
        effect, error, kept = _series_effect(y, x, others, variance, weights, panel.block_weeks)
        own = (fitted.long_run(outcome), fitted.std_error(outcome))
        rows.append((outcome, effect, error, *own, kept))
    columns = ["outcome", "effect", "std_error", "panel_effect", "panel_error", "reliability"]
    table = pd.DataFrame(rows, columns=columns)
    return ShopSeries(table, fitted.long_run(), int(inside.stop - inside.start), fitted.confidence)


def _delay_weights(fitted: Link, place: int) -> np.ndarray:
    """Return the share of each delay in an outcome's effect; delays that partly cancel are those of demand, or one."""
    for at in (place, OUTCOMES.index("demand")):
        b = fitted.coefficients[0, :, at]
        if b.sum() > 0 and (b > -0.25 * b.sum()).all():
            return b / b.sum()
    return np.eye(fitted.lags + 1)[0]


def _series_effect(y, x, others, variance: float, weights, block_weeks: int) -> tuple[float, float, float]:
    """Return effect, standard error and the reliability of x's innovations by which both are divided."""
    import warnings

    from statsmodels.tsa.statespace.structural import UnobservedComponents

    exog = np.column_stack([x, others])
    exog = exog - exog.mean(axis=0)
    level = "llevel" if block_weeks == 1 else "rwalk"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence is judged by the error it leads to
        model = UnobservedComponents(y, level=level, autoregressive=1, exog=exog)
        result = model.fit(disp=False, maxiter=200, method="lbfgs")
        names = list(result.model.param_names)
        effect, error = (float(of[names.index("beta.x1")]) for of in (result.params, result.bse))
        rho = float(result.params[names.index("ar.L1")])
    ahead = exog[1:] - rho * exog[:-1]
    rest = np.column_stack([np.ones(len(ahead)), ahead[:, 1:]])
    left = ahead[:, 0] - rest @ np.linalg.lstsq(rest, ahead[:, 0], rcond=None)[0]
    noise = variance * (np.convolve(weights, [1.0, -rho]) ** 2).sum()
    kept = float(np.clip(1 - noise / (left @ left / (len(left) - rest.shape[1])), 0.3, 1.0))
    return effect / kept, error / kept, kept


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
