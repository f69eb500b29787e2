"""The poster of a persona: one A4 side to work with, and a back that shows why each statement is there."""

import hashlib
import math
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from waage import style
from waage.errors import WaageError
from waage.personas.feedback import WRITTEN
from waage.personas.figure import figure
from waage.personas.sentences import name_of

TEMPLATES = Path(__file__).parents[1] / "templates" / "personas"
WORDS = {
    "as_of": ("As of", "Stichtag"),
    "called": ("“{}”", "„{}“"),
    "open": ("“", "„"),
    "close": ("”", "“"),
    "all": ("all", "alle"),
    "type": ("type", "Typ"),
    "index": ("Index", "Index"),
    "interval": ("95% interval", "95-%-Intervall"),
    "id": ("Id", "Id"),
    "finding": ("Finding", "Befund"),
    "evidence": ("Evidence", "Belege"),
    "evidence_there": ("Small numbers lead to the evidence on the back.",
                       "Kleine Ziffern führen zu den Belegen auf der Rückseite."),
    "how": ("Index: all customers = 100. Each interval holds for itself; q: false discovery rate over all findings. "
            "Intervals of “most important” are too short (85% in simulation): the types sit on these answers.",
            "Index: alle Kund:innen = 100. Jedes Intervall gilt für sich; q: Falschentdeckungsrate über alle Befunde. "
            "Intervalle zu „Am wichtigsten“ sind zu kurz (85 % in Simulationen): Die Typen sitzen auf diesen "
            "Antworten."),
    "customers": ("of customers", "der Kund:innen"),
    "revenue": ("of net revenue", "des Umsatzes nach Retouren"),
    "window": ("of net revenue in {} months", "des Umsatzes nach Retouren in {} Monaten"),
    "to": ("{} to {}", "{} bis {}"),
    "life": ("Life situation", "Lebenssituation"),
    "life_note": ("Bar and first number: this type; line and second number: all customers.",
                  "Balken und erste Zahl: dieser Typ; Strich und zweite Zahl: alle Kund:innen."),
    "needs": ("Needs and pains", "Bedürfnisse und Ärgernisse"),
    "write": ("In comments they write more often than others of {}",
              "In Kommentaren schreiben sie öfter als andere von {}"),
    "channels": ("Channels and timing", "Kanäle und Zeiten"),
    "assortment": ("Assortment", "Sortiment"),
    "shared": ("Like everyone, as far as can be told", "Wie alle, soweit erkennbar"),
    "recognise": ("How to recognise them", "Woran man sie erkennt"),
    "timeline": ("A typical history", "Ein typischer Verlauf"),
    "dos": ("Do", "Tun"),
    "donts": ("Don't", "Lassen"),
    "quotes": ("In their words", "In ihren Worten"),
    "sampled": ("described by {} of {} customers", "beschrieben an {} von {} Kund:innen"),
    "respondents": ("Survey n = {}", "Befragung n = {}"),
    "simulated": ("simulated data", "simulierte Daten"),
    "more": ("{} more findings without a statement here stand in the table findings.",
             "{} weitere Befunde ohne Aussage an dieser Stelle stehen in der Tabelle findings."),
}  # fmt: skip
_MOST = {
    "dos": 4,
    "donts": 4,
    "quotes": 2,
    "kpis": 6,
    "life": 6,
    "needs": 4,
    "channels": 3,
    "assortment": 3,
    "shared": 2,
}
_MOST_FINDINGS = 46
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


