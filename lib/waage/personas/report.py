"""What notebook 03 and the page show around the personas: chapters, tables, stored documents."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from markupsafe import escape

from waage import style
from waage.errors import WaageError
from waage.personas.findings import Rules, power
from waage.personas.members import catalogue_of
from waage.personas.poster import evidence_row, finding_label, pdf, poster
from waage.personas.sheet import colours
from waage.privacy import mask_small

_MOST = 60  # findings in the table of the report; all of them lie in the table findings
_CHAPTERS = {
    "posters": (
        "A page for each persona",
        "The front to work with, the back to check it: each small number leads to its finding. The same as A4 posters: "
        "*personas_en.html* and *personas_de.html* beside this report; print them from a browser.",
        "Eine Seite je Persona",
        "Vorn zum Arbeiten, hinten zum Prüfen: Jede kleine Zahl führt zu ihrem Befund. Dasselbe als A4-Poster: "
        "*personas_en.html* und *personas_de.html* neben diesem Bericht; im Browser drucken.",
    ),
    "values": (
        "What they are worth",
        "Mean per customer, from the notebook on lifetime value. Customers count in each type by probability, which "
        "pulls types towards each other.",
        "Was sie wert sind",
        "Mittel je Kund:in, aus dem Notebook zum Kundenwert. Kund:innen zählen in jedem Typ nach Wahrscheinlichkeit; "
        "das rückt die Typen aneinander.",
    ),
    "evidence": (
        "The findings that may be said",
        "Type against all customers, the surest first. Interval: of the index, for means of the value. What took no "
        "part in finding the types is cleared of label errors; the table *findings* names the test of each.",
        "Die Befunde, die gesagt werden dürfen",
        "Typ gegen alle Kund:innen, die sichersten zuerst. Intervall: des Index, bei Mittelwerten des Werts. Was an "
        "der Suche nach Typen nicht teilnahm, ist um Zuordnungsfehler bereinigt; die Tabelle *findings* "
        "nennt jeden Test.",
    ),
    "power": ("What this sample can show", "", "Was diese Stichprobe zeigen kann", ""),
    "truth": ("Against the known truth", "", "Gegen die bekannte Wahrheit", ""),
}
_TEXTS = {
    "undecided": (
        "**Not for sharing:** quotes on these posters include {n} that nobody has approved (*quotes = all*).",
        "**Nicht weitergeben:** Unter den Zitaten auf diesen Postern sind {n}, die niemand freigegeben hat "
        "(*quotes = all*).",
    ),
    "told": ("{said} of {tested} differences are said.", "{said} von {tested} Unterschieden werden gesagt."),
    "power": (
        "{said} of {tested} differences are said. A difference a little beyond the rules (index {over} or {under}) "
        "would be found with a probability of {power} on average; smaller ones mostly stay unsaid, which does not "
        "mean that they "
        "are not there.",
        "{said} von {tested} Unterschieden werden gesagt. Ein Unterschied etwas über den Regeln (Index "
        "{over} "
        "oder {under}) würde im Mittel mit einer Wahrscheinlichkeit von {power} gefunden; kleinere bleiben meist "
        "ungesagt, "
        "was nicht heißt, dass es sie nicht gibt.",
    ),
}
_HEADS = {
    "persona": ("Persona", "Persona"),
    "finding": ("Finding", "Befund"),
    "value": ("In the type", "In dem Typ"),
    "base": ("All customers", "Alle Kund:innen"),
    "index": ("Index", "Index"),
    "interval": ("95% interval", "95-%-Intervall"),
    "n": ("n", "n"),
    "q": ("q", "q"),
    "id": ("Id", "Id"),
}


def chapter(key: str, language: str = "en"):
    """Return a chapter's heading and what to know before reading it, for display."""
    title, text = _CHAPTERS[key][2:] if language == "de" else _CHAPTERS[key][:2]
    return style.say(f"## {title}\n\n{text}".rstrip())


def undecided(shown: pd.DataFrame, approved: pd.DataFrame, language: str = "en"):
    """Return, for display, how many of the quotes that are shown nobody has approved; empty text where none."""
    n = len(shown) - len(approved)
    return style.say(_TEXTS["undecided"][language == "de"].format(n=style.number(n, language)) if n else "")


def posters(
    personas: Sequence[Mapping[str, Any]],
    findings: pd.DataFrame,
    known: pd.DataFrame,
    quotes: pd.DataFrame,
    currency: str = "EUR",
) -> str:
    """Return the posters of all personas, front and back, as HTML.

    Parameters
    ----------
    personas : sequence of mapping
        As `Persona.to_dict` returns, in one language.
    findings, known
        Of all types.
    quotes : DataFrame
        type and text of those that may be shown.
    currency : str
    """
    parts = []
    for place, (one, colour) in enumerate(zip(personas, colours(personas), strict=True), start=1):
        own = findings[findings["type"] == one["type"]]
        said = list(quotes["text"][quotes["type"] == one["type"]])
        last = place == len(personas)
        parts.append(poster(one, own, known, quotes=said, currency=currency, colour=colour, last=last))
    return "".join(parts)


