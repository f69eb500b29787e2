"""Why the IX moved, which items matter, where improvement pays, and whether losses weigh more than gains."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import t as student

from waage.errors import Refusal, Told, WaageError
from waage.ix.link import control_columns, default_lags, panel_moments
from waage.ix.linkage import Linkage
from waage.ix.measurement import Measurement, compared
from waage.ix.moments import jackknife, shifted
from waage.ix.panel import OUTCOMES, Panel
from waage.ix.score import codebook, respondent_scores

_MOST_LMG = 12  # 2^12 regressions; more take minutes


@dataclass(frozen=True)
class Drivers:
    """Relative weights of items in explaining a criterion.

    Attributes
    ----------
    table : DataFrame
        item, weight (share of the explained variance, adds up to 1), low, high (bootstrap, 95 %), lmg (share; NaN
        above 12 items), correlation.
    r2 : float
        Explained share of the criterion's variance.
    n : int
    """

    table: pd.DataFrame
    r2: float
    n: int

    @property
    def summary(self) -> pd.DataFrame:
        """Items, most important first."""
        return self.table.sort_values("weight", ascending=False, ignore_index=True)

    def plot(self, ax=None, language: str = "en", labels=None):
        """Draw the weights with their intervals."""
        from waage.ix.plots import plot_drivers

        return plot_drivers(self.table, ax, labels=labels, language=language)


def accounting(contributions: pd.DataFrame, table: pd.DataFrame, before, after) -> pd.DataFrame:
    """Split each unit's move of IX between two spans of weeks into its items, exactly, beside mix and noise.

    Parameters
    ----------
    contributions, table : DataFrame
        As in `Scores`.
    before, after : two dates each
        First and last Monday of a span.

    Returns
    -------
    DataFrame
        unit, part (an item, "all" or "mix"), change (points). Items add up to "all", the move of the weighted IX; "mix"
        is what the raw, unweighted mean moved beyond it, because other visitors answered. Column se: the standard error
        of "all" from sampling.
    """

    def span(frame: pd.DataFrame, ends) -> pd.DataFrame:
        week = pd.to_datetime(frame["week"])
        return frame[week.between(pd.Timestamp(ends[0]), pd.Timestamp(ends[1]))]

    def change(frame: pd.DataFrame, keys: list[str], column: str) -> pd.Series:
        return span(frame, after).groupby(keys)[column].mean() - span(frame, before).groupby(keys)[column].mean()

    items = change(contributions, ["unit", "item"], "contribution").rename("change").reset_index()
    items = items.rename(columns={"item": "part"})
    total, raw = change(table, ["unit"], "ix"), change(table, ["unit"], "raw")
    noise = sum(
        span(table, ends).groupby("unit")["variance"].sum() / span(table, ends).groupby("unit").size() ** 2
        for ends in (before, after)
    )
    error = np.sqrt(noise.loc[total.index])
    whole = pd.DataFrame({"unit": total.index, "part": "all", "change": total.to_numpy(), "se": error})
    mix = pd.DataFrame({"unit": total.index, "part": "mix", "change": (raw - total).to_numpy()})
    found = pd.concat([items, whole, mix], ignore_index=True).dropna(subset=["change"])
    return found.sort_values("unit", kind="stable", ignore_index=True)


def shop_changes(changes: pd.DataFrame, weights: pd.Series) -> pd.DataFrame:
    """Sum `accounting` over units with fixed weights: part, change, se; the items still add up to "all".

    Parameters
    ----------
    changes : DataFrame
        As `accounting` returns it; units without both spans are not in it and count in nothing.
    weights : Series
        unit: weight, of any scale (usual visits).
    """
    w = changes["unit"].map(weights).astype(float)
    share = w / w[changes["part"] == "all"].sum()
    table = changes.assign(change=changes["change"] * share, square=(changes["se"] * share) ** 2)
    sums = table.groupby("part", sort=False)[["change", "square"]].sum().reset_index()
    sums["se"] = np.sqrt(sums["square"]).where(sums["part"] == "all")
    return sums[["part", "change", "se"]]


@dataclass(frozen=True)
class Changes:
    """Why the IX moved between two spans of weeks: the shop (part, change, se) and by unit, see `accounting`."""

    shop: pd.DataFrame
    by_unit: pd.DataFrame

    @property
    def items(self) -> pd.DataFrame:
        """What each item brought to the shop's move: item, change; they add up to it."""
        items = self.shop[~self.shop["part"].isin(["all", "mix"])]
        return items[["part", "change"]].rename(columns={"part": "item"})


