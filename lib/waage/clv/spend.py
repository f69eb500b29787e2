"""What a purchase day is worth: the Gamma-Gamma model, and whether its independence assumption holds."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import gammaln

from waage.clv.fitting import covariance_frame, draw_log_normal, maximise, summary_frame
from waage.errors import Refusal, WaageError

PARAMETERS = ("p", "q", "v")


def fit_spend(histories: pd.DataFrame, *, min_repeaters: int = 30) -> "SpendModel":
    """Fit the Gamma-Gamma model of value per purchase day by maximum likelihood.

    Parameters
    ----------
    histories : DataFrame
        `frequency` (repeat purchase days, whole), `monetary` (mean value per repeat purchase day, in the
        study's money) and `n` (customers in that row; 1 if absent). Rows without a repeat purchase, or whose
        repeat purchases are worth nothing, stay out of the fit and are counted.
    min_repeaters : int
        Customers with valued repeat purchases needed for a fit; a judgement, not a result.

    Raises
    ------
    WaageError
        When columns are missing or broken, too few customers are usable, or no optimum is found.

    Notes
    -----
    Fader and Hardie (2013), "The Gamma-Gamma model of monetary value", note 025, equation 1a.
    """
    x, m, n = _weighted_values(histories)
    used = (x > 0) & (m > 0)
    n_left_out = int(n[~used].sum())
    n_used = int(n[used].sum())
    if n_used < max(min_repeaters, 2):
        raise Refusal(
            f"histories: {n_used} customers have repeat purchases of positive value, a spend model needs "
            f"{max(min_repeaters, 2)}; take a longer window or more customers"
        )
    pairs = pd.DataFrame({"x": x[used], "m": m[used], "n": n[used]})
    unique = pairs.groupby(["x", "m"], as_index=False, sort=True)["n"].sum()
    x, m, n = (unique[name].to_numpy() for name in ("x", "m", "n"))
    if np.ptp(m) == 0:
        raise Refusal(
            f"histories.monetary: every repeat purchase is worth {m[0]:g}, there is no spread to model; "
            "use that value instead"
        )
    # In units of the mean, so that the currency cannot decide whether the optimiser converges.
    scale = float(np.average(m, weights=n))
    starts = [np.log([p, q, v]) for p, q, v in ((6.0, 4.0, 0.5), (1.0, 2.0, 1.0), (30.0, 3.0, 0.1))]
    optimum = maximise("GammaGammaFitter", (x, m / scale, n), PARAMETERS, starts)
    params = pd.Series(np.exp(optimum.log_params), index=list(PARAMETERS), name="gamma_gamma")
    params["v"] *= scale
    return SpendModel(
        params=params,
        log_covariance=optimum.log_covariance,
        log_draw_factor=optimum.log_draw_factor,
        loglik=log_likelihood(params.to_numpy(), x, m, n),
        n_customers=n_used,
        n_left_out=n_left_out,
        independence=_rank_correlation(x, m, n),
        convergence=optimum.convergence,
    )


@dataclass(frozen=True, eq=False)
class SpendModel:
    """A fitted Gamma-Gamma model; money in and out is that of the `monetary` it was fitted on.

    Attributes
    ----------
    params : Series
        p, q, v.
    log_covariance : ndarray
        Covariance of the logarithms of the parameters, shape (3, 3); NaN where the likelihood is flat.
    log_draw_factor : ndarray
        A root of `log_covariance` for drawing, undetermined directions held to a standard deviation of 1.
    loglik : float
        Log-likelihood, the sum over customers.
    n_customers, n_left_out : int
        Customers in the fit; customers without a repeat purchase of positive value.
    independence : Series
        spearman, low, high (95 %), n: rank correlation of frequency and monetary among repeaters. The model
        assumes it is zero; Pearson's correlation understates it for skewed money.
    convergence : str
    """

    params: pd.Series
    log_covariance: np.ndarray
    log_draw_factor: np.ndarray
    loglik: float
    n_customers: int
    n_left_out: int
    independence: pd.Series
    convergence: str

    @property
    def problem(self) -> str:
        """Why the mean over all customers does not exist, or an empty string."""
        q = self.params["q"]
        if q > 1:
            return ""
        return f"q = {q:.3f} is not above 1: the mean value of a purchase day has no finite expectation"

    @property
    def population_mean(self) -> float:
        """Expected value of a purchase day over all customers, p v / (q - 1); NaN with a `problem`."""
        p, q, v = self.params
        return float(p * v / (q - 1)) if q > 1 else float("nan")

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance of the parameters, D H^-1 D / N with D = diag(params) and H the log-scale Hessian."""
        return covariance_frame(self.params, self.log_covariance)

    @property
    def summary(self) -> pd.DataFrame:
        """Columns model, parameter, estimate, std_error, low, high (95 %); rows p .. v, loglik, aic, bic."""
        return summary_frame("gamma_gamma", self.params, self.log_covariance, self.loglik, self.n_customers)

    def expected_order_value(self, frequency, monetary) -> np.ndarray:
        """Expected value per purchase day given the history, shape (n,); the population mean without one.

        p (v + x m) / (p x + q - 1), Fader and Hardie note 025, equation 5. Repeat purchases that net to
        less than nothing count as worth nothing. NaN for customers without repeat purchases when there is a
        `problem`.
        """
        x, m = clean_history(frequency, monetary)
        p, q, v = self.params
        weight = p * x + q - 1
        # Not (1 - w) mean + w m: that form subtracts infinities as q comes near 1.
        return np.divide(p * (v + x * m), weight, out=np.full(x.shape, np.nan), where=weight > 0)

    def draw_parameters(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw parameter vectors, shape (draws, 3), on the log scale; those with q <= 1 are drawn again.

        Raises
        ------
        WaageError
            When the estimate of q itself is not above 1.
        """
        if self.problem:
            raise Refusal(f"spend model: {self.problem}")
        drawn = draw_log_normal(self.params, self.log_draw_factor, draws, rng)
        while (bad := drawn[:, 1] <= 1).any():
            drawn[bad] = draw_log_normal(self.params, self.log_draw_factor, int(bad.sum()), rng)
        return drawn

    def draw_value(
        self, orders, frequency, monetary, rng: np.random.Generator, *, with_parameters: bool = False
    ) -> np.ndarray:
        """Draw the money of `orders` purchase days, same shape: (n,) or (draws, n).

        The value of k orders is Gamma(p k, nu), with nu ~ Gamma(q + p x, v + x m) given the history, where v
        is the rate of the gamma over nu. `with_parameters` gives each row of draws its own parameter vector.

        Raises
        ------
        WaageError
            When orders are negative, or parameter uncertainty is asked for with q not above 1.
        """
        orders = np.asarray(orders)
        if (orders < 0).any():
            raise WaageError(f"orders must not be negative, got {orders.min()}")
        x, m = clean_history(frequency, monetary)
        rows = np.atleast_2d(orders)
        params = (
            self.draw_parameters(len(rows), rng)
            if with_parameters
            else np.tile(self.params.to_numpy(dtype=float), (len(rows), 1))
        )
        money = np.zeros(rows.shape)
        for row, counts, vector in zip(money, rows, params, strict=True):
            buyers = np.flatnonzero(counts)
            rate = draw_rates(vector, x[buyers], m[buyers], rng)
            row[buyers] = rng.standard_gamma(vector[0] * counts[buyers]) / rate
        return money.reshape(orders.shape)


def log_likelihood(params, frequency, monetary, n) -> float:
    """Log-likelihood of mean values of `frequency` repeat purchase days (note 025, equation 1a), summed."""
    p, q, v = params
    px = p * frequency
    per_customer = (
        gammaln(px + q)
        - gammaln(px)
        - gammaln(q)
        + q * np.log(v)
        + (px - 1) * np.log(monetary)
        + px * np.log(frequency)
        - (px + q) * np.log(frequency * monetary + v)
    )
    return float(np.sum(n * per_customer))


def draw_rates(params, x, m, rng: np.random.Generator) -> np.ndarray:
    """Draw each customer's rate nu of the gamma law of one purchase day's value."""
    p, q, v = params
    # A rate of zero would make money infinite; gamma draws underflow only for tiny shapes.
    return np.maximum(rng.standard_gamma(q + p * x), 1e-12) / (v + x * m)


def clean_history(frequency, monetary) -> tuple[np.ndarray, np.ndarray]:
    """Return frequency and monetary as floats, monetary 0 without repeat purchases or when negative.

    Raises
    ------
    WaageError
        When a customer with repeat purchases has no monetary value.
    """
    x = np.asarray(frequency, dtype=float)
    m = np.asarray(monetary, dtype=float)
    bad = (x > 0) & ~np.isfinite(m)
    if bad.any():
        raise WaageError(
            f"monetary: {int(bad.sum())} customers with repeat purchases have no value, first in row "
            f"{int(np.flatnonzero(bad)[0])}; compute it from the same orders as frequency"
        )
    return x, np.where(x > 0, np.maximum(np.where(np.isfinite(m), m, 0.0), 0.0), 0.0)


def _weighted_values(histories: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    missing = [name for name in ("frequency", "monetary") if name not in histories]
    if missing:
        raise WaageError(f"histories: column {', '.join(missing)} missing; there are {', '.join(map(str, histories))}")
    x = histories["frequency"].to_numpy(dtype=float, na_value=np.nan)
    m = histories["monetary"].to_numpy(dtype=float, na_value=np.nan)
    n = histories["n"].to_numpy(dtype=float) if "n" in histories else np.ones(len(x))
    faults = []
    for name, values in (("frequency", x), ("n", n)):
        if len(values) and not (np.isfinite(values).all() and (values >= 0).all() and (values % 1 == 0).all()):
            faults.append(f"{name} must be whole and not negative")
    if not faults and (bad := (x > 0) & ~np.isfinite(m)).any():
        faults.append(f"monetary is missing for {int(bad.sum())} rows with repeat purchases")
    if faults:
        raise WaageError("histories: " + "; ".join(faults))
    return x, m, n


def _rank_correlation(x: np.ndarray, m: np.ndarray, n: np.ndarray) -> pd.Series:
    """Spearman's correlation of weighted rows; interval by Fisher's z with Bonett and Wright (2000)."""
    total = float(n.sum())
    ranks = [_weighted_ranks(values, n) for values in (x, m)]
    centred = [rank - np.average(rank, weights=n) for rank in ranks]
    spread = [np.sqrt(np.average(values**2, weights=n)) for values in centred]
    result = {"spearman": np.nan, "low": np.nan, "high": np.nan, "n": total}
    if min(spread) > 0 and total > 3:
        rho = float(np.average(centred[0] * centred[1], weights=n) / (spread[0] * spread[1]))
        z = np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
        width = 1.959963984540054 * np.sqrt((1 + rho**2 / 2) / (total - 3))
        result |= {"spearman": rho, "low": float(np.tanh(z - width)), "high": float(np.tanh(z + width))}
    return pd.Series(result, name="independence")


def _weighted_ranks(values: np.ndarray, n: np.ndarray) -> np.ndarray:
    _, group = np.unique(values, return_inverse=True)
    size = np.bincount(group, weights=n)
    return (np.cumsum(size) - size / 2 + 0.5)[group]
