from datetime import date, timedelta

import ibis
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from waage import style
from waage.errors import Refusal, WaageError
from waage.rfm.return_curve import SHARES, return_curve

matplotlib.use("Agg")

AS_OF = date(2025, 6, 30)


@pytest.fixture(scope="module")
def con():
    return ibis.duckdb.connect()


@pytest.fixture(scope="module")
def make(con):
    """Return a function from rows (person_id, days before AS_OF, counts) to a lazy table."""

    def table(rows):
        people, ago, counts = zip(*rows, strict=True)
        days = [AS_OF - timedelta(days=int(day)) for day in ago]
        columns = {
            "person_id": pa.array(people, pa.string()),
            "day": pa.array(days, pa.date32()),
            "counts": pa.array(counts, pa.bool_()),
        }
        return con.create_table("orders", pa.table(columns), temp=True, overwrite=True)

    return table


def purchases(seed, n=1500, mean=60.0, shape=None, span=730):
    """Return orders of people who join during `span` days and return at random; shape: gamma spread of their rates."""
    rng = np.random.default_rng(seed)
    means = np.full(n, mean) if shape is None else mean / rng.gamma(shape, 1 / shape, n)
    rows = []
    for person in range(n):
        day = rng.integers(0, span)
        while day <= span:
            rows.append((f"p{person}", span - day, True))
            day += int(np.ceil(rng.exponential(means[person])))
    return rows


def truth(days, horizon, mean, shape):
    def share(t):
        return 1 - np.exp(-t / mean) if shape is None else 1 - (1 + t / (mean * shape)) ** -shape

    return share(np.asarray(days)) / share(horizon)


class TestEstimate:
    def test_by_hand(self, make):
        # 60 persons first seen 10 days ago return after 2 days; 40 first seen 4 days ago after 2 days; 30 first
        # seen 10 days ago after 6. Seen after 6 days can only be those of 10 days: F(5) = 1 - 30 / 90.
        rows = []
        for place, (first, gap) in enumerate([(10, 2)] * 60 + [(4, 2)] * 40 + [(10, 6)] * 30):
            rows += [(f"p{place}", first, True), (f"p{place}", first - gap, True)]
        curve = return_curve(make(rows), AS_OF)
        assert (curve.buyers, curve.gaps, curve.horizon) == (130, 130, 10)
        np.testing.assert_allclose(curve.table.share, [0, *[2 / 3] * 4, *[1] * 5], atol=1e-9)
        np.testing.assert_allclose(curve.table.share_naive, [0, *[10 / 13] * 4, *[1] * 5], atol=1e-9)
        np.testing.assert_allclose(curve.table.at_risk, [0, 100, 100, 100, 60, 90, 90, 90, 90, 90])
        assert curve.suggestion == {0.8: 6, 0.9: 6, 0.95: 6}
        assert curve.days(0.5) == 2

    def test_every_repeat_buyer_counts_once(self, make):
        # Half return every second day ten times, half once after nine days; all were seen equally long ago.
        rows = [(f"a{i}", 30 - 2 * k, True) for i in range(60) for k in range(11)]
        rows += [(f"b{i}", day, True) for i in range(60) for day in (30, 21)]
        curve = return_curve(make(rows), AS_OF)
        assert curve.gaps == 660
        np.testing.assert_allclose(curve.table.share[1:8], 0.5, atol=1e-9)

    @pytest.mark.parametrize(("mean", "shape"), [(60, None), (200, None), (60, 2)])
    def test_unbiased_where_the_plain_distribution_is_too_short(self, make, mean, shape):
        days = np.array([20, 60, 120, 200])
        errors, naive = [], []
        for seed in range(6):
            curve = return_curve(make(purchases(seed, mean=mean, shape=shape)), AS_OF)
            table = curve.table.set_index("days").loc[days]
            true = truth(days, curve.horizon, mean, shape)
            errors.append(table.share - true)
            naive.append(table.share_naive - true)
        # Six worlds of 1500 persons: three standard errors of their mean are about 0.012.
        assert np.abs(np.mean(errors, axis=0)).max() < 0.015
        assert np.mean(naive, axis=0).max() > 0.03

    def test_intervals_cover_the_truth(self, make):
        covered = []
        for seed in range(30):
            curve = return_curve(make(purchases(100 + seed, n=400, shape=2)), AS_OF)
            table = curve.table.set_index("days").loc[[30, 60, 120]]
            true = truth(table.index, curve.horizon, 60, 2)
            covered += list((table.share_low <= true) & (true <= table.share_high))
        assert np.mean(covered) >= 0.85

    def test_is_a_distribution(self, make):
        for seed in range(5):
            curve = return_curve(make(purchases(seed, n=150)), AS_OF)
            table = curve.table
            for name in ("share", "share_low", "share_high", "share_naive"):
                assert (table[name].diff().dropna() >= -1e-12).all()
                assert table[name].between(0, 1 + 1e-12).all()
            assert table.share.iloc[-1] == table.share_naive.iloc[-1] == 1
            assert (table.share_low <= table.share + 1e-12).all()
            assert (table.share <= table.share_high + 1e-12).all()
            assert list(table.days) == list(range(1, curve.horizon + 1))
            summary = curve.summary
            assert (summary.days_low <= summary.days).all()
            assert (summary.days <= summary.days_high).all()

    def test_order_of_rows_does_not_matter(self, make):
        rows = purchases(1, n=300)
        one = return_curve(make(rows), AS_OF)
        np.random.default_rng(2).shuffle(rows)
        other = return_curve(make([(p, int(d), True) for p, d, _ in rows]), AS_OF)
        pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)

    def test_ignores_what_is_no_purchase_of_a_known_person(self, make):
        rows = purchases(1, n=200)
        one = return_curve(make(rows), AS_OF)
        more = [(None, 5, True), (None, 9, True), ("p0", 1, False), ("p1", -3, True), ("p2", -9, True), *rows[:50]]
        other = return_curve(make(rows + more), AS_OF)
        pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
        assert one.gaps == other.gaps


