"""Values that identify nobody, rules that join, and contradictions that keep apart."""

import duckdb
import pandas as pd
import pytest

from waage.unify.guards import IDENTIFIERS, NAMES, RECORDS, Limits, block
from waage.unify.rules import MOST, RULES, contradiction, rule_edges, trusted_vetoes

TEXT = (
    "first_name last_name initial sound email email_kind phone street house_no postcode birth_date loyalty_id device_id"
)


@pytest.fixture
def con(tmp_path):
    connection = duckdb.connect(
        config={"temp_directory": str(tmp_path / "spill"), "memory_limit": "500MB", "threads": 1}
    )
    yield connection
    connection.close()


def put(con, rows: list[dict]) -> None:
    """Write `records` and `nodes`; a row's node is its number unless it says otherwise."""
    frame = pd.DataFrame({name: pd.array([row.get(name) for row in rows], dtype="string") for name in TEXT.split()})
    first = frame["first_name"].str[0]
    frame["initial"] = frame["initial"].fillna(first)
    frame["node"] = [row.get("node", number) for number, row in enumerate(rows)]
    con.register("frame", frame)
    con.execute("CREATE OR REPLACE TEMP TABLE records AS SELECT * FROM frame")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE nodes AS SELECT node, any_value(first_name) AS first_name, "
        "any_value(last_name) AS last_name, any_value(birth_date) AS birth_date FROM records GROUP BY node"
    )
    con.unregister("frame")


def blocked(con, rows: list[dict], **options) -> dict[tuple[str, str], str]:
    put(con, rows)
    _, found = block(con, **options)
    written = con.execute("SELECT identifier, value FROM blocked").fetchall()
    assert sorted(written) == sorted(zip(found["identifier"], found["value"], strict=True))
    assert len(written) == len(set(written))
    return dict(zip(zip(found["identifier"], found["value"], strict=True), found["reason"], strict=True))


def edges(con, rows: list[dict], vetoes: tuple[str, ...] = ("first_name", "birth_date")) -> dict:
    """Return {(a, b): (names of the rules, contradicted)}."""
    put(con, rows)
    block(con)
    rule_edges(con, vetoes)
    found = con.execute("SELECT a, b, ranks, contradicted FROM rule_edges ORDER BY a, b").fetchall()
    return {(a, b): ([RULES[rank].name for rank in ranks], against) for a, b, ranks, against in found}


def contradicts(con, one: dict, two: dict) -> str | None:
    put(con, [one, two])
    sql = f"SELECT {contradiction('x', 'y')}, {contradiction('y', 'x')} FROM nodes x, nodes y"
    there, back = con.execute(f"{sql} WHERE x.node = 0 AND y.node = 1").fetchone()
    assert there == back
    return there


def test_junk_values_block_whatever_their_number(con):
    got = blocked(con, [{"loyalty_id": "0000"}, {"device_id": "Unbekannt"}, {"phone": "+1234567"}, {"loyalty_id": "7"}])
    assert set(got) == {("loyalty_id", "0000"), ("device_id", "Unbekannt"), ("phone", "+1234567")}
    assert set(got.values()) == {"junk value"}
    assert blocked(con, [{"loyalty_id": "KARTE-LEER"}], junk=[" Karte-leer "]) == {
        ("loyalty_id", "KARTE-LEER"): "junk value"
    }


def test_addresses_of_roles_block(con):
    got = blocked(con, [{"email": "info@shop.de", "email_kind": "role"}, {"email": "a@b.de", "email_kind": "personal"}])
    assert got == {("email", "info@shop.de"): "address of a role, not of a person"}


def test_too_many_names_or_records_block(con):
    family = [{"email": "f@x.de", "first_name": name, "last_name": "1"} for name in "abcd"]
    assert blocked(con, family) == {}
    assert blocked(con, [*family, {"email": "f@x.de", "first_name": "e", "last_name": "1"}]) == {
        ("email", "f@x.de"): "too many different names"
    }
    # One person with an order an id; and many rows of one id are one record.
    keen = [{"phone": "+49301", "first_name": "eva", "last_name": "1"}] * RECORDS
    assert blocked(con, keen) == {}
    assert blocked(con, keen + keen[:1]) == {("phone", "+49301"): "too many records"}
    assert blocked(con, [{**row, "node": 0} for row in keen * 2]) == {}


