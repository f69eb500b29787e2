"""Chapters of the report and tables as readers see them, in English and German."""

import math

import ibis.expr.types as ir
import pandas as pd

from waage import style
from waage.privacy import mask_small
from waage.rfm.grids import Grid
from waage.rfm.migration import Migration
from waage.rfm.scores import Scores

_CHAPTERS = {
    "numbers": (
        "The segments in numbers",
        "Every customer is in exactly one segment. Those whose last order lies before the window pile up with the "
        "years and are not compared with the year before. Revenue per customer with its 95% interval (from 30 "
        "customers on), days since the last order as median, orders as mean, all of them in the window. Groups "
        "smaller than the study allows are hidden, and with them those that would give them away.",
        "Die Segmente in Zahlen",
        "Jeder Kunde ist in genau einem Segment. Wer zuletzt vor dem Fenster gekauft hat, sammelt sich über die Jahre "
        "an und wird nicht mit dem Vorjahr verglichen. Umsatz je Kunde mit 95-%-Intervall (ab 30 Kunden), Tage seit "
        "der letzten Bestellung als Median, Bestellungen als Mittel, alles im Fenster. Zu kleine Gruppen sind "
        "verdeckt, und mit ihnen die, die sie verraten würden.",
    ),
    "definitions": (
        "What each segment is, and what to do",
        "The same as a document for campaigns, with population, version and size: *segments.yaml* beside this report.",
        "Was jedes Segment ist, und was zu tun ist",
        "Dasselbe als Dokument für Kampagnen, mit Grundgesamtheit, Version und Größe: *segments.yaml* neben diesem "
        "Bericht.",
    ),
    "stages": (
        "Where customers stand in their life with us",
        "Every person is in exactly one stage of those in the first picture, by orders that count and by time since "
        "the last. These are other groups than the segments of the same name, and narrower than the active customers "
        "of the customer base (an order in 12 months). The limits are parameters; how fast repeat buyers come back "
        "says where they belong.",
        "Wo die Kunden in ihrem Leben mit uns stehen",
        "Jede Person ist in genau einer Phase des ersten Bildes, nach zählenden Bestellungen und der Zeit seit der "
        "letzten. Das sind andere Gruppen als die Segmente gleichen Namens, und enger als die aktiven Kunden der "
        "Kundenbasis (eine Bestellung in 12 Monaten). Die Grenzen sind Parameter; wie schnell Wiederkäufer "
        "zurückkommen, sagt, wo sie hingehören.",
    ),
    "migration": (
        "Where customers moved",
        "The same thresholds at both dates, so that who moved did something, or left something undone. Net revenue is "
        "that of the time between the dates, and of as long a time before.",
        "Wohin sich die Kunden bewegten",
        "Gleiche Grenzen an beiden Tagen: Wer wechselte, hat etwas getan oder gelassen. Umsatz ist der zwischen den "
        "Tagen, und der einer ebenso langen Zeit davor.",
    ),
    "prediction": (
        "Do the segments predict anything?",
        "Segments of an earlier day, with thresholds from before it, against what the same customers did afterwards; "
        "beside them cheaper ways to split customers.",
        "Sagen die Segmente etwas voraus?",
        "Segmente eines früheren Tages, mit Grenzen aus der Zeit davor, gegen das, was dieselben Kunden danach taten; "
        "daneben einfachere Einteilungen.",
    ),
    "method": (
        "How scores are made, and whether they still fit",
        "A score depends on the value alone: equal values always share a score, whatever the order of the rows. Bounds "
        "are upper bounds and belong to the lower bin; for recency few days score high. *Tied* is the share of "
        "customers at the single most frequent value: where it is large, quintiles cannot be equal in size. PSI below "
        "0.1 is stable, above 0.25 another base.",
        "Wie die Punkte entstehen, und ob sie noch passen",
        "Punkte hängen nur vom Wert ab: Gleiche Werte haben gleiche Punkte, in welcher Reihenfolge die Zeilen auch "
        "stehen. Grenzen sind obere Grenzen und gehören zur unteren Klasse; beim letzten Kauf geben wenige Tage viele "
        "Punkte. *Gleichauf* ist der Anteil der Kunden mit dem häufigsten Wert: Ist er groß, können Fünftel nicht "
        "gleich groß sein. PSI unter 0,1 ist stabil, über 0,25 eine andere Kundschaft.",
    ),
    "orders": ("Which orders count", "", "Welche Bestellungen zählen", ""),
    "truth": (
        "Against the known truth",
        "Mean orders of the real person in the 52 weeks after the end, by segment.",
        "Gegen die bekannte Wahrheit",
        "Mittlere Bestellungen der wirklichen Person in den 52 Wochen nach dem Ende, je Segment.",
    ),
}


