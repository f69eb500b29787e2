"""One spelling for each thing a source says of a person: names, e-mail, phone, address, birth date, ids."""

import re
from collections.abc import Callable

import cologne_phonetics
import ibis
import ibis.expr.types as ir
import phonenumbers
import pyarrow as pa
from email_validator import EmailNotValidError, validate_email

from waage.errors import WaageError


def normalise(identities: ir.Table, default_country: str = "DE") -> ir.Table:
    """Return what sources say of persons in one spelling, one row per input row.

    Parameters
    ----------
    identities : ibis table
        As in the contract, on DuckDB; every column but `source` and `source_id` may be absent.
    default_country : str
        Two-letter code of the country whose phone numbers are meant where a row names no country.

    Returns
    -------
    ibis table
        A temporary table: record (0, 1, ... by source, source_id, updated_at and then all other columns), source,
        source_id, updated_at, first_name, last_name, initial, kind (person, couple, organisation), email, email_kind
        (personal, role, disposable), phone (E.164), phone_type (mobile, landline, other), street, house_no, postcode,
        city, birth_date (text, YYYY-MM-DD), gender, loyalty_id, device_id, sound (Kölner Phonetik of the last name's
        longest part: Postel 1969, Die Kölner Phonetik). What is blank or not valid is NULL.

    Raises
    ------
    WaageError
        For a default country that has no phone numbers.
    """
    if default_country not in phonenumbers.SUPPORTED_REGIONS:
        raise WaageError(f"default_country: {default_country!r} is no two-letter country code; write such as 'DE'")
    backend = identities.get_backend()
    con, name = backend.con, ibis.util.gen_name("normalised")
    parts = "raw names mails checked streets cities countries dialled numbers persons sounds"
    table = {part: f"{name}_{part}" for part in parts.split()}
    try:
        backend.create_table(table["raw"], _numbered(identities), temp=True)
        _names(con, table)
        _mails(con, table)
        _addresses(con, table)
        _phones(con, table, default_country)
        _persons(con, table)
        con.execute(f"CREATE TEMP TABLE {name} AS {_ROWS.format(default=default_country, blank=_BLANK, **table)}")
    finally:
        for part in table.values():
            con.execute(f"DROP TABLE IF EXISTS temp.{part}")
    return backend.table(name)


def _numbered(identities: ir.Table) -> ir.Table:
    def column(name: str, kind: str) -> ir.Value:
        return identities[name].cast(kind) if name in identities.columns else ibis.null(kind)

    moments = {name: column(name, "timestamp") for name in ("updated_at", "created_at")}
    rows = identities.select(
        source=column("source", "string"),
        source_id=column("source_id", "string"),
        **moments,
        **{name: column(name, "string") for name in _TEXT.split()},
    )
    order = [ibis.asc(name, nulls_first=True) for name in rows.columns]
    return rows.mutate(record=ibis.row_number().over(order_by=order).cast("int64"))