def test_limits_follow_the_data_but_not_the_junk(con):
    rows = [
        {"email": f"m{mail}@x.de", "first_name": chr(97 + n), "last_name": "1"}
        for mail in range(2_000)
        for n in range(3)
    ]
    put(con, rows + [{"email": "all@x.de", "first_name": chr(97 + n % 26), "last_name": str(n)} for n in range(5_000)])
    limits, found = block(con)
    assert limits.names["email"] == 3 * 3 and limits.records["email"] == RECORDS
    assert limits.names["phone"] == NAMES and set(limits.names) == set(IDENTIFIERS)
    assert found[["value", "records"]].to_numpy().tolist() == [["all@x.de", 5_000]]
    # Nearly all shared values are junk: the limit must not rise far enough to let it through.
    for values in (9, 1_200):
        rows = [
            {"email": f"j{n % values}@x.de", "first_name": chr(97 + n % 25), "last_name": str(n)} for n in range(20_000)
        ]
        put(con, rows)
        limits, found = block(con)
        assert limits.names["email"] <= 3 * NAMES and limits.records["email"] <= 5 * RECORDS and len(found) == values


def test_frozen_limits_are_used_as_they_are(con):
    limits = Limits(dict.fromkeys(IDENTIFIERS, 1), dict.fromkeys(IDENTIFIERS, 99))
    put(con, [{"email": "a@x.de", "first_name": name, "last_name": "1"} for name in "ab"])
    back, found = block(con, limits=limits)
    assert back is limits and found["reason"].tolist() == ["too many different names"]


def test_names_are_those_of_the_id_whatever_row_the_identifier_stands_in(con):
    rows = []
    for node in range(NAMES + 1):
        rows += [{"node": node, "device_id": "kiosk"}, {"node": node, "first_name": chr(97 + node), "last_name": "x"}]
    assert blocked(con, rows) == {("device_id", "kiosk"): "too many different names"}


def test_a_number_is_junk_however_it_is_written(con):
    rows = [{"phone": "+493047114711"}, {"phone": "+493047114712"}]
    assert blocked(con, rows, junk=["030 4711-4711"]) == {("phone", "+493047114711"): "junk value"}


def test_each_rule_links_what_it_says(con):
    anna = {"first_name": "anna", "last_name": "maier"}
    home = {"street": "weg", "house_no": "1", "postcode": "10115"}
    both = {
        "loyalty_card": {"loyalty_id": "K7"},
        "email": {"email": "a@x.de"},
        "phone_initial": {"phone": "+49301", "first_name": "anna"},
        "name_birth_date": {**anna, "birth_date": "1980-03-12"},
        "name_address": {**anna, **home},
        "device": {"device_id": "D7"},
    }
    assert [rule.name for rule in RULES] == list(both)
    for name, row in both.items():
        assert edges(con, [row, row]) == {(0, 1): ([name], None)}, name
        assert edges(con, [{**row, "node": 3}, {**row, "node": 3}]) == {}, name
    assert edges(con, [{**anna, **home, "email": "a@x.de"}] * 2) == {(0, 1): (["email", "name_address"], None)}


def test_what_is_too_little_links_nothing(con):
    home = {"street": "weg", "house_no": "1", "postcode": "10115", "last_name": "maier"}
    alike = [
        ({"phone": "+49301"}, {"phone": "+49301"}),
        ({"phone": "+49301", "first_name": "anna"}, {"phone": "+49301", "first_name": "bernd"}),
        ({**home, "first_name": "a"}, {**home, "first_name": "a"}),
        (home, home),
        ({"first_name": "anna", "last_name": "maier"}, {"first_name": "anna", "last_name": "maier"}),
        ({"last_name": "maier", "birth_date": "1980-03-12"}, {"last_name": "maier", "birth_date": "1980-03-12"}),
        ({"loyalty_id": "K7"}, {"loyalty_id": "k7"}),
        ({"loyalty_id": "7"}, {"loyalty_id": "07"}),
        ({"loyalty_id": "0"}, {"loyalty_id": "0"}),
    ]
    for one, two in alike:
        assert edges(con, [one, two]) == {}, (one, two)


