"""Findings: what a type shows more, less, or as often as all customers, each with its number and its base."""

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from waage.errors import Refusal, WaageError
from waage.privacy import hidden_numbers, mask_small
from waage.profiles import profile_cells, q_values

#: The table of `recompute` with each respondent's probabilities and weight.
MEMBERS, WEIGHT = "members", "weight"

# Shares this near 0 or 1 say nothing of how far intervals are too short; more than this many times they never are
# (judgements).
_EDGE, _MOST_WIDENED = 0.02, 3.0
_HIDDEN = ("type_value", "base_value", "index", "low", "high", "value_low", "value_high", "difference")
_HIDDEN += ("difference_own", "n", "effective_n", "statistic", "p", "error", "sd")
_COLUMNS = ("id", "type", "variable", "level", "kind", "type_value", "base_value", "index", "low", "high")
_COLUMNS += ("value_low", "value_high", "difference", "difference_own", "n", "effective_n", "test", "statistic", "p")
_COLUMNS += ("q_value", "strength", "source_table", "as_of", "error", "sd")


@dataclass(frozen=True)
class Rules:
    """What may be said of a type; all limits are judgements but q.

    Attributes
    ----------
    q : float
        Share of false statements tolerated among all that are made (Benjamini and Hochberg 1995).
    over, under : float
        Index (100 = all customers) from which, and up to which, a share is worth a sentence.
    distance : float
        The same for means: standard deviations from all customers (.2 is small in Cohen 1988).
    sure, tentative : float
        Expected respondents of the type behind a plain and behind a hedged statement; below there is silence.
    confidence : float
        Coverage of each interval by itself.
    """

    q: float = 0.05
    over: float = 120.0
    under: float = 80.0
    distance: float = 0.2
    sure: float = 50
    tentative: float = 30
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not (0 < self.q < 1 and 0 <= self.under <= 100 <= self.over and 0 <= self.tentative <= self.sure):
            raise WaageError(f"rules {self}: needed are 0 < q < 1, under <= 100 <= over and tentative <= sure")


