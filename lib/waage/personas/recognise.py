"""How to recognise a type among all customers: the typing rule in words, and the probability from which to trust it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from waage import style
from waage.errors import WaageError, did_you_mean
from waage.personas.phrases import RECOGNISE, WORDS
from waage.personas.topics import catalogue
from waage.stats import wilson

#: Features named in a rule, and the log odds a standard deviation that is worth naming (judgement).
MOST, LEAST = 3, 0.15


def recognise(
    model: Mapping[str, Any],
    type: str,
    language: str = "en",
    *,
    known: pd.DataFrame | None = None,
    thresholds: pd.DataFrame | None = None,
    right: float = 0.7,
    min_cell: int = 10,
    typed: bool = False,
) -> dict[str, Any]:
    """Say in words what a typing model looks at for one type, and from which probability on it is trusted.

    Parameters
    ----------
    model : mapping
        Plain numbers of the typing model: types (K names), scales (mapping whose keys are the p features),
        coefficients (K rows of p, of the multinomial logit on standardised features), trees (empty, or K sequences
        of trees as (feature number, threshold, left, right)), open (whether it may type customers).
    type : str
    language : str
        en or de.
    known : DataFrame, index variable, optional
        As `catalogue` returns, for the names of features.
    thresholds : DataFrame, optional
        threshold, n (effective, above it), right and reached of the type, ascending, as the typing tool
        measured them out of fold.
    right : float
        Share of those above the threshold that shall belong to the type.
    min_cell : int
        Respondents that the tool asked for above each threshold.
    typed : bool
        Whether customers are typed though the model is not open.

    Returns
    -------
    dict
        rule (a sentence); features (list of feature, label, effect: log odds a standard deviation against the mean
        of all types); threshold, right, reached (shares; None where there is none); advice (a sentence, or None
        without `thresholds`).

    Raises
    ------
    WaageError
        If the type is not in the model, or its numbers do not fit together.
    """
    types, features, at = list(model["types"]), list(model["scales"]), language == "de"
    if type not in types:
        raise WaageError(f"recognise: the typing model has no type {type!r}{did_you_mean(type, types)}")
    effects = _effects(model, types.index(type), len(features))
    names = known if known is not None else catalogue(features)
    label = {
        name: names.at[name, "label_de" if at else "label_en"] if name in names.index else style.label(name, language)
        for name in features
    }
    ranked = sorted(zip(features, effects, strict=True), key=lambda pair: (-abs(pair[1]), pair[0]))
    told = [(name, effect) for name, effect in ranked if abs(effect) >= LEAST]
    up = _listed([label[name] for name, effect in told if effect > 0][:MOST], at)
    down = _listed([label[name] for name, effect in told if effect < 0][:MOST], at)
    if not model.get("open", True):
        key = "forced" if typed else "closed"
    elif model.get("trees"):
        key = "trees" if up else "none"
    else:
        key = "rule" if up else "only_down" if down else "none"
    against = RECOGNISE["down"][at].format(down=down) if down else ""
    rule = RECOGNISE[key][at].format(up=up, down=against if key == "rule" else down)
    found = {"threshold": None, "right": None, "reached": None, "advice": None}
    if thresholds is not None and key not in ("closed", "forced"):
        found = _advice(thresholds.to_dict("records"), right, min_cell, language)
    listed = [{"feature": name, "label": label[name], "effect": float(effect)} for name, effect in told[: 2 * MOST]]
    return {"rule": rule, "features": listed, **found}


def _effects(model: Mapping[str, Any], place: int, features: int) -> np.ndarray:
    """Return each feature's pull towards the type: log odds a standard deviation, or for trees the share of splits."""
    if model.get("trees"):
        counts = np.zeros(features)
        for tree in model["trees"][place]:
            _count(tree, counts)
        return counts / max(counts.sum(), 1)
    effects = np.asarray(model["coefficients"], dtype=float)
    if effects.shape != (len(model["types"]), features):
        raise WaageError(
            f"recognise: coefficients {effects.shape} for {len(model['types'])} types, {features} features"
        )
    # Only differences between types are determined in a multinomial logit.
    return effects[place] - effects.mean(axis=0)


def _count(tree: Any, counts: np.ndarray) -> None:
    if isinstance(tree, list | tuple):
        counts[int(tree[0])] += 1
        for branch in tree[2:]:
            _count(branch, counts)


def _advice(steps: list[Mapping[str, float]], right: float, min_cell: int, language: str) -> dict[str, Any]:
    """Return the lowest threshold at which enough of those above it belong to the type."""
    at = language == "de"
    for step in steps:
        if step["right"] >= right:
            low, high = wilson(step["right"] * step["n"], step["n"])
            text = RECOGNISE["threshold"][at].format(
                p=style.number(step["threshold"], language, 2),
                right=style.percent(step["right"], language),
                low=style.percent(low, language),
                high=style.percent(high, language),
                reached=style.percent(step["reached"], language),
            )
            numbers = {name: float(step[name]) for name in ("threshold", "right", "reached")}
            return {**numbers, "advice": text}
    text = RECOGNISE["no_threshold"][at].format(right=style.percent(right, language), n=min_cell)
    return {"threshold": None, "right": None, "reached": None, "advice": text}


def _listed(labels: list[str], at: bool) -> str:
    """Return labels as one enumeration, in quotes: they are names of figures."""
    quoted = [f"„{label}“" if at else f"“{label}”" for label in labels]
    if len(quoted) < 2:
        return "".join(quoted)
    return WORDS["and"][at].format(", ".join(quoted[:-1]), quoted[-1])
