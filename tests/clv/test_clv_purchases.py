import itertools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from waage.clv import fit_purchases, unique_histories
from waage.clv.drawing import draw_purchases
from waage.clv.likelihood import alive_probability, survivals
from waage.clv.prediction import _orders_by_quadrature, orders_while_alive
from waage.errors import WaageError

from .customers import agrees_as_printed, model_with, simulate


def test_cdnow_is_read_as_published(sample, master, reference):
    for data, expected in ((sample, reference["sample"]), (master, reference["master"])):
        assert len(data) == expected["customers"]
        assert data["frequency"].sum() == expected["repeat_orders"]
        assert data["x_holdout"].sum() == expected["holdout_orders"]
    assert (sample["frequency"] > 0).sum() == reference["sample"]["repeaters"]


@pytest.mark.parametrize("kind", ["bg", "mbg"])
@pytest.mark.parametrize("which", ["sample", "master"])
def test_published_parameters_and_likelihood(which, kind, request, reference):
    model = fit_purchases(request.getfixturevalue(which), kind, "weeks")
    expected = reference[which][kind]
    for name, printed in expected["printed"].items():
        assert agrees_as_printed(model.params[name], printed), (name, model.params[name])
    for name, exact in expected.get("params", {}).items():
        assert model.params[name] == pytest.approx(exact, rel=1e-4)
    assert model.loglik == pytest.approx(expected["loglik"], abs=1e-3)
    assert model.n_customers == reference[which]["customers"]
    assert model.convergence.startswith("converged")
    assert float(model.convergence.split("largest gradient ")[1]) < 1e-6


def test_weeks_are_days_over_seven(sample, bg):
    days = fit_purchases(sample, "bg", "days")
    assert days.params["alpha"] == pytest.approx(7 * bg.params["alpha"], rel=1e-6)
    assert days.loglik == pytest.approx(bg.loglik - sample["frequency"].sum() * np.log(7), abs=1e-5)
    history = sample["frequency"], sample["recency"], sample["T"]
    for method in ("expected_orders", "p_order"):
        np.testing.assert_allclose(getattr(days, method)(90, *history), getattr(bg, method)(90, *history), rtol=1e-5)


@pytest.mark.parametrize("kind", ["bg", "mbg"])
def test_unique_histories_fit_like_every_row(sample, kind):
    counted = unique_histories(sample)
    assert counted["n"].sum() == len(sample) > len(counted)
    raw, compressed = fit_purchases(sample, kind), fit_purchases(counted, kind)
    pd.testing.assert_series_equal(raw.params, compressed.params, rtol=0, atol=0)
    assert raw.loglik == compressed.loglik
    # Not only through our own counting: lifetimes on every single row.
    import lifetimes

    fitter = {"bg": lifetimes.BetaGeoFitter, "mbg": lifetimes.ModifiedBetaGeoFitter}[kind]()
    fitter.fit(sample["frequency"], sample["recency"].astype(float), sample["T"].astype(float))
    np.testing.assert_allclose(raw.params, fitter.params_, rtol=1e-4)
    np.testing.assert_allclose(raw.summary["std_error"][:4], fitter.standard_errors_, rtol=1e-3)


def test_row_order_changes_nothing(sample, bg):
    shuffled = fit_purchases(sample.sample(frac=1, random_state=3), "bg", "weeks")
    assert shuffled.params.equals(bg.params)
    assert shuffled.loglik == bg.loglik


def test_covariance_is_symmetric_and_positive_definite(bg, mbg, reference):
    for model in (bg, mbg):
        covariance = model.covariance.to_numpy()
        np.testing.assert_array_equal(covariance, covariance.T)
        assert np.linalg.eigvalsh(covariance).min() > 0
        np.testing.assert_allclose(np.sqrt(np.diag(covariance)), model.summary["std_error"][:4], rtol=1e-12)
    known = reference["sample"]["bg_standard_errors"]
    scale = np.sqrt(np.diag(bg.covariance))
    correlation = bg.covariance / np.outer(scale, scale)
    assert correlation.loc["a", "b"] == pytest.approx(known["correlation_a_b"], abs=0.005)
    assert correlation.loc["r", "alpha"] == pytest.approx(known["correlation_r_alpha"], abs=0.005)


