"""Does counting unique histories before the fit pay, and is the result the same?

Simulates BG/NBD customers, fits them once customer by customer and once on unique histories with weights, side by side
on the machine at hand. Ratios carry over between machines, seconds do not.

    python benchmarks/clv_histories.py [customers] [repetitions]
"""

import sys
import time

import numpy as np
import pandas as pd

from waage.clv.fitting import maximise
from waage.clv.histories import unique_histories
from waage.clv.likelihood import PARAMETERS, log_likelihood


def simulate(customers: int, window_days: int = 730, entry_days: int = 365, seed: int = 7) -> pd.DataFrame:
    """BG/NBD customers who arrive evenly over the first `entry_days`; CDNOW-like parameters, time in days."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = 0.25, 31.0, 0.8, 2.4
    T = window_days - rng.integers(0, entry_days, customers)
    rate, leave = rng.gamma(r, 1 / alpha, customers), np.maximum(rng.beta(a, b, customers), 1e-12)
    last = rng.geometric(leave)
    frequency, recency = np.zeros(customers, dtype=int), np.zeros(customers, dtype=int)
    clock, day, active = np.zeros(customers), np.zeros(customers, dtype=int), np.arange(customers)
    purchases = np.zeros(customers, dtype=int)
    while len(active):
        with np.errstate(divide="ignore"):
            clock[active] += rng.exponential(1.0, len(active)) / rate[active]
        active = active[clock[active] < T[active]]
        purchases[active] += 1
        today = np.ceil(clock[active]).astype(int)
        # Purchases of one day count once, as in the workbench.
        new = today > day[active]
        frequency[active] += new
        recency[active] = day[active] = today
        active = active[purchases[active] < last[active]]
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": T})


def fit_seconds(histories: pd.DataFrame) -> tuple[float, np.ndarray, float]:
    """Seconds of one BG/NBD fit on the rows as they are, the parameters and the log-likelihood."""
    start = time.perf_counter()
    x, recency, T, n = (histories[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T", "n"))
    scale = 1 / T.max()
    optimum = maximise("bg", (x, recency * scale, T * scale, n), "lifetimes")
    params = np.exp(optimum.log_params) / [1, scale, 1, 1]
    seconds = time.perf_counter() - start
    return seconds, params, log_likelihood("bg", params, x, recency, T, n)


def main(customers: int = 100_000, repetitions: int = 3, seed: int = 7) -> dict[str, float]:
    """Print the comparison and return its figures: histories, ratio (median), largest relative difference."""
    raw = simulate(customers, seed=seed).assign(n=1)
    fit_seconds(unique_histories(raw.head(2000)))  # the first call also imports lifetimes
    pairs = []
    for _ in range(repetitions):
        # Alternating, so that a busy machine slows both; counting belongs to the second way.
        one_by_one, params, loglik = fit_seconds(raw)
        start = time.perf_counter()
        unique = unique_histories(raw)
        counting = time.perf_counter() - start
        counted, params_counted, loglik_counted = fit_seconds(unique)
        pairs.append((one_by_one, counting + counted))
    ratios = [slow / fast for slow, fast in pairs]
    difference = float(np.abs(params_counted / params - 1).max())
    print(f"customers {customers:,}, unique histories {len(unique):,} ({customers / len(unique):.1f} customers each)")
    print(f"{'':>24}{'customer by customer':>24}{'unique histories':>20}{'ratio':>8}")
    for number, ((slow, fast), ratio) in enumerate(zip(pairs, ratios, strict=True), start=1):
        print(f"{f'fit {number} (s, this machine)':>24}{slow:>24.2f}{fast:>20.2f}{ratio:>8.1f}")
    print(f"{'log-likelihood':>24}{loglik:>24.4f}{loglik_counted:>20.4f}")
    for name, left, right in zip(PARAMETERS["bg"], params, params_counted, strict=True):
        print(f"{name:>24}{left:>24.6f}{right:>20.6f}")
    print(f"median ratio {np.median(ratios):.1f}; largest relative difference of a parameter {difference:.1e}")
    return {"histories": len(unique), "ratio": float(np.median(ratios)), "difference": difference}


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
