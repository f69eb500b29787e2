"""Where tables are computed: DuckDB, behind Ibis. Nobody else in the workbench knows which engine it is."""

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from waage.errors import WaageError

ROW_GROUP = 122_880  # DuckDB's own default, stated so that files do not change with it


def open_engine(settings: Mapping[str, object], spill: Path) -> "DuckDBEngine":
    """Open the engine a study asks for.

    Parameters
    ----------
    settings : mapping
        `kind` (duckdb), `memory` ("auto" or such as "4GB"), `threads` ("auto" or a number).
    spill : Path
        Folder for what does not fit into memory; made when needed.

    Raises
    ------
    WaageError
        For a kind that is not there, or a memory or thread setting DuckDB refuses.
    """
    kind = settings.get("kind", "duckdb")
    if kind != "duckdb":
        raise WaageError(f"engine.kind: {kind!r} is not available; this version computes with 'duckdb'")
    return DuckDBEngine.open(settings.get("memory", "auto"), settings.get("threads", "auto"), spill)


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.timestamp), dt.timestamp))
def at_zone(zone, moment):
    """Read a naive time in a zone, or show a zoned time in a zone; built into DuckDB."""


@ibis.udf.agg.builtin(name="arg_min", signature=((dt.Decimal(38, 4), dt.date), dt.Decimal(38, 4)))
def value_on_first(value, day):
    """Return the value on the first day; `argmin` would sort every group."""


def available_memory() -> int:
    """Return the bytes this process may use: free memory, or less where a control group says so."""
    limits = [psutil.virtual_memory().available]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(name).read_text()))
        except (OSError, ValueError):
            continue
    return min(limits)


