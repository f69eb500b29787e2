"""Pictures of how good the links are: functions of the tables of `waage.unify.quality`; the caller sets titles."""

import math

import pandas as pd

_STATUS = ("linked", "implied", "review", "rejected", "vetoed")  # from the top of the legend
_TEXTS = {
    "linked": ("linked", "verknüpft"),
    "implied": ("in doubt, linked by others", "im Zweifel, durch andere verknüpft"),
    "review": ("for review", "zur Prüfung"),
    "rejected": ("rejected", "verworfen"),
    "vetoed": ("vetoed", "Veto"),
    "weight": ("Match weight (bits: each doubles the odds)", "Gewicht (Bit: jedes verdoppelt die Chance)"),
    "pairs": ("pairs of the model", "Paare des Modells"),
    "from": ("links from {p}", "verknüpft ab {p}"),
    "check": ("review from {p}", "Prüfung ab {p}"),
    "rule_pairs": ("pairs of ids that agree", "Paare übereinstimmender Kennungen"),
    "loyalty_card": ("loyalty card", "Kundenkarte"),
    "email": ("e-mail", "E-Mail"),
    "device": ("device", "Gerät"),
    "phone_initial": ("phone and initial", "Telefon und Initiale"),
    "name_birth_date": ("name and birth date", "Name und Geburtsdatum"),
    "name_address": ("name and address", "Name und Adresse"),
    "persons": ("persons", "Personen"),
    "active_customers": ("active customers", "aktive Kunden"),
    "revenue_per_head": ("net revenue per head", "Umsatz nach Retouren je Kopf"),
    "threshold": ("links from a probability of", "verknüpft ab einer Wahrscheinlichkeit von"),
    "change": ("change", "Veränderung"),
}


def plot_weights(
    bins: pd.DataFrame, ax=None, *, threshold: float = 0.8, review_from: float = 0.5, language: str = "en"
):
    """Draw the model's pairs by match weight, coloured by what became of them.

    Parameters
    ----------
    bins : DataFrame
        As `waage.unify.quality.weight_histogram` returns it.
    ax : matplotlib Axes, optional
    threshold, review_from : float
        Of `waage.unify.resolve.Settings`, drawn as lines.
    language : {"en", "de"}

    Returns
    -------
    matplotlib Axes
    """
    import matplotlib.pyplot as plt

    from waage import style

    ax = ax or plt.subplots(figsize=(9, 3.8))[1]
    wide = bins.pivot_table("pairs", "weight", "status", "sum", fill_value=0)
    width = pd.Series(wide.index).diff().min() if len(wide) > 1 else 1.0
    palette = (style.ACCENT, style.PALETTE[4], style.BRASS, style.PALETTE[-1], style.PALETTE[3])
    bottom = pd.Series(0.0, index=wide.index)
    for status, colour in zip(_STATUS, palette, strict=True):
        if status in wide:
            ax.bar(wide.index, wide[status], width=0.92 * width, bottom=bottom, align="edge", color=colour,
                   label=_text(status, language))  # fmt: skip
            bottom += wide[status]
    top = max(bottom.max(), 1) if len(wide) else 1
    ax.set_ylim(0, 1.15 * top)  # room for the names of the lines
    for key, probability, side in (("check", review_from, "right"), ("from", threshold, "left")):
        at = math.log2(probability / (1 - probability))
        ax.axvline(at, color=style.INK, lw=1, ls=":")
        text = f" {_text(key, language).format(p=style.number(probability, language, 2))} "
        ax.text(at, 1.13 * top, text, ha=side, va="top", fontsize=10)
    if len(wide):
        left, right = wide.index.min(), wide.index.max() + width
        room = math.log2(review_from / (1 - review_from)) - 0.2 * (right - left)
        ax.set_xlim(min(left, room) - width / 2, right + width / 2)
        ax.legend(loc="center right")
    ax.grid(False, axis="x")
    style.axis_number(ax.xaxis, language)
    style.axis_number(ax.yaxis, language)
    ax.set_xlabel(_text("weight", language))
    ax.set_ylabel(_text("pairs", language))
    return ax


