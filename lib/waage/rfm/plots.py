"""Charts of RFM results; each is a function of a small result table and returns its Axes."""

import math
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from waage import style
from waage.errors import WaageError, did_you_mean
from waage.rfm.grids import RF10, Grid
from waage.rfm.scores import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLES = {
    "customers": ("Customers", "Kunden"),
    "share": ("Share of customers", "Anteil der Kunden"),
    "revenue": ("Net revenue", "Umsatz nach Retouren"),
    "revenue_share": ("Share of net revenue", "Anteil am Umsatz nach Retouren"),
}
_STAGES = {
    "lead": ("no order that counts", "keine zählende Bestellung"),
    "new": ("1 order, up to {active} days ago", "1 Bestellung, bis {active} Tage her"),
    "one_time": ("1 order, up to {lapsed} days ago", "1 Bestellung, bis {lapsed} Tage her"),
    "active": ("2 or more, up to {active} days ago", "2 oder mehr, bis {active} Tage her"),
    "reactivated": ("back after over {lapsed} days", "nach über {lapsed} Tagen zurück"),
    "at_risk": ("2 or more, up to {lapsed} days ago", "2 oder mehr, bis {lapsed} Tage her"),
    "lapsed": ("over {lapsed} days ago", "über {lapsed} Tage her"),
}
_TEXTS = {
    "grid": ("{value} by last purchase and number of orders", "{value}, nach letztem Kauf und Zahl der Bestellungen"),
    "recency": ("Days since the last order", "Tage seit der letzten Bestellung"),
    "frequency": ("Number of orders", "Zahl der Bestellungen"),
    "frequency_window": (
        "Number of orders in the last {months} months",
        "Zahl der Bestellungen in den letzten {months} Monaten",
    ),
    "recency_scores": ("Last order (score, {top} = most recent)", "Letzte Bestellung (Punkte, {top} = gerade erst)"),
    "frequency_scores": (
        "Number of orders (score, {top} = most orders)",
        "Zahl der Bestellungen (Punkte, {top} = die meisten)",
    ),
    "both": (
        "Frequency and monetary together (score, {top} = most)",
        "Häufigkeit und Umsatz zusammen (Punkte, {top} = am meisten)",
    ),
    "map": ("Customers and net revenue by segment", "Kunden und Umsatz nach Segment"),
    "map_change": (
        "Customers and net revenue by segment, change on a year before",
        "Kunden und Umsatz nach Segment, Veränderung zum Vorjahr",
    ),
    "stages": ("Lifecycle stage, share of persons", "Lebensphase, Anteil der Personen"),
}