def test_summary_has_positive_intervals_and_information_criteria(mbg):
    summary = mbg.summary.set_index("parameter")
    assert list(summary.index) == ["r", "alpha", "a", "b", "loglik", "aic", "bic"]
    params = summary.iloc[:4]
    assert (params["low"] > 0).all()
    assert (params["low"] < params["estimate"]).all() and (params["estimate"] < params["high"]).all()
    assert summary.loc["aic", "estimate"] == pytest.approx(8 - 2 * mbg.loglik)
    assert summary.loc["bic", "estimate"] == pytest.approx(4 * np.log(2357) - 2 * mbg.loglik)


def test_conditional_expectation_of_the_paper(bg, reference):
    known = reference["sample"]["conditional_expectation"]
    history = [known["frequency"]], [7 * known["recency_weeks"]], [7 * known["T_weeks"]]
    assert agrees_as_printed(bg.expected_orders(7 * known["weeks"], *history)[0], known["printed"])


@pytest.mark.parametrize("kind", ["bg", "mbg"])
def test_predictions_equal_lifetimes_where_it_is_right(sample, kind):
    import lifetimes

    model = fit_purchases(sample, kind, "weeks")
    fitter = {"bg": lifetimes.BetaGeoFitter, "mbg": lifetimes.ModifiedBetaGeoFitter}[kind]()
    fitter.params_ = model.params
    history = sample["frequency"], sample["recency"], sample["T"]
    weeks = history[0], history[1] / 7, history[2] / 7
    np.testing.assert_allclose(model.p_alive(*history), fitter.conditional_probability_alive(*weeks), rtol=1e-9)
    theirs = fitter.conditional_expected_number_of_purchases_up_to_time(39, *weeks)
    np.testing.assert_allclose(model.expected_orders(273, *history), theirs, rtol=1e-7)


def test_two_formulas_for_the_expectation_agree_everywhere():
    grid = itertools.product(
        (0.05, 0.3, 0.999, 1.0, 1.2, 3, 40), (0.1, 0.8, 2.4, 30), (0.1, 3), (0.5, 50), (0.1, 100, 1000), (0, 1, 50, 300)
    )
    a, b, r, rate, horizon, x = np.array(list(grid)).T
    for kind in ("bg", "mbg"):
        for value in np.unique(a):
            rows = a == value
            survived = survivals(kind, b[rows], x[rows])
            closed = orders_while_alive(r[rows] + x[rows], rate[rows], value, survived, horizon[rows])
            integral = _orders_by_quadrature(r[rows] + x[rows], rate[rows], value, survived, horizon[rows])
            np.testing.assert_allclose(closed, integral, rtol=1e-6)


def test_no_gap_where_the_textbook_form_takes_the_log_of_a_negative_number():
    # a + b < 1: lifetimes returns NaN for one-time buyers here.
    model = model_with("bg", 0.2, 3.0, 0.15, 0.25)
    x, T = np.array([0, 0, 1, 700]), np.array([0, 300, 300, 800])
    recency = np.array([0, 0, 20, 799])
    for days in (0, 1, 365, 3650):
        expected = model.expected_orders(days, x, recency, T)
        assert np.isfinite(expected).all() and (expected >= 0).all()
        assert (expected <= (0.2 + x) * days / (3.0 + T) * (1 + 1e-9)).all()
    drawn = model.draw_orders(
        365, x[:3], recency[:3], T[:3], draws=20_000, rng=np.random.default_rng(1), with_parameters=False
    )
    error = 4 * drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - model.expected_orders(365, x[:3], recency[:3], T[:3])) < error).all()


def test_expectation_is_continuous_where_it_would_divide_by_zero():
    history = [0, 3, 20], [0, 50, 200], [100, 100, 210]
    at = model_with("mbg", 0.4, 30.0, 1.0, 1.5).expected_orders(365, *history)
    near = model_with("mbg", 0.4, 30.0, 1.0011, 1.5).expected_orders(365, *history)
    np.testing.assert_allclose(at, near, rtol=2e-3)
    # Just beyond the switch from one formula to the other there must be no jump.
    left = model_with("mbg", 0.4, 30.0, 1.00099999, 1.5).expected_orders(365, *history)
    right = model_with("mbg", 0.4, 30.0, 1.00100001, 1.5).expected_orders(365, *history)
    np.testing.assert_allclose(left, right, rtol=1e-6)


