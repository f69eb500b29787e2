"""What a group of ids knows, and which groups are worth comparing."""

import re
from collections.abc import Mapping

import pandas as pd

from waage.unify.guards import IDENTIFIERS

BLOCK = 15  # groups that may share a blocking key before the key is left out
RARE = 3  # times a name must occur to be read out of an e-mail address

KEYS = (
    "'name ' || first_name || '|' || unnest([last_name, last_name_2])",
    "'name ' || last_name || '|' || first_name",
    "'initial ' || initial || '|' || unnest([last_name, last_name_2])",
    "'start ' || first_name || '|' || last_name[:3]",
    "'sound ' || initial || sound || '|' || unnest(postcodes)",
    "'first ' || first_name || '|' || unnest(postcodes)",
    "'last ' || last_name || '|' || unnest(postcodes)",
    "'place ' || unnest(addresses)",
    "'street ' || initial || '|' || unnest(streets)",
    "'street ' || sound || '|' || unnest(streets)",
    "'road ' || street_1 || '|' || postcode_1",
    "'road ' || street_1 || '|' || city",
    "'door ' || initial || house_no || '|' || postcode_1",
    "'phone ' || unnest(phones)",
    "'email ' || unnest(emails)",
    "'mailbox ' || CASE WHEN length(mailbox) > 5 THEN mailbox END",
    "'born ' || birth_date || unnest([initial, last_name[1]])",
    "'born ' || birth_date || unnest(postcodes)",
    "'born ' || birth_date || street_1",
)
"""Groups that share one of these are compared (blocking)."""


