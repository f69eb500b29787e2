"""How much of the business has a known person behind it, month by month."""

import ibis.expr.types as ir
import pandas as pd


def coverage(orders: ir.Table) -> pd.DataFrame:
    """Count orders with and without a known person.

    Parameters
    ----------
    orders : ibis table
        As `waage.history.customer_orders` returns them; cancelled orders are in it.

    Returns
    -------
    DataFrame
        One row a month: month (its first day), orders, known (orders with a person), demand, persons.
    """
    known = orders.person_id.notnull()
    months = orders.group_by(month=orders.day.truncate("M")).agg(
        orders=orders.count(),
        known=known.sum(),
        demand=orders.revenue.sum(),
        persons=orders.person_id.nunique(),
    )
    table = months.order_by("month").execute()
    return table.assign(month=pd.to_datetime(table["month"]), demand=table["demand"].astype(float))


def plot_coverage(months: pd.DataFrame, ax=None, *, language: str = "en"):
    """Draw orders a month, those with a known person below those without.

    Parameters
    ----------
    months : DataFrame
        As `coverage` returns it.
    ax : matplotlib Axes, optional
    language : {"en", "de"}

    Returns
    -------
    matplotlib Axes
    """
    import matplotlib.dates as mdates
    import matplotlib.pyplot as plt

    from waage import style

    ax = ax or plt.subplots(figsize=(9, 3.6))[1]
    anonymous = months["orders"] - months["known"]
    words = ("bekannte Person", "anonym", "Bestellungen im Monat")
    known_text, anonymous_text, axis_text = (
        words if language == "de" else ("known person", "anonymous", "orders a month")
    )
    ax.bar(months["month"], months["known"], width=24, color=style.ACCENT, label=known_text)
    if anonymous.sum():
        ax.bar(months["month"], anonymous, width=24, bottom=months["known"], color=style.MUTED, label=anonymous_text)
        ax.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    ax.xaxis.set_major_locator(mdates.AutoDateLocator(minticks=4, maxticks=12))
    ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(ax.xaxis.get_major_locator()))
    style.axis_number(ax.yaxis, language)
    ax.set_ylim(0)
    ax.set_xlim(months["month"].min() - pd.Timedelta(days=20), months["month"].max() + pd.Timedelta(days=20))
    ax.set_ylabel(axis_text)
    return ax


def unlinked(table: ir.Table, mapping: ir.Table) -> tuple[int, int]:
    """Return how many rows of a table name a source id, and how many of those ids no person has.

    Parameters
    ----------
    table : ibis table
        With source and source_id.
    mapping : ibis table
        source, source_id, person_id.
    """
    named = table.filter(table.source_id.notnull())
    lost = named.anti_join(mapping, ["source", "source_id"])
    return int(named.count().execute()), int(lost.count().execute())
