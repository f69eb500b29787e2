"""What is in the simulated baskets, what it costs, and what comes back weeks later."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from waage.demo.files import Files
from waage.demo.world import ASSORTMENTS, INCENTIVES, Settings, stream

PRODUCTS = 250  # in each assortment
PRICES = np.array([34, 37, 21, 26, 120, 85, 16, 44.0])  # median list price, by assortment
SPREAD = np.array([0.5, 0.5, 0.45, 0.6, 0.65, 0.7, 0.5, 0.6])  # log standard deviation of list prices
COST = np.array([0.52, 0.53, 0.55, 0.55, 0.62, 0.80, 0.50, 0.60])  # share of the list price
SEVERAL = np.array([0.03, 0.05, 0.18, 0.22, 0.06, 0.04, 0.30, 0.08])  # lines with more than one piece
COMES_BACK = np.array([1.8, 1.3, 1.0, 0.6, 0.5, 0.7, 0.2, 1.1])  # factor on a person's return tendency
OWN_BRANDS = 2  # the first brands of an assortment are the retailer's
COUPONS = ("WELCOME10", "THANKS15", "APP5")
COUPON_CUTS = np.array([0.10, 0.15, 0.05])
INCENTIVE_CUTS = np.array([0.10, 0.0, 0.0])  # coupon_10, free_shipping, early_access
FREE = 0.005  # orders paid wholly by voucher, or replacements: revenue 0
REASONS = ("too_small", "too_large", "not_as_described", "changed_mind", "defective", "late")
LATEST_RETURN = 100  # days


@dataclass(frozen=True)
class Catalogue:
    """Products, `PRODUCTS` for each assortment, from cheap to dear within it."""

    price: np.ndarray  # cents
    brand: np.ndarray  # texts
    is_own: np.ndarray  # the retailer sells it himself, not a partner
    reach: np.ndarray  # (assortments, PRODUCTS) cumulative popularity


@dataclass(frozen=True)
class Baskets:
    """Lines, ordered as their orders, and what belongs to the whole order."""

    order: np.ndarray  # row of the orders frame
    line: np.ndarray  # 1, 2, ...
    product: np.ndarray  # index into the catalogue
    quantity: np.ndarray
    revenue: np.ndarray  # cents, after discounts
    list_value: np.ndarray  # cents
    returned: np.ndarray  # days after the order on which it comes back, -1: kept
    coupon: np.ndarray  # one for each order: a code or None

    def of_first(self, orders: int) -> "Baskets":
        """Return the baskets of the first orders alone."""
        n = int(np.searchsorted(self.order, orders))
        names = ("order", "line", "product", "quantity", "revenue", "list_value", "returned")
        return replace(self, **{name: getattr(self, name)[:n] for name in names}, coupon=self.coupon[:orders])

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum values of lines for each order."""
        return np.bincount(self.order, weights=values, minlength=len(self.coupon)).round().astype(np.int64)


@lru_cache(maxsize=4)
def catalogue(seed: int) -> Catalogue:
    """Return the assortment, the same for every chunk."""
    rng = stream(seed, "catalogue")
    shape = (len(ASSORTMENTS), PRODUCTS)
    price = np.sort(PRICES[:, None] * np.exp(SPREAD[:, None] * rng.standard_normal(shape)), axis=1)
    popularity = rng.permuted(np.tile(1 / np.arange(1, PRODUCTS + 1) ** 0.8, (shape[0], 1)), axis=1)
    brand = rng.integers(0, 14, shape)
    names = np.array([f"{a[:3].upper()}-{b:02d}" for a in ASSORTMENTS for b in range(14)], dtype=object)
    return Catalogue(
        price=np.floor(price).astype(np.int64).ravel() * 100 + 99,
        brand=names[(np.arange(shape[0])[:, None] * 14 + brand).ravel()],
        is_own=(brand < OWN_BRANDS).ravel() | (rng.random(shape) < 0.6).ravel(),
        reach=np.cumsum(popularity, axis=1) / popularity.sum(axis=1, keepdims=True),
    )


def pick_products(rng: np.random.Generator, seed: int, assortment: np.ndarray, taste: np.ndarray) -> np.ndarray:
    """Draw products: taste > 0 leans to the dear ones of an assortment, < 0 to the cheap ones."""
    reach = catalogue(seed).reach
    where = rng.random(len(assortment)) ** np.exp(-taste)
    product = np.empty(len(assortment), np.int64)
    for a in range(len(ASSORTMENTS)):
        mine = assortment == a
        product[mine] = a * PRODUCTS + np.minimum(np.searchsorted(reach[a], where[mine]), PRODUCTS - 1)
    return product


def pick_assortments(rng: np.random.Generator, people: pd.DataFrame, person: np.ndarray) -> np.ndarray:
    """Draw an assortment from each person's taste."""
    taste = np.cumsum(people[[f"t_{a}" for a in ASSORTMENTS]].to_numpy(float), axis=1)
    return np.minimum((rng.random(len(person))[:, None] > taste[person]).sum(axis=1), len(ASSORTMENTS) - 1)


