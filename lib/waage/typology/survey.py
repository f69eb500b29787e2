"""The survey beside the shop's own data: who answered, what they did before, and whom they stand for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.answers import answered
from waage.errors import Refusal
from waage.history import local_day
from waage.typology.behaviour import behaviour, feature_label, levels
from waage.typology.margins import Base, customer_base
from waage.typology.sample import Sample, prepare_sample
from waage.weighting import Weights

#: Tables that types are read from; responses, items and those of the customers are needed, the rest adds behaviour.
TABLES = (
    *("responses", "items", "identity_map", "customer_orders", "orders", "order_lines", "returns", "events"),
    *("rfm", "persons"),
)
SATISFACTION = "satisfaction"  # construct of the items, of whatever instrument, that say how content somebody is
_TOP = 2  # answers at the agreeing end of a scale that count as agreement (the usual top-2-box)


@dataclass(frozen=True)
class Survey:
    """Usable respondents with all that is known of them.

    Attributes
    ----------
    sample : Sample
        Answers; see `waage.typology.sample`.
    base : Base
        What CRM knows of respondents and of everybody.
    weights : Weights
        Respondents raked to the base.
    behaviour : DataFrame, index response_id
        What respondents of the customer file did until the day before their interview, see `behaviour`.
    outcomes : DataFrame, index as `sample.active`
        orders and net_revenue in the window of the `rfm` table, satisfaction where somebody asked; missing for
        respondents who are not in the customer file.
    acquisition : Series or None, index as `behaviour`
        Channel a person came by.
    channels, categories : tuples of str
        Whose shares are columns of `behaviour`.
    objectors : int
        Questionnaires of persons who object to profiling, left out.
    base_means : dict
        orders and net_revenue per person of the customer base, to hold the weighted sample against.
    first_day, last_day : date
        Field period.
    asked : dict
        instrument, active and scales, as `read_survey` was asked for them.
    """

    sample: Sample
    base: Base
    weights: Weights
    behaviour: pd.DataFrame
    outcomes: pd.DataFrame
    acquisition: pd.Series | None
    channels: tuple[str, ...]
    categories: tuple[str, ...]
    objectors: int
    base_means: dict[str, float]
    first_day: date
    last_day: date
    asked: Mapping[str, Any]

    @cached_property
    def persons(self) -> pd.Series:
        """person_id of the respondents in `behaviour`, index response_id."""
        return self.sample.respondents.loc[self.behaviour.index, "person_id"]

    @cached_property
    def positions(self):
        """Rows of `sample.active` that `behaviour` holds."""
        return self.sample.active.index.get_indexer(self.behaviour.index)

    @cached_property
    def variables(self) -> pd.DataFrame:
        """What profiles look at, index as `sample.active`: choices, agreement, interests, life, stage, behaviour.

        Agreement with a scale item is one of its two agreeing answers, whichever end that is.
        """
        book, rows = self.sample.items, self.sample.active.index
        answers = self.sample.answers.loc[rows]
        found = {name: self.sample.active[name] for name in self.sample.active if name.startswith("maxdiff_")}
        for item in answers:
            kind, given = book.kind[item], answers[item]
            if kind == "scale":
                agrees = given <= book.scale_min[item] + _TOP - 1 if book.reversed[item] else None
                agrees = given >= book.scale_max[item] - _TOP + 1 if agrees is None else agrees
                found[item] = agrees.astype(float).where(given.notna())
            elif kind in ("binary", "nominal", "trait"):
                found[item] = given.astype(float) if kind == "binary" else given.astype(object)
        traits = self.base.respondents.reindex(rows)
        # Orders and revenue are told by behaviour, in their own units.
        found |= {f"crm_{name}": traits[name] for name in ("stage", "age", "channel") if traits[name].nunique() > 1}
        done = self.behaviour.reindex(rows)
        found |= {name: done[name] for name in done}
        told = pd.DataFrame(found)
        return told[[name for name in told if told[name].nunique() > 1]]

    def labels(self, language: str = "en") -> dict[str, str]:
        """Return the texts of `variables` that come from the codebook."""
        book = self.sample.items
        texts = book["label_de"].fillna(book["label"]) if language == "de" else book["label"]
        motive = "Wichtig bei der Wahl: {}" if language == "de" else "Matters in the choice: {}"
        choices = {name: motive.format(name[8:].replace("_", " ")) for name in self.sample.active if "maxdiff_" in name}
        done = {name: feature_label(name, language) for name in self.behaviour}
        traits = {f"crm_{name}": feature_label(f"crm_{name}", language) for name in self.base.respondents}
        return {item: text for item, text in texts.items() if isinstance(text, str)} | choices | done | traits


def read_survey(
    tables: Mapping[str, ir.Table],
    as_of: date,
    *,
    instrument: str = "typology",
    active: Sequence[str] = (),
    scales: str = "auto",
    time_zone: str = "UTC",
) -> Survey:
    """Read the answers to one instrument until a day, and what the shop knows of who gave them.

    Parameters
    ----------
    tables : mapping of name to ibis table
        Of `TABLES`, those that the study has; `persons` without those who object to profiling.
    as_of : date
        Nothing later is read.
    instrument, active, scales, time_zone
        As for `prepare_sample`; an empty `active` takes the items that are active by default.

    Raises
    ------
    Refusal
        If the study has no survey, too few usable answers, or no respondent in its customer file.
    """
    lacking = [name for name in ("responses", "items") if name not in tables]
    if lacking:
        raise Refusal(f"the study has no {' and no '.join(lacking)}: types need a survey (instrument {instrument!r})")
    people, persons = tables["identity_map"], tables["persons"]
    asked = tables["responses"].filter(tables["responses"].instrument == instrument)
    asked = asked.filter(local_day(asked.responded_at, time_zone) <= as_of)
    barred = people.anti_join(persons, "person_id").select("source", "source_id").distinct()
    allowed = asked.anti_join(barred, ["source", "source_id"])
    objectors = int(asked.response_id.nunique().execute() - allowed.response_id.nunique().execute())
    sample = prepare_sample(
        allowed,
        tables["items"],
        people,
        customers=persons,
        instrument=instrument,
        active=tuple(active) or None,
        scales=scales,
        time_zone=time_zone,
    )
    usable = sample.respondents.loc[sample.active.index]
    orders = tables["customer_orders"].filter(tables["customer_orders"].day <= as_of)
    base = customer_base(tables["rfm"], orders, persons, usable.person_id, as_of)
    known = usable[usable.person_id.notna()]
    # A day has no clock: what was ordered after the answers must not explain them.
    eve = ibis.memtable(pd.DataFrame({"person_id": known.person_id, "day": known.day - pd.Timedelta(days=1)}))
    channels, categories = all_levels(tables, as_of)
    done = person_behaviour(tables, eve, channels, categories, time_zone).to_pyarrow().to_pandas()
    done = done.set_index("person_id").reindex(known.person_id).set_index(known.index)
    done = done.drop(columns=[name for name in done if done[name].nunique() < 2])
    came = None
    if "acquisition_channel" in persons.columns:
        came = persons.select("person_id", "acquisition_channel").semi_join(eve, "person_id").to_pyarrow().to_pandas()
        came = came.set_index("person_id").acquisition_channel.reindex(known.person_id).set_axis(known.index)
    return Survey(
        sample=sample,
        base=base,
        weights=base.weigh(start=usable.weight),
        behaviour=done,
        outcomes=_outcomes(tables, known, as_of, time_zone).reindex(usable.index),
        acquisition=came,
        channels=channels,
        categories=categories,
        objectors=objectors,
        base_means=_base_means(tables["rfm"]),
        first_day=usable.day.min().date(),
        last_day=usable.day.max().date(),
        asked={"instrument": instrument, "active": list(active), "scales": scales},
    )


def all_levels(tables: Mapping[str, ir.Table], as_of: date) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the channels and categories whose shares describe behaviour until a day, see `levels`."""
    orders = tables["customer_orders"].filter(tables["customer_orders"].day <= as_of)
    if "order_lines" not in tables:
        return levels(orders, "channel"), ()
    lines = tables["order_lines"].semi_join(orders, ["source", "order_id"])
    return levels(orders, "channel"), levels(lines, "category")


