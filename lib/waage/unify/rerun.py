"""Resolve again under other conditions: a hidden identifier, another threshold. What would have been found?"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.errors import WaageError, did_you_mean
from waage.privacy import mask_small
from waage.unify.decisions import Decision
from waage.unify.guards import IDENTIFIERS
from waage.unify.quality import unblocked, with_share
from waage.unify.resolve import Resolution, Settings, State, resolve

SHARED = 60  # ids under one value, above which it is no known pair: as in `waage.unify.model.anchors`
KEY = ["source", "source_id"]
DEFAULT = Settings()


def known_pairs(
    resolution: Resolution,
    records: ir.Table,
    ids: ir.Table | None = None,
    *,
    settings: Settings = DEFAULT,
    identifier: str = "loyalty_id",
    most: int = 30_000,
    min_cell: int = 10,
) -> pd.DataFrame:
    """Hide an identifier from all sources, resolve again, and count the pairs it had proved that are still found.

    The pairs are neighbours in the list of a value's ids, so that no person weighs much; pairs that the resolution
    itself has parted are no proof and are left out. The recall is that of persons who have such an identifier, who
    leave more traces than others: rather an upper bound for those without.

    Parameters
    ----------
    resolution : Resolution
        Of these records; its model, limits and vetoes are used as they are. Decisions are left out.
    records, ids : ibis tables
        As `resolve` had them.
    settings : Settings
    identifier : str
    most : int
        Pairs, drawn by hash, of those that are more.
    min_cell : int

    Returns
    -------
    DataFrame
        source_a, source_b ("all" in the first row), pairs, found, recall, low, high (Wilson, 95%). Fewer than
        `min_cell` pairs are hidden.
    """
    if identifier not in IDENTIFIERS:
        raise WaageError(f"identifier: {identifier!r} is none{did_you_mean(identifier, IDENTIFIERS)}; "
                         f"there are {', '.join(IDENTIFIERS)}")  # fmt: skip
    free = unblocked(records, resolution.blocked)
    free = free.filter(free[identifier].notnull()).select(value=identifier, source="source", source_id="source_id")
    free = free.distinct().inner_join(resolution.identity_map.select(*KEY, "person_id"), KEY)
    window = ibis.window(group_by="value", order_by=KEY)
    # Of several values that two ids share, one counts.
    before = {f"{name}_a": free[name].lag().over(window) for name in (*KEY, "person_id")}
    pairs = free.mutate(**before, n=free.count().over(ibis.window(group_by="value")))
    pairs = pairs.filter((pairs.n <= SHARED) & (pairs.person_id == pairs.person_id_a))
    names = {"source_a": "source_a", "source_id_a": "source_id_a", "source_b": "source", "source_id_b": "source_id"}
    pairs = pairs.select(**names).distinct()
    drawn = pairs.mutate(_draw=(pairs.source_id_a + "\x1f" + pairs.source_id_b).hash())
    drawn = drawn.order_by("_draw", *names).limit(most).drop("_draw").execute()
    table = drawn.assign(found=False)
    if len(drawn):
        with rerun(resolution, records, ids, settings=settings, hide=[identifier]) as again:
            a, b = (
                again.identity_map.select(**{f"{name}_{end}": name for name in KEY}, **{f"person_{end}": "person_id"})
                for end in "ab"
            )
            ends = ibis.memtable(drawn).inner_join(a, ["source_a", "source_id_a"])
            ends = ends.inner_join(b, ["source_b", "source_id_b"])
            table = ends.mutate(found=ends.person_a == ends.person_b).select("source_a", "source_b", "found").execute()
    each = table.groupby(["source_a", "source_b"])["found"].agg(pairs="size", found="sum").reset_index()
    every = pd.DataFrame({"source_a": ["all"], "source_b": ["all"], "pairs": len(table), "found": table["found"].sum()})
    each, every = (with_share(part, "found", "pairs", "recall") for part in (each, every))
    values = ["found", "recall", "low", "high"]
    parts = [mask_small(part, "pairs", *values, min_cell=min_cell) for part in (every, each) if len(part)]
    return pd.concat(parts, ignore_index=True)


def sensitivity(
    resolution: Resolution,
    records: ir.Table,
    orders: ir.Table,
    ids: ir.Table | None = None,
    *,
    as_of: date,
    thresholds: Sequence[float] = (0.5, 0.8, 0.95),
    settings: Settings = DEFAULT,
    decisions: Sequence[Decision] = (),
    min_cell: int = 10,
) -> pd.DataFrame:
    """Show how the business figures move with the probability from which a pair links.

    Parameters
    ----------
    resolution : Resolution
        Of these records; its model, limits and vetoes are used as they are.
    records, ids : ibis tables
    orders : ibis table
        As `waage.history.customer_orders` returns them (their person_id is not looked at), on the same connection.
    as_of : date
    thresholds : sequence of float
        The threshold of `settings` is added where it is missing.
    settings, decisions
        With which the resolution was made.
    min_cell : int

    Returns
    -------
    DataFrame
        threshold, default (whether it is that of the resolution), persons, active_customers (with an order in the 12
        months up to `as_of` that was not cancelled), revenue_per_head (net revenue of these orders per active
        customer), and each one's _change (share of the default's figure).
    """
    start = (pd.Timestamp(as_of) - pd.DateOffset(months=12)).date()
    kept = orders.filter(
        (orders.day > start) & (orders.day <= as_of) & (orders.status.fill_null("placed") != "cancelled")
    )
    spent = kept.group_by(KEY).agg(revenue=kept.net_revenue.sum())
    rows = [_figures(resolution.identity_map, spent)]
    others = sorted(set(thresholds) - {settings.threshold})
    for threshold in others:
        changed = replace(settings, threshold=threshold, review_from=min(settings.review_from, threshold))
        with rerun(resolution, records, ids, settings=changed, decisions=decisions) as again:
            rows.append(_figures(again.identity_map, _copied(spent, again.identity_map.get_backend(), "again_spent")))
    table = pd.DataFrame(rows)
    # A handful of customers is no group to be shown.
    table.loc[table["active_customers"] < min_cell, ["active_customers", "revenue_per_head"]] = np.nan
    changes = {f"{name}_change": table[name] / table[name][0] - 1 for name in table}
    table = table.assign(**changes)
    table.insert(0, "threshold", [settings.threshold, *others])
    table.insert(1, "default", [True] + [False] * len(others))
    return table.sort_values("threshold", ignore_index=True)


def _figures(identity_map: ir.Table, spent: ir.Table) -> dict[str, float]:
    buyers = spent.inner_join(identity_map.select(*KEY, "person_id"), KEY)
    active, revenue = buyers.aggregate(n=buyers.person_id.nunique(), revenue=buyers.revenue.sum()).execute().iloc[0]
    persons = float(identity_map.person_id.nunique().execute())
    per_head = float(revenue) / active if active else np.nan
    return {"persons": persons, "active_customers": float(active), "revenue_per_head": per_head}


@contextmanager
def rerun(
    resolution: Resolution,
    records: ir.Table,
    ids: ir.Table | None = None,
    *,
    settings: Settings = DEFAULT,
    decisions: Sequence[Decision] = (),
    hide: Sequence[str] = (),
) -> Iterator[Resolution]:
    """Resolve again with the frozen model, without touching the tables of the first resolution.

    `resolve` writes temporary tables under fixed names, and temporary tables belong to a connection. This one is a
    second connection (cursor) to the same DuckDB, which shares its memory limit, threads and folder for spilling;
    the records are streamed to it as Arrow. Everything it yields is gone after the block: read what you need inside.

    Parameters
    ----------
    resolution : Resolution
        Whose model, limits and vetoes are used. Its ids are not inherited.
    records, ids : ibis tables
    settings, decisions
    hide : sequence of str
        Columns of the records that are NULL this time.
    """
    cursor = records.get_backend().con.cursor()
    try:
        second = ibis.duckdb.from_connection(cursor)
        hidden = {name: ibis.null(records[name].type()) for name in hide}
        given = _copied(records.mutate(**hidden) if hidden else records, second, "again_records")
        existing = None if ids is None else _copied(ids.select(*KEY), second, "again_ids")
        frozen = State(model=resolution.state.model, limits=resolution.state.limits, vetoes=resolution.state.vetoes)
        yield resolve(given, existing, settings=settings, state=frozen, decisions=decisions)
    finally:
        cursor.close()


def _copied(table: ir.Table, backend, name: str) -> ir.Table:
    backend.con.register(f"{name}_stream", table.to_pyarrow_batches(chunk_size=100_000))
    backend.con.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM {name}_stream")
    backend.con.unregister(f"{name}_stream")
    return backend.table(name)
