"""How often customers will buy and whether they still do: BG/NBD, MBG/NBD and Pareto/NBD on unique histories."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from waage.clv.calendar import Calendar
from waage.clv.drawing import draw_purchases
from waage.clv.fitting import covariance_frame, draw_log_normal, maximise, summary_frame
from waage.clv.histories import KEYS, unique_histories
from waage.clv.likelihood import PARAMETERS, alive_probability, log_likelihood
from waage.clv.prediction import count_if_alive, discounted_if_alive, median_wait, order_if_alive, orders_if_alive
from waage.errors import Refusal, WaageError, did_you_mean

MODELS = ("mbg", "pareto", "bg")
DAYS_PER_UNIT = {"days": 1, "weeks": 7}
FITTERS = ("auto", "lifetimes", "own")
TEN_YEARS = 3652.5  # days; a customer whose median wait is longer is not waited for


def fit_purchases(
    histories: pd.DataFrame,
    model: str = "mbg",
    time_unit: str = "days",
    *,
    calendar: Calendar | None = None,
    fitter: str = "auto",
    min_repeaters: int = 30,
) -> "PurchaseModel":
    """Fit a purchase model by maximum likelihood on unique histories.

    An "order" here and in all of `waage.clv` is a *purchase day*: a day with at least one order.

    Parameters
    ----------
    histories : DataFrame
        `frequency` (repeat purchase days), `recency` (last minus first purchase day) and `T` (end of the
        window minus first purchase day), all whole days, and `n` (customers with that history; 1 if absent).
        Rows may repeat: they are counted together, which changes nothing but the time it takes.
    model : {"mbg", "pareto", "bg"}
        "mbg" lets customers leave after any purchase, the first included; "pareto" at any time; "bg" takes every
        one-time buyer for alive.
    time_unit : {"days", "weeks"}
        Unit of the parameters and of the log-likelihood; weeks are days / 7 exactly.
    calendar : Calendar, optional
        Lets time run faster in the season: parameters are in average days, methods take and return days.
        Its `as_of` is the day at which the histories end.
    fitter : {"auto", "lifetimes", "own"}
        As in `waage.clv.fitting.maximise`.
    min_repeaters : int
        Customers with a repeat purchase needed for a fit; a judgement, not a result.

    Raises
    ------
    Refusal
        When too few customers bought again.
    WaageError
        When histories are inconsistent or no optimum is found.

    Notes
    -----
    BG/NBD: Fader, Hardie, Lee (2005), Marketing Science 24(2), 275-284. MBG/NBD: Batislam, Denizel,
    Filiztekin (2007), IJRM 24(3), 201-209, with the erratum of Wagner and Hoppe (2008). Pareto/NBD:
    Schmittlein, Morrison, Colombo (1987), Management Science 33(1), 1-24.
    """
    for name, value, options in (
        ("model", model, MODELS),
        ("time_unit", time_unit, tuple(DAYS_PER_UNIT)),
        ("fitter", fitter, FITTERS),
    ):
        if value not in options:
            wanted = " or ".join(repr(option) for option in options)
            raise WaageError(f"{name} {value!r} is unknown; use {wanted}{did_you_mean(value, options)}")
    unique = unique_histories(histories)
    x, n = unique["frequency"].to_numpy(dtype=float), unique["n"].to_numpy(dtype=float)
    repeaters = int(n[x > 0].sum())
    if repeaters < max(min_repeaters, 1):
        raise Refusal(
            f"histories: {repeaters} of {int(n.sum())} customers bought again, a purchase model needs "
            f"{max(min_repeaters, 1)}; take a longer window or more customers"
        )
    recency, T = in_units(unique["recency"], unique["T"], time_unit, calendar)
    # Time scaled to (0, 1], as lifetimes does it: the logarithm of alpha moves, its curvature does not.
    scale = 1.0 / T.max()
    optimum = maximise(model, (x, recency * scale, T * scale, n), fitter)
    params = pd.Series(np.exp(optimum.log_params), index=list(PARAMETERS[model]), name=model)
    for name in params.index.intersection(["alpha", "beta"]):
        params[name] /= scale
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
        calendar=calendar,
    )


@dataclass(frozen=True, eq=False)
class PurchaseModel:
    """A fitted purchase model; all methods take and return days, whatever its time unit and calendar.

    Attributes
    ----------
    model, time_unit : str
    params : Series
        r, alpha (in time units), and a, b (BG/NBD, MBG/NBD) or s, beta (Pareto/NBD).
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
    calendar : Calendar or None
        The season by which its clock runs.
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
    calendar: Calendar | None = None

    @property
    def name(self) -> str:
        """The name under which its figures are kept: the model, and whether it knows the season."""
        return self.model if self.calendar is None else f"{self.model}_calendar"

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance of the parameters, D H^-1 D / N with D = diag(params) and H the log-scale Hessian."""
        return covariance_frame(self.params, self.log_covariance)

    @property
    def summary(self) -> pd.DataFrame:
        """Columns model, parameter, estimate, std_error, low, high (95 %); the parameters, loglik, aic, bic."""
        return summary_frame(self.name, self.params, self.log_covariance, self.loglik, self.n_customers)

    @property
    def caution(self) -> str:
        """What is odd about the parameters, or an empty string."""
        if self.model != "pareto" and self.params["a"] + self.params["b"] < 1:
            return (
                f"a + b = {self.params['a'] + self.params['b']:.3f} is below 1: drop-out is all or nothing, and other "
                "programs return no forecast for one-time buyers here"
            )
        return ""

    @cached_property
    def _vector(self) -> np.ndarray:
        return self.params.to_numpy(dtype=float)

    def predict(self, histories: pd.DataFrame, horizon_days) -> pd.DataFrame:
        """Predict every row of `histories` (frequency, recency, T in days; whatever else stays out).

        Returns
        -------
        DataFrame
            With the index of `histories`: p_alive, p_order and expected_orders within `horizon_days`, days_to_order
            (median days to the next order; inf where it is more likely never).
        """
        history = [histories[name].to_numpy(dtype=float) for name in KEYS]
        return pd.DataFrame(
            {
                "p_alive": self.p_alive(*history),
                "p_order": self.p_order(horizon_days, *history),
                "expected_orders": self.expected_orders(horizon_days, *history),
                "days_to_order": self.days_to_order(*history),
            },
            index=histories.index,
        )

    def p_alive(self, frequency, recency, T) -> np.ndarray:
        """Probability of not having left by the end of the window, shape (n,).

        In BG/NBD it is 1 for every one-time buyer by construction: use MBG/NBD or Pareto/NBD to judge churn.
        """
        return alive_probability(self.model, self._vector, *self._history(frequency, recency, T))

    def expected_orders(self, days, frequency, recency, T, *, if_alive: bool = False) -> np.ndarray:
        """Expected purchase days in the next `days` (scalar or shape (n,)), shape (n,).

        Finite for all parameters, also where a = 1 or where a + b < 1 makes the textbook form fail. `if_alive`
        gives what a customer would buy who is still there; times P(alive) it is the expectation. The history
        (0, 0, 0) is that of a customer who has just bought for the first time.
        """
        x, recency, T = self._history(frequency, recency, T)
        expected = orders_if_alive(self.model, self._vector, x, T, self._horizon(days, x))
        return expected if if_alive else expected * alive_probability(self.model, self._vector, x, recency, T)

    def p_order(self, days, frequency, recency, T) -> np.ndarray:
        """Probability of at least one purchase day in the next `days` (scalar or shape (n,)), shape (n,)."""
        x, recency, T = self._history(frequency, recency, T)
        alive = alive_probability(self.model, self._vector, x, recency, T)
        return alive * order_if_alive(self.model, self._vector, x, T, self._horizon(days, x))

    def p_count(self, count, days, frequency, recency, T) -> np.ndarray:
        """Probability of exactly `count` purchase days (shape (n,)) in the next `days`, shape (n,)."""
        x, recency, T = self._history(frequency, recency, T)
        alive = alive_probability(self.model, self._vector, x, recency, T)
        coming = count_if_alive(self.model, self._vector, x, T, self._horizon(days, x), count)
        return alive * coming + np.where(np.asarray(count) == 0, 1 - alive, 0.0)

    def days_to_order(self, frequency, recency, T) -> np.ndarray:
        """Median days to the next purchase day, shape (n,); inf where none is as likely, or within ten years."""
        x, recency, T = np.atleast_1d(*self._history(frequency, recency, T))
        alive = alive_probability(self.model, self._vector, x, recency, T)
        ceiling = TEN_YEARS / DAYS_PER_UNIT[self.time_unit]
        wait = median_wait(self.model, self._vector, alive, x, T, ceiling)
        return np.where(np.isfinite(wait), self._days(np.minimum(wait, ceiling)), np.inf)

    def discounted_orders(self, rate: float, frequency, recency, T) -> np.ndarray:
        """Discounted expected purchase days without an end (DERT), Pareto/NBD only, shape (n,).

        `rate` is the discount rate per year; it acts continuously, as log(1 + rate) / 365.25 a day.

        Raises
        ------
        WaageError
            For another model, whose sum has no closed form, or without a positive rate.
        """
        if self.model != "pareto":
            raise WaageError(f"discounted_orders needs model 'pareto', not {self.model!r}; set clv_years instead")
        if not 0 < rate < np.inf:
            raise WaageError(f"rate must be positive, got {rate!r} (0.10 is ten percent a year)")
        x, recency, T = self._history(frequency, recency, T)
        per_unit = np.log1p(rate) / 365.25 * DAYS_PER_UNIT[self.time_unit]
        alive = alive_probability(self.model, self._vector, x, recency, T)
        return alive * discounted_if_alive(self._vector, x, T, per_unit)

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

        Exact predictive draws, as in `waage.clv.drawing.draw_purchases`. `with_parameters` gives each draw its own
        parameter vector; `params` (draws, 4) hands them in, so that several calls can share them.
        """
        x, recency, T = np.atleast_1d(*self._history(frequency, recency, T))
        horizon = float(self._horizon(days, np.zeros(())))
        if params is None and with_parameters:
            params = self.draw_parameters(draws, rng)
        elif params is None:
            params = np.tile(self._vector, (draws, 1))
        orders = np.zeros((draws, len(x)), dtype=np.int64)
        alive, last = None, None
        for row, vector in zip(orders, params, strict=True):
            if last is None or not np.array_equal(vector, last):
                alive, last = alive_probability(self.model, vector, x, recency, T), vector
            buyers, counts, _ = draw_purchases(self.model, vector, horizon, x, recency, T, rng, alive)
            row[buyers] = counts
        return orders

    def plot_alive(self, ax=None, **options):
        """Draw P(alive) over frequency and recency; see `waage.clv.plots.plot_history_map`."""
        from waage.clv.plots import plot_history_map

        return plot_history_map(self, "p_alive", ax, **options)

    def plot_expected_orders(self, ax=None, **options):
        """Draw expected orders over frequency and recency; see `waage.clv.plots.plot_history_map`."""
        from waage.clv.plots import plot_history_map

        return plot_history_map(self, "expected_orders", ax, **options)

    def plot_customer(self, purchase_days, until, ax=None, **options):
        """Draw one customer's purchases and P(alive) over time; see `waage.clv.plots.plot_customer`."""
        from waage.clv.plots import plot_customer

        return plot_customer(self, purchase_days, until, ax, **options)

    def _history(self, frequency, recency, T) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return np.asarray(frequency, dtype=float), *in_units(recency, T, self.time_unit, self.calendar)

    def _horizon(self, days, like: np.ndarray) -> np.ndarray:
        horizon = np.asarray(days, dtype=float)
        if not (np.isfinite(horizon).all() and (horizon >= 0).all()):
            raise WaageError(f"days must be finite and not negative, got {days!r}")
        shape = np.broadcast_shapes(horizon.shape, like.shape)
        if self.calendar is not None:
            horizon = self.calendar.elapsed(horizon)
        return np.broadcast_to(horizon / DAYS_PER_UNIT[self.time_unit], shape)

    def _days(self, time: np.ndarray) -> np.ndarray:
        days = time * DAYS_PER_UNIT[self.time_unit]
        return days if self.calendar is None else self.calendar.days(days)


def in_units(recency, T, time_unit: str, calendar: Calendar | None) -> tuple[np.ndarray, np.ndarray]:
    """Return recency and T (days) in time units, on the clock of the season where there is one."""
    recency, T = np.asarray(recency, dtype=float), np.asarray(T, dtype=float)
    if calendar is not None:
        recency, T = calendar.history(recency, T)
    unit = DAYS_PER_UNIT[time_unit]
    return recency / unit, T / unit
