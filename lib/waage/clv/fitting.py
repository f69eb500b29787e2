"""Where the likelihood is highest: lifetimes behind one door, our own fitter, a ladder of retries, the curvature."""

import contextlib
import importlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from waage.clv.likelihood import PARAMETERS, hessian, spend_value_and_gradient, value_and_gradient
from waage.errors import WaageError

# Largest component of the gradient of the mean log-likelihood, on the log scale of the parameters, at which
# an optimum is accepted though the optimiser complained. A judgement: at the default tolerance it is 1e-7.
GRADIENT_TOLERANCE = 1e-5

#: Unique histories above which our own fitter takes over from lifetimes, whose time and memory grow with them.
LIFETIMES_UP_TO = 20_000

_FITTERS = {
    "bg": "BetaGeoFitter",
    "mbg": "ModifiedBetaGeoFitter",
    "pareto": "ParetoNBDFitter",
    "gamma_gamma": "GammaGammaFitter",
}
# Logarithms, with time or money in units of its largest or mean value; the first one is the start of lifetimes.
_STARTS = {
    "bg": ((1.1, 1.1, 1.1, 1.1), (0.5, 0.2, 0.8, 2.0), (2.0, 0.5, 0.2, 1.0)),
    "mbg": ((1.1, 1.1, 1.1, 1.1), (0.5, 0.2, 0.8, 2.0), (2.0, 0.5, 0.2, 1.0)),
    "pareto": ((1.0, 0.5, 1.0, 0.5), (0.5, 0.2, 0.5, 0.3), (2.0, 0.5, 0.3, 1.0)),
    "gamma_gamma": ((1.1, 1.1, 1.1), (6.0, 4.0, 0.5), (1.0, 2.0, 1.0), (30.0, 3.0, 0.1)),
}


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


def maximise(model: str, columns: tuple, fitter: str = "auto") -> Optimum:
    """Maximise a likelihood without a penalty, and say how it went.

    Parameters
    ----------
    model : {"bg", "mbg", "pareto", "gamma_gamma"}
    columns : tuple of ndarray
        frequency, recency, T, n with time scaled to at most 1; or frequency, monetary, n with a mean of about 1
        (and a fourth column, the group of a row, where v differs between groups).
    fitter : {"auto", "lifetimes", "own"}
        Who finds the optimum: lifetimes, or our own likelihoods with analytic gradients, which need a tenth of
        the time and give the same numbers. "auto" is lifetimes up to `LIFETIMES_UP_TO` rows, and never for
        Pareto/NBD, which it searches from random starts without a gradient: minutes on a flat ridge.

    Raises
    ------
    WaageError
        When no start leads to a point with a vanishing gradient.

    Notes
    -----
    The ladder: lifetimes at its default tolerance, or a coarse fit on grouped histories; then from each of a
    few fixed starts a tight and a looser tolerance, judged by the gradient and not by the optimiser's
    verdict, for its "precision loss" also occurs at the true optimum. The last step is Newton's, with the Hessian
    that the standard errors need anyway. A penalty is never used: it moves parameters and can turn values
    negative. Where lifetimes cannot fit (v by group) our own fitter does.
    """
    groups = int(columns[3].max()) + 1 if model == "gamma_gamma" and len(columns) == 4 else 1
    names = _names(model, groups)
    objective = _objective(model, columns)
    if fitter == "auto":
        small = len(columns[0]) <= LIFETIMES_UP_TO and model != "pareto"
        fitter = "lifetimes" if small else "own"
    point, convergence = None, ""
    with np.errstate(all="ignore"):
        if fitter == "lifetimes" and groups == 1:
            point, convergence = _by_lifetimes(model, columns)
        elif len(columns[0]) > LIFETIMES_UP_TO:
            point, convergence = _from_coarse(model, columns, objective, groups)
        if point is None or _largest(objective(point)[1]) > GRADIENT_TOLERANCE:
            point, convergence = _by_starts(model, objective, names, point)
        curvature = hessian(objective, point)
        point = _newton(objective, point, curvature)
        gradient = _largest(objective(point)[1])
    n = columns[3] if model in ("bg", "mbg", "pareto") else columns[2]
    log_covariance, log_draw_factor = _curvature(curvature, float(np.sum(n)))
    convergence += f"; largest gradient {gradient:.1e}"
    if np.isnan(log_covariance).any():
        convergence += "; the likelihood is flat: no standard errors"
    else:
        loose = [name for name, se in zip(names, np.sqrt(np.diag(log_covariance)), strict=True) if se > 1]
        if loose:
            convergence += f"; weakly identified (standard error of the logarithm above 1): {', '.join(loose)}"
    return Optimum(point, log_covariance, log_draw_factor, convergence)


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


def _objective(model: str, columns: tuple) -> Callable:
    """Return the mean negative log-likelihood and its gradient as a function of the logarithms."""
    if model == "gamma_gamma":
        total = columns[2].sum()
        known = (*columns[:3], columns[3] if len(columns) == 4 else None)
    else:
        total = columns[3].sum()

    def objective(log_params):
        params = np.exp(log_params)
        if model == "gamma_gamma":
            value, gradient = spend_value_and_gradient(params, *known)
        else:
            value, gradient = value_and_gradient(model, params, *columns)
        if not np.isfinite(value):
            return np.inf, np.full(len(params), np.nan)
        return -value / total, -gradient * params / total

    return objective


