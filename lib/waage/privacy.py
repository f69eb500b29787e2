"""What may be shown and what may leave: small groups, objections to profiling, the customer file."""

import ibis
import ibis.expr.types as ir
import pandas as pd

CUSTOMER_FILE = {
    "persons": ("person_id",),
    "rfm": ("recency_days", "frequency", "monetary", "r", "f", "m", "segment", "lifecycle"),
    "clv": (
        "p_alive",
        "p_order_90d",
        "expected_orders",
        "expected_order_value",
        "value_12m",
        "clv",
        "clv_low",
        "clv_high",
    ),
}
"""What may leave the workbench about one person. Nothing here is derived from answers of a person."""


def mask_small(table: pd.DataFrame, count: str, *values: str, min_cell: int) -> pd.DataFrame:
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

    Returns
    -------
    DataFrame
        A copy; hidden numbers are NaN. Empty groups (0) stay: nobody is in them.
    """
    size = table[count].astype(float)
    hidden = (size > 0) & (size < min_cell)
    left = (size >= min_cell).sum()
    if hidden.any() and size[hidden].sum() < min_cell and left:
        hidden |= size.index == size[size >= min_cell].idxmin()
    masked = table.copy()
    for name in (count, *values):
        masked[name] = masked[name].astype(float).mask(hidden)
    return masked


def may_profile(table: ir.Table, person_consents: ir.Table | None) -> ir.Table:
    """Leave out persons who object to profiling; they count in totals only.

    Parameters
    ----------
    table : ibis table
        With a column person_id.
    person_consents : ibis table or None
        person_id, purpose, channel, status; None where a study has no consents.
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
        The columns of `CUSTOMER_FILE`, and may_profile.
    """
    table = persons.select("person_id")
    for name, part in (("rfm", rfm), ("clv", clv)):
        if part is not None:
            columns = [column for column in CUSTOMER_FILE[name] if column in part.columns]
            allowed = may_profile(part, person_consents).select("person_id", *columns)
            table = table.left_join(allowed, "person_id").drop("person_id_right")
    if person_consents is None:
        return table.mutate(may_profile=ibis.literal(True))
    objectors = _objectors(person_consents).mutate(_objects=ibis.literal(True))
    table = table.left_join(objectors, "person_id").drop("person_id_right")
    return table.mutate(may_profile=ibis._["_objects"].isnull()).drop("_objects")


def _objectors(person_consents: ir.Table) -> ir.Table:
    acts = person_consents.filter(
        (person_consents.purpose == "profiling") & person_consents.status.isin(["objected", "withdrawn"])
    )
    return acts.select("person_id").distinct()
