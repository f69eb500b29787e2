"""Log-likelihoods of BG/NBD, MBG/NBD, Pareto/NBD and Gamma-Gamma with their gradients, on weighted histories.

Written for speed, held against lifetimes in the tests: what depends on the number of purchases alone is computed
once for each number, and the rest in blocks that stay in the processor's cache. Integrals of Pareto/NBD are integrated
and not written with 2F1, whose derivatives have no short form.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import betaln, expit, gammaln, psi

PARAMETERS = {
    "bg": ("r", "alpha", "a", "b"),
    "mbg": ("r", "alpha", "a", "b"),
    "pareto": ("r", "alpha", "s", "beta"),
    "gamma_gamma": ("p", "q", "v"),
}
BLOCK = 8_192  # rows at a time: fits the cache, and is too few for BLAS to start threads
_FEW = 2_048  # rows at a time where each one has 24 nodes
_NODES, _WEIGHTS = (column.astype(float) for column in np.polynomial.legendre.leggauss(24))


def log_likelihood(model: str, params, frequency, recency, T, n) -> float:
    """Log-likelihood of weighted histories in the units of `params`, the sum over customers.

    Parameters
    ----------
    model : {"bg", "mbg", "pareto"}
    params : sequence of float, shape (4,)
    frequency, recency, T, n : ndarray, shape (rows,)
        Time in the units of `params`; n customers with that history.

    Notes
    -----
    BG/NBD: Fader, Hardie, Lee (2005), Marketing Science 24(2), equation 6. MBG/NBD: Batislam, Denizel, Filiztekin
    (2007). Pareto/NBD: Schmittlein, Morrison, Colombo (1987); Fader and Hardie (2005), note 009, equation 18.
    """
    return value_and_gradient(model, params, frequency, recency, T, n)[0]


def value_and_gradient(model: str, params, frequency, recency, T, n) -> tuple[float, np.ndarray]:
    """Return `log_likelihood` and its derivatives after the parameters, shape (4,)."""
    params = np.asarray(params, dtype=float)
    frequency, recency, T, n = (np.asarray(column, dtype=float) for column in (frequency, recency, T, n))
    value, gradient = _of_counts(model, params, frequency, n)
    block = _geometric_block if model in ("bg", "mbg") else _pareto_block
    size = _FEW if model == "pareto" else BLOCK
    for start in range(0, len(frequency), size):
        rows = slice(start, start + size)
        part, slope = block(model, params, frequency[rows], recency[rows], T[rows], n[rows])
        value, gradient = value + part, gradient + slope
    return float(value), gradient


def spend_value_and_gradient(params, frequency, monetary, n, group=None) -> tuple[float, np.ndarray]:
    """Return the log-likelihood of mean values of `frequency` repeat purchase days and its derivatives.

    Parameters
    ----------
    params : sequence of float
        p, q, and v once or once for each group.
    frequency, monetary, n : ndarray
    group : ndarray of int, optional
        Which v belongs to a row; 0 by default.

    Notes
    -----
    Fader and Hardie (2013), note 025, equation 1a.
    """
    p, q, *v = np.asarray(params, dtype=float)
    v = np.asarray(v)
    size = np.bincount(group, weights=n, minlength=len(v)) if group is not None else np.array([n.sum()])
    total = size.sum()
    counts, place = np.unique(frequency, return_inverse=True)
    weight = np.bincount(place, weights=n)
    px = p * counts
    value = weight @ (gammaln(px + q) - gammaln(px)) - total * gammaln(q) + q * size @ np.log(v)
    value += weight @ (px * np.log(counts))
    d_p = weight @ (counts * (psi(px + q) - psi(px) + np.log(counts)))
    d_q = weight @ psi(px + q) - total * psi(q) + size @ np.log(v)
    d_v = q * size / v
    for start in range(0, len(frequency), BLOCK):
        rows = slice(start, start + BLOCK)
        x, m, w = frequency[rows], monetary[rows], n[rows]
        mine = group[rows] if group is not None else np.zeros(len(x), dtype=np.intp)
        rate = x * m + v[mine]
        log_rate, log_m = np.log(rate), np.log(m)
        value += w @ ((p * x - 1) * log_m - (p * x + q) * log_rate)
        d_p += w @ (x * (log_m - log_rate))
        d_q -= w @ log_rate
        d_v -= np.bincount(mine, weights=w * (p * x + q) / rate, minlength=len(v))
    return float(value), np.concatenate([[d_p, d_q], d_v])


def scaled_integral(power, other_power, near, far, length) -> tuple[np.ndarray, ...]:
    """Nodes of the integral of (near + t)^-power (far + t)^-other_power over t from 0 to `length`.

    Returns the nodes t, log(1 + t / near), log(1 + t / far) and the terms, shape (24, n); the integral is
    near^-power far^-other_power times the sum of terms over the first axis. Gauss-Legendre in the logarithm of time,
    cut where the integrand has fallen to e^-40: it is analytic in a strip about that path, relative error below 1e-10.
    """
    # Where the integrand has died: (near + t)^-power alone, and the other factor only helps.
    with np.errstate(over="ignore"):
        reach = np.minimum(length, near * np.expm1(40.0 / np.maximum(power, 1e-9)))
    pivot = np.minimum(near, far)
    half = 0.5 * np.log1p(reach / pivot)
    y = half * (_NODES[:, None] + 1)
    t = pivot * np.expm1(y)
    # One of the two logarithms is y itself, of all rows the same one where near - far is one number.
    closer = near <= far
    grown_near = y if closer.all() else np.log1p(t / near)
    grown_far = np.log1p(t / far) if closer.any() else y
    terms = np.exp(y - power * grown_near - other_power * grown_far)
    terms *= _WEIGHTS[:, None] * (half * pivot)
    return t, grown_near, grown_far, terms


def survivals(model: str, b: float, x):
    """Second parameter of the drop-out's posterior while alive: b plus the chances to leave not taken."""
    return b + x + (1 if model == "mbg" else 0)


