"""Charts of RFM results; each is a function of a small result table and returns its Axes."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from waage.errors import WaageError, did_you_mean
from waage.rfm.segments import RF10, Grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLES = {
    "customers": ("Customers", "Kunden"),
    "share": ("Share of customers", "Anteil der Kunden"),
    "revenue": ("Net revenue", "Umsatz nach Retouren"),
    "revenue_share": ("Share of net revenue", "Anteil am Umsatz nach Retouren"),
}
_TEXTS = {
    "grid": ("{value} by last purchase and number of orders", "{value}, nach letztem Kauf und Zahl der Bestellungen"),
    "recency": ("Last purchase (score, {top} = most recent)", "Letzter Kauf (Punkte, {top} = gerade erst)"),
    "frequency": (
        "Number of orders (score, {top} = most orders)",
        "Zahl der Bestellungen (Punkte, {top} = die meisten)",
    ),
    "bars": ("Who the customers are and who brings the revenue", "Wer die Kunden sind und wer den Umsatz bringt"),
}


def plot_grid(
    rfm_counts: pd.DataFrame,
    ax: "Axes | None" = None,
    value: str = "customers",
    *,
    grid: Grid = RF10,
    language: str = "en",
) -> "Axes":
    """Draw the recency x frequency heat map with its segments as outlined, named areas.

    Parameters
    ----------
    rfm_counts : DataFrame
        One row per cell with r, f and the column ``value``, as `grid_counts` returns. NaN marks a masked
        cell, drawn empty; a column customers, where there is one, must be masked too.
    ax : Axes, optional
        Where to draw; a new figure if left out.
    value : str
        customers, share, revenue or revenue_share; shares are shown as percentages.
    grid : Grid
        The segments to outline.
    language : str
        en or de.

    Returns
    -------
    Axes

    Raises
    ------
    WaageError
        If a column is missing or the rows are not the cells of the grid, each once.
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    from waage import style

    _check_value(rfm_counts, value, grid)
    ax = _axes(ax, (8.4, 6.4))
    ramp = LinearSegmentedColormap.from_list("waage", ["#ffffff", style.PALETTE[0]])
    counts = rfm_counts.set_index(["r", "f"])
    amounts = counts[value].astype(float)
    # Where the count is known, a missing amount has another reason than privacy (no positive total).
    hidden = counts["customers"].isna() if "customers" in counts else amounts.isna()
    top = amounts.max()
    for (r, f), amount in amounts.items():
        # The ramp ends before full colour, so that dark text stays readable on most cells.
        depth = 0.8 * max(amount, 0) / top if amount == amount and top > 0 else 0
        hatch = "////" if math.isnan(amount) else None
        ax.add_patch(
            Rectangle((f - 0.5, r - 0.5), 1, 1, facecolor=ramp(depth), edgecolor="#e6eaed", hatch=hatch, lw=0.5)
        )
        ink = "white" if depth > 0.68 else style.INK
        text = _written(amount, value, language, hidden[r, f])
        size = 13 if len(text) < 9 else 9
        ax.text(f, r - 0.14, text, ha="center", va="center", color=ink, fontsize=size)
    for segment, cells in grid.cells.items():
        _draw_outline(ax, cells, style.SEGMENT_COLOURS.get(segment, style.INK))
        _draw_name(ax, segment, cells, style.SEGMENT_COLOURS.get(segment, style.INK), language)
    scale = range(1, grid.scores + 1)
    ax.set_xlim(0.45, grid.scores + 0.55)
    ax.set_ylim(0.45, grid.scores + 0.55)
    ax.set_xticks(scale)
    ax.set_yticks(scale)
    ax.set_xlabel(_translated(_TEXTS["frequency"], language).format(top=grid.scores))
    ax.set_ylabel(_translated(_TEXTS["recency"], language).format(top=grid.scores))
    ax.set_title(_translated(_TEXTS["grid"], language).format(value=_translated(_TITLES[value], language)))
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def plot_segments(table: pd.DataFrame, ax: "Axes | None" = None, *, language: str = "en") -> "Axes":
    """Draw each segment's share of customers beside its share of net revenue as horizontal bars.

    Parameters
    ----------
    table : DataFrame
        As `segment_table` returns: segment, customers, share, revenue_share. A masked segment has
        NaN in all three.
    ax : Axes, optional
        Where to draw; a new figure if left out.
    language : str
        en or de.

    Returns
    -------
    Axes

    Raises
    ------
    WaageError
        If a column is missing.
    """
    from waage import style

    _check_columns(table, ["segment", "customers", "share", "revenue_share"], "plot_segments")
    ax = _axes(ax, (8.4, 0.58 * len(table) + 1.4))
    shares = table[["share", "revenue_share"]].astype(float).reset_index(drop=True)
    widest = max(shares.max().fillna(0).max(), 0.01)
    masked = shares.index[shares.isna().all(axis=1)]
    for place in masked:
        text = _written(math.nan, "share", language, True)
        ax.text(0.01 * widest, place, text, va="center", fontsize=10, color=style.MUTED)
    for column, shift, colour in (("share", -0.2, style.PALETTE[0]), ("revenue_share", 0.2, style.PALETTE[1])):
        name = _translated(_TITLES[column], language)
        ax.barh(shares.index + shift, shares[column].fillna(0), height=0.38, color=colour, label=name)
        for row, (share, people) in enumerate(zip(shares[column], table["customers"], strict=True)):
            if row in masked:
                continue
            # A revenue share can be missing for another reason than privacy: total revenue is not positive.
            text = _written(share, column, language, pd.isna(people))
            if column == "share" and not (math.isnan(share) or pd.isna(people)):
                text += f"  ({style.number(people, language)})"
            at = max(share, 0) if share == share else 0
            ax.text(at + 0.01 * widest, row + shift, text, va="center", fontsize=10, color=style.INK)
    ax.set_yticks(range(len(table)), [style.label(segment, language) for segment in table["segment"]])
    ax.invert_yaxis()
    ax.axvline(0, color=style.MUTED, lw=0.8)
    # Room for the text behind the longest bar; returns can turn a segment's revenue negative.
    ax.set_xlim(min(shares.min().fillna(0).min() * 1.1, 0), widest * 1.22)
    style.axis_percent(ax.xaxis, language)
    ax.grid(False, axis="y")
    ax.tick_params(length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_title(_translated(_TEXTS["bars"], language), pad=34)
    ax.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, frameon=False, borderaxespad=0.3)
    return ax


