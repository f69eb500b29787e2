"""Orders from plain tuples, on the session's engine."""

import pyarrow as pa
import pytest

from .book import TYPES, order


@pytest.fixture(scope="session")
def make_orders(duck):
    """Return a function from rows (as `order` makes them, or its arguments) to an orders table."""

    def make(rows, name="base_orders"):
        rows = [row if isinstance(row, dict) else order(*row) for row in rows]
        rows = [row | {"order_id": row["order_id"] if int(row["order_id"]) else f"{at + 1:06d}"}
                for at, row in enumerate(rows)]  # fmt: skip
        table = pa.table({key: pa.array([row[key] for row in rows], kind) for key, kind in TYPES.items()})
        return duck.create_table(name, table, temp=True, overwrite=True)

    return make
