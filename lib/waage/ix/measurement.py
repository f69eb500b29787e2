"""What a study has measured: answers scored, sales by unit and week, and the shop's experience as one line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.errors import Refusal, WaageError, did_you_mean
from waage.history import local_day
from waage.ix.display import audit
from waage.ix.panel import performance_from
from waage.ix.score import IxWeights, Scores, names_purchase, respondents, score

#: Tables a measurement looks at.
TABLES = ("responses", "items", "invitations", "reference_mix", "units", "performance", "incidents", "orders")
TABLES += ("order_lines", "events")

#: All tables notebook 05 looks at.
READS = (*TABLES, "customer_orders", "identity_map", "person_consents", "rfm", "types", "clv")

_DERIVED = ("orders", "events", "units")


@dataclass(frozen=True)
class Measurement:
    """The IX of a study up to a day.

    Attributes
    ----------
    scores : Scores
    people : DataFrame
        One row a respondent, as `respondents` returns it; never to be shown.
    items : DataFrame
        The instrument's codebook.
    mix : DataFrame or None
        trait, level, share.
    invitations : DataFrame or None
        day, unit, invited, started, completed.
    units : DataFrame
        unit, label, category, device; those with answers.
    """

    scores: Scores
    people: pd.DataFrame
    items: pd.DataFrame
    mix: pd.DataFrame | None
    invitations: pd.DataFrame | None
    units: pd.DataFrame

    @property
    def unit_labels(self) -> dict[str, str]:
        """How units are called."""
        return {row.unit: row.label if isinstance(row.label, str) else row.unit for row in self.units.itertuples()}

    def item_labels(self, language: str = "en") -> dict[str, str]:
        """How items are worded."""
        text = self.items["label_de"].fillna(self.items["label"]) if language == "de" else self.items["label"]
        return {item: label for item, label in zip(self.items["item"], text, strict=True) if isinstance(label, str)}

    @property
    def splits(self) -> dict[str, dict[str, str]]:
        """Groups of units by category and by device, where there are two or more of each."""
        found = {}
        for name in ("category", "device"):
            known = self.units.dropna(subset=[name])
            if len(known) == len(self.units) and known[name].nunique() > 1:
                found[name] = dict(zip(known["unit"], known[name], strict=True))
        return found


def measure(
    tables: Mapping[str, ir.Table],
    as_of: date,
    time_zone: str,
    *,
    instrument: str = "ix",
    weights: IxWeights | None = None,
    trim: float = 5.0,
    seed: int = 7,
    min_cell: int = 1,
) -> Measurement:
    """Score the answers of a study, whole weeks up to a day.

    Parameters
    ----------
    tables : mapping of str to ibis table
        responses and items; reference_mix, invitations and units where a study has them.
    as_of : date
    time_zone : str
    instrument : str
    weights, trim, seed
        As `score` takes them.
    min_cell : int
        `min_cell_survey`: persons a week of the whole shop needs to be shown.

    Raises
    ------
    Refusal
        When the study has no items of the instrument, no answers to them, or no two weeks of `min_cell` persons.
    WaageError
        As `respondents` and `score` raise it.
    """
    items = _of(tables["items"], instrument).to_pyarrow().to_pandas()
    known = tables["items"].select("instrument").distinct().to_pyarrow()["instrument"].to_pylist()
    if not len(items):
        hint = did_you_mean(instrument, known)
        raise Refusal(f"the study has no items of the instrument {instrument!r}{hint}; it has {', '.join(known)}")
    answers = tables["responses"].filter(local_day(tables["responses"].responded_at, time_zone) <= last_sunday(as_of))
    people = respondents(answers, items, time_zone, instrument=instrument).order_by("response_id")
    people = people.to_pyarrow().to_pandas()
    if not len(people):
        raise Refusal(f"nobody answered the instrument {instrument!r} up to {as_of}; `waage ix-plan` says what to ask")
    mix = _frame(tables, "reference_mix", instrument)
    scores = score(people, items, mix, weights=weights, trim=trim, seed=seed)
    weeks = scores.table.groupby("week")["persons"].sum()
    if (weeks >= min_cell).sum() < min(2, len(weeks)):
        raise Refusal(
            f"no two weeks have answers of {min_cell} persons, the least that may be shown (min_cell_survey); ask more "
            "visitors: `waage ix-plan` says how many"
        )
    units = tables["units"].to_pyarrow().to_pandas() if "units" in tables else pd.DataFrame()
    units = units.reindex(columns=["unit", "label", "category", "device"])
    answered = pd.DataFrame({"unit": sorted(scores.table["unit"].unique())})
    invitations = _frame(tables, "invitations", instrument)
    if invitations is not None:
        invitations = invitations[pd.to_datetime(invitations["day"]) <= pd.Timestamp(last_sunday(as_of))]
    return Measurement(scores, people, items, mix, invitations, answered.merge(units, on="unit", how="left"))


def weekly_performance(tables: Mapping[str, ir.Table], as_of: date, time_zone: str) -> pd.DataFrame:
    """Return the sales of every unit and whole week up to a day.

    Parameters
    ----------
    tables : mapping of str to ibis table
        performance; or orders, events and units, from which the engine counts it.
    as_of : date
    time_zone : str

    Returns
    -------
    DataFrame
        unit, week, visits, orders, demand, and controls.

    Raises
    ------
    Refusal
        Where neither is there.
    """
    if "performance" in tables:
        table = tables["performance"]
    elif all(name in tables for name in _DERIVED):
        lines = tables.get("order_lines")
        table = performance_from(*(tables[name] for name in _DERIVED), time_zone, lines)
    else:
        lost = ", ".join(name for name in _DERIVED if name not in tables)
        raise Refusal(f"there is no `performance`, and nothing to count it from (no {lost}): visits, orders and demand")
    table = table.filter(table.week <= last_sunday(as_of) - timedelta(days=6))
    numbers = {name: table[name].cast("float64") for name, kind in table.schema().items() if kind.is_numeric()}
    return table.mutate(**numbers).order_by("unit", "week").to_pyarrow().to_pandas()


def shop_line(
    scores: pd.DataFrame,
    performance: pd.DataFrame | None = None,
    confidence: float = 0.95,
    min_cell: int = 1,
) -> pd.DataFrame:
    """Return the IX of the whole shop by week, and its demand.

    Units weigh by their usual visits (without sales: by their answers), whatever the week brings; a unit that starts
    late changes no level, since what is averaged is each unit's distance from its own mean.

    Parameters
    ----------
    scores : DataFrame
        `Scores.table`: unit, week, ix, variance, n.
    performance : DataFrame, optional
        unit, week, visits, demand.
    confidence : float
    min_cell : int
        Persons (answers, where `scores` has no persons) a week needs; others are left out.

    Returns
    -------
    DataFrame
        week, ix, variance, low, high, n, demand (NaN without sales).
    """
    from statistics import NormalDist

    table = scores.assign(week=pd.to_datetime(scores["week"])).dropna(subset=["ix"])
    asked = table.groupby("week")["persons" if "persons" in table else "n"].sum()
    weight = table.groupby("unit")["n"].mean()
    if performance is not None:
        usual = performance.groupby("unit")["visits"].mean()
        weight = usual.reindex(weight.index).fillna(0.0) if usual.reindex(weight.index).notna().any() else weight
    weight = weight / weight.sum()
    level = table.groupby("unit")["ix"].mean()
    table["w"] = table["unit"].map(weight).astype(float)
    table["gap"] = table["w"] * (table["ix"] - table["unit"].map(level).astype(float))
    table["square"] = table["w"] ** 2 * table["variance"]
    sums = table.groupby("week")[["w", "gap", "square", "n"]].sum()
    found = pd.DataFrame({"ix": (weight * level).sum() + sums["gap"] / sums["w"]})
    found["variance"] = sums["square"] / sums["w"] ** 2
    half = NormalDist().inv_cdf((1 + confidence) / 2) * np.sqrt(found["variance"])
    found["low"], found["high"], found["n"] = found["ix"] - half, found["ix"] + half, sums["n"]
    if performance is not None:
        demand = performance.assign(week=pd.to_datetime(performance["week"])).groupby("week")["demand"].sum()
        found["demand"] = demand.reindex(found.index)
    else:
        found["demand"] = np.nan
    return found[asked.reindex(found.index) >= min_cell].reset_index()


def compared(line: pd.DataFrame, weeks: int = 13) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the newest weeks of `shop_line`, and those they compare with.

    The same weeks a year before where all are there; else as many before them, or as many as there are.
    """
    line = line.sort_values("week", ignore_index=True)
    now = line.tail(weeks)
    year = line[line["week"].isin(now["week"] - pd.Timedelta(weeks=52))]
    if len(year) == len(now):
        return now, year
    return now, line.iloc[max(len(line) - 2 * len(now), 0) : len(line) - len(now)]


