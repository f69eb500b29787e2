"""Pictures of channels: who has a face, who is logged in, which sources know whom, what kinds of buyers bring."""

import pandas as pd

from waage.unify.channels import FACES, OTHER, face_shares

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
