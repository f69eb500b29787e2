"""How concentrated revenue is: Lorenz curve, Gini coefficient, share of the top customers."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

TOPS = (0.01, 0.05, 0.10, 0.20)
FEWEST = 100  # judgement: below, the top percent is not even one customer


@dataclass(frozen=True)
class Concentration:
    """The concentration of 12-month net revenue on active customers.

    Attributes
    ----------
    gini, gini_low, gini_high : float
        With the 95 % interval of Davidson (2009).
    table : DataFrame
        top (share of customers), share (of net revenue; NaN where they are fewer than min_cell), customers.
    curve : DataFrame
        customers, revenue: cumulative shares from the smallest on, at most 200 points; none among the min_cell
        largest customers but the end.
    customers, negative : int
        Active customers; those of them whose net revenue is below zero and counts as zero.
    problem : str
        Empty, or few_customers or no_revenue: then all figures are NaN and the tables empty.
    fewest : int
        Customers that are needed: 100, or so many that a fifth of them is not below min_cell.
    """

    gini: float
    gini_low: float
    gini_high: float
    table: pd.DataFrame
    curve: pd.DataFrame
    customers: int
    negative: int
    problem: str = ""
    fewest: int = FEWEST


def concentration(active: ir.Table, *, min_cell: int = 10) -> Concentration:
    """Measure how much of the last 12 months' net revenue lies with how few of the active customers.

    Parameters
    ----------
    active : ibis table
        As `active_customers` returns them.
    min_cell : int
        Smallest group whose share is shown.

    Returns
    -------
    Concentration

    References
    ----------
    Davidson (2009), Reliable inference for the Gini index, Journal of Econometrics 150, 30-40, eq. 17.
    """
    # Whole ten-thousandths: sums of integers are exact, whatever the order.
    units = (active.net_revenue * 10_000).cast("int64")
    amounts = active.select(amount=ibis.ifelse(units > 0, units, 0), negative=units < 0)
    counted = amounts.group_by("amount").agg(n=amounts.count(), negative=amounts.count(where=amounts.negative))
    counts = counted.order_by("amount").execute()
    amount, n = counts["amount"].to_numpy(), counts["n"].to_numpy()
    return from_counts(amount, n, int(counts["negative"].sum()), min_cell)


def from_counts(amounts: np.ndarray, n: np.ndarray, negative: int = 0, min_cell: int = 10) -> Concentration:
    """Return the concentration of amounts (ascending, distinct, not negative, whole numbers), each held by n."""
    customers = int(n.sum())
    total = sum(int(amount) * int(count) for amount, count in zip(amounts, n, strict=True))
    fewest = max(FEWEST, math.ceil(min_cell / TOPS[-1]))
    if customers < fewest or total <= 0:
        nan, empty = float("nan"), pd.DataFrame({"top": [], "share": [], "customers": []})
        problem = "few_customers" if customers < fewest else "no_revenue"
        curve = pd.DataFrame({"customers": [], "revenue": []})
        return Concentration(nan, nan, nan, empty, curve, customers, negative, problem, fewest)
    people = np.concatenate([[0], np.cumsum(n)])
    held = np.concatenate([[0], np.cumsum(amounts * n)])
    x, y = people / customers, held / total
    gini = max(1 - float(np.sum(np.diff(x) * (y[1:] + y[:-1]))), 0.0)
    # The influence of a customer; among equals it is equal, so that value counts suffice.
    rank, below = (2 * people[:-1] + 1) / customers, held[:-1] + amounts
    z = (rank - gini - 1) * amounts - 2 / customers * below
    spread = float(np.sum(n * (z - np.sum(n * z) / customers) ** 2))
    half = NormalDist().inv_cdf(0.975) * spread**0.5 / total
    shares = [1 - float(np.interp(1 - top, x, y)) for top in TOPS]
    table = pd.DataFrame({"top": TOPS, "share": shares, "customers": [top * customers for top in TOPS]})
    table["share"] = table["share"].where(table["customers"] >= min_cell)
    at = np.unique(np.searchsorted(x, np.linspace(0, 1, 200)))
    at = at[(people[at] <= customers - min_cell) | (people[at] == customers)]
    curve = pd.DataFrame({"customers": x[at], "revenue": y[at]})
    return Concentration(gini, max(gini - half, 0.0), min(gini + half, 1.0), table, curve, customers, negative)
