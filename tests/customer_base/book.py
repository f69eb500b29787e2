"""Orders as plain rows, and the year as the definitions count it."""

from datetime import date, datetime, time
from decimal import Decimal

import pyarrow as pa

TYPES = {
    "source": pa.string(),
    "order_id": pa.string(),
    "source_id": pa.string(),
    "person_id": pa.string(),
    "ordered_at": pa.timestamp("us"),
    "day": pa.date32(),
    "channel": pa.string(),
    "status": pa.string(),
    "store_id": pa.string(),
    "revenue": pa.decimal128(18, 4),
    "net_revenue": pa.decimal128(18, 4),
    "counts": pa.bool_(),
}


def order(person, day, value=10, status="shipped", channel="web", returned=0, number=0, hour=12):
    """One order as a row; `number` keeps ids apart."""
    cancelled = status == "cancelled"
    net = Decimal(0) if cancelled else cents(value) - cents(returned)
    return {
        "source": "shop",
        "order_id": f"{number:06d}",
        "source_id": person,
        "person_id": person,
        "ordered_at": datetime.combine(day, time(hour)),
        "day": day,
        "channel": channel,
        "status": status,
        "store_id": None,
        "revenue": cents(value),
        "net_revenue": net,
        "counts": not cancelled and not (returned and net <= 0),
    }


def year_later(day: date) -> date:
    """The same day a year later; 28 February for the 29th."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return date(day.year + 1, 2, 28)


def cents(value) -> Decimal:
    """The amount to the cent."""
    return Decimal(str(value)).quantize(Decimal("0.01"))