def make_baskets(
    settings: Settings, chunk: int, people: pd.DataFrame, orders: pd.DataFrame, promotion: np.ndarray
) -> Baskets:
    """Fill the orders: assortments by taste, products by purse, prices by day, coupons and returns by person."""
    rng = stream(settings.seed, "order_lines", chunk)
    buyer, day = orders.person.to_numpy(), orders.day.to_numpy()
    size, sensitive = (people[name].to_numpy(float)[buyer] for name in ("order_size", "price_sensitivity"))
    # Long-tailed: most orders have one to three lines, a few many.
    lines = 1 + rng.poisson(rng.gamma(0.8, 1.1 * np.exp(0.5 * size)))
    order = np.repeat(np.arange(len(orders)), lines)
    line = np.arange(len(order)) - np.repeat(np.cumsum(lines) - lines, lines) + 1
    person, n = buyer[order], len(order)

    main = pick_assortments(rng, people, buyer)
    assortment = np.where(rng.random(n) < 0.55, main[order], pick_assortments(rng, people, person))
    product = pick_products(rng, settings.seed, assortment, 0.7 * size[order] - 1.1 * (sensitive[order] - 0.5))
    several = rng.random(n) < SEVERAL[assortment]
    quantity = 1 + several * (1 + rng.poisson(0.4, n))
    prices = (catalogue(settings.seed).price[product] * 1.03 ** (day[order] / 365.0)).astype(np.int64) // 10 * 10 + 9
    list_value = prices * quantity

    reduced = rng.random(n) < 0.25 + 0.6 * sensitive[order]
    cut = np.where(reduced, promotion[day[order]], 0.0)
    incentive = orders.incentive.to_numpy()
    plain = (rng.random(len(orders)) < 0.02 + 0.12 * sensitive) & (incentive < 0)
    kind = rng.integers(0, len(COUPONS), len(orders))
    coupon = np.where(plain, np.array(COUPONS, dtype=object)[kind], None)
    coupon = np.where(incentive >= 0, np.array([i.upper() for i in INCENTIVES], dtype=object)[incentive], coupon)
    order_cut = np.where(plain, COUPON_CUTS[kind], np.where(incentive >= 0, INCENTIVE_CUTS[incentive], 0.0))
    free = rng.random(len(orders)) < FREE
    revenue = np.rint(list_value * (1 - cut) * (1 - order_cut[order])).astype(np.int64)
    revenue[free[order]] = 0
    return Baskets(
        order,
        line,
        product,
        quantity,
        revenue,
        list_value,
        _returns(settings, chunk, people, orders, order, assortment),
        coupon,
    )


def _returns(
    settings: Settings,
    chunk: int,
    people: pd.DataFrame,
    orders: pd.DataFrame,
    order: np.ndarray,
    assortment: np.ndarray,
) -> np.ndarray:
    """Draw for each line how many days after its order it comes back (-1: never)."""
    rng = stream(settings.seed, "returns", chunk)
    store = (orders.channel == 2).to_numpy()
    tendency = people.return_p.to_numpy(float)[orders.person] * np.where(store, 0.15, 1.0)
    tendency[(orders.status != "shipped").to_numpy()] = 0.0
    # A person decides for the order first: half of the returns are of everything in it.
    whole = rng.random(len(orders)) < 0.5 * tendency
    delay = np.where(store, 1, 4) + np.minimum(rng.gamma(2.2, 7.5, len(orders)), LATEST_RETURN - 5).astype(int)
    back = whole[order] | (rng.random(len(order)) < 0.5 * tendency[order] * COMES_BACK[assortment])
    return np.where(back, delay[order], -1)


def money(cents: np.ndarray) -> np.ndarray:
    """Return cents as currency units; two decimals are exact to the last digit when printed."""
    return np.asarray(cents) / 100.0


