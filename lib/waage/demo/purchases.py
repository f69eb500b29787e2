"""When and where the simulated persons buy: the purchase process, online orders, store receipts, the year after.

The process is none that the workbench fits. Gaps between purchases are Gamma with a regularity that differs between
persons (bursty, random, regular), in a time that runs faster before Christmas, at weekends and in promotions (more so
for the price-sensitive). Many who buy once never come back; others lapse abruptly or fade out over months.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from waage.demo.baskets import Baskets, make_baskets, money, write_lines, write_returns
from waage.demo.events import write_events
from waage.demo.files import Files
from waage.demo.noise import observe
from waage.demo.people import campaign_effects
from waage.demo.world import Settings, stream

AFTER = 364  # days after the extract that go to truth/future_orders
CHANNELS = ("web", "app", "store")
WEB, APP, STORE = range(3)
BANDS = 5  # steps of price sensitivity with a calendar of their own
STORES = 24
STRIDE = 10_000_000  # order numbers a chunk may use

# Judgements, chosen so that the bounds of tests/demo/test_purchases.py hold.
REGULARITY = ((0.6, 1.0, 2.5), (0.25, 0.45, 0.30))  # shape of the Gamma gaps: bursty, random, regular; shares
BUYS_ON_JOINING = 0.85  # the others register first and buy later
ONCE_ONLY = 0.30  # first-time buyers who never come back; more of them when a promotion won them
WEEKDAYS = np.array([0.98, 0.93, 0.92, 0.97, 1.08, 1.22, 0.90])  # Monday to Sunday; stores are shut on Sundays
HOURS = np.array([0] * 7 + [1, 2, 4, 6, 7, 7, 6, 5, 5, 6, 7, 8, 9, 9, 7, 4, 0]) / 93
STORE_HOURS = np.array([0] * 9 + [3, 6, 8, 9, 8, 7, 8, 10, 11, 9, 5] + [0] * 4) / 84
CARD_SHOWN, ERECEIPT = 0.86, 0.30
FAULTS = {"future": 6e-4, "default_date": 3e-4, "copy": 5e-4, "contradiction": 2e-4, "reversal": 6e-4}
TEST_ORDERS = 1.5e-3


@dataclass(frozen=True)
class World:
    """The calendar that all chunks share: dates, promotion depth, and purchase time for each band."""

    dates: np.ndarray  # datetime64[D], the window and the year after
    days: int  # days of the window
    promotion: np.ndarray  # price cut (0 to .3) on each day
    clock: np.ndarray  # (BANDS, days + 1) purchase time that has passed when a day begins, in average days


def calendar(settings: Settings) -> World:
    """Return the calendar: season, weekdays and promotions, the same for every chunk."""
    days = 7 * settings.weeks
    dates = np.datetime64(settings.first_day) + np.arange(days + AFTER)
    years = dates.astype("datetime64[Y]")
    day_of_year = (dates - years.astype("datetime64[D]")).astype(int)
    season = np.interp(
        day_of_year,
        [0, 12, 30, 60, 100, 140, 190, 225, 255, 290, 305, 322, 335, 350, 356, 359, 365],
        [0.85, 1.05, 0.85, 0.85, 0.98, 1.0, 0.88, 0.82, 0.95, 1.0, 1.05, 1.3, 1.55, 1.65, 1.45, 0.55, 0.85],
    )
    rng = stream(settings.seed, "promotions")
    promotion = np.zeros(len(dates))
    for year in range(int(str(years[0])), int(str(years[-1])) + 1):
        starts = np.sort(rng.choice(np.arange(1, 45), 7, replace=False)) * 7 + 3
        lengths, depths = rng.integers(5, 12, 7), rng.uniform(0.10, 0.28, 7)
        for start, length, depth in [*zip(starts, lengths, depths, strict=True), (325, 9, 0.25)]:  # Black Week
            first = (np.datetime64(f"{year}-01-01") + start - dates[0]).astype(int)
            promotion[max(first, 0) : max(first + length, 0)] = depth
    after = np.convolve(promotion > 0, np.ones(10), "full")[: len(dates)] * (promotion == 0) > 0
    sensitivity = (np.arange(BANDS)[:, None] + 0.5) / BANDS
    lift = (1 + (1 + 7 * sensitivity) * promotion) * np.where(after, 1 - 0.2 * sensitivity, 1.0)
    weekday = (dates.astype(int) + 3) % 7
    pace = season * WEEKDAYS[weekday] * lift
    pace /= pace.mean(axis=1, keepdims=True)
    clock = np.concatenate([np.zeros((BANDS, 1)), np.cumsum(pace, axis=1)], axis=1)
    return World(dates, days, promotion, clock)


def write_purchases(
    settings: Settings, chunk: int, people: pd.DataFrame, contacts: pd.DataFrame, out: Files
) -> pd.Series:
    """Write orders, receipts, lines, returns and events of one chunk of persons, and what is true of them.

    Parameters
    ----------
    settings : Settings
    chunk : int
    people, contacts : DataFrame
        As `people` and `campaign_contacts` return them for this chunk.
    out : Files

    Returns
    -------
    Series of int
        Purchases of each person up to the end of the extract, with and without a known customer; by person_no.
    """
    world = calendar(settings)
    orders = make_orders(settings, chunk, people, contacts, world)
    baskets = make_baskets(settings, chunk, people, orders, world.promotion)
    _write_future(people, orders, baskets, world, out)

    seen = (orders.day < world.days).to_numpy()
    orders, baskets = orders[seen], baskets.of_first(int(seen.sum()))
    orders = orders.assign(fault=_faults(settings, chunk, orders))
    tests = _write_orders(settings, chunk, people, orders, baskets, world, out)
    write_lines(settings, chunk, orders, baskets, tests, out)
    write_returns(settings, chunk, orders, baskets, world.dates, world.days, out)
    mobile = mobile_share(settings, chunk, len(people))
    write_events(settings, chunk, people, orders, baskets, world.dates, world.days, mobile, out)
    counts = np.bincount(orders.person, minlength=len(people))
    return pd.Series(counts, index=pd.Index(people.person_no, name="person_no"), name="n_orders")


def make_orders(
    settings: Settings, chunk: int, people: pd.DataFrame, contacts: pd.DataFrame, world: World
) -> pd.DataFrame:
    """Return all purchases by time, the year after the extract included (nobody sees those).

    Returns
    -------
    DataFrame
        person (row of `people`), day, minute, channel, device, source, source_id, guest, incentive (-1: none), status,
        order_no (text).
    """
    rng = stream(settings.seed, "orders", chunk)
    person, day = _renewals(rng, people, world)
    extra_person, extra_day, incentive = _campaign_orders(settings, chunk, people, contacts, world.days)
    incentive = np.concatenate([np.full(len(person), -1), incentive])
    person, day = np.concatenate([person, extra_person]), np.concatenate([day, extra_day])

    # Who has an account orders with it or does without; who has none orders as a guest, and rather in a store.
    p_channel = people[["p_web", "p_app", "p_store"]].to_numpy(float)[person]
    has_web, has_app = (people[name].to_numpy(bool)[person] for name in ("has_web", "has_app"))
    nudge = np.where((incentive >= 0)[:, None], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0])
    nudge = nudge * np.column_stack([np.where(has_web, 1.0, 0.3), has_app, np.ones(len(person))])
    p_channel = p_channel * nudge + [1e-9, 0, 0]
    cumulative = np.cumsum(p_channel / p_channel.sum(axis=1, keepdims=True), axis=1)
    channel = np.minimum((rng.random(len(person))[:, None] > cumulative).sum(axis=1), STORE)
    weekday = (world.dates.astype(int)[day] + 3) % 7
    day = np.where((channel == STORE) & (weekday == 6), np.maximum(day - 1, 0), day)
    hours = np.where(channel == STORE, _draw(rng, STORE_HOURS, len(day)), _draw(rng, HOURS, len(day)))
    minute = hours * 60 + rng.integers(0, 60, len(day))

    known_web = (channel == WEB) & has_web & (rng.random(len(day)) >= people.guest_p.to_numpy(float)[person])
    known_web |= (channel == WEB) & has_web & (incentive >= 0)
    has_card = people.has_card.to_numpy(bool)[person]
    card = (channel == STORE) & has_card & (rng.random(len(day)) < CARD_SHOWN)
    ereceipt = (channel == STORE) & ~card & people.email.notna().to_numpy()[person]
    ereceipt &= rng.random(len(day)) < ERECEIPT * people.p_web.to_numpy(float)[person] * 2
    guest = (channel == WEB) & ~known_web
    source = np.select(
        [known_web, channel == APP, guest, card, ereceipt], ["web", "app", "guest", "card", "ereceipt"], "pos"
    )
    phone_share = np.clip(mobile_share(settings, chunk, len(people))[person], 0, 1)
    device = np.where(rng.random(len(day)) < phone_share, "mobile", "desktop").astype(object)
    device[channel == APP], device[channel == STORE] = "app", ""

    age = world.days - day
    cancelled = (channel != STORE) & (rng.random(len(day)) < 0.024)
    shipped = (channel == STORE) | (age > 2 + rng.integers(0, 4, len(day)))
    status = np.select([cancelled, shipped], ["cancelled", "shipped"], "placed")
    orders = pd.DataFrame(
        {
            "person": person,
            "day": day,
            "minute": minute,
            "channel": channel,
            "device": device,
            "source": source.astype(object),
            "guest": guest,
            "incentive": incentive,
            "status": status.astype(object),
        }
    )
    orders = orders.iloc[np.lexsort((person, minute, day))].reset_index(drop=True)
    number = pd.Series(100_000_000 + chunk * STRIDE + np.arange(len(orders))).astype(str)
    orders["order_no"] = np.where(orders.channel == STORE, "R", "W") + number
    orders["source_id"] = _source_ids(people, orders)
    return orders


def mobile_share(settings: Settings, chunk: int, persons: int) -> np.ndarray:
    """Return how much of a person's browsing outside the app is done on a phone (0 to 1)."""
    return stream(settings.seed, "devices", chunk).beta(1.2, 1.0, persons)


