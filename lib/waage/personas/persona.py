"""The persona document of each type: everything a page, a poster or a sheet shows, as plain values."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from waage import style
from waage.errors import WaageError, did_you_mean
from waage.personas.findings import Rules
from waage.personas.phrases import ADVICE, CONSTRUCTS, FIRST_NAMES, WORDS
from waage.personas.sentences import Sentence, alike, evidence, name_of, portrait, statement
from waage.personas.topics import level_label, plain
from waage.privacy import mask_small

#: A level of life is told as the type's own only above this share, and if the index interval leaves 100 out.
TYPICAL = 0.6

_LISTS = {
    "motives": ("motives", "everyday"),
    "interests": ("interests",),
    "pains": ("pains",),
    "channels": ("channels",),
    "timing": ("timing",),
    "assortment": ("assortment",),
}
_SHOWN = ("pains", "channels", "timing", "assortment")  # typical values, too, where nothing stands out
_KPIS = ("orders_per_year", "order_value", "return_share", "satisfaction", "monetary")  # what every poster opens with
_MOST, _MOST_ADVICE, _MOST_SHARED, _LEAST_SHARED = 6, 4, 3, 2
_UNNAMED = re.compile(r"(type|typ|class|cluster|segment)?[_ ]?\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Persona:
    """What is known of one type, in one language; each statement names its finding.

    Attributes
    ----------
    type, language : str
    label : str
        Descriptive name: given, proposed from the strongest findings, or the segment's own.
    first_name : str or None
        From a neutral list, where asked for; it says nothing about the type.
    composite : str
        "Composite of N customers".
    n : float
        N: expected persons of the type among those the findings rest on; NaN where too few to be shown.
    size : dict
        share, share_low, share_high, revenue_share, revenue_share_low, revenue_share_high, customers; None where
        unknown or hidden.
    sentences : tuple of Sentence
        The portrait; empty where nothing can be said, `silence` then says so.
    silence : str or None
    separates : dict or None
        The finding that sets the type apart most, as an entry.
    life : tuple of dict
        One a variable: variable, label, text (its typical level, or "mixed"), typical (level or None), levels (each
        an entry with level).
    motives, interests, pains, channels, timing, assortment, kpis : tuple of dict
        Entries: finding_id, variable, level, topic, label, text, evidence, value, low, high, base, index, index_low,
        index_high, difference, n, strength. Said findings first; pains, channels, timing and assortment show all.
        `motives` holds attitudes and everyday life, too, `pains` reasons as needs.
    shared : tuple of dict
        Entries in which the type is like everyone; `proven` where the whole interval lies inside the limits.
    dos, donts : tuple of dict
        text, finding_id.
    recognise, timeline : dict or None
        As `recognise` and `timeline` return.
    basis : dict
        Whatever the caller says of the data (kind, respondents, field period, weighting), with `header` as text.
    as_of : str or None
    """

    type: str
    language: str
    label: str
    first_name: str | None
    composite: str
    n: float
    size: dict[str, float | None]
    sentences: tuple[Sentence, ...]
    silence: str | None
    separates: dict[str, Any] | None
    life: tuple[dict[str, Any], ...]
    motives: tuple[dict[str, Any], ...]
    interests: tuple[dict[str, Any], ...]
    pains: tuple[dict[str, Any], ...]
    channels: tuple[dict[str, Any], ...]
    timing: tuple[dict[str, Any], ...]
    assortment: tuple[dict[str, Any], ...]
    kpis: tuple[dict[str, Any], ...]
    shared: tuple[dict[str, Any], ...]
    dos: tuple[dict[str, str], ...]
    donts: tuple[dict[str, str], ...]
    recognise: dict[str, Any] | None = None
    timeline: dict[str, Any] | None = None
    basis: dict[str, Any] = field(default_factory=dict)
    as_of: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; what is missing or hidden is None."""
        return _jsonable(asdict(self))


