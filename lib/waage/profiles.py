"""Shares and means of groups that people belong to with a probability: intervals, tests, and errors of the labels."""

from collections.abc import Collection, Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd

from waage.errors import Refusal, WaageError
from waage.stats import wilson

_MOST_SINGULAR = 1e6  # condition of the types' overlap: beyond it the inverse is rounding


def profile_cells(
    posterior: np.ndarray,
    weights: np.ndarray,
    variables: pd.DataFrame,
    names: Sequence[str],
    *,
    corrected: Collection[str] = (),
    confidence: float = 0.95,
    where: str = "profile_cells",
) -> pd.DataFrame:
    """Estimate shares and means by type, and test each type against the rest; nothing is hidden yet.

    A respondent counts in a type with weight times posterior probability: right for what the posterior was made
    from. Of anything else that stays too close to the base, because respondents of other types are mixed in;
    `corrected` variables are estimated by BCH with proportional assignment. Its means solve
    sum(w p p') m = sum(w p y), so they are weighted least squares of the answer on the probabilities, and their
    errors are those of that regression, the uncertainty of the classification errors included.

    Parameters
    ----------
    posterior : array, shape (n, K)
        Probability of each type; taken as given, its own uncertainty is not in the intervals.
    weights : array, shape (n,)
        Above 0; only their proportions matter.
    variables : DataFrame, n rows
        bool or numbers that are all 0 or 1: binary, one row for yes. Other numbers: numeric. Text or category:
        categorical, one row a level. Missing answers are left out of their variable; whether they are missing may
        depend on the type.
    names : sequence of str, length K
    corrected : collection of str
        Variables to estimate by BCH. A share outside 0 to 1 (or a mean outside the data) is drawn to its end.
    confidence : float
    where : str
        The function that asks, for messages.

    Returns
    -------
    DataFrame
        One row a type, variable and level, types in the order of `names`: type, variable, level ("yes" for a binary
        variable, "" for a numeric one), kind (categorical, binary, numeric), value, low, high, base, index,
        index_low, index_high, difference, difference_low, difference_high, n, effective_n, statistic, p as
        `Profiles.table` of the typology describes them; cases (expected number of respondents of the type who gave
        the answer, NaN for numeric variables), error (standard error of value minus base, the denominator of
        `statistic`) and sd (standard deviation of all respondents).

    Raises
    ------
    WaageError
        If the inputs do not fit together, or a variable has no answers, infinite values or an unknown kind.
    Refusal
        If a variable is to be corrected and two types cannot be told apart.

    References
    ----------
    Särndal, Swensson and Wretman (1992), Model assisted survey sampling, section 5.5 (linearisation of ratios).
    Korn and Graubard (1998), Confidence intervals for proportions, Survey Methodology 24.
    Bolck, Croon and Hagenaars (2004), Political Analysis 12; Vermunt (2010), Political Analysis 18, equations 8-11.
    """
    posterior, weights = check_respondents(posterior, weights, variables, names, where)
    if not 0 < confidence < 1:
        raise WaageError(f"{where}: confidence {confidence!r} does not lie between 0 and 1; 0.95 is usual")
    unmixing = _unmixing(posterior, weights, names, where) if len(corrected) else None
    parts = []
    for variable in variables.columns:
        kind, levels, answers, seen = coded(variables[variable], where)
        undo = unmixing if variable in corrected else None
        part = pd.DataFrame(_cells(posterior, weights, answers, seen, kind != "numeric", confidence, undo))
        part.insert(0, "type", np.repeat(np.array(names, dtype=object), len(levels)))
        part.insert(1, "variable", str(variable))
        part.insert(2, "level", levels * len(names))
        part.insert(3, "kind", kind)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    table = table.sort_values("type", key=lambda column: column.map(list(names).index), kind="stable")
    return table.reset_index(drop=True)


