"""What the simulated persons do in shop, app, mail and store: sessions that lead to orders, and most that do not.

Trackers keep `KEPT` days. Two thirds of the events carry no account; some visits end in a store days later.
"""

import numpy as np
import pandas as pd

from waage.demo.baskets import Baskets, pick_assortments, pick_products
from waage.demo.files import Files
from waage.demo.world import Settings, stream

KEPT = 364  # days of events before the end of the extract
BROWSING = 7.0  # sessions a year without any purchase in mind, at one order a year
RESEARCH = 0.35  # store purchases prepared online
COOKIE = 120  # days after which a browser gets a new id
LOGGED_IN = {"app": 0.55, "web": 0.15, "checkout": 0.9}
OPENS, CLICKS = (1.0, 5.5), 0.12  # Beta of a subscriber's open rate; clicks an opened mail
SCANS = 0.3  # store purchases with an app at hand that begin with a scan
STRIDE = 100_000_000  # event ids a chunk may use
WEB, APP, STORE = range(3)
DEVICES = ("app", "desktop", "mobile")
EVENTS = ("visit", "view", "cart", "search", "open", "click", "scan")
VISIT, VIEW, CART, SEARCH, OPEN, CLICK, SCAN = range(7)


def write_events(
    settings: Settings,
    chunk: int,
    people: pd.DataFrame,
    orders: pd.DataFrame,
    baskets: Baskets,
    dates: np.ndarray,
    days: int,
    mobile: np.ndarray,
    out: Files,
) -> None:
    """Write events of one chunk and, in truth, which view led to which order.

    Parameters
    ----------
    orders, baskets : DataFrame, Baskets
        Those of the extract, with `fault` ("" where nothing is wrong).
    dates : ndarray of datetime64[D]
    days : int
        Days of the extract; events of the last `KEPT` are written.
    mobile : ndarray, one for each person
        Share of browsing done on a phone.
    """
    rng = stream(settings.seed, "events", chunk)
    first = max(0, days - KEPT)
    recent = orders.reset_index(drop=True)
    recent = recent[((recent.day >= first) & (recent.fault == "")).to_numpy()]
    sessions = _sessions(rng, people, orders, recent, first, days, mobile)
    visits = _visits(rng, settings.seed, people, orders, baskets, sessions)
    mails = _mails(rng, people, first, days)
    scans = _scans(rng, people, recent, baskets)
    events = pd.concat([visits, mails, scans], ignore_index=True)
    inside = events.second.between(first * 86400, days * 86400 - 1).to_numpy()
    events = events[inside]
    events = events.iloc[np.argsort(events["second"].to_numpy(), kind="stable")].reset_index(drop=True)
    events["event_id"] = chunk * STRIDE + 1 + np.arange(len(events))
    led = events[events.leads_to >= 0]
    led_to = orders.iloc[led.leads_to]
    truth = {"source": led_to.source, "order_id": led_to.order_no, "event_id": led.event_id.to_numpy().astype(str)}
    out.truth("view_through", pd.DataFrame(truth).assign(channel=np.array(["web", "app", "store"])[led_to.channel]))
    _export(rng, settings, chunk, people, events, dates, out)


