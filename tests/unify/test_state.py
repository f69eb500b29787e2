import pandas as pd
import pytest

from waage.errors import WaageError
from waage.unify import State, state_from, state_parts
from waage.unify.guards import IDENTIFIERS, Limits
from waage.unify.model import Model

LIMITS = Limits(dict.fromkeys(IDENTIFIERS, 4), dict.fromkeys(IDENTIFIERS, 60))
MODEL = Model(
    0.001,
    pd.DataFrame({"comparison": ["email"], "level": ["same"], "m": [0.75], "u": [1e-06], "pairs": [7]}),
    pd.DataFrame({"field": ["last_name"], "name": ["x"], "n": [3], "share": [1 / 3]}),
    ("app", "web"),
)
IDS = pd.DataFrame({"source": ["s"], "source_id": ["1"], "person_id": ["P"]})


def again(state: State, **how) -> State:
    parts = {name: content for name, content in state_parts(state) if content is not None}
    return state_from(parts.get, **how)


def test_a_state_comes_back_as_it_was():
    found = again(State(model=MODEL, limits=LIMITS, vetoes=("birth_date",), identity_map=IDS))
    assert (found.limits, found.vetoes, found.model.prior, found.model.accounts) == (
        LIMITS, ("birth_date",), 0.001, ("app", "web"),
    )  # fmt: skip
    pd.testing.assert_frame_equal(found.model.weights, MODEL.weights)
    pd.testing.assert_frame_equal(found.model.names, MODEL.names)
    pd.testing.assert_frame_equal(found.identity_map, IDS)
    assert found.changes is None


def test_limits_stay_where_there_is_no_model_and_an_old_model_does_not_come_back():
    found = again(State(limits=LIMITS, vetoes=(), identity_map=IDS))
    assert found.limits == LIMITS and found.vetoes == () and found.model is None


def test_retraining_keeps_the_ids_only():
    found = again(State(model=MODEL, limits=LIMITS, vetoes=(), identity_map=IDS), retrain=True)
    assert found.model is None and found.limits is None and found.vetoes is None and len(found.identity_map) == 1
    assert again(State()) == State()


def test_a_state_of_another_version_is_refused():
    parts = {"identity_model": {"version": 99}}
    with pytest.raises(WaageError, match=r"identity_model.json has version 99, .* run once with retrain"):
        state_from(parts.get)
    assert state_from(parts.get, retrain=True) == State()
