"""Findings as text: clauses, sentences and the evidence behind them, by fixed templates in English and German."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, log10

import pandas as pd

from waage import style
from waage.personas.findings import Rules
from waage.personas.phrases import BANDS, CLAUSES, CONSTRUCTS, DISTANCES, EVERYBODY, LEADS, LEVELS, RATIOS, WORDS
from waage.personas.topics import TOPICS, level_label

#: Sentences of a portrait: topics in order with the clauses each may have, then what fills up to the least number.
_ORDER = {"life": 2, "everyday": 1, "interests": 2, "motives": 2, "channels": 1, "rhythm": 2, "assortment": 1}
_SPARE = ("timing", "pains", "kpis")
FEWEST, MOST = 5, 7


@dataclass(frozen=True)
class Sentence:
    """One sentence with the findings it rests on.

    Attributes
    ----------
    text : str
        Plain text; pages escape it.
    finding_ids : tuple of str
        At least one.
    language, topic : str
    """

    text: str
    finding_ids: tuple[str, ...]
    language: str
    topic: str


def portrait(
    table: pd.DataFrame,
    known: pd.DataFrame,
    language: str = "en",
    *,
    currency: str = "EUR",
    rules: Rules | None = None,
) -> tuple[Sentence, ...]:
    """Return five to seven connected sentences on one type: how they live, what they are interested in, how they shop.

    Parameters
    ----------
    table : DataFrame
        Findings of one type.
    known : DataFrame, index variable
        As `catalogue` returns.
    language : str
        en or de.
    currency : str
    rules : Rules, optional
        Those of `findings`.

    Returns
    -------
    tuple of Sentence
        Each topic tells its surest finding; where nothing sets the type apart, its typical value and that nothing
        does. Fewer than five only where fewer variables can be shown; none below `tentative` respondents.
    """
    rules = rules or Rules()
    shown = table[table["n"] >= rules.tentative].reset_index(drop=True)
    shown = shown.assign(topic=lambda rows: rows["variable"].map(known["topic"]))
    chosen = {topic: _pick(shown[shown["topic"] == topic], known, most) for topic, most in _ORDER.items()}
    for topic in _SPARE:
        rows = _pick(shown[shown["topic"] == topic], known, 1)
        told = sum(bool(part) for part in chosen.values())
        if rows and (told < FEWEST or (told < MOST and rows[0]["strength"] != "silent")):
            chosen[topic] = rows
    parts = [(topic, chosen[topic]) for topic in TOPICS if chosen.get(topic)]
    used = {row["variable"] for _, rows in parts for row in rows}
    spare = [(topic, name) for topic in TOPICS for name in known.index[known["topic"] == topic] if name not in used]
    for topic, name in spare if len(parts) < FEWEST else ():  # a study with little in it: what is left, one by one
        rows = _pick(shown[shown["variable"] == name], known, 1)
        if rows and len(parts) < FEWEST:
            place = max((i + 1 for i, (own, _) in enumerate(parts) if own == topic), default=len(parts))
            parts.insert(place, (topic, rows))
    sentences, before, again = [], "", False
    for topic, rows in parts:
        lead = LEADS[topic][language == "de"] if topic != before and sentences else ""
        clauses = []
        for row in rows:
            clauses.append(clause(row, known, language, currency=currency, rules=rules, again=again))
            again = True
        text = "; ".join([_led(lead, clauses[0], language), *(_plainly(part) for part in clauses[1:])])
        if topic == "life" and all(row["strength"] == "silent" for row in rows):
            text = WORDS["mixed_life"][language == "de"].format(_capital(text) if language == "de" else text)
        ids = tuple(row["id"] for row in rows)
        sentences.append(Sentence(_capital(text) + ".", ids, language, topic))
        before = topic
    return tuple(sentences)


def clause(
    row: Mapping,
    known: pd.DataFrame,
    language: str = "en",
    *,
    currency: str = "EUR",
    rules: Rules | None = None,
    again: bool = False,
) -> tuple[str, str, str]:
    """Return subject, verb and the rest, with the words for strength, of what a finding says.

    Parameters
    ----------
    row : mapping
        A row of `findings` that is not hidden.
    known : DataFrame, index variable
    language, currency : str
    rules : Rules, optional
    again : bool
        Whether all customers have been mentioned before, so that a short word for them will do.
    """
    told, at = known.loc[row["variable"]], language == "de"
    words = {"q": quantity(row, told["form"], language, currency), "x": name_of(row, known, language)}
    strength = comparison(row, language, rules, again)
    if told["form"] == "score":
        words |= {"far": _far(row, at, unit=False), "higher": WORDS["higher" if row["difference"] > 0 else "lower"][at]}
        strength = f"{('than', 'als')[at]} {EVERYBODY['of'][again][at]}"
        if row["strength"] == "tentative":
            words["far"] = WORDS["probably"][at].format(words["far"])
    subject, verb, rest = (part.format(**words) for part in CLAUSES[_template(row, told)][at])
    if at:  # "nearly all" needs the other case
        subject = subject.replace(f"{WORDS['all'][1]} ihrer ", f"{WORDS['all'][1]} ihre ")
    tail = f" {rest}" if rest else ""
    return subject, verb, f"{tail}{' ' if told['form'] == 'score' else ', '}{strength}"


def statement(row: Mapping, known: pd.DataFrame, language: str = "en", *, currency: str = "EUR") -> str:
    """Return a finding as one line without a full stop, for lists."""
    return _capital(_plainly(clause(row, known, language, currency=currency)))


def name_of(row: Mapping, known: pd.DataFrame, language: str) -> str:
    """Return what a finding is about: a statement, the name after a colon, a level, a category."""
    variable, told, at = row["variable"], known.loc[row["variable"]], language == "de"
    label, level = told["label_de" if at else "label_en"], row["level"]
    template = _template(row, told)
    if template == "level":
        return f"{label}: {level_label(level, language)}"
    if row["kind"] == "categorical":
        return level_label(level, language, goods=variable.startswith("category"))
    if told["form"] == "score":
        return CONSTRUCTS[told["construct"]][2 + at] if told["construct"] in CONSTRUCTS else label
    if variable.startswith(_SHARES):
        return level_label(variable.split("_", 1)[1], language, goods=variable.startswith("category_"))
    if template == "stress":
        return _SCALE.sub("", label)
    if template in ("interests", "thing", "thing_numeric", "word"):
        return label.split(": ", 1)[-1]
    return label


def quantity(row: Mapping, form: str, language: str, currency: str = "EUR") -> str:
    """Return the type's value rounded as one would say it: about 4 in 10, about €60, about 4 times."""
    value, at = float(row["type_value"]), language == "de"
    if row["kind"] != "numeric" or form == "share":
        tenth = floor(10 * value + 0.5)
        if value < 0.05 or value >= 0.95:
            return WORDS["few" if value < 0.05 else "all"][at]
        if value < 0.075:
            return WORDS["five"][at]
        return WORDS["half"][at] if tenth == 5 else WORDS["one"][at] if tenth == 1 else _in_ten(tenth, at)
    if form == "times":
        if value < 0.75:
            return WORDS["rarely"][at]
        times = WORDS["once"][at] if value < 1.5 else WORDS["times"][at].format(floor(value + 0.5))
        return WORDS["about"][at].format(times)
    return WORDS["about"][at].format(_written(_rounded(value, form), form, language, currency))


