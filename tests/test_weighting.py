"""Raking: by hand, by its marginal identities, and against what cannot be raked."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waage.errors import WaageError
from waage.weighting import rake


def test_one_margin_is_post_stratification_by_hand():
    sample = pd.DataFrame({"age": ["young"] * 2 + ["old"] * 8})
    found = rake(sample, {"age": {"young": 0.5, "old": 0.5}}, trim=np.inf)
    assert found.weights == pytest.approx([2.5] * 2 + [0.625] * 8)
    # CV^2 = (2 * 1.5^2 + 8 * .375^2) / 10 = .5625
    assert found.design_effect == pytest.approx(1.5625)
    assert found.effective_n == pytest.approx(6.4)
    assert found.table.before.tolist() == pytest.approx([0.2, 0.8])
    assert found.converged and found.trimmed == 0


def test_two_margins_against_hand_computed_cells():
    # Deming and Stephan: a 2 x 2 table keeps its odds ratio. Counts 30 20 / 10 40, margins .5 .5 / .5 .5: with the
    # odds ratio 6 the cells are x = sqrt(6) / (1 + sqrt(6)) / 2 on the diagonal.
    cells = {("a", "x"): 30, ("a", "y"): 20, ("b", "x"): 10, ("b", "y"): 40}
    sample = pd.DataFrame([cell for cell, n in cells.items() for _ in range(n)], columns=["one", "two"])
    found = rake(sample, {"one": {"a": 0.5, "b": 0.5}, "two": {"x": 0.5, "y": 0.5}}, trim=np.inf)
    share = sample.assign(w=found.weights).groupby(["one", "two"]).w.sum() / 100
    diagonal = np.sqrt(6) / (1 + np.sqrt(6)) / 2
    assert share["a", "x"] == pytest.approx(diagonal, abs=1e-6)
    assert share["b", "y"] == pytest.approx(diagonal, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=60, max_size=120), st.randoms())
def test_margins_are_met_and_weights_average_one(rows, random):
    rows += [(i, j) for i in range(3) for j in range(2)]
    sample = pd.DataFrame(rows, columns=["one", "two"]).astype(str)
    raw = np.array([random.uniform(1, 3) for _ in range(3)])
    first = dict(zip("012", raw / raw.sum(), strict=True))
    second = {"0": 0.4, "1": 0.6}
    found = rake(sample, {"one": first, "two": second}, trim=np.inf)
    assert found.weights.mean() == pytest.approx(1)
    assert found.converged
    for trait, wanted in (("one", first), ("two", second)):
        share = pd.Series(found.weights).groupby(sample[trait]).sum() / len(sample)
        assert share.to_dict() == pytest.approx(wanted, abs=1e-5)


def test_a_trimmed_weight_stays_below_the_limit_and_says_what_it_cost():
    sample = pd.DataFrame({"age": ["young"] + ["old"] * 99})
    found = rake(sample, {"age": {"young": 0.3, "old": 0.7}}, trim=5)
    assert found.weights.max() <= 5 * np.median(found.weights) * (1 + 1e-9)
    assert found.trimmed == 1 and not found.converged
    assert found.summary.worst_margin > 0.2


def test_trimming_rakes_again_where_others_can_take_over():
    rng = np.random.default_rng(5)
    sample = pd.DataFrame({"age": rng.choice(["a", "b"], 400), "channel": rng.choice(["x", "y"], 400, p=[0.9, 0.1])})
    start = np.ones(400)
    start[0] = 50
    found = rake(
        sample, {"age": {"a": 0.6, "b": 0.4}, "channel": {"x": 0.7, "y": 0.3}}, start=start, trim=5, tolerance=1e-8
    )
    assert found.trimmed == 1 and found.converged
    assert found.weights.max() <= 5 * np.median(found.weights) * (1 + 1e-9)


def test_unknown_levels_keep_the_weight_the_others_give():
    sample = pd.DataFrame({"age": ["young", "young", "old", None, None], "channel": ["x", "y", "x", "x", "y"]})
    found = rake(sample, {"age": {"young": 0.5, "old": 0.5}}, trim=np.inf)
    assert found.weights[3:] == pytest.approx([1, 1])
    assert found.weights[:3] == pytest.approx([0.75, 0.75, 1.5])


def test_all_faults_are_named_together():
    sample = pd.DataFrame({"age": ["young"] * 3 + ["odd"], "channel": ["x"] * 4})
    margins = {"age": {"young": 0.6, "old": 0.4}, "channel": {"x": 0.9}, "stage": {"new": 1.0}}
    with pytest.raises(WaageError) as fault:
        rake(sample, margins)
    text = str(fault.value)
    assert "nobody in the sample has age = 'old', a share of 40.0%" in text
    assert "1 respondents have age = 'odd'" in text
    assert "shares of channel" in text and "0.9" in text
    assert "trait stage is not in the sample" in text
