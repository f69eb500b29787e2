"""The check that splits a source's rows into accepted rows of canonical type and quarantined rows.

The tables themselves are data in `waage.tables`. Nothing is dropped: rows in = accepted + quarantined.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import add

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.errors import WaageError, did_you_mean
from waage.history import local_day, to_utc
from waage.tables import TABLES, Column, Table

EARLIEST = date(1990, 1, 1)
"""Events before this day are some system's default date (1900, 1970), not events. A judgement."""

EXAMPLES = 3
_ZONED = r"\d:\d\d.*(Z| ?UTC| ?GMT|[+-]\d\d(:?\d\d)?)$"
_NAIVE = r"^[0-9T :./-]+$"
_RAW = "_raw_"
_KEY = "has the same"


@dataclass(frozen=True)
class Limits:
    """What a study says about time: where days are cut, and the extract's last complete day."""

    time_zone: str
    data_until: date
    earliest: date = EARLIEST


class ContractError(WaageError):
    """A source cannot be read as its table at all; the text lists every fault."""


@dataclass(frozen=True)
class Checked:
    """A table after its check.

    Attributes
    ----------
    name : str
    accepted : ibis table
        The good rows, canonical columns and types only.
    quarantined : ibis table
        The others: table, key, reason, row (JSON of texts).
    rows_in, rows_accepted, rows_quarantined, rows_excluded : int
        rows_in = rows_accepted + rows_quarantined; excluded rows are those of the quarantined that
        the source itself set aside by `quarantine_reason`, and of those that belong to one.
    summary : DataFrame
        One row a reason: reason, rows, examples. A row that breaks two rules counts in both.
    """

    name: str
    accepted: ir.Table
    quarantined: ir.Table
    rows_in: int
    rows_accepted: int
    rows_quarantined: int
    rows_excluded: int
    summary: pd.DataFrame
    set_aside: ir.Table | None = None  # keys of the excluded rows

    @property
    def fault_share(self) -> float:
        """Share of rows (0 to 1) that break a rule, among those the source did not set aside."""
        judged = self.rows_in - self.rows_excluded
        return (self.rows_quarantined - self.rows_excluded) / judged if judged else 0.0

    @property
    def faults(self) -> str:
        """The summary as indented lines of text, for an error message."""
        lines = [
            f"{row.reason}: {row.rows:,} rows" + (f", e.g. {row.examples}" if row.examples else "")
            for row in self.summary.itertuples()
        ]
        return "".join(f"\n  - {line}" for line in lines)


def check(raw: ir.Table, name: str, limits: Limits, parents: Mapping[str, Checked] | None = None) -> Checked:
    """Split the rows of a source by the rules of a canonical table.

    Parameters
    ----------
    raw : ibis table
        What the source yields: canonical column names, castable types, optionally `quarantine_reason`
        (a row where it is not NULL goes to quarantine with that reason). Texts and ids lose outer
        blanks; what is blank then counts as NULL. Naive times are read in the study's time zone.
    name : str
        A key of `waage.tables.TABLES`.
    limits : Limits
    parents : mapping of table name to Checked, optional
        The tables that rows of `name` belong to (order lines to orders), checked before.

    Raises
    ------
    ContractError
        When columns are missing, unknown or of a hopeless type; all of them are named.
    """
    table = TABLES[name]
    _check_columns(raw, table)
    typed, faults = _typed(raw, table, limits)
    # One bit a fault, so that a row's faults fit one integer and texts are built for bad rows alone.
    bits = [ibis.ifelse(fault.bad.fill_null(False), 1 << i, 0).cast("int64") for i, fault in enumerate(faults)]
    marked = typed.mutate(_mask=ibis.ifelse(typed["_aside"].notnull(), 0, reduce(add, bits)))
    is_bad = (marked["_mask"] != 0) | marked["_aside"].notnull()
    originals = {name.removeprefix(_RAW): marked[name] for name in marked.columns if name.startswith(_RAW)}
    marked = marked.mutate(_json=ibis.ifelse(is_bad, _json(originals), ibis.null("string")), _row=ibis.row_number())
    marked = marked.drop(*(_RAW + name for name in originals)).cache()

    good = marked.filter(marked["_json"].isnull())
    related = _relations(good, table, (parents or {}).get(table.parent[0]) if table.parent else None)
    if related is not None:
        marked = marked.left_join(related, "_row").drop("_row_right")
    else:
        marked = marked.mutate(_relation=ibis.null("string"), _follows=ibis.literal(False))
    return _split(marked, table, faults)


def _check_columns(raw: ir.Table, table: Table) -> None:
    known = [column.name for column in table.columns]
    faults = [
        f"column {column.name!r} is missing"
        for column in table.columns
        if column.required and column.name not in raw.columns
    ]
    for name in raw.columns:
        column, dtype = table.column(name), raw[name].type()
        if column is not None and column.kind == "id" and dtype.is_floating():
            faults.append(f"column {name!r} is {dtype}, but ids are texts: CAST({name} AS BIGINT) in the source")
        elif column is not None and column.kind in ("money", "number") and dtype.is_boolean():
            faults.append(f"column {name!r} is boolean, but it holds {_WORDS[column.kind]}s")
        elif column is None and name != "quarantine_reason" and not (table.open_columns and dtype.is_numeric()):
            faults.append(f"column {name!r} is unknown{did_you_mean(name, known)}")
    if faults:
        listed = "".join(f"\n  - {fault}" for fault in faults)
        raise ContractError(
            f"{table.name}: the source does not fit the table{listed}\n  its columns are: {', '.join(known)}"
        )


