import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest

from waage import style
from waage.errors import WaageError
from waage.rfm import LIFECYCLE, RF10, RFM11, Grid, fit_scores, plot_grid, plot_map, plot_stages

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def counts():
    cells = [(r, f) for r in range(1, 6) for f in range(1, 6)]
    table = pd.DataFrame(cells, columns=["r", "y"])
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


def test_shares_without_a_positive_total_are_not_taken_for_masked_ones(counts):
    counts["revenue_share"] = np.nan
    assert texts(plot_grid(counts, value="revenue_share")).count(style.MISSING) == 25


def test_grid_refuses_what_it_cannot_draw(counts):
    with pytest.raises(WaageError, match="did you mean 'customers'"):
        plot_grid(counts, value="customer")
    with pytest.raises(WaageError, match="lacks 'revenue'"):
        plot_grid(counts.drop(columns="revenue"), value="revenue")
    with pytest.raises(WaageError, match="cell 11 is missing"):
        plot_grid(counts.iloc[1:])
    with pytest.raises(WaageError, match="cell 11 occurs 2 times"):
        plot_grid(pd.concat([counts, counts.iloc[:1]]))


def test_the_map_names_every_segment_and_writes_what_it_holds(segments):
    segments["revenue"] = segments.customers * 1000
    segments["customers_change"] = [0.19, -0.29, np.nan, 0.001, 11, *[0.5] * 5]
    segments["revenue_change"] = 0.07
    segments.loc[9, ["customers", "revenue", "customers_change", "revenue_change"]] = np.nan
    ax = plot_map(RF10, segments)
    assert {style.label(segment) for segment in RF10.segments} <= {" ".join(text.split()) for text in texts(ax)}
    shown = {" ".join(line.split()) for text in texts(ax) for line in text.splitlines()}
    assert {"20 customers +19%", "30 customers −29%", "40 customers", "50 customers"} <= shown
    assert {"(±0%, +7%)", "€20k +7%", "hidden"} <= shown and "change" in ax.get_title()
    german = plot_map(RF10, segments.assign(customers_change=np.nan, revenue_change=np.nan), language="de")
    assert any(text.startswith("20 Kunden") for text in texts(german)) and "Vorjahr" not in german.get_title()


def test_the_map_covers_every_cell_once_and_needs_no_numbers():
    own = Grid("own", {"vip": ["22"], "rest": ["11", "12", "21"]}, scores=2)
    for grid in (RF10, RFM11, own):
        areas = [
            (patch.get_x(), patch.get_y(), patch.get_width(), patch.get_height()) for patch in plot_map(grid).patches
        ]
        cells = [
            (x + 0.5 + i, y + 0.5 + j)
            for x, y, width, height in areas
            for i in range(int(width))
            for j in range(int(height))
        ]
        scale = range(1, grid.scores + 1)
        assert sorted(cells) == sorted((y, r) for r in scale for y in scale)


def test_axes_say_days_and_orders_where_thresholds_are_given(make_customers, counts):
    customers = make_customers([(str(i), i * 10, 1 + i % 9, "10") for i in range(50)])
    scores = fit_scores(customers, r_breaks=(12.4, 30, 90, 365), f_breaks=(1, 2, 3, 6))
    ax = plot_grid(counts, scores=scores)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["> 365", "91–365", "31–90", "13–30", "0–12"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2", "3", "4–6", "7+"]
    assert "score" not in ax.get_xlabel() and "score" in plot_grid(counts).get_xlabel()


def test_stage_bars_show_share_and_count_or_that_they_are_hidden():
    table = pd.DataFrame({"lifecycle": LIFECYCLE, "customers": [100.0, 10, 20, 30, np.nan, 25, 15]})
    table["share"] = table.customers / 200
    ax = plot_stages(table, language="de")
    assert texts(ax)[0].split() == [*style.percent(0.5, "de").split(), "(100)"] and texts(ax)[4] == "verdeckt"
    assert [bar.get_width() for bar in ax.patches][:2] == [0.5, 0.05] and ax.patches[4].get_width() == 0


def test_importing_the_subject_loads_no_plotting():
    code = "import sys, waage.rfm; sys.exit(any(m in sys.modules for m in ('matplotlib', 'seaborn', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