@pytest.mark.parametrize("kind", ["bg", "mbg"])
def test_predictions_hold_for_simulated_customers(kind):
    params = (0.6, 25.0, 0.9, 2.0)
    people = simulate(kind, params, np.full(12_000, 200.0), seed=11, future_days=150)
    model = model_with(kind, *params)
    history = people["frequency"], people["recency"], people["T"]
    groups = np.minimum(people["frequency"], 4)
    predictions = {
        "future": model.expected_orders(150, *history),
        "any": model.p_order(150, *history),
    }
    people["any"] = (people["future"] > 0).astype(float)
    for outcome, predicted in predictions.items():
        error = (people[outcome] - predicted).groupby(groups)
        # Four standard errors of each group's mean.
        assert (error.mean().abs() < 4 * error.std() / np.sqrt(error.size())).all(), (outcome, error.mean())


@pytest.mark.parametrize("kind", ["bg", "mbg"])
def test_draws_agree_with_closed_forms(kind, request):
    model = request.getfixturevalue(kind)
    x, recency, T = np.array([0, 1, 2, 6, 15]), np.array([0, 30, 213, 250, 200]), np.full(5, 272)
    drawn = model.draw_orders(273, x, recency, T, draws=20_000, rng=np.random.default_rng(5), with_parameters=False)
    assert drawn.shape == (20_000, 5) and drawn.dtype.kind == "i"
    for simulated, exact in (
        (drawn, model.expected_orders(273, x, recency, T)),
        (drawn > 0, model.p_order(273, x, recency, T)),
    ):
        error = simulated.std(axis=0) / np.sqrt(len(drawn))
        assert (np.abs(simulated.mean(axis=0) - exact) < 4 * error).all()


def test_order_days_are_as_many_as_expected_by_every_date(mbg):
    x, recency, T = np.array([0, 2, 15]), np.array([0, 213, 268]), np.full(3, 272)
    rng = np.random.default_rng(8)
    early = np.zeros((20_000, 3))
    late = np.zeros((20_000, 3))
    for row in range(len(early)):
        buyers, counts, when = draw_purchases("mbg", mbg.params, 200 / 7, x, recency / 7, T / 7, rng)
        assert len(when) == counts.sum() and (counts > 0).all()
        owner = np.repeat(buyers, counts)
        early[row] = np.bincount(owner[when <= 50 / 7], minlength=3)
        late[row] = np.bincount(owner, minlength=3)
    for drawn, days in ((early, 50), (late, 200)):
        error = 4 * drawn.std(axis=0) / np.sqrt(len(drawn))
        assert (np.abs(drawn.mean(axis=0) - mbg.expected_orders(days, x, recency, T)) < error).all()


def test_parameter_uncertainty_widens_the_total(sample, bg):
    history = sample["frequency"], sample["recency"], sample["T"]
    spread = [
        bg.draw_orders(273, *history, draws=300, rng=np.random.default_rng(2), with_parameters=with_parameters).sum(
            axis=1
        )
        for with_parameters in (True, False)
    ]
    assert spread[0].std() > 1.2 * spread[1].std()
    assert spread[1].mean() == pytest.approx(bg.expected_orders(273, *history).sum(), rel=0.01)


