"""Whether the segments predict anything: who buys again in the next period, compared with cheaper splits."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist
from typing import TYPE_CHECKING

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage import style
from waage.errors import Refusal, WaageError, did_you_mean
from waage.stats import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The splits compared and the columns whose values are their groups, cheapest first.
SPLITS = {
    "random": (),
    "recency": ("r",),
    "frequency": ("f",),
    "lifecycle": ("lifecycle",),
    "segment": ("segment",),
    "r_f": ("r", "f"),
    "r_f_m": ("r", "f", "m"),
}
#: Splits that need no scores to be combined.
CHEAPER = ("recency", "frequency", "lifecycle")
#: The best customers that a campaign would reach.
TOP = 0.2

_CELL = ("r", "f", "m", "segment", "lifecycle")
_TEXTS = {
    "random": ("Random choice", "Zufällige Auswahl"),
    "recency": ("Recency alone", "Letzter Kauf allein"),
    "frequency": ("Frequency alone", "Kaufhäufigkeit allein"),
    "lifecycle": ("Lifecycle stage", "Lebensphase"),
    "segment": ("Segments", "Segmente"),
    "r_f": ("Recency x frequency", "Letzter Kauf x Häufigkeit"),
    "r_f_m": ("All RFM scores", "Alle RFM-Punkte"),
    "chance": (
        "The segments do not predict who buys again better than chance (AUC {auc}, {interval}).",
        "Die Segmente sagen nicht besser als der Zufall voraus, wer wieder kauft (AUC {auc}, {interval}).",
    ),
    "cheaper": (
        "The segments predict who buys again (AUC {auc}), but {other} does as well (AUC {other_auc}).",
        "Die Segmente sagen voraus, wer wieder kauft (AUC {auc}), aber das gelingt ebenso gut mit: {other} "
        "(AUC {other_auc}).",
    ),
    "ahead": (
        "The segments predict who buys again (AUC {auc}), but {other} does better (AUC {other_auc}).",
        "Die Segmente sagen voraus, wer wieder kauft (AUC {auc}), aber das gelingt besser mit: {other} "
        "(AUC {other_auc}).",
    ),
    "undecided": (
        "The segments predict who buys again (AUC {auc}); whether better than {other} (AUC {other_auc}) these data "
        "cannot tell (difference {difference}; {interval}).",
        "Die Segmente sagen voraus, wer wieder kauft (AUC {auc}); ob besser als {other} (AUC {other_auc}), lassen "
        "diese Daten offen (Differenz {difference}; {interval}).",
    ),
    "better": (
        "The segments predict who buys again (AUC {auc}), better than the best cheaper split, {other} "
        "(AUC {other_auc}; difference {difference}; {interval}).",
        "Die Segmente sagen voraus, wer wieder kauft (AUC {auc}), besser als die beste einfachere Einteilung, {other} "
        "(AUC {other_auc}; Differenz {difference}; {interval}).",
    ),
    "to": ("to", "bis"),
    "repeat_share": ("Bought again in the period", "Haben im Zeitraum wieder gekauft"),
    "revenue_per_head": ("Net revenue per head", "Umsatz nach Retouren pro Kopf"),
    "average": ("average {share}", "Schnitt {share}"),
    "segments_title": (
        "{share} of all customers bought again; {best}: {best_share}",
        "{share} aller Kunden kauften wieder; {best}: {best_share}",
    ),
    "gains_title": (
        "The best {top} by segment hold {captured} of those who bought again",
        "In den besten {top} nach Segment stecken {captured} der Wiederkäufer",
    ),
    "legend": ("In the best {top}", "In den besten {top}"),
    "contacted": ("Share of customers, best predicted first", "Anteil der Kunden, beste Vorhersage zuerst"),
    "captured": ("Share of those who bought again", "Anteil der Wiederkäufer"),
}


@dataclass(frozen=True)
class Prediction:
    """What the segments of one day foretold of the period after it, as `predict_next` measures it.

    Attributes
    ----------
    table : DataFrame
        One row a segment of the holdout, highest repeat share first: segment; customers; repeat_share with
        repeat_share_low and _high (Wilson); revenue_per_head with _low and _high (normal; NaN below 30 customers,
        where it would be too narrow); lift (repeat share over that of all) with lift_low and _high (bootstrap);
        training_share (repeat share of the segment in the training period, what was expected).
    splits : DataFrame
        One row a split of `SPLITS`: split; groups (in the holdout); auc with auc_low and _high; capture_20 (share of
        the repeaters among the best fifth of customers) and revenue_capture_20 (of net revenue); lift
        (capture_20 / 0.2) with lift_low and _high; brier_skill (1 - Brier score over that of the training
        period's base rate for everybody); difference_to_segments (AUC minus that of the segments) with _low and
        _high, from the same draws.
    gains : DataFrame
        split, customers, repeaters: cumulative shares, the corners of the gains curve.
    base_rate : float
        Repeat share of all customers of the holdout.
    margin : float
        Difference in AUC below which two splits do equally well.
    label : callable
        From segment and language to its name in charts.
    """

    table: pd.DataFrame
    splits: pd.DataFrame
    gains: pd.DataFrame
    base_rate: float
    margin: float
    label: Callable[[str, str], str] = style.label

    def verdict(self, language: str = "en") -> tuple[str, str]:
        """Return a key and one sentence: do the segments predict, and does a cheaper split do as well?

        Returns
        -------
        key : str
            chance: the segments' AUC is at most `margin` above 0.5, or its interval reaches down to 0.5. cheaper: the
            AUC of one of `CHEAPER` is at most `margin` below; recency alone is named where it is, unless another
            one even does better. undecided: it is further below, but the interval of the difference holds 0.
            better: it does not.
        sentence : str
        """
        splits = self.splits.set_index("split")
        own, cheaper = splits.loc["segment"], splits.loc[list(CHEAPER)]
        equal, ahead = (cheaper.difference_to_segments > limit for limit in (-self.margin, self.margin))
        ahead &= cheaper.difference_to_segments_low > 0
        name = "recency" if equal["recency"] and not ahead.any() else cheaper.auc.idxmax()
        other = cheaper.loc[name]
        if own.auc_low <= 0.5 or own.auc <= 0.5 + self.margin:
            key = "chance"
        elif equal[name]:
            key = "ahead" if ahead[name] else "cheaper"
        else:
            key = "undecided" if other.difference_to_segments_high >= 0 else "better"
        ends = (own.auc_low, own.auc_high)
        if key != "chance":
            ends = (-other.difference_to_segments_high, -other.difference_to_segments_low)
        facts = {"auc": own.auc, "other_auc": other.auc, "difference": -other.difference_to_segments}
        facts = {fact: style.number(value, language, 3) for fact, value in facts.items()}
        to = f" {words('to', language)} "
        facts["interval"] = to.join(style.number(end, language, 3) for end in ends)
        facts["other"] = f"„{words(name, language)}“" if language == "de" else words(name, language).lower()
        return "cheaper" if key == "ahead" else key, words(key, language).format(**facts)

    def comparison(self, language: str = "en") -> pd.DataFrame:
        """Return `splits` with readable names; the lift says what the share of repeaters in the best 20 % does."""
        names = [words(split, language) for split in self.splits.split]
        return self.splits.assign(split=names).drop(columns="capture_20")

    def plot_segments(
        self, ax: "Axes | None" = None, language: str = "en", *, min_cell: int = 0, currency: str = "EUR"
    ) -> "Axes":
        """Draw repeat share and net revenue per head of every segment with their intervals.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure if left out. The revenue is drawn into a part of its own at the right.
        language : str
            en or de.
        min_cell : int
            Smallest segment shown; smaller ones, and what would give them away, are named without figures.
        currency : str
            Of the revenue.

        Returns
        -------
        Axes
            That of the repeat shares.
        """
        from waage.rfm import prediction_plots

        return prediction_plots.plot_segments(self, ax, language, min_cell=min_cell, currency=currency)

    def plot_gains(self, ax: "Axes | None" = None, language: str = "en") -> "Axes":
        """Draw which share of the repeaters the best predicted customers hold, for the main splits.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure if left out.
        language : str
            en or de.

        Returns
        -------
        Axes
        """
        from waage.rfm import prediction_plots

        return prediction_plots.plot_gains(self, ax, language)


def predict_next(
    training: ir.Table,
    holdout: ir.Table,
    *,
    prior_customers: float = 20,
    margin: float = 0.01,
    draws: int = 1000,
    seed: int = 7,
    confidence: float = 0.95,
    label: Callable[[str, str], str] = style.label,
) -> Prediction:
    """Measure how well segments, and cheaper splits, foretell who buys again in the next period.

    Each split gives every customer of the holdout the repeat share that her group had in the training period, and
    ranks by it; nothing of the holdout is used to rank. Customers of equal probability are tied: AUC counts half
    of a tie, and of a group at the boundary of the best fifth the missing part is taken.

    Parameters
    ----------
    training, holdout : ibis tables
        One row a customer, scored h days before t0 and at t0, with what happened in the h days after: person_id, r,
        f, m (scores), segment, lifecycle, repeat (1: bought again, 0: not), revenue (net, study currency). Only one
        row a combination of scores leaves the engine; sums of money are exact.
    prior_customers : float
        Weight of the base rate in the share of a group: (repeaters + prior x base rate) / (customers + prior), the
        mean of a beta-binomial posterior. A group unseen in training gets the base rate. 20 is a judgement.
    margin : float
        Difference in AUC below which two splits do equally well; 0.01 is a judgement.
    draws, seed : int
        Bootstrap draws of persons (multinomial over combination of scores x outcome) and the generator's seed. The
        training period is held fixed.
    confidence : float
        Coverage of all intervals; those of auc, lift and differences are percentiles of the draws.
    label : callable
        From segment and language to its name in charts.

    Returns
    -------
    Prediction

    Raises
    ------
    WaageError
        If a column is missing, a score, segment, stage or outcome is NULL, repeat is neither 0 nor 1, or an
        argument is out of range.
    Refusal
        With fewer than 100 customers in the holdout or none in training, or when nobody or everybody bought again.

    References
    ----------
    Hanley and McNeil (1982), The meaning and use of the area under a ROC curve, Radiology 143, 29-36.
    Brier (1950), Verification of forecasts expressed in terms of probability, Monthly Weather Review 78, 1-3.
    """
    if not (prior_customers >= 0 and margin >= 0 and draws >= 1 and 0 < confidence < 1):
        raise WaageError(
            f"predict_next: prior_customers {prior_customers}, margin {margin}, draws {draws}, confidence "
            f"{confidence}; need 0 or more, 0 or more, 1 or more, and between 0 and 1 (0.95 is usual)"
        )
    before, cells = _cells(training, "training"), _cells(holdout, "holdout")
    _refuse(before, cells)
    n, k = cells.customers.to_numpy(), cells.repeaters.to_numpy()
    people = int(n.sum())
    observed = np.concatenate([k, n - k])[None, :]
    drawn = np.random.default_rng(seed).multinomial(people, observed[0] / people, size=draws)
    # A draw without a repeater, or with nothing else, says nothing about their ranks.
    drawn = drawn[(drawn[:, : len(cells)].sum(axis=1) % people) > 0]
    revenue = np.array([float(x) for x in cells.revenue])
    base = before.repeaters.sum() / before.customers.sum()
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    rows, curves, areas = [], [], {}
    for name, columns in SPLITS.items():
        chance = _chances(before, cells, list(columns), base, prior_customers)
        levels = np.unique(chance)[::-1]
        member = (chance[:, None] == levels).astype(float)
        auc, capture, corners = _ranked(observed, member)
        areas[name], captures, _ = _ranked(drawn, member)
        curves.append(pd.DataFrame({"split": name, "customers": corners[0], "repeaters": corners[1]}))
        money = np.append(0, (revenue @ member).cumsum())
        brier = (k * (1 - chance) ** 2 + (n - k) * chance**2).sum()
        flat = (k * (1 - base) ** 2 + (n - k) * base**2).sum()
        rows.append(
            {
                "split": name,
                "groups": len(cells[list(columns)].drop_duplicates()) if columns else 1,
                "auc": auc[0],
                **dict(zip(("auc_low", "auc_high"), np.quantile(areas[name], ends), strict=True)),
                "capture_20": capture[0],
                "revenue_capture_20": np.interp(TOP, corners[0], money) / money[-1] if money[-1] > 0 else math.nan,
                "lift": capture[0] / TOP,
                **dict(zip(("lift_low", "lift_high"), np.quantile(captures / TOP, ends), strict=True)),
                "brier_skill": 1 - brier / flat,
            }
        )
    splits = pd.DataFrame(rows)
    splits["difference_to_segments"] = splits.auc - splits.auc[list(SPLITS).index("segment")]
    gaps = np.array([np.quantile(areas[name] - areas["segment"], ends) for name in SPLITS])
    splits["difference_to_segments_low"], splits["difference_to_segments_high"] = gaps.T
    table = _segments(before, cells, drawn, confidence)
    return Prediction(table, splits, pd.concat(curves, ignore_index=True), float(k.sum() / people), margin, label)


def _cells(table: ir.Table, name: str) -> pd.DataFrame:
    wanted = ("person_id", *_CELL, "repeat", "revenue")
    missing = [f"{name}.{c} is missing{did_you_mean(c, table.columns)}" for c in wanted if c not in table.columns]
    if missing:
        raise WaageError("predict_next: " + "; ".join(missing))
    money = table.revenue.cast("decimal(18, 4)")
    cells = table.group_by(list(_CELL)).agg(
        customers=table.count(),
        repeaters=(table.repeat == 1).sum(),
        outcomes=table.repeat.cast("int64").isin([0, 1]).sum(),
        paid=money.count(),
        revenue=money.sum(),
        # The type is stated because Ibis takes the product to have four decimals, and rounds to them.
        squares=(money * money).sum().cast("decimal(38, 8)"),
    )
    cells = cells.to_pyarrow().to_pandas()
    faults = [
        f"{name}.{c}: {int(cells.customers[cells[c].isna()].sum())} rows are NULL"
        for c in _CELL
        if cells[c].isna().any()
    ]
    if (wrong := int((cells.customers - cells.outcomes.fillna(0)).sum())) > 0:
        faults.append(f"{name}.repeat: {wrong} rows are neither 0 nor 1")
    if (wrong := int((cells.customers - cells.paid).sum())) > 0:
        faults.append(f"{name}.revenue: {wrong} rows are NULL; who bought nothing has 0")
    if faults:
        raise WaageError("predict_next: " + "; ".join(faults) + "; score customers only, each with an outcome")
    # The order of rows from the engine is arbitrary, that of the draws must not be.
    return cells.sort_values(list(_CELL), ignore_index=True)


def _refuse(before: pd.DataFrame, cells: pd.DataFrame) -> None:
    people, repeaters = int(cells.customers.sum()), int(cells.repeaters.sum())
    if not len(before):
        raise Refusal(
            "predict_next: training has no customers; take an earlier day with customers, or a shorter period"
        )
    if people < 100:
        raise Refusal(f"predict_next: holdout has {people} customers; 100 are needed to tell a forecast from chance")
    if repeaters in (0, people):
        who = "nobody" if not repeaters else "everybody"
        raise Refusal(
            f"predict_next: {who} of the {people} customers of holdout bought again; there is nothing to tell apart: "
            f"take a {'longer' if not repeaters else 'shorter'} period"
        )


def _chances(before, cells, columns: Sequence[str], base: float, prior: float) -> np.ndarray:
    """Return the repeat share that each cell's group had in training, shrunk towards the base rate."""
    if not columns:
        return np.full(len(cells), base)
    groups = before.groupby(columns)[["customers", "repeaters"]].sum()
    found = (
        cells[columns]
        .merge(groups, how="left", left_on=columns, right_index=True)
        .fillna({"customers": 0, "repeaters": 0})
    )
    n, k = found.customers.to_numpy(float), found.repeaters.to_numpy(float)
    if prior:
        return (k + prior * base) / (n + prior)
    return np.divide(k, n, out=np.full(len(cells), base), where=n > 0)


def _ranked(counts: np.ndarray, member: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return AUC and capture of each draw, and the corners of the gains curve of the first.

    counts: draws x (repeaters of each cell, then others); member: cells x levels, best level first.
    """
    cells = len(member)
    hits, misses = counts[:, :cells] @ member, counts[:, cells:] @ member
    both = hits + misses
    total, people = hits.sum(axis=1, keepdims=True), both.sum(axis=1, keepdims=True)
    below = misses.sum(axis=1, keepdims=True) - misses.cumsum(axis=1)
    auc = (hits * (below + misses / 2)).sum(axis=1) / (total * misses.sum(axis=1, keepdims=True))[:, 0]
    # Of each level, the part that still fits into the best fifth.
    room = TOP * people - (both.cumsum(axis=1) - both)
    taken = np.divide(room.clip(0), both, out=np.zeros_like(both), where=both > 0).clip(0, 1)
    capture = (hits * taken).sum(axis=1) / total[:, 0]
    corners = [np.append(0, x[0].cumsum() / y[0, 0]) for x, y in ((both, people), (hits, total))]
    return auc, capture, np.array(corners)


def _segments(before: pd.DataFrame, cells: pd.DataFrame, drawn: np.ndarray, confidence: float) -> pd.DataFrame:
    expected = before.groupby("segment")[["customers", "repeaters"]].sum()
    expected = expected.repeaters / expected.customers
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    hits, misses = drawn[:, : len(cells)], drawn[:, len(cells) :]
    rate = hits.sum(axis=1) / drawn.sum(axis=1)
    people, repeaters = cells.customers.sum(), cells.repeaters.sum()
    rows = []
    for segment, own in cells.groupby("segment"):
        n, k = int(own.customers.sum()), int(own.repeaters.sum())
        total, squares = (sum(map(Fraction, own[column]), Fraction(0)) for column in ("revenue", "squares"))
        half = z * math.sqrt((squares - total**2 / n) / (n - 1) / n) if n >= 30 else math.nan
        hit, size = hits[:, own.index].sum(axis=1), (hits + misses)[:, own.index].sum(axis=1)
        some = size > 0
        lift = np.quantile(hit[some] / size[some] / rate[some], [(1 - confidence) / 2, (1 + confidence) / 2])
        share, mean = k / n, float(total / n)
        money = (mean, mean - half, mean + half)
        lifts = (share / (repeaters / people), *lift)
        rows.append((segment, n, share, *wilson(k, n, confidence), *money, *lifts, expected.get(segment, math.nan)))
    measures = [
        f"{name}{end}" for name in ("repeat_share", "revenue_per_head", "lift") for end in ("", "_low", "_high")
    ]
    table = pd.DataFrame(rows, columns=["segment", "customers", *measures, "training_share"])
    return table.sort_values(["repeat_share", "segment"], ascending=[False, True], ignore_index=True)


def words(key: str, language: str) -> str:
    """Return a text of this module in the reader's language."""
    return _TEXTS[key][language == "de"]
