"""How good the links are, without anybody knowing the truth: errors expected, contradictions, what cannot be linked."""

import re
from typing import NamedTuple

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.privacy import mask_small
from waage.stats import wilson
from waage.unify.guards import IDENTIFIERS
from waage.unify.rules import contradiction

SIZES = {"1": 1, "2": 2, "3": 3, "4-5": 5, "6-10": 10, "11-20": 20, "21+": np.inf}
KEY = ["source", "source_id"]


class LinkError(NamedTuple):
    """Accepted links, how many of them are expected to be wrong, and "about 1 link in `one_in`" (inf: none)."""

    links: int
    expected_wrong: float
    one_in: float


def link_error(edges: ir.Table) -> LinkError:
    """Sum up how many accepted links are wrong, if the probabilities of the edges are right.

    Parameters
    ----------
    edges : ibis table
        As in `waage.unify.resolve.Resolution`. A person of n ids has up to n (n - 1) / 2 links.
    """
    linked = edges.filter(edges.status == "linked")
    links, wrong = linked.aggregate(n=linked.count(), wrong=(1 - linked.probability).sum()).execute().iloc[0]
    wrong = 0.0 if pd.isna(wrong) else float(wrong)
    return LinkError(int(links), wrong, links / wrong if wrong else np.inf)


def cluster_sizes(identity_map: ir.Table, min_cell: int = 10) -> pd.DataFrame:
    """Count persons and ids by the number of ids of a person.

    Returns
    -------
    DataFrame
        size (the keys of `SIZES`), persons, ids, persons_share, ids_share; fewer than `min_cell` persons are hidden.
    """
    sizes = _sizes(identity_map)
    bins = pd.cut(sizes["size"].astype(float), [0, *SIZES.values()], labels=list(SIZES))
    table = sizes.assign(ids=sizes["size"] * sizes["persons"]).groupby(bins, observed=False)[["persons", "ids"]].sum()
    table = table.assign(**{f"{name}_share": table[name] / max(table[name].sum(), 1) for name in table})
    table = table.rename_axis("size").reset_index().astype({"size": object})
    return mask_small(table, "persons", *table.columns[2:], min_cell=min_cell)


def largest(identity_map: ir.Table, n: int = 20) -> list[int]:
    """Return how many ids the n largest persons have; sizes alone."""
    sizes = _sizes(identity_map).sort_values("size", ascending=False).head(n)
    return np.repeat(sizes["size"], sizes["persons"].clip(upper=n))[:n].tolist()


def _sizes(identity_map: ir.Table) -> pd.DataFrame:
    persons = identity_map.group_by("person_id").agg(size=identity_map.count())
    return persons.group_by("size").agg(persons=persons.count()).execute()


