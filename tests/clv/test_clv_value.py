import numpy as np
import pandas as pd
import pytest

from waage.clv import customer_value, fit_purchases, total_value, value_concentration
from waage.clv.value import month_ends
from waage.errors import Refusal, WaageError

from .customers import simulate, spend_with

STUDY = {"horizon_months": 12, "as_of": "1997-09-30", "margin_rate": 0.35, "discount_rate": 0.10, "seed": 7}


@pytest.fixture(scope="module")
def values(sample, mbg, spend):
    return customer_value(sample, mbg, spend, **STUDY)


def test_months_are_calendar_months():
    assert month_ends("2025-06-30", 3).tolist() == [31, 62, 92]
    assert month_ends("2023-12-31", 12).tolist()[1:3] == [60, 91]
    assert month_ends("2023-12-31", 12)[-1] == 366
    assert month_ends("2025-01-30", 2).tolist() == [28, 59]


def test_one_row_per_person_with_what_the_models_say(values, sample, mbg, spend):
    assert values["person_id"].is_unique and len(values) == len(sample)
    assert not values.isna().any().any()
    people = sample.sort_values("person_id")
    history = people["frequency"], people["recency"], people["T"]
    np.testing.assert_allclose(values["p_alive"], mbg.p_alive(*history))
    np.testing.assert_allclose(values["p_order_90d"], mbg.p_order(90, *history))
    np.testing.assert_allclose(values["expected_orders"], mbg.expected_orders(365, *history))
    each = spend.expected_order_value(people["frequency"], people["monetary"])
    np.testing.assert_allclose(values["value_12m"], mbg.expected_orders(365, *history) * each)


def test_clv_is_the_discounted_sum_over_months(values, sample, mbg, spend):
    person = sample.set_index("person_id").loc["0001"]
    history = person["frequency"], person["recency"], person["T"]
    starts = pd.date_range("1997-10-01", periods=13, freq="MS")
    before, clv = 0.0, 0.0
    for month, end in enumerate(starts[1:], start=1):
        until = float(mbg.expected_orders((end - starts[0]).days, *history))
        clv += 0.35 * (until - before) / 1.10 ** ((month - 0.5) / 12)
        before = until
    clv *= float(spend.expected_order_value(person["frequency"], person["monetary"]))
    assert values.set_index("person_id").loc["0001", "clv"] == pytest.approx(clv, rel=1e-9)


def test_without_discount_and_with_full_margin_clv_is_value(sample, mbg, spend):
    free = STUDY | {"margin_rate": 1.0, "discount_rate": 0.0, "draws": 2}
    values = customer_value(sample, mbg, spend, **free)
    np.testing.assert_allclose(values["clv"], values["value_12m"])
    half = customer_value(sample, mbg, spend, **(free | {"horizon_months": 6}))
    np.testing.assert_allclose(half["value_12m"], values["value_12m"])
    assert (half["clv"] < values["clv"]).all()


def test_row_order_and_index_change_nothing(sample, mbg, spend):
    options = STUDY | {"draws": 40, "chunk": 500}
    first = customer_value(sample, mbg, spend, **options)
    shuffled = sample.sample(frac=1, random_state=1).set_index(pd.RangeIndex(5, 5 + len(sample)))
    second = customer_value(shuffled, mbg, spend, **options)
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert first.attrs == second.attrs
    other = customer_value(sample, mbg, spend, **(options | {"seed": 8}))
    assert not first["clv_high"].equals(other["clv_high"])
    assert first["clv"].equals(other["clv"])


def test_the_totals_interval_holds_the_expectation(values, sample, mbg, spend):
    totals = total_value(values).set_index("measure")
    assert list(totals.index) == ["expected_orders", "value_12m", "clv"]
    for measure, row in totals.iterrows():
        assert row["value"] == pytest.approx(values[measure].sum())
        assert row["low"] < row["value"] < row["high"]
    fixed = total_value(customer_value(sample, mbg, spend, **STUDY, with_parameters=False)).set_index("measure")
    width = (totals["high"] - totals["low"]) / (fixed["high"] - fixed["low"])
    assert (width > 1.1).all()


