"""Charts of cohorts, newcomers, concentration, portrait and permissions; arguments as in `plots`."""

import numpy as np
import pandas as pd

from waage import style
from waage.customer_base.cohorts import Cohorts
from waage.customer_base.concentration import Concentration
from waage.customer_base.definitions import word
from waage.customer_base.newcomers import Newcomers
from waage.customer_base.plots import axes, bare, month_axis, pair_bars, pair_legend, text
from waage.customer_base.portrait import STATUSES, Portrait

_MOST = 16  # cohorts, and ages, that a slide can hold
_TEXTS = {
    "share": ("Share of the cohort that ordered in the period", "Anteil der Kohorte, der im Zeitraum bestellte"),
    "customers": ("Customers of the cohort who ordered", "Kunden der Kohorte, die bestellten"),
    "net_revenue": ("Net revenue of the cohort", "Umsatz nach Retouren der Kohorte"),
    "age_month": ("Months since the first order", "Monate seit der ersten Bestellung"),
    "age_quarter": ("Quarters since the first order", "Quartale seit der ersten Bestellung"),
    "age_year": ("Years since the first order", "Jahre seit der ersten Bestellung"),
    "cohort": ("First order (customers)", "Erste Bestellung (Kunden)"),
    "unsure": ("* may hold customers from before the data begin", "* kann Kunden von vor Beginn der Daten enthalten"),
    "second": (
        "New customers with a second order, by month of the first (band: 95% interval)",
        "Neukunden mit zweiter Bestellung, nach Monat der ersten (Band: 95-%-Intervall)",
    ),
    "within": ("{days} days", "{days} Tage"),
    "lorenz": ("{top} of the customers bring {share} of net revenue", "{top} der Kunden bringen {share} des Umsatzes"),
    "x": ("Active customers, smallest first", "Aktive Kunden, kleinste zuerst"),
    "y": ("Share of 12-month net revenue", "Anteil am Umsatz nach Retouren, 12 Monate"),
    "equal": ("all alike", "alle gleich"),
    "share_customers": ("Share of active customers", "Anteil der aktiven Kunden"),
    "share_revenue": ("Share of net revenue", "Anteil am Umsatz nach Retouren"),
    "granted": ("{share} granted", "{share} erteilt"),
    "permissions": ("Advertising: what active customers said", "Werbung: was aktive Kunden gesagt haben"),
}