def _sessions(
    rng: np.random.Generator,
    people: pd.DataFrame,
    orders: pd.DataFrame,
    recent: pd.DataFrame,
    first: int,
    days: int,
    mobile: np.ndarray,
) -> pd.DataFrame:
    """Draw sessions: person, start (of those that buy: the order; seconds since the first day),
    leads_to (row of orders or -1), app, phone, buys."""
    n = len(people)
    online = (recent.channel != STORE).to_numpy()
    buying = recent[online]
    prepared = recent[~online & (rng.random(len(recent)) < RESEARCH)]
    # Nobody prepares a purchase who never goes online.
    goes_online = (people.p_web + people.p_app).to_numpy(float)
    prepared = prepared[rng.random(len(prepared)) < np.minimum(2.5 * goes_online[prepared.person], 1)]
    lead = 86400 * rng.integers(1, 8, len(prepared))

    # Browsing grows with buying but less than in proportion, and goes on for a while when buying has ended.
    ended = np.where(people.lapse == "none", days, people.lapse_day.to_numpy(int) + 60)
    begun = np.maximum(people.acquired.to_numpy(int) - 14, first)
    span = np.clip(np.minimum(ended, days) - begun, 0, None)
    pace = BROWSING * np.sqrt(people.rate.to_numpy(float)) * (0.3 + goes_online) * rng.gamma(0.7, 1 / 0.7, n)
    count = rng.poisson(pace * span / 365)
    browser = np.repeat(np.arange(n), count)
    day = begun[browser] + np.floor(rng.random(len(browser)) * span[browser]).astype(int)

    # Before an online order people look around once or more.
    looks = rng.poisson(1.1, len(buying))
    look_person = np.repeat(buying.person.to_numpy(), looks)
    look_start = np.repeat(buying.day.to_numpy(), looks) - 1 - np.floor(13 * rng.random(looks.sum()) ** 2).astype(int)

    bought_at = (buying.day * 86400 + buying.minute * 60).to_numpy()
    prepared_at = prepared.day.to_numpy() * 86400 + _evening(rng, len(prepared)) - lead
    browsed_at = day * 86400 + _evening(rng, len(browser))
    looked_at = look_start * 86400 + _evening(rng, len(look_person))
    person = np.concatenate([buying.person, prepared.person, browser, look_person])
    start = np.concatenate([bought_at, prepared_at, browsed_at, looked_at])
    leads_to = np.full(len(person), -1)
    leads_to[: len(buying) + len(prepared)] = np.concatenate([buying.index, prepared.index])
    buys = np.arange(len(person)) < len(buying)
    total = people.p_web.to_numpy(float) + people.p_app.to_numpy(float)
    app_share = np.where(people.has_app, people.p_app.to_numpy(float) / np.maximum(total, 1e-9), 0.0)
    app = rng.random(len(person)) < app_share[person]
    phone = rng.random(len(person)) < mobile[person]
    app[: len(buying)] = (buying.device == "app").to_numpy()
    phone[: len(buying)] = (buying.device == "mobile").to_numpy()
    return pd.DataFrame(
        {"person": person, "start": start, "leads_to": leads_to, "buys": buys, "app": app, "phone": phone & ~app}
    )


def _evening(rng: np.random.Generator, n: int) -> np.ndarray:
    return (3600 * (7 + 15.5 * rng.beta(2.2, 1.4, n))).astype(int)


