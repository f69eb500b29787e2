"""The first picture of the types: how many customers each has, and what it stands out by."""

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from waage import style
from waage.errors import Refused
from waage.typology.customers import TypedCustomers
from waage.typology.findings import stands_out, survey_shares
from waage.typology.types import Types

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TEXTS = {
    "title": (
        "Types of customers, and what they stand out by",
        "Kundentypen, und wodurch sie auffallen",
    ),
    "survey": ("Survey, weighted, with 95% interval", "Befragung, gewichtet, mit 95-%-Intervall"),
    "customers": ("All customers, from behaviour", "Alle Kunden, aus Verhalten"),
    "nothing": ("nothing to be said with confidence", "nichts, das sich sicher sagen lässt"),
    "x": ("Share of customers", "Anteil der Kunden"),
}


def plot_types(
    types: Types, typed: "TypedCustomers | Refused", ax: "Axes | None" = None, language: str = "en"
) -> "Axes":
    """Draw the share of every type with its interval, and beside it the three surest answers it gives more often.

    Parameters
    ----------
    types : Types
    typed : TypedCustomers or Refused
        Where customers are typed, their shares by summed probability are drawn beside those of the survey.
    ax : Axes, optional
    language : str
    """
    shares, at = survey_shares(types), language == "de"
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(13, 1.2 + 1.05 * len(shares)), layout="constrained")[1]
    places = np.arange(len(shares))
    shown = shares.share.fillna(0)
    ax.barh(places, shown, height=0.5, color="#8fbfc3", label=_TEXTS["survey"][at])
    ends = np.abs(shares[["share_low", "share_high"]].to_numpy().T - shares.share.to_numpy())
    ax.errorbar(shares.share, places, xerr=ends, fmt="none", ecolor=style.INK, elinewidth=1.2, capsize=3)
    if typed:
        ax.plot(
            typed.shares.share, places, "D", ms=7, mfc="white", mec=style.BRASS, mew=2, label=_TEXTS["customers"][at]
        )
    ends = [end for end in (*shares.share_high, *(typed.shares.share if typed else [])) if not np.isnan(end)]
    right = max(ends, default=1.0) * 1.2
    for place, row in zip(places, shares.itertuples(), strict=True):
        size = style.label("hidden", language) if np.isnan(row.share) else style.percent(row.share, language)
        ax.text(right, place, size, va="center", ha="right", weight="bold", fontsize=12)
        told = stands_out(types, row.type, language)
        lines = "\n".join(textwrap.shorten(text, 72, placeholder=" …") for text in told) or _TEXTS["nothing"][at]
        ax.text(right * 1.04, place, lines, va="center", fontsize=10.5, linespacing=1.35)
    ax.set_xlim(0, right * 2.5)
    ticks = [tick for tick in ax.get_xticks() if tick <= right]
    ax.set_xticks(ticks)
    style.axis_percent(ax.xaxis, language)
    ax.set_xlabel(_TEXTS["x"][at], loc="left")
    ax.set_yticks(places, [style.title(name, language) for name in shares.type])
    ax.set_ylim(len(shares) - 0.45, -0.55)
    ax.grid(False)
    ax.set_title(_TEXTS["title"][at])
    ax.legend(loc="upper center", bbox_to_anchor=(0.18, -0.12), ncols=2, frameon=False)
    return ax