class TestRefusals:
    def test_few_repeat_buyers(self, make):
        rows = [(f"p{i}", day, True) for i in range(49) for day in (30, 20)] + [("one", 3, True)]
        with pytest.raises(Refusal, match="49 persons bought on more than one day"):
            return_curve(make(rows), AS_OF)

    def test_few_at_risk(self, make):
        with pytest.raises(Refusal, match="observable for 5000 repeat buyers"):
            return_curve(make(purchases(1, n=200)), AS_OF, min_at_risk=5000)

    def test_wrong_arguments(self, make):
        orders = make(purchases(1, n=200))
        with pytest.raises(WaageError, match="'counts' is missing"):
            return_curve(orders.drop("counts"), AS_OF)
        with pytest.raises(WaageError, match="confidence 95"):
            return_curve(orders, AS_OF, confidence=95)
        with pytest.raises(WaageError, match="share 90"):
            return_curve(orders, AS_OF).days(90)


@pytest.mark.parametrize("language", ["en", "de"])
def test_picture_marks_the_days_and_the_limits_in_use(make, language):
    curve = return_curve(make(purchases(1)), AS_OF)
    ax = curve.plot(language=language, active_days=90, lapsed_days=365)
    texts = " ".join(text.get_text() for text in ax.texts)
    for share in SHARES:
        assert style.percent(share, language) in texts
        assert style.number(curve.days(share), language) in texts
    back = style.percent(curve.table.share[89], language)
    assert f"90 {'Tage' if language == 'de' else 'days'}: {back}" in texts
    upright = [line.get_xdata()[0] for line in ax.lines if list(line.get_ydata()) == [0, 1]]
    assert {90, 365} <= set(upright)
    assert ("Wiederkäufer" if language == "de" else "repeat buyers") in ax.get_title("left") + ax.get_title()
    plt.close(ax.figure)
    assert curve.plot(plt.subplots()[1]).lines
    plt.close("all")