def profiles(con, names: pd.DataFrame | None = None) -> pd.DataFrame:
    """Write the table `profiles`: what each group of ids knows; returns the counts of names.

    Parameters
    ----------
    con : DuckDB connection
        With `records`, `blocked`, `personal` (sources that hold one id a person) and `node_group` (node, grp).
    names : DataFrame, optional
        Frozen counts (`Model.names`); without them they are counted here.
    """

    def every(column: str, where: str = "true") -> str:
        # The most frequent first: a group's second e-mail is its second mailbox rather than a misspelling of the first.
        found = f"list({column}) FILTER ({column} IS NOT NULL AND {where})"
        entries = f"map_entries(list_histogram({found}))"
        counted = f"list_transform({entries}, lambda e: {{'n': -e.value, 'value': e.key}})"
        several = f"list_transform(list_sort({counted}), lambda e: e.value)"
        return f"CASE WHEN len({found}) > 1 THEN {several} ELSE coalesce({found}, []) END"

    free = ", ".join(
        f"CASE WHEN {name} NOT IN (SELECT value FROM blocked WHERE identifier = '{name}') THEN {name} END "
        f"AS free_{name}"
        for name in IDENTIFIERS
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE profiles AS
        WITH known AS (
          SELECT g.grp, r.*, {free}, street || ' ' || coalesce(house_no, '') || '|' || postcode AS address,
            coalesce(p.bit, 0) AS bit,
            (first_name IS NOT NULL)::INT + (last_name IS NOT NULL)::INT + (email IS NOT NULL)::INT
            + (phone IS NOT NULL)::INT + (street IS NOT NULL)::INT + (birth_date IS NOT NULL)::INT AS filled
          FROM records r JOIN node_group g USING (node) LEFT JOIN personal p USING (source)
        ), lists AS (
          SELECT grp AS unique_id, arg_max(node, (filled, -node)) AS best,
            coalesce({every("first_name", "length(first_name) > 1")}[1], min(first_name)) AS first_name,
            arg_max(last_name, (updated_at, record)) FILTER (last_name IS NOT NULL) AS last_name,
            min(last_name) AS one_last, max(last_name) AS other_last,
            {every("birth_date")}[1] AS birth_date,
            arg_max(city, (updated_at, record)) FILTER (city IS NOT NULL) AS city,
            arg_max(house_no, (updated_at, record)) FILTER (house_no IS NOT NULL) AS house_no,
            {every("free_email")} AS emails, {every("free_phone")} AS phones, {every("address")} AS addresses,
            {every("postcode")} AS postcodes, {every("street")} AS streets, bit_or(bit) AS accounts
          FROM known GROUP BY grp
        )
        SELECT * EXCLUDE (one_last, other_last),
          CASE WHEN other_last <> last_name THEN other_last WHEN one_last <> last_name THEN one_last END AS last_name_2,
          emails[1] AS email_1, emails[2] AS email_2, phones[1] AS phone_1, phones[2] AS phone_2,
          -- Numbers: addresses are only ever equal or not, and Splink carries them twice.
          CASE WHEN len(addresses) > 0 THEN hash(addresses[1]) END AS address_1,
          CASE WHEN len(addresses) > 1 THEN hash(addresses[2]) END AS address_2, postcodes[1] AS postcode_1,
          postcodes[2] AS postcode_2, streets[1] AS street_1, streets[2] AS street_2,
          split_part(email_1, '@', 1) AS mailbox, split_part(email_1, '@', 2) AS mail_domain,
          regexp_replace(email_1, '[^0-9]', '', 'g') AS mail_digits
        FROM lists"""
    )
    if names is None:
        names = con.execute(
            """SELECT field, name, n, n / sum(n) OVER (PARTITION BY field) AS share FROM (
              SELECT 'first_name' AS field, first_name AS name, count(*) AS n FROM profiles
              WHERE length(first_name) > 1 GROUP BY ALL
              UNION ALL
              SELECT 'last_name', last_name, count(*) FROM profiles WHERE last_name IS NOT NULL GROUP BY ALL
            ) ORDER BY field, name"""
        ).df()
    _read_names(con, names)
    con.execute(
        """CREATE OR REPLACE TEMP TABLE profiles AS
        SELECT p.*, first_name[1] AS initial, split_part(first_name, ' ', 1) AS first_head,
          split_part(last_name, ' ', 1) AS last_head, split_part(last_name, ' ', -1) AS last_tail, s.sound
        FROM profiles p LEFT JOIN (
          SELECT last_name, min(sound) AS sound FROM records WHERE sound IS NOT NULL GROUP BY last_name
        ) s USING (last_name)"""
    )
    return names


def candidates(con) -> None:
    """Write the table `candidates` (l, r): groups that share a blocking key."""
    keys = " UNION ALL ".join(f"SELECT unique_id, {key} AS key FROM profiles" for key in KEYS)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE every_key AS
        SELECT DISTINCT unique_id, hash(key) AS key FROM ({keys}) WHERE key IS NOT NULL"""
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE block_keys AS
        SELECT * FROM every_key WHERE key IN (
          SELECT key FROM every_key GROUP BY key HAVING count(*) BETWEEN 2 AND {BLOCK})"""
    )
    con.execute("DROP TABLE every_key")
    con.execute(
        """CREATE OR REPLACE TEMP TABLE candidates AS
        SELECT DISTINCT x.unique_id AS l, y.unique_id AS r FROM block_keys x JOIN block_keys y
        ON x.key = y.key AND x.unique_id < y.unique_id"""
    )
    con.execute("DROP TABLE block_keys")


def names_in(mailbox: str, first: Mapping[str, str], last: Mapping[str, str]) -> tuple[str, str] | None:
    """Return (first name or initial, surname) that a mailbox such as anna.mueller7 spells, or None."""
    words = [word for word in re.split(r"[^a-z]+", mailbox) if word]
    if len(words) == 2:
        for one, two in (words, words[::-1]):
            if two in last and (one in first or len(one) == 1):
                return first.get(one, one), last[two]
    if len(words) == 1:
        word = words[0]
        for at in range(len(word) - 3, 2, -1):
            if word[:at] in first and word[at:] in last:
                return first[word[:at]], last[word[at:]]
    return None


def _read_names(con, names: pd.DataFrame) -> None:
    """Fill the names of groups that have none from their e-mail address, where both parts are names of others."""
    known = names[names["n"] >= RARE]
    first, last = (
        {name.replace(" ", ""): name for name in known.loc[known["field"] == field, "name"]}
        for field in ("first_name", "last_name")
    )
    rows = con.execute("SELECT unique_id, mailbox FROM profiles WHERE last_name IS NULL AND mailbox <> ''").fetchall()
    found = [(group, *spelt) for group, mailbox in rows if (spelt := names_in(mailbox, first, last))]
    frame = pd.DataFrame(found, columns=["grp", "first_name", "last_name"])
    con.register("names_found", frame.astype({"grp": "int64", "first_name": "object", "last_name": "object"}))
    con.execute(
        """UPDATE profiles SET first_name = coalesce(profiles.first_name, f.first_name), last_name = f.last_name
        FROM names_found f WHERE f.grp = unique_id"""
    )
    con.unregister("names_found")