def findings(
    posterior: np.ndarray,
    weights: np.ndarray,
    variables: pd.DataFrame,
    names: Sequence[str],
    *,
    active: Collection[str] = (),
    sources: str | Mapping[str, str] = "responses",
    surveys: Collection[str] = ("responses",),
    as_of: date | None = None,
    rules: Rules | None = None,
    min_cell: int = 10,
    min_cell_survey: int = 30,
    refit: Callable[[np.ndarray], np.ndarray] | None = None,
    resamples: int = 30,
    seed: int = 7,
) -> pd.DataFrame:
    """Hold every type against all customers in every variable, and say which differences may be told.

    Parameters
    ----------
    posterior : array, shape (n, K)
        Probability of each type for each person; 0 and 1 for segments.
    weights : array, shape (n,)
        Above 0; ones for a full customer base.
    variables : DataFrame, n rows
        bool or 0/1: binary. Other numbers: numeric, in their own unit. Text or category: one finding a level.
    names : sequence of str, length K
        Keys of the types.
    active : collection of str
        Variables the types were made from, or functions of these: posterior-weighted as they are. All others are
        passive and cleared of label errors by BCH. With a posterior of 0 and 1 no label is in error.
    sources : str or mapping
        Table each variable comes from.
    surveys : collection of str
        Tables of answers, to which `min_cell_survey` applies.
    as_of : date, optional
    rules : Rules, optional
    min_cell, min_cell_survey : int
        A type with fewer persons (answers: fewer respondents) behind a variable is hidden there, as is a level that
        1 to `min_cell` - 1 persons of a type gave or did not give, and what would give either away.
    refit : callable, optional
        From row numbers, shape (n,), to the posterior, shape (n, K), of types found anew in these rows, in the same
        order. Intervals and tests then hold the uncertainty of the types themselves: a bootstrap over respondents
        tells for each type by how much intervals are too short, in the median of its active and of its passive
        variables (medians, because 30 resamples know one standard error to 13 % only).
    resamples, seed : int
        Of that bootstrap.

    Returns
    -------
    DataFrame
        One row a type, variable and level: id (stable as long as type, variable and level are); type; variable;
        level ("yes" for binary, "" for numeric); kind (binary, categorical, numeric); type_value and base_value
        (share, or mean in own unit); index (100 type_value / base_value, NaN for numeric); low, high (interval of
        the index, for numeric of the value); value_low, value_high (interval of the value); difference (type minus
        base in standard deviations of all); difference_own (in own unit); n (expected persons of the type who
        answered, unweighted); effective_n (Kish); test (weighted or bch); statistic, p (t, type against all);
        q_value (over all rows); strength (say, tentative, silent); source_table; as_of (ISO day); error (standard
        error of difference_own under no difference); sd. Figures of hidden rows are NaN.

    Raises
    ------
    WaageError, Refusal
        As `waage.profiles.profile_cells`.

    Notes
    -----
    Simulated coverage of 95 % intervals: passive variables 95 % with a calibrated posterior (entropy R2 .75 and .92,
    500 and 1,700 respondents). With classes fitted to the simulated retailer's survey (10 surveys of 1,600, entropy
    R2 .94): passive variables 94 %; agreement and interests, which are active, 91 %, with `refit` 94 %; best-worst
    scores 84 and 86 %, because classes sit on them and exaggerate (by .03 to .06 of a scale from -1 to 1).
    """
    rules, source = rules or Rules(), _sources(sources, variables.columns)
    certain = np.isin(posterior, (0, 1)).all()  # segments: no label is in error
    passive = [] if certain else [name for name in variables.columns if name not in set(active)]
    table = profile_cells(
        posterior, weights, variables, names, corrected=passive, confidence=rules.confidence, where="findings"
    )
    if refit is not None:
        draws = np.random.default_rng(seed).integers(len(variables), size=(resamples, len(variables)))
        again = [
            _resampled(refit(rows), np.asarray(weights)[rows], variables.iloc[rows], names, passive) for rows in draws
        ]
        table = _widened(table, [one for one in again if one is not None], set(map(str, passive)))
    table = table.rename(
        columns={"value": "type_value", "base": "base_value", "low": "value_low", "high": "value_high"}
    )
    numeric = table["kind"] == "numeric"
    for end in ("low", "high"):
        table[end] = table[f"index_{end}"].mask(numeric, table[f"value_{end}"])
    table["difference_own"] = table["type_value"] - table["base_value"]
    table["source_table"] = table["variable"].map(source)
    table["test"] = np.where(table["variable"].isin(set(map(str, passive))), "bch", "weighted")
    floors = table["source_table"].map(lambda name: min_cell_survey if name in surveys else min_cell)
    hidden = pd.Series(False, index=table.index)
    for _, part in table.groupby("variable", sort=False):
        hidden[part.index] = _hidden(part, list(names), floors[part.index[0]], min_cell)
    figures = list(_HIDDEN)
    table[figures] = table[figures].astype(float).mask(hidden, axis=0)
    table["q_value"] = q_values(table["p"])
    table["strength"] = _strength(table, rules)
    table["as_of"] = None if as_of is None else as_of.isoformat()
    keys = zip(table["type"], table["variable"], table["level"], strict=True)
    table["id"] = [finding_id(*key) for key in keys]
    return table[list(_COLUMNS)]


def finding_id(type: str, variable: str, level: str = "") -> str:
    """Return a finding's id: type.variable.level in small Latin letters, with a checksum where these lose anything."""
    parts = [part for part in (type, variable, level) if part]
    slug = ".".join(re.sub(r"[^a-z0-9_-]+", "_", part.lower()).strip("_") for part in parts)
    if slug == ".".join(parts):
        return slug
    return f"{slug}.{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:6]}"


