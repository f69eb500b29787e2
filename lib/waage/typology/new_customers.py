"""Types of customers in a file, from the model that a study keeps: what `waage assign` does."""

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.errors import WaageError, did_you_mean
from waage.typology.assignment import assign
from waage.typology.behaviour import SHARE, feature_label, unit
from waage.typology.customers import with_probability
from waage.typology.typing_model import TypingModel

CHANNEL = "acquisition_channel"


def stored_typing(entry: Mapping[str, Any] | None, study: str, force: bool = False) -> TypingModel:
    """Return the typing model of a kept entry (`kept_model`).

    Raises
    ------
    WaageError
        If the study keeps none, or behaviour does not carry its types and `force` is not set.
    """
    if entry is None:
        raise WaageError(
            f"study {study} keeps no types; run notebook 02 with a survey first: waage run {study} --only 02"
        )
    if "refused" in entry["typing"]:
        raise WaageError(f"study {study} has types but no typing tool: {entry['typing']['refused']}")
    model = TypingModel.from_dict(entry["typing"]["model"])
    if not (model.open or force):
        raise WaageError(
            f"study {study}: behaviour does not carry its types (see the report of notebook 02), so nobody is typed; "
            "--force types all the same"
        )
    return model


def wanted_columns(model: TypingModel) -> pd.DataFrame:
    """Return the columns a file of new customers needs.

    Returns
    -------
    DataFrame
        column, meaning; person_id first.
    """
    channels = ", ".join(model.priors) or "any"
    rows = [("person_id", "one row a person"), (CHANNEL, f"channel a person came by ({channels})")]
    rows += [(name, f"{feature_label(name)} ({unit(name)})") for name in model.scales]
    return pd.DataFrame(rows, columns=["column", "meaning"])


def type_new_customers(customers: ir.Table, model: TypingModel, barred: ir.Table | None = None) -> ir.Table:
    """Return the types of the persons of a table, one row each.

    Parameters
    ----------
    customers : ibis table
        person_id (unique), the model's features as `behaviour` defines them (NULL where unknown), acquisition_channel
        where known. Persons whose frequency is 0 or NULL get their channel's mix and are unclear.
    model : TypingModel
    barred : ibis table, optional
        person_id of those who object to profiling: they keep their row, without a type.

    Returns
    -------
    ibis table
        person_id, p_1..p_K, type, type_p, band.

    Raises
    ------
    WaageError
        Naming all columns that are missing or not numbers, and a person_id that is missing or occurs twice.
    """
    spare = [name for name in customers.columns if name not in model.scales]
    faults = []
    if "person_id" not in customers.columns:
        faults.append(f"person_id is missing{did_you_mean('person_id', spare)}")
    faults += [
        f"{name} ({feature_label(name)}) is missing{did_you_mean(name, spare)}: add it, empty where nothing is known"
        for name in model.scales
        if name not in customers.columns
    ]
    present = [name for name in model.scales if name in customers.columns]
    for name in present:
        if not customers[name].type().is_numeric():
            value = customers.filter(customers[name].notnull()).limit(1)[name].execute()
            faults.append(f"{name} holds {value.iloc[0]!r}, no number: write numbers with a decimal point" if len(value)
                          else f"{name} holds {customers[name].type()}, no numbers")  # fmt: skip
    if faults:
        raise WaageError("; ".join(faults) + "; waage assign STUDY --columns lists what is needed")
    shares = [name for name in present if unit(name) == SHARE]
    tops = customers.agg(rows=customers.count(), **{name: customers[name].max() for name in shares}).to_pyarrow()
    row = tops.to_pylist()[0]
    if not row.pop("rows"):
        raise WaageError("the file holds no customer")
    wrong = [f"{name} has values up to {value:g}" for name, value in row.items() if value is not None and value > 1]
    if wrong:
        raise WaageError(f"{'; '.join(wrong)}: shares lie between 0 and 1, not percent")
    customers = customers.mutate(person_id=customers.person_id.cast("string"))
    empty = int(customers.filter(customers.person_id.isnull()).count().execute())
    twice = customers.group_by("person_id").agg(n=customers.count())
    twice = twice.filter(twice.n > 1).order_by("person_id").limit(1).person_id.execute()
    if empty or len(twice):
        fault = f"{empty:,} rows have no person_id" if empty else f"person_id {twice.iloc[0]!r} occurs more than once"
        raise WaageError(f"{fault}; one row a person")
    typed = with_probability(assign(customers, model, channel=CHANNEL), model)
    if barred is None:
        return typed
    objects = barred.select("person_id").distinct().mutate(_objects=ibis.literal(True))
    both = typed.left_join(objects, "person_id").drop("person_id_right")
    names = [name for name in typed.columns if name != "person_id"]
    return both.select(
        "person_id", **{name: both["_objects"].ifelse(ibis.null(both[name].type()), both[name]) for name in names}
    )
