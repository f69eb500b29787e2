"""What a history lets one expect: orders while alive, the next order, the value without an end."""

import numpy as np
from scipy.special import betaln, expit, gammaln, hyp2f1, hyperu, log_expit, polygamma
from scipy.stats import nbinom

from waage.clv.likelihood import BLOCK, scaled_integral, survivals


def orders_if_alive(model: str, params, x, T, horizon) -> np.ndarray:
    """Expected orders in `horizon` of customers who are still there, in the units of `params`.

    BG/NBD: Fader, Hardie, Lee (2005), equation 10; MBG/NBD: Wagner and Hoppe (2008); Pareto/NBD: Schmittlein,
    Morrison, Colombo (1987), here as in Fader and Hardie (2005), note 009, equation 41. Divided by P(alive).
    """
    r, alpha, third, fourth = params
    if model != "pareto":
        return orders_while_alive(r + x, alpha + T, third, survivals(model, fourth, x), horizon)
    # (1 - (far / (far + t))^(s - 1)) / (s - 1), which is a logarithm at s = 1.
    grown, power = np.log1p(horizon / (fourth + T)), third - 1
    lasting = -np.expm1(-power * grown) / power if abs(power) > 1e-8 else grown
    return (r + x) / (alpha + T) * (fourth + T) * lasting


def order_if_alive(model: str, params, x, T, horizon) -> np.ndarray:
    """Probability of an order within `horizon` of customers who are still there.

    1 - ((alpha + T) / (alpha + T + t))^(r + x) for BG/NBD and MBG/NBD: nobody leaves before the next purchase, so
    only the rate's gamma posterior matters. Pareto/NBD: the integral of its density over time.
    """
    r, alpha, s, beta = params
    if model != "pareto":
        return -np.expm1(-(r + x) * np.log1p(horizon / (alpha + T)))
    x, T, horizon = np.broadcast_arrays(*(np.asarray(part, dtype=float) for part in (x, T, horizon)))
    result = np.empty(x.shape)
    flat, out = [part.ravel() for part in (x, T, horizon)], result.reshape(-1)
    for start in range(0, x.size, BLOCK):
        k, age, length = (part[start : start + BLOCK] for part in flat)
        total = scaled_integral(r + k + 1, s, alpha + age, beta + age, length)[-1].sum(axis=0)
        out[start : start + BLOCK] = (r + k) / (alpha + age) * total
    return np.minimum(result, 1.0)


def count_if_alive(model: str, params, x, T, horizon, count) -> np.ndarray:
    """Probability of exactly `count` orders in `horizon` of customers who are still there.

    BG/NBD and MBG/NBD: the smaller one of a negative binomial number (the rate's posterior) and a beta-geometric one
    (the purchase after which a customer leaves), which are independent. Pareto/NBD: negative binomial counts over a
    lifetime that ends within the horizon, integrated over its density, or beyond it.
    """
    r, alpha, third, fourth = params
    x, T, horizon, count = np.broadcast_arrays(*(np.asarray(part, dtype=float) for part in (x, T, horizon, count)))
    shape, rate = r + x, alpha + T
    if model != "pareto":
        still = rate / (rate + horizon)
        wanted, more = nbinom.pmf(count, shape, still), nbinom.sf(count, shape, still)
        survived, passed = survivals(model, fourth, x), np.maximum(count - 1, 0)
        whole = betaln(third, survived)
        stays = np.exp(betaln(third, survived + passed) - whole)
        leaves = np.where(count > 0, np.exp(betaln(third + 1, survived + passed) - whole), 0.0)
        return wanted * stays + more * leaves
    far = fourth + T
    constant = gammaln(shape + count) - gammaln(shape) - gammaln(count + 1)

    def counted(span):
        grown = np.log1p(span / rate)
        return np.exp(constant - shape * grown + count * (np.log(np.maximum(span, 1e-300) / rate) - grown))

    total = counted(horizon) * np.exp(-third * np.log1p(horizon / far))
    # Nodes in the logarithm of time, as the integrand changes fastest at its beginning.
    pivot = np.minimum(rate, far)
    half = 0.5 * np.log1p(horizon / pivot)
    for node, weight in zip(*np.polynomial.legendre.leggauss(64), strict=True):
        grown = half * (node + 1)
        span = pivot * np.expm1(grown)
        density = third / far * np.exp(-(third + 1) * np.log1p(span / far))
        total = total + weight * half * pivot * np.exp(grown) * density * counted(span)
    return total


