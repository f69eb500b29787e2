"""Charts of the customer base over time and by channel; each is a function of a result."""

import numpy as np
import pandas as pd

from waage import style
from waage.customer_base.activity import FLOWS, Activity
from waage.customer_base.channels import Channels
from waage.customer_base.definitions import DEFINITIONS, word
from waage.customer_base.rates import RATES, Rates

LAPSED = style.PALETTE[3]
_MONTHS_SHOWN = 36
_TEXTS = {
    "flow": ("Who came and who went, by month", "Wer kam und wer ging, nach Monat"),
    "active": ("{measure} at the end of the month", "{measure} am Monatsende"),
    "by_month": ("{measure} by month", "{measure} nach Monat"),
    "before": ("previous year", "Vorjahr"),
    "now": ("last 12 months", "letzte 12 Monate"),
    "earlier": ("12 months before", "12 Monate davor"),
    "running": ("pale: {month} to date", "blass: {month} bis zum Stichtag"),
    "bars": ("(line: 95% interval)", "(Strich: 95-%-Intervall)"),
    "rolling": ("12 months to {day}", "12 Monate bis {day}"),
}


def plot_base(activity: Activity, ax=None, *, language: str = "en"):
    """Draw active customers at the ends of months above those who came and went.

    Where the history is too short to tell either, ordering customers by month take their place.

    Parameters
    ----------
    activity : Activity
    ax : pair of matplotlib Axes, optional
    language : {"en", "de"}

    Returns
    -------
    tuple of matplotlib Axes
    """
    import matplotlib.pyplot as plt

    flows = {flow: activity.series(flow).tail(_MONTHS_SHOWN) for flow in FLOWS}
    active = activity.series("active").tail(_MONTHS_SHOWN)
    if len(active) < 3 or len(flows["new"]) < 2:
        ax = ax[0] if ax is not None else plt.subplots(figsize=(10, 4))[1]
        ordering = activity.table.query("grain == 'month' and measure == 'ordering'").tail(_MONTHS_SHOWN)
        ax.bar(range(len(ordering)), ordering["value"], width=0.7, color=_faded(ordering, style.ACCENT))
        _label_last(ax, ordering, language)
        ax.set_title(_text("by_month", language, measure=word("ordering", language)))
        month_axis(ax, ordering["period"], language)
        style.axis_number(ax.yaxis, language)
        return (ax,)
    upper, lower = ax if ax is not None else plt.subplots(2, 1, figsize=(10, 5.4), height_ratios=(1, 1), sharex=True)[1]
    place = {month: at for at, month in enumerate(active["period"])}
    at = active["period"].map(place)
    upper.plot(at, active["value_before"], color=style.MUTED, ls="--", lw=1.6, label=_text("before", language))
    upper.plot(at, active["value"], color=style.ACCENT, lw=2.5, label=word("active", language))
    upper.fill_between(at, 0, active["value"], color=style.ACCENT, alpha=0.08, lw=0)
    _label_last(upper, active, language)
    upper.set_ylim(0, 1.18 * active["value"].max())
    upper.set_title(_text("active", language, measure=word("active", language)))
    if active["value_before"].notna().any():
        upper.legend(loc="lower right", ncols=2)
    bottom = pd.Series(0.0, index=flows["new"].index)
    for flow, colour in zip(FLOWS, (style.ACCENT, style.BRASS, LAPSED), strict=True):
        rows = flows[flow]
        height = -rows["value"] if flow == "lapsed" else rows["value"]
        base = 0 if flow == "lapsed" else bottom.to_numpy()
        places = rows["period"].map(place)
        lower.bar(places, height, bottom=base, width=0.7, color=_faded(rows, colour), label=word(flow, language))
        lower.bar(0, 0, color=colour)
        if flow != "lapsed":
            bottom = bottom + height.to_numpy()
    lower.axhline(0, color=style.MUTED, lw=0.8)
    lower.set_title(_text("flow", language))
    low, high = lower.get_ylim()
    lower.set_ylim(low, high + 0.3 * (high - low))
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in (style.ACCENT, style.BRASS, LAPSED)]
    lower.legend(handles, [word(flow, language) for flow in FLOWS], loc="upper left", ncols=3, borderaxespad=0)
    month_axis(lower, active["period"], language, _running(active, language))
    style.axis_number(upper.yaxis, language)
    lower.yaxis.set_major_formatter(lambda x, _: style.number(abs(x), language))
    return upper, lower


