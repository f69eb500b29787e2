"""Charts of the customer base over time and by channel.

Each is a function of a result: `ax` is what to draw on (a new figure if left out; several axes where several are
returned), `language` en or de, `currency` an ISO code. What is hidden is a gap or says so.
"""

import numpy as np
import pandas as pd

from waage import style
from waage.customer_base.activity import FLOWS, Activity
from waage.customer_base.channels import Channels
from waage.customer_base.definitions import DEFINITIONS, word
from waage.customer_base.rates import RATES, Rates

MONTHLY = ("ordering", "orders", "net_revenue", "new", "reactivated", "lapsed")
_COLOURS = dict(zip(FLOWS, (style.ACCENT, style.BRASS, style.PALETTE[3]), strict=True))
_MONTHS_SHOWN = 36
_TEXTS = {
    "flow": ("Who came and who went, by month", "Wer kam und wer ging, nach Monat"),
    "active": ("{measure} at the end of the month", "{measure} am Monatsende"),
    "by_month": ("{measure} by month", "{measure} nach Monat"),
    "gaps": (" (gaps: hidden for privacy)", " (Lücken: zum Schutz verdeckt)"),
    "before": ("previous year", "Vorjahr"),
    "now": ("last 12 months", "letzte 12 Monate"),
    "earlier": ("12 months before", "12 Monate davor"),
    "running": ("pale: {month} to date", "blass: {month} bis zum Stichtag"),
    "bars": ("(line: 95% interval)", "(Strich: 95-%-Intervall)"),
    "rolling": ("12 months to {day}", "12 Monate bis {day}"),
}


def plot_base(activity: Activity, ax=None, *, language: str = "en"):
    """Draw active customers at the ends of months above those who came and went, on two axes.

    Where the flows are hidden or unknown, active customers stand alone; where those are too, ordering customers by
    month take their place.
    """
    flows = {flow: activity.series(flow).tail(_MONTHS_SHOWN) for flow in FLOWS}
    rows = activity.series("active").tail(_MONTHS_SHOWN)
    alone = flows["new"]["value"].count() < 2
    ordering = rows["value"].count() < 3
    if ordering:
        rows = activity.table.query("grain == 'month' and measure == 'ordering'").tail(_MONTHS_SHOWN)
    deep = 1 if alone or ordering else 2
    ax = np.ravel(axes(ax, deep, 1, figsize=(10, 2.7 * deep + 1.3 * (deep == 1)), sharex=True))[:deep]
    if ordering:
        ax[0].bar(range(len(rows)), rows["value"], width=0.7, color=_faded(rows, style.ACCENT))
        title = text("by_month", language, measure=word("ordering", language))
    else:
        at = range(len(rows))
        ax[0].plot(at, rows["value_before"], color=style.MUTED, ls="--", lw=1.6, label=text("before", language))
        ax[0].plot(at, rows["value"], color=style.ACCENT, lw=2.5, label=word("active", language))
        ax[0].fill_between(at, 0, rows["value"], color=style.ACCENT, alpha=0.08, lw=0)
        title = text("active", language, measure=word("active", language))
        if rows["value_before"].notna().any():
            ax[0].legend(loc="lower right", ncols=2)
    last = rows["value"].iloc[-1]
    if pd.notna(last):
        place = {"textcoords": "offset points", "ha": "center", "fontweight": "bold", "fontsize": 11}
        ax[0].annotate(style.number(last, language), (len(rows) - 1, last), (0, 7), **place)
    ax[0].set_ylim(0, 1.18 * max(rows["value"].max(), 1) if rows["value"].notna().any() else 1)
    ax[0].set_title(title + _gaps(rows, language))
    style.axis_number(ax[0].yaxis, language)
    if deep == 2:
        _plot_flows(ax[1], flows, {month: at for at, month in enumerate(rows["period"])}, language)
    month_axis(ax[-1], rows["period"], language, "" if ordering else _running(rows, language))
    ax[0].grid(False, axis="x")
    return tuple(ax)


def _plot_flows(ax, flows: dict[str, pd.DataFrame], place: dict[pd.Timestamp, int], language: str) -> None:
    from matplotlib.patches import Rectangle

    below = flows["new"]["value"].to_numpy()
    for flow, rows in flows.items():
        height = -rows["value"] if flow == "lapsed" else rows["value"]
        bottom = below if flow == "reactivated" else 0
        ax.bar(rows["period"].map(place), height, bottom=bottom, width=0.7, color=_faded(rows, _COLOURS[flow]))
    ax.axhline(0, color=style.MUTED, lw=0.8)
    ax.set_title(text("flow", language) + _gaps(flows["new"], language))
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.3 * (high - low))
    handles = [Rectangle((0, 0), 1, 1, color=colour) for colour in _COLOURS.values()]
    ax.legend(handles, [word(flow, language) for flow in FLOWS], loc="upper left", ncols=3, borderaxespad=0)
    ax.yaxis.set_major_formatter(lambda x, _: style.number(abs(x), language))


