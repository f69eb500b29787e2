"""What it costs to type every customer: a logit as a SELECT, against reading and writing the same columns.

python benchmarks/assignment.py [customers] [repetitions]
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from waage.engine import open_engine
from waage.typology.assignment import assign, expected_shares
from waage.typology.typing import fit_typing

FEATURES = 30
TYPES = ("a", "b", "c", "d", "e")


def model(seed: int = 7):
    """A typing model of 30 features and five types, trained on 1,000 simulated respondents."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 5, 1000)
    X = pd.DataFrame(np.exp(rng.normal(0, 0.3, (5, FEATURES))[truth] + rng.normal(size=(1000, FEATURES))))
    X.columns = [f"feature_{j}" for j in range(FEATURES)]
    P = np.full((1000, 5), 0.05) + 0.75 * np.eye(5)[truth]
    return fit_typing(X, P, np.ones(1000), {"all": tuple(X.columns)}, types=TYPES, seed=seed).model


def main(customers: int = 10_000_000, repetitions: int = 3) -> dict[str, float]:
    """Print the comparison and return its figures: seconds of typing and ratio (medians)."""
    tool = model()
    with tempfile.TemporaryDirectory() as folder:
        con = open_engine({}, Path(folder) / "spill").connection
        source, copy, typed = (str(Path(folder) / f"{name}.parquet") for name in ("features", "copy", "types"))
        columns = ", ".join(f"exp(hash(i, {j})::DOUBLE / 1.8e19 * 4 - 2) AS feature_{j}" for j in range(FEATURES))
        con.raw_sql(
            f"COPY (SELECT 'P' || lpad(i::VARCHAR, 9, '0') AS person_id, i % 5 AS frequency, {columns} "
            f"FROM range({customers}) t(i)) TO '{source}' (FORMAT parquet)"
        )
        features = con.read_parquet(source)
        pairs = []
        for _ in range(repetitions):
            # Alternating, so that a busy machine slows both.
            start = time.perf_counter()
            features.to_parquet(copy)
            middle = time.perf_counter()
            assign(features, tool).to_parquet(typed)
            pairs.append((middle - start, time.perf_counter() - middle))
        types = con.read_parquet(typed)
        assert types.count().execute() == customers
        print(expected_shares(types, TYPES).to_string(index=False))
    print(f"{customers:,} customers, {FEATURES} features, {len(TYPES)} types")
    print(f"{'read and write (s)':>24}{'typed (s)':>14}{'ratio':>8}")
    for copied, assigned in pairs:
        print(f"{copied:>24.1f}{assigned:>14.1f}{assigned / copied:>8.2f}")
    seconds, ratio = (float(np.median(part)) for part in ([b for _, b in pairs], [b / a for a, b in pairs]))
    print(f"median: {seconds:.1f} s, {ratio:.2f} times reading and writing")
    return {"seconds": seconds, "ratio": ratio}


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