def _by_lifetimes(model: str, columns: tuple) -> tuple[np.ndarray | None, str]:
    with contained():
        lifetimes = importlib.import_module("lifetimes")
        errors = importlib.import_module("lifetimes.utils")
        fitter = getattr(lifetimes, _FITTERS[model])(penalizer_coef=0.0)
        try:
            if model == "pareto":
                # Its simplex starts at random unless told where, and knows no gradient: ours ends the search.
                fitter.fit(*columns, initial_params=_STARTS[model][0])
                return np.log(fitter.params_.to_numpy()), "converged"
            point, *_ = fitter._fit((*columns, 0.0), None, len(PARAMETERS[model]), False, tol=1e-7)
            return point, "converged at the default tolerance"
        except errors.ConvergenceError:
            return None, ""


def _from_coarse(model: str, columns: tuple, objective, groups: int) -> tuple[np.ndarray | None, str]:
    """Fit grouped histories first: the full likelihood then needs a handful of steps instead of forty."""
    from scipy.optimize import minimize

    coarse = _coarse(model, columns)
    rough = _objective(model, coarse)
    try:
        start, _ = _by_starts(model, rough, _names(model, groups), None)
        curvature = hessian(rough, start)
        inverse = np.linalg.inv(curvature)
        inverse = (inverse + inverse.T) / 2  # to the last digit, as the optimiser demands
        if np.linalg.eigvalsh(curvature).min() <= 1e-10:
            return None, ""
    except (WaageError, np.linalg.LinAlgError):
        return None, ""
    found = minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-7, "hess_inv0": inverse})
    return found.x, f"converged from a fit on {len(coarse[0]):,} grouped histories"


def _coarse(model: str, columns: tuple, bins: int = 48) -> tuple:
    """Merge rows with equal frequency and nearly equal times or values, each group at its mean."""
    if model == "gamma_gamma":
        x, m, n, *group = columns
        cell = np.floor(8 * np.log(m)).astype(np.int64)
        keys = [x.astype(np.int64), cell - cell.min(), *group]
        values = [x, np.log(m)]
    else:
        x, recency, T, n = columns
        keys = [x.astype(np.int64), (bins * recency).astype(np.int64), (bins * T).astype(np.int64)]
        group, values = [], [x, recency, T]
    code = np.zeros(len(x), dtype=np.int64)
    for key in keys:
        code = code * (int(key.max()) + 1) + key
    codes, place = np.unique(code, return_inverse=True)
    first = np.zeros(len(codes), dtype=np.int64)
    first[place] = np.arange(len(code))
    size = np.bincount(place, weights=n)
    means = [np.bincount(place, weights=n * value) / size for value in values]
    if model == "gamma_gamma":
        return (means[0], np.exp(means[1]), size, *(part[first] for part in group))
    return (*means, size)


def _by_starts(model: str, objective, names: list[str], point) -> tuple[np.ndarray, str]:
    import scipy.optimize

    starts = [np.log([*start[:2], *np.repeat(start[2:], len(names) - len(start) + 1)]) if len(names) > len(start)
              else np.log(start) for start in _STARTS[model]]  # fmt: skip
    best, smallest = None, np.inf
    for number, start in enumerate(starts if point is None else [point, *starts]):
        for tolerance in (1e-7, 1e-5):
            found = scipy.optimize.minimize(objective, start, jac=True, method="BFGS", tol=tolerance)
            gradient = _largest(objective(found.x)[1])
            if np.isfinite(found.fun) and gradient < smallest:
                best, smallest = found.x, gradient
            if smallest <= GRADIENT_TOLERANCE:
                place = f"start {number + (point is None)} of {len(starts)}"
                if point is not None and number == 0:
                    place = "the end of the first search"
                verdict = "converged" if found.success else "accepted by its gradient"
                return best, f"{verdict} from {place} at tolerance {tolerance:.0e}"
    raise WaageError(
        f"the likelihood has no maximum that can be found: smallest gradient {smallest:.1e} after "
        f"{len(starts)} starts (accepted: {GRADIENT_TOLERANCE:.0e}); fit on a longer history, on more "
        "customers, or with the other model"
    )


def _newton(objective, point: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    if not np.isfinite(curvature).all() or np.linalg.eigvalsh(curvature).min() <= 1e-8:
        return point
    value, gradient = objective(point)
    better = point - np.linalg.solve(curvature, gradient)
    after, slope = objective(better)
    return better if after <= value + 1e-12 and _largest(slope) <= _largest(gradient) else point


def _names(model: str, groups: int) -> list[str]:
    names = list(PARAMETERS[model])
    return names if groups == 1 else [*names[:-1], *(f"v_{number}" for number in range(groups))]


def _largest(gradient: np.ndarray) -> float:
    worst = np.abs(gradient).max()
    return float(worst) if np.isfinite(worst) else np.inf


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
