"""What may be shown and what may leave: small groups, objections to profiling, the customer file."""

from itertools import pairwise

import ibis
import ibis.expr.types as ir
import numpy as np
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
    "types": {"type": "string", "type_p": "float64", "band": "string"},
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
"""What may leave the workbench about one person. Nothing here is derived from answers of a person: types are those
of the behaviour-only model, for respondents too."""


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


def hidden_numbers(
    extended: np.ndarray, min_cell: int, known: np.ndarray | bool = False, forced: np.ndarray | bool = False
) -> np.ndarray:
    """Return which numbers of a two-way table must be hidden so that none under `min_cell` can be worked out.

    A hidden number follows from the shown ones exactly if, in the graph that joins row and column of every hidden
    number (totals are a row and a column, too), it is a bridge (Gusfield 1988): so each is put on a cycle, by the
    hiding of those other numbers that cost fewest persons. The hidden cells of a line moreover add up to at least
    `min_cell`, or its total is hidden.

    Parameters
    ----------
    extended : ndarray of int, shape (rows + 1, columns + 1)
        Persons; the last row and column are filled with the totals.
    min_cell : int
    known, forced : ndarray of bool of the same shape, or bool
        Numbers that stand elsewhere and cannot cover for anything; numbers that must be hidden.

    Returns
    -------
    ndarray of bool
        Where numbers are hidden; empty cells and the total of all never are, but in the extreme everything.

    References
    ----------
    Gusfield (1988), A graph theoretic approach to statistical data security, SIAM J. Computing 17, 552-571.
    """
    import networkx as nx

    extended = extended.copy()
    extended[-1] = extended.sum(axis=0)
    extended[:, -1] = extended.sum(axis=1)
    if extended[-1, -1] < min_cell:
        return np.ones(extended.shape, dtype=bool)
    known = np.broadcast_to(known, extended.shape)
    hidden = ((extended > 0) & (extended < min_cell) & ~known) | (forced & (extended > 0))
    edges = [(("row", r), ("column", c), int(extended[r, c])) for r, c in zip(*np.nonzero(extended), strict=True)]
    # The number of all customers is known from elsewhere, so hiding it protects nothing.
    edges.remove(max(edges))
    edges = [(r, c, size) for r, c, size in edges if not known[r[1], c[1]]]
    while True:
        hidden |= _thin_lines(extended, hidden, min_cell) | _thin_lines(extended.T, hidden.T, min_cell).T
        graph = nx.Graph([(r, c) for r, c, _ in edges if hidden[r[1], c[1]]])
        bridge = next(iter(sorted(map(sorted, nx.bridges(graph)))), None)
        if bridge is None:
            return hidden
        ways = nx.Graph()
        # Hidden numbers cost nothing; the small addition prefers fewer of equal cost.
        ways.add_weighted_edges_from((r, c, 0 if hidden[r[1], c[1]] else size + 1e-3) for r, c, size in edges)
        ways.remove_edge(*bridge)
        if not nx.has_path(ways, *bridge):
            return extended > 0  # so much is known elsewhere that nothing else is left to hide behind
        for one, other in pairwise(nx.shortest_path(ways, *bridge, weight="weight")):
            place = dict([one, other])
            hidden[place["row"], place["column"]] = True


def _thin_lines(extended: np.ndarray, hidden: np.ndarray, min_cell: int) -> np.ndarray:
    """Return one more cell to hide of each row whose total is shown and whose hidden cells are too few people."""
    more = np.zeros_like(hidden)
    for row in range(len(extended)):
        cells, own = extended[row, :-1], hidden[row, :-1]
        left = np.flatnonzero(~own & (cells > 0))
        if not hidden[row, -1] and 0 < cells[own].sum() < min_cell and left.size:
            more[row, left[np.argmin(cells[left])]] = True
    return more


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
    return table.anti_join(objectors(person_consents), "person_id")


def customer_file(
    persons: ir.Table,
    rfm: ir.Table | None = None,
    clv: ir.Table | None = None,
    types: ir.Table | None = None,
    person_consents: ir.Table | None = None,
) -> ir.Table:
    """Return one row a person with what may leave the workbench.

    Parameters
    ----------
    persons, rfm, clv, types : ibis tables
        Results; those that are not there leave their columns NULL.
    person_consents : ibis table or None
        Persons who object to profiling keep their row, without segment, score or value.

    Returns
    -------
    ibis table
        person_id, the columns of `CUSTOMER_FILE`, may_profile (NULL: the study holds no consents, so nothing is known).
    """
    table = persons.select("person_id")
    for part, columns in zip((rfm, types, clv), CUSTOMER_FILE.values(), strict=True):
        if part is None:
            table = table.mutate(**{name: ibis.null(dtype) for name, dtype in columns.items()})
        else:
            allowed = may_profile(part, person_consents)
            allowed = allowed.select("person_id", **{name: allowed[name].cast(dt) for name, dt in columns.items()})
            table = table.left_join(allowed, "person_id").drop("person_id_right")
    if person_consents is None:
        return table.mutate(may_profile=ibis.null("boolean"))
    barred = objectors(person_consents).mutate(_objects=ibis.literal(True))
    table = table.left_join(barred, "person_id").drop("person_id_right")
    return table.mutate(may_profile=ibis._["_objects"].isnull()).drop("_objects")


def objectors(person_consents: ir.Table) -> ir.Table:
    """Return person_id of everybody who objects to profiling or has withdrawn consent to it, for whatever channel."""
    acts = person_consents.filter(
        (person_consents.purpose == "profiling") & person_consents.status.isin(["objected", "withdrawn"])
    )
    return acts.select("person_id").distinct()
