"""The link on the simulated retailer over many seeds: coverage of the truth, grades with and without reverse causality.

python -m benchmarks.ix_demo [seeds]
"""

import sys
import time

import pandas as pd
from tests.ix.demo_panel import demo_panel, demo_truth

from waage.demo.world import Settings
from waage.ix.checks import run_checks
from waage.ix.link import link


def main(seeds: int = 20) -> None:
    """Print one row a seed and the sums."""
    start, rows = time.perf_counter(), []
    for seed in range(101, 101 + seeds):
        row = {"seed": seed}
        for name, switch in (("base", {}), ("reverse", {"reverse_causality": True})):
            settings = Settings(seed=seed, **switch)
            panel = demo_panel(settings)
            found, truth = link(panel), demo_truth(settings)["long_run"]
            checks = run_checks(panel, found, incidents_touch_demand=["outage"])
            row |= {f"{name} estimate": 100 * found.long_run(), f"{name} grade": checks.grade}
            row |= {f"{name} headline": checks.headline}
            verdicts = checks.table.set_index("check")["verdict"]
            row[f"{name} incidents"] = verdicts["incidents"]
            row[f"{name} failed"] = ",".join(verdicts.index[verdicts == "failed"])
            if name == "base":
                row["truth"] = 100 * truth["demand"]
                for outcome in ("demand", "visits", "conversion", "basket"):
                    low, high = found.interval(outcome)
                    row[f"{outcome} covered"] = bool(low <= truth[outcome] <= high)
        rows.append(row)
        print(", ".join(f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
    table = pd.DataFrame(rows)
    print(table.filter(like="covered").sum().to_string())
    print(f"bias {(table['base estimate'] / table['truth'] - 1).mean():+.1%}")
    for name in ("base", "reverse"):
        print(f"{name}: all checks passed in {(table[f'{name} grade'] == 'C').sum()} of {len(table)} seeds")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
