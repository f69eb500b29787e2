"""Which channels customers buy in, how much of the business has a face, and which sources know whom."""

from collections.abc import Sequence
from datetime import date
from statistics import NormalDist

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.errors import Refusal, WaageError, did_you_mean
from waage.history import local_day
from waage.privacy import mask_small

GUEST_SOURCES = ("guest", "ereceipt", "news", "panel")
"""Sources whose id is an address, not an account: a guest order, an e-mail for a receipt or a newsletter, an answer."""
FACES = ("account", "recognised", "guest", "anonymous")
MIX = ("online_only", "store_only", "omnichannel")
OTHER = "all_other"  # not a name that a source might have


def faces(
    orders: ir.Table,
    identity_map: ir.Table | None = None,
    guest_sources: Sequence[str] = GUEST_SOURCES,
    by: Sequence[str] = ("channel",),
    min_cell: int = 10,
) -> pd.DataFrame:
    """Split orders and demand by what is known of the buyer, before and after unification.

    An order is known before unification when its own id is an account (card, app profile), and after it when
    its person has an account in any source. The account may be younger than the order: that is hindsight.

    Parameters
    ----------
    orders : ibis table
        As `waage.history.customer_orders` returns them; cancelled orders are in it, as in demand.
    identity_map : ibis table, optional
        source, source_id, person_id; without it nobody is recognised.
    guest_sources : sequence of str
        Sources whose ids are no accounts.
    by : sequence of str
        "channel", "month", both or neither (the whole business).
    min_cell : int

    Returns
    -------
    DataFrame
        For each group a row for each face: account (known before), recognised (known only after), guest (an id
        but no account), anonymous; they add up. Columns: those of `by` (month: its first day), face, orders,
        demand, persons (NaN for anonymous), orders_share and demand_share of the group. Fewer than `min_cell`
        persons (anonymous: orders) are hidden.

    Raises
    ------
    WaageError
        For a group that is not channel or month.
    Refusal
        Where there are no orders.
    """
    keys = ["_all", *_checked(by, ("channel", "month"), "faces")]
    recognised = ibis.literal(False)
    if identity_map is not None:
        accounts = identity_map.filter(identity_map.source.notin(guest_sources)).select("person_id").distinct()
        orders = orders.left_join(accounts.mutate(_account=True), "person_id").drop("person_id_right")
        recognised = orders["_account"].notnull()
    named = orders.source_id.notnull()
    own = named & orders.source.notin(guest_sources)
    face = ibis.cases((own, "account"), (recognised, "recognised"), (named, "guest"), else_="anonymous")
    cells = orders.mutate(_all=0, face=face, month=orders.day.truncate("M")).group_by(*keys, "face")
    found = cells.agg(orders=ibis._.count(), demand=ibis._.revenue.sum(), persons=ibis._.person_id.nunique()).execute()
    if not len(found):
        raise Refusal("no order lies on or before the day looked from: set as_of to a later day")
    # Every group has every face, so that a face nobody has is a zero and not a gap.
    table = found[keys].drop_duplicates().sort_values(keys).merge(pd.DataFrame({"face": FACES}), how="cross")
    table = table.merge(found, how="left", on=[*keys, "face"]).fillna({"orders": 0, "demand": 0, "persons": 0})
    columns = ["orders", "demand", "persons", "orders_share", "demand_share"]
    table = table.astype({name: float for name in columns[:3]})
    if "month" in keys:
        table["month"] = pd.to_datetime(table["month"])
    groups = table.groupby(keys)
    for measure in ("orders", "demand"):
        total = groups[measure].transform("sum")
        table[f"{measure}_share"] = table[measure] / total.where(total > 0)
    nobody = table["face"] == "anonymous"
    table["_size"] = table["persons"].mask(nobody, table["orders"])
    table["persons"] = table["persons"].mask(nobody)
    masked = [mask_small(group, "_size", *columns, min_cell=min_cell) for _, group in table.groupby(keys)]
    return pd.concat(masked, ignore_index=True)[[*keys[1:], "face", *columns]]


