"""Charts of the experience and its link; each is a function of a result table and returns its Axes."""

import numpy as np
import pandas as pd

from waage import style
from waage.errors import WaageError, did_you_mean

TEXTS = {
    "lags": ("Effect of a point on {outcome}, by delay", "Wirkung eines Punkts auf {outcome} nach Verzögerung"),
    "lag": ("Weeks of delay", "Wochen Verzögerung"),
    "blocks": ("Blocks of {n} weeks of delay", "Verzögerung in Blöcken von {n} Wochen"),
    "single": ("by week", "je Woche"),
    "cumulative": ("summed up", "aufsummiert"),
    "estimates": ("A point of IX on demand, by method", "Ein IX-Punkt auf die Nachfrage, nach Methode"),
    "parts": ("What a point of IX does", "Was ein IX-Punkt bewirkt"),
    "what_if": ("What points of IX are worth in a year", "Was IX-Punkte im Jahr wert sind"),
    "points": ("IX points, lasting", "IX-Punkte, dauerhaft"),
    "no_number": ("beyond what was observed", "jenseits des Beobachteten"),
    "score": ("IX of {unit}", "IX von {unit}"),
    "week_points": ("a week's answers", "Antworten einer Woche"),
    "smooth": ("smoothed, with 95% interval", "geglättet, mit 95-%-Intervall"),
    "board": ("What speaks for it, and against", "Was dafür spricht, und dagegen"),
    "drivers": ("What the experience hangs on", "Woran das Erlebnis hängt"),
    "map": ("Where improvement pays", "Wo Verbesserung sich lohnt"),
    "performance": ("Rating today (0-100)", "Bewertung heute (0-100)"),
    "worth": ("Worth of closing a tenth of the gap, a year", "Wert eines Zehntels der Lücke, im Jahr"),
    "two": ("What the experience moved, in points and in money", "Was das Erlebnis bewegte, in Punkten und in Geld"),
    "in_money": ("demand a week, against the usual experience", "Nachfrage je Woche, gegen das übliche Erlebnis"),
    "in_points": ("IX points from its mean (right)", "IX-Punkte vom Mittel (rechts)"),
    "experience": ("Experience (IX, 0-100)", "Erlebnis (IX, 0-100)"),
    "demand": ("Demand", "Nachfrage"),
    "a_week": ("a week", "je Woche"),
    "four_weeks": ("mean of four weeks", "Mittel aus vier Wochen"),
    "worth_points": ("IX points from closing a tenth of the gap", "IX-Punkte aus einem Zehntel der Lücke"),
    "changes": ("What moved the IX", "Was den IX bewegte"),
    "rate": ("Response rate", "Rücklaufquote"),
    "scales": ("Experience and customer value (descriptive)", "Erlebnis und Kundenwert (beschreibend)"),
}
METHODS = {
    "eiv": ("corrected for survey noise", "bereinigt um Befragungsrauschen"),
    "oriv": ("split halves", "geteilte Hälften"),
    "incident_iv": ("incidents", "Störungen"),
    "fe": ("uncorrected", "unbereinigt"),
    "pooled": ("pooled, misleading", "gepoolt, irreführend"),
    "shop_series": ("the shop as a whole", "der ganze Shop"),
}
OUTCOMES = {
    "visits": ("visits", "Besuche"),
    "conversion": ("conversion", "Konversion"),
    "basket": ("order value", "Bestellwert"),
    "demand": ("demand", "Nachfrage"),
}
CHECKS = {
    "lead": ("next week's experience", "Erlebnis der nächsten Woche"),
    "same_week": ("without the same week", "ohne dieselbe Woche"),
    "incidents": ("incidents", "Störungen"),
    "kinds": ("kinds of incidents", "Arten von Störungen"),
    "feedback": ("feedback of demand", "Rückwirkung der Nachfrage"),
    "stability": ("first and second half", "erste und zweite Hälfte"),
    "one_unit": ("no single unit", "keine einzelne Einheit"),
    "lag_window": ("weeks of delay", "Wochen Verzögerung"),
    "controls": ("controls", "Kontrollgrößen"),
    "split_half": ("split halves", "geteilte Hälften"),
    "uncorrected": ("uncorrected", "unbereinigt"),
    "negative_outcome": ("what cannot change", "was sich nicht ändern kann"),
    "hidden_factor": ("unseen factor", "ungesehener Faktor"),
    "forecast": ("forecast", "Vorhersage"),
    "splits": ("groups of units", "Gruppen von Einheiten"),
    "scope": ("the shop as a whole", "der ganze Shop"),
    "link": ("the link", "die Verknüpfung"),
    "limits": ("what is left", "was bleibt"),
}
VERDICTS = {
    "passed": (style.ACCENT, ("passed", "bestanden")),
    "failed": ("#a8472f", ("failed", "nicht bestanden")),
    "open": (style.BRASS, ("open", "offen")),
    "note": ("#8b959d", ("note", "Hinweis")),
}


