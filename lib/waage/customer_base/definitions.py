"""The words of the customer base: every measure's name and definition, once, in English and German.

Tables, charts, captions and the appendix of the notebook take their words from here.
"""

from collections.abc import Iterable
from typing import NamedTuple

from waage.errors import WaageError, did_you_mean


class Measure(NamedTuple):
    """A measure: its name and definition in both languages, and what its values are (count, money, share, number)."""

    en: str
    de: str
    definition_en: str
    definition_de: str
    kind: str = "count"


DEFINITIONS: dict[str, Measure] = {
    "active": Measure(
        "Active customers",
        "Aktive Kunden",
        "Known persons with an order in the 12 calendar months up to the day. Cancelled orders do not count; orders "
        "whose goods came back do: ordering is activity.",
        "Bekannte Personen mit einer Bestellung in den 12 Kalendermonaten bis zum Tag. Stornierte Bestellungen zählen "
        "nicht, vollständig zurückgesandte schon: Wer bestellt, ist aktiv.",
    ),
    "new": Measure(
        "New customers",
        "Neukunden",
        "Customers on the day of their first order in the data. A return after a pause that reaches back beyond the "
        "data looks like a first order.",
        "Kunden am Tag ihrer ersten Bestellung in den Daten. Eine Rückkehr nach einer Pause, die über die Daten "
        "zurückreicht, sieht wie eine erste Bestellung aus.",
    ),
    "reactivated": Measure(
        "Reactivated",
        "Reaktivierte",
        "Customers who order again 12 months or more after their last order; compared with the previous year once the "
        "data reach back two years before it.",
        "Kunden, die 12 Monate oder länger nach ihrer letzten Bestellung wieder bestellen; mit dem Vorjahr verglichen, "
        "sobald die Daten zwei Jahre davor zurückreichen.",
    ),
    "lapsed": Measure(
        "Lapsed",
        "Abgewanderte",
        "Customers on the day on which their last order lies 12 months back. Active today = active yesterday + new "
        "+ reactivated − lapsed.",
        "Kunden an dem Tag, an dem ihre letzte Bestellung 12 Monate zurückliegt. Aktiv heute = aktiv gestern + neu "
        "+ reaktiviert − abgewandert.",
    ),
    "ordering": Measure(
        "Ordering customers",
        "Bestellende Kunden",
        "Customers with an order in the period that was not cancelled.",
        "Kunden mit einer nicht stornierten Bestellung im Zeitraum.",
    ),
    "orders": Measure(
        "Orders",
        "Bestellungen",
        "Orders that known persons placed in the period, cancelled ones included, as in demand.",
        "Bestellungen bekannter Personen im Zeitraum, stornierte eingeschlossen wie in der Nachfrage.",
    ),
    "demand": Measure(
        "Demand",
        "Nachfrage",
        "Value of these orders after discounts, before cancellations and returns.",
        "Wert dieser Bestellungen nach Rabatten, vor Stornos und Retouren.",
        "money",
    ),
    "net_revenue": Measure(
        "Net revenue",
        "Umsatz nach Retouren",
        "Demand minus cancellations and what has come back so far, booked to the day of the order: the newest weeks "
        "still shrink.",
        "Nachfrage abzüglich Stornos und bisheriger Retouren, gebucht auf den Tag der Bestellung: Die jüngsten Wochen "
        "sinken noch.",
        "money",
    ),
    "basket": Measure(
        "Basket",
        "Bestellwert (Warenkorb)",
        "Demand per order.",
        "Nachfrage je Bestellung.",
        "money",
    ),
    "returning_rate": Measure(
        "Returning rate",
        "Wiederkehrrate",
        "Of the customers who ordered in the year before, the share that ordered again in the year.",
        "Anteil der Kunden mit Bestellung im Vorjahr, die im Jahr wieder bestellt haben.",
        "share",
    ),
    "repeat_rate": Measure(
        "Repeat rate",
        "Wiederkaufrate",
        "Of the customers who ordered in the year, the share with two or more orders in it.",
        "Anteil der Kunden mit Bestellung im Jahr, die darin zwei oder mehr Bestellungen haben.",
        "share",
    ),
    "previous_year": Measure(
        "Previous year",
        "Vorjahr",
        "The same calendar month or fiscal year one year before; for a running one the same days of it.",
        "Derselbe Kalendermonat oder dasselbe Geschäftsjahr ein Jahr zuvor; bei laufenden dieselben Tage.",
    ),
    "gender": Measure(
        "Gender",
        "Geschlecht",
        "As the customers state it; unknown where nothing is said.",
        "Nach Angabe der Kunden; unbekannt, wo nichts angegeben ist.",
    ),
    "generation": Measure(
        "Generation",
        "Generation",
        "From the year of birth: silent to 1945, boomers 1946-64, X 1965-80, millennials 1981-96, Z 1997-2012, then "
        "younger (Pew Research Center 2019).",
        "Nach dem Geburtsjahr: stille bis 1945, Boomer 1946-64, X 1965-80, Millennials 1981-96, Z 1997-2012, danach "
        "jünger (Pew Research Center 2019).",
    ),
    "region": Measure(
        "Region",
        "Region",
        "Country and first character of the postcode (in Germany the Leitzone).",
        "Land und erstes Zeichen der Postleitzahl (in Deutschland die Leitzone).",
    ),
    "objectors": Measure(
        "Objection to profiling",
        "Widerspruch gegen Profilbildung",
        "Who objects counts in all totals here (months, years, channels, cohorts, new customers, Lorenz curve), which "
        "profile nobody, and is left out of the portrait.",
        "Wer widerspricht, zählt hier in allen Summen mit (Monate, Jahre, Kanäle, Kohorten, Neukunden, Lorenzkurve), "
        "die niemanden beschreiben, und fehlt im Porträt.",
    ),
    "completeness": Measure(
        "Completeness",
        "Vollständigkeit",
        "Share of active customers whose attribute is known.",
        "Anteil der aktiven Kunden, deren Merkmal bekannt ist.",
        "share",
    ),
    "permissions": Measure(
        "Permissions",
        "Einwilligungen",
        "What customers last said to advertising on a channel: granted (opt-in), withdrawn, objected, or nothing.",
        "Was Kunden zuletzt zu Werbung auf einem Kanal gesagt haben: erteilt (Opt-in), widerrufen, widersprochen oder "
        "nichts.",
    ),
    "cohort": Measure(
        "Acquisition cohort",
        "Kohorte der Neukunden",
        "Customers by the period of their first order; retention is the share of them that orders in a later period, "
        "shown once that period is over.",
        "Kunden nach dem Zeitraum ihrer ersten Bestellung; Bindung ist ihr Anteil, der in einem späteren Zeitraum "
        "bestellt, gezeigt, sobald dieser vorüber ist.",
    ),
    "first_basket": Measure(
        "First basket",
        "Erster Warenkorb",
        "Value of the first order that was not cancelled, before returns.",
        "Wert der ersten nicht stornierten Bestellung, vor Retouren.",
        "money",
    ),
    "second_order": Measure(
        "Second order",
        "Zweite Bestellung",
        "Share of new customers with another order within so many days (the same day counts), shown once every "
        "customer of the month has been observed that long.",
        "Anteil der Neukunden mit einer weiteren Bestellung binnen so vieler Tage (derselbe Tag zählt), gezeigt, "
        "sobald alle Kunden des Monats so lange beobachtet sind.",
        "share",
    ),
    "first_channel": Measure(
        "First channel",
        "Erster Kanal",
        "Channel of the first order.",
        "Kanal der ersten Bestellung.",
    ),
    "first_category": Measure(
        "First assortment",
        "Erstes Sortiment",
        "The category with the largest value in the first order.",
        "Das Sortiment mit dem größten Wert in der ersten Bestellung.",
    ),
    "gini": Measure(
        "Gini coefficient",
        "Gini-Koeffizient",
        "How unequal the 12-month net revenue of active customers is: 0 all alike, 1 all with one customer. Negative "
        "net revenue counts as 0.",
        "Wie ungleich sich der Umsatz nach Retouren aus 12 Monaten auf aktive Kunden verteilt: 0 alle gleich, 1 alles "
        "bei einem. Negativer Umsatz zählt als 0.",
        "number",
    ),
    "top_share": Measure(
        "Share of the top customers",
        "Anteil der besten Kunden",
        "Share of this revenue with the 1, 5, 10 and 20 % of customers who bring most.",
        "Anteil dieses Umsatzes bei den 1, 5, 10 und 20 % der Kunden, die am meisten bringen.",
        "share",
    ),
}

