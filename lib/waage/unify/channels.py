"""Which channels customers buy in, how much of the business has a face, and which sources know whom."""

from collections.abc import Sequence
from datetime import date
from statistics import NormalDist

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.errors import WaageError, did_you_mean
from waage.history import local_day
from waage.privacy import mask_small

GUEST_SOURCES = ("guest", "ereceipt", "news", "panel")
"""Sources whose id is an address, not an account: a guest order, an e-mail for a receipt or a newsletter, an answer."""
FACES = ("account", "recognised", "guest", "anonymous")
MIX = ("online_only", "store_only", "omnichannel")
OTHER = "all_other"  # not a name that a source might have
_TEXTS = {
    "account": ("Own account, card or app", "Eigenes Konto, Karte oder App"),
    "recognised": ("Recognised by unification", "Durch Zusammenführung erkannt"),
    "guest": ("Guest, not recognised", "Gast, nicht erkannt"),
    "anonymous": ("Anonymous", "Anonym"),
    "orders": ("Share of orders", "Anteil der Bestellungen"),
    "demand": ("Share of demand", "Anteil an der Nachfrage"),
    "n_orders": ("{n} orders", "{n} Bestellungen"),
    "unknown": ("without a known buyer", "ohne bekannten Käufer"),
    "before": ("before unification", "vor der Zusammenführung"),
    "after": ("after unification", "nach der Zusammenführung"),
    "records": ("Records read", "Gelesene Datensätze"),
    "ids": ("Distinct ids", "Verschiedene Kennungen"),
    "persons": ("Persons", "Personen"),
    "logged_in": ("Share of visits logged in", "Anteil der Besuche mit Anmeldung"),
    "combinations": ("Persons by combination of sources", "Personen nach Kombination der Quellen"),
    "sizes": ("Persons by source", "Personen je Quelle"),
    OTHER: ("all\nother", "alle\nanderen"),
    "online_only": ("Online only", "Nur online"),
    "store_only": ("Store only", "Nur Filiale"),
    "omnichannel": ("Both", "Beides"),
    "revenue_per_head": (
        "Net revenue per head in {months} months (bar: 95% interval)",
        "Umsatz nach Retouren pro Kopf in {months} Monaten (Strich: 95-%-Intervall)",
    ),
    "mix": ("{persons} of persons,\n{revenue} of net revenue", "{persons} der Personen,\n{revenue} des Umsatzes"),
}


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
        The columns of `by`, orders (those shown), account, recognised, guest, anonymous, before (account) and
        after (account and recognised); shares of the measure, NaN where hidden.
    """
    keys = [name for name in table.columns if name in ("channel", "month")]
    cells = table.assign(_all=0).set_index(["_all", *keys, "face"])
    wide = cells[f"{measure}_share"].unstack("face")[list(FACES)].rename_axis(columns=None)
    wide.insert(0, "orders", cells["orders"].unstack("face").sum(axis=1))
    wide = wide.assign(before=wide["account"], after=wide["account"] + wide["recognised"]).reset_index()
    return wide.drop(columns="_all")


def plot_faces(table: pd.DataFrame, ax=None, *, measure: str = "demand", language: str = "en"):
    """Draw the faces of each channel as a bar of shares, with the number of orders.

    Parameters
    ----------
    table : DataFrame
        As `faces` returns it by channel.
    ax : matplotlib Axes, optional
    measure : {"demand", "orders"}
    language : {"en", "de"}

    Returns
    -------
    matplotlib Axes
    """
    import matplotlib.pyplot as plt

    from waage import style

    wide = face_shares(table, measure).sort_values("orders", ascending=False, ignore_index=True)
    ax = ax or plt.subplots(figsize=(9, 0.75 * len(wide) + 1.5))[1]
    start = pd.Series(0.0, index=wide.index)
    colours = (style.ACCENT, style.BRASS, style.PALETTE[4], style.PALETTE[-1])
    for face, colour in zip(FACES, colours, strict=True):
        share = wide[face].fillna(0)
        if not share.any():
            continue
        ax.barh(wide.index, share, left=start, height=0.62, color=colour, label=_text(face, language))
        for place in wide.index[share >= 0.07]:
            ink = "white" if face == "account" else style.INK
            at, text = start[place] + share[place] / 2, style.percent(share[place], language)
            ax.text(at, place, text, ha="center", va="center", color=ink)
        start = start + share
    for place in wide.index[wide[list(FACES)].isna().any(axis=1)]:
        ax.text(1, place, style.label("hidden", language), ha="right", va="center", color=style.MUTED)
    names = [
        f"{style.title(channel, language)}\n{_text('n_orders', language).format(n=style.number(n, language))}"
        for channel, n in zip(wide["channel"], wide["orders"], strict=True)
    ]
    ax.set_yticks(wide.index, names)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    _bare(ax)
    # Below the bars: the place above belongs to the caller's title.
    ax.legend(
        title=_text(measure, language),
        alignment="left",
        loc="upper left",
        bbox_to_anchor=(0, 0),
        ncols=2,
        borderaxespad=0,
        borderpad=0.1,
        handlelength=1,
        frameon=False,
    )
    return ax


def plot_unknown(table: pd.DataFrame, ax=None, *, measure: str = "demand", language: str = "en"):
    """Draw the share without a known buyer month by month, before and after: `faces` by month, else as `plot_faces`."""
    import matplotlib.pyplot as plt

    from waage import style

    ax = ax or plt.subplots(figsize=(9, 3.6))[1]
    wide = face_shares(table, measure).sort_values("month")
    before, after = 1 - wide["before"], 1 - wide["after"]
    lines = [(_text("after", language), after, style.ACCENT)]
    if (before - after).max() > 0:
        lines.insert(0, (_text("before", language), before, style.BRASS))
        ax.fill_between(wide["month"], after, before, color=style.BRASS, alpha=0.25, lw=0)
    _month_lines(ax, wide["month"], lines, language)
    ax.set_ylabel(f"{_text(measure, language)}\n{_text('unknown', language)}")
    return ax


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


def plot_funnel(steps: pd.DataFrame, table: pd.DataFrame, ax=None, *, measure: str = "demand", language: str = "en"):
    """Draw records becoming persons on the left, and how much of each channel has a face on the right.

    Parameters
    ----------
    steps : DataFrame
        step, n; as `record_steps` returns it.
    table : DataFrame
        As `faces` returns it by channel.
    ax : pair of matplotlib Axes, optional
    measure, language
        As in `plot_faces`.

    Returns
    -------
    pair of matplotlib Axes
    """
    import matplotlib.pyplot as plt

    from waage import style

    left, right = ax if ax is not None else plt.subplots(1, 2, figsize=(12, 4), width_ratios=(2, 3))[1]
    places = range(len(steps))
    colours = [style.ACCENT if step == "persons" else style.PALETTE[-1] for step in steps["step"]]
    left.barh(places, steps["n"], height=0.62, color=colours)
    for place, n in zip(places, steps["n"], strict=True):
        left.text(n + 0.02 * steps["n"].max(), place, style.number(n, language), va="center")
    left.set_yticks(places, [_text(step, language) for step in steps["step"]])
    left.invert_yaxis()
    left.set_xlim(0, 1.25 * steps["n"].max())
    _bare(left)
    plot_faces(table, right, measure=measure, language=language)
    return left, right


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


def plot_login(table: pd.DataFrame, ax=None, *, language: str = "en"):
    """Draw the share of visits logged in by month, a line for each device (or channel).

    Parameters
    ----------
    table : DataFrame
        As `login_share` returns it by month and one of device, channel.
    ax : matplotlib Axes, optional
    language : {"en", "de"}

    Returns
    -------
    matplotlib Axes
    """
    import matplotlib.pyplot as plt

    from waage import style

    ax = ax or plt.subplots(figsize=(9, 3.6))[1]
    series = "device" if "device" in table else "channel"
    wide = table.pivot(index="month", columns=series, values="share").reset_index()
    named = zip(wide.columns[1:], style.PALETTE, strict=False)
    lines = [(style.title(name, language), wide[name], colour) for name, colour in named]
    _month_lines(ax, wide["month"], lines, language)
    ax.set_ylabel(_text("logged_in", language))
    return ax


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


def plot_overlap(overlap: pd.DataFrame, sizes: pd.DataFrame, ax=None, *, language: str = "en"):
    """Draw combinations of sources as bars over a matrix of dots, with the size of each source on the left.

    Parameters
    ----------
    overlap, sizes : DataFrame
        As `source_overlap` and `source_sizes` return them.
    ax : matplotlib Axes, optional
    language : {"en", "de"}

    Returns
    -------
    matplotlib Axes

    References
    ----------
    Lex, Gehlenborg, Strobelt, Vuillemot and Pfister (2014), UpSet, IEEE TVCG 20(12), 1983-1992.
    """
    import matplotlib.pyplot as plt

    from waage import style

    ax = ax or plt.subplots(figsize=(10, 0.42 * len(sizes) + 3.2))[1]
    rows = {source: -1 - place for place, source in enumerate(sizes["source"])}
    tall, wide, edge = 6.0, 2.6, -0.9
    top = overlap["persons"].max()
    for x, (sources, persons) in enumerate(zip(overlap["sources"], overlap["persons"], strict=True)):
        height = tall * persons / top if persons == persons else 0
        ax.bar(x, height, width=0.62, color=style.PALETTE[-1] if sources == OTHER else style.ACCENT)
        text = style.number(persons, language) if persons == persons else style.label("hidden", language)
        ax.text(x, height + 0.12, text, ha="center", va="bottom", fontsize=9.5)
        if sources == OTHER:
            ax.text(x, -(1 + len(rows)) / 2, _text(OTHER, language), ha="center", va="center", color=style.MUTED)
            continue
        own = [rows[source] for source in sources.split(" + ")]
        ax.plot([x] * len(rows), list(rows.values()), "o", color="#dfe4e8", ms=7)
        ax.plot([x] * len(own), own, "o-", color=style.ACCENT, ms=7, lw=2)
    for source, persons in zip(sizes["source"], sizes["persons"].fillna(0), strict=True):
        length = wide * persons / sizes["persons"].max()
        ax.barh(rows[source], -length, left=edge, height=0.5, color=style.PALETTE[2])
    names = [
        f"{style.title(source, language)}  {style.number(persons, language)}"
        for source, persons in zip(sizes["source"], sizes["persons"], strict=True)
    ]
    ax.set_yticks(list(rows.values()), names)
    ax.text(-0.4, tall + 0.9, _text("combinations", language), color=style.MUTED)
    ax.text(edge, -0.25, _text("sizes", language), color=style.MUTED, ha="right")
    ax.plot([-0.5, len(overlap) - 0.5], [0, 0], color="#c3cad0", lw=0.8)
    ax.set_xlim(edge - wide, len(overlap) - 0.4)
    ax.set_ylim(-len(rows) - 0.7, tall + 1.5)
    _bare(ax)
    return ax


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


def plot_mix(table: pd.DataFrame, ax=None, *, currency: str = "EUR", language: str = "en"):
    """Draw net revenue per head of the three groups with its interval, and what they are of the whole.

    Parameters
    ----------
    table : DataFrame
        As `channel_mix` returns it.
    ax : matplotlib Axes, optional
    currency : str
    language : {"en", "de"}

    Returns
    -------
    matplotlib Axes
    """
    import matplotlib.pyplot as plt

    from waage import style

    ax = ax or plt.subplots(figsize=(9, 3))[1]
    mean = table["revenue_per_head"].fillna(0)
    ax.barh(table.index, mean, height=0.6, color=style.ACCENT)
    ends = table[["revenue_per_head_low", "revenue_per_head_high"]].to_numpy().T
    ax.hlines(table.index, *ends, color=style.INK, lw=1.6)
    top = table[["revenue_per_head", "revenue_per_head_high"]].fillna(0).to_numpy().max() or 1
    for place, row in table.iterrows():
        if row["revenue_per_head"] != row["revenue_per_head"]:
            ax.text(0, place, " " + style.label("hidden", language), va="center", color=style.MUTED)
            continue
        ends = row[["revenue_per_head", "revenue_per_head_high"]].max()
        amount = style.money(row["revenue_per_head"], currency, language)
        ax.text(ends + 0.02 * top, place, amount, va="center", fontweight="bold")
        shares = {name: style.percent(row[f"{name}_share"], language) for name in ("persons", "revenue")}
        ax.text(1.22 * top, place, _text("mix", language).format(**shares), va="center", color=style.MUTED)
    ax.set_yticks(table.index, [_text(mix, language) for mix in table["mix"]])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.7 * top)
    _bare(ax, _text("revenue_per_head", language).format(months=table["months"].iloc[0]))
    return ax


def _checked(by: Sequence[str], options: Sequence[str], where: str) -> list[str]:
    wrong = [name for name in by if name not in options]
    if wrong:
        hint = did_you_mean(wrong[0], options)
        raise WaageError(f"{where}: by {wrong[0]!r} is not one of {', '.join(options)}{hint}")
    return list(by)


def _month_lines(ax, months: pd.Series, lines: list[tuple[str, pd.Series, str]], language: str) -> None:
    """Draw shares by month, each line with its name at its end, and month names in the reader's language."""
    from waage import style

    ends = sorted(
        ((values.dropna(), name, colour) for name, values, colour in lines), key=lambda line: line[0][-1:].sum()
    )
    top = max((values.max() for values, _, _ in ends if len(values)), default=1)
    ax.set_ylim(0, min(1, 1.2 * top) or 1)
    free = -1.0
    for values, name, colour in ends:
        if values.empty:
            continue
        ax.plot(months, values.reindex(months.index), color=colour)
        # Names of lines that end close together are moved apart.
        free = max(values.iloc[-1], free + 0.075 * top)
        place = (months[values.index[-1]], free)
        ax.annotate(name, place, (7, 0), textcoords="offset points", va="center", color=colour)
    ticks = months.iloc[:: -(-len(months) // 12)]
    new_year = ticks.dt.year.diff() != 0
    names = [style.day(tick, language).split()[1][:3] for tick in ticks]
    years = [f"\n{tick.year}" if new else "" for tick, new in zip(ticks, new_year, strict=True)]
    ax.set_xticks(ticks, [name + year for name, year in zip(names, years, strict=True)])
    style.axis_percent(ax.yaxis, language)


def _bare(ax, label: str | None = None) -> None:
    """Leave the axis of numbers out where every bar has its own."""
    ax.set_xticks([])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.grid(False)
    if label:
        ax.set_xlabel(label, loc="left")


def _text(key: str, language: str) -> str:
    return _TEXTS[key][language == "de"]