def contradictions(
    identity_map: ir.Table, records: ir.Table, blocked: pd.DataFrame | None = None, min_cell: int = 10
) -> pd.DataFrame:
    """Count persons whose ids contradict each other in what each of them says last.

    A field that vetoes (`State.vetoes`) and a card, of which a person may hold one, contradict only where a decision
    or an id with two cards asks for it: there the share shows that the guards hold. Gender is used by no rule and
    no comparison: its share is evidence of wrong links, and of wrong entries; families are seen, namesakes are not.

    Parameters
    ----------
    identity_map, records : ibis tables
        As in `Resolution` and as `waage.unify.normalise` returns them, on one DuckDB connection.
    blocked : DataFrame, optional
        Of the resolution: cards that identify nobody do not count.
    min_cell : int

    Returns
    -------
    DataFrame
        field (first_name, birth_date, loyalty_id, gender), persons (with at least two ids that know the field),
        differing (with more than one value, misspellings included), contradicting (beyond misspellings), share
        (contradicting / persons), low, high (Wilson, 95%). Fields known of fewer than `min_cell` persons are hidden.
    """
    backend, name = records.get_backend(), ibis.util.gen_name("contradictions")
    known = unblocked(records, blocked).inner_join(identity_map.select(*KEY, "person_id"), KEY)
    newest = ", ".join(
        f"arg_max({field}, (updated_at, record)) FILTER ({field} IS NOT NULL) AS {field}"
        for field in ("last_name", "birth_date", "loyalty_id", "gender")
    )
    against = {field: contradiction("x", "y", [field]) for field in ("first_name", "birth_date")}
    against |= {field: f"nullif(x.{field} <> y.{field}, false)" for field in ("loyalty_id", "gender")}
    rows = []
    try:
        backend.create_table(f"{name}_known", known, temp=True)
        # The same first name as in `resolve`: an initial counts only where there is nothing longer.
        backend.con.execute(
            f"""CREATE TEMP TABLE {name} AS SELECT person_id, source, source_id, {newest}, coalesce(
              arg_max(first_name, (updated_at, record)) FILTER (length(first_name) > 1),
              arg_max(first_name, (updated_at, record)) FILTER (first_name IS NOT NULL)) AS first_name
            FROM {name}_known GROUP BY ALL"""
        )
        for field, differs in against.items():
            found = backend.con.execute(
                f"""WITH several AS (
                  SELECT person_id, count(DISTINCT {field}) AS n FROM {name}
                  WHERE {field} IS NOT NULL GROUP BY person_id HAVING count(*) > 1
                ), said AS (
                  SELECT DISTINCT * EXCLUDE (source, source_id)
                  FROM {name} SEMI JOIN (FROM several WHERE n > 1) USING (person_id) WHERE {field} IS NOT NULL
                )
                SELECT (SELECT count(*) FROM several), (SELECT count(*) FROM several WHERE n > 1),
                  (SELECT count(DISTINCT x.person_id) FROM said x JOIN said y
                   ON x.person_id = y.person_id AND x.{field} < y.{field} WHERE ({differs}) IS NOT NULL)"""
            ).fetchone()
            rows.append((field, *found))
    finally:
        for part in (name, f"{name}_known"):
            backend.con.execute(f"DROP TABLE IF EXISTS temp.{part}")
    table = pd.DataFrame(rows, columns=["field", "persons", "differing", "contradicting"])
    table = with_share(table, "contradicting", "persons", "share")
    # Fields are no parts of one total: a hidden one cannot be had from the others.
    shown = [mask_small(row, "persons", *table.columns[2:], min_cell=min_cell) for _, row in table.groupby(table.index)]
    return pd.concat(shown)


def unlinkables(
    records: ir.Table, blocked: pd.DataFrame | None = None, ids: ir.Table | None = None, min_cell: int = 10
) -> pd.DataFrame:
    """Count ids that say nothing by which they could be linked, not even to themselves.

    Parameters
    ----------
    records : ibis table
        As `waage.unify.normalise` returns it.
    blocked : DataFrame, optional
        Of the resolution: values that link nothing.
    ids : ibis table, optional
        source, source_id: ids of which nothing may be known but that they exist.
    min_cell : int

    Returns
    -------
    DataFrame
        source, ids, unlinkable (no e-mail, phone, card or device that identifies, and no surname with a birth date
        or a street), share; the largest share first. Sources of fewer than `min_cell` ids are hidden.
    """
    free = unblocked(records, blocked)
    named = free.last_name.notnull() & (free.birth_date.notnull() | free.street.notnull())
    says = free.select(*KEY, says=ibis.coalesce(*(free[name] for name in IDENTIFIERS)).notnull() | named)
    if ids is not None:
        says = says.union(ids.filter(ids.source_id.notnull()).select(*KEY, says=ibis.literal(False)))
    each = says.group_by(KEY).agg(says=says.says.any())
    table = each.group_by("source").agg(ids=each.count(), unlinkable=(~each.says).sum()).execute()
    table = table.assign(share=table["unlinkable"] / table["ids"])
    table = table.sort_values(["share", "source"], ascending=[False, True], ignore_index=True)
    return mask_small(table, "ids", "unlinkable", "share", min_cell=min_cell)


def weight_histogram(edges: ir.Table, width: float = 1.0) -> pd.DataFrame:
    """Count the model's pairs by match weight and status.

    Returns
    -------
    DataFrame
        weight (where the bin begins: bits, log2 of the odds), status, pairs. Pairs are counted, not persons; a
        weight says nothing about anybody, so small bins are shown.
    """
    weighed = edges.filter(edges.weight.notnull())
    bins = weighed.group_by(weight=(weighed.weight / width).floor().cast("float64") * width, status=weighed.status)
    return bins.agg(pairs=weighed.count()).order_by("weight", "status").execute()


