"""What a purchase day is worth: Gamma-Gamma, and a mean by frequency class where frequency and spend are related."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from waage.clv.fitting import covariance_frame, draw_log_normal, maximise, summary_frame
from waage.clv.likelihood import spend_value_and_gradient
from waage.errors import Refusal, WaageError

#: Rank correlation of frequency and value beyond which (with its interval) they count as related; a judgement.
RELATED = 0.1
#: First frequencies of the classes; those with too few customers are joined to the one below. A judgement.
CLASSES = (1, 2, 3, 5, 10, 20, 50)
_FEW = 50


def fit_spend(
    histories: pd.DataFrame, *, by_frequency: bool | str = "auto", fitter: str = "auto", min_repeaters: int = 30
) -> "SpendModel":
    """Fit the Gamma-Gamma model of value per purchase day by maximum likelihood.

    Parameters
    ----------
    histories : DataFrame
        `frequency` (repeat purchase days, whole), `monetary` (mean value per repeat purchase day, in the
        study's money) and `n` (customers in that row; 1 if absent). Rows without a repeat purchase, or whose
        repeat purchases are worth nothing or less, stay out of the fit and are counted. A column `currency`
        may hold one currency only.
    by_frequency : {"auto", True, False}
        Give v a value for each class of frequencies, so that an expected value is the customer's mean shrunken
        towards that of the class. "auto": where the rank correlation of frequency and value lies beyond `RELATED`
        with its whole interval, for plain Gamma-Gamma assumes that there is none.
    fitter : {"auto", "lifetimes", "own"}
        As in `waage.clv.fitting.maximise`.
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
    left_out = {
        "one_time": int(n[x == 0].sum()),
        "zero": int(n[(x > 0) & (m == 0)].sum()),
        "negative": int(n[(x > 0) & (m < 0)].sum()),
    }
    n_used = int(n[used].sum())
    if n_used < max(min_repeaters, 2):
        raise Refusal(
            f"histories: {n_used} customers have repeat purchases of positive value, a spend model needs "
            f"{max(min_repeaters, 2)}; take a longer window or more customers"
        )
    x, m, n = (column[used] for column in (x, m, n))
    order = np.lexsort((m, x))  # sums then do not depend on the order of rows
    x, m, n = (column[order] for column in (x, m, n))
    same = np.concatenate([[True], (np.diff(x) != 0) | (np.diff(m) != 0)])
    x, m, n = x[same], m[same], np.add.reduceat(n, np.flatnonzero(same))
    if np.ptp(m) == 0:
        raise Refusal(
            f"histories.monetary: every repeat purchase is worth {m[0]:g}, there is no spread to model; "
            "use that value instead"
        )
    independence = _rank_correlation(x, m, n)
    if by_frequency == "auto":
        by_frequency = bool(independence["low"] > RELATED or independence["high"] < -RELATED)
    classes = _classes(x, n) if by_frequency else ()
    # In units of the mean, so that the currency cannot decide whether the optimiser converges.
    scale = float(np.average(m, weights=n))
    group = (_class_of(x, classes),) if len(classes) > 1 else ()
    optimum = maximise("gamma_gamma", (x, m / scale, n, *group), fitter)
    names = ["p", "q", *([f"v_{first}" for first in classes] if group else ["v"])]
    params = pd.Series(np.exp(optimum.log_params), index=names, name="gamma_gamma")
    params.iloc[2:] *= scale
    return SpendModel(
        params=params,
        log_covariance=optimum.log_covariance,
        log_draw_factor=optimum.log_draw_factor,
        loglik=spend_value_and_gradient(params.to_numpy(), x, m, n, *group)[0],
        n_customers=n_used,
        n_left_out=sum(left_out.values()),
        independence=independence,
        convergence=optimum.convergence,
        classes=classes if group else (),
        sizes=tuple(int(size) for size in np.bincount(group[0], weights=n)) if group else (),
        left_out=left_out,
        by_decile=_by_decile(x, m, n),
    )


@dataclass(frozen=True, eq=False)
class SpendModel:
    """A fitted Gamma-Gamma model; money in and out is that of the `monetary` it was fitted on.

    Attributes
    ----------
    params : Series
        p, q, and v, or v_1, v_2, ... by the first frequency of a class.
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
    classes : tuple of int
        First frequencies of the classes that have a v of their own; () for plain Gamma-Gamma. Customers without a
        repeat purchase get the mean over the classes.
    sizes : tuple of int
        Customers in each class.
    left_out : dict
        Customers out of the fit: one_time, zero and negative (value of repeat purchases).
    by_decile : DataFrame
        Value by tenth of customers by frequency: decile, frequency_from, frequency_to, n, mean, low, high (95 %).
    """

    params: pd.Series
    log_covariance: np.ndarray
    log_draw_factor: np.ndarray
    loglik: float
    n_customers: int
    n_left_out: int
    independence: pd.Series
    convergence: str
    classes: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    left_out: dict | None = None
    by_decile: pd.DataFrame | None = None

    @property
    def model(self) -> str:
        """The name under which its figures are kept."""
        return "gamma_gamma_by_frequency" if self.classes else "gamma_gamma"

    @property
    def problem(self) -> str:
        """Why the mean over all customers does not exist, or an empty string."""
        q = self.params["q"]
        if q > 1:
            return ""
        return f"q = {q:.3f} is not above 1: the mean value of a purchase day has no finite expectation"

    @property
    def population_mean(self) -> float:
        """Expected value of a purchase day of a customer without history, p v / (q - 1); NaN with a `problem`."""
        p, q, v = self.split(self.params, 0)
        return float(p * v / (q - 1)) if q > 1 else float("nan")

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance of the parameters, D H^-1 D / N with D = diag(params) and H the log-scale Hessian."""
        return covariance_frame(self.params, self.log_covariance)

    @property
    def summary(self) -> pd.DataFrame:
        """Columns model, parameter, estimate, std_error, low, high (95 %); rows p .. v, loglik, aic, bic."""
        return summary_frame(self.model, self.params, self.log_covariance, self.loglik, self.n_customers)

    def expected_order_value(self, frequency, monetary) -> np.ndarray:
        """Expected value per purchase day given the history, shape (n,); the population mean without one.

        p (v + x m) / (p x + q - 1), Fader and Hardie note 025, equation 5. Repeat purchases that net to
        less than nothing count as worth nothing. NaN for customers without repeat purchases when there is a
        `problem`.
        """
        x, m = clean_history(frequency, monetary)
        p, q, v = self.split(self.params, x)
        weight = p * x + q - 1
        # Not (1 - w) mean + w m: that form subtracts infinities as q comes near 1.
        return np.divide(p * (v + x * m), weight, out=np.full(x.shape, np.nan), where=weight > 0)

    def split(self, params, frequency) -> tuple[float, float, np.ndarray | float]:
        """Return p, q and the v that belongs to each frequency, of any parameter vector of this model.

        One-time buyers get the mean over the classes: those of them who come back spend like all, not like the
        least frequent (on CDNOW 36.4 dollars an order, against 31.7 by the lowest class and 35.8 by all).
        """
        p, q, *v = np.asarray(params, dtype=float)
        if not self.classes:
            return p, q, v[0]
        x = np.asarray(frequency)
        v = np.array(v)
        return p, q, np.where(x > 0, v[_class_of(x, self.classes)], v @ np.array(self.sizes) / sum(self.sizes))

    def draw_parameters(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw parameter vectors, shape (draws, parameters), on the log scale; those with q <= 1 are drawn again.

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
    if "currency" in histories and histories["currency"].nunique() > 1:
        several = ", ".join(map(str, sorted(histories["currency"].dropna().unique())[:3]))
        raise WaageError(
            f"histories.currency: several are mixed ({several}); convert orders to one in sources/orders.sql"
        )
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


def _classes(x: np.ndarray, n: np.ndarray) -> tuple[int, ...]:
    kept = [CLASSES[0]]
    for first, beyond in zip(CLASSES, (*CLASSES[1:], np.inf), strict=True):
        if n[(x >= kept[-1]) & (x < first)].sum() >= _FEW and n[x >= first].sum() >= _FEW and beyond > first:
            kept.append(first)
    return tuple(dict.fromkeys(kept))


def _class_of(frequency, classes: tuple[int, ...]) -> np.ndarray:
    return np.maximum(np.searchsorted(classes, frequency, side="right") - 1, 0)


def _by_decile(x: np.ndarray, m: np.ndarray, n: np.ndarray) -> pd.DataFrame:
    tenth = np.minimum(np.floor(10 * (_weighted_ranks(x, n) - 0.5) / n.sum()), 9).astype(int)
    rows = []
    for decile in np.unique(tenth):
        mine = tenth == decile
        size = n[mine].sum()
        mean = np.average(m[mine], weights=n[mine])
        half = 1.96 * np.sqrt(np.average((m[mine] - mean) ** 2, weights=n[mine]) / size)
        rows.append((decile + 1, int(x[mine].min()), int(x[mine].max()), int(size), mean, mean - half, mean + half))
    return pd.DataFrame(rows, columns=["decile", "frequency_from", "frequency_to", "n", "mean", "low", "high"])
