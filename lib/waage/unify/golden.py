"""The golden record: which of the values that the sources hold about a person survives, and from which row."""

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from waage.errors import WaageError, did_you_mean
from waage.tables import TABLES

STRATEGIES = ("source_order", "most_recent", "most_frequent", "verified", "earliest")

UNITS: dict[str, tuple[str, ...]] = {
    "name": ("title", "first_name", "last_name"),
    "address": ("street", "postcode", "city", "country"),
}
"""What survives from one row as a whole: the street of one address with the postcode of another is a wrong one."""

DEFAULTS: dict[str, str] = {
    "created_at": "earliest",
    "salutation": "most_frequent",
    "name": "most_recent",
    "email": "most_recent",
    "phone": "most_recent",
    "address": "most_recent",
    "birth_date": "most_frequent",
    "gender": "most_frequent",
    "loyalty_id": "most_recent",
    "device_id": "most_recent",
    "account_type": "most_recent",
    "acquisition_channel": "earliest",
}
"""Strategy of each attribute or unit. A judgement: what people change is newest, what they are, most rows say."""

_KEY = ("source", "source_id", "updated_at")
_ATTRIBUTES = {column.name: column.kind for column in TABLES["identities"].columns if column.name not in _KEY}
_TYPES = {"time": "timestamp", "date": "date"}
_NEVER, _LONG_AGO = ibis.timestamp("9999-12-31"), -(2**62)
# An initial, or several: "P.", "K.-H.", "J R". A first name of a single ideogram is none.
_INITIALS = r"^\p{Latin}\.?([\s.-]+\p{Latin}\.?)*$"


def golden_records(
    identities: ir.Table | None,
    identity_map: ir.Table,
    *,
    source_order: Sequence[str] = (),
    strategies: Mapping[str, str] | None = None,
) -> ir.Table:
    """Return one row a person with the values that survive, each with its source and time.

    A blank never wins. Where rows tie, the newer one (`updated_at`; unknown is oldest), then the first by source
    and source_id wins. A name and an address survive as a whole (`UNITS`) from the best kind of row there is:
    for a name one with a last name and a first name that is no initial (of one second the longest), then one
    with a last name; for an address one with a street and a postcode or city, then one with either.

    Parameters
    ----------
    identities : ibis table or None
        As in the contract; columns that are not there are NULL. None: the study knows orders only.
    identity_map : ibis table
        source, source_id, person_id.
    source_order : sequence of str
        Sources, best first, for the strategy source_order; sources not named come after, by name.
    strategies : mapping, optional
        Attribute or unit ("name", "address") to one of
        source_order: the best source's newest value;
        most_recent: the newest value;
        most_frequent: what most rows say, of these the newest;
        verified: what two different sources agree on, of these the newest; else the newest;
        earliest: the value known first (created_at, else updated_at).
        Values are compared without case and white space. Replaces entries of `DEFAULTS`.

    Returns
    -------
    ibis table
        person_id, and for each attribute `<attr>`, `<attr>_source`, `<attr>_at` (updated_at of the row it comes
        from); all NULL where nothing is known. One row for each person_id of `identity_map`.

    Raises
    ------
    WaageError
        Naming every unknown attribute and strategy, and a source named twice.
    """
    chosen = _chosen(strategies or {}, source_order)
    base = identity_map.select("source", "source_id", "person_id")
    known = _clean(base.limit(0) if identities is None else identities)
    known = base.left_join(known, ["source", "source_id"]).drop("source_right", "source_id_right")
    newest = [ibis.desc("updated_at", nulls_first=False), ibis.asc("source"), ibis.asc("source_id")]
    # One sort for all attributes: a window for each would carry every column through a dozen sorts.
    rows = known.mutate(_age=ibis.row_number().over(ibis.window(group_by="person_id", order_by=newest)))
    for unit, strategy in chosen.items():
        if strategy in ("most_frequent", "verified"):
            rows = _with_votes(rows, known, unit, strategy)
    winners = rows.group_by("person_id").agg(
        **{unit: _winner(rows, unit, _order(rows, unit, strategy, source_order)) for unit, strategy in chosen.items()}
    )
    return winners.select("person_id", **_columns(winners))


def _chosen(given: Mapping[str, str], source_order: Sequence[str]) -> dict[str, str]:
    faults = [f"source_order is the text {source_order!r}: write a list"] if isinstance(source_order, str) else []
    for name, strategy in given.items():
        unit = next((unit for unit, members in UNITS.items() if name in members), None)
        if unit:
            faults.append(f"{name!r} survives with its {unit} as a whole: set {unit!r} instead")
        elif name not in DEFAULTS:
            faults.append(f"{name!r} is no attribute{did_you_mean(name, DEFAULTS)}; there are {', '.join(DEFAULTS)}")
        if strategy not in STRATEGIES:
            hint = did_you_mean(strategy, STRATEGIES)
            faults.append(f"{name}: {strategy!r} is no strategy{hint}; there are {', '.join(STRATEGIES)}")
    twice = sorted({name for name in source_order if list(source_order).count(name) > 1})
    faults += [f"source_order names {name!r} twice" for name in twice]
    if faults:
        raise WaageError("golden_records: " + "; ".join(faults))
    return DEFAULTS | dict(given)


