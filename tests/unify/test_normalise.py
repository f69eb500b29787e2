import re
import string

import ibis
import pandas as pd
import phonenumbers
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from waage.errors import WaageError
from waage.unify.normalise import normalise

COLUMNS = (
    "record source source_id updated_at first_name last_name initial kind email email_kind phone phone_type street "
    "house_no postcode city birth_date gender loyalty_id device_id sound"
)
TEXTS = (
    "salutation first_name last_name email phone street postcode city country birth_date gender loyalty_id device_id"
)


@pytest.fixture(scope="module")
def clean(duck):
    """Normalise rows of text; a list of dictionaries comes back in the order in which they were given."""

    def run(rows: list[dict], **options) -> list[dict]:
        names = sorted({name for row in rows for name in row})
        frame = pd.DataFrame({name: pd.array([row.get(name) for row in rows], dtype="string") for name in names})
        frame.insert(0, "source_id", [f"{number:06}" for number in range(len(rows))])
        frame.insert(0, "source", "s")
        given_rows, name = ibis.memtable(frame), ibis.util.gen_name("rows")
        result = normalise(duck.create_table(name, given_rows, temp=True), **options)
        got = result.order_by("record").execute().astype(object)
        duck.drop_table(name)
        duck.drop_table(result.get_name())
        return got.where(got.notna(), None).to_dict("records")

    return run


def each(clean, column: str, values: list, want: str | tuple, **rest) -> list:
    got = clean([{column: value, **rest} for value in values])
    return [tuple(row[name] for name in want) if isinstance(want, tuple) else row[want] for row in got]


def test_one_row_for_each_row_in_the_documented_columns(duck):
    rows = duck.sql("""SELECT 's' AS source, unnest(['b', 'a', 'a', 'a']) AS source_id,
        unnest([NULL, TIMESTAMP '2024-02-01', NULL, TIMESTAMP '2024-02-01']) AS updated_at""")
    result = normalise(rows)
    assert list(result.columns) == COLUMNS.split()
    assert result.schema()["record"].is_int64() and result.schema()["birth_date"].is_string()
    got = result.order_by("record").execute()
    assert got["record"].tolist() == [0, 1, 2, 3] and got["source_id"].tolist() == ["a", "a", "a", "b"]
    assert pd.isna(got["updated_at"][0]) and got["kind"].eq("person").all()
    assert normalise(rows.limit(0)).count().execute() == 0


def test_nothing_is_left_behind(duck):
    before = set(duck.list_tables())
    result = normalise(
        duck.sql("SELECT 's' AS source, '1' AS source_id, 'Müller' AS last_name, '0221 987654' AS phone")
    )
    assert set(duck.list_tables()) - before == {result.get_name()}


def test_the_order_of_the_rows_does_not_matter(duck):
    duck.con.execute("""CREATE OR REPLACE TEMP TABLE shuffled AS
        SELECT 's' || i % 2 AS source, (i % 7)::VARCHAR AS source_id,
        if(i % 3 = 0, NULL, TIMESTAMP '2024-01-01' + INTERVAL 1 DAY * (i % 5)) AS updated_at,
        'Müller' || i % 11 AS last_name, if(i % 4 = 0, '', '0221 98765' || i) AS phone FROM range(200) t(i)""")
    table = duck.table("shuffled")
    one = normalise(table.order_by("phone")).order_by("record").execute()
    two = normalise(table.order_by(ibis.desc("last_name"), "updated_at")).order_by("record").execute()
    pd.testing.assert_frame_equal(one, two)
    assert one["record"].tolist() == list(range(200))


def test_typed_columns_are_taken_as_they_are(duck):
    row = duck.sql("""SELECT 's' AS source, 7 AS source_id, DATE '1985-02-03' AS birth_date, 50667 AS postcode,
        NULL AS email, 15 AS loyalty_id, NULL AS updated_at""")
    got = normalise(row).execute().iloc[0]
    assert (got["source_id"], got["birth_date"], got["postcode"], got["loyalty_id"]) == (
        "7",
        "1985-02-03",
        "50667",
        "15",
    )


