from pathlib import Path

import pandas as pd
import pytest

from waage.engine import available_memory, open_engine
from waage.errors import WaageError


def test_memory_and_threads_come_from_the_settings_or_the_machine(tmp_path):
    engine = open_engine({"memory": "300MiB", "threads": 1}, tmp_path)
    settings = dict(engine.connection.con.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    assert (settings["memory_limit"], settings["threads"]) == ("300.0 MiB", "1")
    auto = open_engine({}, tmp_path)
    assert auto.threads >= 1 and int(auto.memory.removesuffix("MiB")) <= available_memory() >> 20
    assert settings["autoinstall_known_extensions"] == "false"


@pytest.mark.parametrize("settings", [{"memory": "lots"}, {"threads": "many"}, {"threads": 0}])
def test_settings_that_duckdb_refuses_are_named(tmp_path, settings):
    with pytest.raises(WaageError, match="engine: DuckDB refuses memory"):
        open_engine(settings, tmp_path)


def test_another_kind_of_engine_is_refused(tmp_path):
    with pytest.raises(WaageError, match=r"engine\.kind: 'spark' is not available"):
        open_engine({"kind": "spark"}, tmp_path)


def test_more_than_memory_spills_to_disk_and_comes_out_sorted(tmp_path):
    engine = open_engine({"memory": "120MB", "threads": 1}, tmp_path / "spill")
    big = engine.connection.sql("SELECT md5(i::VARCHAR) AS a, md5((i + 1)::VARCHAR) AS b FROM range(3000000) t(i)")
    file = engine.write(big, tmp_path / "big.parquet", ("a",))
    assert file.rows == 3_000_000
    keys = pd.read_parquet(tmp_path / "big.parquet", columns=["a"])["a"]
    assert keys.is_monotonic_increasing


def test_a_folder_that_refuses_is_named(tmp_path):
    (tmp_path / "file").touch()
    engine = open_engine({}, tmp_path)
    with pytest.raises((NotADirectoryError, FileExistsError)):
        engine.write(pd.DataFrame({"a": [1]}), tmp_path / "file" / "x.parquet", ("a",))


def test_lines_in_errors_count_from_the_top_of_the_file(tmp_path):
    engine = open_engine({}, tmp_path)
    source = tmp_path / "orders.sql"
    for lead in ("", "\n\n", "-- a remark\n"):
        for body, line in (
            ("SELECT a\nFROM nowhere", 2),
            ("SELECT 1 AS a,\n  2 b c", 2),
            ("SELECT\n  x\nFROM range(1)", 2),
        ):
            source.write_text(lead + body)
            with pytest.raises(WaageError, match=rf"^orders\.sql, line {line + lead.count(chr(10))}: "):
                engine.source(source, Path("raw"), "orders.sql")


@pytest.mark.parametrize("at", [0, 70_000, 122_879, 122_880, 199_998])
def test_a_key_that_occurs_twice_is_found_wherever_it_lies_in_the_file(tmp_path, at):
    engine = open_engine({}, tmp_path / "spill")
    rows = engine.connection.sql(
        "SELECT 'k' || lpad(i::VARCHAR, 6, '0') AS a, NULL::VARCHAR AS b FROM range(200000) t(i)"
    )
    engine.write(rows, tmp_path / "fine.parquet", ("a", "b"))
    twice = rows.union(rows.filter(rows.a == f"k{at:06d}"))
    with pytest.raises(WaageError, match=f"twice: 1 keys occur more than once.*k{at:06d}"):
        engine.write(twice, tmp_path / "twice.parquet", ("a", "b"))
    assert not (tmp_path / "twice.parquet").exists()
