"""What every unit (assortment x device) of the whole shop sells in a week, and what experience does to it.

Log-linear in experience, because a true effect must be definable, but not the model that is fitted later: shocks are
autocorrelated and heavy-tailed, effects differ between units and fall with the level, lags have a hump.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

import numpy as np
import pandas as pd

from waage.demo.world import ASSORTMENTS, DEVICES, Settings, stream

BURN_IN = 30  # weeks of history before the window, so that the first week has lags
REFERENCE = 70.0  # experience at which the marginal effect is the stated one
CURVATURE = 0.01  # the marginal effect is 1 - 2 * CURVATURE * (experience - REFERENCE): losses weigh more
HUMP = np.arange(1, 10) * 0.55 ** np.arange(9)
LAGS: dict[str, np.ndarray] = {
    "visits": 0.0034 * HUMP / HUMP.sum(),  # word gets around: strongest in the first two weeks, gone after eight
    "conversion": np.array([0.0023, 0.0010, 0.0004, 0.0002]),
    "basket": np.array([0.0003, 0.0001, 0.0001]),
}
"""Log points of an outcome per point of experience (0-100), by weeks of delay; demand is their sum."""

SHOCKS = (0.035, 0.025, 0.012)  # SD of the units' own shocks to log visits, conversion, basket
SHOP_CUSTOMERS = 16_000_000  # customers of the whole shop, of whom the persons are a sample
_VISITS = 240_000  # of a middling unit in a week
_REACH = {"app": 0.75, "mobile": 1.6, "desktop": 0.85}  # visits of a device against the middle
_CONVERSION = {"app": 0.042, "mobile": 0.026, "desktop": 0.036}
_BASKET = dict(zip(ASSORTMENTS, (78, 92, 55, 68, 310, 190, 42, 85), strict=True))
_CHRISTMAS = dict(zip(ASSORTMENTS, (0.20, 0.19, 0.25, 0.21, 0.15, 0.26, 0.24, 0.20), strict=True))
_SUMMER = dict(zip(ASSORTMENTS, (0.03, 0.02, 0.01, -0.03, -0.04, -0.03, 0.0, 0.05), strict=True))
_SEASONS = {"christmas": _CHRISTMAS, "summer": _SUMMER}
STOCK = 0.5  # share of last week's marketing pressure that is left


@dataclass(frozen=True)
class Market:
    """All that happens to the units apart from experience; arrays are units x (BURN_IN + weeks).

    Attributes
    ----------
    units : DataFrame
        One row a unit: unit, label, category, device.
    weeks : DatetimeIndex
        Mondays of the window.
    start : int array
        First week of each unit in the window (0: there from the beginning).
    size : array
        Standardised size of the unit.
    slope : DataFrame
        Factor on the unit's effect by outcome, mean 1.
    promo, price, marketing : array
        Depth of promotions (0-1), price index (1: as competitors), spend in EUR.
    busy : array
        Log deviation of visits from the unit's usual.
    parts : dict of array
        Log visits, conversion and basket without experience.
    """

    units: pd.DataFrame
    weeks: pd.DatetimeIndex
    start: np.ndarray
    size: np.ndarray
    slope: pd.DataFrame
    promo: np.ndarray
    price: np.ndarray
    marketing: np.ndarray
    busy: np.ndarray
    parts: dict[str, np.ndarray]

    @property
    def live(self) -> np.ndarray:
        """Units x weeks: True where the unit exists."""
        return np.arange(len(self.weeks)) >= self.start[:, None]

    @property
    def weight(self) -> np.ndarray:
        """Units x weeks: usual share of the shop's demand, among the units that exist."""
        usual = np.exp(sum(part.mean(axis=1) for part in self.parts.values()))[:, None] * self.live
        return usual / usual.sum(axis=0)


