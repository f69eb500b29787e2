"""Cut points computed exactly from value counts: only one row per distinct value leaves the engine."""

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import numpy as np
import pyarrow.compute as pc

from waage.errors import Refusal, WaageError, did_you_mean

# Beyond this, amounts with four decimals no longer fit a double exactly.
LARGEST = 9e11


def cut_points(table: ir.Table, column: str, scores: int = 5) -> tuple[float, ...]:
    """Return the ``scores - 1`` quantiles of a column, computed exactly from its value counts.

    Parameters
    ----------
    table : ibis table
        Any number of rows; only one row per distinct value leaves the engine.
    column : str
        An integer, decimal or floating column without nulls.
    scores : int
        Number of groups; 5 gives the 20, 40, 60 and 80 % quantiles.

    Returns
    -------
    tuple of float
        Non-decreasing, in the column's unit. Linear interpolation between order statistics (type 7, the
        default of R and NumPy). Integers and decimals are interpolated in exact arithmetic, so a quantile
        that falls on a value equals that value.

    Raises
    ------
    WaageError
        If the column is missing, not numeric, empty, or holds null or non-finite values.

    References
    ----------
    Hyndman and Fan (1996), Sample quantiles in statistical packages, definition 7.
    """
    check_scores(scores)
    require_columns(table, [column], "cut_points")
    counted, faults = count_values(table, [column])
    if faults:
        raise WaageError(faults[0])
    return quantiles(counted[column], scores)


def require_columns(table: ir.Table, columns: Sequence[str], where: str) -> None:
    """Refuse a table that lacks one of the columns, naming all that are missing."""
    missing = [column for column in columns if column not in table.columns]
    refuse([f"column {column!r} is missing{did_you_mean(column, table.columns)}" for column in missing], where)


@dataclass(frozen=True)
class Values:
    """Distinct values in ascending order with their counts; `scale` decimals as integers, None for floats."""

    values: np.ndarray
    counts: np.ndarray
    scale: int | None

    def at(self, position: int) -> int | float:
        """Return the order statistic at a position counted from 0."""
        return self.values[np.searchsorted(np.cumsum(self.counts), position, side="right")].item()

    def number(self, value: int | float) -> float:
        """Return a stored value in the column's unit."""
        return float(value) if self.scale is None else value / 10**self.scale


def count_values(table: ir.Table, columns: Sequence[str]) -> tuple[dict[str, Values], list[str]]:
    """Return the value counts of each column, and what is wrong with the columns that have none."""
    scales, counted, faults = {}, {}, []
    for column in columns:
        try:
            scales[column] = scale_of(table, column)
        except WaageError as error:
            faults.append(str(error))
    # One query for all: a table that stands for a sum over all orders is summed once.
    parts = [
        table.group_by(value=table[column])
        .agg(n=ibis._.count())
        .select(place=ibis.literal(place), value=ibis._.value.cast("float64"), n=ibis._.n)
        for place, column in enumerate(scales)
    ]
    found = ibis.union(*parts).to_pyarrow() if parts else None
    for place, (column, scale) in enumerate(scales.items()):
        rows = found.filter(pc.equal(found["place"], place))
        try:
            counted[column] = _values(column, rows["value"].to_numpy(), rows["n"].to_numpy(), scale)
        except Refusal:
            raise
        except WaageError as error:
            faults.append(str(error))
    return counted, faults


def _values(column: str, values: np.ndarray, counts: np.ndarray, scale: int | None) -> Values:
    values, counts = values.astype(float), counts.astype(np.int64)
    if not counts.sum():
        raise Refusal("no customer has an order that counts up to this day")
    if not np.isfinite(values).all():
        odd = int(counts[~np.isfinite(values)].sum())
        raise WaageError(f"{column}: {odd} of {counts.sum()} rows are null or not finite; fill or filter them")
    if np.abs(values).max() > LARGEST:
        raise WaageError(f"{column}: value {values[np.abs(values).argmax()]:g} is beyond {LARGEST:g}")
    order = np.argsort(values)
    values, counts = values[order], counts[order]
    if scale is not None:
        values = np.rint(values * 10**scale).astype(np.int64)
    return Values(values, counts, scale)


def scale_of(table: ir.Table, column: str) -> int | None:
    """Return how many decimals a column has (0: whole numbers, None: floating); WaageError where it is no number."""
    kind = table[column].type()
    if isinstance(kind, dt.Integer):
        return 0
    # Finer decimals than these no longer come through a double exactly, and money never needs them.
    if isinstance(kind, dt.Decimal) and kind.scale is not None and kind.scale <= 4:
        return kind.scale
    if isinstance(kind, dt.Floating | dt.Decimal):
        return None
    raise WaageError(f"{column}: type {kind} is not numeric; cast it in the source")


def quantiles(counted: Values, scores: int) -> tuple[float, ...]:
    """Return the quantiles of counted values, see `cut_points`."""
    last = int(counted.counts.sum()) - 1
    points = []
    for i in range(1, scores):
        # Whole numbers, because 0.6 * (n - 1) in floating point can land just below an order statistic.
        position, rest = divmod(last * i, scores)
        low, high = counted.at(position), counted.at(min(position + 1, last))
        if counted.scale is None:
            points.append(low + (high - low) * (rest / scores))
        else:
            points.append((low * (scores - rest) + high * rest) / (scores * 10**counted.scale))
    return tuple(points)


def check_scores(scores: int) -> None:
    """Refuse a number of scores other than 2 to 9."""
    if isinstance(scores, bool) or not isinstance(scores, int) or not 2 <= scores <= 9:
        raise WaageError(f"scores: {scores!r} is not a whole number from 2 to 9; 5 is the usual choice")


def refuse(faults: Sequence[str], where: str) -> None:
    """Raise a WaageError that names all faults, where there are any."""
    if faults:
        raise WaageError(f"{where}: " + "; ".join(faults))
