"""One engine for a module's tests, and customers made from plain tuples."""

from datetime import date, timedelta
from decimal import Decimal

import ibis
import pyarrow as pa
import pytest

AS_OF = date(2025, 6, 30)


@pytest.fixture(scope="module")
def con():
    return ibis.duckdb.connect()


@pytest.fixture(scope="module")
def make_customers(con):
    """Return a function from rows (person_id, recency_days, frequency, monetary) to a customer table."""

    def make(rows):
        ids, recency, frequency, monetary = zip(*rows, strict=True) if rows else ((), (), (), ())
        last = [AS_OF - timedelta(days=days) if days is not None else None for days in recency]
        first = [
            day if day is None or count is None or count <= 1 else day - timedelta(days=30)
            for day, count in zip(last, frequency, strict=True)
        ]
        table = pa.table(
            {
                "person_id": pa.array(ids, pa.string()),
                "recency_days": pa.array(recency, pa.int64()),
                "frequency": pa.array(frequency, pa.int64()),
                "monetary": pa.array(
                    [None if amount is None else Decimal(amount) for amount in monetary], pa.decimal128(18, 4)
                ),
                "net_revenue": pa.array(
                    [None if amount is None else Decimal(amount) for amount in monetary], pa.decimal128(18, 4)
                ),
                "first_day": pa.array(first, pa.date32()),
                "last_day": pa.array(last, pa.date32()),
            }
        )
        return con.create_table("customers", table, temp=True, overwrite=True)

    return make


@pytest.fixture(scope="session")
def read():
    """Return a function from a table and columns to a dict from person_id to a tuple of values."""

    def values(table, *columns):
        rows = table.select("person_id", *columns).to_pyarrow().to_pylist()
        return {row["person_id"]: tuple(row[column] for column in columns) for row in rows}

    return values