def poster(
    persona: Mapping[str, Any],
    findings: pd.DataFrame,
    known: pd.DataFrame,
    *,
    quotes: Sequence[str] = (),
    currency: str = "EUR",
    colour: str = style.ACCENT,
    last: bool = True,
) -> str:
    """Return the front and the back of one persona as HTML, for `page` or, with `css`, for a notebook.

    Parameters
    ----------
    persona : mapping
        As `Persona.to_dict` returns; its language is the poster's. Of `basis`, header, study, respondents,
        field_period, weighting, verdict, revenue_months and simulated are printed.
    findings : DataFrame
        All findings of the type, as `waage.personas.findings.findings` returns.
    known : DataFrame, index variable
        As `waage.personas.topics.catalogue` returns.
    quotes : sequence of str
        Those that may be shown (`waage.personas.quotes.releasable`); the first two are.
    currency, colour : str
    last : bool
        Whether no other poster follows on paper.

    Returns
    -------
    str
        One ``<article>``; every text in it is escaped, equal input gives equal bytes.

    Raises
    ------
    WaageError
        When a sentence, a do or a don't names no finding of the type.
    """
    language = persona["language"]
    words = words_in(language)
    places = {name: place for place, name in enumerate(findings["id"], start=1)}
    view = {
        "uid": uid(persona),
        "colour": colour,
        **{name: persona[name] for name in ("label", "first_name", "composite")},
        "study": persona["basis"].get("study", ""),
        "simulated": words["simulated"] if persona["basis"].get("simulated") else "",
        "as_of": style.day(persona["as_of"], language) if persona["as_of"] else "",
        "base": base_line(persona, words),
        "sentences": _marked(persona, "sentences", places) or [{"text": persona["silence"] or "", "marks": []}],
        "figure": Markup(emblem(persona, known, colour=colour)),
        "shares": shares(persona, words),
        "kpis": [kpi for kpi in (_kpi(entry, places) for entry in persona["kpis"]) if kpi][: _MOST["kpis"]],
        "dos": _marked(persona, "dos", places)[: _MOST["dos"]],
        "donts": _marked(persona, "donts", places)[: _MOST["donts"]],
        "quotes": list(quotes)[: _MOST["quotes"]],
        "life": [_life(part, places, language) for part in persona["life"]][: _MOST["life"]],
        "needs": _needs(persona, places, words)[: _MOST["needs"]],
        "channels": _listed(persona["channels"] + persona["timing"], places)[: _MOST["channels"]],
        "assortment": _listed(persona["assortment"], places)[: _MOST["assortment"]],
        "shared": _listed(persona["shared"], places)[: _MOST["shared"]],
        "recognise": _lines(persona["recognise"]),
        "timeline": _lines(persona["timeline"]),
    }
    view["findings"], left = _rows(findings, _marks(view), known, currency, language)
    view["more"] = words["more"].format(style.number(left, language)) if left else ""
    view["points"], view["points_back"] = _points(view)
    return render("poster.html.j2", p=view, w=words, language=language, last=last)


def page(body: str, title: str, language: str = "en") -> str:
    """Return a whole HTML page, which loads nothing from elsewhere, around posters or sheets."""
    return render("page.html.j2", body=Markup(body), css=Markup(css()), title=title, language=language)


def css() -> str:
    """Return the style of posters and sheets; a notebook shows ``<style>{css()}</style>`` once before them."""
    text = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in ("poster.css", "sheet.css"))
    # Thrice, so that it outweighs what a report or JupyterLab says of every heading, list and table on the page.
    return re.sub(r"(?<![\w.-])((?:body)?)\.persona\b", r"\1.persona.persona.persona", text)


def pdf(html: str, path: Path, browser: str | None = None) -> None:
    """Print a page of posters as PDF (A4, one page a side) with an installed Chromium, driven by Playwright.

    Parameters
    ----------
    html : str
        From `page`.
    path : Path
        Replaced in one step.
    browser : str, optional
        The browser's program; by default Chromium, Chrome or Edge from the PATH.

    Raises
    ------
    WaageError
        When Playwright or a browser is not there; the way out needs neither: open the HTML and print it.
    """
    from concurrent.futures import ThreadPoolExecutor

    program = browser or next(filter(None, map(shutil.which, _BROWSERS)), None)
    way_out = "or open the HTML file in any browser and print it: it is laid out for A4"
    if program is None:
        raise WaageError(f"{path.name}: no Chromium, Chrome or Edge is installed, which prints posters; {way_out}")
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise WaageError(
            f'{path.name}: printing needs the package playwright: pip install "waage[pdf]"; {way_out}'
        ) from None

    def printed() -> bytes:
        with sync_playwright() as playwright:
            opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
            try:
                sheet = opened.new_page(java_script_enabled=False)
                sheet.set_content(html)
                return sheet.pdf(prefer_css_page_size=True, print_background=True)
            finally:
                opened.close()

    try:
        # In a thread of its own: a notebook runs an event loop, in which Playwright's plain interface refuses to work.
        with ThreadPoolExecutor(1) as pool:
            content = pool.submit(printed).result()
    except Error as error:
        raise WaageError(f"{path.name}: {program} did not print: {str(error).splitlines()[0]}; {way_out}") from error
    staged = path.with_name(f".{path.name}")
    staged.write_bytes(content)
    os.replace(staged, path)


def uid(persona: Mapping) -> str:
    """Return the anchor of a persona's poster, for links from a sheet on the same page."""
    return "p" + hashlib.sha256(f"{persona['type']}\x1f{persona['language']}".encode()).hexdigest()[:8]


def words_in(language: str) -> dict[str, str]:
    """Return the fixed words of posters and sheets in a language."""
    style.label("rows", language)  # refuses an unknown language with the way out
    return {name: pair[language == "de"] for name, pair in WORDS.items()}


