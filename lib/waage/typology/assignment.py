"""The types of any number of customers from a stored model: a logit is a SELECT.

The engine computes every probability from the stored coefficients, so that 100 million customers need no loop and
the same table gives the same bits every time.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from ibis.util import gen_name

from waage.stats import psi
from waage.typology.typing_model import Scale, TypingModel, require_features

#: Smallest probability of the bands, best first; below the last a customer's type is unclear.
BANDS = {"sure": 0.7, "likely": 0.5}
#: PSI below the first is stable, below the second worth a look, above it another population (Siddiqi 2006).
DRIFT = (0.1, 0.25)
#: Respondents the overall mix counts for in a channel's prior (a judgement).
PRIOR_WEIGHT = 50

_BINS = 10


def assign(
    features: ir.Table,
    model: TypingModel,
    priors: Mapping[str, Sequence[float]] | None = None,
    *,
    channel: str = "acquisition_channel",
    history: str = "frequency",
) -> ir.Table:
    """Return every customer's probabilities, type and band, lazily.

    Parameters
    ----------
    features : ibis table
        person_id and the model's features, see `behaviour`; other columns are ignored.
    model : TypingModel
    priors : mapping from channel to K floats, optional
        In place of the model's.
    channel : str
        Column with the channel a person came by; without it everybody without history gets the overall prior.
    history : str
        Column that is 0 or NULL for persons without history; without it everybody has one.

    Returns
    -------
    ibis table
        person_id, p_1..p_K (sum 1), type (the first of the most probable), band (sure, likely, unclear). Persons
        without history have their channel's prior, or the overall one, and are unclear.

    Raises
    ------
    WaageError
        If a feature is missing.
    """
    require_features(model.scales, features.columns)
    kinds, priors = range(len(model.types)), model.priors if priors is None else priors
    # Each stage has a name of its own: Ibis would copy an unnamed one into the next, five times over.
    known = (
        (_missing_as_null(features[history]) > 0).fill_null(False)
        if history in features.columns
        else ibis.literal(True)
    )
    came = features[channel] if channel in features.columns else ibis.null("string")
    inputs = {f"x_{i}": _scaled(features[name], scale) for i, (name, scale) in enumerate(model.scales.items())}
    rows = features.select("person_id", known=known, came=came, **inputs).alias(gen_name("inputs"))
    x = [rows[name] for name in inputs]
    rows = rows.select("person_id", "known", "came", **{f"s_{k}": _score(model, k, x) for k in kinds})
    rows = rows.alias(gen_name("scores"))
    top = ibis.greatest(*(rows[f"s_{k}"] for k in kinds))
    rows = rows.select("person_id", "known", "came", **{f"e_{k}": (rows[f"s_{k}"] - top).exp() for k in kinds})
    rows = rows.alias(gen_name("odds"))
    total = reduce(add, (rows[f"e_{k}"] for k in kinds))
    shares = {}
    for k in kinds:
        prior = ibis.literal(model.prior[k], "float64")
        if priors:
            prior = ibis.cases(
                *((rows.came == name, ibis.literal(float(p[k]), "float64")) for name, p in priors.items()), else_=prior
            )
        shares[f"p_{k + 1}"] = ibis.ifelse(rows.known, rows[f"e_{k}"] / total, prior)
    rows = rows.select("person_id", "known", **shares).alias(gen_name("probabilities"))
    p = [rows[name] for name in shares]
    top = ibis.greatest(*p)
    band = ibis.cases(*((rows.known & (top >= least), name) for name, least in BANDS.items()), else_="unclear")
    kind = ibis.cases(
        *((value == top, name) for value, name in zip(p[:-1], model.types, strict=False)), else_=model.types[-1]
    )
    return rows.select("person_id", *shares, type=kind, band=band)


def expected_shares(types: ir.Table, names: Sequence[str]) -> pd.DataFrame:
    """Return how many customers each type has: by summed probability, which is unbiased, and by the likeliest type.

    The likeliest type makes large types larger; never report sizes by it.

    Returns
    -------
    DataFrame
        type, customers (summed probability), share, assigned (customers whose likeliest type it is), unclear (of
        these). The sums are taken over decimals, so that the order of rows does not matter.
    """
    sums = {}
    for place, name in enumerate(names):
        sums[f"p{place}"] = types[f"p_{place + 1}"].cast(dt.Decimal(18, 12)).cast(dt.Decimal(38, 12)).sum()
        sums[f"n{place}"] = _count(types.type == name)
        sums[f"u{place}"] = _count((types.type == name) & (types.band == "unclear"))
    row = types.agg(**sums).to_pyarrow().to_pylist()[0]
    table = pd.DataFrame(
        {
            "type": list(names),
            "customers": [float(row[f"p{i}"] or 0) for i in range(len(names))],
            "assigned": [int(row[f"n{i}"] or 0) for i in range(len(names))],
            "unclear": [int(row[f"u{i}"] or 0) for i in range(len(names))],
        }
    )
    table.insert(2, "share", table.customers / table.customers.sum())
    return table


def drift(features: ir.Table, types: ir.Table, model: TypingModel, *, history: str = "frequency") -> pd.DataFrame:
    """Return how far customers have moved from those the model was trained on.

    Parameters
    ----------
    features, types : ibis tables
        As given to and returned by `assign`; one pass over each. Only persons with history are compared, as only
        they were trained on.

    Returns
    -------
    DataFrame
        kind (feature or probability), name, psi, band (stable, look, shifted by `DRIFT`), largest first.
    """
    if history in features.columns:
        features = features.filter(_missing_as_null(features[history]) > 0)
        types = types.semi_join(features, "person_id")
    rows = []
    scales = {name: (features[name], scale.breaks) for name, scale in model.scales.items() if scale.breaks}
    tenths = tuple(i / _BINS for i in range(1, _BINS))
    p = {f"p_{k + 1}": (types[f"p_{k + 1}"], tenths) for k in range(len(model.p_counts))}
    reference = {name: model.scales[name].counts for name in scales}
    reference |= {f"p_{k + 1}": (*counts, 0) for k, counts in enumerate(model.p_counts)}
    for kind, table, wanted in (("feature", features, scales), ("probability", types, p)):
        for name, counts in _bin_counts(table, wanted).items():
            value = psi(reference[name], counts) if sum(counts) else float("nan")
            rows.append((kind, name if kind == "feature" else model.types[int(name[2:]) - 1], value))
    found = pd.DataFrame(rows, columns=["kind", "name", "psi"])
    found["band"] = np.select([found.psi < DRIFT[0], found.psi < DRIFT[1]], ["stable", "look"], "shifted")
    found["band"] = found.band.where(found.psi.notna())
    return found.sort_values(["psi", "name"], ascending=[False, True], ignore_index=True)


def channel_priors(
    P: np.ndarray, w: np.ndarray, channel: Sequence[str | None], weight: float = PRIOR_WEIGHT, min_cell: int = 30
) -> dict[str, tuple[float, ...]]:
    """Return the mix of types by channel among respondents, drawn towards the overall mix where they are few.

    Parameters
    ----------
    P : array, shape (n, K)
        Posteriors of the types.
    w : array, shape (n,)
        Survey weights.
    channel : sequence of str or None, length n
    weight : float
        Respondents the overall mix counts for.
    min_cell : int
        `min_cell_survey`: a channel of fewer respondents has no prior of its own, which would tell their answers.
    """
    overall = w @ P / w.sum()
    w = w / w.mean()
    known = pd.Series(list(channel), dtype=object).reset_index(drop=True)
    found = {}
    counts = known.value_counts()
    for name in sorted(counts.index[counts >= min_cell]):
        mine = (known == name).to_numpy()
        mix = (w[mine] @ P[mine] + weight * overall) / (w[mine].sum() + weight)
        found[str(name)] = tuple(map(float, mix / mix.sum()))
    return found


def _scaled(column: ir.NumericValue, scale: Scale) -> ir.FloatingValue:
    value = _missing_as_null(column)
    if scale.transform != "none":
        value = ibis.greatest(value, 0.0)
        value = (value + 1.0).ln() if scale.transform == "log" else value.sqrt()
    # DuckDB's greatest and least skip NULL, so that a missing value would come back as a limit.
    inside = ibis.least(ibis.greatest(value, scale.low), scale.high)
    return ibis.ifelse(_missing_as_null(column).isnull(), 0.0, (inside - scale.mean) / scale.spread)


def _missing_as_null(column: ir.NumericValue) -> ir.FloatingValue:
    if isinstance(column.type(), dt.Floating):
        return ibis.ifelse(column.isnan(), ibis.null("float64"), column.cast("float64"))
    return column.cast("float64")


def _score(model: TypingModel, k: int, x: Sequence[ir.FloatingValue]) -> ir.FloatingValue:
    start = ibis.literal(model.intercepts[k], "float64")
    if model.trees:
        return reduce(add, (_case(tree, x) for tree in model.trees[k]), start)
    return reduce(add, (value * c for value, c in zip(x, model.coefficients[k], strict=True) if c), start)


def _case(tree: Any, x: Sequence[ir.FloatingValue]) -> ir.FloatingValue:
    if isinstance(tree, int | float):
        return ibis.literal(float(tree), "float64")
    place, threshold, left, right = tree
    return ibis.ifelse(x[place] <= threshold, _case(left, x), _case(right, x))


def _bin_counts(table: ir.Table, wanted: Mapping[str, tuple[ir.NumericColumn, Sequence[float]]]) -> dict:
    if not wanted:
        return {}
    sums = {"rows": table.count()}
    for i, (column, breaks) in enumerate(wanted.values()):
        value = _missing_as_null(column)
        sums |= {f"b{i}_{j}": _count(value <= point) for j, point in enumerate(breaks)}
        sums[f"n{i}"] = _count(value.isnull())
    row = {name: int(value or 0) for name, value in table.agg(**sums).to_pyarrow().to_pylist()[0].items()}
    found = {}
    for i, (name, (_, breaks)) in enumerate(wanted.items()):
        below = [0, *(row[f"b{i}_{j}"] for j in range(len(breaks))), row["rows"] - row[f"n{i}"]]
        found[name] = (*np.diff(below).tolist(), row[f"n{i}"])
    return found


def _count(condition: ir.BooleanValue) -> ir.IntegerScalar:
    return ibis.ifelse(condition.fill_null(False), 1, 0).sum()
