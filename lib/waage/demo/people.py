"""The persons of the simulated retailer: households, addresses, latent types and how each of them buys.

What is drawn here is the truth. What the systems know of a person is in `waage.demo.identities`.
"""

from datetime import date

import numpy as np
import pandas as pd

from waage.demo import names, world
from waage.demo.world import ASSORTMENTS, INCENTIVES, REGIONS, TYPES, Settings, stream

ADDRESS = ["street", "house_no", "postcode", "city"]

# One row a type, in the order of TYPES. Types overlap on purpose: behaviour tells about half of them.
_RATE = np.array([2.6, 3.6, 2.8, 1.7, 3.9])  # orders a year while active, mean
_LIFE = np.array([300, 380, 520, 760, 620])  # days until lapse, median
_CHANNEL = np.array([[2.2, 1.1, 1.4], [1.3, 2.6, 0.9], [2.6, 1.5, 0.6], [1.6, 0.5, 2.3], [1.8, 1.1, 1.8]])
_TASTE = np.array(
    [
        [3.0, 1.6, 1.6, 1.7, 0.6, 1.0, 1.1, 1.1],
        [4.2, 1.4, 0.5, 0.9, 0.4, 0.7, 2.2, 1.2],
        [2.0, 2.2, 0.8, 1.6, 0.6, 2.0, 1.1, 1.2],
        [2.4, 1.5, 0.5, 2.6, 1.7, 0.9, 1.0, 0.8],
        [1.8, 1.1, 4.0, 1.8, 0.8, 0.8, 0.8, 1.4],
    ]
)
_PRICE = np.array([0.68, 0.45, 0.45, 0.32, 0.55])
_RETURN = np.array([0.14, 0.26, 0.12, 0.09, 0.15])
_SIZE = np.array([-0.18, -0.02, 0.02, 0.28, 0.12])
_SHARE = np.array([0.25, 0.20, 0.24, 0.16, 0.15])


def people(settings: Settings, chunk: int) -> pd.DataFrame:
    """Return one chunk of persons, one row each, in order of person_no.

    Columns: person_no, person_id, household_no, household_id, type (index into TYPES), gender, first_name,
    last_name, birth_date, region, street, house_no, postcode, city; before a move (`moved`, a day, NaN without)
    old_street, old_house_no, old_postcode, old_city; before a change of name (`renamed`) old_last_name; email,
    email2, family_email, mobile, landline; acquired and lapse_day (days since the first day), rate (orders a year),
    lapse (gradual, abrupt, none), p_web, p_app, p_store (sum 1), t_women to t_sports (sum 1), price_sensitivity,
    return_p, order_size (log), guest_p, has_web, has_card, has_news, has_app, in_panel with their ids, device_id,
    language. Households never cross a chunk.
    """
    first = chunk * world.CHUNK
    n = min(world.CHUNK, settings.persons - first)
    rng = stream(settings.seed, "people", chunk)
    number = first + np.arange(n)
    frame = pd.DataFrame({"person_no": number, "person_id": [f"T{no:07d}" for no in number]})
    homes = _households(rng, n)
    frame["household_no"] = first + homes
    frame["household_id"] = [f"H{no:07d}" for no in frame["household_no"]]
    _demographics(rng, frame, homes, settings.last_day)
    _addresses(rng, frame, homes, settings)
    _contact_points(rng, frame, homes, settings, chunk)
    _behaviour(rng, frame, settings)
    _registrations(rng, frame, settings)
    return frame


def scatter(number: np.ndarray, size: int, seed: int, salt: int = 0) -> np.ndarray:
    """Map numbers below size (a power of ten) one to one onto numbers without visible order."""
    step = 618_033_988_749 % size if size > 10_000_000 else 6_180_339
    return (np.asarray(number, dtype=np.int64) * step + 7_919 * (seed + 1) + 104_729 * salt) % size


