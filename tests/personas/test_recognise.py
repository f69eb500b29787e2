import numpy as np
import pandas as pd
import pytest

from waage.errors import WaageError
from waage.personas.recognise import recognise
from waage.typology.accuracy import thresholds

FEATURES = ("weekend_share", "category_kids", "order_value", "recency_days")
MODEL = {
    "types": ["type_1", "type_2", "type_3"],
    "scales": {name: {} for name in FEATURES},
    "coefficients": [[0.5, 1.2, 0.0, 0.3], [0.5, -0.6, 0.9, 0.3], [0.5, -0.6, 0.0, 0.3]],
    "trees": [],
    "open": True,
}


def test_the_rule_names_what_sets_the_type_apart_in_the_model():
    found = recognise(MODEL, "type_1")
    assert found["rule"] == (
        "The higher “Share of kids' wear”, the likelier it is this type; a high “Value of an order” speaks against it."
    )
    # What pulls all types alike says nothing: only differences count.
    assert [feature["feature"] for feature in found["features"]] == ["category_kids", "order_value"]
    assert found["features"][0]["effect"] == pytest.approx(1.2)
    shifted = MODEL | {"coefficients": np.add(MODEL["coefficients"], [3, -2, 1, 0]).tolist()}
    assert recognise(shifted, "type_1")["rule"] == found["rule"]
    german = recognise(MODEL, "type_2", "de")["rule"]
    assert german == "Je höher „Bestellwert“, desto eher ist es dieser Typ; dagegen spricht viel „Anteil Kindermode“."
    assert recognise(MODEL, "type_3")["rule"].startswith("What speaks against this type: ")


def test_the_threshold_is_the_lowest_that_is_right_often_enough():
    rng = np.random.default_rng(0)
    p = rng.random(4000)
    member = (rng.random(4000) < p).astype(float)

    def steps(p, member):
        both = [np.column_stack([x, 1 - x]) for x in (p, member)]
        return thresholds(*both, np.ones(len(p)), ("type_1", "rest"), 10).query("type == 'type_1'")

    found = recognise(MODEL, "type_1", thresholds=steps(p, member), right=0.7)
    # Calibrated: the mean of p above .4 is .7.
    assert found["threshold"] == pytest.approx(0.4, abs=0.051) and found["right"] >= 0.7
    above = p >= found["threshold"]
    assert found["reached"] == pytest.approx(member[above].sum() / member.sum())
    assert "p ≥ 0.4" in found["advice"]
    never = recognise(MODEL, "type_1", "de", thresholds=steps(p, np.full(4000, 0.1)))
    assert never["threshold"] is None and never["advice"].startswith("Keine Schwelle bringt aus mindestens 10")
    few = recognise(MODEL, "type_1", thresholds=steps(p[:8], member[:8]))
    assert few["threshold"] is None


def test_trees_closed_gates_and_faults():
    trees = [[(1, 0.0, (3, 1.0, 0.1, 0.2), 0.3)], [(0, 0.0, 0.1, 0.2)], []]
    assert (
        "“Share of kids' wear” and “Days since the last order”" in recognise(MODEL | {"trees": trees}, "type_1")["rule"]
    )
    assert recognise(MODEL | {"trees": trees}, "type_3")["rule"] == "Behaviour does not tell this type."
    sure = pd.DataFrame({"threshold": [0.3], "right": [1.0], "reached": [1.0]})
    closed = recognise(MODEL | {"open": False}, "type_1", thresholds=sure)
    assert closed["rule"].startswith("Behaviour does not carry") and closed["threshold"] is None
    forced = recognise(MODEL | {"open": False}, "type_1", thresholds=sure, typed=True)
    assert "all the same (force_types)" in forced["rule"] and forced["threshold"] is None
    with pytest.raises(WaageError, match=r"no type 'typ_1' .did you mean 'type_"):
        recognise(MODEL, "typ_1")
    with pytest.raises(WaageError, match="for 3 types, 4 features"):
        recognise(MODEL | {"coefficients": [[1.0]] * 3}, "type_1")


def test_it_reads_the_model_of_the_typology():
    from waage.typology.typing_model import Scale, TypingModel

    scales = {name: Scale("none", -3.0, 3.0, 0.0, 1.0) for name in FEATURES}
    rows = tuple(map(tuple, MODEL["coefficients"]))
    model = TypingModel(("type_1", "type_2", "type_3"), scales, (0.0, 0.0, 0.0), rows, (0.4, 0.3, 0.3))
    assert recognise(model.to_dict(), "type_1") == recognise(MODEL, "type_1")
