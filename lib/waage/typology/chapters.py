"""Chapters of the report on types and tables as readers see them, in English and German."""

import numpy as np
import pandas as pd

from waage import style
from waage.errors import Refused
from waage.typology.active import MAXDIFF
from waage.typology.behaviour import feature_label
from waage.typology.customers import TypedCustomers
from waage.typology.findings import stands_out, survey_shares
from waage.typology.types import Types
from waage.typology.typing import Typing

_CHAPTERS = {
    "types": (
        "Types of customers",
        "Types come from answers (motives, attitudes, interests) of the interviewed alone; age, spend and channel take "
        "no part and only describe. They are another cut than the segments: a segment says what somebody did, a type "
        "what somebody looks for. Shares are weighted to everybody in the customer file, those who have not ordered "
        "yet included.",
        "Kundentypen",
        "Typen entstehen allein aus Antworten (Motive, Einstellungen, Interessen) der Befragten; Alter, Umsatz und "
        "Kanal wirken nicht mit und beschreiben nur. Sie schneiden anders als die Segmente: Ein Segment sagt, was "
        "jemand tat, ein Typ, was jemand sucht. Anteile sind auf die ganze Kundendatei gewichtet, auch auf die, die "
        "noch nicht bestellt haben.",
    ),
    "profiles": (
        "What sets the types apart",
        "Index 150: half as many again as among all interviewed. Scale items count as agreement (the two agreeing "
        "answers). Only what is coloured may be said (false discovery rate 5%). What took no part in finding types is "
        "cleared of respondents who are sorted into the wrong one.",
        "Was die Typen unterscheidet",
        "Index 150: anderthalbmal so viele wie unter allen Befragten. Skalen zählen als Zustimmung (die zwei "
        "zustimmenden Antworten). Nur was farbig ist, darf gesagt werden (höchstens 5 % Fehlalarme erwartet). Was an "
        "der Suche "
        "nach Typen nicht teilnahm, ist um Befragte bereinigt, die dem falschen zugeordnet sind.",
    ),
    "outcomes": (
        "What the types are worth, and how content they are",
        "Means of customers of a type, corrected for interviewed persons who are sorted into the wrong type "
        "(three-step correction). Beside it the naive mean of those whose most probable type it is; it lies too close "
        "to the mean of all. Orders and net revenue are those of the window of the segments above.",
        "Was die Typen wert und wie zufrieden sie sind",
        "Mittelwerte der Kunden eines Typs, bereinigt um Befragte, die dem falschen Typ zugeordnet sind "
        "(Drei-Schritt-Korrektur). Daneben der naive Mittelwert derer, deren wahrscheinlichster Typ es ist; er liegt "
        "zu nah am Mittel aller. Bestellungen und Umsatz sind die des Zeitraums der Segmente oben.",
    ),
    "choice": (
        "How many types, and are they there?",
        "Lower is better for BIC, SABIC and ICL (BIC plus twice the entropy). Stability: the classes are fitted to "
        "resamples of the interviewed, and everybody is sorted again. Typing: how well behaviour finds the types at "
        "that number. Below it the pairs of items that go together more than the types explain (residual above 3.84): "
        "they ask much the same, and together count for more than one. Pairs of choices, which must add up, are left "
        "out.",
        "Wie viele Typen, und gibt es sie?",
        "Kleiner ist besser bei BIC, SABIC und ICL (BIC plus doppelte Entropie). Stabilität: Die Klassen werden an "
        "Zufallsstichproben der Befragten neu angepasst, danach werden alle neu zugeordnet. Typisierung: wie gut "
        "Verhalten die "
        "Typen bei dieser Zahl findet. Darunter die Paare von Merkmalen, die stärker zusammenhängen, als die "
        "Typen erklären (Residuum über 3,84): Sie fragen fast dasselbe und zählen zusammen mehr als einmal. Paare von "
        "Auswahlen, die sich ausgleichen müssen, fehlen.",
    ),
    "sample": (
        "Who was asked, and for whom they stand",
        "Interviewed persons weighted to all customers by lifecycle stage, age and main channel.",
        "Wer befragt wurde, und für wen sie stehen",
        "Befragte, auf alle Kunden gewichtet nach Lebensphase, Alter und Hauptkanal.",
    ),
    "typing": (
        "Can behaviour tell the type?",
        "Only behaviour from before the interview, nothing anybody answered; all figures for interviewed persons the "
        "model had not seen. The label itself is sometimes wrong, so no tool can agree with it more often than the "
        "dashed line. *True type* estimates how often the type behind the label is found. The marked step has the "
        "lowest log-loss, which "
        "judges probabilities; the bars judge only the most probable type.",
        "Erkennt Verhalten den Typ?",
        "Nur Verhalten vor dem Interview, keine Antwort; alle Zahlen für Befragte, die das Modell nicht kannte. Die "
        "Zuordnung selbst ist manchmal falsch, daher kann kein Verfahren öfter mit ihr übereinstimmen als die "
        "gestrichelte Linie. *Wahrer Typ* schätzt, wie oft der Typ hinter der Zuordnung getroffen wird. Die "
        "markierte Stufe hat den "
        "kleinsten Log-Loss, der Wahrscheinlichkeiten beurteilt; die Balken beurteilen nur den wahrscheinlichsten Typ.",
    ),
    "customers": (
        "Every customer's type",
        "Computed from behaviour alone, for interviewed persons too: no answer leaves the workbench as a fact about "
        "one person. Sizes are summed probabilities; counting the most probable type would make large types larger. "
        "Customers without orders have the mix of the channel they came by and are unclear.",
        "Der Typ jedes Kunden",
        "Allein aus Verhalten berechnet, auch für Befragte: Keine Antwort verlässt die Werkbank als Tatsache über eine "
        "Person. Größen sind summierte Wahrscheinlichkeiten; den wahrscheinlichsten Typ zu zählen würde große Typen "
        "überzeichnen. Kunden ohne Bestellung haben die Mischung ihres Herkunftskanals und gelten als unklar.",
    ),
    "truth": ("Types against the known truth", "", "Typen gegen die bekannte Wahrheit", ""),
}
_WORDS = {
    "type": ("Type", "Typ"),
    "survey_share": ("Share of customers (survey)", "Anteil der Kunden (Befragung)"),
    "stands_out": ("Stands out by (index)", "Fällt auf durch (Index)"),
    "respondents": ("Interviewed", "Befragte"),
    "k": ("Types", "Typen"),
    "verdict": ("Verdict", "Urteil"),
    "natural": ("natural", "natürlich"),
    "reproducible": ("reproducible", "reproduzierbar"),
    "constructed": ("CONSTRUCTED", "KONSTRUIERT"),
    "smallest_share": ("Smallest type", "Kleinster Typ"),
    "bic": ("BIC", "BIC"),
    "sabic": ("SABIC", "SABIC"),
    "aic": ("AIC", "AIC"),
    "icl": ("ICL", "ICL"),
    "relative_entropy": ("Relative entropy", "Rel. Entropie"),
    "jaccard_low": ("Jaccard, weakest type", "Jaccard, schwächster Typ"),
    "ari": ("Global ARI", "Globaler ARI"),
    "usefulness": ("Typing, macro-F1", "Typisierung, Makro-F1"),
    "starts": ("Starts with the best fit", "Starts mit bester Anpassung"),
    "of": ("{a} of {b}", "{a} von {b}"),
    "measure": ("Measure", "Kennzahl"),
    "objectors": (
        "of persons who object to profiling, left out before",
        "von Personen, die Profilbildung ablehnen, vorher weggelassen",
    ),
    "design_effect": ("design effect of the weights", "Designeffekt der Gewichte"),
    "effective_n": ("effective sample size", "effektive Stichprobengröße"),
    "worst_margin": ("largest distance to a margin", "größte Abweichung von einer Randverteilung"),
    "item_a": ("Item", "Merkmal"),
    "item_b": ("goes together with", "hängt zusammen mit"),
    "residual": ("Residual", "Residuum"),
    "step": ("Step", "Stufe"),
    "accuracy": ("Right by the survey", "Richtig nach Befragung"),
    "denoised_accuracy": ("True type (estimate)", "Wahrer Typ (Schätzung)"),
    "macro_f1": ("Macro-F1", "Makro-F1"),
    "log_loss": ("Log-loss", "Log-Loss"),
    "gain_log_loss": ("Gain in log-loss", "Gewinn im Log-Loss"),
    "precision": ("Precision", "Präzision"),
    "recall": ("Recall", "Trefferquote"),
    "lift_top_decile": ("Lift in the top tenth", "Lift im obersten Zehntel"),
    "balanced_accuracy": ("Balanced accuracy", "Ausgewogene Genauigkeit"),
    "kappa": ("Kappa", "Kappa"),
    "brier": ("Brier score", "Brier-Wert"),
    "ece": ("Calibration error", "Kalibrierungsfehler"),
    "label_ceiling": ("Reliability of the label", "Verlässlichkeit der Zuordnung"),
    "value": ("Types as they are", "Typen, wie sie sind"),
    "nested": ("Types fitted anew in each fold", "Typen in jedem Teil neu gefunden"),
    "base": ("Mix of types alone", "Mischung der Typen allein"),
    "feature": ("Behaviour", "Verhalten"),
    "speaks_for": ("tells most about", "sagt am meisten über"),
    "direction": ("more of it speaks", "mehr davon spricht"),
    "for": ("for", "dafür"),
    "against": ("against", "dagegen"),
    "customers": ("Customers", "Kunden"),
    "share": ("Share", "Anteil"),
    "revenue_share": ("Share of net revenue, corrected", "Anteil am Umsatz, bereinigt"),
    "assigned": ("Most probable type", "Wahrscheinlichster Typ"),
    "unclear": ("of these unclear", "davon unklar"),
    "band": ("Band", "Band"),
    "sure": ("sure (70% or more)", "sicher (ab 70 %)"),
    "likely": ("likely (50% or more)", "wahrscheinlich (ab 50 %)"),
    "unclear_band": ("unclear", "unklar"),
    "name": ("What", "Was"),
    "probability": ("Probability: {}", "Wahrscheinlichkeit: {}"),
    "psi": ("PSI", "PSI"),
    "stable": ("stable", "stabil"),
    "look": ("worth a look", "ansehen"),
    "shifted": ("another population", "andere Kundschaft"),
    "true_share": ("True share", "Wahrer Anteil"),
    "truth": (
        "The survey finds {k} types, in truth there are {true}; {right} of the interviewed are in their true one "
        "(ARI {ari}).",
        "Die Befragung findet {k} Typen, tatsächlich gibt es {true}; {right} der Befragten sind richtig zugeordnet "
        "(ARI {ari}).",
    ),
    "truth_customers": (
        " Behaviour finds the true type of {known} of customers with orders (estimated above: {denoised}), and of "
        "{all} of all.",
        " Verhalten trifft den wahren Typ von {known} der Kunden mit Bestellung (oben geschätzt: {denoised}) und von "
        "{all} aller.",
    ),
    "true_type": ("True type", "Wahrer Typ"),
    "found_right": ("True types found by behaviour", "Durch Verhalten getroffene wahre Typen"),
}