def emblem(persona: Mapping, known: pd.DataFrame, *, colour: str, legend: bool = True) -> str:
    """Return the figure of a persona: its motives or, where a study knows none, whatever else stands out."""
    said = [entry for name in ("motives", "interests") for entry in persona[name]]
    rest = [entry for name in ("assortment", "channels", "timing", "kpis") for entry in persona[name]]
    shown = [entry for entry in (said or rest) if said or entry["strength"] != "silent"]
    if "construct" in known:
        shown = [entry | {"construct": known["construct"].get(entry["variable"], "")} for entry in shown]
    return figure(shown, persona["label"], language=persona["language"], colour=colour, legend=legend)


def shares(persona: Mapping, words: Mapping[str, str]) -> list[dict]:
    """Return value, range, label and width of the bar for the shares of customers and of net revenue."""
    parts, size, language = [], persona["size"], persona["language"]
    months = persona["basis"].get("revenue_months")
    revenue = words["window"].format(style.number(months, language)) if months else words["revenue"]
    for key, label in (("share", words["customers"]), ("revenue_share", revenue)):
        if size.get(key) is not None:
            ends = [style.percent(size[f"{key}_{end}"], language) for end in ("low", "high")]
            part = {"value": style.percent(size[key], language), "label": label, "range": words["to"].format(*ends)}
            parts.append(part | {"key": key, "share": size[key], "width": f"{100 * size[key]:.1f}"})
    return parts


def base_line(persona: Mapping, words: Mapping[str, str]) -> str:
    """Return what all figures rest on: kind of groups, survey n, field period, weighting, what the types are."""
    basis = persona["basis"]
    n = basis.get("respondents")
    survey = words["respondents"].format(style.number(n, persona["language"])) if n else ""
    if basis.get("customers"):
        counts = (style.number(basis[name], persona["language"]) for name in ("customers", "of"))
        survey = words["sampled"].format(*counts)
    parts = [basis.get("header"), survey, *(basis.get(key) for key in ("field_period", "weighting", "verdict"))]
    return " · ".join(str(part) for part in parts if part) + "."


def _points(view: Mapping[str, Any]) -> tuple[str, str]:
    """Return the sizes of type at which front and back fill a side of A4 each; the numbers were found by trial."""
    fronts = ("sentences", "dos", "donts", "channels", "assortment", "shared", "kpis")
    texts = [str(part.get("text") or part.get("label")) for name in fronts for part in view[name]] + view["quotes"]
    # Text takes an area, and that goes with the square of its size.
    letters = 400 + 2 * len(view["label"]) + sum(len(text) + 12 for text in texts)
    lists = max(_tall((part["text"] for part in view[name]), 42) for name in ("needs", "recognise", "timeline"))
    levels = max((len(part["levels"]) + _tall([part["label"]], 24) for part in view["life"]), default=-2)
    rows = _tall((row["label"] for row in view["findings"]), 54)
    tall = 40 + 3 * rows + 3.7 * lists + 3.5 * math.ceil(len(view["life"]) / 4) * (2 + levels)  # mm
    return f"{min(max(8.1 * (2800 / letters) ** 0.9, 6), 9.8):.2f}", f"{min(max(7.5 * 258 / tall, 5.5), 7.5):.2f}"


def _tall(texts: Iterable[str], width: int) -> int:
    """Return how many lines texts take in a column; words that are long for it cost a line each."""
    return sum(math.ceil(len(text) / width) + sum(len(word) > width / 2 for word in text.split()) for text in texts)


def _marks(view: Mapping[str, Any]) -> set[int]:
    """Return the places of all findings that something on the poster rests on."""
    entries = [entry for part in view.values() if isinstance(part, list) for entry in part if isinstance(entry, dict)]
    return {mark for entry in entries for mark in entry.get("marks", ())}


def _rows(
    findings: pd.DataFrame, marks: set[int], known: pd.DataFrame, currency: str, language: str
) -> tuple[list[dict], int]:
    """Return the evidence: findings that carry a statement, then the surest others; and how many are left out."""
    rows = findings.assign(place=range(1, len(findings) + 1))
    rows = rows.assign(stated=rows["place"].isin(marks)).sort_values(["stated", "q_value"], ascending=[False, True])
    rows = rows[rows["stated"] | (rows["strength"] != "silent")].head(max(_MOST_FINDINGS, len(marks)))
    shown = [
        {**evidence_row(row, known, currency, language), "place": row["place"]}
        for row in rows.sort_values("place").to_dict("records")
    ]
    return shown, len(findings) - len(shown)