def changes(own: Measurement, line: pd.DataFrame, performance: pd.DataFrame | None, weeks: int = 13) -> Changes | None:
    """Return why the IX moved between the newest weeks and those they compare with; None where nothing is before.

    Parameters
    ----------
    own : Measurement
    line : DataFrame
        As `shop_line` returns it.
    performance : DataFrame or None
        For the weights of units: their usual visits, else their answers.
    weeks : int
    """
    now, before = compared(line, weeks)
    if not len(before):
        return None
    ends = [(span["week"].iloc[0], span["week"].iloc[-1]) for span in (before, now)]
    by_unit = accounting(own.scores.contributions, own.scores.table, *ends)
    if not len(by_unit):
        return None
    weights = own.scores.table.groupby("unit")["n"].mean()
    if performance is not None:
        usual = performance.groupby("unit")["visits"].mean().reindex(weights.index)
        weights = weights if usual.isna().any() else usual
    return Changes(shop_changes(by_unit, weights), by_unit)


def goal_drivers(own: Measurement, *, most: int = 20_000, resamples: int = 200, seed: int = 7) -> Drivers:
    """Return what reaching one's goal hangs on: `item_drivers` of the items of perception, within units.

    Parameters
    ----------
    own : Measurement
    most : int
        Newest-year respondents that are drawn at random; more bring nothing to weights of this kind.
    resamples, seed : int
    """
    people, book = own.people, codebook(own.items)
    if "goal" not in set(book["construct"]):
        raise Refusal("nobody was asked whether they reached their goal: what it hangs on cannot be told")
    recent = people[pd.to_datetime(people["week"]) > pd.to_datetime(people["week"]).max() - pd.Timedelta(weeks=52)]
    items = list(book.loc[book["construct"] == "perception", "item"])
    recent = recent.dropna(subset=items)
    recent = recent.sample(min(most, len(recent)), random_state=seed)
    goal = respondent_scores(recent, own.items, own.scores.weights)["goal"]
    answers = recent[items].astype(float)
    answers = answers.loc[:, answers.nunique() > 1]  # what everybody answers alike explains nothing
    unit = recent["unit"]
    within = answers - answers.groupby(unit).transform("mean")
    return item_drivers(within, goal - goal.groupby(unit).transform("mean"), resamples=resamples, seed=seed)


def priced_items(own: Measurement, found: Linkage) -> pd.DataFrame:
    """Return the importance-performance map, priced where there is a link, see `importance_map`."""
    if not found:
        return importance_map(own.scores.items)
    value = found.value
    ends = tuple(np.quantile(value.draws[:, OUTCOMES.index("demand")], [0.025, 0.975]))
    effect = found.link.long_run() * (1 - value.diversion)
    return importance_map(own.scores.items, effect, value.yearly_demand, interval=ends, most=value.support[1])


def drivers_table(
    moved: Changes | None, drivers: Drivers | None, priced: pd.DataFrame, sides: pd.DataFrame | None
) -> pd.DataFrame:
    """Return what `ix_drivers` holds.

    Parameters
    ----------
    moved : Changes or None
    drivers : Drivers or None
        A `Refused` counts as None, here and of `sides`.
    priced : DataFrame
        As `importance_map` returns it.
    sides : DataFrame or None
        As `asymmetry` returns it.

    Returns
    -------
    DataFrame
        kind (change, weight, lmg, performance, points, worth, asymmetry), unit ("all": the shop), item (or all, mix;
        loss, gain, difference), value, low, high (95 %).
    """
    parts = []
    for table in (moved.shop, moved.by_unit) if moved else ():
        table = table.rename(columns={"part": "item", "change": "value"}).assign(kind="change")
        half = 1.96 * table["se"]
        parts.append(table.assign(low=table["value"] - half, high=table["value"] + half))
    if drivers:
        for kind in ("weight", "lmg"):
            table = drivers.table[["item", "low", "high"]].assign(kind=kind, value=drivers.table[kind])
            parts.append(table if kind == "weight" else table[["item", "kind", "value"]])
    parts += [priced[["item"]].assign(kind=kind, value=priced[kind]) for kind in ("performance", "points")]
    worth = priced.rename(columns={"worth": "value", "worth_low": "low", "worth_high": "high"})
    parts.append(worth[["item", "value", "low", "high"]].assign(kind="worth"))
    if isinstance(sides, pd.DataFrame):
        parts.append(sides.rename(columns={"side": "item", "long_run": "value"}).assign(kind="asymmetry"))
    table = pd.concat(parts, ignore_index=True)
    table["unit"] = table["unit"].fillna("all") if "unit" in table else "all"
    return table.reindex(columns=["kind", "unit", "item", "value", "low", "high"]).dropna(subset=["value"])


