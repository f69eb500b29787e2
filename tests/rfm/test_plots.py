import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest

from waage import style
from waage.errors import WaageError
from waage.rfm import RF10, plot_grid, plot_segments

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def counts():
    cells = [(r, f) for r in range(1, 6) for f in range(1, 6)]
    table = pd.DataFrame(cells, columns=["r", "f"])
    table["customers"] = np.arange(25) * 111.0 + 1000
    table["share"] = table.customers / table.customers.sum()
    table["revenue"] = table.customers * 1000
    table["revenue_share"] = table.share
    return table


@pytest.fixture
def segments():
    table = pd.DataFrame({"segment": RF10.segments, "customers": np.arange(10) * 10.0 + 20})
    table["share"] = table.customers / table.customers.sum()
    table["revenue_share"] = table.share[::-1].to_numpy()
    return table


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_grid_shows_every_number_and_every_segment(counts):
    ax = plot_grid(counts)
    shown = texts(ax)
    assert {style.number(amount) for amount in counts.customers} <= set(shown)
    names = {" ".join(text.split()) for text in shown}
    assert {style.label(segment) for segment in RF10.segments} <= names
    place = {text.get_text(): text.get_position() for text in ax.texts}
    assert place["1,000"][0] == 1 and round(place["1,000"][1]) == 1
    assert place["3,664"][0] == 5 and round(place["3,664"][1]) == 5


def test_grid_outlines_follow_the_segments(counts):
    ax = plot_grid(counts)
    drawn = {}
    for line in ax.lines:
        drawn[line.get_color()] = drawn.get(line.get_color(), 0) + 1
    sides = {1: 4, 2: 6, 4: 8}
    for segment, cells in RF10.cells.items():
        assert drawn[style.SEGMENT_COLOURS[segment]] == sides[len(cells)]


def test_grid_speaks_german_and_draws_on_given_axes(counts):
    import matplotlib.pyplot as plt

    axes = plt.subplots()[1]
    assert plot_grid(counts, axes, "revenue_share", language="de") is axes
    assert "Umsatz" in axes.get_title()
    assert style.percent(counts.revenue_share.iloc[0], "de") in texts(axes)
    assert "Treue Kunden" in texts(axes)


@pytest.mark.parametrize("value", ["customers", "revenue"])
def test_masked_cells_are_empty_with_a_mark(counts, value):
    counts.loc[3, ["customers", "share", "revenue", "revenue_share"]] = np.nan
    ax = plot_grid(counts, value=value)
    assert texts(ax).count("hidden") == 1
    assert [patch.get_hatch() is not None for patch in ax.patches].count(True) == 1
    assert matplotlib.colors.to_hex(ax.patches[3].get_facecolor()) == "#ffffff"


def test_shares_without_a_positive_total_are_not_taken_for_masked_ones(counts, segments):
    counts["revenue_share"] = np.nan
    assert texts(plot_grid(counts, value="revenue_share")).count(style.MISSING) == 25
    segments["revenue_share"] = np.nan
    assert texts(plot_segments(segments)).count(style.MISSING) == 10


def test_grid_refuses_what_it_cannot_draw(counts):
    with pytest.raises(WaageError, match="did you mean 'customers'"):
        plot_grid(counts, value="customer")
    with pytest.raises(WaageError, match="lacks 'revenue'"):
        plot_grid(counts.drop(columns="revenue"), value="revenue")
    with pytest.raises(WaageError, match="cell 11 is missing"):
        plot_grid(counts.iloc[1:])
    with pytest.raises(WaageError, match="cell 11 occurs 2 times"):
        plot_grid(pd.concat([counts, counts.iloc[:1]]))


def test_segment_bars_have_the_lengths_of_the_shares(segments):
    ax = plot_segments(segments)
    widths = [bar.get_width() for bar in ax.patches]
    np.testing.assert_allclose(widths, [*segments.share, *segments.revenue_share])
    assert [label.get_text() for label in ax.get_yticklabels()] == [style.label(s) for s in RF10.segments]
    assert f"{style.percent(segments.share[0])}  (20)" in texts(ax)
    assert ax.yaxis_inverted()


def test_masked_segment_has_no_bar_and_one_mark(segments):
    segments.loc[2, ["customers", "share", "revenue_share"]] = np.nan
    ax = plot_segments(segments, language="de")
    assert texts(ax).count("verdeckt") == 1
    assert ax.patches[2].get_width() == ax.patches[12].get_width() == 0


def test_negative_revenue_stays_inside_the_axes(segments):
    segments.loc[4, "revenue_share"] = -0.3
    assert plot_segments(segments).get_xlim()[0] < -0.3


def test_segment_bars_need_their_columns(segments):
    with pytest.raises(WaageError, match="lacks 'share'"):
        plot_segments(segments.drop(columns="share"))


def test_importing_the_subject_loads_no_plotting():
    code = "import sys, waage.rfm; sys.exit(any(m in sys.modules for m in ('matplotlib', 'seaborn', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
