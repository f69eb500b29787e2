"""What the report says: sentences made of the results, in English and German."""

from datetime import date, timedelta
from math import floor

import pandas as pd

from waage import style
from waage.rfm.migration import Migration
from waage.rfm.prediction import Prediction
from waage.rfm.return_curve import ReturnCurve
from waage.rfm.scores import Scores
from waage.rfm.segments import Segmentation

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


def first_finding(segments: pd.DataFrame, own: Segmentation, currency: str, language: str = "en") -> str:
    """Return the sentence for the board: who brings the revenue, and what is about to be lost.

    Parameters
    ----------
    segments : DataFrame
        As `segment_table` returns, small groups masked.
    own : Segmentation
    currency, language : str
    """
    german, grid, months = language == "de", own.grid, own.customers.window_months
    top = top_segment(segments)
    if top is None:
        return (
            "Kein Segment ist groß genug, um es zu zeigen, oder der Umsatz ist nicht positiv."
            if german
            else "No segment is large enough to be named, or net revenue is not positive."
        )
    label, share, revenue = (
        grid.label(top.segment, language),
        style.percent(top.share, language),
        style.percent(top.revenue_share, language),
    )
    span = (f" der letzten {months} Monate" if german else f" in the last {months} months") if months else ""
    first = (
        f"**{label}: {share} der Kunden, {revenue} des Umsatzes nach Retouren{span}.**"
        if german
        else f"**{label} are {share} of the customers and bring {revenue} of net revenue{span}.**"
    )
    quiet = segments[segments.segment.isin(_ENDANGERED)]
    if quiet.empty or quiet.customers.isna().any() or not quiet.customers.sum():
        return first
    names = (" und " if german else " and ").join(grid.label(segment, language) for segment in quiet.segment)
    people, money = style.number(quiet.customers.sum(), language), style.money(quiet.revenue.sum(), currency, language)
    latest = max(high for segment in quiet.segment for (_, high), _ in grid.rectangles(segment))
    days = style.number(floor(own.scores.r.breaks[grid.scores - latest - 1]), language)
    if german:
        return (
            f"{first} {people} Kunden ({names}) kauften oft, zuletzt aber vor mehr als {days} Tagen; sie stehen für "
            f"{money}."
        )
    return f"{first} {people} customers ({names}) bought often, last more than {days} days ago; they stand for {money}."


def top_segment(segments: pd.DataFrame) -> pd.Series | None:
    """Return the row of the segment with the most net revenue, or None where it is hidden or nobody has any."""
    shown = segments[segments.customers.gt(0) & segments.revenue_share.gt(0)]
    if shown.empty:
        return None
    top = shown.loc[shown.revenue_share.idxmax()]
    hidden = 1 - segments.revenue_share.sum() if segments.customers.isna().any() else 0
    return top if top.revenue_share > hidden else None


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
    moves: Migration, days: tuple[date, date], gone_days: int, currency: str, language: str = "en"
) -> str:
    """Return which move between two days went with the largest loss of net revenue; small groups must be masked."""
    german = language == "de"
    since, until = (style.day(day, language) for day in days)
    cells = moves.table[(moves.table.from_segment != moves.table.to_segment) & moves.table.customers.gt(0)]
    cells = cells[cells.from_segment.isin(moves.segments) & (cells.revenue_change < 0)]
    span = f"Vom {since} bis zum {until}" if german else f"From {since} to {until}"
    if gone_days:
        gone = f" Nicht mehr da: seit über {gone_days} Tagen keine Bestellung." if german else ""
        gone = gone or f" Gone: no order for more than {gone_days} days."
    else:
        gone = ""
    if cells.empty:
        shown = "ging kein gezeigter Wechsel mit weniger Umsatz einher" if german else "no shown move lost net revenue"
        return f"{span} {shown}.{gone}"
    worst = cells.loc[cells.revenue_change.idxmin()]
    source, target = (moves.name(name, language) for name in (worst.from_segment, worst.to_segment))
    people, money = style.number(worst.customers, language), style.money(-worst.revenue_change, currency, language)
    if german:
        move = f"kostete der Wechsel „{source}“ zu „{target}“ am meisten: {people} Kunden, {money} weniger"
        return f"**{span} {move}.**{gone}"
    return (
        f"**{span}, the costliest move was {source} to {target}: {people} customers, {money} less net revenue.**{gone}"
    )


def prediction_finding(prediction: Prediction, as_of: date, days: int, language: str = "en") -> str:
    """Return the verdict on the segments, on which days it rests, and whether a finer split does better."""
    german, verdict = language == "de", prediction.verdict(language)[1]
    start, taught = (style.day(as_of - timedelta(days=back * days), language) for back in (1, 2))
    finer = prediction.splits.set_index("split").loc["r_f"]
    better = ""
    if finer.difference_to_segments_low > 0:
        gain = style.number(finer.difference_to_segments, language, 3)
        better = (
            f" Letzter Kauf x Häufigkeit in voller Auflösung kann mehr (AUC +{gain})."
            if german
            else f" Recency x frequency in full does better (AUC +{gain})."
        )
    if german:
        return f"**{verdict}**{better} Segmente vom {start} mit Grenzen vom {taught}, gegen die {days} Tage danach."
    return f"**{verdict}**{better} Segments as of {start}, with bounds of {taught}, against the {days} days after."