def test_an_unknown_default_country_is_refused(duck):
    with pytest.raises(WaageError, match="default_country: 'Germany'"):
        normalise(duck.sql("SELECT 's' AS source, '1' AS source_id"), default_country="Germany")


def test_blank_is_null(clean):
    for blank in (None, "", "  ", "\u00a0\t"):
        row = clean([dict.fromkeys(TEXTS.split(), blank)])[0]
        assert {name for name, value in row.items() if value is not None} == {"record", "source", "source_id", "kind"}


@pytest.mark.parametrize(
    ("first", "last", "want"),
    [
        ("Jörg", "Müller", ("joerg", "mueller", "j")),
        ("JOERG", "Mueller", ("joerg", "mueller", "j")),
        ("Jo\u0308rg", "MU\u0308LLER", ("joerg", "mueller", "j")),
        ("René", "Groß", ("rene", "gross", "r")),
        ("Renè", "GROẞ", ("rene", "gross", "r")),
        ("Søren", "Łukasz", ("soeren", "lukasz", "s")),
        ("İpek", "Yıldız", ("ipek", "yildiz", "i")),
        ("Hans-Peter", "Müller-Lüdenscheidt", ("hans peter", "mueller luedenscheidt", "h")),
        ("J.-P.", "O'Brien", ("j p", "o brien", "j")),
        ("Ay?e", "\ufffdahin", ("aye", "ahin", "a")),
        ("Dr. med. Anna", "Schmidt MBA", ("anna", "schmidt", "a")),
        ("Herr Thomas", "Herr", ("thomas", "herr", "t")),
        ("Herr", "Schmidt jun.", (None, "schmidt", None)),
        ("Prof. Dr. Karl-Theodor", "Freiherr von und zu Guttenberg", ("karl theodor", "guttenberg", "k")),
        ("Otto", "Graf von Bismarck", ("otto", "bismarck", "o")),
        ("Anna", "Graf", ("anna", "graf", "a")),
        ("Vincent", "van der Berg", ("vincent", "berg", "v")),
        ("Van", "Le", ("van", "le", "v")),
        ("Anna", "Müller, geb. Schmidt", ("anna", "mueller", "a")),
        ("Anna", "Müller geb. Schmidt", ("anna", "mueller", "a")),
        (None, "Prof. Dr. Karl-Theodor Freiherr von und zu Guttenberg", ("karl theodor", "guttenberg", "k")),
        (None, "Guttenberg, Karl-Theodor", ("karl theodor", "guttenberg", "k")),
        (None, "Frau Petra von der Heide", ("petra", "heide", "p")),
        (None, "Herr Dr. med. Anna-Lena Müller-Lüdenscheidt", ("anna lena", "mueller luedenscheidt", "a")),
        (None, "Dipl.-Ing. (FH) Peter Weiß", ("peter", "weiss", "p")),
        (None, "Müller, Dr.", (None, "mueller", None)),
        (None, "Müller, geb. Schmidt", (None, "mueller", None)),
        (None, "von der Heide", (None, "heide", None)),
        (None, "Müller-Lüdenscheidt", (None, "mueller luedenscheidt", None)),
        ("Petra Meier", None, ("petra", "meier", "p")),
        ("Petra", None, ("petra", None, "p")),
        ("Пётр", "Чайковский", ("петр", "чаиковскии", "п")),
        ("Γιώργος", "Παπαδόπουλος", ("γιωργος", "παπαδοπουλος", "γ")),
        ("محمد", "الفايد", ("محمد", "الفايد", "م")),
        ("小明", "王", ("小明", "王", "小")),
        ("किरण", "शर्मा", ("किरण", "शर्मा", "क")),
        (None, "王小明", (None, "王小明", None)),
    ],
)
def test_names(clean, first, last, want):
    row = clean([{"first_name": first, "last_name": last}])[0]
    assert (row["first_name"], row["last_name"], (row["initial"] or "")[:1] or None) == want
    assert row["kind"] == "person"