def net_share(orders: ir.Table | None, as_of: date, return_window_days: int = 30) -> float:
    """Return net revenue per demand over the year whose returns are in; 1 where nothing is known.

    Parameters
    ----------
    orders : ibis table or None
        `customer_orders`: day, revenue, net_revenue.
    as_of : date
    return_window_days : int
        The newest days, whose returns are still open, are left out.
    """
    if orders is None:
        return 1.0
    last = as_of - timedelta(days=return_window_days)
    mature = orders.filter(orders.day.between(last - timedelta(days=364), last))
    sums = mature.agg(demand=mature.revenue.sum(), net=mature.net_revenue.sum()).to_pyarrow().to_pylist()[0]
    return float(np.clip(float(sums["net"]) / float(sums["demand"]), 0, 1)) if sums["demand"] else 1.0


def conversion_audit(own: Measurement, performance: pd.DataFrame | None) -> pd.DataFrame | None:
    """Compare the conversion of respondents with that of all visits: do buyers answer more readily?

    Respondents count with their weights, visits of the same units and weeks in proportion to the answers there.

    Parameters
    ----------
    own : Measurement
        With a trait that says whether the session ended in an order (yes/no, ja/nein, 1/0, true/false).
    performance : DataFrame or None
        unit, week, visits, orders.

    Returns
    -------
    DataFrame or None
        As `audit` returns it; None where no trait says it, or nothing is known of all visits.
    """
    traits = own.items.loc[own.items["kind"] == "trait", "item"]
    said = [trait for trait in traits if names_purchase(trait)]
    if not said or performance is None:
        return None
    w = own.scores.person_weights
    people = own.people.loc[w.index, ["unit", "week", f"trait_{said[0]}"]]
    sales = performance.assign(week=pd.to_datetime(performance["week"]))[["unit", "week", "visits", "orders"]]
    both = people.assign(week=pd.to_datetime(people["week"]), w=w).merge(sales, on=["unit", "week"])
    told = both[f"trait_{said[0]}"].str.lower()
    seen = told.notna() & (both["visits"].astype(float) > 0)
    both, told = both[seen], told[seen]
    if not len(both):
        return None
    all_visits = both["orders"].astype(float) / both["visits"].astype(float)
    share = float((both["w"] * all_visits).sum() / both["w"].sum())
    people = pd.DataFrame({"trait_order": np.where(told.isin(["yes", "ja", "1", "true"]), "yes", "no")})
    known = pd.DataFrame([{"trait": "order", "level": "yes", "share": share}])
    return audit(people, known, both["w"].to_numpy())


