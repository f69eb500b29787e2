"""Intervals and weights that several subjects share."""

from statistics import NormalDist

import numpy as np

from waage.errors import WaageError


def wilson(k, n, confidence: float = 0.95):
    """Return the Wilson score interval of a share.

    Parameters
    ----------
    k : int or array of int
        Number of cases with the property, 0 to n.
    n : int or array of int
        Number of cases; broadcast against k.
    confidence : float
        Coverage of the two-sided interval, between 0 and 1.

    Returns
    -------
    low, high : float or ndarray
        Bounds within [0, 1]; NaN where n is 0. Floats if both k and n are scalars.

    Raises
    ------
    WaageError
        If k is negative or exceeds n, or confidence does not lie between 0 and 1.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22, 209-212.
    """
    k, n = np.broadcast_arrays(np.asarray(k, dtype=float), np.asarray(n, dtype=float))
    wrong = ~((k >= 0) & (k <= n))
    if wrong.any():
        raise WaageError(f"wilson: k = {k[wrong][0]:g} does not lie between 0 and n = {n[wrong][0]:g}")
    if not 0 < confidence < 1:
        raise WaageError(f"wilson: confidence {confidence!r} does not lie between 0 and 1; 0.95 is usual")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    size = np.where(n > 0, n, np.nan)
    share = k / size
    centre = share + z**2 / (2 * size)
    half = z * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2))
    # At k = 0 and k = n the bound is 0 or 1 exactly; rounding would leave it at 1e-17.
    low = np.where(k == 0, share, (centre - half) / (1 + z**2 / size))
    high = np.where(k == n, share, (centre + half) / (1 + z**2 / size))
    return (low, high) if low.ndim else (float(low), float(high))


def psi(reference, current) -> float:
    """Return the population stability index of two distributions over the same bins.

    Below .1 is usually read as stable, up to .25 as a shift to look into, above as another population. Two samples
    of one population have about (bins - 1) (1 / n + 1 / m).

    Parameters
    ----------
    reference, current : array of int, shape (bins,)
        Cases per bin. Half a case is added to every bin, so that an empty one does not make the index infinite.

    Raises
    ------
    WaageError
        If the bins do not match or one side has no cases.

    References
    ----------
    Siddiqi (2006), Credit Risk Scorecards, chapter 8; Yurdakul (2018), Statistical properties of the PSI.
    """
    p, q = np.asarray(reference, dtype=float), np.asarray(current, dtype=float)
    if p.shape != q.shape or p.ndim != 1 or not p.sum() or not q.sum():
        raise WaageError(f"psi: {p.size} and {q.size} bins with {p.sum():g} and {q.sum():g} cases; need both, alike")
    p, q = ((cases + 0.5) / (cases + 0.5).sum() for cases in (p, q))
    return float(((q - p) * np.log(q / p)).sum())