def _renewals(rng: np.random.Generator, people: pd.DataFrame, world: World) -> tuple[np.ndarray, np.ndarray]:
    """Draw purchase days person by person: (person, day)."""
    n = len(people)
    acquired = people.acquired.to_numpy(int)
    lapse_day = np.maximum(people.lapse_day.to_numpy(int), acquired + 1)
    band = np.minimum((people.price_sensitivity.to_numpy(float) * BANDS).astype(int), BANDS - 1)
    last = len(world.dates)
    stop = np.where(people.lapse == "abrupt", np.clip(lapse_day, 0, last), last)
    end = world.clock[band, stop]

    shape = rng.choice(REGULARITY[0], n, p=REGULARITY[1])
    gap = 365.0 / np.maximum(people.rate.to_numpy(float), 1e-3)  # in purchase time
    is_new = acquired >= 0
    joins = is_new & (rng.random(n) < BUYS_ON_JOINING)
    start = world.clock[band, np.clip(acquired, 0, last - 1)]
    # A renewal process that has long been running meets its first event after a length-biased residual gap.
    residual = rng.gamma(shape + 1, gap / shape) * rng.random(n)
    position = start + np.where(joins, rng.random(n) * 0.9, np.where(is_new, rng.gamma(shape, gap / shape), residual))
    won_cheaply = world.promotion[np.clip(acquired, 0, last - 1)] > 0
    once = is_new & (rng.random(n) < ONCE_ONLY + 0.12 * won_cheaply)

    persons, positions = [], []
    active = np.flatnonzero(position < end)
    while active.size:
        persons.append(active)
        positions.append(position[active])
        active = active[~once[active]]
        position[active] += rng.gamma(shape[active], gap[active] / shape[active])
        active = active[position[active] < end[active]]
    person = np.concatenate(persons) if persons else np.empty(0, int)
    at = np.concatenate(positions) if positions else np.empty(0)
    day = np.empty(len(person), int)
    for b in range(BANDS):
        mine = band[person] == b
        day[mine] = np.searchsorted(world.clock[b], at[mine], side="right") - 1

    # Fading out: interest halves every few months after the lapse day.
    half_life = rng.lognormal(np.log(130), 0.6, n)
    late = np.where(people.lapse == "gradual", 1.0, 0.0)[person] * np.maximum(day - lapse_day[person], 0)
    kept = rng.random(len(person)) < 0.5 ** (late / half_life[person])
    return person[kept], day[kept]


