"""The true experience of every unit and week, and all tables that follow from it.

Latent experience moves slowly (AR), falls with incidents, and rises or falls with releases. Anonymous visitors of the
whole shop answer a survey about it (`waage.demo.ix_survey`), and visits, conversion and basket follow it
(`waage.demo.performance`).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from waage.demo.files import Files
from waage.demo.ix_survey import ITEMS, answers, invitations, reference_mix
from waage.demo.performance import BURN_IN, SHOP_CUSTOMERS, Market, ar, market, performance, true_effects
from waage.demo.world import Settings, stream

UNIT_SD, COMMON_SD, LEVEL_SD = 1.75, 1.2, 4.0  # of experience, in points of 0-100
BUSY_COST = 10.0  # points of experience lost when visits are one log point above usual (--reverse-causality)
_HABIT = 20.0  # weeks until half of a release's effect has worn off
_KINDS = {  # kind: share of incidents, mean points while it lasts, days from, days to
    "outage": (0.15, -28.0, 0.5, 2.0),
    "search_fault": (0.20, -10.0, 3.0, 10.0),
    "slow_pages": (0.20, -8.0, 7.0, 21.0),
    "delivery_delay": (0.25, -9.0, 7.0, 28.0),
    "release": (0.20, 0.8, 0.0, 0.0),
}


@dataclass(frozen=True)
class Experience:
    """True experience (0-100) by unit and week, burn-in first, and what moved it.

    Attributes
    ----------
    ix : array, units x (BURN_IN + weeks)
        The score that respondents of the reference mix would give on average.
    incidents : DataFrame
        incident_id, started_at, ended_at, unit (None: all), kind, size (points while it lasts; a release's on its day).
    """

    ix: np.ndarray
    incidents: pd.DataFrame


def write_experience(settings: Settings, out: Files) -> None:
    """Write units, incidents, the IX survey, its invitations and reference mix, performance, and their truth."""
    shop = market(settings)
    known = experience(settings)
    out.csv("units", shop.units)
    # Nobody can export an end that is still to come.
    over = known.incidents["ended_at"] < pd.Timestamp(settings.last_day) + pd.Timedelta(days=1)
    exported = known.incidents.drop(columns="size").assign(ended_at=known.incidents["ended_at"].where(over))
    out.csv("incidents", exported)
    out.csv("ix_items", ITEMS)
    out.csv("reference_mix", reference_mix())
    out.csv("performance", performance(settings, shop, known.ix))
    for number in range(settings.units):
        rows = answers(settings, shop, known.ix, number)
        out.parquet("ix_responses", rows)
        out.csv("invitations", invitations(settings, rows, number))

    effects, unit_effects = true_effects(settings, shop, known.ix)
    unit, week = np.nonzero(shop.live)
    panel = pd.DataFrame({"unit": shop.units["unit"].to_numpy()[unit], "week": shop.weeks[week].date})
    out.truth("effects", effects)
    out.truth("unit_effects", unit_effects)
    out.truth("experience", panel.assign(ix=known.ix[:, BURN_IN:][shop.live]))
    out.truth("incidents", known.incidents)
    sample = {"persons": settings.persons, "shop_customers": SHOP_CUSTOMERS}
    out.truth("sample", pd.DataFrame([sample]).assign(factor=SHOP_CUSTOMERS / settings.persons))


@lru_cache(maxsize=2)
def experience(settings: Settings) -> Experience:
    """Draw the true experience of all units."""
    shop = market(settings)
    rng = stream(settings.seed, "experience")
    shape = shop.promo.shape
    # Large units are better served: a pooled regression would read their size as an effect.
    level = 70 + LEVEL_SD * (0.6 * shop.size + 0.8 * rng.standard_normal(shape[0]))
    ix = level[:, None] + ar(rng, (1, shape[1]), 0.8, COMMON_SD) + ar(rng, shape, 0.8, UNIT_SD) - 3.0 * shop.promo
    incidents = _incidents(settings, shop)
    ix[:, BURN_IN:] += _incident_points(shop, incidents)
    if settings.reverse_causality:
        ix = ix - BUSY_COST * shop.busy
    return Experience(np.clip(ix, 35, 95), incidents)


def _incidents(settings: Settings, shop: Market) -> pd.DataFrame:
    """Draw about one incident a unit in half a year, and one for all units in four months."""
    rng = stream(settings.seed, "incidents")
    own = rng.poisson(settings.weeks / 26, settings.units)
    unit = np.concatenate([np.repeat(np.arange(settings.units), own), np.full(rng.poisson(settings.weeks / 17), -1)])
    kinds = pd.DataFrame.from_dict(_KINDS, orient="index", columns=["share", "points", "from_days", "to_days"])
    kind = rng.choice(len(kinds), len(unit), p=kinds["share"])
    drawn = kinds.iloc[kind]
    day = np.floor(rng.uniform(0, 7 * settings.weeks, len(unit)))
    started = pd.Timestamp(settings.first_day) + pd.to_timedelta(day * 1440 + rng.integers(300, 1320, len(unit)), "min")
    days = rng.uniform(drawn["from_days"].to_numpy(), drawn["to_days"].to_numpy())
    is_release = drawn.index.to_numpy() == "release"
    size = drawn["points"].to_numpy() * rng.gamma(4, 1 / 4, len(unit))
    size = np.where(is_release, rng.normal(drawn["points"].to_numpy(), 1.6), size)
    rows = pd.DataFrame(
        {
            "started_at": started,
            "ended_at": (started + pd.to_timedelta((days * 1440).round(), "min")).where(~is_release),
            "unit": np.where(unit < 0, None, shop.units["unit"].to_numpy()[np.maximum(unit, 0)]),
            "kind": drawn.index.to_numpy(),
            "size": size.round(2),
        }
    )
    first = shop.weeks[np.where(unit < 0, 0, shop.start[np.maximum(unit, 0)])]
    rows = rows[rows["started_at"] >= first].sort_values(["started_at", "kind"], kind="stable", ignore_index=True)
    rows.insert(0, "incident_id", [f"I{number:04d}" for number in range(1, len(rows) + 1)])
    return rows


def _incident_points(shop: Market, incidents: pd.DataFrame) -> np.ndarray:
    """Return the change of experience, units x weeks of the window."""
    points = np.zeros((len(shop.units), len(shop.weeks)))
    monday = (shop.weeks - shop.weeks[0]).days.to_numpy(dtype=float)
    for row in incidents.itertuples():
        start = (row.started_at - shop.weeks[0]) / pd.Timedelta(days=1)
        if pd.isna(row.ended_at):
            share = np.clip((monday + 7 - start) / 7, 0, 1)
            share = share * 0.5 ** (np.maximum(monday - start, 0) / 7 / _HABIT)
        else:
            end = (row.ended_at - shop.weeks[0]) / pd.Timedelta(days=1)
            share = np.clip(np.minimum(end, monday + 7) - np.maximum(start, monday), 0, None) / 7
        touched = slice(None) if row.unit is None else shop.units["unit"].to_numpy() == row.unit
        points[touched] += row.size * share
    return points
