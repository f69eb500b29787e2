"""Charts of value and of the models' calibration; each is a function of a result table."""

import numpy as np
import pandas as pd

from waage.clv.tracking import alive_path, history_grid
from waage.clv.value import concentration_curve, value_concentration
from waage.errors import WaageError

TEXTS = {
    "en": {
        "frequency": "Repeat purchase days before the holdout",
        "decile": "Tenth of customers by prediction (10: highest)",
        "y": "Purchase days per customer in the holdout",
        "actual": "Actual",
        "customers": "Share of customers, most valuable first",
        "held": "Share of customer lifetime value",
        "title": "The most valuable {top} of customers hold {share} of the value",
        "equal": "All worth the same",
        "orders": "Purchase days since {cut}",
        "predicted": "Forecast made on {cut}",
        "band": "95% interval",
        "p_alive": "Probability alive",
        "expected_orders": "Expected purchase days in {days} days",
        "repeat": "Repeat purchase days",
        "recency": "Days from the first to the last purchase",
        "seen": "Customers first seen {T} days ago",
        "purchase": "Purchase",
        "forecast_last": "Forecast,\nlast {weeks} weeks",
        "came_last": "Came,\nlast {weeks} weeks",
        "forecast_next": "Forecast,\nnext {weeks} weeks",
        "year": "Net revenue of known customers",
        "clv": "Customer lifetime value (margin)",
        "value_12m": "Value in 12 months (margin)",
        "by": "Value by {group}, with 80% intervals",
        "by_all": "Value of all customers, with 80% interval",
        "year_title": "Was the last forecast right?",
    },
    "de": {
        "frequency": "Wiederkauftage vor dem Testzeitraum",
        "decile": "Zehntel der Kunden nach Vorhersage (10: höchstes)",
        "y": "Kauftage je Kunde im Testzeitraum",
        "actual": "Tatsächlich",
        "customers": "Anteil der Kunden, wertvollste zuerst",
        "held": "Anteil am Kundenwert",
        "title": "Die wertvollsten {top} der Kunden tragen {share} des Werts",
        "equal": "Alle gleich viel wert",
        "orders": "Kauftage seit {cut}",
        "predicted": "Prognose vom {cut}",
        "band": "95-%-Intervall",
        "p_alive": "Wahrscheinlichkeit aktiv",
        "expected_orders": "Erwartete Kauftage in {days} Tagen",
        "repeat": "Wiederkauftage",
        "recency": "Tage vom ersten bis zum letzten Kauf",
        "seen": "Kunden, zuerst gesehen vor {T} Tagen",
        "purchase": "Kauf",
        "forecast_last": "Prognose,\nletzte\n{weeks} Wochen",
        "came_last": "Gekommen,\nletzte\n{weeks} Wochen",
        "forecast_next": "Prognose,\nnächste\n{weeks} Wochen",
        "year": "Umsatz nach Retouren der bekannten Kunden",
        "clv": "Kundenwert (Marge)",
        "value_12m": "Wert in 12 Monaten (Marge)",
        "by": "Wert nach {group}, mit 80-%-Intervallen",
        "by_all": "Wert aller Kunden, mit 80-%-Intervall",
        "year_title": "Stimmte die letzte Prognose?",
    },
}


def plot_calibration(groups: pd.DataFrame, ax=None, *, models=None, language: str = "en"):
    """Draw mean predicted against actual holdout purchase days by group.

    Parameters
    ----------
    groups : DataFrame
        From `holdout_by_group`. By frequency there is one actual line; by decile, one for each model, as each
        model sorts customers its own way.
    ax : Axes, optional
        Where to draw; a new figure by default.
    models : list of str, optional
        Which models and baselines to show; by default all but `zero`.
    language : {"en", "de"}

    Returns
    -------
    Axes
    """
    from waage.style import INK, PALETTE, label

    texts = _texts(language)
    shown = list(models) if models is not None else [name for name in groups["model"].unique() if name != "zero"]
    unknown = [name for name in shown if name not in set(groups["model"])]
    if unknown or not shown:
        raise WaageError(f"models: {unknown or shown} not in groups; there are {sorted(set(groups['model']))}")
    ax = _axes(ax)
    by = groups["by"].iloc[0]
    for position, name in enumerate(shown):
        part = groups[groups["model"] == name].sort_values("group")
        colour = PALETTE[position % len(PALETTE)]
        text = label(name, language)
        if by == "frequency" and position == 0:
            ax.plot(part["group"], part["actual"], color=INK, marker="o", label=texts["actual"])
            ax.vlines(part["group"], part["low"], part["high"], color=INK, linewidth=1)
        if by == "decile":
            own = f"{texts['actual']} ({text})"
            ax.plot(part["group"], part["actual"], color=colour, marker="o", linestyle="none", label=own)
            ax.vlines(part["group"], part["low"], part["high"], color=colour, linewidth=1)
        ax.plot(part["group"], part["predicted"], color=colour, linestyle="--", marker="s", markersize=4, label=text)
    ticks = sorted(groups["group"].unique())
    names = [str(tick) for tick in ticks]
    if by == "frequency" and len(names) > 1:
        names[-1] += "+"
    ax.set_xticks(ticks, names)
    ax.set_ylim(bottom=0)
    ax.set_xlabel(texts[by])
    ax.set_ylabel(texts["y"])
    ax.legend()
    return ax