def examples(edges: ir.Table, identities: ir.Table, accepted: int = 20, rejected: int = 20) -> pd.DataFrame:
    """Show the weakest pairs that the model accepted and the strongest that it did not, with masked values.

    Parameters
    ----------
    edges : ibis table
        As in `Resolution`.
    identities : ibis table
        As in the contract, or normalised; the newest value of each attribute is shown, through `mask`.
    accepted, rejected : int

    Returns
    -------
    DataFrame
        example (accepted, rejected), weight (bits), probability, status, agreed, contradicted, a, b (source and
        masked values of both ids; the source's id is left out: it may be an address or a card). Closest to the
        threshold first.
    """
    order = [f"{name}_{end}" for end in "ab" for name in KEY]
    weighed = edges.filter(edges.weight.notnull())
    weak = weighed.filter(weighed.status == "linked").order_by("weight", *order).limit(accepted)
    strong = weighed.filter(weighed.status.isin(["review", "rejected"])).order_by(ibis.desc("weight"), *order)
    chosen = [weak.execute(), strong.limit(rejected).execute()]
    pairs = pd.concat([chosen[0].assign(example="accepted"), chosen[1].assign(example="rejected")], ignore_index=True)
    ends = pd.concat([pairs[[f"{name}_{end}" for name in KEY]].set_axis(KEY, axis=1) for end in "ab"])
    shown = [name for name in _MASKED if name in identities.columns]
    ends = ibis.memtable(ends.drop_duplicates().astype(object), schema=ibis.schema(dict.fromkeys(KEY, "string")))
    known = identities.semi_join(ends, KEY)
    known = known.order_by([ibis.asc("updated_at", nulls_first=True), *shown])
    newest = known.select(*KEY, **{name: known[name].cast("string") for name in shown}).execute().groupby(KEY).last()
    for end in "ab":
        keys = zip(pairs[f"source_{end}"], pairs[f"source_id_{end}"], strict=True)
        pairs[end] = [f"{key[0]}: {_described(newest, key)}" for key in keys]
    for evidence in ("agreed", "contradicted"):
        pairs[evidence] = pairs[evidence].str.replace("_", " ")
    return pairs[["example", "weight", "probability", "status", "agreed", "contradicted", "a", "b"]]


def _described(newest: pd.DataFrame, key: tuple[str, str]) -> str:
    if key not in newest.index:
        return "–"
    values = newest.loc[key].items()
    return ", ".join(text for kind, value in values if (text := mask(value, kind))) or "–"


_MASKED = {
    "first_name": r"(.).{2,}(.)",
    "last_name": r"(.).{2,}(.)",
    "birth_date": r"(19|20)\d\d.*",
    "email": r"([^@])[^@]+@([^@])[^@]+",
    "phone": r".*\d{4}(\d\d)",
    "street": r"(.).{3,}",
    "postcode": r"(.).{2,}(.)",
    "city": r"(.).{3,}",
}
_FORMS = {
    "birth_date": "{}**",
    "email": "{}***@{}***",
    "phone": "***{}",
    "street": "{}***.",
    "city": "{}***",
}


def mask(value: object, kind: str) -> str:
    """Return a value such that nobody is recognised by it: M***r, m***@w***, +49***12, H***., 2***5, 19**.

    At most two characters are kept (for phones the last two digits, and +49, which says nothing), the number of
    stars does not tell the length, and what is too short for that, or of another form or kind, is ***.

    Parameters
    ----------
    value : object
        Missing values become "".
    kind : str
        first_name, last_name, birth_date, email, phone, street, postcode, city; any other kind is hidden.
    """
    text = "" if pd.isna(value) else str(value).strip()
    if not text:
        return ""
    text = re.sub(r"[^\d+]", "", text) if kind == "phone" else text
    found = re.fullmatch(_MASKED[kind], text, re.DOTALL) if kind in _MASKED else None
    if found is None:
        return "***"
    masked = _FORMS.get(kind, "{}***{}").format(*found.groups())
    return "+49" + masked if kind == "phone" and text.startswith("+49") else masked


def unblocked(records: ir.Table, blocked: pd.DataFrame | None) -> ir.Table:
    """Return the records with NULL where an identifier has a blocked value."""
    if blocked is not None:
        for name, values in blocked.groupby("identifier")["value"]:
            records = records.mutate(**{name: ibis.ifelse(records[name].isin(values.tolist()), None, records[name])})
    return records


def with_share(table: pd.DataFrame, k: str, n: str, name: str) -> pd.DataFrame:
    """Add the share k / n under that name, and its Wilson interval (95%) as low and high; NaN where n is 0."""
    counts = table[[k, n]].astype(float)
    low, high = wilson(counts[k].to_numpy(), counts[n].to_numpy())
    return table.assign(**{name: counts[k] / counts[n].where(counts[n] > 0)}, low=low, high=high)
