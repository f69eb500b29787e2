"""What may be shown and what may leave: small groups, objections to profiling, the customer file."""

import ibis
import ibis.expr.types as ir
import pandas as pd

CUSTOMER_FILE = {
    "rfm": {
        "recency_days": "int64",
        "frequency": "int64",
        "monetary": "decimal(18, 4)",
        "r": "int64",
        "f": "int64",
        "m": "int64",
        "segment": "string",
        "lifecycle": "string",
    },
    "clv": {
        "p_alive": "float64",
        "p_order_90d": "float64",
        "expected_orders": "float64",
        "expected_order_value": "float64",
        "value_12m": "float64",
        "clv": "float64",
        "clv_low": "float64",
        "clv_high": "float64",
    },
}
"""What may leave the workbench about one person. Nothing here is derived from answers of a person."""


def mask_small(table: pd.DataFrame, count: str, *values: str, min_cell: int, others: int = 0) -> pd.DataFrame:
    """Hide groups that are too small to be shown.

    A hidden group could be had again as the total minus the others; where the hidden groups together stay
    under `min_cell`, the smallest group left is hidden with them.

    Parameters
    ----------
    table : DataFrame
        One row a group.
    count : str
        The column with the group's size in persons.
    *values : str
        Columns to hide with it.
    min_cell : int
    others : int
        Persons in no group who are part of totals shown elsewhere (those who object to profiling): a group of
        their own, never shown.

    Returns
    -------
    DataFrame
        A copy; hidden numbers are NaN. Empty groups (0) stay: nobody is in them.
    """
    size = table[count].astype(float)
    hidden = (size > 0) & (size < min_cell)
    left = (size >= min_cell).sum()
    unseen = size[hidden].sum() + others
    if 0 < unseen < min_cell and left:
        hidden |= size.index == size[size >= min_cell].idxmin()
    masked = table.copy()
    for name in (count, *values):
        masked[name] = masked[name].astype(float).mask(hidden)
    return masked


def may_profile(table: ir.Table, person_consents: ir.Table | None) -> ir.Table:
    """Leave out persons who object to profiling or have withdrawn their consent to it; they count in totals only.

    A person has one profile, whatever the channel: whoever objects or withdraws for one channel or contact point
    is left out altogether. A later grant for one channel does not end an objection; one for all channels does.

    Parameters
    ----------
    table : ibis table
        With a column person_id.
    person_consents : ibis table or None
        person_id, purpose, channel, contact_point, status; None where a study has no consents.
    """
    if person_consents is None:
        return table
    return table.anti_join(_objectors(person_consents), "person_id")


def customer_file(
    persons: ir.Table,
    rfm: ir.Table | None = None,
    clv: ir.Table | None = None,
    person_consents: ir.Table | None = None,
) -> ir.Table:
    """Return one row a person with what may leave the workbench.

    Parameters
    ----------
    persons, rfm, clv : ibis tables
        Results; those that are not there leave their columns NULL.
    person_consents : ibis table or None
        Persons who object to profiling keep their row, without segment, score or value.

    Returns
    -------
    ibis table
        person_id, the columns of `CUSTOMER_FILE`, may_profile (NULL: the study holds no consents, so nothing is known).
    """
    table = persons.select("person_id")
    for part, columns in ((rfm, CUSTOMER_FILE["rfm"]), (clv, CUSTOMER_FILE["clv"])):
        if part is None:
            table = table.mutate(**{name: ibis.null(dtype) for name, dtype in columns.items()})
        else:
            allowed = may_profile(part, person_consents)
            allowed = allowed.select("person_id", **{name: allowed[name].cast(dt) for name, dt in columns.items()})
            table = table.left_join(allowed, "person_id").drop("person_id_right")
    if person_consents is None:
        return table.mutate(may_profile=ibis.null("boolean"))
    objectors = _objectors(person_consents).mutate(_objects=ibis.literal(True))
    table = table.left_join(objectors, "person_id").drop("person_id_right")
    return table.mutate(may_profile=ibis._["_objects"].isnull()).drop("_objects")


def _objectors(person_consents: ir.Table) -> ir.Table:
    acts = person_consents.filter(
        (person_consents.purpose == "profiling") & person_consents.status.isin(["objected", "withdrawn"])
    )
    return acts.select("person_id").distinct()
