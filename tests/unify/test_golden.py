"""Which value survives, from which row, whatever the order of the rows."""

import ibis
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waage.errors import WaageError
from waage.tables import TABLES
from waage.unify.golden import DEFAULTS, STRATEGIES, UNITS, golden_records

TYPES = {"updated_at": "timestamp", "created_at": "timestamp", "birth_date": "date"}
COLUMNS = {column.name: TYPES.get(column.name, "string") for column in TABLES["identities"].columns}
ATTRIBUTES = [name for name in COLUMNS if name not in ("source", "source_id", "updated_at")]


def row(source="web", source_id="1", day=1, **values):
    """A row of identities, updated on a day of January 2024 (None: never)."""
    updated = pd.NaT if day is None else pd.Timestamp(2024, 1, day)
    return dict.fromkeys(COLUMNS) | {"source": source, "source_id": source_id, "updated_at": updated} | values


def table(rows):
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    for name in ("updated_at", "created_at", "birth_date"):
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[us]")
    return ibis.memtable(frame, schema=ibis.schema(COLUMNS | {"birth_date": "timestamp"}))


def mapped(rows, **more):
    """All ids of the rows as person P, further ids as named."""
    ids = {(entry["source"], entry["source_id"]): "P" for entry in rows}
    ids |= {tuple(key.split("_")): person for key, person in more.items()}
    return ibis.memtable(
        pd.DataFrame([(*key, person) for key, person in ids.items()], columns=["source", "source_id", "person_id"])
    )


def golden(*rows, **settings):
    got = golden_records(table(rows), mapped(rows), **settings).execute()
    assert got["person_id"].tolist() == ["P"]
    return got.iloc[0].where(got.iloc[0].notna(), None)


def test_columns_sources_and_times():
    got = golden(row("web", "1", 3, email="new@x.de"), row("card", "7", 1, email="old@x.de", phone="+49301"))
    assert list(got.index) == ["person_id"] + [f"{name}{end}" for name in ATTRIBUTES for end in ("", "_source", "_at")]
    assert (got.email, got.email_source, got.email_at) == ("new@x.de", "web", pd.Timestamp(2024, 1, 3))
    assert (got.phone, got.phone_source, got.phone_at) == ("+49301", "card", pd.Timestamp(2024, 1, 1))
    assert (got.city, got.city_source, got.city_at) == (None, None, None)


def test_every_person_has_a_row_and_strangers_have_none():
    rows = [row("web", "1", email="a@x.de"), row("web", "2", email="stranger@x.de")]
    people = mapped(rows[:1], till_9="Q", till_8="P")
    got = golden_records(table(rows), people).execute().set_index("person_id")
    assert sorted(got.index) == ["P", "Q"] and got.loc["Q"].isna().all() and got.loc["P", "email"] == "a@x.de"
    nothing = golden_records(None, people)
    assert nothing.columns == golden_records(table(rows), people).columns
    assert nothing.schema() == golden_records(table([]), people).schema()
    assert nothing.execute().set_index("person_id").isna().all(axis=None)


def test_blanks_never_win():
    got = golden(row(day=2, email="  ", phone=""), row("card", day=1, email=" a@x.de ", phone="1"))
    assert (got.email, got.phone) == ("a@x.de", "1")


def test_columns_that_are_not_there_are_null():
    got = golden_records(table([row(email="a@x.de")]).select("source", "source_id", "email"), mapped([row()])).execute()
    assert got["email"].tolist() == ["a@x.de"] and got["email_at"].isna().all() and got["street"].isna().all()


ADDRESS = {"street": "Weg 1", "postcode": "10115", "city": "Berlin", "country": "DE"}


