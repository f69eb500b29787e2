"""lifetimes behind one door: its likelihoods, a ladder of retries, and what may be said of the optimum."""

import contextlib
import importlib
import io
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from waage.errors import WaageError

# Largest component of the gradient of the mean log-likelihood, on the log scale of the parameters, at which
# an optimum is accepted though the optimiser complained. A judgement: at the default tolerance it is 1e-7.
GRADIENT_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Optimum:
    """A maximum of the likelihood in the logarithms of the parameters."""

    log_params: np.ndarray
    log_covariance: np.ndarray
    log_draw_factor: np.ndarray
    convergence: str


@contextlib.contextmanager
def contained():
    """Run lifetimes without its side effects: it changes warning filters, a pandas option, and prints."""
    # lifetimes silences FutureWarning for the whole process and prints what did not converge.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        before = pd.get_option("mode.chained_assignment")
        try:
            yield
        finally:
            pd.set_option("mode.chained_assignment", before)


def maximise(fitter_name: str, arguments: tuple, names: tuple[str, ...], starts: list[np.ndarray]) -> Optimum:
    """Maximise a likelihood of lifetimes without a penalty, and say how it went.

    Parameters
    ----------
    fitter_name : str
        Class in `lifetimes`: "BetaGeoFitter", "ModifiedBetaGeoFitter" or "GammaGammaFitter".
    arguments : tuple of ndarray
        What the likelihood takes after the parameters; the last one holds the weights.
    names : tuple of str
        Names of the parameters, in the order of the likelihood.
    starts : list of ndarray
        Starting values in logarithms, for when the default start fails.

    Raises
    ------
    WaageError
        When no start leads to a point with a vanishing gradient.

    Notes
    -----
    The ladder: the default tolerance; then from each start the same tolerance and a looser one, judged by the
    gradient and not by the optimiser's verdict, for its "precision loss" also occurs at the true optimum. A
    penalty is never used: it moves parameters and can turn values negative.
    """
    with contained():
        lifetimes = importlib.import_module("lifetimes")
        errors = importlib.import_module("lifetimes.utils")
        autograd = importlib.import_module("autograd")
        fitter = getattr(lifetimes, fitter_name)(penalizer_coef=0.0)
        objective = autograd.value_and_grad(fitter._negative_log_likelihood)
        arguments = (*arguments, 0.0)
        try:
            log_params, _, hessian = fitter._fit(arguments, None, len(names), False, tol=1e-7)
            convergence = "converged at the default tolerance"
        except errors.ConvergenceError:
            log_params, convergence = _retry(objective, arguments, starts, names)
            hessian = autograd.hessian(fitter._negative_log_likelihood)(log_params, *arguments)
        gradient = float(np.abs(objective(log_params, *arguments)[1]).max())
    log_covariance, log_draw_factor = _curvature(np.asarray(hessian), float(np.sum(arguments[-2])))
    convergence += f"; largest gradient {gradient:.1e}"
    if np.isnan(log_covariance).any():
        convergence += "; the likelihood is flat: no standard errors"
    else:
        loose = [name for name, se in zip(names, np.sqrt(np.diag(log_covariance)), strict=True) if se > 1]
        if loose:
            convergence += f"; weakly identified (standard error of the logarithm above 1): {', '.join(loose)}"
    return Optimum(log_params, log_covariance, log_draw_factor, convergence)


def summary_frame(
    model: str, params: pd.Series, log_covariance: np.ndarray, loglik: float, n_customers: int
) -> pd.DataFrame:
    """Return parameters with standard errors and 95 % intervals, and the rows loglik, aic and bic.

    Intervals are symmetric on the log scale, so they stay positive. `n_customers` enters the BIC alone.
    """
    log_se = np.sqrt(np.diag(log_covariance))
    with np.errstate(over="ignore"):
        width = np.exp(1.959963984540054 * log_se)
    estimates = pd.DataFrame(
        {
            "parameter": params.index,
            "estimate": params.to_numpy(),
            "std_error": params.to_numpy() * log_se,
            "low": params.to_numpy() / width,
            "high": params.to_numpy() * width,
        }
    )
    k = len(params)
    fit = pd.DataFrame(
        {
            "parameter": ["loglik", "aic", "bic"],
            "estimate": [loglik, 2 * k - 2 * loglik, k * np.log(n_customers) - 2 * loglik],
            "std_error": np.nan,
            "low": np.nan,
            "high": np.nan,
        }
    )
    frame = pd.concat([estimates, fit], ignore_index=True)
    frame.insert(0, "model", model)
    return frame


def covariance_frame(params: pd.Series, log_covariance: np.ndarray) -> pd.DataFrame:
    """Return the covariance of the parameters: D V D with D = diag(params) and V that of the logarithms."""
    products = np.outer(params, params)
    return pd.DataFrame(log_covariance * products, index=params.index, columns=params.index)


def draw_log_normal(params: pd.Series, log_draw_factor: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw parameter vectors, shape (draws, parameters), from the normal approximation on the log scale."""
    normal = rng.standard_normal((draws, len(params))) @ log_draw_factor.T
    return params.to_numpy(dtype=float) * np.exp(normal)


def _retry(objective, arguments, starts, names) -> tuple[np.ndarray, str]:
    from scipy.optimize import minimize

    best, smallest = None, np.inf
    for number, start in enumerate([np.full(len(names), 0.1), *starts]):
        for tolerance in (1e-7, 1e-5):
            found = minimize(objective, start, args=arguments, jac=True, method="BFGS", tol=tolerance)
            gradient = np.abs(objective(found.x, *arguments)[1]).max()
            if np.isfinite(found.fun) and gradient < smallest:
                best, smallest = found.x, gradient
            if smallest <= GRADIENT_TOLERANCE:
                place = "the default start" if number == 0 else f"start {number} of {len(starts)}"
                return best, f"accepted by its gradient from {place} at tolerance {tolerance:.0e}"
    raise WaageError(
        f"the likelihood has no maximum that can be found: smallest gradient {smallest:.1e} after "
        f"{1 + len(starts)} starts (accepted: {GRADIENT_TOLERANCE:.0e}); fit on a longer history, on more "
        "customers, or with the other model"
    )


def _curvature(hessian: np.ndarray, n: float) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of the logarithms (NaN when there is none) and the factor that draws from it."""
    if not np.isfinite(hessian).all():
        # Beyond what floating point can say of the curvature; nothing is known, so nothing is varied.
        return np.full_like(hessian, np.nan), np.zeros_like(hessian)
    values, directions = np.linalg.eigh((hessian + hessian.T) / 2)
    # A direction has two signs, and which one comes out differs between builds of LAPACK.
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.sign(directions[largest, np.arange(len(values))])
    # Where the likelihood is flat the normal approximation says "anything": e.g. the drop-out's parameters
    # when nobody drops out. Predictions hardly change along such a direction; a factor of e either way is enough.
    spread = 1 / np.sqrt(n * np.maximum(values, 1 / n))
    factor = directions * spread
    if values.min() <= 1e-12:
        return np.full_like(hessian, np.nan), factor
    covariance = (directions / (n * values)) @ directions.T
    return (covariance + covariance.T) / 2, factor
