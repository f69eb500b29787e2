"""Concentration against textbook values, and against the bootstrap for its interval."""

import dataclasses
import random
from datetime import date

import numpy as np
import pytest

from waage.customer_base import active_customers, concentration, concentration_finding
from waage.customer_base.concentration import from_counts

from .book import order

UNTIL = date(2025, 6, 30)


def of(values, min_cell=1):
    amounts, n = np.unique(np.asarray(values, dtype="int64"), return_counts=True)
    return from_counts(amounts, n, min_cell=min_cell)


def measured(orders):
    return concentration(active_customers(orders, UNTIL))


def gini_by_pairs(values):
    values = np.asarray(values, dtype=float)
    return np.abs(values[:, None] - values[None, :]).sum() / (2 * len(values) ** 2 * values.mean())


class TestKnownValues:
    def test_all_alike(self):
        found = of([700] * 200)
        assert found.gini == pytest.approx(0, abs=1e-12) and (found.gini_low, found.gini_high) == pytest.approx((0, 0))
        assert found.table["share"].tolist() == pytest.approx([0.01, 0.05, 0.10, 0.20])

    def test_one_has_all(self):
        found = of([0] * 199 + [5])
        assert found.gini == pytest.approx(199 / 200)
        assert found.table["share"].tolist() == pytest.approx([1, 1, 1, 1])

    def test_one_to_n_has_the_closed_form(self):
        found = of(range(1, 1001))
        assert found.gini == pytest.approx((1000**2 - 1) / (3 * 1000 * 1000) * 1000 / 1001)
        assert found.table["share"].iloc[3] == pytest.approx(sum(range(801, 1001)) / sum(range(1, 1001)))

    def test_textbook_fifths(self):
        # Shares of income fifths 5, 10, 15, 25 and 45 %: the trapezoids give 0.38.
        found = of(np.repeat([5, 10, 15, 25, 45], 40))
        assert found.gini == pytest.approx(0.38) and found.table["share"].iloc[3] == pytest.approx(0.45)

    def test_pairwise_differences(self):
        values = np.random.default_rng(4).integers(0, 60, 300)
        assert of(values).gini == pytest.approx(gini_by_pairs(values))

    def test_the_boundary_customer_counts_in_part(self):
        found = of([1] * 147 + [100, 200, 300])  # 1 % of 150 customers are one and a half
        total = 747
        assert found.table["share"].iloc[0] == pytest.approx((300 + 0.5 * 200) / total)
        assert found.table["customers"].iloc[0] == 1.5

    def test_the_interval_is_that_of_the_bootstrap(self):
        rng = np.random.default_rng(8)
        values = rng.lognormal(4, 0.9, 2000).astype("int64")
        found = of(values)
        drawn = [of(rng.choice(values, len(values))).gini for _ in range(400)]
        assert (found.gini_high - found.gini_low) / (2 * 1.96) == pytest.approx(np.std(drawn), rel=0.12)

    def test_the_curve_is_thin_and_runs_from_corner_to_corner(self):
        curve = of(np.random.default_rng(1).integers(1, 10**6, 5000)).curve
        assert len(curve) <= 200
        assert curve.iloc[0].tolist() == [0, 0] and curve.iloc[-1].tolist() == pytest.approx([1, 1])
        assert (curve["revenue"] <= curve["customers"] + 1e-12).all() and curve["revenue"].is_monotonic_increasing

    def test_the_few_at_the_top_are_not_told(self):
        found = of([*range(1, 198), 5000, 6000, 90_000], min_cell=10)
        assert found.table["share"].isna().tolist() == [True, False, False, False]  # 2 of 200, then 10
        inside = found.curve["customers"].iloc[1:-1]
        assert inside.max() == pytest.approx(190 / 200) and found.curve["customers"].iloc[-1] == 1
        assert of([1, 2] * 70, min_cell=30).problem == "few_customers"  # a fifth of 140 is 28
        assert of([1, 2] * 75, min_cell=30).problem == ""


class TestFromOrders:
    def rows(self, n=150):
        return [order(f"p{i}", date(2025, 1, 1 + i % 28), 1 + i % 17 / 4, number=i + 1) for i in range(n)]

    def test_negative_customers_are_counted_and_zero(self, make_orders):
        rows = self.rows()
        rows += [order(f"n{i}", date(2025, 2, 1), 5, returned=8, number=500 + i) for i in range(10)]
        found = measured(make_orders(rows))
        values = [float(row["net_revenue"]) for row in rows[:150]] + [0.0] * 10
        assert (found.customers, found.negative) == (160, 10)
        assert found.gini == pytest.approx(gini_by_pairs(values))
        few = dataclasses.replace(found, negative=3)
        assert (
            "Fewer than 10 of 160 active" in concentration_finding(few) and "3" not in concentration_finding(few)[-70:]
        )
        assert "Weniger als 10 von 160" in concentration_finding(few, "de")
        assert "3 of 160" in concentration_finding(few, min_cell=3)
        assert "10 of 160" in concentration_finding(found) and "10 von 160" in concentration_finding(found, "de")

    def test_only_the_last_twelve_months_and_what_was_not_cancelled(self, make_orders):
        rows = self.rows()
        more = [order("p1", date(2024, 6, 30), 900, number=700), order("p2", date(2025, 7, 1), 900, number=701)]
        more += [
            order("p3", date(2025, 3, 1), 900, "cancelled", number=702),
            order(None, date(2025, 3, 1), 900, number=703),
        ]
        first, second = (measured(make_orders(some)) for some in (rows, rows + more))
        assert first.gini == second.gini and first.customers == second.customers == 150

    def test_row_order_does_not_matter(self, make_orders):
        rows = self.rows()
        first = measured(make_orders(rows))
        random.Random(2).shuffle(rows)
        second = measured(make_orders(rows))
        assert (first.gini, first.gini_low) == (second.gini, second.gini_low) and first.curve.equals(second.curve)

    def test_too_few_and_no_revenue_have_a_reason(self, make_orders):
        few = measured(make_orders(self.rows(99)))
        assert few.problem == "few_customers" and np.isnan(few.gini) and few.table.empty
        assert measured(make_orders(self.rows(100))).problem == ""
        back = [order(f"p{i}", date(2025, 1, 1), 5, returned=5, number=i + 1) for i in range(120)]
        none = measured(make_orders(back))
        assert none.problem == "no_revenue" and "not positive" in concentration_finding(none)
