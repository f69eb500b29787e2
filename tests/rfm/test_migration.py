from decimal import Decimal

import ibis
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linprog

from waage import style
from waage.errors import WaageError
from waage.privacy import hidden_numbers
from waage.rfm.migration import GONE, NOT_YET, migration

matplotlib.use("Agg")

SEGMENTS = ("best", "good", "poor")


@pytest.fixture(scope="module")
def con():
    return ibis.duckdb.connect()


@pytest.fixture(scope="module")
def make(con):
    """Return a function from rows to the three lazy tables of `migration`."""

    def tables(before, after, revenue=()):
        state = {"person_id": pa.string(), "recency_days": pa.int64(), "segment": pa.string()}
        money = {
            "person_id": pa.string(),
            "revenue_before": pa.decimal128(18, 4),
            "revenue_after": pa.decimal128(18, 4),
        }
        made = []
        for name, rows, types in (("before", before, state), ("after", after, state), ("revenue", revenue, money)):
            columns = list(zip(*rows, strict=True)) or [()] * len(types)
            arrays = [pa.array(values, kind) for values, kind in zip(columns, types.values(), strict=True)]
            made.append(con.create_table(name, pa.table(arrays, names=list(types)), temp=True, overwrite=True))
        return made

    return tables


def matrix(result, column="customers"):
    table = result.table.pivot(index="from_segment", columns="to_segment", values=column)
    return table.loc[[*result.segments, GONE, NOT_YET], [*result.segments, GONE]]


@pytest.fixture(scope="module")
def small(make):
    before = [
        ("a", 10, "best"),
        ("b", 10, "best"),
        ("c", 800, "poor"),  # gone
        ("d", 730, "poor"),  # the limit itself is not gone
        ("e", None, None),  # a lead
        ("f", 5, "good"),  # all her orders come back later
        ("h", 900, "good"),  # gone, then back
        ("lead", None, None),
    ]
    after = [
        ("a", 3, "best"),
        ("b", 300, "good"),
        ("c", 1165, "poor"),
        ("d", 1095, "poor"),
        ("e", 1, "best"),
        ("g", 2, "good"),  # no row before
        ("h", 1, "best"),
        ("lead", None, None),
    ]
    revenue = [
        ("a", Decimal("0.1"), Decimal("0.3")),
        ("b", Decimal("10.10"), None),
        ("h", Decimal(0), Decimal("99.99")),
        ("lead", Decimal(7), Decimal(7)),
        ("stranger", Decimal(7), Decimal(7)),
    ]
    return before, after, revenue


