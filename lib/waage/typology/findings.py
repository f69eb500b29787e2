"""Sentences about the types, computed from the data, in English and German."""

import numpy as np
import pandas as pd

from waage import style
from waage.errors import Refused
from waage.privacy import mask_small
from waage.stats import wilson
from waage.typology.customers import TypedCustomers
from waage.typology.types import Types

_TEXTS = {
    "first": (
        "**{k} types of customers** by what they look for, from {n} interviews ({period}). The largest, {largest}, is "
        "{share} of customers ({low} to {high}) and stands out by: {told}. {verdict}",
        "**{k} Typen von Kunden** nach dem, was sie suchen, aus {n} Interviews ({period}). Der größte, {largest}, "
        "macht {share} der Kunden aus ({low} bis {high}) und fällt auf durch: {told}. {verdict}",
    ),
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
        "Weighting cannot meet all margins of the customer base (largest gap {gap}): of some too few answered.",
        "Die Gewichtung trifft nicht alle Ränder der Kundenbasis (größte Lücke {gap}): Manche Kunden antworteten zu "
        "selten.",
    ),
    "forced": (
        "Types of customers are written although behaviour does not carry them (*force_types*): act on no single one.",
        "Typen von Kunden werden geschrieben, obwohl Verhalten sie nicht trägt (*force_types*): auf keinen einzelnen "
        "bauen.",
    ),
    "conformal": (
        "Sets of types that hold the label of 80% of customers hold it for {coverage} of those not calibrated on; they "
        "have {size} types on average, {single} have just one.",
        "Mengen von Typen, die für 80 % der Kunden den richtigen enthalten sollen, enthalten ihn für {coverage} der "
        "nicht Verwendeten; sie haben im Mittel {size} Typen, {single} nur einen.",
    ),
    "customers": (
        "{n} persons typed: {clear} clear enough to act on, {unclear} unclear. Against those the model was trained "
        "on, {moved}.",
        "{n} Personen typisiert: {clear} klar genug, um danach zu handeln, {unclear} unklar. Gegenüber denen, an denen "
        "das Modell gelernt hat, {moved}.",
    ),
    "moved": (
        "{n} of {of} behaviours have shifted (PSI above 0.25)",
        "haben sich {n} von {of} Verhaltensmerkmalen verschoben (PSI über 0,25)",
    ),
    "unmoved": ("no behaviour has shifted", "hat sich kein Verhalten verschoben"),
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
    """Return the answers a type gives more often than all, the surest first, each with its index."""
    told = types.profiles.statements(name)
    told = told[(told["difference"] > 0) & (told["kind"] != "numeric") & (told["index"] >= 120)]
    labels, said = types.survey.labels(language), []
    for row in told.to_dict("records"):
        text = labels.get(row["variable"]) or style.title(row["variable"], language)
        if row["level"] not in ("", "yes"):
            text += f": {style.label(row['level'], language)}"
        said.append(f"{text} ({style.number(row['index'], language)})")
    return said[:most]


def first_finding(types: Types, language: str = "en") -> str:
    """Return the board's sentences: how many types, the largest one, and whether they are there."""
    from waage.typology.chapters import field_period

    shares = survey_shares(types)
    survey = types.survey
    top = shares.loc[shares.share.idxmax()]
    told = "; ".join(stands_out(types, top.type, language)).replace(" (", " (index ", 1) or _text("nothing", language)
    low, high = (style.percent(top[end], language) for end in ("share_low", "share_high"))
    said = _text("first", language).format(
        k=types.choice.k,
        n=style.number(survey.sample.n, language),
        period=field_period(survey.first_day, survey.last_day, language),
        largest=style.title(top.type, language),
        share=style.percent(top.share, language),
        low=low,
        high=high,
        told=told,
        verdict=types.choice.sentence(language),
    )
    return f"{said} {_text('life', language)}" if describes_life(types) else said


def describes_life(types: Types) -> bool:
    """Return whether no active item asks for a motive or an attitude, only for circumstances."""
    kinds = types.survey.sample.items["kind"]
    active = [item for item in types.choice.classes.items if item in kinds.index]
    return (
        bool(active)
        and all(kinds[item] == "trait" for item in active)
        and len(active) == len(types.choice.classes.items)
    )


def origin(types: Types, language: str = "en") -> str:
    """Return whether the types are new or those of an earlier day, and why there are so many."""
    kept = _text("kept", language).format(
        day=style.day(types.as_of, language), n=style.number(types.fitted_on, language)
    )
    said = [types.choice.reason(language), _text("fresh", language) if types.fresh else kept]
    scales = types.survey.sample.style_reason(language)
    said.append(("Skalen " if language == "de" else "Scale items ") + scales + ".")
    return " ".join([*said, types.agreement.sentence(language)])


def warnings(types: Types, force: bool, language: str = "en") -> list[str]:
    """Return what a reader must know before using the types; empty if there is nothing."""
    said = types.warnings(language)
    gap = types.survey.weights.summary.worst_margin
    if gap > 0.02:
        said.append(_text("margin", language).format(gap=style.percent(gap, language, 1)))
    if isinstance(types.typing, Refused):
        return [*said, types.typing.reason]
    return (
        said
        if types.typing.open
        else [*said, types.typing.sentence(language), *([_text("forced", language)] if force else [])]
    )


def conformal_finding(types: Types, language: str = "en") -> str:
    """Return what the sets of types hold."""
    sets = types.typing.sets
    return _text("conformal", language).format(
        coverage=style.percent(sets.coverage, language),
        size=style.number(sets.mean_size, language, 1),
        single=style.percent(sets.singletons, language),
    )


def customers_finding(typed: TypedCustomers, language: str = "en") -> str:
    """Return how many customers were typed, how surely, and how far they are from those of the training."""
    n = typed.bands.customers.sum()
    unclear = typed.bands.set_index("band").customers["unclear"] / n
    features = typed.drift[typed.drift.kind == "feature"]
    moved = int((features.band == "shifted").sum())
    words = _text("moved", language).format(n=moved, of=len(features)) if moved else _text("unmoved", language)
    return _text("customers", language).format(
        n=style.number(n, language),
        clear=style.percent(1 - unclear, language),
        unclear=style.percent(unclear, language),
        moved=words,
    )


def _text(key: str, language: str) -> str:
    return _TEXTS[key][language == "de"]
