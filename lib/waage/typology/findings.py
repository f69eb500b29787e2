"""Sentences about the types, computed from the data, in English and German."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from waage import style
from waage.errors import Refused
from waage.privacy import mask_small
from waage.stats import wilson
from waage.typology.active import MAXDIFF
from waage.typology.behaviour import feature_label
from waage.typology.customers import TypedCustomers
from waage.typology.types import Types

#: Standard deviations from which a choice stands out; random starts below which there is a warning; the share by which
#: weighted respondents may miss what is known of all customers (judgements).
APART, LEAST_STARTS, MOST_OFF = 0.3, 20, 0.1

# Settings of a model by the names of the notebook's parameters.
_SETTINGS = {"kinds": "active_items", "k": "n_types", "most": "most_types", "asked": "instrument"}
_TEXTS = {
    "first": (
        "**{k} types of customers** {by}, from {n} respondents ({period}). The largest, {largest}, is "
        "{share} of customers ({low} to {high}) and stands out by: {told}. {verdict}",
        "**{k} Kundentypen** {by}, aus {n} Befragten ({period}). Der größte, {largest}, "
        "macht {share} der Kunden aus ({low} bis {high}) und fällt auf durch: {told}. {verdict}",
    ),
    "first_hidden": (
        "**{k} types of customers** {by}, from {n} respondents ({period}); their sizes are too small to be shown. "
        "{verdict}",
        "**{k} Kundentypen** {by}, aus {n} Befragten ({period}); zu klein, um ihre Größe zu zeigen. {verdict}",
    ),
    "by_life": ("by their life situation", "nach ihrer Lebenslage"),
    "by_motive": ("by what they look for", "nach dem, was sie suchen"),
    "index": (" (index {})", " (Index {})"),
    "apart": (" (+{} standard deviations)", " (+{} Standardabweichungen)"),
    "changed": (
        "The types were found anew because other settings than before hold: {names}.",
        "Die Typen wurden neu gefunden, weil andere Einstellungen als zuvor gelten: {names}.",
    ),
    "starts": (
        "Only {n} random starts a fit; with fewer than {least} the best types may be missed.",
        "Nur {n} zufällige Starts je Anpassung; unter {least} können die besten Typen verfehlt werden.",
    ),
    "unheard": (
        "Nobody answered whose {trait} is {level} ({share} of customers): types and shares speak of the others.",
        "Niemand hat geantwortet, für den gilt: {trait} {level} ({share} der Kunden). Typen und Anteile gelten für die "
        "übrigen.",
    ),
    "off": (
        "Weighted respondents have {here} {what} each, all customers {there}: figures of types are off by as much.",
        "Gewichtete Befragte haben je {here} {what}, alle Kunden {there}: Kennzahlen der Typen liegen etwa so weit "
        "daneben.",
    ),
    "unlinked": (
        "{share} of the respondents are not in the customer file: they help to find types, and cannot be weighted.",
        "{share} der Befragten sind nicht in der Kundendatei: Sie helfen, Typen zu finden, und sind nicht gewichtbar.",
    ),
    "unseen": (
        "Behaviour does not recognise {types}: no better than guessing by size. Choose nobody by it.",
        "Das Verhalten erkennt {types} nicht: nicht besser als nach Größe geraten. Danach niemanden auswählen.",
    ),
    "weighting": ("weighted to all customers by {traits}", "gewichtet auf alle Kund:innen nach {traits}"),
    "unweighted": ("not weighted", "nicht gewichtet"),
    "and": (" and ", " und "),
    "natural": ("natural types", "natürliche Typen"),
    "reproducible": ("reproducible types", "reproduzierbare Typen"),
    "constructed": (
        "CONSTRUCTED TYPES: a way to cut, not something that is there",
        "KONSTRUIERTE TYPEN: ein Schnitt, nichts Vorgefundenes",
    ),
    "found": ("{verdict}, found on {day}", "{verdict}, gefunden am {day}"),
    "none": ("No types: {why}", "Keine Typen: {why}"),
    "nothing": ("nothing that can be said with confidence", "nichts, das sich sicher sagen lässt"),
    "kept": (
        "The types are those found on {day} with {n} respondents; they hold until new ones are asked for "
        "(*refit_types*).",
        "Die Typen sind die vom {day} mit {n} Befragten; sie gelten, bis neue verlangt werden (*refit_types*).",
    ),
    "fresh": ("The types were found in this run.", "Die Typen wurden in diesem Lauf gefunden."),
    "life": (
        "The answers describe a household, not what it wants: these are groups of life situation, no motives.",
        "Die Antworten beschreiben einen Haushalt und nicht, was er will: Das sind Lebenslagen, keine Motive.",
    ),
    "margin": (
        "Weighting cannot meet all margins of the customer base (largest gap {gap}, {trait} {level}): too few of these "
        "customers answered.",
        "Die Gewichtung trifft nicht alle Ränder der Kundenbasis (größte Lücke {gap}, {trait} {level}): Von diesen "
        "Kunden haben zu wenige geantwortet.",
    ),
    "forced": (
        "Types of customers are written although behaviour does not carry them (*force_types*): act on no single one.",
        "Typen von Kunden werden geschrieben, obwohl Verhalten sie nicht trägt (*force_types*): auf keinen einzelnen "
        "bauen.",
    ),
    "conformal": (
        "Where one type is too bold a guess: sets that are to hold the type of 80% of respondents hold it for "
        "{coverage} "
        "of those not calibrated on, with {size} types on average; {single} have just one.",
        "Wo ein einzelner Typ zu gewagt ist: Mengen, die den Typ von 80 % der Befragten enthalten sollen, enthalten "
        "ihn "
        "bei {coverage} derer, die nicht zum Kalibrieren dienten, im Mittel {size} Typen; {single} haben nur einen.",
    ),
    "customers": (
        "{n} persons typed: {clear} clear enough to act on, {unclear} unclear. Against those the model was trained "
        "on, {moved}.",
        "{n} Personen typisiert: {clear} klar genug, um danach zu handeln, {unclear} unklar. Gegenüber denen, an denen "
        "das Modell gelernt hat: {moved}.",
    ),
    "moved": (
        "{n} of {of} behaviours have shifted (PSI above 0.25)",
        "verschobene Verhaltensmerkmale (PSI über 0,25): {n} von {of}",
    ),
    "unmoved": ("no behaviour has shifted", "kein Verhaltensmerkmal verschoben"),
}


def survey_shares(types: Types) -> pd.DataFrame:
    """Return the size of every type in the weighted survey.

    Returns
    -------
    DataFrame
        type, respondents (expected, unweighted), share with share_low and share_high (Wilson on the effective n,
        95%). Types with fewer respondents than `min_cell` are hidden.
    """
    n, size = types.posterior.sum(axis=0), types.survey.weights.effective_n
    share = types.weights @ types.posterior / types.weights.sum()
    ends = np.array([wilson(value * size, size) for value in share])
    table = pd.DataFrame(
        {"type": types.names, "respondents": n, "share": share, "share_low": ends[:, 0], "share_high": ends[:, 1]}
    )
    return mask_small(table, "respondents", "share", "share_low", "share_high", min_cell=types.min_cell)


def stands_out(types: Types, name: str, language: str = "en", most: int = 3) -> list[str]:
    """Return the answers a type gives more often than all, the surest first, each with its index; then its choices."""
    told = types.profiles.statements(name)
    asked = told["variable"].isin(types.survey.sample.items.index)
    over = told[asked & (told["index"] >= 120)]
    chosen = told[told["variable"].str.startswith(MAXDIFF) & (told["difference"] >= APART)]
    labels, said = types.survey.labels(language), []
    for row in pd.concat([over, chosen]).head(most).to_dict("records"):
        text = labels.get(row["variable"]) or style.title(row["variable"], language)
        if row["level"] not in ("", "yes"):
            text += f": {style.label(row['level'], language)}"
        if row["kind"] == "numeric":
            said.append(text + _text("apart", language).format(style.number(row["difference"], language, 1)))
        else:
            said.append(text + _text("index", language).format(style.number(row["index"], language)))
    return said


def first_finding(types: "Types | Refused", language: str = "en") -> str:
    """Return the board's sentences: how many types, the largest one, whether they are there; empty without types."""
    if isinstance(types, Refused):
        return ""
    shares, survey = survey_shares(types), types.survey
    life = describes_life(types)
    words = {
        "k": types.choice.k,
        "n": style.number(survey.sample.n, language),
        "period": field_period(survey.first_day, survey.last_day, language),
        "verdict": types.choice.sentence(language),
        "by": _text("by_life" if life else "by_motive", language),
    }
    if shares.share.isna().all():
        return _text("first_hidden", language).format(**words)
    top = shares.loc[shares.share.idxmax()]
    low, high = (style.percent(top[end], language) for end in ("share_low", "share_high"))
    said = _text("first", language).format(
        largest=style.title(top.type, language),
        share=style.percent(top.share, language),
        low=low,
        high=high,
        told="; ".join(stands_out(types, top.type, language)) or _text("nothing", language),
        **words,
    )
    return f"{said} {_text('life', language)}" if life else said