def personas(
    table: pd.DataFrame,
    known: pd.DataFrame,
    *,
    language: str = "en",
    sizes: pd.DataFrame | None = None,
    labels: Mapping[str, str | Mapping[str, str]] | None = None,
    recognise: Mapping[str, Mapping] | None = None,
    timelines: Mapping[str, Mapping] | None = None,
    basis: Mapping[str, Any] | None = None,
    first_names: bool = False,
    currency: str = "EUR",
    rules: Rules | None = None,
    min_cell: int = 10,
) -> tuple[Persona, ...]:
    """Return the persona of every type, in the order of the findings.

    Parameters
    ----------
    table : DataFrame
        As `findings` returns, all types.
    known : DataFrame, index variable
        As `catalogue` returns.
    language : str
        en or de.
    sizes : DataFrame, optional
        As `sizes_by_type` returns.
    labels : mapping of type to str, or to a mapping of language to str, optional
        Names chosen by people, over those proposed; see `idle_labels` for those of types that are gone.
    recognise, timelines : mapping of type to mapping, optional
    basis : mapping, optional
        kind: "types" or "segments"; anything else is passed on.
    first_names : bool
    currency : str
    rules : Rules, optional
        Those of `findings`.
    min_cell : int
        A type with fewer persons has no number of customers.

    Raises
    ------
    WaageError
        If a variable is not in `known`.
    """
    rules, types = rules or Rules(), list(dict.fromkeys(table["type"]))
    if missing := sorted(set(table["variable"]) - set(known.index)):
        raise WaageError(f"personas: the catalogue lacks {missing[0]!r}{did_you_mean(missing[0], known.index)}")
    proposed = propose_labels(table, known, language)
    basis = dict(basis or {})
    basis["header"] = WORDS["segments" if basis.get("kind") == "segments" else "types"][language == "de"]
    found = []
    for place, name in enumerate(types):
        own = table[table["type"] == name].assign(topic=lambda rows: rows["variable"].map(known["topic"]))
        entries = _Entries(known, language, currency)
        found.append(
            Persona(
                type=name,
                language=language,
                label=plain(_given(labels, name, language) or proposed[name]),
                first_name=FIRST_NAMES[place % len(FIRST_NAMES)] if first_names else None,
                **_sized(name, own, sizes, min_cell, language),
                sentences=(told := portrait(own, known, language, currency=currency, rules=rules)),
                silence=None if told else WORDS["nothing"][language == "de"],
                separates=next(iter(entries.of(_strongest(own).head(1))), None),
                life=_life(own, known, entries, language),
                **{name: _list(own, topics, entries, rules) for name, topics in _LISTS.items()},
                kpis=entries.of(_kpis(_visible(own, ["rhythm", "kpis"], rules), known)),
                shared=_shared(own, entries, rules),
                **_advice(own, known, language),
                recognise=_plain_dict(recognise, name),
                timeline=_plain_dict(timelines, name),
                basis=basis,
                as_of=next(iter(own["as_of"].dropna()), None),
            )
        )
    return tuple(found)


def idle_labels(labels: Mapping[str, Any] | None, types: Sequence[str]) -> list[str]:
    """Return, as texts for a warning, the chosen names of types that do not exist (any more)."""
    gone = [name for name in labels or {} if name not in types]
    return [
        f"personas.labels in study.yaml names {name!r}, which is no type{did_you_mean(name, types)}" for name in gone
    ]


