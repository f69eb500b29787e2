"""Chapters of the report on the experience and tables as readers see them, in English and German."""

import numpy as np
import pandas as pd

from waage import style
from waage.ix.checks import grade_words
from waage.ix.display import boxes, smooth
from waage.ix.guards import response_rate
from waage.ix.linkage import Linkage
from waage.ix.measurement import Measurement, shop_line
from waage.ix.plots import CHECKS as CHECK_NAMES
from waage.ix.plots import METHODS, OUTCOMES, VERDICTS
from waage.ix.scales import GroupScores
from waage.ix.score import codebook
from waage.ix.validity import validity

_CHAPTERS = {
    "score": (
        "The experience of every unit",
        "Answers as 0-100, perception and reaching one's goal by their weights (*perception*); respondents weighted "
        "week by week to the fixed mix of visitors. Lines are smoothed for the eye, with their 95% interval; what is "
        "computed uses the raw weeks. Red: incidents of the unit, or of all.",
        "Das Erlebnis jeder Einheit",
        "Antworten als 0-100, Wahrnehmung und Zielerreichung nach ihren Gewichten (*perception*); Antwortende Woche "
        "für Woche auf die feste Besuchermischung gewichtet. Linien sind fürs Auge geglättet, mit 95-%-Intervall; "
        "gerechnet wird mit den rohen Wochen. Rot: Störungen der Einheit, oder aller.",
    ),
    "units": (
        "Where each unit stands",
        "Mean of the newest weeks with its 95% interval; the least move that a comparison of two quarters would show; "
        "reliability: share of a week's movement that is not survey noise.",
        "Wo jede Einheit steht",
        "Mittel der jüngsten Wochen mit 95-%-Intervall; die kleinste Bewegung, die ein Vergleich zweier Quartale "
        "zeigte; Verlässlichkeit: Anteil der Bewegung einer Woche, der kein Stichprobenrauschen ist.",
    ),
    "effect": (
        "What a point does",
        "All estimates of the long run side by side. *Corrected* is the one that is said: weekly panel, unit and week "
        "effects, survey noise taken out, interval without each unit in turn. *Uncorrected* must lie nearer to 0. "
        "*Pooled* shows what happens when good units are compared with bad ones: large units are better served.",
        "Was ein Punkt bewirkt",
        "Alle Schätzungen der langen Frist nebeneinander. *Bereinigt* wird genannt: Wochenpanel, Effekte von Einheiten "
        "und Wochen, Befragungsrauschen herausgerechnet, Intervall reihum ohne je eine Einheit. *Unbereinigt* muss "
        "näher "
        "an 0 liegen. *Gepoolt* zeigt, was beim Vergleich guter mit schlechten Einheiten herauskommt: Große Einheiten "
        "werden besser bedient.",
    ),
    "path": (
        "Visits, conversion, order value, and when",
        "The three parts add up to demand exactly.",
        "Besuche, Konversion, Bestellwert, und wann",
        "Die drei Teile ergeben genau die Nachfrage.",
    ),
    "money": (
        "Both in one currency",
        "How far the shop's experience lay from its usual level, and what that moved in demand a week.",
        "Beides in einer Währung",
        "Wie weit das Erlebnis des Shops von seinem üblichen Stand entfernt lag, und was das an Nachfrage je Woche "
        "bewegte.",
    ),
    "what_if": (
        "What if",
        "Demand a year for points that last. On grey ground units were rarely (one week in ten) or never: no number is "
        "given there.",
        "Was wäre wenn",
        "Nachfrage im Jahr für Punkte auf Dauer. Wo es grau ist, waren Einheiten selten (eine Woche von zehn) oder "
        "nie: "
        "dort steht keine Zahl.",
    ),
    "calculator": (
        "Calculate: points and money",
        "What happens if the experience rises and stays there; all figures a year, once the whole effect is there.",
        "Rechnen: Punkte und Geld",
        "Was geschieht, wenn das Erlebnis steigt und so bleibt; alle Zahlen im Jahr, sobald die ganze Wirkung da ist.",
    ),
    "by_unit": (
        "What if in one unit",
        "Demand a year, were that unit alone to rise; a dash where it rarely or never rose so far.",
        "Was wäre wenn in einer Einheit",
        "Nachfrage im Jahr, stiege nur diese Einheit; ein Strich, wo sie selten oder nie so weit stieg.",
    ),
    "checks": (
        "What speaks for it, and against",
        "The checks that matter most in words, and all on a board; their numbers are in the appendix.",
        "Was dafür spricht, und dagegen",
        "Die wichtigsten Prüfungen in Worten, und alle auf einer Tafel; ihre Zahlen stehen im Anhang.",
    ),
    "missing": (
        "What the sample lacks",
        "What was tried: single weeks, then blocks of weeks; units, periods, reliability and the reason against each.",
        "Was der Stichprobe fehlt",
        "Was versucht wurde: einzelne Wochen, dann Blöcke von Wochen; Einheiten, Zeiträume, Verlässlichkeit und der "
        "Grund dagegen.",
    ),
    "why": (
        "Why the IX moved",
        "An exact account: the items' parts add up to the move. Units weigh by their usual visits.",
        "Warum sich der IX bewegte",
        "Eine genaue Rechnung: Die Teile der Fragen ergeben die Bewegung. Einheiten zählen nach üblichen Besuchen.",
    ),
    "drivers": (
        "What the experience hangs on",
        "Share of each item of perception in explaining whether visitors reached their goal (Johnson's relative "
        "weights, within units; 95% bootstrap intervals). The map prices a tenth of every item's gap to 100: "
        "accounting, not a promise.",
        "Woran das Erlebnis hängt",
        "Anteil jeder Frage zur Wahrnehmung daran, ob Besucher ihr Ziel erreichten (relative Gewichte nach Johnson, "
        "innerhalb der Einheiten; 95-%-Bootstrap-Intervalle). Die Karte bewertet ein Zehntel der Lücke jeder Frage bis "
        "100: eine Rechnung, kein Versprechen.",
    ),
    "scales": (
        "The scales: experience and customer value",
        "Descriptive: groups differ in much else than experience, so nothing follows from one for the other. Customers "
        "count in each type by probability, and types are those told from behaviour alone. Groups with fewer answering "
        "persons than the study allows are hidden.",
        "Die Waage: Erlebnis und Kundenwert",
        "Beschreibend: Gruppen unterscheiden sich in vielem, daher folgt aus dem einen nichts für das andere. Kunden "
        "zählen in jedem Typ nach Wahrscheinlichkeit, und Typen stammen allein aus Verhalten. Gruppen mit weniger "
        "antwortenden Personen, als die Studie erlaubt, sind verdeckt.",
    ),
    "respondents": ("Who answers", "", "Wer antwortet", ""),
    "appendix": (
        "Appendix: all checks, estimates and settings",
        "Log points of demand per point of IX (.007 is 0.7%). Statistics are t or z values, shares or ratios as the "
        "sentence says.",
        "Anhang: alle Prüfungen, Schätzungen und Einstellungen",
        "Logarithmische Punkte der Nachfrage je IX-Punkt (0,007 sind 0,7 %). Statistiken sind t- oder z-Werte, Anteile "
        "oder Verhältnisse, wie der Satz es sagt.",
    ),
    "validity": (
        "Appendix: the questionnaire",
        "Alpha and omega above .8, CFI above .95 and RMSEA below .06 are usual demands. Top-2-box and NPS are for "
        "display: they need three to five times the sample of a mean.",
        "Anhang: der Fragebogen",
        "Üblich sind Alpha und Omega über 0,8, CFI über 0,95, RMSEA unter 0,06. Top-2-Box und NPS dienen der Anzeige: "
        "Sie brauchen die drei- bis fünffache Stichprobe eines Mittelwerts.",
    ),
    "truth": ("Against the known truth", "", "Gegen die bekannte Wahrheit", ""),
}
_WORDS = {
    "unit": ("Unit", "Einheit"),
    "ix": ("IX", "IX"),
    "n": ("Answers a week", "Antworten je Woche"),
    "visible": ("Least visible move", "Kleinste sichtbare Bewegung"),
    "reliability": ("Reliability", "Verlässlichkeit"),
    "demand": ("Demand a year", "Nachfrage im Jahr"),
    "value": ("Worth a year", "Wert im Jahr"),
    "measure": ("Measure", "Kennzahl"),
    "year_1": ("In the first year", "Im ersten Jahr"),
    "base": ("Today, a year", "Heute, im Jahr"),
    "visits": ("Visits", "Besuche"),
    "orders": ("Orders", "Bestellungen"),
    "check": ("Check", "Prüfung"),
    "verdict": ("Verdict", "Urteil"),
    "statistic": ("Statistic", "Statistik"),
    "p_value": ("p", "p"),
    "sentence": ("In words", "In Worten"),
    "method": ("Method", "Methode"),
    "outcome": ("Outcome", "Ergebnis"),
    "short_run": ("Same week", "Gleiche Woche"),
    "long_run": ("Long run", "Lange Frist"),
    "grade": ("Evidence", "Beleg"),
    "block_weeks": ("Weeks a period", "Wochen je Zeitraum"),
    "units": ("Units", "Einheiten"),
    "periods": ("Periods", "Zeiträume"),
    "conditioning": ("Conditioning", "Kondition"),
    "smallest_effect": ("Smallest visible effect", "Kleinste sichtbare Wirkung"),
    "reason": ("Against it", "Dagegen"),
    "group": ("Group", "Gruppe"),
    "split": ("Split", "Einteilung"),
    "instrument": ("Survey", "Befragung"),
    "answers": ("Answers", "Antworten"),
    "persons": ("Persons", "Personen"),
    "item": ("Item", "Frage"),
    "mean": ("Mean (0-100)", "Mittel (0-100)"),
    "sd": ("SD", "SD"),
    "missing": ("Missing", "Fehlend"),
    "item_rest": ("Item-rest correlation", "Trennschärfe"),
    "contribution": ("Share of the IX", "Anteil am IX"),
    "box": ("Top-2-box or NPS", "Top-2-Box oder NPS"),
    "sweep": ("Sweep", "Variante"),
    "version": ("Version", "Fassung"),
    "lagged": ("Delays up to {n} periods", "Verzögerung bis {n} Zeiträume"),
    "almon": ("Delays up to {n} periods, as a parabola (Almon)", "Verzögerung bis {n} Zeiträume, als Parabel (Almon)"),
    "controls_all": ("All controls", "Alle Kontrollgrößen"),
    "controls_none": ("No controls", "Keine Kontrollgrößen"),
    "controls_without": ("Without {name}", "Ohne {name}"),
    "respondents": ("Complete answers", "Vollständige Antworten"),
    "one_factors": ("one factor", "ein Faktor"),
    "two_factors": ("two factors", "zwei Faktoren"),
    "better": ("Fits better", "Passt besser"),
    "alpha_perception": ("Alpha, perception", "Alpha, Wahrnehmung"),
    "alpha_goal": ("Alpha, goal", "Alpha, Ziel"),
    "omega_perception": ("Omega, perception", "Omega, Wahrnehmung"),
    "omega_goal": ("Omega, goal", "Omega, Ziel"),
    "rmsea_one": ("RMSEA, one factor", "RMSEA, ein Faktor"),
    "rmsea_two": ("RMSEA, two factors", "RMSEA, zwei Faktoren"),
    "cfi_one": ("CFI, one factor", "CFI, ein Faktor"),
    "cfi_two": ("CFI, two factors", "CFI, zwei Faktoren"),
    "factor_correlation": ("Correlation of the two", "Korrelation der beiden"),
    "control": ("Control", "Kontrollgröße"),
    "r2_score": ("of the score", "am Wert"),
    "r2_demand": ("of demand", "an der Nachfrage"),
    "adjusted": ("Effect left", "Verbleibende Wirkung"),
}