def chapter(key: str, language: str = "en"):
    """Return a chapter's heading and what to know before reading it, for display."""
    title, text = _CHAPTERS[key][2:] if language == "de" else _CHAPTERS[key][:2]
    return style.say(f"## {title}\n\n{text}".rstrip())


def types_table(types: Types, language: str = "en") -> pd.DataFrame:
    """Return the types with their size in the weighted survey and what they stand out by."""
    shares = survey_shares(types)
    told = {name: stands_out(types, name, language) for name in types.names}
    table = shares.assign(
        type=[style.title(name, language) for name in shares.type],
        stands_out=[" · ".join(told[name]) or style.MISSING for name in types.names],
    ).rename(columns={"share": "survey_share", "share_low": "survey_share_low", "share_high": "survey_share_high"})
    columns = ["type", "survey_share", "survey_share_low", "survey_share_high", "respondents", "stands_out"]
    return table_for_reading(table[columns], language, survey_share="share", respondents="count")


def choice_tables(types: Types, language: str = "en", most: int = 5) -> list[pd.DataFrame]:
    """Return the numbers of types compared, the chosen one marked, and the pairs of items explained least."""
    table = types.choice.table
    of = worded("of", language)
    starts = [of.format(a=a, b=b) for a, b in zip(table.replicated, table.finished, strict=True)]
    verdicts = [worded(word, language) if isinstance(word, str) else style.MISSING for word in table.verdict]
    chosen = [f"{k} ◂" if k == types.choice.k else str(k) for k in table.k]
    names = ["bic", "sabic", "aic", "icl", "relative_entropy", "smallest_share", "jaccard_low", "ari", "usefulness"]
    table = table[names].assign(starts=starts, verdict=verdicts)
    table.insert(0, "k", chosen)
    counts = dict.fromkeys(("bic", "sabic", "aic", "icl"), "count")
    labels = types.survey.labels(language)
    pairs = types.residuals
    choices = pairs.item_a.str.startswith(MAXDIFF) & pairs.item_b.str.startswith(MAXDIFF)
    pairs = pairs[(pairs.residual > 3.84) & (pairs.direction >= 0) & ~choices].drop(columns="direction").head(most)
    for side in ("item_a", "item_b"):
        pairs[side] = [labels.get(item, style.title(item, language)) for item in pairs[side]]
    shown = [table_for_reading(table, language, smallest_share="share", **counts)]
    return [*shown, table_for_reading(pairs, language)] if len(pairs) else shown


