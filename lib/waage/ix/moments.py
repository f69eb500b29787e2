"""Cross products of a panel's columns after unit and week effects, for all units and with each unit left out.

Everything the link estimates is a function of these few numbers: the effect, its rivals, the checks, and the
leave-one-unit-out intervals of them all. They are exact for panels with gaps and units that start late.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import t as student
from threadpoolctl import ThreadpoolController

from waage.errors import WaageError


@dataclass(frozen=True)
class Moments:
    """Cross products of columns that are free of unit and week effects.

    Attributes
    ----------
    names : tuple of str
        The m columns.
    cross : ndarray, shape (1 + G, m, m)
        First with all units, then without the first, the second, ...
    error : ndarray, shape (1 + G, m, m)
        What sampling error of the score adds to `cross` on average; 0 for columns measured without error.
    rows : ndarray of bool, shape (G, T)
        Which unit-weeks take part.
    """

    names: tuple[str, ...]
    cross: np.ndarray
    error: np.ndarray
    rows: np.ndarray

    @property
    def units(self) -> int:
        """Number of units with rows."""
        return int(self.rows.any(axis=1).sum())

    @property
    def df(self) -> int:
        """Degrees of freedom left after regressors are not counted: rows - units - weeks + 1."""
        return int(self.rows.sum() - self.units - self.rows.any(axis=0).sum() + 1)

    def at(self, names: Sequence[str]) -> np.ndarray:
        """Return the places of columns."""
        return np.array([self.names.index(name) for name in names], dtype=int)

    def regressors(self, names: Sequence[str], correct: bool = True) -> np.ndarray:
        """Return X'X, less what survey error adds to it, shape (1 + G, p, p)."""
        at = np.ix_(range(len(self.cross)), self.at(names), self.at(names))
        return self.cross[at] - self.error[at] if correct else self.cross[at]

    def coefficients(
        self,
        x: Sequence[str],
        y: Sequence[str],
        *,
        basis: np.ndarray | None = None,
        correct: bool = True,
        instruments: Sequence[str] | None = None,
    ) -> np.ndarray:
        """Return the coefficients of `x` for outcomes `y`, shape (1 + G, len(x), len(y)).

        Without instruments (X'X - Om)^-1 X'y, the errors-in-variables moment estimator (Fuller 1987, equation
        2.2.12); with as many instruments as regressors (Z'X)^-1 Z'y.

        Parameters
        ----------
        x, y : sequence of str
        basis : array, shape (len(x), p), optional
            Coefficients are basis @ theta with p free theta.
        correct : bool
            Whether to take survey error out of X'X; without it, least squares.
        instruments : sequence of str, optional
            Names for Z, errors of which are independent of those of x.
        """
        every = range(len(self.cross))
        ix, iy = self.at(x), self.at(y)
        W = np.eye(len(ix)) if basis is None else basis
        if instruments is None:
            left, right = self.regressors(x, correct), self.cross[np.ix_(every, ix, iy)]
            if correct:  # where the outcome is itself a week of the score, demeaning ties its error to those of x
                right = right - self.error[np.ix_(every, ix, iy)]
            left, right = W.T @ left @ W, W.T @ right
        else:
            iz = self.at(instruments)
            left, right = self.cross[np.ix_(every, iz, ix)] @ W, self.cross[np.ix_(every, iz, iy)]
        try:
            return W @ np.linalg.solve(left, right)
        except np.linalg.LinAlgError:
            raise WaageError(f"link: the columns {', '.join(x)} cannot be told apart in this panel") from None


def jackknife(values: np.ndarray) -> np.ndarray:
    """Return standard errors from leave-one-unit-out values, shape (1 + G, ...) -> (...).

    sqrt((G - 1) / G * sum (value without g - their mean)^2): Efron and Stein (1981); compared with t(G - 1).
    """
    without = values[1:]
    count = len(without)
    return np.sqrt((count - 1) / count * ((without - without.mean(axis=0)) ** 2).sum(axis=0))


def jackknife_covariance(values: np.ndarray) -> np.ndarray:
    """Return the covariance of q figures from their leave-one-unit-out values, shape (1 + G, q) -> (q, q)."""
    left = values[1:] - values[1:].mean(axis=0)
    return (len(left) - 1) / len(left) * left.T @ left


def score_test(moments: Moments, tested: str, x: Sequence[str], y: str) -> tuple[float, float]:
    """Return t and p of a regressor being superfluous, from the model without it.

    What the residual of the smaller model shares with the regressor, corrected for survey error, over its jackknife
    error. Unlike the coefficient's own t it divides by nothing that noise can bring near 0: with five noisy lags that
    one rejects in 1 % instead of 5 % (simulated).

    Parameters
    ----------
    moments : Moments
    tested, y : str
    x : sequence of str
        The other regressors.

    References
    ----------
    Rao (1948), Large sample tests of statistical hypotheses; Breusch and Pagan (1980).
    """
    b = moments.coefficients(x, [y])[:, :, 0]
    corrected = moments.regressors([tested, *x, y])
    shared = corrected[:, 0, -1] - (corrected[:, 0, 1:-1] * b).sum(axis=1)
    shared = shared / corrected[:, 0, 0]
    t = float(shared[0] / jackknife(shared))
    return t, float(2 * student.sf(abs(t), moments.units - 1))


