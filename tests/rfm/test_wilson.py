import json
from pathlib import Path

import numpy as np
import pytest

from waage.errors import WaageError
from waage.stats import wilson

PUBLISHED = json.loads((Path(__file__).parents[1] / "reference" / "rfm.json").read_text())["wilson"]["intervals"]


@pytest.mark.parametrize("case", PUBLISHED, ids=lambda case: f"{case['k']} of {case['n']}")
def test_published_intervals(case):
    assert wilson(case["k"], case["n"]) == pytest.approx((case["low"], case["high"]), abs=5e-5)


def test_arrays_equal_scalars_and_broadcast():
    k = np.array([0, 3, 10])
    low, high = wilson(k, 10)
    assert list(zip(low, high, strict=True)) == [wilson(int(one), 10) for one in k]
    assert (low[0], high[2]) == (0.0, 1.0)


def test_higher_confidence_is_wider():
    assert wilson(3, 10, 0.99)[0] < wilson(3, 10)[0] < 0.3 < wilson(3, 10)[1] < wilson(3, 10, 0.99)[1]


def test_no_cases_no_interval():
    assert np.isnan(wilson(0, 0)).all()


@pytest.mark.parametrize(("k", "n"), [(-1, 10), (11, 10), (float("nan"), 10)])
def test_impossible_counts_are_refused(k, n):
    with pytest.raises(WaageError, match="does not lie between 0 and n"):
        wilson(k, n)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_impossible_confidence_is_refused(confidence):
    with pytest.raises(WaageError, match=r"0\.95 is usual"):
        wilson(1, 10, confidence)