def propose_labels(table: pd.DataFrame, known: pd.DataFrame, language: str = "en") -> dict[str, str]:
    """Return a descriptive name for each type: what it wants most, by the findings that say it shows more of it.

    A known construct gives its noun (price: "Price-aware shoppers"); where two types share it, the next one is added.
    Without one the strongest finding is named; without any, the type's number. Types with a name of their own (RFM
    segments) keep it.
    """
    at, names, chosen = language == "de", list(dict.fromkeys(table["type"])), {}
    ranked = {name: _constructs(table[table["type"] == name], known) for name in names}
    first = [wanted[0] for wanted in ranked.values() if wanted]
    for place, name in enumerate(names, start=1):
        wanted = ranked[name]
        if not _UNNAMED.fullmatch(name):
            chosen[name] = style.title(name, language)
        elif wanted:
            # Doubles are told apart by what they want next.
            nouns = [CONSTRUCTS[own][at] for own in wanted[: 2 if first.count(wanted[0]) > 1 else 1]]
            chosen[name] = nouns[0] if len(nouns) == 1 else WORDS["and"][at].format(*nouns)
        else:
            rows = _strongest(table[table["type"] == name])
            rows = rows[rows["difference"] > 0].head(1).to_dict("records")
            told = WORDS["label_other"][at].format(name_of(rows[0], known, language)) if rows else ""
            chosen[name] = told or WORDS["group"][at].format(place)
    twice = [label for label in chosen.values() if list(chosen.values()).count(label) > 1]
    return {
        name: f"{label} ({place})" if label in twice else label
        for place, (name, label) in enumerate(chosen.items(), start=1)
    }


