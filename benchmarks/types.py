"""What it costs to find types: the search with its stability, against typing the same respondents from a kept model.

python -m benchmarks.types [respondents] [items]
"""

import time

import numpy as np
import pandas as pd

from waage.typology.choice import Choice, choose_k


def main(respondents: int = 2_000, items: int = 20) -> dict[str, float]:
    """Print the comparison and return its figures: seconds of the search (defaults, k = 2..8) and of a kept model."""
    rng = np.random.default_rng(7)
    kind = rng.integers(0, 5, respondents)
    centre = rng.normal(0, 1, (5, items))
    answers = pd.DataFrame(centre[kind] + rng.normal(size=(respondents, items))).add_prefix("q")
    start = time.perf_counter()
    choice = choose_k(answers, dict.fromkeys(answers, "gaussian"), seed=7)
    found = time.perf_counter() - start
    kept = choice.to_dict()
    start = time.perf_counter()
    Choice.from_dict(kept).classes.predict(answers)
    again = time.perf_counter() - start
    print(f"{respondents:,} respondents, {items} items: k = {choice.k}, {choice.verdict}")
    print(f"search with stability {found:.1f} s, kept model {again:.3f} s")
    return {"search": found, "kept": again}


if __name__ == "__main__":
    import sys

    main(*(int(argument) for argument in sys.argv[1:3]))
