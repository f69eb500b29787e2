"""What there is to be matched, whose events are whose, and what cannot be given to anybody."""

import ibis
import ibis.expr.types as ir


def gather(
    orders: ir.Table, identities: ir.Table | None = None, events: ir.Table | None = None
) -> tuple[ir.Table, ir.Table]:
    """Return all that the sources say of persons, and every id there is.

    Parameters
    ----------
    orders, identities, events : ibis tables
        As in the contract.

    Returns
    -------
    (ibis table, ibis table)
        Rows as in `identities`, with a row for each device on which a known id was logged in; source, source_id of
        identities and orders.
    """
    ids = orders.filter(orders.source_id.notnull()).select("source", "source_id").distinct()
    if identities is None:
        return ids, ids
    ids = ids.union(identities.select("source", "source_id"), distinct=True)
    if events is None:
        return identities, ids
    logins = events.filter(events.source_id.notnull() & events.device_id.notnull())
    logins = logins.select("source", "source_id", "device_id").distinct().semi_join(ids, ["source", "source_id"])
    schema = identities.schema()
    logins = logins.select(
        **{name: logins[name] if name in logins.columns else ibis.null(kind) for name, kind in schema.items()}
    )
    return identities.union(logins), ids


def events_of_persons(events: ir.Table, mapping: ir.Table) -> ir.Table:
    """Give each event its person: by its own id, or else by its device.

    A device speaks for a person when everybody who was ever logged in on it is that one person.

    Parameters
    ----------
    events : ibis table
        As in the contract.
    mapping : ibis table
        source, source_id, person_id.

    Returns
    -------
    ibis table
        The events with person_id (NULL: nobody known) and by_device (the person is known by the device alone).
    """
    people = mapping.select("source", "source_id", "person_id")
    table = events.left_join(people, ["source", "source_id"]).drop("source_right", "source_id_right")
    seen = table.filter(table.device_id.notnull() & table.person_id.notnull())
    owners = seen.group_by("device_id").agg(owner=seen.person_id.min(), others=seen.person_id.nunique())
    owners = owners.filter(owners.others == 1).select("device_id", "owner")
    table = table.left_join(owners, "device_id").drop("device_id_right")
    known = table.person_id.notnull()
    by_device = ~known & table.owner.notnull()
    return table.mutate(person_id=ibis.coalesce(table.person_id, table.owner), by_device=by_device).drop("owner")


def unlinked(table: ir.Table, mapping: ir.Table) -> tuple[int, int]:
    """Return how many rows of a table name a source id, and how many of those ids no person has.

    Parameters
    ----------
    table : ibis table
        With source and source_id.
    mapping : ibis table
        source, source_id, person_id.
    """
    named = table.filter(table.source_id.notnull())
    lost = named.anti_join(mapping, ["source", "source_id"])
    return int(named.count().execute()), int(lost.count().execute())
