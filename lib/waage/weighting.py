"""Weights that bring a sample to the margins of its population: raking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from waage.errors import WaageError

_SHARES_ADD_UP = 1e-3  # shares rounded to three decimals still count as a whole


@dataclass(frozen=True)
class Weights:
    """Weights of a sample, as `rake` finds them.

    Attributes
    ----------
    weights : ndarray, shape (n,)
        One a respondent, mean 1.
    table : DataFrame
        One row a trait and level: population (share wanted), before (share with the start weights), after.
        Shares are of those whose level is known.
    trimmed : int
        Respondents whose weight was cut.
    iterations : int
        Rounds over all traits.
    converged : bool
        Whether the margins are met within the tolerance. Trimming can stand against that: see `after`.
    """

    weights: np.ndarray
    table: pd.DataFrame
    trimmed: int
    iterations: int
    converged: bool

    @property
    def design_effect(self) -> float:
        """Factor by which weighting inflates variances, 1 + CV^2 (Kish 1965, section 11.7)."""
        return float(1 + self.weights.var() / self.weights.mean() ** 2)

    @property
    def effective_n(self) -> float:
        """Respondents of an unweighted sample that say as much: n / design effect."""
        return len(self.weights) / self.design_effect

    @property
    def summary(self) -> pd.Series:
        """What the weighting cost, as one row."""
        return pd.Series(
            {
                "n": len(self.weights),
                "effective_n": self.effective_n,
                "design_effect": self.design_effect,
                "smallest": self.weights.min(),
                "largest": self.weights.max(),
                "trimmed": self.trimmed,
                "worst_margin": (self.table.after - self.table.population).abs().max(),
                "converged": self.converged,
            }
        )


def rake(
    sample: pd.DataFrame,
    margins: Mapping[str, Mapping[str, float]],
    *,
    start: Sequence[float] | None = None,
    trim: float = 5.0,
    tolerance: float = 1e-6,
    max_iter: int = 500,
) -> Weights:
    """Weight a sample to the margins of its population by iterative proportional fitting.

    A respondent whose level of a trait is not known keeps the weight the other traits give: the known are raked to
    the margin among themselves. Weights above `trim` medians are cut to it and raked again, until none is above.

    Parameters
    ----------
    sample : DataFrame, shape (n, traits)
        One row a respondent; the traits as columns, missing where not known.
    margins : mapping of str to mapping of level to float
        For each trait the share of every level in the population; each adds up to 1.
    start : sequence of float, shape (n,), optional
        Weights to begin with, such as those of the design; 1 if left out.
    trim : float
        Largest weight, in medians; infinity trims nothing.
    tolerance : float
        Largest difference of a share from its margin.
    max_iter : int
        Rounds over all traits, for each raking.

    Raises
    ------
    WaageError
        If a trait is not in the sample; a level of the sample is not in the margins; a level with a share has
        nobody in the sample; the shares do not add up to 1; a start weight is not positive. All faults together.

    References
    ----------
    Deming and Stephan (1940), Annals of Mathematical Statistics 11, 427-444; Izrael, Battaglia and Frankel (2009),
    Extreme survey weight adjustment as a component of sample balancing.
    """
    weights = np.ones(len(sample)) if start is None else np.array(start, dtype=float)
    _check(sample, margins, weights, trim)
    codes = {trait: pd.Index(list(wanted)).get_indexer(sample[trait]) for trait, wanted in margins.items()}
    shares = {trait: np.array(list(wanted.values()), dtype=float) for trait, wanted in margins.items()}
    shares = {trait: share / share.sum() for trait, share in shares.items()}
    weights *= len(weights) / weights.sum()
    before = {trait: _shares(weights, code, len(shares[trait])) for trait, code in codes.items()}
    weights, iterations = _fit(weights, codes, shares, tolerance, max_iter)
    cut = np.zeros(len(weights), dtype=bool)
    for _ in range(50):  # cutting and raking converge together, or the limit stands against the margins
        limit = trim * np.median(weights)
        above = weights > limit * (1 + 1e-9)
        if not above.any():
            break
        cut |= above
        weights, more = _fit(np.minimum(weights, limit), codes, shares, tolerance, max_iter)
        iterations += more
    # The limit is a promise: where it and the margins cannot both be kept, the margins give way, visibly.
    weights = np.minimum(weights, trim * np.median(weights))
    weights *= len(weights) / weights.sum()
    after = {trait: _shares(weights, code, len(shares[trait])) for trait, code in codes.items()}
    rows = [
        (trait, level, shares[trait][i], before[trait][i], after[trait][i])
        for trait, wanted in margins.items()
        for i, level in enumerate(wanted)
    ]
    table = pd.DataFrame(rows, columns=["trait", "level", "population", "before", "after"])
    off = float((table.after - table.population).abs().max())
    return Weights(weights, table, int(cut.sum()), iterations, off <= 10 * tolerance)


def rake_groups(
    sample: pd.DataFrame,
    groups: Sequence[int],
    margins: Mapping[str, Mapping[str, float]],
    *,
    start: Sequence[float] | None = None,
    trim: float = 5.0,
    tolerance: float = 1e-6,
    max_iter: int = 50,
) -> tuple[np.ndarray, np.ndarray]:
    """Weight many samples, each to the same margins, at once: what `rake` does for one, for every unit and week.

    A level that nobody of a group has cannot be weighted up: the group is raked to the others, and the share of the
    mix that is missing is handed back instead of an error, because thin groups are judged together later. Where the
    limit on weights and the margins cannot both be kept, fewer rounds are made between them than in `rake`.

    Parameters
    ----------
    sample : DataFrame, shape (n, traits)
        As for `rake`.
    groups : sequence of int, shape (n,)
        Number of each row's group, 0 to groups - 1.
    margins, start, trim, tolerance, max_iter
        As for `rake`; weights of a group have mean 1 and at most `trim` of its medians.

    Returns
    -------
    weights : ndarray, shape (n,)
    missing : ndarray, shape (groups,)
        Largest share of a trait's mix (0 to 1) whose levels have nobody in the group.

    Raises
    ------
    WaageError
        As `rake`, for the whole sample.
    """
    groups = np.asarray(groups, dtype=np.int64)
    weights = np.ones(len(sample)) if start is None else np.array(start, dtype=float)
    _check(sample, margins, weights, trim)
    count = int(groups.max()) + 1 if len(groups) else 0
    missing = np.zeros(count)
    codes = {trait: pd.Index(list(of)).get_indexer(sample[trait]) for trait, of in margins.items()}
    # Respondents of a group with the same levels get the same factor: they are one cell.
    place = groups
    for trait, of in margins.items():
        place = place * (len(of) + 1) + codes[trait] + 1
    place, first, cell = np.unique(place, return_index=True, return_inverse=True)
    cells = {trait: code[first] for trait, code in codes.items()}
    group = groups[first]
    for trait, of in margins.items():
        share, there = np.array(list(of.values())), np.zeros((count, len(of)), dtype=bool)
        known = cells[trait] >= 0
        there[group[known], cells[trait][known]] = True
        found = np.where(there, share / share.sum(), 0.0).sum(axis=1)
        missing = np.maximum(missing, np.where(np.bincount(group, minlength=count) > 0, 1 - found, 0.0))
    size = np.bincount(groups, minlength=count).astype(float)
    weights *= (size / np.maximum(np.bincount(groups, weights, count), 1e-300))[groups]
    weights *= _factors(np.bincount(cell, weights), group, cells, margins, tolerance, max_iter)[cell]
    active = np.ones(count, dtype=bool)
    for _ in range(5):
        limit = trim * pd.Series(weights).groupby(groups).transform("median").to_numpy()
        above = weights > limit * (1 + 1e-9)
        if not above.any():
            break
        active = np.bincount(groups[above], minlength=count) > 0
        weights = np.minimum(weights, limit)
        inside = np.flatnonzero(active[group])
        part = {trait: code[inside] for trait, code in cells.items()}
        factors = np.ones(len(group))
        factors[inside] = _factors(
            np.bincount(cell, weights, len(group))[inside], group[inside], part, margins, tolerance, max_iter
        )
        weights = weights * factors[cell]
    limit = trim * pd.Series(weights).groupby(groups).transform("median").to_numpy()
    weights = np.minimum(weights, limit)
    return weights * (size / np.maximum(np.bincount(groups, weights, count), 1e-300))[groups], missing


def _factors(
    totals: np.ndarray, group: np.ndarray, cells, margins: Mapping, tolerance: float, max_iter: int
) -> np.ndarray:
    """Return the factor of each cell that brings every group to the margins its levels allow, groups' totals kept."""
    count = int(group.max()) + 1
    now, size = totals.copy(), np.bincount(group, totals, count)
    steps = []
    for trait, of in margins.items():
        known = np.flatnonzero(cells[trait] >= 0)
        at = group[known] * len(of) + cells[trait][known]
        share = np.array(list(of.values()), dtype=float)
        there = np.bincount(at, minlength=count * len(of)).reshape(count, -1) > 0
        share = np.where(there, share, 0.0)
        share = share / np.maximum(share.sum(axis=1, keepdims=True), 1e-300)
        steps.append((known, at, share))
    for _ in range(max_iter):
        off = 0.0
        for known, at, share in steps:
            have = np.bincount(at, now[known], share.size).reshape(share.shape)
            total = have.sum(axis=1, keepdims=True)
            wanted = share * total
            off = max(off, float((np.abs(have - wanted) / np.maximum(total, 1e-300)).max()))
            factor = np.divide(wanted, have, out=np.ones_like(have), where=have > 0)
            now[known] *= factor.ravel()[at]
        now *= np.divide(size, np.bincount(group, now, count), out=np.ones(count), where=size > 0)[group]
        if off <= tolerance:
            break
    return np.divide(now, totals, out=np.ones_like(now), where=totals > 0)


