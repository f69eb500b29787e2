"""Outcomes by type (revenue, orders, satisfaction), corrected for respondents who are sorted into the wrong type."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from waage import style
from waage.errors import Refusal, WaageError, did_you_mean
from waage.privacy import mask_small
from waage.profiles import check_respondents

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Above this share of negative in all absolute BCH weight the ML figure is preferred. A judgement.
MOST_NEGATIVE = 1 / 3

#: Classes of a numeric outcome in the ML fit. 10 flatten long tails, 50 fit noise (simulated, n = 2,000, K = 3).
CLASSES = 20

#: Share of resamples without a solution that the intervals may leave out. A judgement.
MOST_LOST = 0.1

_MOST_SINGULAR = 1e6  # condition of D: beyond it the inverse is rounding
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1}
_FIGURES = ("bch", "bch_low", "bch_high", "ml", "ml_low", "ml_high", "modal", "soft")
_TEXTS = {
    "title": ("{outcome} by type", "{outcome} nach Typ"),
    "corrected": ("Corrected, with {percent} interval", "Bereinigt, mit {percent}-Intervall"),
    "naive": ("Naive: most probable type", "Naiv: wahrscheinlichster Typ"),
    "all": ("all: {value}", "alle: {value}"),
}


@dataclass(frozen=True)
class Outcomes:
    """Means of outcomes by type, as `outcomes_by_type` estimates them.

    Attributes
    ----------
    table : DataFrame
        One row an outcome and type: outcome, type; bch, bch_low, bch_high; ml, ml_low, ml_high; modal and soft (the
        naive figures: by most probable type, and weighted by posterior; both too close to each other's mean); base
        (all respondents); n (expected number of respondents of the type with the outcome); n_effective (of the BCH
        weights, Kish); negative (share of negative in all absolute BCH weight); preferred (bch, or ml where the BCH
        mean lies outside the data's range or `negative` exceeds `MOST_NEGATIVE`). Hidden rows are NaN.
    classification : DataFrame, shape (K, K)
        D: probability of being sorted into a type (column) for members of a type (row).
    refitted : bool
        Whether intervals hold the uncertainty of the types themselves, too.
    confidence : float
        Coverage of the intervals.
    """

    table: pd.DataFrame
    classification: pd.DataFrame
    refitted: bool
    confidence: float

    @property
    def summary(self) -> pd.DataFrame:
        """One row an outcome and type: outcome, type, mean, mean_low, mean_high (the preferred), modal, preferred."""
        table = self.table
        ml = table["preferred"] == "ml"
        return pd.DataFrame(
            {
                "outcome": table["outcome"],
                "type": table["type"],
                **{f"mean{end}": table[f"bch{end}"].mask(ml, table[f"ml{end}"]) for end in ("", "_low", "_high")},
                "modal": table["modal"],
                "preferred": table["preferred"],
            }
        )

    def plot(
        self,
        outcome: str,
        ax: "Axes | None" = None,
        language: str = "en",
        *,
        label: str | None = None,
        kind: str = "decimal",
        currency: str = "EUR",
    ) -> "Axes":
        """Draw one outcome by type: the corrected mean with its interval, the naive one beside it.

        Parameters
        ----------
        outcome : str
        ax : Axes, optional
        language : str
            en or de.
        label : str, optional
            Text of the outcome; its stored key is spelt out without one.
        kind : {"decimal", "share", "money"}
        currency : str
        """
        known = list(self.table["outcome"].unique())
        if outcome not in known:
            hint = did_you_mean(outcome, known)
            raise WaageError(f"Outcomes.plot: there is no outcome {outcome!r}; there are {', '.join(known)}{hint}")
        rows = (self.table["outcome"] == outcome).to_numpy()
        shown, base = self.summary[rows].reset_index(drop=True), self.table.loc[rows, "base"].iloc[0]

        def written(x: float) -> str:
            if kind == "share":
                return style.percent(x, language)
            if kind == "money":
                return style.money(x, currency, language)
            return style.number(x, language, 0 if abs(x) >= 1000 else 2)

        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots(figsize=(9, 1.8 + 0.62 * len(shown)), layout="constrained")[1]
        places = shown.index.to_numpy()
        percent = style.percent(self.confidence, language)
        ends = np.abs(shown[["mean_low", "mean_high"]].to_numpy().T - shown["mean"].to_numpy())
        ax.axvline(base, color=style.MUTED, lw=1, ls=(0, (4, 3)), zorder=1)
        ax.annotate(
            _TEXTS["all"][language == "de"].format(value=written(base)),
            (base, len(shown) - 0.55),
            (4, 0),
            textcoords="offset points",
            color=style.MUTED,
            fontsize=9.5,
        )
        ax.hlines(places, shown["modal"], shown["mean"], color="#c3cad0", lw=1, zorder=1)
        ax.errorbar(
            shown["mean"],
            places,
            xerr=ends,
            fmt="o",
            ms=9,
            color=style.ACCENT,
            elinewidth=2,
            capsize=4,
            label=_TEXTS["corrected"][language == "de"].format(percent=percent),
        )
        ax.plot(
            shown["modal"],
            places,
            "o",
            ms=8,
            mfc="white",
            mec=style.BRASS,
            mew=2,
            label=_TEXTS["naive"][language == "de"],
        )
        for place, mean in zip(places, shown["mean"], strict=True):
            text = style.label("hidden", language) if np.isnan(mean) else written(mean)
            spot = base if np.isnan(mean) else mean
            ax.annotate(
                text, (spot, place), (0, 9), textcoords="offset points", ha="center", weight="bold", bbox=_PAPER
            )
        ax.set_yticks(places, [style.title(name, language) for name in shown["type"]])
        ax.set_ylim(len(shown) - 0.4, -0.6)
        ax.xaxis.set_major_formatter(lambda x, _: written(x))
        ax.grid(False, axis="y")
        ax.set_title(_TEXTS["title"][language == "de"].format(outcome=label or style.title(outcome, language)))
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), fontsize=9)
        return ax


def outcomes_by_type(
    posterior: np.ndarray,
    weights: np.ndarray,
    outcomes: pd.DataFrame,
    names: Sequence[str],
    *,
    assignment: str = "proportional",
    refit: Callable[[np.ndarray], np.ndarray] | None = None,
    resamples: int = 400,
    seed: int = 7,
    min_cell: int = 30,
    confidence: float = 0.95,
) -> Outcomes:
    """Estimate the mean of each outcome in each type by three-step latent class analysis.

    Sorting respondents into types errs with known probabilities D, which the posterior itself reveals; naive means
    mix the types by D and lie too close together. BCH weighs respondents by the inverse of D and assumes nothing
    about the outcome's distribution, but can leave the data's range. ML holds D fixed and cannot. The usual normal
    ML is not offered: with zero-inflated, skewed spend it misses by far more than the naive figure (simulated:
    6.0 for a mean of 3.5). Here the distribution is free (multinomial over at most `CLASSES` classes; Bernoulli
    where the outcome is binary), at the price of one mean a class for all types that assignment confuses.

    Parameters
    ----------
    posterior : array, shape (n, K)
        Probability of each type for each respondent, from a model that did not know the outcomes.
    weights : array, shape (n,)
        Survey weights above 0.
    outcomes : DataFrame of numbers or bool, n rows
        All 0 or 1: binary, the mean is a share. A missing value leaves the respondent out of that outcome; whether
        it is missing may depend on the type, not on the outcome.
    names : sequence of str, length K
    assignment : {"proportional", "modal"}
        Step two: all types by their probability (smaller errors in simulation), or the most probable type.
    refit : callable, optional
        From row numbers, shape (n,), to the posterior, shape (n, K), of a model fitted anew to these rows, types in
        the same order. Without it the posterior is held fixed in the bootstrap, and intervals are too short by the
        uncertainty of the types themselves (simulated at entropy .5: 85 % instead of 95 %, with refit 94 %).
    resamples : int
        Bootstrap samples of respondents; percentile intervals.
    seed : int
    min_cell : int
        `min_cell_survey`: types with fewer respondents are hidden.
    confidence : float

    Returns
    -------
    Outcomes

    Raises
    ------
    WaageError
        If the inputs do not fit together, or an outcome is not numeric, infinite or without values.
    Refusal
        If no respondent is sorted into a type, or types cannot be told apart.

    References
    ----------
    Bolck, Croon and Hagenaars (2004), Estimating latent structure models with categorical variables, Political
    Analysis 12. Vermunt (2010), Latent class modeling with covariates, Political Analysis 18, equations 8-11. Bakk,
    Tekle and Vermunt (2013), Estimating the association between latent class membership and external variables,
    Sociological Methodology 43. Bakk and Vermunt (2016), Robustness of stepwise latent class modeling with
    continuous distal outcomes, Structural Equation Modeling 23.
    """
    posterior, weights = check_respondents(posterior, weights, outcomes, names, "outcomes_by_type")
    values = _numbers(outcomes)
    if assignment not in ("modal", "proportional"):
        raise WaageError(f"outcomes_by_type: assignment {assignment!r} is neither 'modal' nor 'proportional'")
    if not 0 < confidence < 1 or resamples < 2:
        raise WaageError(f"outcomes_by_type: confidence {confidence!r} lies in 0 to 1, resamples {resamples!r} from 2")
    classes = np.array([_classes(y, weights) for y in values.T])
    rng = np.random.default_rng(seed)
    steps = [_third_step(posterior, weights, values, classes, names, assignment)]
    lost = 0
    for _ in range(resamples):
        rows = rng.integers(len(weights), size=len(weights))
        again = posterior[rows] if refit is None else np.asarray(refit(rows), dtype=float)
        if again.shape != posterior.shape:
            raise WaageError(f"outcomes_by_type: refit returned shape {again.shape} instead of {posterior.shape}")
        try:
            steps.append(_third_step(again, weights[rows], values[rows], classes[:, rows], names, assignment))
        except Refusal:
            lost += 1
    if lost > MOST_LOST * resamples:
        raise Refusal(f"outcomes_by_type: in {lost} of {resamples} resamples types cannot be told apart")
    D, shares, bch, counts, totals = (np.array(part) for part in zip(*steps, strict=True))
    found = _plain_figures(posterior, weights, values, names, assignment)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    likely = _maximum_likelihood(counts[1:], totals[1:], D[1:], shares[1:])
    # By itself, and longer: how soon the resamples converge must not move the figure.
    point = _maximum_likelihood(counts[:1], totals[:1], D[:1], shares[:1], tolerance=1e-9, rounds=5000)
    for name, value, draws in (("bch", bch[0], bch[1:]), ("ml", point[0], likely)):
        found[name] = value.ravel()
        found[f"{name}_low"], found[f"{name}_high"] = np.quantile(draws, ends, axis=0).reshape(2, -1)
    found.insert(0, "outcome", np.repeat(outcomes.columns.astype(str), len(names)))
    found.insert(1, "type", list(names) * outcomes.shape[1])
    outside = (found["bch"] < found["least"]) | (found["bch"] > found["most"])
    found["preferred"] = np.where(outside | (found["negative"] > MOST_NEGATIVE), "ml", "bch")
    hidden = (*_FIGURES, "n_effective", "negative")
    parts = [mask_small(part, "n", *hidden, min_cell=min_cell) for _, part in found.groupby("outcome", sort=False)]
    columns = ["outcome", "type", *_FIGURES, "base", "n", "n_effective", "negative", "preferred"]
    table = pd.concat(parts)[columns]
    table["preferred"] = table["preferred"].where(table["n"].notna())
    table["base"] = table["base"].where(table["outcome"].map(outcomes.notna().sum()) >= min_cell)
    return Outcomes(table, pd.DataFrame(D[0], names, names), refit is not None, confidence)


def _third_step(posterior, weights, values, classes, names, assignment) -> tuple[np.ndarray, ...]:
    """Return D (K, K), shares (K,), BCH means (V, K), and for ML counts and totals (V, J, K) of J classes."""
    assigned = _assigned(posterior, assignment)
    D = _classification(posterior, weights, assigned, names)
    corrected = weights[:, None] * (assigned @ np.linalg.inv(D))
    weighted = weights[:, None] * assigned
    bch, counts, totals = [], [], []
    for y, own in zip(values.T, classes, strict=True):
        seen = own >= 0
        y, member = y[seen], np.eye(CLASSES)[own[seen]].T
        bch.append(y @ corrected[seen] / corrected[seen].sum(axis=0))
        counts.append(member @ weighted[seen])
        totals.append(member @ (y[:, None] * weighted[seen]))
    return D, weights @ posterior / weights.sum(), np.array(bch), np.array(counts), np.array(totals)


def _maximum_likelihood(counts, totals, D, shares, *, tolerance: float = 1e-5, rounds: int = 400) -> np.ndarray:
    """Return type means where the outcome's distribution is left free (Vermunt 2010, equation 11, multinomial).

    The counts of class j among those assigned to s have the expectation sum over t of f[j, t] D[t, s]; EM finds the
    f >= 0 under which they are likeliest. All resamples are worked on at once.

    Parameters
    ----------
    counts, totals : array, shape (R, V, J, K)
        Weight, and weighted sum of the outcome, by resample, outcome, class and assigned type.
    D : array, shape (R, K, K)
    shares : array, shape (R, K)
        Where EM begins.
    tolerance : float
        Largest step of a mean, in mean absolute values of its outcome, at which EM ends; or after `rounds`.
    """
    size = counts.sum(axis=(2, 3), keepdims=True)
    joint = counts.sum(axis=3, keepdims=True) / size * shares[:, None, None]
    D = D[:, None]
    # Per cell and not per class: where assignment is certain, the means are the groups' own.
    scale = (np.abs(totals).sum(axis=(2, 3)) / size[..., 0, 0])[..., None] + 1e-300
    found = np.zeros(shares[:, None].shape)
    for _ in range(rounds):
        expected = joint @ D
        safe = np.where(expected > 0, expected, np.inf)
        member, amount = (joint * ((part / safe) @ D.swapaxes(-1, -2)) for part in (counts, totals))
        before, found = found, amount.sum(axis=2) / np.maximum(member.sum(axis=2), 1e-300)
        joint = member / size
        if (np.abs(found - before) / scale).max() < tolerance:
            break
    return found


def _classes(y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return each respondent's class: the value itself, or one of `CLASSES` of about equal weight; -1 without one."""
    seen = ~np.isnan(y)
    distinct, place = np.unique(y[seen], return_inverse=True)
    if len(distinct) > CLASSES:
        size = np.bincount(place, weights[seen])
        # A value's class is where its middle lies, so that equal values stay together (customers without an order).
        middle = (size.cumsum() - size / 2) / size.sum()
        place = np.minimum((middle * CLASSES).astype(int), CLASSES - 1)[place]
    own = np.full(len(y), -1)
    own[seen] = place
    return own


def _plain_figures(posterior, weights, values, names, assignment) -> pd.DataFrame:
    """Return what needs no correction, outcome by outcome: naive means, base, range and sizes."""
    assigned = _assigned(posterior, assignment)
    D = _classification(posterior, weights, assigned, names)
    corrected, parts = weights[:, None] * (assigned @ np.linalg.inv(D)), []
    for y in values.T:
        seen = ~np.isnan(y)
        y, w, bch = y[seen], weights[seen], corrected[seen]
        part = {
            "modal": _weighted(y, w, _assigned(posterior, "modal")[seen]),
            "soft": _weighted(y, w, posterior[seen]),
            "base": np.full(len(names), np.average(y, weights=w)),
            "least": y.min(),
            "most": y.max(),
            "n": posterior[seen].sum(axis=0),
            "n_effective": bch.sum(axis=0) ** 2 / (bch**2).sum(axis=0),
            "negative": -bch.clip(max=0).sum(axis=0) / np.abs(bch).sum(axis=0),
        }
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def _assigned(posterior: np.ndarray, assignment: str) -> np.ndarray:
    return posterior if assignment == "proportional" else np.eye(posterior.shape[1])[posterior.argmax(axis=1)]


def _classification(posterior, weights, assigned, names: Sequence[str]) -> np.ndarray:
    joint = (weights[:, None] * posterior).T @ assigned
    empty = [name for name, size in zip(names, joint.sum(axis=0), strict=True) if not size > 0]
    if empty:
        raise Refusal(
            f"outcomes_by_type: nobody is sorted into {', '.join(map(repr, empty))}, whose means cannot be corrected; "
            "take fewer types, or assignment='proportional'"
        )
    D = joint / joint.sum(axis=1, keepdims=True)
    if not np.linalg.cond(D) < _MOST_SINGULAR:
        near = np.abs(D[:, None] - D[None]).sum(axis=2) + 9 * np.eye(len(D))
        one, other = np.unravel_index(near.argmin(), near.shape)
        raise Refusal(
            f"outcomes_by_type: {names[one]!r} and {names[other]!r} cannot be told apart by their posteriors, so that "
            "the errors of assignment cannot be undone; take fewer types"
        )
    return D


def _weighted(y: np.ndarray, weights: np.ndarray, members: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # a type without members among those with the outcome: NaN
        return (weights * y) @ members / (weights @ members)


def _numbers(outcomes: pd.DataFrame) -> np.ndarray:
    faults = []
    for name, column in outcomes.items():
        if not pd.api.types.is_numeric_dtype(column):
            faults.append(f"{name!r} is {column.dtype}, not a number")
        elif np.isinf(column.astype(float)).any() or column.isna().all():
            faults.append(f"{name!r} has infinite values or no values at all")
    if faults:
        raise WaageError(f"outcomes_by_type: outcome {'; '.join(faults)}")
    return outcomes.astype(float).to_numpy()
