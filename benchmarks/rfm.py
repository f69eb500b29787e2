"""RFM, scores and segments as a table, against one bare GROUP BY over the same orders, and against lifetimes.

Waage takes the way of notebook 02: `customer_orders` as Parquet, `Customers.at`, `fit_scores`, `Segmentation.at`, and a
Parquet file ordered by person whose key is checked and whose bytes are hashed. The bare query is the least anybody can
do: one row a customer with the last day, the number of orders and their sum; once into a table in memory, and once
into a Parquet file as it comes, neither ordered nor checked. lifetimes is treated generously: it reads money as
floats, cuts quintiles with pandas, and neither names segments nor writes.

    python -m benchmarks.rfm [orders] [folder]

Every contender runs in a process of its own, with two threads, in turns. Data are kept in `folder` where one is given.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from waage.engine import ROW_GROUP, DuckDBEngine, sha256

ROOT = Path(__file__).resolve().parents[1]
MEMORY, THREADS = "8GB", 2
AS_OF = date(2025, 6, 30)
LIFETIMES_ORDERS = 5_000_000
BARE = """SELECT person_id, max(day) AS last_day, count(*) AS orders, sum(net_revenue) AS revenue
    FROM '{file}' GROUP BY person_id"""


def make(folder: Path, orders: int) -> dict[str, float]:
    """Write `orders`.parquet as the workbench writes customer_orders, if not there yet; returns its size.

    About ten orders a customer, between one and some hundred, more of them every year; a third without a person in
    stores, one in thirty cancelled. Numbers come from hashes, so that a file is always the same.
    """
    file = folder / f"{orders}.parquet"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as spill:
            con = DuckDBEngine.open(MEMORY, THREADS, Path(spill)).connection.con
            con.execute("CREATE MACRO u(i, k) AS (hash(i * 16 + k) >> 11) / 9007199254740992.0")
            con.execute(
                f"""COPY (
              WITH placed AS (
                SELECT i, i < {orders} * 6 // 10 AS online, (i % ({orders} * 6 // 10)) / ({orders} * 0.6) AS age,
                  -- Rates between 0.34 and 50 orders a customer, evenly on the scale of logarithms.
                  CAST(floor({orders} / 8.5 * -ln(1 - u(i, 1) * (1 - exp(-5))) / 5) AS BIGINT) AS customer,
                  i >= {orders} * 6 // 10 AND u(i, 2) < 0.33 AS anonymous, u(i, 3) < 0.03 AS cancelled,
                  sqrt(-2 * ln(1 - u(i, 4))) * cos(2 * pi() * u(i, 5)) AS normal,
                  CAST(exp(3.4 + 0.9 * normal) AS DECIMAL(14, 2)) AS demand
                FROM range({orders}) t(i))
              SELECT CASE WHEN online THEN 'shop' ELSE 'till' END AS source, printf('%012d', i) AS order_id,
                CASE WHEN NOT anonymous THEN 'C' || customer END AS source_id,
                CASE WHEN NOT anonymous THEN printf('%016x', hash(customer)) END AS person_id,
                TIMESTAMP '2020-07-01' + to_seconds(CAST(floor(sqrt(age) * 157766400) AS BIGINT)) AS ordered_at,
                CAST(timezone('Europe/Berlin', timezone('UTC', ordered_at)) AS DATE) AS day,
                CASE WHEN online THEN 'web' ELSE 'store' END AS channel,
                CASE WHEN cancelled THEN 'cancelled' ELSE 'placed' END AS status,
                CASE WHEN NOT online THEN 'S' || (hash(i * 16 + 6) % 80) END AS store_id,
                CAST(demand AS DECIMAL(18, 4)) AS revenue,
                CASE WHEN cancelled THEN 0 ELSE revenue END AS net_revenue, NOT cancelled AS counts
              FROM placed
            ) TO '{file}.part' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"""
            )
        Path(f"{file}.part").rename(file)
    return {"megabytes": file.stat().st_size / 1e6}


def run_waage(file: Path) -> dict[str, float]:
    """Sum up, fix thresholds, score, name segments, write; returns the cost, and the CPU seconds of the parts.

    Parts: sum, fit and write make the whole; order, check and hash are what of `write` goes beyond an unordered file.
    """
    from waage import rfm

    with tempfile.TemporaryDirectory() as folder:
        engine = DuckDBEngine.open(MEMORY, THREADS, Path(folder))
        written = Path(folder) / "rfm.parquet"
        clock = Clock()
        customers = rfm.Customers(engine.read(file), time_zone="Europe/Berlin", window_months=24)
        today = customers.at(AS_OF).cache()
        parts = {"sum": clock.lap()}
        scores = rfm.fit_scores(today, f_breaks=[1, 2, 3, 6])
        parts["fit"] = clock.lap()
        table = rfm.Segmentation(customers, scores, rfm.RF10).at(AS_OF)
        rows = engine.write(table, written, key=("person_id",)).rows
        parts["write"] = clock.lap()
        cost = clock.read()
        engine.connection.to_parquet(table, written, compression="zstd", row_group_size=ROW_GROUP)
        plain = clock.lap()
        engine.write(table, written, key=("person_id",), unique=True)
        ordered = clock.lap()
        sha256(written)
        parts["hash"] = clock.lap()
        parts |= {"order": ordered - parts["hash"] - plain, "check": parts["write"] - ordered}
        return cost | parts | {"rows": rows}


def run_bare(file: Path, to_parquet: bool = False) -> dict[str, float]:
    """Run the bare query into a table in memory or into a Parquet file; returns the cost."""
    with tempfile.TemporaryDirectory() as folder:
        con = DuckDBEngine.open(MEMORY, THREADS, Path(folder)).connection.con
        query = BARE.format(file=file)
        clock = Clock()
        if to_parquet:
            con.execute(f"COPY ({query}) TO '{folder}/bare.parquet' (FORMAT parquet, COMPRESSION zstd)")
        else:
            con.execute(f"CREATE TEMP TABLE bare AS {query}")
        return clock.read()


def run_lifetimes(file: Path) -> dict[str, float]:
    """Read the columns needed, sum up with lifetimes and cut quintiles with pandas; returns the cost."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    from lifetimes.utils import summary_data_from_transaction_data

    clock = Clock()
    orders = pq.read_table(file, columns=["person_id", "ordered_at", "net_revenue"], filters=[("counts", "=", True)])
    orders = orders.set_column(2, "net_revenue", orders["net_revenue"].cast(pa.float64())).to_pandas()
    table = summary_data_from_transaction_data(
        orders[orders["person_id"].notna()], "person_id", "ordered_at", "net_revenue", observation_period_end=AS_OF
    )
    measures = {"r": table["recency"] - table["T"], "f": table["frequency"], "m": table["monetary_value"]}
    for name, values in measures.items():
        table[name] = pd.qcut(values, 5, labels=False, duplicates="drop")
    return clock.read()


