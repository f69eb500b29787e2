"""What the report says: sentences made of the results, in English and German."""

from datetime import date

import pandas as pd

from waage import style
from waage.rfm.grids import Grid
from waage.rfm.migration import Migration
from waage.rfm.return_curve import ReturnCurve
from waage.rfm.scores import Scores

_ENDANGERED = ("cant_lose", "at_risk")
_REASONS = {
    "anonymous": ("by nobody known", "von niemand Bekanntem"),
    "objected": ("by persons who object to profiling", "von Personen mit Widerspruch gegen Profilbildung"),
    "cancelled": ("cancelled", "storniert"),
    "returned": ("returned in full", "vollständig zurückgesandt"),
    "before_window": (
        "before the window (they count for recency)",
        "vor dem Fenster (sie zählen für den letzten Kauf)",
    ),
    "later": ("after the day", "nach dem Stichtag"),
}


def first_finding(segments: pd.DataFrame, grid: Grid, currency: str, language: str = "en") -> str:
    """Return the sentence for the board: who brings the revenue, and what is about to be lost.

    Parameters
    ----------
    segments : DataFrame
        As `segment_table` returns, small groups masked.
    grid : Grid
    currency, language : str
    """
    german = language == "de"
    if segments.revenue_share.isna().all():
        return (
            "Der Umsatz ist nicht positiv."
            if german
            else "Net revenue is not positive, so no segment has a share of it."
        )
    top = segments.loc[segments.revenue_share.idxmax()]
    label, share, revenue = (
        grid.label(top.segment, language),
        style.percent(top.share, language),
        style.percent(top.revenue_share, language),
    )
    first = (
        f"**{label}: {share} der Kunden, {revenue} des Umsatzes nach Retouren.**"
        if german
        else f"**{label} are {share} of the customers and bring {revenue} of net revenue.**"
    )
    quiet = segments[segments.segment.isin(_ENDANGERED)]
    if quiet.customers.isna().any() or not quiet.customers.sum():
        return first
    names = (" und " if german else " and ").join(grid.label(segment, language) for segment in quiet.segment)
    people, money = style.number(quiet.customers.sum(), language), style.money(quiet.revenue.sum(), currency, language)
    if german:
        return f"{first} {people} Kunden ({names}) kauften oft und lange nicht mehr; sie stehen für {money}."
    return f"{first} {people} customers ({names}) used to buy often and have not for long; they stand for {money}."


def limits_finding(curve: ReturnCurve, active_days: int, lapsed_days: int, language: str = "en") -> str:
    """Return what the return times of repeat buyers say about the limits of the stages."""
    shares = curve.table.set_index("days").share
    used = [style.percent(shares[min(days, curve.horizon)], language) for days in (active_days, lapsed_days)]
    days = [style.number(curve.days(level), language) for level in (0.8, 0.9, 0.95)]
    if language == "de":
        return (
            f"Von den Käufern, die wiederkommen, sind 80 % nach {days[0]} Tagen wieder da, 90 % nach {days[1]}, 95 % "
            f"nach {days[2]}. Mit den Grenzen in Gebrauch sind {used[0]} innerhalb von {active_days} Tagen zurück und "
            f"{used[1]} innerhalb von {lapsed_days}."
        )
    return (
        f"Of the buyers who come back, 80% are back by day {days[0]}, 90% by day {days[1]} and 95% by day {days[2]}. "
        f"With the limits in use, {used[0]} are back within {active_days} days and {used[1]} within {lapsed_days}."
    )


def orders_finding(excluded: pd.DataFrame, as_of: date, language: str = "en") -> str:
    """Return how many orders count, and why the others do not; a table of `Customers.excluded`."""
    counts = excluded.set_index("reason").orders
    total, german = counts.sum(), language == "de"
    others = [
        f"{style.number(counts[reason], language)} {texts[german]}"
        for reason, texts in _REASONS.items()
        if counts[reason]
    ]
    day, used = style.day(as_of, language), style.number(counts["counted"], language)
    if german:
        tail = f" Die übrigen: {', '.join(others)}." if others else ""
        return f"{used} von {style.number(total, language)} Bestellungen zählen zum {day}.{tail}"
    tail = f" The others: {', '.join(others)}." if others else ""
    return f"{used} of {style.number(total, language)} orders count as of {day}.{tail}"


def drift_finding(drift: pd.DataFrame, scores: Scores, as_of: date, language: str = "en") -> str:
    """Return whether today's customers still resemble those the thresholds were fixed on."""
    worst = drift.loc[drift.psi.idxmax()]
    name = {"r": ("recency", "letzter Kauf"), "f": ("frequency", "Häufigkeit"), "m": ("monetary", "Umsatz")}
    measure = name[worst.measure][language == "de"]
    index, since = style.number(worst.psi, language, 2), style.day(scores.as_of, language)
    new = scores.as_of == as_of
    if language == "de":
        if new:
            return (
                f"Grenzen Version {scores.version}, am Stichtag ({since}) festgelegt; spätere Läufe messen die Drift."
            )
        verdict = {"stable": "stabil", "shifted": "verschoben", "another_base": "eine andere Kundschaft"}[worst.verdict]
        return (
            f"Grenzen Version {scores.version}, festgelegt am {since} an {style.number(scores.customers, language)} "
            f"Kunden. Größte Abweichung: {measure}, PSI {index} ({verdict})."
        )
    if new:
        return f"Thresholds version {scores.version}, fixed on this day ({since}); later runs measure the drift."
    verdict = {"stable": "stable", "shifted": "shifted", "another_base": "another base: consider refit"}[worst.verdict]
    return (
        f"Thresholds version {scores.version}, fixed on {since} on {style.number(scores.customers, language)} "
        f"customers. Largest drift: {measure}, PSI {index} ({verdict})."
    )


def migration_finding(
    moves: Migration, grid: Grid, days: tuple[date, date], currency: str, language: str = "en"
) -> str:
    """Return which move between two days went with the largest loss of net revenue; small groups must be masked."""
    german = language == "de"
    since, until = (style.day(day, language) for day in days)
    cells = moves.table[(moves.table.from_segment != moves.table.to_segment) & moves.table.customers.gt(0)]
    cells = cells[cells.from_segment.isin(grid.segments) & (cells.revenue_change < 0)]
    span = f"Vom {since} bis zum {until}" if german else f"From {since} to {until}"
    if cells.empty:
        return f"{span} ging kein Wechsel mit weniger Umsatz einher." if german else f"{span} no move lost net revenue."
    worst = cells.loc[cells.revenue_change.idxmin()]
    gone = ("gone", "verloren")[german]
    source, target = (
        gone if name == "gone" else grid.label(name, language) for name in (worst.from_segment, worst.to_segment)
    )
    people, money = style.number(worst.customers, language), style.money(-worst.revenue_change, currency, language)
    if german:
        return f"**{span} kostete der Wechsel von {source} zu {target} am meisten: {people} Kunden, {money} weniger.**"
    return f"**{span}, the costliest move was {source} to {target}: {people} customers, {money} less net revenue.**"