CHAPTERS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "months": (
        "Month by month against the previous year",
        "Monat für Monat gegen das Vorjahr",
        ("previous_year", "new", "reactivated", "lapsed"),
    ),
    "years": ("By fiscal year", "Nach Geschäftsjahr", ("ordering", "orders", "demand", "net_revenue")),
    "loyalty": ("Who comes back", "Wer wiederkommt", ("returning_rate", "repeat_rate")),
    "channels": ("Channels side by side", "Kanäle nebeneinander", ("basket",)),
    "newcomers": ("New customers", "Neukunden", ("first_basket", "second_order", "first_channel", "first_category")),
    "cohorts": ("How long they stay", "Wie lange sie bleiben", ("cohort",)),
    "concentration": ("Who carries the revenue", "Wer den Umsatz trägt", ("gini", "top_share")),
    "portrait": (
        "Who the active customers are",
        "Wer die aktiven Kunden sind",
        ("gender", "generation", "region", "objectors"),
    ),
    "permissions": ("Whom we may write to", "Wen wir anschreiben dürfen", ("permissions",)),
    "appendix": ("All definitions", "Alle Definitionen", ()),
}


def word(key: str, language: str = "en") -> str:
    """Return the name of a measure; WaageError for an unknown one."""
    if key not in DEFINITIONS:
        raise WaageError(f"no measure {key!r} is defined{did_you_mean(key, DEFINITIONS)}")
    return DEFINITIONS[key][language == "de"]


def definition(key: str, language: str = "en") -> str:
    """Return what a measure means, as sentences; WaageError for an unknown one."""
    word(key, language)
    return DEFINITIONS[key][2 + (language == "de")]


def chapter(key: str, language: str = "en", without: Iterable[str] = ()) -> str:
    """Return a chapter's heading and, below it, the definitions of what it shows, as Markdown."""
    en, de, keys = CHAPTERS[key]
    caption = " ".join(defined(name, language) for name in keys if name not in without)
    return f"## {de if language == 'de' else en}\n\n{caption}".rstrip()


def appendix(language: str = "en") -> str:
    """Return the heading and the definitions of all measures as a Markdown list."""
    return "\n".join([chapter("appendix", language) + "\n", *(f"- {defined(key, language)}" for key in DEFINITIONS)])


def defined(key: str, language: str = "en") -> str:
    """Return a measure's name in italics and its definition, as Markdown."""
    return f"*{word(key, language)}*: {definition(key, language)}"
