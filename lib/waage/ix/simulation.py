"""Simulated panels with a known effect: what the estimator's claims are tested on, and what plans rest on."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from waage.ix.panel import Panel

#: Log points of demand per point of the score, by weeks of delay; they add up to .0070.
EFFECT = (0.004, 0.002, 0.001)

#: How effect and shocks are split over visits, conversion and basket; effects add up to 1, variances of shocks, too.
_EFFECT_SHARES = np.array([0.5, 0.4, 0.1])
_SHOCK_SHARES = np.sqrt([0.6, 0.3, 0.1])

BURN_IN = 30


@dataclass(frozen=True)
class Truth:
    """True long-run effects (log points per point of the score) by outcome, and by weeks of delay for demand."""

    long_run: dict[str, float]
    by_lag: tuple[float, ...]


def simulate_panel(
    seed: int,
    *,
    units: int = 24,
    weeks: int = 104,
    answers: float = 150.0,
    effect: tuple[float, ...] = EFFECT,
    within_sd: float = 2.0,
    item_sd: float = 22.0,
    shock_sd: float = 0.05,
    promo_on_score: float = -0.5,
    feedback: float = 0.0,
    same_week: float = 0.0,
    incidents: float = 0.0,
    incident_size: float = -8.0,
    kinds: int = 1,
    heterogeneity: float = 0.0,
) -> tuple[Panel, Truth]:
    """Simulate a panel of units x weeks in which the effect of the score on demand is known.

    x = level of the unit + AR(.8) common to all + AR(.8) of its own; log demand = unit + random walk + yearly sine
    + .10 promo + effect of x by weeks of delay + AR(.4) shock; levels of both go together, so that pooled
    regressions mislead. The score is x + N(0, item_sd^2 / n), n ~ Poisson(answers).

    Parameters
    ----------
    seed, units, weeks : int
    answers : float
        Mean respondents of a unit's week.
    effect : tuple of float
        Log points of demand per point of the score, by weeks of delay.
    within_sd, item_sd, shock_sd : float
        SD of x within a unit (points), of a respondent's score, and of the shocks' innovations (log points).
    promo_on_score : float
        Points of x that a promotion costs; left out of the controls it would bias.
    feedback, same_week : float
        Points of x per log point of last week's, and of this week's own shock to demand: reverse causality.
    incidents, incident_size : float
        Mean incidents a unit and year, each of one to two weeks; points they take off x while they last.
    kinds : int
        Kinds of incidents, which take turns by unit and quarter.
    heterogeneity : float
        SD of the units' own long-run effects.

    Returns
    -------
    Panel, Truth
    """
    rng = np.random.default_rng([seed, 9])
    G, T = units, weeks + BURN_IN

    def ar(shape, rho, sd):
        draws = rng.standard_normal(shape) * sd
        draws[..., 1:] *= np.sqrt(1 - rho**2)
        return lfilter([1.0], [1.0, -rho], draws, axis=-1)

    level = rng.standard_normal(G)
    promo = (rng.random((G, T)) < 0.2) * rng.uniform(0.5, 1.5, (G, T))
    innovation = rng.standard_normal((G, T)) * shock_sd
    shock = lfilter([1.0], [1.0, -0.4], innovation, axis=1)
    x = 70 + 3 * level[:, None] + ar((1, T), 0.8, 1.5) + ar((G, T), 0.8, within_sd) + promo_on_score * promo
    x[:, 1:] += feedback * shock[:, :-1]
    x += same_week * shock
    exposure = np.zeros((G, T))
    if incidents:
        count = rng.poisson(incidents * T / 52, G)
        for g in range(G):
            start, length = rng.uniform(0, T - 2, count[g]), rng.uniform(1, 2, count[g])
            week = np.arange(T)[:, None]
            exposure[g] = np.clip(np.minimum(start + length, week + 1) - np.maximum(start, week), 0, None).sum(axis=1)
        x += incident_size * exposure
    slopes = np.asarray(effect, dtype=float) * np.ones((G, 1))
    if heterogeneity:
        slopes += heterogeneity * rng.standard_normal((G, 1)) * np.asarray(effect) / max(sum(effect), 1e-12)
    response = sum(slopes[:, [k]] * np.roll(x - 70, k, axis=1) for k in range(len(effect)))
    walk = np.cumsum(0.01 * rng.standard_normal(T))
    usual = 0.8 * level[:, None] + walk + 0.15 * np.sin(2 * np.pi * np.arange(T) / 52) + 0.10 * promo
    other = lfilter([1.0], [1.0, -0.4], rng.standard_normal((3, G, T)) * shock_sd, axis=2)
    # Three shocks that add up to the one of demand exactly.
    parts = _SHOCK_SHARES[:, None, None] ** 2 * shock + 0.4 * (other - other.mean(axis=0))
    logs = _EFFECT_SHARES[:, None, None] * response + parts
    logs += np.array([1.0, 0.0, 0.0])[:, None, None] * usual
    window = slice(BURN_IN, None)
    n = np.maximum(rng.poisson(answers, (G, weeks)), 2)
    variance = item_sd**2 / n
    half = rng.standard_normal((2, G, weeks)) * item_sd / np.sqrt(n / 2)
    visits = np.exp(11 + logs[0][:, window])
    orders = visits * np.exp(-3.4 + logs[1][:, window])
    true = x[:, window]
    # A variance is estimated from n answers, too.
    variance = variance * rng.chisquare(n - 1) / (n - 1)
    panel = Panel(
        units=tuple(f"unit_{g:03d}" for g in range(G)),
        weeks=pd.date_range("2023-01-02", periods=weeks, freq="7D"),
        score=true + half.mean(axis=0),
        variance=variance,
        n=n.astype(float),
        visits=visits,
        orders=orders,
        demand=orders * np.exp(4.2 + logs[2][:, window]),
        controls=promo[:, window, None],
        control_names=("promo",),
        halves=true + half,
    )
    if incidents:
        turn = (np.arange(weeks) // 13 + np.arange(G)[:, None]) % kinds
        under = np.stack([exposure[:, window] * (turn == kind) for kind in range(kinds)], axis=2)
        panel = replace(panel, exposure=under, kinds=tuple(f"incident_{kind + 1}" for kind in range(kinds)))
    total = float(sum(effect))
    shares = dict(zip(("visits", "conversion", "basket"), _EFFECT_SHARES * total, strict=True))
    return panel, Truth(shares | {"demand": total}, tuple(effect))
