"""The exact moments of a two-way panel, against dummies and brute force."""

import numpy as np
import pytest

from waage.ix.moments import jackknife, shifted, two_way_moments

OFFSETS = [0, 1, 2, -1]


@pytest.fixture(scope="module")
def panel():
    """Six units, twenty weeks, holes, a late unit: columns, rows, variances, what was observed."""
    rng = np.random.default_rng(0)
    x, y, v = rng.normal(size=(6, 20)), rng.normal(size=(6, 20)), rng.uniform(0.5, 2, (6, 20))
    seen = rng.random((6, 20)) > 0.1
    seen[0, :6] = False
    columns = np.stack([shifted(np.where(seen, x, np.nan), o) for o in OFFSETS] + [y], axis=2)
    return columns, np.isfinite(columns).all(axis=2), np.where(seen, v, np.nan), seen


def brute_force(panel, kept):
    columns, rows, v, seen = panel
    g, t = np.nonzero(rows & kept[:, None])
    dummies = np.column_stack([g[:, None] == np.arange(6), t[:, None] == np.arange(20)]).astype(float)
    M = np.eye(len(g)) - dummies @ np.linalg.pinv(dummies)
    error = np.zeros((5, 5))
    for unit, week in zip(*np.nonzero(seen), strict=True):
        U = np.column_stack([(g == unit) & (t - o == week) for o in OFFSETS]).astype(float)
        error[:4, :4] += v[unit, week] * U.T @ M @ U
    return columns[g, t].T @ M @ columns[g, t], error


@pytest.mark.parametrize("without", [None, 0, 3])
def test_cross_products_and_error_are_exact_with_gaps_and_without_any_unit(panel, without):
    columns, rows, v, _ = panel
    found = two_way_moments(columns, list("abcdy"), rows, v, OFFSETS)
    kept = np.arange(6) != without
    cross, error = brute_force(panel, kept)
    place = 0 if without is None else without + 1
    assert found.cross[place] == pytest.approx(cross, abs=1e-11)
    assert found.error[place] == pytest.approx(error, abs=1e-11)


def test_balanced_diagonal_is_the_factor_of_the_textbook():
    rng = np.random.default_rng(1)
    v = rng.uniform(1, 2, (5, 12))
    found = two_way_moments(rng.normal(size=(5, 12, 1)), ["x"], np.ones((5, 12), bool), v, [0])
    assert found.error[0, 0, 0] == pytest.approx((1 - 1 / 5) * (1 - 1 / 12) * v.sum())
    assert found.df == 5 * 12 - 5 - 12 + 1


def test_the_jackknife_of_a_mean_is_its_standard_error():
    x = np.random.default_rng(2).normal(size=30)
    without = (x.sum() - x) / 29
    assert jackknife(np.concatenate([[x.mean()], without])) == pytest.approx(x.std(ddof=1) / np.sqrt(30))