def _names(con, table: dict[str, str]) -> None:
    joined = r"regexp_replace(regexp_replace(text, '\s*[&+/]\s*|\s+u\.\s+', ' und ', 'g'), '[?_\x{FFFD}]', '', 'g')"
    # A hyphen or apostrophe within a word holds it together while a full name is split.
    linked = _words(rf"regexp_replace({joined}, '(\p{{L}})[-‐’''](\p{{L}})', '\1_\2', 'g')")
    after = _first(r"regexp_replace(replace(parts[3], '_', ' '), '^(geb|jun|sen|jr|sr)\b.*', '')")
    con.execute(
        f"""CREATE TEMP TABLE {table["names"]} AS
        WITH texts AS (
            SELECT DISTINCT text FROM (
                SELECT first_name AS text FROM {table["raw"]} UNION ALL SELECT last_name FROM {table["raw"]})
            WHERE text IS NOT NULL
        ), worded AS (
            SELECT text AS key, list_transform(
                [text, split_part(text, ',', 1), substr(text, strpos(text || ',', ',') + 1)],
                lambda text: {linked}) AS parts
            FROM texts
        ), spaced AS (
            SELECT key, nullif(replace(parts[1], '_', ' '), '') AS words, replace(parts[2], '_', ' ') AS before,
                {after} AS after,
                {_without(_SUFFIX, _without(_BORN, _without(_TITLES, "parts[1]")))} AS bare
            FROM worded
        ), pieces AS (
            SELECT *, coalesce({_last("nullif(before, '')")}, {_last("words")}) AS last,
                regexp_extract(bare, '^(.+?) ((?:{_NOBLE}|{_PARTICLE}) .+)$', ['first', 'last']) AS noble,
                regexp_extract(bare, '^(.+) ([^ ]+)$', ['first', 'last']) AS plain,
                regexp_matches(bare, '^({_PARTICLE}) ') AS surname
            FROM spaced
        )
        SELECT key, words, last, {_first("words")} AS first,
            -- "Schmidt, Petra" and "Petra Schmidt" in the one field that is filled
            CASE WHEN after IS NOT NULL THEN after WHEN NOT surname THEN
                 {_first("replace(if(noble.first <> '', noble.first, plain.first), '_', ' ')")} END AS split_first,
            CASE WHEN after IS NOT NULL OR surname THEN last ELSE
                 {_last("replace(if(noble.first <> '', noble.last, plain.last), '_', ' ')")} END AS split_last,
            CASE WHEN before LIKE '% und %' THEN regexp_extract(last, '[^ ]+$') ELSE last END AS shared_last,
            regexp_matches(words, '{_COUPLE}') AS couple,
            regexp_matches(regexp_replace(words, '\\bund (zu|von|vom)\\b', ''), '\\p{{L}} und \\p{{L}}') AS pair,
            regexp_matches(words, '{_ORGANISATION}') AS organisation
        FROM pieces"""
    )


