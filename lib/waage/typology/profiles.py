"""Which answers and which behaviour a type shows more, or less, often than all respondents do."""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from waage import style
from waage.errors import Refusal, WaageError, did_you_mean
from waage.privacy import mask_small
from waage.profiles import check_respondents, coded, profile_cells, q_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Share of false statements tolerated among those that are made (Benjamini and Hochberg 1995).
FALSE_DISCOVERIES = 0.05

_FIGURES = ("value", "low", "high", "index", "index_low", "index_high")
_FIGURES += ("difference", "difference_low", "difference_high", "n", "effective_n", "statistic", "p")
_TEXTS = {
    "heatmap": ("What sets the types apart", "Was die Typen unterscheidet"),
    "index": (
        "Index (all = 100); with sign: distance in standard deviations. Colour where sure (q < {limit}).",
        "Index (alle = 100); mit Vorzeichen: Abstand in Standardabweichungen. Farbe, wo sicher (q < {limit}).",
    ),
    "z": (
        "z: type against the rest. Coloured where sure (q < {limit}).",
        "z: Typ gegen die übrigen. Farbig, wo sicher (q < {limit}).",
    ),
    "bars": ("{type}: what stands out", "{type}: was auffällt"),
    "bars_x": (
        "Distance from all in standard deviations, with {percent} interval",
        "Abstand von allen in Standardabweichungen, mit {percent}-Intervall",
    ),
    "against": ("{value} (all: {base})", "{value} (alle: {base})"),
    "nothing": ("Nothing can be said with confidence", "Nichts lässt sich mit Sicherheit sagen"),
}


@dataclass(frozen=True)
class Profiles:
    """Answers and behaviour by type, as `profile_types` estimates them.

    Attributes
    ----------
    table : DataFrame
        One row a type, variable and level, in the order of types and columns: type; variable; level ("yes" for a
        binary variable, "" for a numeric one); kind (categorical, binary, numeric); value, low, high (share, or
        mean in the variable's unit, in the type); base (all respondents, the type among them); index, index_low,
        index_high (100 value / base; NaN for numeric variables, whose zero need not mean none); difference,
        difference_low, difference_high (value minus base in standard deviations of all respondents, for every
        kind); n (expected number of respondents of the type who answered, unweighted); effective_n (Kish);
        statistic, p (the type against the rest: a difference of zero); q (Benjamini and Hochberg over all rows
        shown). Hidden cells are NaN, as is an index where nobody gave the answer.
    names : tuple of str
        Types in the order of the posterior's columns.
    confidence : float
        Coverage of each interval by itself.
    """

    table: pd.DataFrame
    names: tuple[str, ...]
    confidence: float

    @property
    def summary(self) -> pd.DataFrame:
        """One row a type: type, statements (q below `FALSE_DISCOVERIES`), over, under, strongest (variable, level)."""
        rows = []
        for name in self.names:
            told = self.statements(name)
            strongest = told[["variable", "level"]].iloc[0] if len(told) else ("", "")
            over = int((told["difference"] > 0).sum())
            rows.append((name, len(told), over, len(told) - over, " ".join(strongest).strip()))
        return pd.DataFrame(rows, columns=["type", "statements", "over", "under", "strongest"])

    def statements(self, type: str, q: float = FALSE_DISCOVERIES) -> pd.DataFrame:
        """Return the rows of `table` that may be said of a type (q below the limit), the surest first.

        Parameters
        ----------
        type : str
        q : float
            Tolerated share of false statements.
        """
        if type not in self.names:
            hint = did_you_mean(type, self.names)
            raise WaageError(f"Profiles: there is no type {type!r}; there are {', '.join(self.names)}{hint}")
        told = self.table[(self.table["type"] == type) & (self.table["q"] < q)]
        return told.sort_values("statistic", key=lambda z: -z.abs(), kind="stable")

    def plot_heatmap(
        self,
        ax: "Axes | None" = None,
        language: str = "en",
        *,
        measure: str = "index",
        labels: Mapping[str, str] | None = None,
        most: int = 18,
    ) -> "Axes":
        """Draw items by types as a heat map; only cells with q below `FALSE_DISCOVERIES` are coloured.

        Parameters
        ----------
        ax : Axes, optional
        language : str
            en or de.
        measure : {"index", "z"}
            What is written in a cell. Numeric variables show their difference where others show an index.
        labels : mapping, optional
            Texts of variables and levels; stored keys are spelt out without one.
        most : int
            Rows: those that set types apart most. 18 are still read on a slide.
        """
        if measure not in ("index", "z"):
            raise WaageError(f"plot_heatmap: measure {measure!r} is neither 'index' nor 'z'")
        return _draw_heatmap(self, ax, language, measure, labels or {}, most)

    def plot_bars(
        self,
        type: str,
        ax: "Axes | None" = None,
        language: str = "en",
        *,
        labels: Mapping[str, str] | None = None,
        most: int = 10,
    ) -> "Axes":
        """Draw the surest statements of one type: how far it lies from all respondents, with value and base.

        Parameters
        ----------
        type : str
        ax : Axes, optional
        language : str
            en or de.
        labels : mapping, optional
            Texts of variables and levels; stored keys are spelt out without one.
        most : int
            Statements.
        """
        return _draw_bars(self, type, ax, language, labels or {}, most)