def plot_months(activity: Activity, ax=None, *, measures=MONTHLY, currency: str = "EUR", language: str = "en"):
    """Draw the last 12 months of each measure against the same months of the previous year, on a list of axes.

    A measure that shows fewer than two months, or nothing but zero, is left out.
    """
    series = {measure: activity.series(measure).tail(12).reset_index(drop=True) for measure in measures}
    series = {name: rows for name, rows in series.items() if rows["value"].count() > 1 and rows["value"].max() > 0}
    if not series:
        return []
    deep = -(-len(series) // 3)
    shown = list(np.ravel(axes(ax, deep, 3, figsize=(13, 3.2 * deep))))
    for spare in shown[len(series) :] if ax is None else []:
        spare.remove()
    shown = shown[: len(series)]
    for one, (measure, rows) in zip(shown, series.items(), strict=True):
        dots = {"marker": "o", "ms": 3} if rows["value"].isna().any() else {}  # a month between two gaps has no line
        one.plot(rows.index, rows["value_before"], color=style.MUTED, ls="--", lw=1.6, label=text("before", language))
        one.plot(rows.index, rows["value"], color=style.ACCENT, lw=2.4, label=text("now", language), **dots)
        running = rows[~rows["complete"]]
        one.plot(running.index, running["value"], "o", mfc="white", mec=style.ACCENT, ms=7)
        gaps = _gaps(rows, language) if DEFINITIONS[measure].kind == "count" else ""
        one.set_title(word(measure, language) + gaps, fontsize=11 if gaps else None)
        one.set_ylim(0, 1.15 * max(rows[["value", "value_before"]].max().max(), 1))
        month_axis(one, rows["period"], language, every=3)
        if DEFINITIONS[measure].kind == "money":
            style.axis_money(one.yaxis, currency, language)
        else:
            style.axis_number(one.yaxis, language)
    if any(rows["value_before"].notna().any() for rows in series.values()):
        where = shown[0].figure if ax is None else shown[0]
        look = {"loc": "outside upper right", "ncols": 2} if ax is None else {}
        where.legend(*shown[0].get_legend_handles_labels(), **look)
    return shown


def plot_rates(rates: Rates, ax=None, *, until=None, language: str = "en"):
    """Draw returning and repeat rate by year with their intervals; `until` (a date) names the rolling year."""
    table = rates.table.sort_values(["grain", "period"])
    years = table[["grain", "period"]].drop_duplicates().reset_index(drop=True)
    place = {(row.grain, row.period): at for at, row in years.iterrows()}
    present = [measure for measure in RATES if (table["measure"] == measure).any()]
    ax = axes(ax, figsize=(9, 0.35 * len(years) * len(present) + 1.4))
    for measure, colour, shift in zip(RATES, (style.ACCENT, style.BRASS), (-0.19, 0.19), strict=True):
        rows = table[table["measure"] == measure]
        if measure not in present:
            continue
        own = 0.0 if len(present) == 1 else shift
        places = np.array([place[row.grain, row.period] for row in rows.itertuples()]) + own
        ax.barh(places, rows["value"], height=0.36, color=colour, label=word(measure, language))
        ax.hlines(places, rows["value_low"], rows["value_high"], color=style.INK, lw=1.4)
        for y, row in zip(places, rows.itertuples(), strict=True):
            ax.text(row.value_high + 0.012, y, style.percent(row.value, language, 1), va="center", fontsize=10)
    rolling = text("rolling", language, day=style.day(until, language)) if until else text("now", language)
    names = [year_name(row.period, language) if row.grain == "fiscal_year" else rolling for row in years.itertuples()]
    ax.set_yticks(range(len(years)), names)
    ax.invert_yaxis()
    bare(ax)
    ax.set_xlim(0, min(1.15, 1.25 * table["value_high"].max() + 0.05))
    ax.set_title(" / ".join(word(measure, language) for measure in present) + " " + text("bars", language))
    if len(present) > 1:
        ax.legend(loc="upper left", bbox_to_anchor=(0, 0), ncols=2)
    return ax


def plot_channels(channels: Channels, ax=None, *, currency: str = "EUR", language: str = "en"):
    """Draw orders, basket and net revenue by channel on three axes, the last 12 months above the 12 months before."""
    table = channels.table
    ax = axes(ax, 1, 3, figsize=(13, 0.8 * len(table) + 1.7), sharey=True)
    for one, measure in zip(ax, ("orders", "basket", "net_revenue"), strict=True):
        kind = DEFINITIONS[measure].kind
        pair_bars(one, table["channel"], table[measure], table[f"{measure}_before"], kind, language, currency)
        one.set_title(word(measure, language))
    pair_legend(ax, [table["orders_before"]])
    return list(ax)


def pair_bars(
    ax, levels, one: pd.Series, other: pd.Series, kind: str, language: str, currency: str = "EUR", names=None
) -> None:
    """Draw a bar for each level and, below it, a second one; hidden levels say so.

    The second is thinner: that of a year before; with `names` of the two, it is as thick.
    """
    compared = other.notna().any()
    top = np.nanmax([one.max(), other.max() if compared else 0, 1e-9])
    places = np.arange(len(one))
    shift = -0.14 if compared else 0
    labels = names or (text("now", language), text("earlier", language))
    ax.barh(places + shift, one.fillna(0), height=0.36 if names else 0.44, color=style.ACCENT, label=labels[0])
    if compared:
        look = {"height": 0.36, "color": style.BRASS} if names else {"height": 0.24, "color": style.PALETTE[-1]}
        ax.barh(places + (0.22 if names else 0.24), other.fillna(0), label=labels[1], **look)
    for place, value in zip(places, one, strict=True):
        figure = style.label("hidden", language) if pd.isna(value) else written(value, kind, currency, language)
        at = 0 if pd.isna(value) else max(value, 0)
        ax.text(at + 0.02 * top, place + shift, figure, va="center", fontsize=10)
    ax.set_yticks(places, [style.title(level, language) for level in levels])
    ax.set_ylim(len(one) - 0.4, -0.6)
    bare(ax)
    ax.set_xlim(0, 1.3 * top)


def pair_legend(ax, before: list[pd.Series]) -> None:
    """Name the two bars below the first panel where anything is compared."""
    if any(values.notna().any() for values in before):
        ax[0].legend(loc="upper left", bbox_to_anchor=(0, 0), ncols=2)


def axes(ax, *grid: int, **more):
    """Return the axes given, or those of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(*grid, **more)[1]


def written(value: float, kind: str, currency: str, language: str) -> str:
    """Return a figure of that kind as text: short amounts, whole counts, shares."""
    if kind == "share":
        return style.percent(value, language, 1 if abs(value) < 0.0995 else 0)
    if kind == "money":
        small = abs(value) < 1000
        return style.money(value, currency, language, 2) if small else style.compact(value, currency, language)
    return style.number(value, language)


def year_name(start: pd.Timestamp, language: str) -> str:
    """Return the name of the fiscal year that starts on a day: 2024, or 2024/25."""
    prefix = "GJ" if language == "de" else "FY"
    return f"{prefix} {start.year}" if start.month == 1 else f"{prefix} {start.year}/{(start.year + 1) % 100:02d}"


def month_axis(ax, months: pd.Series, language: str, last: str = "", every: int = 0) -> None:
    """Name the months at places 0, 1, ...; the year below its first month; `last` names a running one."""
    step = every or -(-len(months) // 12)
    months = months.reset_index(drop=True)
    shown = months.iloc[::-1].iloc[::step].iloc[::-1]
    new_year = shown.dt.year.diff() != 0
    names = [style.day(month, language).split()[1][:3] for month in shown]
    names = [f"{name}\n{month.year}" if new else name for name, month, new in zip(names, shown, new_year, strict=True)]
    ax.set_xticks(list(shown.index), names)
    if last:
        ax.annotate(last, (1, 0), (0, -34), xycoords="axes fraction", textcoords="offset points", ha="right", va="top")
    ax.grid(False, axis="x")


def bare(ax) -> None:
    """Leave the axis of numbers out where every bar has its own."""
    ax.set_xticks([])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.grid(False)


def text(key: str, language: str, texts: dict[str, tuple[str, str]] = _TEXTS, **values: object) -> str:
    """Return a text of this module, or of `texts`, in the reader's language."""
    return texts[key][language == "de"].format(**values)


def _gaps(rows: pd.DataFrame, language: str) -> str:
    return text("gaps", language) if rows["hidden"].any() else ""


def _faded(rows: pd.DataFrame, colour: str) -> list[tuple]:
    from matplotlib.colors import to_rgba

    return [to_rgba(colour, 1.0 if complete else 0.45) for complete in rows["complete"]]


def _running(rows: pd.DataFrame, language: str) -> str:
    if rows["complete"].iloc[-1] or rows["hidden"].iloc[-1]:
        return ""
    return text("running", language, month=style.day(rows["period"].iloc[-1], language).split()[1])
