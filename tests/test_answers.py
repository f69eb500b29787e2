"""Answers that are averaged: no codes for missing ones, nothing off the scale, more is better everywhere."""

import ibis
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from waage.answers import answered

BOOK = pd.DataFrame(
    [
        ("a", "up", "scale", 1.0, 5.0, "max", "9"),
        ("a", "down", "scale", 1.0, 6.0, "min", "-1, 99"),
        ("a", "open", "scale", None, None, "max", None),
        ("a", "yes", "binary", None, None, None, None),
        ("a", "note", "comment", None, None, None, None),
        ("b", "up", "scale", 0.0, 10.0, None, None),
    ],
    columns=["instrument", "item", "kind", "scale_min", "scale_max", "best", "missing_codes"],
)
KEYS = [*zip(BOOK.instrument, BOOK.item, strict=True), ("a", "unknown")]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.none() | st.integers(-2, 100)), min_size=1, max_size=40))
def test_what_is_left_lies_on_the_scale_and_is_turned_once(said):
    rows = pd.DataFrame(
        [(*key, value, i) for i, (key, value) in enumerate(said)], columns=["instrument", "item", "value", "n"]
    )
    left = answered(ibis.memtable(rows.astype({"value": "float64"})), ibis.memtable(BOOK)).execute().set_index("n")
    for i, (key, value) in enumerate(said):
        low, high = {("a", "up"): (1, 5), ("a", "down"): (1, 6), ("a", "yes"): (0, 1), ("b", "up"): (0, 10),
                     ("a", "open"): (-2, 100)}.get(key, (1, 0))  # fmt: skip
        if value is None or not low <= value <= high:
            assert i not in left.index
        else:
            assert left.loc[i, "value"] == (7 - value if key == ("a", "down") else value)
    assert list(left.columns) == ["instrument", "item", "value"]