@lru_cache(maxsize=2)
def market(settings: Settings) -> Market:
    """Draw everything but experience."""
    rng = stream(settings.seed, "market")
    units = _units(settings.units)
    shape = (settings.units, BURN_IN + settings.weeks)
    weeks = pd.date_range(settings.first_day - timedelta(days=7 * BURN_IN), periods=shape[1], freq="7D")
    size = rng.standard_normal(shape[0])
    late = np.zeros(shape[0], dtype=int)
    newcomers = rng.permutation(shape[0])[: round(shape[0] / 8)]
    late[newcomers] = (rng.uniform(0.15, 0.45, len(newcomers)) * settings.weeks).astype(int)

    day = weeks.day_of_year.to_numpy()
    christmas = np.exp(-(((day - 346) / 14) ** 2))  # peak in the second week of December
    summer = np.sin(2 * np.pi * (day - 105) / 365.25)
    sale = np.exp(-(((day - 12) / 12) ** 2)) + np.exp(-(((day - 190) / 14) ** 2)) + np.exp(-(((day - 330) / 5) ** 2))
    promo = np.where(rng.random(shape) < 0.18 + 0.5 * sale, rng.uniform(0.05, 0.35, shape), 0.0).round(2)
    price = np.exp(ar(rng, shape, 0.95, 0.03)).round(3)
    marketing = np.exp(np.log(0.05 * _VISITS) + 0.6 * size[:, None] + ar(rng, shape, 0.6, 0.35) + 0.5 * christmas)
    stock = marketing.copy()
    for t in range(1, shape[1]):
        stock[:, t] += STOCK * stock[:, t - 1]
    pressure = np.log(stock)

    season = {name: units["category"].map(of).to_numpy()[:, None] for name, of in _SEASONS.items()}
    season = (season["christmas"] + rng.normal(0, 0.02, (shape[0], 1))) * christmas + season["summer"] * summer
    loading = rng.normal(1, 0.15, (shape[0], 1))
    common = ar(rng, (1, shape[1]), 0.7, 0.05, heavy=True)
    drift = np.cumsum(rng.normal(0, 0.001, shape), axis=1)
    log_price = np.log(price)
    usual = np.log(_VISITS * units["device"].map(_REACH).to_numpy()) + 0.6 * size
    busy = (
        0.7 * season
        + loading * common
        + drift
        + 0.30 * promo
        + 0.04 * (pressure - pressure.mean(axis=1, keepdims=True))
        + ar(rng, shape, 0.4, SHOCKS[0], heavy=True)
    )
    level = np.log(np.column_stack([units["device"].map(_CONVERSION), units["category"].map(_BASKET)]))
    level = level + rng.normal(0, [0.08, 0.05], level.shape)
    conversion = (
        level[:, :1]
        + 0.3 * season
        + loading * ar(rng, (1, shape[1]), 0.5, 0.015)
        + 0.5 * promo
        - 1.2 * log_price
        + ar(rng, shape, 0.4, SHOCKS[1], heavy=True)
    )
    basket = level[:, 1:] - 0.3 * promo + 0.4 * log_price + ar(rng, shape, 0.4, SHOCKS[2], heavy=True)
    slope = pd.DataFrame({outcome: rng.gamma(11, 1 / 11, shape[0]) for outcome in LAGS})
    return Market(
        units=units,
        weeks=weeks[BURN_IN:],
        start=late,
        size=size,
        slope=slope / slope.mean(),
        promo=promo,
        price=price,
        marketing=marketing.round(2),
        busy=busy,
        parts={"visits": usual[:, None] + busy, "conversion": conversion, "basket": basket},
    )


def experience_effects(settings: Settings, market: Market, ix: np.ndarray) -> dict[str, np.ndarray]:
    """Return what experience adds to log visits, conversion and basket, units x weeks of the window.

    Parameters
    ----------
    ix : array, units x (BURN_IN + weeks)
        True experience. A unit that starts late has no reputation yet: its lags end at its first week.
    """
    live = market.live
    value = (ix - REFERENCE) - CURVATURE * (ix - REFERENCE) ** 2
    position = BURN_IN + np.arange(live.shape[1])
    first = np.where(market.start > 0, BURN_IN + market.start, 0)[:, None]
    effects = {}
    for outcome, lags in LAGS.items():
        total = np.zeros(live.shape)
        for delay, effect in enumerate(lags):
            at = np.maximum(position[None, :] - delay, np.minimum(first, position[None, :]))
            total += effect * np.take_along_axis(value, at, axis=1)
        total *= 0.0 if settings.ix_null else market.slope[outcome].to_numpy()[:, None]
        # What a unit gains is partly taken from all units, in proportion to their size.
        effects[outcome] = total - settings.diversion * (market.weight * total).sum(axis=0)
    return effects