def test_same_seed_same_draws(mbg):
    history = [0, 3], [0, 100], [272, 272]
    first, second = (mbg.draw_orders(90, *history, draws=50, rng=np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_one_time_buyers_may_have_left_in_mbg_only(bg, mbg):
    assert bg.p_alive(0, 0, 272) == 1
    assert 0.2 < mbg.p_alive(0, 0, 272) < 0.6
    # The more often somebody bought and then stopped, the surer it is that the customer left.
    assert (np.diff(mbg.p_alive([5, 10, 20], [140] * 3, [272] * 3)) < 0).all()
    assert alive_probability("bg", (0.2, 4.0, 0.8, 2.4), np.array([5000.0]), 1.0, 1e5) == pytest.approx(0)


def test_a_spurious_failure_is_accepted_by_its_gradient(sample, bg, monkeypatch):
    import lifetimes
    from lifetimes.utils import ConvergenceError

    def fails(*args, **kwargs):
        print("noise of the optimiser")
        raise ConvergenceError("precision loss")

    monkeypatch.setattr(lifetimes.BetaGeoFitter, "_fit", fails)
    retried = fit_purchases(sample, "bg", "weeks")
    assert "from start 1" in retried.convergence
    np.testing.assert_allclose(retried.params, bg.params, rtol=1e-4)
    np.testing.assert_allclose(retried.covariance, bg.covariance, rtol=1e-2)


def test_an_optimum_that_is_none_is_refused(sample, monkeypatch):
    import lifetimes
    import scipy.optimize
    from lifetimes.utils import ConvergenceError

    def fails(*args, **kwargs):
        raise ConvergenceError("precision loss")

    real = scipy.optimize.minimize
    monkeypatch.setattr(lifetimes.BetaGeoFitter, "_fit", fails)

    def stops(*args, **kwargs):
        return real(*args, **(kwargs | {"options": {"maxiter": 1}}))

    monkeypatch.setattr(scipy.optimize, "minimize", stops)
    with pytest.raises(WaageError, match="no maximum that can be found"):
        fit_purchases(sample, "bg", "weeks")


def test_lifetimes_leaves_no_trace_in_the_process():
    script = (
        "import warnings; before = list(warnings.filters)\n"
        "import pandas as pd\n"
        "with warnings.catch_warnings():\n"
        "    warnings.simplefilter('ignore'); option = pd.get_option('mode.chained_assignment')\n"
        "import waage.clv, sys\n"
        "assert 'lifetimes' not in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
        "before = list(warnings.filters)\n"
        "h = {'frequency': [0, 1, 2, 5], 'recency': [0, 20, 30, 80], 'T': [90] * 4, 'n': [60, 30, 20, 9]}\n"
        "waage.clv.fit_purchases(pd.DataFrame(h))\n"
        "assert warnings.filters == before, warnings.filters\n"
        "with warnings.catch_warnings():\n"
        "    warnings.simplefilter('ignore'); assert pd.get_option('mode.chained_assignment') == option\n"
        "assert 'lifetimes' in sys.modules and 'lifetimes.datasets' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("kind", ["bg", "mbg"])
def test_where_nobody_drops_out_the_flat_direction_does_no_harm(kind):
    # A grocer's regulars: the drop-out's parameters run away along a ridge, purchase rates stay well known.
    rng = np.random.default_rng(1)
    x = np.minimum(rng.poisson(rng.gamma(20, 1 / 60, 1500) * 365), 360)
    people = pd.DataFrame({"frequency": x, "recency": 364, "T": 365})
    model = fit_purchases(people, kind)
    assert "flat" in model.convergence or "weakly identified" in model.convergence
    history = people["frequency"], people["recency"], people["T"]
    expected = model.expected_orders(365, *history)
    np.testing.assert_allclose(expected.sum(), x.sum(), rtol=0.02)
    totals = model.draw_orders(365, *history, draws=100, rng=np.random.default_rng(0)).sum(axis=1)
    np.testing.assert_allclose(np.quantile(totals, [0.025, 0.975]), expected.sum(), rtol=0.03)
    assert len(model.summary) == 7


def test_parameters_are_drawn_from_their_covariance(bg):
    drawn = np.log(bg.draw_parameters(50_000, np.random.default_rng(3)) / bg.params.to_numpy())
    scale = np.sqrt(np.outer(*[np.diag(bg.log_covariance)] * 2))
    np.testing.assert_allclose(np.cov(drawn.T) / scale, bg.log_covariance / scale, atol=0.02)


def test_too_little_to_learn_from_is_refused(sample):
    once = sample.assign(frequency=0, recency=0)
    with pytest.raises(WaageError, match="0 of 2357 customers bought again"):
        fit_purchases(once)
    with pytest.raises(WaageError, match="a purchase model needs 30"):
        fit_purchases(sample.head(40))
    with pytest.raises(WaageError, match="no rows"):
        fit_purchases(sample.head(0))
    with pytest.raises(WaageError, match=r"did you mean 'mbg'"):
        fit_purchases(sample, "mgb")
    with pytest.raises(WaageError, match="time_unit 'months' is unknown"):
        fit_purchases(sample, "bg", "months")


def test_all_faults_of_histories_are_named():
    histories = pd.DataFrame({"frequency": [0, 2, 1], "recency": [5, 1, 90], "T": [30, 30, 30]})
    with pytest.raises(WaageError) as caught:
        unique_histories(histories)
    for part in ("beyond T", "recency without a repeat purchase", "more repeat purchase days than days"):
        assert part in str(caught.value)
    with pytest.raises(WaageError, match=r"recency must be whole .*first 1\.5 in row 1"):
        unique_histories(pd.DataFrame({"frequency": [0, 1], "recency": [0, 1.5], "T": [9, 9]}))
    with pytest.raises(WaageError, match="column T missing"):
        unique_histories(histories.drop(columns="T"))
    with pytest.raises(WaageError, match="nothing was observed"):
        unique_histories(pd.DataFrame({"frequency": [0], "recency": [0], "T": [0]}))


def test_days_must_be_a_length_of_time(mbg):
    for days in (-1, np.nan, np.inf):
        with pytest.raises(WaageError, match="days must be finite"):
            mbg.expected_orders(days, [0], [0], [10])