def comparison(row: Mapping, language: str, rules: Rules | None = None, again: bool = False) -> str:
    """Return how the type compares with all customers; the words are bound to bands of the index or distance."""
    rules, at = rules or Rules(), language == "de"
    everybody = {name: pair[again][at] for name, pair in EVERYBODY.items()}
    if row["strength"] == "silent":
        sure = pd.notna(row["q_value"]) and row["q_value"] < rules.q
        return WORDS["same" if alike(row, rules) else "small" if sure else "unsure"][at].format(**everybody)
    if row["kind"] == "numeric":
        more = WORDS["more" if row["difference"] > 0 else "less"][at]
        text = WORDS["than"][at].format(far=_far(row, at), more=more, **everybody)
    else:
        index = floor(row["index"] + 0.5)  # as printed
        over = index > 100
        strong = index if over else 1e4 / max(index, 1)
        # The weakest band begins where `rules` say, wherever that is.
        band = next((band for band in BANDS if strong >= band[0]), BANDS[-1])
        text = f"{band[(1 if over else 3) + at]} {everybody['who']}"
    return WORDS["probably"][at].format(text) if row["strength"] == "tentative" else text


def alike(row: Mapping, rules: Rules | None = None) -> bool:
    """Return whether the whole interval lies where a difference would not be worth a sentence."""
    rules = rules or Rules()
    if row["kind"] == "numeric":
        ends = [(row[end] - row["base_value"]) / row["sd"] for end in ("value_low", "value_high")]
        return max(map(abs, ends)) < rules.distance
    return rules.under < row["low"] and row["high"] < rules.over


def evidence(row: Mapping, known: pd.DataFrame, language: str = "en", currency: str = "EUR") -> str:
    """Return the numbers behind a finding: value with range, all customers, index, n and q."""
    form, at = known.loc[row["variable"], "form"], language == "de"
    if pd.isna(row["n"]):
        return WORDS["hidden"][at]
    share = row["kind"] != "numeric"
    written = {
        name: _written(float(row[column]), "part" if share else form, language, currency)
        for name, column in (("value", "type_value"), ("low", "value_low"), ("high", "value_high"),
                             ("base", "base_value"))
    }  # fmt: skip
    ends = [style.number(row[name], language) for name in ("index", "low", "high")]
    q = row["q_value"]
    small = pd.notna(q) and q < 0.001
    sure = WORDS["q_small"][at] if small else WORDS["q"][at].format(style.number(q, language, 3))
    index = WORDS["index"][at].format(*ends) if share and pd.notna(row["index"]) else ""
    return WORDS["evidence"][at].format(**written, index=index, n=style.number(row["n"], language), sure=sure)