def profile_types(
    posterior: np.ndarray,
    weights: np.ndarray,
    variables: pd.DataFrame,
    names: Sequence[str],
    *,
    corrected: Collection[str] = (),
    min_cell: int = 30,
    confidence: float = 0.95,
) -> Profiles:
    """Estimate the answers and the behaviour of every type, and test each type against the rest.

    A respondent counts in a type with survey weight times posterior probability. Of an active variable that
    reproduces the model's own parameter; of a passive one it stays too close to the base, because respondents
    of other types are mixed in, unless it is among the `corrected`.

    Parameters
    ----------
    posterior : array, shape (n, K)
        Probability of each type for each respondent; taken as given, its own uncertainty is not in the intervals.
    weights : array, shape (n,)
        Survey weights above 0; only their proportions matter.
    variables : DataFrame, n rows
        bool or numbers that are all 0 or 1: binary, one row for yes. Other numbers: numeric. Text or category:
        categorical, one row a level (cast a rating to text to see its levels). Missing answers are left out of
        their variable.
    names : sequence of str, length K
    corrected : collection of str
        Passive variables, cleared of label errors by BCH, see `waage.profiles.profile_cells`.
    min_cell : int
        `min_cell_survey`: a type with fewer respondents to a variable is hidden there, and the next smallest with it
        where the total would give it away; levels that fewer gave are joined to "other"; a variable that fewer
        answered, or a yes or no that fewer gave, is left out.
    confidence : float

    Returns
    -------
    Profiles
        Intervals: linearised variance of a weighted ratio (respondents independent), with
        Student's t for means, and Wilson's with the effective n that this variance implies for shares and their
        index (Korn and Graubard; on the log scale an index of a rare answer covers 78 to 92 instead of 95 %). The
        base contains the type, and the linearisation knows it. Means of very skewed variables fall short (85 % for
        lognormal spend and 30 respondents).

    Raises
    ------
    WaageError
        If the inputs do not fit together, or a variable has no answers, infinite values or an unknown kind.

    References
    ----------
    Särndal, Swensson and Wretman (1992), Model assisted survey sampling, section 5.5 (linearisation of ratios).
    Korn and Graubard (1998), Confidence intervals for proportions, Survey Methodology 24.
    Benjamini and Hochberg (1995), Controlling the false discovery rate, JRSS B 57.
    """
    check_respondents(posterior, weights, variables, names, "profile_types")
    variables = _without_rare(variables, min_cell)
    corrected = [name for name in corrected if name in variables]
    table = profile_cells(
        posterior, weights, variables, names, corrected=corrected, confidence=confidence, where="profile_types"
    )
    table = table[["type", "variable", "level", "kind", *_FIGURES[:3], "base", *_FIGURES[3:]]]
    parts = []
    for _, part in table.groupby(["variable", "level"], sort=False):
        # A type with too few answers to a variable is hidden, whatever the level.
        hidden = mask_small(part, "n", min_cell=min_cell)["n"].isna()
        figures = part[list(_FIGURES)]
        parts.append(part.assign(**figures.mask(hidden, axis=0)))
    table = pd.concat(parts).sort_index()
    return Profiles(table.assign(q=q_values(table["p"])), tuple(names), confidence)


