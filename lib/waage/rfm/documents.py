"""What a segment is, for those who use it: rule, population, size with range, owner, version."""

from collections.abc import Mapping
from datetime import date
from math import floor

import pandas as pd
import yaml

from waage import style
from waage.rfm.scores import Scores
from waage.rfm.segments import Segmentation

_POPULATION = (
    "Persons with at least one order that counts up to the day and without an objection to profiling",
    "Personen mit mindestens einer zählenden Bestellung bis zum Stichtag und ohne Widerspruch gegen Profilbildung",
)
_WORDS = {
    "recency": ("last order {} days ago", "letzte Bestellung vor {} Tagen"),
    "frequency": ("{} orders", "{} Bestellungen"),
    "order": ("{} order", "{} Bestellung"),
    "up_to": ("up to {}", "bis zu {}"),
    "none": (
        "a number of orders that nobody has (bounds coincide)",
        "eine Zahl, die niemand hat (Grenzen fallen zusammen)",
    ),
    "no_day": ("no number of (bounds coincide)", "keiner Zahl von (Grenzen fallen zusammen)"),
    "window": (" in the last {} months", " in den letzten {} Monaten"),
    "both": ("score of frequency and monetary {}", "Punkte aus Häufigkeit und Umsatz {}"),
    "and": (" and ", " und "),
    "or": ("; or ", "; oder "),
    "over": ("more than {}", "mehr als {}"),
    "least": ("{} or more", "{} oder mehr"),
}


def definitions(
    segmentation: Segmentation, table: pd.DataFrame, as_of: date, owners: Mapping[str, object] | None = None
) -> pd.DataFrame:
    """Return the table `segments`: what a campaign manager needs to know of each segment.

    Parameters
    ----------
    segmentation : Segmentation
    table : DataFrame
        As `segment_table` returns, small groups masked.
    as_of : date
    owners : mapping, optional
        `rfm` of study.yaml: owner (of all) and owners (segment to owner); an owner in the grid wins over them.

    Returns
    -------
    DataFrame
        segment; position; grid; label, rule, meaning, action (English) and the same with _de; owner (NULL where
        nobody is named); as_of; thresholds_version, thresholds_as_of; customers, share, share_low, share_high
        (Wilson's interval at 95 %; NaN where hidden).
    """
    grid, scores, owners = segmentation.grid, segmentation.scores, owners or {}
    sizes = table.set_index("segment")
    rows = []
    for position, segment in enumerate(grid.segments):
        row = {"segment": segment, "position": position, "grid": grid.name}
        for language, ending in (("en", ""), ("de", "_de")):
            row |= {
                f"label{ending}": grid.label(segment, language),
                f"rule{ending}": rule(segmentation, segment, language),
                f"meaning{ending}": grid.text(segment, "meaning", language),
                f"action{ending}": grid.text(segment, "action", language),
            }
        own = grid.texts.get(segment, {}).get("owner")
        row["owner"] = own or owners.get("owners", {}).get(segment) or owners.get("owner") or None
        row |= {"as_of": as_of, "thresholds_version": scores.version, "thresholds_as_of": scores.as_of}
        size = sizes.loc[segment]
        hidden = pd.isna(size.customers)
        row["customers"] = float("nan") if hidden else float(size.customers)
        row |= {key: float("nan") if hidden else float(size[key]) for key in ("share", "share_low", "share_high")}
        rows.append(row)
    return pd.DataFrame(rows)


def population(definitions: pd.DataFrame, language: str = "en") -> str:
    """Return whom the segments divide, on which day, by which version of the thresholds, as one sentence."""
    first, german = definitions.iloc[0], language == "de"
    day, since = (style.day(first[name], language) for name in ("as_of", "thresholds_as_of"))
    version = first["thresholds_version"]
    if german:
        return f"{_POPULATION[1]}; Stichtag {day}, Raster {first['grid']}, Grenzen Version {version} vom {since}."
    return f"{_POPULATION[0]}; as of {day}, grid {first['grid']}, thresholds version {version} of {since}."