def _fit(weights, codes, shares, tolerance: float, max_iter: int) -> tuple[np.ndarray, int]:
    weights = weights.copy()
    rounds = 0
    while rounds < max_iter:
        rounds += 1
        off = 0.0
        for trait, code in codes.items():
            known = code >= 0
            have = _shares(weights, code, len(shares[trait]))
            off = max(off, np.abs(have - shares[trait]).max())
            factor = np.divide(shares[trait], have, out=np.ones_like(have), where=have > 0)
            weights[known] *= factor[code[known]]
        weights *= len(weights) / weights.sum()
        if off <= tolerance:
            break
    return weights, rounds


def _shares(weights: np.ndarray, code: np.ndarray, levels: int) -> np.ndarray:
    known = code >= 0
    return np.bincount(code[known], weights[known], levels) / weights[known].sum()


def _check(sample: pd.DataFrame, margins: Mapping, weights: np.ndarray, trim: float) -> None:
    faults = [] if margins else ["no margin is given"]
    if not trim > 1:
        faults.append(f"trim = {trim} medians would cut half of the sample; 5 is usual")
    if len(weights) != len(sample) or not (np.isfinite(weights) & (weights > 0)).all():
        faults.append(f"start weights must be {len(sample)} positive numbers, got {len(weights)}")
    for trait, wanted in margins.items():
        if trait not in sample:
            faults.append(f"trait {trait} is not in the sample, which has {', '.join(map(str, sample.columns))}")
            continue
        total = sum(wanted.values())
        if min(wanted.values(), default=0) < 0 or not abs(total - 1) <= _SHARES_ADD_UP:
            faults.append(f"the shares of {trait} must be positive and add up to 1, not {total:.4g}")
        found = sample[trait].dropna().value_counts()
        for level in found.index.difference(list(wanted), sort=False):
            faults.append(f"{found[level]} respondents have {trait} = {level!r}, which has no share among the margins")
        for level, share in wanted.items():
            if share > 0 and level not in found.index:
                faults.append(
                    f"nobody in the sample has {trait} = {level!r}, a share of {share:.1%} of the population: "
                    "merge it with a neighbouring level"
                )
            if share == 0 and level in found.index:
                faults.append(f"{found[level]} respondents have {trait} = {level!r}, whose share is 0; leave them out")
    if faults:
        raise WaageError("rake: " + "; ".join(faults))