def two_way_moments(
    columns: np.ndarray,
    names: Sequence[str],
    rows: np.ndarray,
    variances: np.ndarray | None = None,
    offsets: Sequence[int] = (),
) -> Moments:
    """Take unit and week effects out of columns and multiply them with each other, once for every set of units.

    With M = I - (projection on unit and week dummies), `cross` is C'MC. The errors of lag l and lag m are the same
    number where row t of the one and row t' of the other look at the same week, t - l = t' - m; so the expectation of
    U'MU is a sum of entries of M times survey variances. For a balanced panel and l = m this is the factor
    (1 - 1/T)(1 - 1/G) of the textbook; the entries off the diagonal are what demeaning adds with lags.

    Parameters
    ----------
    columns : array, shape (G, T, m)
        Anything where `rows` is False is ignored.
    names : sequence of str, length m
    rows : array of bool, shape (G, T)
    variances : array, shape (G, T), optional
        Sampling variance of the score in each unit-week.
    offsets : sequence of int
        The first columns are lags of the score; how many weeks back each looks (negative: ahead).

    Returns
    -------
    Moments
    """
    # Threads cost more than they bring with matrices of a few hundred weeks (60 s instead of 0.1 s on busy cores),
    # and sums keep one order.
    with _one_thread():
        return _two_way(columns, names, rows, variances, offsets)


def _two_way(columns, names, rows, variances, offsets) -> Moments:
    G, T, m = columns.shape
    d = rows.astype(float)
    size = np.maximum(d.sum(axis=1), 1.0)
    c = np.where(rows[:, :, None], columns, 0.0)
    c = (c - c.sum(axis=1, keepdims=True) / size[:, None, None]) * d[:, :, None]
    own = np.einsum("gta,gtb->gab", c, c, optimize=True)
    share = d / size[:, None]
    S = np.diag(d.sum(axis=0)) - share.T @ d
    B, A = c.sum(axis=0), own.sum(axis=0)
    pairs = _pairs(rows, variances, offsets) if variances is not None else []
    cross, error = np.empty((1 + G, m, m)), np.zeros((1 + G, m, m))
    for place in range(1 + G):
        g = place - 1
        if place and not rows[g].any():
            cross[place], error[place] = cross[0], error[0]
            continue
        drop = slice(0, 0) if not place else slice(g, g + 1)
        inverse = _pseudo_inverse(S - np.diag(d[drop].sum(axis=0)) + share[drop].T @ d[drop])
        week = B - c[drop].sum(axis=0)
        cross[place] = A - own[drop].sum(axis=0) - week.T @ inverse @ week
        if pairs:
            a = d @ inverse  # (G, T): the row of a unit is S+ d_g
            level = (a * d).sum(axis=1) / size**2
            for i, j, k, V, by_week, by_unit in pairs:
                own_V = V[drop]
                total = (by_unit.sum() if k == 0 else 0.0) - (own_V.sum() if k == 0 and place else 0.0)
                factor = -1 / size - level
                total += factor @ by_unit - (factor[drop] @ by_unit[drop] if place else 0.0)
                diagonal = np.diagonal(inverse, k)
                weeks = by_week - own_V.sum(axis=0)
                reach = slice(0, T - k)
                total -= diagonal @ weeks[reach]
                around = (a[:, reach] + a[:, k:]) / size[:, None]
                if place:
                    around[g] = 0.0
                total += np.vdot(around, V[:, reach])
                error[place, i, j] = error[place, j, i] = total
    return Moments(tuple(names), cross, error, rows)


def _pairs(rows: np.ndarray, variances: np.ndarray, offsets: Sequence[int]) -> list[tuple]:
    """Return for each two lags where the same error occurs: (i, j, k >= 0, V (G, T), sums by week, sums by unit)."""
    T = rows.shape[1]
    found = []
    for i, first in enumerate(offsets):
        for j, second in enumerate(offsets):
            k = second - first
            if k < 0 or k >= T or (k == 0 and j != i):
                continue
            there = np.zeros_like(rows)
            there[:, : T - k] = rows[:, : T - k] & rows[:, k:]
            V = np.where(there, shifted(variances, first), 0.0)
            found.append((i, j, k, V, V.sum(axis=0), V.sum(axis=1)))
    return found


def shifted(values: np.ndarray, weeks: int) -> np.ndarray:
    """Return the value `weeks` before each week (negative: after), NaN beyond the ends; shape (G, T, ...) kept."""
    moved = np.full(values.shape, np.nan)
    T = values.shape[1]
    if weeks >= T or -weeks >= T:
        return moved
    if weeks >= 0:
        moved[:, weeks:] = values[:, : T - weeks]
    else:
        moved[:, :weeks] = values[:, -weeks:]
    return moved


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def _one_thread():
    return _controller().limit(limits=1, user_api="blas")


def _pseudo_inverse(S: np.ndarray) -> np.ndarray:
    """Return the Moore-Penrose inverse of the weeks' matrix, whose null space is one constant for a connected panel."""
    used = np.diag(S) > 1e-9
    part = S[np.ix_(used, used)]
    n = len(part)
    inverse = np.zeros_like(S)
    if not n:
        return inverse
    # Where all units have the same weeks S is a multiple of what takes means out, and so is its inverse.
    times, centre = part[0, 0] - part[0, -1], np.eye(n) - 1 / n
    if n > 1 and np.abs(part - times * centre).max() < 1e-9 * times:
        inverse[np.ix_(used, used)] = centre / times
        return inverse
    # S + 11'/n has the eigenvalue 1 where S has 0; what is added is taken away again.
    try:
        np.linalg.cholesky(part + (1 / n - 1e-9) * np.ones((n, n)))
        found = np.linalg.inv(part + 1 / n) - 1 / n
    except np.linalg.LinAlgError:
        found = np.linalg.pinv(part, hermitian=True, rcond=1e-10)  # groups of units that share no week
    inverse[np.ix_(used, used)] = found
    return inverse