def _clean(identities: ir.Table) -> ir.Table:
    """Return the attributes with blanks as NULL; what the table lacks is NULL, too."""
    columns = {}
    for name, kind in {"updated_at": "time", **_ATTRIBUTES}.items():
        dtype = _TYPES.get(kind, "string")
        value = identities[name] if name in identities.columns else ibis.null(dtype)
        columns[name] = value.cast(dtype).strip().nullif("") if dtype == "string" else value.cast(dtype)
    return identities.select("source", "source_id", **columns)


def _members(unit: str) -> tuple[str, ...]:
    return UNITS.get(unit, (unit,))


def _is_known(rows: ir.Table, unit: str) -> ir.BooleanValue:
    return ibis.or_(*(rows[name].notnull() for name in _members(unit)))


def _with_votes(rows: ir.Table, known: ir.Table, unit: str, strategy: str) -> ir.Table:
    """Add `_votes_<unit>`: how many rows say the same (most_frequent), or 1 where two sources do (verified)."""
    same, votes = f"_same_{unit}", f"_votes_{unit}"
    said = known.filter(_is_known(known, unit)).mutate(**{same: _same(known, unit)})
    count = said.count() if strategy == "most_frequent" else (said.source.min() != said.source.max()).cast("int64")
    said = said.group_by("person_id", same).agg(**{votes: count})
    joined = rows.mutate(**{same: _same(rows, unit)}).left_join(said, ["person_id", same])
    return joined.drop("person_id_right", f"{same}_right")


def _same(rows: ir.Table, unit: str) -> ir.Value:
    """Return what equal values have in common: texts without case and spaces, dates and times as they are."""
    words = [rows[name] for name in _members(unit)]
    if not words[0].type().is_string():
        return words[0]
    words = [ibis.coalesce(word, "") for word in words]
    return ibis.literal("\x1f").join(words).lower().replace(" ", "").replace("\N{NO-BREAK SPACE}", "")


def _order(rows: ir.Table, unit: str, strategy: str, source_order: Sequence[str]) -> list[ir.Value]:
    """Return what the best row for a unit is the least of, most important first."""
    order = []
    if unit == "name":
        full = rows.last_name.notnull() & rows.first_name.notnull() & ~rows.first_name.re_search(_INITIALS)
        order.append(ibis.cases((full, 0), (rows.last_name.notnull(), 1), else_=2))
    elif unit == "address":
        place = rows.postcode.notnull() | rows.city.notnull()
        order.append(ibis.cases((rows.street.notnull() & place, 0), (rows.street.notnull() | place, 1), else_=2))
    if strategy == "source_order":
        places = [(rows.source == name, i) for i, name in enumerate(source_order)]
        order += [ibis.cases(*places, else_=len(places)) if places else ibis.literal(0), rows.source]
    elif strategy == "earliest":
        order.append(ibis.coalesce(rows.created_at, rows.updated_at, _NEVER))
    elif strategy in ("most_frequent", "verified"):
        order.append(-rows[f"_votes_{unit}"])
    if unit == "name":
        second = ibis.coalesce(rows.updated_at.epoch_seconds(), _LONG_AGO)
        order += [-second, -ibis.coalesce(rows.first_name.length(), 0)]
    return [*order, rows["_age"]]


def _winner(rows: ir.Table, unit: str, order: list[ir.Value]) -> ir.StructValue:
    whole = {name: rows[name] for name in _members(unit)} | {"source": rows.source, "at": rows.updated_at}
    best = ibis.struct({f"k{i}": value for i, value in enumerate(order)}) if len(order) > 1 else order[0]
    return ibis.struct(whole).argmin(best, where=_is_known(rows, unit))


def _columns(winners: ir.Table) -> dict[str, ir.Value]:
    columns = {}
    for name in _ATTRIBUTES:
        won = winners[next((unit for unit, members in UNITS.items() if name in members), name)]
        columns[name] = won[name]
        # A part that the winning row lacks (an address without a country) has no source either.
        columns[f"{name}_source"] = ibis.ifelse(won[name].notnull(), won["source"], ibis.null("string"))
        columns[f"{name}_at"] = ibis.ifelse(won[name].notnull(), won["at"], ibis.null("timestamp"))
    return columns