class TestCounting:
    def test_everybody_is_in_exactly_one_cell(self, make, small):
        result = migration(*make(*small), segments=SEGMENTS, draws=50)
        expected = pd.DataFrame(0, index=[*SEGMENTS, GONE, NOT_YET], columns=[*SEGMENTS, GONE])
        for cell in [("best", "best"), ("best", "good"), (GONE, GONE), ("poor", GONE), (NOT_YET, "best")]:
            expected.loc[cell] += 1
        for cell in [("good", GONE), (NOT_YET, "good"), (GONE, "best")]:
            expected.loc[cell] += 1
        np.testing.assert_array_equal(matrix(result), expected)
        assert result.table.customers.sum() == 8
        assert len(result.table) == 5 * 4
        shares = result.table.groupby("from_segment").share.sum()
        np.testing.assert_allclose(shares, 1)

    def test_revenue_is_booked_to_the_cell_of_its_person(self, make, small):
        cells = migration(*make(*small), segments=SEGMENTS, draws=50).table.set_index(["from_segment", "to_segment"])
        assert cells.loc[("best", "best"), "revenue_change"] == 0.2
        assert cells.loc[("best", "good"), "revenue_before"] == 10.1
        assert cells.loc[("best", "good"), "revenue_after"] == 0
        assert cells.loc[(GONE, "best"), "revenue_after"] == 99.99
        # Neither the lead nor somebody in no table is a customer.
        assert cells.revenue_after.sum() == pytest.approx(100.29)

    def test_with_zero_days_nobody_is_gone_but_who_returned_everything(self, make, small):
        counts = matrix(migration(*make(*small), segments=SEGMENTS, gone_days=0, draws=50))
        assert counts[GONE].sum() == 1
        assert counts.loc["poor", "poor"] == 2
        assert counts.loc[GONE].sum() == 0

    def test_summary_follows_the_order_of_segments(self, make, small):
        row = migration(*make(*small), segments=SEGMENTS, draws=50).summary.set_index("segment")
        assert list(row.index) == [*SEGMENTS, GONE, NOT_YET]
        best = row.loc["best"]
        assert (best.customers_before, best.customers_after, best.customers_change) == (2, 3, 1)
        assert (best.stayed, best.moved_up, best.moved_down, best.gone) == (0.5, 0, 0.5, 0)
        assert row.loc[GONE, "moved_up"] == 0.5
        assert row.loc["good", "gone"] == row.loc["poor", "gone"] == 1
        assert row.loc[NOT_YET, "customers_before"] == 2
        assert np.isnan(row.loc[NOT_YET, "stayed"])
        assert row.customers_change.sum() == 0
        assert row.revenue_change.sum() == pytest.approx(100.29 - 10.2)

    def test_order_of_rows_does_not_matter(self, make):
        rng = np.random.default_rng(3)
        people = [f"p{i}" for i in range(300)]
        before = [(p, int(rng.integers(0, 900)), rng.choice(SEGMENTS)) for p in people[:250]]
        after = [(p, int(rng.integers(0, 900)), rng.choice(SEGMENTS)) for p in people[20:]]
        money = [(p, *(Decimal(int(x)) / 100 for x in rng.integers(-5000, 90000, 2))) for p in people]
        one = migration(*make(before, after, money), segments=SEGMENTS, draws=100)
        for rows in (before, after, money):
            rng.shuffle(rows)
        before, after, money = ([tuple(row) for row in rows] for rows in (before[::-1], after[::-1], money[::-1]))
        other = migration(*make(before, after, money), segments=SEGMENTS, draws=100)
        pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
        pd.testing.assert_frame_equal(one.summary, other.summary, check_exact=True)

    def test_interval_covers_the_true_share(self, make):
        rng = np.random.default_rng(11)
        covered = 0
        for seed in range(60):
            stays = rng.random(400) < 0.6
            before = [(str(i), 1, "best" if i < 150 else "poor") for i in range(400)]
            after = [(str(i), 1, "best" if (i < 150) == stays[i] else "poor") for i in range(400)]
            row = migration(*make(before, after), segments=SEGMENTS, draws=400, seed=seed).summary.iloc[0]
            covered += row.stayed_low <= 0.6 <= row.stayed_high
        assert covered >= 52


def attacked(counts, hidden, least):
    """Return the width of what an attacker can know of each hidden number, from all that is shown."""
    full = np.pad(counts, (0, 1))
    full[-1] = full.sum(axis=0)
    full[:, -1] = full.sum(axis=1)
    rows, columns = full.shape
    place = np.arange(full.size).reshape(full.shape)
    equations = []
    for line in (*place, *place.T):
        one = np.zeros(full.size)
        one[line[:-1]], one[line[-1]] = 1, -1
        equations.append(one)
    bounds = [(least, None) if unseen else (value, value) for value, unseen in zip(full.flat, hidden.flat, strict=True)]
    widths = []
    for unknown in np.flatnonzero(hidden):
        aim = np.zeros(full.size)
        aim[unknown] = 1
        ends = [
            linprog(s * aim, A_eq=np.array(equations), b_eq=np.zeros(rows + columns), bounds=bounds) for s in (1, -1)
        ]
        # Unbounded (status 3) is as unknown as can be.
        widths.append(np.inf if 3 in {end.status for end in ends} else -ends[1].fun - ends[0].fun)
    return np.array(widths)