def chapter(key: str, language: str = "en"):
    """Return a chapter's heading and what to know before reading it, for display."""
    title, text = _CHAPTERS[key][2:] if language == "de" else _CHAPTERS[key][:2]
    return style.say(f"## {title}\n\n{text}".rstrip())


def first_lines(
    scores: pd.DataFrame, performance: pd.DataFrame | None, min_n: int = 100, min_cell: int = 1
) -> pd.DataFrame:
    """Return the shop's line with its smoothed version: week, ix, variance, n, demand, smooth, low, high.

    Parameters
    ----------
    scores : DataFrame
        `Scores.table`, or `ix_scores`.
    performance : DataFrame or None
    min_n : int
    min_cell : int
        `min_cell_survey`: weeks of fewer persons are left out.
    """
    line = shop_line(scores, performance, min_cell=min_cell)
    if not len(line):
        return line.assign(smooth=np.nan)
    smoothed = smooth(line.assign(unit="all"), min_n=min_n)[["week", "smooth", "low", "high"]]
    return line.drop(columns=["low", "high"]).merge(smoothed, on="week", how="left")


def shown_units(scores: pd.DataFrame, min_n: int, min_cell: int) -> pd.DataFrame:
    """Return the smoothed lines of units that may be shown.

    Where most weeks have fewer than `min_cell` answers, two, four or thirteen weeks are drawn as one point; what is
    smaller still takes no part.
    """
    table = scores.assign(week=pd.to_datetime(scores["week"])).dropna(subset=["ix"])
    for block in (1, 2, 4, 13):
        merged = _blocks(table, block)
        enough = merged["n"] >= min_cell
        if enough.mean() >= 0.8 or block == 13:
            break
    merged = merged[enough]
    return smooth(merged, min_n=max(min_n if block == 1 else 0, min_cell)) if len(merged) else merged