def test_draws_have_the_mean_of_the_closed_form(mbg, spend):
    # Many copies of one customer: the total's draws then average over customers.
    person = {"frequency": 3, "recency": 200, "T": 272, "monetary": 40.0}
    people = pd.DataFrame([person] * 4000).assign(person_id=[f"{i:05d}" for i in range(4000)])
    values = customer_value(people, mbg, spend, **STUDY, with_parameters=False)
    for row in total_value(values).itertuples():
        # 80 % interval of a sum over 4000: its middle is within a few percent of the expectation.
        assert (row.low + row.high) / 2 == pytest.approx(row.value, rel=0.01)
        assert row.low < row.value < row.high


@pytest.mark.parametrize("kind", ["bg", "mbg"])
def test_intervals_cover_simulated_customers(kind):
    rng = np.random.default_rng(3)
    people = simulate(kind, (0.8, 20.0, 0.7, 2.5), rng.integers(100, 366, 4000).astype(float), 21, future_days=365)
    people["recency"] = np.maximum(np.ceil(people["recency"]), people["frequency"])
    people["T"] = np.maximum(people["T"], people["recency"])
    people["person_id"] = [f"{i:05d}" for i in range(len(people))]
    p, q, v = 4.0, 3.0, 30.0
    nu = rng.gamma(q, 1 / v, len(people))
    x = people["frequency"].to_numpy()
    people["monetary"] = np.where(x > 0, rng.gamma(p * x + (x == 0)) / nu / np.maximum(x, 1), np.nan)
    spent = rng.gamma(p * people["future"]) / nu
    model = fit_purchases(people, kind)
    values = customer_value(people, model, spend_with(p, q, v), **(STUDY | {"margin_rate": 1.0, "discount_rate": 0.0}))
    inside = (values["clv_low"] <= spent) & (spent <= values["clv_high"])
    # Nominal 80 %; above it, because many customers buy nothing and their interval holds zero.
    assert inside.mean() > 0.79
    # Among those sure to buy the interval has no atom to hide in: it should be near nominal.
    sure = model.p_order(365, people["frequency"], people["recency"], people["T"]) > 0.9
    assert sure.sum() > 150
    assert 0.72 < inside[sure].mean() < 0.90
    totals = total_value(values).set_index("measure")
    assert totals.loc["expected_orders", "value"] == pytest.approx(people["future"].sum(), rel=0.08)


def test_chunks_bound_memory_not_results(values, sample, mbg, spend):
    chunked = customer_value(sample, mbg, spend, **STUDY, chunk=400)
    assert chunked["clv"].equals(values["clv"])
    np.testing.assert_allclose(chunked["clv_high"].mean(), values["clv_high"].mean(), rtol=0.03)
    totals, whole = (total_value(frame).set_index("measure") for frame in (chunked, values))
    np.testing.assert_allclose(totals["high"], whole["high"], rtol=0.05)


def test_concentration_is_a_share():
    assert value_concentration(pd.Series([6.0, 2.0, 1.0, 1.0, 0.0]), 0.2) == pytest.approx(0.6)
    assert value_concentration(pd.Series([6.0, 2.0, 1.0, 1.0, 0.0]), 0.3) == pytest.approx(0.7)
    assert value_concentration(pd.DataFrame({"clv": [5.0] * 10}), 0.2) == pytest.approx(0.2)
    assert np.isnan(value_concentration(pd.Series([0.0, 0.0])))
    for bad in (pd.Series([-1.0, 2.0]), pd.Series([np.nan]), pd.Series([], dtype=float)):
        with pytest.raises(WaageError, match="concentration needs"):
            value_concentration(bad)


def test_all_faults_are_named(sample, mbg):
    broken = pd.concat([sample, sample.head(1)])
    with pytest.raises(WaageError) as caught:
        customer_value(
            broken,
            mbg,
            spend_with(6.0, 0.9, 15.0),
            **(STUDY | {"margin_rate": 35, "discount_rate": -0.1, "horizon_months": 0}),
        )
    for part in ("person_id must be unique", "margin_rate", "discount_rate", "horizon_months"):
        assert part in str(caught.value)
    with pytest.raises(Refusal, match=r"q = 0\.900"):
        customer_value(sample, mbg, spend_with(6.0, 0.9, 15.0), **STUDY)
    with pytest.raises(WaageError, match="column monetary missing"):
        customer_value(sample.drop(columns="monetary"), mbg, spend_with(6.0, 3.0, 15.0), **STUDY)
    with pytest.raises(WaageError, match="no simulated totals attached"):
        total_value(sample)