def recompute(finding: Mapping, tables: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Work out one finding again from the tables, by another way than `findings` takes.

    Parameters
    ----------
    finding : mapping
        A row of `findings`.
    tables : mapping of str to DataFrame
        `members`: a column of probabilities a type and `weight`, one row a person. Each `source_table`: the
        variables; persons in the index, those who are missing there did not answer.

    Returns
    -------
    dict
        type_value, base_value, index, difference_own, n; NaN for a hidden finding.
    """
    keys = ("type_value", "base_value", "index", "difference_own", "n")
    if pd.isna(finding["n"]):
        return dict.fromkeys(keys, float("nan"))
    members = tables[MEMBERS]
    given = tables[finding["source_table"]][finding["variable"]].reindex(members.index)
    seen = given.notna().to_numpy()
    if finding["kind"] == "categorical":
        answer = (given.astype(str) == finding["level"]).to_numpy(dtype=float)
    else:
        answer = given.astype(float).fillna(0.0).to_numpy()
    answer = np.where(seen, answer, 0.0)
    weight, P = members[WEIGHT].to_numpy(dtype=float), members.drop(columns=WEIGHT)
    place, P = list(P.columns).index(finding["type"]), P.to_numpy(dtype=float)
    base = (weight * answer).sum() / weight[seen].sum()
    if finding["test"] == "bch":
        root = np.sqrt(weight)[:, None]
        sides = np.column_stack([answer, seen])
        amount, answered = np.linalg.lstsq(root * P, root * sides, rcond=None)[0][place]
        value = np.clip(amount / answered, answer[seen].min(), answer[seen].max())
    else:
        own = weight * P[:, place]
        value = (own * answer).sum() / own[seen].sum()
    index = float("nan") if finding["kind"] == "numeric" or base <= 0 else 100 * value / base
    return dict(zip(keys, map(float, (value, base, index, value - base, P[seen, place].sum())), strict=True))


def power(table: pd.DataFrame, true: pd.Series | None = None, rules: Rules | None = None) -> pd.Series:
    """Return how likely a difference of this size would be said at this sample size.

    Parameters
    ----------
    table : DataFrame
        As `findings` returns.
    true : Series, optional
        True values of the types by finding id; left out, differences are as large as observed (then it says how
        surely the finding would come again were it exactly true, and nothing about its truth).
    rules : Rules, optional
        Those of `findings`: said is what passes both the test, at the p that Benjamini and Hochberg let pass in this
        table (q divided by the number of tests if none did), and the limit of the index or distance.

    Returns
    -------
    Series
        0 to 1, by the index of `table`, from the normal distribution; 0 below `tentative` respondents; NaN where
        hidden, without variation or without true value.
    """
    from scipy.stats import norm

    rules = rules or Rules()
    passed = table["p"][table["q_value"] < rules.q]
    level = passed.max() if len(passed) else rules.q / max(table["p"].notna().sum(), 1)
    value = table["type_value"] if true is None else table["id"].map(true).astype(float)
    base = table["base_value"]
    distance = (value - base).abs()
    share = np.where(value >= base, rules.over / 100 - 1, 1 - rules.under / 100) * base
    worth = share.where(table["kind"] != "numeric", rules.distance * table["sd"])
    cut = np.maximum(worth, norm.isf(level / 2) * table["error"])
    found = pd.Series(norm.cdf((distance - cut) / table["error"]), index=table.index)
    return found.where(table["n"].isna() | (table["n"] >= rules.tentative), 0.0)


def _sources(sources: str | Mapping[str, str], variables: Collection[str]) -> dict[str, str]:
    if isinstance(sources, str):
        return {str(name): sources for name in variables}
    missing = [name for name in variables if name not in sources]
    if missing:
        raise WaageError(f"findings: sources does not say which table {missing[0]!r} comes from")
    return {str(name): sources[name] for name in variables}


def _resampled(posterior, weights, variables: pd.DataFrame, names: Sequence[str], passive: Sequence[str]):
    """Return the cells of one resample; None where its types cannot be told apart."""
    answered = variables.dropna(axis=1, how="all")  # a variable that few answered may be missing in a resample
    own = [name for name in passive if name in answered]
    try:
        return profile_cells(posterior, weights, answered, names, corrected=own)
    except Refusal:
        return None


def _widened(table: pd.DataFrame, draws: Sequence[pd.DataFrame], passive: Collection[str]) -> pd.DataFrame:
    """Return the table with intervals and errors multiplied by how much too short they are."""
    from scipy.stats import t as student

    key = ["type", "variable", "level"]
    found = pd.concat([draw.set_index(key)["value"] for draw in draws], axis=1).std(axis=1)
    spread = found.reindex(pd.MultiIndex.from_frame(table[key])).to_numpy()
    # Half the interval is about 2 standard errors whatever its form; the factor of a type smooths the rest.
    half = (table["high"] - table["low"]) / 2 / student.ppf(0.975, np.maximum(table["effective_n"] - 1, 1))
    ratio = pd.Series(spread / half.where(half > 0), index=table.index)
    # A share near 0 or 1 hardly varies, and a ratio of two such errors says nothing of the others.
    edge = (table["kind"] != "numeric") & ~table["value"].between(_EDGE, 1 - _EDGE)
    groups = [table["type"], table["variable"].isin(passive)]
    factor = ratio.mask(edge).groupby(groups).transform("median").fillna(1).clip(lower=1, upper=_MOST_WIDENED)
    factor = factor.mask(edge, 1.0)
    table = table.copy()
    for name in ("", "index", "difference"):
        value = table[name or "value"]
        for end in ("low", "high"):
            column = f"{name}_{end}" if name else end
            table[column] = value + (table[column] - value) * factor
            if name != "difference":
                table[column] = table[column].where(table["kind"] == "numeric", table[column].clip(lower=0))
    table["high"] = table["high"].where(table["kind"] == "numeric", table["high"].clip(upper=1))
    table["error"], table["statistic"] = table["error"] * factor, table["statistic"] / factor
    freedom = np.maximum(table["effective_n"] - 1, 1)
    table["p"] = 2 * student.sf(table["statistic"].abs(), freedom)
    return table


def _hidden(part: pd.DataFrame, names: list[str], floor: int, min_cell: int) -> np.ndarray:
    """Return which rows of one variable are hidden, in their order."""
    people = part.drop_duplicates("type").set_index("type")["n"].loc[names]
    if part["kind"].iloc[0] == "numeric":
        small = mask_small(people.to_frame(), "n", min_cell=floor)["n"].isna() | (people <= 0)
        return part["type"].map(small).to_numpy()
    cases = part.pivot(index="type", columns="level", values="cases").loc[names]
    levels = list(cases.columns)
    if part["kind"].iloc[0] == "binary":
        cases["no"] = people - cases["yes"]
    # An expectation of half a person may be a person; less is nobody's.
    extended = np.zeros((len(names) + 1, cases.shape[1] + 1), dtype=int)
    extended[:-1, :-1] = np.floor(cases.to_numpy() + 0.5)
    small = (people.to_numpy() > 0) & (people.to_numpy() < floor)
    forced = np.zeros(extended.shape, dtype=bool)
    # What is printed is cleared of label errors, and may be fewer persons than the posterior expects.
    printed = part.pivot(index="type", columns="level", values="type_value").loc[names, levels]
    printed = printed.mul(people, axis=0)
    if levels == ["yes"]:
        printed["no"] = people - printed["yes"]
    forced[:-1, :-1] = (printed >= 0.5) & (printed < min_cell - 0.5)
    forced[:-1][small] = True
    masked = hidden_numbers(extended, min_cell, forced=forced)
    secret = pd.DataFrame(masked[:-1, :-1], names, cases.columns)
    if levels == ["yes"]:
        secret["yes"] |= secret["no"]
    # What fewer than min_cell gave, or did not give, at all is nobody's answer, and its base is not told either.
    total, everybody = cases.sum(), people.sum()
    rare = total < min_cell - 0.5 if levels != ["yes"] else (total.min() < min_cell - 0.5) & (total == total)
    secret |= rare.to_numpy()[None, :] & (everybody > 0)
    # Whose number is hidden shows nothing; nor has an empty type anything to show.
    secret |= (masked[:-1, -1] | small | (people.to_numpy() <= 0))[:, None]
    return np.array([secret.at[key] for key in zip(part["type"], part["level"], strict=True)])


def _strength(table: pd.DataFrame, rules: Rules) -> np.ndarray:
    numeric = table["kind"] == "numeric"
    worth = (table["index"] >= rules.over) | (table["index"] <= rules.under)
    worth = worth.mask(numeric, table["difference"].abs() >= rules.distance)
    # What is said must also hold at the near end of its printed interval.
    worth &= numeric | (table["low"] > 100) | (table["high"] < 100)
    told = worth & (table["q_value"] < rules.q)
    sizes = [told & (table["n"] >= rules.sure), told & (table["n"] >= rules.tentative)]
    return np.select(sizes, ["say", "tentative"], "silent")