def item_drivers(
    answers: pd.DataFrame, criterion: pd.Series, *, resamples: int = 200, seed: int = 7, confidence: float = 0.95
) -> Drivers:
    """Return Johnson's relative weights of items for a criterion, with bootstrap intervals and LMG as a check.

    Parameters
    ----------
    answers : DataFrame, shape (n, p)
        Items as numbers; rows with a missing one are left out.
    criterion : Series, shape (n,)
        Something that is not made of the items, such as goal attainment for the items of perception.
    resamples, seed : int
    confidence : float

    Raises
    ------
    Refusal
        With fewer rows than 10 an item.

    References
    ----------
    Johnson (2000), A heuristic method for estimating the relative weight of predictor variables, Multivariate
    Behavioral Research 35; Tonidandel and LeBreton (2015); Lindeman, Merenda and Gold (1980); Groemping (2006).
    """
    data = np.column_stack([part.to_numpy(dtype=float, na_value=np.nan) for part in (answers, criterion)])
    data = data[np.isfinite(data).all(axis=1)]
    n, p = data.shape[0], data.shape[1] - 1
    if n < 10 * p:
        raise Refusal(
            Told(
                f"drivers: {n} complete answers for {p} items; at least {10 * p} are needed",
                f"Treiber: {n} vollständige Antworten auf {p} Fragen; mindestens {10 * p} sind nötig",
            )
        )
    correlation = np.corrcoef(data, rowvar=False)
    weights, r2 = johnson_weights(correlation)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        # Poisson(1) counts are the bootstrap without copying rows.
        count = rng.poisson(1.0, n).astype(float)
        mean = count @ data / count.sum()
        left = data - mean
        cover = (left * count[:, None]).T @ left / count.sum()
        scale = np.sqrt(np.diag(cover))
        found, of = johnson_weights(cover / np.outer(scale, scale))
        drawn.append(found / of)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    shares = lmg_weights(correlation) / r2 if p <= _MOST_LMG else np.full(p, np.nan)
    table = pd.DataFrame({"item": answers.columns.astype(str), "weight": weights / r2, "low": low, "high": high})
    return Drivers(table.assign(lmg=shares, correlation=correlation[:p, p]), r2, n)


def johnson_weights(correlation: np.ndarray) -> tuple[np.ndarray, float]:
    """Return Johnson's relative weights, which add up to R2, and R2.

    Parameters
    ----------
    correlation : array, shape (p + 1, p + 1)
        Of the items and, last, the criterion.
    """
    values, vectors = np.linalg.eigh(correlation[:-1, :-1])
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    beta = np.linalg.solve(root, correlation[:-1, -1])
    raw = root**2 @ beta**2
    return raw, float(raw.sum())


def lmg_weights(correlation: np.ndarray) -> np.ndarray:
    """Return each item's mean gain in R2 over all orders of entry (Lindeman, Merenda and Gold 1980); p <= 12."""
    p = len(correlation) - 1
    if p > _MOST_LMG:
        raise WaageError(f"lmg_weights: {p} items need 2^{p} regressions; up to {_MOST_LMG} are done")
    r2 = {(): 0.0}
    for size in range(1, p + 1):
        for some in combinations(range(p), size):
            at = list(some)
            own = correlation[at, p]
            r2[some] = float(own @ np.linalg.solve(correlation[np.ix_(at, at)], own))
    from math import comb

    weights = np.zeros(p)
    for some, value in r2.items():
        for j in range(p):
            if j not in some:
                bigger = tuple(sorted((*some, j)))
                weights[j] += (r2[bigger] - value) / (p * comb(p - 1, len(some)))
    return weights


