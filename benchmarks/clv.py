"""Fit, score and value customers from orders in Parquet, against plain lifetimes on the same file.

Waage takes the way of notebook 04: histories in DuckDB, unique histories fitted and scored once, values joined back
and written as Parquet. Plain lifetimes is what its manual shows: the orders as a DataFrame, its summary function, a fit
on every customer, `customer_lifetime_value`. Both BG/NBD in days and Gamma-Gamma; both give orders and value of twelve
months for every customer. Values differ by definition (months of 30 days, discounted from their ends), so parameters,
expected orders and order values are compared, and the value by lifetimes' definition.

    python -m benchmarks.clv [customers] [folder]
    python -m benchmarks.clv grow 10000000 [folder]   # time of the parts by number of customers, Waage alone

Every contender runs in a process of its own, with one thread. Memory is the peak of the process less what it held
before it read anything.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from waage.engine import DuckDBEngine

ROOT = Path(__file__).resolve().parents[1]
AS_OF = date(2025, 6, 30)
WINDOW, ENTRY = 730, 365  # days: customers arrive in the first half
PARTS = 500_000  # customers made at a time
MEMORY, THREADS = "96MB", 1


def make(folder: Path, customers: int) -> Path:
    """Write orders of BG/NBD customers with Gamma-Gamma values, about 3.6 a customer, if not there yet."""
    file = folder / f"clv_{customers}.parquet"
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    writer, made = None, 0
    for part in range(-(-customers // PARTS)):
        size = min(PARTS, customers - part * PARTS)
        person, day, value = _orders(size, np.random.default_rng([7, part]))
        person += part * PARTS
        count = len(person)
        columns = {
            "source": pa.array(["shop"]).take(pa.array(np.zeros(count, dtype=np.int32))),
            "order_id": pa.array(np.char.mod("%012d", made + np.arange(count))),
            "person_id": pa.array(np.char.mod("P%09d", person)),
            "day": pa.array((np.datetime64(AS_OF) - WINDOW + 1 + day).astype("datetime64[D]")),
            "net_revenue": pa.array(np.round(value, 2)).cast(pa.decimal128(18, 4), safe=False),
            "counts": pa.array(np.ones(count, dtype=bool)),
        }
        made += count
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(f"{file}.part", table.schema, compression="zstd")
        writer.write_table(table, row_group_size=122_880)
    writer.close()
    Path(f"{file}.part").rename(file)
    return file


def _orders(customers: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r, alpha, a, b = 0.6, 60.0, 0.8, 3.0
    start = rng.integers(0, ENTRY, customers)
    rate, leave = rng.gamma(r, 1 / alpha, customers), np.maximum(rng.beta(a, b, customers), 1e-12)
    last, scale = rng.geometric(leave), rng.gamma(3.7, 1 / 15.4, customers)
    clock, count = np.zeros(customers), np.zeros(customers, dtype=int)
    people, days = [np.arange(customers)], [start]
    active = np.arange(customers)
    while len(active):
        with np.errstate(divide="ignore"):
            clock[active] += rng.exponential(1.0, len(active)) / rate[active]
        active = active[clock[active] < WINDOW - start[active] - 1]
        count[active] += 1
        people.append(active)
        days.append(start[active] + np.ceil(clock[active]).astype(int))
        active = active[count[active] < last[active]]
    person, day = np.concatenate(people), np.concatenate(days)
    order = np.lexsort((person, day))
    person, day = person[order], day[order]
    return person, day, np.maximum(rng.gamma(6.0, 1.0, len(person)) / scale[person], 0.01)


def run_waage(file: Path, memory: str = MEMORY) -> dict[str, float]:
    """Histories, fits, scores and values of every customer into a Parquet file; returns the cost and the results."""
    from waage.clv import Terms, fit_purchases, fit_spend, score_histories, value_table
    from waage.history import purchase_histories, unique_histories

    with tempfile.TemporaryDirectory() as folder:
        engine = DuckDBEngine.open(memory, THREADS, Path(folder))
        con = engine.connection
        con.raw_sql("SET preserve_insertion_order = false")
        con.raw_sql("SET enable_progress_bar = false")
        con.raw_sql("SET allocator_flush_threshold = '16MB'")
        clock = Clock()
        kept = Path(folder) / "histories.parquet"
        con.to_parquet(purchase_histories(engine.read(file), AS_OF), kept, compression="snappy")
        histories = engine.read(kept)
        unique = unique_histories(histories).execute()
        clock.lap("histories")
        purchases = fit_purchases(unique, "bg")
        clock.lap("fit")
        spenders = histories.filter(histories.frequency > 0).select("frequency", "monetary").execute()
        spend = fit_spend(spenders, by_frequency=False)
        del spenders
        clock.lap("spend")
        terms = Terms(AS_OF, margin_rate=1.0, discount_rate=0.10, clv_years=1)
        scores = score_histories(unique, purchases, spend, terms, draws=0)
        size = len(unique)
        del unique
        stored = Path(folder) / "scores.parquet"
        scores.table.to_parquet(stored, compression="snappy")
        scores = replace(scores, table=scores.table.drop_duplicates("frequency"))
        clock.lap("score")
        written = Path(folder) / "clv.parquet"
        con.to_parquet(value_table(histories, scores, engine.read(stored)), written, compression="zstd")
        clock.lap("write")
        cost = clock.read()
        con.raw_sql("SET memory_limit = '1GB'")
        sums = con.con.execute(
            f"SELECT count(*), sum(expected_orders), sum(expected_order_value), sum(value_12m) FROM '{written}'"
        ).fetchone()
        # The value by lifetimes' own definition: twelve times 30 days, each discounted from its end.
        table = replace(scores, table=engine.read(stored).execute()).with_spend()
        unit = _by_definition(purchases, table, 0.10)
        joined = histories.inner_join(_memtable(table.assign(unit=unit)), ["frequency", "recency", "T"])
        each = joined.spend_pull * (joined.spend_unit + joined.frequency * joined.monetary)
        clv = float(joined.aggregate(clv=(joined.unit * each).sum()).execute().clv.iloc[0])
        found = dict(zip(("customers", "orders", "order_value", "value_12m"), map(float, sums), strict=True))
        params = {**purchases.params, **spend.params, "loglik": purchases.loglik}
        return cost | {"unique": size, "clv_30": clv} | found | {k: float(v) for k, v in params.items()}


def run_lifetimes(file: Path) -> dict[str, float]:
    """The same by the manual of lifetimes; returns the cost and the results."""
    import lifetimes
    from lifetimes.utils import summary_data_from_transaction_data

    clock = Clock()
    orders = pq.read_table(file, columns=["person_id", "day", "net_revenue"])
    orders = orders.set_column(2, "net_revenue", orders["net_revenue"].cast(pa.float64())).to_pandas()
    table = summary_data_from_transaction_data(
        orders, "person_id", "day", "net_revenue", observation_period_end=AS_OF, freq="D"
    )
    clock.lap("histories")
    bg = lifetimes.BetaGeoFitter(penalizer_coef=0.0)
    bg.fit(table["frequency"], table["recency"], table["T"])
    clock.lap("fit")
    back = table[(table["frequency"] > 0) & (table["monetary_value"] > 0)]
    gg = lifetimes.GammaGammaFitter(penalizer_coef=0.0)
    gg.fit(back["frequency"], back["monetary_value"])
    clock.lap("spend")
    history = (table["frequency"], table["recency"], table["T"])
    alive = bg.conditional_probability_alive(*history)
    expected = bg.conditional_expected_number_of_purchases_up_to_time(365, *history)
    each = gg.conditional_expected_average_profit(table["frequency"], table["monetary_value"])
    monthly = 1.10 ** (1 / 12) - 1
    clv = gg.customer_lifetime_value(bg, *history, table["monetary_value"], time=12, discount_rate=monthly, freq="D")
    clock.lap("score")
    cost = clock.read()
    found = {"customers": len(table), "orders": expected.sum(), "order_value": each.sum(), "clv_30": clv.sum()}
    params = {**bg.params_, **gg.params_, "alive": alive.mean()}
    return cost | {name: float(value) for name, value in (found | params).items()}


def _by_definition(purchases, table, discount_rate: float) -> np.ndarray:
    history = [table[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")]
    until = [purchases.expected_orders(30 * month, *history) for month in range(13)]
    return sum(np.diff(until, axis=0)[m] / (1 + discount_rate) ** ((m + 1) / 12) for m in range(12))


def _memtable(frame):
    import ibis

    return ibis.memtable(frame[["frequency", "recency", "T", "unit", "spend_pull", "spend_unit"]])


class Clock:
    """Wall and CPU seconds since it was made, CPU seconds in laps, and the peak of memory above the start's."""

    def __init__(self):
        self.before = _resident()
        self.start = time.perf_counter()
        self.cpu = self.last = time.process_time()
        self.laps = {}

    def lap(self, name: str) -> None:
        now = time.process_time()
        self.laps[name], self.last = now - self.last, now
        self.laps[f"{name}_mb"] = _peak() - self.before

    def read(self) -> dict[str, float]:
        """Return seconds, cpu_seconds, peak_mb (whole process), extra_mb, and the laps."""
        wall, cpu = time.perf_counter() - self.start, time.process_time() - self.cpu
        peak = _peak()
        return {"seconds": wall, "cpu_seconds": cpu, "peak_mb": peak, "extra_mb": peak - self.before} | self.laps


