"""Every customer's type on a day, from behaviour alone: what may leave the workbench."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.errors import Refusal, Refused
from waage.privacy import mask_small
from waage.typology.assignment import BANDS, assign, drift, expected_shares
from waage.typology.behaviour import feature_label
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
    persons : int
        Rows of `table`.
    shares : DataFrame
        type, customers (summed probability), share, assigned, unclear, see `expected_shares`; revenue_share (customers
        times the corrected mean of `Types.outcomes`, because a type assigned by behaviour is a mixture; NaN without);
        column (the number of its p_). Groups under `min_cell` are hidden.
    bands : DataFrame
        band, customers; the same.
    drift : DataFrame
        kind, name, psi, band; see `drift`.
    history : ibis table
        person_id of those with orders, whose type rests on more than the channel they came by.
    """

    table: ir.Table
    persons: int
    shares: pd.DataFrame
    bands: pd.DataFrame
    drift: pd.DataFrame
    history: ir.Table


def type_customers(
    types: Types, tables: Mapping[str, ir.Table], as_of: date, zone: str, *, min_cell: int = 10, force: bool = False
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
    min_cell : int
        Smallest group of customers that figures are told of.
    force : bool
        Type customers although behaviour does not carry the types.

    Raises
    ------
    Refusal
        If there is no typing model, behaviour does not carry the types and `force` is not set, or the study has lost
        tables the model was trained on.
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
    lacking = [feature_label(name) for name in model.scales if name not in features.columns]
    if lacking:
        raise Refusal(
            f"nobody is typed: the model of {model.as_of} looks at {', '.join(lacking)}, of which the study knows "
            "nothing any more; bring the table back, or find types anew with refit_types"
        )
    features = features.cache()
    typed = with_probability(assign(features, model), model).cache()
    shares = expected_shares(typed, model.types)
    n = shares.customers.sum()
    shares["revenue_share"] = _revenue_shares(types, shares)
    shares["column"] = range(1, len(shares) + 1)
    shares = mask_small(shares, "customers", "share", "revenue_share", min_cell=min_cell)
    for name in ("assigned", "unclear"):
        shares[name] = shares[name].astype(float)
    clear = shares.assigned - shares.unclear
    small = [(part > 0) & (part < min_cell) for part in (shares.assigned, shares.unclear, clear)]
    shares.loc[small[0] | small[1] | small[2], "unclear"] = np.nan
    shares.loc[small[0], "assigned"] = np.nan
    counted = typed.group_by("band").agg(customers=typed.count()).to_pyarrow().to_pandas().set_index("band")
    bands = counted.customers.reindex([*BANDS, UNCLEAR], fill_value=0).rename_axis("band").reset_index()
    bands = mask_small(bands, "customers", min_cell=min_cell)
    history = features.filter(features.frequency > 0).select("person_id")
    return TypedCustomers(typed, round(n), shares, bands, drift(features, typed, model), history)


def _revenue_shares(types: Types, shares: pd.DataFrame) -> np.ndarray:
    if isinstance(types.outcomes, Refused):
        return np.full(len(shares), np.nan)
    means = types.outcomes.summary.query("outcome == 'net_revenue'").set_index("type")["mean"].reindex(shares.type)
    worth = shares.customers.to_numpy() * means.to_numpy()
    return worth / worth.sum()


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
    counts = types.survey.sample.counts
    few = (counts.respondents > 0) & (counts.respondents < types.min_cell)
    rows = [
        ("sample", "", str(row.measure), row.respondents)
        for row in counts[~few].itertuples()
        if not few.any() or row.measure == "usable"
    ]
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