def stored(made: Mapping[str, Sequence[Mapping[str, Any]]], approved: pd.DataFrame) -> pd.DataFrame:
    """Return the table `personas`: type, language, place, label, share, revenue_share, document and approved quotes
    (both JSON)."""
    rows = []
    for language, documents in made.items():
        for place, one in enumerate(documents):
            said = list(approved["text"][approved["type"] == one["type"]])
            size = {name: one["size"].get(name) for name in ("share", "revenue_share")}
            texts = {"document": json.dumps(one, ensure_ascii=False), "quotes": json.dumps(said, ensure_ascii=False)}
            rows.append(
                {"type": one["type"], "language": language, "place": place, "label": one["label"], **size, **texts}
            )
    return pd.DataFrame(rows).astype({"share": float, "revenue_share": float})


def read_stored(table: pd.DataFrame, language: str) -> tuple[list[dict], pd.DataFrame]:
    """Return the documents of a language in their order, and the approved quotes as type and text."""
    rows = table[table["language"] == language].sort_values("place")
    said = [(row.type, text) for row in rows.itertuples() for text in json.loads(row.quotes)]
    return [json.loads(text) for text in rows["document"]], pd.DataFrame(said, columns=["type", "text"])


def values_by_type(
    clv: ir.Table, members: ir.Table, documents: Sequence[Mapping[str, Any]], currency: str, min_cell: int
) -> pd.DataFrame:
    """Return what a customer of each persona is worth, as a table to read; the later notebook's figures, joined.

    Parameters
    ----------
    clv : ibis table
        person_id, value_12m, clv.
    members : ibis table
        person_id and either segment, or p_1..p_K and type (as `types` holds them): customers count in each type by
        probability. That pulls types towards each other, for want of knowing who is of which.
    documents : sequence of mapping
        As `Persona.to_dict` returns, in one language, in the order of p_1..p_K or with segments as types.
    currency : str
    min_cell : int
        Personas of fewer customers are hidden.
    """
    language = documents[0]["language"]
    both = clv.inner_join(members, "person_id")
    rows = []
    for place, one in enumerate(documents, start=1):
        share = both[f"p_{place}"] if f"p_{place}" in members.columns else (both.segment == one["type"]).cast("float64")
        sums = both.agg(n=share.sum(), year=(share * both.value_12m).sum(), whole=(share * both.clv).sum()).to_pyarrow()
        row = {name: float(value or 0) for name, value in sums.to_pylist()[0].items()}
        n = row["n"] or float("nan")
        rows.append({"persona": one["label"], "customers": n, "value_12m": row["year"] / n, "clv": row["whole"] / n})
    table = mask_small(pd.DataFrame(rows), "customers", "value_12m", "clv", min_cell=min_cell)
    return style.table(table, language, currency, customers="count", value_12m="money", clv="money")


def print_if_possible(html: str) -> bytes:
    """Return a page as PDF, or nothing where no browser can print it; a report must not fail for that."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            pdf(html, Path(folder) / "posters.pdf")
        except WaageError:
            return b""
        return (Path(folder) / "posters.pdf").read_bytes()


def folded(one: str, other: str, content: str) -> str:
    """Return a comparison that opens on a click, as HTML; the labels are escaped."""
    return f"<details><summary>{escape(one)} – {escape(other)}</summary>{content}</details>"


def evidence_table(
    findings: pd.DataFrame, personas: Sequence[Mapping[str, Any]], currency: str = "EUR"
) -> pd.DataFrame:
    """Return the findings that may be said, the surest first, as a table to read, each value in its own unit.

    Parameters
    ----------
    findings : DataFrame
        As `Members.findings` returns.
    personas : sequence of mapping
        As `Persona.to_dict` returns, in one language: that of the table.
    currency : str
    """
    language, labels = personas[0]["language"], {one["type"]: one["label"] for one in personas}
    told = findings[findings["strength"] != "silent"]
    told = told.sort_values("statistic", key=lambda z: -z.abs(), kind="stable").head(_MOST)
    known = catalogue_of(findings)
    rows = [
        evidence_row(row, known, currency, language)
        | {"persona": labels[row["type"]], "finding": finding_label(row, known, language)}
        for row in told.to_dict("records")
    ]
    table = pd.DataFrame(rows, columns=list(_HEADS))
    return table.set_axis([pair[language == "de"] for pair in _HEADS.values()], axis=1)


def power_finding(findings: pd.DataFrame, rules: Rules, language: str = "en") -> str:
    """Return how many differences are said, and how surely one at the limit of the rules would be found."""
    shares = findings[(findings["kind"] != "numeric") & findings["n"].notna() & (findings["base_value"] > 0)]
    chances = []
    for limit in (rules.over, rules.under) if len(shares) else ():
        # The index limit itself halves what is found exactly there; a tenth beyond it shows what the sample can do.
        beyond = shares["base_value"] * (limit / 100 + np.sign(limit - 100) * 0.1)
        able = shares[beyond.between(0, 1)]
        true = pd.Series(beyond[able.index].to_numpy(), able["id"].to_numpy())
        chances.append(power(able, true, rules))
    tested = findings["n"].notna()
    numbers = {
        "said": style.number((findings["strength"] != "silent").sum(), language),
        "tested": style.number(tested.sum(), language),
    }
    if not chances:
        return _TEXTS["told"][language == "de"].format(**numbers)
    mean = float(pd.concat(chances).mean())
    return _TEXTS["power"][language == "de"].format(
        **numbers,
        over=style.number(rules.over + 10, language),
        under=style.number(rules.under - 10, language),
        power=style.percent(mean, language),
    )