def plot_cohorts(cohorts: Cohorts, ax=None, *, value: str = "share", currency: str = "EUR", language: str = "en"):
    """Draw cohorts by age as a heat map; blank cells have not yet happened, hatched ones are hidden.

    The newest 16 cohorts and first 16 ages; `value` is share, customers or net_revenue.
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    table = cohorts.table
    names = list(table["cohort"].drop_duplicates())[-_MOST:]
    table = table[table["cohort"].isin(names) & (table["age"] < _MOST)]
    ages = table["age"].max() + 1
    ax = axes(ax, figsize=(2.6 + 0.72 * max(ages, 6), 0.42 * len(names) + 1.6))
    ramp = LinearSegmentedColormap.from_list("waage", ["#ffffff", style.ACCENT])
    later = table.loc[table["age"] > 0, value]
    top = later.max() if later.notna().any() else 0.0
    most = table[value].max() if value == "net_revenue" else 0
    scale = 10**6 if most >= 10**7 else 1000 if most >= 10**4 else 1
    for row in table.itertuples():
        amount, place = getattr(row, value), names.index(row.cohort)
        whole = row.age == 0  # all of them: its colour would drown the rest
        depth = 0.8 * min(max(amount, 0) / top, 1) if amount == amount and top > 0 else 0
        face = "#eef1f3" if whole or pd.isna(amount) else ramp(depth)
        hatch = "////" if amount != amount else None
        ax.add_patch(Rectangle((row.age - 0.5, place - 0.5), 1, 1, fc=face, ec="#ffffff", hatch=hatch, lw=1.2))
        if amount == amount:
            ink = "white" if depth > 0.6 and not whole else style.INK
            ax.text(
                row.age, place, _cell(amount, value, language, scale), ha="center", va="center", color=ink, fontsize=9.5
            )
    sizes = table[table["age"] == 0].set_index("cohort")
    rows = [
        f"{_period(name, cohorts.grain, language)}{'' if sizes.loc[name, 'known'] else '*'}  "
        f"({_size(sizes.loc[name, 'size'], language)})"
        for name in names
    ]
    ax.set_yticks(range(len(names)), rows)
    ax.set_xticks(range(ages))
    ax.set_xlim(-0.5, max(ages, 6) - 0.5)
    ax.set_ylim(len(names) - 0.5, -0.5)
    head = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "right", "color": style.MUTED}
    ax.annotate(_say("cohort", language), (0, 1), (-6, 8), fontsize=9.5, **head)
    note = "" if sizes["known"].all() else f"\n{_say('unsure', language)}"
    ax.set_xlabel(_say(f"age_{cohorts.grain}", language) + note)
    unit = f" ({style.compact(scale, currency, language).replace('1', '').strip()})" if value == "net_revenue" else ""
    ax.set_title(_say(value, language) + unit)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return ax


def plot_second_order(newcomers: Newcomers, ax=None, *, language: str = "en"):
    """Draw the share of new customers with a second order by month of acquisition, a line for each number of days."""
    ax = axes(ax, figsize=(10, 4.6))
    table = newcomers.table.tail(36).reset_index(drop=True)
    days = [name for name in table if name.startswith("within_") and name.rpartition("_")[2].isdigit()]
    seen = np.flatnonzero(table[days].notna().any(axis=1))
    table = table[: seen[-1] + 1 if len(seen) else 1]
    shades = (style.PALETTE[2], style.BRASS, style.ACCENT, style.PALETTE[5])
    for name, colour in zip(days, shades, strict=False):
        share = table[name]
        if share.notna().sum() == 0:
            continue
        text = _say("within", language, days=name.rpartition("_")[2])
        ax.plot(share.index, share, color=colour, marker="o", ms=3.5, label=text)
        ax.fill_between(share.index, table[f"{name}_low"], table[f"{name}_high"], color=colour, alpha=0.13, lw=0)
    ax.set_ylim(0, 1.12 * ax.get_ylim()[1])
    handles, names = ax.get_legend_handles_labels()
    if names:
        ax.legend(handles[::-1], names[::-1], loc="upper right", ncols=len(names), borderaxespad=0)
    month_axis(ax, table["month"], language)
    style.axis_percent(ax.yaxis, language)
    ax.set_title(_say("second", language))
    return ax


def plot_mix(newcomers: Newcomers, ax=None, *, language: str = "en"):
    """Draw the first channel and, where lines are there, the first assortment of new customers, now and before."""
    mixes = {"first_channel": newcomers.channels, "first_category": newcomers.categories}
    mixes = {name: mix for name, mix in mixes.items() if len(mix)}
    tall = max(len(mix) for mix in mixes.values())
    ax = np.ravel(axes(ax, 1, len(mixes), figsize=(6 * len(mixes), 0.42 * tall + 1.6)))
    for one, (name, mix) in zip(ax, mixes.items(), strict=True):
        pair_bars(one, mix["level"], mix["share"], mix["share_before"], "share", language)
        one.set_title(word(name, language))
        one.set_ylim(tall - 0.4, -0.6)  # bars are as thick on the left as on the right, however many there are
    pair_legend(ax, [mix["share_before"] for mix in mixes.values()])
    return list(ax)


def plot_lorenz(concentration: Concentration, ax=None, *, language: str = "en"):
    """Draw the Lorenz curve of 12-month net revenue, with the share of the top fifth."""
    ax = axes(ax, figsize=(7, 5))
    curve = concentration.curve
    ax.plot(curve["customers"], curve["revenue"], color=style.ACCENT, lw=2.6)
    ax.fill_between(curve["customers"], curve["revenue"], curve["customers"], color=style.ACCENT, alpha=0.09, lw=0)
    ax.plot([0, 1], [0, 1], color=style.MUTED, ls="--", lw=1.2)
    ax.text(0.4, 0.43, _say("equal", language), color=style.MUTED, rotation=33, rotation_mode="anchor")
    for row in concentration.table.dropna().itertuples():
        at, share = 1 - row.top, row.share
        ax.plot(at, 1 - share, "o", color=style.BRASS, ms=7)
        text = f"Top {style.percent(row.top, language)}: {style.percent(share, language)}"
        place = {"textcoords": "offset points", "ha": "right", "va": "center", "fontsize": 10}
        ax.annotate(text, (at, 1 - share), (-12, 0), bbox={"fc": "white", "ec": "none", "pad": 1.2}, **place)
    top = concentration.table.iloc[-1]
    shares = {"top": style.percent(top["top"], language), "share": style.percent(top["share"], language)}
    ax.set_title(_say("lorenz", language, **shares))
    ax.set_xlim(0, 1.01)
    ax.set_xlabel(_say("x", language))
    ax.set_ylabel(_say("y", language))
    style.axis_percent(ax.xaxis, language)
    style.axis_percent(ax.yaxis, language)
    ax.set_yticks([0.2, 0.4, 0.6, 0.8, 1.0])  # one "0%" at the origin is enough
    ax.set_ylim(0, 1.01)
    return ax


def plot_portrait(portrait: Portrait, ax=None, *, language: str = "en"):
    """Draw the share of active customers beside their share of net revenue, by level of each attribute."""
    some = portrait.table[portrait.table["customers"] != 0]
    parts = dict(list(some.groupby("attribute", sort=False)))
    tall = max(len(part) for part in parts.values())
    given, ax = ax, np.ravel(axes(ax, 1, len(parts), figsize=(4.1 * len(parts), 0.44 * tall + 1.6)))
    names = (_say("share_customers", language), _say("share_revenue", language))
    widest = portrait.table[["share", "revenue_share"]].max().max()
    for one, (attribute, part) in zip(ax, parts.items(), strict=True):
        pair_bars(one, part["level"], part["share"], part["revenue_share"], "share", language, names=names)
        one.set_ylim(tall - 0.4, -0.6)
        one.set_xlim(0, 1.3 * widest if widest > 0 else 1)
        one.set_title(word(attribute, language))
    where, look = (ax[0].figure, {"loc": "outside lower left"}) if given is None else (ax[0], {})
    where.legend(*ax[0].get_legend_handles_labels(), ncols=2, **look)
    return list(ax)


def plot_permissions(table: pd.DataFrame, ax=None, *, language: str = "en"):
    """Draw what active customers said to advertising on each channel as bars of shares."""
    wide = table[table["group"] == "active"].pivot(index="channel", columns="status", values="share")
    wide = wide.reindex(columns=STATUSES).sort_values("granted", ascending=False)
    ax = axes(ax, figsize=(9, 0.6 * len(wide) + 1.5))
    start = pd.Series(0.0, index=wide.index)
    colours = (style.ACCENT, style.BRASS, style.PALETTE[3], "#dfe4e8")
    for status, colour in zip(STATUSES, colours, strict=True):
        share = wide[status].fillna(0)
        ax.barh(range(len(wide)), share, left=start, height=0.62, color=colour, label=style.title(status, language))
        for place, (at, width) in enumerate(zip(start, share, strict=True)):
            if width >= 0.045 and status != "granted":
                ink = "white" if status == "objected" else style.INK
                text = style.percent(width, language)
                ax.text(at + width / 2, place, text, ha="center", va="center", color=ink, fontsize=10)
        start = start + share
    names = [
        f"{style.title(channel, language)}\n{_say('granted', language, share=style.percent(share, language, 1))}"
        for channel, share in wide["granted"].items()
    ]
    ax.set_yticks(range(len(wide)), names)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    bare(ax)
    ax.set_title(_say("permissions", language))
    ax.legend(loc="upper left", bbox_to_anchor=(0, 0), ncols=4, borderaxespad=0, handlelength=1)
    return ax


def _cell(amount: float, value: str, language: str, scale: int = 1) -> str:
    if value == "share":
        return style.percent(amount, language)
    return style.number(amount / scale, language, 1 if scale > 1 and abs(amount) < 10 * scale else 0)


def _size(size: float, language: str) -> str:
    return style.label("hidden", language) if pd.isna(size) else style.number(size, language)


def _period(start: pd.Timestamp, grain: str, language: str) -> str:
    if grain == "year":
        return str(start.year)
    if grain == "quarter":
        return f"{start.year} Q{start.quarter}"
    return f"{style.day(start, language).split()[1][:3]} {start.year}"


def _say(key: str, language: str, **values: str) -> str:
    return text(key, language, _TEXTS, **values)
