import numpy as np
import pytest

from waage.errors import WaageError
from waage.stats import psi


def test_psi_is_the_symmetric_divergence_of_the_shares():
    reference, current = np.array([4000, 3000, 3000]), np.array([20_000, 40_000, 40_000])
    p, q = reference / reference.sum(), current / current.sum()
    assert psi(reference, current) == pytest.approx(((q - p) * np.log(q / p)).sum(), rel=1e-3)
    assert psi(reference, current) == pytest.approx(psi(current, reference), rel=1e-12)


def test_equal_shares_have_none_and_empty_bins_stay_finite():
    assert psi([10, 20, 30], [10, 20, 30]) == 0 and psi([100, 200], [1000, 2000]) < 1e-4
    assert 1 < psi([100, 0], [50, 50]) < 10


def test_two_samples_of_one_population_have_the_stated_size():
    rng = np.random.default_rng(7)
    draws = [psi(rng.multinomial(2000, [0.2] * 5), rng.multinomial(1000, [0.2] * 5)) for _ in range(2000)]
    assert np.mean(draws) == pytest.approx(4 * (1 / 2000 + 1 / 1000), rel=0.06)


def test_what_cannot_be_compared_is_refused():
    for reference, current in (([1, 2], [1, 2, 3]), ([0, 0], [1, 2]), ([1, 2], [0, 0])):
        with pytest.raises(WaageError, match="need both, alike"):
            psi(reference, current)
