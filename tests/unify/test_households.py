"""Which persons live together."""

from pathlib import Path

import ibis
import pandas as pd
import pytest

from waage.contract import Limits, check
from waage.demo import Settings, generate
from waage.unify.households import households
from waage.unify.normalise import normalise
from waage.unify.truth import pair_scores

SOURCES = Path(__file__).resolve().parents[2] / "data" / "demo" / "sources"
COLUMNS = ["source_id", "updated_at", "last_name", "street", "postcode", "phone"]


def found(duck, *rows: tuple, persons: dict[str, str] | None = None, **settings) -> dict[str, set]:
    """Household -> persons, from rows of `COLUMNS`; an id is a person unless `persons` says otherwise."""
    frame = pd.DataFrame([dict(zip(COLUMNS, row, strict=False)) for row in rows], columns=COLUMNS, dtype=object)
    frame = frame.assign(source="web", updated_at=pd.to_datetime(frame["updated_at"]))
    schema = ibis.schema(dict.fromkeys([*COLUMNS, "source"], "string") | {"updated_at": "timestamp"})
    records = normalise(
        duck.create_table(ibis.util.gen_name("identities"), ibis.memtable(frame, schema=schema), temp=True)
    )
    mapping = frame[["source", "source_id"]].drop_duplicates()
    mapping["person_id"] = mapping["source_id"].map(lambda name: (persons or {}).get(name, name))
    table = households(records, ibis.memtable(mapping.astype(object)), **settings).execute()
    assert table["person_id"].is_unique and set(table["person_id"]) == set(mapping["person_id"])
    groups = table.groupby("household_id")
    assert (table["size"] == groups["person_id"].transform("size")).all()
    assert (groups["person_id"].min() == groups["person_id"].min().index.str[1:]).all()
    return {home: set(group["person_id"]) for home, group in groups}


def test_surname_and_address_make_a_household(duck):
    homes = found(
        duck,
        ("a", "2024-01-01", "Müller", "Hauptstraße 5", "20555"),
        ("b", "2024-01-01", "Mueller-Schmidt", "Hauptstr. 5", "20555"),
        ("c", "2024-01-01", "Schmidt", "Haupt-Str. 5", "D-20555"),
        ("d", "2024-01-01", "Berg", "Hauptstr. 5", "20555"),
        ("e", "2024-01-01", "Müller", "Hauptstr. 6", "20555"),
        ("f", "2024-01-01", "Müller", "Hauptstr. 5", "20556"),
        ("g", "2024-01-01", None, "Hauptstr. 5", "20555"),
    )
    assert homes == {"Ha": {"a", "b", "c"}, "Hd": {"d"}, "He": {"e"}, "Hf": {"f"}, "Hg": {"g"}}


def test_a_street_without_number_and_a_particle_link_nobody(duck):
    homes = found(
        duck,
        ("a", "2024-01-01", "Müller", "Dorfstraße", "20555"),
        ("b", "2024-01-01", "Müller", "Dorfstraße", "20555"),
        ("c", "2024-01-01", "von Berg", "Am See 1", "20555"),
        ("d", "2024-01-01", "von Kuhn", "Am See 1", "20555"),
        ("e", "2024-01-01", "Müller", "Weg 1", None),
        ("f", "2024-01-01", "Müller", "Weg 1", None),
    )
    assert all(len(home) == 1 for home in homes.values())


def test_the_newest_address_counts_and_every_surname(duck):
    homes = found(
        duck,
        ("a", "2023-01-01", "Müller", "Alter Weg 1", "20555"),
        ("a", "2024-01-01", "Müller", "Neuer Weg 2", "20555"),
        ("a", "2025-01-01", "Müller", None, None),
        ("b", "2022-01-01", "Müller", "Alter Weg 1", "20555"),
        ("c", "2024-01-01", "Muller", "Neuer Weg 2", "20555"),
        ("c2", "2023-01-01", "Müller", None, None),
        persons={"c2": "c"},
    )
    assert homes == {"Ha": {"a", "c"}, "Hb": {"b"}}


def test_a_landline_is_shared_and_a_mobile_is_not(duck):
    homes = found(
        duck,
        ("a", "2024-01-01", "Müller", None, None, "040 3456789"),
        ("b", "2024-01-01", "Müller", "Weg 1", "20555", "+49 40 3456789"),
        ("c", "2024-01-01", "Berg", None, None, "040 3456789"),
        ("d", "2024-01-01", "Müller", None, None, "0151 23456789"),
        ("e", "2024-01-01", "Müller", "Weg 1", "20555", "0151 23456789"),
    )
    assert homes == {"Ha": {"a", "b", "e"}, "Hc": {"c"}, "Hd": {"d"}}, "by way of b, e lives with a"


def test_a_hostel_links_nobody(duck):
    rows = [(f"{i:02}", "2024-01-01", "Müller", "Heimweg 1", "20555") for i in range(13)]
    assert len(found(duck, *rows)) == 13
    assert len(found(duck, *rows[:12])) == 1
    assert len(found(duck, *rows[:3], most=2)) == 3


def test_organisations_and_unknown_persons_live_alone(duck):
    homes = found(
        duck,
        ("a", "2024-01-01", "Müller GmbH", "Weg 1", "20555"),
        ("b", "2024-01-01", "Müller", "Weg 1", "20555"),
        ("c", None),
    )
    assert len(homes) == 3
    assert len(found(duck, ("a", None), ("b", None))) == 2


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Records of the small retailer and the truth: (records, identity map, household of each true person)."""
    folder, settings = tmp_path_factory.mktemp("retailer"), Settings(persons=3000, weeks=60, units=4)
    generate(settings, folder)
    backend = ibis.duckdb.connect()
    for setting in (f"temp_directory = '{folder / 'spill'}'", "memory_limit = '2GB'", "TimeZone = 'UTC'"):
        backend.raw_sql(f"SET {setting}")
    sql = (SOURCES / "identities.sql").read_text("utf-8").replace("${raw}", str(folder / "raw"))
    accepted = check(backend.sql(sql), "identities", Limits("Europe/Berlin", settings.last_day)).accepted
    truth = backend.read_parquet(folder / "truth" / "identities.parquet")
    persons = pd.read_parquet(folder / "truth" / "persons.parquet")
    return normalise(accepted), truth, persons.set_index("person_id")["household_id"]


def test_simulated_households_are_found_without_mistakes(demo):
    records, truth, home = demo
    table = households(records, truth).execute().set_index("person_id")
    scores = pair_scores(table["household_id"], home.reindex(table.index))
    assert scores.precision > 0.98
    # Half of the persons never give an address, a quarter of the couples share no name: the rest is found.
    assert 0.35 < scores.recall < 0.65