def plot_lags(profile: pd.DataFrame, outcome: str = "demand", ax=None, *, language: str = "en", block_weeks: int = 1):
    """Draw `Link.lag_profile` of an outcome: bars by delay, the running sum as a line with its interval."""
    rows = profile[profile["outcome"] == outcome]
    if not len(rows):
        raise WaageError(
            f"plot_lags: there is no outcome {outcome!r}{did_you_mean(outcome, profile['outcome'].unique())}"
        )
    ax = _axes(ax)
    ax.bar(rows["lag"], rows["effect"], width=0.5, color="#b3d6bd", label=_t("single", language))
    ax.plot(rows["lag"], rows["cumulative"], color=style.ACCENT, marker="o", label=_t("cumulative", language))
    ax.fill_between(rows["lag"], rows["cumulative_low"], rows["cumulative_high"], color=style.ACCENT, alpha=0.15, lw=0)
    ax.axhline(0, color=style.MUTED, lw=1)
    ax.set_xticks(rows["lag"])
    ax.set_xlabel(_t("lag", language) if block_weeks == 1 else _t("blocks", language).format(n=block_weeks))
    style.axis_percent(ax.yaxis, language, 1)
    ax.set_title(_t("lags", language).format(outcome=OUTCOMES[outcome][language == "de"]))
    ax.legend()
    return ax


def plot_estimates(estimates: pd.DataFrame, ax=None, *, outcome: str = "demand", language: str = "en"):
    """Draw all methods' long-run effects with intervals; one that lies far outside is written at the edge."""
    rows = estimates[estimates["outcome"] == outcome]
    order = {method: place for place, method in enumerate(METHODS)}
    rows = rows.sort_values("method", key=lambda methods: methods.map(order), ignore_index=True)
    ax = _axes(ax, (9, 1.4 + 0.6 * len(rows)))
    near = rows[~rows["method"].isin(["pooled", "shop_series"])]
    low, high = min(near["low"].min(), 0.0), max(near["high"].max(), 0.0)
    margin = 0.15 * (high - low)
    for place, row in rows.iterrows():
        main = row["method"] == "eiv"
        colour = style.ACCENT if main else style.MUTED
        text = style.percent(row["long_run"], language, 2)
        if low - margin <= row["long_run"] <= high + margin:
            ax.hlines(place, max(row["low"], low - margin), min(row["high"], high + margin), color=colour, lw=2)
            ax.plot(row["long_run"], place, "o", color=colour, ms=10 if main else 7)
            ax.annotate(text, (row["long_run"], place), (0, 9), textcoords="offset points", ha="center", weight="bold")
        else:
            right = row["long_run"] > high
            end, said = (high + margin, f"{text} ▸") if right else (low - margin, f"◂ {text}")
            ax.annotate(
                said, (end, place), ha="right" if right else "left", va="center", color="#a8472f", weight="bold"
            )
    ax.axvline(0, color=style.MUTED, lw=1)
    ax.set_xlim(low - margin, high + margin)
    ax.set_yticks(range(len(rows)), [METHODS.get(m, (m, m))[language == "de"] for m in rows["method"]])
    ax.set_ylim(len(rows) - 0.4, -0.8)
    style.axis_percent(ax.xaxis, language, 1)
    ax.grid(False, axis="y")
    ax.set_title(_t("estimates", language))
    return ax