def median_wait(model: str, params, alive, x, T, ceiling: float) -> np.ndarray:
    """Time by which an order has come with probability 1/2; inf where that takes more than `ceiling` or never is."""
    r, alpha, s, beta = params
    result = np.full(np.shape(x), np.inf)
    likely = np.flatnonzero(alive > 0.5)
    x, T, alive = x[likely], T[likely], alive[likely]
    if model != "pareto":
        with np.errstate(over="ignore"):
            wait = (alpha + T) * np.expm1(-np.log1p(-0.5 / alive) / (r + x))
    else:
        # The distribution function is concave, so Newton's steps from 0 climb to the median and never pass it.
        reached = alive * order_if_alive(model, params, x, T, ceiling) > 0.5
        likely, x, T, alive = likely[reached], x[reached], T[reached], alive[reached]
        wait = np.zeros(len(x))
        for _ in range(40):
            missing = 0.5 - alive * order_if_alive(model, params, x, T, wait)
            density = np.exp(-(r + x + 1) * np.log1p(wait / (alpha + T)) - s * np.log1p(wait / (beta + T)))
            step = missing / (alive * (r + x) / (alpha + T) * density)
            wait = np.minimum(wait + np.maximum(step, 0.0), ceiling)
            if len(step) == 0 or np.max(step / np.maximum(wait, 1e-9)) < 1e-10:
                break
    result[likely] = np.where(wait <= ceiling, wait, np.inf)
    return result


def discounted_if_alive(params, x, T, rate: float) -> np.ndarray:
    """Discounted expected orders without an end, of customers alive, Pareto/NBD; `rate` continuous per unit.

    Fader, Hardie, Lee (2005), "RFM and CLV", Journal of Marketing Research 42(4), equation 2, divided by P(alive):
    Tricomi's function of the drop-out's posterior.
    """
    r, alpha, s, beta = params
    far = beta + T
    return (r + x) / (alpha + T) * far * hyperu(1.0, 2.0 - s, rate * far)


def orders_while_alive(shape, rate, a: float, survived, horizon) -> np.ndarray:
    """Expected orders in `horizon` of a living customer: lambda ~ Gamma(shape, rate), p ~ Beta(a, survived).

    E[(1 - exp(-lambda p t)) / p]. The usual closed form after Euler's transformation of its 2F1, which then
    neither overflows nor needs a logarithm; where it divides by nearly zero (a near 1, a + survived near 1 or
    below, or 2F1 fails) the same expectation is integrated over p.
    """
    shape, rate, survived, horizon = np.broadcast_arrays(
        *(np.asarray(value, dtype=float) for value in (shape, rate, survived, horizon))
    )
    third = a + survived - 1
    z = horizon / (rate + horizon)
    with np.errstate(all="ignore"):
        power = np.exp((a - 1) * np.log1p(-z)) * hyp2f1(third - shape, a - 1, third, z)
        expected = third / (a - 1) * (1 - power)
        ceiling = shape * horizon / rate
        safe = np.isfinite(expected) & (third > 0.05) & (expected >= 0) & (expected <= ceiling * (1 + 1e-9))
    if abs(a - 1) < 1e-3:
        safe = np.zeros_like(safe)
    expected = np.where(safe, expected, 0.0)
    if not safe.all():
        expected[~safe] = _orders_by_quadrature(shape[~safe], rate[~safe], a, survived[~safe], horizon[~safe])
    return expected


def _orders_by_quadrature(shape, rate, a, survived, horizon, nodes: int = 301) -> np.ndarray:
    # E[(1 - (1 + p t / rate)^-shape) / p] over p ~ Beta(a, survived), by the trapezoid rule on the log odds of
    # p, stretched by sinh so that both tails of the beta are reached; converges exponentially, all terms positive.
    stretch = horizon / rate
    centre = np.log(a / survived)
    spread = np.sqrt(polygamma(1, a) + polygamma(1, survived))
    # Tails fall like exp(-a y) and exp(-survived y): 36 units of that are 1e-16.
    lowest = -np.arcsinh((36 / a + 12 * np.log1p(4 / np.sqrt(survived))) / spread)
    highest = np.arcsinh((36 / survived + 12 * np.log1p(4 / np.sqrt(a))) / spread)
    peak = a * log_expit(centre) + survived * log_expit(-centre)
    total, mass = np.zeros_like(stretch), np.zeros_like(stretch)
    for share in np.linspace(0, 1, nodes):
        u = lowest + share * (highest - lowest)
        log_odds = centre + spread * np.sinh(u)
        density = np.exp(a * log_expit(log_odds) + survived * log_expit(-log_odds) - peak) * np.cosh(u)
        p = expit(np.maximum(log_odds, -600.0))
        total += density * -np.expm1(-shape * np.log1p(p * stretch)) / p
        mass += density
    return np.clip(total / mass, 0.0, shape * stretch)