MONTHLY = ("ordering", "orders", "net_revenue", "new", "reactivated", "lapsed")


def plot_months(activity: Activity, ax=None, *, measures=MONTHLY, currency: str = "EUR", language: str = "en"):
    """Draw the last 12 months of each measure against the same months of the previous year.

    A measure that the history cannot tell for two months, or that is nothing but zero, is left out.

    Parameters
    ----------
    activity : Activity
    ax : sequence of matplotlib Axes, optional
        One for each measure that is known.
    measures : sequence of str
    currency, language : str

    Returns
    -------
    list of matplotlib Axes
    """
    import matplotlib.pyplot as plt

    series = {measure: activity.series(measure).tail(12).reset_index(drop=True) for measure in measures}
    series = {measure: rows for measure, rows in series.items() if len(rows) > 1 and rows["value"].max() > 0}
    if not series:
        return []
    if ax is None:
        deep = -(-len(series) // 3)
        axes = plt.subplots(deep, 3, figsize=(13, 3.2 * deep), squeeze=False)[1].ravel()
        for spare in axes[len(series) :]:
            spare.remove()
    else:
        axes = ax
    for one, (measure, rows) in zip(axes, series.items(), strict=False):
        one.plot(rows.index, rows["value_before"], color=style.MUTED, ls="--", lw=1.6, label=_text("before", language))
        one.plot(rows.index, rows["value"], color=style.ACCENT, lw=2.4, label=_text("now", language))
        running = rows[~rows["complete"]]
        one.plot(running.index, running["value"], "o", mfc="white", mec=style.ACCENT, ms=7)
        one.set_title(word(measure, language))
        one.set_ylim(0, 1.15 * max(rows[["value", "value_before"]].max().max(), 1))
        month_axis(one, rows["period"], language, every=3)
        if DEFINITIONS[measure].kind == "money":
            style.axis_money(one.yaxis, currency, language)
        else:
            style.axis_number(one.yaxis, language)
    shown = list(axes[: len(series)])
    if any(rows["value_before"].notna().any() for rows in series.values()):
        handles = shown[0].get_legend_handles_labels()
        if ax is None:
            shown[0].figure.legend(*handles, loc="outside upper right", ncols=2)
        else:
            shown[0].legend(*handles)
    return shown


def plot_rates(rates: Rates, ax=None, *, until=None, language: str = "en"):
    """Draw returning and repeat rate by year with their intervals.

    Parameters
    ----------
    rates : Rates
    ax : matplotlib Axes, optional
    until : date, optional
        The last day, for the name of the rolling year.
    language : {"en", "de"}

    Returns
    -------
    matplotlib Axes
    """
    import matplotlib.pyplot as plt

    table = rates.table.sort_values(["grain", "period"])
    years = table[["grain", "period"]].drop_duplicates().reset_index(drop=True)
    place = {(row.grain, row.period): at for at, row in years.iterrows()}
    present = [measure for measure in RATES if (table["measure"] == measure).any()]
    ax = ax or plt.subplots(figsize=(9, 0.35 * len(years) * len(present) + 1.4))[1]
    for at, (measure, colour) in enumerate(zip(RATES, (style.ACCENT, style.BRASS), strict=True)):
        rows = table[table["measure"] == measure]
        shift = 0.0 if len(present) == 1 else (-0.19, 0.19)[at]
        places = np.array([place[row.grain, row.period] for row in rows.itertuples()]) + shift
        if measure not in present:
            continue
        ax.barh(places, rows["value"], height=0.36, color=colour, label=word(measure, language))
        ax.hlines(places, rows["value_low"], rows["value_high"], color=style.INK, lw=1.4)
        for y, row in zip(places, rows.itertuples(), strict=True):
            ax.text(row.value_high + 0.012, y, style.percent(row.value, language, 1), va="center", fontsize=10)
    names = [
        year_name(row.period, language)
        if row.grain == "fiscal_year"
        else _text("rolling", language, day=style.day(until, language)).replace("– ", "")
        if until is not None
        else _text("now", language)
        for row in years.itertuples()
    ]
    ax.set_yticks(range(len(years)), names)
    ax.invert_yaxis()
    bare(ax)
    ax.set_xlim(0, min(1.15, 1.25 * table["value_high"].max() + 0.05))
    ax.set_title(" / ".join(word(measure, language) for measure in present) + " " + _text("bars", language))
    if len(present) > 1:
        ax.legend(loc="upper left", bbox_to_anchor=(0, 0), ncols=2)
    return ax


def plot_channels(channels: Channels, ax=None, *, currency: str = "EUR", language: str = "en"):
    """Draw orders, basket and net revenue by channel, the last 12 months above the 12 months before.

    Parameters
    ----------
    channels : Channels
    ax : three matplotlib Axes, optional
    currency, language : str

    Returns
    -------
    list of matplotlib Axes
    """
    import matplotlib.pyplot as plt

    table = channels.table
    if ax is None:
        ax = plt.subplots(1, 3, figsize=(13, 0.8 * len(table) + 1.7), sharey=True)[1]
    for one, measure in zip(ax, ("orders", "basket", "net_revenue"), strict=True):
        kind = DEFINITIONS[measure].kind
        pair_bars(one, table["channel"], table[measure], table[f"{measure}_before"], kind, currency, language)
        one.set_title(word(measure, language))
    if table["orders_before"].notna().any():
        ax[0].legend(loc="upper left", bbox_to_anchor=(0, 0), ncols=2)
    return list(ax)


def pair_bars(ax, levels, now: pd.Series, before: pd.Series, kind: str, currency: str, language: str) -> None:
    """Draw a bar for each level and, thinner below it, that of a year before; hidden levels say so."""
    compared = before.notna().any()
    top = np.nanmax([now.max(), before.max() if compared else 0, 1e-9])
    places = np.arange(len(now))
    shift = -0.14 if compared else 0
    ax.barh(places + shift, now.fillna(0), height=0.44, color=style.ACCENT, label=_text("now", language))
    if compared:
        earlier = _text("earlier", language)
        ax.barh(places + 0.24, before.fillna(0), height=0.24, color=style.PALETTE[-1], label=earlier)
    for place, value in zip(places, now, strict=True):
        text = style.label("hidden", language) if pd.isna(value) else written(value, kind, currency, language)
        at = 0 if pd.isna(value) else max(value, 0)
        ax.text(at + 0.02 * top, place + shift, text, va="center", fontsize=10)
    ax.set_yticks(places, [style.title(level, language) for level in levels])
    ax.set_ylim(len(now) - 0.4, -0.6)
    bare(ax)
    ax.set_xlim(0, 1.3 * top)


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


def _faded(rows: pd.DataFrame, colour: str) -> list[tuple]:
    from matplotlib.colors import to_rgba

    return [to_rgba(colour, 1.0 if complete else 0.45) for complete in rows["complete"]]


def _label_last(ax, rows: pd.DataFrame, language: str) -> None:
    value = rows["value"].iloc[-1]
    text = style.number(value, language)
    ax.annotate(
        text, (len(rows) - 1, value), (0, 7), textcoords="offset points", ha="center", fontweight="bold", fontsize=11
    )


def _running(rows: pd.DataFrame, language: str) -> str:
    if rows["complete"].iloc[-1]:
        return ""
    return _text("running", language, month=style.day(rows["period"].iloc[-1], language).split()[1])


def _text(key: str, language: str, **values: str) -> str:
    return _TEXTS[key][language == "de"].format(**values)
