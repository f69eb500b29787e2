"""What a panel can carry: merging of thin samples, refusals with their reason and cure, the smallest effect seen."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from waage.errors import Refusal, WaageError
from waage.ix.link import Link, link
from waage.ix.panel import Panel, merge_weeks

#: Smallest share of signal in a weekly score; below, the correction triples the estimate, and bias sets in (simulated).
MIN_RELIABILITY = 0.3

#: The same for a merged panel, which has fewer periods to know its own signal by. A judgement.
MIN_RELIABILITY_MERGED = 0.4

#: Smallest share of signal in any combination of lags. Wild estimates (five times the effect) were seen below .02 only,
#: intervals too wide to say anything below .05 (simulated, 1,400 panels, four free lags).
MIN_CONDITIONING = 0.05

MIN_UNITS = 8  # jackknife intervals cover 95 % from 8 units on (simulated)
MIN_PERIODS = 20  # after lags; a judgement

#: A break of the response rate: level over `RATE_WEEKS` weeks before and after, as a factor. Judgements.
RATE_BREAK, RATE_WEEKS = 1.5, 6

#: Effects are planned for 80 % power at 5 %: 2.8 standard errors.
POWER_FACTOR = 2.8


@dataclass(frozen=True)
class Admission:
    """A panel the link may be estimated on, and how it was come to.

    Attributes
    ----------
    panel : Panel
        As given, or merged to blocks of weeks.
    link : Link
    tried : DataFrame
        One row a block length: block_weeks, units, periods, reliability, conditioning, smallest_effect (log points
        per point), reason (None: admitted).
    """

    panel: Panel
    link: Link
    tried: pd.DataFrame

    @property
    def block_weeks(self) -> int:
        """Weeks that were merged into one period."""
        return self.panel.block_weeks

    @property
    def smallest_effect(self) -> float:
        """Smallest long-run effect on demand (log points per point) that is found four times in five."""
        return POWER_FACTOR * self.link.std_error()

    @property
    def summary(self) -> pd.DataFrame:
        """What was tried, one row a block length."""
        return self.tried


class LinkRefusal(Refusal):
    """The panel cannot carry the link; with the table of what was tried and the smallest effect it could have shown.

    `thin` says whether larger units might cure it (not so where response rate or questionnaire broke).
    """

    def __init__(self, text: str, tried: pd.DataFrame, smallest_effect: float, thin: bool = True) -> None:
        super().__init__(text)
        self.tried = tried
        self.smallest_effect = smallest_effect
        self.thin = thin


def admit(
    panel: Panel,
    *,
    lags: int | None = None,
    blocks: tuple[int, ...] = (1, 2, 4),
    invitations: pd.DataFrame | None = None,
    item_weeks: pd.DataFrame | None = None,
    confidence: float = 0.95,
) -> Admission:
    """Estimate the link on the finest periods the sample carries, or refuse.

    Parameters
    ----------
    panel : Panel
        Of single weeks.
    lags : int, optional
        Weeks of delay (3 without it); blocks take as many as hold them.
    blocks : tuple of int
        Weeks to merge into one period, in the order they are tried.
    invitations : DataFrame, optional
        day, invited, completed: a sudden change of the response rate refuses.
    item_weeks : DataFrame, optional
        As `Scores.item_weeks`: an item that begins or ends within the window refuses.
    confidence : float

    Raises
    ------
    LinkRefusal
        With the reason, what would cure it, and the smallest effect the data could have shown.
    """
    tried, admitted = [], None
    breaks = [text for text in (response_break(invitations), questionnaire_break(item_weeks)) if text]
    for block in blocks:
        merged = merge_weeks(panel, block)
        row, fitted = _try(merged, None if lags is None else -(-lags // block), confidence)
        tried.append(row)
        if fitted is not None and row["reason"] is None:
            admitted = (merged, fitted)
            break
        if row["units"] < MIN_UNITS:
            break  # longer blocks bring no units
    table = pd.DataFrame(tried)
    table["reason"] = table["reason"].astype(object).where(table["reason"].notna(), None)
    if admitted and not breaks:
        return Admission(*admitted, table)
    reasons = breaks or [
        f"{'weeks' if r['block_weeks'] == 1 else str(r['block_weeks']) + '-week blocks'}: {r['reason']}" for r in tried
    ]
    known = table["smallest_effect"].min()
    could = (
        f" The smallest effect these data could have shown is about {100 * known:.2f} % of demand per IX point."
        if np.isfinite(known)
        else ""
    )
    raise LinkRefusal(
        f"the link is refused: {'; '.join(reasons)}. {_cure(tried, bool(breaks))}{could}",
        table,
        float(known),
        thin=not breaks,
    )


def merge_units(panel: Panel, groups: Mapping[str, str]) -> Panel:
    """Merge units into larger ones, for samples that are thin even in blocks of weeks.

    The score of a group is the mean of its units with their shares of all visits as fixed weights, so that it does
    not move when respondents move between units; its variance follows. A group needs all its units in a week.

    Parameters
    ----------
    panel : Panel
    groups : mapping of str to str
        Unit to larger unit, for every unit of the panel.
    """
    missing = [unit for unit in panel.units if unit not in groups]
    if missing:
        raise WaageError(f"merge_units: units {', '.join(missing[:5])} have no group; give every unit one")
    labels = np.array([groups[unit] for unit in panel.units])
    names = list(dict.fromkeys(labels))
    member = (labels == np.array(names)[:, None]).astype(float)
    # A unit that starts late would leave its group without its early weeks: it joins no weights, but its sales.
    covered = np.isfinite(panel.score).mean(axis=1)
    size = np.nanmean(np.where(np.isfinite(panel.visits), panel.visits, np.nan), axis=1)
    weight = member * np.where(covered >= 0.9 * covered.max(), size, 0.0)
    share = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)

    def mean(values: np.ndarray, power: int = 1) -> np.ndarray:
        need = share > 0
        holes = need.astype(float) @ np.isnan(values).astype(float)
        return np.where(holes == 0, (share**power) @ np.nan_to_num(values), np.nan)

    def total(values: np.ndarray) -> np.ndarray:
        found = member @ np.nan_to_num(values)
        return np.where(found > 0, found, np.nan)

    def each(values: np.ndarray | None) -> np.ndarray | None:
        if values is None or not values.shape[2]:
            return None if values is None else np.empty((len(names), values.shape[1], 0))
        return np.stack([mean(values[:, :, k]) for k in range(values.shape[2])], axis=2)

    return replace(
        panel,
        units=tuple(names),
        score=mean(panel.score),
        variance=mean(panel.variance, 2),
        n=total(panel.n),
        visits=total(panel.visits),
        orders=total(panel.orders),
        demand=total(panel.demand),
        controls=each(panel.controls),
        exposure=each(panel.exposure),
        halves=None if panel.halves is None else np.stack([mean(half) for half in panel.halves]),
        negative=None if panel.negative is None else mean(panel.negative),
        notes=(*panel.notes, f"{len(panel.units)} units were merged into {len(names)}"),
    )


def response_break(invitations: pd.DataFrame | None) -> str | None:
    """Return the sentence for a sudden change of the response rate, None without one.

    Parameters
    ----------
    invitations : DataFrame or None
        day, invited, completed; one or more rows a day.
    """
    rates = response_rate(invitations)
    if rates is None or len(rates) < 2 * RATE_WEEKS:
        return None
    done, asked = (np.concatenate([[0], np.cumsum(rates[name])]) for name in ("completed", "invited"))
    at = np.arange(RATE_WEEKS, len(rates) - RATE_WEEKS + 1)
    before = (done[at] - done[at - RATE_WEEKS]) / np.maximum(asked[at] - asked[at - RATE_WEEKS], 1)
    after = (done[at + RATE_WEEKS] - done[at]) / np.maximum(asked[at + RATE_WEEKS] - asked[at], 1)
    step = np.abs(np.log(np.maximum(after, 1e-9) / np.maximum(before, 1e-9)))
    k = int(step.argmax())
    if step[k] <= np.log(RATE_BREAK):
        return None
    return (
        f"the response rate breaks in the week of {rates['week'].iloc[at[k]].date()}, from {before[k]:.1%} to "
        f"{after[k]:.1%}: other visitors answer before and after"
    )


def response_rate(invitations: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the response rate over time: week (Monday), invited, completed, rate; None without invitations."""
    if invitations is None or not len(invitations):
        return None
    day = pd.to_datetime(invitations["day"])
    week = (day - pd.to_timedelta(day.dt.day_of_week, "D")).rename("week")
    table = invitations.groupby(week)[["invited", "completed"]].sum().reset_index()
    return table.assign(rate=table["completed"] / table["invited"].where(table["invited"] > 0))