def plot_parts(parts: pd.DataFrame, ax=None, *, language: str = "en"):
    """Draw `Value.parts` as a waterfall from visits over conversion and basket to demand."""
    ax = _axes(ax)
    rows = parts.set_index("outcome").loc[list(OUTCOMES)]
    base = 0.0
    for place, (outcome, row) in enumerate(rows.iterrows()):
        last = outcome == "demand"
        start = 0.0 if last else base
        ax.bar(place, row["change"], bottom=start, color=style.ACCENT if last else "#5f86bd", width=0.6)
        ends = np.array([[row["change"] - row["low"]], [row["high"] - row["change"]]])
        ax.errorbar(place, start + row["change"], yerr=np.abs(ends), color=style.INK, capsize=4, lw=1)
        sign = "+" if row["change"] > 0 else ""
        text = sign + style.percent(row["change"], language, 1)
        ax.annotate(text, (place, start + row["high"]), (0, 6), textcoords="offset points", ha="center", weight="bold")
        base += 0 if last else row["change"]
    ax.axhline(0, color=style.MUTED, lw=1)
    ax.set_xticks(range(4), [OUTCOMES[o][language == "de"] for o in rows.index])
    ax.margins(y=0.15)
    style.axis_percent(ax.yaxis, language, 1)
    ax.set_title(_t("parts", language))
    return ax


def plot_what_if(curve: pd.DataFrame, ax=None, *, currency: str = "EUR", language: str = "en"):
    """Draw `Value.curve`; where no number is given the ground is grey."""
    ax = _axes(ax)
    inside = curve[curve["supported"]]
    ax.plot(inside["points"], inside["value"], color=style.ACCENT)
    ax.fill_between(inside["points"], inside["low"], inside["high"], color=style.ACCENT, alpha=0.18, lw=0)
    ends = (curve["points"].iloc[0], inside["points"].iloc[0]), (inside["points"].iloc[-1], curve["points"].iloc[-1])
    for number, (first, last) in enumerate(ends):
        ax.axvspan(first, last, color="#e6eaed", lw=0, label=_t("no_number", language) if number else None)
    ax.axhline(0, color=style.MUTED, lw=1)
    ax.axvline(0, color=style.MUTED, lw=1)
    ax.set_xlim(curve["points"].iloc[0], curve["points"].iloc[-1])
    ax.set_xlabel(_t("points", language))
    style.axis_money(ax.yaxis, currency, language)
    ax.set_title(_t("what_if", language))
    ax.legend(loc="upper left")
    return ax


def plot_score(display: pd.DataFrame, unit: str | None = None, ax=None, *, incidents=None, language: str = "en"):
    """Draw the smoothed IX of a unit, its weeks as points, and its incidents as bands."""
    units = list(display["unit"].unique())
    unit = units[0] if unit is None else unit
    if unit not in units:
        raise WaageError(f"plot_score: there is no unit {unit!r}{did_you_mean(unit, units)}")
    ax = _axes(ax)
    rows = display[display["unit"] == unit]
    ax.plot(rows["week"], rows["ix"], ".", color="#8b959d", ms=5, label=_t("week_points", language))
    ax.plot(rows["week"], rows["smooth"], color=style.ACCENT, label=_t("smooth", language))
    ax.fill_between(rows["week"], rows["low"], rows["high"], color=style.ACCENT, alpha=0.18, lw=0)
    if incidents is not None:
        own = incidents[(incidents["unit"] == unit) | incidents["unit"].isna()]
        for row in own[own["ended_at"].notna()].itertuples():
            ax.axvspan(row.started_at, row.ended_at, color="#a8472f", alpha=0.2, lw=0)
    style.axis_number(ax.yaxis, language)
    ax.set_title(_t("score", language).format(unit=unit))
    ax.legend(loc="lower left", ncols=2)
    return ax


