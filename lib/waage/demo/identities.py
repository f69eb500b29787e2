"""What shop, loyalty programme, newsletter and app know of the persons, as each system exports it.

Guest orders and e-receipts know persons too (`waage.demo.purchases`), and so does the survey panel
(`waage.demo.panel`).
"""

import numpy as np
import pandas as pd

from waage.demo import world
from waage.demo.consents import write_consents
from waage.demo.files import Files
from waage.demo.noise import observe
from waage.demo.people import campaign_contacts, campaign_effects, campaigns
from waage.demo.world import INCENTIVES, REGIONS, TYPES, Settings, stream

TIME_ZONE = "Europe/Berlin"
TEST_ACCOUNTS = 4e-4  # of web accounts, at least one a chunk
COPIES = 2e-3  # of web accounts exported twice
DEFAULT_DATES = 4e-4  # of web accounts with the shop system's default date as day of registration
SECOND_ACCOUNTS = 0.08  # of web accounts: the person has another one, without orders

_SALUTATION = {"f": "Frau", "m": "Herr", "d": None}


def write_people(settings: Settings, chunk: int, people: pd.DataFrame, out: Files) -> None:
    """Write one chunk's accounts, cards, newsletter, app profiles, consents and campaign contacts, and their truth."""
    last = 7 * settings.weeks - 1
    names = ("webshop_accounts", "loyalty_cards", "newsletter", "app_profiles")
    accounts, cards, newsletter, profiles = (stream(settings.seed, name, chunk) for name in names)
    records = [
        _accounts(accounts, settings, chunk, people, out),
        _cards(cards, settings, people, out),
        _newsletter(newsletter, settings, people, out, last),
        _profiles(profiles, settings, people, out),
    ]
    known = pd.concat(records, ignore_index=True)
    write_consents(settings, chunk, known, out)
    truth = known[["source", "source_id"]].assign(person_id=people["person_id"].to_numpy()[known["row"]])
    out.truth("identities", truth.drop_duplicates(["source", "source_id"]))
    persons = people[["person_id", "household_id", "gender", "birth_date", "postcode", "acquired", "rate", "lapse"]]
    persons = persons.assign(
        type=np.array(TYPES)[people["type"]],
        region=np.array(REGIONS)[people["region"]],
        lapse_day=people["lapse_day"],
        price_sensitivity=people["price_sensitivity"],
    )
    out.truth("persons", persons)
    _campaigns(settings, chunk, people, out)