def _without_rare(variables: pd.DataFrame, least: int) -> pd.DataFrame:
    """Join rare levels, and leave out variables of which what few said would be seen."""
    kept = {}
    for name, column in variables.items():
        kind, levels, answers, _ = coded(column, "profile_types")
        given = answers.sum(axis=0)
        if kind == "categorical":
            rare = {level for level, n in zip(levels, given, strict=True) if n < least}
            if rare:
                column = column.astype(object).where(column.isna(), column.astype(str))
                column = column.mask(column.isin(rare), "other")
                rest = column.dropna().value_counts()
                # "other" may be too small by itself; then it is nobody's answer.
                column = column.mask(column.isin(rest.index[rest < least]))
            if column.nunique() < 2:
                continue
        elif len(answers) < least or (kind == "binary" and not least <= given[0] <= len(answers) - least):
            continue
        kept[name] = column
    if not kept:
        raise Refusal(f"profile_types: no variable has {least} respondents in more than one answer")
    return pd.DataFrame(kept, index=variables.index)


def _draw_heatmap(
    profiles: Profiles, ax: "Axes | None", language: str, measure: str, labels: Mapping[str, str], most: int
) -> "Axes":
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    table, names = profiles.table, list(profiles.names)
    key = ["variable", "level"]
    statistic = table.pivot(index=key, columns="type", values="statistic")[names]
    if statistic.isna().all(axis=None):
        raise Refusal("plot_heatmap: every cell is hidden or without variation; there is nothing to show")
    # The rows that set types apart most, under the type they mark, so that the eye runs down the diagonal.
    rows = statistic.dropna(how="all").abs().max(axis=1).nlargest(most, keep="first").index
    marks = statistic.loc[rows].fillna(-np.inf)
    first = pd.DataFrame({"type": marks.to_numpy().argmax(axis=1), "z": -marks.max(axis=1)}, index=rows)
    rows = list(first.sort_values(["type", "z"], kind="stable").index)
    cells = table.set_index(["type", *key])
    ax = _axes(ax, (3.6 + 1.25 * len(names), 1.5 + 0.36 * len(rows)))
    ramp = LinearSegmentedColormap.from_list("waage", [style.PALETTE[3], "#ffffff", style.ACCENT])
    for y, row in enumerate(rows):
        for x, name in enumerate(names):
            cell = cells.loc[(name, *row)]
            hidden = np.isnan(cell["n"])
            told = cell["q"] < FALSE_DISCOVERIES
            # One scale for shares and means: half a standard deviation is a strong colour.
            depth = float(np.clip(cell["difference"] / 0.6, -0.85, 0.85)) if told else 0.0
            face = ramp((1 + depth) / 2) if told else (1.0, 1.0, 1.0)
            ax.add_patch(
                Rectangle((x - 0.5, y - 0.5), 1, 1, fc=face, ec="#e6eaed", lw=0.8, hatch="////" if hidden else None)
            )
            dark = np.dot(face[:3], (0.299, 0.587, 0.114)) < 0.6
            ink = "white" if dark else style.INK if told else style.MUTED
            ax.text(x, y, _figure(cell, measure, language), ha="center", va="center", color=ink, fontsize=10)
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xticks(range(len(names)), [textwrap.fill(style.title(name, language), 14) for name in names])
    ax.set_yticks(range(len(rows)), [_name(*row, labels, language, 46) for row in rows])
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    limit = style.percent(FALSE_DISCOVERIES, language)
    ax.set_xlabel(_TEXTS[measure][language == "de"].format(limit=limit), fontsize=9.5)
    ax.set_title(_TEXTS["heatmap"][language == "de"])
    return ax


