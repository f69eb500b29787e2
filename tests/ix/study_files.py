"""A small study of the experience on disk: simulated weeks of units, and the answers behind them."""

import datetime

import numpy as np
import pandas as pd

from waage.demo.experience import experience
from waage.demo.ix_survey import ITEMS, answers, invitations, reference_mix
from waage.demo.performance import market, performance
from waage.demo.world import Settings

AS_OF = datetime.date(2025, 6, 29)
SMALL = Settings(seed=11, units=9, weeks=60)
SHORT = Settings(seed=11, units=8, weeks=16)  # for what is refused anyway


def frames(settings: Settings = SMALL, share: float = 1.0) -> dict[str, pd.DataFrame]:
    """Canonical tables of the simulated retailer's experience; `share` of the respondents answered."""
    shop, known = market(settings), experience(settings)
    rows = pd.concat([answers(settings, shop, known.ix, number) for number in range(settings.units)])
    if share < 1:
        rows = rows.sample(frac=share, random_state=1).sort_values("response_id")
    asked = pd.concat([invitations(settings, part, number) for number, (_, part) in enumerate(rows.groupby("unit"))])
    scale = list(ITEMS.loc[ITEMS["kind"] == "scale", "item"])
    traits = list(ITEMS.loc[ITEMS["kind"] == "trait", "item"])
    keys = ["response_id", "unit", "responded_at"]
    numbers = rows.melt(keys, scale, "item", "value").dropna(subset=["value"]).assign(text=None)
    texts = rows.melt(keys, traits, "item", "text").assign(value=None)
    both = pd.concat([numbers.astype({"value": "float64"}), texts], ignore_index=True)
    items = ITEMS.assign(instrument="ix")
    for end in ("scale_min", "scale_max"):
        items[end] = items[end].astype(float)
    week = pd.to_datetime(performance(settings, shop, known.ix)["week"])
    sales = performance(settings, shop, known.ix).assign(week=week.dt.date)
    orders = pd.DataFrame({"source": "shop", "order_id": [f"o{i}" for i in range(200)]})
    orders["source_id"] = [f"c{i % 60}" for i in range(200)]
    orders["ordered_at"] = pd.Timestamp("2024-07-01 12:00") + pd.to_timedelta(np.arange(200), "D")
    return {
        "responses": both.assign(instrument="ix", source=None, source_id=None),
        "items": items,
        "invitations": asked.assign(instrument="ix", day=pd.to_datetime(asked["day"]).dt.date),
        "reference_mix": reference_mix().assign(instrument="ix"),
        "units": shop.units,
        "performance": sales,
        "incidents": known.incidents.drop(columns="size"),
        "orders": orders.assign(channel="online", revenue=50.0),
    }


def write_study(make_study, tables: dict[str, pd.DataFrame], name: str = "shop", accepted: bool = True, **settings):
    """Write tables as a study: `accepted` as notebook 01 leaves them, else as raw files with their sources."""
    sources = {table: f"SELECT * FROM '${{raw}}/{table}.parquet'" for table in tables}
    whole = {"data_until": AS_OF, "as_of": AS_OF, "raw": "raw", "min_cell": 10} | settings
    folder = make_study(name, sources, **whole)
    place = folder / ("tables" if accepted else "raw")
    place.mkdir(exist_ok=True)
    for table, frame in tables.items():
        empty = [name for name in frame if frame[name].isna().all()]
        frame = frame.astype(dict.fromkeys(empty, "string"))  # a column without any value has no type of its own
        frame.to_parquet(place / f"{table}.parquet", index=False)
    return folder