def moment(settings: Settings, day: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return local times between 7 and 22 o'clock on days counted from the first day."""
    seconds = rng.integers(7 * 3600, 22 * 3600, len(day))
    return np.datetime64(settings.first_day, "s") + np.asarray(day, dtype=np.int64) * 86_400 + seconds


def _record(
    settings: Settings, rng: np.random.Generator, people: pd.DataFrame, has: str, **shares: float
) -> pd.DataFrame:
    """Observe those who have an entry; adds row (in people), created_at and updated_at (the first version)."""
    rows = np.flatnonzero(people[has])
    mine = people.iloc[rows]
    # Who orders with an account had it before.
    day = mine["acquired"].to_numpy() - rng.integers(1, 20, len(rows))
    frame = observe(rng, mine, day, junk=settings.junk, **shares)
    frame.insert(0, "row", rows)
    frame["created_at"] = moment(settings, day, rng)
    frame["updated_at"] = frame["created_at"]
    frame["gender"] = mine["gender"].to_numpy(dtype=object)
    card = mine["card_id"].to_numpy(dtype=object, na_value=None)
    frame["card"] = np.where(rng.random(len(rows)) < (0.60 if has == "has_app" else 0.30), card, None)
    return frame


def _later(
    settings: Settings, rng: np.random.Generator, people: pd.DataFrame, frame: pd.DataFrame, share: float
) -> pd.DataFrame:
    """Add a second version for a share of those who moved or changed their name after they came."""
    mine = people.iloc[frame["row"]]
    turn = mine["moved"].fillna(mine["renamed"]).to_numpy(float)
    turn = np.where(rng.random(len(frame)) < share, turn + 1 + rng.exponential(40, len(frame)), np.nan)
    created = (frame["created_at"].to_numpy("M8[D]") - np.datetime64(settings.first_day)).astype(int)
    at = np.flatnonzero((turn > created) & (turn < 7 * settings.weeks))
    newer, day = frame.iloc[at].copy(), turn[at].astype(int)
    seen = observe(rng, mine.iloc[at], day, junk=0.0)
    for column in ("last_name", "street", "postcode", "city"):
        known = newer[column].notna().to_numpy()
        newer[column] = np.where(known, seen[column].to_numpy(dtype=object), None)
    newer["updated_at"] = moment(settings, day, rng)
    both = pd.concat([frame, newer])
    return both.sort_index(kind="stable").reset_index(drop=True)


def _accounts(
    rng: np.random.Generator, settings: Settings, chunk: int, people: pd.DataFrame, out: Files
) -> pd.DataFrame:
    frame = _record(settings, rng, people, "has_web", other=0.15, address=0.80, phone=0.68, birth=0.42)
    frame["source_id"] = people["web_id"].to_numpy(dtype=object)[frame["row"]]
    other = frame[rng.random(len(frame)) < SECOND_ACCOUNTS]
    again = observe(rng, people.iloc[other["row"]], np.full(len(other), 7 * settings.weeks), phone=0.45)
    mailbox = people["email2"].to_numpy(dtype=object, na_value=None)[other["row"]]
    # The shop takes an address once: those without a second mailbox open another one.
    another = again["email"].str.replace("@", ".privat@", regex=False).to_numpy(dtype=object)
    again["email"] = np.where(pd.notna(mailbox), mailbox, another)
    again = again.assign(row=other["row"].to_numpy(), gender=other["gender"].to_numpy(), card=None)
    # The shop numbers accounts with eight digits; second accounts come from a later block with nine.
    again["source_id"] = ["9" + number for number in other["source_id"]]
    earliest = (other["created_at"].to_numpy("M8[D]") - np.datetime64(settings.first_day)).astype(int)
    start = np.maximum(earliest, 0)
    day = start + (rng.random(len(other)) * np.maximum(7 * settings.weeks - 1 - start, 1)).astype(int)
    again["created_at"] = again["updated_at"] = moment(settings, day, rng)
    frame = _later(settings, rng, people, pd.concat([frame, again], ignore_index=True), 0.5)

    n = len(frame)
    late = frame["created_at"].to_numpy("M8[s]")
    faulty = rng.random(n) < DEFAULT_DATES * settings.junk
    export = pd.DataFrame(
        {
            "account_no": frame["source_id"],
            "created_at": _stamp(np.where(faulty, np.datetime64("1970-01-01", "s"), late)),
            "updated_at": _stamp(frame["updated_at"]),
            "salutation": np.where(rng.random(n) < 0.85, frame["gender"].map(_SALUTATION).to_numpy(dtype=object), None),
        }
    )
    copied = ["first_name", "last_name", "email", "phone", "street", "postcode", "city"]
    export[copied] = frame[copied]
    export["country"] = "DE"
    export["birth_date"] = _day(frame["birth_date"])
    export["loyalty_card_no"] = frame["card"]
    export["account_type"] = rng.choice(["private", "business", "staff"], n, p=[0.975, 0.02, 0.005])
    channel = rng.choice(["search", "social", "direct", "affiliate", "store"], n, p=[0.34, 0.22, 0.2, 0.14, 0.1])
    export["acquisition_channel"] = channel
    tests = _test_accounts(rng, settings, chunk, n)
    copies = export[(rng.random(n) < COPIES * settings.junk) & ~faulty]
    out.csv("webshop_accounts", pd.concat([export, copies, tests]))
    keys = [
        (export[faulty], "created_at lies before 1990-01-01"),
        (copies, "is an exact copy of another row"),
        (tests, "test account"),
    ]
    for rows, reason in keys:
        at = pd.to_datetime(rows["updated_at"]).dt.tz_localize(TIME_ZONE).dt.tz_convert("UTC")
        key = "web|" + rows["account_no"].astype(str) + "|" + at.dt.strftime("%Y-%m-%d %H:%M:%S")
        out.truth("quarantine", pd.DataFrame({"table": "identities", "key": key, "reason": reason}).astype(str))
    return frame.assign(source="web")


def _test_accounts(rng: np.random.Generator, settings: Settings, chunk: int, n: int) -> pd.DataFrame:
    count = max(1, round(TEST_ACCOUNTS * settings.junk * n)) if settings.junk > 0 else 0
    day = rng.integers(0, 7 * settings.weeks, count)
    at = _stamp(moment(settings, day, rng))
    number = [f"TEST{chunk * 1000 + i + 1:04d}" for i in range(count)]
    mail = [f"{no.lower()}@qa.shop.example" for no in number]
    test = pd.DataFrame({"account_no": number, "created_at": at, "updated_at": at, "email": mail})
    return test.assign(
        first_name="Test", last_name="Test", street="Teststraße 1", postcode="12345", account_type="staff"
    )


def _cards(rng: np.random.Generator, settings: Settings, people: pd.DataFrame, out: Files) -> pd.DataFrame:
    frame = _record(settings, rng, people, "has_card", email=0.24, phone=0.62, address=0.70, birth=0.66, typos=2.5)
    frame["source_id"] = people["card_id"].to_numpy(dtype=object)[frame["row"]]
    frame = _later(settings, rng, people, frame, 0.25)
    changed = frame["updated_at"]
    export = pd.DataFrame({"Kartennummer": frame["source_id"], "Anrede": frame["gender"].map(_SALUTATION)})
    names = ["Vorname", "Nachname", "Strasse", "PLZ", "Ort", "Telefon", "EMail"]
    export[names] = frame[["first_name", "last_name", "street", "postcode", "city", "phone", "email"]]
    export["Geburtsdatum"] = _day(frame["birth_date"], "%d.%m.%Y")
    export["Ausgabe"] = _day(frame["created_at"], "%d.%m.%Y")
    export["Geaendert"] = changed.dt.strftime("%d.%m.%Y %H:%M:%S")
    export["Bonuspunkte"] = np.round(rng.exponential(180, len(frame)), 2)
    out.csv("loyalty_cards", export, float_format="%.2f")
    return frame.assign(source="card")


def _newsletter(
    rng: np.random.Generator, settings: Settings, people: pd.DataFrame, out: Files, last: int
) -> pd.DataFrame:
    frame = _record(settings, rng, people, "has_news", other=0.85, phone=0.0, name=0.55, address=0.0)
    frame["source_id"] = people["news_id"].to_numpy(dtype=object)[frame["row"]]
    acquired = people["acquired"].to_numpy()[frame["row"]]
    day = np.minimum(acquired + rng.exponential(150, len(frame)).astype(int), last)
    frame["created_at"] = frame["updated_at"] = moment(settings, day, rng)
    export = frame[["source_id", "email", "first_name", "last_name"]].rename(columns={"source_id": "subscriber_id"})
    export["subscribed_at"] = np.datetime_as_string(frame["created_at"].to_numpy("M8[s]")).astype(object)
    export["form"] = rng.choice(["footer", "checkout", "competition", "store"], len(frame), p=[0.35, 0.4, 0.15, 0.1])
    out.jsonl("newsletter", export)
    return frame.assign(source="news")


def _profiles(rng: np.random.Generator, settings: Settings, people: pd.DataFrame, out: Files) -> pd.DataFrame:
    frame = _record(
        settings,
        rng,
        people,
        "has_app",
        other=0.6,
        email=0.42,
        phone=0.50,
        name=0.66,
        address=0.18,
        birth=0.22,
        typos=1.5,
    )
    frame["source_id"] = people["app_id"].to_numpy(dtype=object)[frame["row"]]
    frame["device_id"] = people["device_id"].to_numpy(dtype=object, na_value=None)[frame["row"]]
    export = frame[
        ["source_id", "device_id", "email", "phone", "first_name", "last_name", "street", "postcode", "city"]
    ]
    export = export.rename(columns={"source_id": "profile_id"}).assign(loyalty_card=frame["card"])
    export["birth_date"] = frame["birth_date"].to_numpy("M8[s]")
    for column in ("created_at", "updated_at"):
        export[column] = frame[column].dt.tz_localize(TIME_ZONE).dt.tz_convert("UTC")
    out.parquet("app_profiles", export)
    return frame.assign(source="app")


def _campaigns(settings: Settings, chunk: int, people: pd.DataFrame, out: Files) -> None:
    """Write who was picked under the id the mail went to: the account, or else the newsletter entry."""
    plan = campaigns(settings)
    start = np.datetime64(settings.first_day) + plan["day"].to_numpy()
    number = [f"K{no + 1:03d}" for no in plan["campaign_no"]]
    incentive = np.array(INCENTIVES)[plan["incentive"]]
    if chunk == 0:
        export = pd.DataFrame({"campaign_id": number, "name": incentive, "channel": "email", "starts_at": start})
        export["ends_at"], export["incentive"] = start + 14, incentive
        export["cost"] = np.round(settings.persons * np.array([0.02, 0.03, 0.01])[plan["incentive"]], 2)
        out.csv("campaigns", export)
        grid = [
            (i, t, float(e))
            for i, row in zip(INCENTIVES, campaign_effects(), strict=True)
            for t, e in zip(TYPES, row, strict=True)
        ]
        out.truth("campaign_effects", pd.DataFrame(grid, columns=["incentive", "type", "extra_order_probability"]))
    contacts = campaign_contacts(settings, chunk, people)
    row = contacts["person_no"].to_numpy() - chunk * world.CHUNK
    has_web = people["has_web"].to_numpy()[row]
    web, news = (people[c].to_numpy(dtype=object, na_value=None)[row] for c in ("web_id", "news_id"))
    export = pd.DataFrame({"campaign_id": np.array(number, dtype=object)[contacts["campaign_no"]]})
    export["source"], export["source_id"] = np.where(has_web, "web", "news"), np.where(has_web, web, news)
    export["contacted_at"] = _stamp(
        np.datetime64(settings.first_day, "s") + contacts["day"].to_numpy() * 86_400 + 36_000
    )
    out.csv("contacts", export.assign(treated=contacts["treated"].to_numpy()))


def _stamp(times: object) -> np.ndarray:
    texts = np.datetime_as_string(np.asarray(times, dtype="M8[s]")).tolist()
    return np.array([text.replace("T", " ") for text in texts], dtype=object)


def _day(days: pd.Series, form: str = "%Y-%m-%d") -> pd.Series:
    return days.dt.strftime(form)
