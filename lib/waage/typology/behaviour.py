"""What every person does in the shop, as numbers known on a day: all there is to type an unsurveyed customer by."""

from collections.abc import Iterable, Sequence
from datetime import date

import ibis
import ibis.expr.types as ir

from waage import style
from waage.engine import at_zone
from waage.errors import WaageError, did_you_mean
from waage.history import local_day

#: Blocks of features, cheapest first: what every shop has, what needs order lines and coupons, what needs channels
#: and events. A name that ends in an underscore stands for all columns that begin with it.
BLOCKS = {
    "rfm": ("recency_days", "frequency", "monetary", "tenure_days"),
    "basket": (
        *("order_value", "return_share", "discount_share", "coupon_share"),
        *("items_per_order", "item_price", "partner_share", "categories_bought", "category_"),
    ),
    "channel": (
        *("weekend_share", "evening_share", "channel_", "visits", "app_share", "mobile_share"),
        *("views_per_visit", "searches_per_visit", "carts_per_visit", "opens", "clicks", "scans"),
    ),
}
SHARE = "share, 0 to 1"
_LABELS = {
    "recency_days": ("Days since the last order", "Tage seit der letzten Bestellung"),
    "frequency": ("Orders", "Bestellungen"),
    "monetary": ("Net revenue", "Umsatz"),
    "tenure_days": ("Days since the first order", "Tage seit der ersten Bestellung"),
    "order_value": ("Order value", "Bestellwert"),
    "return_share": ("Share of value sent back", "Retourenanteil am Wert"),
    "discount_share": ("Share of discounts", "Anteil der Rabatte"),
    "coupon_share": ("Orders with a coupon", "Bestellungen mit Gutschein"),
    "items_per_order": ("Pieces per order", "Teile je Bestellung"),
    "item_price": ("Price of a piece", "Preis je Teil"),
    "partner_share": ("Share bought from partners", "Anteil von Partnern"),
    "categories_bought": ("Categories bought", "Gekaufte Warengruppen"),
    "category_": ("Share of value: {}", "Anteil am Wert: {}"),
    "weekend_share": ("Orders on weekends", "Bestellungen am Wochenende"),
    "evening_share": ("Orders in the evening", "Bestellungen am Abend"),
    "channel_": ("Orders through: {}", "Bestellungen über: {}"),
    "visits": ("Visits in a year", "Besuche im Jahr"),
    "app_share": ("Visits in the app", "Besuche in der App"),
    "mobile_share": ("Visits on a phone", "Besuche am Handy"),
    "views_per_visit": ("Products viewed a visit", "Angesehene Produkte je Besuch"),
    "searches_per_visit": ("Searches a visit", "Suchen je Besuch"),
    "carts_per_visit": ("Put into the cart a visit", "In den Korb je Besuch"),
    "opens": ("Newsletters opened", "Geöffnete Newsletter"),
    "clicks": ("Newsletter clicks", "Klicks im Newsletter"),
    "scans": ("Scans in the store", "Scans im Laden"),
    "crm_stage": ("Lifecycle", "Lebensphase"),
    "crm_age": ("Age", "Alter"),
    "crm_channel": ("Main channel", "Hauptkanal"),
    "stage": ("lifecycle stage", "Lebensphase"),
    "age": ("age", "Alter"),
    "channel": ("main channel", "Hauptkanal"),
    "orders": ("number of orders", "Zahl der Bestellungen"),
    "revenue": ("revenue", "Umsatz"),
}
#: From this local hour on it is evening.
EVENING = 18

_ORDERS = ("source", "order_id", "person_id", "ordered_at", "day", "channel", "status", "revenue")
_KEY = ("source", "order_id")


