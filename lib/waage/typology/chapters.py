"""Chapters of the report on types and tables as readers see them, in English and German."""

from datetime import date

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from waage import style
from waage.errors import Refusal, Refused
from waage.privacy import mask_small
from waage.typology.behaviour import feature_label
from waage.typology.customers import TypedCustomers
from waage.typology.findings import stands_out, survey_shares
from waage.typology.types import Types
from waage.typology.typing import Typing

_CHAPTERS = {
    "types": (
        "Types: what customers want",
        "Types come from answers (motives, attitudes, interests) of the interviewed alone; age, spend and channel take "
        "no part and only describe. They are another cut than the segments: a segment says what somebody did, a type "
        "what somebody looks for. Shares are weighted to all customers.",
        "Typen: was Kunden wollen",
        "Typen entstehen allein aus Antworten (Motive, Einstellungen, Interessen) der Befragten; Alter, Umsatz und "
        "Kanal wirken nicht mit und beschreiben nur. Sie schneiden anders als die Segmente: Ein Segment sagt, was "
        "jemand tat, ein Typ, was jemand sucht. Anteile sind auf alle Kunden gewichtet.",
    ),
    "profiles": (
        "What sets the types apart",
        "Index 150: half as many again as among all interviewed. Scale items count as agreement (the two agreeing "
        "answers). Only what is coloured may be said (false discovery rate 5%). What is not an answer is drawn towards "
        "100, because types are known with error: what stands out does, what does not may still differ.",
        "Was die Typen unterscheidet",
        "Index 150: anderthalbmal so viele wie unter allen Befragten. Skalen zählen als Zustimmung (die zwei "
        "zustimmenden Antworten). Nur was farbig ist, darf gesagt werden (5 % falsche Entdeckungen). Was keine Antwort "
        "ist, liegt zu nah an 100, weil Typen mit Fehlern bekannt sind: Was auffällt, fällt auf; was nicht auffällt, "
        "kann sich dennoch unterscheiden.",
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
        "that number. Below it the pairs of items that the types explain least; above 3.84 the two ask much the same "
        "and together count for more than one.",
        "Wie viele Typen, und gibt es sie?",
        "Kleiner ist besser bei BIC, SABIC und ICL (BIC plus doppelte Entropie). Stabilität: Die Klassen werden an "
        "gezogene Stichproben der Befragten neu angepasst und alle neu zugeordnet. Typisierung: wie gut Verhalten die "
        "Typen bei dieser Zahl findet. Darunter die Paare von Merkmalen, die die Typen am wenigsten erklären; über "
        "3,84 fragen beide fast dasselbe und zählen zusammen mehr als einmal.",
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
        "dashed line. *De-noised* is the estimated share of true types found.",
        "Erkennt Verhalten den Typ?",
        "Nur Verhalten vor dem Interview, keine Antwort; alle Zahlen für Befragte, die das Modell nicht kannte. Die "
        "Zuordnung selbst ist manchmal falsch, daher kann kein Verfahren öfter mit ihr übereinstimmen als die "
        "gestrichelte Linie. *Entrauscht* ist der geschätzte Anteil wahrer Typen, der getroffen wird.",
    ),
    "customers": (
        "Every customer's type",
        "Computed from behaviour alone, for interviewed persons too: no answer leaves the workbench as a fact about "
        "one person. Sizes are summed probabilities; counting the most probable type would make large types larger. "
        "Customers without orders have the mix of the channel they came by and are unclear, which is a legal value.",
        "Der Typ jedes Kunden",
        "Allein aus Verhalten berechnet, auch für Befragte: Keine Antwort verlässt die Werkbank als Tatsache über eine "
        "Person. Größen sind summierte Wahrscheinlichkeiten; den wahrscheinlichsten Typ zu zählen machte große Typen "
        "größer. Kunden ohne Bestellung haben die Mischung ihres Herkunftskanals und sind unklar, ein erlaubter Wert.",
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
    "relative_entropy": ("Relative entropy", "Relative Entropie"),
    "jaccard_low": ("Jaccard, weakest type", "Jaccard, schwächster Typ"),
    "ari": ("Global ARI", "Globaler ARI"),
    "usefulness": ("Typing, macro-F1", "Typisierung, Makro-F1"),
    "starts": ("Best fit reached by starts", "Beste Anpassung in Starts"),
    "of": ("{a} of {b}", "{a} von {b}"),
    "measure": ("Measure", "Kennzahl"),
    "design_effect": ("design effect of the weights", "Designeffekt der Gewichte"),
    "effective_n": ("respondents of an unweighted sample that say as much", "ungewichtete Befragte, die so viel sagen"),
    "worst_margin": ("largest distance to a margin", "größter Abstand zu einem Rand"),
    "item_a": ("Item", "Merkmal"),
    "item_b": ("goes together with", "hängt zusammen mit"),
    "residual": ("Residual", "Residuum"),
    "step": ("Step", "Stufe"),
    "accuracy": ("Right by the survey", "Richtig nach Befragung"),
    "denoised_accuracy": ("De-noised", "Entrauscht"),
    "macro_f1": ("Macro-F1", "Makro-F1"),
    "log_loss": ("Log-loss", "Log-Loss"),
    "gain_log_loss": ("Gain in log-loss", "Gewinn im Log-Loss"),
    "precision": ("Precision", "Genauigkeit"),
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
    "speaks_for": ("speaks most for or against", "spricht am meisten für oder gegen"),
    "direction": ("more of it", "mehr davon"),
    "for": ("for", "dafür"),
    "against": ("against", "dagegen"),
    "customers": ("Customers", "Kunden"),
    "share": ("Share", "Anteil"),
    "revenue_share": ("Share of net revenue", "Anteil am Umsatz"),
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
        "The survey finds {k} types, {true} are true; {right} of the interviewed are in their true one (ARI {ari}).",
        "Die Befragung findet {k} Typen, {true} sind wahr; {right} der Befragten sind in ihrem wahren (ARI {ari}).",
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
    return _table(table[columns], language, survey_share="share", respondents="count")


def choice_tables(types: Types, language: str = "en", most: int = 5) -> list[pd.DataFrame]:
    """Return the numbers of types compared, the chosen one marked, and the pairs of items explained least."""
    table = types.choice.table
    of = _word("of", language)
    starts = [of.format(a=a, b=b) for a, b in zip(table.replicated, table.finished, strict=True)]
    verdicts = [_word(word, language) if isinstance(word, str) else style.MISSING for word in table.verdict]
    chosen = [f"{k} ◂" if k == types.choice.k else str(k) for k in table.k]
    names = ["bic", "sabic", "aic", "icl", "relative_entropy", "smallest_share", "jaccard_low", "ari", "usefulness"]
    table = table[names].assign(starts=starts, verdict=verdicts)
    table.insert(0, "k", chosen)
    counts = dict.fromkeys(("bic", "sabic", "aic", "icl"), "count")
    labels = types.survey.labels(language)
    pairs = types.residuals.head(most).copy()
    for side in ("item_a", "item_b"):
        pairs[side] = [labels.get(item, style.title(item, language)) for item in pairs[side]]
    return [_table(table, language, smallest_share="share", **counts), _table(pairs, language)]


def plot_outcomes(types: Types, language: str = "en", currency: str = "EUR") -> None:
    """Draw one picture an outcome side by side; a Refusal where the data cannot carry them."""
    import matplotlib.pyplot as plt

    if isinstance(types.outcomes, Refused):
        raise Refusal(types.outcomes.reason)
    names = list(types.outcomes.table["outcome"].unique())
    kinds = {"net_revenue": "money"}
    figure, axes = plt.subplots(1, len(names), figsize=(6.2 * len(names), 1.9 + 0.62 * len(types.names)), squeeze=False)
    for name, ax in zip(names, axes[0], strict=True):
        types.outcomes.plot(name, ax, language, kind=kinds.get(name, "decimal"), currency=currency)
    figure.tight_layout()


def sample_table(types: Types, language: str = "en", min_cell: int = 10) -> pd.DataFrame:
    """Return how questionnaires became the sample, and what weighting cost; numbers under `min_cell` are hidden."""
    steps = types.survey.sample.summary(language)
    few = (types.survey.sample.counts.respondents > 0) & (types.survey.sample.counts.respondents < min_cell)
    hidden = f"< {min_cell}"
    shown = [hidden if tiny else style.number(n, language) for n, tiny in zip(steps.respondents, few, strict=True)]
    weights = types.survey.weights.summary
    extra = [
        (_word("design_effect", language), style.number(weights.design_effect, language, 2)),
        (_word("effective_n", language), style.number(weights.effective_n, language)),
        (_word("worst_margin", language), style.percent(weights.worst_margin, language, 1)),
    ]
    rows = [*zip(steps.measure, shown, strict=True), *extra]
    return pd.DataFrame(rows, columns=[_word("measure", language), _word("respondents", language)])


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
        (_word(name, language), head[name], nested.get(name, np.nan), head.get(base.get(name, ""), np.nan))
        for name in (*names, "label_ceiling")
    ]
    measures = pd.DataFrame(measures, columns=["measure", "value", "nested", "base"])
    top = typing.importance.head(8)
    looked_at = {
        "feature": [feature_label(name, language) for name in top.feature],
        "speaks_for": [style.title(name, language) for name in top.type],
        "direction": [_word("for" if value > 0 else "against", language) for value in top.coefficient],
    }
    return [
        _table(ladder, language, accuracy="share", denoised_accuracy="share"),
        _table(by_type, language, precision="share", recall="share"),
        _table(measures, language),
        _table(pd.DataFrame(looked_at), language),
    ]


def customers_tables(typed: "TypedCustomers | Refused", language: str = "en", min_cell: int = 10) -> list:
    """Return the sizes of types among all customers, how sure they are, and what has shifted; small groups hidden.

    Nothing where customers are not typed.
    """
    if not typed:
        return []
    names = ["type", "customers", "share", "revenue_share", "assigned", "unclear"]
    sizes = mask_small(typed.shares[names], "customers", "share", "revenue_share", min_cell=min_cell)
    for name in ("assigned", "unclear"):
        sizes[name] = sizes[name].astype(float).mask((sizes[name] > 0) & (sizes[name] < min_cell))
    sizes["type"] = [style.title(name, language) for name in sizes["type"]]
    counts = {"customers": "count", "assigned": "count", "unclear": "count"}
    bands = mask_small(typed.bands, "customers", min_cell=min_cell)
    bands["band"] = [_word("unclear_band" if name == "unclear" else name, language) for name in bands["band"]]
    top = typed.drift.head(6)
    named = [
        _word("probability", language).format(style.title(name, language))
        if kind == "probability"
        else feature_label(name, language)
        for kind, name in zip(top["kind"], top["name"], strict=True)
    ]
    moved = pd.DataFrame({"name": named, "psi": top["psi"], "band": [_word(band, language) for band in top["band"]]})
    return [
        _table(sizes, language, share="share", revenue_share="share", **counts),
        _table(bands, language, customers="count"),
        _table(moved, language),
    ]


def plot_typing(typing: Typing, language: str = "en") -> None:
    """Draw the ladder and the calibration curve side by side."""
    import matplotlib.pyplot as plt

    left, right = plt.subplots(1, 2, figsize=(13, 4.4), width_ratios=(1.6, 1), layout="constrained")[1]
    typing.plot_ladder(left, language)
    typing.plot_calibration(right, language)


def against_truth(
    types: Types,
    typed: "TypedCustomers | Refused",
    identity_map: ir.Table,
    identities: ir.Table,
    persons: ir.Table,
    language: str = "en",
) -> tuple:
    """Return, for a simulated study, how well types were found: chapter, sentence, and sizes beside the true ones.

    Parameters
    ----------
    types, typed
    identity_map, identities : ibis tables
        source, source_id, person_id: as found, and the truth.
    persons : ibis table
        True person_id and type.
    language : str
    """
    real = identities.select("source", "source_id", true_id="person_id")
    pairs = identity_map.select("source", "source_id", "person_id").inner_join(real, ["source", "source_id"])
    pairs = pairs.group_by("person_id").agg(true_id=pairs.true_id.min())
    truth = pairs.inner_join(persons.select(true_id="person_id", true_type="type"), "true_id")
    known = truth.select("person_id", "true_type").to_pyarrow().to_pandas().set_index("person_id").true_type
    mine = known.reindex(types.survey.persons.to_numpy()).to_numpy()
    label = types.posterior[types.survey.positions].argmax(axis=1)
    seen = pd.notna(mine)
    cells = pd.crosstab(label[seen], mine[seen]).reindex(range(len(types.names)), fill_value=0)
    found, real_type = linear_sum_assignment(-cells.to_numpy())
    named = {types.names[i]: cells.columns[j] for i, j in zip(found, real_type, strict=True)}
    ari = style.number(adjusted_rand_score(label[seen], mine[seen]), language, 2)
    right = style.percent(cells.to_numpy()[found, real_type].sum() / cells.to_numpy().sum(), language)
    said = _word("truth", language).format(k=len(types.names), true=known.nunique(), right=right, ari=ari)
    shares = survey_shares(types)[["type", "share", "share_low", "share_high"]]
    table = shares.rename(columns={name: f"survey_{name}" for name in shares.columns if name != "type"})
    table["true_type"] = [style.title(named.get(name, ""), language) for name in table.type]
    if typed:
        both = typed.table.inner_join(truth.select("person_id", "true_type"), "person_id")
        with_orders = typed.history.to_pyarrow().to_pandas()
        both = (
            both.select("person_id", "type", "true_type", *(f"p_{i + 1}" for i in range(len(types.names))))
            .to_pyarrow()
            .to_pandas()
        )
        true_share = both.true_type.value_counts(normalize=True)
        sums = both[[f"p_{i + 1}" for i in range(len(types.names))]].mean().to_numpy()
        table["share"] = sums
        table["true_share"] = [true_share.get(named.get(name), np.nan) for name in table.type]
        right = both.type.map(named) == both.true_type
        words = {"all": right.mean(), "known": right[both.person_id.isin(with_orders.person_id)].mean()}
        denoised = types.typing.headline["denoised_accuracy"]
        words = {name: style.percent(share, language) for name, share in (words | {"denoised": denoised}).items()}
        said += _word("truth_customers", language).format(**words)
    table["type"] = [style.title(name, language) for name in table.type]
    return (
        chapter("truth", language),
        style.say(said),
        _table(table, language, survey_share="share", share="share", true_share="share"),
    )


def field_period(first: date, last: date, language: str = "en") -> str:
    """Return the days of the interviews as one phrase."""
    between = "bis" if language == "de" else "to"
    return (
        style.day(first, language)
        if first == last
        else f"{style.day(first, language)} {between} {style.day(last, language)}"
    )


def _table(frame: pd.DataFrame, language: str, **kinds: str) -> pd.DataFrame:
    shown = style.table(frame, language, **kinds)
    heads = {style.title(name, language): _word(name, language) for name in frame.columns if name in _WORDS}
    return shown.rename(columns=heads)


def _word(key: str, language: str) -> str:
    return _WORDS[key][language == "de"]