def _households(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return the number of each person's household, ascending from 0."""
    sizes = rng.choice([1, 2, 3, 4], n, p=[0.52, 0.32, 0.10, 0.06])
    return np.repeat(np.arange(n), sizes)[:n]


def _zipf(rng: np.random.Generator, n: int, words: list[str], tilt: float = 0.75) -> np.ndarray:
    weights = 1.0 / (np.arange(len(words)) + 4.0) ** tilt
    return np.array(words, dtype=object)[rng.choice(len(words), n, p=weights / weights.sum())]


def _surnames(rng: np.random.Generator, n: int) -> np.ndarray:
    heads, tails = np.array(names.SURNAME_HEADS, dtype=object), np.array(names.SURNAME_TAILS, dtype=object)
    rare = heads[rng.integers(len(heads), size=n)] + tails[rng.integers(len(tails), size=n)]
    return np.where(rng.random(n) < 0.45, rare, _zipf(rng, n, names.SURNAMES))


def _demographics(rng: np.random.Generator, frame: pd.DataFrame, homes: np.ndarray, last_day: date) -> None:
    n = len(frame)
    starts = np.flatnonzero(np.r_[True, homes[1:] != homes[:-1]])
    place = np.arange(n) - np.repeat(starts, np.diff(np.r_[starts, n]))  # 0 and 1 are the adults
    size = np.repeat(np.diff(np.r_[starts, n]), np.diff(np.r_[starts, n]))
    home = np.cumsum(np.r_[0, homes[1:] != homes[:-1]])
    of_home = len(starts)

    age = np.clip(rng.gamma(9, 5.4, of_home), 18, 92)[home]
    age = np.where(place == 1, age + rng.normal(0, 3, n), age)
    age = np.where(place > 1, np.maximum(age - rng.uniform(22, 36, n), 16), age).clip(16, 95)
    frame["birth_date"] = (np.datetime64(last_day, "s") - (age * 31_556_952).astype("timedelta64[s]")).astype("M8[D]")
    lead = (rng.random(of_home) < 0.62)[home]
    female = np.where(place == 1, ~lead, np.where(place == 0, lead, rng.random(n) < 0.5))
    frame["gender"] = np.where(rng.random(n) < 0.004, "d", np.where(female, "f", "m"))
    old = age + rng.normal(0, 5, n) > 47
    lists = (names.FEMALE_OLD, names.FEMALE_YOUNG, names.MALE_OLD, names.MALE_YOUNG)
    frame["first_name"] = np.choose(2 * ~female + ~old, [_zipf(rng, n, words) for words in lists])

    family, own = _surnames(rng, of_home)[home], _surnames(rng, n)
    frame["last_name"] = np.where((place == 1) & (rng.random(n) < 0.24), own, family)
    double = (place == 1) & (rng.random(n) < 0.03) & (frame["last_name"] != own)
    frame["last_name"] = np.where(double, frame["last_name"] + "-" + own, frame["last_name"])

    base = np.log(_SHARE) + np.zeros((n, 1))
    base += np.outer(age - 44, [-0.004, -0.035, -0.008, 0.028, -0.012])
    base += np.outer(size > 2, [0.1, -0.4, -0.1, -0.2, 1.0]) + np.outer(female, [0.1, 0.35, -0.3, 0.0, 0.15])
    frame["type"] = np.argmax(base + rng.gumbel(size=(n, len(TYPES))), axis=1)
    frame["region"] = rng.choice(len(REGIONS), of_home, p=[0.42, 0.33, 0.25])[home]
    frame["language"] = np.where(rng.random(n) < 0.06, "en", "de")


def _places(rng: np.random.Generator, region: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draw an address for each region index; also the dialling code."""
    n = len(region)
    number = np.char.mod("%d", rng.geometric(0.035, n).clip(1, 240)).astype(object)
    letter = np.where(rng.random(n) < 0.07, rng.choice(list("abc"), n), "").astype(object)
    place = {
        "street": _zipf(rng, n, names.STREETS, 0.5),
        "house_no": number + letter,
        "postcode": np.empty(n, dtype=object),
        "city": np.empty(n, dtype=object),
    }
    code = np.empty(n, dtype=object)
    draw, tail = rng.random(n), rng.random(n)
    for index, name in enumerate(REGIONS):
        towns = [town.rsplit(" ", 3) for town in names.TOWNS[name].split(";")]
        mine = np.flatnonzero(region == index)
        pick = (draw[mine] ** 1.4 * len(towns)).astype(int)  # towns stand in order of size
        for at, row in zip(mine, pick, strict=True):
            city, prefix, digits, dial = towns[row]
            areas = 10 ** int(digits)  # a big town has forty delivery areas
            area = int(tail[at] * min(40, areas)) * max(1, areas // 40)
            place["postcode"][at], place["city"][at], code[at] = f"{prefix}{area:0{digits}d}", city, dial
    return place, code


def _addresses(rng: np.random.Generator, frame: pd.DataFrame, homes: np.ndarray, settings: Settings) -> None:
    starts = np.r_[True, homes[1:] != homes[:-1]]
    home, of_home = np.cumsum(starts) - 1, int(starts.sum())
    region = frame["region"].to_numpy()[starts]
    now, code = _places(rng, region)
    before, _ = _places(rng, np.where(rng.random(of_home) < 0.7, region, rng.integers(3, size=of_home)))
    days = 7 * settings.weeks
    moved = np.where(rng.random(of_home) < 0.07, rng.integers(days, size=of_home), np.nan)
    for column in ADDRESS:
        frame[column] = now[column][home]
    for column in ADDRESS:
        frame[f"old_{column}"] = np.where(np.isnan(moved), now[column], before[column])[home]
    frame["moved"] = moved[home]
    married = rng.random(len(frame)) < np.where(frame["gender"] == "f", 0.03, 0.008)
    frame["renamed"] = np.where(married, rng.integers(days, size=len(frame)), np.nan)
    frame["old_last_name"] = np.where(married, _surnames(rng, len(frame)), frame["last_name"])
    frame["landline"] = _landlines(rng, code)[home]


def _landlines(rng: np.random.Generator, code: np.ndarray) -> np.ndarray:
    n = len(code)
    digits = rng.integers(200_000, 9_999_999, n)
    has = rng.random(n) < 0.62
    return np.array([f"0{c}{d}" if h else None for c, d, h in zip(code, digits, has, strict=True)], dtype=object)


def _contact_points(
    rng: np.random.Generator, frame: pd.DataFrame, homes: np.ndarray, settings: Settings, chunk: int
) -> None:
    n = len(frame)
    # A mailbox number leaves the chunk's remainder: two persons of different chunks never share a mailbox.
    taken: set[str] = set()
    domains = _zipf(rng, 2 * n, names.MAIL_DOMAINS, 1.0)
    style = rng.choice(6, 2 * n, p=[0.40, 0.17, 0.13, 0.12, 0.10, 0.08])
    counts = np.where(rng.random(2 * n) < 0.5, 0, rng.integers(1, 99, 2 * n))
    first = [plain(name).replace("-", "") for name in frame["first_name"]]
    last = [plain(name).replace("-", "") for name in frame["old_last_name"]]
    mails = []
    for i in range(2 * n):
        a, b = first[i % n], last[i % n]
        local = (f"{a}.{b}", f"{a[0]}.{b}", f"{a}{b}", f"{b}.{a}", f"{a}_{b[:3]}", f"{a[:3]}{b[:4]}")[style[i]]
        count = int(counts[i])
        while True:
            number = chunk + settings.chunks * count
            mail = f"{local}{number or ''}@{domains[i]}"
            if mail not in taken:
                break
            count += 1
        taken.add(mail)
        mails.append(mail)
    frame["email"] = mails[:n]
    frame["email2"] = mails[n:]  # kept by a tenth, see _registrations
    starts = np.r_[True, homes[1:] != homes[:-1]]
    home = np.cumsum(starts) - 1
    shared = (rng.random(int(starts.sum())) < 0.08)[home]
    frame["family_email"] = np.where(shared, frame["email"].to_numpy()[starts][home], None)
    digits = scatter(frame["person_no"], 100_000_000, settings.seed)
    block = np.where(rng.random(n) < 0.5, "0150", "0158")
    has = rng.random(n) < 0.93
    frame["mobile"] = [f"{b}{d:08d}" if h else None for b, d, h in zip(block, digits, has, strict=True)]


_PLAIN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "ş": "s", "ı": "i", "ó": "o", "ć": "c", "ğ": "g"}
)


def plain(name: str) -> str:
    """Return a name in small letters without umlauts and accents."""
    return name.lower().translate(_PLAIN)


def _dirichlet(rng: np.random.Generator, alpha: np.ndarray) -> np.ndarray:
    draws = rng.standard_gamma(alpha) + 1e-9
    return draws / draws.sum(axis=1, keepdims=True)


def _behaviour(rng: np.random.Generator, frame: pd.DataFrame, settings: Settings) -> None:
    n, kind = len(frame), frame["type"].to_numpy()
    days = 7 * settings.weeks
    # Customers before the window, then cohorts that grow and come in with the season.
    span = np.arange(days)
    season = 1 + 0.25 * np.cos(2 * np.pi * (span % 365.25 - 335) / 365.25) + 0.25 * span / days
    inside = rng.choice(days, n, p=season / season.sum())
    before = -1 - (rng.exponential(420, n)).astype(int)
    frame["acquired"] = np.where(rng.random(n) < 0.28, before, inside)
    frame["rate"] = rng.gamma(0.85, _RATE[kind] / 0.85).clip(0.02, 60)
    frame["lapse"] = rng.choice(np.array(["gradual", "abrupt", "none"], dtype=object), n, p=[0.4, 0.32, 0.28])
    life = np.exp(np.log(_LIFE[kind]) + 1.0 * rng.standard_normal(n)) + 14
    end = frame["acquired"] + life.clip(max=20_000).astype(int)
    frame["lapse_day"] = np.where(frame["lapse"] == "none", days + 20_000, end)
    channel = _dirichlet(rng, 1.3 * _CHANNEL[kind])
    frame[["p_web", "p_app", "p_store"]] = channel
    alpha = 0.9 * _TASTE[kind]
    gender = frame["gender"].to_numpy()
    alpha[:, 0] *= np.where(gender == "m", 0.30, 1.25)
    alpha[:, 1] *= np.where(gender == "m", 2.2, 0.6)
    frame[[f"t_{name}" for name in ASSORTMENTS]] = _dirichlet(rng, alpha)
    frame["price_sensitivity"] = rng.beta(6 * _PRICE[kind], 6 * (1 - _PRICE[kind]))
    frame["return_p"] = rng.beta(5 * _RETURN[kind], 5 * (1 - _RETURN[kind]))
    frame["order_size"] = _SIZE[kind] + rng.normal(0, 0.3, n)
    frame["guest_p"] = np.where(rng.random(n) < 0.3, rng.beta(2.2, 1.4, n), 0.02)


def _registrations(rng: np.random.Generator, frame: pd.DataFrame, settings: Settings) -> None:
    n = len(frame)
    web, app, store, guest = (frame[name].to_numpy() for name in ("p_web", "p_app", "p_store", "guest_p"))
    draw = rng.random((6, n))
    # Who orders as a guest rather keeps a second mailbox for it.
    second = draw[5] < np.where(guest > 0.3, 0.32, 0.035)
    frame["email2"] = np.where(second, frame["email2"].to_numpy(dtype=object), None)
    frame["has_web"] = draw[0] < (0.25 + 0.95 * (web + app)) * (1 - 0.75 * guest)
    frame["has_card"] = draw[1] < 0.06 + 0.75 * store
    frame["has_app"] = draw[2] < 1.05 * app
    frame["has_news"] = draw[3] < 0.36 - 0.15 * store
    frame["in_panel"] = draw[4] < 0.20
    # Whoever is nowhere, and does not live as a guest, has at least an account.
    nowhere = ~frame[["has_web", "has_card", "has_app", "has_news"]].any(axis=1)
    frame["has_web"] |= nowhere & (guest < 0.3)
    number = frame["person_no"].to_numpy()

    def ids(has: str, pattern: str, size: int, salt: int) -> np.ndarray:
        values = scatter(number, size, settings.seed, salt)
        return np.array(
            [pattern.format(v) if h else None for v, h in zip(values, frame[has], strict=True)], dtype=object
        )

    frame["web_id"] = ids("has_web", "{:08d}", 100_000_000, 1)
    frame["card_id"] = ids("has_card", "00{:08d}", 100_000_000, 2)
    frame["news_id"] = ids("has_news", "N{:07d}", 10_000_000, 3)
    frame["app_id"] = ids("has_app", "a-{:08d}", 100_000_000, 4)
    device = scatter(number, 10**12, settings.seed, 5)
    online = (web + app) > 0.05
    frame["device_id"] = np.array(
        [f"d{v:012d}" if o else None for v, o in zip(device, online, strict=True)], dtype=object
    )


def campaign_effects() -> np.ndarray:
    """Return the extra order probability of a treated contact, (incentives x types), in two weeks."""
    return np.array(
        [
            [0.085, 0.030, 0.020, 0.004, 0.050],  # 10 % off pulls bargain hunters, loyalists hardly
            [0.030, 0.022, 0.065, 0.012, 0.045],  # free shipping pulls those who want it easy
            [0.008, 0.070, 0.010, 0.040, 0.006],  # early access pulls trend followers and loyalists
        ]
    )


def campaigns(settings: Settings) -> pd.DataFrame:
    """Return the campaigns: campaign_no, day (of contact), incentive (index into INCENTIVES)."""
    day = np.arange(9 * 7 + 1, 7 * settings.weeks - 15, 91)
    return pd.DataFrame(
        {"campaign_no": np.arange(len(day)), "day": day, "incentive": np.arange(len(day)) % len(INCENTIVES)}
    )


def campaign_contacts(settings: Settings, chunk: int, people: pd.DataFrame) -> pd.DataFrame:
    """Return contacts and randomised held-out controls: campaign_no, person_no, day, treated (0, 1), incentive.

    Every campaign picks a quarter of those with an account or the newsletter who are customers by then, whatever
    they did before; 30 % of the picked are held out at random.
    """
    rng = stream(settings.seed, "contacts", chunk)
    reachable = (people["has_web"] | people["has_news"]).to_numpy()
    parts = []
    for row in campaigns(settings).itertuples():
        picked = reachable & (people["acquired"].to_numpy() < row.day - 30) & (rng.random(len(people)) < 0.25)
        treated = (rng.random(len(people)) >= 0.30).astype(int)
        part = pd.DataFrame({"person_no": people["person_no"].to_numpy()[picked], "treated": treated[picked]})
        parts.append(part.assign(campaign_no=row.campaign_no, day=row.day, incentive=row.incentive))
    empty = pd.DataFrame(columns=["person_no", "treated", "campaign_no", "day", "incentive"], dtype="int64")
    columns = ["campaign_no", "person_no", "day", "treated", "incentive"]
    return (pd.concat(parts, ignore_index=True) if parts else empty)[columns]
