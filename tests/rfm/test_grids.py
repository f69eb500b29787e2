import pytest

from waage.errors import WaageError
from waage.rfm import RF10, RFM11, Grid, pick_grid, read_grids

CELLS = [f"{r}{y}" for r in range(1, 6) for y in range(1, 6)]


def table(con, rows):
    values = ", ".join(f"({r}, {f}, {m})" for r, f, m in rows)
    return con.sql(f"SELECT * FROM (VALUES {values}) t(r, f, m)")


@pytest.mark.parametrize("grid", [RF10, RFM11], ids=lambda grid: grid.name)
def test_shipped_grids_are_exact_partitions_and_speak_both_languages(con, grid):
    assert sorted(cell for own in grid.cells.values() for cell in own) == CELLS
    for segment in grid.segments:
        texts = [grid.text(segment, what, language) for what in ("meaning", "action") for language in ("en", "de")]
        assert all(texts) and texts[0] != texts[1] and texts[2] != texts[3]
        assert grid.label(segment, "de") and grid.label(segment)[0].isupper(), "a name, not a key"


def test_sizes_are_as_published():
    assert [len(own) for own in RF10.cells.values()] == [2, 4, 4, 1, 1, 1, 2, 2, 4, 4]
    assert len(RFM11.segments) == 11 and RFM11.cells["lost"] == ("11",)


@pytest.mark.parametrize(
    ("cell", "segment"),
    [
        ("54", "champions"), ("34", "loyal"), ("42", "potential_loyalists"), ("51", "new"), ("41", "promising"),
        ("33", "need_attention"), ("32", "about_to_sleep"), ("15", "cant_lose"), ("23", "at_risk"),
        ("22", "hibernating"),
    ],
)  # fmt: skip
def test_rf10_cells(cell, segment):
    assert RF10.segment_of(*map(int, cell)) == segment


def test_every_rfm_cell_has_exactly_one_segment_in_either_grid(con):
    """Exhaustive: all 125 cells of both grids, against arithmetic with halves rounded up."""
    rows = [(r, f, m) for r in range(1, 6) for f in range(1, 6) for m in range(1, 6)]
    scored = table(con, rows)
    for grid in (RF10, RFM11):
        assigned = grid.assign(scored).to_pyarrow().to_pylist()
        assert len(assigned) == 125
        for row in assigned:
            both = int((row["f"] + row["m"]) / 2 + 0.5)
            assert row["segment"] == grid.segment_of(row["r"], row["f"] if grid.y == "f" else both)


def test_scores_that_are_missing_or_outside_have_no_segment(con):
    scored = table(con, [(6, 1, 1), (0, 3, 3), ("NULL", 1, 1), (1, "NULL", 1)])
    assert RF10.assign(scored).segment.to_pyarrow().to_pylist() == [None] * 4
    with pytest.raises(WaageError, match="grid RFM11: column 'm' is missing"):
        RFM11.assign(scored.drop("m"))


@pytest.mark.parametrize("grid", [RF10, RFM11], ids=lambda grid: grid.name)
def test_rectangles_cover_a_segment_exactly(grid):
    for segment in grid.segments:
        cells = [
            f"{r}{y}"
            for (low, high), (left, right) in grid.rectangles(segment)
            for r in range(low, high + 1)
            for y in range(left, right + 1)
        ]
        assert sorted(cells) == sorted(grid.cells[segment])


def test_a_gap_is_refused_naming_the_cells():
    cells = {segment: own for segment, own in RF10.cells.items() if segment != "cant_lose"}
    with pytest.raises(WaageError, match=r"grid mine: cell 15 \(R 1, F 5\) has no segment; cell 25"):
        Grid("mine", cells)


def test_an_overlap_is_refused_naming_cell_and_owners():
    with pytest.raises(WaageError, match="cell 11 is claimed 2 times, by hibernating and lost"):
        Grid("mine", {**RF10.cells, "lost": ("11",)})
    with pytest.raises(WaageError, match="cell 11 is claimed 2 times, by all"):
        Grid("mine", {"all": ("11", "11", "12", "21", "22")}, scores=2)


def test_cells_outside_empty_segments_and_unknown_axes_are_refused():
    with pytest.raises(WaageError, match="cell '16' of extra lies outside 11 to 55"):
        Grid("mine", {**RF10.cells, "extra": ("16",)})
    with pytest.raises(WaageError, match="segment extra has no cell"):
        Grid("mine", {**RF10.cells, "extra": ()})
    with pytest.raises(WaageError, match="second axis is f or fm"):
        Grid("mine", RF10.cells, y="m")


def test_cells_cannot_be_changed_afterwards():
    with pytest.raises(TypeError):
        RF10.cells["champions"] = ("55",)


OWN = {
    "y": "fm",
    "scores": 2,
    "segments": {
        "vip": {"cells": [22], "label": {"en": "Best", "de": "Beste"}, "meaning": "The best.", "owner": "CRM"},
        "rest": {"cells": [11, 12, 21]},
    },
}


def test_a_grid_of_the_study_stands_beside_those_that_ship():
    grid = pick_grid("house", {"house": OWN})
    assert set(read_grids({"house": OWN})) == {"RF10", "RFM11", "house"}
    assert grid.segments == ("vip", "rest") and grid.segment_of(2, 2) == "vip" and grid.scores == 2
    assert (grid.label("vip", "de"), grid.text("vip", "meaning", "de")) == ("Beste", "The best.")
    assert grid.label("rest") == "rest" and grid.text("rest", "action") == "" and grid.texts["vip"]["owner"] == "CRM"
    with pytest.raises(WaageError, match=r"no grid is called 'hous'.*did you mean 'house'"):
        pick_grid("hous", {"house": OWN})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"segments": {"vip": {"cells": [22]}, "rest": {"cells": [11, 12]}}}, r"cell 21 \(R 2, FM 1\) has no segment"),
        ({"scors": 3}, "unknown key 'scors'.*did you mean 'scores'"),
        ({"scores": 12}, "scores is 12"),
        ({"segments": {"vip": {"cell": [22]}}}, "segment vip has no list of cells"),
        ({"segments": {"vip": {"cells": [22], "lable": "x"}}}, "unknown key 'lable'.*did you mean 'label'"),
        ({"segments": {"vip": {"cells": [22], "label": {"en": "x"}}}}, "label must be a text"),
        ({"segments": [1]}, "write y: f"),
    ],
)
def test_faults_in_a_grid_of_the_study_are_named(change, words):
    with pytest.raises(WaageError, match=f"grid house: .*{words}"):
        read_grids({"house": OWN | change})


def test_study_yaml_refuses_a_faulty_grid_before_anything_runs(make_study):
    from waage.study import Study

    make_study(rfm="{grids: {house: {scores: 2, segments: {a: {cells: [11, 12, 21]}}}}, ownr: CRM}")
    with pytest.raises(WaageError) as error:
        Study.open("small")
    assert "cell 22 (R 2, F 2) has no segment" in str(error.value) and "'rfm.ownr'" in str(error.value)