class TestMasking:
    @given(
        hnp.arrays(np.int64, st.tuples(st.integers(2, 5), st.integers(2, 5)), elements=st.integers(0, 40)),
        st.sampled_from([5, 10, 30]),
    )
    @settings(max_examples=60, deadline=None)
    def test_no_hidden_number_can_be_solved_from_the_shown_ones(self, counts, min_cell):
        full = np.pad(counts, (0, 1))
        hidden = hidden_numbers(full, min_cell)
        full[-1] = full.sum(axis=0)
        full[:, -1] = full.sum(axis=1)
        assert hidden[(full > 0) & (full < min_cell)].all()
        assert hidden.all() or not hidden[-1, -1]
        if hidden.any() and not hidden.all():
            assert attacked(counts, hidden, 0).min() >= 1
            assert not hidden[full == 0].any()

    @given(
        hnp.arrays(np.int64, st.tuples(st.integers(3, 5), st.integers(3, 5)), elements=st.integers(0, 40)),
        st.lists(st.sampled_from(["known", "forced", ""]), min_size=5, max_size=5),
    )
    @settings(max_examples=60, deadline=None)
    def test_totals_told_elsewhere_cover_for_nothing_and_those_hidden_there_stay_hidden(self, counts, told):
        full = np.pad(counts, (0, 1))
        full[-1] = full.sum(axis=0)
        full[:, -1] = full.sum(axis=1)
        known, forced = np.zeros((2, *full.shape), dtype=bool)
        for column in range(counts.shape[1]):
            known[-1, column] = told[column] == "known" and full[-1, column] >= 10
            forced[-1, column] = told[column] == "forced"
        hidden = hidden_numbers(np.pad(counts, (0, 1)), 10, known, forced)
        assert hidden[forced & (full > 0)].all()
        if hidden.any() and not hidden[full > 0].all():
            assert not hidden[known].any(), "what stands elsewhere is no secret"
            assert attacked(counts, hidden, 0).min() >= 1

    def test_what_the_segments_beside_it_hide_or_tell_is_respected(self, make):
        before = [(f"{s}{i}", 1, s) for s in SEGMENTS for i in range(60)]
        after = [(p, 1, SEGMENTS[(SEGMENTS.index(s) + (int(p[4:]) % 3 == 0)) % 3]) for p, _, s in before]
        result = migration(*make(before, after), segments=SEGMENTS, draws=50)
        beside = pd.DataFrame({"segment": SEGMENTS, "customers": [np.nan, np.nan, 60.0]})
        sizes = result.masked(10, after=beside).summary.set_index("segment").customers_after
        assert sizes[list(SEGMENTS[:2])].isna().all() and sizes[SEGMENTS[2]] == 60
        nearly = pd.DataFrame({"segment": SEGMENTS, "customers": [60.0, 60.0, 61.0]})
        sizes = result.masked(10, after=nearly).summary.set_index("segment").customers_after
        assert np.isnan(sizes[SEGMENTS[2]]), "61 there and 60 here would tell that one is gone"

    def test_a_single_small_cell_takes_three_others_with_it(self):
        counts = np.array([[100, 3, 50], [40, 90, 60], [70, 80, 20]])
        hidden = hidden_numbers(np.pad(counts, (0, 1)), 10)
        assert hidden.sum() == 4
        assert hidden[0, 1]
        assert not hidden[-1].any()
        assert (hidden[:3, :3].sum(axis=0) != 1).all()
        assert (hidden[:3, :3].sum(axis=1) != 1).all()
        assert attacked(counts, hidden, 0).min() > 1

    def test_hidden_cells_of_a_line_are_enough_people_together(self):
        counts = np.array([[2, 3, 50, 40], [40, 90, 2, 60], [70, 80, 20, 3]])
        hidden = hidden_numbers(np.pad(counts, (0, 1)), 10)
        for line, own in [*zip(counts, hidden, strict=False), *zip(counts.T, hidden.T, strict=False)]:
            assert own[-1] or not own.any() or line[own[:-1]].sum() >= 10

    def test_totals_are_hidden_where_they_are_the_cell(self):
        assert hidden_numbers(np.pad(np.array([[4, 0], [0, 0]]), (0, 1)), 10).all()
        hidden = hidden_numbers(np.pad(np.array([[4, 0], [0, 70]]), (0, 1)), 10)
        np.testing.assert_array_equal(hidden, [[1, 0, 1], [0, 1, 1], [1, 1, 0]])

    def test_masked_result_hides_shares_revenue_and_what_is_made_of_them(self, make):
        before = [(f"{s}{i}", 1, s) for s in SEGMENTS for i in range(60)]
        after = [(p, 1, SEGMENTS[(SEGMENTS.index(s) + (int(p[4:]) % 3 == 0)) % 3]) for p, _, s in before]
        after[1] = (after[1][0], 1, "poor")
        result = migration(*make(before, after), segments=SEGMENTS, draws=50)
        assert matrix(result).loc["best", "poor"] == 1
        masked = result.masked(10)
        gone = masked.table.customers.isna()
        assert gone.any()
        columns = ["share", "revenue_before", "revenue_after", "revenue_change"]
        assert masked.table.loc[gone, columns].isna().all(axis=None)
        assert masked.table.loc[~gone & (masked.table.from_customers > 0), columns].notna().all(axis=None)
        assert np.isnan(masked.summary.moved_down[0])
        assert masked.summary.customers_before[0] == 60
        pd.testing.assert_frame_equal(result.masked(0).table, result.table, check_dtype=False)
        with pytest.raises(WaageError, match="masked already"):
            masked.masked(10)

    def test_a_small_row_hides_total_and_shares(self, make):
        before = [(f"{i}", 1, "best" if i < 4 else "good" if i < 60 else "poor") for i in range(150)]
        after = [(f"{i}", 1, SEGMENTS[i % 3]) for i in range(150)]
        masked = migration(*make(before, after), segments=SEGMENTS, draws=50).masked(10)
        row = masked.table[masked.table.from_segment == "best"]
        assert row.from_customers.isna().all()
        assert row.share.isna().all()
        assert masked.summary.loc[0, ["customers_before", "customers_change", "stayed", "revenue_before"]].isna().all()


