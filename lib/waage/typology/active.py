"""What types are found by: scores of best-worst choices, scale items raw or centred, interests."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from waage.errors import WaageError, did_you_mean

#: Share of variance from which a first component of one sign is read as a habit of ticking high or low.
FIRST_COMPONENT = 0.25
MAXDIFF = "maxdiff_"

_ASKED = ("scale", "binary", "best", "worst")  # active by default: motives, attitudes, interests


def active_columns(
    answers: pd.DataFrame, book: pd.DataFrame, usable: pd.Series, wanted: Sequence[str] | None, scales: str
) -> tuple[pd.DataFrame, dict[str, str], tuple[str, str, float, bool]]:
    """Return what types are fitted on, the kind of each column, and how scale items were used.

    Parameters
    ----------
    answers : DataFrame, index response_id
        Every item as answered.
    book : DataFrame, index item
        The codebook.
    usable : Series of bool, index response_id
        Whose answers the rule for centring looks at.
    wanted, scales
        `active` and `scales` of `prepare_sample`, where the rule is told.

    Returns
    -------
    columns : DataFrame, index response_id
    kinds : dict
    facts : tuple
        raw or centred; the rule that said so (maxdiff, style, no_style, asked, no_scales); the first principal
        component's share; whether its loadings have one sign.

    Raises
    ------
    WaageError
        If a wanted item is not in the codebook.
    """
    if wanted is not None and (unknown := [item for item in wanted if item not in book.index]):
        raise WaageError(f"active: {unknown[0]!r} is not an item{did_you_mean(unknown[0], book.index)}")
    names = [item for item in book.index if (book.kind[item] in _ASKED if wanted is None else item in wanted)]
    of = {kind: [item for item in names if book.kind[item] == kind] for kind in book.kind.unique()}
    choices = of.get("best", []) + of.get("worst", [])
    values, kinds = {}, {}
    if choices:
        for option, score in maxdiff_scores(answers[choices], book.kind[choices]).items():
            values[f"{MAXDIFF}{option}"], kinds[f"{MAXDIFF}{option}"] = score, "gaussian"
    battery = answers[of.get("scale", [])].astype(float)
    share, one_sign = _first_component(battery[usable])
    one_style = one_sign and share > FIRST_COMPONENT
    rule = "no_scales" if battery.empty else "maxdiff" if choices else "style" if one_style else "no_style"
    wants = rule in ("maxdiff", "style") if scales == "auto" else scales == "centred"
    centred = wants and battery.shape[1] > 1
    if centred:
        battery = battery.sub(battery.mean(axis=1), axis=0)
    for item in battery:
        values[item] = battery[item]
        kinds[item] = "categorical" if not centred and battery[item].nunique() <= 7 else "gaussian"
    for kind, items in of.items():
        for item in items if kind in ("binary", "nominal", "trait") else []:
            values[item] = answers[item].astype(float) if kind == "binary" else answers[item]
            kinds[item] = "binary" if kind == "binary" else "categorical"
    table = pd.DataFrame(values, index=answers.index)
    rule = rule if scales == "auto" or rule == "no_scales" else "asked"
    return table, kinds, ("centred" if centred else "raw", rule, share, one_sign)


def maxdiff_scores(choices: pd.DataFrame, kinds: pd.Series) -> pd.DataFrame:
    """Return how much more often each option was best than worst, as shares of the sets in which a person met it.

    Parameters
    ----------
    choices : DataFrame, shape (n, items)
        The option chosen; NaN where a set was skipped. Items of one set share their name but for best and worst;
        the options of a set are those that anybody chose.
    kinds : Series, index item
        best or worst.

    Returns
    -------
    DataFrame, shape (n, options)
        -1 to 1, options in alphabetical order; NaN where a person met the option in no set answered.

    References
    ----------
    Marley and Louviere (2005), Journal of Mathematical Psychology 49; counts as in Louviere, Flynn and Marley
    (2015), Best-Worst Scaling.
    """
    stem = {item: re.sub(r"[_\W]*(best|worst)[_\W]*", "", item, flags=re.IGNORECASE) for item in choices}
    shown: dict[str, set] = {}
    for item in choices:
        shown.setdefault(stem[item], set()).update(choices[item].dropna())
    scores = {}
    for option in sorted(set().union(*shown.values())):
        score = pd.Series(0.0, index=choices.index)
        for kind, sign in (("best", 1), ("worst", -1)):
            met = [item for item in choices if kinds[item] == kind and option in shown[stem[item]]]
            if met:
                score += (
                    sign * choices[met].eq(option).sum(axis=1) / choices[met].notna().sum(axis=1).replace(0, np.nan)
                )
        scores[option] = score
    return pd.DataFrame(scores)


def _first_component(battery: pd.DataFrame) -> tuple[float, bool]:
    """Return the share of the first principal component of the raw scale items, and whether its loadings agree."""
    varied = battery.loc[:, battery.nunique() > 1]
    if varied.shape[1] < 2:
        return float("nan"), False
    values, vectors = np.linalg.eigh(varied.fillna(varied.mean()).corr())
    return float(values[-1] / values.sum()), bool(np.ptp(np.sign(vectors[:, -1])) == 0)
