"""The pair of scales: experience by group of customers, beside what the group is worth. Descriptive, never a cause."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.stats import t as student

from waage.errors import WaageError, did_you_mean
from waage.history import local_day
from waage.ix.measurement import Measurement, last_sunday
from waage.ix.score import respondent_scores
from waage.privacy import mask_small, may_profile

_COLUMNS = ["split", "group", "instrument", "ix", "low", "high", "perception", "goal", "answers", "persons"]


@dataclass(frozen=True)
class GroupScores:
    """IX by groups of visitors, and of customers whose answers are linked.

    Attributes
    ----------
    table : DataFrame
        split, group, instrument, ix, low, high (95 %), perception, goal, answers, persons; value (mean a customer) and
        customers where they are known; NaN for groups under `min_cell`.
    min_cell : int
    """

    table: pd.DataFrame
    min_cell: int

    @property
    def summary(self) -> pd.DataFrame:
        """What `ix_by_group` holds."""
        return self.table

    def beside(self, values: pd.DataFrame) -> "GroupScores":
        """Put what a customer is worth beside the experience; groups of too few customers or answers have neither.

        Parameters
        ----------
        values : DataFrame
            split, group, value (mean a customer, in the study's currency), customers.
        """
        table = self.table.drop(columns=["value", "customers"], errors="ignore")
        table = table.merge(values, on=["split", "group"], how="left")
        hidden = table["ix"].isna() | ~(table["customers"] >= self.min_cell)
        table[["value", "customers"]] = table[["value", "customers"]].astype(float).mask(hidden)
        return replace(self, table=table)

    def plot(self, split: str, ax=None, currency: str = "EUR", language: str = "en"):
        """Draw experience (x) and value (y) of a split's groups, bubbles by customers."""
        from waage.ix.plots import plot_scales

        known = list(self.table["split"].unique())
        if split not in known:
            raise WaageError(f"ix_by_group: there is no split {split!r}{did_you_mean(split, known)}")
        return plot_scales(self.table[self.table["split"] == split], ax, currency=currency, language=language)


def ix_by_group(
    scores: pd.DataFrame,
    groups: pd.DataFrame,
    *,
    min_cell: int = 30,
    instrument: str = "ix",
    confidence: float = 0.95,
) -> GroupScores:
    """Average the IX of linked respondents by group.

    Parameters
    ----------
    scores : DataFrame
        One row an answer: person_id (pseudonymous; missing: anonymous, left out), ix, perception, goal, optionally
        weight.
    groups : DataFrame
        One row a person and group: person_id, split (lifecycle, type), group, and share (0 to 1) where somebody is in
        several groups of a split with a probability each.
    min_cell : int
        `min_cell_survey`, in persons.
    instrument : str
        Survey the answers are of.
    confidence : float

    Returns
    -------
    GroupScores
        Intervals clustered by person.

    Raises
    ------
    WaageError
        When columns are missing or a person occurs twice in a group.
    """
    faults = []
    for name, table, needed in (("scores", scores, ("person_id", "ix")), ("groups", groups, ("person_id", "group"))):
        faults += [f"{name}.{c} is missing{did_you_mean(c, table.columns)}" for c in needed if c not in table]
    if not faults and (twice := groups.duplicated(["person_id", "split", "group"]).sum()):
        faults.append(f"groups: {twice} rows repeat a person")
    if faults:
        raise WaageError(f"ix_by_group: {'; '.join(faults)}")
    return _by_group(scores.merge(groups, on="person_id"), min_cell, instrument, confidence)


def _by_group(answers: pd.DataFrame, min_cell: int, instrument: str, confidence: float = 0.95) -> GroupScores:
    """Average answers that know their group: person_id, split, group, ix, optionally weight and share."""
    linked = answers[answers["person_id"].notna() & answers["ix"].notna()]
    linked = linked.assign(weight=linked.get("weight", 1.0), share=linked.get("share", 1.0))
    parts = []
    for split, of in linked.groupby("split", sort=False):
        rows = [_group(part, confidence) | {"split": split, "group": name} for name, part in of.groupby("group")]
        hidden = ("ix", "low", "high", "perception", "goal", "answers")
        parts.append(mask_small(pd.DataFrame(rows), "persons", *hidden, min_cell=min_cell))
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return GroupScores(found.assign(instrument=instrument).reindex(columns=_COLUMNS), min_cell)


def group_scores(
    own: Measurement,
    tables: Mapping[str, ir.Table],
    as_of: date,
    time_zone: str,
    *,
    linked_instrument: str = "feedback",
    min_cell: int = 30,
) -> GroupScores:
    """Return the IX by the traits of visitors, and by stage and type of customers whose answers are linked.

    Where IX answers are anonymous, the satisfaction of `linked_instrument` (its scale items as 0-100) stands for the
    experience of stages and types; the column `instrument` says so.

    Parameters
    ----------
    own : Measurement
    tables : mapping of str to ibis table
        responses, items; identity_map, rfm, types, clv, person_consents where a study has them.
    as_of, time_zone
    linked_instrument : str
        Empty: none.
    min_cell : int
        `min_cell_survey`.
    """
    long = _trait_answers(own, min_cell)
    found = [_by_group(long, min_cell, own.items["instrument"].iloc[0]).table] if len(long) else []
    groups, values = _customers(tables)
    answers, instrument = _linked(own, tables, as_of, time_zone, linked_instrument)
    if answers is not None and len(groups):
        found.append(ix_by_group(answers, groups, min_cell=min_cell, instrument=instrument).table)
    found = [part for part in found if len(part)]
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=_COLUMNS)
    return GroupScores(table, min_cell).beside(values)