def _visits(
    rng: np.random.Generator,
    seed: int,
    people: pd.DataFrame,
    orders: pd.DataFrame,
    baskets: Baskets,
    sessions: pd.DataFrame,
) -> pd.DataFrame:
    """Spell the sessions out: visit, perhaps a search, views, perhaps a cart."""
    n = len(sessions)
    buys, leads_to = sessions.buys.to_numpy(), sessions.leads_to.to_numpy()
    search = (rng.random(n) < 0.3).astype(int)
    views = rng.geometric(0.45, n) - 1 + (leads_to >= 0)
    cart = (buys | ((views > 0) & (rng.random(n) < 0.1))).astype(int)
    length = 1 + search + views + cart
    session = np.repeat(np.arange(n), length)
    place = np.arange(len(session)) - np.repeat(np.cumsum(length) - length, length)
    left = length[session] - 1 - place
    event = np.full(len(session), VIEW)
    event[place == 0] = VISIT
    event[(place == 1) & (search[session] == 1)] = SEARCH
    event[(left == 0) & (cart[session] == 1)] = CART
    last_view = (event == VIEW) & (left == cart[session])

    person = sessions.person.to_numpy()[session]
    sensitive = people.price_sensitivity.to_numpy(float)[person]
    product = pick_products(rng, seed, pick_assortments(rng, people, person), 0.6 * (0.5 - sensitive))
    # What is bought was looked at last, and what lies in the cart is what was looked at last.
    first_line = np.searchsorted(baskets.order, np.arange(len(orders)))
    bought = baskets.product[first_line[np.maximum(leads_to, 0)]] if len(orders) else leads_to
    product = np.where((leads_to[session] >= 0) & (last_view | (event == CART)), bought[session], product)
    before = np.maximum(np.arange(len(product)) - 1, 0)
    product = np.where((event == CART) & (leads_to[session] < 0), product[before], product)
    product = np.where((event == VIEW) | (event == CART), product, -1)

    # A session is logged in or not; who orders with an account logs in at the cart at the latest.
    app = sessions.app.to_numpy()
    has_account = np.where(
        app, people.has_app.to_numpy(bool)[sessions.person], people.has_web.to_numpy(bool)[sessions.person]
    )
    known = has_account & (rng.random(n) < np.where(app, LOGGED_IN["app"], LOGGED_IN["web"]))
    guest = orders.guest.to_numpy(bool)[np.maximum(leads_to, 0)] if len(orders) else buys
    checkout = buys & has_account & ~guest & (rng.random(n) < LOGGED_IN["checkout"])
    logged_in = np.where(buys & guest, False, known)[session] | (checkout[session] & (event == CART))
    pace = rng.integers(8, 70, n)
    start = sessions.start.to_numpy() - buys * (length * pace + rng.integers(5, 240, n))
    return pd.DataFrame(
        {
            "person": person,
            "second": start[session] + place * pace[session],
            "event": event,
            "session": session,
            "product": product,
            "device": np.where(app, 0, 1 + sessions.phone.to_numpy())[session],
            "system": np.where(app, APP, WEB)[session],
            "logged_in": logged_in,
            "leads_to": np.where(last_view, leads_to[session], -1),
        }
    )


def _mails(rng: np.random.Generator, people: pd.DataFrame, first: int, days: int) -> pd.DataFrame:
    """Draw opens and clicks of the weekly newsletter, by those who get it."""
    readers = np.flatnonzero(people.has_news.to_numpy(bool))
    rate = rng.beta(*OPENS, len(readers))
    thursdays = np.arange(first + 3, days, 7)
    opened = rng.random((len(readers), len(thursdays))) < rate[:, None]
    opened &= thursdays >= people.acquired.to_numpy(int)[readers, None]
    reader, week = np.nonzero(opened)
    at = thursdays[week] * 86400 + 7 * 3600 + np.minimum(rng.exponential(9000, len(reader)), 15 * 3600).astype(int)
    clicked = rng.random(len(reader)) < CLICKS
    mails = pd.DataFrame({"person": readers[reader], "second": at, "event": OPEN})
    clicks = mails[clicked].assign(event=CLICK, second=at[clicked] + rng.integers(5, 120, clicked.sum()))
    mails = pd.concat([mails, clicks], ignore_index=True)
    return mails.assign(session=-1, product=-1, device=-1, system=STORE + 1, logged_in=True, leads_to=-1)


def _scans(rng: np.random.Generator, people: pd.DataFrame, recent: pd.DataFrame, baskets: Baskets) -> pd.DataFrame:
    """Draw shelf scans with the app during store purchases."""
    mine = recent[(recent.channel == STORE).to_numpy() & people.has_app.to_numpy(bool)[recent.person]]
    mine = mine[rng.random(len(mine)) < SCANS]
    line = np.searchsorted(baskets.order, mine.index.to_numpy())
    at = (mine.day * 86400 + mine.minute * 60).to_numpy() - rng.integers(120, 1500, len(mine))
    scans = pd.DataFrame({"person": mine.person.to_numpy(), "second": at, "product": baskets.product[line]})
    logged_in = rng.random(len(mine)) < LOGGED_IN["app"]
    return scans.assign(event=SCAN, session=-1, device=0, system=APP, logged_in=logged_in, leads_to=-1)


