"""Which persons live together: the same surname at the same address, or on the same landline."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.unify.clusters import components

MOST = 12  # persons under one key, above which it links nobody: a hostel, an office. Judgement
_PARTICLES = "von vom zu zum zur van der den de del della di da la le el al dos und"


def households(records: ir.Table, identity_map: ir.Table, *, most: int = MOST) -> ir.Table:
    """Group persons who share a part of their surname, and an address or a landline.

    Of each person the newest address and landline count: who has moved out lives elsewhere. Every surname counts,
    for who was misspelt or has married still lives there; a surname's parts are its words (of Müller-Schmidt both)
    without particles such as von. Couples who share no part of their name are two households, and namesakes behind
    one door of a block of flats are one.

    Parameters
    ----------
    records : ibis table
        As `waage.unify.normalise` returns it, on DuckDB. Organisations link nobody.
    identity_map : ibis table
        source, source_id, person_id.
    most : int
        Persons under one key, above which it links nobody.

    Returns
    -------
    ibis table
        person_id, household_id ("H" and the smallest person_id in it), size (persons); every person of the identity
        map once.
    """
    backend, name = records.get_backend(), ibis.util.gen_name("households")
    kept = records.filter(records.kind != "organisation")
    kept = kept.inner_join(identity_map.select("source", "source_id", "person_id"), ["source", "source_id"])
    try:
        backend.create_table(f"{name}_known", kept, temp=True)
        backend.create_table(f"{name}_persons", identity_map.select("person_id").distinct(), temp=True)
        pairs = backend.con.execute(_PAIRS.format(known=f"{name}_known", most=most, particles=_PARTICLES)).df()
        backend.con.register(f"{name}_linked", _grouped(pairs))
        backend.con.execute(
            f"""CREATE TEMP TABLE {name} AS
            SELECT person_id, 'H' || coalesce(first, person_id) AS household_id, coalesce(size, 1)::BIGINT AS size
            FROM {name}_persons LEFT JOIN {name}_linked USING (person_id)"""
        )
        backend.con.unregister(f"{name}_linked")
    finally:
        for part in ("known", "persons"):
            backend.con.execute(f"DROP TABLE IF EXISTS temp.{name}_{part}")
    return backend.table(name)


# A chain through the persons of a key says as much as all their pairs. A street without a number is no address.
_PAIRS = """
WITH newest AS (
  SELECT person_id,
    list(DISTINCT last_name) FILTER (last_name IS NOT NULL) AS last_names,
    arg_max(street || ' ' || house_no || '|' || postcode, (updated_at, record))
      FILTER (street IS NOT NULL AND house_no IS NOT NULL AND postcode IS NOT NULL) AS address,
    arg_max(phone, (updated_at, record)) FILTER (phone_type = 'landline') AS landline
  FROM {known} GROUP BY person_id
), parts AS (
  SELECT DISTINCT person_id, address, landline, unnest(string_split(array_to_string(last_names, ' '), ' ')) AS part
  FROM newest
), keys AS (
  SELECT person_id, part || '|' || unnest([address, landline]) AS key FROM parts
  WHERE length(part) > 1 AND NOT list_contains(string_split('{particles}', ' '), part)
)
SELECT person_id AS a, lag(person_id) OVER (PARTITION BY key ORDER BY person_id) AS b FROM keys WHERE key IS NOT NULL
QUALIFY count(*) OVER (PARTITION BY key) <= {most} AND b IS NOT NULL
ORDER BY a, b"""


def _grouped(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return person_id, first (the smallest person_id) and size of each household of two or more."""
    codes, persons = pd.factorize(pd.concat([pairs["a"], pairs["b"]]), sort=True)
    label = components(len(persons), codes[: len(pairs)], codes[len(pairs) :])
    table = pd.DataFrame({"person_id": persons, "first": persons[label]}).astype(object)
    return table.assign(size=table.groupby("first")["first"].transform("size").astype("int64"))