def behaviour(
    orders: ir.Table,
    day: "date | ir.Table",
    *,
    persons: ir.Table | None = None,
    returns: ir.Table | None = None,
    details: ir.Table | None = None,
    lines: ir.Table | None = None,
    events: ir.Table | None = None,
    channels: Sequence[str] = (),
    categories: Sequence[str] = (),
    time_zone: str = "UTC",
    event_days: int = 365,
) -> ir.Table:
    """Return one row of numbers per person, lazily, from nothing that happened after the day.

    Parameters
    ----------
    orders : ibis table
        `customer_orders`.
    day : date or ibis table
        The last day that is looked at: one for all, or a table with person_id and day, each person's own. For
        respondents give the day before the interview: a day has no clock, and what was ordered after the answers
        must not explain them.
    persons : ibis table, optional
        With person_id: who is in the result when `day` is one day; left out, everybody with an order. With a
        table of days it is the persons of that table.
    returns, lines : ibis tables, optional
        As in the contract; a return enters from the day it came back.
    details : ibis table, optional
        `orders` of the contract, for discount and coupon_code.
    events : ibis table, optional
        As in the contract, with person_id in place of the source's id.
    channels, categories : sequence of str
        Whose shares become columns (`levels`); the same for training and application.
    time_zone : str
    event_days : int
        Days of events looked back on, so that a later day does not count more visits for its longer log.

    Returns
    -------
    ibis table
        person_id (unique), then floats. rfm: recency_days, frequency (orders that count), monetary (net revenue),
        tenure_days. basket: order_value (mean demand), return_share (of demand), discount_share (of demand before
        discounts), coupon_share (of orders), items_per_order, item_price, partner_share (of revenue),
        categories_bought, category_<name> (shares of revenue). channel: weekend_share, evening_share and
        channel_<name> (of orders), visits, app_share and mobile_share (of visits), views_, searches_ and
        carts_per_visit, opens, clicks, scans (counts in `event_days`). Counts are 0 where nothing happened, all else
        is NULL there. Shares are over orders that were not cancelled. Sums are taken over decimals and counts, so
        the same tables give the same bits in any order of rows and on any number of threads.

    Raises
    ------
    WaageError
        If a column is missing.
    """
    _require(orders, _ORDERS, "orders")
    bought = _until(orders.select(*_ORDERS), day)
    bought = bought.filter(bought.person_id.notnull() & (bought.day <= bought.until))
    bought = bought.filter(bought.status.fill_null("placed") != "cancelled")
    bought = _with_returns(bought, returns, time_zone)
    parts = [_from_orders(bought, details, channels, time_zone)]
    if lines is not None:
        parts.append(_from_lines(bought, lines, categories))
    if events is not None:
        _require(events, ("person_id", "occurred_at", "event", "device"), "events")
        parts.append(_from_events(_until(events, day), time_zone, event_days))
    if isinstance(day, ir.Table):
        people = day.select("person_id")
    else:
        people = bought.select("person_id").distinct() if persons is None else persons.select("person_id")
    table = people
    for part in parts:
        table = table.left_join(part, "person_id").drop("person_id_right")
    counted = ("frequency", "monetary", "visits", "opens", "clicks", "scans")
    return table.select(
        "person_id",
        **{name: table[name].fill_null(0.0) if name in counted else table[name] for name in table.columns[1:]},
    )


def feature_label(name: str, language: str = "en") -> str:
    """Return the text of a feature."""
    at = language == "de"
    for key in ("category_", "channel_"):
        if name.startswith(key):
            return _LABELS[key][at].format(style.label(name.removeprefix(key), language))
    return _LABELS[name][at] if name in _LABELS else style.title(name, language)


def unit(name: str) -> str:
    """Return what a feature is counted in; the window is all orders until the day, or a year of events."""
    if name in ("recency_days", "tenure_days"):
        return "days"
    if name.endswith("_share") or name.startswith(("category_", "channel_")):
        return SHARE
    if name in ("monetary", "order_value", "item_price"):
        return "money"
    if name in ("visits", "opens", "clicks", "scans"):
        return "number in 365 days"
    return "number"


