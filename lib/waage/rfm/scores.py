"""RFM scores as a function of the value alone: exact cut points, frozen thresholds, one CASE per measure.

Scores made from ranks (row_number, ntile, qcut on ranks) give equal customers different scores and change
when rows are shuffled. Here the engine counts customers per value, the cut points follow exactly from
these counts, and a score is read off the value by comparing it with the cut points.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.errors import Refusal, did_you_mean
from waage.rfm.cut_points import (
    LARGEST,
    Values,
    check_scores,
    count_values,
    quantiles,
    refuse,
    require_columns,
    scale_of,
)
from waage.stats import psi

#: Fixed frequency bins 1, 2, 3, 4-6, 7 and more orders, for bases in which most people bought once and
#: quantiles would put several cut points on one order. A judgement: change it where the business differs.
FREQUENCY_BREAKS = (1, 2, 3, 6)

_COLUMNS = {"r": "recency_days", "f": "frequency", "m": "monetary"}


@dataclass(frozen=True)
class Bins:
    """The bins of one measure, and how the customers they were fitted on fall into them.

    Attributes
    ----------
    breaks : tuple of float
        Inclusive upper bounds of all bins but the last, in ascending order of the value.
    counts : tuple of int
        Customers per score, from score 1 to the highest.
    tied_value : float
        The value most customers share (the smallest such value).
    tied_customers : int
        How many customers share it.
    given : bool
        Whether the breaks were given (then strictly increasing) or are quantiles (then they may repeat,
        and scores between equal breaks stay empty).
    """

    breaks: tuple[float, ...]
    counts: tuple[int, ...]
    tied_value: float
    tied_customers: int
    given: bool


@dataclass(frozen=True)
class Scores:
    """Frozen thresholds for recency, frequency and monetary; apply them to any later state of the base.

    Attributes
    ----------
    r, f, m : Bins
        Bins of recency (days), frequency (orders) and monetary (net revenue, the study's currency).
    scores : int
        Number of scores; the highest is the best: most recent, most frequent, most revenue.
    as_of : date or None
        The reference date: the day the customers were looked at from.
    version : int
        Counts how often thresholds were fixed anew, from 1.
    settings : mapping
        What the thresholds were fixed for (window, kind of monetary value, given breaks); another setting needs
        other thresholds.
    """

    r: Bins
    f: Bins
    m: Bins
    scores: int = 5
    as_of: date | None = None
    version: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        check_scores(self.scores)
        faults = []
        for measure in _COLUMNS:
            bins = getattr(self, measure)
            faults += _faults_in_breaks(measure, bins.breaks, self.scores, strict=bins.given)
            if len(bins.counts) != self.scores:
                faults.append(f"{measure}: {len(bins.counts)} counts for {self.scores} scores")
        refuse(faults, "Scores")

    @property
    def breaks(self) -> dict[str, tuple[float, ...]]:
        """Break vectors under the keys r (days), f (orders) and m (net revenue)."""
        return {measure: getattr(self, measure).breaks for measure in _COLUMNS}

    @property
    def customers(self) -> int:
        """Number of customers the thresholds were fitted on."""
        return sum(self.r.counts)

    @property
    def summary(self) -> pd.DataFrame:
        """One row per measure and score.

        Columns: measure, score, lower (exclusive), upper (inclusive), breaks (given or quantile), customers,
        share, and for the measure as a whole tied_value and tied_share, the largest share of customers at
        one single value: above 1/scores, groups of equal size are impossible.
        """
        rows = []
        for measure in _COLUMNS:
            bins = getattr(self, measure)
            edges = (-math.inf, *bins.breaks, math.inf)
            for score in range(1, self.scores + 1):
                place = self.scores - score if measure == "r" else score - 1
                rows.append(
                    {
                        "measure": measure,
                        "score": score,
                        "lower": edges[place],
                        "upper": edges[place + 1],
                        "breaks": "given" if bins.given else "quantile",
                        "customers": bins.counts[score - 1],
                        "share": bins.counts[score - 1] / sum(bins.counts),
                        "tied_value": bins.tied_value,
                        "tied_share": bins.tied_customers / sum(bins.counts),
                    }
                )
        return pd.DataFrame(rows)

    def apply(self, customers: ir.Table) -> ir.Table:
        """Add the integer columns r, f and m (1 to ``scores``) to a customer table.

        Parameters
        ----------
        customers : ibis table
            With recency_days, frequency and monetary; further columns are kept. Stays lazy.

        Returns
        -------
        ibis table
            A score is null where its value is null, and all are where recency is (a lead has no order to score).
            Monetary of zero or less always scores 1.

        Raises
        ------
        WaageError
            If a column is missing or not numeric.
        """
        require_columns(customers, _COLUMNS.values(), "Scores.apply")
        return customers.mutate(
            **{measure: _score(customers, measure, getattr(self, measure).breaks, self.scores) for measure in _COLUMNS}
        )

    def drift(self, customers: ir.Table) -> pd.DataFrame:
        """Compare the customers of today with those the thresholds were fixed on.

        Parameters
        ----------
        customers : ibis table
            As for `apply`; leads are left out.

        Returns
        -------
        DataFrame
            measure; score; reference_share; share (today); psi of the measure (`waage.stats.psi`); verdict: stable
            (below .1), shifted (up to .25) or another_base.

        Raises
        ------
        Refusal
            When no customer has an order.
        """
        scored = self.apply(customers.filter(customers.recency_days.notnull()))
        rows = []
        for measure in _COLUMNS:
            found = scored.group_by(measure).agg(n=scored.count()).to_pyarrow().to_pandas().set_index(measure).n
            counts = found.reindex(range(1, self.scores + 1)).fillna(0).to_numpy()
            if not counts.sum():
                raise Refusal("no customer has an order that counts up to this day")
            index = psi(getattr(self, measure).counts, counts)
            verdict = "stable" if index < 0.1 else "shifted" if index <= 0.25 else "another_base"
            reference = np.array(getattr(self, measure).counts) / self.customers
            rows += [
                (measure, score + 1, reference[score], counts[score] / counts.sum(), index, verdict)
                for score in range(self.scores)
            ]
        return pd.DataFrame(rows, columns=["measure", "score", "reference_share", "share", "psi", "verdict"])

    def to_dict(self) -> dict[str, Any]:
        """Return the thresholds as a dict that JSON can hold; `from_dict` restores an equal object."""
        head = {"version": self.version, "as_of": self.as_of and self.as_of.isoformat(), "scores": self.scores}
        return (
            head
            | {"settings": dict(self.settings)}
            | {
                measure: {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(bins).items()}
                for measure, bins in ((measure, getattr(self, measure)) for measure in _COLUMNS)
            }
        )

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Scores":
        """Restore thresholds from what `to_dict` returned.

        Raises
        ------
        WaageError
            If keys are missing or unknown, or the breaks do not fit the number of scores.
        """
        _check_keys(stored, ["version", "as_of", "scores", "settings", *_COLUMNS], "stored scores")
        bins = {}
        for measure in _COLUMNS:
            part = stored[measure]
            _check_keys(part, [field.name for field in fields(Bins)], f"stored scores, {measure}")
            bins[measure] = Bins(
                breaks=tuple(float(value) for value in part["breaks"]),
                counts=tuple(int(value) for value in part["counts"]),
                tied_value=float(part["tied_value"]),
                tied_customers=int(part["tied_customers"]),
                given=bool(part["given"]),
            )
        as_of = stored["as_of"] and date.fromisoformat(stored["as_of"])
        head = {"scores": int(stored["scores"]), "version": int(stored["version"]), "as_of": as_of}
        return cls(**bins, **head, settings=dict(stored["settings"]))


def frozen_scores(
    customers: ir.Table,
    stored: Mapping[str, Any] | None,
    *,
    as_of: date,
    refit: bool = False,
    settings: Mapping[str, Any] | None = None,
    **breaks: Any,
) -> Scores:
    """Return the thresholds of an earlier run, or fix new ones where there are none for these settings and this day.

    Quantiles cut anew every month move customers who did nothing; frozen thresholds move only those who did.

    Parameters
    ----------
    customers : ibis table
        As for `fit_scores`.
    stored : mapping or None
        What `remember` returned then.
    as_of : date
        The day looked from: thresholds of a later day are not used. It is the reference date of new ones.
    refit : bool
        Whether to fix new thresholds in any case.
    settings : mapping, optional
        What else the thresholds depend on, such as window_months. Each setting has thresholds of its own, so that a
        trial with another one does not end those in use.
    **breaks
        r_breaks, f_breaks, m_breaks, scores of `fit_scores`.

    Returns
    -------
    Scores
        With a version one higher than that of the newest for these settings where they are new.
    """
    asked = {**(settings or {}), **{key: list(v) if isinstance(v, tuple) else v for key, v in breaks.items()}}
    kept = [Scores.from_dict(entry) for entry in (stored or {}).get("thresholds", [])]
    own = [scores for scores in kept if scores.settings == asked]
    known = [scores for scores in own if scores.as_of <= as_of]
    if known and not refit:
        return max(known, key=lambda scores: scores.version)
    version = 1 + max((scores.version for scores in own), default=0)
    return replace(fit_scores(customers, **breaks), as_of=as_of, version=version, settings=asked)


def remember(stored: Mapping[str, Any] | None, scores: Scores) -> dict[str, Any]:
    """Return what `frozen_scores` is to find next time: the thresholds kept so far and these, as JSON can hold them."""
    kept = [entry for entry in (stored or {}).get("thresholds", []) if Scores.from_dict(entry) != scores]
    return {"thresholds": [*kept, scores.to_dict()]}


def kept_settings(stored: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the settings (window_months, monetary and others) behind the newest thresholds; empty without any."""
    return ((stored or {}).get("thresholds") or [{}])[-1].get("settings", {})


def fit_scores(
    customers: ir.Table,
    *,
    r_breaks: Sequence[float] = (),
    f_breaks: Sequence[float] = (),
    m_breaks: Sequence[float] = (),
    scores: int = 5,
) -> Scores:
    """Fix the thresholds of the RFM scores, from given breaks or from quantiles of the customers.

    Parameters
    ----------
    customers : ibis table
        One row per person: recency_days (whole days from the last order to as_of), frequency (orders that
        count) and monetary (net revenue). Leads, whose recency is null, are left out.
    r_breaks, f_breaks, m_breaks : sequence of float
        ``scores - 1`` inclusive upper bounds in ascending order of the value, also for recency; a value
        equal to a break belongs to the lower bin. Empty: quantiles of the measure (`cut_points`). Where
        many people bought once, quantiles of frequency coincide; give `FREQUENCY_BREAKS` there.
    scores : int
        Number of scores per measure, 2 to 9.

    Returns
    -------
    Scores
        Thresholds with the distribution at fitting, ready for `Scores.apply` and for storage.

    Raises
    ------
    WaageError
        Naming all faults together: missing columns; nulls, non-finite values or negative recency; breaks
        that do not increase or are not ``scores - 1``.
    """
    check_scores(scores)
    require_columns(customers, _COLUMNS.values(), "fit_scores")
    customers = customers.filter(customers.recency_days.notnull())
    given = {"r": tuple(r_breaks), "f": tuple(f_breaks), "m": tuple(m_breaks)}
    faults = []
    for measure, breaks in given.items():
        if breaks:
            faults += _faults_in_breaks(measure, breaks, scores, strict=True)
    found, wrong = count_values(customers, list(_COLUMNS.values()))
    faults += wrong
    counted = {measure: found[column] for measure, column in _COLUMNS.items() if column in found}
    if "r" in counted and counted["r"].values[0] < 0:
        faults.append(f"recency_days: smallest value {counted['r'].values[0]}; orders after as_of must be left out")
    refuse(faults, "fit_scores")
    return Scores(
        scores=scores,
        **{
            measure: _bins(measure, values, tuple(float(value) for value in given[measure]), scores)
            for measure, values in counted.items()
        },
    )


def _bins(measure: str, counted: Values, given: tuple[float, ...], scores: int) -> Bins:
    breaks = given or quantiles(counted, scores)
    bounds = [_bound(value, counted.scale) for value in breaks]
    place = np.searchsorted(bounds, counted.values, side="left")
    if measure == "m":
        place = np.where(counted.values <= 0, 0, place)
    per_bin = np.bincount(place, weights=counted.counts, minlength=scores).astype(int).tolist()
    top = int(counted.counts.argmax())
    return Bins(
        breaks=breaks,
        counts=tuple(reversed(per_bin) if measure == "r" else per_bin),
        tied_value=counted.number(counted.values[top].item()),
        tied_customers=int(counted.counts[top]),
        given=bool(given),
    )


def _score(table: ir.Table, measure: str, breaks: Sequence[float], scores: int) -> ir.IntegerColumn:
    value = table[_COLUMNS[measure]]
    scale = scale_of(table, _COLUMNS[measure])
    unknown = value.isnull() | value.isnan() if isinstance(value.type(), dt.Floating) else value.isnull()
    if measure != "r":
        unknown |= table[_COLUMNS["r"]].isnull()
    # Without its own branch a null would fall through every comparison into the last bin.
    branches = [(unknown, ibis.null("int64"))]
    if measure == "m":
        branches.append((value <= 0, ibis.literal(1, "int64")))
    ranks = [scores - i if measure == "r" else i + 1 for i in range(scores)]
    for point, rank in zip(breaks, ranks, strict=False):
        branches.append((value <= _literal(point, scale), ibis.literal(rank, "int64")))
    return ibis.cases(*branches, else_=ibis.literal(ranks[-1], "int64"))


def _bound(point: float, scale: int | None) -> int | float:
    # A value with `scale` decimals is <= point exactly if it is <= point rounded down to these decimals;
    # rounding down lets engines compare integers and decimals without any conversion to double.
    return point if scale is None else math.floor(Fraction(repr(float(point))) * 10**scale)


def _literal(point: float, scale: int | None) -> ir.NumericScalar:
    bound = _bound(point, scale)
    if scale is None:
        return ibis.literal(bound, "float64")
    if scale == 0:
        return ibis.literal(bound, "int64")
    return ibis.literal(Decimal(bound).scaleb(-scale), dt.Decimal(38, scale))


def _faults_in_breaks(measure: str, breaks: Sequence[float], scores: int, *, strict: bool) -> list[str]:
    name = f"{measure}_breaks {tuple(breaks)}"
    try:
        points = [float(value) for value in breaks]
    except (TypeError, ValueError):
        return [f"{name}: not all are numbers"]
    faults = []
    if len(points) != scores - 1:
        faults.append(f"{name}: {len(points)} breaks; {scores} scores need {scores - 1}")
    if not all(abs(value) <= LARGEST for value in points):
        faults.append(f"{name}: every break must be a finite number up to {LARGEST:g}")
    for left, right in pairwise(points):
        if right < left or (strict and right == left):
            faults.append(f"{name}: {right:g} follows {left:g}; breaks must increase")
    return faults


def _check_keys(stored: Mapping[str, Any], expected: Sequence[str], where: str) -> None:
    faults = [f"{key!r} is missing" for key in expected if key not in stored]
    faults += [f"{key!r} is unknown{did_you_mean(key, expected)}" for key in stored if key not in expected]
    refuse(faults, where)