@dataclass(frozen=True)
class _Fault:
    reason: str
    bad: ir.BooleanValue
    column: str | None = None


def _typed(raw: ir.Table, table: Table, limits: Limits) -> tuple[ir.Table, list[_Fault]]:
    """Cast to canonical types beside the originals, and name each column's faults as booleans."""
    present = {column.name: column for column in table.columns if column.name in raw.columns}
    open_names = [name for name in raw.columns if name not in present and name != "quarantine_reason"]
    columns = {name: _cast(raw[name], column, limits) for name, column in present.items()}
    columns |= {name: raw[name].cast("float64") for name in open_names}
    # Columns the source does not have are NULL, so that every study's table has the same columns.
    columns |= {c.name: ibis.null(_DTYPES[c.kind]) for c in table.columns if c.name not in present}
    order = [column.name for column in table.columns] + open_names
    # Originals travel uncast: only a quarantined row is ever written out as text.
    originals = {
        _RAW + name: _text(raw[name]) if raw[name].type().is_string() else raw[name]
        for name in raw.columns
        if name != "quarantine_reason"
    }
    aside = _text(raw.quarantine_reason) if "quarantine_reason" in raw.columns else ibis.null("string")
    typed = raw.select(**{name: columns[name] for name in order}, **originals, _aside=aside)

    faults = []

    def fault(reason: str, bad: ir.BooleanValue, column: str | None) -> None:
        faults.append(_Fault(reason, bad, column))

    for name, column in present.items():
        value, original = typed[name], typed[_RAW + name]
        if column.required:
            fault(f"{name} is missing", original.isnull(), name)
        if column.kind not in ("id", "text"):
            fault(f"{name} is not a {_WORDS[column.kind]}", original.notnull() & value.isnull(), name)
        if column.values:
            fault(f"{name} is none of {', '.join(column.values)}", value.notin(column.values), name)
        if column.past:
            day = local_day(value, limits.time_zone) if column.kind == "time" else value
            fault(f"{name} lies after data_until {limits.data_until}", day > limits.data_until, name)
            fault(f"{name} lies before {limits.earliest}", day < limits.earliest, name)
    for rule in table.rules:
        fault(rule.reason, ~rule.holds(typed), next((c for c in present if c in rule.reason.split()), None))
    return typed, faults


_DTYPES = {
    "id": "string",
    "text": "string",
    "time": "timestamp",
    "date": "date",
    "money": "decimal(18, 4)",
    "number": "float64",
    "count": "int64",
}
_WORDS = {
    "time": "time",
    "date": "date",
    "money": "number of DECIMAL(18,4)",
    "number": "finite number",
    "count": "whole number",
}


def _text(value: ir.Value) -> ir.StringValue:
    return value.cast("string").strip().nullif("")


def _cast(value: ir.Value, column: Column, limits: Limits) -> ir.Value:
    """Cast to the column's type; what cannot be cast becomes NULL."""
    dtype = value.type()
    if column.kind in ("id", "text"):
        return _text(value)
    if dtype.is_string():
        value = value.strip().nullif("")
    if column.kind == "time":
        if dtype.is_string():
            zoned = value.try_cast("timestamp('UTC')").cast("timestamp")
            naive = to_utc(value.try_cast("timestamp"), limits.time_zone)
            return ibis.cases((value.re_search(_ZONED), zoned), (value.re_search(_NAIVE), naive))
        if dtype.is_timestamp() and dtype.timezone is not None:
            return value.cast("timestamp")
        return to_utc(value.try_cast("timestamp"), limits.time_zone)
    if column.kind == "date":
        if dtype.is_timestamp() and dtype.timezone is not None:
            return local_day(value.cast("timestamp"), limits.time_zone)
        return value.try_cast("date")
    if column.kind == "count":
        number = value.try_cast("float64")
        return ibis.ifelse(number == number.floor(), value.try_cast("int64"), ibis.null("int64"))
    if column.kind == "number":
        number = value.try_cast("float64")
        return ibis.ifelse(number.isnan() | number.isinf(), ibis.null("float64"), number)
    return value.try_cast(_DTYPES[column.kind])


def _json(columns: Mapping[str, ir.Value]) -> ir.StringValue:
    """Return a row as JSON; all values are texts, so that NaN and infinities stay legal JSON."""
    return ibis.struct({name: value.cast("string") for name, value in columns.items()}).cast("json").cast("string")