@pytest.mark.parametrize(
    ("salutation", "first", "last", "kind", "want"),
    [
        ("Eheleute", None, "Schmidt", "couple", "schmidt"),
        (None, None, "Eheleute Schmidt", "couple", "schmidt"),
        ("Herr und Frau", None, "Müller", "couple", "mueller"),
        (None, "Petra und Klaus", "Schmidt", "couple", "schmidt"),
        (None, "Petra & Klaus", "Schmidt", "couple", "schmidt"),
        (None, "Petra u. Klaus", "von der Heide", "couple", "heide"),
        (None, "Petra/Klaus", "Schmidt", "couple", "schmidt"),
        (None, None, "Petra und Klaus Schmidt", "couple", "schmidt"),
        (None, None, "Schmidt, Petra und Klaus", "couple", "schmidt"),
        (None, "Fam.", "Groß", "couple", "gross"),
        (None, None, "Müller GmbH", "organisation", "mueller gmbh"),
        (None, None, "Müller & Söhne KG", "organisation", "mueller und soehne kg"),
        (None, "Zahnarztpraxis", "Weiß", "organisation", "zahnarztpraxis weiss"),
        (None, None, "TSV Köln e.V.", "organisation", "tsv koeln e v"),
        (None, "Siemens AG", None, "organisation", "siemens ag"),
        (None, None, "Rechtsanwaltskanzlei Dr. Groß", "organisation", "rechtsanwaltskanzlei dr gross"),
        ("Firma", None, "Müller", "organisation", "mueller"),
    ],
)
def test_couples_and_organisations_are_no_person(clean, salutation, first, last, kind, want):
    row = clean([{"salutation": salutation, "first_name": first, "last_name": last}])[0]
    assert (row["kind"], row["first_name"], row["initial"], row["last_name"]) == (kind, None, None, want)


def test_short_surnames_and_a_choice_of_salutations_stay_a_person(clean):
    row = clean([{"salutation": "Herr/Frau", "first_name": "Karl U.", "last_name": "Ag"}])[0]
    assert (row["kind"], row["first_name"], row["last_name"]) == ("person", "karl u", "ag")


def test_names_that_sound_alike_share_a_code(clean):
    sounds = each(clean, "last_name", ["Müller", "Mueller", "Meier", "Mayr", "Groß", "Gross", "王", None], "sound")
    assert sounds == ["657", "657", "67", "67", "478", "478", None, None]
    assert each(clean, "last_name", ["von Müller-Lüdenscheidt"], "sound", first_name="A") == ["52682"]


MAILS = {
    "Petra.Mueller+shop@GoogleMail.com": "petramueller@gmail.com",
    "p.e.t.r.a@gmail.com": "petra@gmail.com",
    " A.B@Web.DE ": "a.b@web.de",
    "a@gmial.com": "a@gmail.com",
    "a@gmx.d": "a@gmx.de",
    "a@web.d": "a@web.de",
    "a@hotmial.com": "a@hotmail.com",
    "a@googlemail.con": "a@gmail.com",
    "Petra <a@b.de>": "a@b.de",
    "mailto:a@b.de": "a@b.de",
    "a@b.de.": "a@b.de",
    "a+x@b.de": "a@b.de",
    "hans@müller.de": "hans@müller.de",
    "hans@xn--mller-kva.de": "hans@müller.de",
    "ü@gmx.de": "ü@gmx.de",
    "a@shop.example": "a@shop.example",
    "a@shop.test": "a@shop.test",
    "a@localhost": None,
    "a@b.local": None,
    "a@b": None,
    "a..b@c.de": None,
    "a b@c.de": None,
    "a@b.de; c@d.de": None,
    "a@ab--cd.de": None,
    "keine": None,
}


def test_emails(clean):
    assert dict(zip(MAILS, each(clean, "email", list(MAILS), "email"), strict=True)) == MAILS


def test_addresses_of_functions_and_throw_away_domains_are_marked(clean):
    kinds = {
        "petra@b.de": "personal",
        "infoline@b.de": "personal",
        "post.schmidt@b.de": "personal",
        "info@b.de": "role",
        "kasse3@b.de": "role",
        "no-reply@b.de": "role",
        "office.wien@b.at": "role",
        "kontakt@b.de": "role",
        "petra@trashmail.com": "disposable",
        "keine": None,
    }
    assert dict(zip(kinds, each(clean, "email", list(kinds), "email_kind"), strict=True)) == kinds


