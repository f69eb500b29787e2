"""Published figures and measured anchors, and the silent traps of lifetimes, each on its own."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

from waage.clv import fit_purchases, fit_spend, unique_histories
from waage.clv.fitting import maximise
from waage.clv.likelihood import hessian, log_likelihood, scaled_integral, spend_value_and_gradient, value_and_gradient
from waage.clv.purchases import PurchaseModel

from .customers import agrees_as_printed, model_with, simulate

POINTS = {
    "bg": (0.25, 4.4, 0.8, 2.4),
    "mbg": (0.5, 6.2, 0.9, 1.6),
    "pareto": (0.55, 10.6, 0.6, 11.7),
    "pareto ": (0.55, 10.6, 0.6, 2.0),
}


def weeks(sample):
    x, n = sample["frequency"].to_numpy(dtype=float), np.ones(len(sample))
    return x, sample["recency"].to_numpy() / 7, sample["T"].to_numpy() / 7, n


def shipped():
    folder = Path(importlib.util.find_spec("lifetimes").submodule_search_locations[0]) / "datasets"
    names = ["person_id", "frequency", "recency", "T", "monetary_value"]
    return pd.read_csv(folder / "cdnow_customers_summary_with_transactions.csv", header=0, names=names)


def test_our_summary_is_the_one_lifetimes_ships(sample, reference):
    theirs, mine = shipped(), sample
    assert (theirs["frequency"].to_numpy() == mine["frequency"].to_numpy()).all()
    bounds = reference["sample"]["shipped"]["differences"]
    # Printed with two decimals of a week: half a hundredth at most.
    assert np.abs(theirs["recency"].to_numpy() - mine["recency"].to_numpy() / 7).max() < bounds["recency"] + 1e-4
    assert np.abs(theirs["T"].to_numpy() - mine["T"].to_numpy() / 7).max() < bounds["T"] + 1e-4
    money = np.abs(theirs["monetary_value"].to_numpy() - mine["monetary"].fillna(0).to_numpy())
    assert money.max() < bounds["monetary"] + 1e-6


def test_shipped_rounded_summary_gives_its_own_figures(reference):
    data, known = shipped(), reference["sample"]["shipped"]
    x, recency, T = (data[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T"))
    n, scale = np.ones(len(x)), 1 / T.max()
    for model in ("bg", "mbg", "pareto"):
        found = np.exp(maximise(model, (x, recency * scale, T * scale, n), "own").log_params)
        found[[1, 3] if model == "pareto" else 1] /= scale
        assert log_likelihood(model, found, x, recency, T, n) == pytest.approx(known[model]["loglik"], abs=1e-3)
        if model == "bg":
            np.testing.assert_allclose(found, list(known["bg"]["params"].values()), rtol=1e-4)
    used = data["monetary_value"] > 0
    spend = fit_spend(
        pd.DataFrame({"frequency": data["frequency"], "monetary": data["monetary_value"]})[used], by_frequency=False
    )
    np.testing.assert_allclose(spend.params, list(known["gamma_gamma"]["params"].values()), rtol=1e-3)
    assert spend.loglik == pytest.approx(known["gamma_gamma"]["loglik"], abs=1e-3)


@pytest.mark.parametrize("fitter", ["lifetimes", "own"])
@pytest.mark.parametrize("which", ["sample", "master"])
def test_pareto_as_published(which, fitter, request, reference):
    model = fit_purchases(request.getfixturevalue(which), "pareto", "weeks", fitter=fitter)
    expected = reference[which]["pareto"]
    assert model.loglik == pytest.approx(expected["loglik"], abs=1e-3)
    for name, value in expected["params"].items():
        # A flat ridge: beta to a hundredth, the others to a thousandth.
        assert model.params[name] == pytest.approx(value, rel=1e-2 if name == "beta" else 1e-3), name
    if which == "sample":
        for name, printed in expected["printed"].items():
            assert agrees_as_printed(model.params[name], printed), name
        errors = model.summary.set_index("parameter")["std_error"]
        for name, value in expected["std_errors"].items():
            # lifetimes has none; these are those of CLVTools, from another point of the ridge.
            assert errors[name] == pytest.approx(value, rel=1e-3), name


@pytest.mark.parametrize("kind", ["bg", "mbg", "pareto"])
def test_our_own_fitter_gives_the_numbers_of_lifetimes(sample, kind):
    theirs, ours = (fit_purchases(sample, kind, "weeks", fitter=name) for name in ("lifetimes", "own"))
    np.testing.assert_allclose(ours.params, theirs.params, rtol=1e-5)
    assert ours.loglik == pytest.approx(theirs.loglik, rel=1e-9)
    np.testing.assert_allclose(ours.log_covariance, theirs.log_covariance, rtol=1e-3)
    spend = [fit_spend(sample, by_frequency=False, fitter=name) for name in ("lifetimes", "own")]
    np.testing.assert_allclose(spend[0].params, spend[1].params, rtol=1e-5)


@pytest.mark.parametrize("kind", ["bg", "mbg", "pareto"])
def test_unique_histories_permuted_and_split_fit_like_the_raw_rows(sample, kind):
    raw = fit_purchases(sample, kind)
    rng = np.random.default_rng(4)
    counted = unique_histories(sample)
    # Split: every count is torn into two rows; permuted: in any order.
    first = rng.integers(0, counted["n"].to_numpy() + 1)
    torn = pd.concat([counted.assign(n=first), counted.assign(n=counted["n"] - first)])
    for version in (counted, torn.sample(frac=1, random_state=1)):
        again = fit_purchases(version, kind)
        np.testing.assert_allclose(again.params, raw.params, rtol=1e-5)
        assert again.loglik == pytest.approx(raw.loglik, rel=1e-6)


@pytest.mark.parametrize("kind", list(POINTS))
def test_gradients_are_derivatives(sample, kind):
    columns, point = weeks(sample), np.array(POINTS[kind])
    model = kind.strip()
    _, gradient = value_and_gradient(model, point, *columns)
    for place, step in enumerate(1e-5 * np.eye(4)):
        change = log_likelihood(model, point + step, *columns) - log_likelihood(model, point - step, *columns)
        assert gradient[place] == pytest.approx(change / 2e-5, rel=1e-4, abs=1e-3)


def test_likelihoods_are_those_of_lifetimes_customer_by_customer(sample):
    import lifetimes

    x, recency, T, n = weeks(sample)
    for kind, fitter in (("pareto", lifetimes.ParetoNBDFitter), ("pareto ", lifetimes.ParetoNBDFitter)):
        theirs = fitter._conditional_log_likelihood(POINTS[kind], x, recency, T)
        ours = log_likelihood("pareto", POINTS[kind], x, recency, T, n)
        assert ours == pytest.approx(theirs.sum(), rel=1e-12)
        one = [log_likelihood("pareto", POINTS[kind], *(c[k : k + 1] for c in (x, recency, T, n))) for k in range(99)]
        np.testing.assert_allclose(one, theirs[:99], rtol=1e-9)
    used = (sample["frequency"] > 0) & (sample["monetary"] > 0)
    m = sample["monetary"][used].to_numpy()
    gg = lifetimes.GammaGammaFitter._negative_log_likelihood
    value, _ = spend_value_and_gradient((6.0, 4.0, 15.0), x[used], m, n[used])
    assert value == pytest.approx(-used.sum() * gg(np.log([6.0, 4.0, 15.0]), x[used], m, n[used], 0.0), rel=1e-12)


def test_spend_gradient_by_class_is_the_derivative():
    rng = np.random.default_rng(2)
    x, m, n = rng.integers(1, 9, 300).astype(float), rng.gamma(3, 10, 300), rng.integers(1, 4, 300).astype(float)
    group, point = (x > 3).astype(int), np.array([5.0, 3.0, 12.0, 18.0])
    _, gradient = spend_value_and_gradient(point, x, m, n, group)
    for place, step in enumerate(1e-5 * np.eye(4)):
        ends = [spend_value_and_gradient(point + side * step, x, m, n, group)[0] for side in (1, -1)]
        assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5)


def test_the_integral_of_pareto_holds_anywhere():
    rng = np.random.default_rng(0)
    for _ in range(200):
        near, far = 10 ** rng.uniform(-1, 3, 2)
        power, other, length = 10 ** rng.uniform(-1, 2.3), 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-0.5, 3)
        terms = scaled_integral(*(np.array([value]) for value in (power, other, near, far, length)))[-1]
        pivot = min(near, far)

        def integrand(y, c=pivot, a=near, b=far, powers=(power, other)):
            t = c * np.expm1(y)
            return c * np.exp(y - powers[0] * np.log1p(t / a) - powers[1] * np.log1p(t / b))

        exact = quad(integrand, 0, np.log1p(length / pivot), limit=1000, epsabs=0, epsrel=1e-11)[0]
        assert terms.sum() == pytest.approx(exact, rel=1e-8)


def test_new_customers(bg, pareto, reference):
    known = reference["sample"]["new_customer"]
    found = bg.expected_orders(7 * np.array(known["weeks"]), 0, 0, 0)
    # As printed; the spreadsheet's parameters were rounded, which shows after 78 weeks.
    np.testing.assert_allclose(found, known["orders"], atol=6e-5, rtol=2.5e-4)
    known = reference["sample"]["pareto_new_customer"]
    assert pareto.expected_orders(7 * known["weeks"], 0, 0, 0) == pytest.approx(known["orders"], abs=1e-4)


def test_pareto_conditional_figures(pareto, reference):
    known = reference["sample"]["pareto_conditional"]
    history = 26, 7 * 30.86, 7 * 31
    assert pareto.expected_orders(364, *history) == pytest.approx(known["orders"], abs=2e-3)
    assert pareto.p_alive(*history) == pytest.approx(known["p_alive"], abs=1e-4)
    alive = reference["sample"]["pareto_alive"]
    assert pareto.p_alive(0, 0, 7 * 39) == pytest.approx(alive["never_back"], abs=2e-4)
    assert pareto.p_alive(23, 7 * 39, 7 * 39) == pytest.approx(alive["just_bought"])
    paradox = reference["sample"]["paradox"]
    found = pareto.expected_orders(364, paradox["frequency"], [140] * 4, [273] * 4)
    np.testing.assert_allclose(found, paradox["orders"], atol=1e-4)


def test_pareto_predictions_equal_lifetimes(sample, pareto):
    import lifetimes

    fitter = lifetimes.ParetoNBDFitter()
    fitter.params_ = pareto.params
    history = sample["frequency"], sample["recency"], sample["T"]
    times = history[0], history[1] / 7, history[2] / 7
    np.testing.assert_allclose(pareto.p_alive(*history), fitter.conditional_probability_alive(*times), rtol=1e-9)
    theirs = fitter.conditional_expected_number_of_purchases_up_to_time(39, *times)
    np.testing.assert_allclose(pareto.expected_orders(273, *history), theirs, rtol=1e-7)


def test_dert_table(reference):
    known = reference["sample"]["dert"]
    params = pd.Series(known["params"])
    model = PurchaseModel("pareto", "weeks", params, np.eye(4) * 1e-4, np.eye(4) * 1e-2, 0.0, 1000, 1000, "given")
    x, recency = np.array(known["histories"], dtype=float).T
    rate = np.expm1(known["delta"] * 365.25 / 7)
    found = model.discounted_orders(rate, x, 7 * recency, np.full(4, 7 * known["T"]))
    np.testing.assert_allclose(found, known["dert"], rtol=2e-4)
    # The other way: the conditional expectation, discounted numerically.
    for k in range(4):

        def ahead(t, k=k):
            return model.expected_orders(7 * t, x[k], 7 * recency[k], 7 * known["T"])

        total = quad(lambda t, f=ahead: known["delta"] * np.exp(-known["delta"] * t) * f(t), 0, 12_000, limit=400)[0]
        assert found[k] == pytest.approx(float(total), rel=1e-3)


def pareto_with(r, alpha, s, beta):
    params = pd.Series({"r": r, "alpha": alpha, "s": s, "beta": beta})
    return PurchaseModel("pareto", "days", params, np.eye(4), np.eye(4), 0.0, 1, 1, "given")


def test_pareto_is_continuous_at_s_one():
    at, near = (
        pareto_with(0.5, 30.0, s, 90.0).expected_orders(365, [0, 3], [0, 50], [100, 100]) for s in (1.0, 1.0 + 1e-7)
    )
    np.testing.assert_allclose(at, near, rtol=1e-6)


def test_p_alive_on_average(sample, bg, mbg, pareto, reference):
    known = reference["sample"]["p_alive_mean"]
    history = sample["frequency"], sample["recency"], sample["T"]
    once = (sample["frequency"] == 0).to_numpy()
    for name, model in (("bg", bg), ("mbg", mbg), ("pareto", pareto)):
        alive = model.p_alive(*history)
        assert alive.mean() == pytest.approx(known[name], abs=6e-4)
        if name != "bg":
            assert alive[once].mean() == pytest.approx(known[f"{name}_once"], abs=6e-4)
    assert (sample["x_holdout"][once] > 0).mean() == pytest.approx(known["came_back"], abs=6e-4)


def test_scalars_give_scalars(bg):
    # lifetimes returns a length-1 array here.
    assert np.ndim(bg.p_alive(2, 100, 200)) == 0 and np.ndim(bg.expected_orders(30, 2, 100, 200)) == 0


def test_a_penalty_is_never_used(sample, spend, reference):
    # With penalizer 0.01 lifetimes puts the mean order value at -491; without one it is 35.17.
    assert spend.population_mean == pytest.approx(reference["sample"]["penalised"]["population_mean"], abs=0.005)


def test_two_runs_of_pareto_are_one(sample):
    # lifetimes starts it at random unless told where.
    first, second = (fit_purchases(sample, "pareto", fitter="lifetimes") for _ in range(2))
    assert first.params.equals(second.params)


def test_hessian_is_exact_for_a_quadratic():
    matrix = np.array([[2.0, 0.3], [0.3, 1.0]])
    found = hessian(lambda p: (0.5 * p @ matrix @ p, matrix @ p), np.array([0.4, -1.0]))
    np.testing.assert_allclose(found, matrix, atol=1e-9)


@pytest.mark.parametrize("kind", ["bg", "mbg", "pareto"])
def test_a_large_fit_from_grouped_histories_is_the_full_one(kind, monkeypatch):
    from waage.clv import fitting

    T = np.random.default_rng(5).integers(100, 700, 6000).astype(float)
    people = simulate("mbg", (0.7, 30.0, 0.8, 2.5), T, seed=5)
    people["recency"] = np.ceil(people["recency"])
    people["frequency"] = np.minimum(people["frequency"], people["recency"])
    direct = fit_purchases(people, kind, fitter="own")
    monkeypatch.setattr(fitting, "LIFETIMES_UP_TO", 500)
    grouped = fit_purchases(people, kind)
    assert "grouped histories" in grouped.convergence
    np.testing.assert_allclose(grouped.params, direct.params, rtol=1e-5)
    assert grouped.loglik == pytest.approx(direct.loglik, rel=1e-9)


def test_predict_and_the_median_wait(mbg, pareto):
    people = pd.DataFrame({"frequency": [0, 3, 20], "recency": [0, 200, 270], "T": [272] * 3}, index=["a", "b", "c"])
    for model in (mbg, pareto):
        found = model.predict(people, 91)
        assert list(found.index) == ["a", "b", "c"]
        assert list(found.columns) == ["p_alive", "p_order", "expected_orders", "days_to_order"]
        assert np.isinf(found.loc["a", "days_to_order"]) and 5 < found.loc["c", "days_to_order"] < 60
    assert model_with("mbg", 0.5, 60, 0.9, 1.6).predict(people, 0)["expected_orders"].eq(0).all()