def blocks(columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return which of the columns belong to each of `BLOCKS`; a block without any is left out.

    Raises
    ------
    WaageError
        If a column belongs to no block.
    """
    found: dict[str, list[str]] = {block: [] for block in BLOCKS}
    for column in columns:
        fits = [
            block
            for block, names in BLOCKS.items()
            if any(column == name or (name.endswith("_") and column.startswith(name)) for name in names)
        ]
        if not fits:
            known = [name for names in BLOCKS.values() for name in names]
            raise WaageError(f"behaviour: column {column!r} belongs to no block{did_you_mean(column, known)}")
        found[fits[0]].append(column)
    return {block: tuple(names) for block, names in found.items() if names}


def levels(table: ir.Table, column: str, at_most: int = 12) -> tuple[str, ...]:
    """Return the most frequent values of a column, in alphabetical order; freeze them with the model."""
    counted = table.filter(table[column].notnull()).group_by(value=table[column]).agg(n=ibis._.count())
    top = counted.order_by(ibis.desc("n"), "value").limit(at_most).to_pyarrow()
    return tuple(sorted(top["value"].to_pylist()))


def _until(table: ir.Table, day: "date | ir.Table") -> ir.Table:
    if not isinstance(day, ir.Table):
        return table.mutate(until=ibis.literal(day))
    _require(day, ("person_id", "day"), "day")
    days = day.select("person_id", until=day.day.cast("date"))
    return table.inner_join(days, "person_id").drop(*(["person_id_right"] if "person_id_right" in table else []))


def _with_returns(bought: ir.Table, returns: ir.Table | None, time_zone: str) -> ir.Table:
    money = "decimal(18, 4)"
    nothing = ibis.literal(0).cast(money)
    if returns is None:
        return bought.mutate(returned=nothing, counts=ibis.literal(True))
    booked = returns.filter(returns.order_id.notnull()).select(*_KEY, "returned_at", "amount")
    booked = booked.inner_join(bought.select(*_KEY, "until"), _KEY)
    booked = booked.filter(local_day(booked.returned_at, time_zone) <= booked.until)
    booked = booked.group_by(*_KEY).agg(returned=booked.amount.sum().cast(money))
    table = bought.left_join(booked, _KEY).drop("source_right", "order_id_right")
    table = table.mutate(returned=table.returned.fill_null(nothing))
    # As in waage.history: an order whose goods all came back does not count.
    return table.mutate(counts=~((table.returned > 0) & (table.revenue <= table.returned)))


def _from_orders(bought: ir.Table, details: ir.Table | None, channels: Sequence[str], time_zone: str) -> ir.Table:
    if details is not None:
        _require(details, (*_KEY, "discount", "coupon_code"), "details")
        bought = bought.left_join(details.select(*_KEY, "discount", "coupon_code"), _KEY)
    local = at_zone(time_zone, at_zone("UTC", bought.ordered_at))
    counted_day = ibis.ifelse(bought.counts, bought.day, ibis.null("date"))
    nothing = ibis.literal(0).cast("decimal(18, 4)")
    sums = {
        "until": bought.until.max(),
        "last": counted_day.max(),
        "first": counted_day.min(),
        "frequency": _count(bought.counts),
        "net": ibis.ifelse(bought.counts, (bought.revenue - bought.returned).cast("decimal(18, 4)"), nothing).sum(),
        "orders": bought.count(),
        "demand": bought.revenue.sum(),
        "returned": bought.returned.sum(),
        "weekend": _count(bought.day.day_of_week.index() >= 5),
        "evening": _count(local.hour() >= EVENING),
        **{f"n_{place}": _count(bought.channel == name) for place, name in enumerate(channels)},
    }
    if details is not None:
        sums["discount"] = bought.discount.fill_null(nothing).sum()
        sums["coupons"] = _count(bought.coupon_code.notnull() & (bought.coupon_code != ""))
    table = bought.group_by("person_id").agg(**sums)
    values = {
        "recency_days": table.until.delta(table["last"], unit="day").cast("float64"),
        "frequency": table.frequency.cast("float64"),
        "monetary": table.net.cast("float64"),
        "tenure_days": table.until.delta(table["first"], unit="day").cast("float64"),
        "order_value": _ratio(table.demand, table.orders),
        "return_share": _ratio(table.returned, table.demand),
    }
    if details is not None:
        values["discount_share"] = _ratio(table.discount, table.demand + table.discount)
        values["coupon_share"] = _ratio(table.coupons, table.orders)
    values["weekend_share"] = _ratio(table.weekend, table.orders)
    values["evening_share"] = _ratio(table.evening, table.orders)
    shares = {f"channel_{name}": _ratio(table[f"n_{place}"], table.orders) for place, name in enumerate(channels)}
    return table.select("person_id", **values, **shares)


def _from_lines(bought: ir.Table, lines: ir.Table, categories: Sequence[str]) -> ir.Table:
    _require(lines, (*_KEY, "category", "quantity", "revenue"), "lines")
    wanted = lines.select(*_KEY, *(c for c in ("category", "quantity", "revenue", "seller") if c in lines.columns))
    wanted = wanted.inner_join(bought.select(*_KEY, "person_id"), _KEY)
    nothing = ibis.literal(0).cast("decimal(18, 4)")
    money = wanted.revenue.cast("decimal(18, 4)").fill_null(nothing)
    sums = {
        "pieces": wanted.quantity.sum(),
        "value": money.sum(),
        **{f"v_{i}": ibis.ifelse(wanted.category == name, money, nothing).sum() for i, name in enumerate(categories)},
    }
    if "seller" in wanted.columns:
        sums["partner"] = ibis.ifelse(wanted.seller == "partner", money, nothing).sum()
    table = wanted.group_by("person_id").agg(**sums)
    orders = bought.group_by("person_id").agg(orders=bought.count())
    table = table.inner_join(orders, "person_id")
    values = {
        "items_per_order": _ratio(table.pieces, table.orders),
        "item_price": _ratio(table.value, table.pieces),
    }
    if "partner" in table.columns:
        values["partner_share"] = _ratio(table.partner, table.value)
    if categories:
        bought_from = [ibis.ifelse(table[f"v_{i}"] > 0, 1, 0) for i in range(len(categories))]
        values["categories_bought"] = sum(bought_from[1:], bought_from[0]).cast("float64")
    shares = {f"category_{name}": _ratio(table[f"v_{i}"], table.value) for i, name in enumerate(categories)}
    return table.select("person_id", **values, **shares)


def _from_events(events: ir.Table, time_zone: str, event_days: int) -> ir.Table:
    happened = local_day(events.occurred_at, time_zone)
    first = events.until - ibis.interval(days=event_days)
    events = events.filter(events.person_id.notnull() & (happened <= events.until) & (happened > first))
    kinds = {"visits": "visit", "views": "view", "searches": "search", "carts": "cart", "opens": "open"}
    kinds |= {"clicks": "click", "scans": "scan"}
    table = events.group_by("person_id").agg(
        **{name: _count(events.event == kind) for name, kind in kinds.items()},
        app=_count((events.event == "visit") & (events.device == "app")),
        mobile=_count((events.event == "visit") & (events.device == "mobile")),
    )
    return table.select(
        "person_id",
        visits=table.visits.cast("float64"),
        app_share=_ratio(table.app, table.visits),
        mobile_share=_ratio(table.mobile, table.visits),
        **{f"{name}_per_visit": _ratio(table[name], table.visits) for name in ("views", "searches", "carts")},
        **{name: table[name].cast("float64") for name in ("opens", "clicks", "scans")},
    )


def _count(condition: ir.BooleanValue) -> ir.IntegerScalar:
    return ibis.ifelse(condition.fill_null(False), 1, 0).sum()


def _ratio(above: ir.NumericValue, below: ir.NumericValue) -> ir.FloatingValue:
    return ibis.ifelse(below > 0, above.cast("float64") / below.cast("float64"), ibis.null("float64"))


def _require(table: ir.Table, columns: Iterable[str], name: str) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        said = ", ".join(f"{column!r}{did_you_mean(column, table.columns)}" for column in missing)
        raise WaageError(f"behaviour: {name} lacks {said}; see the contract")