PHONES = [
    ("0221 9876-54", None, ("+49221987654", "landline")),
    ("0171/5552233", None, ("+491715552233", "mobile")),
    ("+49 (0)171 5552233", "AT", ("+491715552233", "mobile")),
    ("0049 171 5552233", None, ("+491715552233", "mobile")),
    ("+49 0171 5552233", None, ("+491715552233", "mobile")),
    ("491715552233", None, ("+491715552233", "mobile")),
    ("1715552233", None, ("+491715552233", "mobile")),
    ("Tel.: 0221 987654", "XX", ("+49221987654", "landline")),
    ("0664 3456789", "AT", ("+436643456789", "mobile")),
    ("0664 3456789", "Österreich", ("+436643456789", "mobile")),
    ("079 234 56 78", "ch", ("+41792345678", "mobile")),
    ("+33 6 98 76 54 32", None, ("+33698765432", "mobile")),
    ("+39 06 6982 1234", None, ("+390669821234", "landline")),
    ("+1 212 555 2368", None, ("+12125552368", "other")),
    ("000000", None, (None, None)),
    ("0123456789", None, (None, None)),
    ("01711111111", None, (None, None)),
    ("0171 1234567", None, (None, None)),
    ("999999999", None, (None, None)),
    ("4,917E+11", None, (None, None)),
    ("12345", None, (None, None)),
    ("keine", None, (None, None)),
]


def test_phones(clean):
    got = clean([{"phone": phone, "country": country} for phone, country, _ in PHONES])
    assert [(row["phone"], row["phone_type"]) for row in got] == [want for *_, want in PHONES]
    assert clean([{"phone": "0664 3456789"}], default_country="AT")[0]["phone"] == "+436643456789"


def test_phones_are_those_that_the_library_finds(clean):
    heads = ("151", "158", "30", "221", "35201", "800", "99", "664", "79", "1")
    numbers = [f"0{head}{tail}" for head in heads for tail in ("908172", "3908172", "39081726", "390817265544")]
    for country in ("DE", "AT", "CH", "FR"):
        for number, got in zip(numbers, each(clean, "phone", numbers, "phone", country=country), strict=True):
            parsed = phonenumbers.parse(number, country)
            e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
            assert got == (e164 if phonenumbers.is_valid_number(parsed) else None), (number, country)


STREETS = {
    "Hauptstr. 12 a": ("hauptstr", "12a"),
    "Hauptstraße 12a": ("hauptstr", "12a"),
    "HAUPTSTRASSE 12 A": ("hauptstr", "12a"),
    "Haupt-Str.12a": ("hauptstr", "12a"),
    "Hauptstr. Nr. 012a, 3. OG": ("hauptstr", "12a"),
    "Am Markt 3 - 5": ("ammarkt", "3-5"),
    "Königsallee 12a-14b": ("koenigsallee", "12a-14b"),
    "12 Smith Street": ("smithstreet", "12"),
    "12, Smith Street": ("smithstreet", "12"),
    "Straße des 17. Juni 135": ("strdes17juni", "135"),
    "Str. des 17. Juni": ("strdes17juni", None),
    "Q7 12": ("q7", "12"),
    "улица Ленина 5": ("улицаленина", "5"),
    " - ": (None, None),
}


def test_streets(clean):
    assert dict(zip(STREETS, each(clean, "street", list(STREETS), ("street", "house_no")), strict=True)) == STREETS


def test_cities_lose_the_additions_that_sources_leave_out(clean):
    cities = [
        "Frankfurt am Main",
        "Frankfurt (Main)",
        "Frankfurt/Main",
        "FRANKFURT a. M.",
        "60311 Frankfurt",
        "Frankfurt",
    ]
    assert set(each(clean, "city", cities, "city")) == {"frankfurt"}
    assert each(clean, "city", ["Köln 1", "Koeln", "St. Ingbert", "Am Ettersberg", "北京"], "city") == [
        "koeln",
        "koeln",
        "sankt ingbert",
        "am ettersberg",
        "北京",
    ]


