"""What the link's intervals and checks are worth: simulated panels with a known effect, and the gates they must pass.

python -m benchmarks.ix_simulation [seeds]
"""

import sys
import time

import numpy as np
import pandas as pd
from scipy.stats import t as student

from waage.ix.checks import run_checks
from waage.ix.guards import LinkRefusal, admit
from waage.ix.link import control_columns, lag_names, link, panel_moments
from waage.ix.moments import jackknife, score_test
from waage.ix.panel import merge_weeks
from waage.ix.simulation import simulate_panel

TRUTH = 0.007
#: Case: (arguments of the simulation, weeks merged, true long run).
CASES = {
    "base (24 units, 104 weeks, 150 answers)": ({}, 1, TRUTH),
    "400 answers": ({"answers": 400}, 1, TRUTH),
    "60 answers, two-week blocks": ({"answers": 60}, 2, TRUTH),
    "no effect": ({"effect": (0.0, 0.0, 0.0)}, 1, 0.0),
    "8 units": ({"units": 8}, 1, TRUTH),
    "12 units": ({"units": 12}, 1, TRUTH),
    "units differ (SD .004)": ({"heterogeneity": 0.004}, 1, TRUTH),
    "same-week feedback": ({"same_week": -10.0}, 1, TRUTH),
}


def estimates(seeds: range, arguments: dict, block: int, truth: float) -> dict[str, float]:
    """Bias, coverage and what else a case shows."""
    rows = []
    for seed in seeds:
        panel = merge_weeks(simulate_panel(seed, **arguments)[0], block)
        found = link(panel)
        used, x = control_columns(panel), lag_names(range(found.lags + 1))
        moments = panel_moments(panel, range(found.lags + 1), used)
        plain = moments.coefficients([*x, *used], ["y_demand"], correct=False)[:, : len(x), 0].sum(axis=1)
        half = student.ppf(0.975, found.df) * jackknife(plain)
        lead = panel_moments(panel, [*range(found.lags + 1), -1], used)
        parts = found.long_runs[0]
        low, high = found.interval()
        rows.append(
            {
                "estimate": found.long_run(),
                "covered": low <= truth <= high,
                "rejected": not low <= 0 <= high,
                "std_error": found.std_error(),
                "uncorrected": plain[0],
                "uncorrected_covered": abs(plain[0] - truth) <= half,
                "nearer": abs(plain[0]) < abs(found.long_run()),
                "lead": score_test(lead, "lead_1", [*x, *used], "y_demand")[1] < 0.05,
                "identity": abs(parts[:3].sum() - parts[3]),
                "reliability": found.reliability,
            }
        )
    table = pd.DataFrame(rows)
    scale = truth or TRUTH
    # Ill-conditioned panels, which the guards refuse, can be wild: the median says where estimates lie.
    return {
        "bias %": 100 * (table["estimate"].mean() - truth) / scale,
        "median bias %": 100 * (table["estimate"].median() - truth) / scale,
        "coverage %": 100 * table["covered"].mean(),
        "0 rejected %": 100 * table["rejected"].mean(),
        "uncorrected bias %": 100 * (table["uncorrected"].mean() - truth) / scale,
        "its coverage %": 100 * table["uncorrected_covered"].mean(),
        "nearer 0 %": 100 * table["nearer"].mean(),
        "lead rejects %": 100 * table["lead"].mean(),
        "identity": table["identity"].max(),
        "reliability": table["reliability"].mean(),
        "std_error": table["std_error"].median(),
    }


def refusals(seeds: range) -> pd.DataFrame:
    """How panels of ever more answers are admitted, and what they then show."""
    rows = []
    for answers in (20, 40, 60, 150, 400):
        blocks, covered, errors = [], [], []
        for seed in seeds:
            try:
                found = admit(simulate_panel(seed, answers=answers)[0])
            except LinkRefusal:
                blocks.append("refused")
                continue
            blocks.append(f"{found.block_weeks} weeks")
            low, high = found.link.interval()
            covered.append(low <= TRUTH <= high)
            errors.append(found.link.long_run() / TRUTH - 1)
        share = pd.Series(blocks).value_counts(normalize=True) * 100
        few = len(covered) < 30
        row = {
            "answers": answers,
            **{name: share.get(name, 0.0) for name in ("1 weeks", "2 weeks", "4 weeks", "refused")},
        }
        row |= {"bias %": np.nan if few else 100 * np.mean(errors)}
        rows.append(row | {"coverage %": np.nan if few else 100 * np.mean(covered)})
    return pd.DataFrame(rows)


def grades(seeds: range) -> pd.DataFrame:
    """Which grade the evidence gets with and without reverse causality, incidents given."""
    rows = []
    cases = {"clean": {}, "same-week feedback": {"same_week": -10.0}, "next-week feedback": {"feedback": -10.0}}
    for name, switch in cases.items():
        found = []
        for seed in seeds:
            panel, _ = simulate_panel(seed, weeks=156, incidents=2, kinds=2, **switch)
            checks = run_checks(panel, link(panel), shop=False)
            found.append((checks.grade == "C", checks.headline))
        table = pd.DataFrame(found, columns=["kept", "headline"])
        by_incidents = 100 * (table["headline"] == "incident_iv").mean()
        rows.append(
            {"case": name, "all checks passed %": 100 * table["kept"].mean(), "headline by incidents %": by_incidents}
        )
    return pd.DataFrame(rows)


def main(seeds: int = 500) -> None:
    """Print all tables."""
    pd.set_option("display.width", 220, "display.max_columns", 20)
    start = time.perf_counter()
    rows = {}
    for name, (arguments, block, truth) in CASES.items():
        rows[name] = estimates(range(seeds), arguments, block, truth)
        print(f"{name}: " + ", ".join(f"{key} {value:.3g}" for key, value in rows[name].items()), flush=True)
    print(refusals(range(max(seeds // 5, 20))).round(1).to_string(index=False), flush=True)
    print(grades(range(max(seeds // 8, 20))).round(1).to_string(index=False), flush=True)
    panel, _ = simulate_panel(1, weeks=156, incidents=2)
    begun = time.perf_counter()
    run_checks(panel, link(panel))
    print(f"24 units x 156 weeks with all checks: {time.perf_counter() - begun:.1f} s")
    panel, _ = simulate_panel(1, units=500, weeks=260, incidents=2)
    begun = time.perf_counter()
    link(panel)
    print(f"500 units x 260 weeks, the link alone: {time.perf_counter() - begun:.1f} s")
    begun = time.perf_counter()
    run_checks(panel, link(panel))
    print(f"500 units x 260 weeks with all checks: {time.perf_counter() - begun:.1f} s")
    print(f"all: {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
