import pytest
from hypothesis import given
from hypothesis import strategies as st

from waage.errors import WaageError
from waage.notebook import Notebook, declared_parameters, given_parameters, pick


def notebook(source: str) -> Notebook:
    return Notebook(
        path=__import__("pathlib").Path("04_clv.ipynb"), title="t", parameters=declared_parameters(source, "x")
    )


def test_values_that_papermill_loses_are_read():
    source = "a: str = '#336699 = x'  # colour (hex)\nb: list[float] = [\n    1, 2.5\n]  # bounds\nc: bool = True"
    parameters = declared_parameters(source, "x")
    assert (parameters["a"].default, parameters["a"].help) == ("#336699 = x", "colour (hex)")
    assert (parameters["b"].default, parameters["b"].help) == ([1, 2.5], "bounds")
    assert (parameters["c"].default, parameters["c"].help) == (True, "")


@pytest.mark.parametrize(
    "source",
    ["import os", "x = 1", "x: int = 1 + 1", "x: int", "x: int = 'a'", "x: datetime.date = 1", "x: int | None = None"],
)
def test_anything_else_in_the_cell_is_refused(source):
    with pytest.raises(WaageError, match="is not a parameter"):
        declared_parameters(source, "04_clv.ipynb")


@pytest.mark.parametrize(
    ("kind", "default", "value", "accepted"),
    [
        ("int", 1, 2, 2),
        ("float", 1.0, 2, 2.0),
        ("list[float]", [], [1, 2], [1.0, 2.0]),
        ("bool", True, False, False),
        ("dict", {}, {"a": 1}, {"a": 1}),
    ],
)
def test_values_of_the_declared_type_pass(kind, default, value, accepted):
    result = notebook(f"x: {kind} = {default!r}").resolve({"x": value})["x"]
    assert result == accepted and type(result) is type(accepted)


@pytest.mark.parametrize(
    ("kind", "default", "value"),
    [("int", 1, 2.0), ("int", 1, True), ("int", 1, "2"), ("bool", True, 1), ("str", "", 5), ("list[float]", [], ["a"])],
)
def test_values_of_another_type_are_refused(kind, default, value):
    with pytest.raises(WaageError, match=f"04_clv: parameter x must be {kind.split('[')[0]}"):
        notebook(f"x: {kind} = {default!r}").resolve({"x": value})


@given(st.lists(st.sampled_from(["a", "b"]), max_size=3), st.integers(), st.integers())
def test_later_layers_win(order, first, second):
    resolved = notebook("a: int = 0\nb: int = 0").resolve(dict.fromkeys(order, first), {"a": second})
    assert resolved == {"a": second, "b": first if "b" in order else 0}


def test_given_is_what_differs_or_what_papermill_injected():
    source = "a: int = 1  # one\nb: int = 2  # two"
    assert given_parameters(notebook(source), {"a": 1, "b": 5, "In": [source]}) == {"b": 5}
    assert given_parameters(notebook(source), {"a": 1, "b": 2, "In": [source, "# Parameters\na = 1\n"]}) == {"a": 1}


@pytest.mark.parametrize(
    ("wanted", "found"), [("04", "04_clv"), ("04_clv", "04_clv"), ("4", "04_clv"), ("02_r", "02_rfm")]
)
def test_notebooks_are_picked_by_number_or_beginning(wanted, found):
    assert pick(["02_rfm", "04_clv"], wanted) == found


@pytest.mark.parametrize("wanted", ["", "0", "clv", "5"])
def test_what_names_none_or_several_is_refused(wanted):
    with pytest.raises(WaageError, match="there are 02_rfm, 04_clv"):
        pick(["02_rfm", "04_clv"], wanted)
