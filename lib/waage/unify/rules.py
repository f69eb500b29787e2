"""Deterministic rules: which ids are one person because they say the same, and which contradict each other."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """Ids that agree on `key` are one person.

    Attributes
    ----------
    name : str
        As in the edge table.
    key : str
        SQL over `records`; NULL where the rule does not apply.
    identifier : str
        The identifier whose blocked values it leaves out; empty for none.
    """

    name: str
    key: str
    identifier: str = ""


_NAME = "CASE WHEN length(first_name) > 1 THEN first_name || '|' || last_name END"
RULES = (
    Rule("loyalty_card", "loyalty_id", "loyalty_id"),
    Rule("email", "email", "email"),
    Rule("phone_initial", "phone || '|' || initial", "phone"),
    Rule("name_birth_date", f"{_NAME} || '|' || birth_date"),
    Rule("name_address", f"{_NAME} || '|' || street || '|' || coalesce(house_no, '') || '|' || postcode"),
    Rule("device", "device_id", "device_id"),
)
"""In order of strength. Before the first one, rows of one source id are one id ("same account")."""

MOST = 60  # ids that may share a name with a birth date or an address before the key links nothing

# First names contradict each other when neither is the other's beginning, part or misspelling, nor its surname.
FIRST_NAMES_DIFFER = """coalesce(
  {a}.first_name <> {b}.first_name
  AND NOT starts_with({a}.first_name, {b}.first_name) AND NOT starts_with({b}.first_name, {a}.first_name)
  AND jaro_winkler_similarity({a}.first_name, {b}.first_name) < 0.86
  AND NOT list_has_any(string_split({a}.first_name, ' '), string_split({b}.first_name, ' '))
  AND coalesce({a}.first_name <> {b}.last_name, true) AND coalesce({a}.last_name <> {b}.first_name, true), false)"""

# A day and month exchanged, one wrong digit, or a first of January (often "year only") are no contradiction.
BIRTH_DATES_DIFFER = """coalesce(
  {a}.birth_date <> {b}.birth_date
  AND damerau_levenshtein({a}.birth_date, {b}.birth_date) > 1
  AND NOT ({a}.birth_date[:4] = {b}.birth_date[:4] AND (
    {a}.birth_date[6:] = '01-01' OR {b}.birth_date[6:] = '01-01'
    OR ({a}.birth_date[6:7] = {b}.birth_date[9:10] AND {a}.birth_date[9:10] = {b}.birth_date[6:7]))), false)"""


VETOES = {"first_name": FIRST_NAMES_DIFFER, "birth_date": BIRTH_DATES_DIFFER}
TRUSTED = 0.03  # a field vetoes while at most this share of proven pairs contradicts itself in it: judgement

# Keys that prove two ids to be one person without the field in question. Not the e-mail: families share mailboxes.
_PROOF = {
    "first_name": ("loyalty_id", "birth_date || '|' || street || '|' || coalesce(house_no, '') || '|' || postcode"),
    "birth_date": ("loyalty_id", f"{_NAME} || '|' || street || '|' || coalesce(house_no, '') || '|' || postcode"),
}


def contradiction(a: str, b: str, fields: Iterable[str] = tuple(VETOES)) -> str:
    """Return SQL that names what contradicts between two rows of `nodes` (NULL: nothing does)."""
    parts = [f"CASE WHEN {VETOES[name].format(a=a, b=b)} THEN '{name}' END" for name in fields]
    return f"nullif(concat_ws(', ', {', '.join(parts)}), '')" if parts else "NULL::VARCHAR"


def trusted_vetoes(con) -> tuple[str, ...]:
    """Return the fields whose contradiction separates two ids.

    Where a field is so often wrong that more than `TRUSTED` of the pairs proven by other keys contradict themselves in
    it, its contradiction is evidence for the model, not a veto. With fewer than 30 such pairs a field is trusted.
    """
    fields = []
    for name, keys in _PROOF.items():
        pairs = " UNION ALL ".join(
            f"""SELECT a, b FROM (
              SELECT node AS b, lag(node) OVER (PARTITION BY key ORDER BY node) AS a
              FROM (SELECT DISTINCT {key} AS key, node FROM records WHERE ({key}) IS NOT NULL)
              QUALIFY count(*) OVER (PARTITION BY key) <= 4
            ) WHERE a IS NOT NULL"""
            for key in keys
        )
        known, against = con.execute(
            f"""SELECT count(*), count(*) FILTER ({contradiction("x", "y", [name])} IS NOT NULL) FROM ({pairs}) p
            JOIN nodes x ON x.node = p.a JOIN nodes y ON y.node = p.b
            WHERE x.{name} IS NOT NULL AND y.{name} IS NOT NULL"""
        ).fetchone()
        if known < 30 or against <= TRUSTED * known:
            fields.append(name)
    return tuple(fields)


def rule_edges(con, vetoes: Iterable[str] = tuple(VETOES)) -> None:
    """Write the table `rule_edges`: a, b (nodes, a < b), ranks (of the rules that agree), contradicted (or NULL).

    Parameters
    ----------
    con : DuckDB connection
        With `records` (one row for what a source said of an id at one time, with its `node`), `nodes` (one row an
        id) and `blocked` (`waage.unify.guards.block`).
    vetoes : iterable of str
        Fields whose contradiction counts (`trusted_vetoes`).
    """
    pairs = []
    for rank, rule in enumerate(RULES):
        keys = f"SELECT DISTINCT {rule.key} AS key, node FROM records WHERE ({rule.key}) IS NOT NULL"
        if rule.identifier:
            keys += f" AND {rule.identifier} NOT IN (SELECT value FROM blocked WHERE identifier = '{rule.identifier}')"
        else:
            keys = f"SELECT * FROM ({keys}) QUALIFY count(*) OVER (PARTITION BY key) <= {MOST}"
        con.execute(f"CREATE OR REPLACE TEMP TABLE rule_{rank} AS {keys}")
        pairs.append(
            f"SELECT x.node AS a, y.node AS b, {rank} AS rank FROM rule_{rank} x JOIN rule_{rank} y "
            "ON x.key = y.key AND x.node < y.node"
        )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE rule_edges AS
        WITH pairs AS (
          SELECT a, b, list_sort(list(rank)) AS ranks FROM ({" UNION ALL ".join(pairs)}) GROUP BY a, b
        )
        SELECT p.a, p.b, p.ranks, {contradiction("x", "y", vetoes)} AS contradicted
        FROM pairs p JOIN nodes x ON x.node = p.a JOIN nodes y ON y.node = p.b"""
    )
    for rank in range(len(RULES)):
        con.execute(f"DROP TABLE rule_{rank}")