def field_period(first: date, last: date, language: str = "en") -> str:
    """Return the days of the interviews as one phrase."""
    between = " bis " if language == "de" else " to "
    return between.join(style.day(day, language) for day in dict.fromkeys((first, last)))


def field_words(types: Types, language: str = "en") -> dict[str, str]:
    """Return field_period, weighting, verdict (in short) and caution (sentences), for those who print the types."""
    survey = types.survey
    traits = [feature_label(name, language) for name, levels in survey.base.margins.items() if len(levels) > 1]
    listed = ", ".join(traits[:-1]) + _text("and", language) + traits[-1] if len(traits) > 1 else "".join(traits)
    verdict = _text(types.choice.verdict, language)
    sentences = [types.choice.sentence(language), _text("life", language) if describes_life(types) else ""]
    return {
        "field_period": field_period(survey.first_day, survey.last_day, language),
        "weighting": _text("weighting" if traits else "unweighted", language).format(traits=listed),
        "verdict": _text("found", language).format(verdict=verdict, day=style.day(types.as_of, language)),
        "caution": " ".join(filter(None, sentences)),
    }


def describes_life(types: Types) -> bool:
    """Return whether no active item asks for a motive or an attitude, only for circumstances."""
    kinds = types.survey.sample.items["kind"]
    active = [item for item in types.choice.classes.items if item in kinds.index]
    return (
        bool(active)
        and all(kinds[item] == "trait" for item in active)
        and len(active) == len(types.choice.classes.items)
    )


