"""Customers for the tests: the real ones of CDNOW and simulated ones."""

import importlib.util
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from waage.clv.purchases import PurchaseModel
from waage.clv.spend import SpendModel

CUT = pd.Timestamp("1997-09-30")


def cdnow_orders(which):
    # The packaged files without lifetimes.datasets, whose import needs an old setuptools.
    folder = Path(importlib.util.find_spec("lifetimes").submodule_search_locations[0]) / "datasets"
    layout = {
        "master": {"header": 0, "names": ["person_id", "day", "units", "dollars"]},
        "sample": {"header": None, "names": ["master_id", "person_id", "day", "units", "dollars"]},
    }[which]
    orders = pd.read_csv(folder / f"CDNOW_{which}.txt", sep=r"\s+", dtype={"person_id": str, "day": str}, **layout)
    orders["day"] = pd.to_datetime(orders["day"], format="%Y%m%d")
    return orders.groupby(["person_id", "day"], as_index=False)["dollars"].sum()


def cdnow(which):
    days = cdnow_orders(which)
    before, after = days[days["day"] <= CUT], days[days["day"] > CUT]
    day = before.groupby("person_id")["day"]
    people = pd.DataFrame(
        {
            "frequency": day.size() - 1,
            "recency": (day.max() - day.min()).dt.days,
            "T": (CUT - day.min()).dt.days,
        }
    )
    repeat = before[before.duplicated("person_id")]
    people["monetary"] = repeat.groupby("person_id")["dollars"].mean().reindex(people.index)
    people["x_holdout"] = after.groupby("person_id").size().reindex(people.index).fillna(0).astype(int)
    return people.reset_index()


class CdnowAt:
    """Histories of CDNOW's sample as of any cut, as `rolling_backtest` asks for them."""

    @cached_property
    def orders(self):
        return cdnow_orders("sample").assign(day=lambda frame: frame["day"].dt.date)

    @cached_property
    def dollars(self):
        return self.orders[self.orders["day"] > CUT.date()].groupby("person_id")["dollars"].sum()

    def __call__(self, cut, end):
        before = self.orders[self.orders["day"] <= cut]
        after = self.orders[(self.orders["day"] > cut) & (self.orders["day"] <= end)]
        day = before.groupby("person_id")["day"]
        first, last = pd.to_datetime(day.min()), pd.to_datetime(day.max())
        people = pd.DataFrame(
            {
                "frequency": day.size() - 1,
                "recency": (last - first).dt.days,
                "T": (pd.Timestamp(cut) - first).dt.days,
            }
        )
        people["x_holdout"] = after.groupby("person_id").size().reindex(people.index).fillna(0).astype(int)
        return people.reset_index()


cdnow_at = CdnowAt()


def simulate(model, params, T, seed, future_days=0):
    """Customers who live by the model's own story, day for day in continuous time (params in days)."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = params
    rate, leave = rng.gamma(r, 1 / alpha, len(T)), rng.beta(a, b, len(T))
    rows = []
    for customer, end in enumerate(T):
        now, past, future = 0.0, [], 0
        alive = model == "bg" or rng.random() >= leave[customer]
        while alive:
            now += rng.exponential(1 / rate[customer]) if rate[customer] > 1e-9 else np.inf
            if now > end + future_days:
                break
            if now <= end:
                past.append(now)
            else:
                future += 1
            alive = rng.random() >= leave[customer]
        rows.append((len(past), past[-1] if past else 0.0, end, future))
    return pd.DataFrame(rows, columns=["frequency", "recency", "T", "future"])


def model_with(kind, r, alpha, a, b, time_unit="days"):
    params = pd.Series([r, alpha, a, b], index=["r", "alpha", "a", "b"])
    return PurchaseModel(kind, time_unit, params, np.diag([1e-4] * 4), np.diag([1e-2] * 4), 0.0, 1000, 1000, "given")


def agrees_as_printed(value, text):
    """Equal to the last printed digit."""
    digits = len(text.split(".")[1])
    return abs(value - float(text)) <= 0.51 * 10**-digits


def spend_with(p, q, v, log_sd=0.01):
    params = pd.Series([p, q, v], index=["p", "q", "v"])
    return SpendModel(params, np.eye(3) * log_sd**2, np.eye(3) * log_sd, 0.0, 1000, 0, pd.Series(dtype=float), "given")


def simulate_many(model, params, T, seed, future_days):
    """As `simulate`, all customers at once and for Pareto/NBD too: whole days, orders of one day merged."""
    rng = np.random.default_rng(seed)
    r, alpha, third, fourth = params
    n = len(T)
    rate = rng.gamma(r, 1 / alpha, n)
    if model == "pareto":
        death, last = rng.exponential(1.0, n) / np.maximum(rng.gamma(third, 1 / fourth, n), 1e-300), np.full(n, np.inf)
    else:
        leave = np.maximum(rng.beta(third, fourth, n), 1e-12)
        # The purchase after which a customer leaves; in MBG/NBD it may be the first one, which is number 0.
        death, last = np.full(n, np.inf), rng.geometric(leave).astype(float) - (model == "mbg")
    clock, count = np.zeros(n), np.zeros(n)
    frequency, recency, future = np.zeros((3, n))
    active = np.flatnonzero(last > 0)
    while len(active):
        with np.errstate(divide="ignore"):
            clock[active] += rng.exponential(1.0, len(active)) / rate[active]
        active = active[clock[active] <= np.minimum(T[active] + future_days, death[active])]
        count[active] += 1
        now = clock[active] <= T[active]
        frequency[active[now]] += 1
        recency[active[now]] = clock[active[now]]
        future[active[~now]] += 1
        active = active[count[active] < last[active]]
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": T, "future": future})


def demo_customers(seed, persons=6_000, weeks=156):
    """Purchase days of the simulated retailer whose customer is known, straight from its generator.

    Returns a frame of person, type, day (0 is the first day) and the number of days of the window.
    """
    from waage.demo.people import campaign_contacts, people
    from waage.demo.purchases import calendar, make_orders
    from waage.demo.world import Settings

    settings = Settings(persons=persons, weeks=weeks, units=2, seed=seed)
    everybody = people(settings, 0)
    contacts = campaign_contacts(settings, 0, everybody)
    orders = make_orders(settings, 0, everybody, contacts, calendar(settings))
    known = orders[(orders["source"] != "pos") & (orders["status"] != "cancelled")]
    days = known[["person", "day"]].drop_duplicates()
    return days.assign(type=everybody["type"].to_numpy()[days["person"]]), 7 * weeks


def histories_of(days, cut, until):
    """Histories of purchase days up to day `cut`, and purchase days after it up to `until`."""
    before, after = days[days["day"] <= cut], days[(days["day"] > cut) & (days["day"] <= until)]
    day = before.groupby("person")["day"]
    frame = pd.DataFrame({"frequency": day.size() - 1, "recency": day.max() - day.min(), "T": cut - day.min()})
    frame["x_holdout"] = after.groupby("person").size().reindex(frame.index).fillna(0).astype(int)
    frame["type"] = before.groupby("person")["type"].first()
    return frame.rename_axis("person_id").reset_index().assign(person_id=lambda f: f["person_id"].astype(str))