def outcomes_parts(types: Types, language: str = "en", currency: str = "EUR") -> list:
    """Return the chapter on outcomes, for display: one picture an outcome, or why the data cannot carry any."""
    import matplotlib.pyplot as plt

    if isinstance(types.outcomes, Refused):
        return [chapter("outcomes", language), style.say(types.outcomes.reason)]
    told = types.outcomes.table.groupby("outcome", sort=False)["n"].count()
    names = list(told.index[told > 0])
    size = (max(4.6 * len(names), 8), 1.9 + 0.62 * len(types.names))
    figure, axes = plt.subplots(1, len(names), figsize=size, squeeze=False, layout="constrained")
    for name, ax in zip(names, axes[0], strict=True):
        kind = "money" if name == "net_revenue" else "decimal"
        types.outcomes.plot(name, ax, language, kind=kind, currency=currency)
    plt.close(figure)
    return [chapter("outcomes", language), figure]


def type_pictures(types: Types, language: str = "en") -> list:
    """Return one picture a type, for display: its surest statements with intervals."""
    import matplotlib.pyplot as plt

    figures = []
    for name in types.names:
        figures.append(
            types.profiles.plot_bars(name, None, language, labels=types.survey.labels(language), most=8).figure
        )
        plt.close(figures[-1])
    return figures