def _blocks(table: pd.DataFrame, block: int) -> pd.DataFrame:
    """Return the score by unit and blocks of weeks, answers as weights."""
    if block == 1:
        return table
    weeks = (table["week"] - table["week"].min()).dt.days // 7
    start = table["week"] - pd.to_timedelta(7 * (weeks % block), "D")
    sums = table.assign(week=start, ix=table["ix"] * table["n"], variance=table["variance"] * table["n"] ** 2)
    sums = sums.groupby(["unit", "week"])[["ix", "variance", "n"]].sum()
    return sums.assign(ix=sums["ix"] / sums["n"], variance=sums["variance"] / sums["n"] ** 2).reset_index()


def unit_table(
    scores: pd.DataFrame, labels: dict[str, str], weeks: int, min_cell: int, language: str = "en"
) -> pd.DataFrame:
    """Return where each unit stands, as a table to read; units with too few answers in these weeks are hidden."""
    table = scores.dropna(subset=["ix"]).sort_values("week")
    spread, noise = table.groupby("unit")["ix"].var(), table.groupby("unit")["variance"].mean()
    recent = table.groupby("unit").tail(weeks).groupby("unit")
    found = recent["ix"].mean().to_frame()
    error = np.sqrt(recent["variance"].sum()) / recent.size()
    found["ix_low"], found["ix_high"] = found["ix"] - 1.96 * error, found["ix"] + 1.96 * error
    found["n"], found["visible"] = recent["n"].mean(), 2.8 * np.sqrt(2) * error
    found["reliability"] = (1 - noise / spread).clip(lower=0)
    found[recent["n"].sum() < min_cell] = np.nan
    found = found.sort_values("ix", ascending=False).reset_index()
    between = " bis " if language == "de" else " to "

    def shown(x: float) -> str:
        return style.number(x, language, 1)

    ix = [f"{shown(row.ix)} ({shown(row.ix_low)}{between}{shown(row.ix_high)})" for row in found.itertuples()]
    ix = [text if seen else style.MISSING for text, seen in zip(ix, found["ix"].notna(), strict=True)]
    found = found.assign(
        unit=[labels.get(unit, unit) for unit in found["unit"]], ix=ix, visible=found["visible"].map(shown)
    )
    return _table(found[["unit", "ix", "n", "visible", "reliability"]], language, n="count")


