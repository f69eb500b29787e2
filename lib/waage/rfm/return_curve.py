"""After how many days repeat buyers have come back: a curve that proposes the limits of lifecycle stages."""

from dataclasses import dataclass
from datetime import date
from statistics import NormalDist
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.errors import Refusal, WaageError, did_you_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The shares whose days are proposed as limits.
SHARES = (0.80, 0.90, 0.95)

# Weights are summed as whole numbers of 10**-10, so that neither the order of rows nor rounding can matter.
_UNIT = 10**10
_TEXTS = {
    "title": (
        "{share} of repeat buyers are back by day {day}",
        "{share} der Wiederkäufer sind bis Tag {day} wieder da",
    ),
    "x": (
        "Days since the last purchase (returns within {horizon} days)",
        "Tage seit dem letzten Kauf (Rückkehr binnen {horizon} Tagen)",
    ),
    "y": ("Share of repeat buyers who are back", "Anteil der Wiederkäufer, die wieder da sind"),
    "curve": ("Corrected for returns still to come", "Bereinigt um noch ausstehende Rückkehrer"),
    "naive": ("As observed (too fast)", "Wie beobachtet (zu schnell)"),
    "mark": ("{share} by day {day}", "{share} bis Tag {day}"),
    "active": ("Active up to {day} days: {share}", "Aktiv bis {day} Tage: {share}"),
    "lapsed": ("Lapsed after {day} days: {share}", "Abgewandert nach {day} Tagen: {share}"),
}


