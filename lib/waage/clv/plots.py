"""Charts of value and of the models' calibration; each is a function of a result table."""

import pandas as pd

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
        if by == "decile":
            own = f"{texts['actual']} ({text})"
            ax.plot(part["group"], part["actual"], color=colour, marker="o", linestyle="none", label=own)
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
    ax.set_ylim(0, 1.02)
    axis_percent(ax.xaxis, language)
    axis_percent(ax.yaxis, language)
    ax.set_xlabel(texts["customers"])
    ax.set_ylabel(texts["held"])
    ax.set_title(texts["title"].format(top=percent(top, language), share=percent(share, language)))
    ax.legend(loc="lower right")
    return ax


def _texts(language: str) -> dict[str, str]:
    if language not in TEXTS:
        raise WaageError(f"language {language!r} is unknown; use 'en' or 'de'")
    return TEXTS[language]


def _axes(ax):
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots()[1]