def test_postcodes_keep_their_zeros(clean):
    values = ["01067", "D-01067", " 01067 ", "50667.0", "sw1a 1aa", "A-1010", "1012 AB", "1067"]
    assert each(clean, "postcode", values, "postcode") == [
        *["01067"] * 3,
        *("50667", "SW1A1AA", "1010", "1012AB", "1067"),
    ]
    assert each(clean, "postcode", ["1067"], "postcode", country="Deutschland") == ["01067"]


def test_birth_dates(clean):
    dates = {
        "1985-02-03": "1985-02-03",
        "1985-02-03 00:00:00": "1985-02-03",
        "19850203": "1985-02-03",
        "19850231": "1985-02-31",
        "03.02.1985": "1985-02-03",
        "3.2.1985": "1985-02-03",
        "31.02.1985": None,
        "3.2.85": None,
        "00000000": None,
        "0000-00-00": None,
        "1985": None,
        "unbekannt": None,
    }
    assert dict(zip(dates, each(clean, "birth_date", list(dates), "birth_date"), strict=True)) == dates


def test_ids_are_trimmed_and_else_left_alone(clean):
    values = ["0012345", "12345", " aB7 ", "AB7"]
    for column in ("loyalty_id", "device_id"):
        assert each(clean, column, values, column) == ["0012345", "12345", "aB7", "AB7"]
    assert each(clean, "gender", ["Herr", "W", "female", "d", "m"], "gender") == ["m", "f", "f", "d", "m"]


WORDS = (
    "Dr. Prof. Herr Frau von und zu Graf Müller-Lüdenscheidt de jun. geb. & / , - ' Straße Str. 12 12a Q7 Nr. am im "
    "Groß GmbH Eheleute Petra Анна 王 . med. h.c. MBA d' ß İ 3-5 (Main) + ? u."
)
TEXT = st.text(max_size=20) | st.lists(st.sampled_from(WORDS.split()), max_size=6).map(" ".join)
LOCAL = st.text(string.ascii_letters + string.digits + "._+-ü", min_size=1, max_size=12)
MAIL = st.builds(
    "{}@{}".format,
    LOCAL,
    st.sampled_from(
        ["gmail.com", "GoogleMail.com", "gmx.d", "web.de", "müller.de", "x.con", "ａ.de", "a--b.de", "b.test"]
    ),
)
QUICK = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@QUICK
@given(rows=st.lists(st.lists(TEXT, min_size=13, max_size=13), min_size=1, max_size=30))
def test_any_text_is_taken(clean, rows):
    got = clean([dict(zip(TEXTS.split(), row, strict=True)) for row in rows])
    assert len(got) == len(rows)
    assert all(value != "" for row in got for value in row.values())
    assert all((row["email"] is None) == (row["email_kind"] is None) for row in got)


@QUICK
@given(values=st.lists(TEXT, min_size=1, max_size=60))
def test_a_normal_name_stays_as_it_is(clean, values):
    for column in ("first_name", "last_name"):
        other = {"first_name": "last_name", "last_name": "first_name"}[column]
        once = [
            row[column] for row in clean([{column: value, other: "Kim"} for value in values]) if row["kind"] == "person"
        ]
        again = clean([{column: value, other: "Kim"} for value in once if value])
        assert [row[column] for row in again] == [value for value in once if value]


@QUICK
@given(values=st.lists(TEXT, min_size=1, max_size=60))
def test_a_normal_street_stays_as_it_is(clean, values):
    once = each(clean, "street", values, ("street", "house_no"))
    # Without its spaces, a name such as "17. Juni" may end like a house number.
    once = [(name, number) for name, number in once if name and (number or not re.search(r"\d", name))]
    again = each(clean, "street", [" ".join(filter(None, row)) for row in once], ("street", "house_no")) if once else []
    assert again == once


@QUICK
@given(values=st.lists(TEXT | MAIL, min_size=1, max_size=60))
def test_a_normal_email_stays_as_it_is(clean, values):
    once = [value for value in each(clean, "email", values, "email") if value]
    assert (each(clean, "email", once, "email") if once else []) == once