def what_if_table(found: Linkage, points: float, language: str = "en") -> pd.DataFrame:
    """Return what some points are worth to the shop, measure by measure, as a table to read."""
    table = found.value.table(points).query("unit == 'all'")
    kind = ["count" if measure in ("visits", "orders") else "money" for measure in table["measure"]]
    rows = []
    for row, of in zip(table.to_dict("records"), kind, strict=True):
        name = row["measure"]

        def shown(x: float, of: str = of) -> str:
            return style.compact(x, found.value.currency if of == "money" else None, language)

        label = _WORDS[name][language == "de"] if name in ("visits", "orders") else style.title(name, language)
        between = " bis " if language == "de" else " to "
        value = shown(row["value"])
        if row["supported"]:
            value += f" ({shown(row['low'])}{between}{shown(row['high'])})"
        rows.append((label, shown(row["base"]), value, shown(row["year_1"])))
    heads = [_WORDS[name][language == "de"] for name in ("measure", "base", "value", "year_1")]
    return pd.DataFrame(rows, columns=heads)


def by_unit_table(found: Linkage, labels: dict[str, str], points: float, language: str = "en") -> pd.DataFrame:
    """Return what some points in one unit alone are worth, the most valuable first, as a table to read."""
    table = found.value.table(points).query("unit != 'all' and measure == 'demand'")
    table = table.sort_values(["value", "base"], ascending=False)
    between = " bis " if language == "de" else " to "

    def money(x: float) -> str:
        return style.compact(x, found.value.currency, language)

    worth = [
        f"{money(row.value)} ({money(row.low)}{between}{money(row.high)})" if row.supported else style.MISSING
        for row in table.itertuples()
    ]
    shown = pd.DataFrame({"unit": [labels.get(unit, unit) for unit in table["unit"]]})
    shown["ix"] = [style.number(x, language, 1) for x in table["ix"]]
    return _table(shown.assign(demand=[money(x) for x in table["base"]], value=worth), language)