def origin(types: "Types | Refused", cautions: Sequence[str], language: str = "en") -> list:
    """Return, for display, where the types come from and why there are so many, and below it the warnings as a list."""
    told = [style.say("\n".join(f"- {text}" for text in cautions))] if cautions else []
    if isinstance(types, Refused):
        return told
    kept = _text("kept", language).format(
        day=style.day(types.as_of, language), n=style.number(types.fitted_on, language)
    )
    said = [types.choice.reason(language), _text("fresh", language) if types.fresh else kept]
    scales = types.survey.sample.style_reason(language)
    said.append(("Skalen " if language == "de" else "Scale items ") + scales + ".")
    return [style.say(" ".join([*said, types.agreement.sentence(language)])), *told]


def warnings(types: "Types | Refused", force: bool, language: str = "en") -> list[str]:
    """Return what a reader must know before using the types, or that there are none; empty if there is nothing."""
    if isinstance(types, Refused):
        return [_text("none", language).format(why=types.reason)]
    said, survey = types.warnings(language), types.survey
    if types.changed:
        names = ", ".join(_SETTINGS.get(name, name) for name in types.changed)
        said.append(_text("changed", language).format(names=names))
    if types.settings["n_init"] < LEAST_STARTS:
        said.append(_text("starts", language).format(n=types.settings["n_init"], least=LEAST_STARTS))
    said += [
        _text("unheard", language).format(
            trait=feature_label(row.trait, language),
            level=style.label(row.level, language),
            share=style.percent(row.share, language),
        )
        for row in survey.base.unheard.itertuples()
    ]
    unlinked = survey.sample.respondents.loc[survey.sample.active.index, "person_id"].isna().mean()
    if unlinked > MOST_OFF:
        said.append(_text("unlinked", language).format(share=style.percent(unlinked, language)))
    margins = survey.weights.table
    gap = (margins.after - margins.population).abs()
    if gap.max() > MOST_OFF / 5:
        worst = margins.loc[gap.idxmax()]
        said.append(
            _text("margin", language).format(
                gap=style.percent(gap.max(), language, 1),
                trait=feature_label(worst.trait, language),
                level=style.label(worst.level, language),
            )
        )
    for name, there in survey.base_means.items():
        here = np.average(survey.outcomes[name].fillna(there), weights=types.weights)
        if there > 0 and abs(here / there - 1) > MOST_OFF:
            numbers = {"here": style.number(here, language, 2), "there": style.number(there, language, 2)}
            said.append(_text("off", language).format(what=style.label(name, language), **numbers))
    if isinstance(types.typing, Refused):
        return [*said, types.typing.reason]
    quality = types.typing.per_type
    blind = [style.title(name, language) for name in quality.type[quality.recall <= quality.share]]
    if types.typing.open:
        return [*said, _text("unseen", language).format(types=", ".join(blind))] if blind else said
    return [*said, types.typing.sentence(language, force), *([_text("forced", language)] if force else [])]


def conformal_finding(types: Types, language: str = "en") -> str:
    """Return what the sets of types hold."""
    sets = types.typing.sets
    return _text("conformal", language).format(
        coverage=style.percent(sets.coverage, language),
        size=style.number(sets.mean_size, language, 1),
        single=style.percent(sets.singletons, language),
    )


def customers_finding(types: Types, typed: "TypedCustomers | Refused", language: str = "en", min_cell: int = 10) -> str:
    """Return how many customers were typed, how surely, and how far they are from those of the training; or why not."""
    if not typed:
        told = isinstance(types.typing, Refused) or types.typing.open
        return typed.reason if told else types.typing.sentence(language)
    unclear = typed.bands.set_index("band").customers["unclear"] / typed.persons
    features = typed.drift[typed.drift.kind == "feature"]
    moved = int((features.band == "shifted").sum())
    words = _text("moved", language).format(n=moved, of=len(features)) if moved else _text("unmoved", language)
    return _text("customers", language).format(
        n=style.number(typed.persons, language) if typed.persons >= min_cell else f"< {min_cell}",
        clear=style.percent(1 - unclear, language),
        unclear=style.percent(unclear, language),
        moved=words,
    )


def _text(key: str, language: str) -> str:
    return _TEXTS[key][language == "de"]