def _draw_bars(
    profiles: Profiles, type: str, ax: "Axes | None", language: str, labels: Mapping[str, str], most: int
) -> "Axes":
    told = profiles.statements(type).head(most).sort_values("difference", ascending=False, kind="stable")
    ax = _axes(ax, (9.6, 1.7 + 0.46 * max(len(told), 2)))
    ax.set_title(_TEXTS["bars"][language == "de"].format(type=style.title(type, language)))
    ax.set_xticks([])
    ax.grid(False)
    ax.spines[["top", "right", "bottom", "left"]].set_visible(False)
    if told.empty:
        ax.set_yticks([])
        ax.text(0.5, 0.5, _TEXTS["nothing"][language == "de"], ha="center", transform=ax.transAxes, color=style.MUTED)
        return ax
    places = np.arange(len(told))
    widest = float(told[["difference_low", "difference_high"]].abs().to_numpy().max())
    ends = np.abs(told[["difference_low", "difference_high"]].to_numpy().T - told["difference"].to_numpy())
    colours = [style.ACCENT if ahead > 0 else style.PALETTE[3] for ahead in told["difference"]]
    ax.barh(places, told["difference"], height=0.6, color=colours)
    ax.errorbar(told["difference"], places, xerr=ends, fmt="none", ecolor=style.INK, elinewidth=1, capsize=2.5)
    ax.axvline(0, color=style.MUTED, lw=1)
    for place, row in zip(places, told.to_dict("records"), strict=True):
        # All in one column at the right: bars of both directions are read in one go.
        ax.text(1.12 * widest, place, _statement(row, language), va="center", fontsize=10.5)
    ax.set_xlim(-1.1 * widest, 2.5 * widest)
    ax.set_yticks(places, [_name(row.variable, row.level, labels, language, 40) for row in told.itertuples()])
    ax.tick_params(length=0)
    ax.invert_yaxis()
    percent = style.percent(profiles.confidence, language)
    ax.set_xlabel(_TEXTS["bars_x"][language == "de"].format(percent=percent), fontsize=9.5, loc="left")
    return ax


def _figure(cell: pd.Series, measure: str, language: str) -> str:
    if np.isnan(cell["statistic"]):
        return style.label("hidden", language) if np.isnan(cell["n"]) else style.MISSING
    if measure == "index" and cell["kind"] != "numeric":
        return style.number(cell["index"], language)
    return _signed(cell["statistic" if measure == "z" else "difference"], language)


def _statement(row: Mapping, language: str) -> str:
    numeric = row["kind"] == "numeric"

    def written(x: float) -> str:
        return style.number(x, language, 0 if abs(x) >= 1000 else 2) if numeric else style.percent(x, language)

    text = _TEXTS["against"][language == "de"].format(value=written(row["value"]), base=written(row["base"]))
    return text if numeric else f"{text} · Index {style.number(row['index'], language)}"


def _signed(x: float, language: str) -> str:
    text = style.number(x, language, 1)
    return f"+{text}" if x > 0 and text.strip("0.,") else text


def _name(variable: str, level: str, labels: Mapping[str, str], language: str, width: int) -> str:
    text = labels.get(variable) or style.label(variable, language)
    if level not in ("", "yes"):
        text += f": {labels.get(level) or style.label(level, language)}"
    return textwrap.shorten(text, width + 12, placeholder=" …") if width > 44 else textwrap.fill(text, width)


def _axes(ax: "Axes | None", size: tuple[float, float]) -> "Axes":
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]