def chapter(key: str, language: str = "en"):
    """Return a chapter's heading and what to know before reading it, for display."""
    title, text = _CHAPTERS[key][2:] if language == "de" else _CHAPTERS[key][:2]
    return style.say(f"## {title}\n\n{text}".rstrip())


def segment_numbers(segments: pd.DataFrame, grid: Grid, currency: str, language: str = "en") -> pd.DataFrame:
    """Return the masked segments as a table to read; intervals of revenue from 30 customers on."""
    table = segments.drop(columns=["share_low", "share_high", "customers_change", "revenue_change"])
    few = ~(table["customers"] >= 30)
    table.loc[few, ["revenue_per_customer_low", "revenue_per_customer_high"]] = math.nan
    table["segment"] = [grid.label(segment, language) for segment in table["segment"]]
    kinds = {"customers": "count", "revenue": "money", "revenue_per_customer": "money"}
    return style.table(table, language, currency, **kinds, share="share", revenue_share="share")


def definition_table(definitions: pd.DataFrame, language: str = "en") -> pd.DataFrame:
    """Return what `definitions` says in one language, as a table to read."""
    ending = "_de" if language == "de" else ""
    shown = [f"{name}{ending}" for name in ("label", "rule", "meaning", "action")]
    sizes = ["customers", "share", "share_low", "share_high"]
    return style.table(definitions[[*shown, *sizes, "owner"]], language, share="share", customers="count")


def migration_table(moves: Migration, currency: str, language: str = "en") -> pd.DataFrame:
    """Return the summary of a masked migration as a table to read."""
    table = moves.summary.drop(columns=["revenue_before", "revenue_after", "customers_change"])
    table["segment"] = [moves.name(segment, language) for segment in table["segment"]]
    kinds = dict.fromkeys(["stayed", "moved_up", "moved_down", "gone"], "share")
    kinds |= {"customers_before": "count", "customers_after": "count", "revenue_change": "money"}
    return style.table(table, language, currency, **kinds)


def bounds_table(scores: Scores, drift: pd.DataFrame, min_cell: int, language: str = "en") -> pd.DataFrame:
    """Return the bounds of every score, the share tied (if `min_cell` customers are) and PSI, as a table to read."""
    table = scores.summary[["measure", "score", "lower", "upper", "breaks", "tied_share"]]
    table = table.merge(drift[["measure", "score", "psi"]])
    table["tied_share"] = table["tied_share"].where(table["tied_share"] * scores.customers >= min_cell)
    table = table.replace({"lower": -math.inf, "upper": math.inf}, math.nan)
    return style.table(table, language, tied_share="share", measure="label", breaks="label")


def orders_ahead(
    rfm: ir.Table, identity_map: ir.Table, identities: ir.Table, future: ir.Table, grid: Grid, min_cell: int,
    language: str = "en",
) -> pd.DataFrame:  # fmt: skip
    """Return, for a simulated study, what customers of a segment really ordered after the day, as a table to read.

    Parameters
    ----------
    rfm : ibis table
        person_id, segment.
    identity_map, identities : ibis tables
        source, source_id, person_id: as found, and the truth.
    future : ibis table
        True person_id, known_orders in the 52 weeks after the end.
    grid : Grid
    min_cell : int
    language : str
    """
    real = identities.select("source", "source_id", true_id="person_id")
    pairs = identity_map.select("source", "source_id", "person_id").inner_join(real, ["source", "source_id"])
    pairs = pairs.select("person_id", "true_id").distinct()
    ahead = future.select("known_orders", true_id="person_id")
    known = rfm.filter(rfm.segment.notnull()).inner_join(pairs, "person_id").left_join(ahead, "true_id")
    people, orders = known.person_id.nunique(), known.known_orders.fill_null(0)
    found = known.group_by("segment").agg(customers=people, orders_ahead=orders.mean()).execute()
    found = mask_small(found, "customers", "orders_ahead", min_cell=min_cell).set_index("segment")
    found = found.loc[[segment for segment in grid.segments if segment in found.index]].reset_index()
    found["segment"] = [grid.label(segment, language) for segment in found["segment"]]
    return style.table(found, language, customers="count")