def check_parameters(
    delta: float,
    amount: float,
    diversion: float,
    *,
    lags: int = 3,
    blocks: Sequence[int] = (1,),
    compare_weeks: int = 13,
) -> None:
    """Raise WaageError for parameters that no calculator, and no link, can answer; all of them together."""
    faults = [f"delta = {delta:g} must be above 0"] if not delta > 0 else []
    faults += [f"amount = {amount:g} must not be below 0"] if not amount >= 0 else []
    faults += [f"diversion = {diversion:g} must lie between 0 and 1"] if not 0 <= diversion <= 1 else []
    faults += [f"lags = {lags} must not be below 0"] if lags < 0 else []
    if not len(blocks) or min(blocks) < 1:
        faults.append(f"blocks = {list(blocks)} must be one length or more, each of 1 week or more")
    faults += [f"compare_weeks = {compare_weeks} must be at least 1"] if compare_weeks < 1 else []
    if faults:
        raise WaageError("; ".join(faults))


def last_sunday(as_of: date) -> date:
    """Return the last day of the last whole week (Monday to Sunday) up to a day."""
    return as_of - timedelta(days=(as_of.weekday() + 1) % 7)


def _of(table: ir.Table, instrument: str) -> ir.Table:
    return table.filter(table.instrument == instrument)


def _frame(tables: Mapping[str, ir.Table], name: str, instrument: str) -> pd.DataFrame | None:
    if name not in tables:
        return None
    frame = _of(tables[name], instrument).to_pyarrow().to_pandas()
    return frame if len(frame) else None