def test_an_address_survives_as_a_whole():
    moved = {"street": "Allee 2", "postcode": "20095", "city": "Hamburg"}
    got = golden(row(day=1, **ADDRESS), row("card", day=2, **moved))
    assert [got[name] for name in UNITS["address"]] == ["Allee 2", "20095", "Hamburg", None], (
        "no country from elsewhere"
    )
    assert got.country_source is None and got.street_source == got.city_source == "card"
    got = golden(
        row(day=1, **ADDRESS), row("news", day=9, postcode="99999", city="Ort"), row("app", day=10, country="AT")
    )
    assert [got[name] for name in UNITS["address"]] == list(ADDRESS.values()), "parts do not beat a whole"
    got = golden(row("news", day=1, postcode="99999"), row("app", day=10, country="AT"))
    assert (got.postcode, got.country) == ("99999", None)


@pytest.mark.parametrize("initial", ["P.", "P", "P. M.", "P.-M.", "Ö."])
def test_an_initial_does_not_beat_a_first_name(initial):
    got = golden(
        row(day=1, first_name="Petra", last_name="Schmidt"),
        row("card", day=5, first_name=initial, last_name="Schmidt", title="Dr."),
        row("app", day=9, first_name="Petzi"),
    )
    assert (got.first_name, got.last_name, got.title, got.first_name_source) == ("Petra", "Schmidt", None, "web")


@pytest.mark.parametrize("name", ["Jo", "Özlem", "Karl-Heinz", "伟"])
def test_short_and_foreign_first_names_are_no_initials(name):
    got = golden(row(day=1, first_name="Petra", last_name="A"), row("card", day=5, first_name=name, last_name="B"))
    assert (got.first_name, got.last_name) == (name, "B"), "married: the newest full name"


def test_of_one_moment_the_longest_first_name_wins():
    rows = [
        row(source, day=1, first_name=name, last_name="A") for source, name in (("a", "Petra"), ("b", "Petra Maria"))
    ]
    assert golden(*rows).first_name == "Petra Maria"


def test_a_name_without_a_last_name_is_better_than_none():
    assert golden(row(first_name="Petra")).first_name == "Petra"


def test_salutation_and_gender_are_what_most_rows_say():
    rows = [row("web", str(i), i, salutation=word) for i, word in enumerate(("Frau", " frau", "Herr"), start=1)]
    got = golden(*rows)
    assert (got.salutation, got.salutation_at) == ("frau", pd.Timestamp(2024, 1, 2)), "the newest spelling of it"
    assert golden(*rows[1:]).salutation == "Herr", "a tie: the newest"


def test_birth_dates_are_counted():
    dates = [pd.Timestamp(1980, 1, 1), pd.Timestamp(1980, 1, 1), pd.Timestamp(2000, 1, 1)]
    assert golden(*(row("web", str(i), i, birth_date=day) for i, day in enumerate(dates, 1))).birth_date == dates[0]


def test_origin_is_what_was_known_first():
    got = golden(
        row("web", day=1, created_at=pd.Timestamp(2023, 5, 1), acquisition_channel="search"),
        row("card", day=9, created_at=pd.Timestamp(2021, 5, 1), acquisition_channel="store"),
        row("app", day=None, acquisition_channel="app"),
    )
    assert (got.created_at, got.created_at_source) == (pd.Timestamp(2021, 5, 1), "card")
    assert (got.acquisition_channel, got.acquisition_channel_at) == ("store", pd.Timestamp(2024, 1, 9))


def test_source_order_then_the_alphabet():
    rows = [row(source, day=day, email=f"{source}{day}") for source, day in (("d", 1), ("b", 2), ("c", 3), ("c", 4))]
    chosen = {"strategies": {"email": "source_order"}}
    assert golden(*rows, source_order=("x", "c"), **chosen).email == "c4"
    assert golden(*rows, source_order=("d", "c"), **chosen).email == "d1"
    assert golden(*rows, **chosen).email == "b2"


