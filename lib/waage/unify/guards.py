"""Which identifiers identify nobody: junk values, and values that too many records or names share."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

IDENTIFIERS = ("loyalty_id", "email", "phone", "device_id")
_JUNK = (
    "null, none, nan, n/a, na, nil, -, --, ., ?, x, xx, xxx, xxxx, unknown, unbekannt, anonymous, anonym, test, keine, "
    "keins, k.a., ka, entfällt, leer, dummy, undefined, 0, 00, 000, 0000, 00000, 000000, 1234, 12345, 123456, 1234567, "
    "12345678, 123456789"
)
JUNK = tuple(_JUNK.split(", "))
"""Values that shops write where there is none; extend them with `junk` in study.yaml."""

NAMES, RECORDS = 4, 60  # floors of the automatic limits: a family mailbox, a keen guest (one record an order)
SPREAD = 3  # a limit lies this factor above the value that 999 of 1,000 shared values stay under


@dataclass(frozen=True)
class Limits:
    """How many different names, and how many ids, one value of an identifier may carry before it links nothing.

    Attributes
    ----------
    names, records : mapping of identifier to int
    """

    names: Mapping[str, int]
    records: Mapping[str, int]


def block(con, *, limits: Limits | None = None, junk: Iterable[str] = ()) -> tuple[Limits, pd.DataFrame]:
    """Find values that link nothing, and write the table `blocked` (identifier, value).

    Parameters
    ----------
    con : DuckDB connection
        With `records` (`waage.unify.normalise`, with its `node`) and `nodes` (one row an id).
    limits : Limits, optional
        Frozen ones; without them they are taken from the data: `SPREAD` times the value under which 99.9 % of the
        shared values stay, and at least `NAMES` different names and `RECORDS` ids (just these, where fewer than
        1,000 values are shared).
    junk : iterable of str
        Further values to block.

    Returns
    -------
    (Limits, DataFrame)
        The frame has identifier, value, records, names, reason, one row a blocked value, most records first.
    """
    values = " UNION ALL ".join(
        f"SELECT '{name}' AS identifier, r.{name} AS value, r.node, "
        f"n.first_name[1] || '|' || coalesce(n.last_name[:3], '') AS name "
        f"FROM records r JOIN nodes n USING (node) WHERE r.{name} IS NOT NULL"
        for name in IDENTIFIERS
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE fan_out AS
        SELECT identifier, value, count(DISTINCT node) AS records, count(DISTINCT name) AS names
        FROM ({values}) GROUP BY ALL HAVING records > 1"""
    )
    limits = limits or _limits(con)
    words = sorted({*JUNK, *(word.strip().lower() for word in junk)})
    # However a number is written, its last digits are the same; short ones would fit too many.
    digits = [re.sub(r"\D", "", word).lstrip("0") for word in words]
    con.execute("CREATE OR REPLACE TEMP TABLE junk (value VARCHAR, digits VARCHAR)")
    rows = [[word, end if len(end) > 5 else None] for word, end in zip(words, digits, strict=True)]
    con.executemany("INSERT INTO junk VALUES (?, ?)", rows)
    limit = pd.DataFrame(
        {"identifier": list(IDENTIFIERS)}
        | {part: [getattr(limits, part)[name] for name in IDENTIFIERS] for part in ("names", "records")}
    )
    con.register("fan_out_limit", limit)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE blocked AS
        WITH known AS (
          SELECT identifier, value, max(reason) AS reason FROM (
            SELECT identifier, value, 'junk value' AS reason FROM ({values})
            WHERE lower(value) IN (SELECT value FROM junk)
            UNION ALL
            SELECT 'phone', phone, 'junk value' FROM (SELECT DISTINCT phone FROM records) r
            JOIN junk j ON j.digits IS NOT NULL AND ends_with(r.phone, j.digits)
            UNION ALL
            SELECT 'email', email, 'address of a role, not of a person' FROM records WHERE email_kind = 'role'
          ) GROUP BY identifier, value
        )
        SELECT
          coalesce(f.identifier, k.identifier) AS identifier,
          coalesce(f.value, k.value) AS value,
          coalesce(f.records, 1) AS records,
          coalesce(f.names, 0) AS names,
          CASE WHEN k.reason IS NOT NULL THEN k.reason
            WHEN f.names > l.names THEN 'too many different names' ELSE 'too many records' END AS reason
        FROM fan_out f FULL JOIN known k ON f.identifier = k.identifier AND f.value = k.value
        LEFT JOIN fan_out_limit l ON l.identifier = f.identifier
        WHERE k.reason IS NOT NULL OR f.names > l.names OR f.records > l.records"""
    )
    con.unregister("fan_out_limit")
    found = con.execute("SELECT * FROM blocked ORDER BY records DESC, identifier, value").df()
    return limits, found


def _limits(con) -> Limits:
    rows = con.execute(
        # Of fewer values the largest would be its own yardstick.
        """SELECT identifier, quantile_disc(names, 0.999), quantile_disc(records, 0.999) FROM fan_out
        GROUP BY identifier HAVING count(*) >= 1000"""
    ).fetchall()
    names, records = dict.fromkeys(IDENTIFIERS, NAMES), dict.fromkeys(IDENTIFIERS, RECORDS)
    for identifier, typical_names, typical_records in rows:
        # A share of junk above one in a thousand must not raise the limit it is to be caught by.
        names[identifier] = min(max(NAMES, SPREAD * typical_names), 3 * NAMES)
        records[identifier] = min(max(RECORDS, SPREAD * typical_records), 5 * RECORDS)
    return Limits(names, records)