def sample_table(types: Types, language: str = "en") -> pd.DataFrame:
    """Return how questionnaires became the sample, and what weighting cost.

    Where a step is smaller than `min_cell_survey` only those in the sample are told: other steps would give it away.
    """
    steps, least = types.survey.sample.summary(language), types.min_cell
    steps = steps.assign(key=types.survey.sample.counts.measure)
    objectors = {"measure": worded("objectors", language), "respondents": types.survey.objectors, "key": "objectors"}
    steps = pd.concat([steps, pd.DataFrame([objectors])], ignore_index=True)
    few = (steps.respondents > 0) & (steps.respondents < least)
    inside = ["answers", "duplicates", "broken_off", "straight_liners", "speeders"]
    if few[steps.key.isin(inside)].any():
        steps = steps[~steps.key.isin(inside)]
    rows = [
        (row.measure, f"< {least}" if 0 < row.respondents < least else style.number(row.respondents, language))
        for row in steps.itertuples()
        if row.key != "speeders" or types.survey.sample.timed
    ]
    weights = types.survey.weights.summary
    rows += [
        (worded("design_effect", language), style.number(weights.design_effect, language, 2)),
        (worded("effective_n", language), style.number(weights.effective_n, language)),
        (worded("worst_margin", language), style.percent(weights.worst_margin, language, 1)),
    ]
    return pd.DataFrame(rows, columns=[worded("measure", language), worded("respondents", language)])