def write_lines(
    settings: Settings, chunk: int, orders: pd.DataFrame, baskets: Baskets, tests: list[str], out: Files
) -> None:
    """Write order_lines, and what is wrong with some of them."""
    rng = stream(settings.seed, "order_line_faults", chunk)
    shop = catalogue(settings.seed)
    fault = orders.fault.to_numpy()[baskets.order]
    quantity, revenue = baskets.quantity.copy(), baskets.revenue.copy()
    reversal = fault == "reversal"
    quantity[reversal], revenue[reversal] = -quantity[reversal], -revenue[reversal]
    good = np.flatnonzero(fault == "")
    negative = np.sort(rng.choice(good, max(1, round(4e-4 * len(good))), replace=False)) if len(good) else good
    quantity[negative] = -quantity[negative]
    cost = COST[baskets.product // PRODUCTS] * baskets.list_value
    frame = pd.DataFrame(
        {
            "order_no": orders.order_no.to_numpy()[baskets.order],
            "position": baskets.line.astype(np.int32),
            "product_no": baskets.product.astype(np.int32) + 10_000,
            "category": pd.Categorical.from_codes(baskets.product // PRODUCTS, ASSORTMENTS),
            "brand": pd.Categorical(shop.brand[baskets.product], categories=sorted(set(shop.brand))),
            "seller": pd.Categorical.from_codes(np.where(shop.is_own[baskets.product], 0, 1), ["own", "partner"]),
            "quantity": quantity.astype(np.int32),
            "net_value": money(revenue),
            "margin": money(np.rint(revenue - np.where(revenue > 0, cost, 0))),
        }
    )
    test = pd.DataFrame({"order_no": tests, "position": 1, "product_no": 99_999, "quantity": 1, "net_value": 1.0})
    frame = pd.concat([frame, test.assign(category="home", brand="HOM-00", seller="own", margin=0.0)])
    for name in ("category", "brand", "seller"):
        frame[name] = frame[name].astype(str)
    out.parquet("order_lines", frame.astype({"position": "int32", "product_no": "int32", "quantity": "int32"}))

    # A line that was free stays free when it is reversed: minus nothing is not negative.
    both = np.where(revenue < 0, "quantity is negative; revenue is negative", "quantity is negative")
    reason = np.where(reversal, both, "")
    reason = np.where(
        np.isin(fault, ("future", "default_date", "contradiction")), "belongs to no accepted row of orders", reason
    )
    reason = reason.astype(object)
    reason[negative] = "quantity is negative"
    bad = np.flatnonzero(reason != "")
    source, number = (orders[name].to_numpy(object)[baskets.order[bad]] for name in ("source", "order_no"))
    keys = [f"{s}|{o}|{i}" for s, o, i in zip(source, number, baskets.line[bad], strict=True)]
    keys += [f"web|{number}|1" for number in tests]
    reasons = [*reason[bad], *["test order"] * len(tests)]
    out.truth("quarantine", pd.DataFrame({"table": "order_lines", "key": keys, "reason": reasons}))


def write_returns(
    settings: Settings, chunk: int, orders: pd.DataFrame, baskets: Baskets, dates: np.ndarray, days: int, out: Files
) -> None:
    """Write the returns booked up to the extract's end; some were handed in at a store without an order number."""
    rng = stream(settings.seed, "return_slips", chunk)
    back_on = orders.day.to_numpy()[baskets.order] + baskets.returned
    fault = orders.fault.to_numpy()[baskets.order]
    rows = np.flatnonzero((baskets.returned >= 0) & (back_on < days) & (fault == ""))
    rows = rows[np.lexsort((rows, back_on[rows]))]
    order, n = baskets.order[rows], len(rows)
    in_store = (orders.channel.to_numpy()[order] == 2) | (rng.random(n) < 0.12)
    lost = in_store & (rng.random(n) < 0.35)
    minute = rng.integers(9 * 60, 19 * 60, n)
    when = dates[back_on[rows]].astype("datetime64[m]") + minute
    amount = baskets.revenue[rows].copy()
    # The day's clock of one system is wrong now and then, and a slip is booked with the wrong sign.
    wrong = rng.permutation(n)[: 2 * max(1, round(3e-4 * n))] if n > 1 else np.empty(0, int)
    late, negative = wrong[::2], wrong[1::2]
    negative = negative[amount[negative] > 0]
    when[late] += np.timedelta64(LATEST_RETURN + days, "D")
    amount[negative] = -amount[negative]
    numbers = [f"RT{100_000_000 + chunk * 10_000_000 + i}" for i in range(n)]
    order_no = np.where(lost, None, orders.order_no.to_numpy(object)[order])
    frame = pd.DataFrame(
        {
            "return_no": numbers,
            "booked_at": np.char.replace(np.datetime_as_string(when, unit="m"), "T", " "),
            "order_no": order_no,
            "position": pd.array(np.where(lost, 0, baskets.line[rows]), dtype="Int32"),
            "product_no": baskets.product[rows] + 10_000,
            "quantity": baskets.quantity[rows],
            "amount": money(amount),
            "place": np.where(in_store, "store", "parcel"),
            "reason": np.array(REASONS, dtype=object)[rng.integers(0, len(REASONS), n)],
        }
    )
    frame.loc[lost, "position"] = pd.NA
    out.csv("returns", frame, float_format="%.2f")
    source = np.where(lost, "pos", orders.source.to_numpy(object)[order])
    bad = [(i, None) for i in late] + [(i, "amount is negative") for i in negative]
    reasons = [r or f"returned_at lies after data_until {settings.last_day}" for _, r in bad]
    keys = [f"{source[i]}|{numbers[i]}" for i, _ in bad]
    out.truth("quarantine", pd.DataFrame({"table": "returns", "key": keys, "reason": reasons}, dtype="str"))