def test_a_key_that_too_many_share_links_nothing(con):
    row = {"first_name": "anna", "last_name": "maier", "birth_date": "1980-03-12"}
    assert len(edges(con, [row] * MOST)) == MOST * (MOST - 1) // 2
    assert edges(con, [row] * (MOST + 1)) == {}


def test_an_edge_names_what_contradicts_it(con):
    rows = [
        {"email": "f@x.de", "first_name": "anna", "birth_date": "1980-03-12"},
        {"email": "f@x.de", "first_name": "bernd", "birth_date": "1951-07-30"},
        {"email": "f@x.de", "first_name": "anna", "birth_date": "1951-07-30"},
    ]
    assert {pair: against for pair, (_, against) in edges(con, rows).items()} == {
        (0, 1): "first_name, birth_date",
        (0, 2): "birth_date",
        (1, 2): "first_name",
    }
    assert {against for _, against in edges(con, rows, ()).values()} == {None}
    assert edges(con, rows, ("first_name",))[0, 2] == (["email"], None)


@pytest.mark.parametrize(
    ("one", "two", "against"),
    [
        ("anna", "bernd", True),
        ("anna", "anja", False),  # may be a misspelling
        ("anna", "a", False),
        ("anna", "annalena", False),
        ("anna lena", "lena", False),
        ("christian", "christina", False),
        ("maria", "mario", False),
        ("sabine", "thomas", True),
        ("anna", None, False),
    ],
)
def test_first_names(con, one, two, against):
    got = contradicts(con, {"first_name": one, "last_name": "x"}, {"first_name": two, "last_name": "x"})
    assert got == ("first_name" if against else None)


def test_exchanged_names_are_no_contradiction(con):
    one = {"first_name": "peter", "last_name": "franz"}
    assert contradicts(con, one, {"first_name": "franz", "last_name": "peter"}) is None
    assert contradicts(con, one, {"first_name": "franz", "last_name": "maier"}) is None
    assert contradicts(con, {"first_name": "peter"}, {"first_name": "franz"}) == "first_name"


@pytest.mark.parametrize(
    ("one", "two", "against"),
    [
        ("1980-03-12", "1980-12-03", False),  # day and month exchanged
        ("1980-03-12", "1981-12-03", True),
        ("1980-03-12", "1980-03-17", False),  # one wrong digit
        ("1980-03-12", "1990-03-12", False),
        ("1980-03-12", "1980-03-21", False),  # neighbours exchanged
        ("1980-03-12", "1980-01-01", False),  # the year only
        ("1980-03-12", "1979-01-01", True),
        ("1980-03-12", "1951-07-30", True),
        ("1980-03-12", "1980-07-29", True),
        ("1980-03-12", None, False),
    ],
)
def test_birth_dates(con, one, two, against):
    assert contradicts(con, {"birth_date": one}, {"birth_date": two}) == ("birth_date" if against else None)


def proven(n: int, wrong: int, field: str) -> list[dict]:
    """Pairs with one card each, of which `wrong` contradict themselves in a field."""
    values = {"first_name": ("anna", "bernd"), "birth_date": ("1980-03-12", "1951-07-30")}[field]
    rows = []
    for pair in range(n):
        rows += [{"loyalty_id": f"K{pair}", field: values[0]}, {"loyalty_id": f"K{pair}", field: values[pair < wrong]}]
    return rows


@pytest.mark.parametrize("field", ["first_name", "birth_date"])
def test_a_field_that_is_often_wrong_is_not_trusted(con, field):
    other = {"first_name": "birth_date", "birth_date": "first_name"}[field]
    for n, wrong, trusted in ((200, 6, True), (200, 7, False), (29, 29, True), (30, 1, False), (40, 1, True)):
        put(con, proven(n, wrong, field))
        got = trusted_vetoes(con)
        assert other in got and (field in got) == trusted, (n, wrong)


def test_a_card_that_a_crowd_shares_proves_nothing(con):
    put(con, [{"loyalty_id": "K0", "first_name": name} for name in ("anna", "bernd") * 50])
    assert trusted_vetoes(con) == ("first_name", "birth_date")