def _peak() -> float:
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    # On Linux `ru_maxrss` starts with what the parent held, and that has just made the orders.
    return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024


def _resident() -> float:
    import psutil

    return psutil.Process().memory_info().rss / 2**20


def alone(function: str, file: Path, *arguments: object) -> dict[str, float]:
    """Run one of this module's functions in a process of its own."""
    code = (
        "import json, warnings; from pathlib import Path; from benchmarks import clv; warnings.simplefilter('ignore'); "
        "import lifetimes, pandas, scipy.optimize, waage.clv; "
        f"print(json.dumps(clv.{function}(Path({str(file)!r}), *{arguments!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def main(customers: int = 1_000_000, folder: str | None = None) -> dict[str, dict[str, float]]:
    """Print and return both contenders' costs and results."""
    with tempfile.TemporaryDirectory() as spare:
        file = make(Path(folder or spare).absolute(), customers)
        found = {name: alone(f"run_{name}", file) for name in ("waage", "lifetimes")}
    ours, theirs = found["waage"], found["lifetimes"]
    print(f"{customers:,} customers, {ours['unique']:,.0f} unique histories")
    print(f"{'':>12}{'waage':>14}{'lifetimes':>14}{'ratio':>9}")
    for name in ("seconds", "cpu_seconds", "extra_mb", "peak_mb", "histories", "fit", "spend", "score", "write"):
        if name in theirs:
            print(f"{name:>12}{ours[name]:>14.2f}{theirs[name]:>14.2f}{theirs[name] / ours[name]:>9.1f}")
        else:
            print(f"{name:>12}{ours[name]:>14.2f}")
    for name in ("r", "alpha", "a", "b", "p", "q", "v", "orders", "order_value", "clv_30"):
        print(f"{name:>12}{ours[name]:>14.6g}{theirs[name]:>14.6g}{ours[name] / theirs[name] - 1:>+9.1e}")
    return found


def grow(customers: int = 10_000_000, folder: str | None = None) -> list[dict[str, float]]:
    """Print and return Waage's cost by number of customers, up to `customers`."""
    rows = []
    with tempfile.TemporaryDirectory() as spare:
        for size in (customers // 100, customers // 10, customers):
            file = make(Path(folder or spare).absolute(), size)
            rows.append(alone("run_waage", file, "2GB"))
    print(
        f"{'customers':>12}{'unique':>12}{'seconds':>9}{'histories':>11}{'fit':>7}{'spend':>7}{'score':>7}{'write':>7}"
        f"{'peak MB':>9}"
    )
    for row in rows:
        widths = {"seconds": 9, "histories": 11, "fit": 7, "spend": 7, "score": 7, "write": 7}
        parts = "".join(f"{row[name]:>{width}.2f}" for name, width in widths.items())
        print(f"{row['customers']:>12,.0f}{row['unique']:>12,}{parts}{row['peak_mb']:>9.0f}")
    return rows


if __name__ == "__main__":
    growing = sys.argv[1:2] == ["grow"]
    arguments = sys.argv[2:] if growing else sys.argv[1:]
    (grow if growing else main)(*(int(argument) for argument in arguments[:1]), *arguments[1:2])