def sizes_by_type(
    posterior: np.ndarray,
    weights: np.ndarray,
    names: Sequence[str],
    revenue: np.ndarray | None = None,
    *,
    customers: float | None = None,
    corrected: bool = True,
    min_cell: int = 10,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return each type's share of customers and of revenue, with ranges.

    Parameters
    ----------
    posterior : array, shape (n, K)
        Customers by summed probability, never by the most probable type.
    weights : array, shape (n,)
    names : sequence of str, length K
    revenue : array, shape (n,), optional
        Net revenue of each person; persons without count for shares of customers alone.
    customers : float, optional
        Customers all of these stand for; the sum of the weights if left out.
    corrected : bool
        Whether revenue, of which the posterior knows nothing, is cleared of label errors (BCH, as in
        `waage.profiles`); not for the probabilities of a typing model that saw it.
    min_cell : int
        Smaller types are hidden, and with one the next smallest.
    confidence : float

    Returns
    -------
    DataFrame
        type, n, customers, share, share_low, share_high, revenue_share, revenue_share_low, revenue_share_high;
        intervals by linearisation for independent persons, cut at 0 and 1.
    """
    P, w = np.asarray(posterior, dtype=float), np.asarray(weights, dtype=float)
    z, people = NormalDist().inv_cdf((1 + confidence) / 2), len(w)
    share, everybody = w @ P / w.sum(), w.sum() if customers is None else customers
    influences = {"share": w[:, None] * (P - share) / w.sum()}
    values = {"share": share, "revenue_share": np.full(len(share), np.nan)}
    if revenue is not None:
        r = np.asarray(revenue, dtype=float)
        w = np.where(np.isnan(r), 0, w)  # of whom nothing is known says nothing of revenue
        r = np.nan_to_num(r)
        if corrected and not np.isin(P, (0, 1)).all():
            # Least squares of revenue on the probabilities, see waage.profiles.
            unmixing = np.linalg.pinv((w[:, None] * P).T @ P)
            means = unmixing @ (P.T @ (w * r))
            parts = w[:, None] * P * means + (w @ P) * (w[:, None] * (P @ unmixing)) * (r - P @ means)[:, None]
        else:
            parts = (w * r)[:, None] * P
        total = w @ r
        if total > 0:
            values["revenue_share"] = parts.sum(axis=0) / total
            influences["revenue_share"] = (parts - values["revenue_share"] * (w * r)[:, None]) / total
    table = pd.DataFrame({"type": list(names), "n": P.sum(axis=0)})
    table["customers"] = share * everybody
    for name, value in values.items():
        error = np.sqrt((influences[name] ** 2).sum(axis=0) * people / max(people - 1, 1)) if name in influences else 0
        table[name] = np.clip(value, 0, 1)
        table[f"{name}_low"], table[f"{name}_high"] = (np.clip(value + side * z * error, 0, 1) for side in (-1, 1))
    hidden = [column for column in table.columns if column not in ("type", "n")]
    return mask_small(table, "n", *hidden, min_cell=min_cell)


@dataclass(frozen=True)
class _Entries:
    known: pd.DataFrame
    language: str
    currency: str

    def of(self, rows: pd.DataFrame) -> tuple[dict[str, Any], ...]:
        return tuple(self.one(row) for row in rows.to_dict("records"))

    def one(self, row: Mapping) -> dict[str, Any]:
        share = row["kind"] != "numeric"
        return {
            "finding_id": row["id"],
            "variable": row["variable"],
            "level": row["level"],
            "topic": self.known.at[row["variable"], "topic"],
            "label": name_of(row, self.known, self.language),
            "text": None if pd.isna(row["n"]) else statement(row, self.known, self.language, currency=self.currency),
            "evidence": evidence(row, self.known, self.language, self.currency),
            "value": row["type_value"],
            "low": row["value_low"],
            "high": row["value_high"],
            "base": row["base_value"],
            "index": row["index"],
            "index_low": row["low"] if share else None,
            "index_high": row["high"] if share else None,
            "difference": row["difference"],
            "n": row["n"],
            "strength": row["strength"],
        }


def _sized(name: str, own: pd.DataFrame, sizes: pd.DataFrame | None, min_cell: int, language: str) -> dict[str, Any]:
    """Return n, composite and size."""
    n = own["n"].max()
    keys = ("share", "revenue_share")
    columns = ["customers", *(f"{key}{end}" for key in keys for end in ("", "_low", "_high"))]
    size = dict.fromkeys(columns)
    if sizes is not None and name in set(sizes["type"]):
        row = sizes.set_index("type").loc[name]
        size = {column: None if pd.isna(row[column]) else float(row[column]) for column in columns}
        n = n if pd.notna(row["n"]) else float("nan")
    n = float(n) if n >= min_cell else float("nan")
    key = "composite_hidden" if np.isnan(n) else "composite"
    text = WORDS[key][language == "de"].format(style.number(n, language))
    return {"n": n, "composite": text, "size": size}


def _strongest(own: pd.DataFrame) -> pd.DataFrame:
    told = own[own["strength"] != "silent"]
    told = told.assign(sure=told["strength"] == "say", size=told["statistic"].abs())
    return told.sort_values(["sure", "size", "id"], ascending=[False, False, True], kind="stable")


def _visible(own: pd.DataFrame, topics: Sequence[str], rules: Rules) -> pd.DataFrame:
    return own[own["topic"].isin(topics) & (own["n"] >= rules.tentative)]


def _list(own: pd.DataFrame, topics: Sequence[str], entries: _Entries, rules: Rules) -> tuple[dict, ...]:
    rows = _visible(own, topics, rules)
    told = _strongest(rows)
    if topics[0] in _SHOWN:
        rest = rows.drop(told.index).sort_values(["type_value", "id"], ascending=[False, True], kind="stable")
        return entries.of(pd.concat([told, rest]))
    return entries.of(told.head(_MOST))


def _kpis(rows: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return figures in the order of `_KPIS`, the others by how surely they set the type apart."""
    names = rows["variable"].mask(rows["variable"].map(known["construct"]) == "satisfaction", "satisfaction")
    place = names.map({name: place for place, name in enumerate(_KPIS)}).fillna(len(_KPIS))
    ranked = rows.assign(place=place, sure=-rows["statistic"].abs())
    return ranked.sort_values(["place", "sure", "id"], kind="stable").drop(columns=["place", "sure"])


def _life(own: pd.DataFrame, known: pd.DataFrame, entries: _Entries, language: str) -> tuple[dict, ...]:
    parts, at = [], language == "de"
    for variable in known.index[known["topic"] == "life"]:
        rows = own[own["variable"] == variable]
        if rows.empty or rows["type_value"].isna().all():
            continue
        clear = rows[(rows["type_value"] > TYPICAL) & (rows["low"] > 100) & (rows["kind"] != "numeric")]
        clear = clear[clear["strength"] != "silent"]
        typical = clear["level"].iloc[0] if len(clear) else None
        text = WORDS["mixed"][at] if typical is None else level_label(typical, language)
        label = known.at[variable, "label_de" if at else "label_en"]
        part = {"variable": variable, "label": label, "text": text, "typical": typical, "levels": entries.of(rows)}
        parts.append(part)
    return tuple(parts)


def _shared(own: pd.DataFrame, entries: _Entries, rules: Rules) -> tuple[dict, ...]:
    """Return what holds for this type as for everyone: proven alike first, then merely without a difference found."""
    rows = own[(own["n"] >= rules.tentative) & (own["strength"] == "silent") & own["p"].notna()]
    rows = rows[(rows["kind"] == "numeric") | (rows["type_value"] >= 0.1)]
    rows = rows[~rows["topic"].isin(["kpis"]) & (entries.known.loc[rows["variable"], "form"] != "score").to_numpy()]
    proven = np.array([alike(row, rules) for row in rows.to_dict("records")], dtype=bool)
    rows = rows.assign(proven=proven, apart=rows["difference"].abs())
    rows = rows[rows["proven"] | (rows["q_value"] >= rules.q)]
    rows = rows.sort_values(["proven", "apart", "id"], ascending=[False, True, True], kind="stable")
    rows = rows.drop_duplicates("variable")
    most = _MOST_SHARED if rows["proven"].sum() > _LEAST_SHARED else _LEAST_SHARED
    return tuple(entries.one(row) | {"proven": bool(row["proven"])} for row in rows.head(most).to_dict("records"))


def _constructs(own: pd.DataFrame, known: pd.DataFrame) -> list[str]:
    """Return the known constructs the type shows more of, the strongest (sum of statistics) first."""
    told = own[own["strength"] == "say"]
    construct = told["variable"].map(known["construct"])
    total = told["statistic"].groupby(construct).sum()
    total = total[total.index.isin(CONSTRUCTS) & (total > 0)]
    return list(total.sort_values(ascending=False, kind="stable").index)


def _advice(own: pd.DataFrame, known: pd.DataFrame, language: str) -> dict[str, tuple[dict[str, str], ...]]:
    """Return what to do and not to do: a rule for each construct or topic, the surest finding of each."""
    at, lists, seen = language == "de", {"dos": [], "donts": []}, set()
    for row in _strongest(own).to_dict("records"):
        construct, topic, over = known.at[row["variable"], "construct"], row["topic"], row["difference"] > 0
        by_construct = construct in CONSTRUCTS and topic in ("motives", "everyday")
        about = construct if by_construct else (topic, over)
        named = topic != "assortment" or row["variable"].startswith("category")  # a figure is nothing to put forward
        if about in seen or construct == "comment" or not named or not (by_construct or topic in ADVICE):
            continue
        seen.add(about)
        if by_construct:
            text = CONSTRUCTS[construct][(4 if over else 6) + at]
        else:
            text = ADVICE[topic][0 if over else 1][at].format(x=name_of(row, known, language))
        lists["dos" if over else "donts"].append({"text": text, "finding_id": row["id"]})
    return {name: tuple(rules[:_MOST_ADVICE]) for name, rules in lists.items()}


def _given(labels: Mapping[str, str | Mapping[str, str]] | None, name: str, language: str) -> str | None:
    given = (labels or {}).get(name)
    return given.get(language) if isinstance(given, Mapping) else given


def _plain_dict(parts: Mapping[str, Mapping] | None, name: str) -> dict[str, Any] | None:
    return dict(parts[name]) if parts and name in parts else None


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _jsonable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