def _relations(good: ir.Table, table: Table, parent: Checked | None) -> ir.Table | None:
    """Return (_row, _relation, _follows) for rows at odds with other rows; None where there are none.

    A row without its parent; a copy of a row that is already there; rows that share a key and contradict
    each other (all of them: to keep one would be a guess).
    """
    found = []
    if parent is not None:
        name, key = table.parent
        accepted = parent.accepted.select(*key)
        orphans = good.anti_join(accepted, key)
        if orphans.count().execute():
            aside = parent.set_aside.select(*key).distinct().mutate(_aside_parent=True)
            orphans = orphans.left_join(aside, key)
            follows = orphans["_aside_parent"].fill_null(False)
            reason = ibis.literal(f"belongs to no accepted row of {name}")
            found.append(orphans.select("_row", _relation=reason, _follows=follows))
            good = good.semi_join(accepted, key)
    repeated = good.group_by(*table.key).agg(_n=good.count()).filter(ibis._["_n"] > 1)
    if repeated.count().execute():
        content = [name for name in good.columns if not name.startswith("_")]
        rows = good.mutate(_content=_json({name: good[name] for name in content}))
        same_key = ibis.window(group_by=list(table.key))
        rows = rows.mutate(
            _distinct=rows["_content"].nunique().over(same_key),
            _copy=ibis.row_number().over(ibis.window(group_by=[*table.key, "_content"], order_by="_row")),
        )
        relation = ibis.cases(
            (rows["_distinct"] > 1, f"{_KEY} {', '.join(table.key)} as a row of other content"),
            (rows["_copy"] > 0, "is an exact copy of another row"),
        )
        rows = rows.select("_row", _relation=relation, _follows=ibis.literal(False))
        found.append(rows.filter(rows["_relation"].notnull()))
    return ibis.union(*found).cache() if len(found) > 1 else found[0].cache() if found else None


def _split(marked: ir.Table, table: Table, faults: list[_Fault]) -> Checked:
    content = [name for name in marked.columns if not name.startswith("_")]
    is_good = marked["_json"].isnull() & marked["_relation"].isnull()
    accepted = marked.filter(is_good).select(*content)
    bad = marked.filter(~is_good)
    broken = [ibis.ifelse((bad["_mask"] & (1 << i)) != 0, f"; {fault.reason}", "") for i, fault in enumerate(faults)]
    rule_text = reduce(add, broken, ibis.literal("")).substr(2).nullif("")
    bad = bad.mutate(
        table=ibis.literal(table.name),
        key=_key_text(bad, table.key),
        reason=ibis.coalesce(bad["_aside"], bad["_relation"], rule_text),
        row=ibis.coalesce(bad["_json"], _json({name: bad[name] for name in content})),
    ).cache()
    counts = marked.aggregate(
        rows_in=marked.count(),
        accepted=is_good.sum(),
        excluded=(marked["_aside"].notnull() | marked["_follows"]).sum(),
        **{f"_{i}": ((marked["_mask"] & (1 << i)) != 0).sum() for i in range(len(faults))},
    ).execute()
    counts = {name: int(value) if pd.notna(value) else 0 for name, value in counts.iloc[0].items()}

    summary = []
    for i, fault in enumerate(faults):
        if counts[f"_{i}"]:
            rows = bad.filter((bad["_mask"] & (1 << i)) != 0)
            summary.append((fault.reason, counts[f"_{i}"], _examples(rows, table, fault.column)))
    other = bad.filter((bad["_mask"] == 0) | bad["_relation"].notnull())
    for reason, rows in sorted(other.group_by("reason").agg(n=other.count()).execute().itertuples(index=False)):
        summary.append((reason, int(rows), _examples(other.filter(other["reason"] == reason), table, None)))
    return Checked(
        name=table.name,
        accepted=accepted,
        quarantined=bad.select("table", "key", "reason", "row"),
        rows_in=counts["rows_in"],
        rows_accepted=counts["accepted"],
        rows_quarantined=counts["rows_in"] - counts["accepted"],
        rows_excluded=counts["excluded"],
        summary=pd.DataFrame(summary, columns=["reason", "rows", "examples"]),
        set_aside=marked.filter(marked["_aside"].notnull()).select(*table.key),
    )


def _key_text(rows: ir.Table, key: tuple[str, ...]) -> ir.StringValue:
    parts = [ibis.coalesce(rows[name].cast("string"), "") for name in key]
    return ibis.literal("|").join(parts)


def _examples(rows: ir.Table, table: Table, column: str | None) -> str:
    """Return a few keys and values, without what may tell who a person is: this text stands in reports."""
    about = table.column(column) if column else None
    harmless = about is not None and (about.kind in ("time", "money", "number", "count") or about.values)
    has_key = not {"source_id", "response_id"} & set(table.key)
    if not (has_key or harmless):
        return ""
    found = rows.order_by("key", "row").limit(EXAMPLES).select("key", "row").execute()
    shown = []
    for key, row in found.itertuples(index=False):
        value = str(json.loads(row).get(column)) if harmless else ""
        value = f"{column} = {value}" if value and "@" not in value else ""
        shown.append(" ".join(part for part in (repr(key) if has_key else "", f"({value})" if value else "") if part))
    return ", ".join(part for part in shown if part)
