"""View-through conversion: store purchases that an online view went before, beside what chance alone would show."""

from collections.abc import Sequence
from datetime import datetime
from itertools import product
from statistics import NormalDist

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.errors import WaageError
from waage.privacy import mask_small

LEVELS = ("product", "category")
_COLUMNS = (
    "days level measure base persons total share placebo_share lift low high placebo_shift_days uncovered anonymous"
)
FEWEST_HITS = 10  # persons with a hit from which normal quantiles are used (a judgement)
_MONEY = "decimal(18, 4)"
_TEXTS = {
    "product": ("same product", "gleiches Produkt"),
    "category": ("same category", "gleiche Kategorie"),
    "lines": ("Share of purchase lines in stores", "Anteil der Positionen auf Filialbons"),
    "value": ("Share of demand in stores", "Anteil an der Nachfrage in Filialen"),
    "known": ("known customers", "bekannte Kunden"),
    "viewers": ("known customers with online views", "bekannte Kunden mit Online-Ansichten"),
    "share": ("viewed online in the {days} days before", "in den {days} Tagen davor online angesehen"),
    "placebo_share": ("same, {shift} days earlier: chance", "ebenso, {shift} Tage früher: Zufall"),
    "lift": (
        "{lift} points above chance\n(95%: {low} to {high})",
        "{lift} Punkte über Zufall\n(95 %: {low} bis {high})",
    ),
}


def view_through(
    orders: ir.Table,
    order_lines: ir.Table,
    events: ir.Table,
    days: int = 14,
    placebo_shift_days: int = 60,
    *,
    store_channels: tuple[str, ...] = ("store",),
    covered: tuple[datetime, datetime] | None = None,
    min_cell: int = 10,
) -> pd.DataFrame:
    """Measure how many store purchases were preceded by an online view of the same thing by the same person.

    Only views with a known person count, so the shares are lower bounds: most views are not logged in. What
    people view anyway is shown by the placebo, the same question asked `placebo_shift_days` earlier; the lift
    is the difference. A line both led to by a view and viewed by chance counts once, so the lift understates
    the share that views led to by the factor 1 - placebo share. Persons who were not customers yet in the
    placebo window pull the other way. A lift is a timely connection, not proof that the view caused the purchase.

    Parameters
    ----------
    orders : ibis table
        As `waage.history.customer_orders` returns them. Cancelled orders are left out.
    order_lines : ibis table
        As in the contract; a line without product and category stays in the denominator and never matches.
    events : ibis table
        As in the contract, with person_id (NULL: not logged in). Views are events called 'view'.
    days : int
        Length of the window (days): at or after purchase time - days, strictly before the purchase.
    placebo_shift_days : int
        How much earlier the placebo window of equal length lies (days); at least `days`.
    store_channels : tuple of str
    covered : pair of naive UTC times, optional
        First and last moment the events are complete for; by default the first and last view there is.
        Lines whose two windows are not covered are left out and counted.
    min_cell : int
        Fewer persons are hidden (NaN).

    Returns
    -------
    DataFrame
        A row for each days, level (product; category, which includes the same product), measure (lines, or
        value: demand of the lines) and base (known: all covered store lines with a known person; viewers: those
        of persons with any online view in the events, a choice that depends on the outcome and so raises the
        share): persons, total (lines, or money), share, placebo_share, lift with low and high (95%; NaN where
        fewer than `FEWEST_HITS` persons have a hit in either window), placebo_shift_days, uncovered (lines of
        known persons left out) and anonymous (covered store lines without a person, which are in no base).
        Where the identity map links no store id to an online id, the shares are 0 and base viewers is empty.

    Raises
    ------
    WaageError
        When the windows would overlap, or a length is not positive.

    Notes
    -----
    The interval is that of a ratio of two sums with persons as clusters, paired by person: with d the
    difference of hits and n the lines of a person, var = m/(m-1) sum (d - lift n)^2 / (sum n)^2 over m persons
    (Cochran 1977, Sampling Techniques, section 2.11, without the finite population correction), normal quantiles.
    """
    return view_through_curve(
        orders,
        order_lines,
        events,
        (days,),
        placebo_shift_days,
        store_channels=store_channels,
        covered=covered,
        min_cell=min_cell,
    )