def test_verified_needs_two_sources():
    chosen = {"strategies": {"phone": "verified", "address": "verified"}}
    rows = [
        row("web", "1", 1, phone="030 1", **ADDRESS),
        row("card", "1", 2, phone="0301", **ADDRESS | {"city": "BERLIN "}),
        row("app", "1", 8, phone="99", street="Allee 2", city="Ulm"),
        row("app", "2", 9, phone="99", street="Allee 2", city="Ulm"),
    ]
    got = golden(*rows, **chosen)
    assert (got.phone, got.phone_source, got.street, got.city) == ("0301", "card", "Weg 1", "BERLIN")
    got = golden(rows[0], *rows[2:], **chosen)
    assert (got.phone, got.street) == ("99", "Allee 2"), "none verified: the newest"


def test_unknown_times_are_oldest_and_ties_go_by_source_and_id():
    assert golden(row("a", day=None, email="undated"), row("b", day=1, email="dated")).email == "dated"
    rows = [row(source, ident, 1, email=source + ident) for source, ident in (("b", "1"), ("a", "2"), ("a", "1"))]
    for strategy in STRATEGIES:
        assert golden(*rows, strategies={"email": strategy}).email == "a1"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"strategies": {"emial": "most_recent"}}, r"'emial' is no attribute \(did you mean 'email'\?\)"),
        ({"strategies": {"email": "newest"}}, r"email: 'newest' is no strategy; there are source_order, most_recent"),
        ({"strategies": {"email": "most_recnt"}}, r"did you mean 'most_recent'"),
        ({"strategies": {"street": "most_recent"}}, r"'street' survives with its address as a whole: set 'address'"),
        ({"source_order": ["web", "web"]}, r"source_order names 'web' twice"),
        ({"source_order": "web"}, r"source_order is the text 'web'"),
    ],
)
def test_unknown_words_are_refused(settings, words):
    with pytest.raises(WaageError, match=words):
        golden(row(), **settings)


# A slow reference for single attributes: sort the rows, take the first.


def by_hand(rows, attribute, strategy, source_order):
    known = [entry for entry in rows if entry[attribute] and entry[attribute].strip()]
    said = [entry[attribute].lower().replace(" ", "") for entry in known]

    def worth(entry):
        same = entry[attribute].lower().replace(" ", "")
        sources = {other["source"] for other, word in zip(known, said, strict=True) if word == same}
        place = source_order.index(entry["source"]) if entry["source"] in source_order else len(source_order)
        age = -entry["updated_at"].value if pd.notna(entry["updated_at"]) else float("inf")
        first = {
            "most_frequent": (-said.count(same),),
            "verified": (len(sources) < 2,),
            "source_order": (place, entry["source"]),
            "earliest": (-age if age < float("inf") else age,),
            "most_recent": (),
        }[strategy]
        return (*first, age, entry["source"], entry["source_id"])

    return min(known, key=worth)[attribute].strip() if known else None


VALUE = st.sampled_from([None, "", "a", " A", "b", "c d", "CD"])
ROW = st.fixed_dictionaries(
    {"source": st.sampled_from("xyz"), "source_id": st.sampled_from("12"), "day": st.sampled_from([None, 1, 2, 3])}
    | {name: VALUE for name in ("email", "phone", "loyalty_id", "device_id", "gender")}
)
SOME = st.lists(ROW, min_size=1, max_size=9, unique_by=lambda r: (r["source"], r["source_id"], r["day"]))


@settings(max_examples=30, deadline=None)
@given(SOME, st.randoms(use_true_random=False))
def test_any_rows_in_any_order_give_what_the_strategy_says(given_rows, random):
    chosen = dict(zip(("email", "phone", "loyalty_id", "device_id", "gender"), STRATEGIES, strict=True))
    rows = [row(**values) for values in given_rows]
    random.shuffle(rows)
    got = golden(*rows, strategies=chosen, source_order=("z",))
    for attribute, strategy in chosen.items():
        assert got[attribute] == by_hand(rows, attribute, strategy, ("z",)), (attribute, strategy)


def test_the_defaults_name_every_attribute():
    parts = [name for unit in DEFAULTS for name in UNITS.get(unit, (unit,))]
    assert sorted(parts) == sorted(ATTRIBUTES) and set(DEFAULTS.values()) <= set(STRATEGIES)