def alive_probability(model: str, params, x, recency, T) -> np.ndarray:
    """P(alive) in the units of `params`; the odds are formed on the log scale, so nothing overflows."""
    x, recency, T = np.broadcast_arrays(*(np.asarray(column, dtype=float) for column in (x, recency, T)))
    if model == "pareto":
        r, alpha, s, beta = params
        result = np.empty(x.shape)
        flat, out = [column.ravel() for column in (x, recency, T)], result.reshape(-1)
        for start in range(0, x.size, _FEW):
            k, t_x, age = (column[start : start + _FEW] for column in flat)
            left = scaled_integral(r + k, s + 1, alpha + t_x, beta + t_x, age - t_x)[-1].sum(axis=0)
            still = (r + k) * np.log((alpha + t_x) / (alpha + age)) + s * np.log((beta + t_x) / (beta + age))
            with np.errstate(divide="ignore"):
                out[start : start + _FEW] = expit(still - np.log(s / (beta + t_x) * left))
        return result
    r, alpha, a, b = params
    possible = (x > 0) | (model == "mbg")
    chances = np.where(possible, survivals(model, b, x) - 1, 1.0)
    odds_of_having_left = np.log(a / chances) + (r + x) * np.log((alpha + T) / (alpha + recency))
    return np.where(possible, expit(-odds_of_having_left), 1.0)


def hessian(function: Callable, point: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """Second derivatives by central differences of a gradient, symmetric; relative error about 1e-7."""
    rows = [function(point + move)[1] - function(point - move)[1] for move in step * np.eye(len(point))]
    matrix = np.array(rows) / (2 * step)
    return (matrix + matrix.T) / 2


def _of_counts(model: str, params, frequency, n) -> tuple[float, np.ndarray]:
    """What depends on the number of purchases alone."""
    counts, place = np.unique(frequency, return_inverse=True)
    weight = np.bincount(place, weights=n)
    total = weight.sum()
    r, alpha = params[:2]
    value = weight @ (gammaln(r + counts) - gammaln(r)) + total * r * np.log(alpha)
    gradient = np.zeros(4)
    gradient[0] = weight @ (psi(r + counts) - psi(r)) + total * np.log(alpha)
    gradient[1] = total * r / alpha
    if model == "pareto":
        return value, gradient
    a, b = params[2:]
    survived = survivals(model, b, counts)
    value += weight @ (betaln(a, survived) - betaln(a, b))
    both = psi(a + b) - psi(a + survived)
    gradient[2] = weight @ both
    gradient[3] = weight @ (psi(survived) - psi(b) + both)
    return value, gradient


def _geometric_block(model: str, params, x, recency, T, n) -> tuple[float, np.ndarray]:
    r, alpha, a, b = params
    end, last = alpha + T, alpha + recency
    log_end, log_last = np.log(end), np.log(last)
    shape = r + x
    chances = survivals(model, b, x) - 1
    if model == "bg":
        chances = np.where(x == 0, 1.0, chances)
    gap = np.log(a / chances) + shape * (log_end - log_last)
    if model == "bg":
        gap = np.where(x == 0, -700.0, gap)  # who has not come back cannot have left
    # log(1 + e^gap) and its derivative, without the slow logaddexp.
    small = np.exp(-np.abs(gap))
    value = n @ (np.maximum(gap, 0.0) + np.log1p(small) - shape * log_end)
    n_left = n * np.where(gap > 0, 1.0, small) / (1.0 + small)
    n_stayed = n - n_left
    slope = np.array(
        [
            -(n_stayed @ log_end + n_left @ log_last),
            -(shape @ (n_stayed / end + n_left / last)),
            n_left.sum() / a,
            -(n_left @ (1 / chances)),
        ]
    )
    return value, slope


def _pareto_block(model: str, params, x, recency, T, n) -> tuple[float, np.ndarray]:
    r, alpha, s, beta = params
    near, far, shape, gone = alpha + recency, beta + recency, r + x, T - recency
    log_near, log_far = np.log(near), np.log(far)
    t, grown_near, grown_far, terms = scaled_integral(shape, s + 1, near, far, gone)
    # Both parts relative to near^-(r+x) far^-s, the integrand's scale at the last purchase.
    to_near, to_far = np.log1p(gone / near), np.log1p(gone / far)
    stayed = np.exp(-shape * to_near - s * to_far)
    total = terms.sum(axis=0)
    left = s / far * total
    both = stayed + left
    share, kept = n * stayed / both, n * s / far / both
    everybody = n.sum()
    value = n @ (np.log(both) - shape * log_near - s * log_far) + everybody * s * np.log(beta)
    d_r = -(n @ log_near) - share @ to_near - kept @ np.einsum("kn,kn->n", terms, grown_near)
    d_alpha = -((share * shape) @ (1 / (alpha + T))) - (kept * shape) @ (terms / (near + t)).sum(axis=0)
    d_s = -(n @ log_far) - share @ to_far - kept @ np.einsum("kn,kn->n", terms, grown_far)
    d_s += n @ (left / both) / s + everybody * np.log(beta)
    d_beta = -s * (share @ (1 / (beta + T))) - (s + 1) * (kept @ (terms / (far + t)).sum(axis=0))
    return value, np.array([d_r, d_alpha, d_s, d_beta + everybody * s / beta])