def person_behaviour(
    tables: Mapping[str, ir.Table],
    day: "date | ir.Table",
    channels: Sequence[str],
    categories: Sequence[str],
    zone: str,
) -> ir.Table:
    """Return `behaviour` from all tables that there are, on one day for everybody or on each person's own."""
    events = tables.get("events")
    if events is not None:
        people = tables["identity_map"].select("source", "source_id", "person_id")
        events = events.inner_join(people, ["source", "source_id"])
    persons = None if isinstance(day, ir.Table) else tables["persons"]
    return behaviour(
        tables["customer_orders"],
        day,
        persons=persons,
        returns=tables.get("returns"),
        details=tables.get("orders"),
        lines=tables.get("order_lines"),
        events=events,
        channels=channels,
        categories=categories,
        time_zone=zone,
    )


def _base_means(rfm: ir.Table) -> dict[str, float]:
    spent = rfm.monetary.cast("float64").fill_null(0.0)
    row = rfm.agg(orders=rfm.frequency.fill_null(0).mean(), net_revenue=spent.mean()).to_pyarrow().to_pylist()[0]
    return {name: float(value) for name, value in row.items()}


def _outcomes(tables: Mapping[str, ir.Table], known: pd.DataFrame, as_of: date, time_zone: str) -> pd.DataFrame:
    """Return orders, net revenue and satisfaction of the respondents in the customer file."""
    asked = ibis.memtable(pd.DataFrame({"response_id": known.index, "person_id": known.person_id.to_numpy()}))
    rfm = tables["rfm"].select("person_id", orders="frequency", net_revenue="monetary")
    found = asked.inner_join(rfm, "person_id").select("response_id", "orders", "net_revenue")
    found = found.to_pyarrow().to_pandas().set_index("response_id").astype(float).fillna(0.0)
    book = tables["items"].filter((tables["items"].construct == SATISFACTION) & (tables["items"].kind == "scale"))
    said = answered(tables["responses"], book)
    said = said.filter(local_day(said.responded_at, time_zone) <= as_of)
    said = said.inner_join(tables["identity_map"].select("source", "source_id", "person_id"), ["source", "source_id"])
    said = asked.inner_join(said.group_by("person_id").agg(satisfaction=said.value.mean()), "person_id")
    told = said.select("response_id", "satisfaction").to_pyarrow().to_pandas().set_index("response_id")
    return found.join(told) if told.satisfaction.nunique() > 1 else found
