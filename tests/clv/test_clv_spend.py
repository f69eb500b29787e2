import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from waage.clv import fit_spend
from waage.clv.spend import _rank_correlation
from waage.errors import WaageError

from .customers import agrees_as_printed, spend_with


@pytest.mark.parametrize("which", ["sample", "master"])
def test_published_parameters_and_likelihood(which, request, reference):
    model = fit_spend(request.getfixturevalue(which), by_frequency=False)
    expected = reference[which]["gamma_gamma"]
    for name, printed in expected["printed"].items():
        assert agrees_as_printed(model.params[name], printed), (name, model.params[name])
    assert model.loglik == pytest.approx(expected["loglik"], abs=1e-3)
    # Repeaters whose purchases were all worth nothing stay out and are counted.
    assert model.n_customers == expected["customers"]
    assert model.n_customers + model.n_left_out == reference[which]["customers"]


def test_the_currency_does_not_matter(sample, spend):
    yen = fit_spend(sample.assign(monetary=sample["monetary"] * 10_000), by_frequency=False)
    np.testing.assert_allclose(yen.params, spend.params * [1, 1, 10_000], rtol=1e-5)
    assert yen.population_mean == pytest.approx(10_000 * spend.population_mean, rel=1e-5)


def test_weights_stand_for_customers(sample, spend):
    doubled = fit_spend(pd.concat([sample, sample]), by_frequency=False)
    weighted = fit_spend(sample.assign(n=2), by_frequency=False)
    assert weighted.params.equals(doubled.params)
    assert weighted.loglik == doubled.loglik == pytest.approx(2 * spend.loglik, abs=1e-3)
    assert weighted.independence.equals(doubled.independence)


def test_row_order_changes_nothing(sample, spend):
    shuffled = fit_spend(sample.sample(frac=1, random_state=3), by_frequency=False)
    assert shuffled.params.equals(spend.params)
    assert shuffled.loglik == spend.loglik
    assert shuffled.independence.equals(spend.independence)


def test_independence_is_spearmans(sample, spend, reference):
    used = sample[(sample["frequency"] > 0) & (sample["monetary"] > 0)]
    assert spend.independence["spearman"] == pytest.approx(spearmanr(used["frequency"], used["monetary"])[0], abs=1e-12)
    assert spend.independence["spearman"] == pytest.approx(reference["sample"]["spearman"]["value"], abs=5e-4)
    # Frequency and value are not independent on CDNOW, and the interval says so.
    assert 0 < spend.independence["low"] < spend.independence["spearman"] < spend.independence["high"]


def test_independence_interval_covers_the_truth():
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(400):
        x = rng.integers(1, 6, 80)
        m = rng.gamma(3.0, 10.0, 80)
        found = _rank_correlation(x.astype(float), m, np.ones(80))
        covered += found["low"] <= 0 <= found["high"]
    # 95 % nominal; 400 repetitions give a standard error of 1.1 points.
    assert 0.91 < covered / 400 < 0.985


def test_expected_value_shrinks_to_the_population(spend):
    mean = spend.population_mean
    assert mean == pytest.approx(35.17, abs=0.005)
    values = spend.expected_order_value([0, 1, 5, 5000], [np.nan, 80.0, 80.0, 80.0])
    assert values[0] == pytest.approx(mean)
    assert (np.diff(values) > 0).all()
    assert values[-1] == pytest.approx(80, rel=1e-3)
    # What nets to less than nothing counts as nothing, and is still shrunk.
    negative, nothing = spend.expected_order_value([3, 3], [-20.0, 0.0])
    assert negative == nothing > 0


def test_parameters_of_simulated_customers_are_found():
    rng = np.random.default_rng(12)
    p, q, v, n = 4.0, 3.0, 30.0, 20_000
    x = rng.integers(1, 10, n)
    nu = rng.gamma(q, 1 / v, n)
    m = rng.gamma(p * x) / nu / x
    model = fit_spend(pd.DataFrame({"frequency": x, "monetary": m}))
    summary = model.summary.set_index("parameter")
    for name, truth in (("p", p), ("q", q), ("v", v)):
        # Four standard errors.
        assert abs(summary.loc[name, "estimate"] - truth) < 4 * summary.loc[name, "std_error"]
    assert np.linalg.eigvalsh(model.covariance).min() > 0