def importance_map(
    items: pd.DataFrame,
    long_run: float = np.nan,
    yearly_demand: float = np.nan,
    share: float = 0.1,
    *,
    interval: tuple[float, float] = (np.nan, np.nan),
    most: float = np.inf,
) -> pd.DataFrame:
    """Price what closing a part of each item's gap to 100 is worth in a year.

    Parameters
    ----------
    items : DataFrame
        `Scores.items`: item, mean (0-100), contribution (share of ix).
    long_run : float
        Log points of demand per point of IX; without it nothing is priced.
    yearly_demand : float
        In the study's currency.
    share : float
        Part of the gap (0 to 1) that is closed.
    interval : tuple of float
        Ends of `long_run`.
    most : float
        Largest rise of the IX (points) that was observed; a larger one has no price.

    Returns
    -------
    DataFrame
        item, performance (0-100), weight (points of ix per point of the item), points (of ix), worth, worth_low,
        worth_high; most valuable first. Accounting, not causes: an item moved by design may move others with it.
    """
    table = pd.DataFrame({"item": items["item"], "performance": items["mean"]})
    ix = (items["contribution"] / items["mean"]).to_numpy()
    table["weight"] = ix / ix.sum()
    table["points"] = table["weight"] * (100 - table["performance"]) * share
    for name, effect in (("worth", long_run), ("worth_low", interval[0]), ("worth_high", interval[1])):
        table[name] = (yearly_demand * np.expm1(effect * table["points"])).where(table["points"] <= most)
    return table.sort_values("points", ascending=False, ignore_index=True)


def asymmetry(panel: Panel, lags: int | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Estimate separate effects of levels above and below each unit's usual, and test whether they are equal.

    Losses weigh more in the closest retail design (Gomez, McLaughlin and Wittink 2004). Survey noise pushes weeks over
    the line and pulls both slopes towards each other; so the halves of the respondents share the work, where there are
    halves: one says on which side a week lies and how far, the other instruments it.

    Returns
    -------
    DataFrame
        One row a side (loss, gain) and one for the difference: side, long_run, low, high, p_value (of the difference).
    """
    lags = default_lags(panel) if lags is None else lags
    used, offsets = control_columns(panel), range(lags + 1)

    def sides(score: np.ndarray) -> dict[str, np.ndarray]:
        usual = np.nanmean(score, axis=1, keepdims=True)
        return {"loss": np.minimum(score - usual, 0), "gain": np.maximum(score - usual, 0)}

    sources = [panel.score] if panel.halves is None else list(panel.halves)
    extra = {
        f"{side}{number}": np.mean([shifted(values, o) for o in offsets], axis=0)
        for number, source in enumerate(sources)
        for side, values in sides(source).items()
    }
    moments = panel_moments(panel, offsets, used, extra)
    every, y = range(len(moments.cross)), moments.at(["y_demand"])
    names = [[f"loss{k}", f"gain{k}", *used] for k in range(len(sources))]
    a, b = moments.at(names[0]), moments.at(names[-1])
    left = moments.cross[np.ix_(every, a, b)] + moments.cross[np.ix_(every, b, a)]
    right = moments.cross[np.ix_(every, a, y)] + moments.cross[np.ix_(every, b, y)]
    found = np.linalg.solve(left, right)[:, :2, 0]
    found = np.column_stack([found, found[:, 0] - found[:, 1]])
    error, df = jackknife(found), moments.units - 1
    half = student.ppf((1 + confidence) / 2, df) * error
    table = pd.DataFrame({"side": ["loss", "gain", "difference"], "long_run": found[0]})
    table["low"], table["high"] = found[0] - half, found[0] + half
    table["p_value"] = [np.nan, np.nan, 2 * student.sf(abs(found[0, 2] / error[2]), df)]
    return table