def checks_table(found: Linkage, language: str = "en") -> pd.DataFrame:
    """Return all checks with verdict, statistic and sentence, as a table to read."""
    german, table = language == "de", found.check_table
    table = table[(table["place"] > 0) | (table["verdict"] == "failed")].reset_index(drop=True)
    shown = pd.DataFrame({"check": [CHECK_NAMES.get(c, (c, c))[german] for c in table["check"]]})
    shown["verdict"] = [VERDICTS[verdict][1][german] for verdict in table["verdict"]]
    shown[["statistic", "p_value"]] = table[["statistic", "p_value"]]
    return _table(shown.assign(sentence=table["sentence_de" if german else "sentence"]), language)


def effects_table(found: Linkage, language: str = "en") -> pd.DataFrame:
    """Return all estimates of all outcomes, as a table to read."""
    german, table = language == "de", found.effects
    shown = pd.DataFrame({"method": [METHODS[m][german] for m in table["method"]]})
    shown["outcome"] = [OUTCOMES[o][german] for o in table["outcome"]]
    for name in ("short_run", "long_run"):
        shown[name] = [style.percent(x, language, 2) for x in table[name]]
    between = " bis " if german else " to "
    ends = [[style.percent(x, language, 2) for x in table[end]] for end in ("low", "high")]
    shown["long_run"] += [f" ({low}{between}{high})" for low, high in zip(*ends, strict=True)]
    shown["grade"] = [grade_words(g, language) if isinstance(g, str) else style.MISSING for g in table["grade"]]
    return _table(shown, language)


def tried_table(found: Linkage, language: str = "en") -> pd.DataFrame | None:
    """Return which periods were tried, as a table to read; None where there was no panel."""
    if found.tried is None:
        return None
    table = found.tried.drop(columns="reason")
    table["smallest_effect"] = [style.percent(x, language, 2) for x in table["smallest_effect"]]
    return _table(table, language)