@dataclass(frozen=True)
class ReturnCurve:
    """How fast repeat buyers return, as `return_curve` estimates it.

    Attributes
    ----------
    table : DataFrame
        One row a day from 1 to `horizon`: days; share of repeat buyers who are back by then, share_low and
        share_high (pointwise); share_naive (completed gaps as observed); at_risk (repeat buyers the day's
        estimate rests on).
    buyers : int
        Repeat buyers.
    gaps : int
        Completed gaps between their purchase days.
    horizon : int
        Days. All shares are among returns within this span: who returns later, or never, is not in the curve.
    confidence : float
        Coverage of the intervals.
    """

    table: pd.DataFrame
    buyers: int
    gaps: int
    horizon: int
    confidence: float

    def days(self, share: float) -> int:
        """Return the first day by which at least `share` (above 0, up to 1) of the repeat buyers are back."""
        return self._first("share", share)

    @property
    def suggestion(self) -> dict[float, int]:
        """Day by which each of `SHARES` of the repeat buyers are back, a proposal for lifecycle limits."""
        return {share: self.days(share) for share in SHARES}

    @property
    def summary(self) -> pd.DataFrame:
        """One row a share of `SHARES`: share, days, days_low, days_high, days_naive.

        The interval holds the days whose pointwise interval covers the share (Brookmeyer and Crowley 1982).
        """
        rows = [
            (share, *(self._first(name, share) for name in ("share", "share_high", "share_low", "share_naive")))
            for share in SHARES
        ]
        return pd.DataFrame(rows, columns=["share", "days", "days_low", "days_high", "days_naive"])

    def plot(
        self, ax: "Axes | None" = None, language: str = "en", *, active_days: int = 0, lapsed_days: int = 0
    ) -> "Axes":
        """Draw the curve with the days of `SHARES`, and the limits in use as vertical lines.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure if left out.
        language : str
            en or de.
        active_days, lapsed_days : int
            Limits in use (days); 0 draws none.

        Returns
        -------
        Axes
        """
        from waage import style

        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots(figsize=(9.6, 5.2), layout="constrained")[1]
        texts = {key: pair[language == "de"] for key, pair in _TEXTS.items()}
        # Behind the last mark the curve is flat; showing it all would squeeze the part that is read.
        end = min(self.horizon, max(int(1.35 * self.days(SHARES[-1])), int(1.12 * max(active_days, lapsed_days)), 10))
        start = pd.DataFrame({"days": [0], "share": [0.0], "share_low": [0.0], "share_high": [0.0], "share_naive": 0.0})
        curve = pd.concat([start, self.table]).query("days <= @end")
        ax.fill_between(curve.days, curve.share_low, curve.share_high, color=style.ACCENT, alpha=0.18, lw=0)
        ax.plot(curve.days, curve.share_naive, color=style.MUTED, lw=1.3, ls="--", label=texts["naive"])
        ax.plot(curve.days, curve.share, color=style.ACCENT, lw=2.4, label=texts["curve"])
        right = max(1.16 * end, lapsed_days, active_days)
        for share, day in self.suggestion.items():
            ax.plot([0, day, day], [share, share, 0], color=style.BRASS, lw=0.9, zorder=1)
            ax.plot([day], [share], color=style.BRASS, marker="o", ms=7)
            text = texts["mark"].format(share=style.percent(share, language), day=style.number(day, language))
            ax.annotate(
                text,
                (day, share),
                (9, -14),
                textcoords="offset points",
                fontsize=10.5,
                fontweight="bold",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
        for key, day, height in (("active", active_days, 0.2), ("lapsed", lapsed_days, 0.08)):
            if day:
                ax.axvline(day, color=style.PALETTE[3], lw=1.4, ls=(0, (5, 3)))
                back = float(self.table.share.iloc[min(day, self.horizon) - 1])
                text = texts[key].format(day=style.number(day, language), share=style.percent(back, language))
                left = day > 0.6 * right
                ax.annotate(
                    text,
                    (day, height),
                    (-6 if left else 6, 0),
                    textcoords="offset points",
                    ha="right" if left else "left",
                    va="center",
                    color=style.PALETTE[3],
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                )
        ax.set_xlim(0, right)
        ax.set_ylim(0, 1.04)
        ax.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        style.axis_percent(ax.yaxis, language)
        style.axis_number(ax.xaxis, language)
        ax.set_xlabel(texts["x"].format(horizon=style.number(self.horizon, language)))
        ax.set_ylabel(texts["y"])
        ax.grid(False, axis="x")
        day = style.number(self.days(SHARES[1]), language)
        ax.set_title(texts["title"].format(share=style.percent(SHARES[1], language), day=day))
        ax.legend(loc="lower right", bbox_to_anchor=(1, 0.24), frameon=True, framealpha=1, edgecolor="none")
        return ax

    def _first(self, column: str, share: float) -> int:
        if not 0 < share <= 1:
            raise WaageError(f"ReturnCurve.days: share {share!r} does not lie above 0 and up to 1; 0.9 is 90 %")
        # The last day's share is 1 up to rounding in the product.
        reached = self.table[column].to_numpy() >= share - 1e-12
        return int(self.table.days.iloc[int(reached.argmax()) if reached.any() else -1])


def return_curve(orders: ir.Table, as_of: date, *, min_at_risk: int = 50, confidence: float = 0.95) -> ReturnCurve:
    """Estimate how many days pass until repeat buyers return, corrected for the end of the data.

    Orders of one day are one purchase; a gap is the days between two purchases in a row. A gap is only seen if
    it ended by `as_of`, so that short gaps are over-represented. Every repeat buyer counts once: each of her n
    gaps weighs 1/n. As the gaps of one person are exchangeable, each is then distributed like her first gap,
    which was seen because it fitted between her first purchase and `as_of` (Wang and Chang 1999). That is right
    truncation, undone by the product-limit estimator in reverse time (Lagakos et al. 1988):
    F(t) = product over s > t of 1 - d(s)/R(s), with d(s) the weight of the gaps of s days and R(s) that of the
    gaps up to s days of persons first seen at least s days ago. Truncating each gap at its own start instead
    would be wrong with these weights, because n depends on the gaps.

    Parameters
    ----------
    orders : ibis table
        person_id (NULL: anonymous, left out), day (DATE), counts (bool; others are left out). Orders after
        `as_of` are ignored. Only one row per gap length and group of persons leaves the engine.
    as_of : date
        Last day of complete data.
    min_at_risk : int
        The horizon is the longest span for which this many repeat buyers (weight) are at risk; longer gaps are
        too rarely observable to be estimated. 50 is a judgement.
    confidence : float
        Coverage of the intervals: normal on the complementary log-log scale, with the variance of the
        delete-a-group jackknife over 256 groups of persons (Kott 2001). No random numbers are drawn.

    Returns
    -------
    ReturnCurve
        The distribution of return times among those who return within the horizon. Assumes that habits did not
        change over the observed time; persons who never return are not in it.

    Raises
    ------
    WaageError
        If a column is missing or confidence does not lie between 0 and 1.
    Refusal
        With fewer than 50 repeat buyers, or fewer than `min_at_risk` at risk on every day.

    References
    ----------
    Lagakos, Barraj and De Gruttola (1988), Nonparametric analysis of truncated survival data, Biometrika 75.
    Wang and Chang (1999), Nonparametric estimation of a recurrent survival function, JASA 94.
    Brookmeyer and Crowley (1982), A confidence interval for the median survival time, Biometrics 38.
    Kott (2001), The delete-a-group jackknife, Journal of Official Statistics 17.
    """
    missing = [name for name in ("person_id", "day", "counts") if name not in orders.columns]
    if missing:
        names = ", ".join(f"column {name!r} is missing{did_you_mean(name, orders.columns)}" for name in missing)
        raise WaageError(f"return_curve: orders: {names}; customer_orders has all three")
    if not 0 < confidence < 1:
        raise WaageError(f"return_curve: confidence {confidence!r} does not lie between 0 and 1; 0.95 is usual")
    gaps, people = _count(orders, as_of)
    buyers = int(people.persons.sum())
    if buyers < 50:
        raise Refusal(
            f"return_curve: {buyers} persons bought on more than one day up to {as_of}; a curve of return times "
            "needs 50: wait, or keep the lifecycle limits as they are"
        )
    groups = sorted(set(people.group))
    longest = int(people.available.max())
    ended, left = np.zeros((2, len(groups), longest + 2), dtype=np.int64)
    place = {group: row for row, group in enumerate(groups)}
    np.add.at(ended, (gaps.group.map(place), gaps.gap), gaps.weight.to_numpy(dtype=np.int64))
    # Whoever was first seen s days ago is at risk on day s, but not on day s + 1.
    np.add.at(left, (people.group.map(place), people.available + 1), _UNIT * people.persons.to_numpy())
    at_risk = (ended.cumsum(axis=1) - left.cumsum(axis=1)).sum(axis=0) / _UNIT
    enough = np.flatnonzero(at_risk >= min_at_risk)
    if not enough.size:
        raise Refusal(
            f"return_curve: no span of days is observable for {min_at_risk} repeat buyers at once (at most "
            f"{at_risk.max():.0f}); lower min_at_risk or wait for a longer history"
        )
    horizon = int(enough.max())
    share = _product_limit(ended.sum(axis=0), left.sum(axis=0), horizon)
    without = np.array(
        [_product_limit(ended.sum(axis=0) - e, left.sum(axis=0) - a, horizon) for e, a in zip(ended, left, strict=True)]
    )
    low, high = _interval(share, without, confidence)
    naive = ended.sum(axis=0)[: horizon + 1].cumsum()
    columns = {"share": share, "share_low": low, "share_high": high, "share_naive": naive / naive[-1]}
    table = pd.DataFrame({"days": np.arange(horizon + 1)} | columns | {"at_risk": at_risk[: horizon + 1]}).iloc[1:]
    return ReturnCurve(table.reset_index(drop=True), buyers, int(gaps.gaps.sum()), horizon, confidence)


def _count(orders: ir.Table, as_of: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return weight and number of gaps by group and length, and persons by group and available days."""
    seen = orders.filter(orders.person_id.notnull() & orders.counts & (orders.day <= as_of))
    days = seen.select("person_id", "day").distinct()
    person = ibis.window(group_by="person_id")
    days = days.mutate(
        gap=days.day.delta(days.day.lag().over(ibis.window(group_by="person_id", order_by="day")), unit="day"),
        n=days.day.count().over(person) - 1,
        available=ibis.literal(as_of).delta(days.day.min().over(person), unit="day"),
    ).filter(ibis._.n > 0)
    # MD5, not the engine's own hash, so that groups are the same in every engine and version.
    days = days.mutate(group=days.person_id.cast("string").hexdigest("md5")[0:2])
    # A person's first purchase ends no gap: it stands for the person. So one pass over the orders counts both.
    first = days.gap.isnull()
    weight = ibis.ifelse(first, 0.0, 1 / days.n).cast("decimal(18, 10)")
    days = days.mutate(available=ibis.ifelse(first, days.available, ibis.null("int64")), weight=weight)
    counts = days.group_by("group", "gap", "available").agg(
        rows=days.count(), weight=(days.weight.sum() * _UNIT).cast("int64")
    )
    counts = counts.to_pyarrow().to_pandas()
    people = counts[counts.gap.isna()].rename(columns={"rows": "persons"})
    gaps = counts[counts.gap.notna()].rename(columns={"rows": "gaps"})
    return gaps.astype({"gap": "int64"}), people.astype({"available": "int64"})


def _product_limit(ended: np.ndarray, left: np.ndarray, horizon: int) -> np.ndarray:
    at_risk = (ended.cumsum() - left.cumsum())[: horizon + 1]
    # Rounding of weights such as 1/3 can leave a few units of 10**-10 in a day on which nobody is at risk.
    some = at_risk > 0
    hazard = np.divide(ended[: horizon + 1], at_risk, out=np.zeros(horizon + 1), where=some).clip(0, 1)
    return np.append((1 - hazard)[::-1].cumprod()[::-1][1:], 1.0)


def _interval(share: np.ndarray, without: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    groups = len(without)
    error = np.sqrt((groups - 1) / groups * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    inside = (share > 0) & (share < 1 - 1e-12)
    survivors = np.where(inside, 1 - share, 0.5)
    scale = np.log(-np.log(survivors))
    half = NormalDist().inv_cdf((1 + confidence) / 2) * error / (survivors * -np.log(survivors))
    low, high = (1 - np.exp(-np.exp(scale + sign * half)) for sign in (-1, 1))
    # A distribution function does not fall, hence neither do its bounds.
    low = np.where(inside, low, share)
    return np.maximum.accumulate(low), np.maximum.accumulate(np.where(inside, high, share))