def plot_two_lines(weekly: pd.DataFrame, *, currency: str = "EUR", language: str = "en"):
    """Draw IX and demand of the shop, one above the other on one time axis; returns the figure.

    `weekly` has week, ix, smooth, low, high (of the smooth line) and demand; without any demand there is one line.
    """
    import matplotlib.pyplot as plt

    both = weekly["demand"].notna().any()
    figure, axes = plt.subplots(1 + both, 1, figsize=(11, 6.2 if both else 3.6), sharex=True, squeeze=False)
    top, bottom = axes[0, 0], axes[-1, 0]
    top.plot(weekly["week"], weekly["ix"], ".", color="#8b959d", ms=4, label=_t("week_points", language))
    top.plot(weekly["week"], weekly["smooth"], color=style.ACCENT, label=_t("smooth", language))
    top.fill_between(weekly["week"], weekly["low"], weekly["high"], color=style.ACCENT, alpha=0.18, lw=0)
    top.set_title(_t("experience", language))
    top.legend(loc="lower left", ncols=2)
    style.axis_number(top.yaxis, language)
    if both:
        mean = weekly["demand"].rolling(4, min_periods=2).mean()
        bottom.plot(weekly["week"], weekly["demand"], color="#e3c68f", lw=1.2, label=_t("a_week", language))
        bottom.plot(weekly["week"], mean, color=style.BRASS, label=_t("four_weeks", language))
        bottom.set_ylim(0)
        bottom.set_title(_t("demand", language))
        bottom.legend(loc="lower left", ncols=2)
        style.axis_money(bottom.yaxis, currency, language)
    return figure


def plot_two_currencies(weekly: pd.DataFrame, ax=None, *, currency: str = "EUR", language: str = "en"):
    """Draw what the experience moved in demand: the IX (left) and the same in money a week (right), on one line.

    `weekly` has week, points (distance of the smooth IX from its mean), amount, amount_low, amount_high (a week).
    """
    ax = _axes(ax, (11, 4.2))
    ax.fill_between(weekly["week"], weekly["amount_low"], weekly["amount_high"], color=style.BRASS, alpha=0.25, lw=0)
    ax.plot(weekly["week"], weekly["amount"], color=style.BRASS, label=_t("in_money", language))
    ax.axhline(0, color=style.MUTED, lw=1)
    style.axis_money(ax.yaxis, currency, language)
    other = ax.twinx()
    other.plot(weekly["week"], weekly["points"], color=style.ACCENT, lw=1.2, ls="--", label=_t("in_points", language))
    other.grid(False)
    style.axis_number(other.yaxis, language, 1)
    # Zero lies at one height in both currencies.
    for axis in (ax, other):
        most = max(abs(end) for end in axis.get_ylim())
        axis.set_ylim(-most, most)
    lines = ax.get_lines()[:1] + other.get_lines()[:1]
    ax.legend(lines, [line.get_label() for line in lines], loc="lower left", ncols=2)
    ax.set_title(_t("two", language))
    return ax