class TestRefusals:
    def test_all_faults_are_named_together(self, make):
        before = [("a", 1, "beste"), ("a", 1, "best"), (None, 1, "best")]
        after = [("a", None, "best")]
        with pytest.raises(WaageError) as error:
            migration(*make(before, after), segments=SEGMENTS)
        for words in ("before.segment: 1 rows", "'beste'", "before.person_id: 1 rows repeat", "1 rows are NULL"):
            assert words in str(error.value)
        assert "after.recency_days: 1 rows" in str(error.value)

    def test_missing_columns(self, make, small):
        before, after, revenue = make(*small)
        with pytest.raises(WaageError, match=r"before.segment is missing.*revenue.revenue_after is missing"):
            migration(before.drop("segment"), after, revenue.drop("revenue_after"), segments=SEGMENTS)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"segments": ["best", "gone"]}, "state of its own"),
            ({"segments": []}, "name each segment once"),
            ({"gone_days": -1}, "gone_days -1"),
            ({"draws": 0}, "draws 0"),
            ({"confidence": 95}, "confidence 95"),
        ],
    )
    def test_arguments(self, make, small, arguments, words):
        with pytest.raises(WaageError, match=words):
            migration(*make(*small), **{"segments": SEGMENTS} | arguments)

    def test_nobody(self, make):
        with pytest.raises(WaageError, match="nobody has a segment"):
            migration(*make([("a", None, None)], []), segments=SEGMENTS)


@pytest.mark.parametrize("language", ["en", "de"])
def test_picture_shows_shares_counts_and_no_hidden_number(make, language):
    before = [(f"{i}", 1, SEGMENTS[i % 3]) for i in range(3000)]
    after = [(f"{i}", 1, SEGMENTS[(i + (i % 7 == 0)) % 3]) for i in range(3000)]
    after[0] = ("0", 1, "poor")
    result = migration(*make(before, after), segments=SEGMENTS, draws=50)
    ax = result.masked(10).plot_matrix(language=language)
    texts = [text.get_text() for text in ax.texts]
    shown = result.masked(10).table
    assert style.percent(shown.share.dropna().max(), language) in texts
    assert "1" not in texts
    hatched = sum(bool(patch.get_hatch()) for patch in ax.patches)
    assert hatched == shown.customers.isna().sum() > 1
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    assert labels[-1].startswith("Noch kein Kunde" if language == "de" else "Not yet a customer")
    assert ("Stichtagen" if language == "de" else "two dates") in ax.get_title("left") + ax.get_title()
    plt.close(ax.figure)


def test_nobody_stayed_is_no_certainty(con):
    before = con.sql("SELECT 'P' || i AS person_id, 5 AS recency_days, 'a' AS segment FROM range(35) t(i)")
    after = before.mutate(segment=before.segment.replace("a", "b"))
    money = before.select("person_id", revenue_before="recency_days", revenue_after="recency_days")
    row = migration(before, after, money, segments=["a", "b"]).summary.set_index("segment").loc["a"]
    assert (row.stayed, row.stayed_low) == (0, 0) and 0.09 < row.stayed_high < 0.11, "Wilson's bound for 0 of 35"
