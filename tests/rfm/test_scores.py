import json
import random
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waage.errors import WaageError
from waage.rfm import FREQUENCY_BREAKS, RF10, Scores, cut_points, fit_scores, frozen_scores, remember

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "rfm.json").read_text())["orders"]

few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
amounts = st.decimals(min_value=-50, max_value=3000, places=2)
persons = st.lists(st.tuples(st.integers(0, 900), st.integers(1, 12), amounts), min_size=1, max_size=60)


def with_ids(histories):
    return [(f"{i:03d}", *history) for i, history in enumerate(histories)]


@pytest.fixture(scope="module")
def orders(con, shared_data):
    import pyarrow.parquet as pq

    table = con.create_table("orders", pq.read_table(shared_data / "rfm" / "rfm_data_orders.parquet"))
    people = table.group_by(person_id="customer_id").agg(
        last_day=table.order_date.cast("date").max(),
        frequency=table.count(),
        monetary=table.revenue.cast("decimal(18, 4)").sum(),
    )
    day = ibis.literal(REFERENCE["analysis_date"]).cast("date")
    return people.mutate(recency_days=day.delta(people.last_day, unit="day"))


class TestPublishedResults:
    def test_customers(self, orders):
        assert orders.count().to_pyarrow().as_py() == REFERENCE["customers"]

    def test_quantiles_are_exact(self, orders):
        breaks = fit_scores(orders).breaks
        assert {measure: list(points) for measure, points in breaks.items()} == REFERENCE["quantiles"]

    def test_first_five_customers(self, orders):
        scored = fit_scores(orders).apply(orders).order_by("person_id").limit(5).to_pyarrow().to_pylist()
        assert [100 * row["r"] + 10 * row["f"] + row["m"] for row in scored] == REFERENCE["first_five_scores"]