def face_shares(table: pd.DataFrame, measure: str = "demand") -> pd.DataFrame:
    """Return one row a group with the share that has a face before and after unification.

    Parameters
    ----------
    table : DataFrame
        As `faces` returns it.
    measure : {"demand", "orders"}

    Returns
    -------
    DataFrame
        The columns of `by`, orders and demand (those shown), account, recognised, guest, anonymous, before (account)
        and after (account and recognised); shares of the measure, NaN where hidden.
    """
    keys = [name for name in table.columns if name in ("channel", "month")]
    cells = table.assign(_all=0).set_index(["_all", *keys, "face"])
    wide = cells[f"{measure}_share"].unstack("face")[list(FACES)].rename_axis(columns=None)
    for place, name in enumerate(("orders", "demand")):
        wide.insert(place, name, cells[name].unstack("face").sum(axis=1))
    wide = wide.assign(before=wide["account"], after=wide["account"] + wide["recognised"]).reset_index()
    return wide.drop(columns="_all")


def record_steps(identities: ir.Table, identity_map: ir.Table) -> pd.DataFrame:
    """Count records read, distinct ids and persons: what unification makes of the sources.

    Returns
    -------
    DataFrame
        step (records, ids, persons), n. Ids that only orders name are ids without a record.
    """
    ids = identity_map.aggregate(ids=identity_map.count(), persons=identity_map.person_id.nunique()).execute()
    n = {"records": identities.count().execute(), **ids.iloc[0]}
    return pd.DataFrame({"step": list(n), "n": [int(value) for value in n.values()]})


def login_share(
    events: ir.Table, time_zone: str, by: Sequence[str] = ("month", "device"), min_cell: int = 10
) -> pd.DataFrame:
    """Count visits and those that are logged in.

    Parameters
    ----------
    events : ibis table
        As in the contract. A session with an event 'visit' is one visit; a visit without a session is one, too.
    time_zone : str
        Where months are cut.
    by : sequence of str
        Some of month, device, channel.
    min_cell : int

    Returns
    -------
    DataFrame
        The columns of `by`, visits, visitors (distinct devices, where unknown ids), share_at_start (the visit
        itself has an id), share (any event of the session has one: people log in at the checkout). Fewer than
        `min_cell` visitors are hidden.
    """
    keys = ["_all", *_checked(by, ("month", "device", "channel"), "login_share")]
    is_visit = events.event == "visit"
    table = events.filter(is_visit | events.session_id.notnull())
    session = ibis.coalesce(table.session_id, table.event_id)
    is_visit, logged_in = table.event == "visit", table.source_id.notnull()
    visits = table.group_by("source", session=session).agg(
        started=table.occurred_at.min(where=is_visit),
        device=table.device.max(where=is_visit),
        channel=table.channel.max(where=is_visit),
        visitor=ibis.coalesce(table.device_id, table.source_id, session).max(),
        at_start=(is_visit & logged_in).any(),
        logged_in=logged_in.any(),
    )
    visits = visits.filter(visits.started.notnull())
    visits = visits.mutate(_all=0, month=local_day(visits.started, time_zone).truncate("M"))
    found = visits.group_by(*keys).agg(
        visits=visits.count(),
        visitors=visits.visitor.nunique(),
        share_at_start=visits.at_start.mean(),
        share=visits.logged_in.mean(),
    )
    table = found.order_by(*keys).drop("_all").execute()
    if "month" in keys:
        table["month"] = pd.to_datetime(table["month"])
    return mask_small(table, "visitors", "visits", "share_at_start", "share", min_cell=min_cell)


def source_overlap(identity_map: ir.Table, min_cell: int = 10, most: int = 12) -> pd.DataFrame:
    """Count persons by the combination of sources that know them.

    Parameters
    ----------
    identity_map : ibis table
        source, source_id, person_id.
    min_cell : int
        Smaller combinations are put together as "all_other"; where that is still too small, it is hidden together
        with the smallest combination left.
    most : int
        Combinations shown; the rest go to "all_other", too.

    Returns
    -------
    DataFrame
        sources (names in alphabetical order joined with " + ", or "all_other"), persons, share; largest
        first, "all_other" last.
    """
    names = sorted(identity_map.select("source").distinct().execute()["source"])
    known = {f"in_{place}": (identity_map.source == name).any() for place, name in enumerate(names)}
    persons = identity_map.group_by("person_id").agg(**known)
    table = persons.group_by(*known).agg(persons=persons.count()).execute()
    flags = table[list(known)].to_numpy(bool)
    table["sources"] = [" + ".join(name for name, here in zip(names, row, strict=True) if here) for row in flags]
    table = table.sort_values(["persons", "sources"], ascending=[False, True], ignore_index=True)
    small = (table["persons"] < min_cell) | (table.index >= most)
    table["sources"] = table["sources"].mask(small, OTHER)
    table = table.groupby("sources", as_index=False, sort=False)["persons"].sum()
    table["share"] = table["persons"] / table["persons"].sum()
    return mask_small(table, "persons", "share", min_cell=min_cell)


