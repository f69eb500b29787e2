"""All personas side by side: one sheet, a comparison of two, and the matrix of what divides them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from waage import style
from waage.errors import WaageError
from waage.personas.poster import amount, base_line, emblem, finding_label, render, shares, uid, words_in

_WORDS = {
    "title": ("{} personas on one sheet", "{} Personas auf einem Blatt"),
    "one": ("One persona", "Eine Persona"),
    "customers": ("Customers", "Kund:innen"),
    "revenue": ("Net revenue", "Umsatz nach Retouren"),
    "divides": ("What divides them most: “{what}” – {most} {high}, {least} {low}, all customers {base}.",
                "Was sie am meisten trennt: „{what}“ – {most} {high}, {least} {low}, alle Kund:innen {base}."),
    "nothing": ("No finding divides them with certainty.", "Kein Befund trennt sie gesichert."),
    "matrix": ("What divides them", "Was sie trennt"),
    "note": ("Numbers: index, all customers = 100; for means, standard deviations from all customers. Petrol: more "
             "than all customers; brick: less; pale: not certain; ·: hidden, too few answers.",
             "Zahlen: Index, alle Kund:innen = 100; bei Mittelwerten Standardabweichungen von allen. Petrol: mehr als "
             "alle; Ziegel: weniger; blass: nicht gesichert; ·: verdeckt, zu wenige Antworten."),
    "differs": ("Where they differ most", "Wo sie sich am meisten unterscheiden"),
    "line": ("Line: all customers. SD: standard deviations from all customers.",
             "Strich: alle Kund:innen. SD: Standardabweichungen von allen Kund:innen."),
    "sd": ("{} SD", "{} SD"),
}  # fmt: skip


def sheet(
    personas: Sequence[Mapping[str, Any]], findings: pd.DataFrame, known: pd.DataFrame, currency: str = "EUR"
) -> str:
    """Return the first screen: every persona on one sheet, sized by customers and net revenue.

    Parameters
    ----------
    personas : sequence of mapping
        As `Persona.to_dict` returns, in one language.
    findings : DataFrame
        Of all types, as `waage.personas.findings.findings` returns.
    known : DataFrame, index variable
        As `waage.personas.topics.catalogue` returns.
    currency : str

    Returns
    -------
    str
        One ``<section>``; `waage.personas.poster.css` goes with it.
    """
    language = _one_language(personas)
    words, said = _words(language), set(findings["id"][findings["strength"] != "silent"])
    cards = []
    for persona, colour in zip(personas, colours(personas), strict=True):
        sizes = {part["key"]: part for part in shares(persona, words_in(language))}
        # Where nothing sets a life apart, all personas would open alike.
        telling = [one for one in persona["sentences"] if said & set(one["finding_ids"])] or persona["sentences"]
        first = telling[0]["text"] if telling else persona["silence"]
        apart = persona["separates"]["text"] if persona["separates"] else None
        cards.append(
            {
                **{name: persona[name] for name in ("label", "first_name", "composite")},
                **{"uid": uid(persona), "colour": colour, "first": first, "apart": apart if apart != first else None},
                **{
                    "sizes": list(sizes.values()),
                    "figure": Markup(emblem(persona, known, colour=colour, legend=False)),
                },
            }
        )
    bars = [(words["customers"], _bar(personas, "share")), (words["revenue"], _bar(personas, "revenue_share"))]
    title = words["one"] if len(personas) == 1 else words["title"].format(style.number(len(personas), language))
    return render(
        "sheet.html.j2",
        part="sheet",
        title=title,
        lead=divides(personas, findings, known, currency)["text"],
        base=base_line(personas[0], words_in(language)),
        caution=personas[0]["basis"].get("caution", ""),
        cards=cards,
        bars=[(name, parts) for name, parts in bars if parts],
        language=language,
        w=words_in(language),
    )


def divides(
    personas: Sequence[Mapping], findings: pd.DataFrame, known: pd.DataFrame, currency: str = "EUR"
) -> dict[str, Any]:
    """Return the one sentence that separates the personas most, with the two findings it rests on.

    Among the findings that may be said, the one whose highest and lowest type are furthest apart, in standard
    deviations of all customers; shares before means, because everybody can read them.

    Returns
    -------
    dict
        text, finding_ids (empty where nothing may be said).
    """
    language = _one_language(personas)
    words, labels = _words(language), {persona["type"]: persona["label"] for persona in personas}
    table = findings[findings["type"].isin(labels) & findings["difference"].notna()]
    best = None
    for _, rows in table[table["strength"] == "say"].groupby(["variable", "level"], sort=False):
        ends = rows.loc[rows["difference"].idxmax()], rows.loc[rows["difference"].idxmin()]
        apart = ends[0]["difference"] - ends[1]["difference"]
        place = (rows["kind"].iloc[0] != "numeric", apart)
        if len(rows) > 1 and (best is None or place > best[0]):
            best = (place, *ends)
    if best is None:
        return {"text": words["nothing"], "finding_ids": []}
    _, most, least = best
    high, low, base = (
        amount(value, most, known, language, currency)
        for value in (most["type_value"], least["type_value"], most["base_value"])
    )
    text = words["divides"].format(
        what=finding_label(most, known, language), high=high, low=low, base=base,
        most=labels[most["type"]], least=labels[least["type"]],
    )  # fmt: skip
    return {"text": text, "finding_ids": [most["id"], least["id"]]}


def matrix(personas: Sequence[Mapping], findings: pd.DataFrame, known: pd.DataFrame, most: int = 16) -> str:
    """Return the heat map of what divides the personas: the findings in which they are furthest apart.

    Parameters
    ----------
    personas, findings, known
        See `sheet`.
    most : int
        Rows, each a variable and level in which at least one type may be said to differ.
    """
    language = _one_language(personas)
    types = [persona["type"] for persona in personas]
    table = findings[findings["type"].isin(types)]
    wide = table.pivot(index=["variable", "level"], columns="type", values="difference").reindex(columns=types)
    said = table[table["strength"] == "say"].set_index(["variable", "level"]).index
    apart = (wide.max(axis=1) - wide.min(axis=1))[wide.index.isin(said)].sort_index(kind="stable")
    chosen = apart.sort_values(ascending=False, kind="stable").head(most).index
    cells = table.set_index(["variable", "level", "type"]).sort_index()
    rows = []
    for key in chosen:
        of = [pd.Series({**cells.loc[(*key, name)].to_dict(), "variable": key[0], "level": key[1]}) for name in types]
        rows.append({"label": finding_label(of[0], known, language), "cells": [_cell(row, language) for row in of]})
    heads = zip((persona["label"] for persona in personas), colours(personas), strict=True)
    words = _words(language)
    return render("sheet.html.j2", part="matrix", heads=list(heads), rows=rows, language=language, w=words)


def comparison(
    one: Mapping,
    other: Mapping,
    findings: pd.DataFrame,
    known: pd.DataFrame,
    *,
    currency: str = "EUR",
    tints: Sequence[str] | None = None,
    most: int = 12,
) -> str:
    """Return two personas side by side: sizes, figures, and the findings in which they differ most.

    Parameters
    ----------
    one, other : mapping
        As `Persona.to_dict` returns.
    findings, known, currency
        See `sheet`.
    tints : sequence of str, optional
        Two colours; those of `colours` on a sheet with more.
    most : int
        Rows in which at least one of the two may be said to differ from all customers.
    """
    language = _one_language([one, other])
    words = _words(language)
    pair = [findings[findings["type"] == persona["type"]].set_index(["variable", "level"]) for persona in (one, other)]
    both = pair[0].add_suffix("_one").join(pair[1].add_suffix("_other"))
    both = both[both["difference_one"].notna() & both["difference_other"].notna()]
    both = both[(both["strength_one"] == "say") | (both["strength_other"] == "say")]
    order = (both["difference_one"] - both["difference_other"]).abs().sort_values(ascending=False, kind="stable").index
    rows = []
    for key in order[:most]:
        own = [pd.Series({**part.loc[key].to_dict(), "variable": key[0], "level": key[1]}) for part in pair]
        rows.append(
            {"label": finding_label(own[0], known, language), **_against(own, known, words, language, currency)}
        )
    tints = tints or colours([one, other])
    sides = [
        {
            **{name: persona[name] for name in ("label", "composite")},
            **{"colour": colour, "figure": Markup(emblem(persona, known, colour=colour, legend=False))},
            "sizes": shares(persona, words_in(language)),
        }
        for persona, colour in zip((one, other), tints, strict=True)
    ]
    return render("sheet.html.j2", part="comparison", sides=sides, rows=rows, language=language, w=words)


def colours(personas: Sequence[Mapping]) -> list[str]:
    """Return the colour of each persona, by its place."""
    return [style.PALETTE[place % len(style.PALETTE)] for place in range(len(personas))]


def _against(
    own: Sequence[pd.Series], known: pd.DataFrame, words: Mapping[str, str], language: str, currency: str
) -> dict[str, Any]:
    """Return values and bars of two types; scores, which have no unit, in standard deviations from all customers."""
    values, base = [row["type_value"] for row in own], own[0]["base_value"]
    if known.at[own[0]["variable"], "form"] == "score" or min(*values, base) < 0:
        apart = [row["difference"] for row in own]
        texts = [words["sd"].format(("+" if value > 0 else "") + style.number(value, language, 1)) for value in apart]
        shares, base = [min(max(0.5 + value / 4, 0), 1) for value in apart], 0.5
    else:
        whole = 1 if own[0]["kind"] != "numeric" else 1.15 * max(*values, base) or 1
        texts = [amount(value, row, known, language, currency) for value, row in zip(values, own, strict=True)]
        shares, base = [value / whole for value in values], base / whole
    return {"values": texts, "widths": [f"{100 * share:.1f}" for share in shares], "base": f"{100 * base:.1f}"}


def _bar(personas: Sequence[Mapping], key: str) -> list[dict]:
    """Return the parts of a bar of all customers, or of their revenue."""
    parts, language = [], personas[0]["language"]
    for persona, colour in zip(personas, colours(personas), strict=True):
        share = persona["size"].get(key)
        if share is not None:
            text = style.percent(share, language)
            part = {"label": persona["label"], "colour": colour, "share": text, "shown": text if share >= 0.08 else ""}
            parts.append(part | {"width": f"{100 * share:.1f}", "ink": _ink(colour)})
    return parts


def _cell(row: pd.Series, language: str) -> dict[str, str]:
    """Return text and colour of a cell: deeper, the further the type is from all customers (one SD: full)."""
    difference = row["difference"]
    if difference != difference:
        return {"text": "·", "fill": "#fff", "ink": style.MUTED}
    index = row["index"]
    text = style.number(index, language) if index == index else style.number(difference, language, 1)
    depth = min(abs(difference), 1) * (1 if row["strength"] != "silent" else 0.25)
    tone = (20, 98, 107) if difference > 0 else (168, 71, 47)
    fill = "#" + "".join(f"{round(255 + (part - 255) * depth):02x}" for part in tone)
    return {"text": text, "fill": fill, "ink": _ink(fill)}


def _ink(fill: str) -> str:
    """Return the colour of text on a ground: white or black, whichever stands out more (luminance of WCAG 2)."""
    parts = [int(fill[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return "#ffffff" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.179 else "#000000"


def _one_language(personas: Sequence[Mapping]) -> str:
    languages = sorted({persona["language"] for persona in personas})
    if len(languages) != 1:
        raise WaageError(f"a sheet shows personas in one language, at least one; these are in {languages or 'none'}")
    return languages[0]


def _words(language: str) -> dict[str, str]:
    return {name: pair[language == "de"] for name, pair in _WORDS.items()}