def quality_tables(typing: Typing, language: str = "en") -> list[pd.DataFrame]:
    """Return the ladder, each type's precision and recall, all measures, and what the tool looks at most."""
    wide = ("accuracy", "denoised_accuracy", "gain_log_loss")
    names = [f"{name}{end}" for name in wide for end in ("", "_low", "_high")] + ["macro_f1", "log_loss"]
    ladder = typing.table[names].copy()
    marks = [" ◂" if chosen else "" for chosen in typing.table.chosen]
    steps = [typing.step(step, language) + mark for step, mark in zip(typing.table.step, marks, strict=True)]
    ladder.insert(0, "step", steps)
    names = ["precision", "precision_low", "precision_high", "recall", "recall_low", "recall_high", "lift_top_decile"]
    by_type = typing.per_type[names].copy()
    by_type.insert(0, "type", [style.title(name, language) for name in typing.per_type.type])
    head, nested = typing.headline, typing.nested or {}
    base = {"accuracy": "majority_accuracy", "macro_f1": "majority_macro_f1", "log_loss": "base_log_loss"}
    base |= {"brier": "base_brier"}
    names = ["accuracy", "denoised_accuracy", "balanced_accuracy", "macro_f1", "kappa", "log_loss", "brier", "ece"]
    measures = [
        (worded(name, language), head[name], nested.get(name, np.nan), head.get(base.get(name, ""), np.nan))
        for name in (*names, "label_ceiling")
    ]
    measures = pd.DataFrame(measures, columns=["measure", "value", "nested", "base"])
    top = typing.importance.head(8)
    looked_at = {
        "feature": [feature_label(name, language) for name in top.feature],
        "speaks_for": [style.title(name, language) for name in top.type],
        "direction": [worded("for" if value > 0 else "against", language) for value in top.coefficient],
    }
    return [
        table_for_reading(ladder, language, accuracy="share", denoised_accuracy="share"),
        table_for_reading(by_type, language, precision="share", recall="share"),
        table_for_reading(measures, language),
        table_for_reading(pd.DataFrame(looked_at), language),
    ]


def customers_tables(typed: "TypedCustomers | Refused", language: str = "en") -> list[pd.DataFrame]:
    """Return the sizes of types among all customers, how sure they are, and what has shifted.

    Nothing where customers are not typed.
    """
    if not typed:
        return []
    names = ["type", "customers", "share", "revenue_share", "assigned", "unclear"]
    sizes = typed.shares[names].copy()
    sizes["type"] = [style.title(name, language) for name in sizes["type"]]
    bands = typed.bands.copy()
    bands["band"] = [worded("unclear_band" if name == "unclear" else name, language) for name in bands["band"]]
    top = typed.drift.dropna(subset="psi").head(6)
    named = [
        worded("probability", language).format(style.title(name, language))
        if kind == "probability"
        else feature_label(name, language)
        for kind, name in zip(top["kind"], top["name"], strict=True)
    ]
    moved = pd.DataFrame({"name": named, "psi": top["psi"], "band": [worded(band, language) for band in top["band"]]})
    counts = {"customers": "count", "assigned": "count", "unclear": "count"}
    return [
        table_for_reading(sizes, language, share="share", revenue_share="share", **counts),
        table_for_reading(bands, language, customers="count"),
        table_for_reading(moved, language),
    ]


def plot_typing(typing: Typing, language: str = "en") -> None:
    """Draw the ladder and the calibration curve side by side."""
    import matplotlib.pyplot as plt

    left, right = plt.subplots(1, 2, figsize=(13, 4.4), width_ratios=(1.6, 1), layout="constrained")[1]
    typing.plot_ladder(left, language)
    typing.plot_calibration(right, language)


def table_for_reading(frame: pd.DataFrame, language: str, **kinds: str) -> pd.DataFrame:
    """Return a table as readers see it, its heads in their language."""
    shown = style.table(frame, language, **kinds)
    heads = {style.title(name, language): worded(name, language) for name in frame.columns if name in _WORDS}
    return shown.rename(columns=heads)


def worded(key: str, language: str) -> str:
    """Return a text of the chapters in a language."""
    return _WORDS[key][language == "de"]
