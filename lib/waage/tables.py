"""The canonical input tables as data (columns, kinds, keys, rules) and the keys of the result tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis.expr.types as ir

from waage.errors import WaageError, did_you_mean


@dataclass(frozen=True)
class Column:
    """One column: its kind decides the type, `required` whether NULL is a fault.

    kind: id or text (strings), time (naive UTC), date (local day), money (DECIMAL(18,4)), number
    (DOUBLE), count (whole number). `past` times must not lie after the extract's last day.
    """

    name: str
    kind: str = "text"
    required: bool = False
    past: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A reason for quarantine and the boolean that must hold for a row to escape it."""

    reason: str
    holds: Callable[[ir.Table], ir.BooleanValue]


@dataclass(frozen=True)
class Table:
    """A canonical input table."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    open_columns: bool = False  # further numeric columns are kept (control variables)
    parent: tuple[str, tuple[str, ...]] | None = None  # rows must belong to an accepted row there
    strict: bool = False  # a single faulty row stops the run: it might be an objection

    def column(self, name: str) -> Column | None:
        """Return the column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


def _columns(text: str, kinds: Mapping[str, str] | None = None, past: str = "", **values) -> tuple[Column, ...]:
    """Read "name*" words: a star is required; kinds maps names to kinds, the rest are ids or text."""
    columns = []
    for word in text.split():
        name, required = word.rstrip("*"), word.endswith("*")
        guess = "id" if name in _IDS or name.endswith("_id") else "text"
        kind = (kinds or {}).get(name, guess)
        columns.append(Column(name, kind, required, name in past.split(), tuple(values.get(name, "").split())))
    return tuple(columns)


_IDS = {"source", "phone", "postcode", "line", "item", "unit", "instrument"}


def _kinds(**groups: str) -> dict[str, str]:
    return {name: kind for kind, names in groups.items() for name in names.split()}


def _not_negative(*names: str) -> tuple[Rule, ...]:
    return tuple(Rule(f"{name} is negative", lambda t, name=name: t[name].isnull() | (t[name] >= 0)) for name in names)


def _ordered(first: str, second: str) -> Rule:
    return Rule(
        f"{second} lies before {first}",
        lambda t: t[first].isnull() | t[second].isnull() | (t[first] <= t[second]),
    )