def plot_value_concentration(values: pd.DataFrame | pd.Series, ax=None, *, top: float = 0.2, language: str = "en"):
    """Draw which share of CLV the most valuable customers hold; the title says it for the `top` share.

    Parameters
    ----------
    values : DataFrame with `clv`, or Series
        One value per customer.
    ax : Axes, optional
        Where to draw; a new figure by default.
    top : float
        Share of customers the title and the marker speak of; `value_concentration` gives the number.
    language : {"en", "de"}

    Returns
    -------
    Axes
    """
    from waage.style import ACCENT, BRASS, MUTED, axis_percent, percent

    texts = _texts(language)
    customers, held = concentration_curve(values)
    share = value_concentration(values, top)
    ax = _axes(ax)
    ax.plot(customers, held, color=ACCENT)
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", label=texts["equal"])
    ax.plot([top], [share], color=BRASS, marker="o", linestyle="none")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, max(1.02, 1.02 * float(np.nanmax(held, initial=1.0))))
    axis_percent(ax.xaxis, language)
    axis_percent(ax.yaxis, language)
    ax.set_xlabel(texts["customers"])
    ax.set_ylabel(texts["held"])
    ax.set_title(texts["title"].format(top=percent(top, language), share=percent(share, language)))
    ax.legend(loc="lower right")
    return ax


def plot_cumulative(track: pd.DataFrame, ax=None, *, cut=None, language: str = "en"):
    """Draw cumulated orders after the cut, forecast with band and actual.

    Parameters
    ----------
    track : DataFrame
        From `cumulative_orders`.
    ax : Axes, optional
    cut : date, optional
        Day of the forecast; by default computed from the first row.
    language : {"en", "de"}
    """
    from waage.style import ACCENT, INK, axis_number, day

    texts = _texts(language)
    first = track.iloc[0]
    cut = cut or (pd.Timestamp(first["day"]) - pd.Timedelta(days=int(first["days"]))).date()
    ax = _axes(ax)
    days = pd.to_datetime([cut, *track["day"]])
    shown = {name: [0.0, *track[name]] for name in ("actual", "predicted", "low", "high")}
    ax.fill_between(days, shown["low"], shown["high"], color=ACCENT, alpha=0.15, label=texts["band"])
    ax.plot(
        days, shown["predicted"], color=ACCENT, linestyle="--", label=texts["predicted"].format(cut=day(cut, language))
    )
    ax.plot(days, shown["actual"], color=INK, label=texts["actual"])
    ax.set_ylim(bottom=0)
    axis_number(ax.yaxis, language)
    _months(ax, language)
    ax.set_ylabel(texts["orders"].format(cut=day(cut, language)))
    ax.legend(loc="upper left")
    return ax


def plot_history_map(
    model, value: str = "p_alive", ax=None, *, T: int = 365, highest: int = 20, days: int = 365, language: str = "en"
):
    """Draw P(alive) or expected orders over frequency and recency of customers first seen `T` days ago.

    Parameters
    ----------
    model : PurchaseModel
    value : {"p_alive", "expected_orders"}
    ax : Axes, optional
    T, highest, days : int
        Age of the customers, highest frequency, and horizon of expected orders.
    language : {"en", "de"}
    """
    from matplotlib.colors import LinearSegmentedColormap

    from waage.style import ACCENT

    texts = _texts(language)
    frequency, recency, grid = history_grid(model, value, T, highest, days=days)
    ax = _axes(ax)
    colours = LinearSegmentedColormap.from_list("waage", ["#f4f1e8", ACCENT])
    top = 1.0 if value == "p_alive" else None
    image = ax.pcolormesh(frequency, recency, grid, cmap=colours, vmin=0, vmax=top, shading="nearest")
    ax.figure.colorbar(image, ax=ax, label=texts[value].format(days=days))
    ax.grid(False)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel(texts["repeat"])
    ax.set_ylabel(texts["recency"])
    ax.set_title(texts["seen"].format(T=T))
    return ax


