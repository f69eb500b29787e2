"""What the page makes of the tables of notebook 05: words, cards and frames, nothing computed anew."""

import pandas as pd

from waage import style
from waage.ix.checks import grade_words
from waage.ix.measurement import compared


def stored_labels(
    units: pd.DataFrame | None, items: pd.DataFrame | None, language: str = "en"
) -> tuple[dict[str, str], dict[str, str]]:
    """Return how units are called and how items are worded, from the tables `units` and `items`."""
    labels, wording = {}, {}
    if units is not None and "label" in units:
        labels = dict(units.dropna(subset=["label"])[["unit", "label"]].itertuples(index=False))
    if items is not None:
        for row in items.to_dict("records"):
            text = row.get("label_de" if language == "de" else "label") or row.get("label")
            if isinstance(text, str):
                wording[row["item"]] = text
    return labels, wording


def page_cards(
    line: pd.DataFrame | None, value: pd.DataFrame | None, currency: str = "EUR", language: str = "en", weeks: int = 13
) -> list[tuple[str, str, str]]:
    """Return the cards of the page: IX now, what a point does to demand, what it is worth, and the evidence."""
    if line is None or not len(line):
        return []
    now, _ = compared(line, weeks)
    half = 1.96 * now["variance"].sum(skipna=False) ** 0.5 / len(now)
    words, between = _WORDS[language == "de"], " bis " if language == "de" else " to "
    note = words["now"].format(weeks=len(now), half=style.number(half, language, 1))
    cards = [("ix_now", style.number(now["ix"].mean(), language, 1), note)]
    if value is None:
        return [*cards, ("point_worth", words["unknown"], words["see"])]
    row = value[(value["unit"] == "all") & (value["measure"] == "demand")].iloc[0]
    ends = between.join(style.percent(row[name], language, 1) for name in ("effect_low", "effect_high"))
    effect = ("+" if row["effect"] > 0 else "") + style.percent(row["effect"], language, 1)
    cards.append(("point_effect", effect, words["interval"].format(ends=ends)))
    if row["supported"]:
        ends = between.join(style.compact(row[name], currency, language) for name in ("low", "high"))
        points = style.number(row["points"], language, 1)
        note = words["points"].format(points=points, ends=ends)
        cards.append(("point_worth", style.compact(row["value"], currency, language), note))
    support = between.join(style.number(row[name], language, 1) for name in ("support_low", "support_high"))
    return [*cards, ("evidence", grade_words(row["grade"], language), words["support"].format(ends=support))]


def stored_sentences(checks: pd.DataFrame, language: str = "en", count: int = 5) -> dict[str, str]:
    """Return what `ix_checks` says: link, limits, and the checks that matter most as a list."""
    column = "sentence_de" if language == "de" else "sentence"
    said = checks.set_index("check")[column]
    first = checks[checks["place"] > 0].sort_values("place").head(count)
    listed = "\n".join(f"- {text}" for text in first[column])
    return {"link": said["link"], "limits": said["limits"], "checks": listed}


def stored_drivers(table: pd.DataFrame | None) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Return the items' weights and the priced map of `ix_drivers`; None for what is not in it."""
    if table is None:
        return None, None
    weights = table[table["kind"] == "weight"].rename(columns={"value": "weight"})
    priced = table[table["kind"].isin(["performance", "points", "worth"])]
    priced = priced.pivot(index="item", columns="kind", values="value").reset_index()
    if "worth" not in priced:
        priced["worth"] = float("nan")
    return weights if len(weights) else None, priced if len(priced) else None


_WORDS = (
    {
        "now": "of 100, mean of {weeks} weeks, ± {half}",
        "unknown": "cannot be said",
        "see": "the reason stands below",
        "interval": "95%: {ends}",
        "points": "for {points} points; 95%: {ends}",
        "support": "holds for moves of {ends} points",
    },
    {
        "now": "von 100, Mittel aus {weeks} Wochen, ± {half}",
        "unknown": "lässt sich nicht sagen",
        "see": "der Grund steht unten",
        "interval": "95 %: {ends}",
        "points": "für {points} Punkte; 95 %: {ends}",
        "support": "gilt für Bewegungen von {ends} Punkten",
    },
)