def _trait_answers(own: Measurement, min_cell: int) -> pd.DataFrame:
    """Return every answer beside the traits its visitor told: person_id, ix, perception, goal, split, group.

    What fewer than `min_cell` persons told is "other": a rare text may be a name, and is neither stored nor shown.
    """
    people = own.people.reset_index(drop=True)
    ix = respondent_scores(people, own.items, own.scores.weights)
    # An anonymous answer is a person of its own.
    ix["person_id"] = people["visitor"].fillna(pd.Series(people.index.astype(str), people.index))
    traits = people.filter(like="trait_").rename(columns=lambda name: name.removeprefix("trait_"))
    keys = list(ix)
    long = pd.concat([ix, traits], axis=1).melt(keys, var_name="split", value_name="group")
    long = long.dropna(subset=["group", "ix"])
    told = long.groupby(["split", "group"])["person_id"].transform("nunique")
    long["group"] = long["group"].where(told >= min_cell, "other")
    # "new" is a segment's name, too: a level is a key of its own.
    levels = (long["split"] == "visitor") & (long["group"] != "other")
    long["group"] = long["group"].mask(levels, "visitor_" + long["group"].astype(str))
    return long


def _group(part: pd.DataFrame, confidence: float) -> dict:
    w, x = (part["weight"] * part["share"]).to_numpy(dtype=float), part["ix"].to_numpy(dtype=float)
    mean, answering = w @ x / w.sum(), part["person_id"].nunique()
    persons = part.drop_duplicates("person_id")["share"].sum()
    by_person = pd.Series(w * (x - mean)).groupby(part["person_id"].to_numpy()).sum().to_numpy()
    half = np.nan
    if answering > 1:
        error = np.sqrt((by_person**2).sum() * answering / (answering - 1)) / w.sum()
        half = student.ppf((1 + confidence) / 2, answering - 1) * error
    row = {"ix": mean, "low": mean - half, "high": mean + half}
    for name in ("perception", "goal"):
        row[name] = w @ part[name].to_numpy(dtype=float) / w.sum() if name in part else np.nan
    return row | {"answers": part["share"].sum(), "persons": persons}