def plot_rules(rules: pd.DataFrame, ax=None, *, language: str = "en"):
    """Draw what each rule did: pairs of ids it linked, and pairs that a contradiction parted.

    Parameters
    ----------
    rules : DataFrame
        As in `waage.unify.resolve.Resolution`.
    ax : matplotlib Axes, optional
    language : {"en", "de"}

    Returns
    -------
    matplotlib Axes
    """
    import matplotlib.pyplot as plt

    from waage import style

    ax = ax or plt.subplots(figsize=(9, 0.5 * len(rules) + 1.2))[1]
    rows = rules.reset_index(drop=True)
    vetoed = rows["pairs"] - rows["linked"]  # a limit may part what no name contradicts
    ax.barh(rows.index, rows["linked"], height=0.62, color=style.ACCENT, label=_text("linked", language))
    ax.barh(rows.index, vetoed, left=rows["linked"], height=0.62, color=style.PALETTE[3],
            label=_text("vetoed", language))  # fmt: skip
    room = 0.01 * max(rows["pairs"].max(), 1) if len(rows) else 0
    for place, row in rows.iterrows():
        text = style.number(row["linked"], language)
        if vetoed[place]:
            text += f" + {style.number(vetoed[place], language)} {_text('vetoed', language)}"
        ax.text(row["pairs"] + room, place, text, va="center", fontsize=10)
    ax.set_yticks(rows.index, [_text(name, language) for name in rows["rule"]])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.3 * max(rows["pairs"].max(), 1) if len(rows) else 1)
    ax.set_xticks([])  # every bar has its number
    ax.spines[:].set_visible(False)
    ax.grid(False)
    ax.set_xlabel(_text("rule_pairs", language), loc="left")
    ax.legend(loc="lower right")
    return ax


def plot_sensitivity(table: pd.DataFrame, ax=None, *, language: str = "en"):
    """Draw how persons, active customers and revenue per head change with the threshold.

    Parameters
    ----------
    table : DataFrame
        As `waage.unify.quality.sensitivity` returns it.
    ax : matplotlib Axes, optional
    language : {"en", "de"}

    Returns
    -------
    matplotlib Axes
    """
    import matplotlib.pyplot as plt

    from waage import style

    ax = ax or plt.subplots(figsize=(9, 3.2))[1]
    places = range(len(table))
    measures = ("persons", "active_customers", "revenue_per_head")
    last = {name: table[f"{name}_change"].iloc[-1] for name in measures}
    shown = [name for name in measures if last[name] == last[name]]
    spread = max(table[[f"{name}_change" for name in measures]].abs().max().max(), 0.001)
    level = -math.inf
    for name in sorted(shown, key=last.get):
        colour = (style.ACCENT, style.BRASS, style.PALETTE[3])[measures.index(name)]
        change = table[f"{name}_change"]
        ax.plot(places, change, marker="o", color=colour)
        level = max(change.iloc[-1], level + 0.22 * spread)  # names do not lie upon each other
        ax.annotate(f"{_text(name, language)} ({style.percent(change.iloc[-1], language, 1)})",
                    (places[-1], level), (12, 0), textcoords="offset points", va="center", color=colour)  # fmt: skip
    ax.axhline(0, color=style.MUTED, lw=0.8)
    ax.set_xlim(-0.2, 1.7 * places[-1] + 0.5)
    ax.set_xticks(places, [style.number(value, language, 2) for value in table["threshold"]])
    style.axis_percent(ax.yaxis, language, 0 if spread > 0.02 else 1)
    ax.grid(False, axis="x")
    ax.set_xlabel(_text("threshold", language), loc="left")
    ax.set_ylabel(_text("change", language))
    return ax


def _text(key: str, language: str) -> str:
    return _TEXTS[key][language == "de"] if key in _TEXTS else key.replace("_", " ")