def available_threads() -> int:
    """Return the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class TableFile:
    """A written table: rows, bytes, and the SHA-256 of the file, equal for equal content."""

    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class DuckDBEngine:
    """An Ibis connection to an in-memory DuckDB that spills to disk."""

    connection: ibis.BaseBackend
    memory: str
    threads: int

    @classmethod
    def open(cls, memory: object, threads: object, spill: Path) -> "DuckDBEngine":
        """Connect; "auto" takes half of the memory and all of the cores that are there."""
        if memory == "auto":
            memory = f"{max(available_memory() // 2, 256 << 20) >> 20}MiB"
        if threads == "auto":
            threads = available_threads()
        connection = ibis.duckdb.connect()
        try:
            connection.raw_sql(f"SET memory_limit = '{memory}'")
            connection.raw_sql(f"SET threads = {int(threads)}")
        except (duckdb.Error, ValueError, TypeError) as error:
            raise WaageError(
                f"engine: DuckDB refuses memory {memory!r} or threads {threads!r} ({_first_line(error)}); "
                "write 'auto', or such as memory: 4GB and threads: 2"
            ) from None
        # One folder a process: DuckDB's spill files carry no name of their owner. It makes the last folder only.
        with contextlib.suppress(OSError):  # a reader without the right to write does not spill
            spill.mkdir(parents=True, exist_ok=True)
        connection.raw_sql(f"SET temp_directory = '{_quoted(spill / str(os.getpid()))}'")
        # Extensions are never fetched behind the user's back, and zoned times are cast in UTC.
        connection.raw_sql("SET autoinstall_known_extensions = false")
        connection.raw_sql("SET TimeZone = 'UTC'")
        return cls(connection, str(memory), int(threads))

    def source(self, file: Path, raw: Path, shown: str) -> ir.Table:
        """Run a source's SELECT and keep its rows in a temporary table.

        Parameters
        ----------
        file : Path
            One SELECT in DuckDB's dialect; `${raw}` stands for the raw folder.
        raw : Path
        shown : str
            The file's name in error messages.

        Raises
        ------
        WaageError
            With the file, the line and DuckDB's words.
        """
        text = file.read_text(encoding="utf-8")
        sql = text.replace("${raw}", _quoted(raw)).strip().rstrip(";")
        above = len(text) - len(text.lstrip())
        offset = text[:above].count("\n")
        try:
            statements = self.connection.con.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise WaageError(f"{shown}: a source is exactly one SELECT, but this file holds something else")
            name = "source_" + re.sub(r"\W", "_", file.stem)
            self.connection.con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS\n{sql}")
        except duckdb.Error as error:
            found = re.search(r"^LINE (\d+):", str(error), flags=re.M)
            # The statement handed to DuckDB has one line of ours in front, unless it failed in the parser.
            ahead = 1 if found and not isinstance(error, duckdb.ParserException) else 0
            where = f"{shown}, line {int(found[1]) - ahead + offset}" if found else shown
            raise WaageError(f"{where}: {_first_line(error)}") from None
        return self.connection.table(name)

    def forget(self, table: ir.Table) -> None:
        """Drop a source's temporary table."""
        self.connection.drop_table(table.get_name(), force=True)

    def read(self, path: Path) -> ir.Table:
        """Open a Parquet file as a lazy table."""
        return self.connection.read_parquet(path)

    def read_file(self, path: Path) -> ir.Table:
        """Open a user's file, Parquet or CSV, as a lazy table; WaageError if it is not there or cannot be read."""
        if not path.is_file():
            raise WaageError(f"there is no file {path}")
        try:
            if path.suffix.lower() != ".csv":
                return self.connection.read_parquet(path)
            # Ids are texts: leading zeros survive. A column of nothing is a text to the sniffer, and a number to us.
            texts = self.connection.read_csv(path, all_varchar=True)
            ids = dict.fromkeys([name for name in texts.columns if name.endswith("_id")], "VARCHAR")
            table = self.connection.read_csv(path, types=ids)
            filled = table.agg(**{name: table[name].count() for name in table.columns}).to_pyarrow().to_pylist()[0]
            empty = [name for name, n in filled.items() if not n and name not in ids]
            return table.mutate(**{name: ibis.null("float64") for name in empty})
        except duckdb.Error as error:
            raise WaageError(
                f"{path} cannot be read as Parquet or CSV (save sheets as CSV): {_first_line(error)[:200]}"
            ) from None

    def write(
        self, table: ir.Table | pd.DataFrame, path: Path, key: tuple[str, ...], unique: bool = False
    ) -> TableFile:
        """Write a table as Parquet in the order of its key, so that equal content is equal bytes.

        Parameters
        ----------
        table : ibis table or DataFrame
        path : Path
        key : tuple of str
        unique : bool
            Whether the key is known to be unique, as in a table that has passed the contract.

        Raises
        ------
        WaageError
            When a key column is missing, a key occurs twice, or the disk refuses.
        """
        if isinstance(table, pd.DataFrame):
            # A column of nothing but None has no type of its own; in a table it is a text.
            untyped = [name for name in table if table[name].dtype == object and table[name].isna().all()]
            table = ibis.memtable(table.astype(dict.fromkeys(untyped, "string")))
        missing = [name for name in key if name not in table.columns]
        if missing:
            raise WaageError(f"{path.stem}: key columns {missing} are missing; columns are {list(table.columns)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.connection.to_parquet(
                table.order_by([ibis.asc(name, nulls_first=True) for name in key]),
                path,
                compression="zstd",
                compression_level=1,  # as small as the default's files here, and faster
                row_group_size=ROW_GROUP,
            )
        except duckdb.IOException as error:
            raise WaageError(f"{path.stem}: cannot be written to {path.parent}: {_first_line(error)}") from None
        if unique or not _neighbours_equal(path, key):
            return describe(path)
        written = self.read(path)
        twice = written.group_by(*key).agg(_n=written.count()).filter(ibis._["_n"] > 1)
        repeated = twice.count().execute()
        example = twice.order_by(*key).limit(1).drop("_n").execute().iloc[0].to_dict()
        # An id may be an address, and errors end up in logs.
        example = {name: "***" if name.startswith("source_id") else value for name, value in example.items()}
        path.unlink()
        raise WaageError(f"{path.stem}: {repeated:,} keys occur more than once, e.g. {example}; one row a key")


def _neighbours_equal(path: Path, key: tuple[str, ...]) -> bool:
    """Return whether a file in the order of its key has a key twice, NULL being equal to NULL."""
    file, last = pq.ParquetFile(path), None
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group, columns=list(key))
        rows = rows if last is None else pa.concat_tables([last, rows])
        last, same = rows.slice(len(rows) - 1), None
        for name in key:
            here, before = rows[name].slice(1), rows[name].slice(0, len(rows) - 1)
            equal = pc.fill_null(pc.equal(here, before), False)
            equal = pc.or_(equal, pc.and_(pc.is_null(here), pc.is_null(before)))
            same = equal if same is None else pc.and_(same, equal)
        if pc.any(same).as_py():
            return True
    return False


def describe(path: Path) -> TableFile:
    """Return rows, bytes and SHA-256 of a Parquet file."""
    return TableFile(pq.read_metadata(path).num_rows, path.stat().st_size, sha256(path))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _first_line(error: BaseException) -> str:
    """Return DuckDB's sentence without its picture of the statement."""
    text = re.split(r"\n\s*\n?LINE \d+:", str(error))[0]
    return " ".join(text.split())