def plot_units(display: pd.DataFrame, labels=None, *, incidents=None, most: int = 24, language: str = "en"):
    """Draw the smoothed IX of every unit with its interval and its incidents, small and side by side; returns a figure.

    Of more than `most` units those first in the table are drawn; without any, nothing.
    """
    import matplotlib.pyplot as plt

    units = list(dict.fromkeys(display["unit"]))[:most]
    if not units:
        return None
    columns = min(4, len(units))
    lines = -(-len(units) // columns)
    size = (12, 0.9 + 1.75 * lines)
    figure, axes = plt.subplots(lines, columns, figsize=size, sharex=True, sharey=True, squeeze=False)
    for unit, ax in zip(units, axes.flat, strict=False):
        plot_score(display, unit, ax, incidents=incidents, language=language)
        ax.set_title((labels or {}).get(unit, unit), fontsize=10, pad=4)
        ax.get_legend().remove()
        for line in ax.get_lines():
            line.set_markersize(2)
            line.set_linewidth(1.4)
        ax.tick_params(labelsize=8)
        ax.xaxis.set_major_locator(plt.matplotlib.dates.YearLocator())
        ax.xaxis.set_major_formatter(plt.matplotlib.dates.DateFormatter("%Y"))
    for ax in list(axes.flat)[len(units) :]:
        ax.set_axis_off()
    return figure


def plot_checks(table: pd.DataFrame, ax=None, *, language: str = "en"):
    """Draw all checks as a board: a coloured mark, the name, and the verdict in words."""
    ax = _axes(ax, (9, 0.6 + 0.42 * len(table)))
    for place, row in enumerate(table.itertuples()):
        colour, words = VERDICTS[row.verdict]
        ax.plot(0, place, "s", ms=14, color=colour)
        ax.text(0.04, place, CHECKS.get(row.check, (row.check,) * 2)[language == "de"], va="center")
        ax.text(0.62, place, words[language == "de"], va="center", color=colour, weight="bold")
    ax.set_xlim(-0.05, 1)
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_axis_off()
    ax.set_title(_t("board", language))
    return ax


def plot_drivers(drivers: pd.DataFrame, ax=None, *, labels=None, language: str = "en"):
    """Draw relative weights of items with intervals, largest first: item, weight, low, high (shares)."""
    rows = drivers.sort_values("weight", ascending=False, ignore_index=True)
    ax = _axes(ax, (9, 1.2 + 0.45 * len(rows)))
    places = np.arange(len(rows))
    ends = np.abs(rows[["low", "high"]].to_numpy().T - rows["weight"].to_numpy())
    ax.barh(places, rows["weight"], color=style.ACCENT, height=0.6)
    ax.errorbar(rows["weight"], places, xerr=ends, fmt="none", ecolor=style.INK, capsize=3, lw=1)
    ax.set_yticks(places, [(labels or {}).get(item, style.title(item, language)) for item in rows["item"]])
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    style.axis_percent(ax.xaxis, language)
    ax.set_title(_t("drivers", language))
    return ax


def plot_importance_map(table: pd.DataFrame, ax=None, *, labels=None, currency: str = "EUR", language: str = "en"):
    """Draw the importance-performance map: item, performance (0-100), worth (a year; NaN: points)."""
    ax = _axes(ax, (10.5, 5))
    height = "worth" if table["worth"].notna().all() else "points"
    if height == "worth" and "worth_low" in table:
        ax.vlines(table["performance"], table["worth_low"], table["worth_high"], color=style.MUTED, lw=1)
    ax.scatter(table["performance"], table[height], s=90, color=style.ACCENT, zorder=3)
    texts = [(labels or {}).get(item, style.title(item, language)) for item in table["item"]]
    _label(ax, table["performance"], table[height], texts)
    ax.margins(x=0.25, y=0.15)
    ax.set_xlabel(_t("performance", language))
    ax.set_ylabel(_t("worth" if height == "worth" else "worth_points", language))
    if height == "worth":
        style.axis_money(ax.yaxis, currency, language)
    else:
        style.axis_number(ax.yaxis, language, 2)
    ax.set_title(_t("map", language))
    return ax


def plot_scales(groups: pd.DataFrame, ax=None, *, currency: str = "EUR", language: str = "en"):
    """Draw groups by experience (x, with its interval) and value of a customer (y), bubbles by customers."""
    ax = _axes(ax, (9, 5.2))
    shown = groups.dropna(subset=["ix", "value"])
    size = 60 + 700 * shown["customers"] / max(shown["customers"].max(), 1)
    colours = [style.PALETTE[i % len(style.PALETTE)] for i in range(len(shown))]
    ax.hlines(shown["value"], shown["low"], shown["high"], color=style.MUTED, lw=1, zorder=1)
    ax.scatter(shown["ix"], shown["value"], s=size, c=colours, alpha=0.75, zorder=2)
    wide, tall = (max(float(shown[name].max() - shown[name].min()), 1e-9) for name in ("ix", "value"))
    for row, area in zip(shown.itertuples(), size, strict=True):
        near = shown[(shown["ix"] - row.ix).abs() < 0.25 * wide]
        above = ((near["value"] > row.value) & (near["value"] < row.value + 0.15 * tall)).any()
        shift = (np.sqrt(area) / 2 + 3) * (-1 if above else 1)
        text = style.title(row.group, language)
        where = {
            "xytext": (0, shift),
            "textcoords": "offset points",
            "ha": "center",
            "va": "top" if above else "bottom",
        }
        ax.annotate(text, (row.ix, row.value), fontsize=9.5, **where)
    ax.margins(0.15, 0.25)
    instruments = shown["instrument"].unique()
    ax.set_xlabel("IX" if set(instruments) <= {"ix"} else style.title(instruments[0], language))
    ax.set_ylabel(style.title("clv", language))
    style.axis_money(ax.yaxis, currency, language)
    ax.set_title(style.title(shown["split"].iloc[0], language) if "split" in shown else _t("scales", language))
    return ax


def plot_pair_of_scales(groups: pd.DataFrame, splits, *, currency: str = "EUR", language: str = "en"):
    """Draw experience and value of several splits side by side; returns the figure."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(splits), figsize=(6.2 * max(len(splits), 1.3), 5), squeeze=False)
    for split, ax in zip(splits, axes[0], strict=True):
        plot_scales(groups[groups["split"] == split], ax, currency=currency, language=language)
    figure.suptitle(_t("scales", language), x=0.01, ha="left", weight="bold")
    return figure


def plot_changes(table: pd.DataFrame, ax=None, *, labels=None, language: str = "en"):
    """Draw what items brought to the move of the IX, largest first: item, change (points); bars add up to the move."""
    rows = table.sort_values("change", key=abs, ascending=False, ignore_index=True)
    ax = _axes(ax, (9, 1.2 + 0.4 * len(rows)))
    colours = [style.ACCENT if change >= 0 else "#a8472f" for change in rows["change"]]
    ax.barh(np.arange(len(rows)), rows["change"], color=colours, height=0.6)
    ax.axvline(0, color=style.MUTED, lw=1)
    ax.set_yticks(
        np.arange(len(rows)), [(labels or {}).get(item, style.title(item, language)) for item in rows["item"]]
    )
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.locator_params(axis="x", nbins=5)
    style.axis_number(ax.xaxis, language, 2)
    ax.set_title(_t("changes", language))
    return ax


def plot_response(rates: pd.DataFrame, ax=None, *, language: str = "en"):
    """Draw the response rate over time: week, rate."""
    ax = _axes(ax, (9, 2.8))
    ax.plot(rates["week"], rates["rate"], color=style.ACCENT)
    ax.set_ylim(0)
    style.axis_percent(ax.yaxis, language)
    ax.set_title(_t("rate", language))
    return ax


def _label(ax, x, y, texts) -> None:
    """Write a label beside every point, to the side with more room, and no two over each other."""
    points = sorted(zip(y, x, texts, strict=True))
    middle, step = (min(x) + max(x)) / 2, 0.055 * ((max(y) - min(y)) or 1)
    last = {False: -np.inf, True: -np.inf}
    for height, place, text in points:
        left = bool(place > middle)
        if height - last[left] < step and height - last[not left] >= step:
            left = not left
        at = last[left] = max(height, last[left] + step)
        shift, ha = ((-9, 0), "right") if left else ((9, 0), "left")
        ax.annotate(text, (place, at), shift, textcoords="offset points", fontsize=9.5, va="center", ha=ha)


def _t(key: str, language: str) -> str:
    if language not in ("en", "de"):
        raise WaageError(f"language {language!r} is unknown; use 'en' or 'de'")
    return TEXTS[key][language == "de"]


def _axes(ax, size: tuple[float, float] | None = None):
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size)[1] if size else plt.subplots()[1]