def true_effects(settings: Settings, market: Market, ix: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (effects, unit_effects): log points per point of experience at the levels that occurred.

    effects : outcome, short_run (same week), long_run (sum over all delays), and the same for the shop as a whole
    (shop_short_run, shop_long_run: all units move by one point, what units take from each other is netted out). The
    former are means over units, the latter weighted by demand; unit_effects has one row a unit and outcome.
    """
    live = market.live
    marginal = np.where(live, 1 - 2 * CURVATURE * (ix[:, BURN_IN:] - REFERENCE), 0).sum(axis=1) / live.sum(axis=1)
    on = 0.0 if settings.ix_null else 1.0
    rows = []
    for outcome, lags in LAGS.items():
        unit = on * market.slope[outcome].to_numpy() * marginal
        rows.append(pd.DataFrame({"unit": market.units["unit"], "outcome": outcome, "short_run": unit * lags[0]}))
        rows[-1]["long_run"] = unit * lags.sum()
    units = pd.concat(rows)
    demand = units.groupby("unit", sort=False)[["short_run", "long_run"]].sum().reset_index()
    units = pd.concat([units, demand.assign(outcome="demand")], ignore_index=True)
    effects = units.groupby("outcome", sort=False)[["short_run", "long_run"]].mean().reset_index()
    weight = pd.Series(market.weight.mean(axis=1), market.units["unit"])
    for run in ("short_run", "long_run"):
        by_unit = units.pivot(index="unit", columns="outcome", values=run).loc[weight.index, effects["outcome"]]
        effects[f"shop_{run}"] = (1 - settings.diversion) * (by_unit.T.to_numpy() @ weight.to_numpy())
    return effects, units


def performance(settings: Settings, market: Market, ix: np.ndarray) -> pd.DataFrame:
    """Draw the weekly counts of every unit: unit, week, visits, orders, demand (EUR ordered) and the controls.

    Visits and orders are Poisson counts; their noise is small beside the shocks because they are large.
    """
    rng = stream(settings.seed, "performance")
    effects = experience_effects(settings, market, ix)
    logs = {outcome: part[:, BURN_IN:] + effects[outcome] for outcome, part in market.parts.items()}
    visits = rng.poisson(np.exp(logs["visits"]))
    orders = np.minimum(rng.poisson(visits * np.exp(logs["conversion"])), visits)
    value = np.exp(logs["basket"] + rng.standard_normal(visits.shape) * 0.6 / np.sqrt(np.maximum(orders, 1)))
    tracking = 0.72 - 0.04 * np.linspace(0, 1, visits.shape[1]) + rng.normal(0, 0.01, visits.shape)
    live = market.live
    unit, week = np.nonzero(live)
    window = slice(BURN_IN, None)
    return pd.DataFrame(
        {
            "unit": market.units["unit"].to_numpy()[unit],
            "week": market.weeks[week].strftime("%Y-%m-%d"),
            "visits": visits[live],
            "orders": orders[live],
            "demand": (orders * value)[live].round(2),
            "price_index": market.price[:, window][live],
            "promo": market.promo[:, window][live],
            "marketing_spend": market.marketing[:, window][live],
            "tracking_share": tracking[live].round(3),
        }
    )


def ar(rng: np.random.Generator, shape: tuple[int, int], rho: float, sd: float, heavy: bool = False) -> np.ndarray:
    """Return stationary AR(1) series of the given SD; `heavy` takes t(4) innovations."""
    draws = rng.standard_t(4, shape) / np.sqrt(2) if heavy else rng.standard_normal(shape)
    series = np.empty(shape)
    series[:, 0] = draws[:, 0]
    for t in range(1, shape[1]):
        series[:, t] = rho * series[:, t - 1] + np.sqrt(1 - rho**2) * draws[:, t]
    return sd * series


def _units(count: int) -> pd.DataFrame:
    rows = []
    for number in range(count):
        category = ASSORTMENTS[number % len(ASSORTMENTS)]
        device = DEVICES[(number // len(ASSORTMENTS) + number % len(ASSORTMENTS)) % len(DEVICES)]
        again = number // (len(ASSORTMENTS) * len(DEVICES))  # more units than combinations: further sites
        site = f"_{again + 1}" if again else ""
        label = f"{category.capitalize()}, {device}" + (f", site {again + 1}" if again else "")
        rows.append((f"{category}_{device}{site}", label, category, device))
    return pd.DataFrame(rows, columns=["unit", "label", "category", "device"])
