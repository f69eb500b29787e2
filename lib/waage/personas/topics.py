"""Which part of a persona a variable belongs to, what it is called, and how answers become variables."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

import pandas as pd

from waage import style
from waage.errors import WaageError
from waage.personas.phrases import BEHAVIOUR, CONSTRUCTS, GOODS, LEVELS, PREFIXES, WORDS

#: Parts of a persona in the order in which they are told.
TOPICS = ("life", "everyday", "interests", "motives", "channels", "timing", "rhythm", "assortment", "pains", "kpis")
#: Constructs of statements about the day and not about shopping.
EVERYDAY = ("family", "leisure", "work", "home", "everyday", "health", "media")
#: Share of a scale's length from which an answer counts as agreement: the upper 2 of 5, 2 of 7, 3 of 0 to 10.
AGREES = 0.7

_LONGEST = 90  # characters of a label on a poster


def survey_variables(answers: pd.DataFrame, items: pd.DataFrame, agrees: float = AGREES) -> pd.DataFrame:
    """Return answers as variables of findings: agreement with a scale item, ticked boxes, levels of life.

    Parameters
    ----------
    answers : DataFrame, index response_id
        One column an item, missing codes NaN, as `Sample.answers` of the typology.
    items : DataFrame, index item
        kind, scale_min, scale_max (where missing, the lowest and highest answer), best.
    agrees : float
        See `AGREES`; an item whose best answer is the lowest is turned round.

    Returns
    -------
    DataFrame
        Columns in the order of `items`: 0 and 1 for scale and binary items, text for nominal items and traits.
        Best and worst choices are not among them (join the scores of the typology), nor are comments and items
        without answers.
    """
    columns = {}
    for item, asked in items.iterrows():
        if item not in answers or answers[item].isna().all() or asked["kind"] not in _KINDS:
            continue
        given = answers[item]
        if asked["kind"] == "scale":
            given = given.astype(float)
            ends = [given.min() if pd.isna(asked["scale_min"]) else asked["scale_min"]]
            ends += [given.max() if pd.isna(asked["scale_max"]) else asked["scale_max"]]
            place = (given - ends[0]) / (ends[1] - ends[0] or 1)
            place = 1 - place if asked["best"] == "min" else place
            given = (place > agrees).astype(float).where(place.notna())
        elif asked["kind"] == "binary":
            given = given.astype(float)
        else:
            given = given.where(given.isna(), given.astype(str))
        columns[item] = given
    return pd.DataFrame(columns, index=answers.index)


def feedback_variables(answers: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Return feedback as variables of persons: whether a reason was ever named, and the mean of each rating.

    Parameters
    ----------
    answers : DataFrame
        person_id, item, value: one row an answer, several of a person.
    items : DataFrame, index item
        kind: binary (reasons) or scale (stars); others are left out.

    Returns
    -------
    DataFrame, index person_id
        Only persons who gave feedback.
    """
    kinds = answers["item"].map(items["kind"])
    given = answers[kinds.isin(["binary", "scale"]) & answers["value"].notna() & answers["person_id"].notna()]
    if given.empty:
        return pd.DataFrame(index=pd.Index([], name="person_id"))
    by = given.astype({"value": float}).pivot_table("value", "person_id", "item", ["mean", "max"])
    names = by["mean"].columns
    return pd.DataFrame({name: by["max" if items.at[name, "kind"] == "binary" else "mean"][name] for name in names})


def orders_per_year(frequency: pd.Series, tenure_days: pd.Series) -> pd.Series:
    """Return orders a year since the first order; who is here for less than a year counts as for one."""
    return 365 * frequency / tenure_days.clip(lower=365)