def _marked(persona: Mapping, name: str, places: Mapping[str, int]) -> list[dict]:
    """Return texts with the places of their findings; one that rests on nothing is refused."""
    parts = []
    for entry in persona[name]:
        ids = entry.get("finding_ids") or [entry.get("finding_id")]
        if unknown := [one for one in ids if one not in places]:
            raise WaageError(
                f"persona {persona['type']!r}: {name} says {entry['text']!r} on finding {unknown[0]!r}, which is "
                f"not among the {len(places)} findings of this type; pass those it was made from"
            )
        parts.append({"text": entry["text"], "marks": sorted({places[one] for one in ids})})
    return parts


def _listed(entries: Sequence[Mapping], places: Mapping[str, int]) -> list[dict]:
    shown = [entry for entry in entries if entry["text"]]
    return [{"text": entry["text"], "marks": [places[entry["finding_id"]]]} for entry in shown]


def _needs(persona: Mapping, places: Mapping[str, int], words: Mapping[str, str]) -> list[dict]:
    """Return words of comments in one line, then reasons and interests."""
    written = [entry for entry in persona["pains"] if entry["variable"].startswith(WRITTEN)]
    more = [entry for entry in written if entry["strength"] != "silent" and entry["difference"] > 0]
    texts = ", ".join(f"{words['open']}{entry['label']}{words['close']}" for entry in more)
    line = {"text": words["write"].format(texts), "marks": sorted(places[entry["finding_id"]] for entry in more)}
    rest = [entry for entry in persona["pains"] if entry not in written]
    return ([line] if more else []) + _listed([*rest, *persona["interests"]], places)


def _kpi(entry: Mapping, places: Mapping[str, int]) -> dict | None:
    """Return a figure and that of all customers, as the evidence writes them; None where it is hidden."""
    found = re.match(r"(?P<value>[^(;]+) \([^;]*\); (?P<base>[^;]+)", entry["evidence"])
    marks = {"marks": [places[entry["finding_id"]]]}
    return {"label": style.title(entry["label"]), **found.groupdict(), **marks} if found else None


def _life(part: Mapping, places: Mapping[str, int], language: str) -> dict:
    levels, marks = [], []
    for entry in part["levels"]:
        if entry["value"] is None:
            continue
        marks.append(places[entry["finding_id"]])
        label = entry["label"].removeprefix(f"{part['label']}: ")
        base = style.percent(entry["base"], language)
        widths = {"width": f"{100 * entry['value']:.1f}", "base_width": f"{100 * entry['base']:.1f}"}
        levels.append({"label": label, "share": style.percent(entry["value"], language), "base": base} | widths)
    return {"label": part["label"], "levels": levels, "marks": marks}


def _lines(part: Any) -> list[dict]:
    """Return the sentences of how to recognise a type, or of a history: a dictionary's texts in their order."""
    if isinstance(part, str):
        return [{"text": part, "marks": []}]
    texts = [(part or {}).get(name) for name in ("rule", "advice")]
    texts += [month["text"] for month in (part or {}).get("months") or ()] + [(part or {}).get("note")]
    return [{"text": text, "marks": []} for text in texts if text]


def finding_label(row: Mapping, known: pd.DataFrame, language: str) -> str:
    """Return what a finding is about, with its variable."""
    label, name = (
        known.at[row["variable"], "label_de" if language == "de" else "label_en"],
        name_of(row, known, language),
    )
    return name if name.startswith(label) else label if name.lower() in label.lower() else f"{label}: {name}"


def amount(value: float, row: Mapping, known: pd.DataFrame, language: str, currency: str) -> str:
    """Return a value of a finding in its own unit."""
    form = "share" if row["kind"] != "numeric" else known.at[row["variable"], "form"]
    if form in ("share", "part"):
        return style.percent(value, language)
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    if form == "money":
        return style.money(value, currency, language, 0 if decimals < 2 else 2)
    return style.number(value, language, decimals)


def evidence_row(row: Mapping, known: pd.DataFrame, currency: str, language: str) -> dict[str, str]:
    """Return a finding as texts for a table: id, label, value, base, index, interval, n, q."""

    def own(value: float) -> str:
        return amount(value, row, known, language, currency)

    as_index = row["kind"] != "numeric"
    ends = [style.number(row[end], language) if as_index else own(row[end]) for end in ("low", "high")]
    q = row["q_value"]
    return {
        "id": row["id"],
        "label": finding_label(row, known, language),
        "value": own(row["type_value"]),
        "base": own(row["base_value"]),
        "index": style.number(row["index"], language),
        "interval": style.MISSING if style.MISSING in ends else words_in(language)["to"].format(*ends),
        "n": style.number(row["n"], language),
        "q": f"<\u00a0{style.number(0.001, language, 3)}" if q < 0.001 else style.number(q, language, 3),
    }


def render(template: str, **values: object) -> str:
    """Return a filled-in template of this subject; texts are escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(template).render(**values)