def sweep_tables(found: Linkage, language: str = "en") -> list[pd.DataFrame]:
    """Return other lags and controls, without each unit, and what a hidden factor like a control would do."""
    table, german = found.checks.sweeps, language == "de"
    table = table[table["sweep"] != "units"]
    between = " bis " if german else " to "

    def named(sweep: str, version: str) -> str:
        if sweep == "lags":
            key = "almon" if version.startswith("almon") else "lagged"
            return _WORDS[key][german].format(n=version.removeprefix("almon_"))
        key = version if version in ("all", "none") else "without"
        return _WORDS[f"controls_{key}"][german].format(name=style.label(version.removeprefix("without_"), language))

    pct = [[style.percent(x, language, 2) for x in table[name]] for name in ("long_run", "low", "high")]
    rows = {"version": [named(row.sweep, row.version) for row in table.itertuples()]}
    rows["long_run"] = [f"{mid} ({low}{between}{high})" for mid, low, high in zip(*pct, strict=True)]
    shown = [_table(pd.DataFrame(rows), language)]
    bench = found.checks.robustness.benchmarks
    return (
        [*shown, _table(bench, language, r2_score="share", r2_demand="share", adjusted="share")]
        if len(bench)
        else shown
    )


def groups_table(groups: GroupScores, currency: str, language: str = "en") -> pd.DataFrame:
    """Return experience and value of all groups, as a table to read; a missing number is hidden."""
    table = groups.table.drop(columns=["perception", "goal", "customers"])
    table = table.rename(columns={"low": "ix_low", "high": "ix_high", "value": "clv"})
    for name in ("group", "split", "instrument"):
        table[name] = [style.title(key, language) for key in table[name]]
    table["ix"], table["clv"] = table["ix"].astype(float), table["clv"].astype(float)
    return _table(table, language, currency, persons="count", answers="count", clv="money")


def pictured(groups: pd.DataFrame) -> list[str]:
    """Return the splits (stage, type) of which two groups or more have both an experience and a value to show."""
    both = groups.dropna(subset=["ix", "value"]).groupby("split", sort=False).size()
    return [split for split in ("lifecycle", "type") if both.get(split, 0) > 1]


def questionnaire_tables(own: Measurement, min_cell: int, language: str = "en") -> list[pd.DataFrame]:
    """Return items that `min_cell` persons answered, boxes, and the yearly factor structure, as tables to read."""
    book, labels = codebook(own.items), own.item_labels(language)
    items = own.scores.items.drop(columns="construct")
    items = items[(1 - items["missing"]) * own.scores.respondents >= min_cell]
    box = boxes(own.people, own.items).rename(columns={"value": "box", "low": "box_low", "high": "box_high"})
    items = items.merge(box[box["measure"] == "top_2_box"].drop(columns=["measure", "n"]), on="item", how="left")
    items["item"] = [labels.get(item, item) for item in items["item"]]
    yearly = validity(own.people, book)
    yearly = yearly[yearly["n"] >= min_cell] if len(yearly) else yearly
    if len(yearly):
        yearly["year"] = yearly["year"].astype(str)
        if "better" in yearly:
            yearly["better"] = [_WORDS[f"{name}_factors"][language == "de"] for name in yearly["better"]]
        yearly = yearly.rename(columns={"n": "respondents"})
    shown = _table(items, language, missing="share", contribution="share", box="share")
    return [shown, _table(yearly, language)] if len(yearly) else [shown]


def response_rates(own: Measurement) -> pd.DataFrame | None:
    """Return the response rate over time, of whole weeks; None without invitations."""
    return response_rate(own.invitations)


def _table(frame: pd.DataFrame, language: str, currency: str = "EUR", **kinds: str) -> pd.DataFrame:
    shown = style.table(frame, language, currency, **kinds)
    heads = {style.title(name, language): _WORDS[name][language == "de"] for name in frame.columns if name in _WORDS}
    return shown.rename(columns=heads)
