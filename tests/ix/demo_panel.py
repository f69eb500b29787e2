"""The simulated retailer's survey and performance, as the subject takes them, without files in between."""

from functools import lru_cache

import numpy as np
import pandas as pd

from waage.demo.experience import experience
from waage.demo.ix_survey import ITEMS, answers, reference_mix
from waage.demo.performance import BURN_IN, market, performance, true_effects
from waage.demo.world import Settings
from waage.ix.panel import Panel, build_panel
from waage.ix.score import Scores, score


def people_of(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a respondent, as `respondents` returns it, from the demo's wide answers."""
    table = pd.DataFrame({"response_id": rows["response_id"], "unit": rows["unit"]})
    day = rows["responded_at"].dt.normalize()
    table["week"] = day - pd.to_timedelta(day.dt.day_of_week, "D")
    for item in ITEMS[ITEMS["kind"] == "scale"].itertuples():
        value = rows[item.item].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        value = np.where(value == pd.to_numeric(item.missing_codes), np.nan, value)
        share = (value - float(item.scale_min)) / (float(item.scale_max) - float(item.scale_min))
        table[item.item] = 100 * (1 - share if item.best == "min" else share)
    for trait in ("visitor", "intent", "channel"):
        table[f"trait_{trait}"] = rows[trait].to_numpy()
    return table


def demo_people(settings: Settings) -> pd.DataFrame:
    shop, known = market(settings), experience(settings)
    parts = [people_of(answers(settings, shop, known.ix, number)) for number in range(settings.units)]
    return pd.concat(parts, ignore_index=True)


@lru_cache(maxsize=3)
def demo_scores(settings: Settings) -> Scores:
    return score(demo_people(settings), ITEMS, reference_mix())


def true_ix(settings: Settings) -> pd.DataFrame:
    shop, known = market(settings), experience(settings)
    unit, week = np.nonzero(shop.live)
    units = shop.units["unit"].to_numpy()[unit]
    return pd.DataFrame({"unit": units, "week": shop.weeks[week], "true": known.ix[:, BURN_IN:][shop.live]})


def demo_performance(settings: Settings) -> pd.DataFrame:
    return performance(settings, market(settings), experience(settings).ix)


@lru_cache(maxsize=3)
def demo_panel(settings: Settings) -> Panel:
    incidents = experience(settings).incidents
    return build_panel(demo_scores(settings).table, demo_performance(settings), incidents=incidents)


def demo_truth(settings: Settings) -> pd.DataFrame:
    effects, _ = true_effects(settings, market(settings), experience(settings).ix)
    return effects.set_index("outcome")
