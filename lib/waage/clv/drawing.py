"""Exact draws of the future: who is still there, how often they buy, and when."""

import numpy as np

from waage.clv.likelihood import alive_probability, survivals


def draw_purchases(
    model: str, params, horizon: float, x, recency, T, rng: np.random.Generator, alive=None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw once what customers buy within `horizon`, in the units of `params`.

    Alive ~ Bernoulli(P(alive)), rate ~ Gamma(r + x, alpha + T). BG/NBD and MBG/NBD: drop-out p ~ Beta(a, b + x)
    (MBG/NBD: b + x + 1, the first purchase was survived too), orders = min(Poisson(rate t), Geometric(p)); a
    living customer leaves only after a future purchase, which still counts. Pareto/NBD: the remaining lifetime is
    exponential with a rate drawn from Gamma(s, beta + T).

    Parameters
    ----------
    alive : ndarray, optional
        P(alive), where it is known already.

    Returns
    -------
    buyers : ndarray of int
        Positions of those who buy, ascending.
    counts : ndarray of int
        Their purchases.
    when : ndarray of float
        Times of the purchases, those of a buyer side by side, in no order; length counts.sum().
    """
    r, alpha, third, fourth = params
    if alive is None:
        alive = alive_probability(model, params, x, recency, T)
    living = np.flatnonzero(rng.random(len(x)) < alive)
    rate = rng.standard_gamma(r + x[living]) / (alpha + T[living])
    if model == "pareto":
        leaving = np.maximum(rng.standard_gamma(third, len(living)) / (fourth + T[living]), 1e-300)
        span = np.minimum(rng.standard_exponential(len(living)) / leaving, horizon)
        counts = rng.poisson(rate * span)
        buys = counts > 0
        counts, span = counts[buys], span[buys]
        return living[buys], counts, rng.random(int(counts.sum())) * np.repeat(span, counts)
    wanted = rng.poisson(rate * horizon)
    buyers, wanted = living[wanted > 0], wanted[wanted > 0]
    # A drop-out probability below 1e-12 cannot be told from never; the geometric law needs it positive.
    leaving = np.maximum(rng.beta(third, survivals(model, fourth, x[buyers])), 1e-12)
    limit = rng.geometric(leaving)
    when = rng.random(int(wanted.sum())) * horizon
    counts = np.minimum(wanted, limit)
    cut = wanted > limit
    if cut.any():
        # Given their number, Poisson times are uniform; who leaves keeps the earliest ones.
        here = np.repeat(cut, wanted)
        wanted, limit = wanted[cut], limit[cut]
        owner = np.repeat(np.arange(len(wanted)), wanted)
        rank = np.arange(len(owner)) - np.repeat(np.cumsum(wanted) - wanted, wanted)
        early = when[here]
        when[here] = np.where(rank < np.repeat(limit, wanted), early[np.lexsort((early, owner))], np.nan)
        when = when[~np.isnan(when)]
    return buyers, counts, when


def highest_mass(drawn: np.ndarray, actual: np.ndarray, levels: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return whether counts lie in the highest-mass sets of drawn counts, and the mass of those sets.

    The smallest set of counts with at least `level` of the mass: for counts full of zeros a central interval would
    hold far more than it says. A set holds whole counts, so its mass may lie well above `level`: where "nothing" alone
    has 90 %, no set has less.

    Returns
    -------
    inside, mass : ndarray
        Shape (levels, n).
    """
    draws, n = drawn.shape
    top = int(max(drawn.max(initial=0), actual.max(initial=0))) + 1
    place = np.arange(n)
    mass = np.bincount((drawn.astype(np.int64) + place * top).ravel(), minlength=n * top).reshape(n, top) / draws
    own = mass[place, actual.astype(int)]
    ordered = np.sort(mass, axis=1)[:, ::-1]
    held = np.cumsum(ordered, axis=1)
    inside, masses = np.empty((len(levels), n), dtype=bool), np.empty((len(levels), n))
    for row, level in enumerate(levels):
        # The mass of the last count that is needed; equal ones enter together. Sums of draws end at 1 within rounding.
        least = ordered[place, np.argmax(held >= level - 1e-12, axis=1)]
        inside[row] = own >= least
        masses[row] = np.where(mass >= least[:, None], mass, 0.0).sum(axis=1)
    return inside, masses


def randomised_pit(drawn: np.ndarray, actual: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return F(y - 1) + U P(y) of the drawn counts: uniform if the forecasts are right (Czado et al. 2009)."""
    below = (drawn < actual).mean(axis=0)
    equal = (drawn == actual).mean(axis=0)
    return below + rng.random(len(actual)) * equal