def _campaign_orders(
    settings: Settings, chunk: int, people: pd.DataFrame, contacts: pd.DataFrame, days: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the orders that exist only because of a contact: (person, day, incentive); controls get none."""
    rng = stream(settings.seed, "campaign_orders", chunk)
    row = pd.Index(people.person_no).get_indexer(contacts.person_no)
    incentive, day = contacts.incentive.to_numpy(int), contacts.day.to_numpy(int)
    effect = campaign_effects()[incentive, people.type.to_numpy(int)[row]]
    bought = contacts.treated.to_numpy(bool) & (rng.random(len(contacts)) < effect)
    later = day + 1 + np.floor(14 * rng.random(len(contacts)) ** 1.7).astype(int)
    bought &= (later < days) & (later >= 0)
    return row[bought], later[bought], incentive[bought]


def _source_ids(people: pd.DataFrame, orders: pd.DataFrame) -> np.ndarray:
    """Return what a system calls the customer: an account, a card, a receipt's e-mail, or nothing (None)."""
    ids = np.full(len(orders), None, dtype=object)
    for source, column in (("web", "web_id"), ("app", "app_id"), ("card", "card_id"), ("ereceipt", "email")):
        mine = (orders.source == source).to_numpy()
        ids[mine] = people[column].to_numpy(object)[orders.person[mine]]
    guest = orders.guest.to_numpy()
    ids[guest] = ("G" + orders.order_no[guest]).to_numpy(object)
    return ids


def _faults(settings: Settings, chunk: int, orders: pd.DataFrame) -> np.ndarray:
    """Name what goes wrong with a few exported orders; guests are spared, whose rows are identities too."""
    rng = stream(settings.seed, "order_faults", chunk)
    fault = np.full(len(orders), "", dtype=object)
    for name, share in FAULTS.items():
        suited = (orders.source == "pos") if name == "reversal" else orders.source.isin(["web", "app"])
        suited = np.flatnonzero(suited.to_numpy() & (fault == ""))
        fault[rng.permutation(suited)[: max(1, round(share * len(suited)))]] = name
    return fault


def _write_orders(
    settings: Settings,
    chunk: int,
    people: pd.DataFrame,
    orders: pd.DataFrame,
    baskets: Baskets,
    world: World,
    out: Files,
) -> list[str]:
    """Write orders_online and pos_receipts, whose guests are whose, and what is wrong; return the test orders."""
    rng = stream(settings.seed, "order_seconds", chunk)
    total = baskets.sums(baskets.revenue)
    discount = baskets.sums(baskets.list_value) - total
    fault = orders.fault.to_numpy()
    when = (
        world.dates[orders.day].astype("datetime64[s]")
        + orders.minute.to_numpy() * 60
        + rng.integers(0, 60, len(orders))
    )
    when[fault == "future"] += np.timedelta64(7 * 52 * (1 + settings.weeks // 52), "D")
    when[fault == "default_date"] = np.datetime64("1970-01-01T00:00:00")
    total[fault == "reversal"] *= -1
    full = orders.assign(when=when, total=total, discount=discount, coupon=baskets.coupon)

    online = full[full.channel != STORE].reset_index(drop=True)
    tests = _export_online(stream(settings.seed, "orders_online", chunk), settings, chunk, people, online, out)
    store = full[full.channel == STORE]
    _export_receipts(stream(settings.seed, "pos_receipts", chunk), people, store, out)

    known = full[full.guest | (full.source == "ereceipt")]
    truth = pd.DataFrame(
        {
            "source": known.source.to_numpy(),
            "source_id": known.source_id.to_numpy(),
            "person_id": people.person_id.to_numpy()[known.person],
        }
    )
    # A family's shared e-mail on receipts is booked to one of them: the lowest person id of the chunk.
    truth = truth.sort_values(["source", "source_id", "person_id"]).drop_duplicates(["source", "source_id"])
    out.truth("identities", truth.reset_index(drop=True))
    _write_quarantine(settings, full, tests, out)
    return tests


def _export_online(
    rng: np.random.Generator, settings: Settings, chunk: int, people: pd.DataFrame, online: pd.DataFrame, out: Files
) -> list[str]:
    guests = online[online.guest]
    frame = pd.DataFrame({"order_no": online.order_no, "account_no": online.source_id.where(~online.guest, None)})
    # A form filled in for one order is filled in hastily.
    typed = observe(
        rng, people.iloc[guests.person], guests.day.to_numpy(), phone=0.55, address=0.98, junk=settings.junk, typos=1.3
    )
    for name in ("email", "first_name", "last_name", "street", "postcode", "city", "phone"):
        column = np.full(len(online), None, dtype=object)
        column[guests.index] = typed[name].to_numpy(object)
        frame[f"guest_{name}"] = column
    frame["ordered_at"] = _stamp(online.when)
    frame["channel"] = np.array(CHANNELS, dtype=object)[online.channel]
    frame = frame.assign(device=online.device, coupon=online.coupon, status=online.status)
    frame = frame.assign(total=money(online.total), discount=money(online.discount), is_test=0)

    copies = frame[(online.fault == "copy").to_numpy()]
    changed = frame[(online.fault == "contradiction").to_numpy()]
    changed = changed.assign(status=np.where(changed.status == "cancelled", "shipped", "cancelled"))
    count = max(1, round(TEST_ORDERS * settings.junk * len(frame))) if settings.junk > 0 and len(frame) else 0
    tests = [f"W{100_000_000 + (chunk + 1) * STRIDE - 1 - i}" for i in range(count)]
    picked = frame.ordered_at[online.fault == ""].to_numpy(object)
    test = pd.DataFrame({"order_no": tests, "account_no": "TEST0001", "ordered_at": rng.choice(picked, count)})
    test = test.assign(channel="web", device="desktop", status="cancelled", total=1.0, discount=0.0, is_test=1)
    out.csv(
        "orders_online", pd.concat([frame, copies, changed, test]).reindex(columns=frame.columns), float_format="%.2f"
    )
    return tests


def _export_receipts(rng: np.random.Generator, people: pd.DataFrame, store: pd.DataFrame, out: Files) -> None:
    home = people.household_no.to_numpy(int)[store.person] % STORES
    shop = np.where(rng.random(len(store)) < 0.85, home, rng.integers(0, STORES, len(store)))
    frame = pd.DataFrame(
        {
            "receipt_no": store.order_no,
            "store": np.array([f"{i:03d}" for i in range(1, STORES + 1)], dtype=object)[shop],
            "time": _german(store.when),
            "card_no": store.source_id.where(store.source == "card", None),
            "ereceipt_email": store.source_id.where(store.source == "ereceipt", None),
            "total": money(store.total),
            "discount": money(store.discount),
        }
    )
    out.csv("pos_receipts", frame, decimal=",", float_format="%.2f")


def _stamp(when: pd.Series) -> np.ndarray:
    return np.char.replace(np.datetime_as_string(when.to_numpy("datetime64[s]")), "T", " ")


def _german(when: pd.Series) -> list[str]:
    """Return times as dd.mm.yyyy hh:mm."""
    texts = np.datetime_as_string(when.to_numpy("datetime64[s]"), unit="m").tolist()
    return [f"{t[8:10]}.{t[5:7]}.{t[:4]} {t[11:]}" for t in texts]


def _write_quarantine(settings: Settings, orders: pd.DataFrame, tests: list[str], out: Files) -> None:
    reasons = {
        "future": f"ordered_at lies after data_until {settings.last_day}",
        "default_date": "ordered_at lies before 1990-01-01",
        "copy": "is an exact copy of another row",
        "contradiction": "has the same source, order_id as a row of other content",
        "reversal": "revenue is negative",
    }
    bad = orders[(orders.fault != "") & ~((orders.fault == "reversal") & (orders.total == 0))]
    bad = bad.loc[bad.index.repeat(np.where(bad.fault == "contradiction", 2, 1))]
    keys = [*(bad.source + "|" + bad.order_no), *(f"web|{number}" for number in tests)]
    reason = [*bad.fault.map(reasons), *["test order"] * len(tests)]
    out.truth("quarantine", pd.DataFrame({"table": "orders", "key": keys, "reason": reason}, dtype="str"))


def _write_future(people: pd.DataFrame, orders: pd.DataFrame, baskets: Baskets, world: World, out: Files) -> None:
    """Write what each person buys in the 52 weeks after the extract, net of cancellations and returns."""
    total = baskets.sums(baskets.revenue)
    net = total - baskets.sums(np.where(baskets.returned >= 0, baskets.revenue, 0))
    counts = (orders.status != "cancelled").to_numpy() & ~((total > 0) & (net == 0))
    counts &= (orders.day >= world.days).to_numpy()
    known = counts & (orders.source != "pos").to_numpy()
    person, n = orders.person.to_numpy(), len(people)
    frame = pd.DataFrame({"person_id": people.person_id.to_numpy()})
    for prefix, mine in (("", counts), ("known_", known)):
        frame[f"{prefix}orders"] = np.bincount(person[mine], minlength=n)
        frame[f"{prefix}revenue"] = np.bincount(person[mine], weights=net[mine], minlength=n).round() / 100
    out.truth("future_orders", frame)


def _draw(rng: np.random.Generator, weights: np.ndarray, n: int) -> np.ndarray:
    return np.searchsorted(np.cumsum(weights) / weights.sum(), rng.random(n), side="right")