def _pick(rows: pd.DataFrame, known: pd.DataFrame, most: int) -> list[dict]:
    """Return the findings to tell of a topic: sure ones first, more before less; else what is typical."""
    told = rows[rows["strength"] != "silent"].assign(
        sure=lambda part: part["strength"] == "say",
        over=lambda part: part["difference"] > 0,
        size=lambda part: part["statistic"].abs(),
    )
    told = told.sort_values(["sure", "over", "size", "id"], ascending=[False, False, False, True], kind="stable")
    few = told[~told["over"] & (told["kind"] == "categorical")]  # what few are is no picture of a life by itself
    told = told.drop(few.index).drop_duplicates("variable").head(most)
    if len(told):
        return told.to_dict("records")
    if len(few) and most > 1:
        typical = _pick(rows.drop(few.index), known, 1)
        return [*typical[: most - 1], few.iloc[0].to_dict()]
    forms = rows["variable"].map(known["form"])
    rest = rows[(forms != "score") & rows["type_value"].notna()]
    if rest.empty:
        return []
    common = rest[(rest["kind"] != "numeric") | forms[rest.index].isin(["share", "part"])]
    if common.empty:
        order = {name: place for place, name in enumerate(known.index)}
        return rest.sort_values("variable", key=lambda names: names.map(order)).head(most).to_dict("records")
    common = common.assign(sex=common["variable"].isin(_SEX)).sort_values(
        ["sex", "type_value", "id"], ascending=[True, False, True], kind="stable"
    )
    life = (common["topic"] == "life").all()
    return common.drop_duplicates("variable").head(most if life else 1).to_dict("records")


def _template(row: Mapping, told: pd.Series) -> str:
    variable, level, categorical = row["variable"], row["level"], row["kind"] == "categorical"
    if variable in CLAUSES:
        worded = level in LEVELS or (_NUMBERS.fullmatch(level) and variable not in ("gender", "occupation"))
        if worded or (not categorical and variable not in _LEVELLED):
            return alone if (alone := f"{variable}={level}") in CLAUSES else variable
    if categorical:
        return "level"
    prefix = next((prefix for prefix in _SHARES if variable.startswith(prefix)), None)
    if prefix or told["form"] == "score":
        return prefix or "score"
    numeric = row["kind"] == "numeric"
    if told["construct"] == "comment":
        return "word"
    if told["form"] == "thing":
        return "thing_numeric" if numeric else "interests" if told["topic"] == "interests" else "thing"
    if told["form"] == "statement" and not numeric:
        return "stress" if _SCALE.search(told["label_en"]) else "statement"
    return "number"


_SEX = ("gender", "sex")  # of what sets nobody apart, the last to be told
_SHARES = ("channel_", "category_")
_SCALE = re.compile(r"[:;,(]\s*1\b.*$")  # "Good materials: 1 very important to 5 unimportant" is no sentence
_NUMBERS = re.compile(r"\d+(\s*[-–]\s*\d+|\s*\+)?")
_LEVELLED = ("age_group", "gender", "household_size", "occupation")


def _led(lead: str, parts: tuple[str, str, str], language: str) -> str:
    if not lead:
        return _plainly(parts)
    subject, verb, tail = parts
    # German puts the verb second.
    return f"{lead} {verb} {subject}{tail}" if language == "de" else f"{lead}, {subject} {verb}{tail}"


def _plainly(parts: tuple[str, str, str]) -> str:
    return f"{parts[0]} {parts[1]}{parts[2]}"


def _far(row: Mapping, at: bool, unit: bool = True) -> str:
    """Return the adverb of a difference: large only if it is so in standard deviations and, in a unit, as a ratio."""
    words = [place for place, (least, *_) in enumerate(DISTANCES) if abs(row["difference"]) >= least][:1]
    value, base = row["type_value"], row["base_value"]
    if unit and value > 0 and base > 0:
        ratio = max(value / base, base / value)
        words += [place for place, least in enumerate(RATIOS) if ratio >= least][:1]
    return DISTANCES[max(words)][1 + at]


def _in_ten(tenth: int, at: bool) -> str:
    return WORDS["in_ten"][at].format(tenth)


def _rounded(value: float, form: str) -> float:
    """Return a value as precise as one says it: shares to 5 points, else about two figures."""
    size = abs(value)
    if form == "part":
        step = 0.05 if size >= 0.1 else 0.01
    elif size < 10:
        step = 0.5 if size >= 1 else 0.1
    else:
        step = 5 if size < 100 else 10 ** (floor(log10(size)) - 1)
    return floor(value / step + 0.5) * step


def _written(value: float, form: str, language: str, currency: str) -> str:
    if form in ("part", "share"):
        return style.percent(value, language)
    if form == "money":
        return style.money(value, currency, language, 0 if float(value).is_integer() or abs(value) >= 100 else 2)
    if form == "score":
        return style.number(value, language, 2)
    decimals = 0 if float(value).is_integer() or abs(value) >= 100 else 1
    text = style.number(value, language, decimals)
    return WORDS["days"][language == "de"].format(text) if form == "days" else text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