def view_through_curve(
    orders: ir.Table,
    order_lines: ir.Table,
    events: ir.Table,
    windows: Sequence[int] = (1, 3, 7, 14, 30),
    placebo_shift_days: int = 60,
    *,
    store_channels: tuple[str, ...] = ("store",),
    covered: tuple[datetime, datetime] | None = None,
    min_cell: int = 10,
) -> pd.DataFrame:
    """Measure the same for several windows, all on the lines that the longest one covers.

    Parameters and result are those of `view_through`; `windows` are lengths in days.
    """
    longest = max(windows)
    if min(windows) < 1 or placebo_shift_days < longest:
        raise WaageError(
            f"view_through: windows of {tuple(windows)} days and placebo_shift_days {placebo_shift_days}: "
            "a window has at least 1 day, and the shift is at least the longest window, or the two would overlap"
        )
    views = events.filter(events.event == "view")
    span = views.aggregate(first=views.occurred_at.min(), last=views.occurred_at.max())
    views = views.filter(views.person_id.notnull())
    views = views.select("person_id", "occurred_at", "category", product="product_id")
    if not views.count().execute():
        return pd.DataFrame(columns=_COLUMNS.split())
    first, last = map(pd.Timestamp, covered or span.execute().iloc[0])
    reach = pd.Timedelta(days=placebo_shift_days + longest)
    lines = _store_lines(orders, order_lines, store_channels)
    lines = lines.mutate(covered=lines.ordered_at.between(first + reach, last))
    marked = lines.filter(lines.covered & lines.person_id.notnull())
    for level in LEVELS:
        marked = _last_views(marked, views, level, placebo_shift_days, reach.days)
    table = _shares(marked, views, windows, placebo_shift_days)
    counts = lines.aggregate(
        uncovered=(~lines.covered & lines.person_id.notnull()).sum(),
        anonymous=(lines.covered & lines.person_id.isnull()).sum(),
    ).execute()
    table = table.assign(placebo_shift_days=placebo_shift_days, **counts.fillna(0).astype(int).iloc[0])
    numbers = ("total", "share", "placebo_share", "lift", "low", "high")
    # The rows of one base are about the same persons: hidden together or not at all.
    bases = [mask_small(rows, "persons", *numbers, min_cell=min_cell) for _, rows in table.groupby("base")]
    return pd.concat(bases).sort_index()


def plot_view_through(
    table: pd.DataFrame, ax=None, *, measure: str = "lines", base: str = "known", language: str = "en"
):
    """Draw the share of store purchases viewed before beside the placebo, for product and category.

    Parameters
    ----------
    table : DataFrame
        As `view_through` returns it.
    ax : matplotlib Axes, optional
    measure : {"lines", "value"}
    base : {"known", "viewers"}
    language : {"en", "de"}

    Returns
    -------
    matplotlib Axes
    """
    import matplotlib.pyplot as plt

    from waage import style

    ax = ax or plt.subplots(figsize=(9, 3.4))[1]
    rows = _chosen(table, measure, base).reset_index(drop=True)
    top = rows[["share", "placebo_share"]].fillna(0).max().clip(lower=0.001).max()
    for column, shift, colour in (("share", -0.19, style.ACCENT), ("placebo_share", 0.19, style.PALETTE[-1])):
        name = _text(column, language).format(days=rows["days"][0], shift=rows["placebo_shift_days"][0])
        ax.barh(rows.index + shift, rows[column].fillna(0), height=0.36, color=colour, label=name)
        for place, share in rows[column].items():
            shown = style.percent(share, language, 1) if share == share else style.label("hidden", language)
            ax.text((share if share == share else 0) + 0.012 * top, place + shift, shown, va="center")
    for place, row in rows.dropna(subset=["low"]).iterrows():
        lift, low, high = (style.number(100 * row[name], language, 1) for name in ("lift", "low", "high"))
        text = _text("lift", language).format(lift="+" * (row["lift"] > 0) + lift, low=low, high=high)
        ax.text(1.16 * top, place, text, va="center", color=style.ACCENT)
    names = [_text(level, language) for level in rows["level"]]
    ax.set_yticks(rows.index, [name[0].upper() + name[1:] for name in names])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.6 * top)
    ax.set_xticks([])  # every bar has its number
    ax.spines[:].set_visible(False)
    ax.grid(False)
    # Below the bars: the place above belongs to the caller's title.
    title = f"{_text(measure, language)}, {_text(base, language)}"
    ax.legend(
        title=title,
        alignment="left",
        loc="upper left",
        bbox_to_anchor=(0, 0),
        ncols=2,
        borderaxespad=0,
        borderpad=0.1,
        handlelength=1,
        frameon=False,
    )
    return ax


def _store_lines(orders: ir.Table, order_lines: ir.Table, store_channels: tuple[str, ...]) -> ir.Table:
    kept = orders.filter(orders.channel.isin(store_channels) & (orders.status.fill_null("placed") != "cancelled"))
    kept = kept.select("source", "order_id", "person_id", "ordered_at")
    lines = order_lines.select("source", "order_id", "line", "category", product="product_id", value="revenue")
    return lines.inner_join(kept, ["source", "order_id"])