def _draw_outline(ax: "Axes", cells: Sequence[str], colour: str) -> None:
    # Each side that borders on another segment, slightly inside, so that both neighbours show their colour.
    own = {(int(cell[0]), int(cell[1])) for cell in cells}
    inset = 0.475
    for r, f in own:
        up, down = ((r + 1, f) in own), ((r - 1, f) in own)
        right, left = ((r, f + 1) in own), ((r, f - 1) in own)
        # Towards a cell of the same segment a line runs on to the border, else it stops at the corner.
        top, bottom = r + (0.5 if up else inset), r - (0.5 if down else inset)
        east, west = f + (0.5 if right else inset), f - (0.5 if left else inset)
        sides = [
            (up, (west, east), (r + inset, r + inset)),
            (down, (west, east), (r - inset, r - inset)),
            (right, (f + inset, f + inset), (bottom, top)),
            (left, (f - inset, f - inset), (bottom, top)),
        ]
        for same, x, y in sides:
            if not same:
                ax.plot(x, y, color=colour, lw=2.5, solid_capstyle="projecting")


def _draw_name(ax: "Axes", segment: str, cells: Sequence[str], colour: str, language: str) -> None:
    from matplotlib.colors import to_rgb

    from waage import style

    r = max(int(cell[0]) for cell in cells)
    row = sorted(int(cell[1]) for cell in cells if int(cell[0]) == r)
    wide = row[0] + 1 in row
    red, green, blue = to_rgb(colour)
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
    ax.text(
        row[0] - 0.475,
        r + 0.475,
        textwrap.fill(style.label(segment, language), 30 if wide else 17, break_long_words=False),
        ha="left",
        va="top",
        fontsize=9,
        fontweight="bold",
        color="white" if dark else style.INK,
        linespacing=1.05,
        bbox={"facecolor": colour, "edgecolor": colour, "boxstyle": "square,pad=0.25"},
    )


def _written(amount: float, value: str, language: str, hidden: bool) -> str:
    from waage import style

    if math.isnan(amount):
        # Not "<10": a larger group may be hidden, too, so that a small one cannot be worked out from it.
        return style.label("hidden", language) if hidden else style.number(None, language)
    if value == "revenue":
        return style.compact(amount, None, language)
    if value == "customers":
        return style.number(amount, language)
    if 0 < amount < 0.0005:
        return "<" + style.percent(0.001, language, 1)
    return style.percent(amount, language, 1 if 0 < amount < 0.00995 else 0)


def _axes(ax: "Axes | None", size: tuple[float, float]) -> "Axes":
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def _translated(texts: tuple[str, str], language: str) -> str:
    return texts[1] if language == "de" else texts[0]


def _check_columns(table: pd.DataFrame, columns: Sequence[str], where: str) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        names = ", ".join(f"{column!r}{did_you_mean(column, table.columns)}" for column in missing)
        raise WaageError(f"{where}: the table lacks {names}; it has {', '.join(map(str, table.columns))}")


def _check_value(counts: pd.DataFrame, value: str, grid: Grid) -> None:
    if value not in _TITLES:
        raise WaageError(f"plot_grid: value {value!r} is not one of {', '.join(_TITLES)}{did_you_mean(value, _TITLES)}")
    _check_columns(counts, ["r", "f", value], "plot_grid")
    cells = [f"{r}{f}" for r, f in zip(counts["r"], counts["f"], strict=True)]
    expected = {cell for own in grid.cells.values() for cell in own}
    faults = [f"cell {cell} is missing" for cell in sorted(expected - set(cells))]
    faults += [f"cell {cell} is not in grid {grid.name}" for cell in sorted(set(cells) - expected)]
    faults += [f"cell {cell} occurs {cells.count(cell)} times" for cell in sorted(set(cells)) if cells.count(cell) > 1]
    if faults:
        raise WaageError(f"plot_grid: {'; '.join(faults)}; `grid_counts` returns each cell once")
