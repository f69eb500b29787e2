"""Charts of what the segments foretold; see `Prediction`."""

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from waage import style
from waage.privacy import mask_small
from waage.rfm.prediction import TOP, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from waage.rfm.prediction import Prediction


def plot_segments(
    result: "Prediction", ax: "Axes | None" = None, language: str = "en", *, min_cell: int = 0, currency: str = "EUR"
) -> "Axes":
    """Draw `Prediction.plot_segments`."""
    if ax is None:
        import matplotlib.pyplot as plt

        size = {"figsize": (11.6, 0.44 * len(result.table) + 1.7), "layout": "constrained"}
        ax, right = plt.subplots(1, 2, sharey=True, width_ratios=(1, 0.85), **size)[1]
    else:
        right = ax.inset_axes([1.05, 0, 0.85, 1], sharey=ax)
    measures = [c for c in result.table if c.startswith(("repeat_share", "revenue_per_head"))]
    table = mask_small(result.table, "customers", *measures, min_cell=min_cell)
    # A hidden segment's place in the order would tell of its share.
    table = pd.concat([table[table.customers.notna()], table[table.customers.isna()]], ignore_index=True)
    cents = 2 if table.revenue_per_head.abs().max() < 100 else 0
    written = {
        "repeat_share": lambda value: style.percent(value, language, 0 if value >= 0.0995 else 1),
        "revenue_per_head": lambda value: style.money(value, currency, language, cents),
    }
    ax.axvline(result.base_rate, color=style.MUTED, lw=1.2, ls="--", zorder=0)
    for (column, write), panel in zip(written.items(), (ax, right), strict=True):
        for place, row in enumerate(table.to_dict("records")):
            value, low, high = (row[column + end] for end in ("", "_low", "_high"))
            colour = style.SEGMENT_COLOURS.get(row["segment"], style.ACCENT)
            text, at = (write(value), np.nanmax([value, high, 0])) if value == value else ("", 0)
            if math.isnan(row["customers"]):
                text, colour = style.label("hidden", language), "none"
            panel.barh(place, 0 if value != value else value, height=0.62, color=colour)
            # The white edge keeps the interval visible on dark bars.
            for ink, width in (("white", 3.6), (style.INK, 1.5)):
                panel.plot([low, high], [place, place], color=ink, lw=width, solid_capstyle="butt")
            look = {
                "textcoords": "offset points",
                "va": "center",
                "color": style.INK if colour != "none" else style.MUTED,
            }
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            panel.annotate(text, (at, place), (6, 0), bbox=box, **look)
        panel.margins(x=0.17)
        panel.set_xlim(left=1.1 * np.nanmin([0, *table[column], *table[column + "_low"]]))
        panel.grid(False, axis="y")
        panel.tick_params(length=0)
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.set_xlabel(words(column, language))
    right.tick_params(labelleft=False)
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= min(1, ax.get_xlim()[1])])
    style.axis_percent(ax.xaxis, language)
    style.axis_money(right.xaxis, currency, language)
    sizes = ["" if math.isnan(n) else f"  {style.number(n, language)}" for n in table.customers]
    names = [result.label(segment, language) + size for segment, size in zip(table.segment, sizes, strict=True)]
    ax.set_yticks(range(len(table)), names)
    ax.set_ylim(len(table) - 0.45, -0.85)
    share = style.percent(result.base_rate, language)
    average = words("average", language).format(share=share)
    ax.annotate(average, (result.base_rate, -0.82), (4, 0), textcoords="offset points", va="top", color=style.MUTED)
    best = table.iloc[0]
    if not math.isnan(best.customers):
        facts = {
            "best": result.label(best.segment, language),
            "best_share": style.percent(best.repeat_share, language),
        }
        ax.set_title(words("segments_title", language).format(share=share, **facts))
    return ax


def plot_gains(result: "Prediction", ax: "Axes | None" = None, language: str = "en") -> "Axes":
    """Draw `Prediction.plot_gains`."""
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(8.6, 5.4), layout="constrained")[1]
    splits = result.splits.set_index("split")
    looks = {
        "random": (style.MUTED, 1.2, ":"),
        "r_f": (style.PALETTE[2], 1.6, "-"),
        "frequency": (style.PALETTE[3], 1.4, "-."),
        "recency": (style.BRASS, 2.0, "--"),
        "segment": (style.ACCENT, 2.8, "-"),
    }
    for name, (colour, width, dash) in looks.items():
        curve = result.gains[result.gains.split == name]
        captured = style.percent(splits.capture_20[name], language)
        text = f"{words(name, language)}: {captured} (AUC {style.number(splits.auc[name], language, 2)})"
        ax.plot(curve.customers, curve.repeaters, color=colour, lw=width, ls=dash, label=text)
    ax.axvline(TOP, color="#c3cad0", lw=1)
    ax.plot([TOP], [splits.capture_20["segment"]], color=style.ACCENT, marker="o", ms=8)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    style.axis_percent(ax.xaxis, language)
    style.axis_percent(ax.yaxis, language)
    ax.set_xlabel(words("contacted", language))
    ax.set_ylabel(words("captured", language))
    facts = {"top": style.percent(TOP, language), "captured": style.percent(splits.capture_20["segment"], language)}
    ax.set_title(words("gains_title", language).format(**facts))
    handles, names = ax.get_legend_handles_labels()
    ax.legend(
        handles[::-1],
        names[::-1],
        title=words("legend", language).format(**facts),
        loc="lower right",
        alignment="left",
    )
    return ax