def _last_views(lines: ir.Table, views: ir.Table, level: str, shift: int, reach: int) -> ir.Table:
    """Add each line's last view before the purchase and the last one before the shifted purchase."""
    seen = views.select("person_id", level, "occurred_at").filter(views[level].notnull())
    pairs = lines.select("source", "order_id", "line", "person_id", level, "ordered_at").inner_join(
        seen, ["person_id", level]
    )
    before = pairs.occurred_at < pairs.ordered_at
    pairs = pairs.filter(before & (pairs.occurred_at >= pairs.ordered_at - ibis.interval(days=reach)))
    earlier = pairs.occurred_at < pairs.ordered_at - ibis.interval(days=shift)
    # The last view decides for every length of the window at once.
    last = pairs.group_by("source", "order_id", "line").agg(
        **{f"{level}_real": pairs.occurred_at.max(), f"{level}_placebo": pairs.occurred_at.max(where=earlier)}
    )
    return lines.left_join(last, ["source", "order_id", "line"]).drop("source_right", "order_id_right", "line_right")


def _shares(lines: ir.Table, views: ir.Table, windows: Sequence[int], shift: int) -> pd.DataFrame:
    viewers = views.select("person_id").distinct().mutate(viewer=ibis.literal(True))
    lines = lines.left_join(viewers, "person_id").drop("person_id_right")
    sizes = {"lines": ibis.literal(1), "value": lines.value.fill_null(0)}
    cells = list(product(sorted(set(windows)), LEVELS, sizes))
    sums = {"lines": lines.count(), "value": sizes["value"].sum()}
    for days, level, measure in cells:
        for kind in ("real", "placebo"):
            hit = _hit(lines, level, days, shift, kind)
            sums[f"{measure}_{level}_{days}_{kind}"] = ibis.ifelse(hit, sizes[measure], 0).sum()
    # Lines are read once, for all windows; what follows looks at persons.
    persons = lines.group_by("person_id", "viewer").agg(**{name: sum_.cast(_MONEY) for name, sum_ in sums.items()})
    persons = persons.cache()
    found = []
    for (days, level, measure), base in product(cells, ("known", "viewers")):
        of_base = persons.filter("viewer") if base == "viewers" else persons
        n = of_base[measure]
        real, placebo = (of_base[f"{measure}_{level}_{days}_{kind}"] for kind in ("real", "placebo"))
        d = real - placebo
        # Decimals add up to the same digits in any order, floats do not.
        row = of_base.aggregate(
            persons=of_base.count(),
            total=n.sum(),
            real=real.sum(),
            placebo=placebo.sum(),
            dd=(d * d).sum(),
            dn=(d * n).sum(),
            nn=(n * n).sum(),
            hits=((real > 0) | (placebo > 0)).sum(),
        )
        key = {"days": days, "level": level, "measure": measure, "base": base}
        found.append(row.mutate(**{name: ibis.literal(value) for name, value in key.items()}))
    return _ratios(ibis.union(*found).execute())


def _hit(lines: ir.Table, level: str, days: int, shift: int, kind: str) -> ir.BooleanValue:
    start = lines.ordered_at - ibis.interval(days=days + (shift if kind == "placebo" else 0))
    hit = (lines[f"product_{kind}"] >= start).fill_null(False)
    return hit if level == "product" else hit | (lines[f"category_{kind}"] >= start).fill_null(False)


def _ratios(sums: pd.DataFrame) -> pd.DataFrame:
    keys = ["days", "level", "measure", "base"]
    # A union has no order, and the sums over nobody are NULL.
    order = {name: place for place, name in enumerate((*LEVELS, "lines", "value", "known", "viewers"))}
    sums = sums.sort_values(keys, key=lambda key: key.replace(order), ignore_index=True)
    numbers = sums.columns.drop(keys)
    sums[numbers] = sums[numbers].astype(float).fillna(0.0)
    m, total = sums["persons"], sums["total"].where(sums["total"] > 0)
    lift = (sums["real"] - sums["placebo"]) / total
    spread = (sums["dd"] - 2 * lift * sums["dn"] + lift**2 * sums["nn"]).clip(lower=0)
    error = (m / (m - 1).where(m > 1) * spread).pow(0.5) / total
    half = NormalDist().inv_cdf(0.975) * error.where(sums["hits"] >= FEWEST_HITS)
    return sums[keys].assign(
        persons=m.astype(int),
        total=sums["total"],
        share=sums["real"] / total,
        placebo_share=sums["placebo"] / total,
        lift=lift,
        low=lift - half,
        high=lift + half,
    )


def _text(key: str, language: str) -> str:
    return _TEXTS[key][language == "de"]


def _chosen(table: pd.DataFrame, measure: str, base: str) -> pd.DataFrame:
    return table[(table["measure"] == measure) & (table["base"] == base)]
