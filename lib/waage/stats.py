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