def catalogue(
    variables: Sequence[str],
    items: pd.DataFrame | None = None,
    topics: Mapping[str, str] | None = None,
    labels: Mapping[str, tuple[str, str]] | None = None,
) -> pd.DataFrame:
    """Return what is known of each variable: where it belongs and what to call it.

    Parameters
    ----------
    variables : sequence of str
    items : DataFrame, index item, optional
        kind, construct, label, label_de of the survey's codebook.
    topics : mapping of variable to topic, optional
        One of `TOPICS`, over what kind and name say.
    labels : mapping of variable to (English, German), optional
        Over those of `items`.

    Returns
    -------
    DataFrame, index variable
        topic; form (statement, thing, level, score, share, money, days, number); construct; label_en, label_de
        (plain text of at most 90 characters; pages escape it).
    """
    if items is not None and not items.index.is_unique:
        raise WaageError(f"catalogue: item {items.index[items.index.duplicated()][0]!r} is twice in items; one survey")
    rows = {}
    for name in variables:
        if items is not None and name in items.index:
            asked = items.loc[name]
            topic, form, construct = _of_item(asked)
            pair = _framed(asked, construct)
        else:
            topic, form, construct, pair = _of_behaviour(name)
        english, german = (labels or {}).get(name, pair)
        english = english if isinstance(english, str) and english.strip() else style.label(name, "en")
        german = german if isinstance(german, str) and german.strip() else english
        rows[name] = ((topics or {}).get(name, topic), form, construct, plain(english), plain(german))
    columns = ["topic", "form", "construct", "label_en", "label_de"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def plain(text: str) -> str:
    """Return text in one line, without control and direction marks, cut at 90 characters; markup stays as it is."""
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or c in _JOINERS or _shown(c))
    kept = re.sub(" +", " ", kept).strip()
    return kept if len(kept) <= _LONGEST else kept[: _LONGEST - 1].rstrip() + "…"


def level_label(level: str, language: str, goods: bool = False) -> str:
    """Return the text of a stored level, such as f, employed or 30-44, or of a category of goods."""
    known = GOODS if goods else LEVELS
    if level in known:
        return known[level][language == "de"]
    if re.fullmatch(r"\d+ ?\+", level):
        return WORDS["or_more"][language == "de"].format(level.rstrip("+ "))
    text = plain(style.label(level, language))
    return text.replace("-", "–") if level[:1].isdigit() else text


_KINDS = ("scale", "binary", "nominal", "trait")
_JOINERS = "\u200d\ufe0f"  # they hold an emoji together


def _shown(c: str) -> bool:
    return unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def _of_item(asked: pd.Series) -> tuple[str, str, str]:
    construct = asked["construct"] if isinstance(asked["construct"], str) else ""
    if asked["kind"] in ("nominal", "trait"):
        return "life", "level", construct
    if construct in ("reason", "pain", "barrier", "comment"):
        return "pains", "thing", construct
    if construct == "satisfaction":
        return "kpis", "number", construct
    if asked["kind"] == "binary":
        return "interests", "thing", construct
    return ("everyday" if construct in EVERYDAY else "motives"), "statement", construct


def _framed(asked: pd.Series, construct: str) -> tuple[str, str]:
    """Return an item's labels; a rating and a word say what they are, which their own labels do not."""
    key, pair = {"satisfaction": "rating", "comment": "written"}.get(construct), (asked["label"], asked["label_de"])
    if key is None or not isinstance(pair[0], str):
        return pair
    german = pair[1] if isinstance(pair[1], str) and pair[1].strip() else pair[0]
    texts = zip(WORDS[key], (pair[0], german), WORDS[key], strict=True)
    return tuple(text if text.startswith(frame[:4]) else frame.format(text) for frame, text, _ in texts)


def _of_behaviour(name: str) -> tuple[str, str, str, tuple[str, str]]:
    if name in BEHAVIOUR:
        topic, form, *texts = BEHAVIOUR[name]
        return topic, form, "", (texts[0], texts[1])
    for prefix, (topic, form, english, german) in PREFIXES.items():
        if name.startswith(prefix):
            rest = name.removeprefix(prefix)
            construct = rest if form == "score" else ""
            known = CONSTRUCTS.get(rest) if form == "score" else None
            own = (
                (known[2], known[3])
                if known
                else tuple(level_label(rest, one, prefix == "category_") for one in ("en", "de"))
            )
            return topic, form, construct, (english.format(own[0]), german.format(own[1]))
    return "kpis", "number", "", (style.label(name, "en"), style.label(name, "de"))
