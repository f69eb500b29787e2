"""What a person agreed to: the newest act decides, and an objection holds for the whole person."""

import ibis
import ibis.expr.types as ir

from waage.errors import WaageError, did_you_mean
from waage.tables import TABLES

WHOLE_PERSON = ("advertising", "profiling")
"""Purposes whose objection blocks every channel: the right to object knows no channels (GDPR, art. 21 (2) and (3))."""

SEVERITY = {"granted": 0, "withdrawn": 1, "objected": 2}
_PURPOSES = TABLES["consents"].column("purpose").values
_CHANNELS = TABLES["consents"].column("channel").values


def person_consents(consents: ir.Table, mapping: ir.Table) -> ir.Table:
    """Bring acts of consent to the person.

    An act holds for its channel and contact point; without a channel for all channels of its purpose, without a
    contact point for all contact points. An objection to advertising or profiling holds for all of both, whatever
    it names. Where acts hold for the same, the newest decides; of one moment the most restrictive. Hence after an
    objection a later grant frees what it names and nothing else: a grant by e-mail frees e-mail while post stays
    blocked, and only a grant without channel and contact point frees all. No act means no row: not known.

    Parameters
    ----------
    consents : ibis table
        As in the contract.
    mapping : ibis table
        source, source_id, person_id. Acts of ids that it does not hold belong to no person and are left out.

    Returns
    -------
    ibis table
        person_id, purpose, channel, contact_point (lower case), status (granted, withdrawn, objected), changed_at
        (of the act that decides). A row without channel or contact point speaks for all that have no row of their
        own; `consent_status` reads the rows that way.
    """
    acts = _acts(consents, mapping)
    return _open_ends(_deciding(acts, acts.select(*_CELL).distinct()))


def consent_status(person_consents: ir.Table, purpose: str, channel: str | None = None) -> ir.Table:
    """Return what persons agreed to for a purpose, as one word each; gates what leaves the workbench.

    Parameters
    ----------
    person_consents : ibis table
        As the function of that name returns it.
    purpose : str
    channel : str or None
        The most restrictive status over the contact points that the person named for this channel; where none is
        named, what holds for the channel as a whole. Who writes to one contact point only looks into
        `person_consents`. None: the most restrictive of all rows, for what concerns the whole person (profiling).

    Returns
    -------
    ibis table
        person_id, status (granted, withdrawn, objected). A person without a row has said nothing: 'unknown',
        which is neither consent nor objection.

    Raises
    ------
    WaageError
        For an unknown purpose or channel.
    """
    _must_be(purpose, "purpose", _PURPOSES)
    rows = person_consents.filter(person_consents.purpose == purpose)
    rows = rows.mutate(
        channel=ibis.coalesce(rows.channel, ""),
        contact_point=ibis.coalesce(rows.contact_point, ""),
        severity=_severity(rows),
    )
    if channel is not None:
        _must_be(channel, "channel", _CHANNELS)
        rows = rows.filter(rows.channel.isin([channel, ""]))
        named = rows.contact_point != ""
        any_named = named.any().over(ibis.window(group_by="person_id"))
        # Rows are acts themselves here: each carries the newest act of what it speaks for.
        points = rows.mutate(_own=~any_named | named).filter(ibis._["_own"])
        rows = _deciding(rows.select(*_ACT), points.mutate(channel=ibis.literal(channel)).select(*_CELL).distinct())
    worst = rows.group_by("person_id").agg(severity=rows.severity.max())
    return worst.select("person_id", status=_status(worst))


_CELL = ("person_id", "purpose", "channel", "contact_point")
_ACT = (*_CELL, "changed_at", "severity")


def _acts(consents: ir.Table, mapping: ir.Table) -> ir.Table:
    """Return acts by person, as wide as they hold; '' stands for all, so that joins need no care for NULL."""
    acts = consents.inner_join(mapping.select("source", "source_id", "person_id"), ["source", "source_id"])
    acts = acts.select(
        "person_id",
        "purpose",
        channel=ibis.coalesce(acts.channel, ""),
        contact_point=ibis.coalesce(_one_spelling(acts.contact_point), ""),
        changed_at=acts.changed_at,
        severity=_severity(acts),
    )
    objections = acts.filter(acts.purpose.isin(WHOLE_PERSON) & (acts.severity == SEVERITY["objected"]))
    everywhere = objections.mutate(channel=ibis.literal(""), contact_point=ibis.literal(""))
    return acts.union(everywhere).distinct()


def _one_spelling(point: ir.StringValue) -> ir.StringValue:
    """Return a contact point such that two ways to write a number or an address are one."""
    point = point.strip().lower()
    digits = point.re_replace(r"[^0-9]", "")
    number = digits.re_replace(r"^(00)?(49|0)", "")
    return ibis.ifelse(point.re_search(r"^[+0-9][0-9 ()/.-]{5,}$"), "+49" + number, point)


def _deciding(acts: ir.Table, cells: ir.Table) -> ir.Table:
    """Return each cell with its newest act among those that hold for it, of one moment the most restrictive."""
    newest = ibis.window(group_by=list(_CELL), order_by=[ibis.desc("changed_at"), ibis.desc("severity")])
    # First among acts of equal width: a person's acts are then few when every cell is held against them.
    acts = acts.mutate(_rank=ibis.row_number().over(newest)).filter(ibis._["_rank"] == 0).drop("_rank")
    held = cells.inner_join(acts, ["person_id", "purpose"], rname="act_{name}")
    covers = held.act_channel.isin(["", held.channel]) & held.act_contact_point.isin(["", held.contact_point])
    held = held.filter(covers).select(*_CELL, "changed_at", "severity")
    return held.mutate(_rank=ibis.row_number().over(newest)).filter(ibis._["_rank"] == 0).drop("_rank")


def _open_ends(cells: ir.Table) -> ir.Table:
    return cells.select(
        "person_id",
        "purpose",
        channel=cells.channel.nullif(""),
        contact_point=cells.contact_point.nullif(""),
        status=_status(cells),
        changed_at=cells.changed_at,
    )


def _severity(table: ir.Table) -> ir.IntegerValue:
    return ibis.cases(*((table.status == status, number) for status, number in SEVERITY.items()))


def _status(table: ir.Table) -> ir.StringValue:
    return ibis.cases(*((table.severity == number, status) for status, number in SEVERITY.items()))


def _must_be(value: str, what: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise WaageError(f"consent_status: no {what} {value!r}{did_you_mean(value, known)}; one of {', '.join(known)}")