def rule(segmentation: Segmentation, segment: str, language: str = "en") -> str:
    """Return a segment's rule in words and numbers, from the thresholds in use."""
    grid, scores, customers = segmentation.grid, segmentation.scores, segmentation.customers
    words = {key: texts[language == "de"] for key, texts in _WORDS.items()}
    parts = []
    for (r_low, r_high), (y_low, y_high) in grid.rectangles(segment):
        own = []
        if (r_low, r_high) != (1, grid.scores):
            own.append(words["recency"].format(_days(scores.r.breaks, r_low, r_high, words, language)))
        if (y_low, y_high) != (1, grid.scores):
            if grid.y == "f":
                months = customers.window_months
                text = _orders(scores.f.breaks, y_low, y_high, words, bool(months))
                own.append(text + (words["window"].format(months) if months else ""))
            else:
                own.append(words["both"].format(y_low if y_low == y_high else f"{y_low}–{y_high}"))
        parts.append(words["and"].join(own))
    return words["or"].join(part for part in parts if part)


def to_yaml(definitions: pd.DataFrame, scores: Scores, min_cell: int) -> str:
    """Return the definitions as one YAML document, in both languages.

    Parameters
    ----------
    definitions : DataFrame
        As `definitions` returns.
    scores : Scores
        Whose upper bounds (days, orders, money) the rules are made of.
    min_cell : int
        Named where a size is hidden.
    """
    segments = []
    for row in definitions.sort_values("position").to_dict("records"):
        hidden = pd.isna(row["customers"])
        text = {"en": f"hidden, or fewer than {min_cell}", "de": f"verdeckt, oder weniger als {min_cell}"}
        size = text if hidden else {
            "customers": int(row["customers"]),
            "share": round(row["share"], 4),
            "share_95_percent_interval": [round(row["share_low"], 4), round(row["share_high"], 4)],
        }  # fmt: skip
        texts = {key: {"en": row[key], "de": row[f"{key}_de"]} for key in ("label", "rule", "meaning", "action")}
        segments.append({"segment": row["segment"], **texts, "owner": row["owner"], "size": size})
    first = definitions.iloc[0]
    head = {
        "grid": first["grid"],
        "as_of": str(first["as_of"]),
        "thresholds": {
            "version": int(first["thresholds_version"]),
            "as_of": str(first["thresholds_as_of"]),
            "upper_bounds": {measure: list(points) for measure, points in scores.breaks.items()},
        },
        "population": dict(zip(("en", "de"), _POPULATION, strict=True)),
    }
    return yaml.safe_dump(head | {"segments": segments}, allow_unicode=True, sort_keys=False, width=110)


def _days(breaks, low: int, high: int, words: Mapping[str, str], language: str) -> str:
    # Score 5 is the first bin; days are whole, so "up to 12.4" is up to 12.
    edges = [-1, *(floor(value) for value in breaks), None]
    scores = len(breaks) + 1
    since, until = edges[scores - high] + 1, edges[scores - low + 1]
    if until is not None and since > until:
        return words["no_day"]
    if until is None:
        return words["over"].format(style.number(since - 1, language))
    return f"{style.number(since, language)}–{style.number(until, language)}"


def _orders(breaks, low: int, high: int, words: Mapping[str, str], windowed: bool) -> str:
    edges = [0, *(floor(value) for value in breaks), None]
    since, until = edges[low - 1] + 1, edges[high]
    if until is None:
        return words["frequency"].format(words["least"].format(since))
    if since > until:
        return words["none"]
    single = until == 1 or since == until == 1
    count = str(until) if since == until else f"{since}–{until}"
    if windowed and low == 1:
        count = words["up_to"].format(until)
    return words["order" if single else "frequency"].format(count)