def questionnaire_break(item_weeks: pd.DataFrame | None) -> str | None:
    """Return the sentence for a questionnaire that changed within the window, None where it did not.

    Parameters
    ----------
    item_weeks : DataFrame or None
        item, week, n: answers to each item in each week.
    """
    if item_weeks is None or not len(item_weeks):
        return None
    seen = item_weeks[item_weeks["n"] > 0].groupby("item")["week"].agg(["min", "max"])
    first, last = seen["min"].min(), seen["max"].max()
    slack = pd.Timedelta(weeks=2)  # an item nobody happened to answer in the first week is no break
    begun = seen[seen["min"] > first + slack]
    ended = seen[seen["max"] < last - slack]
    parts = [f"{item} begins in the week of {row['min'].date()}" for item, row in begun.iterrows()]
    parts += [f"{item} ends in the week of {row['max'].date()}" for item, row in ended.iterrows()]
    return "two versions of the questionnaire: " + ", ".join(parts) if parts else None


def _try(panel: Panel, lags: int | None, confidence: float) -> tuple[dict, Link | None]:
    row = {"block_weeks": panel.block_weeks, "units": len(panel.units), "periods": 0, "reliability": np.nan}
    row |= {"conditioning": np.nan, "smallest_effect": np.nan, "reason": None}
    good = np.isfinite(panel.score) & np.isfinite(panel.demand)
    row["units"], row["periods"] = int((good.sum(axis=1) >= 4).sum()), int(good.any(axis=0).sum())
    try:
        fitted = link(panel, lags=lags, confidence=confidence)
        plain = link(panel, lags=lags, confidence=confidence, correct=False)
    except Refusal as refusal:
        return row | {"reason": str(refusal).removeprefix("link: ")}, None
    row |= {"units": fitted.units, "reliability": fitted.reliability, "conditioning": fitted.conditioning}
    # The corrected error is not to be trusted where the correction is refused.
    row["smallest_effect"] = POWER_FACTOR * plain.std_error() / max(fitted.reliability, 0.02)
    least = MIN_RELIABILITY if panel.block_weeks == 1 else MIN_RELIABILITY_MERGED
    periods = row["periods"] - fitted.lags
    if fitted.units < MIN_UNITS:
        row["reason"] = f"{fitted.units} units, fewer than the {MIN_UNITS} an interval needs"
    elif periods < MIN_PERIODS:
        row["reason"] = f"{periods} periods with all lags, fewer than {MIN_PERIODS}"
    elif not fitted.reliability >= least:
        row["reason"] = (
            f"reliability {fitted.reliability:.2f} of the score is below {least}: most of it is survey noise"
        )
    elif not fitted.conditioning >= MIN_CONDITIONING:
        row["reason"] = f"the correction is ill-conditioned ({fitted.conditioning:.2f}, needed {MIN_CONDITIONING})"
    return row, fitted


def _cure(tried: list[dict], broken: bool) -> str:
    if broken:
        return "Start the window after the break, or measure both versions side by side for a quarter and bridge them."
    last = tried[-1]
    if last["units"] < MIN_UNITS:
        return f"Measure at least {MIN_UNITS} units (assortment x device, or touchpoints), better 24."
    if last["periods"] < MIN_PERIODS + 3:
        return "Go on measuring: a year of weeks is the least, two are usual."
    weekly = tried[0]
    lam = min(max(weekly["reliability"], 0.01), 0.99)
    factor = (MIN_RELIABILITY + 0.1) / (1 - MIN_RELIABILITY - 0.1) * (1 - lam) / lam
    if factor > 1:
        return f"About {factor:.1f} times as many answers a week would cure it, or fewer, larger units (merge_units)."
    return "More units or weeks would cure it, or fewer, larger units (merge_units)."
