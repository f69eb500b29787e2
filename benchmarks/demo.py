"""Cost of the simulated retailer: time and memory of a larger one against a smaller one."""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from waage.demo import Settings, generate


def main(small: int = 20_000, large: int = 100_000) -> None:
    """Print seconds and peak memory of two sizes, each in a process of its own, and their ratios."""
    seconds, memory = zip(*(_measure(persons) for persons in (small, large)), strict=True)
    print(f"{'persons':>10} {'seconds':>9} {'peak MB':>9}")
    for persons, took, peak in zip((small, large), seconds, memory, strict=True):
        print(f"{persons:>10,} {took:>9.1f} {peak:>9.0f}")
    print(
        f"{large / small:.0f} times the persons: {seconds[1] / seconds[0]:.1f} times the time, "
        f"{memory[1] / memory[0]:.2f} times the memory"
    )


def _measure(persons: int) -> tuple[float, float]:
    code = f"from benchmarks.demo import once; once({persons})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    took, peak = done.stdout.split()
    return float(took), float(peak)


def once(persons: int) -> None:
    """Generate into a temporary folder and print seconds and peak memory (MB)."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        generate(Settings(persons=persons), Path(folder))
        took = time.perf_counter() - start
    print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
