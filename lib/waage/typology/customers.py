"""Every customer's type on a day, from behaviour alone: what may leave the workbench."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.errors import Refusal, Refused
from waage.typology.assignment import BANDS, assign, drift, expected_shares
from waage.typology.survey import person_behaviour
from waage.typology.types import Types
from waage.typology.typing_model import TypingModel

#: The band of those whose type is not to be acted on.
UNCLEAR = "unclear"


@dataclass(frozen=True)
class TypedCustomers:
    """Types of everybody.

    Attributes
    ----------
    table : ibis table
        person_id, p_1..p_K, type, type_p (probability of that type), band (sure, likely, unclear).
    shares : DataFrame
        type, customers (summed probability), share, assigned, unclear, net_revenue (of the window, by probability),
        revenue_share; see `expected_shares`.
    bands : DataFrame
        band, customers.
    drift : DataFrame
        kind, name, psi, band; see `drift`.
    history : ibis table
        person_id of those with orders, whose type rests on more than the channel they came by.
    """

    table: ir.Table
    shares: pd.DataFrame
    bands: pd.DataFrame
    drift: pd.DataFrame
    history: ir.Table


def type_customers(
    types: Types, tables: Mapping[str, ir.Table], as_of: date, zone: str, *, force: bool = False
) -> TypedCustomers:
    """Type everybody in `persons` by what they did until the day; answers take no part, for respondents either.

    Parameters
    ----------
    types : Types
    tables : mapping of name to ibis table
        As for `read_survey`; `persons` says who is typed, without those who object to profiling.
    as_of : date
    zone : str
        Time zone of the study.
    force : bool
        Type customers although behaviour does not carry the types.

    Raises
    ------
    Refusal
        If there is no typing model, or behaviour does not carry the types and `force` is not set.
    """
    if isinstance(types.typing, Refused):
        raise Refusal(types.typing.reason)
    if not (types.typing.open or force):
        raise Refusal(types.typing.sentence())
    model, survey = types.typing.model, types.survey
    features = person_behaviour(tables, as_of, survey.channels, survey.categories, zone)
    if "acquisition_channel" in tables["persons"].columns:
        came = tables["persons"].select("person_id", "acquisition_channel")
        features = features.left_join(came, "person_id").drop("person_id_right")
    features = features.cache()
    typed = with_probability(assign(features, model), model).cache()
    known = typed.inner_join(tables["rfm"].select("person_id", "monetary"), "person_id")
    spent = known.agg(**{f"r{i}": (known[f"p_{i + 1}"] * known.monetary.cast("float64")).sum().round(2)
                         for i in range(len(model.types))}).to_pyarrow().to_pylist()[0]  # fmt: skip
    shares = expected_shares(typed, model.types)
    shares["net_revenue"] = [float(spent[f"r{i}"] or 0) for i in range(len(model.types))]
    shares["revenue_share"] = shares.net_revenue / shares.net_revenue.sum()
    counted = typed.group_by("band").agg(customers=typed.count()).to_pyarrow().to_pandas().set_index("band")
    bands = counted.customers.reindex([*BANDS, UNCLEAR], fill_value=0).rename_axis("band").reset_index()
    history = features.filter(features.frequency > 0).select("person_id")
    return TypedCustomers(typed, shares, bands, drift(features, typed, model), history)


def with_probability(typed: ir.Table, model: TypingModel) -> ir.Table:
    """Add type_p, the probability of the type, to what `assign` returns."""
    kinds = range(1, len(model.types) + 1)
    return typed.mutate(type_p=ibis.greatest(*(typed[f"p_{k}"] for k in kinds)))


def typing_report(types: Types, typed: "TypedCustomers | Refused") -> pd.DataFrame:
    """Return all figures about the types as one long table for other notebooks and pages.

    Returns
    -------
    DataFrame
        part (choice, ladder, typing, nested, type, conformal, calibration, sample, shares, bands, drift), item (number
        of types, step, type, tenth, feature; empty where there is one), measure, value, low, high.
    """
    rows = [("sample", "", str(row.measure), row.respondents) for row in types.survey.sample.counts.itertuples()]
    weights = types.survey.weights
    rows += [("sample", "", "design_effect", weights.design_effect), ("sample", "", "effective_n", weights.effective_n)]
    rows += [("sample", "", "fitted_on", types.fitted_on), ("sample", "", "agreement_kmeans", types.agreement.ari)]
    found = [_long("choice", types.choice.table.drop(columns="verdict"), "k")]
    if not isinstance(types.typing, Refused):
        tool = types.typing
        found += [_long("ladder", tool.table.drop(columns="chosen"), "step"), _long("type", tool.per_type, "type")]
        for part, values in (("typing", tool.headline), ("nested", tool.nested or {}), ("conformal", vars(tool.sets))):
            rows += [(part, "", name, value) for name, value in values.items()]
        curve = tool.calibration.assign(tenth=[f"{i + 1}" for i in range(len(tool.calibration))])
        found.append(_long("calibration", curve, "tenth"))
    if typed:
        found += [_long("shares", typed.shares, "type"), _long("bands", typed.bands, "band")]
        moved = typed.drift.assign(item=typed.drift.kind + ":" + typed.drift.name)
        found.append(_long("drift", moved[["item", "psi"]], "item"))
    found.append(pd.DataFrame(rows, columns=["part", "item", "measure", "value"]))
    table = pd.concat(found, ignore_index=True)
    table["value"] = table["value"].astype(float)
    return table.reindex(columns=["part", "item", "measure", "value", "low", "high"]).astype(
        {"low": float, "high": float}
    )


def _long(part: str, frame: pd.DataFrame, item: str) -> pd.DataFrame:
    """Return one row a measure, x_low and x_high as ends of x."""
    ends = [name for name in frame if name.endswith(("_low", "_high")) and name.rpartition("_")[0] in frame]
    rows = []
    for row in frame.to_dict("records"):
        for name, value in row.items():
            if name == item or name in ends:
                continue
            low, high = (
                row.get(f"{name}_{end}", np.nan) if f"{name}_{end}" in ends else np.nan for end in ("low", "high")
            )
            rows.append((part, str(row[item]), name, value, low, high))
    return pd.DataFrame(rows, columns=["part", "item", "measure", "value", "low", "high"])