def _customers(tables: Mapping[str, ir.Table]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return who is in which group (person_id, split, group, share), and what a customer of each is worth.

    Customers count in each type by probability, on both axes: that pulls types towards each other, for want of
    knowing who is of which.
    """
    parts = []
    if "rfm" in tables:
        rfm = may_profile(tables["rfm"], tables.get("person_consents"))
        stage = "stage_" + rfm.lifecycle
        parts.append(rfm.select("person_id", split=ibis.literal("lifecycle"), group=stage, share=ibis.literal(1.0)))
        known = rfm.filter(rfm.lifecycle != "lead")
        new = ibis.ifelse(known.lifecycle == "new", "stage_new", "existing")
        parts.append(
            known.select("person_id", split=ibis.literal("new_or_existing"), group=new, share=ibis.literal(1.0))
        )
    if "types" in tables:
        types = may_profile(tables["types"], tables.get("person_consents"))
        shares = [name for name in types.columns if name.startswith("p_")]
        for name in shares:
            group = ibis.literal(f"type_{name.removeprefix('p_')}")
            share = types[name].cast("float64")
            parts.append(types.select("person_id", split=ibis.literal("type"), group=group, share=share))
    if not parts:
        return pd.DataFrame(columns=["person_id"]), pd.DataFrame(columns=["split", "group", "value", "customers"])
    groups = ibis.union(*parts) if len(parts) > 1 else parts[0]
    frame = groups.order_by("split", "group", "person_id").to_pyarrow().to_pandas()
    if "clv" not in tables:
        return frame, pd.DataFrame(columns=["split", "group", "value", "customers"])
    worth = frame.merge(tables["clv"].select("person_id", "clv").to_pyarrow().to_pandas(), on="person_id")
    worth["clv"] = worth["clv"].astype(float) * worth["share"]
    sums = worth.groupby(["split", "group"])[["clv", "share"]].sum()
    return frame, sums.assign(value=sums["clv"] / sums["share"], customers=sums["share"])[
        ["value", "customers"]
    ].reset_index()


def _linked(
    own: Measurement, tables: Mapping[str, ir.Table], as_of: date, time_zone: str, other: str
) -> tuple[pd.DataFrame | None, str]:
    """Return answers with their pseudonymous person, without those who withdrew from surveys; and their instrument."""
    if "identity_map" not in tables:
        return None, ""
    people = tables["identity_map"].select("source", "source_id", "person_id")
    if "person_consents" in tables:
        acts = tables["person_consents"]
        barred = acts.filter((acts.purpose == "survey") & acts.status.isin(["objected", "withdrawn"]))
        people = people.anti_join(barred, "person_id")
    if own.people["visitor"].notna().any():
        ids = people.select("person_id", visitor=people.source + "|" + people.source_id).to_pyarrow().to_pandas()
        both = own.people[["visitor"]].merge(ids.drop_duplicates("visitor"), on="visitor", how="left")
        scores = respondent_scores(own.people, own.items, own.scores.weights)
        return scores.assign(person_id=both["person_id"].to_numpy()), own.items["instrument"].iloc[0]
    if not other:
        return None, ""
    items, rows = tables["items"], tables["responses"]
    items = items.filter((items.instrument == other) & (items.kind == "scale") & items.scale_max.notnull())
    rows = rows.filter((rows.instrument == other) & rows.source_id.notnull() & rows.value.notnull())
    rows = rows.filter(local_day(rows.responded_at, time_zone) <= last_sunday(as_of))
    rows = rows.inner_join(items.select("item", "scale_min", "scale_max", "best"), "item")
    rows = rows.filter(rows.value.between(rows.scale_min, rows.scale_max))
    share = (rows.value - rows.scale_min) / (rows.scale_max - rows.scale_min)
    points = 100 * ibis.ifelse(rows.best.fill_null("max") == "min", 1 - share, share)
    rows = rows.mutate(points=points).inner_join(people, ["source", "source_id"])
    answers = rows.group_by("response_id", "person_id").agg(ix=rows.points.mean())
    answers = answers.order_by("response_id", "person_id").to_pyarrow().to_pandas()
    return (answers, other) if len(answers) else (None, "")