def check_respondents(
    posterior: np.ndarray, weights: np.ndarray, frame: pd.DataFrame, names: Sequence[str], where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return posterior and weights as arrays of float, or say all that is wrong with them at once.

    Parameters
    ----------
    posterior : array, shape (n, K)
    weights : array, shape (n,)
    frame : DataFrame, n rows
    names : sequence of str, length K
    where : str
        The function that asks.
    """
    posterior, weights = np.asarray(posterior, dtype=float), np.asarray(weights, dtype=float)
    faults = []
    if posterior.ndim != 2 or len(posterior) != len(frame) or weights.shape != (len(frame),):
        shapes = f"{posterior.shape} and {weights.shape} for {len(frame)} rows"
        faults.append(f"posterior and weights have shapes {shapes}; one row a respondent in all three")
    elif not (np.isfinite(posterior).all() and (posterior >= 0).all() and np.allclose(posterior.sum(axis=1), 1)):
        row = int(np.argmax(~np.isclose(posterior.sum(axis=1), 1) | (posterior < 0).any(axis=1)))
        faults.append(f"posterior: row {row} is {posterior[row].round(3).tolist()}; each row is >= 0 and sums to 1")
    elif not 2 <= posterior.shape[1] == len(names) == len(set(names)):
        faults.append(f"{posterior.shape[1]} types have the names {list(names)}; two at least, each with its own")
    if not (np.isfinite(weights) & (weights > 0)).all():
        wrong = weights[~(np.isfinite(weights) & (weights > 0))]
        faults.append(f"weights: {wrong.size} are not above 0, first {wrong[0]:g}; drop these respondents")
    if not frame.columns.is_unique or not frame.shape[1]:
        twice = ", ".join(map(repr, frame.columns[frame.columns.duplicated()])) or "no column at all"
        faults.append(f"variables: {twice}; each needs a name of its own")
    if faults:
        raise WaageError(f"{where}: {'; '.join(faults)}")
    return posterior, weights


def coded(column: pd.Series, where: str = "profile_cells") -> tuple[str, list[str], np.ndarray, np.ndarray]:
    """Return kind, levels, answers (m, levels) and a mask (n,) of the m respondents who answered.

    Raises
    ------
    WaageError
        If there are no answers, infinite ones, or they are neither numbers nor text.
    """
    seen = column.notna().to_numpy()
    given = column[seen]
    if not len(given):
        raise WaageError(f"{where}: variable {column.name!r} has no answers; leave it out")
    if pd.api.types.is_numeric_dtype(column):  # bool is one of them
        numbers = given.to_numpy(dtype=float)
        if not np.isfinite(numbers).all():
            raise WaageError(f"{where}: variable {column.name!r} has infinite values; make them missing")
        binary = np.isin(numbers, (0, 1)).all()
        return ("binary", ["yes"], numbers[:, None], seen) if binary else ("numeric", [""], numbers[:, None], seen)
    if not (isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.infer_dtype(given) in ("string", "boolean")):
        raise WaageError(
            f"{where}: variable {column.name!r} is {column.dtype} with {given.iloc[0]!r}; numbers, bool, text or "
            "category are understood: cast it to text for shares by level"
        )
    levels = given.astype("category").cat.remove_unused_categories()
    answers = levels.cat.codes.to_numpy()[:, None] == np.arange(len(levels.cat.categories))
    return "categorical", [str(level) for level in levels.cat.categories], answers.astype(float), seen


def q_values(p: pd.Series) -> pd.Series:
    """Return Benjamini and Hochberg's (1995) q for each p; NaN where nothing was tested."""
    from scipy.stats import false_discovery_control

    tested = p.notna()
    q = pd.Series(np.nan, index=p.index)
    if tested.any():
        q[tested] = false_discovery_control(p[tested])
    return q


def _unmixing(posterior: np.ndarray, weights: np.ndarray, names: Sequence[str], where: str) -> np.ndarray:
    """Return the inverse of sum(w p p'), shape (K, K), with the weights scaled to 1."""
    overlap = (weights[:, None] / weights.sum() * posterior).T @ posterior
    if not np.linalg.cond(overlap) < _MOST_SINGULAR:
        # An empty type is a row of zeros and nearest to itself; of two alike the smaller is named with its twin.
        sizes = np.sqrt(np.maximum(np.diag(overlap), 1e-300))
        alike = overlap / sizes[:, None] / sizes - 2 * np.eye(len(overlap))
        one, other = np.unravel_index(alike.argmax(), alike.shape)
        empty = [name for name, size in zip(names, np.diag(overlap), strict=True) if size <= 0]
        what = f"nobody belongs to {empty[0]!r}" if empty else f"{names[one]!r} and {names[other]!r} cannot be told"
        raise Refusal(f"{where}: {what}{'' if empty else ' apart'}, so errors of the labels cannot be undone")
    return np.linalg.inv(overlap)


def _cells(
    posterior: np.ndarray,
    weights: np.ndarray,
    answers: np.ndarray,
    seen: np.ndarray,
    share: bool,
    confidence: float,
    unmixing: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """Return the figures of one variable, each of shape (K * levels,), type by type."""
    # SciPy takes half a second to load; who only reads a stored table does not need it.
    from scipy.stats import t as student

    once = len(answers) / max(len(answers) - 1, 1)  # with one respondent all variances are 0: nothing can be said
    inside, of_values, values = _members(posterior, weights / weights.sum(), answers, seen, unmixing)
    everyone = weights[seen] / weights[seen].sum()
    base = everyone @ answers
    of_base = everyone[:, None] * (answers - base)
    if unmixing is not None:  # influence of those who did not answer: on the types, not on the base
        everyone, of_base = (_spread(part, seen) for part in (everyone, of_base))
    given = (posterior[seen], weights[seen], answers)
    variance = np.average((answers - base) ** 2, axis=0, weights=given[1]) * once
    least, most = answers.min(axis=0), answers.max(axis=0)
    sd = np.where(most > least, np.sqrt(variance), np.nan)  # all alike: no difference to speak of
    figures: dict[str, list[np.ndarray]] = {}
    for k in range(posterior.shape[1]):
        own, raw, of_value = inside[:, k], values[k], of_values(k)
        value, same = np.clip(raw, least, most), np.ones(len(base))
        with np.errstate(divide="ignore", invalid="ignore"):  # an empty type, an answer nobody gave: NaN
            kish = 1 / (own**2).sum()
            freedom = max(kish - 1, 1) if kish == kish else 1
            # Under the null the pooled variance is right however few gave the answer, where the linearised one
            # collapses (nobody in the type: 0); with unequal variances only the linearised one is. The larger holds.
            pooled = sd**2 * ((own - everyone) ** 2).sum()
            error = np.sqrt(np.maximum(once * ((of_value - of_base) ** 2).sum(axis=0), pooled))
            statistic = (raw - base) / error

            def bounds(influence: np.ndarray, members: np.ndarray, value=value, freedom=freedom):
                error = np.sqrt(once * (influence**2).sum(axis=0))
                size = 1 / (members**2).sum()
                if share:
                    find = _share_bounds if unmixing is None else _unmixed_share_bounds
                    return find(value, error, size, confidence)
                half = student.ppf((1 + confidence) / 2, freedom) * error
                return value - half, value + half

            def inside_data(ends):
                return [np.clip(end, least, most) for end in ends] if share else ends

            ratio = np.where(share & (base > 0), value / base, np.nan)
            index = [100 * end / base for end in inside_data(bounds(of_value - ratio * of_base, own - everyone))]
            ends = bounds(of_value, own)
            apart = [end - value for end in bounds(of_value - of_base, own - everyone)]
            if share:
                # Near 0 and 1 the base varies more than the type's share, and Wilson's n of their difference means
                # nothing: there the wider of the two errors holds.
                half = student.ppf((1 + confidence) / 2, freedom) * np.sqrt(
                    once * ((of_value - of_base) ** 2).sum(axis=0)
                )
                edge = (np.minimum(value, 1 - value) * kish) < _EDGE
                wide = [np.minimum(ends[0] - value, -half), np.maximum(ends[1] - value, half)]
                apart = [np.where(edge, other, end) for other, end in zip(wide, apart, strict=True)]
            apart = [(end + value - base) / sd for end in apart]
            size = given[0][:, k].sum()
            rows = (value, *inside_data(ends), base, 100 * ratio, *(end + 0 * ratio for end in index))
            rows += ((value - base) / sd, *apart, same * size, same * kish, statistic)
        cases = given[0][:, k] @ answers if share else np.nan * same
        rows += (2 * student.sf(np.abs(statistic), freedom), cases, error, sd)
        for name, numbers in zip(_COLUMNS, rows, strict=True):
            figures.setdefault(name, []).append(numbers)
    return {name: np.concatenate(numbers) for name, numbers in figures.items()}


_EDGE = 5  # effective respondents who gave, or did not give, an answer; below it its share lies near 0 or 1
_COLUMNS = ("value", "low", "high", "base", "index", "index_low", "index_high")
_COLUMNS += ("difference", "difference_low", "difference_high", "n", "effective_n", "statistic", "p")
_COLUMNS += ("cases", "error", "sd")


def _members(posterior, weights, answers, seen, unmixing):
    """Return how much each person counts in a type (m, K), the influences of type k (m, levels), means (K, levels)."""
    if unmixing is None:
        with np.errstate(invalid="ignore"):  # an empty type: NaN
            inside = weights[seen, None] * posterior[seen]
            inside = inside / inside.sum(axis=0)
        means = inside.T @ answers
        return inside, lambda k: inside[:, [k]] * (answers - means[k]), means
    # A mean is a ratio: the regression of (answer, 0 where there is none) over that of having answered at all.
    answered, given = seen.astype(float), _spread(answers, seen)
    effect = weights[:, None] * (posterior @ unmixing)
    amount, reached = effect.T @ given, effect.T @ answered
    with np.errstate(divide="ignore", invalid="ignore"):
        means = amount / reached[:, None]

    def of_values(k: int) -> np.ndarray:
        fitted = posterior @ (amount - means[k] * reached[:, None])
        return effect[:, [k]] * (given - means[k] * answered[:, None] - fitted) / reached[k]

    return effect * answered[:, None] / reached, of_values, means


def _spread(part: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the part with rows of 0 for those who did not answer."""
    full = np.zeros((len(seen), *part.shape[1:]))
    full[seen] = part
    return full


def _share_bounds(share: np.ndarray, error: np.ndarray, size: float, confidence: float):
    """Return Wilson's interval with the n at which a share has this error, `size` at most."""
    # Where nearly all or none gave the answer, the linearised error is too small, or 0.
    share = np.clip(np.nan_to_num(share), 0, 1)
    implied = np.where(error > 1e-9, share * (1 - share) / np.maximum(error, 1e-9) ** 2, size)
    size = np.nan_to_num(np.minimum(implied, size))
    return wilson(share * size, size, confidence)


def _unmixed_share_bounds(share: np.ndarray, error: np.ndarray, size: float, confidence: float):
    """Return the interval of a share cleared of label errors; its ends may lie outside 0 to 1.

    Agresti and Coull's (1998) for the sampling of `size` respondents, and around it what the linearised error adds
    to theirs: the noise of sorting, which does not vanish with a rare answer as Wilson's interval would have it.
    """
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    centre = (share * size + z2 / 2) / (size + z2)
    noise = np.maximum(error**2 - share * (1 - share) / size, 0)
    half = np.sqrt(z2 * (noise + centre * (1 - centre) / (size + z2)))
    return centre - half, centre + half
