"""Persons by exact source id: one person for each id of each source."""

import ibis
import ibis.expr.types as ir

RULE = "exact_id"


def identity_map(orders: ir.Table, identities: ir.Table | None = None) -> ir.Table:
    """Map every source id to a person.

    Parameters
    ----------
    orders : ibis table
        As in the contract; ids that only occur here become persons, too.
    identities : ibis table, optional

    Returns
    -------
    ibis table
        source, source_id, person_id, rule, probability (1: the ids are equal). `person_id` is a digest of
        source and id: stable between runs, and it does not show an id that happens to be an e-mail address (who
        knows the address can compute it: it is a pseudonym, not a secret).
    """
    known = orders.filter(orders.source_id.notnull()).select("source", "source_id")
    if identities is not None:
        known = known.union(identities.select("source", "source_id"))
    known = known.distinct()
    digest = (known.source + "\x1f" + known.source_id).hexdigest("sha256")
    return known.mutate(person_id=digest.substr(0, 16), rule=ibis.literal(RULE), probability=ibis.literal(1.0))


def persons(mapping: ir.Table, identities: ir.Table | None = None) -> ir.Table:
    """Return one row a person: the newest thing its source knows.

    Parameters
    ----------
    mapping : ibis table
        As `identity_map` returns it.
    identities : ibis table, optional

    Returns
    -------
    ibis table
        person_id, source, source_id, and every attribute of `identities` (NULL where nothing is known).
    """
    base = mapping.select("person_id", "source", "source_id")
    if identities is None:
        return base
    attributes = [name for name in identities.columns if name not in ("source", "source_id")]
    others = [ibis.asc(name) for name in attributes if name != "updated_at"]
    newest = ibis.window(
        group_by=["source", "source_id"], order_by=[ibis.desc("updated_at", nulls_first=False), *others]
    )
    latest = identities.mutate(_rank=ibis.row_number().over(newest)).filter(ibis._["_rank"] == 0).drop("_rank")
    joined = base.left_join(latest, ["source", "source_id"])
    return joined.select("person_id", "source", "source_id", *attributes)
