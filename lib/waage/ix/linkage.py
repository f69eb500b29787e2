"""From a measurement to what a point is worth: panel, link, checks and value in one go, or the reason why not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from waage import style
from waage.errors import Refusal, WaageError, told
from waage.ix.checks import Checks, run_checks
from waage.ix.guards import MIN_UNITS, Admission, LinkRefusal, admit, merge_units
from waage.ix.link import Link
from waage.ix.measurement import Measurement
from waage.ix.panel import Panel, build_panel
from waage.ix.value import Value, value_points, what_if


@dataclass(frozen=True)
class Linkage:
    """What the data say of the link; false in a condition where they cannot carry it.

    Attributes
    ----------
    panel : Panel or None
        The one the link was estimated on, else the one of single weeks.
    admission : Admission or None
    checks : Checks or None
    value : Value or None
        Of the estimate that is to be said.
    reasons : tuple of str
        Why the link is refused, in English and German; empty where it is not.
    tried : DataFrame
        As `Admission.tried`; empty where there was no panel.
    smallest_effect : float
        Log points of demand per point of IX that these data could show four times in five; NaN: not known.
    """

    panel: Panel | None
    admission: Admission | None = None
    checks: Checks | None = None
    value: Value | None = None
    reasons: tuple[str, str] = ("", "")
    tried: pd.DataFrame | None = None
    smallest_effect: float = float("nan")

    def __bool__(self) -> bool:
        return self.value is not None

    @property
    def link(self) -> Link:
        """The estimate that is to be said: the corrected panel, or incidents where they contradict it."""
        return self.value.link

    @property
    def effects(self) -> pd.DataFrame:
        """What `ix_effects` holds: one row a method and outcome, as `Checks.estimates`, with headline, block_weeks."""
        table = self.checks.estimates
        return table.assign(headline=table["method"] == self.checks.headline, block_weeks=self.link.block_weeks)

    @property
    def check_table(self) -> pd.DataFrame:
        """What `ix_checks` holds: check, statistic, p_value, verdict, sentence, sentence_de, place (1: matters
        most).

        The row `link` is the sentence on what a point is worth, or why that is refused; `limits` what it does not say.
        """
        words = [found_sentences(self, language) for language in ("en", "de")]
        empty = {"statistic": np.nan, "p_value": np.nan, "verdict": "note" if self else "failed"}
        said = [{"check": name} | empty for name in ("link", "limits")]
        for row, english, german in zip(said, *words, strict=True):
            row |= {"sentence": english, "sentence_de": german}
        table = pd.DataFrame(said)
        if self:
            table = pd.concat([table, self.checks.ranked], ignore_index=True)
        return table.assign(place=np.arange(-1, len(table) - 1))


def link_experience(
    own: Measurement,
    performance: pd.DataFrame | None,
    *,
    incidents: pd.DataFrame | None = None,
    lags: int = 3,
    blocks: Sequence[int] = (1, 2, 4),
    controls: Sequence[str] = (),
    negative_control: str = "",
    touched: Sequence[str] = ("outage",),
    since: str = "",
    holdout_weeks: int = 26,
    time_zone: str = "Europe/Berlin",
    net_share: float = 1.0,
    margin_rate: float = 1.0,
    diversion: float = 0.0,
    currency: str = "EUR",
    seed: int = 7,
) -> Linkage:
    """Link experience and sales, check the link and value it.

    A sample that is thin even in blocks of weeks is tried again with units merged by category, then by device.

    Parameters
    ----------
    own : Measurement
    performance : DataFrame or None
        As `weekly_performance` returns it; None refuses.
    incidents : DataFrame, optional
        As in the contract.
    lags : int
        Weeks of delay.
    blocks : sequence of int
        Weeks to merge into one period, in the order they are tried.
    controls : sequence of str
        Columns of `performance`; empty takes all others.
    negative_control : str
        A column the experience cannot change; empty: none.
    touched : sequence of str
        Kinds of incidents that keep customers from buying by other ways than the experience; no instruments. While the
        shop is down nobody can buy, whatever he thinks of it: outages are among them unless said otherwise.
    since : str
        First day that is used (year-month-day), where response rate or questionnaire broke before; empty: all.
    holdout_weeks, time_zone, net_share, margin_rate, diversion, currency, seed
        As `run_checks`, `build_panel` and `value_points` take them.

    Returns
    -------
    Linkage

    Raises
    ------
    WaageError
        For faults in the tables, as `build_panel` raises them; what data cannot carry is no fault.
    """
    if performance is None:
        return Linkage(None, reasons=_NO_SALES)
    cells, invited, item_weeks = own.scores.table, own.invitations, own.scores.item_weeks
    if since:
        cells, item_weeks, invited = (
            _from(cells, "week", since),
            _from(item_weeks, "week", since),
            _from(invited, "day", since),
        )
    settings = {"controls": list(controls) or None, "negative_control": negative_control or None}
    try:
        panel = build_panel(cells, performance, incidents=incidents, time_zone=time_zone, **settings)
    except Refusal as refusal:
        return Linkage(None, reasons=(str(refusal), told(refusal.args[0], "de")))
    admission = refusal = None
    for larger in (panel, *_merged(panel, own)):
        try:
            admission = admit(
                larger,
                lags=lags,
                blocks=tuple(blocks),
                invitations=invited,
                item_weeks=item_weeks,
            )
            break
        except LinkRefusal as refused:
            refusal = refusal or refused
            if not refused.thin:
                break
    if admission is None:
        tried, smallest = refusal.tried, refusal.smallest_effect
        reasons = (str(refusal), refusal.german)
        return Linkage(panel, reasons=reasons, tried=tried, smallest_effect=smallest)
    panel = admission.panel
    groups = {name: {unit: of.get(unit, "") for unit in panel.units} for name, of in own.splits.items()}
    merged = set(panel.units) - set(own.units["unit"])
    checks = run_checks(
        panel,
        admission.link,
        groups={} if merged else groups,
        holdout_weeks=holdout_weeks,
        incidents_touch_demand=tuple(touched),
    )
    said = checks.incidents.link if checks.headline == "incident_iv" else admission.link
    value = value_points(
        panel,
        said,
        grade=checks.headline_grade,
        net_share=net_share,
        margin_rate=margin_rate,
        diversion=diversion,
        currency=currency,
        seed=seed,
    )
    return Linkage(panel, admission, checks, value, tried=admission.tried, smallest_effect=admission.smallest_effect)


def _from(table: pd.DataFrame | None, day: str, since: str) -> pd.DataFrame | None:
    """Return the rows from a day on; of weeks, whole ones only."""
    try:
        first = pd.Timestamp(since)
    except ValueError:
        raise WaageError(f"since = {since!r} is no day; write it as 2024-01-31") from None
    return None if table is None else table[pd.to_datetime(table[day]) >= first]


def _merged(panel: Panel, own: Measurement):
    """Yield panels of larger units, the finest first, where enough of them are left."""
    for of in own.splits.values():
        groups = {unit: of.get(unit, unit) for unit in panel.units}
        if MIN_UNITS <= len(set(groups.values())) < len(panel.units):
            yield merge_units(panel, groups)


def found_sentences(found: Linkage, language: str = "en") -> tuple[str, str]:
    """Return what a point is worth, or why that cannot be said; and what the sentence does not say."""
    german = language == "de"
    if not found:
        reason = found.reasons[german]
        return f"{_WORDS['refused'][german]} {reason[:1].upper()}{reason[1:]}", _WORDS["still"][german]
    value, table = found.value, found.checks.table.set_index("check")
    net = what_if(value.table(), 1.0).set_index(["unit", "measure"]).loc["all"]
    texts = [_WORDS["not_said_bare"][german]]
    if net["supported"].all():
        facts = {
            name: style.compact(net.loc[name, "value"], value.currency, language) for name in ("net_revenue", "margin")
        }
        texts = [_WORDS["not_said"][german].format(**facts, rate=style.percent(value.margin_rate, language))]
    if "scope" in table.index:
        texts.append(table.loc["scope", "sentence_de" if german else "sentence"])
    return value.sentence(language), " ".join(texts)


_NO_SALES = (
    "the link is refused: the study has no `performance` (visits, orders and demand by unit and week), and no orders, "
    "events and units to count it from.",
    "die Verknüpfung wird abgelehnt: Die Studie hat keine Tabelle `performance` (Besuche, Bestellungen und Nachfrage "
    "je Einheit und Woche), und keine Bestellungen, Ereignisse und Einheiten, aus denen sie sich zählen ließe.",
)
_WORDS = {
    "refused": (
        "What a point of IX is worth cannot be said from these data.",
        "Was ein IX-Punkt wert ist, lässt sich aus diesen Daten nicht sagen.",
    ),
    "still": (
        "Score, trend and drivers below stand without it; only the step to visits and money is "
        "missing. `waage ix-plan` "
        "says how many units, weeks and answers would carry it.",
        "Wert, Verlauf und Treiber unten gelten auch so; nur der Schritt zu Besuchen und Geld fehlt. `waage ix-plan` "
        "sagt, wie viele Einheiten, Wochen und Antworten ihn tragen würden.",
    ),
    "not_said": (
        "Demand is what was ordered: after returns and cancellations a point is worth "
        "{net_revenue}, as margin (at {rate}) "
        "{margin} a year. The figure is the mean of moves that happened; it does not say what one measure will bring, "
        "nothing of larger moves, and IX is no forecast of next week's demand.",
        "Nachfrage ist, was bestellt wurde: nach Retouren und Stornos ist ein Punkt "
        "{net_revenue} wert, als Marge (mit {rate}) "
        "{margin} im Jahr. Die Zahl ist das Mittel über Bewegungen, die es gab; sie sagt nicht, was eine einzelne "
        "Maßnahme bringt, nichts über größere Bewegungen, und der IX ist keine Prognose der nächsten Woche.",
    ),
    "not_said_bare": (
        "Units rarely or never moved by a whole point, so no amount is given for one.",
        "Einheiten bewegten sich selten oder nie um einen ganzen Punkt, daher steht dafür kein Betrag.",
    ),
}
