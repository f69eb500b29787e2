"""What a person agreed to: the newest act at each of its ids, and of these the most restrictive."""

import ibis
import ibis.expr.types as ir


def person_consents(consents: ir.Table, mapping: ir.Table) -> ir.Table:
    """Bring acts of consent to the person.

    At one source id the newest act decides; of acts at the same moment the more restrictive one. Across
    the ids of a person the most restrictive status wins, so that joining ids never widens a consent.

    Parameters
    ----------
    consents, mapping : ibis tables
        As in the contract; source, source_id, person_id.

    Returns
    -------
    ibis table
        person_id, purpose, channel, status (granted, withdrawn, objected).
    """
    severity = ibis.cases((consents.status == "granted", 0), (consents.status == "withdrawn", 1), else_=2)
    acts = consents.mutate(severity=severity)
    newest = ibis.window(
        group_by=["source", "source_id", "purpose", "channel"],
        order_by=[ibis.desc("changed_at"), ibis.desc("severity")],
    )
    acts = acts.mutate(_rank=ibis.row_number().over(newest)).filter(ibis._["_rank"] == 0)
    acts = acts.inner_join(mapping.select("source", "source_id", "person_id"), ["source", "source_id"])
    worst = acts.group_by("person_id", "purpose", "channel").agg(severity=acts.severity.max())
    status = ibis.cases((worst.severity == 0, "granted"), (worst.severity == 1, "withdrawn"), else_="objected")
    return worst.mutate(status=status).drop("severity")
