"""The IX score: answers to 0-100, weighted to a fixed mix of visitors, with the variance that sampling gives it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.errors import Refusal, WaageError, did_you_mean
from waage.history import local_day
from waage.weighting import rake_groups

#: Constructs of the score; the sub-indices.
CONSTRUCTS = ("perception", "goal")

#: Respondents a unit's week needs for a variance of its own; below, it takes its unit's usual spread. A judgement.
MIN_OWN_VARIANCE = 30

#: What a purchase in the session is called, in the parts of an item's name.
PURCHASE = re.compile(
    r"purchas(e|es|ed)|bought|order(ed|s)?|checkout|conver(ted|sion)|gekauft|kauf(te)?|bestell(t|ung)", re.IGNORECASE
)


@dataclass(frozen=True)
class IxWeights:
    """Weights of the sub-indices, frozen for a year and named by a version; never fitted to an outcome."""

    version: str = "1"
    perception: float = 0.5
    goal: float = 0.5

    def __post_init__(self) -> None:
        if min(self.perception, self.goal) < 0 or abs(self.perception + self.goal - 1) > 1e-9:
            raise WaageError(f"ix weights {self.perception} and {self.goal} must be shares that add up to 1")


@dataclass(frozen=True)
class Scores:
    """The score of every unit and week.

    Attributes
    ----------
    table : DataFrame
        One row a unit and week with answers: unit, week (Monday); ix, perception, goal (0-100, weighted); variance (of
        the sampling error of ix, points squared); n; persons (visitors; an anonymous answer is one); n_effective; raw
        (unweighted ix); mix_gap (largest share of the reference mix nobody answered for); ix_a, ix_b (random halves);
        own_variance (False: the unit's usual).
    contributions : DataFrame
        One row a unit, week and item: item, contribution (points of ix, weighted), raw_contribution, mean (0-100). The
        contributions of a unit's week add up to its ix.
    items : DataFrame
        One row an item: item, construct, mean, sd, missing (share), item_rest (correlation with the others of its
        construct), contribution (share of ix).
    item_weeks : DataFrame
        item, week, n.
    mix : DataFrame
        trait, level, population, before, after: how respondents of the whole window compare.
    weights : IxWeights
    respondents : int
    person_weights : Series
        Raked weight of each respondent who answered enough, by the index of `people`; never to be shown.
    """

    table: pd.DataFrame
    contributions: pd.DataFrame
    items: pd.DataFrame
    item_weeks: pd.DataFrame
    mix: pd.DataFrame
    weights: IxWeights
    respondents: int
    person_weights: pd.Series

    @property
    def reliability(self) -> pd.DataFrame:
        """One row a unit: unit, weeks, n (a week), se (of a week's ix), sd (of weeks), reliability (0-1)."""
        by = self.table.groupby("unit")
        spread, noise = by["ix"].var(), by["variance"].mean()
        found = {"weeks": by.size(), "n": by["n"].mean(), "se": np.sqrt(noise), "sd": np.sqrt(spread)}
        found["reliability"] = (1 - noise / spread).clip(lower=0)
        return pd.DataFrame(found).reset_index()

    @property
    def summary(self) -> pd.DataFrame:
        """`table` with the columns that `ix_scores` holds: unit, week, ix, perception, goal, variance, n."""
        return self.table[["unit", "week", "ix", "perception", "goal", "variance", "n"]]

    def shown(self, min_cell: int) -> pd.DataFrame:
        """Return `summary` as it may be stored: a unit's week of fewer than `min_cell` persons has no numbers."""
        numbers = ["ix", "perception", "goal", "variance", "n"]
        hidden = self.table["persons"] < min_cell
        return self.summary.assign(**{name: self.table[name].mask(hidden) for name in numbers})

    def display(self, min_n: int = 100, confidence: float = 0.95) -> pd.DataFrame:
        """Return the smoothed line of each unit, for charts only: unit, week, ix, smooth, low, high."""
        from waage.ix.display import smooth

        return smooth(self.table, min_n=min_n, confidence=confidence)

    def plot_units(self, ax=None, *, unit: str | None = None, incidents=None, language: str = "en"):
        """Draw the smoothed line of a unit, its weeks as points, and its incidents."""
        from waage.ix.plots import plot_score

        return plot_score(self.display(), unit, ax, incidents=incidents, language=language)


def codebook(items: pd.DataFrame, weights: IxWeights | None = None) -> pd.DataFrame:
    """Return the checked scale items of the score.

    Parameters
    ----------
    items : DataFrame
        Items of the instrument: item, kind, construct (perception or goal), scale_min, scale_max, best (min or max),
        missing_codes. Items of other kinds (trait, comment) are left out.
    weights : IxWeights, optional
        A construct that has weight needs an item.

    Raises
    ------
    WaageError
        For items without construct or scale, a construct without items, and a purchase as an item: all together.
    """
    scale = items[items["kind"].isin(["scale", "binary"])].reset_index(drop=True)
    faults = []
    for row in scale.itertuples():
        construct = row.construct if isinstance(row.construct, str) else ""
        low, high = pd.to_numeric(row.scale_min), pd.to_numeric(row.scale_max)
        # The outcome must not be part of its own cause, whatever kind of item it is called.
        two_valued = row.kind == "binary" or high - low == 1
        if two_valued and names_purchase(row.item):
            faults.append(
                f"{row.item} is a purchase of the session: an outcome in the score would explain itself; take it out, "
                "or keep it as a trait for the audit"
            )
        elif construct not in CONSTRUCTS:
            hint = did_you_mean(construct, CONSTRUCTS)
            faults.append(f"{row.item} has construct {construct or 'none'!s}, not perception or goal{hint}")
        if row.kind == "scale" and not (pd.notna(low) and pd.notna(high) and low < high):
            faults.append(f"{row.item} has no scale: scale_min {row.scale_min}, scale_max {row.scale_max}")
    needed = [c for c in CONSTRUCTS if weights is not None and getattr(weights, c) > 0]
    faults += [
        f"no item measures {c}; give the other construct all the weight (parameter perception, 0 or 1), or ask for it"
        for c in needed
        if c not in set(scale["construct"])
    ]
    if faults:
        raise WaageError(f"items of the IX: {'; '.join(faults)}")
    scale["scale_min"] = pd.to_numeric(scale["scale_min"]).fillna(0.0)
    scale["scale_max"] = pd.to_numeric(scale["scale_max"]).fillna(1.0)
    return scale


def names_purchase(item: str) -> bool:
    """Return whether an item's name says that it is a purchase (has_ordered, session_order)."""
    return any(PURCHASE.fullmatch(part) for part in re.split(r"[^a-zA-Z]+", item))


def respondents(responses: ir.Table, items: pd.DataFrame, time_zone: str, *, instrument: str = "ix") -> ir.Table:
    """Turn answers into one row a respondent; the engine does it, however many answers there are.

    Parameters
    ----------
    responses : ibis table
        As in the contract: one row an answer.
    items : DataFrame
        The instrument's codebook.
    time_zone : str
        In which weeks are cut.
    instrument : str

    Returns
    -------
    ibis table
        response_id, unit, week (Monday), visitor (NULL: anonymous), design_weight, one column an item (0-100, NULL
        where not answered or missing by its codes), trait_<name> for every trait.

    Raises
    ------
    WaageError
        When answers lie outside their scale, or have no unit; with item, value and count.
    """
    scale = codebook(items)
    rows = responses.filter(responses.instrument == instrument)
    faults, columns = [], {}
    outside = {}
    for row in scale.itertuples():
        written = [code for code in re.split(r"[;,| ]+", _text(row.missing_codes)) if code]
        codes = pd.to_numeric(pd.Series(written, dtype=object), errors="coerce").dropna().tolist()
        if len(codes) < len(written):
            faults.append(
                f"{row.item}: missing_codes {row.missing_codes!r} are not numbers, as answers are; give "
                "the number that stands for no answer, such as 9, or leave it empty"
            )
        of_item = rows.item == row.item
        valid = of_item & rows.value.notnull() & (rows.value.notin(codes) if codes else ibis.literal(True))
        inside = rows.value.between(row.scale_min, row.scale_max)
        outside[f"n_{row.item}"] = (valid & ~inside).sum()
        outside[f"v_{row.item}"] = rows.value.max(where=valid & ~inside)
        share = (rows.value - row.scale_min) / (row.scale_max - row.scale_min)
        points = 100 * (1 - share if row.best == "min" else share)
        columns[row.item] = points.max(where=valid & inside)
    outside["no_unit"] = rows.unit.isnull().sum()
    found = rows.aggregate(**outside).to_pyarrow().to_pylist()[0]
    for row in scale.itertuples():
        if found[f"n_{row.item}"]:
            faults.append(
                f"{row.item}: {found[f'n_{row.item}']:,} answers lie outside {row.scale_min:g}-{row.scale_max:g}, such "
                f"as {found[f'v_{row.item}']:g}; correct the scale or declare the code in missing_codes"
            )
    if found["no_unit"]:
        faults.append(f"{found['no_unit']:,} answers have no unit; give responses.unit in the source")
    if faults:
        raise WaageError(f"responses of {instrument}: {'; '.join(faults)}")
    for name in items.loc[items["kind"] == "trait", "item"]:
        columns[f"trait_{name}"] = rows.text.max(where=rows.item == name)
    visitor = ibis.ifelse(
        rows.source_id.notnull(), rows.source.fill_null("") + "|" + rows.source_id, ibis.null("string")
    )
    return rows.group_by("response_id").agg(
        unit=rows.unit.min(),
        week=local_day(rows.responded_at.min(), time_zone).truncate("W"),
        visitor=visitor.min(),
        design_weight=rows.weight.max() if "weight" in rows.columns else 0.0 * rows.count() + 1.0,
        **columns,
    )


def score(
    people: pd.DataFrame,
    items: pd.DataFrame,
    reference_mix: pd.DataFrame | None = None,
    *,
    weights: IxWeights | None = None,
    trim: float = 5.0,
    min_answered: float = 0.5,
    seed: int = 7,
) -> Scores:
    """Score every unit and week.

    A respondent's sub-index is the mean of the items answered; ix weighs both. Every unit's week is raked to the
    reference mix, and so is each random half of its respondents.

    Parameters
    ----------
    people : DataFrame
        As `respondents` returns it.
    items : DataFrame
        The codebook.
    reference_mix : DataFrame, optional
        trait, level, share: the fixed mix of visitors. Without it nobody is weighted, and a drift of who answers
        reads as a change of experience.
    weights : IxWeights, optional
    trim : float
        Largest weight in medians of the unit's week.
    min_answered : float
        Share of a construct's items a respondent must have answered.
    seed : int
        Of the random halves.

    Returns
    -------
    Scores

    Raises
    ------
    WaageError
        When columns are missing, or an item is negatively correlated with its construct.
    Refusal
        When nobody answered enough items.

    References
    ----------
    Sampling variance of a raked mean: sum over visitors of (sum of w e)^2 / (sum w)^2 with the residuals e of the score
    on the traits (Deville and Sarndal 1992, Calibration estimators in survey sampling, JASA 87, section 3).
    """
    weights = weights or IxWeights()
    book = codebook(items, weights)
    lost = [c for c in ["unit", "week", *book["item"]] if c not in people]
    if lost:
        raise WaageError(f"score: people.{lost[0]} is missing{did_you_mean(lost[0], people.columns)}")
    values = people[list(book["item"])].to_numpy(dtype=float, na_value=np.nan)
    answered = np.isfinite(values)
    share, enough = _shares(answered, book, weights, min_answered)
    if enough.sum() < 2:
        raise Refusal(f"score: {enough.sum()} of {len(people)} respondents answered enough items of both constructs")
    people, values, share, answered = people[enough], values[enough], share[enough], answered[enough]
    parts = np.where(answered, values, 0.0) * share  # points of ix from each item; rows add up to the respondent's ix
    ix = parts.sum(axis=1)
    facts = _item_facts(values, parts, book)
    cells = pd.DataFrame({"unit": people["unit"].to_numpy(), "week": pd.to_datetime(people["week"]).to_numpy()})
    cell, key = _numbered(cells)
    traits, margins = _margins(people, reference_mix)
    start = people["design_weight"].fillna(1.0).to_numpy(dtype=float) if "design_weight" in people else None
    w, missing = _raked(traits, cell, margins, start, trim)
    table = key.assign(
        ix=_mean(ix, w, cell),
        n=np.bincount(cell).astype(float),
        n_effective=np.bincount(cell, w) ** 2 / np.bincount(cell, w**2),
        raw=_mean(ix, np.ones(len(ix)), cell),
        mix_gap=missing,
    )
    for construct in CONSTRUCTS:
        of = (book["construct"] == construct).to_numpy()
        own = getattr(weights, construct)
        table[construct] = _mean(parts[:, of].sum(axis=1) / own, w, cell) if own else np.nan
    visitor = people["visitor"].to_numpy() if "visitor" in people else np.full(len(people), None, dtype=object)
    table["variance"], table["own_variance"], table["persons"] = _variance(
        ix, w, cell, traits, margins, visitor, key["unit"].to_numpy()
    )
    half = np.random.default_rng(seed).permutation(len(ix)) % 2
    halves, _ = _raked(traits, 2 * cell + half, margins, start, trim)
    for number, name in enumerate(("ix_a", "ix_b")):
        mine = half == number
        total = np.bincount(cell[mine], halves[mine], len(key))
        sums = np.bincount(cell[mine], (halves * ix)[mine], len(key))
        table[name] = np.divide(sums, total, out=np.full(len(key), np.nan), where=total > 0)
    columns = ["unit", "week", "ix", "perception", "goal", "variance", "n", "n_effective", "raw", "mix_gap"]
    return Scores(
        table=table[[*columns, "ix_a", "ix_b", "own_variance", "persons"]],
        contributions=_contributions(parts, values, w, cell, key, book),
        items=facts,
        item_weeks=_item_weeks(answered, cells["week"].to_numpy(), book),
        mix=_mix(traits, margins, w),
        weights=weights,
        respondents=len(people),
        person_weights=pd.Series(w, people.index),
    )


def respondent_scores(
    people: pd.DataFrame, items: pd.DataFrame, weights: IxWeights | None = None, min_answered: float = 0.5
) -> pd.DataFrame:
    """Return each respondent's ix, perception and goal (0-100), NaN where too little was answered."""
    weights = weights or IxWeights()
    book = codebook(items, weights)
    values = people[list(book["item"])].to_numpy(dtype=float, na_value=np.nan)
    share, enough = _shares(np.isfinite(values), book, weights, min_answered)
    parts = np.nan_to_num(values) * share
    found = {"ix": np.where(enough, parts.sum(axis=1), np.nan)}
    for construct in CONSTRUCTS:
        of, own = (book["construct"] == construct).to_numpy(), getattr(weights, construct)
        found[construct] = np.where(enough, parts[:, of].sum(axis=1), np.nan) / (own or np.nan)
    return pd.DataFrame(found, index=people.index)


# Pieces of the score --------------------------------------------------------------------------------


def _shares(
    answered: np.ndarray, book: pd.DataFrame, weights: IxWeights, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of each answer in its respondent's ix, and who answered enough."""
    share, enough = np.zeros(answered.shape), np.ones(len(answered), dtype=bool)
    for construct in (c for c in CONSTRUCTS if getattr(weights, c) > 0):
        of = (book["construct"] == construct).to_numpy()
        count = answered[:, of].sum(axis=1)
        share[:, of] = getattr(weights, construct) * answered[:, of] / np.maximum(count, 1)[:, None]
        enough &= count >= max(least * of.sum(), 1)
    return share, enough


def _item_facts(values: np.ndarray, parts: np.ndarray, book: pd.DataFrame) -> pd.DataFrame:
    rows, faults = [], []
    total = parts.sum(axis=1).mean()
    for j, item in enumerate(book["item"]):
        same = np.flatnonzero((book["construct"] == book["construct"].iloc[j]).to_numpy() & (np.arange(len(book)) != j))
        rest = np.nan
        seen = np.isfinite(values[:, j])
        if same.size:
            others = np.isfinite(values[:, same])
            both = seen & others.any(axis=1)
            mean = np.nansum(values[both][:, same], axis=1) / others[both].sum(axis=1)
            own = values[both, j]
            if both.sum() > 2 and own.std() and mean.std():
                rest = float(np.corrcoef(own, mean)[0, 1])
                if rest < -max(0.02, 3 / np.sqrt(both.sum())):
                    faults.append(
                        f"{item} runs against the other items of {book['construct'].iloc[j]} (correlation {rest:.2f}): "
                        f"its scale seems to be turned; `best` says {book['best'].iloc[j]}"
                    )
        own = values[seen, j]
        spread = own.std(ddof=1) if len(own) > 1 else np.nan
        mean = own.mean() if len(own) else np.nan
        rows.append((item, book["construct"].iloc[j], mean, spread, 1 - seen.mean(), rest, parts[:, j].mean() / total))
    if faults:
        raise WaageError(f"score: {'; '.join(faults)}")
    return pd.DataFrame(rows, columns=["item", "construct", "mean", "sd", "missing", "item_rest", "contribution"])


def _numbered(cells: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    by = cells.groupby(["unit", "week"], sort=True)
    cell = by.ngroup().to_numpy()
    return cell, by.size().index.to_frame(index=False)


def _margins(people: pd.DataFrame, mix: pd.DataFrame | None) -> tuple[pd.DataFrame, dict[str, dict[str, float]]]:
    if mix is None or not len(mix):
        return pd.DataFrame(index=range(len(people))), {}
    margins = {
        trait: dict(zip(rows["level"], rows["share"].astype(float), strict=True))
        for trait, rows in mix.groupby("trait", sort=False)
    }
    lost = [trait for trait in margins if f"trait_{trait}" not in people]
    if lost:
        have = [name.removeprefix("trait_") for name in people.columns if name.startswith("trait_")]
        raise WaageError(f"reference_mix: nobody was asked for the trait {lost[0]!r}{did_you_mean(lost[0], have)}")
    traits = pd.DataFrame({trait: people[f"trait_{trait}"].to_numpy() for trait in margins})
    return traits, margins


def _raked(traits, groups, margins, start, trim) -> tuple[np.ndarray, np.ndarray]:
    count = int(groups.max()) + 1
    if not margins:
        w = np.ones(len(groups)) if start is None else start.copy()
        size = np.bincount(groups, minlength=count)
        w *= (size / np.maximum(np.bincount(groups, w, count), 1e-300))[groups]
        return w, np.zeros(count)
    return rake_groups(traits, groups, margins, start=start, trim=trim, tolerance=1e-4)


def _mean(values: np.ndarray, w: np.ndarray, cell: np.ndarray) -> np.ndarray:
    return np.bincount(cell, w * values) / np.bincount(cell, w)


def _variance(ix, w, cell, traits, margins, visitor, units) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sampling variance of each cell's mean, where it is the cell's own, and the cell's visitors.

    Raking fixes the margins, so that only what traits leave unexplained varies from sample to sample; that the factors
    are found in the same sample is already in the spread of the weights.
    """
    count = int(cell.max()) + 1
    dummies = [
        (traits[trait] == level).to_numpy(dtype=float) for trait, of in margins.items() for level in list(of)[1:]
    ]
    centred = ix - _mean(ix, w, cell)[cell]
    if dummies:
        X = np.stack(dummies, axis=1)
        X = X - np.stack([_mean(x, w, cell)[cell] for x in X.T], axis=1)
        slope = np.linalg.lstsq(X.T @ (w[:, None] * X), X.T @ (w * centred), rcond=None)[0]
        centred = centred - X @ slope
    known = pd.notna(visitor)
    if known.any():
        # Answers of one visitor in one week count as one cluster.
        same = pd.DataFrame({"cell": cell, "v": np.where(known, visitor, np.arange(len(cell)).astype(str))})
        cluster = same.groupby(["cell", "v"], sort=False).ngroup().to_numpy()
        first = np.zeros(cluster.max() + 1, dtype=np.int64)
        first[cluster] = cell
        squares = np.bincount(first, np.bincount(cluster, w * centred) ** 2, count)
        clusters = np.bincount(first, minlength=count)
    else:
        squares, clusters = np.bincount(cell, (w * centred) ** 2, count), np.bincount(cell, minlength=count)
    weight = np.bincount(cell, w, count)
    own = squares / weight**2 * clusters / np.maximum(clusters - 1, 1)
    enough = clusters >= MIN_OWN_VARIANCE
    # A few answers cannot know their own spread: the unit's, spread over the effective number; where those of the unit
    # are too few, too, the shop's. With one answer in every cell nobody knows it.
    squared = np.bincount(cell, w**2, count)
    cells = pd.DataFrame({"s": squares, "w": squared, "n": clusters, "one": 1.0})
    sums, shop = cells.groupby(units).transform("sum"), cells.sum()
    free, all_free = sums["n"] - sums["one"], shop["n"] - shop["one"]
    pooled = shop["s"] / shop["w"] * shop["n"] / all_free if all_free > 0 else np.nan
    spread = sums["s"] / sums["w"] * sums["n"] / np.maximum(free, 1)
    usual = spread.where(free >= MIN_OWN_VARIANCE, pooled).to_numpy()
    return np.where(enough, own, usual * squared / weight**2), enough, clusters


def _contributions(parts, values, w, cell, key, book) -> pd.DataFrame:
    total, size = np.bincount(cell, w), np.bincount(cell)
    tables = []
    for j, item in enumerate(book["item"]):
        seen = np.isfinite(values[:, j])
        weight = np.bincount(cell[seen], w[seen], len(key))
        mean = np.bincount(cell[seen], (w * np.nan_to_num(values[:, j]))[seen], len(key))
        tables.append(
            key.assign(
                item=item,
                contribution=np.bincount(cell, w * parts[:, j]) / total,
                raw_contribution=np.bincount(cell, parts[:, j]) / size,
                mean=np.divide(mean, weight, out=np.full(len(key), np.nan), where=weight > 0),
            )
        )
    return pd.concat(tables, ignore_index=True)


def _item_weeks(answered: np.ndarray, week: np.ndarray, book: pd.DataFrame) -> pd.DataFrame:
    codes, weeks = pd.factorize(week, sort=True)
    parts = [
        pd.DataFrame({"item": item, "week": weeks, "n": np.bincount(codes[answered[:, j]], minlength=len(weeks))})
        for j, item in enumerate(book["item"])
    ]
    return pd.concat(parts, ignore_index=True)


def _mix(traits: pd.DataFrame, margins: Mapping, w: np.ndarray) -> pd.DataFrame:
    rows = []
    for trait, of in margins.items():
        known = traits[trait].notna().to_numpy()
        for level, share in of.items():
            mine = (traits[trait] == level).to_numpy()
            rows.append((trait, level, share, mine[known].mean(), w[mine].sum() / w[known].sum()))
    return pd.DataFrame(rows, columns=["trait", "level", "population", "before", "after"])


def _text(value) -> str:
    return value if isinstance(value, str) else "" if pd.isna(value) else str(value)
