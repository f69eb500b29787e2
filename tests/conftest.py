"""Fixtures that several subjects share."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import ibis
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of published data sets, a sibling of the repository; they are not redistributed with it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"published data sets are not in {folder}")
    return folder


@pytest.fixture(scope="session")
def duck():
    """One engine connection for tests of lazy tables, set up as the workbench does it."""
    connection = ibis.duckdb.connect()
    connection.raw_sql("SET TimeZone = 'UTC'")
    return connection


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty workbench with the product's notebooks, found through WAAGE_HOME."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setenv("WAAGE_HOME", str(tmp_path))
    monkeypatch.delenv("WAAGE_STAGE", raising=False)
    monkeypatch.delenv("WAAGE_STUDY", raising=False)
    return tmp_path


ORDERS = """
SELECT 'shop' AS source, 'A' || i AS order_id, 'C' || (i % 80) AS source_id,
  TIMESTAMP '2024-01-01 12:00:00' + INTERVAL 1 DAY * ((i * 37 + (i % 80) * (i % 7)) % 360) AS ordered_at,
  'online' AS channel, ((i * 13) % 97 + 1)::DECIMAL(18, 4) AS revenue
FROM range(400) t(i)
"""


@pytest.fixture
def orders_sql() -> str:
    """The SELECT behind the small study's orders: 400 orders of 80 customers in 2024."""
    return ORDERS


@pytest.fixture
def make_study(home) -> Callable[..., Path]:
    """Write a small study; keyword arguments replace sources ({table: sql}) and study.yaml lines."""

    def make(name: str = "small", sources: dict[str, str] | None = None, **settings: object) -> Path:
        folder = home / "data" / name
        (folder / "sources").mkdir(parents=True, exist_ok=True)
        lines = {"name": name, "data_until": date(2024, 12, 31), "time_zone": "Europe/Berlin", "min_cell": 2}
        lines |= settings
        text = "".join(f"{key}: {value}\n" for key, value in lines.items() if value is not None)
        (folder / "study.yaml").write_text(text, encoding="utf-8")
        for table, sql in {"orders": ORDERS, **(sources or {})}.items():
            (folder / "sources" / f"{table}.sql").write_text(sql, encoding="utf-8")
        return folder

    return make