def test_no_mean_is_a_value_with_its_reason():
    model = spend_with(6.0, 0.9, 15.0)
    assert np.isnan(model.population_mean)
    assert "q = 0.900 is not above 1" in model.problem
    one_timer, repeater = model.expected_order_value([0, 3], [np.nan, 40.0])
    assert np.isnan(one_timer) and repeater > 0
    with pytest.raises(WaageError, match="not above 1"):
        model.draw_parameters(10, np.random.default_rng(0))
    assert spend_with(6.0, 1.1, 15.0, log_sd=0.3).draw_parameters(500, np.random.default_rng(0))[:, 1].min() > 1


def test_refusals(sample, spend):
    with pytest.raises(WaageError, match="0 customers have repeat purchases of positive value"):
        fit_spend(sample.assign(monetary=0.0))
    with pytest.raises(WaageError, match="no spread"):
        fit_spend(sample.assign(monetary=9.99))
    with pytest.raises(WaageError, match="column monetary missing"):
        fit_spend(sample.drop(columns="monetary"))
    with pytest.raises(WaageError, match="monetary is missing for 946 rows"):
        fit_spend(sample.assign(monetary=np.nan))
    with pytest.raises(WaageError, match="1 customers with repeat purchases have no value"):
        spend.expected_order_value([0, 2], [np.nan, np.nan])


def test_by_frequency_where_frequency_and_spend_depend_on_each_other():
    rng = np.random.default_rng(8)
    x = rng.integers(1, 12, 8_000)
    nu = rng.gamma(4.0, 1 / (20.0 + 4.0 * x))
    people = pd.DataFrame({"frequency": x, "monetary": rng.gamma(5.0 * x) / nu / x})
    model = fit_spend(people)
    assert model.classes == (1, 2, 3, 5, 10) and model.model == "gamma_gamma_by_frequency"
    assert sum(model.sizes) == len(people)
    _, _, v = model.split(model.params, np.array([0, 1, 4, 11]))
    assert v[1] < v[2] < v[3] and v[1] < v[0] < v[3]
    # The truth of each class: v = 20 + 4 x.
    assert v[1] == pytest.approx(24, rel=0.1) and v[3] == pytest.approx(62, rel=0.1)
    plain = fit_spend(people, by_frequency=False)
    assert plain.classes == () and model.loglik > plain.loglik + 20
    error = {}
    for name, fitted in (("plain", plain), ("by class", model)):
        each = fitted.expected_order_value(x, people["monetary"])
        error[name] = np.mean((each - 5.0 / nu) ** 2)
    assert error["by class"] < error["plain"]
    assert len(model.summary) == 2 + 5 + 3


def test_independent_spend_stays_plain():
    rng = np.random.default_rng(9)
    x = rng.integers(1, 12, 3_000)
    people = pd.DataFrame({"frequency": x, "monetary": rng.gamma(5.0 * x) / rng.gamma(4.0, 1 / 20.0, 3_000) / x})
    assert fit_spend(people).classes == ()


def test_what_is_left_out_is_counted(sample):
    some = sample.copy()
    back = some.index[some["frequency"] > 0]
    some.loc[back[:3], "monetary"] = -5.0
    some.loc[back[3:5], "monetary"] = 0.0
    model = fit_spend(some)
    assert model.left_out == {"one_time": 1411, "zero": 2, "negative": 3} and model.n_left_out == 1416
    assert model.by_decile["n"].sum() == 941 and (model.by_decile["low"] < model.by_decile["high"]).all()
    with pytest.raises(WaageError, match=r"currency: several are mixed \(EUR, USD\)"):
        fit_spend(some.assign(currency=np.where(some["frequency"] > 1, "EUR", "USD")))