def _mails(con, table: dict[str, str]) -> None:
    common = (
        r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*(\+[a-z0-9]*)?@([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,24}$",
        r"\.(arpa|invalid|local|localhost|onion)$",
    )
    repairs = "".join(f" WHEN '{typo}' THEN '{good}'" for good, typos in _DOMAINS.items() for typo in typos.split())
    con.execute(
        rf"""CREATE TEMP TABLE {table["checked"]} AS
        SELECT key, written, CASE WHEN regexp_matches(written, '{common[0]}') AND length(written) <= 64
            AND NOT regexp_matches(written, '{common[1]}') THEN written END AS valid
        FROM (SELECT email AS key, regexp_replace(regexp_replace(lower(nfc_normalize(trim(email, '{_BLANK}'))),
                '^(.*<)?(mailto:)?\s*|\s*>?[\s.,;>]*$', '', 'g'), '\s*@\s*', '@') AS written
            FROM (SELECT DISTINCT email FROM {table["raw"]} WHERE email IS NOT NULL))"""
    )
    odd = f"SELECT DISTINCT written FROM {table['checked']} WHERE valid IS NULL"
    _by_python(con, table["mails"], odd, ["written", "address"], _address)
    con.execute(
        rf"""CREATE OR REPLACE TEMP TABLE {table["mails"]} AS
        WITH valid AS (
            SELECT key, regexp_extract(coalesce(valid, address), '^(.*)@([^@]*)$', ['local', 'domain']) AS part
            FROM {table["checked"]} LEFT JOIN {table["mails"]} USING (written)
            WHERE coalesce(valid, address) IS NOT NULL
        ), tagless AS (
            SELECT key, rtrim(regexp_replace(part.local, '^([^+]+)\+.*$', '\1'), '.') AS local,
                regexp_replace(part.domain, '\.(con|cmo|ocm|vom)$', '.com') AS written FROM valid
        ), repaired AS (SELECT key, local, CASE written{repairs} ELSE written END AS domain FROM tagless)
        SELECT key, if(domain = 'gmail.com', replace(local, '.', ''), local) || '@' || domain AS email,
            CASE WHEN domain IN ({", ".join(f"'{domain}'" for domain in _DISPOSABLE.split())}) THEN 'disposable'
                WHEN regexp_full_match(local, '{_ROLE}') THEN 'role' ELSE 'personal' END AS email_kind
        FROM repaired"""
    )


def _addresses(con, table: dict[str, str]) -> None:
    def distinct(column: str) -> str:
        return f"(SELECT DISTINCT {column} AS key FROM {table['raw']} WHERE {column} IS NOT NULL)"

    tidy = rf"regexp_replace({_folded('key')}, '[^\p{{L}}\p{{M}}\p{{N}}]+$', '')"
    con.execute(
        rf"""CREATE TEMP TABLE {table["streets"]} AS
        WITH folded AS (
            SELECT key, trim(regexp_replace({tidy}, '[\s\p{{Z}}]+', ' ', 'g')) AS text
            FROM {distinct("street")}
        ), parts AS (
            SELECT key, text, regexp_extract(text, '{_NUMBER_LAST}', ['name', 'number']) AS a,
                regexp_extract(text, '{_NUMBER_FIRST}', ['number', 'name']) AS b FROM folded
        ), chosen AS (
            SELECT key, CASE WHEN a.name <> '' THEN a.name WHEN b.name <> '' THEN b.name ELSE text END AS name,
                CASE WHEN a.name <> '' THEN a.number ELSE b.number END AS number FROM parts
        )
        SELECT key, nullif(regexp_replace(regexp_replace(name, '[^\p{{L}}\p{{M}}\p{{N}}]+', '', 'g'),
                'stras+e', 'str', 'g'), '') AS street,
            nullif(regexp_replace(replace(number, ' ', ''), '^0+(\d)', '\1'), '') AS house_no FROM chosen"""
    )
    town = r"regexp_replace(key, '^\s*([A-Za-z]{1,2}-)?\d{4,5}\s+|\s+\d+$', '', 'g')"
    town = _words(rf"regexp_replace({town}, '(\S)\s*[(/,].*$', '\1')")
    con.execute(
        rf"""CREATE TEMP TABLE {table["cities"]} AS
        WITH worded AS (SELECT key, {town} AS words FROM {distinct("city")})
        -- The postcode tells Frankfurt am Main from Frankfurt (Oder); sources leave such additions out at will.
        SELECT key, nullif(regexp_replace(regexp_replace(words, '^st ', 'sankt '),
            '(.) (am|an|a|bei|b|ob|im|in|i|auf|vor|v) .*$', '\1'), '') AS city FROM worded"""
    )


def _phones(con, table: dict[str, str], default: str) -> None:
    countries = f"SELECT DISTINCT country FROM {table['raw']} WHERE country IS NOT NULL"
    _by_python(con, table["countries"], countries, ["key", "region"], _region)
    # Few ways of writing a number are left before the library looks at it: it is the slowest step.
    digits = r"regexp_replace(replace(phone, '(0)', ''), '[^0-9]', '', 'g')"
    con.execute(
        rf"""CREATE TEMP TABLE {table["dialled"]} AS
        WITH known AS (
            SELECT DISTINCT phone, coalesce(region, '{default}') AS region
            FROM {table["raw"]} LEFT JOIN {table["countries"]} c ON c.key = country WHERE phone IS NOT NULL
        ), bare AS (
            SELECT *, {digits} AS digits,
                CASE region WHEN 'DE' THEN '49' WHEN 'AT' THEN '43' WHEN 'CH' THEN '41' END AS own
            FROM known WHERE NOT regexp_matches(phone, '\d[eE]\+?\d')  -- a spreadsheet's 4,917E+11
        )
        SELECT phone, region, CASE WHEN regexp_matches(phone, '^[^0-9]*\+') THEN '+' || digits
            WHEN starts_with(digits, '00') THEN '+' || digits[3:]
            WHEN starts_with(digits, '0') AND own IS NOT NULL THEN '+' || own || digits[2:]
            -- 491715552233 lost its plus; as a number in Leer (0491) it would be too long.
            WHEN starts_with(digits, own) AND length(digits) > 10 THEN '+' || digits ELSE digits END AS dialled
        FROM bare WHERE length(digits) BETWEEN 7 AND 18"""
    )
    dialled = f"""SELECT DISTINCT dialled, if(dialled[1] = '+', '', region) AS dialled_in
        FROM {table["dialled"]}"""
    _by_python(con, table["numbers"], dialled, ["dialled", "dialled_in", "number", "phone_type"], _number)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE {table["numbers"]} AS
        SELECT phone AS key, region, number AS phone, phone_type FROM {table["dialled"]}
        JOIN {table["numbers"]} n USING (dialled)
        WHERE n.dialled_in = if(dialled[1] = '+', '', region) AND number IS NOT NULL"""
    )


def _persons(con, table: dict[str, str]) -> None:
    con.execute(f"CREATE TEMP TABLE {table['persons']} AS {_PERSONS.format(**table)}")
    surnames = f"SELECT DISTINCT last_name FROM {table['persons']} WHERE last_name IS NOT NULL"
    _by_python(con, table["sounds"], surnames, ["key", "sound"], _sound)


_PERSONS = r"""
    WITH kinds AS (
        SELECT record, f.words AS f_words, l.words AS l_words, f.first AS first, l.last AS last, f.split_first AS ff,
            f.split_last AS fl, l.split_first AS lf, l.split_last AS ll, f.shared_last AS fs, l.shared_last AS ls,
            CASE WHEN f.organisation OR l.organisation
                OR regexp_matches(lower(salutation), 'firma|company|damen und herren') THEN 'organisation'
            WHEN f.couple OR l.couple OR f.pair OR (f.first IS NULL AND l.pair)
                OR regexp_matches(lower(salutation), 'eheleute|ehepaar|familie|fam\.|\bund\b|[&+]') THEN 'couple'
            ELSE 'person' END AS kind
        FROM {raw} LEFT JOIN {names} f ON f.key = first_name LEFT JOIN {names} l ON l.key = last_name
        WHERE first_name IS NOT NULL OR last_name IS NOT NULL OR salutation IS NOT NULL)
    SELECT record, kind,
        CASE WHEN kind <> 'person' THEN NULL WHEN last IS NULL THEN coalesce(ff, first)
            WHEN first IS NULL THEN lf ELSE first END AS first_name,
        CASE kind WHEN 'organisation' THEN nullif(concat_ws(' ', f_words, l_words), '')
            WHEN 'couple' THEN if(f_words IS NULL, ls, coalesce(last, fs))
            ELSE CASE WHEN last IS NULL THEN fl WHEN first IS NULL THEN coalesce(ll, last) ELSE last END
        END AS last_name
    FROM kinds"""

_ROWS = r"""
    SELECT r.record, source, source_id, updated_at, p.first_name, p.last_name, p.first_name[1] AS initial,
        coalesce(kind, 'person') AS kind, m.email, m.email_kind, n.phone, n.phone_type, s.street, s.house_no,
        CASE WHEN w.region = 'DE' AND regexp_full_match(trim(postcode), '\d{{4}}') THEN '0' || trim(postcode)
            ELSE nullif(regexp_replace(regexp_replace(upper(trim(postcode)), '\.0$|[^\p{{L}}\p{{N}}]', '', 'g'),
                '^(DE?|AT?|CH)(\d{{4,5}})$', '\2'), '') END AS postcode,
        c.city,
        CASE WHEN regexp_full_match(birth_date, '\s*[12]\d{{3}}-\d\d-\d\d([ T].*)?') THEN trim(birth_date)[:10]
            WHEN regexp_full_match(birth_date, '\s*\d{{8}}\s*') AND trim(birth_date) <> '00000000'
            THEN regexp_replace(trim(birth_date), '(....)(..)(..)', '\1-\2-\3')
            WHEN regexp_matches(birth_date, '\d{{4}}') THEN strftime(try_strptime(trim(birth_date),
                ['%d.%m.%Y', '%d/%m/%Y', '%Y/%m/%d', '%d-%m-%Y']), '%Y-%m-%d')
        END AS birth_date,
        CASE WHEN lower(trim(gender)) IN ('m', 'male', 'mann', 'männlich', 'maennlich', 'herr', 'mr') THEN 'm'
            WHEN lower(trim(gender)) IN ('f', 'w', 'female', 'weiblich', 'frau', 'mrs', 'ms') THEN 'f'
            ELSE nullif(lower(trim(gender, '{blank}')), '') END AS gender,
        nullif(trim(loyalty_id, '{blank}'), '') AS loyalty_id, nullif(trim(device_id, '{blank}'), '') AS device_id,
        z.sound
    FROM {raw} r LEFT JOIN {persons} p USING (record)
        LEFT JOIN {sounds} z ON z.key = p.last_name
        LEFT JOIN {mails} m ON m.key = r.email
        LEFT JOIN {countries} w ON w.key = r.country
        LEFT JOIN {numbers} n ON n.key = r.phone AND n.region = coalesce(w.region, '{default}')
        LEFT JOIN {streets} s ON s.key = r.street
        LEFT JOIN {cities} c ON c.key = r.city
    ORDER BY r.record"""


def _folded(text: str) -> str:
    sql = f"lower(nfc_normalize({text}))"
    for letter, plain in _LETTERS.items():
        sql = f"replace({sql}, '{letter}', '{plain}')"
    sql = f"translate({sql}, '{_SINGLE[0]}', '{_SINGLE[1]}')"
    # In other scripts marks are vowels, not accents.
    return f"if(regexp_matches({text}, '[\\p{{Latin}}\\p{{Greek}}\\p{{Cyrillic}}]'), strip_accents({sql}), {sql})"


def _words(text: str) -> str:
    return f"trim(regexp_replace({_folded(text)}, '[^\\p{{L}}\\p{{M}}\\p{{N}}_]+', ' ', 'g'))"


def _without(pattern: str, words: str) -> str:
    return f"trim(regexp_replace(regexp_replace({words}, '{pattern}', ' ', 'g'), ' +', ' ', 'g'))"


def _first(words: str) -> str:
    return f"nullif(regexp_replace({_without(_TITLES, words)}, '( (von|vom|zu|van|der|den|de|und))+$', ''), '')"


def _last(words: str) -> str:
    bare = _without(_BORN, _without(_TITLES, words))
    # "Graf", "Le" and "Herr" are surnames, too: a rule that leaves nothing does not apply.
    core = _without(_SUFFIX, _without(_PARTICLES, bare))
    return f"coalesce(nullif({core}, ''), nullif({bare}, ''), nullif({words}, ''))"


def _by_python(con, name: str, query: str, columns: list[str], function: Callable[..., tuple]) -> None:
    keys = zip(*(column.to_pylist() for column in con.execute(query).to_arrow_table().columns), strict=True)
    rows = [(*key, *function(*key)) for key in keys]
    values = zip(*rows, strict=True) if rows else [()] * len(columns)
    arrays = [pa.array(column, pa.string()) for column in values]
    con.register(f"{name}_rows", pa.table(arrays, names=columns))
    con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM {name}_rows")
    con.unregister(f"{name}_rows")


def _address(written: str) -> tuple[str | None]:
    try:
        return (validate_email(written, check_deliverability=False, test_environment=True).normalized.lower(),)
    except EmailNotValidError:
        return (None,)


def _region(country: str) -> tuple[str | None]:
    return (_REGIONS.get(country.strip().upper()),)


def _number(dialled: str, region: str) -> tuple[str | None, str | None]:
    try:
        # `parse` takes three quarters of the time, and finds nothing to change in these.
        if dialled[:3] in ("+49", "+43", "+41") and dialled[3:4] not in ("", "0"):
            number = phonenumbers.PhoneNumber(int(dialled[1:3]), int(dialled[3:]))
        else:
            number = phonenumbers.parse(dialled, region or None)
    except phonenumbers.NumberParseException:
        return None, None
    kind = phonenumbers.number_type(number)  # unknown exactly where is_valid_number says no, at half its cost
    if kind == phonenumbers.PhoneNumberType.UNKNOWN or _PLACEHOLDER.search(str(number.national_number)):
        return None, None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), _PHONE_TYPES.get(kind, "other")


def _sound(last_name: str) -> tuple[str | None]:
    codes = cologne_phonetics.encode(max(last_name.split(), key=len))
    return (codes[0][1] or None if codes else None,)


_TEXT = (
    "salutation title first_name last_name email phone street postcode city country birth_date "
    "gender loyalty_id device_id account_type acquisition_channel"
)
_BLANK = " \t\n\r\v\f\u00a0\u200b\u2007\u202f\u3000\ufeff"

# Letters that Unicode does not take apart into a base letter and an accent, and the German ways of writing umlauts.
_LETTERS = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "oe", "þ": "th"}
_SINGLE = ("łđðıħə", "lddihe")

_TITLES = (
    r"\b(herrn?|frau|fraeulein|mr|mrs|mme|firma|familie|fam|eheleute|ehepaar|geschwister|professor|doktor|dipl(om)?|"
    r"(prof|dr|mag|ing|lic|pd|dres)([ _]h[ _]?c)?)"
    r"([ _](med|dent|vet|rer|nat|phil|jur|iur|ing|oec|pol|theol|paed|habil|univ|mult|fh|kfm|kffr|inf|wirt|psych|biol|"
    r"chem|phys|math|soz|agr|h c))*\b"
)
_NOBLE = r"graf|graefin|fuerst|fuerstin|prinz|prinzessin|baron|baronin|ritter|edler|edle|herzog|herzogin"
_PARTICLE = (
    r"freiherr|freifrau|freiin|frhr|von|van|vom|zu|zum|zur|und|de|der|den|del|della|dello|di|da|dos|das|du|la|le|"
    r"ten|ter|af|av|al|el|bin|ibn"
)
_PARTICLES = rf"\b({_NOBLE}) (von|vom|zu|zum|van|de)\b|\b({_PARTICLE})\b"
_BORN = r" (geb|geborene|geborener|nee) .*$"
_SUFFIX = r"( (jr|sr|jun|sen|junior|senior|ii|iii|iv|mba|ph ?d|[bm] ?sc|ll ?m|[bm] a|[bm] eng))+$"
_COUPLE = r"\b(eheleute|ehepaar|familie|fam|geschwister)\b|\b(herrn?|mr) und (frau|mrs)\b|\bfrau und herrn?\b"
_ORGANISATION = (
    r"\b(gmbh|mbh|kgaa|ohg|gbr|ltd|llc|inc|sarl|firma)\b|^fa .|. (ag|kg|ug|se|eg|ev|ek|bv|e v|e k)$|"
    r" und (co|partner|soehne|sohn|kollegen|cie)\b|"
    r"(praxis|kanzlei|apotheke|stiftung|gesellschaft|genossenschaft|verband|verein|autohaus|universitaet|hochschule|"
    r"krankenhaus|klinik|stadtwerke|sparkasse|gemeinde|feuerwehr|hotel|restaurant|buero|agentur|baeckerei|metzgerei)\b"
)

# The numbers of a house, and what may follow them, on text that is already folded.
_NUMBER = r"\d+ ?[a-z]?(?: ?[-/+] ?\d+ ?[a-z]?)?"
_UNIT = r"(?:[ ,;/(]+(?:\d+\.? ?(?:og|etage|stock)|og|eg|dg|whg|wohnung|etage|apt|hinterhaus|hh|c/o)\b.*)?"
_GAP = r"[^\p{L}\p{M}\p{N}]"
_NUMBER_LAST = rf"^(.*?\p{{L}}.*?)(?:{_GAP}+(?:nr|no)\b[. ]*|{_GAP}*)({_NUMBER}){_UNIT}$"
_NUMBER_FIRST = rf"^({_NUMBER})[ ,]+(\p{{L}}.*)$"

_DOMAINS = {
    "gmail.com": "googlemail.com googlemail.de gmail.de gmial.com gmai.com gmal.com gmil.com gamil.com gmaill.com "
    "gmail.co gmail.cm gmail.om gmail.comm gnail.com",
    "gmx.de": "gmx.d gmx.dee gmx.ed gmx.e gxm.de",
    "web.de": "web.d web.dee web.ed webb.de",
    "hotmail.com": "hotmial.com hotmai.com hotmal.com hotmil.com hotmaill.com hotnail.com hotmail.co",
    "hotmail.de": "hotmial.de hotmai.de hotmal.de hotmail.d",
    "yahoo.de": "yaho.de yahooo.de yhoo.de yahoo.d",
    "yahoo.com": "yaho.com yahooo.com yhoo.com yahoo.co",
    "outlook.com": "outlok.com outllok.com outlook.co",
    "outlook.de": "outlok.de outllok.de outlook.d",
    "t-online.de": "t-onlin.de t-online.d tonline.de t-onlien.de t-onine.de",
    "freenet.de": "frenet.de freent.de freenet.d",
    "icloud.com": "iclod.com icloud.co iclud.com",
}
_ROLE = (
    r"(mail|post|team|hello|hallo|root|filiale|nobody|asdf)[._-]?\d*|"
    r"(info|kasse|no-?reply|do-?not-?reply|office|kontakt|contact|service|kundenservice|support|shop|sales|verkauf|"
    r"vertrieb|bestellung|orders?|buchhaltung|rechnung|invoice|admin|webmaster|postmaster|hostmaster|empfang|zentrale|"
    r"sekretariat|verwaltung|einkauf|marketing|presse|newsletter|jobs|bewerbung|praxis|kanzlei|anfrage|datenschutz|"
    r"abuse|test|keine?|unbekannt|unknown|nomail)\d*([._-].*)?"
)
_DISPOSABLE = (
    "mailinator.com trashmail.com trashmail.de trash-mail.com trash-mail.de wegwerfmail.de wegwerfemail.de "
    "wegwerf-email.de muellmail.com spoofmail.de byom.de spambog.com spambog.de einrot.com 10minutemail.com "
    "guerrillamail.com guerrillamail.de sharklasers.com yopmail.com temp-mail.org tempmail.com tempr.email "
    "discard.email maildrop.cc getnada.com fakeinbox.com throwawaymail.com mailnesia.com mohmal.com "
    "emailondeck.com dispostable.com"
)

_REGIONS = {region: region for region in phonenumbers.SUPPORTED_REGIONS} | {
    name: region
    for region, names in {
        "DE": "D DEU DEUTSCHLAND GERMANY",
        "AT": "A AUT ÖSTERREICH OESTERREICH AUSTRIA",
        "CH": "CHE SCHWEIZ SWITZERLAND SUISSE SVIZZERA",
        "GB": "UK GBR ENGLAND",
    }.items()
    for name in names.split()
}
_PLACEHOLDER = re.compile(r"(\d)\1{6}|1234567")  # valid, but nobody's: such as 0171 1234567 and 030 0000000
_PHONE_TYPES = {
    phonenumbers.PhoneNumberType.MOBILE: "mobile",
    phonenumbers.PhoneNumberType.FIXED_LINE: "landline",
}