_CONSENT_CHANNELS = "email phone sms push post"

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "identities",
            ("source", "source_id", "updated_at"),
            _columns(
                "source* source_id* updated_at created_at salutation title first_name last_name email phone street "
                "postcode city country birth_date gender loyalty_id device_id account_type acquisition_channel",
                _kinds(time="updated_at created_at", date="birth_date"),
                past="updated_at created_at",
                account_type="private business staff",
            ),
        ),
        Table(
            "orders",
            ("source", "order_id"),
            _columns(
                "source* order_id* source_id ordered_at* channel* revenue* status discount device coupon_code store_id",
                _kinds(time="ordered_at", money="revenue discount"),
                past="ordered_at",
                status="placed shipped cancelled",
            ),
            _not_negative("revenue"),
        ),
        Table(
            "order_lines",
            ("source", "order_id", "line"),
            _columns(
                "source* order_id* line* product_id category brand quantity revenue seller margin",
                _kinds(money="quantity revenue margin"),
                seller="own partner",
            ),
            _not_negative("quantity", "revenue"),
            parent=("orders", ("source", "order_id")),
        ),
        Table(
            "returns",
            ("source", "return_id"),
            _columns(
                "source* return_id* returned_at* amount* order_id line product_id quantity reason",
                _kinds(time="returned_at", money="amount quantity"),
                past="returned_at",
            ),
            _not_negative("amount", "quantity"),
        ),
        Table(
            "events",
            ("event_id",),
            _columns(
                "event_id* source* source_id occurred_at* event* session_id device_id device product_id category "
                "channel",
                _kinds(time="occurred_at"),
                past="occurred_at",
                event="visit view cart search open click scan",
            ),
        ),
        Table(
            "responses",
            ("instrument", "response_id", "item"),
            _columns(
                "instrument* response_id* item* value text source source_id unit touchpoint responded_at* weight",
                _kinds(time="responded_at", number="value weight"),
                past="responded_at",
            ),
            (Rule("weight is not positive", lambda t: t.weight.isnull() | (t.weight > 0)),),
        ),
        Table(
            "items",
            ("instrument", "item"),
            _columns(
                "instrument* item* kind* construct label label_de scale_min scale_max best missing_codes",
                _kinds(number="scale_min scale_max"),
                kind="scale binary nominal best worst comment trait",
                best="min max",
            ),
            (
                Rule(
                    "scale_min is not below scale_max",
                    lambda t: t.scale_min.isnull() | t.scale_max.isnull() | (t.scale_min < t.scale_max),
                ),
            ),
        ),
        Table(
            "invitations",
            ("instrument", "day", "unit"),
            _columns(
                "instrument* day* unit invited* started completed",
                _kinds(date="day", count="invited started completed"),
                past="day",
            ),
            (
                *_not_negative("invited", "started", "completed"),
                Rule(
                    "more answers than invitations",
                    lambda t: (t.completed <= t.invited).fill_null(True) & (t.started <= t.invited).fill_null(True),
                ),
            ),
        ),
        Table(
            "reference_mix",
            ("instrument", "trait", "level"),
            _columns("instrument* trait* level* share*", _kinds(number="share")),
            (Rule("share is not between 0 and 1", lambda t: t.share.between(0, 1)),),
        ),
        Table(
            "consents",
            # The status belongs to the key: two acts of one moment that contradict each other are both kept,
            # and the more restrictive one wins.
            ("source", "source_id", "purpose", "channel", "contact_point", "changed_at", "status"),
            _columns(
                "source* source_id* purpose* channel changed_at* status* contact_point legal_basis",
                _kinds(time="changed_at"),  # may lie after data_until: the newest objection counts
                purpose="advertising profiling survey ads",
                channel=_CONSENT_CHANNELS,
                status="granted withdrawn objected",
            ),
            strict=True,
        ),
        Table("units", ("unit",), _columns("unit* label category device")),
        Table(
            "performance",
            ("unit", "week"),
            _columns(
                "unit* week* visits* orders* demand* tracking_share",
                _kinds(date="week", count="visits orders", money="demand", number="tracking_share"),
                past="week",
            ),
            (
                *_not_negative("visits", "orders", "demand"),
                Rule("week is not a Monday", lambda t: t.week.day_of_week.index() == 0),
            ),
            open_columns=True,
        ),
        Table(
            "incidents",
            ("incident_id",),
            _columns("incident_id* started_at* ended_at unit kind*", _kinds(time="started_at ended_at")),
            (_ordered("started_at", "ended_at"),),
        ),
        Table(
            "campaigns",
            ("campaign_id",),
            _columns(
                "campaign_id* name channel starts_at ends_at incentive cost",
                _kinds(time="starts_at ends_at", money="cost"),
            ),
            (_ordered("starts_at", "ends_at"), *_not_negative("cost")),
        ),
        Table(
            "contacts",
            ("campaign_id", "source", "source_id", "contacted_at"),
            _columns(
                "campaign_id* source* source_id* contacted_at* treated*",
                _kinds(time="contacted_at", count="treated"),
                past="contacted_at",
            ),
            (Rule("treated is neither 0 nor 1", lambda t: t.treated.isin([0, 1])),),
        ),
    )
}

RESULTS: dict[str, tuple[str, ...]] = {
    "quarantine": ("table", "key", "reason", "row"),
    "ingest_report": ("table", "reason"),
    "edges": ("source_a", "source_id_a", "source_b", "source_id_b", "rule"),
    "identity_map": ("source", "source_id"),
    "identity_changes": ("change_no", "change", "person_id", "other_id"),
    "households": ("person_id",),
    "unification_report": ("measure", "group"),
    "persons": ("person_id",),
    "person_consents": ("person_id", "purpose", "channel", "contact_point"),
    "customer_orders": ("source", "order_id"),
    "rfm": ("person_id",),
    "rfm_migration": ("from_segment", "to_segment"),
    "segments": ("segment",),
    "types": ("person_id",),
    "type_profiles": ("type", "variable", "level"),
    "typing_report": ("part", "item", "measure"),
    "findings": ("id",),
    "personas": ("type", "language"),
    "clv": ("person_id",),
    "clv_backtest": ("window", "model", "metric"),
    "clv_model": ("window", "time_unit", "model", "parameter"),
    "ix_scores": ("unit", "week"),
    "ix_by_group": ("split", "group", "instrument"),
    "ix_effects": ("method", "outcome"),
    "ix_checks": ("check",),
    "ix_value": ("unit", "measure"),
    "ix_drivers": ("kind", "unit", "item"),
    "customer_base": ("month", "measure", "group"),
    "cohorts": ("cohort", "age"),
    "customer_file": ("person_id",),
}
"""Keys of the tables that notebooks write: one row for each, and the order on disk."""


def key_of(name: str) -> tuple[str, ...]:
    """Return the key columns of an input or result table; WaageError for an unknown name."""
    if name in TABLES:
        return TABLES[name].key
    if name in RESULTS:
        return RESULTS[name]
    raise WaageError(f"No table is called {name!r}{did_you_mean(name, [*TABLES, *RESULTS])}")