class TestCutPoints:
    @few
    @given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=80), st.integers(2, 9))
    def test_integers_equal_numpy(self, con, values, scores):
        table = ibis.memtable(pa.table({"x": values}))
        table = con.create_table("values", table, temp=True, overwrite=True)
        expected = np.quantile(values, np.arange(1, scores) / scores, method="linear")
        np.testing.assert_allclose(cut_points(table, "x", scores), expected, rtol=1e-12, atol=1e-9)

    @few
    @given(st.lists(amounts, min_size=1, max_size=80))
    def test_decimals_equal_numpy_and_do_not_decrease(self, con, values):
        data = pa.table({"x": pa.array(values, pa.decimal128(18, 4))})
        table = con.create_table("values", data, temp=True, overwrite=True)
        points = cut_points(table, "x")
        expected = np.quantile([float(value) for value in values], [0.2, 0.4, 0.6, 0.8], method="linear")
        np.testing.assert_allclose(points, expected, rtol=1e-12, atol=1e-9)
        assert list(points) == sorted(points)

    def test_floats_equal_numpy(self, con):
        values = np.random.default_rng(3).lognormal(4, 1, 301)
        table = con.create_table("values", pa.table({"x": values}), temp=True, overwrite=True)
        expected = np.quantile(values, [0.2, 0.4, 0.6, 0.8], method="linear")
        np.testing.assert_allclose(cut_points(table, "x"), expected, rtol=1e-12)

    def test_a_quantile_on_a_value_equals_it(self, con):
        # (6 - 1) * 0.6 and the like land beside the whole number in floating point for many n.
        for n in range(6, 200, 5):
            values = [Decimal(i * 7 + 1) / 100 for i in range(n)]
            data = pa.table({"x": pa.array(values, pa.decimal128(18, 4))})
            table = con.create_table("values", data, temp=True, overwrite=True)
            assert cut_points(table, "x") == tuple(float(values[(n - 1) * i // 5]) for i in range(1, 5))

    def test_refusals_name_the_fault(self, con, make_customers):
        customers = make_customers([("a", 3, 1, "10"), ("b", None, 2, "20")])
        with pytest.raises(WaageError, match=r"'frequncy' is missing.*did you mean 'frequency'"):
            cut_points(customers, "frequncy")
        with pytest.raises(WaageError, match="recency_days: 1 of 2 rows are null"):
            cut_points(customers, "recency_days")
        with pytest.raises(WaageError, match="person_id: type string"):
            cut_points(customers, "person_id")
        with pytest.raises(WaageError, match="no customer has an order"):
            cut_points(customers.limit(0), "frequency")
        for scores in (1, 10, 2.5, True):
            with pytest.raises(WaageError, match="whole number from 2 to 9"):
                cut_points(customers, "frequency", scores)
        nan = con.create_table("values", pa.table({"x": [1.0, float("nan")]}), temp=True, overwrite=True)
        with pytest.raises(WaageError, match="not finite"):
            cut_points(nan, "x")


class TestScores:
    @few
    @given(persons, st.randoms(use_true_random=False))
    def test_shuffling_rows_changes_nothing(self, make_customers, read, histories, rng):
        rows = with_ids(histories)
        shuffled = rng.sample(rows, len(rows))
        results = []
        for order in (rows, shuffled):
            customers = make_customers(order)
            scores = fit_scores(customers)
            results.append((scores, read(RF10.assign(scores.apply(customers)), "r", "f", "m", "segment")))
        assert results[0] == results[1]

    @few
    @given(persons)
    def test_scores_follow_the_value_and_only_the_value(self, make_customers, read, histories):
        customers = make_customers(with_ids(histories))
        scored = read(fit_scores(customers).apply(customers), "r", "f", "m")
        for place, better in ((0, -1), (1, 1), (2, 1)):
            pairs = sorted((better * history[place], scored[person][place]) for person, *history in with_ids(histories))
            by_value = dict(pairs)
            assert len(set(pairs)) == len(by_value), "equal values, different scores"
            ranks = [by_value[value] for value in sorted(by_value)]
            assert ranks == sorted(ranks), "a better value scores lower"
            assert set(ranks) <= {1, 2, 3, 4, 5}

    @few
    @given(persons)
    def test_summary_counts_what_apply_assigns(self, make_customers, read, histories):
        customers = make_customers(with_ids(histories))
        scores = fit_scores(customers, f_breaks=FREQUENCY_BREAKS)
        scored = read(scores.apply(customers), "r", "f", "m")
        for place, measure in enumerate("rfm"):
            assigned = [row[place] for row in scored.values()]
            summary = scores.summary[scores.summary.measure == measure]
            assert summary.score.tolist() == [1, 2, 3, 4, 5]
            assert summary.customers.tolist() == [assigned.count(score) for score in range(1, 6)]
            assert summary.share.sum() == pytest.approx(1)

    @few
    @given(persons)
    def test_stored_thresholds_come_back_equal(self, make_customers, histories):
        scores = fit_scores(make_customers(with_ids(histories)), m_breaks=(10, 50.5, 100, 200))
        assert Scores.from_dict(json.loads(json.dumps(scores.to_dict(), allow_nan=False))) == scores

    @pytest.mark.parametrize(("frequency", "score"), [(1, 1), (2, 2), (3, 3), (4, 4), (6, 4), (7, 5), (40, 5)])
    def test_upper_bounds_are_inclusive(self, make_customers, read, frequency, score):
        customers = make_customers([("a", 10, frequency, "5")])
        scores = fit_scores(customers, f_breaks=FREQUENCY_BREAKS)
        assert read(scores.apply(customers), "f") == {"a": (score,)}

    def test_recent_customers_score_high_at_inclusive_bounds(self, make_customers, read):
        days = [0, 30, 31, 90, 91, 180, 365, 366]
        customers = make_customers([(f"{d:03d}", d, 1, "5") for d in days])
        scored = read(fit_scores(customers, r_breaks=(30, 90, 180, 365)).apply(customers), "r")
        assert [scored[f"{d:03d}"][0] for d in days] == [5, 5, 4, 4, 3, 3, 2, 1]

    def test_money_on_a_break_belongs_to_the_lower_bin_to_the_fourth_decimal(self, make_customers, read):
        amounts = ["0.1", "0.1001", "0.3", "0.3001", "254.7999", "254.8", "254.8001", "900719925.4740"]
        customers = make_customers([(amount, 1, 1, amount) for amount in amounts])
        # 0.1 + 0.2 is the double just above 0.3: it must not move the decimal 0.3, nor let 0.3001 in.
        scored = read(fit_scores(customers, m_breaks=(0.1, 0.1 + 0.2, 254.8, 1000)).apply(customers), "m")
        assert [scored[amount][0] for amount in amounts] == [1, 2, 2, 3, 3, 3, 4, 5]

    def test_money_of_zero_or_less_scores_one_even_below_every_break(self, make_customers, read):
        customers = make_customers([("a", 1, 1, "-30"), ("b", 1, 1, "-1"), ("c", 1, 1, "0"), ("d", 1, 1, "0.01")])
        scores = fit_scores(customers, m_breaks=(-20, -10, -5, -0.5))
        assert read(scores.apply(customers), "m") == {"a": (1,), "b": (1,), "c": (1,), "d": (5,)}
        assert scores.m.counts == (3, 0, 0, 0, 1)

    def test_missing_values_have_no_score(self, make_customers, read):
        scores = fit_scores(make_customers([("a", 3, 1, "10"), ("b", 40, 2, "20")]))
        later = make_customers([("c", None, None, None)])
        assert read(RF10.assign(scores.apply(later)), "r", "f", "m", "segment") == {"c": (None,) * 4}

    def test_floating_money_scores_too_and_not_a_number_has_no_score(self, con, make_customers, read):
        customers = make_customers([("a", 3, 1, "10"), ("b", 40, 2, "20"), ("c", 50, 2, "-1")])
        scores = fit_scores(customers, m_breaks=(10, 15, 20, 25))
        money = ibis.cases(
            (customers.person_id == "b", ibis.literal(float("nan"))), else_=customers.monetary.cast("float64")
        )
        assert read(scores.apply(customers.mutate(monetary=money)), "m") == {"a": (1,), "b": (None,), "c": (1,)}

    def test_frozen_thresholds_ignore_who_else_is_there(self, make_customers, read):
        early = [(f"{i:02d}", i * 11 % 97, 1 + i % 6, str(i * 3)) for i in range(40)]
        customers = make_customers(early)
        scores = fit_scores(customers)
        before = read(scores.apply(customers), "r", "f", "m")
        after = read(scores.apply(make_customers(early + [(f"x{i}", 0, 50, "9999") for i in range(40)])), "r", "f", "m")
        assert {person: after[person] for person in before} == before

    def test_one_time_buyers_share_one_score_and_the_summary_says_so(self, make_customers):
        customers = make_customers([(f"{i:02d}", i, 1 if i < 14 else i - 11, "10") for i in range(20)])
        scores = fit_scores(customers)
        assert scores.breaks["f"][:3] == (1.0, 1.0, 1.0)
        frequency = scores.summary.query("measure == 'f'")
        assert frequency.customers.tolist()[:3] == [14, 0, 0]
        assert set(frequency.tied_value) == {1.0}
        assert set(frequency.tied_share) == {0.7}

    def test_the_expression_compiles_for_other_engines(self, make_customers):
        scores = fit_scores(make_customers([("a", 3, 1, "10"), ("b", 40, 2, "20")]))
        table = ibis.table(
            {"person_id": "string", "recency_days": "int64", "frequency": "int64", "monetary": "decimal(18, 4)"}
        )
        for dialect in ("duckdb", "pyspark", "postgres"):
            sql = ibis.to_sql(RF10.assign(scores.apply(table)), dialect=dialect).upper()
            assert "CASE" in sql
            assert " OVER " not in sql

    def test_all_faults_are_named_together(self, make_customers):
        customers = make_customers([("a", -2, 1, None), ("b", 3, 2, "20")])
        with pytest.raises(WaageError) as error:
            fit_scores(customers, r_breaks=(1, 2, 3), f_breaks=(1, 3, 3, 4), m_breaks=(1, 2, 3, float("nan")))
        for part in (
            "3 breaks; 5 scores need 4",
            "3 follows 3; breaks must increase",
            "finite number",
            "monetary: 1 of 2 rows are null",
            "smallest value -2",
        ):
            assert part in str(error.value)

    def test_stored_thresholds_are_checked(self, make_customers):
        scores = fit_scores(make_customers([("a", 3, 1, "10"), ("b", 40, 2, "20")]))
        stored = scores.to_dict()
        with pytest.raises(WaageError, match=r"'scors' is unknown.*did you mean 'scores'"):
            Scores.from_dict(stored | {"scors": 5})
        with pytest.raises(WaageError, match="'m' is missing"):
            Scores.from_dict({key: value for key, value in stored.items() if key != "m"})
        with pytest.raises(WaageError, match="breaks must increase"):
            replace(scores, r=replace(scores.r, breaks=(4.0, 3.0, 2.0, 1.0)))

    def test_ten_thousand_customers_in_any_order(self, make_customers):
        rng = random.Random(7)
        rows = [
            (f"{i:05d}", rng.randrange(800), 1 + int(rng.expovariate(0.7)), f"{rng.expovariate(0.01):.2f}")
            for i in range(10_000)
        ]
        customers = make_customers(rows)
        first = fit_scores(customers)
        rng.shuffle(rows)
        assert fit_scores(make_customers(rows)) == first
        assert first.customers == 10_000


class TestFrozen:
    JUNE, MAY = date(2025, 6, 30), date(2025, 5, 31)

    def test_thresholds_of_an_earlier_run_are_used_until_the_setting_changes(self, make_customers):
        customers = make_customers([(f"{i:02d}", i * 11 % 97, 1 + i % 6, str(i * 3)) for i in range(40)])
        asked = {"settings": {"window_months": 24}, "f_breaks": [1, 2, 3, 6]}
        first = frozen_scores(customers, None, as_of=self.MAY, **asked)
        assert (first.version, first.as_of) == (1, self.MAY)
        stored = json.loads(json.dumps(remember(None, first), allow_nan=False))
        later = make_customers([(f"{i:02d}", i, 1, str(i)) for i in range(40)])
        assert frozen_scores(later, stored, as_of=self.JUNE, **asked) == first
        again = frozen_scores(later, stored, as_of=self.JUNE, refit=True, **asked)
        assert (again.version, again.as_of) == (2, self.JUNE) and again.breaks["r"] != first.breaks["r"]
        assert frozen_scores(later, remember(stored, again), as_of=self.JUNE, **asked) == again
        assert frozen_scores(later, remember(stored, again), as_of=self.MAY, **asked) == first, "none of a later day"

    def test_a_trial_with_another_setting_does_not_end_those_in_use(self, make_customers):
        customers = make_customers([(f"{i:02d}", i * 11 % 97, 1 + i % 6, str(i * 3)) for i in range(40)])
        later = make_customers([(f"{i:02d}", i, 1, str(i)) for i in range(40)])
        first = frozen_scores(customers, None, as_of=self.MAY, settings={"window_months": 24})
        stored = remember(None, first)
        for change in ({"settings": {"window_months": 12}}, {"f_breaks": [1, 2, 3, 7]}):
            trial = frozen_scores(later, stored, as_of=self.JUNE, **{"settings": {"window_months": 24}} | change)
            assert (trial.version, trial.as_of) == (1, self.JUNE)
            stored = remember(stored, trial)
        assert frozen_scores(later, stored, as_of=self.JUNE, settings={"window_months": 24}) == first
        assert remember(stored, first)["thresholds"].count(first.to_dict()) == 1

    def test_drift_is_nothing_for_the_same_customers_and_named_for_others(self, make_customers):
        rows = [(f"{i:03d}", i % 300, 1 + i % 9, str(1 + i)) for i in range(400)]
        customers = make_customers(rows)
        scores = fit_scores(customers, f_breaks=FREQUENCY_BREAKS)
        same = scores.drift(customers)
        assert same.psi.max() == 0 and set(same.verdict) == {"stable"}
        assert same.groupby("measure").share.sum().to_numpy() == pytest.approx([1, 1, 1])
        moved = scores.drift(make_customers([(a, b + 200, c, d) for a, b, c, d in rows])).set_index("measure")
        assert set(moved.verdict["r"]) == {"another_base"} and set(moved.verdict["f"]) == {"stable"}
        assert (moved.psi["f"] == 0).all() and moved.psi["r"].iloc[0] > 0.25

    def test_leads_are_neither_scored_nor_counted(self, make_customers, read):
        customers = make_customers([("a", 3, 1, "10"), ("b", 40, 2, "20"), ("lead", None, 0, "0")])
        scores = fit_scores(customers)
        assert scores.customers == 2 and read(scores.apply(customers), "r", "f", "m")["lead"] == (None,) * 3
        assert scores.drift(customers).share.sum() == pytest.approx(3)