def plot_customer(model, purchase_days, until, ax=None, *, language: str = "en"):
    """Draw one customer's purchases and P(alive) from the first purchase to `until`."""
    from waage.style import ACCENT, BRASS, axis_percent

    texts = _texts(language)
    path = alive_path(model, purchase_days, until)
    ax = _axes(ax)
    ax.plot(path["day"], path["p_alive"], color=ACCENT, label=texts["p_alive"])
    bought = sorted({day for day in purchase_days if day <= until})
    ax.vlines(pd.to_datetime(bought), 0, 1, color=BRASS, linewidth=1, label=texts["purchase"])
    ax.set_ylim(0, 1.02)
    axis_percent(ax.yaxis, language)
    _months(ax, language)
    ax.set_ylabel(texts["p_alive"])
    ax.legend(loc="lower left")
    return ax


def plot_year(year: dict[str, float], ax=None, *, currency: str = "EUR", language: str = "en"):
    """Draw the forecast for the last weeks, what came, and the forecast for the next ones with its band.

    Parameters
    ----------
    year : dict
        From `forecast_check`: weeks, forecast, came, next, next_low, next_high; optionally forecast_low and _high.
    ax : Axes, optional
    currency, language : str
    """
    from matplotlib.ticker import MaxNLocator

    from waage.style import ACCENT, INK, MUTED, axis_money, compact

    texts = _texts(language)
    ax = _axes(ax)
    heights = [year["forecast"], year["came"], year["next"]]
    ax.bar(range(3), heights, color=[MUTED, INK, ACCENT], width=0.6)
    for place, name in ((0, "forecast"), (2, "next")):
        if f"{name}_low" in year:
            ax.vlines(place, year[f"{name}_low"], year[f"{name}_high"], color=INK, linewidth=2)
    for place, height in enumerate(heights):
        ax.annotate(compact(height, currency, language), (place, 0.02 * max(heights)), ha="center", color="white")
    names = ("forecast_last", "came_last", "forecast_next")
    ax.set_xticks(range(3), [texts[name].format(weeks=year.get("weeks", 52)) for name in names])
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))  # a quarter of a million is no short number
    axis_money(ax.yaxis, currency, language)
    ax.set_ylabel(texts["year"])
    ax.set_title(texts["year_title"])
    return ax


def plot_totals(
    totals: pd.DataFrame,
    ax=None,
    *,
    by: str = "all",
    measure: str = "clv",
    currency: str = "EUR",
    language: str = "en",
):
    """Draw the value of groups with intervals, the highest first.

    Parameters
    ----------
    totals : DataFrame
        From `value_totals`; the row of all together is left out where there are groups.
    ax : Axes, optional
    by : str
        What the groups are, for the title: segment or type.
    measure : {"clv", "value_12m"}
    currency, language : str
    """
    from matplotlib.ticker import MaxNLocator

    from waage.style import ACCENT, INK, axis_money, label, title

    texts = _texts(language)
    if measure not in ("clv", "value_12m"):
        raise WaageError(f"measure {measure!r} is unknown; use 'clv' or 'value_12m'")
    part = totals[totals["measure"] == measure]
    part = part[part["group"] != "all"] if part["group"].nunique() > 1 else part
    part = part.sort_values("value")
    ax = _axes(ax)
    places = range(len(part))
    ax.barh(places, part["value"], color=ACCENT, height=0.65)
    ax.hlines(places, part["low"], part["high"], color=INK, linewidth=2)
    ax.set_yticks(places, [title(group, language) for group in part["group"]])
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis_money(ax.xaxis, currency, language)
    ax.set_xlabel(texts[measure])
    ax.set_title(texts["by"].format(group=label(by, language)) if by != "all" else texts["by_all"])
    return ax


def _months(ax, language: str) -> None:
    from matplotlib.dates import AutoDateLocator, DateFormatter

    ax.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=6))
    ax.xaxis.set_major_formatter(DateFormatter("%m.%Y" if language == "de" else "%Y-%m"))


def _texts(language: str) -> dict[str, str]:
    if language not in TEXTS:
        raise WaageError(f"language {language!r} is unknown; use 'en' or 'de'")
    return TEXTS[language]


def _axes(ax):
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots()[1]