def plot_grid(
    rfm_counts: pd.DataFrame,
    ax: "Axes | None" = None,
    value: str = "customers",
    *,
    grid: Grid = RF10,
    scores: Scores | None = None,
    language: str = "en",
) -> "Axes":
    """Draw the heat map of a grid's cells with its segments as outlined, named areas.

    Parameters
    ----------
    rfm_counts : DataFrame
        One row per cell with r, y and the column ``value``, as `grid_counts` returns. NaN marks a masked
        cell, drawn empty; a column customers, where there is one, must be masked too.
    ax : Axes, optional
        Where to draw; a new figure if left out.
    value : str
        customers, share, revenue or revenue_share; shares are shown as percentages.
    grid : Grid
        The segments to outline.
    scores : Scores, optional
        Whose bounds to write at the axes; without them the scores themselves.
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

    _check_value(rfm_counts, value, grid)
    ax = _axes(ax, (8.4, 6.4))
    ramp = LinearSegmentedColormap.from_list("waage", ["#ffffff", style.PALETTE[0]])
    counts = rfm_counts.set_index(["r", "y"])
    amounts = counts[value].astype(float)
    # Where the count is known, a missing amount has another reason than privacy (no positive total).
    hidden = counts["customers"].isna() if "customers" in counts else amounts.isna()
    top = amounts.max()
    for (r, y), amount in amounts.items():
        # The ramp ends before full colour, so that dark text stays readable on most cells.
        depth = 0.8 * max(amount, 0) / top if amount == amount and top > 0 else 0
        hatch = "////" if math.isnan(amount) else None
        ax.add_patch(
            Rectangle((y - 0.5, r - 0.5), 1, 1, facecolor=ramp(depth), edgecolor="#e6eaed", hatch=hatch, lw=0.5)
        )
        ink = "white" if depth > 0.68 else style.INK
        text = _written(amount, value, language, hidden[r, y])
        size = 13 if len(text) < 9 else 9
        ax.text(y, r - 0.14, text, ha="center", va="center", color=ink, fontsize=size)
    for segment, cells in grid.cells.items():
        _draw_outline(ax, cells, _colour(grid, segment))
        _draw_name(ax, grid.label(segment, language), cells, _colour(grid, segment))
    _draw_axes(ax, grid, scores, language)
    ax.set_title(_translated(_TEXTS["grid"], language).format(value=_translated(_TITLES[value], language)))
    return ax


def plot_map(
    grid: Grid = RF10,
    table: pd.DataFrame | None = None,
    ax: "Axes | None" = None,
    *,
    scores: Scores | None = None,
    currency: str = "EUR",
    language: str = "en",
) -> "Axes":
    """Draw a grid as a map: every segment an area with its name, and what it holds where a table is given.

    Parameters
    ----------
    grid : Grid
    table : DataFrame, optional
        As `with_change` returns: segment, customers, revenue, customers_change, revenue_change; masked groups NaN.
    ax : Axes, optional
    scores : Scores, optional
        Whose bounds to write at the axes; without them the scores themselves.
    currency, language : str

    Returns
    -------
    Axes
    """
    from matplotlib.patches import Rectangle

    if table is not None:
        _check_columns(table, ["segment", "customers", "revenue", "customers_change", "revenue_change"], "plot_map")
        table = table.set_index("segment")
    ax = _axes(ax, (12, 6.6))
    for segment in grid.segments:
        colour = _colour(grid, segment)
        ink = "white" if _dark(colour) else style.INK
        for (low, high), (left, right) in grid.rectangles(segment):
            ax.add_patch(Rectangle((left - 0.5, low - 0.5), right - left + 1, high - low + 1, facecolor=colour))
        _outline_white(ax, grid.cells[segment])
        (low, high), (left, right) = max(
            grid.rectangles(segment), key=lambda area: (area[1][1] - area[1][0], area[0][1] - area[0][0])
        )
        wide = right > left
        name = textwrap.fill(grid.label(segment, language), 22 if wide else 14, break_long_words=False)
        lines = _amounts(table.loc[segment], currency, language, wide) if table is not None else []
        # The name ends where the amounts begin, so that neither covers the other, however many lines they have.
        rise = (0.17 * len(lines) - 0.19 * (name.count("\n") + 1)) / 2 if lines else 0
        middle = (left + right) / 2, (low + high) / 2 + rise
        text = {"ha": "center", "color": ink, "linespacing": 1.3}
        align = "bottom" if lines else "center"
        ax.text(*middle, name, va=align, fontweight="bold", fontsize=12 if wide else 10.5, **text)
        ax.text(middle[0], middle[1] - 0.04, "\n".join(lines), va="top", fontsize=11 if wide else 10, **text)
    _draw_axes(ax, grid, scores, language)
    plain = table is None or table[["customers_change", "revenue_change"]].isna().all(axis=None)
    ax.set_title(_translated(_TEXTS["map" if plain else "map_change"], language))
    return ax


def plot_stages(
    table: pd.DataFrame,
    ax: "Axes | None" = None,
    *,
    active_days: int = 90,
    lapsed_days: int = 365,
    language: str = "en",
) -> "Axes":
    """Draw how many persons stand in each lifecycle stage, as horizontal bars.

    Parameters
    ----------
    table : DataFrame
        As `lifecycle_table` returns: lifecycle, customers, share; NaN in both where masked.
    ax : Axes, optional
    active_days, lapsed_days : int
        Limits of the stages, written below their names.
    language : str

    Returns
    -------
    Axes
    """
    _check_columns(table, ["lifecycle", "customers", "share"], "plot_stages")
    ax = _axes(ax, (5, 6.6))
    shares = table["share"].astype(float).reset_index(drop=True)
    widest = max(shares.fillna(0).max(), 0.01)
    colours = [style.STAGE_COLOURS[stage] for stage in table["lifecycle"]]
    ax.barh(shares.index, shares.fillna(0), height=0.62, color=colours)
    for place, (share, people) in enumerate(zip(shares, table["customers"], strict=True)):
        text = _written(share, "share", language, pd.isna(people))
        text += "" if pd.isna(people) else f"  ({style.number(people, language)})"
        ax.text((share if share == share else 0) + 0.02 * widest, place, text, va="center", fontsize=10)
    limits = {"active": style.number(active_days, language), "lapsed": style.number(lapsed_days, language)}
    names = [
        f"{style.label(f'stage_{stage}', language)}\n{_translated(_STAGES[stage], language).format(**limits)}"
        for stage in table["lifecycle"]
    ]
    ax.set_yticks(shares.index, names, fontsize=10)
    ax.invert_yaxis()
    ax.set_xlim(0, widest * 1.55)
    ax.set_xticks([])
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.set_title(_translated(_TEXTS["stages"], language))
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


def _outline_white(ax: "Axes", cells: Sequence[str]) -> None:
    # Only where another segment begins: cells of one segment flow into one area.
    own = {(int(cell[0]), int(cell[1])) for cell in cells}
    for r, y in own:
        for (dr, dy), line in {
            (1, 0): ((y - 0.5, y + 0.5), (r + 0.5, r + 0.5)),
            (-1, 0): ((y - 0.5, y + 0.5), (r - 0.5, r - 0.5)),
            (0, 1): ((y + 0.5, y + 0.5), (r - 0.5, r + 0.5)),
            (0, -1): ((y - 0.5, y - 0.5), (r - 0.5, r + 0.5)),
        }.items():
            if (r + dr, y + dy) not in own:
                ax.plot(*line, color="white", lw=4, solid_capstyle="projecting")


def _draw_axes(ax: "Axes", grid: Grid, scores: Scores | None, language: str) -> None:
    scale = range(1, grid.scores + 1)
    ax.set_xlim(0.45, grid.scores + 0.55)
    ax.set_ylim(0.45, grid.scores + 0.55)
    ax.set_yticks(scale, _recency_words(scores, language) if scores else scale)
    both = grid.y == "fm"
    ax.set_xticks(scale, _frequency_words(scores, language) if scores and not both else scale)
    ending = "" if scores else "_scores"
    months = scores.settings.get("window_months") if scores and not both else 0
    what = "both" if both else "frequency_window" if months else f"frequency{ending}"
    ax.set_xlabel(_translated(_TEXTS[what], language).format(top=grid.scores, months=months))
    ax.set_ylabel(_translated(_TEXTS[f"recency{ending}"], language).format(top=grid.scores))
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _recency_words(scores: Scores, language: str) -> list[str]:
    from math import floor

    bounds = [floor(value) for value in reversed(scores.r.breaks)]  # days are whole: up to 12.4 is up to 12
    over = ">" if language == "en" else "über"
    words = [f"{over} {style.number(bounds[0], language)}"]
    for older, newer in pairwise((*bounds, -1)):
        words.append(f"{style.number(newer + 1, language)}–{style.number(older, language)}" if older > newer else "–")
    return words


def _frequency_words(scores: Scores, language: str) -> list[str]:
    from math import floor

    bounds = [0, *(floor(value) for value in scores.f.breaks)]
    words = []
    for below, up_to in pairwise(bounds):
        # With a window, customers without an order in it are in the lowest bin.
        first = 0 if not below and scores.settings.get("window_months") else below + 1
        words.append("–" if up_to < first else str(up_to) if up_to == first else f"{first}–{up_to}")
    return [*words, f"{bounds[-1] + 1}+"]


def _amounts(row: pd.Series, currency: str, language: str, wide: bool) -> list[str]:
    if pd.isna(row.customers):
        return [style.label("hidden", language)]
    unit = "Kunden" if language == "de" else "customers"
    people = f"{style.number(row.customers, language)} {unit}"
    money = style.compact(row.revenue, currency, language)
    changes = [_changed(row[f"{name}_change"], language) for name in ("customers", "revenue")]
    if wide or not any(changes):
        return [f"{people}  {changes[0]}".rstrip(), f"{money}  {changes[1]}".rstrip()]
    return [people, money, f"({', '.join(change or style.MISSING for change in changes)})"]


def _changed(change: float, language: str) -> str:
    if pd.isna(change):
        return ""
    if abs(change) < 0.005:
        return "±" + style.percent(0, language)
    if change >= 10:
        return f"×{style.number(1 + change, language)}"
    return f"{'+' if change > 0 else '−'}{style.percent(abs(change), language)}"


def _colour(grid: Grid, segment: str) -> str:
    own = [colour for colour in style.PALETTE if colour not in style.SEGMENT_COLOURS.values()]
    return style.SEGMENT_COLOURS.get(segment) or own[grid.segments.index(segment) % len(own)]


def _dark(colour: str) -> bool:
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue < 0.55


def _draw_name(ax: "Axes", name: str, cells: Sequence[str], colour: str) -> None:
    r = max(int(cell[0]) for cell in cells)
    row = sorted(int(cell[1]) for cell in cells if int(cell[0]) == r)
    ax.text(
        row[0] - 0.475,
        r + 0.475,
        textwrap.fill(name, 30 if row[0] + 1 in row else 17, break_long_words=False),
        ha="left",
        va="top",
        fontsize=9,
        fontweight="bold",
        color="white" if _dark(colour) else style.INK,
        linespacing=1.05,
        bbox={"facecolor": colour, "edgecolor": colour, "boxstyle": "square,pad=0.25"},
    )


def _written(amount: float, value: str, language: str, hidden: bool) -> str:
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
    _check_columns(counts, ["r", "y", value], "plot_grid")
    cells = [f"{r}{f}" for r, f in zip(counts["r"], counts["y"], strict=True)]
    expected = {cell for own in grid.cells.values() for cell in own}
    faults = [f"cell {cell} is missing" for cell in sorted(expected - set(cells))]
    faults += [f"cell {cell} is not in grid {grid.name}" for cell in sorted(set(cells) - expected)]
    faults += [f"cell {cell} occurs {cells.count(cell)} times" for cell in sorted(set(cells)) if cells.count(cell) > 1]
    if faults:
        raise WaageError(f"plot_grid: {'; '.join(faults)}; `grid_counts` returns each cell once")