def _export(
    rng: np.random.Generator,
    settings: Settings,
    chunk: int,
    people: pd.DataFrame,
    events: pd.DataFrame,
    dates: np.ndarray,
    out: Files,
) -> None:
    person, at = events.person.to_numpy(), events["second"].to_numpy()
    system, logged_in = events.system.to_numpy(), events.logged_in.to_numpy(bool)
    account = np.full(len(events), None, dtype=object)
    for which, column in ((WEB, "web_id"), (APP, "app_id"), (STORE + 1, "news_id")):
        mine = logged_in & (system == which)
        account[mine] = people[column].to_numpy(object)[person[mine]]
    offset = pd.DatetimeIndex(dates + np.timedelta64(12, "h")).tz_localize("Europe/Berlin")
    local = dates.astype("datetime64[s]").astype(np.int64)
    midnight = offset.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[s]").astype(np.int64) - 12 * 3600
    shift = (midnight - local)[at // 86400]
    ts = (local[0] + at + shift) * 1000 + rng.integers(0, 1000, len(events))

    product = events["product"].to_numpy()
    kind = np.array(EVENTS, dtype=object)[events.event]
    # Three things go wrong now and then: a device's clock, a system's default date, a tracker's own event.
    wrong = rng.permutation(len(events))[: 3 * max(1, round(1e-4 * len(events)))]
    wrong = wrong[events.leads_to.to_numpy()[wrong] < 0]
    clock, default, beat = wrong[::3], wrong[1::3], wrong[2::3]
    ts[clock] += 1000 * 86400 * (KEPT + 400)
    ts[default] = 0
    kind[beat] = "heartbeat"
    session = events.session.to_numpy()
    device = events.device.to_numpy()
    frame = pd.DataFrame(
        {
            "event_id": events.event_id,
            "ts": ts,
            "event": pd.Series(kind, dtype="str"),
            "system": np.array(["web", "app", "store", "news"], dtype=object)[system],
            "account": account,
            "session_id": pd.array(session + chunk * STRIDE, dtype="Int64"),
            "device_id": _device_ids(settings, people, events),
            "device": np.array([*DEVICES, None], dtype=object)[device],
            "product_no": pd.array(product + 10_000, dtype="Int32"),
        }
    )
    frame.loc[session < 0, "session_id"] = pd.NA
    frame.loc[product < 0, "product_no"] = pd.NA
    out.parquet("events", frame)
    reasons = [f"occurred_at lies after data_until {settings.last_day}"] * len(clock)
    reasons += ["occurred_at lies before 1990-01-01"] * len(default)
    reasons += [f"event is none of {', '.join(EVENTS)}"] * len(beat)
    keys = [str(i) for i in events.event_id.to_numpy()[np.concatenate([clock, default, beat])]]
    out.truth("quarantine", pd.DataFrame({"table": "events", "key": keys, "reason": reasons}, dtype="str"))


def _device_ids(settings: Settings, people: pd.DataFrame, events: pd.DataFrame) -> np.ndarray:
    """Return the app's device id, or a browser's cookie, which is another one every few months."""
    person, device = events.person.to_numpy(), events.device.to_numpy()
    number = people.person_no.to_numpy(np.uint64)[person]
    period = (events["second"].to_numpy() // 86400 + number.astype(int) * 37) // COOKIE
    mixed = (
        (number << np.uint64(20)) + period.astype(np.uint64) * np.uint64(4) + np.maximum(device, 0).astype(np.uint64)
    )
    unique, inverse = np.unique(mixed, return_inverse=True)
    # splitmix64 (Steele, Lea and Flood 2014): no two inputs share an output, and the person cannot be read off.
    z = unique + np.uint64((settings.seed * 0x9E3779B97F4A7C15) % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    cookies = np.array([f"{value:016x}" for value in z.tolist()], dtype=object)
    ids = cookies[inverse] if len(cookies) else np.empty(0, dtype=object)
    app = device == 0
    own = people.device_id.to_numpy(object)[person]
    ids = np.where(app & pd.notna(own), own, ids)
    ids[device < 0] = None
    return ids
