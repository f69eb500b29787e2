"""How often customers will buy and whether they still do: BG/NBD and MBG/NBD on unique histories."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaln, expit, gammaln, hyp2f1, log_expit, polygamma

from waage.clv.fitting import (
    covariance_frame,
    draw_log_normal,
    maximise,
    summary_frame,
)
from waage.errors import Refusal, WaageError, did_you_mean

FITTERS = {"bg": "BetaGeoFitter", "mbg": "ModifiedBetaGeoFitter"}
DAYS_PER_UNIT = {"days": 1, "weeks": 7}
PARAMETERS = ("r", "alpha", "a", "b")


def fit_purchases(
    histories: pd.DataFrame, model: str = "mbg", time_unit: str = "days", *, min_repeaters: int = 30
) -> "PurchaseModel":
    """Fit a purchase model by maximum likelihood on unique histories.

    An "order" here and in all of `waage.clv` is a *purchase day*: a day with at least one order.

    Parameters
    ----------
    histories : DataFrame
        `frequency` (repeat purchase days), `recency` (last minus first purchase day) and `T` (end of the
        window minus first purchase day), all whole days, and `n` (customers with that history; 1 if absent).
        Rows may repeat: they are counted together, which changes nothing but the time it takes.
    model : {"mbg", "bg"}
        "mbg" lets customers leave after the first purchase too; "bg" takes every one-time buyer for alive.
    time_unit : {"days", "weeks"}
        Unit of the parameters and of the log-likelihood; weeks are days / 7 exactly.
    min_repeaters : int
        Customers with a repeat purchase needed for a fit; a judgement, not a result.

    Raises
    ------
    WaageError
        When histories are inconsistent, when too few customers bought again, or when no optimum is found.

    Notes
    -----
    BG/NBD: Fader, Hardie, Lee (2005), Marketing Science 24(2), 275-284. MBG/NBD: Batislam, Denizel,
    Filiztekin (2007), IJRM 24(3), 201-209, with the erratum of Wagner and Hoppe (2008).
    """
    if model not in FITTERS:
        raise WaageError(f"model {model!r} is unknown; use 'mbg' or 'bg'{did_you_mean(model, FITTERS)}")
    if time_unit not in DAYS_PER_UNIT:
        raise WaageError(
            f"time_unit {time_unit!r} is unknown; use 'days' or 'weeks'{did_you_mean(time_unit, DAYS_PER_UNIT)}"
        )
    unique = unique_histories(histories)
    x, n = unique["frequency"].to_numpy(), unique["n"].to_numpy()
    repeaters = int(n[x > 0].sum())
    if repeaters < max(min_repeaters, 1):
        raise Refusal(
            f"histories: {repeaters} of {n.sum()} customers bought again, a purchase model needs "
            f"{max(min_repeaters, 1)}; take a longer window or more customers"
        )
    unit = DAYS_PER_UNIT[time_unit]
    recency, T = unique["recency"].to_numpy() / unit, unique["T"].to_numpy() / unit
    # Time scaled to (0, 1], as lifetimes does it: the logarithm of alpha moves, its curvature does not.
    scale = 1.0 / T.max()
    spread = [np.log([r, alpha, a, b]) for r, alpha, a, b in ((0.5, 0.2, 0.8, 2.0), (2.0, 0.5, 0.2, 1.0))]
    optimum = maximise(FITTERS[model], (x, recency * scale, T * scale, n), PARAMETERS, spread)
    params = pd.Series(np.exp(optimum.log_params), index=list(PARAMETERS), name=model)
    params["alpha"] /= scale
    return PurchaseModel(
        model=model,
        time_unit=time_unit,
        params=params,
        log_covariance=optimum.log_covariance,
        log_draw_factor=optimum.log_draw_factor,
        loglik=log_likelihood(model, params.to_numpy(), x, recency, T, n),
        n_customers=int(n.sum()),
        n_histories=len(unique),
        convergence=optimum.convergence,
    )


@dataclass(frozen=True, eq=False)
class PurchaseModel:
    """A fitted BG/NBD or MBG/NBD model; all methods take and return days, whatever its time unit.

    Attributes
    ----------
    model, time_unit : str
    params : Series
        r, alpha (in time units), a, b.
    log_covariance : ndarray
        Covariance of the logarithms of the parameters, shape (4, 4); NaN where the likelihood is flat.
    log_draw_factor : ndarray
        What turns standard normal numbers into deviations of the logarithms: a root of `log_covariance`, with
        directions that the data do not determine held to a standard deviation of 1.
    loglik : float
        Log-likelihood in the time unit, comparable between models and with published figures.
    n_customers, n_histories : int
        Customers, and unique histories among them.
    convergence : str
        How the optimum was reached, and parameters that the data hardly determine.
    """

    model: str
    time_unit: str
    params: pd.Series
    log_covariance: np.ndarray
    log_draw_factor: np.ndarray
    loglik: float
    n_customers: int
    n_histories: int
    convergence: str

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance of the parameters, D H^-1 D / N with D = diag(params) and H the log-scale Hessian."""
        return covariance_frame(self.params, self.log_covariance)

    @property
    def summary(self) -> pd.DataFrame:
        """Columns model, parameter, estimate, std_error, low, high (95 %); rows r .. b, loglik, aic, bic."""
        return summary_frame(self.model, self.params, self.log_covariance, self.loglik, self.n_customers)

    def p_alive(self, frequency, recency, T) -> np.ndarray:
        """Probability of not having left by the end of the window, shape (n,).

        In BG/NBD it is 1 for every one-time buyer by construction: use MBG/NBD to judge churn.
        """
        return alive_probability(self.model, self.params.to_numpy(), *self._history(frequency, recency, T))

    def expected_orders(self, days, frequency, recency, T) -> np.ndarray:
        """Expected purchase days in the next `days` (scalar or shape (n,)), shape (n,).

        Fader, Hardie, Lee (2005), equation 10; for MBG/NBD Wagner and Hoppe (2008). Finite for all parameters,
        also where a = 1 or where a + b < 1 makes the textbook form fail.
        """
        x, recency, T = self._history(frequency, recency, T)
        r, alpha, a, b = self.params
        horizon = self._horizon(days, x)
        alive = alive_probability(self.model, self.params.to_numpy(), x, recency, T)
        return alive * orders_while_alive(r + x, alpha + T, a, survivals(self.model, b, x), horizon)

    def p_order(self, days, frequency, recency, T) -> np.ndarray:
        """Probability of at least one purchase day in the next `days` (scalar or shape (n,)), shape (n,).

        P(alive) x (1 - ((alpha + T) / (alpha + T + t))^(r + x)): a living customer cannot leave before the
        next purchase, so only the purchase rate's gamma posterior matters.
        """
        x, recency, T = self._history(frequency, recency, T)
        r, alpha, _, _ = self.params
        horizon = self._horizon(days, x)
        alive = alive_probability(self.model, self.params.to_numpy(), x, recency, T)
        return alive * -np.expm1(-(r + x) * np.log1p(horizon / (alpha + T)))

    def draw_parameters(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw parameter vectors, shape (draws, 4), from the normal approximation on the log scale."""
        return draw_log_normal(self.params, self.log_draw_factor, draws, rng)

    def draw_orders(
        self,
        days,
        frequency,
        recency,
        T,
        *,
        draws: int,
        rng: np.random.Generator,
        with_parameters: bool = True,
        params: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draw purchase days in the next `days` (one number), integers of shape (draws, n).

        Exact predictive draws: alive ~ Bernoulli(P(alive)), rate ~ Gamma(r + x, alpha + T), drop-out
        p ~ Beta(a, b + x) (MBG/NBD: b + x + 1, the first purchase was survived too), orders =
        min(Poisson(rate t), Geometric(p)). A living customer of either model leaves only after a future
        purchase, which still counts. `with_parameters` gives each draw its own parameter vector; `params`
        (draws, 4) hands them in, so that several calls can share them.
        """
        x, recency, T = (np.atleast_1d(column) for column in self._history(frequency, recency, T))
        horizon = float(self._horizon(days, np.zeros(())))
        if params is None and with_parameters:
            params = self.draw_parameters(draws, rng)
        elif params is None:
            params = np.tile(self.params.to_numpy(dtype=float), (draws, 1))
        orders = np.zeros((draws, len(x)), dtype=np.int64)
        for row, vector in zip(orders, params, strict=True):
            buyers, wanted, limit = draw_buyers(self.model, vector, horizon, x, recency, T, rng)
            row[buyers] = np.minimum(wanted, limit)
        return orders

    def draw_order_days(
        self, days, frequency, recency, T, *, params, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw once when customers buy in the next `days`, given one parameter vector of the time unit.

        Returns
        -------
        buyers : ndarray of int
            Positions of the customers who buy, ascending.
        counts : ndarray of int
            Their purchase days.
        when : ndarray of float
            Days from now of each purchase, those of a buyer side by side; length counts.sum().
        """
        x, recency, T = self._history(frequency, recency, T)
        horizon = float(self._horizon(days, np.zeros(())))
        buyers, wanted, limit = draw_buyers(self.model, params, horizon, x, recency, T, rng)
        when = rng.random(int(wanted.sum())) * float(days)
        counts = np.minimum(wanted, limit)
        leaves = wanted > limit
        if leaves.any():
            # Given their number, Poisson times are uniform; who leaves keeps the earliest ones.
            here = np.repeat(leaves, wanted)
            wanted, limit = wanted[leaves], limit[leaves]
            owner = np.repeat(np.arange(len(wanted)), wanted)
            rank = np.arange(len(owner)) - np.repeat(np.cumsum(wanted) - wanted, wanted)
            early = when[here]
            when[here] = np.where(rank < np.repeat(limit, wanted), early[np.lexsort((early, owner))], np.nan)
            when = when[~np.isnan(when)]
        return buyers, counts, when

    def _history(self, frequency, recency, T) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        unit = DAYS_PER_UNIT[self.time_unit]
        x = np.asarray(frequency, dtype=float)
        return x, np.asarray(recency, dtype=float) / unit, np.asarray(T, dtype=float) / unit

    def _horizon(self, days, like: np.ndarray) -> np.ndarray:
        horizon = np.asarray(days, dtype=float)
        if not (np.isfinite(horizon).all() and (horizon >= 0).all()):
            raise WaageError(f"days must be finite and not negative, got {days!r}")
        return np.broadcast_to(horizon / DAYS_PER_UNIT[self.time_unit], np.broadcast_shapes(horizon.shape, like.shape))


def unique_histories(histories: pd.DataFrame) -> pd.DataFrame:
    """Check histories and count the unique ones: frequency, recency, T, n, sorted.

    Raises
    ------
    WaageError
        Naming all faults: missing columns, gaps, fractions, negative values, recency beyond T, recency without
        repeat purchases or the other way round.
    """
    check_histories(histories)
    columns = ["frequency", "recency", "T"]
    counted = histories[columns].astype("int64")
    counted["n"] = histories["n"].astype("int64") if "n" in histories else 1
    unique = counted.groupby(columns, as_index=False, sort=True)["n"].sum()
    return unique[unique["n"] > 0].reset_index(drop=True)


def check_histories(histories: pd.DataFrame) -> None:
    """Refuse histories that no sequence of purchase days can have, naming all faults."""
    missing = [name for name in ("frequency", "recency", "T") if name not in histories]
    if missing:
        raise WaageError(f"histories: column {', '.join(missing)} missing; there are {', '.join(map(str, histories))}")
    if len(histories) == 0:
        raise WaageError("histories: no rows; check the window and the customers selected")
    faults = []
    for name in ("frequency", "recency", "T", "n"):
        if name not in histories:
            continue
        values = histories[name].to_numpy(dtype=float, na_value=np.nan)
        with np.errstate(invalid="ignore"):
            bad = ~np.isfinite(values) | (values < 0) | (values != np.floor(values))
        if bad.any():
            faults.append(f"{name} must be whole and not negative ({_first(values, bad)})")
    if not faults:
        x, recency, T = (histories[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T"))
        if (bad := recency > T).any():
            faults.append(f"recency lies after the end of the window, beyond T ({_first(recency, bad)})")
        if (bad := (x == 0) & (recency > 0)).any():
            faults.append(f"recency without a repeat purchase ({_first(recency, bad)})")
        if (bad := (x > 0) & (recency < x)).any():
            faults.append(f"more repeat purchase days than days, merge orders of one day ({_first(x, bad)})")
        if T.max() == 0:
            faults.append("T is 0 for everybody, nothing was observed; take a longer window")
    if faults:
        raise WaageError("histories: " + "; ".join(faults))


def log_likelihood(model: str, params, frequency, recency, T, n) -> float:
    """Log-likelihood of weighted histories in the units of `params`, the sum over customers.

    BG/NBD: Fader, Hardie, Lee (2005), equation 6. MBG/NBD: Batislam et al. (2007).
    """
    r, alpha, a, b = params
    x = frequency
    rate = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    survived = survivals(model, b, x)
    still_there = betaln(a, survived) - betaln(a, b) - (r + x) * np.log(alpha + T)
    # Left after the last purchase: one survival less, one drop-out more.
    possible = (x > 0) | (model == "mbg")
    left = np.where(
        possible,
        betaln(a + 1, np.where(possible, survived - 1, 1.0)) - betaln(a, b) - (r + x) * np.log(alpha + recency),
        -np.inf,
    )
    return float(np.sum(n * (rate + np.logaddexp(still_there, left))))


def alive_probability(model: str, params, x, recency, T) -> np.ndarray:
    """P(alive) in the units of `params`; the odds are formed on the log scale, so nothing overflows."""
    r, alpha, a, b = params
    possible = (x > 0) | (model == "mbg")
    chances = np.where(possible, survivals(model, b, x) - 1, 1.0)
    odds_of_having_left = np.log(a / chances) + (r + x) * np.log((alpha + T) / (alpha + recency))
    return np.where(possible, expit(-odds_of_having_left), 1.0)


def survivals(model: str, b: float, x):
    """Second parameter of the drop-out's posterior while alive: b plus the chances to leave not taken."""
    return b + x + (1 if model == "mbg" else 0)


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


def draw_buyers(model: str, params, horizon: float, x, recency, T, rng: np.random.Generator):
    """Draw who buys in `horizon`: positions, the purchases wanted, and the purchase after which they leave."""
    r, alpha, a, b = params
    alive = np.flatnonzero(rng.random(len(x)) < alive_probability(model, params, x, recency, T))
    rate = rng.standard_gamma(r + x[alive]) / (alpha + T[alive])
    wanted = rng.poisson(rate * horizon)
    buyers, wanted = alive[wanted > 0], wanted[wanted > 0]
    # A drop-out probability below 1e-12 cannot be told from never; the geometric law needs it positive.
    leaving = np.maximum(rng.beta(a, survivals(model, b, x[buyers])), 1e-12)
    return buyers, wanted, rng.geometric(leaving)


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


def _first(values: np.ndarray, bad: np.ndarray) -> str:
    position = int(np.flatnonzero(bad)[0])
    return f"{int(bad.sum())} rows, first {values[position]:g} in row {position}"