def source_sizes(identity_map: ir.Table, min_cell: int = 10) -> pd.DataFrame:
    """Count ids and persons of each source: source, ids, persons; largest first, small ones hidden."""
    table = identity_map.group_by("source").agg(ids=ibis._.count(), persons=ibis._.person_id.nunique()).execute()
    table = table.sort_values(["persons", "source"], ascending=[False, True], ignore_index=True)
    return mask_small(table, "persons", "ids", min_cell=min_cell)


def channel_mix(
    orders: ir.Table,
    as_of: date,
    months: int = 12,
    store_channels: Sequence[str] = ("store",),
    min_orders: int = 1,
    min_cell: int = 10,
) -> pd.DataFrame:
    """Compare persons who buy online only, in stores only, and in both.

    Who buys in both has at least two orders, so that more revenue per head is partly true by construction:
    `min_orders=2` compares like with like. Neither says that a second channel makes people buy more.

    Parameters
    ----------
    orders : ibis table
        As `waage.history.customer_orders` returns them; orders without a person or that do not count are left out.
    as_of : date
        Last day of the window.
    months : int
    store_channels : sequence of str
        Values of channel that are stores; all others are online.
    min_orders : int
        Persons with fewer orders in the window are left out.
    min_cell : int

    Returns
    -------
    DataFrame
        mix (online_only, store_only, omnichannel), persons, orders, revenue (net), orders_per_head, basket (net
        revenue per order), revenue_per_head with revenue_per_head_low and _high (95%, normal approximation of
        the mean over persons), persons_share, revenue_share, months.
    """
    start = (pd.Timestamp(as_of) - pd.DateOffset(months=months)).date()
    seen = orders.filter(orders.person_id.notnull() & orders.counts & (orders.day > start) & (orders.day <= as_of))
    persons = seen.group_by("person_id").agg(
        orders=seen.count(),
        store=seen.channel.isin(store_channels).sum(),
        revenue=seen.net_revenue.sum().cast("decimal(18, 4)"),
    )
    mix = ibis.cases((persons.store == 0, MIX[0]), (persons.store == persons.orders, MIX[1]), else_=MIX[2])
    groups = persons.filter(persons.orders >= min_orders).group_by(mix=mix)
    sums = groups.agg(
        persons=ibis._.count(),
        orders=ibis._.orders.sum(),
        revenue=ibis._.revenue.sum(),
        squares=(ibis._.revenue * ibis._.revenue).sum(),
    ).execute()
    table = sums.set_index("mix").astype(float).reindex(MIX, fill_value=0.0).rename_axis("mix").reset_index()
    n = table["persons"].where(table["persons"] > 0)
    mean = table["revenue"] / n
    variance = (table.pop("squares") - n * mean**2).clip(lower=0) / (n - 1).where(n > 1)
    half = NormalDist().inv_cdf(0.975) * (variance / n) ** 0.5
    table = table.assign(
        orders_per_head=table["orders"] / n,
        basket=table["revenue"] / table["orders"].where(table["orders"] > 0),
        revenue_per_head=mean,
        revenue_per_head_low=mean - half,
        revenue_per_head_high=mean + half,
        persons_share=table["persons"] / table["persons"].sum(),
        revenue_share=table["revenue"] / table["revenue"].sum(),
    )
    return mask_small(table, "persons", *table.columns[2:], min_cell=min_cell).assign(months=months)


def _checked(by: Sequence[str], options: Sequence[str], where: str) -> list[str]:
    wrong = [name for name in by if name not in options]
    if wrong:
        hint = did_you_mean(wrong[0], options)
        raise WaageError(f"{where}: by {wrong[0]!r} is not one of {', '.join(options)}{hint}")
    return list(by)
