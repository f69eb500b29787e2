"""What a panel can carry: merging of thin samples, refusals with their reason and cure, the smallest effect seen."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import norm

from waage import style
from waage.errors import Refusal, Told, WaageError
from waage.ix.link import Link, control_columns, default_lags, link, panel_moments
from waage.ix.panel import Panel, merge_weeks, without_collinear

#: Smallest share of signal in a weekly score; below, the correction triples the estimate, and bias sets in (simulated).
MIN_RELIABILITY = 0.3

#: The same for a merged panel, which has fewer periods to know its own signal by. A judgement.
MIN_RELIABILITY_MERGED = 0.4

#: Smallest share of signal in any combination of lags. Wild estimates (five times the effect) were seen below .02 only,
#: intervals too wide to say anything below .05 (simulated, 1,400 panels, four free lags).
MIN_CONDITIONING = 0.05
#: Smallest effect on demand per point (log points) that must be visible: many times what is usual (judgement).
MOST_VISIBLE = 0.05

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

    `german` is the text in German; `thin` says whether larger units might cure it (not so where response rate or
    questionnaire broke).
    """

    def __init__(self, texts: tuple[str, str], tried: pd.DataFrame, smallest_effect: float, thin: bool = True) -> None:
        super().__init__(texts[0])
        self.german = texts[1]
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
    tried, german, admitted = [], [], None
    breaks = [
        [text for text in (response_break(invitations, one), questionnaire_break(item_weeks, one)) if text]
        for one in ("en", "de")
    ]
    for block in blocks:
        # What differs between weeks only may be the same in all blocks.
        merged = merge_weeks(panel, block)
        merged = without_collinear(merged, must=False) if block > 1 else merged
        row, reason_de, fitted = _try(merged, None if lags is None else -(-lags // block), confidence)
        tried.append(row)
        german.append(reason_de)
        if fitted is not None and row["reason"] is None:
            admitted = (merged, fitted)
            break
        if row["units"] < MIN_UNITS:
            break  # longer blocks bring no units
    table = pd.DataFrame(tried)
    table["reason"] = table["reason"].astype(object).where(table["reason"].notna(), None)
    if admitted and not breaks[0]:
        return Admission(*admitted, table)
    known = float(table["smallest_effect"].min())
    texts = []
    for place, (words, reasons) in enumerate(zip(_REFUSED, ([r["reason"] for r in tried], german), strict=True)):
        named = [
            f"{words['weeks'] if row['block_weeks'] == 1 else words['blocks'].format(n=row['block_weeks'])}: {reason}"
            for row, reason in zip(tried, reasons, strict=True)
            if reason
        ]
        text = words["refused"].format(reasons="; ".join(breaks[place] or named))
        text += " " + _cure(tried, bool(breaks[0]), words)
        if np.isfinite(known):
            text += " " + words["could"].format(effect=style.percent(known, ("en", "de")[place], 2))
        texts.append(text)
    raise LinkRefusal((texts[0], texts[1]), table, known, thin=not breaks[0])


def merge_units(panel: Panel, groups: Mapping[str, str]) -> Panel:
    """Merge units into larger ones, for samples that are thin even in blocks of weeks.

    The score of a group is the mean of its units with their shares of all visits as fixed weights, so that it does
    not move when respondents move between units; its variance follows. A group needs all its units in a week; a unit
    whose sales begin late or end early is a group of its own.

    Parameters
    ----------
    panel : Panel
    groups : mapping of str to str
        Unit to larger unit, for every unit of the panel.
    """
    missing = [unit for unit in panel.units if unit not in groups]
    if missing:
        raise WaageError(f"merge_units: units {', '.join(missing[:5])} have no group; give every unit one")
    sold = np.isfinite(panel.demand).mean(axis=1)
    partly = sold < 0.9 * sold.max()
    labels = np.array([unit if apart else groups[unit] for unit, apart in zip(panel.units, partly, strict=True)])
    names = list(dict.fromkeys(labels))
    member = (labels == np.array(names)[:, None]).astype(float)
    # A unit that few answer for would leave its group without many weeks: it joins no weights, but its sales.
    covered = np.isfinite(panel.score).mean(axis=1)
    most = np.where(member > 0, covered, 0.0).max(axis=1, keepdims=True)
    size = np.nanmean(np.where(np.isfinite(panel.visits), panel.visits, np.nan), axis=1)
    weight = member * np.where(covered >= 0.9 * most, size, 0.0)
    share = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)

    def mean(values: np.ndarray, power: int = 1) -> np.ndarray:
        need = share > 0
        holes = need.astype(float) @ np.isnan(values).astype(float)
        return np.where(holes == 0, (share**power) @ np.nan_to_num(values), np.nan)

    def total(values: np.ndarray) -> np.ndarray:
        holes = member @ np.isnan(values).astype(float)
        return np.where(holes == 0, member @ np.nan_to_num(values), np.nan)

    def each(values: np.ndarray | None) -> np.ndarray | None:
        if values is None or not values.shape[2]:
            return None if values is None else np.empty((len(names), values.shape[1], 0))
        return np.stack([mean(values[:, :, k]) for k in range(values.shape[2])], axis=2)

    return replace(
        panel,
        units=tuple(names),
        score=mean(panel.score),
        variance=mean(panel.variance, 2),
        n=member @ np.nan_to_num(panel.n),
        visits=total(panel.visits),
        orders=total(panel.orders),
        demand=total(panel.demand),
        controls=each(panel.controls),
        exposure=each(panel.exposure),
        halves=None if panel.halves is None else np.stack([mean(half) for half in panel.halves]),
        negative=None if panel.negative is None else mean(panel.negative),
        notes=(
            *panel.notes,
            Told(
                f"{len(panel.units)} units were merged into {len(names)}",
                f"{len(panel.units)} Einheiten wurden zu {len(names)} zusammengelegt",
            ),
        ),
    )


def response_break(invitations: pd.DataFrame | None, language: str = "en") -> str | None:
    """Return the sentence for a sudden change of the response rate, None without one.

    It must be large (`RATE_BREAK`) and beyond what the largest of as many chance differences would be: the two
    proportions differ at 5 %, shared out over all weeks a break could lie in. Weeks without invitations do not count.

    Parameters
    ----------
    invitations : DataFrame or None
        day, invited, completed; one or more rows a day.
    language : str
    """
    rates = response_rate(invitations)
    if rates is None:
        return None
    rates = rates[rates["invited"] > 0].reset_index(drop=True)
    if len(rates) < 2 * RATE_WEEKS:
        return None
    done, asked = (np.concatenate([[0], np.cumsum(rates[name])]) for name in ("completed", "invited"))
    at = np.arange(RATE_WEEKS, len(rates) - RATE_WEEKS + 1)
    earlier, later = asked[at] - asked[at - RATE_WEEKS], asked[at + RATE_WEEKS] - asked[at]
    before, after = (done[at] - done[at - RATE_WEEKS]) / earlier, (done[at + RATE_WEEKS] - done[at]) / later
    step = np.abs(np.log(np.maximum(after, 1e-9) / np.maximum(before, 1e-9)))
    both = (done[at + RATE_WEEKS] - done[at - RATE_WEEKS]) / (earlier + later)
    error = np.sqrt(np.clip(both * (1 - both), 0, None) * (1 / earlier + 1 / later))
    chance = np.abs(after - before) <= norm.isf(0.025 / len(at)) * error
    step = np.where(chance, 0.0, step)
    k = int(step.argmax())
    if step[k] <= np.log(RATE_BREAK):
        return None
    low, high = (style.percent(rate[k], language, 1) for rate in (before, after))
    week = rates["week"].iloc[at[k]].date()
    return _REFUSED[language == "de"]["rate"].format(week=week, before=low, after=high)


def response_rate(invitations: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the response rate over time: week (Monday), invited, completed, rate; None without invitations."""
    if invitations is None or not len(invitations):
        return None
    day = pd.to_datetime(invitations["day"])
    week = (day - pd.to_timedelta(day.dt.day_of_week, "D")).rename("week")
    table = invitations.groupby(week)[["invited", "completed"]].sum().reset_index()
    return table.assign(rate=table["completed"] / table["invited"].where(table["invited"] > 0))


def questionnaire_break(item_weeks: pd.DataFrame | None, language: str = "en") -> str | None:
    """Return the sentence for a questionnaire that changed within the window, None where it did not.

    Parameters
    ----------
    item_weeks : DataFrame or None
        item, week, n: answers to each item in each week.
    language : str
    """
    if item_weeks is None or not len(item_weeks):
        return None
    seen = item_weeks[item_weeks["n"] > 0].groupby("item")["week"].agg(["min", "max"])
    first, last = seen["min"].min(), seen["max"].max()
    slack = pd.Timedelta(weeks=2)  # an item nobody happened to answer in the first week is no break
    begun = seen[seen["min"] > first + slack]
    ended = seen[seen["max"] < last - slack]
    words = _REFUSED[language == "de"]
    parts = [words["begins"].format(item=item, week=row["min"].date()) for item, row in begun.iterrows()]
    parts += [words["ends"].format(item=item, week=row["max"].date()) for item, row in ended.iterrows()]
    return words["versions"].format(parts=", ".join(parts)) if parts else None


def _try(panel: Panel, lags: int | None, confidence: float) -> tuple[dict, str | None, Link | None]:
    """Return the row of what was tried (with the reason in English), the reason in German, and the link."""
    row = {"block_weeks": panel.block_weeks, "units": len(panel.units), "periods": 0, "reliability": np.nan}
    row |= {"conditioning": np.nan, "smallest_effect": np.nan, "reason": None}
    good = np.isfinite(panel.score) & np.isfinite(panel.demand)
    row["units"], row["periods"] = int(good.any(axis=1).sum()), int(good.any(axis=0).sum())
    lost, least = None, MIN_RELIABILITY if panel.block_weeks == 1 else MIN_RELIABILITY_MERGED
    try:
        fitted = link(panel, lags=lags, confidence=confidence)
        plain = link(panel, lags=lags, confidence=confidence, correct=False)
    except Refusal:
        fitted, lost = None, "units" if row["units"] < MIN_UNITS else "periods"
        facts = {"periods": max(row["periods"] - (default_lags(panel) if lags is None else lags), 0)}
    else:
        row |= {"units": fitted.units, "reliability": fitted.reliability, "conditioning": fitted.conditioning}
        # The corrected error is not to be trusted where the correction is refused.
        row["smallest_effect"] = POWER_FACTOR * plain.std_error() / max(fitted.reliability, 0.02)
        used = panel_moments(panel, range(fitted.lags + 1), control_columns(panel)).rows.any(axis=0).sum()
        row["periods"], facts = int(used) + fitted.lags, {"periods": int(used)}
        if fitted.units < MIN_UNITS:
            lost = "units"
        elif facts["periods"] < MIN_PERIODS:
            lost = "periods"
        elif not fitted.reliability >= least:
            lost = "reliability"
        elif not fitted.conditioning >= MIN_CONDITIONING:
            lost = "conditioning"
        elif not fitted.std_error() * POWER_FACTOR <= MOST_VISIBLE:
            lost = "width"
    if lost is None:
        return row, None, fitted
    facts |= {"units": row["units"], "min_units": MIN_UNITS, "min_periods": MIN_PERIODS}
    texts = []
    for words, language in zip(_REFUSED, ("en", "de"), strict=True):
        shown = {
            "reliability": style.number(row["reliability"], language, 2),
            "least": style.number(least, language, 1),
            "conditioning": style.number(row["conditioning"], language, 2),
            "min_conditioning": style.number(MIN_CONDITIONING, language, 2),
            "visible": style.percent(fitted.std_error() * POWER_FACTOR, language) if fitted is not None else "",
            "most_visible": style.percent(MOST_VISIBLE, language),
        }
        texts.append(words[lost].format(**facts, **shown))
    return row | {"reason": texts[0]}, texts[1], fitted


def _cure(tried: list[dict], broken: bool, words: Mapping[str, str]) -> str:
    if broken:
        return words["cure_break"]
    weekly = tried[0]
    if weekly["units"] < MIN_UNITS:
        return words["cure_units"].format(units=MIN_UNITS)
    if weekly["periods"] < MIN_PERIODS + 3:
        return words["cure_periods"]
    lam = min(max(weekly["reliability"], 0.01), 0.99)
    factor = (MIN_RELIABILITY + 0.1) / (1 - MIN_RELIABILITY - 0.1) * (1 - lam) / lam
    if factor > 1:
        return words["cure_answers"].format(factor=style.number(factor, words["language"], 1))
    return words["cure_more"]


_REFUSED = (
    {
        "language": "en",
        "refused": "the link is refused: {reasons}.",
        "weeks": "weeks",
        "blocks": "{n}-week blocks",
        "units": "{units} units, fewer than the {min_units} an interval needs",
        "periods": "{periods} periods with all lags, fewer than {min_periods}",
        "reliability": "reliability {reliability} of the score is below {least}: most of it is survey noise",
        "width": "corrected for noise, only effects from {visible} of demand per point would be seen "
        "(at most {most_visible})",
        "conditioning": "the correction is ill-conditioned ({conditioning}, needed {min_conditioning})",
        "rate": "the response rate breaks in the week of {week}, from {before} to {after}: other visitors answer "
        "before and after",
        "versions": "two versions of the questionnaire: {parts}",
        "begins": "{item} begins in the week of {week}",
        "ends": "{item} ends in the week of {week}",
        "cure_break": "Start the window after the break (parameter `since`), or measure both versions side by side "
        "for a quarter and "
        "bridge them.",
        "cure_units": "Measure at least {units} units (assortment x device, or touchpoints), better 24.",
        "cure_periods": "Go on measuring: a year of weeks is the least, two are usual.",
        "cure_answers": "About {factor} times as many answers a week would cure it, or fewer, larger units.",
        "cure_more": "More units or weeks would cure it, or fewer, larger units.",
        "could": "The smallest effect these data could have shown is about {effect} of demand per IX point.",
    },
    {
        "language": "de",
        "refused": "die Verknüpfung wird abgelehnt: {reasons}.",
        "weeks": "Wochen",
        "blocks": "Blöcke von {n} Wochen",
        "units": "{units} Einheiten, weniger als die {min_units}, die ein Intervall braucht",
        "periods": "{periods} Zeiträume mit allen Verzögerungen, weniger als {min_periods}",
        "reliability": "Verlässlichkeit {reliability} des Werts unter {least}: das meiste ist Stichprobenrauschen",
        "width": "vom Rauschen befreit, wären nur Wirkungen ab {visible} der Nachfrage je Punkt zu sehen "
        "(höchstens {most_visible})",
        "conditioning": "die Bereinigung ist schlecht bestimmt ({conditioning}, nötig {min_conditioning})",
        "rate": "die Rücklaufquote bricht in der Woche vom {week}, von {before} auf {after}: vorher und nachher "
        "antworten andere Besucher",
        "versions": "zwei Fassungen des Fragebogens: {parts}",
        "begins": "{item} beginnt in der Woche vom {week}",
        "ends": "{item} endet in der Woche vom {week}",
        "cure_break": "Das Fenster nach dem Bruch beginnen lassen (Parameter `since`), oder beide Fassungen ein "
        "Quartal nebeneinander "
        "messen und überbrücken.",
        "cure_units": "Mindestens {units} Einheiten messen (Sortiment x Gerät, oder Kontaktpunkte), besser 24.",
        "cure_periods": "Weiter messen: ein Jahr an Wochen ist das Mindeste, zwei sind üblich.",
        "cure_answers": "Etwa {factor}-mal so viele Antworten je Woche würden helfen, oder weniger, größere Einheiten.",
        "cure_more": "Mehr Einheiten oder Wochen würden helfen, oder weniger, größere Einheiten.",
        "could": "Die kleinste Wirkung, die diese Daten hätten zeigen können, ist etwa {effect} der Nachfrage je "
        "IX-Punkt.",
    },
)