class Clock:
    """Wall and CPU seconds since it was made, and the process's peak memory."""

    def __init__(self):
        self.start, self.cpu = time.perf_counter(), time.process_time()
        self.last = self.cpu

    def lap(self) -> float:
        """Return CPU seconds since the last lap."""
        last, self.last = self.last, time.process_time()
        return self.last - last

    def read(self) -> dict[str, float]:
        """Return seconds, cpu_seconds, peak_mb."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        wall, cpu = time.perf_counter() - self.start, time.process_time() - self.cpu
        return {"seconds": wall, "cpu_seconds": cpu, "peak_mb": peak}


def alone(function: str, file: Path, *arguments: object) -> dict[str, float]:
    """Run one of this module's functions in a process of its own."""
    code = (
        "import json, warnings; from pathlib import Path; from benchmarks import rfm; warnings.simplefilter('ignore'); "
        f"print(json.dumps(rfm.{function}(Path({str(file)!r}), *{arguments!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def compare(file: Path, contenders: dict[str, tuple], repeats: int) -> dict[str, dict[str, float]]:
    """Run the contenders in turns, the order reversed every time; returns the medians of what each returns."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    for turn in range(repeats):
        for name in list(contenders)[:: -1 if turn % 2 else 1]:
            found[name].append(alone(contenders[name][0], file, *contenders[name][1:]))
    return {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()}


def main(orders: int = 10_000_000, folder: str | None = None, repeats: int = 3) -> dict[str, object]:
    """Print and return both comparisons: `bare`, with `orders`, and `lifetimes`, with at most five million."""
    with tempfile.TemporaryDirectory() as spare:
        few = min(orders, LIFETIMES_ORDERS)
        home = Path(folder or spare).absolute()
        for number in {orders, few}:
            alone("make", home, number)
        sides = {"waage": ("run_waage",), "bare": ("run_bare",), "bare, written": ("run_bare", True)}
        bare = compare(home / f"{orders}.parquet", sides, repeats)
        sides = {"waage": ("run_waage",), "lifetimes": ("run_lifetimes",)}
        other = compare(home / f"{few}.parquet", sides, repeats)
    for number, rows in ((orders, bare), (few, other)):
        waage = rows["waage"]
        print(f"{number:,} orders, {waage['rows']:,.0f} customers; median of {repeats}; ratios: Waage to the other")
        print(f"{'':>16}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}{'ratios':>13}{'CPU':>9}{'memory':>9}")
        for name, row in rows.items():
            print(f"{name:>16}{row['seconds']:>9.2f}{row['cpu_seconds']:>9.2f}{row['peak_mb']:>9.0f}", end="    ")
            print("".join(f"{waage[key] / row[key]:>9.2f}" for key in ("seconds", "cpu_seconds", "peak_mb")))
        parts = ", ".join(f"{name} {waage[name]:.2f}" for name in ("sum", "fit", "write"))
        beyond = ", ".join(f"{name} {waage[name]:.2f}" for name in ("order", "check", "hash"))
        print(f"CPU seconds of Waage: {parts}; of write: {beyond}\n")
    return {"bare": bare, "lifetimes": other}


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*(int(argument) for argument in arguments[:1]), *arguments[1:2])
